//! Writing every change down before or soon after it is acknowledged.

use crate::config::checks;
use crate::config::choices::AppendFsync;
use crate::config::row::rows;
use crate::config::values::{I32_MAX, I64_MAX, MIB, Text};

rows! { aof: Aof, "APPEND ONLY MODE", "Writing every change down before or soon after it is acknowledged.";
    "appendonly" => appendonly: bool = false,
        "Keep an append-only file.",
        deny_loading, later("the append-only file is not built");
    "appendfilename" => appendfilename: Text = Text::of("appendonly.aof"),
        "Base of the names of append-only files.",
        check(checks::appendfilename), immutable, later("the append-only file is not built");
    "appenddirname" => appenddirname: Text = Text::of("appendonlydir"),
        "Folder for them, inside dir.",
        check(checks::appenddirname), immutable, later("the append-only file is not built");
    "appendfsync" => appendfsync: AppendFsync = AppendFsync::Everysec,
        "When to force them to disk: always (before the reply), everysec or no (leave it to the kernel).",
        later("the append-only file is not built");
    "no-appendfsync-on-rewrite" => no_appendfsync_on_rewrite: bool = false,
        "Do not force to disk while a rewrite or snapshot runs.",
        later("the append-only file is not built");
    "auto-aof-rewrite-percentage" => auto_aof_rewrite_percentage: i64 = 100,
        "Growth since the last rewrite, in percent, that starts a new one; 0 turns it off.",
        range(0, I32_MAX), later("the append-only file is not built");
    "auto-aof-rewrite-min-size" => auto_aof_rewrite_min_size: i64 = 64 * MIB,
        "Size below which no rewrite is started.",
        range(0, I64_MAX), memory, later("the append-only file is not built");
    "aof-load-truncated" => aof_load_truncated: bool = true,
        "Load a file whose end is cut off, up to the cut, instead of stopping.",
        later("the append-only file is not built");
    "aof-use-rdb-preamble" => aof_use_rdb_preamble: bool = true,
        "Write the base of a rewrite as a snapshot.",
        later("the append-only file is not built");
    "aof-timestamp-enabled" => aof_timestamp_enabled: bool = false,
        "Write times into the file, so that it can be cut back to a moment.",
        later("the append-only file is not built");
    "aof-rewrite-incremental-fsync" => aof_rewrite_incremental_fsync: bool = true,
        "Sync a rewrite to disk piece by piece.",
        later("the append-only file is not built");
    "aof-disable-auto-gc" => aof_disable_auto_gc: bool = false,
        "Keep files that a rewrite made useless. For tests.",
        hidden, later("the append-only file is not built");
}
