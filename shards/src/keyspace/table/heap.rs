//! Memory for leaves: dense arrays of equal blocks, addressed by 32-bit handles.
//!
//! A handle counts granules of 64 bytes. Memory comes from the system in regions of 2 MiB, cut into spans of 256 KiB (a
//! block does not cross a border, so small spans would waste their ends); a span belongs to one size class and is filled from its start. Classes are a granule apart up to 4 KiB, 512 bytes
//! beyond. An ordinary slab strands a fifth of its memory in half-empty spans when leaves change size all the time; this
//! one stays dense because its blocks may be *moved*: when a class has too many holes (over 4 + live / 32) its last
//! block is copied into a hole, and its last span comes free. Moves happen only in `compact_one`, which the table calls
//! between commands.
//!
//! Invariant: every block from a class's first span to its tail is either a live leaf (cap > 0) or a hole (cap = 0)
//! listed by the class, at the place it remembers; blocks never overlap; byte 9 of every block names its class. Handle 0 is never handed
//! out. Memory is zeroed when it comes, so a block is always initialised bytes.
#![allow(unsafe_code)] // reason: maps memory and turns handles into slices

use core::ptr::NonNull;

use super::leaf::{CAP_AT, CLASS_AT, Leaf};
use super::simd;

pub(super) const GRANULE: usize = 64;
/// The largest block.
pub(super) const BLOCK_MAX: usize = 32 << 10;
const SPAN: usize = 64 << 10;
/// Memory is given back in these; where pages are larger, the system keeps what it cannot give.
const PAGE: usize = 4096;
const REGION: usize = 2 << 20;
const SPANS_IN_REGION: u32 = (REGION / SPAN) as u32;
const GRANULES_IN_SPAN: u32 = (SPAN / GRANULE) as u32;
const REGION_BITS: u32 = (REGION / GRANULE).ilog2();
/// 2^32 granules of 64 bytes: 256 GiB a table.
const REGIONS_MAX: usize = 1 << (32 - REGION_BITS);
/// Up to here a class is a granule larger than the one before, beyond it 512 bytes.
const FINE_MAX: usize = 4 << 10;
const FINE_CLASSES: usize = FINE_MAX / GRANULE;
const COARSE_STEP: usize = 512;
const CLASSES: usize = FINE_CLASSES + (BLOCK_MAX - FINE_MAX) / COARSE_STEP + 1;
/// Empty spans kept mapped for the next growth, besides one for 64 live ones.
const WARM_MIN: usize = 4;
/// Where a hole keeps its place in the list of holes.
const PLACE_AT: usize = 4;
const _: () = assert!(CLASSES <= 128, "the dirty set is a u128");

/// The smallest class whose blocks hold so many bytes.
#[inline]
pub(super) fn class_of(bytes: usize) -> u8 {
    assert!(bytes > 0 && bytes <= BLOCK_MAX, "no block is that large");
    if bytes <= FINE_MAX { bytes.div_ceil(GRANULE) as u8 } else { (FINE_CLASSES + (bytes - FINE_MAX).div_ceil(COARSE_STEP)) as u8 }
}

/// How many bytes a block of the class has.
#[inline(always)]
pub(super) fn block_bytes(class: u8) -> usize {
    let class = usize::from(class);
    if class <= FINE_CLASSES { class * GRANULE } else { FINE_MAX + (class - FINE_CLASSES) * COARSE_STEP }
}

#[inline]
fn blocks_in_span(class: usize) -> u32 {
    (SPAN / block_bytes(class as u8)) as u32
}

#[derive(Default)]
struct Class {
    spans: Vec<u32>,
    /// Blocks handed out so far in the last span.
    tail: u32,
    /// Blocks of the last span whose memory was ever touched.
    touched: u32,
    /// Freed blocks, the one freed last on top. A list through the holes themselves would touch two cold blocks each time.
    holes: Vec<u32>,
    live: u32,
}

