//! A run of elements in one block of bytes, sorted by score and then by member.
//!
//! ```text
//! +-------+--------+--------+-------+--------+--------+ ...
//! | score | length | member | score | length | member |
//! +-------+--------+--------+-------+--------+--------+ ...
//! ```
//!
//! A score begins with a byte that says what it is: a whole number from 0 to 199 by itself, or how many bytes of a whole
//! number follow, or that a float of 4 or 8 bytes follows. Most scores in the world are small whole numbers or times, so
//! they take one to five bytes where a double takes eight. A length is a number of seven bits a byte, low bits first.
//!
//! Everything is found by walking from the front: a run is short (a small sorted set or one leaf of the tree), and walking
//! over it touches fewer cache lines than any table of offsets would save.
//!
//! Invariant: the elements are in order, no two have the same member, and `count` is their number.

use std::cmp::Ordering;

/// The greatest score that is its own first byte.
const SELF_MAX: i64 = 199;
/// A whole number in one byte more than this (to seven).
const WHOLE: u8 = 199;
const FLOAT: u8 = 208;
const DOUBLE: u8 = 209;
/// Whole numbers beyond this are stored as doubles.
const WHOLE_MAX: f64 = (1u64 << 53) as f64;

/// Bytes from which a block keeps some to spare when it grows.
const SPARE_FROM: usize = 512;

/// Elements in order, packed.
#[derive(Clone, Default)]
pub(super) struct Pack {
    bytes: Vec<u8>,
    count: u32,
}

/// One element and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// Offset of its first byte.
    pub at: usize,
    /// Offset behind its last byte.
    pub end: usize,
    /// How many come before it.
    pub index: usize,
    /// Its score.
    pub score: f64,
    /// Its member.
    pub member: &'a [u8],
}

/// How an element compares with a score and a member.
#[inline]
pub(super) fn order(score: f64, member: &[u8], than_score: f64, than_member: &[u8]) -> Ordering {
    debug_assert!(!score.is_nan() && !than_score.is_nan());
    if score < than_score {
        Ordering::Less
    } else if score > than_score {
        Ordering::Greater
    } else {
        member.cmp(than_member)
    }
}

