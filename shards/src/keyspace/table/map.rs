//! The table itself: what it holds, how a key is found, and what can be read or changed without moving anything.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::marker::PhantomData;

use ahash::RandomState;

use super::directory::Directory;
use super::entry::{Entry, EntryMut, StoredKey, StoredValue};
use super::heap::Heap;
use super::leaf::{CHAINED, Leaf, NARROW_MAX};
use super::snapshot::Walk;
use super::compact::{Compact, Open, Views};
use super::{owned, simd};

/// Lines of a leaf that a look-up asks for before it has read the first: of a leaf of about 1 KiB, most. Header and
/// entry then come in one round trip to memory instead of two.
const LINES_AHEAD: usize = 12;
/// The largest batch of prefetched keys that is believed to be still in the caches.
const PRIMED_MAX: u32 = 64;

/// One logical database: keys to values, with expiry and clock. `O` is what is stored out of line.
pub struct Table<O> {
    pub(super) heap: Heap,
    pub(super) directory: Directory,
    /// Buckets of the round that is complete: 2^level; `mask` is one less.
    pub(super) mask: u64,
    /// The next bucket to split: those below it are split already, their other halves follow behind the mask.
    pub(super) split: u64,
    pub(super) len: usize,
    pub(super) expires: usize,
    /// The sum of `used` over all leaves.
    pub(super) used: u64,
    /// How many bytes a bucket should hold; follows the mean size of an entry.
    pub(super) target: u64,
    /// Leaves beyond the first, for the few buckets that have any.
    pub(super) overflow: BTreeMap<u32, Vec<u32>>,
    /// Boxes owned by entries: objects and long keys.
    pub(super) boxed: usize,
    pub(super) generation: u32,
    /// Leaves with another epoch have not been seen by the running snapshot.
    pub(super) epoch: u8,
    pub(super) epochs_unfinished: u8,
    pub(super) snapshot: Option<Walk>,
    /// Room to take a leaf or an entry aside while it is rewritten.
    pub(super) scratch: Vec<u8>,
    /// Room for the bytes of an object that goes into a leaf.
    pub(super) aside: Vec<u8>,
    /// Entries whose objects were taken out to be changed, and objects made to be looked at.
    pub(super) open: Vec<Open>,
    pub(super) views: Views<O>,
    /// How many keys were prefetched and not yet looked up: those need no more lines asked for.
    primed: Cell<u32>,
    seed: [u64; 4],
    hasher: RandomState,
    owns: PhantomData<Box<O>>,
}

/// Where an entry is. It lives until something may have moved entries; using it later is a bug, which is asserted.
#[derive(Clone, Copy, Debug)]
pub struct Pos {
    pub(super) leaf: u32,
    pub(super) generation: u32,
    pub(super) offset: u16,
    pub(super) len: u16,
    pub(super) index: u8,
}

