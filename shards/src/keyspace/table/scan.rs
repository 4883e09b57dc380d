//! Walking over the table: SCAN's cursor, samples, the search for expired keys, everything.
//!
//! SCAN's cursor counts buckets with their bits reversed, highest first, as Redis does. Splitting a bucket adds a bit at
//! the top of its number, which is the *last* bit of the reversed order: the two halves are neighbours there. So a cursor
//! says exactly which part of all hashes has been visited, whatever the table's size was or will be, and a key that is
//! there from start to end is seen at least once. A step gives one whole bucket, since that is what one read from memory
//! brings.

use super::map::{Pos, Table};
use super::entry::coarse;

/// Buckets whose first lines are asked for ahead of a sequential walk.
pub(super) const AHEAD: u64 = 4;
/// Attempts at a fair sample before any entry will do.
const TRIES: usize = 256;

impl<O> Table<O> {
    /// One step of SCAN: gives each entry of one bucket, returns the cursor for the next step, 0 at the end. Any number
    /// is a valid cursor.
    pub fn scan(&self, cursor: u64, each: &mut dyn FnMut(Pos)) -> u64 {
        let low = cursor & self.mask;
        let (bucket, mask) = if low < self.split { (cursor & (2 * self.mask + 1), 2 * self.mask + 1) } else { (low, self.mask) };
        self.each_in(bucket as u32, each);
        // Sets the bits that do not count, so that the carry of the reversed addition runs through them.
        (cursor | !mask).reverse_bits().wrapping_add(1).reverse_bits()
    }

    /// Gives each entry of a bucket.
    #[inline]
    pub(super) fn each_in(&self, bucket: u32, each: &mut dyn FnMut(Pos)) {
        for handle in self.leaves(bucket) {
            for (index, offset, len) in self.leaf(handle).places() {
                each(self.pos(handle, index, offset, len));
            }
        }
    }

    /// Gives each entry of the bucket of `hash`: a cheap sample of neighbours if the hash is random, where every entry has
    /// the same chance.
    pub fn each_near(&self, hash: u64, each: &mut dyn FnMut(Pos)) {
        self.each_in(self.bucket(hash), each);
    }

    /// Gives each entry.
    pub fn for_each(&self, each: &mut dyn FnMut(Pos)) {
        for bucket in 0..self.buckets() {
            self.prefetch_walk(bucket);
            self.each_in(bucket as u32, each);
        }
    }

    #[inline]
    pub(super) fn prefetch_walk(&self, bucket: u64) {
        let ahead = self.directory.get((bucket + AHEAD).min(u64::from(u32::MAX)) as u32);
        if ahead != 0 {
            self.heap.prefetch(ahead, 0, self.target as usize / 64);
        }
    }

    /// An entry, each about equally likely. `rand` gives random numbers of 64 bits.
    ///
    /// A random hash finds a bucket, an unsplit one twice as often as a half; a random place in it is taken if there is
    /// an entry, and all is tried again if not. So every entry has the same chance, unless its bucket is far fuller than
    /// the others.
    pub fn random(&self, rand: &mut dyn FnMut() -> u64) -> Option<Pos> {
        if self.len == 0 {
            return None;
        }
        let mean = self.len as f64 / (2 * (self.mask + 1)) as f64;
        let places = (mean + 5.0 * mean.sqrt() + 4.0) as u64;
        for _ in 0..TRIES {
            let (hash, bits) = (rand(), rand());
            let bucket = self.bucket(hash);
            let is_half = hash & self.mask < self.split;
            let count = self.leaves(bucket).map(|handle| self.leaf(handle).count() as u64).sum::<u64>();
            let place = below(bits, (if is_half { places } else { 2 * places }).max(count));
            if place < count {
                return self.nth_in(bucket, place as usize);
            }
        }
        let start = below(rand(), self.buckets());
        let bits = rand();
        (0..self.buckets()).map(|i| ((start + i) % self.buckets()) as u32).find_map(|bucket| {
            let count = self.leaves(bucket).map(|handle| self.leaf(handle).count() as u64).sum::<u64>();
            if count == 0 { None } else { self.nth_in(bucket, below(bits, count) as usize) }
        })
    }

    fn nth_in(&self, bucket: u32, mut n: usize) -> Option<Pos> {
        for handle in self.leaves(bucket) {
            let leaf = self.leaf(handle);
            if n < leaf.count() {
                return Some(self.pos(handle, n, leaf.offset_of(n), leaf.len_of(n)));
            }
            n -= leaf.count();
        }
        None
    }

    /// Looks for expired entries in up to `buckets_max` buckets from `cursor` on (0 to start), gives each, and returns
    /// the next cursor (0 at the end) and how many entries with an expiry those buckets hold. Leaves that know that
    /// nothing in them is due yet are not read beyond their first line.
    pub fn walk_expired(&self, cursor: u64, buckets_max: usize, now_ms: i64, each: &mut dyn FnMut(Pos)) -> (u64, usize) {
        let buckets = self.buckets();
        let start = if cursor < buckets { cursor } else { 0 };
        let end = start.saturating_add(buckets_max as u64).min(buckets);
        let mut seen = 0;
        for bucket in start..end {
            let ahead = self.directory.get((bucket + AHEAD).min(u64::from(u32::MAX)) as u32);
            if ahead != 0 {
                self.heap.prefetch(ahead, 0, 1);
            }
            for handle in self.leaves(bucket as u32) {
                let leaf = self.leaf(handle);
                seen += leaf.timers();
                if leaf.timers() > 0 && leaf.earliest() <= coarse(now_ms) {
                    self.each_due(handle, now_ms, each);
                }
            }
        }
        (if end == buckets { 0 } else { end }, seen)
    }

    fn each_due(&self, handle: u32, now_ms: i64, each: &mut dyn FnMut(Pos)) {
        let leaf = self.leaf(handle);
        for (index, offset, len) in leaf.places() {
            if leaf.entry(offset, len).expire().is_some_and(|ms| ms <= now_ms) {
                each(self.pos(handle, index, offset, len));
            }
        }
    }
}

/// A number below `n`, from 64 random bits.
#[inline]
fn below(bits: u64, n: u64) -> u64 {
    ((u128::from(bits) * u128::from(n)) >> 64) as u64
}
