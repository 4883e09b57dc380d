//! Following a primary, and being followed.

use crate::config::choices::DisklessLoad;
use crate::config::row::rows;
use crate::config::specials::Primary;
use crate::config::values::{I32_MAX, I64_MAX, MIB, Secret, Text};

rows! { replication: Replication, "REPLICATION", "Following a primary, and being followed.";
    "replicaof" => replicaof: Primary = Primary::default(),
        "Address and port of the primary to follow.",
        alias("slaveof"), immutable, multi_arg, later("replication is not built");
    "primaryauth" => primaryauth: Secret = Secret::of(""),
        "Password for the primary.",
        empty_is_unset, binary, alias("masterauth"), sensitive, later("replication is not built");
    "primaryuser" => primaryuser: Text = Text::of(""),
        "User to log in as at the primary; empty sends the password alone.",
        empty_is_unset, alias("masteruser"), sensitive, later("replication is not built");
    "replica-serve-stale-data" => replica_serve_stale_data: bool = true,
        "Answer from old data while the link to the primary is down.",
        alias("slave-serve-stale-data"), later("replication is not built");
    "replica-read-only" => replica_read_only: bool = true,
        "Refuse writes of ordinary clients on a replica.",
        alias("slave-read-only"), debug, later("replication is not built");
    "replica-lazy-flush" => replica_lazy_flush: bool = true,
        "Free the old keyspace in the background when a full sync replaces it.",
        alias("slave-lazy-flush"), later("replication is not built");
    "replica-ignore-maxmemory" => replica_ignore_maxmemory: bool = true,
        "Let only the primary evict keys.",
        alias("slave-ignore-maxmemory"), later("replication is not built");
    "replica-ignore-disk-write-errors" => replica_ignore_disk_write_errors: bool = false,
        "Go on following when a write to our own disk fails.",
        later("replication is not built");
    "replica-priority" => replica_priority: i64 = 100,
        "Rank among replicas when a new primary is chosen; lower is better, 0 is never.",
        range(0, I32_MAX), alias("slave-priority"), later("replication is not built");
    "replica-announced" => replica_announced: bool = true,
        "Whether Sentinel shows this replica to its clients.",
        later("replication is not built");
    "replica-announce-ip" => replica_announce_ip: Text = Text::of(""),
        "Address the primary shall report for us.",
        empty_is_unset, alias("slave-announce-ip"), later("replication is not built");
    "replica-announce-port" => replica_announce_port: i64 = 0,
        "Port the primary shall report for us; 0 reports the real one.",
        range(0, 65_535), alias("slave-announce-port"), later("replication is not built");
    "repl-diskless-sync" => repl_diskless_sync: bool = true,
        "Send full syncs straight to replicas without a file in between.",
        debug, later("replication is not built");
    "repl-diskless-sync-delay" => repl_diskless_sync_delay: i64 = 5,
        "Seconds to wait for more replicas before a diskless sync starts.",
        range(0, I32_MAX), later("replication is not built");
    "repl-diskless-sync-max-replicas" => repl_diskless_sync_max_replicas: i64 = 0,
        "Start sooner once that many replicas wait; 0 means no such limit.",
        range(0, I32_MAX), later("replication is not built");
    "repl-diskless-load" => repl_diskless_load: DisklessLoad = DisklessLoad::Disabled,
        "Load a full sync from the socket: disabled, on-empty-db, swapdb or flush-before-load.",
        deny_loading, debug, later("replication is not built");
    "dual-channel-replication-enabled" => dual_channel_replication_enabled: bool = false,
        "Send snapshot and live stream over two connections.",
        debug, idle("a Ringkey sync always has its own flows");
    "repl-disable-tcp-nodelay" => repl_disable_tcp_nodelay: bool = false,
        "Trade some delay for fewer packets on replica links.",
        later("replication is not built");
    "repl-mptcp" => repl_mptcp: bool = false,
        "Use Multipath TCP for the link to the primary.",
        immutable, idle("io_uring links use plain TCP");
    "repl-ping-replica-period" => repl_ping_replica_period: i64 = 10,
        "Seconds between two pings to replicas.",
        range(1, I32_MAX), alias("repl-ping-slave-period"), later("replication is not built");
    "repl-timeout" => repl_timeout: i64 = 60,
        "Seconds of silence after which a replication link counts as dead.",
        range(1, I32_MAX), later("replication is not built");
    "repl-backlog-size" => repl_backlog_size: i64 = 10 * MIB,
        "Bytes of the write stream kept for replicas that come back.",
        range(1, I64_MAX), memory, later("replication is not built");
    "repl-backlog-ttl" => repl_backlog_ttl: i64 = 3600,
        "Seconds to keep the backlog once no replica is left; 0 keeps it.",
        range(0, I64_MAX), later("replication is not built");
    "min-replicas-to-write" => min_replicas_to_write: i64 = 0,
        "Refuse writes while fewer replicas are in touch; 0 turns it off.",
        range(0, I32_MAX), alias("min-slaves-to-write");
    "min-replicas-max-lag" => min_replicas_max_lag: i64 = 10,
        "Seconds of lag up to which a replica counts as in touch.",
        range(0, I32_MAX), alias("min-slaves-max-lag");
}
