//! When requests are due.
//!
//! A **closed loop** sends when replies have come: each connection fills its pipeline, waits for all of it, and fills
//! it again. Throughput is the result, and a slow server is asked less often, so latencies measured this way hide
//! what a stall does to requests that were never sent ("coordinated omission").
//!
//! An **open loop** sends at times fixed in advance: request k of a thread is due at start + k / rate (or after
//! exponential gaps, as independent users would arrive), whatever the server does. A request that cannot be sent in
//! time, since all connections are full or the thread was late, waits in the backlog, and its latency counts **from the
//! time it was due**.
//!
//! The limit is a number of requests shared by all threads, or an end in time, or both. Requests of the warm-up are not
//! recorded and do not count towards the number. Budget and arrivals take the time as an argument, so tests use a clock
//! of their own; the real one is `Clock`.
//!
//! Invariant: every request claimed is handed out exactly once, with the due time it is measured from.

use crate::random::Rng;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How many requests a run may send and record, shared by its threads.
#[derive(Debug)]
pub struct Budget {
    left: AtomicU64,
}

impl Budget {
    /// So many requests; `None` is no limit.
    pub fn new(requests: Option<u64>) -> Budget {
        Budget { left: AtomicU64::new(requests.unwrap_or(u64::MAX)) }
    }

    /// Takes up to `wanted` requests; fewer, or none, near the end.
    pub fn claim(&self, wanted: u64) -> u64 {
        let take = |left: u64| Some(left - left.min(wanted));
        let before = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        before.expect("the closure always gives a value").min(wanted)
    }
}

/// The common clock of a run: nanoseconds since its making.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// The stretches of time of a run.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The first requests are sent.
    pub start_ns: u64,
    /// Recording begins: the end of the warm-up.
    pub record_ns: u64,
    /// Nothing is sent any more.
    pub end_ns: u64,
}

/// How the gaps between arrivals of an open loop look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Arrival {
    /// All gaps alike.
    Even,
    /// Exponential gaps: a Poisson process.
    Poisson,
}

/// The arrivals of one thread in an open loop.
#[derive(Debug)]
pub struct OpenLoop {
    gap_ns: f64,
    /// When the next request is due; a float, so that gaps below a nanosecond's fraction do not add up to an error.
    next_ns: f64,
    arrival: Arrival,
    rng: Rng,
}

impl OpenLoop {
    /// Arrivals at `rate` per second from `start_ns` on, shifted by `offset` (0..1) of a gap so that threads alternate.
    pub fn new(rate: f64, start_ns: u64, offset: f64, arrival: Arrival, rng: Rng) -> OpenLoop {
        assert!(rate > 0.0, "an open loop needs a rate");
        let gap_ns = 1e9 / rate;
        OpenLoop { gap_ns, next_ns: start_ns as f64 + gap_ns * offset, arrival, rng }
    }

    /// When the next request is due.
    pub fn next_due_ns(&self) -> u64 {
        self.next_ns as u64
    }

    /// Takes the next request if it is due at `now_ns`; gives the time it was due.
    pub fn take(&mut self, now_ns: u64) -> Option<u64> {
        let due = self.next_due_ns();
        if due > now_ns {
            return None;
        }
        let gaps = match self.arrival {
            Arrival::Even => 1.0,
            Arrival::Poisson => self.rng.exponential(),
        };
        self.next_ns += self.gap_ns * gaps;
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;

    #[test]
    fn a_budget_gives_out_exactly_what_it_has() {
        let budget = Budget::new(Some(10));
        assert_eq!([budget.claim(4), budget.claim(4), budget.claim(4), budget.claim(4)], [4, 4, 2, 0]);
        assert_eq!(Budget::new(None).claim(7), 7);
    }

    #[test]
    fn even_arrivals_come_at_the_rate_and_never_early() {
        let mut open = OpenLoop::new(1000.0, 500, 0.0, Arrival::Even, Rng::new(1));
        assert_eq!(open.take(499), None);
        assert_eq!(open.take(500), Some(500));
        assert_eq!(open.take(1_000_499), None);
        assert_eq!(open.take(5_000_500), Some(1_000_500));
        assert_eq!(open.next_due_ns(), 2_000_500);
    }

    #[test]
    fn a_million_odd_gaps_do_not_drift() {
        let mut open = OpenLoop::new(3_000_000.0, 0, 0.0, Arrival::Even, Rng::new(1));
        for _ in 0..3_000_000 {
            open.take(u64::MAX).expect("due");
        }
        assert!(open.next_due_ns().abs_diff(1_000_000_000) < 1000, "{}", open.next_due_ns());
    }

    #[test]
    fn poisson_arrivals_keep_the_mean_rate() {
        let mut open = OpenLoop::new(10_000.0, 0, 0.0, Arrival::Poisson, Rng::new(1));
        let mut n = 0;
        while open.take(10_000_000_000).is_some() {
            n += 1;
        }
        assert!((98_000..102_000).contains(&n), "{n}");
    }

    /// A server that answers in 100 us, but stands still for one second: a tenth of a ten-second run at 1000 a second.
    /// Counted from the due time, about a tenth of the requests are slow; counted from the send time, only one.
    #[test]
    fn a_stall_is_seen_by_every_request_that_was_due_in_it() {
        let (mut now, mut from_due, mut from_sent) = (0u64, Histogram::<u64>::new(3).expect("valid"), 0);
        let mut open = OpenLoop::new(1000.0, 0, 0.0, Arrival::Even, Rng::new(1));
        for k in 0..10_000 {
            now = now.max(open.next_due_ns());
            let due = open.take(now).expect("due now");
            let sent = now;
            now += if k == 3000 { 1_000_000_000 } else { 100_000 };
            from_due.record(now - due).expect("in range");
            from_sent += u64::from(now - sent > 1_000_000);
        }
        assert_eq!(from_sent, 1);
        let slow = 10_000 - from_due.count_between(0, 1_000_000);
        assert!((1_000..1_200).contains(&slow), "{slow}");
        assert!(from_due.value_at_quantile(0.95) > 400_000_000);
    }
}
