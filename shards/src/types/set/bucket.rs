//! A handful of members in one block of bytes: a whole small set, or one bucket of a big one.
//!
//! ```text
//! [count u16][tag; count][code; count][member bytes ...]
//! ```
//!
//! A tag is one byte of the member's hash, so a look-up is a `memchr` over the tags and nearly always one comparison. A
//! code says what the bytes are: up to 238 the member itself, of that length; from 239 on an integer in 1 to 8 bytes; 255
//! the number of a member too long for a block, kept elsewhere. Codes also give the sizes, and with them the place of a
//! member: a sum of bytes, which the compiler turns into vector additions.
//!
//! Beyond its bytes a member costs two bytes, one that spells an integer less than nothing.
//!
//! Invariants: the members keep the order in which they came; the block is exactly as long as count and codes say; an
//! empty bucket holds no memory.

use crate::stdx::number::parse_i64;

/// The longest member that stands in a block as it is.
pub(super) const RAW_MAX: usize = 238;
const INT_BASE: u8 = RAW_MAX as u8;
const INT_LAST: u8 = INT_BASE + 8;
/// The code of a member kept elsewhere; its bytes are a number of four bytes.
pub(super) const LONG: u8 = 255;
const HEADER: usize = 2;

/// A member of a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Member<'a> {
    /// One that spells an integer the only way there is.
    Int(i64),
    /// Any other.
    Text(&'a [u8]),
}

impl<'a> Member<'a> {
    /// The member of this text.
    #[inline]
    pub fn of(text: &'a [u8]) -> Member<'a> {
        parse_i64(text).map_or(Member::Text(text), Member::Int)
    }
}

/// A member as a block holds it.
pub(super) struct Stored<'a> {
    code: u8,
    int: [u8; 8],
    text: &'a [u8],
}

impl<'a> Stored<'a> {
    #[inline]
    pub(super) fn of(member: Member<'a>) -> Stored<'a> {
        match member {
            Member::Int(n) => {
                let bits = 65 - if n < 0 { n.leading_ones() } else { n.leading_zeros() };
                Stored { code: INT_BASE + bits.div_ceil(8) as u8, int: n.to_le_bytes(), text: b"" }
            }
            Member::Text(text) => {
                let code = if text.len() <= RAW_MAX { text.len() as u8 } else { LONG };
                Stored { code, int: [0; 8], text }
            }
        }
    }

    /// The member kept elsewhere under `number`.
    pub(super) fn elsewhere(number: u32) -> Stored<'static> {
        let mut int = [0; 8];
        int[..4].copy_from_slice(&number.to_le_bytes());
        Stored { code: LONG, int, text: b"" }
    }

    pub(super) fn is_long(&self) -> bool {
        self.code == LONG
    }

    /// What is hashed, and what a block holds unless the member is long.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self.code {
            INT_BASE..=INT_LAST if self.code != INT_BASE => &self.int[..size(self.code)],
            _ => self.text,
        }
    }

    #[inline]
    fn block_bytes(&self) -> &[u8] {
        if self.code == LONG { &self.int[..4] } else { self.bytes() }
    }
}

/// Bytes that a member of this code takes.
#[inline]
fn size(code: u8) -> usize {
    if code <= INT_BASE {
        code as usize
    } else if code == LONG {
        4
    } else {
        (code - INT_BASE) as usize
    }
}

/// One entry of a block.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) tag: u8,
    code: u8,
    bytes: &'a [u8],
}

impl<'a> Slot<'a> {
    /// The member, or the number under which it is kept elsewhere.
    #[inline]
    pub(super) fn member(&self) -> Result<Member<'a>, u32> {
        match self.code {
            LONG => Err(u32::from_le_bytes(self.bytes.try_into().expect("four bytes"))),
            code if code <= INT_BASE => Ok(Member::Text(self.bytes)),
            _ => {
                let negative = self.bytes.last().is_some_and(|b| b & 0x80 != 0);
                let mut int = if negative { [0xff; 8] } else { [0; 8] };
                int[..self.bytes.len()].copy_from_slice(self.bytes);
                Ok(Member::Int(i64::from_le_bytes(int)))
            }
        }
    }
}