impl Class {
    fn is_loose(&self) -> bool {
        self.holes.len() > if self.live == 0 { 0 } else { 4 + self.live as usize / 32 }
    }
}

/// A block that `compact_one` moved.
pub(super) struct Moved {
    pub(super) from: u32,
    pub(super) to: u32,
}

#[derive(Default)]
pub(super) struct Heap {
    regions: Vec<NonNull<u8>>,
    /// Spans taken from the regions so far, with span 0, which is never used.
    spans: u32,
    classes: Vec<Class>,
    /// Empty spans that hold memory (and how many bytes of it), and those that do not.
    warm: Vec<(u32, u32)>,
    cold: Vec<u32>,
    /// A bit for each class that may have too many holes.
    loose: u128,
    held: usize,
    live_spans: usize,
}

// SAFETY: the regions belong to this heap alone, as a Vec's memory does; nothing in it is tied to a thread.
unsafe impl Send for Heap {}

impl Heap {
    /// Bytes of memory held: leaves, holes, and empty spans not yet given back.
    pub(super) fn held_bytes(&self) -> usize {
        let tables = self.regions.capacity() * 8 + self.classes.capacity() * size_of::<Class>();
        self.held + tables + (self.warm.capacity() + self.cold.capacity()) * 8 + self.live_spans * 4 + self.holes_listed()
    }

    fn holes_listed(&self) -> usize {
        self.classes.iter().map(|k| k.holes.capacity() * 4).sum()
    }

    #[inline(always)]
    fn address(&self, handle: u32) -> *mut u8 {
        let region = self.regions[(handle >> REGION_BITS) as usize];
        let offset = (handle as usize & ((1 << REGION_BITS) - 1)) * GRANULE;
        // SAFETY: the offset is below REGION, the length of every region.
        unsafe { region.as_ptr().add(offset) }
    }

    #[inline(always)]
    fn class_at(&self, handle: u32) -> u8 {
        // SAFETY: a granule has 64 bytes, all inside the region and initialised.
        let class = unsafe { *self.address(handle).add(CLASS_AT) };
        debug_assert!(class > 0 && (handle % GRANULES_IN_SPAN) as usize * GRANULE + block_bytes(class) <= SPAN);
        class
    }

    /// The block of a live handle.
    #[inline(always)]
    pub(super) fn block(&self, handle: u32) -> &[u8] {
        let len = block_bytes(self.class_at(handle));
        // SAFETY: the block lies inside one span (invariant); the heap is borrowed, so nobody writes to it.
        unsafe { core::slice::from_raw_parts(self.address(handle), len) }
    }

    /// The block of a live handle, to change.
    #[inline(always)]
    pub(super) fn block_mut(&mut self, handle: u32) -> &mut [u8] {
        let len = block_bytes(self.class_at(handle));
        // SAFETY: the block lies inside one span (invariant); the heap is borrowed mutably, so this is the only slice.
        unsafe { core::slice::from_raw_parts_mut(self.address(handle), len) }
    }

    /// Bytes of a live block that the caller knows to be in it: one entry.
    #[inline(always)]
    pub(super) fn bytes(&self, handle: u32, at: usize, len: usize) -> &[u8] {
        self.assert_inside(handle, at, len);
        // SAFETY: the bytes lie inside the span (asserted) and are initialised; the heap is borrowed, so nobody writes.
        unsafe { core::slice::from_raw_parts(self.address(handle).add(at), len) }
    }

    /// Bytes of a live block that the caller knows to be in it, to change.
    #[inline(always)]
    pub(super) fn bytes_mut(&mut self, handle: u32, at: usize, len: usize) -> &mut [u8] {
        self.assert_inside(handle, at, len);
        // SAFETY: the bytes lie inside the span (asserted) and are initialised; the heap is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.address(handle).add(at), len) }
    }

