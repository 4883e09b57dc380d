//! The configuration as the server reads it: one typed field for each directive, grouped in rooms.
//!
//! A `Config` never changes once it is handed out. CONFIG SET makes a new one with a higher epoch, and whoever holds
//! the old one compares two numbers to learn that.

use super::rooms;

/// Lowest `hz` in effect.
const HZ_MIN: i64 = 1;
/// Highest `hz` in effect.
const HZ_MAX: i64 = 500;
/// Smallest replication backlog in effect.
const BACKLOG_BYTES_MIN: i64 = 16 * 1024;

/// The value of every directive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Grows by one with each change.
    pub epoch: u64,
    /// Where to listen.
    pub network: rooms::network::Network,
    /// Encrypted connections.
    pub tls: rooms::tls::Tls,
    /// Kept for the sake of files that mention it.
    pub rdma: rooms::rdma::Rdma,
    /// Cores, their CPUs and how they wait.
    pub ringkey: rooms::ringkey::Ringkey,
    /// The process.
    pub general: rooms::general::General,
    /// What is logged.
    pub logging: rooms::logging::Logging,
    /// Snapshots.
    pub snapshot: rooms::snapshot::Snapshot,
    /// Primary and replicas.
    pub replication: rooms::replication::Replication,
    /// Who may do what.
    pub security: rooms::security::Security,
    /// What connections may cost.
    pub clients: rooms::clients::Clients,
    /// What keys may cost.
    pub memory: rooms::memory::Memory,
    /// What is freed in the background.
    pub lazyfree: rooms::lazyfree::Lazyfree,
    /// Threads, CPUs, kernel.
    pub process: rooms::process::Process,
    /// The append-only file.
    pub aof: rooms::aof::Aof,
    /// Cluster mode.
    pub cluster: rooms::cluster::Cluster,
    /// Command log, latency, events.
    pub watch: rooms::watch::Watch,
    /// Compact forms of collections.
    pub types: rooms::types::Types,
    /// Defragmentation.
    pub defrag: rooms::defrag::Defrag,
}

impl Config {
    /// Brings hints from people back into what the server can do: some numbers are accepted at any value, and capped.
    pub(super) fn settle(&mut self) {
        self.general.hz = self.general.hz.clamp(HZ_MIN, HZ_MAX);
        self.replication.repl_backlog_size = self.replication.repl_backlog_size.max(BACKLOG_BYTES_MIN);
    }

    /// The CPUs `shard-cpus` names, in order; empty when it is not set.
    pub fn shard_cpus(&self) -> Vec<usize> {
        super::checks::parse_cpu_list(self.ringkey.shard_cpus.as_bytes()).expect("checked when it was set")
    }
}
