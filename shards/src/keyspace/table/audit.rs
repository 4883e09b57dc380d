//! The full audit: every leaf, entry, reference and count.

use super::map::{Table, tag_of};
use super::entry::coarse;
use super::leaf::{CHAINED, EXTRA, Leaf};

/// What the audit counts.
#[derive(Default)]
struct Tally {
    len: usize,
    expires: usize,
    used: u64,
    boxed: usize,
    leaves: Vec<u32>,
}

impl<O> Table<O> {
    /// Checks everything that must hold. Takes time in proportion to the table: for tests.
    pub fn check_invariants(&self) {
        let mut tally = Tally::default();
        for bucket in 0..self.buckets() {
            self.check_bucket(bucket as u32, &mut tally);
        }
        for bucket in self.buckets()..self.buckets() + 5000 {
            assert_eq!(self.directory.get(bucket.min(u64::from(u32::MAX)) as u32), 0, "no leaf behind the last bucket");
        }
        assert_eq!((tally.len, tally.expires), (self.len, self.expires), "keys and expiries are counted");
        assert_eq!((tally.used, tally.boxed), (self.used, self.boxed), "bytes and boxes are counted");
        assert!(self.split <= self.mask && (self.mask + 1).is_power_of_two());
        tally.leaves.sort_unstable();
        let mut live = Vec::new();
        self.heap.check_invariants(&mut |handle| live.push(handle));
        live.sort_unstable();
        assert_eq!(live, tally.leaves, "every leaf belongs to one bucket");
        let extras: usize = self.overflow.values().map(Vec::len).sum();
        let listed = tally.leaves.iter().filter(|&&handle| self.leaf(handle).has(EXTRA)).count();
        assert_eq!(extras, listed, "extra leaves are listed once");
    }

    fn check_bucket(&self, bucket: u32, tally: &mut Tally) {
        let extras = self.overflow.get(&bucket).map_or(&[][..], Vec::as_slice);
        let first = self.directory.get(bucket);
        assert!(first != 0 || extras.is_empty(), "extra leaves need a first one");
        if first != 0 {
            assert_eq!(self.leaf(first).has(CHAINED), !extras.is_empty(), "the first leaf knows of the others");
        }
        for (i, handle) in self.leaves(bucket).enumerate() {
            let leaf = self.leaf(handle);
            assert_eq!((leaf.owner(), leaf.has(EXTRA)), (bucket, i > 0), "a leaf knows its bucket");
            assert_eq!(leaf.epoch(), self.leaf(first).epoch(), "a bucket has one epoch");
            self.check_leaf(leaf, bucket, tally);
            tally.leaves.push(handle);
        }
    }

    fn check_leaf(&self, leaf: Leaf<'_>, bucket: u32, tally: &mut Tally) {
        assert!(leaf.count() > 0 && leaf.count() <= leaf.cap() && leaf.used() <= leaf.0.len());
        let (mut end, mut timers) = (leaf.entries_at(), 0);
        for (index, offset, len) in leaf.places() {
            let entry = leaf.entry(offset, len);
            let hash = self.hash(self.key_of(entry));
            assert_eq!(self.bucket(hash), bucket, "an entry is in its bucket");
            assert_eq!(leaf.tag(index), tag_of(hash), "an entry has its tag");
            assert_eq!(leaf.offset_of(index), offset);
            if let Some(ms) = entry.expire() {
                assert!(leaf.earliest() <= coarse(ms), "the earliest expiry is the earliest");
                timers += 1;
            }
            let listed = entry.address().is_some_and(|address| self.open.iter().any(|open| open.address == address));
            assert!(listed || !entry.is_open(), "open entries are listed");
            tally.boxed += usize::from(entry.is_object()) + usize::from(matches!(entry.key(), super::entry::StoredKey::Far { .. }));
            end = offset + len;
        }
        assert_eq!((end, timers), (leaf.used(), leaf.timers()), "a leaf counts its bytes and expiries");
        tally.len += leaf.count();
        tally.expires += timers;
        tally.used += leaf.used() as u64;
    }
}