    #[inline(always)]
    fn assert_inside(&self, handle: u32, at: usize, len: usize) {
        assert!((handle % GRANULES_IN_SPAN) as usize * GRANULE + at + len <= SPAN, "an entry lies inside its span");
        debug_assert!(at + len <= block_bytes(self.class_at(handle)), "an entry lies inside its block");
    }

    /// Two different blocks, the second to change.
    #[inline]
    pub(super) fn pair(&mut self, read: u32, write: u32) -> (&[u8], &mut [u8]) {
        assert_ne!(read, write, "two blocks");
        let (a, b) = (block_bytes(self.class_at(read)), block_bytes(self.class_at(write)));
        // SAFETY: different handles are different blocks and blocks never overlap (invariant); the heap is borrowed mutably.
        let read = unsafe { core::slice::from_raw_parts(self.address(read), a) };
        // SAFETY: as above.
        let write = unsafe { core::slice::from_raw_parts_mut(self.address(write), b) };
        (read, write)
    }

    /// Prefetches lines `from..to` of a block, without reading it.
    #[inline(always)]
    pub(super) fn prefetch(&self, handle: u32, from: usize, to: usize) {
        let start = self.address(handle);
        for line in from..to {
            simd::prefetch(start.wrapping_add(line * 64));
        }
    }

    /// A block of the class. Its bytes are what they were, but for the class byte.
    #[inline]
    pub(super) fn alloc(&mut self, class: u8) -> u32 {
        let c = usize::from(class);
        if self.classes.len() <= c {
            self.classes.resize_with(c + 1, Class::default);
        }
        self.classes[c].live += 1;
        if let Some(hole) = self.classes[c].holes.pop() {
            return hole;
        }
        if self.classes[c].spans.is_empty() || self.classes[c].tail == blocks_in_span(c) {
            self.add_span(c);
        }
        let k = &mut self.classes[c];
        let span = *k.spans.last().expect("a span was added");
        let handle = span * GRANULES_IN_SPAN + k.tail * (block_bytes(class) / GRANULE) as u32;
        k.tail += 1;
        if k.tail > k.touched {
            k.touched = k.tail;
            self.held += block_bytes(class);
        }
        // SAFETY: the block lies inside its span, which lies inside a region of ours.
        unsafe { self.address(handle).add(CLASS_AT).write(class) };
        handle
    }

    #[cold]
    fn add_span(&mut self, c: usize) {
        let warm = self.warm.pop();
        let (span, touched) = warm.or_else(|| self.cold.pop().map(|cold| (cold, 0))).unwrap_or_else(|| (self.new_span(), 0));
        let k = &mut self.classes[c];
        let bytes = block_bytes(c as u8);
        k.spans.push(span);
        k.tail = 0;
        // The held bytes are counted in whole blocks of the class that owns the span.
        k.touched = touched / bytes as u32;
        self.held -= touched as usize - k.touched as usize * bytes;
        self.live_spans += 1;
    }

    fn new_span(&mut self) -> u32 {
        if self.spans.is_multiple_of(SPANS_IN_REGION) {
            assert!(self.regions.len() < REGIONS_MAX, "one database of one shard cannot hold more than 256 GiB of keys");
            self.regions.push(map_region());
            self.spans = self.spans.max(1);
        }
        self.spans += 1;
        self.spans - 1
    }

    /// Gives a block back.
    #[inline]
    pub(super) fn free(&mut self, handle: u32) {
        let c = usize::from(self.class_at(handle));
        let place = self.classes[c].holes.len() as u32;
        let block = self.block_mut(handle);
        debug_assert_ne!(block[CAP_AT], 0, "freed twice");
        if cfg!(debug_assertions) {
            block[CLASS_AT + 1..].fill(0xa5);
        }
        block[0] = 0;
        block[CAP_AT] = 0;
        block[PLACE_AT..PLACE_AT + 4].copy_from_slice(&place.to_le_bytes());
        let k = &mut self.classes[c];
        k.holes.push(handle);
        k.live -= 1;
        if k.is_loose() {
            self.loose |= 1 << c;
        }
    }

