//! Numbers, lengths and strings as RDB writes them.
//!
//! | first byte | then | what |
//! |---|---|---|
//! | `00xxxxxx` | | a length up to 63 |
//! | `01xxxxxx` | 1 byte | a length of 14 bits |
//! | `80` | 4 bytes | a length of 32 bits |
//! | `81` | 8 bytes | a longer one |
//! | `c0` `c1` `c2` | 1, 2, 4 bytes, low first | a string that spells an integer |
//! | `c3` | two lengths, bytes | a string compressed with LZF: compressed and real length |
//!
//! Lengths have their high bytes first. A string is a length and its bytes, unless one of the last four is shorter.

use crate::stdx::lzf::Compressor;
use crate::stdx::number::{fill_i64, parse_i64};

pub(super) const LEN_14: u8 = 0x40;
pub(super) const LEN_32: u8 = 0x80;
pub(super) const LEN_64: u8 = 0x81;
pub(super) const INT_8: u8 = 0xc0;
pub(super) const INT_16: u8 = 0xc1;
pub(super) const INT_32: u8 = 0xc2;
pub(super) const LZF: u8 = 0xc3;

/// Longer strings do not spell an integer of 32 bits.
const INT_TEXT_MAX: usize = 11;
/// Shorter strings are not compressed.
const WORTH_BYTES: usize = 20;
/// What compression must save.
const SAVED_BYTES: usize = 4;

/// Appends to a buffer.
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    compress: bool,
    /// Its table is large, so it is made when a string asks for it.
    compressor: Option<Compressor>,
}

impl<'o> Writer<'o> {
    /// Appends to `out`, long strings compressed if `compress` (`rdbcompression`).
    pub fn new(out: &'o mut Vec<u8>, compress: bool) -> Writer<'o> {
        Writer { out, compress, compressor: None }
    }

    /// Bytes in the buffer.
    pub fn written(&self) -> usize {
        self.out.len()
    }

    /// A byte.
    pub fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A length or a count.
    pub fn len(&mut self, len: u64) {
        match len {
            0..0x40 => self.byte(len as u8),
            0x40..0x4000 => self.raw(&[LEN_14 | (len >> 8) as u8, len as u8]),
            0x4000..=0xffff_ffff => {
                self.byte(LEN_32);
                self.raw(&(len as u32).to_be_bytes());
            }
            _ => {
                self.byte(LEN_64);
                self.raw(&len.to_be_bytes());
            }
        }
    }

    /// A time in milliseconds, or any signed number.
    pub fn millis(&mut self, ms: i64) {
        self.raw(&ms.to_le_bytes());
    }

    /// A double.
    pub fn double(&mut self, value: f64) {
        self.raw(&value.to_le_bytes());
    }

    /// A string.
    pub fn text(&mut self, bytes: &[u8]) {
        if bytes.len() <= INT_TEXT_MAX
            && let Some(n) = parse_i64(bytes).and_then(|n| i32::try_from(n).ok())
        {
            return self.short_int(n);
        }
        if !(self.compress && bytes.len() > WORTH_BYTES && self.squeezed(bytes)) {
            self.len(bytes.len() as u64);
            self.raw(bytes);
        }
    }

    /// The string that spells an integer.
    pub fn int_text(&mut self, n: i64) {
        match i32::try_from(n) {
            Ok(n) => self.short_int(n),
            Err(_) => {
                let mut digits = [0; 20];
                let start = fill_i64(&mut digits, n);
                self.len((digits.len() - start) as u64);
                self.raw(&digits[start..]);
            }
        }
    }

    fn short_int(&mut self, n: i32) {
        let bytes = n.to_le_bytes();
        if i8::try_from(n).is_ok() {
            self.raw(&[INT_8, bytes[0]]);
        } else if i16::try_from(n).is_ok() {
            self.raw(&[INT_16, bytes[0], bytes[1]]);
        } else {
            self.byte(INT_32);
            self.raw(&bytes);
        }
    }

    /// Writes a string compressed, if that is worth it.
    fn squeezed(&mut self, bytes: &[u8]) -> bool {
        let compressor = self.compressor.get_or_insert_with(Compressor::new);
        let Some(squeezed) = compressor.compress(bytes, bytes.len() - SAVED_BYTES) else { return false };
        self.byte(LZF);
        self.len(squeezed.len() as u64);
        self.len(bytes.len() as u64);
        self.raw(&squeezed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::Reader;

    #[test]
    fn lengths_take_as_few_bytes_as_there_are_forms() {
        for (len, bytes) in [(0, 1), (63, 1), (64, 2), (16383, 2), (16384, 5), (u64::from(u32::MAX), 5), (1 << 32, 9), (u64::MAX, 9)] {
            let mut out = Vec::new();
            Writer::new(&mut out, true).len(len);
            assert_eq!(out.len(), bytes, "{len}");
            assert_eq!(Reader::new(&out, 100).len(), Ok(len));
        }
    }

    #[test]
    fn strings_that_spell_small_integers_are_written_as_such() {
        for (text, bytes) in [("0", 2), ("-128", 2), ("128", 3), ("32768", 5), ("-2147483648", 5), ("2147483648", 11), ("007", 4), ("", 1)] {
            let mut out = Vec::new();
            Writer::new(&mut out, true).text(text.as_bytes());
            assert_eq!(out.len(), bytes, "{text:?}");
            assert_eq!(Reader::new(&out, 100).text().unwrap(), text.as_bytes());
            if let Some(n) = parse_i64(text.as_bytes()) {
                let mut same = Vec::new();
                Writer::new(&mut same, true).int_text(n);
                assert_eq!(same, out);
            }
        }
    }

    #[test]
    fn long_strings_are_compressed_where_that_helps() {
        let text = b"abc".repeat(30);
        let (mut small, mut plain) = (Vec::new(), Vec::new());
        Writer::new(&mut small, true).text(&text);
        Writer::new(&mut plain, false).text(&text);
        assert!(small.len() < 20 && plain.len() == 92);
        assert_eq!(Reader::new(&small, 100).text().unwrap(), text);
        assert_eq!(Reader::new(&plain, 100).text().unwrap(), text);
    }
}
