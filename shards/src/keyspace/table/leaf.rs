//! A leaf: all the keys of one bucket in one block of memory that can be moved with a memcpy.
//!
//! ```text
//! 0 count  1 cap  2 used u16  4 owner u32  8 epoch  9 class  10 flags  11 timers  [12 earliest u32, when TIMED]
//! [tag: 1 byte x cap] [length: 1 byte x cap, 2 when WIDE] [entries, packed, in the order of the tags]
//! ```
//!
//! A tag is the top byte of the key's hash. Where an entry lies is not stored: it is the sum of the lengths before it,
//! which SSE2 adds sixteen at a time. `cap` is a multiple of eight. A leaf becomes WIDE when it must hold an entry over
//! 255 bytes, so only such leaves pay the second byte.
//!
//! Invariant: `used` is where the last entry ends, and at most the block's length. `earliest` is no later than the
//! earliest expiry in the leaf (in coarse seconds). A block with cap 0 is a hole of the heap.

use super::entry::{Entry, coarse};
use super::simd::{self, LANES};

/// Bytes of the header without `earliest`.
pub(super) const HEAD: usize = 12;
/// The largest number of entries of a leaf: the largest multiple of eight in a byte.
pub(super) const CAP_MAX: usize = 248;
/// The longest entry a leaf without two-byte lengths can hold.
pub(super) const NARROW_MAX: usize = 255;

pub(super) const CAP_AT: usize = 1;
pub(super) const CLASS_AT: usize = 9;

/// Lengths take two bytes.
const WIDE: u8 = 1;
/// The bucket has more leaves, in the table's overflow map. Only in the bucket's first leaf.
pub(super) const CHAINED: u8 = 2;
/// The header has `earliest`. The value of the flag is the number of bytes that takes.
const TIMED: u8 = 4;
/// This is not the bucket's first leaf.
pub(super) const EXTRA: u8 = 8;

/// What decides where things lie in a leaf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    pub(super) cap: usize,
    pub(super) wide: bool,
    pub(super) timed: bool,
}

impl Shape {
    /// The smallest shape for so many entries.
    pub(super) fn new(count: usize, wide: bool, timed: bool) -> Shape {
        Shape { cap: count.next_multiple_of(8).max(8), wide, timed }
    }

    /// Where the entries begin.
    #[inline]
    pub(super) fn entries_at(self) -> usize {
        HEAD + if self.timed { usize::from(TIMED) } else { 0 } + self.cap * (2 + usize::from(self.wide))
    }
}

/// Whether a set of entries has this one.
#[inline(always)]
pub(super) fn is_member(members: &[u64; 4], index: usize) -> bool {
    members[index / 64] >> (index % 64) & 1 != 0
}

/// A look into a leaf.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'a>(pub(super) &'a [u8]);

impl<'a> Leaf<'a> {
    #[inline(always)]
    pub(super) fn count(self) -> usize {
        usize::from(self.0[0])
    }

    #[inline(always)]
    pub(super) fn cap(self) -> usize {
        usize::from(self.0[CAP_AT])
    }

    #[inline(always)]
    pub(super) fn used(self) -> usize {
        usize::from(u16::from_le_bytes([self.0[2], self.0[3]]))
    }

    #[inline(always)]
    pub(super) fn owner(self) -> u32 {
        u32::from_le_bytes([self.0[4], self.0[5], self.0[6], self.0[7]])
    }

    #[inline(always)]
    pub(super) fn epoch(self) -> u8 {
        self.0[8]
    }

    #[inline(always)]
    pub(super) fn class(self) -> u8 {
        self.0[CLASS_AT]
    }

    #[inline(always)]
    pub(super) fn has(self, flag: u8) -> bool {
        self.0[10] & flag != 0
    }

    /// How many entries have an expiry.
    #[inline(always)]
    pub(super) fn timers(self) -> usize {
        usize::from(self.0[11])
    }

    /// No expiry in this leaf is before this coarse second.
    #[inline]
    pub(super) fn earliest(self) -> u32 {
        if self.has(TIMED) { u32::from_le_bytes([self.0[12], self.0[13], self.0[14], self.0[15]]) } else { u32::MAX }
    }

    pub(super) fn shape(self) -> Shape {
        Shape { cap: self.cap(), wide: self.has(WIDE), timed: self.has(TIMED) }
    }

    #[inline(always)]
    fn tags_at(self) -> usize {
        HEAD + usize::from(self.0[10] & TIMED)
    }

    #[inline(always)]
    fn lens_at(self) -> usize {
        self.tags_at() + self.cap()
    }

