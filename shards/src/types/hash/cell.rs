//! Cells: a name or a value as bytes in a pack.
//!
//! ```text
//! 00..ef            a string of so many bytes, which follow
//! f0 len:u16        a longer string
//! f1 len:u32        a yet longer string
//! f2 ms:u48         not a cell: the entry that follows expires at this time
//! f3 ms:i64         the same, for times that 48 bits cannot hold
//! f8..ff            an integer of 1..8 bytes, which follow, lowest first, with sign
//! ```
//!
//! A string that spells an integer is kept as one where that is shorter. So every string has exactly one form, and
//! names are compared as bytes: [`Probe`] is a name in that form.

use crate::stdx::number::{decimal_len, fill_i64, parse_i64, write_i64};

const STRING_MAX: u8 = 0xef;
const STRING_U16: u8 = 0xf0;
const STRING_U32: u8 = 0xf1;
const EXPIRY_U48: u8 = 0xf2;
const EXPIRY_I64: u8 = 0xf3;
/// The code of an integer of no bytes; its length is added.
const INT: u8 = 0xf7;
const EXPIRY_U48_MAX: i64 = (1 << 48) - 1;

/// A name or a value as it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// The integer it spells.
    Int(i64),
}

impl Text<'_> {
    /// Number of bytes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        match self {
            Text::Bytes(bytes) => bytes.len(),
            Text::Int(n) => decimal_len(n.unsigned_abs()) + usize::from(*n < 0),
        }
    }

    /// Appends the bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Text::Bytes(bytes) => out.extend_from_slice(bytes),
            Text::Int(n) => write_i64(out, *n),
        }
    }

    /// The bytes; `digits` holds those of an integer.
    pub fn bytes<'b>(&'b self, digits: &'b mut [u8; 20]) -> &'b [u8] {
        match self {
            Text::Bytes(bytes) => bytes,
            Text::Int(n) => {
                let start = fill_i64(digits, *n);
                &digits[start..]
            }
        }
    }
}

/// A string on its way into a cell: `head` and then `tail`.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    head: [u8; 9],
    head_len: u8,
    tail: &'a [u8],
}

impl<'a> Probe<'a> {
    /// The form of `text`.
    #[inline]
    pub fn new(text: &'a [u8]) -> Probe<'a> {
        let may_be_int = matches!(text.len(), 2..=20) && matches!(text[0], b'-' | b'0'..=b'9');
        if may_be_int && let Some(n) = parse_i64(text) && width(n) < text.len() {
            return Probe::int(n);
        }
        Probe::string(text)
    }

    /// The form of a text that is kept.
    #[inline]
    pub fn of(text: Text<'a>) -> Probe<'a> {
        match text {
            Text::Int(n) => Probe::int(n),
            Text::Bytes(bytes) => Probe::string(bytes),
        }
    }

    fn int(n: i64) -> Probe<'static> {
        let width = width(n);
        let mut head = [0; 9];
        head[0] = INT + width as u8;
        head[1..].copy_from_slice(&n.to_le_bytes());
        Probe { head, head_len: 1 + width as u8, tail: &[] }
    }

    #[inline]
    fn string(text: &'a [u8]) -> Probe<'a> {
        let mut head = [0; 9];
        let head_len = if text.len() <= usize::from(STRING_MAX) {
            head[0] = text.len() as u8;
            1
        } else if let Ok(len) = u16::try_from(text.len()) {
            head[0] = STRING_U16;
            head[1..3].copy_from_slice(&len.to_le_bytes());
            3
        } else {
            head[0] = STRING_U32;
            let len = u32::try_from(text.len()).expect("an argument stays below 4 GiB");
            head[1..5].copy_from_slice(&len.to_le_bytes());
            5
        };
        Probe { head, head_len, tail: text }
    }

    #[inline]
    fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_len)]
    }

    /// Bytes of the cell.
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.head_len) + self.tail.len()
    }

    /// Writes the cell; `out` is as long as it.
    #[inline]
    pub fn write(&self, out: &mut [u8]) {
        let (head, tail) = out.split_at_mut(usize::from(self.head_len));
        head.copy_from_slice(self.head());
        tail.copy_from_slice(self.tail);
    }

    /// True if this is the cell. Names often differ in the last byte only, so that one is looked at first.
    #[inline]
    pub fn is(&self, cell: &[u8]) -> bool {
        if cell.len() != self.len() || cell[0] != self.head[0] {
            return false;
        }
        let (head, tail) = cell.split_at(usize::from(self.head_len));
        tail.last() == self.tail.last() && head == self.head() && tail == self.tail
    }

    /// What a hash function is fed.
    #[inline]
    pub fn text(&self) -> Text<'a> {
        if self.head[0] > INT { Text::Int(read_int(self.head())) } else { Text::Bytes(self.tail) }
    }
}

