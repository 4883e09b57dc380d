//! Saving the whole keyspace to one file.

use crate::config::checks;
use crate::config::choices::RdbVersionCheck;
use crate::config::row::rows;
use crate::config::specials::SavePoints;
use crate::config::values::{I32_MAX, I32_MIN, MIB, Text};

rows! { snapshot: Snapshot, "SNAPSHOTTING", "Saving the whole keyspace to one file.";
    "save" => save: SavePoints = SavePoints::default(),
        "When to snapshot: pairs of seconds and changes. A snapshot starts when both have passed; save \"\" turns it off.",
        multi_arg, later("snapshots are not built");
    "stop-writes-on-bgsave-error" => stop_writes_on_bgsave_error: bool = true,
        "Refuse writes after a snapshot failed, until one succeeds.",
        later("snapshots are not built");
    "rdbcompression" => rdbcompression: bool = true,
        "Compress strings in snapshots and in what DUMP answers.";
    "rdbchecksum" => rdbchecksum: bool = true,
        "End a snapshot with a checksum and verify it when loading.",
        immutable, later("snapshots are not built");
    "rdb-version-check" => rdb_version_check: RdbVersionCheck = RdbVersionCheck::Strict,
        "Whether snapshots and payloads of RESTORE of a newer version than ours, or of another maker, are refused (strict) or tried (relaxed).";
    "dbfilename" => dbfilename: Text = Text::of("dump.rdb"),
        "Name of the snapshot file, inside dir.",
        check(checks::dbfilename), protected, later("snapshots are not built");
    "rdb-del-sync-files" => rdb_del_sync_files: bool = false,
        "Delete snapshot files that only served a replica's sync, when no persistence is on.",
        later("replication is not built");
    "rdb-save-incremental-fsync" => rdb_save_incremental_fsync: bool = true,
        "Sync a snapshot to disk piece by piece while it is written, to avoid one long stall at its end.",
        later("snapshots are not built");
    "rdb-key-save-delay" => rdb_key_save_delay: i64 = 0,
        "Microseconds to wait after each key when saving; negative values wait once in that many keys. For tests.",
        range(I32_MIN, I32_MAX), hidden, later("snapshots are not built");
    "key-load-delay" => key_load_delay: i64 = 0,
        "The same when loading. For tests.",
        range(I32_MIN, I32_MAX), hidden, later("snapshots are not built");
    "loading-process-events-interval-bytes" => loading_process_events_interval_bytes: i64 = 2 * MIB,
        "Bytes loaded between two looks at the clients while a snapshot loads.",
        range(1024, I32_MAX), hidden, later("snapshots are not built");
}