    fn place_of(&self, hole: u32) -> usize {
        let b = &self.block(hole)[PLACE_AT..PLACE_AT + 4];
        u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize
    }

    /// Takes a certain hole out of the list; the top one gets its place.
    fn unlist(&mut self, c: usize, hole: u32) {
        let place = self.place_of(hole);
        let listed = self.classes[c].holes.swap_remove(place);
        assert_eq!(listed, hole, "a hole knows its place");
        if let Some(&other) = self.classes[c].holes.get(place) {
            self.block_mut(other)[PLACE_AT..PLACE_AT + 4].copy_from_slice(&(place as u32).to_le_bytes());
        }
    }

    /// Whether some class has too many holes.
    #[inline(always)]
    pub(super) fn is_loose(&self) -> bool {
        self.loose != 0
    }

    /// Takes one block off the end of a class that has too many holes. When that block was a leaf it has moved, and the
    /// caller must correct whoever refers to it.
    pub(super) fn compact_one(&mut self) -> Option<Moved> {
        let c = self.loose.trailing_zeros() as usize;
        if c >= self.classes.len() {
            return None;
        }
        if !self.classes[c].is_loose() {
            self.loose &= !(1 << c);
            return None;
        }
        let k = &self.classes[c];
        let span = *k.spans.last().expect("a class with holes has a span");
        let last = span * GRANULES_IN_SPAN + (k.tail - 1) * (block_bytes(c as u8) / GRANULE) as u32;
        let moved = if Leaf(self.block(last)).cap() == 0 {
            self.unlist(c, last);
            None
        } else {
            let hole = self.classes[c].holes.pop().expect("a loose class has holes");
            let (from, to) = self.pair(last, hole);
            let used = Leaf(from).used();
            to[..used].copy_from_slice(&from[..used]);
            Some(Moved { from: last, to: hole })
        };
        self.drop_last(c);
        moved
    }

    fn drop_last(&mut self, c: usize) {
        let k = &mut self.classes[c];
        k.tail -= 1;
        if k.tail > 0 {
            return;
        }
        let span = k.spans.pop().expect("the tail was in it");
        self.warm.push((span, k.touched * block_bytes(c as u8) as u32));
        (k.tail, k.touched) = if k.spans.is_empty() { (0, 0) } else { (blocks_in_span(c), blocks_in_span(c)) };
        self.live_spans -= 1;
    }

    /// Gives the memory of up to `spans_max` empty spans back to the system, and the ends of half-empty ones; how many
    /// bytes that was.
    pub(super) fn release(&mut self, spans_max: usize) -> usize {
        let keep = WARM_MIN + self.live_spans / 64;
        let count = self.warm.len().saturating_sub(keep).min(spans_max);
        let mut bytes = 0;
        for _ in 0..count {
            // The one that was emptied first: later ones are more likely to be in the caches.
            let (span, touched) = self.warm.remove(0);
            self.forget(span, 0);
            self.cold.push(span);
            bytes += touched as usize;
        }
        let tails = if count < spans_max { self.release_tails() } else { 0 };
        self.held -= bytes;
        bytes + tails
    }

    /// Gives back what lies behind the tails of the classes' last spans, where that is much.
    fn release_tails(&mut self) -> usize {
        let mut bytes = 0;
        for c in 1..self.classes.len() {
            let k = &mut self.classes[c];
            let (block, tail) = (block_bytes(c as u8), k.tail as usize);
            let first_page = (tail * block).next_multiple_of(PAGE);
            // Blocks that still have bytes on the pages which stay.
            let stay = first_page.div_ceil(block) as u32;
            if k.spans.is_empty() || ((k.touched.saturating_sub(stay)) as usize) * block < SPAN / 4 {
                continue;
            }
            bytes += (k.touched - stay) as usize * block;
            k.touched = stay;
            let span = *k.spans.last().expect("it is not empty");
            self.forget(span, first_page);
        }
        self.held -= bytes;
        bytes
    }