impl Pack {
    #[inline]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    pub fn of_bytes(bytes: &[u8], count: usize) -> Pack {
        Pack { bytes: bytes.to_vec(), count: count as u32 }
    }

    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes in use.
    #[inline]
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes on the heap.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// The elements in order.
    #[inline]
    pub fn iter(&self) -> Entries<'_> {
        Entries { bytes: &self.bytes, at: 0, index: 0 }
    }

    /// The first element, of which there must be one.
    #[inline]
    pub fn first(&self) -> Entry<'_> {
        self.iter().next().expect("a run that is asked for its first element has one")
    }

    /// The element before which `index` others stand.
    pub fn nth(&self, index: usize) -> Entry<'_> {
        self.iter().nth(index).expect("the index is within the run")
    }

    /// The element of this name.
    pub fn find(&self, member: &[u8]) -> Option<Entry<'_>> {
        self.iter().find(|e| e.member == member)
    }

    /// The first element that does not come before (score, member).
    pub fn seek(&self, score: f64, member: &[u8]) -> Option<Entry<'_>> {
        self.iter().find(|e| order(e.score, e.member, score, member) != Ordering::Less)
    }

    /// Puts an element where it belongs; how many come before it.
    pub fn insert(&mut self, score: f64, member: &[u8]) -> usize {
        let (at, index) = match self.seek(score, member) {
            Some(next) => (next.at, next.index),
            None => (self.bytes.len(), self.len()),
        };
        let mut head = [0u8; 19];
        let mut head_len = encode_score(&mut head, score);
        head_len += encode_len(&mut head[head_len..], member.len());
        self.make_room(at, head_len + member.len());
        self.bytes[at..at + head_len].copy_from_slice(&head[..head_len]);
        self.bytes[at + head_len..at + head_len + member.len()].copy_from_slice(member);
        self.count += 1;
        index
    }

    /// Removes the element that `at` and `end` mark.
    pub fn remove(&mut self, at: usize, end: usize) {
        assert!(self.count > 0 && at < end);
        self.bytes.drain(at..end);
        self.count -= 1;
        if self.bytes.capacity() > 2 * self.bytes.len() + 64 {
            self.bytes.shrink_to_fit();
        }
    }

    /// Removes `count` elements, which stand from `at` to `end`.
    pub fn remove_run(&mut self, at: usize, end: usize, count: usize) {
        assert!(count <= self.len() && at < end);
        self.bytes.drain(at..end);
        self.count -= count as u32;
        self.bytes.shrink_to_fit();
    }

    /// Splits off the elements from `index` on.
    pub fn split_off(&mut self, index: usize) -> Pack {
        let at = self.nth(index).at;
        let tail = Pack { bytes: self.bytes[at..].to_vec(), count: self.count - index as u32 };
        self.bytes.truncate(at);
        self.bytes.shrink_to_fit();
        self.count = index as u32;
        tail
    }

    /// Puts `tail` behind the elements; all of its elements come after all of these.
    pub fn append(&mut self, tail: &Pack) {
        self.bytes.reserve_exact(tail.bytes.len());
        self.bytes.extend_from_slice(&tail.bytes);
        self.count += tail.count;
    }

    /// Where each element begins, to walk backwards.
    pub fn offsets(&self, into: &mut Vec<u32>) {
        into.clear();
        into.extend(self.iter().map(|e| e.at as u32));
    }

    /// The element at an offset that `offsets` gave.
    #[inline]
    pub fn entry_at(&self, at: usize) -> Entry<'_> {
        decode(&self.bytes, at, 0)
    }

    /// Moves what is at `at` and behind it back by `len` bytes. A short block grows by what it needs (the allocator rounds up
    /// anyway), a longer one by a sixteenth: a Vec would leave a quarter unused on average.
    fn make_room(&mut self, at: usize, len: usize) {
        let old = self.bytes.len();
        if self.bytes.capacity() - old < len {
            let spare = if old < SPARE_FROM { 0 } else { old / 16 };
            self.bytes.reserve_exact(len.max(spare));
        }
        self.bytes.resize(old + len, 0);
        self.bytes.copy_within(at..old, at + len);
    }

    /// Checks the order and the count.
    pub fn check_invariants(&self) {
        let mut before: Option<Entry<'_>> = None;
        let mut count = 0;
        for entry in self.iter() {
            assert!(!entry.score.is_nan());
            if let Some(b) = before {
                assert_eq!(order(b.score, b.member, entry.score, entry.member), Ordering::Less, "sorted");
            }
            before = Some(entry);
            count += 1;
        }
        assert_eq!(count, self.len());
    }
}

/// Walks over the elements of a run.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    bytes: &'a [u8],
    at: usize,
    index: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.at == self.bytes.len() {
            return None;
        }
        let entry = decode(self.bytes, self.at, self.index);
        self.at = entry.end;
        self.index += 1;
        Some(entry)
    }
}

#[inline]
fn decode(bytes: &[u8], at: usize, index: usize) -> Entry<'_> {
    let (score, len_at) = decode_score(bytes, at);
    let (len, member_at) = decode_len(bytes, len_at);
    let end = member_at + len;
    Entry { at, end, index, score, member: &bytes[member_at..end] }
}