    #[inline(always)]
    pub(super) fn entries_at(self) -> usize {
        self.tags_at() + self.cap() * (2 + usize::from(self.0[10] & WIDE))
    }

    #[inline(always)]
    pub(super) fn tag(self, index: usize) -> u8 {
        self.0[self.tags_at() + index]
    }

    #[inline(always)]
    pub(super) fn len_of(self, index: usize) -> usize {
        let at = self.lens_at();
        if !self.has(WIDE) {
            return usize::from(self.0[at + index]);
        }
        usize::from(u16::from_le_bytes([self.0[at + 2 * index], self.0[at + 2 * index + 1]]))
    }

    /// Where entry `index` begins.
    #[inline(always)]
    pub(super) fn offset_of(self, index: usize) -> usize {
        if self.has(WIDE) { self.offset_wide(index) } else { self.entries_at() + simd::sum(self.0, self.lens_at(), index) }
    }

    #[cold]
    fn offset_wide(self, index: usize) -> usize {
        self.entries_at() + simd::sum_wide(&self.0[self.lens_at()..], index)
    }

    #[inline(always)]
    pub(super) fn entry(self, offset: usize, len: usize) -> Entry<'a> {
        Entry(&self.0[offset..offset + len])
    }

    /// Looks at every entry whose tag matches until `is_it` says yes; its index, where it begins, and its length.
    ///
    /// Tags and lengths are read sixteen at a time, which may reach up to eight bytes beyond them: tags are followed by
    /// as many lengths, and lengths either by entries of six bytes at least, more than half as many as were read, or, of a
    /// `cap` of eight, by the rest of a block of 64 bytes at least.
    #[inline(always)]
    pub(super) fn find(self, tag: u8, mut is_it: impl FnMut(Entry<'a>) -> bool) -> Option<(usize, usize, usize)> {
        let head = self.head();
        let (count, cap, flags) = (usize::from(head[0]), usize::from(head[CAP_AT]), head[10]);
        let tags_at = HEAD + usize::from(flags & TIMED);
        let lens_at = tags_at + cap;
        let mut base = 0;
        while base < count {
            let mut hits = simd::matches(simd::lanes(self.0, tags_at + base), tag);
            if count - base < LANES {
                hits &= (1 << (count - base)) - 1;
            }
            while hits != 0 {
                let index = base + hits.trailing_zeros() as usize;
                hits &= hits - 1;
                let (offset, len) = if flags & WIDE == 0 {
                    (lens_at + cap + simd::sum(self.0, lens_at, index), usize::from(self.0[lens_at + index]))
                } else {
                    (self.offset_wide(index), self.len_of(index))
                };
                if is_it(self.entry(offset, len)) {
                    return Some((index, offset, len));
                }
            }
            base += LANES;
        }
        None
    }

    /// The header, with `earliest` or the first tags.
    #[inline(always)]
    fn head(self) -> &'a [u8; 16] {
        self.0.first_chunk().expect("a block has 64 bytes at least")
    }

    /// All entries: index, where it begins, its length.
    #[inline]
    pub(super) fn places(self) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
        let (wide, mut offset) = (self.has(WIDE), self.entries_at());
        let lens = &self.0[self.lens_at()..offset];
        (0..self.count()).map(move |index| {
            let len = match wide {
                false => usize::from(lens[index]),
                true => usize::from(u16::from_le_bytes([lens[2 * index], lens[2 * index + 1]])),
            };
            offset += len;
            (index, offset - len, len)
        })
    }

    /// Whether the lengths really need two bytes.
    pub(super) fn needs_wide(self) -> bool {
        self.has(WIDE) && (0..self.count()).any(|i| self.len_of(i) > NARROW_MAX)
    }
}

/// A leaf open for changes.
pub(super) struct LeafMut<'a>(pub(super) &'a mut [u8]);

