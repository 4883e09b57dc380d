//! The block of a listpack and its edits.
//!
//! ```text
//! | all bytes: 4 | elements: 2 | entry | entry | ... | ff |
//! ```
//!
//! Both numbers have their low bytes first. 65535 elements means "count them".
//!
//! The block lies somewhere in a buffer, with room before or behind it. An edit moves the shorter side of the block, so
//! both ends are edited in constant time however long the block is: taking the first element moves the header over it,
//! where Valkey moves everything else. The buffer grows through the sizes the allocator hands out anyway, so the room
//! costs nothing.
//!
//! Positions are offsets into the block. An edit at one position leaves those before it as they are.
//!
//! Invariant: `bytes()` passes [`validate`].

use super::entry::{Element, END, Form, Needle, checked_size, read, size};
use super::iter::{Iter, entry_before};

/// Bytes before the first entry.
pub(super) const HEADER_BYTES: usize = 6;
/// Bytes of a listpack without elements.
pub const EMPTY_BYTES: usize = HEADER_BYTES + 1;
/// A listpack never grows beyond this (as in Valkey: far from what 32 bits can count).
pub const BYTES_MAX: usize = 1 << 30;
/// The number of elements that stands for "count them".
const UNCOUNTED: usize = 0xffff;
const EMPTY: [u8; EMPTY_BYTES] = [EMPTY_BYTES as u8, 0, 0, 0, 0, 0, END];

/// A listpack. See the essay of this file.
pub struct Listpack {
    buf: Box<[u8]>,
    start: u32,
    size: u32,
}

const _: () = assert!(size_of::<Listpack>() == 24);

impl Listpack {
    /// An empty listpack.
    pub fn new() -> Listpack {
        Listpack::with_capacity(EMPTY_BYTES)
    }

    /// An empty listpack with room for this many bytes in all.
    pub fn with_capacity(bytes: usize) -> Listpack {
        let mut buf = vec![0; class(bytes.max(EMPTY_BYTES))].into_boxed_slice();
        buf[..EMPTY_BYTES].copy_from_slice(&EMPTY);
        Listpack { buf, start: 0, size: EMPTY_BYTES as u32 }
    }

    /// The listpack that these bytes from outside are, unless they are none.
    pub fn from_untrusted(bytes: Vec<u8>) -> Option<Listpack> {
        if !validate(&bytes) {
            return None;
        }
        let size = bytes.len() as u32;
        Some(Listpack { buf: bytes.into_boxed_slice(), start: 0, size })
    }

    /// The listpack of these bytes, which were one.
    pub(in crate::types) fn of_own_bytes(bytes: &[u8]) -> Listpack {
        let mut buf = Vec::with_capacity(class(bytes.len()));
        buf.extend_from_slice(bytes);
        buf.resize(class(bytes.len()), 0);
        debug_assert!(validate(bytes));
        Listpack { buf: buf.into_boxed_slice(), start: 0, size: bytes.len() as u32 }
    }