    /// Gives the pages of a span from a byte on back to the system.
    fn forget(&mut self, span: u32, from: usize) {
        let region = self.regions[(span / SPANS_IN_REGION) as usize];
        let offset = (span % SPANS_IN_REGION) as usize * SPAN + from;
        // SAFETY: the offset is inside the region.
        let start = unsafe { region.as_ptr().add(offset) };
        // SAFETY: whole pages of the span behind everything that lives in it; they are zeroes when touched again.
        unsafe { forget_pages(start, SPAN - from) };
    }

    /// Unmaps up to `regions_max` regions of a heap that is no longer used; whether none is left.
    pub(super) fn unmap_some(&mut self, regions_max: usize) -> bool {
        self.classes = Vec::new();
        (self.warm, self.cold, self.loose, self.live_spans) = (Vec::new(), Vec::new(), 0, 0);
        for _ in 0..regions_max {
            match self.regions.pop() {
                Some(region) => unmap_region(region),
                None => break,
            }
        }
        self.held = self.held.min(self.regions.len() * REGION);
        self.spans = 0;
        self.regions.is_empty()
    }

    /// Every live block is visited; holes, counts and links are checked.
    pub(super) fn check_invariants(&self, live: &mut dyn FnMut(u32)) {
        let mut spans_seen = vec![false; self.spans as usize];
        for (c, k) in self.classes.iter().enumerate().filter(|(_, k)| !k.spans.is_empty() || k.live > 0) {
            let (mut holes, mut leaves) = (0, 0);
            for (i, &span) in k.spans.iter().enumerate() {
                assert!(!core::mem::replace(&mut spans_seen[span as usize], true), "a span has one owner");
                let blocks = if i + 1 == k.spans.len() { k.tail } else { blocks_in_span(c) };
                assert!(blocks > 0 && blocks <= blocks_in_span(c));
                for b in 0..blocks {
                    let handle = span * GRANULES_IN_SPAN + b * (block_bytes(c as u8) / GRANULE) as u32;
                    let leaf = Leaf(self.block(handle));
                    assert_eq!(usize::from(leaf.class()), c, "a block knows its class");
                    if leaf.cap() == 0 {
                        holes += 1;
                    } else {
                        leaves += 1;
                        live(handle);
                    }
                }
            }
            assert_eq!((holes, leaves), (k.holes.len(), k.live), "class {c} counts its blocks");
            self.check_holes(c);
        }
        for &(span, _) in &self.warm {
            assert!(!core::mem::replace(&mut spans_seen[span as usize], true), "a warm span is in no class");
        }
        for &span in &self.cold {
            assert!(!core::mem::replace(&mut spans_seen[span as usize], true), "a cold span is in no class");
        }
        assert!(spans_seen.iter().skip(1).all(|&seen| seen), "no span is lost");
    }

    fn check_holes(&self, c: usize) {
        for (place, &hole) in self.classes[c].holes.iter().enumerate() {
            assert_eq!(self.block(hole)[CAP_AT], 0, "only holes are listed");
            assert_eq!(self.place_of(hole), place, "a hole knows its place");
        }
    }

    /// Bytes in blocks with a leaf, and in holes.
    pub(super) fn block_parts(&self) -> (usize, usize) {
        let sum = |count: fn(&Class) -> usize| self.classes.iter().enumerate().map(|(c, k)| count(k) * block_bytes(c as u8)).sum();
        (sum(|k| k.live as usize), sum(|k| k.holes.len()))
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        self.regions.drain(..).for_each(unmap_region);
    }
}

