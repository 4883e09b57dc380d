//! How fast a counter grew of late, without a timer: samples are taken by the core's tick while it has work, and an idle
//! core takes none. A rate is the growth since a sample that is old enough; if the core slept since then, the sample is
//! older, and the rate is as low as it should be.

/// Samples kept.
const SAMPLES: usize = 32;
/// Milliseconds a rate looks back at least (Valkey averages sixteen samples of 100 ms).
const WINDOW_MS: i64 = 1600;

/// Counters at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// When, milliseconds.
    pub at_ms: i64,
    /// Calls.
    pub calls: u64,
    /// Bytes received.
    pub net_in: u64,
    /// Bytes sent.
    pub net_out: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Clock ticks spent in them.
    pub busy_ticks: u64,
}

/// Growth per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Calls.
    pub calls: f64,
    /// Bytes received.
    pub net_in: f64,
    /// Bytes sent.
    pub net_out: f64,
    /// Turns of the loop.
    pub turns: f64,
    /// Clock ticks spent in them.
    pub busy_ticks: f64,
}

/// The latest samples of one core.
#[derive(Clone, Debug, Default)]
pub struct History {
    samples: std::collections::VecDeque<Sample>,
}

impl History {
    /// Adds a sample.
    pub fn add(&mut self, sample: Sample) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// Rates as of `now`.
    pub fn rates(&self, now: Sample) -> Rates {
        let old_enough = |sample: &&Sample| now.at_ms - sample.at_ms >= WINDOW_MS;
        let Some(then) = self.samples.iter().rev().find(old_enough).or(self.samples.front()) else {
            return Rates::default();
        };
        let seconds = (now.at_ms - then.at_ms) as f64 / 1000.0;
        if seconds <= 0.0 {
            return Rates::default();
        }
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        Rates {
            calls: rate(now.calls, then.calls),
            net_in: rate(now.net_in, then.net_in),
            net_out: rate(now.net_out, then.net_out),
            turns: rate(now.turns, then.turns),
            busy_ticks: rate(now.busy_ticks, then.busy_ticks),
        }
    }

    /// Forgets all (CONFIG RESETSTAT set the counters back).
    pub fn reset(&mut self) {
        self.samples.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_ms: i64, calls: u64) -> Sample {
        Sample { at_ms, calls, ..Sample::default() }
    }

    #[test]
    fn a_rate_is_the_growth_of_the_last_moments() {
        let mut history = History::default();
        assert_eq!(history.rates(at(0, 5)).calls, 0.0);
        (0..100).for_each(|i| history.add(at(i * 100, i as u64 * 50)));
        assert_eq!(history.rates(at(9_900, 4_950)).calls, 500.0);
    }

    #[test]
    fn an_idle_core_has_a_low_rate() {
        let mut history = History::default();
        (0..100).for_each(|i| history.add(at(i * 100, i as u64 * 50)));
        let rate = history.rates(at(1_009_900, 4_950)).calls;
        assert_eq!(rate, 0.0);
        assert!(history.rates(at(1_009_900, 4_951)).calls < 0.002);
    }
}
