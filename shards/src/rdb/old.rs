//! Ziplists and zipmaps: the compact forms of Redis until 6.2 and 2.4. They are only read.
//!
//! ```text
//! ziplist:  | all bytes: 4 | offset of the last entry: 4 | entries: 2 | entry | ... | ff |
//! entry:    | bytes of the entry before: 1, or fe and 4 | encoding | data |
//! ```
//!
//! | encoding | then | what |
//! |---|---|---|
//! | `00xxxxxx` | bytes | a string of up to 63 bytes |
//! | `01xxxxxx` | 1 byte, bytes | a string of 14 bits of length, high bits first |
//! | `10......` | 4 bytes, bytes | a longer string, high bytes first |
//! | `c0` `d0` `e0` `f0` `fe` | 2, 4, 8, 3, 1 bytes | an integer, low bytes first |
//! | `f1` to `fd` | | 0 to 12 |
//!
//! ```text
//! zipmap:   | pairs, or 254: count them | length | field | length | unused: 1 | value | unused bytes | ... | ff |
//! length:   | 0 to 253 |, or | fe | 4 bytes, low first |
//! ```
//!
//! Both are walked once, every step checked; what a walk has handed out before it finds damage is thrown away by the
//! caller.

use crate::types::listpack::Element;

const END: u8 = 0xff;
/// Announces a length of four bytes.
const LONG: u8 = 0xfe;
const ZIPLIST_HEADER: usize = 10;
/// A number of entries that means "count them".
const UNCOUNTED: usize = 0xffff;

/// Hands the elements of a ziplist to `each` until it says false. False if it did, or if the ziplist is damaged.
pub(super) fn ziplist<'a>(bytes: &'a [u8], each: &mut dyn FnMut(Element<'a>) -> bool) -> bool {
    walk_ziplist(bytes, each).is_some()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*four) as usize)
}

fn walk_ziplist<'a>(bytes: &'a [u8], each: &mut dyn FnMut(Element<'a>) -> bool) -> Option<()> {
    let (last, entries) = bytes.get(ZIPLIST_HEADER..)?.split_last()?;
    let said = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    if *last != END || u32_at(bytes, 0)? != bytes.len() || u32_at(bytes, 4)? >= bytes.len() {
        return None;
    }
    let (mut rest, mut before, mut count, mut tail) = (entries, 0, 0, None);
    while !rest.is_empty() {
        let (element, size) = ziplist_entry(rest, before)?;
        if !each(element) {
            return None;
        }
        tail = Some(bytes.len() - 1 - rest.len());
        (rest, before, count) = (&rest[size..], size, count + 1);
    }
    let counted = said == UNCOUNTED || said == count;
    let ends = tail.is_none_or(|tail| u32_at(bytes, 4) == Some(tail));
    (counted && ends).then_some(())
}

/// The element that `bytes` begin with, and the size of its entry; the one before has `before` bytes.
fn ziplist_entry(bytes: &[u8], before: usize) -> Option<(Element<'_>, usize)> {
    let (said, head) = match *bytes.first()? {
        END => return None,
        LONG => (u32_at(bytes, 1)?, 5),
        short => (usize::from(short), 1),
    };
    if said != before {
        return None;
    }
    let rest = &bytes[head..];
    let first = *rest.first()?;
    let string = |head_len: usize, len: usize| {
        let text = rest.get(head_len..head_len.checked_add(len)?)?;
        Some((Element::Bytes(text), head + head_len + len))
    };
    let int = |len: usize| {
        let mut low = [0; 8];
        low[..len].copy_from_slice(rest.get(1..1 + len)?);
        let unused = 64 - 8 * len as u32;
        Some((Element::Int(i64::from_le_bytes(low) << unused >> unused), head + 1 + len))
    };
    match first {
        0..0x40 => string(1, usize::from(first)),
        0x40..0x80 => string(2, usize::from(first & 0x3f) << 8 | usize::from(*rest.get(1)?)),
        0x80..0xc0 => string(5, u32::from_be_bytes(*rest.get(1..)?.first_chunk()?) as usize),
        0xc0 => int(2),
        0xd0 => int(4),
        0xe0 => int(8),
        0xf0 => int(3),
        0xfe => int(1),
        0xf1..=0xfd => Some((Element::Int(i64::from(first) - 0xf1), head + 1)),
        _ => None,
    }
}

/// Hands the fields and values of a zipmap to `each` until it says false. False if it did, or if the zipmap is damaged
/// or empty.
pub(super) fn zipmap<'a>(bytes: &'a [u8], each: &mut dyn FnMut(&'a [u8], &'a [u8]) -> bool) -> bool {
    walk_zipmap(bytes, each).is_some()
}

fn walk_zipmap<'a>(bytes: &'a [u8], each: &mut dyn FnMut(&'a [u8], &'a [u8]) -> bool) -> Option<()> {
    let (said, rest) = bytes.split_first()?;
    let (last, mut rest) = rest.split_last()?;
    if *last != END {
        return None;
    }
    let mut count = 0;
    while !rest.is_empty() {
        let field = zipmap_text(&mut rest, 0)?;
        let value = zipmap_text(&mut rest, 1)?;
        if !each(field, value) {
            return None;
        }
        count += 1;
    }
    (count > 0 && (*said >= LONG || usize::from(*said) == count)).then_some(())
}