#[cfg(not(miri))]
fn map_region() -> NonNull<u8> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
    // SAFETY: asks for fresh anonymous memory anywhere; touches nothing that exists.
    let start = unsafe { libc::mmap(core::ptr::null_mut(), REGION, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        std::alloc::handle_alloc_error(region_layout());
    }
    NonNull::new(start.cast()).expect("mmap gives no null page")
}

#[cfg(not(miri))]
fn unmap_region(region: NonNull<u8>) {
    // SAFETY: the region came from `map_region` with this length and nobody refers to it any more.
    let result = unsafe { libc::munmap(region.as_ptr().cast(), REGION) };
    assert_eq!(result, 0, "a region of ours can be unmapped");
}

/// Gives the pages back; they read as zeroes afterwards.
///
/// # Safety
/// `start..start + len` are whole pages of one region in which nothing lives.
#[cfg(not(miri))]
unsafe fn forget_pages(start: *mut u8, len: usize) {
    // SAFETY: the caller's promise. A refusal (locked memory) only means that the memory stays.
    unsafe { libc::madvise(start.cast(), len, libc::MADV_DONTNEED) };
}

fn region_layout() -> std::alloc::Layout {
    std::alloc::Layout::from_size_align(REGION, 4096).expect("a fixed layout")
}

#[cfg(miri)]
fn map_region() -> NonNull<u8> {
    // SAFETY: the layout has a size.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(region_layout()) }).expect("memory")
}

#[cfg(miri)]
fn unmap_region(region: NonNull<u8>) {
    // SAFETY: the region came from `map_region` with this layout.
    unsafe { std::alloc::dealloc(region.as_ptr(), region_layout()) };
}

#[cfg(miri)]
unsafe fn forget_pages(start: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { start.write_bytes(0, len) };
}

#[cfg(test)]
mod tests {
    use super::super::leaf::{LeafMut, Shape};
    use super::*;

    #[test]
    fn classes_hold_what_they_promise() {
        for bytes in 1..=BLOCK_MAX {
            let class = class_of(bytes);
            assert!(block_bytes(class) >= bytes && usize::from(class) < CLASSES);
            assert!(bytes <= GRANULE || block_bytes(class - 1) < bytes);
        }
    }

    fn leaf(heap: &mut Heap, class: u8, owner: u32) -> u32 {
        let handle = heap.alloc(class);
        LeafMut(heap.block_mut(handle)).init(owner, 0, Shape::new(1, false, false), 0);
        handle
    }

    #[test]
    fn freed_blocks_are_filled_from_the_end_and_spans_come_back() {
        let mut heap = Heap::default();
        assert_eq!(heap.held_bytes(), 0);
        let mut handles: Vec<u32> = (0..3000).map(|i| leaf(&mut heap, 17, i)).collect();
        heap.check_invariants(&mut |h| assert!(handles.contains(&h)));
        let full = heap.held_bytes();
        assert!(full >= 3000 * 17 * 64);
        for owner in (0..3000).filter(|o| o % 10 != 0) {
            heap.free(std::mem::take(&mut handles[owner as usize]));
            while heap.is_loose() {
                if let Some(moved) = heap.compact_one() {
                    let owner = Leaf(heap.block(moved.to)).owner() as usize;
                    assert_eq!(handles[owner], moved.from);
                    handles[owner] = moved.to;
                }
            }
        }
        heap.check_invariants(&mut |h| assert!(handles.contains(&h)));
        for (owner, &handle) in handles.iter().enumerate().filter(|(_, h)| **h != 0) {
            assert_eq!(Leaf(heap.block(handle)).owner() as usize, owner);
        }
        assert!(heap.release(usize::MAX) > 0);
        assert!(heap.held_bytes() < full / 4, "{} of {full}", heap.held_bytes());
        let more: Vec<u32> = (0..3000).map(|i| leaf(&mut heap, 30, i)).collect();
        assert!(more.iter().all(|h| !handles.contains(h)));
        heap.check_invariants(&mut |_| ());
        assert!(heap.unmap_some(usize::MAX));
    }
}