    /// Its bytes, as DUMP and RDB write them.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.buf[self.start as usize..(self.start + self.size) as usize]
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.start as usize..(self.start + self.size) as usize]
    }

    /// Number of its bytes (`lpBytes`, what `list-max-listpack-size` and the like count).
    #[inline]
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// Bytes it holds on the heap.
    #[inline]
    pub fn memory_bytes(&self) -> usize {
        self.buf.len()
    }

    /// Number of elements; from 65535 on they are counted one by one.
    #[inline]
    pub fn len(&self) -> usize {
        match self.count_field() {
            UNCOUNTED => self.iter().count(),
            count => count,
        }
    }

    /// True if it has no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.size() == EMPTY_BYTES
    }

    /// True if it may grow by this many bytes.
    pub fn may_grow(&self, bytes: usize) -> bool {
        bytes <= BYTES_MAX - self.size()
    }

    /// Bytes an element takes in a listpack.
    pub fn entry_bytes(element: Element<'_>) -> usize {
        Form::of(element).len()
    }

    /// Its elements, from both ends.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self.bytes(), HEADER_BYTES, self.end())
    }

    /// The elements from position `at` on.
    #[inline]
    pub fn iter_from(&self, at: usize) -> Iter<'_> {
        Iter::new(self.bytes(), at, self.end())
    }

    /// The elements before position `at`, to be walked from the back.
    pub fn iter_until(&self, at: usize) -> Iter<'_> {
        Iter::new(self.bytes(), HEADER_BYTES, at)
    }

    /// Where the first entry is, or would be.
    #[inline]
    pub fn begin(&self) -> usize {
        HEADER_BYTES
    }

    /// Position behind the last entry.
    #[inline]
    pub fn end(&self) -> usize {
        self.size() - 1
    }

    /// Position of the first element.
    pub fn first(&self) -> Option<usize> {
        (!self.is_empty()).then_some(HEADER_BYTES)
    }

    /// Position of the last element.
    #[inline]
    pub fn last(&self) -> Option<usize> {
        (!self.is_empty()).then(|| entry_before(self.bytes(), self.end()))
    }

    /// Position of the element after the one at `at`.
    #[inline]
    pub fn next(&self, at: usize) -> Option<usize> {
        Some(self.after(at)).filter(|next| *next < self.end())
    }

    /// Position of the element before the one at `at` (or before the end).
    pub fn prev(&self, at: usize) -> Option<usize> {
        (at > HEADER_BYTES).then(|| entry_before(self.bytes(), at))
    }

    /// The position behind the entry at `at`.
    #[inline]
    pub fn after(&self, at: usize) -> usize {
        at + size(&self.bytes()[at..])
    }

    /// The element at a position.
    #[inline]
    pub fn get(&self, at: usize) -> Element<'_> {
        read(&self.bytes()[at..]).0
    }

    /// Position of the element with this index; negative ones count from the end.
    pub fn seek(&self, index: i64) -> Option<usize> {
        let count = self.len();
        let place = if index < 0 { index + count as i64 } else { index };
        let place = usize::try_from(place).ok().filter(|place| *place < count)?;
        Some(self.position(place, count))
    }

    /// Position of element `place` of `count`, walked to from the nearer end; of the end, if there are just so many.
    fn position(&self, place: usize, count: usize) -> usize {
        debug_assert!(place <= count);
        let bytes = self.bytes();
        if place <= count / 2 {
            return (0..place).fold(HEADER_BYTES, |at, _| at + size(&bytes[at..]));
        }
        (place..count).fold(self.end(), |at, _| entry_before(bytes, at))
    }

    /// Position of the first element from `from` on that is `needle`, looking at every (`skip` + 1)th.
    pub fn find(&self, from: usize, needle: &Needle<'_>, skip: usize) -> Option<usize> {
        let (bytes, end) = (self.bytes(), self.end());
        let mut at = from;
        while at < end {
            let (element, size_here) = read(&bytes[at..]);
            if needle.is(element) {
                return Some(at);
            }
            at += size_here;
            for _ in 0..skip {
                if at < end {
                    at += size(&bytes[at..]);
                }
            }
        }
        None
    }

    /// Puts an element at the end.
    #[inline]
    pub fn push_back(&mut self, bytes: &[u8]) {
        self.insert(self.end(), Element::of(bytes));
    }

    /// Puts an element at the beginning.
    #[inline]
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.insert(HEADER_BYTES, Element::of(bytes));
    }

    /// Puts an integer at the end.
    pub fn push_back_int(&mut self, n: i64) {
        self.insert(self.end(), Element::Int(n));
    }

    /// Inserts an element before the one at `at`, which may be the end.
    #[inline]
    pub fn insert(&mut self, at: usize, element: Element<'_>) {
        self.put(at, 0, element);
        self.count_more(1);
    }

    /// Replaces the element at `at`.
    pub fn replace(&mut self, at: usize, element: Element<'_>) {
        let old = size(&self.bytes()[at..]);
        self.put(at, old, element);
    }

    /// Removes the element at `at`; the one behind it is then at `at`.
    pub fn remove(&mut self, at: usize) {
        self.remove_span(at, self.after(at), 1);
    }

    /// Removes up to `count` elements from `at` on; how many.
    pub fn remove_from(&mut self, at: usize, count: usize) -> usize {
        let (mut end, mut removed) = (at, 0);
        while removed < count && end < self.end() {
            end = self.after(end);
            removed += 1;
        }
        self.remove_span(at, end, removed);
        removed
    }

    /// Removes `count` elements from index `index` on; they must be there.
    pub fn remove_range(&mut self, index: usize, count: usize) {
        let len = self.len();
        assert!(count <= len && index <= len - count, "the range lies within the listpack");
        let (from, to) = (self.position(index, len), self.position(index + count, len));
        self.remove_span(from, to, count);
    }

    /// Removes the elements between two positions, of which there are `count`.
    fn remove_span(&mut self, from: usize, to: usize, count: usize) {
        if count == 0 {
            return;
        }
        self.make_hole(from, to - from, 0);
        match self.count_field() {
            UNCOUNTED => {}
            old => self.set_count(old - count),
        }
        self.shrink();
    }

    /// Keeps the elements that `keep` wants, asking from the front; how many went.
    pub fn retain(&mut self, mut keep: impl FnMut(Element<'_>) -> bool) -> usize {
        let end = self.end();
        let old = self.count_field();
        let bytes = self.bytes_mut();
        let (mut from, mut to, mut removed) = (HEADER_BYTES, HEADER_BYTES, 0);
        while from < end {
            let (element, len) = read(&bytes[from..]);
            if keep(element) {
                bytes.copy_within(from..from + len, to);
                to += len;
            } else {
                removed += 1;
            }
            from += len;
        }
        bytes[to] = END;
        self.set_size(to + 1);
        if old != UNCOUNTED {
            self.set_count(old - removed);
        }
        self.shrink();
        removed
    }

    /// Puts all elements of `other` behind its own.
    pub fn append(&mut self, other: &Listpack) {
        let count = self.len() + other.len();
        let more = &other.bytes()[HEADER_BYTES..other.end()];
        let at = self.end();
        self.make_hole(at, 0, more.len());
        self.bytes_mut()[at..at + more.len()].copy_from_slice(more);
        self.set_count(count.min(UNCOUNTED));
    }

    /// Takes the elements from `at` on out into a listpack of their own.
    pub fn split_off(&mut self, at: usize) -> Listpack {
        let tail = &self.bytes()[at..self.end()];
        let mut right = Listpack::with_capacity(EMPTY_BYTES + tail.len());
        let room = EMPTY_BYTES - 1 + tail.len();
        right.set_size(room + 1);
        right.bytes_mut()[HEADER_BYTES..room].copy_from_slice(tail);
        right.bytes_mut()[room] = END;
        let (old, moved) = (self.len(), right.iter().count());
        right.set_count(moved.min(UNCOUNTED));
        self.make_hole(at, self.end() - at, 0);
        self.set_count((old - moved).min(UNCOUNTED));
        self.shrink();
        right
    }

    /// Gives back what memory it does not need.
    pub fn shrink_to_fit(&mut self) {
        let need = class(self.size());
        if need < self.buf.len() {
            self.resize(need, false);
        }
    }

    #[inline]
    fn put(&mut self, at: usize, old: usize, element: Element<'_>) {
        let form = Form::of(element);
        let new = form.len();
        assert!(self.may_grow(new), "who adds to a listpack asks whether it may grow");
        self.make_hole(at, old, new);
        form.write(&mut self.bytes_mut()[at..at + new]);
        if new < old {
            self.shrink();
        }
    }

    /// Makes the `old` bytes at `at` `new` bytes long by moving the shorter side. The bytes are anything then.
    #[inline]
    fn make_hole(&mut self, at: usize, old: usize, new: usize) {
        let tail = self.size() - at - old;
        let front = at < tail;
        if new > old {
            self.make_room(new - old, front);
        }
        let (start, size) = (self.start as usize, self.size());
        if front {
            let moved = start + old - new;
            self.buf.copy_within(start..start + at, moved);
            self.start = moved as u32;
        } else {
            self.buf.copy_within(start + at + old..start + size, start + at + new);
        }
        self.set_size_in_buffer(size + new - old);
        self.write_size();
    }

    /// Makes sure that there are `more` bytes of room before or behind the block. It slides within its buffer if that
    /// gives enough room not to slide again soon, and gets a larger one otherwise.
    #[inline]
    fn make_room(&mut self, more: usize, front: bool) {
        let room = if front { self.start as usize } else { self.buf.len() - (self.start + self.size) as usize };
        if room < more {
            self.find_room(more, front);
        }
    }

    #[cold]
    fn find_room(&mut self, more: usize, front: bool) {
        let free = self.buf.len() - self.size();
        if free >= more + self.size() / 16 {
            let to = if front { free } else { 0 };
            self.slide(to);
        } else {
            self.resize(class(self.size() + more), front);
        }
    }

    fn slide(&mut self, to: usize) {
        let start = self.start as usize;
        self.buf.copy_within(start..start + self.size(), to);
        self.start = to as u32;
    }

    /// Gives it a buffer of this length; the room is before it if `front`.
    fn resize(&mut self, len: usize, front: bool) {
        assert!(len >= self.size());
        if len < self.buf.len() || front {
            let mut buf = vec![0; len].into_boxed_slice();
            let start = if front { len - self.size() } else { 0 };
            buf[start..start + self.size()].copy_from_slice(self.bytes());
            self.buf = buf;
            self.start = start as u32;
            return;
        }
        self.slide(0);
        let mut buf = std::mem::take(&mut self.buf).into_vec();
        buf.reserve_exact(len - buf.len());
        buf.resize(len, 0);
        self.buf = buf.into_boxed_slice();
    }

    /// Gives memory back when less than half of it is used.
    #[inline]
    fn shrink(&mut self) {
        /// Smaller buffers are not worth the move.
        const WORTH_BYTES: usize = 64;
        if self.buf.len() > WORTH_BYTES && self.size() < self.buf.len() / 2 {
            // A quarter more than it needs: it may go on shrinking, but it may grow as well.
            self.resize(class(self.size() + self.size() / 4), false);
        }
    }

    #[inline]
    fn count_field(&self) -> usize {
        let bytes = self.bytes();
        usize::from(u16::from_le_bytes([bytes[4], bytes[5]]))
    }

    #[inline]
    fn set_count(&mut self, count: usize) {
        debug_assert!(count <= UNCOUNTED);
        self.bytes_mut()[4..6].copy_from_slice(&(count as u16).to_le_bytes());
    }

    /// Counts elements that came; once there are too many they are not counted any more.
    #[inline]
    fn count_more(&mut self, more: usize) {
        let old = self.count_field();
        self.set_count((old + more).min(UNCOUNTED));
    }

    #[inline]
    fn set_size_in_buffer(&mut self, size: usize) {
        debug_assert!(self.start as usize + size <= self.buf.len());
        self.size = size as u32;
    }

    #[inline]
    fn write_size(&mut self) {
        let size = self.size.to_le_bytes();
        self.bytes_mut()[..4].copy_from_slice(&size);
    }

    fn set_size(&mut self, size: usize) {
        self.set_size_in_buffer(size);
        self.write_size();
    }

    /// Checks the invariant; for tests.
    pub fn check_invariants(&self) {
        assert!(validate(self.bytes()), "{:?}", self.bytes());
    }
}

