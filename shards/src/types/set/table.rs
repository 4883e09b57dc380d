//! A big set: linear hashing ([`Buckets`]) over small blocks of members.
//!
//! Bucket `i` is a [`Bucket`] of about twenty members. When there are more than [`LOAD`] members a bucket, the next
//! bucket in line is split in two, and merged back when there are less than half as many: no doubling, no second table,
//! no stall, and no step in memory where a set grows out of its compact form.
//!
//! The hash is keyed, so nobody can choose members that meet in one bucket. A member over 238 bytes stands in `long`, the
//! bucket holds its number.
//!
//! Invariant: every member is in the bucket its hash names.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

use super::bucket::{Bucket, Member, Slot, Slots, Stored};
use crate::stdx::prng::Prng;
use crate::types::buckets::Buckets;

/// Members a bucket holds on average.
const LOAD: usize = 24;

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

    #[inline]
    fn resolve<'a>(&'a self, slot: Slot<'a>) -> Member<'a> {
        slot.member().unwrap_or_else(|number| Member::Text(&self.texts[number as usize]))
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
    buckets: Buckets<Bucket>,
    len: usize,
    long: Long,
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
            buckets: Buckets::new(1),
            len: 0,
            long: Long::default(),
            said_compact: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn hash(&self, bytes: &[u8]) -> u64 {
        hash_of(&self.hasher, bytes)
    }

    #[inline]
    fn tag(hash: u64) -> u8 {
        (hash >> 56) as u8
    }

    #[inline]
    fn find(&self, stored: &Stored<'_>) -> (u64, Option<Place>) {
        let hash = self.hash(stored.bytes());
        let bucket = self.buckets.of(hash);
        let is_long = |number: u32| *self.long.texts[number as usize] == *stored.bytes();
        let index = self.buckets[bucket].find(Table::tag(hash), stored, is_long);
        (hash, index.map(|index| Place { bucket: bucket as u32, index: index as u32 }))
    }

    /// The bytes of the bucket in which a member is or would be; their place is asked for.
    #[inline]
    pub(super) fn look_ahead(&self, member: Member<'_>) -> &Vec<u8> {
        self.buckets.prefetch(self.buckets.of(self.hash(Stored::of(member).bytes()))).block()
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
        let bucket = self.buckets.of(hash);
        if stored.is_long() {
            let number = self.long.keep(stored.bytes());
            self.buckets[bucket].push(Table::tag(hash), &Stored::elsewhere(number));
        } else {
            self.buckets[bucket].push(Table::tag(hash), &stored);
        }
        self.len += 1;
        if self.len > self.buckets.len() * LOAD {
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
        let bucket = &mut self.buckets[place.bucket as usize];
        let long = bucket.slot(place.index as usize).member().err();
        bucket.remove(place.index as usize);
        long.into_iter().for_each(|number| self.long.give_up(number));
        self.len -= 1;
        if self.buckets.len() > 1 && self.len < self.buckets.len() * LOAD / 2 {
            self.merge();
        }
    }

    #[inline]
    pub(super) fn at(&self, place: Place) -> Member<'_> {
        self.resolve(self.buckets[place.bucket as usize].slot(place.index as usize))
    }

    #[inline]
    fn resolve<'a>(&'a self, slot: Slot<'a>) -> Member<'a> {
        self.long.resolve(slot)
    }

    /// Splits the next bucket in line.
    fn split(&mut self) {
        let Table { hasher, buckets, long, .. } = self;
        buckets.split(|whole, goes| {
            let (mut stay, mut go) = (Bucket::default(), Bucket::default());
            for slot in whole.slots() {
                let goes = goes(hash_of(hasher, Stored::of(long.resolve(slot)).bytes()));
                (if goes { &mut go } else { &mut stay }).push_slot(slot);
            }
            (stay, go)
        });
    }

    /// Takes the last split back.
    fn merge(&mut self) {
        self.buckets.merge(|to, gone| gone.slots().for_each(|slot| to.push_slot(slot)));
    }

    /// The place of a random member, each as likely as any other.
    pub(super) fn random(&self, rng: &mut Prng) -> Place {
        let found = self.buckets.random(self.len, &mut |n| rng.below(n), Bucket::len);
        let (bucket, index) = found.expect("there is a member to find");
        Place { bucket: bucket as u32, index: index as u32 }
    }

    /// Gives the members of the bucket at `cursor`; the next cursor, 0 after the last bucket.
    pub(super) fn scan(&self, cursor: u64, each: &mut dyn FnMut(Member<'_>)) -> u64 {
        let (at, next) = self.buckets.step(cursor);
        self.buckets[at].slots().for_each(|slot| each(self.resolve(slot)));
        next
    }

    pub(super) fn iter(&self) -> TableIter<'_> {
        TableIter { table: self, next: 0, slots: Bucket::slots(&EMPTY) }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let blocks = self.buckets.iter().map(Bucket::memory_bytes).sum::<usize>();
        let texts = self.long.texts.iter().map(|t| t.len()).sum::<usize>();
        let long = self.long.texts.capacity() * size_of::<Box<[u8]>>() + self.long.free.capacity() * 4;
        size_of::<Table>() + self.buckets.row_bytes() + blocks + texts + long
    }

    pub(super) fn drop_cost(&self) -> usize {
        self.buckets.len() + self.long.texts.len()
    }

    /// Drops up to `pieces` allocations of a table nobody uses any more; true if there are more.
    pub(super) fn drop_some(&mut self, pieces: usize) -> bool {
        let long = self.long.texts.len();
        self.long.texts.truncate(long.saturating_sub(pieces));
        let gone = self.buckets.drop_some(pieces.saturating_sub(long));
        !gone || !self.long.texts.is_empty()
    }

    pub(super) fn check_invariants(&self) {
        self.buckets.check_invariants();
        let mut len = 0;
        for (i, bucket) in self.buckets.iter().enumerate() {
            bucket.check_invariants();
            len += bucket.len();
            for slot in bucket.slots() {
                let hash = self.hash(Stored::of(self.resolve(slot)).bytes());
                assert_eq!((self.buckets.of(hash), Table::tag(hash)), (i, slot.tag), "a member is where its hash says");
            }
        }
        assert_eq!(len, self.len);
        assert!(self.len <= self.buckets.len() * LOAD, "buckets keep up with members");
    }
}

#[inline]
fn hash_of(hasher: &RandomState, bytes: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(bytes);
    hasher.finish()
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
            if self.next == self.table.buckets.len() {
                return None;
            }
            self.slots = self.table.buckets[self.next].slots();
            self.next += 1;
        }
    }
}
