//! A big set: linear hashing over small blocks of members.
//!
//! Bucket `i` is a [`Bucket`] of about twenty members. When there are more than [`LOAD`] members a bucket, the next
//! bucket in line is split in two, and merged back when there are less than half as many: no doubling, no second table,
//! no stall, and no step in memory where a set grows out of its compact form. The directory grows in segments of 256
//! buckets, so it is never copied whole either.
//!
//! The hash is keyed, so nobody can choose members that meet in one bucket. A member over 238 bytes stands in `long`, the
//! bucket holds its number.
//!
//! A scan walks the buckets in the order of their reversed numbers, as Redis' cursor does: what a bucket covers is one
//! interval of reversed hashes, and splits and merges only cut or join intervals. So a member that stays during a scan is
//! given at least once.
//!
//! Invariants: every member is in the bucket its hash names; `count_max` is at least the length of any bucket.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

use super::bucket::{Bucket, Member, Slot, Slots, Stored};
use crate::stdx::prng::Prng;

/// Members a bucket holds on average.
const LOAD: usize = 24;
/// Buckets of a segment of the directory.
const SEGMENT: usize = 256;

/// Members too long for a block.
#[derive(Clone, Default)]
struct Long {
    texts: Vec<Box<[u8]>>,
    free: Vec<u32>,
}

impl Long {
    fn keep(&mut self, text: &[u8]) -> u32 {
        if let Some(number) = self.free.pop() {
            self.texts[number as usize] = text.into();
            return number;
        }
        self.texts.push(text.into());
        u32::try_from(self.texts.len() - 1).expect("fewer than 2^32 members of 239 bytes and more")
    }

    fn give_up(&mut self, number: u32) {
        self.texts[number as usize] = Box::default();
        self.free.push(number);
        if self.free.len() == self.texts.len() {
            *self = Long::default();
        }
    }
}

/// The place of a member: its bucket and where in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Place {
    bucket: u32,
    index: u32,
}

/// A big set.
#[derive(Clone)]
pub struct Table {
    hasher: RandomState,
    segments: Vec<Vec<Bucket>>,
    buckets: usize,
    len: usize,
    long: Long,
    count_max: usize,
    /// OBJECT ENCODING says "listpack": the configured limits are beyond those of one block.
    pub(super) said_compact: bool,
}

