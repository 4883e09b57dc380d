//! What a core tells INFO of itself, and CONFIG RESETSTAT.

use super::Center;
use crate::connection::Stall;
use crate::mesh::MeshCounts;
use crate::process::CpuTime;
use crate::stats::Stats;
use crate::stats::histogram::Histogram;
use crate::stats::rate::{Rates, Sample};

/// Keys of one database on one core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseReport {
    /// Keys.
    pub keys: u64,
    /// Keys with a time to live.
    pub expires: u64,
    /// Hashes with fields that have one.
    pub timed_hashes: u64,
}

/// Clients of one core.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientsReport {
    /// Connections.
    pub connected: u64,
    /// Waiting for something that is not the server (WAIT, blocking pops).
    pub blocked: u64,
    /// Of these, with a time limit.
    pub timed: u64,
    /// With keys watched.
    pub watching: u64,
    /// Subscribers.
    pub subscribers: u64,
    /// The longest unread input.
    pub input_bytes_max: u64,
    /// The longest unsent output.
    pub output_bytes_max: u64,
    /// Memory they hold.
    pub memory_bytes: u64,
}


/// Client-side caching on one core.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrackingReport {
    /// Clients that track, of all cores.
    pub clients: u64,
    /// Keys of this shard that were read.
    pub keys: u64,
    /// Their readers.
    pub items: u64,
    /// Prefixes, the same on all cores.
    pub prefixes: u64,
}

/// All one core tells.
#[derive(Clone, Debug)]
pub struct CoreReport {
    /// Bytes the process used before this report took some itself.
    pub used_bytes: u64,
    /// Its counters.
    pub stats: Stats,
    /// How fast they grow.
    pub rates: Rates,
    /// Its clients.
    pub clients: ClientsReport,
    /// Client-side caching.
    pub tracking: TrackingReport,
    /// Keys watched by anybody.
    pub watched_keys: u64,
    /// Keys anybody waits for, and those of them whose absence is worth knowing too.
    pub blocking_keys: u64,
    /// See there.
    pub blocking_keys_on_nokey: u64,
    /// By database.
    pub databases: Vec<DatabaseReport>,
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Bytes of the tables.
    pub table_bytes: u64,
    /// Objects waiting to be dropped.
    pub pending_frees: u64,
    /// By number of the command: how long its calls took.
    pub histograms: Vec<Option<Box<Histogram>>>,
    /// Objects dropped in slices since the start.
    pub lazy_freed: u64,
    /// Bytes its Lua machine holds.
    pub machine_bytes: u64,
    /// Messages to and from other cores.
    pub mesh: MeshCounts,
    /// Messages waiting to be taken by this core.
    pub inbound: u64,
    /// Messages of this core waiting to be taken by others.
    pub outbound: u64,
    /// Transactions under way.
    pub transactions_open: u64,
    /// Transactions that had to begin again.
    pub retries: u64,
    /// Calls and transactions waiting for locks of this shard.
    pub waiting: u64,
    /// Processor time of its thread.
    pub cpu: CpuTime,
    /// Channels, patterns and sharded channels somebody on any core listens to.
    pub topics: [u64; 3],
    /// CLIENT PAUSE: until when, and whether it holds writes only.
    pub paused: Option<(i64, bool)>,
}

impl Center {
    /// Everything INFO asks of a core.
    pub fn report(&mut self) -> CoreReport {
        self.note_slack();
        let used_bytes = self.used_bytes();
        let keyspace = &self.shard.keyspace;
        let peers = || (0..self.cores).filter(|core| *core != self.id);
        CoreReport {
            used_bytes,
            stats: self.stats.clone(),
            rates: self.history.rates(self.sample()),
            clients: self.clients_report(),
            tracking: TrackingReport {
                clients: self.tracker.clients,
                keys: self.tracker.keys.len() as u64,
                items: self.tracker.keys.items() as u64,
                prefixes: self.tracker.prefixes.len() as u64,
            },
            watched_keys: keyspace.watch.len() as u64,
            blocking_keys: keyspace.blocked.len() as u64,
            blocking_keys_on_nokey: self.waiters.keys_on_nokey(),
            databases: (0..keyspace.databases()).map(|db| self.database_report(db as u32)).collect(),
            hits: keyspace.stats.hits,
            misses: keyspace.stats.misses,
            table_bytes: keyspace.memory_bytes() as u64,
            pending_frees: keyspace.pending_frees() as u64,
            histograms: self.latency.calls.clone(),
            lazy_freed: keyspace.stats.lazy_freed,
            machine_bytes: self.scripts.machine_bytes as u64,
            mesh: self.mesh.counts(),
            inbound: peers().map(|core| self.mesh.inbound_len(core) as u64).sum(),
            outbound: peers().map(|core| self.mesh.outbound_len(core) as u64).sum(),
            transactions_open: self.coordinator.len() as u64,
            retries: self.coordinator.retries,
            waiting: self.waiting.len() as u64,
            cpu: crate::process::thread_cpu_time(),
            topics: self.pubsub.as_ref().map_or([0; 3], |p| {
                [p.channels.len() as u64, p.patterns.len() as u64, p.shard_channels.len() as u64]
            }),
            paused: self.paused,
        }
    }

    fn database_report(&self, db: u32) -> DatabaseReport {
        let keyspace = &self.shard.keyspace;
        let table = keyspace.table(db);
        let timed_hashes = keyspace.timed_hashes_len(db) as u64;
        DatabaseReport { keys: table.len() as u64, expires: table.expires_len() as u64, timed_hashes }
    }

    fn clients_report(&self) -> ClientsReport {
        let (blocked, timed) = self.blocked_counts();
        let mut all = ClientsReport { blocked, timed, ..ClientsReport::default() };
        for (_, client) in self.clients.iter() {
            all.connected += 1;
            all.blocked += u64::from(client.stall == Some(Stall::Paused));
            all.watching += u64::from(!client.session.watched.is_empty());
            all.subscribers += u64::from(client.session.is_subscriber());
            all.input_bytes_max = all.input_bytes_max.max(client.unread() as u64);
            all.output_bytes_max = all.output_bytes_max.max(client.output_bytes() as u64);
            all.memory_bytes += client.memory_bytes() as u64;
        }
        all
    }

    fn sample(&self) -> Sample {
        let Stats { calls, net_in, net_out, turns, busy_ticks, .. } = self.stats;
        Sample { at_ms: self.now_ms, calls, net_in, net_out, turns, busy_ticks }
    }

    /// Notes how far the counters are; the tick does it while there is work.
    pub(super) fn take_sample(&mut self) {
        self.history.add(self.sample());
    }

    /// CONFIG RESETSTAT. What counts unsaved changes stays.
    pub fn reset_stats(&mut self) {
        let dirty = self.stats.dirty;
        self.stats = Stats::default();
        self.latency.calls.clear();
        self.stats.dirty = dirty;
        self.shard.keyspace.stats = Default::default();
        self.coordinator.retries = 0;
        self.history.reset();
    }
}
