//! What came back: latencies, errors and bytes, per command.
//!
//! Every thread keeps a tally of its own and the run adds them up at the end; nothing is shared while the load runs.
//! Latencies go into HDR histograms in nanoseconds with three significant digits, so p99.99 is exact to 0.1 %.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Longest latency recorded; longer ones count as this.
const LATENCY_NS_MAX: u64 = 600_000_000_000;
/// Different error texts remembered per command; others are counted under one name.
const ERROR_TEXTS_MAX: usize = 8;

/// The results of one command.
#[derive(Clone, Debug)]
pub struct CommandTally {
    /// Its name in the results.
    pub name: String,
    /// Latencies in nanoseconds of all recorded replies, errors too.
    pub latency: Histogram<u64>,
    /// Error replies.
    pub errors: u64,
    /// Replies that `--verify` found wrong.
    pub mismatches: u64,
    /// Error texts and how often they came.
    pub error_texts: BTreeMap<String, u64>,
}

impl CommandTally {
    /// Nothing yet.
    pub fn new(name: &str) -> CommandTally {
        let latency = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("the bounds are valid");
        CommandTally { name: name.to_string(), latency, errors: 0, mismatches: 0, error_texts: BTreeMap::new() }
    }

    /// Counts `n` replies of the same latency.
    #[inline]
    pub fn record(&mut self, latency_ns: u64, n: u64) {
        self.latency.record_n(latency_ns.clamp(1, LATENCY_NS_MAX), n).expect("clamped into the bounds");
    }

    /// Counts an error reply.
    pub fn record_error(&mut self, text: &[u8]) {
        self.errors += 1;
        let text = String::from_utf8_lossy(&text[..text.len().min(100)]).into_owned();
        let known = self.error_texts.len() < ERROR_TEXTS_MAX || self.error_texts.contains_key(&text);
        *self.error_texts.entry(if known { text } else { "other errors".into() }).or_default() += 1;
    }

    fn add(&mut self, other: &CommandTally) {
        assert_eq!(self.name, other.name, "tallies of different commands");
        self.latency.add(&other.latency).expect("equal bounds");
        self.errors += other.errors;
        self.mismatches += other.mismatches;
        for (text, n) in &other.error_texts {
            *self.error_texts.entry(text.clone()).or_default() += n;
        }
    }
}

/// The results of a thread, or of all of them.
#[derive(Clone, Debug)]
pub struct Tally {
    /// One entry per command of the load.
    pub commands: Vec<CommandTally>,
    /// Replies of any kind, warm-up included.
    pub replies: u64,
    /// Bytes sent and received, warm-up included.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Requests sent whose replies never came.
    pub unanswered: u64,
    /// When the last recorded reply came.
    pub last_reply_ns: u64,
    /// CPU time the sending threads used.
    pub client_cpu_ns: u64,
}

impl Tally {
    /// Nothing yet, for commands of these names.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Tally {
        Tally {
            commands: names.map(CommandTally::new).collect(),
            replies: 0,
            sent_bytes: 0,
            received_bytes: 0,
            unanswered: 0,
            last_reply_ns: 0,
            client_cpu_ns: 0,
        }
    }

    /// Adds another thread's results.
    pub fn add(&mut self, other: &Tally) {
        assert_eq!(self.commands.len(), other.commands.len(), "tallies of different loads");
        for (mine, theirs) in self.commands.iter_mut().zip(&other.commands) {
            mine.add(theirs);
        }
        self.replies += other.replies;
        self.sent_bytes += other.sent_bytes;
        self.received_bytes += other.received_bytes;
        self.unanswered += other.unanswered;
        self.last_reply_ns = self.last_reply_ns.max(other.last_reply_ns);
        self.client_cpu_ns += other.client_cpu_ns;
    }

    /// Replies recorded.
    pub fn recorded(&self) -> u64 {
        self.commands.iter().map(|c| c.latency.len()).sum()
    }

    /// Error replies recorded.
    pub fn errors(&self) -> u64 {
        self.commands.iter().map(|c| c.errors).sum()
    }

    /// All commands' latencies in one histogram.
    pub fn latency(&self) -> Histogram<u64> {
        let mut all = CommandTally::new("all").latency;
        for command in &self.commands {
            all.add(&command.latency).expect("equal bounds");
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_of_threads_add_up() {
        let mut a = Tally::new(["GET", "SET"].into_iter());
        let mut b = a.clone();
        a.commands[0].record(1000, 3);
        b.commands[0].record(5000, 1);
        b.commands[1].record_error(b"ERR x");
        b.last_reply_ns = 9;
        a.add(&b);
        assert_eq!((a.recorded(), a.errors(), a.last_reply_ns), (4, 1, 9));
        assert_eq!(a.latency().max(), a.latency().highest_equivalent(5000));
    }

    #[test]
    fn endless_different_errors_take_bounded_memory() {
        let mut tally = CommandTally::new("X");
        for i in 0..1000 {
            tally.record_error(format!("ERR {i}").as_bytes());
        }
        assert_eq!(tally.errors, 1000);
        assert_eq!(tally.error_texts.len(), ERROR_TEXTS_MAX + 1);
        assert_eq!(tally.error_texts["other errors"], 1000 - ERROR_TEXTS_MAX as u64);
    }

    #[test]
    fn latencies_beyond_the_bounds_are_kept_at_the_bounds() {
        let mut tally = CommandTally::new("X");
        tally.record(0, 1);
        tally.record(u64::MAX, 1);
        assert_eq!(tally.latency.len(), 2);
    }
}
