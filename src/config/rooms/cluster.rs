//! Sharing the slots with other servers.

use crate::config::checks;
use crate::config::choices::{EndpointType, SaveBehavior};
use crate::config::row::rows;
use crate::config::values::{I32_MAX, I64_MAX, Text, U64_MAX};

rows! { cluster: Cluster, "CLUSTER", "Sharing the slots with other servers.";
    "cluster-enabled" => cluster_enabled: bool = false,
        "Run as a node of a cluster.",
        immutable, later("cluster mode is not built");
    "cluster-config-file" => cluster_config_file: Text = Text::of("nodes.conf"),
        "File in which the node keeps its view of the cluster; nobody else writes it.",
        check(checks::cluster_config_file), immutable, later("cluster mode is not built");
    "cluster-config-save-behavior" => cluster_config_save_behavior: SaveBehavior = SaveBehavior::Sync,
        "Whether a failure to save it stops the node (sync) or is logged (best-effort).",
        later("cluster mode is not built");
    "cluster-node-timeout" => cluster_node_timeout: i64 = 15_000,
        "Milliseconds of silence after which a node is suspected dead.",
        range(0, I64_MAX), later("cluster mode is not built");
    "cluster-port" => cluster_port: i64 = 0,
        "Port of the cluster bus; 0 is the client port plus 10000.",
        range(0, 65_535), immutable, later("cluster mode is not built");
    "cluster-databases" => cluster_databases: i64 = 1,
        "How many databases a cluster node has.",
        range(1, I32_MAX), immutable, later("cluster mode is not built");
    "cluster-replica-validity-factor" => cluster_replica_validity_factor: i64 = 10,
        "How stale a replica may be and still take over, in node timeouts; 0 means any.",
        range(0, I32_MAX), alias("cluster-slave-validity-factor"), later("cluster mode is not built");
    "cluster-replica-no-failover" => cluster_replica_no_failover: bool = false,
        "Never take over by itself.",
        alias("cluster-slave-no-failover"), later("cluster mode is not built");
    "cluster-migration-barrier" => cluster_migration_barrier: i64 = 1,
        "Replicas a primary keeps before one may move to an orphaned primary.",
        range(0, I32_MAX), later("cluster mode is not built");
    "cluster-allow-replica-migration" => cluster_allow_replica_migration: bool = true,
        "Whether replicas move by themselves.",
        later("cluster mode is not built");
    "cluster-require-full-coverage" => cluster_require_full_coverage: bool = true,
        "Refuse queries while some slot has no owner.",
        later("cluster mode is not built");
    "cluster-allow-reads-when-down" => cluster_allow_reads_when_down: bool = false,
        "Serve reads even then.",
        later("cluster mode is not built");
    "cluster-allow-pubsubshard-when-down" => cluster_allow_pubsubshard_when_down: bool = true,
        "Serve sharded pub/sub even then.",
        later("cluster mode is not built");
    "cluster-link-sendbuf-limit" => cluster_link_sendbuf_limit: u64 = 0,
        "Bytes waiting on a bus link after which it is reset; 0 means no limit.",
        range(0, U64_MAX), memory, later("cluster mode is not built");
    "cluster-announce-hostname" => cluster_announce_hostname: Text = Text::of(""),
        "Host name shown to clients in redirects.",
        empty_is_unset, check(checks::hostname), later("cluster mode is not built");
    "cluster-announce-human-nodename" => cluster_announce_human_nodename: Text = Text::of(""),
        "Name for people, shown in logs.",
        empty_is_unset, check(checks::human_nodename), later("cluster mode is not built");
    "cluster-announce-ip" => cluster_announce_ip: Text = Text::of(""),
        "Address other nodes shall use for us.",
        empty_is_unset, check(checks::announce_ip), later("cluster mode is not built");
    "cluster-announce-client-ipv4" => cluster_announce_client_ipv4: Text = Text::of(""),
        "IPv4 address shown to clients.",
        empty_is_unset, check(checks::ipv4), later("cluster mode is not built");
    "cluster-announce-client-ipv6" => cluster_announce_client_ipv6: Text = Text::of(""),
        "IPv6 address shown to clients.",
        empty_is_unset, check(checks::ipv6), later("cluster mode is not built");
    "cluster-announce-port" => cluster_announce_port: i64 = 0,
        "Port other nodes shall use for us; 0 is the real one.",
        range(0, 65_535), later("cluster mode is not built");
    "cluster-announce-tls-port" => cluster_announce_tls_port: i64 = 0,
        "TLS port other nodes shall use for us.",
        range(0, 65_535), later("cluster mode is not built");
    "cluster-announce-client-port" => cluster_announce_client_port: i64 = 0,
        "Port shown to clients; 0 is the real one.",
        range(0, 65_535), later("cluster mode is not built");
    "cluster-announce-client-tls-port" => cluster_announce_client_tls_port: i64 = 0,
        "TLS port shown to clients.",
        range(0, 65_535), later("cluster mode is not built");
    "cluster-announce-bus-port" => cluster_announce_bus_port: i64 = 0,
        "Bus port other nodes shall use for us.",
        range(0, 65_535), later("cluster mode is not built");
    "cluster-preferred-endpoint-type" => cluster_preferred_endpoint_type: EndpointType = EndpointType::Ip,
        "What redirects name: ip, hostname or unknown-endpoint.",
        later("cluster mode is not built");
    "cluster-slot-stats-enabled" => cluster_slot_stats_enabled: bool = false,
        "Count CPU and traffic per slot.",
        later("cluster mode is not built");
    "cluster-slot-migration-log-max-len" => cluster_slot_migration_log_max_len: u64 = 1000,
        "Finished slot migrations remembered.",
        range(0, I64_MAX), later("cluster mode is not built");
    "slot-migration-max-failover-repl-bytes" => slot_migration_max_failover_repl_bytes: i64 = 0,
        "Bytes that may still be on their way when a slot changes hands; -1 means any.",
        range(-1, I64_MAX), signed_memory, later("cluster mode is not built");
    "cluster-blacklist-ttl" => cluster_blacklist_ttl: u64 = 60,
        "Seconds a forgotten node stays forgotten.",
        range(0, U64_MAX), later("cluster mode is not built");
    "cluster-ping-interval" => cluster_ping_interval: i64 = 0,
        "Milliseconds between pings on the bus; 0 derives it from the node timeout.",
        range(0, I64_MAX), hidden, later("cluster mode is not built");
    "cluster-message-gossip-perc" => cluster_message_gossip_perc: i64 = 10,
        "Share of the known nodes named in a gossip message, in percent.",
        range(1, 100), hidden, later("cluster mode is not built");
    "cluster-manual-failover-timeout" => cluster_manual_failover_timeout: i64 = 5000,
        "Milliseconds a manual failover may take.",
        range(1, I32_MAX), later("cluster mode is not built");
}