impl Table {
    /// An empty table; `seed` keys the hash.
    pub(super) fn new(seed: u64) -> Table {
        let mut rng = Prng::new(seed);
        let hasher = RandomState::with_seeds(rng.next_u64(), rng.next_u64(), rng.next_u64(), rng.next_u64());
        Table {
            hasher,
            segments: vec![vec![Bucket::default()]],
            buckets: 1,
            len: 0,
            long: Long::default(),
            count_max: 0,
            said_compact: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    /// The largest power of two of buckets that is filled.
    #[inline]
    fn base(&self) -> usize {
        1 << self.buckets.ilog2()
    }

    #[inline]
    fn bucket_of(&self, hash: u64) -> usize {
        let base = self.base();
        let low = hash as usize & (base - 1);
        if low < self.buckets - base { hash as usize & (2 * base - 1) } else { low }
    }

    #[inline]
    fn bucket(&self, i: usize) -> &Bucket {
        &self.segments[i / SEGMENT][i % SEGMENT]
    }

    #[inline]
    fn bucket_mut(&mut self, i: usize) -> &mut Bucket {
        &mut self.segments[i / SEGMENT][i % SEGMENT]
    }

    #[inline]
    fn tag(hash: u64) -> u8 {
        (hash >> 56) as u8
    }

    #[inline]
    fn find(&self, stored: &Stored<'_>) -> (u64, Option<Place>) {
        let hash = self.hash(stored.bytes());
        let bucket = self.bucket_of(hash);
        let is_long = |number: u32| *self.long.texts[number as usize] == *stored.bytes();
        let index = self.bucket(bucket).find(Table::tag(hash), stored, is_long);
        (hash, index.map(|index| Place { bucket: bucket as u32, index: index as u32 }))
    }

    #[inline]
    pub(super) fn contains(&self, member: Member<'_>) -> bool {
        self.find(&Stored::of(member)).1.is_some()
    }

    /// Adds a member; false if it was there.
    pub(super) fn add(&mut self, member: Member<'_>) -> bool {
        let stored = Stored::of(member);
        let (hash, found) = self.find(&stored);
        if found.is_some() {
            return false;
        }
        let bucket = self.bucket_of(hash);
        if stored.is_long() {
            let number = self.long.keep(stored.bytes());
            self.bucket_mut(bucket).push(Table::tag(hash), &Stored::elsewhere(number));
        } else {
            self.bucket_mut(bucket).push(Table::tag(hash), &stored);
        }
        self.count_max = self.count_max.max(self.bucket(bucket).len());
        self.len += 1;
        if self.len > self.buckets * LOAD {
            self.split();
        }
        true
    }

    /// Removes a member; false if it was not there.
    pub(super) fn remove(&mut self, member: Member<'_>) -> bool {
        let (_, found) = self.find(&Stored::of(member));
        found.inspect(|place| self.remove_at(*place)).is_some()
    }

    pub(super) fn remove_at(&mut self, place: Place) {
        let bucket = self.bucket_mut(place.bucket as usize);
        let long = bucket.slot(place.index as usize).member().err();
        bucket.remove(place.index as usize);
        long.into_iter().for_each(|number| self.long.give_up(number));
        self.len -= 1;
        if self.buckets > 1 && self.len < self.buckets * LOAD / 2 {
            self.merge();
        }
    }

    #[inline]
    pub(super) fn at(&self, place: Place) -> Member<'_> {
        self.resolve(self.bucket(place.bucket as usize).slot(place.index as usize))
    }

    #[inline]
    fn resolve<'a>(&'a self, slot: Slot<'a>) -> Member<'a> {
        slot.member().unwrap_or_else(|number| Member::Text(&self.long.texts[number as usize]))
    }

    /// Splits the next bucket in line.
    fn split(&mut self) {
        let (new, from) = (self.buckets, self.buckets - self.base());
        let wide = (2 * self.base() - 1) as u64;
        let old = std::mem::take(self.bucket_mut(from));
        let (mut stays, mut goes) = (Bucket::default(), Bucket::default());
        for slot in old.slots() {
            let hash = self.hash(Stored::of(self.resolve(slot)).bytes());
            let to = if (hash & wide) as usize == new { &mut goes } else { &mut stays };
            to.push_slot(slot);
        }
        *self.bucket_mut(from) = stays;
        if new % SEGMENT == 0 {
            // The first segment grows with the set, the others come whole.
            self.segments.push(Vec::with_capacity(SEGMENT));
        }
        self.segments.last_mut().expect("there is one").push(goes);
        self.buckets += 1;
    }

    /// Takes the last split back.
    fn merge(&mut self) {
        let gone = self.segments.last_mut().and_then(Vec::pop).expect("the last bucket");
        self.buckets -= 1;
        if self.buckets.is_multiple_of(SEGMENT) {
            self.segments.pop();
        }
        let to = self.buckets - self.base();
        let target = self.bucket_mut(to);
        gone.slots().for_each(|slot| target.push_slot(slot));
        self.count_max = self.count_max.max(self.bucket(to).len());
    }

    /// The place of a random member, each as likely as any other: a bucket counts only as often as it is full.
    pub(super) fn random(&self, rng: &mut Prng) -> Place {
        assert!(self.len > 0, "there is a member to find");
        let most = if self.buckets == 1 { self.len } else { self.count_max };
        loop {
            let bucket = rng.below(self.buckets as u64) as usize;
            let index = rng.below(most as u64) as usize;
            if index < self.bucket(bucket).len() {
                return Place { bucket: bucket as u32, index: index as u32 };
            }
        }
    }

    /// Gives the members of the bucket at `cursor`; the next cursor, 0 after the last bucket.
    pub(super) fn scan(&self, cursor: u64, each: &mut dyn FnMut(Member<'_>)) -> u64 {
        let i = self.bucket_of(cursor);
        self.bucket(i).slots().for_each(|slot| each(self.resolve(slot)));
        let base = self.base();
        let depth = base.ilog2() + u32::from(i >= base || i < self.buckets - base);
        let Some(interval) = 1u64.checked_shl(64 - depth) else { return 0 };
        let start = cursor.reverse_bits() & !(interval - 1);
        start.checked_add(interval).map_or(0, u64::reverse_bits)
    }

    pub(super) fn iter(&self) -> TableIter<'_> {
        TableIter { table: self, next: 0, slots: Bucket::slots(&EMPTY) }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let directory = |s: &Vec<Bucket>| size_of::<Vec<Bucket>>() + s.capacity() * size_of::<Bucket>();
        let blocks = self.segments.iter().flatten().map(Bucket::memory_bytes).sum::<usize>();
        let texts = self.long.texts.iter().map(|t| t.len()).sum::<usize>();
        let long = self.long.texts.capacity() * size_of::<Box<[u8]>>() + self.long.free.capacity() * 4;
        size_of::<Table>() + self.segments.iter().map(directory).sum::<usize>() + blocks + texts + long
    }

    pub(super) fn drop_cost(&self) -> usize {
        self.buckets + self.long.texts.len()
    }

    /// Drops up to `pieces` allocations of a table nobody uses any more; true if there are more.
    pub(super) fn drop_some(&mut self, pieces: usize) -> bool {
        let long = self.long.texts.len();
        self.long.texts.truncate(long.saturating_sub(pieces));
        let mut left = pieces.saturating_sub(long);
        while left > 0 {
            let Some(segment) = self.segments.last_mut() else { break };
            let keep = segment.len().saturating_sub(left);
            left -= segment.len() - keep;
            segment.truncate(keep);
            if keep == 0 {
                self.segments.pop();
            }
        }
        !self.segments.is_empty() || !self.long.texts.is_empty()
    }

    pub(super) fn check_invariants(&self) {
        assert_eq!(self.segments.iter().map(Vec::len).sum::<usize>(), self.buckets);
        let mut len = 0;
        for i in 0..self.buckets {
            let bucket = self.bucket(i);
            bucket.check_invariants();
            len += bucket.len();
            assert!(bucket.len() <= self.count_max, "count_max bounds every bucket");
            for slot in bucket.slots() {
                let hash = self.hash(Stored::of(self.resolve(slot)).bytes());
                assert_eq!((self.bucket_of(hash), Table::tag(hash)), (i, slot.tag), "a member is where its hash says");
            }
        }
        assert_eq!(len, self.len);
        assert!(self.len <= self.buckets * LOAD, "buckets keep up with members");
    }
}

static EMPTY: Bucket = Bucket::EMPTY;

/// The members of a table.
pub(super) struct TableIter<'a> {
    table: &'a Table,
    next: usize,
    slots: Slots<'a>,
}

impl<'a> Iterator for TableIter<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        loop {
            if let Some(slot) = self.slots.next() {
                return Some(self.table.resolve(slot));
            }
            if self.next == self.table.buckets {
                return None;
            }
            self.slots = self.table.bucket(self.next).slots();
            self.next += 1;
        }
    }
}
