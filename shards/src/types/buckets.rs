//! Linear hashing: a row of buckets that grows and shrinks by one bucket at a time.
//!
//! ```text
//!            split            mask
//!   0 .. .. .. | .. .. .. .. .. | .. .. ..      buckets
//!   these have their other half .. here
//! ```
//!
//! A hash belongs to the bucket that its low bits name. To grow, the next bucket in line is split in two by one more bit of
//! its hashes ([`Buckets::split`]); to shrink, the last split is taken back ([`Buckets::merge`]). So there is never a
//! second table, nothing is ever rehashed as a whole, and memory follows what is inside. What a bucket is, and when to
//! split, is the owner's: a hash keeps packed fields in each, a set packed members, a sorted set the places of its members.
//!
//! A scan's cursor counts buckets with their bits reversed, as in the keyspace's table: the two halves of a bucket are
//! neighbours in that order, so a cursor says which part of all hashes was visited, whatever the number of buckets is then.
//! What is there from the scan's start to its end is seen at least once.
//!
//! The buckets stand in segments of 256, so that growing never copies them all; the first segment grows by an eighth.

use crate::stdx::prefetch::prefetch;

/// Buckets of a segment.
const SEGMENT: usize = 256;
/// Attempts at a fair sample before any will do.
const TRIES: usize = 256;

/// See the essay of this file. Invariant: there is at least one bucket until `drop_some` began.
#[derive(Clone)]
pub(super) struct Buckets<B> {
    segments: Vec<Vec<B>>,
    len: usize,
}

impl<B: Default> Buckets<B> {
    /// So many empty buckets, at least one.
    pub fn new(len: usize) -> Buckets<B> {
        assert!(len > 0);
        let segment = |i| (0..SEGMENT.min(len - i * SEGMENT)).map(|_| B::default()).collect();
        Buckets { segments: (0..len.div_ceil(SEGMENT)).map(segment).collect(), len }
    }

    /// Splits the next bucket in line: `divide` gets what it holds, and whether a hash moves, and gives back the halves, the
    /// one that stays and the one that goes. The two buckets' numbers.
    pub fn split(&mut self, divide: impl FnOnce(B, &dyn Fn(u64) -> bool) -> (B, B)) -> (usize, usize) {
        let (base, new) = (self.base(), self.len);
        let from = new - base;
        let whole = std::mem::take(&mut self[from]);
        let (stays, goes) = divide(whole, &|hash| hash & base as u64 != 0);
        self[from] = stays;
        self.push(goes);
        (from, new)
    }

    fn push(&mut self, bucket: B) {
        if self.len.is_multiple_of(SEGMENT) {
            // The first one was made with the table and has grown since.
            self.segments.push(Vec::with_capacity(SEGMENT));
        }
        let segment = self.segments.last_mut().expect("there is one");
        if segment.len() == segment.capacity() {
            segment.reserve_exact(segment.len() / 8 + 2);
        }
        segment.push(bucket);
        self.len += 1;
    }

    /// Takes the last split back: `join` gets the bucket that stays and what the last one held. The number of the former.
    pub fn merge(&mut self, join: impl FnOnce(&mut B, B)) -> usize {
        assert!(self.len > 1, "one bucket stays");
        let gone = self.segments.last_mut().and_then(Vec::pop).expect("the last bucket");
        self.len -= 1;
        if self.len.is_multiple_of(SEGMENT) {
            self.segments.pop();
        } else if self.len < SEGMENT && self.segments[0].capacity() > 2 * self.len + 8 {
            self.segments[0].shrink_to(self.len + self.len / 8);
        }
        let to = self.len - self.base();
        join(&mut self[to], gone);
        to
    }
}

impl<B> Buckets<B> {
    /// Number of buckets.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Buckets of the round that is complete: the largest power of two that is filled.
    #[inline]
    fn base(&self) -> usize {
        1 << self.len.ilog2()
    }

    /// The bucket a hash belongs to.
    #[inline]
    pub fn of(&self, hash: u64) -> usize {
        let base = self.base();
        let low = hash as usize & (base - 1);
        if low < self.len - base { hash as usize & (2 * base - 1) } else { low }
    }

