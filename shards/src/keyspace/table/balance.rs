//! Keeping the table's size right: bucket splits, merges, and the moves that keep the heap dense. All of it happens in
//! `settle`, at the end of a command, a bounded amount each time.

use super::compact::Compact;
use super::map::Table;
use super::heap::BLOCK_MAX;
use super::leaf::{CAP_MAX, CHAINED, EXTRA, Leaf, LeafMut, NARROW_MAX, Shape, is_member};
use super::owned;
use super::entry::{Entry, StoredKey};
use super::room::Wanted;

pub(super) const TARGET_START: u64 = 1024;
/// A bucket should hold this many bytes at most, so that a leaf stays a short copy.
const TARGET_MAX: u64 = 2048;
const TARGET_MIN: u64 = 512;
/// Large entries: so many should share a leaf, or its unused end weighs too much.
const ENTRIES_MIN: u64 = 12;
/// Small entries: not more than these, or finding one among them takes long.
const ENTRIES_MAX: u64 = 40;
const SPLITS_MAX: usize = 4;
const MERGES_MAX: usize = 2;
const MOVES_MAX: usize = 4;
/// Directories are counted in u32.
const BUCKETS_MAX: u64 = 1 << 32;

impl<O: Compact> Table<O> {
    /// Ends a command: does a little of what growth, shrinking and density ask for. No `Pos` survives it.
    #[inline]
    pub fn settle(&mut self) {
        self.close_all();
        self.generation = self.generation.wrapping_add(1);
        let buckets = self.buckets();
        if self.used > buckets * self.target || self.used * 4 < buckets * self.target * 3 {
            self.rebalance();
        }
        if self.heap.is_loose() {
            self.compact();
        }
    }
}

impl<O> Table<O> {
    fn rebalance(&mut self) {
        let mean = self.used / (self.len as u64).max(1);
        self.target = (mean * ENTRIES_MIN).max(TARGET_START.min(mean * ENTRIES_MAX)).clamp(TARGET_MIN, TARGET_MAX);
        for _ in 0..SPLITS_MAX {
            if self.used <= self.buckets() * self.target || self.buckets() >= BUCKETS_MAX {
                break;
            }
            self.split_one();
        }
        for _ in 0..MERGES_MAX {
            // A merge during a snapshot would mix entries it has seen with entries it has not.
            if self.buckets() == 1 || self.used * 4 >= self.buckets() * self.target * 3 || self.snapshot.is_some() {
                break;
            }
            self.merge_one();
        }
    }

    fn compact(&mut self) {
        for _ in 0..MOVES_MAX {
            if let Some(moved) = self.heap.compact_one() {
                let leaf = self.leaf(moved.to);
                let (owner, extra) = (leaf.owner(), leaf.has(EXTRA));
                self.refer(owner, extra, moved.from, moved.to);
            }
        }
    }

    /// Splits the next bucket in line in two.
    fn split_one(&mut self) {
        let (low, high) = (self.split as u32, (self.split + self.mask + 1) as u32);
        let bit = self.mask + 1;
        let first = self.directory.get(low);
        self.split += 1;
        if self.split > self.mask {
            self.mask = 2 * self.mask + 1;
            self.split = 0;
        }
        if first == 0 {
            return;
        }
        match self.overflow.remove(&low) {
            None => self.split_leaf(first, low, high, bit),
            Some(mut extras) => {
                extras.push(first);
                self.directory.set(low, 0);
                extras.into_iter().for_each(|handle| self.scatter(handle, Some((low, high, bit))));
            }
        }
        self.prefetch_next_split();
    }

    fn prefetch_next_split(&self) {
        let next = self.directory.get(self.split as u32);
        if next != 0 {
            self.heap.prefetch(next, 0, self.target as usize / 64 + 4);
        }
    }

    #[inline]
    pub(super) fn entry_hash(&self, entry: Entry<'_>) -> u64 {
        match entry.key() {
            StoredKey::Near(key) => self.hash(key),
            StoredKey::Far { address, len } => self.hash(owned::bytes(address, len)),
        }
    }