/// Bytes that hold `n`.
#[inline]
fn width(n: i64) -> usize {
    let magnitude = if n < 0 { !n } else { n };
    (64 - magnitude.leading_zeros() as usize) / 8 + 1
}

#[inline]
fn read_int(cell: &[u8]) -> i64 {
    let mut bytes = [0; 8];
    bytes[..cell.len() - 1].copy_from_slice(&cell[1..]);
    let unused = 64 - 8 * (cell.len() as u32 - 1);
    i64::from_le_bytes(bytes) << unused >> unused
}

/// Bytes of the cell at the start of `bytes`, and of what stands before the string in it.
#[inline]
pub fn measure(bytes: &[u8]) -> (usize, usize) {
    match bytes[0] {
        len @ ..=STRING_MAX => (1 + usize::from(len), 1),
        STRING_U16 => (3 + usize::from(u16::from_le_bytes([bytes[1], bytes[2]])), 3),
        STRING_U32 => (5 + u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize, 5),
        code => {
            assert!(code > INT, "no cell begins with {code:#x}");
            (1 + usize::from(code - INT), 1)
        }
    }
}

/// The text in a cell.
#[inline]
pub fn read(cell: &[u8]) -> Text<'_> {
    if cell[0] > INT {
        return Text::Int(read_int(cell));
    }
    let (len, head) = measure(cell);
    Text::Bytes(&cell[head..len])
}

/// Bytes of an expiry in front of an entry.
pub fn expiry_len(at: Option<i64>) -> usize {
    match at {
        None => 0,
        Some(0..=EXPIRY_U48_MAX) => 7,
        Some(_) => 9,
    }
}

/// Writes an expiry; `out` is as long as [`expiry_len`] says.
pub fn write_expiry(at: Option<i64>, out: &mut [u8]) {
    let Some(at) = at else { return };
    let len = out.len();
    out[0] = if len == 7 { EXPIRY_U48 } else { EXPIRY_I64 };
    out[1..].copy_from_slice(&at.to_le_bytes()[..len - 1]);
}

/// The expiry at the start of an entry, if it has one.
#[inline]
pub fn read_expiry(entry: &[u8]) -> Option<i64> {
    let len = match entry[0] {
        EXPIRY_U48 => 6,
        EXPIRY_I64 => 8,
        _ => return None,
    };
    let mut bytes = [0; 8];
    bytes[..len].copy_from_slice(&entry[1..=len]);
    Some(i64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &[u8]) -> Vec<u8> {
        let probe = Probe::new(text);
        let mut out = vec![0; probe.len()];
        probe.write(&mut out);
        assert!(probe.is(&out));
        assert_eq!(measure(&out).0, out.len());
        out
    }

    #[test]
    fn every_text_comes_back_from_its_cell() {
        let mut texts: Vec<Vec<u8>> = vec![b"".into(), b"-".into(), b"007".into(), b"-0".into(), b"+1".into(), b"12a".into()];
        for n in [0i64, 7, -7, 42, 127, 128, -128, -129, 32767, 32768, 1 << 23, -(1 << 23), 1 << 31, 1 << 39, 1 << 47, 1 << 55] {
            texts.extend([n, n - 1, -n, i64::MAX - n.abs(), i64::MIN + n.abs()].map(|n| n.to_string().into_bytes()));
        }
        texts.extend([239, 240, 255, 256, 65535, 65536].map(|len| vec![b'x'; len]));
        for text in texts {
            let kept = cell(&text);
            let mut back = Vec::new();
            read(&kept).write(&mut back);
            assert_eq!(back, text);
            assert_eq!(read(&kept).len(), text.len());
            assert_eq!(Probe::of(read(&kept)).text(), Probe::new(&text).text());
        }
    }

    #[test]
    fn integers_take_fewer_bytes_than_their_digits() {
        assert_eq!(cell(b"7").len(), 2);
        assert_eq!(cell(b"42").len(), 2);
        assert_eq!(cell(b"-128").len(), 2);
        assert_eq!(cell(b"1700000000").len(), 5);
        assert_eq!(cell(b"-9223372036854775808").len(), 9);
    }

    #[test]
    fn expiries_of_any_size_come_back() {
        for at in [0, 1, EXPIRY_U48_MAX, EXPIRY_U48_MAX + 1, i64::MAX, -1] {
            let mut out = vec![0; expiry_len(Some(at))];
            write_expiry(Some(at), &mut out);
            assert_eq!(read_expiry(&out), Some(at));
        }
        assert_eq!(read_expiry(&cell(b"a")), None);
    }
}