impl Default for Listpack {
    fn default() -> Listpack {
        Listpack::new()
    }
}

impl Clone for Listpack {
    fn clone(&self) -> Listpack {
        let mut copy = Listpack { buf: vec![0; class(self.size())].into_boxed_slice(), start: 0, size: self.size };
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }
}

impl PartialEq for Listpack {
    fn eq(&self, other: &Listpack) -> bool {
        self.bytes() == other.bytes()
    }
}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|element| element.to_vec().escape_ascii().to_string())).finish()
    }
}

/// The block of the allocator that `bytes` bytes would get: four sizes to each doubling, as mimalloc has them.
fn class(bytes: usize) -> usize {
    let step = match bytes {
        0..=64 => 16,
        _ => 1 << (bytes - 1).ilog2() >> 2,
    };
    bytes.next_multiple_of(step)
}

/// The elements of a listpack that lies elsewhere, unless these bytes are none.
pub fn elements(bytes: &[u8]) -> Option<Iter<'_>> {
    validate(bytes).then(|| Iter::new(bytes, HEADER_BYTES, bytes.len() - 1))
}

/// True if these bytes are a listpack in which every walk stays inside and comes to its end.
pub fn validate(bytes: &[u8]) -> bool {
    if !(EMPTY_BYTES..=u32::MAX as usize).contains(&bytes.len()) {
        return false;
    }
    let said = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let end = bytes.len() - 1;
    if said != bytes.len() || bytes[end] != END {
        return false;
    }
    let (mut at, mut count) = (HEADER_BYTES, 0);
    while at < end {
        let Some(size) = checked_size(&bytes[at..end]) else { return false };
        at += size;
        count += 1;
    }
    let said = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
    said == UNCOUNTED || said == count
}
