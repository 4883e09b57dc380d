//! One entry of a listpack: its bytes written and read.
//!
//! ```text
//! | encoding and data | back length |
//! ```
//!
//! The back length spells the number of bytes before it, seven bits a byte and the lowest bits last, so that it can be
//! read from its end by who walks backwards: all its bytes but the first have the high bit set.
//!
//! | first byte | then | what |
//! |---|---|---|
//! | `0xxxxxxx` | | an integer from 0 to 127 |
//! | `10xxxxxx` | bytes | a string of up to 63 bytes |
//! | `110xxxxx` | 1 byte | an integer of 13 bits, its high bits first |
//! | `1110xxxx` | 1 byte, bytes | a string of up to 4095 bytes |
//! | `f0` | 4 bytes, bytes | a longer string |
//! | `f1` `f2` `f3` `f4` | 2, 3, 4, 8 bytes | an integer, low bytes first |
//! | `ff` | | the end of the listpack |
//!
//! Invariant: `size` and `read` trust the bytes; bytes from outside pass `checked_size` first.

use crate::stdx::number::{decimal_len, fill_i64, parse_i64};

/// The end of a listpack.
pub(super) const END: u8 = 0xff;
/// The most digits an integer has, its sign included.
const DIGITS_MAX: usize = 20;

/// Room for the text of an integer.
pub type Digits = [u8; 20];

/// What an entry holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Element<'a> {
    /// A string.
    Bytes(&'a [u8]),
    /// A string that spells this integer.
    Int(i64),
}

impl<'a> Element<'a> {
    /// The element that these bytes become: an integer if they spell one.
    pub fn of(bytes: &'a [u8]) -> Element<'a> {
        spelt_int(bytes).map_or(Element::Bytes(bytes), Element::Int)
    }

    /// Its bytes; an integer is spelt into `digits`.
    #[inline]
    pub fn text(self, digits: &'a mut Digits) -> &'a [u8] {
        match self {
            Element::Bytes(bytes) => bytes,
            Element::Int(n) => {
                let start = fill_i64(digits, n);
                &digits[start..]
            }
        }
    }

    /// Number of its bytes.
    #[inline]
    pub fn text_len(self) -> usize {
        match self {
            Element::Bytes(bytes) => bytes.len(),
            Element::Int(n) => decimal_len(n.unsigned_abs()) + usize::from(n < 0),
        }
    }

    /// A copy of its bytes.
    pub fn to_vec(self) -> Vec<u8> {
        self.text(&mut Digits::default()).to_vec()
    }
}

/// What to look for: a string, and the integer it spells, found out once.
#[derive(Clone, Copy, Debug)]
pub struct Needle<'a> {
    bytes: &'a [u8],
    int: Option<i64>,
}

impl<'a> Needle<'a> {
    /// Looks for these bytes.
    pub fn new(bytes: &'a [u8]) -> Needle<'a> {
        Needle { bytes, int: spelt_int(bytes) }
    }

    /// True if the element is it.
    #[inline]
    pub fn is(&self, element: Element<'_>) -> bool {
        match element {
            Element::Bytes(bytes) => bytes == self.bytes,
            Element::Int(n) => self.int == Some(n),
        }
    }
}

#[inline]
fn spelt_int(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > DIGITS_MAX { None } else { parse_i64(bytes) }
}

/// An element in the form an entry stores it, ready to be written.
pub(super) enum Form<'a> {
    Int([u8; 9], usize),
    Bytes(&'a [u8]),
}

impl<'a> Form<'a> {
    #[inline]
    pub(super) fn of(element: Element<'a>) -> Form<'a> {
        match element {
            Element::Bytes(bytes) => Form::Bytes(bytes),
            Element::Int(n) => Form::of_int(n),
        }
    }

    fn of_int(n: i64) -> Form<'a> {
        let mut out = [0; 9];
        let bytes = n.to_le_bytes();
        let (first, data) = match n {
            0..=127 => (bytes[0], 0),
            -4096..=4095 => {
                out[1] = bytes[0];
                out[0] = 0xc0 | (bytes[1] & 0x1f);
                return Form::Int(out, 2);
            }
            -0x8000..=0x7fff => (0xf1, 2),
            -0x80_0000..=0x7f_ffff => (0xf2, 3),
            -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
            _ => (0xf4, 8),
        };
        out[0] = first;
        out[1..=data].copy_from_slice(&bytes[..data]);
        Form::Int(out, data + 1)
    }

    /// Bytes of encoding and data.
    #[inline]
    fn data_len(&self) -> usize {
        match self {
            Form::Int(_, len) => *len,
            Form::Bytes(bytes) => string_header_len(bytes.len()) + bytes.len(),
        }
    }