    /// The buckets in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &B> {
        self.segments.iter().flatten()
    }

    /// Asks for the line in which a bucket stands, without looking into it.
    #[inline]
    pub fn prefetch(&self, at: usize) -> &B {
        let bucket = &self[at];
        prefetch(std::ptr::from_ref(bucket).cast());
        bucket
    }

    /// The bucket a cursor stands for, and the cursor of the next step, 0 at the end. Any number is a valid cursor.
    pub fn step(&self, cursor: u64) -> (usize, u64) {
        let mask = (self.base() - 1) as u64;
        let is_half = ((cursor & mask) as usize) < self.len - self.base();
        let mask = if is_half { 2 * mask + 1 } else { mask };
        // Sets the bits that do not count, so that the carry of the reversed addition runs through them.
        let next = (cursor | !mask).reverse_bits().wrapping_add(1).reverse_bits();
        ((cursor & mask) as usize, next)
    }

    /// The bucket of something drawn from `len` things, and its number in there; `count` says how many a bucket holds.
    ///
    /// A random hash finds a bucket, an unsplit one twice as often as a half; a random place in it is taken if something is
    /// there, else all is tried again. So everything has the same chance, unless its bucket is far fuller than others.
    pub fn random(
        &self, len: usize, below: &mut dyn FnMut(u64) -> u64, count: impl Fn(&B) -> usize,
    ) -> Option<(usize, usize)> {
        if len == 0 {
            return None;
        }
        let base = self.base() as u64;
        let mean = len as f64 / (2 * base) as f64;
        let places = (mean + 5.0 * mean.sqrt() + 4.0) as u64;
        for _ in 0..TRIES {
            let hash = below(2 * base);
            let at = self.of(hash);
            let count = count(&self[at]) as u64;
            let is_half = ((hash & (base - 1)) as usize) < self.len - self.base();
            let n = below((if is_half { places } else { 2 * places }).max(count));
            if n < count {
                return Some((at, n as usize));
            }
        }
        let start = below(self.len as u64) as usize;
        let at = (0..self.len).map(|i| (start + i) % self.len).find(|at| count(&self[*at]) > 0)?;
        Some((at, below(count(&self[at]) as u64) as usize))
    }

    /// Bytes of the row itself.
    pub fn row_bytes(&self) -> usize {
        let last = self.segments.last().map_or(0, Vec::capacity) * size_of::<B>();
        self.segments.capacity() * size_of::<Vec<B>>() + self.segments.len().saturating_sub(1) * SEGMENT * size_of::<B>() + last
    }

    /// Drops up to `max` buckets from the end; true when none is left. What is left is of no other use.
    pub fn drop_some(&mut self, max: usize) -> bool {
        let mut left = max;
        while left > 0 {
            let Some(segment) = self.segments.last_mut() else { break };
            let keep = segment.len().saturating_sub(left);
            left -= segment.len() - keep;
            segment.truncate(keep);
            if keep == 0 {
                self.segments.pop();
            }
        }
        self.segments.is_empty()
    }

    /// Panics unless the invariants hold.
    pub fn check_invariants(&self) {
        assert_eq!(self.segments.iter().map(Vec::len).sum::<usize>(), self.len);
        let whole = self.segments.split_last().map_or(&[][..], |(_, before)| before);
        assert!(self.len > 0 && whole.iter().all(|segment| segment.len() == SEGMENT));
    }
}

impl<B> std::ops::Index<usize> for Buckets<B> {
    type Output = B;

    #[inline]
    fn index(&self, at: usize) -> &B {
        &self.segments[at / SEGMENT][at % SEGMENT]
    }
}

impl<B> std::ops::IndexMut<usize> for Buckets<B> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut B {
        &mut self.segments[at / SEGMENT][at % SEGMENT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;
    use std::collections::BTreeSet;

    type Row = Buckets<Vec<u64>>;

    fn grow(row: &mut Row) {
        row.split(|whole, goes| whole.into_iter().partition(|hash| !goes(*hash)));
    }

    fn check(row: &Row) {
        row.check_invariants();
        for at in 0..row.len() {
            assert!(row[at].iter().all(|hash| row.of(*hash) == at), "a hash is in its bucket");
        }
    }

    #[test]
    fn hashes_are_in_their_buckets_through_growth_and_shrinking() {
        let mut rng = Prng::new(3);
        for start in [1, 2, 3, 255, 256, 257, 700] {
            let mut row = Row::new(start);
            for _ in 0..500 {
                let hash = rng.next_u64();
                let at = row.of(hash);
                row[at].push(hash);
            }
            for round in 0..600 {
                if round % 300 < 250 {
                    grow(&mut row);
                } else if row.len() > 1 {
                    row.merge(|to, gone| to.extend(gone));
                }
                if round % 17 == 0 {
                    check(&row);
                }
            }
            while row.len() > 1 {
                row.merge(|to, gone| to.extend(gone));
            }
            check(&row);
            assert_eq!((row[0].len(), row.iter().count()), (500, 1));
            assert!(row.drop_some(10));
        }
    }

    #[test]
    fn a_scan_sees_every_bucket_once_and_misses_nothing_while_it_changes() {
        for len in 1..200 {
            let row = Row::new(len);
            let (mut cursor, mut seen) = (0, BTreeSet::new());
            loop {
                let (at, next) = row.step(cursor);
                assert!(seen.insert(at));
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen.len(), len);
        }
        for seed in 0..50 {
            let mut rng = Prng::new(seed);
            let mut row = Row::new(1 + rng.below(40) as usize);
            let all: BTreeSet<u64> = (0..300).map(|_| rng.next_u64()).collect();
            all.iter().for_each(|hash| {
                let at = row.of(*hash);
                row[at].push(*hash);
            });
            let (mut cursor, mut seen) = (0, BTreeSet::new());
            loop {
                let (at, next) = row.step(cursor);
                seen.extend(row[at].iter().copied());
                cursor = next;
                if cursor == 0 {
                    break;
                }
                for _ in 0..rng.below(4) {
                    match rng.below(2) {
                        0 if row.len() > 1 => drop(row.merge(|to, gone| to.extend(gone))),
                        _ => grow(&mut row),
                    }
                }
            }
            assert_eq!(seen, all, "seed {seed}");
        }
        // Any number is a cursor.
        assert!(Row::new(5).step(u64::MAX).0 < 5);
    }

    #[test]
    fn samples_are_fair() {
        let mut rng = Prng::new(8);
        let mut row = Row::new(37);
        for n in 0..1000 {
            // The number in the high bits tells the hashes apart.
            let hash = rng.next_u64() & 0xffff | n << 32;
            let at = row.of(hash);
            row[at].push(hash);
        }
        let mut hits = vec![0; 1000];
        for _ in 0..100_000 {
            let (at, n) = row.random(1000, &mut |n| rng.below(n), Vec::len).expect("there is something");
            hits[(row[at][n] >> 32) as usize] += 1;
        }
        assert!(hits.iter().all(|n| (50..170).contains(n)), "{:?} {:?}", hits.iter().min(), hits.iter().max());
        assert!(row.random(0, &mut |n| rng.below(n), Vec::len).is_none());
    }
}
