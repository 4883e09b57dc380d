//! The walk over a listpack, from both ends.

use super::entry::{Element, back_len, read, read_back};
use super::pack::HEADER_BYTES;

/// Walks over a listpack's elements, from both ends.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    front: usize,
    back: usize,
}

impl<'a> Iter<'a> {
    /// Over the entries from offset `front` to offset `back` of a listpack.
    pub(super) fn new(bytes: &'a [u8], front: usize, back: usize) -> Iter<'a> {
        debug_assert!(HEADER_BYTES <= front && front <= back && back < bytes.len());
        Iter { bytes, front, back }
    }

    /// Offset of the entry that comes next from the front.
    pub fn at(&self) -> usize {
        self.front
    }

    /// Offset behind the entry that comes next from the back.
    pub fn at_back(&self) -> usize {
        self.back
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.front >= self.back {
            return None;
        }
        let (element, size) = read(&self.bytes[self.front..]);
        self.front += size;
        Some(element)
    }
}

impl<'a> DoubleEndedIterator for Iter<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<Element<'a>> {
        if self.front >= self.back {
            return None;
        }
        self.back = entry_before(self.bytes, self.back);
        Some(read(&self.bytes[self.back..]).0)
    }
}

/// Where the entry begins that ends at `end`.
#[inline]
pub(super) fn entry_before(bytes: &[u8], end: usize) -> usize {
    let data = read_back(&bytes[..end]).expect("a listpack from outside is validated");
    end - data - back_len(data)
}