/// A value in the table.
#[derive(Debug, PartialEq, Eq)]
pub enum Value<'a, O> {
    /// A string of up to `INLINE_MAX` bytes.
    Bytes(&'a [u8]),
    /// A string that is the decimal form of an integer.
    Int(i64),
    /// Anything else.
    Object(&'a O),
}

/// A value on its way into the table.
#[derive(Debug)]
pub enum NewValue<'a, O> {
    /// A string of up to `INLINE_MAX` bytes, to be copied.
    Bytes(&'a [u8]),
    /// A string that is the decimal form of an integer.
    Int(i64),
    /// Anything else; the table owns it from now on, in its box or in a leaf.
    Object(Box<O>),
}

/// The tag of a hash: its top byte. Buckets come from the low bits.
#[inline(always)]
pub(super) fn tag_of(hash: u64) -> u8 {
    (hash >> 56) as u8
}

impl<O> Table<O> {
    /// The longest string stored inside a leaf.
    pub const INLINE_MAX: usize = 1024;

    /// An empty table. The seed must be random and secret: whoever knows it can flood a bucket.
    pub fn new(seed: [u64; 4]) -> Self {
        Table {
            heap: Heap::default(),
            directory: Directory::default(),
            mask: 0,
            split: 0,
            len: 0,
            expires: 0,
            used: 0,
            target: super::balance::TARGET_START,
            overflow: BTreeMap::new(),
            boxed: 0,
            generation: 0,
            epoch: 0,
            epochs_unfinished: 0,
            snapshot: None,
            scratch: Vec::new(),
            aside: Vec::new(),
            open: Vec::new(),
            views: Views::default(),
            primed: Cell::new(0),
            seed,
            hasher: RandomState::with_seeds(seed[0], seed[1], seed[2], seed[3]),
            owns: PhantomData,
        }
    }

    /// Moves everything into a table of its own and leaves this one empty, with the same seed. A running snapshot goes
    /// along: its steps continue on the table that is returned.
    pub fn take(&mut self) -> Table<O> {
        let mut fresh = Table::new(self.seed);
        fresh.generation = self.generation.wrapping_add(1);
        std::mem::replace(self, fresh)
    }

    /// How many keys there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many keys have an expiry.
    #[inline]
    pub fn expires_len(&self) -> usize {
        self.expires
    }

    /// How many buckets there are.
    #[inline]
    pub(super) fn buckets(&self) -> u64 {
        self.mask + 1 + self.split
    }

    /// The hash of a key, as all other functions want it.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    #[inline(always)]
    pub(super) fn bucket(&self, hash: u64) -> u32 {
        let low = hash & self.mask;
        (if low < self.split { hash & (2 * self.mask + 1) } else { low }) as u32
    }

    /// First stage of a batch: asks for the directory's line.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        simd::prefetch(self.directory.address(self.bucket(hash)));
    }

    /// Second stage: asks for the head of the leaf.
    #[inline]
    pub fn prefetch_leaf(&self, hash: u64) {
        let leaf = self.directory.get(self.bucket(hash));
        if leaf != 0 {
            self.heap.prefetch(leaf, 0, 2);
        }
    }

    /// Third stage for a read: asks for the entries whose tag matches.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        let handle = self.directory.get(self.bucket(hash));
        if handle == 0 {
            return;
        }
        self.prime();
        let leaf = Leaf(self.heap.block(handle));
        leaf.find(tag_of(hash), |entry| {
            let (start, len) = (entry.0.as_ptr(), entry.0.len());
            for at in (0..len).step_by(64) {
                simd::prefetch(start.wrapping_add(at));
            }
            simd::prefetch(start.wrapping_add(len - 1));
            false
        });
    }

    /// Third stage for a write: asks for all of the leaf.
    #[inline]
    pub fn prefetch_leaf_whole(&self, hash: u64) {
        let handle = self.directory.get(self.bucket(hash));
        if handle != 0 {
            self.prime();
            let used = Leaf(self.heap.block(handle)).used();
            self.heap.prefetch(handle, 2, used.div_ceil(64));
        }
    }

    /// The object of a key if it lies outside the leaf, without a trace; for what is still to come of a batch.
    #[inline]
    pub fn boxed_object(&self, hash: u64, key: &[u8]) -> Option<&O> {
        let handle = self.directory.get(self.bucket(hash));
        let pos = if handle == 0 { None } else { self.find_in(handle, hash, key) }?;
        self.entry(pos).address().map(owned::object)
    }

    /// The next look-up need not ask for lines itself.
    #[inline(always)]
    fn prime(&self) {
        self.primed.set((self.primed.get() + 1).min(PRIMED_MAX));
    }

    /// The entry of a key. The hash must be that of the key.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Pos> {
        let handle = self.directory.get(self.bucket(hash));
        if handle == 0 {
            return None;
        }
        match self.primed.get() {
            0 => self.heap.prefetch(handle, 0, LINES_AHEAD),
            n => self.primed.set(n - 1),
        }
        let found = self.find_in(handle, hash, key);
        if found.is_none() && Leaf(self.heap.block(handle)).has(CHAINED) {
            return self.find_in_overflow(hash, key);
        }
        found
    }

    #[inline(always)]
    fn find_in(&self, handle: u32, hash: u64, key: &[u8]) -> Option<Pos> {
        let leaf = Leaf(self.heap.block(handle));
        let (index, offset, len) = leaf.find(tag_of(hash), |entry| simd::same(self.key_of(entry), key))?;
        Some(self.pos(handle, index, offset, len))
    }

    #[cold]
    fn find_in_overflow(&self, hash: u64, key: &[u8]) -> Option<Pos> {
        let leaves = self.overflow.get(&self.bucket(hash))?;
        leaves.iter().find_map(|&handle| self.find_in(handle, hash, key))
    }

    #[inline(always)]
    pub(super) fn pos(&self, leaf: u32, index: usize, offset: usize, len: usize) -> Pos {
        Pos { leaf, generation: self.generation, offset: offset as u16, len: len as u16, index: index as u8 }
    }

    /// The leaves of a bucket: none, one, or for a flooded bucket several.
    #[inline]
    pub(super) fn leaves(&self, bucket: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.directory.get(bucket);
        let more = if first != 0 && Leaf(self.heap.block(first)).has(CHAINED) { self.overflow.get(&bucket) } else { None };
        (first != 0).then_some(first).into_iter().chain(more.into_iter().flatten().copied())
    }

    #[inline(always)]
    pub(super) fn key_of<'a>(&'a self, entry: Entry<'a>) -> &'a [u8] {
        match entry.key() {
            StoredKey::Near(key) => key,
            StoredKey::Far { address, len } => owned::bytes(address, len),
        }
    }

    #[inline(always)]
    pub(super) fn check(&self, pos: Pos) {
        assert_eq!(pos.generation, self.generation, "a Pos was used after entries may have moved");
    }

    #[inline(always)]
    pub(super) fn entry(&self, pos: Pos) -> Entry<'_> {
        self.check(pos);
        Entry(self.heap.bytes(pos.leaf, usize::from(pos.offset), usize::from(pos.len)))
    }

    #[inline(always)]
    pub(super) fn entry_mut(&mut self, pos: Pos) -> EntryMut<'_> {
        self.check(pos);
        EntryMut(self.heap.bytes_mut(pos.leaf, usize::from(pos.offset), usize::from(pos.len)))
    }

    /// The key of an entry.
    #[inline]
    pub fn key(&self, pos: Pos) -> &[u8] {
        self.key_of(self.entry(pos))
    }

    /// The value of an entry. An object that lies in the leaf is made anew; it lives until `settle`.
    #[inline]
    pub fn value(&self, pos: Pos) -> Value<'_, O>
    where
        O: Compact,
    {
        match self.entry(pos).value() {
            StoredValue::Bytes(bytes) => Value::Bytes(bytes),
            StoredValue::Int(n) => Value::Int(n),
            StoredValue::Object(address) => Value::Object(owned::object(address)),
            StoredValue::Compact(bytes) => Value::Object(self.view(pos, bytes)),
        }
    }

    /// Whether the value is an object, wherever it is.
    #[inline]
    pub fn has_object(&self, pos: Pos) -> bool {
        let entry = self.entry(pos);
        entry.is_object() || entry.is_compact()
    }

    /// Whether the value is an object outside the leaf.
    #[inline]
    pub fn has_boxed_object(&self, pos: Pos) -> bool {
        self.entry(pos).is_object()
    }

    /// When the entry expires, in Unix milliseconds.
    #[inline]
    pub fn expire_at(&self, pos: Pos) -> Option<i64> {
        self.entry(pos).expire()
    }

    /// Bytes the entry takes: in its leaf, in the leaf's index, and for its key if that lies outside. Not what an object
    /// holds, nor the entry's share of the leaf's header and unused end.
    pub fn entry_bytes(&self, pos: Pos) -> usize {
        let far = match self.entry(pos).key() {
            StoredKey::Near(_) => 0,
            StoredKey::Far { len, .. } => len as usize,
        };
        let len = usize::from(pos.len);
        let index = if len > NARROW_MAX { 3 } else { 2 };
        len + index + far
    }

    /// The entry's clock: 24 bits for LRU or LFU.
    #[inline]
    pub fn lru(&self, pos: Pos) -> u32 {
        self.entry(pos).lru()
    }

    /// The four bits the caller chose for the type.
    #[inline]
    pub fn type_tag(&self, pos: Pos) -> u8 {
        self.entry(pos).type_tag()
    }

    /// Sets the clock (its low 24 bits). Moves nothing.
    #[inline]
    pub fn set_lru(&mut self, pos: Pos, lru: u32) {
        self.entry_mut(pos).set_lru(lru);
    }

    /// The bytes of an inline string, to change in place. Moves nothing.
    #[inline]
    pub fn bytes_mut(&mut self, pos: Pos) -> Option<&mut [u8]> {
        self.assert_seen(pos.leaf);
        let entry = self.entry(pos);
        if entry.is_int() || entry.is_object() || entry.is_compact() {
            return None;
        }
        Some(self.entry_mut(pos).into_value())
    }

    /// A leaf must not change under a snapshot that has not seen it.
    #[inline(always)]
    pub(super) fn assert_seen(&self, handle: u32) {
        debug_assert!(
            self.snapshot.is_none() || Leaf(self.heap.block(handle)).epoch() == self.epoch,
            "before_change must be called before a change while a snapshot runs"
        );
    }
}
