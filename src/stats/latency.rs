//! What took long: the events of LATENCY, and how long the calls of each command take.
//!
//! An event is a kind of work that may hold the server up (`command`, `fast-command`, `expire-cycle` ...). Those that last
//! `latency-monitor-threshold` or longer are kept, one a second, the latest [`SAMPLES_MAX`] of each kind. Each core keeps
//! its own; LATENCY joins them.

use super::histogram::Histogram;
use std::collections::{BTreeMap, VecDeque};

/// Samples kept of an event (Valkey's LATENCY_TS_LEN).
const SAMPLES_MAX: usize = 160;

/// When, unix seconds, and how long, milliseconds.
pub type Sample = (i64, u64);

/// What is known of one kind of event.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Series {
    samples: VecDeque<Sample>,
    /// The longest since the last reset, milliseconds.
    pub max_ms: u64,
    /// All together, milliseconds.
    pub sum_ms: u64,
    /// How many.
    pub count: u64,
}

impl Series {
    fn add(&mut self, at_secs: i64, ms: u64) {
        self.max_ms = self.max_ms.max(ms);
        self.sum_ms += ms;
        self.count += 1;
        self.keep((at_secs, ms));
    }

    fn keep(&mut self, (at_secs, ms): Sample) {
        match self.samples.back_mut() {
            Some((last_secs, last_ms)) if *last_secs == at_secs => *last_ms = ms.max(*last_ms),
            _ => self.samples.push_back((at_secs, ms)),
        }
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    /// The samples, oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = Sample> + '_ {
        self.samples.iter().copied()
    }

    /// Joins what another core knows.
    pub fn join(&mut self, other: &Series) {
        let mut all: Vec<Sample> = self.samples.drain(..).chain(other.samples.iter().copied()).collect();
        all.sort_unstable();
        all.into_iter().for_each(|sample| self.keep(sample));
        self.max_ms = self.max_ms.max(other.max_ms);
        self.sum_ms += other.sum_ms;
        self.count += other.count;
    }
}

/// Events by name.
pub type Events = BTreeMap<&'static str, Series>;

/// What one core knows.
#[derive(Clone, Default, Debug)]
pub struct Latency {
    /// Its events.
    pub events: Events,
    /// By number of the command: how long its calls took.
    pub calls: Vec<Option<Box<Histogram>>>,
}

impl Latency {
    /// Notes an event.
    pub fn note(&mut self, event: &'static str, at_secs: i64, ms: u64) {
        self.events.entry(event).or_default().add(at_secs, ms);
    }

    /// Counts a call of a command.
    #[inline]
    pub fn record(&mut self, command: u16, ticks: u64) {
        match self.calls.get_mut(usize::from(command)) {
            Some(Some(histogram)) => histogram.record(ticks),
            _ => self.record_first(command, ticks),
        }
    }

    #[cold]
    fn record_first(&mut self, command: u16, ticks: u64) {
        let at = usize::from(command);
        if self.calls.len() <= at {
            self.calls.resize(at + 1, None);
        }
        self.calls[at].get_or_insert_default().record(ticks);
    }

    /// Adds what another core knows of calls.
    pub fn add_calls(&mut self, other: &[Option<Box<Histogram>>]) {
        if self.calls.len() < other.len() {
            self.calls.resize(other.len(), None);
        }
        for (mine, theirs) in self.calls.iter_mut().zip(other) {
            if let Some(theirs) = theirs {
                mine.get_or_insert_default().add(theirs);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_keeps_its_longest_event_and_counts_all() {
        let mut latency = Latency::default();
        for (at, ms) in [(1, 5), (1, 9), (1, 7), (2, 3)] {
            latency.note("command", at, ms);
        }
        let series = &latency.events["command"];
        assert_eq!(series.samples().collect::<Vec<_>>(), [(1, 9), (2, 3)]);
        assert_eq!((series.max_ms, series.sum_ms, series.count), (9, 24, 4));
    }

    #[test]
    fn the_events_of_two_cores_are_one_series_in_order_of_time() {
        let (mut one, mut two) = (Series::default(), Series::default());
        [(1, 5), (4, 1)].iter().for_each(|(at, ms)| one.add(*at, *ms));
        [(1, 6), (3, 2)].iter().for_each(|(at, ms)| two.add(*at, *ms));
        one.join(&two);
        assert_eq!(one.samples().collect::<Vec<_>>(), [(1, 6), (3, 2), (4, 1)]);
        assert_eq!((one.max_ms, one.sum_ms, one.count), (6, 14, 4));
    }

    #[test]
    fn old_samples_give_way() {
        let mut series = Series::default();
        (0..200).for_each(|at| series.add(at, 1));
        assert_eq!((series.samples().len(), series.samples().next()), (SAMPLES_MAX, Some((40, 1))));
    }
}
