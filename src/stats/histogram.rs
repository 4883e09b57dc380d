//! How long the calls of one command took: counts by duration, fine enough for percentiles.
//!
//! A duration in clock ticks falls into a bucket by its leading bits: [`SUB`] buckets for each power of two, so a bucket is
//! 3 % wide. Recording is a shift and an addition; ticks become nanoseconds only when somebody asks.

/// Bits of a duration that count beside the leading one.
const SUB_BITS: u32 = 5;
const SUB: usize = 1 << SUB_BITS;
/// Durations are cut here: 2^36 ticks are more than ten seconds on any machine.
const LARGEST: u64 = (1 << 36) - 1;
const BUCKETS: usize = (36 - SUB_BITS as usize + 1) * SUB;

/// The counts.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u64; BUCKETS],
    total: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: [0; BUCKETS], total: 0 }
    }
}

#[inline]
fn bucket_of(ticks: u64) -> usize {
    let ticks = ticks.min(LARGEST);
    let shift = (u64::BITS - ticks.leading_zeros()).saturating_sub(SUB_BITS + 1);
    shift as usize * SUB + (ticks >> shift) as usize
}

/// The longest duration that falls into a bucket.
fn longest_in(bucket: usize) -> u64 {
    let shift = (bucket / SUB).saturating_sub(1);
    let lead = (bucket - shift * SUB) as u64;
    ((lead + 1) << shift) - 1
}

impl Histogram {
    /// Counts a duration.
    #[inline]
    pub fn record(&mut self, ticks: u64) {
        self.counts[bucket_of(ticks)] += 1;
        self.total += 1;
    }

    /// Adds what another core counted.
    pub fn add(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.total += other.total;
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration that this share of all (percent) does not exceed, ticks.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = ((self.total as f64 * percent / 100.0).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return longest_in(bucket);
            }
        }
        0
    }

    /// How many lasted at most so many ticks, as far as the buckets tell.
    pub fn up_to(&self, ticks: u64) -> u64 {
        self.counts.iter().enumerate().take_while(|(bucket, _)| longest_in(*bucket) <= ticks).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_has_a_bucket_at_most_a_thirty_second_wide() {
        let mut last = 0;
        for ticks in (0..5000).chain((13..37).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1])) {
            let bucket = bucket_of(ticks);
            let longest = longest_in(bucket);
            assert!(bucket >= last || ticks < 5000, "{ticks}");
            assert!(longest >= ticks.min(LARGEST) && longest - ticks.min(LARGEST) <= ticks / 32, "{ticks} {longest}");
            last = bucket;
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_those_of_the_durations() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|ticks| histogram.record(ticks));
        for (percent, ticks) in [(0.0, 1), (50.0, 500), (99.0, 990), (100.0, 1000)] {
            let found = histogram.percentile(percent);
            assert!(found >= ticks && found <= ticks + ticks / 16, "{percent}: {found}");
        }
        assert_eq!(histogram.up_to(31), 31);
        assert_eq!(Histogram::default().percentile(50.0), 0);
    }
}
