//! Numbers, lengths and strings, read from bytes that anyone may have made.
//!
//! The counterpart of `writer`. A reader goes forward over a slice and borrows from it; only what was compressed or
//! spelt as an integer is made anew. No length makes it take memory: a string must lie within the slice, and compressed
//! bytes stand for so many others at the most, within the limit of a string.

use std::borrow::Cow;

use super::writer::{INT_8, INT_16, INT_32, LEN_14, LEN_32, LEN_64, LZF};
use crate::stdx::lzf;
use crate::stdx::number::{parse_f64, write_i64};

/// Why there is no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The bytes end before the value does. Who reads a file piece by piece may try again with more.
    Short,
    /// They say what cannot be.
    Damaged,
    /// A collection without elements: a file's loader leaves the key out, everybody else refuses it.
    Empty,
    /// A type that is not known here.
    Unknown(u8),
}

/// Reads forward.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    text_bytes_max: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`. No string may come out longer than `text_bytes_max`, unless all its bytes are there.
    pub fn new(bytes: &'a [u8], text_bytes_max: usize) -> Reader<'a> {
        Reader { rest: bytes, text_bytes_max }
    }

    /// Bytes not yet read.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// So many bytes.
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Failure::Short)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Failure::Short)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// A byte.
    pub fn byte(&mut self) -> Result<u8, Failure> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A length or a count.
    #[allow(clippy::len_without_is_empty)] // it reads a length, it has none
    pub fn len(&mut self) -> Result<u64, Failure> {
        let first = self.byte()?;
        self.len_after(first)
    }

    fn len_after(&mut self, first: u8) -> Result<u64, Failure> {
        match first {
            0..LEN_14 => Ok(u64::from(first)),
            LEN_14..LEN_32 => Ok(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            LEN_32 => self.array().map(|bytes| u64::from(u32::from_be_bytes(bytes))),
            LEN_64 => self.array().map(u64::from_be_bytes),
            _ => Err(Failure::Damaged),
        }
    }

    /// A count of elements that take `each` bytes or more: there cannot be more of them than the bytes allow.
    pub fn count(&mut self, each: usize) -> Result<usize, Failure> {
        let count = usize::try_from(self.len()?).map_err(|_| Failure::Damaged)?;
        if count > self.left() / each { Err(Failure::Short) } else { Ok(count) }
    }

    fn size(&mut self) -> Result<usize, Failure> {
        usize::try_from(self.len()?).map_err(|_| Failure::Damaged)
    }

    /// A time in milliseconds.
    pub fn millis(&mut self) -> Result<i64, Failure> {
        self.array().map(i64::from_le_bytes)
    }

    /// A double, any.
    pub fn double(&mut self) -> Result<f64, Failure> {
        self.array().map(f64::from_le_bytes)
    }

    /// A double written as text, with its length before it, or one of three codes.
    pub fn text_double(&mut self) -> Result<f64, Failure> {
        match self.byte()? {
            253 => Ok(f64::NAN),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            len => {
                let text = self.raw(usize::from(len))?;
                parse_f64(text.trim_ascii_start()).ok_or(Failure::Damaged)
            }
        }
    }

    /// A string.
    pub fn text(&mut self) -> Result<Cow<'a, [u8]>, Failure> {
        let spelt = |n: i64| {
            let mut text = Vec::new();
            write_i64(&mut text, n);
            Cow::Owned(text)
        };
        match self.byte()? {
            INT_8 => self.array().map(|bytes| spelt(i8::from_le_bytes(bytes).into())),
            INT_16 => self.array().map(|bytes| spelt(i16::from_le_bytes(bytes).into())),
            INT_32 => self.array().map(|bytes| spelt(i32::from_le_bytes(bytes).into())),
            LZF => self.squeezed().map(Cow::Owned),
            first => {
                let len = usize::try_from(self.len_after(first)?).map_err(|_| Failure::Damaged)?;
                self.raw(len).map(Cow::Borrowed)
            }
        }
    }

    fn squeezed(&mut self) -> Result<Vec<u8>, Failure> {
        let (squeezed, len) = (self.size()?, self.size()?);
        let bytes = self.raw(squeezed)?;
        if len > self.text_bytes_max {
            return Err(Failure::Damaged);
        }
        lzf::decompress(bytes, len).ok_or(Failure::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claimed_lengths_cost_nothing() {
        let huge = [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Reader::new(&huge, 100).text(), Err(Failure::Short));
        assert_eq!(Reader::new(&huge, 100).count(1), Err(Failure::Short));
        assert_eq!(Reader::new(&[0x80, 0, 0, 1, 0], 100).text(), Err(Failure::Short));
        // One compressed byte that is to stand for a hundred thousand.
        assert_eq!(Reader::new(&[LZF, 1, 0x80, 0, 1, 0x86, 0xa0, 0], 1 << 20).text(), Err(Failure::Damaged));
        assert_eq!(Reader::new(&[0xc7], 100).text(), Err(Failure::Damaged), "an encoding there is not");
        assert_eq!(Reader::new(&[0x82], 100).len(), Err(Failure::Damaged));
        assert_eq!(Reader::new(&[0xc0, 1], 100).len(), Err(Failure::Damaged), "a string is no length");
    }

    #[test]
    fn old_scores_are_text() {
        let read = |bytes: &[u8]| Reader::new(bytes, 100).text_double();
        assert_eq!(read(b"\x041.25"), Ok(1.25));
        assert_eq!(read(b"\x1419.899999999999998579"), Ok(19.9));
        assert_eq!(read(&[254]), Ok(f64::INFINITY));
        assert_eq!(read(&[255]), Ok(f64::NEG_INFINITY));
        assert!(read(&[253]).unwrap().is_nan());
        assert_eq!(read(b"\x03abc"), Err(Failure::Damaged));
        assert_eq!(read(b"\x051.2"), Err(Failure::Short));
    }
}
