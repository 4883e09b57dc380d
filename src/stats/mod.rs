//! What the server knows of itself: counters, command statistics, slow calls. Each core counts for itself; INFO adds up.

pub mod clock;
pub mod histogram;
pub mod latency;
pub mod rate;
pub mod slowlog;

use crate::dispatch::table::table;

/// What is known of one command on one core.
#[derive(Clone, Copy, Default, Debug)]
pub struct CommandStat {
    /// Calls run.
    pub calls: u64,
    /// Time they took, clock ticks.
    pub ticks: u64,
    /// Calls refused before they ran.
    pub rejected: u64,
    /// Calls that answered an error.
    pub failed: u64,
}

impl CommandStat {
    /// Adds what another core knows.
    pub fn add(&mut self, other: &CommandStat) {
        self.calls += other.calls;
        self.ticks += other.ticks;
        self.rejected += other.rejected;
        self.failed += other.failed;
    }
}

/// The counters of one core.
#[derive(Clone, Debug)]
pub struct Stats {
    /// By number of the command.
    pub commands: Vec<CommandStat>,
    /// Error replies by their code (ERR, WRONGTYPE ...).
    pub errors: std::collections::BTreeMap<String, u64>,
    /// Calls run.
    pub calls: u64,
    /// Connections accepted.
    pub connections_received: u64,
    /// Connections refused (maxclients).
    pub connections_rejected: u64,
    /// Bytes received.
    pub net_in: u64,
    /// Bytes sent.
    pub net_out: u64,
    /// Error replies.
    pub error_replies: u64,
    /// Clients closed for passing their output limit.
    pub output_limit_closes: u64,
    /// Clients closed for passing their input limit.
    pub query_limit_closes: u64,
    /// Changes of the keyspace since start.
    pub dirty: u64,
    /// Keys expired.
    pub expired: u64,
    /// Fields of hashes expired.
    pub expired_fields: u64,
    /// Keys evicted.
    pub evicted: u64,
    /// AUTH failures.
    pub denied_auth: u64,
    /// Calls denied to their user for their command.
    pub denied_commands: u64,
    /// For a key.
    pub denied_keys: u64,
    /// For a channel.
    pub denied_channels: u64,
    /// For a database.
    pub denied_databases: u64,
    /// Turns of the loop that did something.
    pub turns: u64,
    /// Calls sent to other cores.
    pub hops: u64,
    /// Transactions begun.
    pub transactions: u64,
    /// Receives that brought bytes.
    pub reads: u64,
    /// Sends.
    pub writes: u64,
    /// Clock ticks spent in turns that did something.
    pub busy_ticks: u64,
    /// The longest such turn, clock ticks.
    pub turn_ticks_max: u64,
    /// The most calls in one turn.
    pub turn_calls_max: u64,
    /// Calls at the end of the last turn.
    turn_calls: u64,
    /// Clock ticks spent in house-keeping.
    pub tick_ticks: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Stats {
            commands: vec![CommandStat::default(); table().entries().len()],
            errors: std::collections::BTreeMap::new(),
            calls: 0,
            connections_received: 0,
            connections_rejected: 0,
            net_in: 0,
            net_out: 0,
            error_replies: 0,
            output_limit_closes: 0,
            query_limit_closes: 0,
            dirty: 0,
            expired: 0,
            expired_fields: 0,
            evicted: 0,
            denied_auth: 0,
            denied_commands: 0,
            denied_keys: 0,
            denied_channels: 0,
            denied_databases: 0,
            turns: 0,
            hops: 0,
            transactions: 0,
            reads: 0,
            writes: 0,
            busy_ticks: 0,
            turn_ticks_max: 0,
            turn_calls_max: 0,
            turn_calls: 0,
            tick_ticks: 0,
        }
    }
}

/// Error codes kept at most: an attacker must not fill memory with made-up ones (Valkey keeps 128).
const ERROR_CODES_MAX: usize = 128;

impl Stats {
    /// Counts a turn that did something.
    #[inline]
    pub fn count_turn(&mut self, ticks: u64) {
        self.turns += 1;
        self.busy_ticks += ticks;
        self.turn_ticks_max = self.turn_ticks_max.max(ticks);
        self.turn_calls_max = self.turn_calls_max.max(self.calls - self.turn_calls);
        self.turn_calls = self.calls;
    }

    /// Counts an error reply (`bytes` begin with `-`).
    #[cold]
    pub fn count_error(&mut self, bytes: &[u8]) {
        self.error_replies += 1;
        let line = bytes.get(1..).unwrap_or_default();
        let end = line.iter().position(|b| *b == b' ' || *b == b'\r').unwrap_or(line.len()).min(64);
        let code = String::from_utf8_lossy(&line[..end]).into_owned();
        if self.errors.contains_key(&code) || self.errors.len() < ERROR_CODES_MAX {
            *self.errors.entry(code).or_default() += 1;
        }
    }
}