/// A field, or a value with the number of bytes unused behind it (`slack` 1).
fn zipmap_text<'a>(rest: &mut &'a [u8], slack: usize) -> Option<&'a [u8]> {
    let (len, head) = match *rest.first()? {
        END => return None,
        LONG => (u32_at(rest, 1).filter(|len| *len >= usize::from(LONG))?, 5),
        short => (usize::from(short), 1),
    };
    let unused = if slack > 0 { usize::from(*rest.get(head)?) } else { 0 };
    let start = head + slack;
    let text = rest.get(start..start.checked_add(len)?)?;
    *rest = rest.get(start + len + unused..)?;
    Some(text)
}

/// A ziplist of entries without their first bytes, for tests.
#[cfg(test)]
pub(super) fn ziplist_of(entries: &[&[u8]]) -> Vec<u8> {
    let (mut body, mut before, mut tail) = (Vec::new(), 0, ZIPLIST_HEADER);
    for entry in entries {
        tail = ZIPLIST_HEADER + body.len();
        let start = body.len();
        if before < 254 {
            body.push(before as u8);
        } else {
            body.push(LONG);
            body.extend_from_slice(&(before as u32).to_le_bytes());
        }
        body.extend_from_slice(entry);
        before = body.len() - start;
    }
    let mut out = ((ZIPLIST_HEADER + body.len() + 1) as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&(tail as u32).to_le_bytes());
    out.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    out.extend(body);
    out.push(END);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(bytes: &[u8]) -> Option<Vec<String>> {
        let mut found = Vec::new();
        let whole = ziplist(bytes, &mut |element| {
            found.push(String::from_utf8_lossy(&element.to_vec()).into_owned());
            true
        });
        whole.then_some(found)
    }

    /// Two strings, then 5 (immediate), -3 (one byte), 1000 (two), 100000 (three), 70000000 (four), 2^40 (eight).
    fn sample() -> Vec<u8> {
        let entries: [&[u8]; 8] = [
            b"\x01a", b"\x40\x02bc", &[0xf6], &[0xfe, 0xfd], &[0xc0, 0xe8, 0x03], &[0xf0, 0xa0, 0x86, 0x01],
            &[0xd0, 0x80, 0x1d, 0x2c, 0x04], &[0xe0, 0, 0, 0, 0, 0, 1, 0, 0],
        ];
        ziplist_of(&entries)
    }

    #[test]
    fn every_encoding_of_a_ziplist_is_read() {
        let expected = ["a", "bc", "5", "-3", "1000", "100000", "70000000", "1099511627776"];
        assert_eq!(elements(&sample()).unwrap(), expected);
        let long = [&[0x80, 0, 0, 1, 0x2c][..], &[b'x'; 300]].concat();
        let list = ziplist_of(&[&long, b"\x01z"]);
        assert_eq!(elements(&list).unwrap(), ["x".repeat(300).as_str(), "z"]);
        assert_eq!(elements(&ziplist_of(&[])).unwrap(), [""; 0]);
    }

    #[test]
    fn damaged_ziplists_are_refused_or_read_to_their_end() {
        let good = sample();
        for cut in 0..good.len() {
            assert_eq!(elements(&good[..cut]), None);
        }
        for at in 0..good.len() {
            for value in 0..=255 {
                let mut bytes = good.clone();
                bytes[at] = value;
                elements(&bytes);
            }
        }
    }

    fn pairs(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
        let mut found = Vec::new();
        let whole = zipmap(bytes, &mut |field, value| {
            found.push((field, value));
            true
        });
        whole.then_some(found)
    }

    #[test]
    fn zipmaps_are_read_with_their_unused_bytes() {
        let map = b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world..\xff";
        assert_eq!(pairs(map).unwrap(), [(&b"foo"[..], &b"bar"[..]), (b"hello", b"world")]);
        let long = [&b"\x01\x01k\xfe\x2c\x01\x00\x00\x00"[..], &[b'v'; 300], b"\xff"].concat();
        assert_eq!(pairs(&long).unwrap()[0].1.len(), 300);
        assert_eq!(pairs(b"\xfe\x01a\x01\x00b\xff").unwrap().len(), 1, "a count of 254 means nothing");
    }

    #[test]
    fn damaged_zipmaps_are_refused_or_read_to_their_end() {
        let good = b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world..\xff";
        for cut in 0..good.len() {
            assert_eq!(pairs(&good[..cut]), None);
        }
        for at in 0..good.len() {
            for value in 0..=255 {
                let mut bytes = good.to_vec();
                bytes[at] = value;
                pairs(&bytes);
            }
        }
        assert_eq!(pairs(b"\x00\xff"), None, "a hash has fields");
        assert_eq!(pairs(b"\x01\x01a\xfe\xff\xff\xff\xff\x01b\xff"), None);
    }
}