    /// Splits a bucket of one leaf, the ordinary case: both halves are measured first and written once.
    fn split_leaf(&mut self, handle: u32, low: u32, high: u32, bit: u64) {
        let mut halves = [Half::default(), Half::default()];
        let leaf = self.leaf(handle);
        for (index, offset, len) in leaf.places() {
            let entry = leaf.entry(offset, len);
            let side = usize::from(self.entry_hash(entry) & bit != 0);
            halves[side].add(index, len, entry.is_timed());
        }
        let (epoch, used) = (leaf.epoch(), leaf.used());
        if halves[1].count == 0 {
            return;
        }
        self.used -= used as u64;
        for (half, bucket) in halves.iter().zip([low, high]) {
            if half.count == 0 {
                self.directory.set(bucket, 0);
                continue;
            }
            let to = self.new_leaf_of(bucket, epoch, half.shape(), half.bytes, 0);
            self.directory.set(bucket, to);
            let (old, new) = self.heap.pair(handle, to);
            half.copy(Leaf(old), LeafMut(new));
            self.used += half.bytes as u64;
        }
        self.heap.free(handle);
    }

    /// Moves all entries of a leaf, which nobody refers to any more, into their bucket (or one of two), and frees it.
    fn scatter(&mut self, handle: u32, split: Option<(u32, u32, u64)>) {
        let mut aside = std::mem::take(&mut self.scratch);
        aside.clear();
        let leaf = self.leaf(handle);
        let (epoch, owner, used) = (leaf.epoch(), leaf.owner(), leaf.used());
        aside.extend_from_slice(&leaf.0[..used]);
        self.used -= used as u64;
        self.heap.free(handle);
        let leaf = Leaf(&aside);
        for (index, offset, len) in leaf.places() {
            let entry = leaf.entry(offset, len);
            let bucket = match split {
                Some((low, high, bit)) => if self.entry_hash(entry) & bit == 0 { low } else { high },
                None => owner,
            };
            let pos = self.reserve(Wanted { bucket, tag: leaf.tag(index), len, expire: entry.expire(), epoch });
            self.entry_mut(pos).0.copy_from_slice(entry.0);
        }
        self.scratch = aside;
    }

    /// Merges the last bucket back into the one it came from.
    fn merge_one(&mut self) {
        if self.split == 0 {
            self.mask >>= 1;
            self.split = self.mask + 1;
        }
        self.split -= 1;
        let (low, high) = (self.split as u32, (self.split + self.mask + 1) as u32);
        let first = self.directory.get(high);
        if first != 0 {
            let extras = self.overflow.remove(&high).unwrap_or_default();
            self.directory.set(high, 0);
            for handle in extras.into_iter().chain([first]) {
                self.merge_leaf(handle, low);
            }
        }
        self.directory.truncate(self.buckets());
    }

    fn merge_leaf(&mut self, handle: u32, low: u32) {
        let leaf = self.leaf(handle);
        let (count, bytes, timed) = (leaf.count(), leaf.used() - leaf.entries_at(), leaf.timers() > 0);
        let to = self.directory.get(low);
        if to == 0 {
            // The whole leaf simply gets another owner.
            let mut leaf = self.leaf_mut(handle);
            leaf.set_owner(low);
            leaf.set_flag(EXTRA, false);
            leaf.set_flag(CHAINED, false);
            self.directory.set(low, handle);
            return;
        }
        // Room for all at once, when one leaf can hold them: else each finds its own place.
        if self.leaf(to).count() + count <= CAP_MAX && self.leaf(to).used() + bytes < BLOCK_MAX / 2 {
            self.ensure(to, bytes, count, timed);
        }
        self.leaf_mut(handle).set_owner(low);
        self.scatter(handle, None);
    }
}

/// What goes to one side of a split.
#[derive(Default)]
struct Half {
    members: [u64; 4],
    count: usize,
    bytes: usize,
    longest: usize,
    timed: bool,
}

impl Half {
    #[inline]
    fn add(&mut self, index: usize, len: usize, timed: bool) {
        self.members[index / 64] |= 1 << (index % 64);
        self.count += 1;
        self.bytes += len;
        self.longest = self.longest.max(len);
        self.timed |= timed;
    }

    fn shape(&self) -> Shape {
        Shape::new(self.count, self.longest > NARROW_MAX, self.timed)
    }

    fn copy(&self, from: Leaf<'_>, mut to: LeafMut<'_>) {
        to.append_members(from, &self.members);
        if !self.timed {
            return;
        }
        for (_, offset, len) in from.places().filter(|&(index, ..)| is_member(&self.members, index)) {
            if let Some(ms) = from.entry(offset, len).expire() {
                to.add_timer(ms);
            }
        }
    }
}
