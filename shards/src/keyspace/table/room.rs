//! Making room in leaves. Entries come and go through `reserve`, `stretch` and `cut`; these give a leaf the shape and
//! the block it needs, keep whoever refers to the leaf right, and spill into extra leaves when a bucket is too full.

use super::map::{Pos, Table};
use super::heap::{BLOCK_MAX, GRANULE, class_of};
use super::leaf::{CAP_MAX, CHAINED, EXTRA, Leaf, LeafMut, NARROW_MAX, Shape};

/// A growing leaf gets 1/32 more than it needs, which saves a copy now and then.
const SLACK_SHIFT: usize = 5;
/// Entries longer than this would not fit into the slack anyway.
const SLACK_FOR: usize = GRANULE;
/// A leaf moves into a smaller block when this much would be free.
const LOOSE: usize = 2 * GRANULE;
/// Unused places in the tag array that make it worth shrinking.
const CAP_LOOSE: usize = 12;

/// An entry that is to come.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) bucket: u32,
    pub(super) tag: u8,
    pub(super) len: usize,
    pub(super) expire: Option<i64>,
    /// The epoch of a leaf that must be made for it.
    pub(super) epoch: u8,
}

impl<O> Table<O> {
    #[inline(always)]
    pub(super) fn leaf(&self, handle: u32) -> Leaf<'_> {
        Leaf(self.heap.block(handle))
    }

    #[inline(always)]
    pub(super) fn leaf_mut(&mut self, handle: u32) -> LeafMut<'_> {
        LeafMut(self.heap.block_mut(handle))
    }

    /// A place for an entry in its bucket. Its bytes are for the caller to write.
    #[inline]
    pub(super) fn reserve(&mut self, wanted: Wanted) -> Pos {
        let first = self.directory.get(wanted.bucket);
        let handle = if first == 0 {
            let handle = self.new_leaf(wanted, 0);
            self.directory.set(wanted.bucket, handle);
            handle
        } else {
            match self.ensure(first, wanted.len, 1, wanted.expire.is_some()) {
                Some(handle) => handle,
                None => self.reserve_overflow(wanted),
            }
        };
        let mut leaf = self.leaf_mut(handle);
        let (index, offset) = leaf.push(wanted.tag, wanted.len);
        if let Some(ms) = wanted.expire {
            leaf.add_timer(ms);
        }
        self.used += wanted.len as u64;
        self.pos(handle, index, offset, wanted.len)
    }

    /// An empty leaf that has room for the entry. Whoever is to refer to it is set by the caller.
    fn new_leaf(&mut self, wanted: Wanted, flags: u8) -> u32 {
        let shape = Shape::new(1, wanted.len > NARROW_MAX, wanted.expire.is_some());
        self.new_leaf_of(wanted.bucket, wanted.epoch, shape, wanted.len, flags)
    }

    /// An empty leaf of a shape with room for so many bytes of entries.
    pub(super) fn new_leaf_of(&mut self, owner: u32, epoch: u8, shape: Shape, bytes: usize, flags: u8) -> u32 {
        let handle = self.heap.alloc(class_of(shape.entries_at() + bytes));
        self.leaf_mut(handle).init(owner, epoch, shape, flags);
        self.used += shape.entries_at() as u64;
        handle
    }

    /// Room in an extra leaf of a bucket whose first leaf is full.
    #[cold]
    fn reserve_overflow(&mut self, wanted: Wanted) -> u32 {
        let extras = self.overflow.get(&wanted.bucket).cloned().unwrap_or_default();
        for handle in extras.into_iter().rev() {
            if let Some(handle) = self.ensure(handle, wanted.len, 1, wanted.expire.is_some()) {
                return handle;
            }
        }
        let handle = self.new_leaf(wanted, EXTRA);
        self.overflow.entry(wanted.bucket).or_default().push(handle);
        let first = self.directory.get(wanted.bucket);
        self.leaf_mut(first).set_flag(CHAINED, true);
        handle
    }

    /// Makes a leaf fit for `slots` more entries of `bytes` together; `None` when no leaf can be that large. The longest
    /// of them decides about two-byte lengths, so callers with several entries pass them one by one first if any is long.
    #[inline]
    pub(super) fn ensure(&mut self, handle: u32, bytes: usize, slots: usize, timed: bool) -> Option<u32> {
        let leaf = self.leaf(handle);
        let now = leaf.shape();
        let count = leaf.count() + slots;
        let cap = if count > now.cap { count.next_multiple_of(8) } else { now.cap };
        let next = Shape { cap, wide: now.wide || slots == 1 && bytes > NARROW_MAX, timed: now.timed || timed };
        if next == now && leaf.used() + bytes <= leaf.0.len() {
            return Some(handle);
        }
        self.grow(handle, next, bytes)
    }

    fn grow(&mut self, handle: u32, next: Shape, bytes: usize) -> Option<u32> {
        let leaf = self.leaf(handle);
        let needed = next.entries_at() + leaf.used() - leaf.entries_at() + bytes;
        if next.cap > CAP_MAX || needed > BLOCK_MAX {
            return None;
        }
        let slack = if bytes <= SLACK_FOR { needed >> SLACK_SHIFT } else { 0 };
        let class = if needed <= leaf.0.len() { leaf.class() } else { class_of((needed + slack).min(BLOCK_MAX)) };
        Some(self.reshape(handle, next, class))
    }

    /// Gives a leaf another shape, another block, or both.
    fn reshape(&mut self, handle: u32, shape: Shape, class: u8) -> u32 {
        let leaf = self.leaf(handle);
        let (owner, flags, before, used) = (leaf.owner(), leaf.has(EXTRA), leaf.entries_at(), leaf.used());
        let in_place = class == leaf.class();
        self.used = self.used + shape.entries_at() as u64 - before as u64;
        if in_place {
            let mut aside = std::mem::take(&mut self.scratch);
            aside.clear();
            aside.extend_from_slice(&self.leaf(handle).0[..used]);
            self.leaf_mut(handle).copy_of(Leaf(&aside), shape);
            self.scratch = aside;
            return handle;
        }
        let to = self.heap.alloc(class);
        let (old, new) = self.heap.pair(handle, to);
        LeafMut(new).copy_of(Leaf(old), shape);
        self.heap.free(handle);
        self.refer(owner, flags, handle, to);
        to
    }

    /// Corrects whoever refers to a leaf that has moved.
    pub(super) fn refer(&mut self, bucket: u32, extra: bool, from: u32, to: u32) {
        if !extra {
            debug_assert_eq!(self.directory.get(bucket), from);
            self.directory.set(bucket, to);
            return;
        }
        let extras = self.overflow.get_mut(&bucket).expect("an extra leaf is listed");
        let slot = extras.iter_mut().find(|handle| **handle == from).expect("an extra leaf is listed");
        *slot = to;
    }

    /// Gives an entry another length. Its key and value are the caller's to write again.
    pub(super) fn stretch(&mut self, pos: Pos, to: usize, expire: Option<i64>) -> Option<Pos> {
        let (index, before) = (usize::from(pos.index), self.leaf(pos.leaf).entries_at());
        let from = usize::from(pos.len);
        let leaf = self.leaf(pos.leaf);
        let now = leaf.shape();
        let next = Shape { cap: now.cap, wide: now.wide || to > NARROW_MAX, timed: now.timed || expire.is_some() };
        let more = to.saturating_sub(from);
        let fits = next == now && leaf.used() + more <= leaf.0.len();
        let handle = if fits { pos.leaf } else { self.grow(pos.leaf, next, more)? };
        let offset = usize::from(pos.offset) - before + self.leaf(handle).entries_at();
        self.leaf_mut(handle).stretch(index, offset, from, to);
        self.used = self.used + to as u64 - from as u64;
        Some(self.pos(handle, index, offset, to))
    }

    /// Takes an entry's bytes out of its leaf. What it owns is the caller's.
    pub(super) fn cut(&mut self, pos: Pos) {
        let (index, offset) = (usize::from(pos.index), usize::from(pos.offset));
        let len = usize::from(pos.len);
        let expire = self.entry(pos).expire();
        let mut leaf = self.leaf_mut(pos.leaf);
        leaf.cut(index, offset, len);
        if let Some(ms) = expire {
            leaf.drop_timer(ms);
        }
        let empty = leaf.view().count() == 0;
        self.used -= len as u64;
        if empty {
            self.free_leaf(pos.leaf);
        }
    }

    /// Moves a leaf into a smaller block when that pays; where it is then.
    #[inline]
    pub(super) fn tighten(&mut self, handle: u32) -> u32 {
        let leaf = self.leaf(handle);
        let (count, cap) = (leaf.count(), leaf.cap());
        if cap < count + CAP_LOOSE && leaf.0.len() < leaf.used() + LOOSE {
            return handle;
        }
        let cap = if cap >= count + CAP_LOOSE { count.next_multiple_of(8).max(8) } else { cap };
        let shape = Shape { cap, wide: leaf.needs_wide(), timed: leaf.timers() > 0 };
        let needed = shape.entries_at() + leaf.used() - leaf.entries_at();
        let class = if leaf.0.len() >= needed + LOOSE { class_of(needed + GRANULE / 4) } else { leaf.class() };
        if shape == leaf.shape() && class == leaf.class() {
            return handle;
        }
        self.reshape(handle, shape, class)
    }

    /// Frees an empty leaf; an extra leaf of the bucket takes its place if it was the first.
    fn free_leaf(&mut self, handle: u32) {
        let leaf = self.leaf(handle);
        let (bucket, extra, chained) = (leaf.owner(), leaf.has(EXTRA), leaf.has(CHAINED));
        self.used -= leaf.used() as u64;
        if extra {
            let extras = self.overflow.get_mut(&bucket).expect("an extra leaf is listed");
            extras.retain(|&other| other != handle);
        } else if chained {
            let next = self.overflow.get_mut(&bucket).and_then(Vec::pop).expect("a chained leaf has extra leaves");
            self.directory.set(bucket, next);
            self.leaf_mut(next).set_flag(EXTRA, false);
        } else {
            self.directory.set(bucket, 0);
        }
        self.heap.free(handle);
        if extra || chained {
            self.unchain_if_single(bucket);
        }
    }

    fn unchain_if_single(&mut self, bucket: u32) {
        let more = self.overflow.get(&bucket).is_some_and(|extras| !extras.is_empty());
        if !more {
            self.overflow.remove(&bucket);
        }
        let first = self.directory.get(bucket);
        self.leaf_mut(first).set_flag(CHAINED, more);
    }
}