/// Members in one block.
#[derive(Clone, Default)]
pub struct Bucket {
    block: Vec<u8>,
}

impl Bucket {
    /// A bucket of no members.
    pub(super) const EMPTY: Bucket = Bucket { block: Vec::new() };

    pub(super) fn of_bytes(bytes: &[u8]) -> Bucket {
        Bucket { block: bytes.to_vec() }
    }

    pub(super) fn block(&self) -> &Vec<u8> {
        &self.block
    }

    /// All its bytes.
    pub(in crate::types) fn bytes(&self) -> &[u8] {
        &self.block
    }

    /// Number of members.
    #[inline]
    pub(super) fn len(&self) -> usize {
        if self.block.is_empty() { 0 } else { u16::from_le_bytes([self.block[0], self.block[1]]) as usize }
    }

    #[inline]
    fn parts(&self) -> (&[u8], &[u8], &[u8]) {
        let len = self.len();
        let Some(rest) = self.block.get(HEADER..) else { return (&[], &[], &[]) };
        let (tags, rest) = rest.split_at(len);
        let (codes, bytes) = rest.split_at(len);
        (tags, codes, bytes)
    }

    /// The place of a member, given whether a long one of this number is it.
    #[inline]
    pub(super) fn find(&self, tag: u8, wanted: &Stored<'_>, is_long: impl Fn(u32) -> bool) -> Option<usize> {
        let (tags, codes, bytes) = self.parts();
        let mut from = 0;
        while let Some(at) = memchr::memchr(tag, &tags[from..]) {
            let i = from + at;
            if codes[i] == wanted.code {
                let start = place(codes, i);
                let found = &bytes[start..start + size(codes[i])];
                let same = if wanted.code == LONG {
                    is_long(u32::from_le_bytes(found.try_into().expect("four bytes")))
                } else {
                    found == wanted.bytes()
                };
                if same {
                    return Some(i);
                }
            }
            from = i + 1;
        }
        None
    }

    /// The entry at `index`.
    pub(super) fn slot(&self, index: usize) -> Slot<'_> {
        let (tags, codes, bytes) = self.parts();
        let start = place(codes, index);
        Slot { tag: tags[index], code: codes[index], bytes: &bytes[start..start + size(codes[index])] }
    }

    /// All entries in order.
    pub(super) fn slots(&self) -> Slots<'_> {
        let (tags, codes, bytes) = self.parts();
        Slots { tags, codes, bytes }
    }

    /// Adds a member that is not there at the end.
    pub(super) fn push(&mut self, tag: u8, member: &Stored<'_>) {
        self.push_bytes(tag, member.code, member.block_bytes());
    }

    /// Adds an entry of another block.
    pub(super) fn push_slot(&mut self, slot: Slot<'_>) {
        self.push_bytes(slot.tag, slot.code, slot.bytes);
    }

    fn push_bytes(&mut self, tag: u8, code: u8, bytes: &[u8]) {
        debug_assert_eq!(bytes.len(), size(code));
        let len = self.len();
        if self.block.is_empty() {
            self.block.reserve_exact(HEADER + 2 + bytes.len());
            self.block.extend_from_slice(&[0, 0]);
        }
        let end = self.block.len();
        let needed = 2 + bytes.len();
        if self.block.capacity() < end + needed {
            // An eighth ahead: a block that grows is not moved at every step, a finished one wastes little.
            self.block.reserve_exact(needed + end / 8);
        }
        let (codes_at, bytes_at) = (HEADER + len, HEADER + 2 * len);
        self.block.extend_from_slice(&[0, 0]);
        self.block.extend_from_slice(bytes);
        self.block.copy_within(bytes_at..end, bytes_at + 2);
        self.block.copy_within(codes_at..bytes_at, codes_at + 1);
        self.block[codes_at] = tag;
        self.block[bytes_at + 1] = code;
        self.set_len(len + 1);
    }

    /// Removes the entry at `index`.
    pub(super) fn remove(&mut self, index: usize) {
        let len = self.len();
        assert!(index < len, "an entry of this block");
        if len == 1 {
            self.block = Vec::new();
            return;
        }
        let (_, codes, _) = self.parts();
        let (start, bytes) = (place(codes, index), size(codes[index]));
        let end = self.block.len();
        let (tag_at, code_at) = (HEADER + index, HEADER + len + index);
        let bytes_at = HEADER + 2 * len + start;
        self.block.copy_within(tag_at + 1..code_at, tag_at);
        self.block.copy_within(code_at + 1..bytes_at, code_at - 1);
        self.block.copy_within(bytes_at + bytes..end, bytes_at - 2);
        self.block.truncate(end - 2 - bytes);
        self.set_len(len - 1);
        if self.block.capacity() > self.block.len() * 2 + 64 {
            self.block.shrink_to(self.block.len() * 9 / 8);
        }
    }

    fn set_len(&mut self, len: usize) {
        let len = u16::try_from(len).expect("a block holds few members");
        self.block[..2].copy_from_slice(&len.to_le_bytes());
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        self.block.capacity()
    }

    /// Panics unless the invariants hold.
    pub(super) fn check_invariants(&self) {
        let (_, codes, bytes) = self.parts();
        assert_eq!(bytes.len(), codes.iter().map(|c| size(*c)).sum::<usize>(), "codes and bytes agree");
        assert!(self.len() > 0 || self.block.capacity() == 0, "an empty bucket holds no memory");
    }
}

