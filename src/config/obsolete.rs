//! Directives of older or other servers that mean nothing any more. A line with one value is accepted.

/// Name, and why it does nothing.
const OBSOLETE: &[(&str, &str)] = &[
    ("list-max-ziplist-entries", "see list-max-listpack-size"),
    ("list-max-ziplist-value", "see list-max-listpack-size"),
    ("lua-replicate-commands", "scripts always replicate their effects"),
    ("io-threads-do-reads", "Ringkey runs one event loop per shard"),
    ("events-per-io-thread", "Ringkey runs one event loop per shard"),
    ("dynamic-hz", "an idle core sleeps until something happens"),
    ("sanitize-dump-payload", "payloads are always checked"),
    ("gopher-enabled", "the Gopher protocol is not spoken"),
    ("repl-rdb-channel", "a Ringkey sync always has its own flows"),
    ("replica-full-sync-buffer-limit", "a Ringkey sync always has its own flows"),
    ("cluster-compatibility-sample-ratio", "commands that break in a cluster are not sampled"),
    ("cluster-slot-migration-handoff-max-lag-bytes", "see slot-migration-max-failover-repl-bytes"),
    ("cluster-slot-migration-write-pause-timeout", "see cluster-manual-failover-timeout"),
    ("cluster-slot-migration-sync-buffer-drain-timeout", "see cluster-manual-failover-timeout"),
    ("lookahead", "see prefetch-batch-max-size"),
    ("key-memory-histograms", "there are no such histograms"),
];

/// Why a directive does nothing, if it is one of these.
pub fn reason(name: &[u8]) -> Option<&'static str> {
    let found = OBSOLETE.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    found.map(|(_, why)| *why)
}