/// Writes a score and says how many bytes it took.
fn encode_score(out: &mut [u8], score: f64) -> usize {
    let is_whole = score.trunc() == score && score.abs() <= WHOLE_MAX && !(score == 0.0 && score.is_sign_negative());
    if is_whole {
        let n = score as i64;
        if (0..=SELF_MAX).contains(&n) {
            out[0] = n as u8;
            return 1;
        }
        // Bytes that hold the number with its sign.
        let magnitude = if n < 0 { !n } else { n } as u64;
        let len = (65 - magnitude.leading_zeros() as usize).div_ceil(8);
        if len < 5 || score != f64::from(score as f32) {
            out[0] = WHOLE + len as u8;
            out[1..=len].copy_from_slice(&n.to_le_bytes()[..len]);
            return 1 + len;
        }
    }
    if f64::from(score as f32) == score {
        out[0] = FLOAT;
        out[1..5].copy_from_slice(&(score as f32).to_le_bytes());
        return 5;
    }
    out[0] = DOUBLE;
    out[1..9].copy_from_slice(&score.to_le_bytes());
    9
}

/// The score at `at` and where it ends.
#[inline]
fn decode_score(bytes: &[u8], at: usize) -> (f64, usize) {
    let kind = bytes[at];
    if i64::from(kind) <= SELF_MAX {
        return (f64::from(kind), at + 1);
    }
    match kind {
        FLOAT => {
            let raw = bytes[at + 1..at + 5].try_into().expect("four bytes");
            (f64::from(f32::from_le_bytes(raw)), at + 5)
        }
        DOUBLE => (f64::from_le_bytes(bytes[at + 1..at + 9].try_into().expect("eight bytes")), at + 9),
        _ => {
            let len = usize::from(kind - WHOLE);
            let mut raw = [0u8; 8];
            raw[8 - len..].copy_from_slice(&bytes[at + 1..at + 1 + len]);
            ((i64::from_le_bytes(raw) >> (64 - 8 * len)) as f64, at + 1 + len)
        }
    }
}

fn encode_len(out: &mut [u8], mut len: usize) -> usize {
    let mut n = 0;
    while len >= 0x80 {
        out[n] = len as u8 | 0x80;
        len >>= 7;
        n += 1;
    }
    out[n] = len as u8;
    n + 1
}

#[inline]
fn decode_len(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut len, mut shift) = (0, 0);
    loop {
        let byte = bytes[at];
        at += 1;
        len |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (len, at);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_read_back_as_they_were() {
        let scores = [
            0.0, -0.0, 1.0, 199.0, 200.0, -1.0, 127.0, 255.0, 256.0, 32767.0, 32768.0, -32768.0, -32769.0, 8388607.0, 8388608.0, 1e9,
            1.7e9, 1_700_000_000_123.0, WHOLE_MAX, -WHOLE_MAX, WHOLE_MAX * 2.0, 0.5, 0.1, -2.25, f64::MAX, f64::MIN_POSITIVE,
            5e-324, f64::INFINITY, f64::NEG_INFINITY, 1e300, 16777216.0, 4294967296.0,
        ];
        for score in scores {
            let mut bytes = [0u8; 9];
            let len = encode_score(&mut bytes, score);
            let (read, end) = decode_score(&bytes[..len], 0);
            assert_eq!((read.to_bits(), end), (score.to_bits(), len), "{score}");
        }
    }

    #[test]
    fn elements_stand_in_order_whatever_order_they_came_in() {
        let mut pack = Pack::default();
        let long = vec![b'm'; 20_000];
        for (score, member) in [(2.0, &b"b"[..]), (1.0, b"c"), (2.0, b"a"), (-7.5, &long), (2.0, b"")] {
            pack.insert(score, member);
            pack.check_invariants();
        }
        let names: Vec<usize> = pack.iter().map(|e| e.member.len()).collect();
        assert_eq!(names, [20_000, 1, 0, 1, 1]);
        let tail = pack.split_off(2);
        assert_eq!((pack.len(), tail.len(), tail.first().score), (2, 3, 2.0));
        pack.append(&tail);
        pack.check_invariants();
        let found = pack.find(b"c").map(|e| (e.at, e.end)).unwrap();
        pack.remove(found.0, found.1);
        assert!(pack.find(b"c").is_none() && pack.len() == 4);
    }
}