/// Where the bytes of member `index` begin.
#[inline]
fn place(codes: &[u8], index: usize) -> usize {
    codes[..index].iter().map(|code| size(*code) as u32).sum::<u32>() as usize
}

/// The entries of a block.
#[derive(Clone)]
pub(super) struct Slots<'a> {
    tags: &'a [u8],
    codes: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Iterator for Slots<'a> {
    type Item = Slot<'a>;

    #[inline]
    fn next(&mut self) -> Option<Slot<'a>> {
        let (&code, codes) = self.codes.split_first()?;
        let (&tag, tags) = self.tags.split_first()?;
        let (bytes, rest) = self.bytes.split_at(size(code));
        (self.codes, self.tags, self.bytes) = (codes, tags, rest);
        Some(Slot { tag, code, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_the_bytes_they_need() {
        for (n, bytes) in [(0, 1), (127, 1), (128, 2), (-128, 1), (-129, 2), (32767, 2), (1 << 23, 4), (i64::MAX, 8), (i64::MIN, 8)] {
            let stored = Stored::of(Member::Int(n));
            assert_eq!(stored.bytes().len(), bytes, "{n}");
            let mut bucket = Bucket::default();
            bucket.push(0, &stored);
            assert_eq!(bucket.slot(0).member(), Ok(Member::Int(n)));
        }
    }

    #[test]
    fn members_keep_their_order() {
        let mut bucket = Bucket::default();
        let texts: Vec<Vec<u8>> = (0..40).map(|i| vec![b'a' + i as u8; i * 6]).collect();
        for text in &texts {
            bucket.push(7, &Stored::of(Member::Text(text)));
            bucket.check_invariants();
        }
        for gone in [39, 0, 17] {
            let at = bucket.find(7, &Stored::of(Member::Text(&texts[gone])), |_| false).unwrap();
            bucket.remove(at);
            bucket.check_invariants();
        }
        let left: Vec<_> = bucket.slots().map(|slot| slot.member().unwrap()).collect();
        let expected: Vec<_> =
            texts.iter().enumerate().filter(|(i, _)| ![39, 0, 17].contains(i)).map(|(_, t)| Member::Text(t)).collect();
        assert_eq!(left, expected);
    }
}