impl LeafMut<'_> {
    #[inline(always)]
    pub(super) fn view(&self) -> Leaf<'_> {
        Leaf(self.0)
    }

    /// Makes the block an empty leaf. The class byte is the heap's and stays.
    pub(super) fn init(&mut self, owner: u32, epoch: u8, shape: Shape, flags: u8) {
        assert!(shape.cap <= CAP_MAX && shape.cap.is_multiple_of(8) && shape.entries_at() <= self.0.len());
        self.0[0] = 0;
        self.0[CAP_AT] = shape.cap as u8;
        self.set_used(shape.entries_at());
        self.0[4..8].copy_from_slice(&owner.to_le_bytes());
        self.0[8] = epoch;
        self.0[10] = flags & (CHAINED | EXTRA) | if shape.wide { WIDE } else { 0 } | if shape.timed { TIMED } else { 0 };
        self.0[11] = 0;
        if shape.timed {
            self.0[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        }
    }

    #[inline(always)]
    fn set_used(&mut self, used: usize) {
        debug_assert!(used <= self.0.len());
        self.0[2..4].copy_from_slice(&(used as u16).to_le_bytes());
    }

    pub(super) fn set_epoch(&mut self, epoch: u8) {
        self.0[8] = epoch;
    }

    pub(super) fn set_owner(&mut self, owner: u32) {
        self.0[4..8].copy_from_slice(&owner.to_le_bytes());
    }

    pub(super) fn set_flag(&mut self, flag: u8, on: bool) {
        debug_assert!(flag == CHAINED || flag == EXTRA);
        self.0[10] = if on { self.0[10] | flag } else { self.0[10] & !flag };
    }

    #[inline]
    fn set_len(&mut self, index: usize, len: usize) {
        let at = self.view().lens_at();
        if self.view().has(WIDE) {
            self.0[at + 2 * index..at + 2 * index + 2].copy_from_slice(&(len as u16).to_le_bytes());
        } else {
            debug_assert!(len <= NARROW_MAX);
            self.0[at + index] = len as u8;
        }
    }

    /// Adds room for an entry at the end; its index and where it begins. The shape must allow it.
    #[inline]
    pub(super) fn push(&mut self, tag: u8, len: usize) -> (usize, usize) {
        let (index, offset) = (self.view().count(), self.view().used());
        assert!(index < self.view().cap() && offset + len <= self.0.len(), "the caller made room");
        let at = self.view().tags_at() + index;
        self.0[at] = tag;
        self.set_len(index, len);
        self.0[0] = (index + 1) as u8;
        self.set_used(offset + len);
        (index, offset)
    }

    /// Adds those entries of another leaf whose bit is set. Shape and block must have room for them; expiries are the
    /// caller's to add.
    pub(super) fn append_members(&mut self, from: Leaf<'_>, members: &[u64; 4]) {
        let (tags, mut index, mut at) = (self.view().tags_at(), self.view().count(), self.view().used());
        let from_tags = &from.0[from.tags_at()..][..from.count()];
        for (i, offset, len) in from.places() {
            if !is_member(members, i) {
                continue;
            }
            self.0[tags + index] = from_tags[i];
            self.set_len(index, len);
            self.0[at..at + len].copy_from_slice(&from.0[offset..offset + len]);
            (index, at) = (index + 1, at + len);
        }
        assert!(index <= self.view().cap(), "the caller made room");
        self.0[0] = index as u8;
        self.set_used(at);
    }

    /// Takes an entry out and closes the gap.
    #[inline]
    pub(super) fn cut(&mut self, index: usize, offset: usize, len: usize) {
        let (count, used, tags, lens) = (self.view().count(), self.view().used(), self.view().tags_at(), self.view().lens_at());
        let width = 1 + usize::from(self.view().has(WIDE));
        debug_assert!(index < count && offset + len <= used);
        self.0.copy_within(offset + len..used, offset);
        self.0.copy_within(tags + index + 1..tags + count, tags + index);
        self.0.copy_within(lens + width * (index + 1)..lens + width * count, lens + width * index);
        self.0[0] = (count - 1) as u8;
        self.set_used(used - len);
    }

    /// Gives an entry another length: what follows moves, its own bytes are then the caller's to write.
    pub(super) fn stretch(&mut self, index: usize, offset: usize, from: usize, to: usize) {
        let used = self.view().used();
        assert!(used - from + to <= self.0.len(), "the caller made room");
        self.0.copy_within(offset + from..used, offset + to);
        self.set_len(index, to);
        self.set_used(used - from + to);
    }

    /// Notes that an entry with this expiry is in the leaf now.
    #[inline]
    pub(super) fn add_timer(&mut self, expire_ms: i64) {
        assert!(self.view().has(TIMED), "the caller made room for the earliest expiry");
        let earliest = self.view().earliest().min(coarse(expire_ms));
        self.0[12..16].copy_from_slice(&earliest.to_le_bytes());
        self.0[11] += 1;
    }

    /// Notes that an entry with this expiry has left; finds the earliest anew when that was it.
    #[inline]
    pub(super) fn drop_timer(&mut self, expire_ms: i64) {
        assert!(self.view().timers() > 0);
        self.0[11] -= 1;
        if coarse(expire_ms) <= self.view().earliest() {
            self.find_earliest();
        }
    }

    #[cold]
    fn find_earliest(&mut self) {
        let leaf = self.view();
        let times = leaf.places().filter_map(|(_, offset, len)| leaf.entry(offset, len).expire());
        let earliest = times.map(coarse).min().unwrap_or(u32::MAX);
        self.0[12..16].copy_from_slice(&earliest.to_le_bytes());
    }

    /// Makes this block a copy of `from` in another shape.
    pub(super) fn copy_of(&mut self, from: Leaf<'_>, shape: Shape) {
        let count = from.count();
        assert!(count <= shape.cap && (shape.timed || from.timers() == 0) && (shape.wide || !from.needs_wide()));
        self.init(from.owner(), from.epoch(), shape, from.0[10]);
        let (tags, lens) = (self.view().tags_at(), self.view().lens_at());
        self.0[tags..tags + count].copy_from_slice(&from.0[from.tags_at()..from.tags_at() + count]);
        if shape.wide == from.has(WIDE) {
            let bytes = count * (1 + usize::from(shape.wide));
            self.0[lens..lens + bytes].copy_from_slice(&from.0[from.lens_at()..from.lens_at() + bytes]);
        } else {
            (0..count).for_each(|i| self.set_len(i, from.len_of(i)));
        }
        let (at, entries) = (shape.entries_at(), &from.0[from.entries_at()..from.used()]);
        self.0[at..at + entries.len()].copy_from_slice(entries);
        self.0[0] = count as u8;
        self.set_used(at + entries.len());
        self.0[11] = from.0[11];
        if shape.timed {
            self.0[12..16].copy_from_slice(&from.earliest().to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf_of(block: &mut [u8], shape: Shape, entries: &[(u8, Vec<u8>)]) {
        let mut leaf = LeafMut(block);
        leaf.init(7, 3, shape, 0);
        for (tag, bytes) in entries {
            let (_, offset) = leaf.push(*tag, bytes.len());
            leaf.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn contents(leaf: Leaf<'_>) -> Vec<(u8, Vec<u8>)> {
        leaf.places().map(|(i, at, len)| (leaf.tag(i), leaf.0[at..at + len].to_vec())).collect()
    }

    fn some(n: usize, step: usize) -> Vec<(u8, Vec<u8>)> {
        (0..n).map(|i| (i as u8, vec![i as u8; 6 + i * step])).collect()
    }

    #[test]
    fn a_leaf_keeps_its_entries_through_every_shape() {
        for (n, step) in [(0, 0), (1, 9), (8, 3), (40, 6), (60, 10)] {
            let entries = some(n, step);
            let wide = entries.iter().any(|(_, b)| b.len() > NARROW_MAX);
            let (mut a, mut b) = (vec![0; 32768], vec![0; 32768]);
            leaf_of(&mut a, Shape::new(n, wide, false), &entries);
            for shape in [Shape::new(n, true, true), Shape::new(n + 20, wide, true), Shape::new(n, true, false)] {
                LeafMut(&mut b).copy_of(Leaf(&a), shape);
                assert_eq!(contents(Leaf(&b)), entries);
                assert_eq!(Leaf(&b).shape(), shape);
                assert_eq!((Leaf(&b).owner(), Leaf(&b).epoch()), (7, 3));
            }
        }
    }

    #[test]
    fn cut_and_stretch_leave_the_others_alone() {
        for index in 0..20 {
            for (step, wide) in [(2, false), (2, true), (30, true)] {
                let mut entries = some(20, step);
                let mut block = vec![0; 16384];
                leaf_of(&mut block, Shape::new(20, wide, false), &entries);
                let (offset, len) = (Leaf(&block).offset_of(index), Leaf(&block).len_of(index));
                LeafMut(&mut block).stretch(index, offset, len, len + 5);
                block[offset..offset + len + 5].fill(0xaa);
                entries[index].1 = vec![0xaa; len + 5];
                assert_eq!(contents(Leaf(&block)), entries);
                LeafMut(&mut block).cut(index, offset, len + 5);
                entries.remove(index);
                assert_eq!(contents(Leaf(&block)), entries);
            }
        }
    }

    #[test]
    fn find_looks_only_at_matching_tags() {
        let entries: Vec<(u8, Vec<u8>)> = (0..100u8).map(|i| (i % 10, vec![i; 9])).collect();
        let mut block = vec![0; 4096];
        leaf_of(&mut block, Shape::new(100, false, false), &entries);
        let mut seen = Vec::new();
        assert_eq!(Leaf(&block).find(4, |e| { seen.push(e.0[0]); false }), None);
        assert_eq!(seen, [4, 14, 24, 34, 44, 54, 64, 74, 84, 94]);
        let leaf = Leaf(&block);
        assert_eq!(leaf.find(9, |e| e.0[0] == 99), Some((99, leaf.offset_of(99), 9)));
        assert_eq!(leaf.find(77, |_| true), None);
    }
}
