//! What DUMP answers: a value, the version of the format and a checksum.
//!
//! ```text
//! | type | body | version: 2 | CRC-64 of all before: 8 |
//! ```
//!
//! Both numbers have their low bytes first. The version is Valkey's current one whatever the value is, so a payload is
//! the same bytes as there.

use super::kind;
use super::{Writer, kind_of, write};
use crate::keyspace::table::Value;
use crate::stdx::crc64::crc64;
use crate::types::Object;

/// The version written: that of Valkey 9.
pub const VERSION: u16 = 80;
/// Versions that other makers gave out after they and Valkey had parted.
const FOREIGN: std::ops::RangeInclusive<u16> = 12..=79;
const FOOTER_BYTES: usize = 10;

/// How payloads are checked.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Checks {
    /// Versions of others and of the future are tried (`rdb-version-check relaxed`).
    pub relaxed: bool,
    /// The checksum is not looked at (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub skip_checksum: bool,
}

/// A payload whose frame is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opened<'a> {
    /// The type byte.
    pub kind: u8,
    /// What follows it.
    pub body: &'a [u8],
    /// Its version is one of another maker.
    pub foreign: bool,
}

/// What is wrong with a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// Version or checksum.
    Frame,
    /// There is no such type.
    Kind,
    /// The type means something that is not known, since another maker wrote it.
    ForeignKind(u8),
}

/// The payload of a value.
pub fn seal(value: &Value<'_, Object>, compress: bool) -> Vec<u8> {
    let mut out = vec![kind_of(value)];
    write(value, &mut Writer::new(&mut out, compress));
    close(&mut out);
    out
}

/// Puts the footer behind a type and a body.
pub fn close(out: &mut Vec<u8>) {
    out.extend_from_slice(&VERSION.to_le_bytes());
    let sum = crc64(0, out);
    out.extend_from_slice(&sum.to_le_bytes());
}

/// Checks the frame of a payload.
pub fn open(payload: &[u8], checks: Checks) -> Result<Opened<'_>, Wrong> {
    let (inner, footer) = payload.split_last_chunk::<FOOTER_BYTES>().ok_or(Wrong::Frame)?;
    let (version, sum) = footer.split_first_chunk::<2>().expect("a footer has ten bytes");
    let version = u16::from_le_bytes(*version);
    let foreign = FOREIGN.contains(&version);
    if version == 0 || !checks.relaxed && (version > VERSION || foreign) {
        return Err(Wrong::Frame);
    }
    if !checks.skip_checksum && crc64(0, &payload[..inner.len() + 2]).to_le_bytes() != sum {
        return Err(Wrong::Frame);
    }
    let (kind, body) = inner.split_first().ok_or(Wrong::Kind)?;
    // Of what others added we know their hashes whose fields expire.
    let known_foreign = foreign && matches!(*kind, kind::REDIS_HASH | kind::REDIS_HASH_LISTPACK);
    if !kind::is_value(*kind) && !known_foreign {
        return Err(Wrong::Kind);
    }
    if foreign && *kind >= kind::FOREIGN_MIN && !known_foreign {
        return Err(Wrong::ForeignKind(*kind));
    }
    Ok(Opened { kind: *kind, body, foreign })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Checks = Checks { relaxed: false, skip_checksum: false };

    fn framed(kind: u8, version: u16) -> Vec<u8> {
        let mut out = vec![kind, 1, b'x'];
        out.extend_from_slice(&version.to_le_bytes());
        let sum = crc64(0, &out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    #[test]
    fn a_sealed_string_is_what_valkey_writes() {
        // DUMP of "bar" by Valkey 9.1.2.
        let sealed = seal(&Value::Bytes(b"bar"), true);
        assert_eq!(&sealed[..7], [0, 3, b'b', b'a', b'r', 80, 0]);
        let opened = open(&sealed, STRICT).unwrap();
        assert_eq!(opened, Opened { kind: 0, body: b"\x03bar", foreign: false });
    }

    #[test]
    fn every_changed_bit_is_found() {
        let sealed = seal(&Value::Bytes(b"bar"), true);
        for bit in 0..sealed.len() * 8 {
            let mut bytes = sealed.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&bytes, STRICT), Err(Wrong::Frame), "bit {bit}");
        }
        for cut in 0..sealed.len() {
            assert_eq!(open(&sealed[..cut], STRICT), Err(Wrong::Frame));
        }
        let mut bytes = sealed.clone();
        *bytes.last_mut().unwrap() ^= 1;
        assert!(open(&bytes, Checks { skip_checksum: true, ..STRICT }).is_ok());
    }

    #[test]
    fn versions_and_types_are_let_in_as_the_configuration_says() {
        let relaxed = Checks { relaxed: true, skip_checksum: false };
        for (version, strictly, relaxedly) in [(0, false, false), (1, true, true), (11, true, true), (12, false, true), (79, false, true), (80, true, true), (81, false, true)] {
            let payload = framed(kind::STRING, version);
            assert_eq!(open(&payload, STRICT).is_ok(), strictly, "{version}");
            assert_eq!(open(&payload, relaxed).is_ok(), relaxedly, "{version}");
        }
        assert_eq!(open(&framed(kind::HASH_2, 12), relaxed), Err(Wrong::ForeignKind(22)));
        assert_eq!(open(&framed(8, 11), STRICT), Err(Wrong::Kind));
        assert_eq!(open(&framed(kind::END, 80), STRICT), Err(Wrong::Kind));
        assert_eq!(open(&framed(kind::REDIS_HASH, 80), relaxed), Err(Wrong::Kind));
        assert!(open(&framed(kind::REDIS_HASH, 12), relaxed).unwrap().foreign);
        let mut empty = Vec::new();
        close(&mut empty);
        assert_eq!(open(&empty, STRICT), Err(Wrong::Kind));
    }
}