    /// Bytes of the whole entry.
    #[inline]
    pub(super) fn len(&self) -> usize {
        let data = self.data_len();
        data + back_len(data)
    }

    /// Writes the entry over `out`, which has just its length.
    #[inline]
    pub(super) fn write(&self, out: &mut [u8]) {
        let data = self.data_len();
        match self {
            Form::Int(bytes, len) => out[..*len].copy_from_slice(&bytes[..*len]),
            Form::Bytes(bytes) => {
                let (header, rest) = out.split_at_mut(string_header_len(bytes.len()));
                write_string_header(header, bytes.len());
                rest[..bytes.len()].copy_from_slice(bytes);
            }
        }
        write_back(&mut out[data..], data);
    }
}

#[inline]
fn string_header_len(len: usize) -> usize {
    match len {
        0..=63 => 1,
        64..=4095 => 2,
        _ => 5,
    }
}

fn write_string_header(out: &mut [u8], len: usize) {
    match out {
        [a] => *a = 0x80 | len as u8,
        [a, b] => (*a, *b) = (0xe0 | (len >> 8) as u8, len as u8),
        out => {
            out[0] = 0xf0;
            out[1..].copy_from_slice(&(len as u32).to_le_bytes());
        }
    }
}

/// Bytes of the back length of an entry with this many bytes of encoding and data.
#[inline]
pub(super) fn back_len(data: usize) -> usize {
    match data {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        0x20_0000..=0x0fff_ffff => 4,
        _ => 5,
    }
}

#[inline]
fn write_back(out: &mut [u8], data: usize) {
    if let [byte] = out {
        *byte = data as u8;
        return;
    }
    let mut rest = data;
    for byte in out.iter_mut().rev() {
        *byte = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
    }
    out[0] &= 0x7f;
    debug_assert!(rest == 0, "the field has room for the length");
}

/// The back length that ends at the end of `bytes`; `None` if no such field can be there.
#[inline]
pub(super) fn read_back(bytes: &[u8]) -> Option<usize> {
    let mut value = 0;
    for (i, byte) in bytes.iter().rev().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Bytes of encoding and data of the entry that `bytes` begins with, and where its data begins. `None` for an encoding
/// there is not, and if the bytes end within the encoding.
#[inline]
fn data_len(bytes: &[u8]) -> Option<(usize, usize)> {
    Some(match *bytes.first()? {
        0..=0x7f => (1, 0),
        first @ 0x80..=0xbf => (1 + usize::from(first & 0x3f), 1),
        0xc0..=0xdf => (2, 1),
        first @ 0xe0..=0xef => (2 + (usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(1)?)), 2),
        0xf0 => (5 + u32::from_le_bytes(bytes.get(1..5)?.try_into().ok()?) as usize, 5),
        0xf1 => (3, 1),
        0xf2 => (4, 1),
        0xf3 => (5, 1),
        0xf4 => (9, 1),
        _ => return None,
    })
}

/// Bytes of the whole entry that `bytes` begins with.
#[inline]
pub(super) fn size(bytes: &[u8]) -> usize {
    let (data, _) = data_len(bytes).expect("a listpack from outside is validated");
    data + back_len(data)
}

/// Bytes of the whole entry that `bytes` begins with, unless it is damaged or longer than `bytes`.
pub(super) fn checked_size(bytes: &[u8]) -> Option<usize> {
    let (data, _) = data_len(bytes)?;
    let size = data + back_len(data);
    let entry = bytes.get(..size)?;
    (read_back(&entry[data..]) == Some(data)).then_some(size)
}

/// The element at the beginning of `bytes` and the size of its entry.
#[inline]
pub(super) fn read(bytes: &[u8]) -> (Element<'_>, usize) {
    let first = bytes[0];
    match first {
        0..=0x7f => return (Element::Int(i64::from(first)), 2),
        0x80..=0xbf => {
            let len = usize::from(first & 0x3f);
            return (Element::Bytes(&bytes[1..1 + len]), len + 2);
        }
        _ => {}
    }
    let (data, start) = data_len(bytes).expect("a listpack from outside is validated");
    let body = &bytes[start..data];
    let element = match first {
        // Thirteen bits: the sign is the highest of them.
        0xc0..=0xdf => Element::Int(i64::from((i16::from(first & 0x1f) << 8 | i16::from(body[0])) << 3 >> 3)),
        0xf1..=0xf4 => Element::Int(sign_extended(body)),
        _ => Element::Bytes(body),
    };
    (element, data + back_len(data))
}

/// The integer of these low bytes first.
#[inline]
fn sign_extended(body: &[u8]) -> i64 {
    let mut low = [0; 8];
    low[..body.len()].copy_from_slice(body);
    let unused = 64 - 8 * body.len() as u32;
    i64::from_le_bytes(low) << unused >> unused
}
