//! One key with its value, as bytes inside a leaf.
//!
//! ```text
//! [meta 1][key length 1][clock 3][expiry 0, 5 or 13][key, or address 8 + length 4][value]
//! meta: bits 0-3 the caller's type tag, bit 4 has an expiry, bits 5-6 how the value is stored, bit 7 key out of line
//! ```
//!
//! A value is bytes, an integer, an object's bytes (`compact.rs`) or an object's address; behind an address may stand
//! further bytes that mean nothing while the entry is open.
//!
//! The length of the whole is kept by the leaf, so the value's length is what remains. An integer takes 1, 2, 4 or 8
//! bytes. An expiry is 40 bits of milliseconds since 2020 (until 2054); one that does not fit is written as 40 ones and
//! eight more bytes. Everything here is safe code over slices.

/// Bytes before the expiry.
pub(super) const FIXED: usize = 5;
/// The longest key that is stored inside the leaf.
pub(super) const KEY_INLINE_MAX: usize = 255;
/// An out-of-line key: address and length.
const FAR_KEY: usize = 12;
/// 2020-01-01T00:00:00Z in Unix milliseconds: zero of the short form of an expiry.
const EXPIRY_BASE_MS: i64 = 1_577_836_800_000;
const EXPIRY_SHORT: usize = 5;
const EXPIRY_LONG: usize = EXPIRY_SHORT + 8;
const EXPIRY_ESCAPE: u64 = (1 << 40) - 1;

const TYPE_TAG: u8 = 0x0f;
const TIMED: u8 = 0x10;
const ENCODING: u8 = 0x60;
const BYTES: u8 = 0x00;
const INT: u8 = 0x20;
const OBJECT: u8 = 0x40;
const COMPACT: u8 = 0x60;
/// An object's address.
const ADDRESS: usize = 8;
const FAR: u8 = 0x80;

/// The key as it lies in the entry.
#[derive(Clone, Copy)]
pub(super) enum StoredKey<'a> {
    Near(&'a [u8]),
    Far { address: u64, len: u32 },
}

impl StoredKey<'_> {
    fn len(&self) -> usize {
        match self {
            StoredKey::Near(key) => key.len(),
            StoredKey::Far { .. } => FAR_KEY,
        }
    }
}

/// The value as it lies in the entry.
#[derive(Clone, Copy)]
pub(super) enum StoredValue<'a> {
    Bytes(&'a [u8]),
    Int(i64),
    Object(u64),
    Compact(&'a [u8]),
}

impl StoredValue<'_> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            StoredValue::Bytes(bytes) => bytes.len(),
            StoredValue::Int(n) => int_width(*n),
            StoredValue::Object(_) => ADDRESS,
            StoredValue::Compact(bytes) => bytes.len(),
        }
    }

    #[inline]
    fn encoding(&self) -> u8 {
        match self {
            StoredValue::Bytes(_) => BYTES,
            StoredValue::Int(_) => INT,
            StoredValue::Object(_) => OBJECT,
            StoredValue::Compact(_) => COMPACT,
        }
    }

    /// Writes the value into exactly `len()` bytes, or an integer into any of its wider widths.
    #[inline]
    pub(super) fn write(&self, out: &mut [u8]) {
        match self {
            StoredValue::Bytes(bytes) | StoredValue::Compact(bytes) => out.copy_from_slice(bytes),
            StoredValue::Int(n) => write_int(out, *n),
            StoredValue::Object(address) => out.copy_from_slice(&address.to_le_bytes()),
        }
    }
}

/// The bytes an integer needs.
#[inline]
pub(super) fn int_width(n: i64) -> usize {
    if i64::from(n as i8) == n {
        1
    } else if i64::from(n as i16) == n {
        2
    } else if i64::from(n as i32) == n {
        4
    } else {
        8
    }
}

#[inline]
fn write_int(out: &mut [u8], n: i64) {
    assert!(out.len() >= int_width(n), "an integer needs its width");
    let bytes = n.to_le_bytes();
    match out.len() {
        1 => out.copy_from_slice(&bytes[..1]),
        2 => out.copy_from_slice(&bytes[..2]),
        4 => out.copy_from_slice(&bytes[..4]),
        _ => out.copy_from_slice(&bytes),
    }
}

#[inline]
fn read_int(bytes: &[u8]) -> i64 {
    match *bytes {
        [a] => i64::from(a as i8),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => unreachable!("an integer has 1, 2, 4 or 8 bytes, not {}", bytes.len()),
    }
}

/// The bytes an expiry needs.
#[inline]
pub(super) fn expiry_len(expire: Option<i64>) -> usize {
    match expire {
        None => 0,
        Some(ms) if expiry_short(ms).is_some() => EXPIRY_SHORT,
        Some(_) => EXPIRY_LONG,
    }
}

#[inline]
fn expiry_short(ms: i64) -> Option<u64> {
    let since = ms.checked_sub(EXPIRY_BASE_MS)?;
    u64::try_from(since).ok().filter(|&s| s < EXPIRY_ESCAPE)
}

/// An expiry in whole seconds since 2020, rounded down: what a leaf keeps of its earliest one. Monotone in `ms`.
#[inline]
pub(super) fn coarse(ms: i64) -> u32 {
    let seconds = ms.saturating_sub(EXPIRY_BASE_MS).max(0) / 1000;
    u32::try_from(seconds).unwrap_or(u32::MAX - 1).min(u32::MAX - 1)
}

#[inline]
fn write_expiry(out: &mut [u8], ms: i64) {
    let short = expiry_short(ms);
    assert_eq!(out.len(), expiry_len(Some(ms)), "the expiry keeps its form");
    out[..EXPIRY_SHORT].copy_from_slice(&short.unwrap_or(EXPIRY_ESCAPE).to_le_bytes()[..EXPIRY_SHORT]);
    if short.is_none() {
        out[EXPIRY_SHORT..].copy_from_slice(&ms.to_le_bytes());
    }
}

/// An entry about to be written.
pub(super) struct Draft<'a> {
    pub(super) type_tag: u8,
    pub(super) lru: u32,
    pub(super) expire: Option<i64>,
    pub(super) key: StoredKey<'a>,
    pub(super) value: StoredValue<'a>,
}

impl Draft<'_> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        FIXED + expiry_len(self.expire) + self.key.len() + self.value.len()
    }

    /// Writes the entry into exactly `len()` bytes.
    #[inline]
    pub(super) fn write(&self, out: &mut [u8]) {
        let key_at = FIXED + expiry_len(self.expire);
        let value_at = key_at + self.key.len();
        assert_eq!(out.len(), value_at + self.value.len(), "an entry fills its place");
        let head = &mut out[..value_at];
        match self.key {
            StoredKey::Near(key) => {
                assert!(key.len() <= KEY_INLINE_MAX);
                head[1] = key.len() as u8;
                head[key_at..].copy_from_slice(key);
            }
            StoredKey::Far { address, len } => {
                head[1] = 0;
                head[key_at..key_at + 8].copy_from_slice(&address.to_le_bytes());
                head[key_at + 8..].copy_from_slice(&len.to_le_bytes());
            }
        }
        head[0] = if matches!(self.key, StoredKey::Far { .. }) { FAR } else { 0 };
        EntryMut(head).refresh(self.type_tag, self.lru, self.expire, self.value.encoding());
        self.value.write(&mut out[value_at..]);
    }
}

/// A look at one entry.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a>(pub(super) &'a [u8]);

impl<'a> Entry<'a> {
    #[inline(always)]
    pub(super) fn type_tag(self) -> u8 {
        self.0[0] & TYPE_TAG
    }

    #[inline(always)]
    pub(super) fn is_int(self) -> bool {
        self.0[0] & ENCODING == INT
    }

    /// Whether the value is an object's address.
    #[inline(always)]
    pub(super) fn is_object(self) -> bool {
        self.0[0] & ENCODING == OBJECT
    }

    /// Whether the value is an object's bytes.
    #[inline(always)]
    pub(super) fn is_compact(self) -> bool {
        self.0[0] & ENCODING == COMPACT
    }

    /// Whether bytes that mean nothing stand behind an object's address.
    pub(super) fn is_open(self) -> bool {
        self.is_object() && self.value_at() + ADDRESS < self.0.len()
    }

    /// The address of its object.
    pub(super) fn address(self) -> Option<u64> {
        match self.value() {
            StoredValue::Object(address) => Some(address),
            _ => None,
        }
    }

    #[inline(always)]
    pub(super) fn is_timed(self) -> bool {
        self.0[0] & TIMED != 0
    }

    /// Whether something outside the leaf belongs to this entry.
    #[inline(always)]
    pub(super) fn owns(self) -> bool {
        self.0[0] & (FAR | OBJECT) != 0
    }

    #[inline]
    pub(super) fn lru(self) -> u32 {
        // Four bytes with the key's length in front: one load instead of three.
        self.0[1..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b) >> 8)
    }

    #[inline]
    pub(super) fn expire(self) -> Option<i64> {
        if !self.is_timed() {
            return None;
        }
        let short = self.short_expiry();
        if short != EXPIRY_ESCAPE {
            return Some(EXPIRY_BASE_MS + short as i64);
        }
        let mut long = [0; 8];
        long.copy_from_slice(&self.0[FIXED + EXPIRY_SHORT..FIXED + EXPIRY_LONG]);
        Some(i64::from_le_bytes(long))
    }

    #[inline]
    fn short_expiry(self) -> u64 {
        let e = &self.0[FIXED..FIXED + EXPIRY_SHORT];
        u64::from_le_bytes([e[0], e[1], e[2], e[3], e[4], 0, 0, 0])
    }

    /// Where the key begins.
    #[inline(always)]
    fn key_at(self) -> usize {
        if !self.is_timed() {
            FIXED
        } else if self.short_expiry() != EXPIRY_ESCAPE {
            FIXED + EXPIRY_SHORT
        } else {
            FIXED + EXPIRY_LONG
        }
    }

    #[inline(always)]
    pub(super) fn key(self) -> StoredKey<'a> {
        let at = self.key_at();
        if self.0[0] & FAR == 0 {
            return StoredKey::Near(&self.0[at..at + usize::from(self.0[1])]);
        }
        let (mut address, mut len) = ([0; 8], [0; 4]);
        address.copy_from_slice(&self.0[at..at + 8]);
        len.copy_from_slice(&self.0[at + 8..at + FAR_KEY]);
        StoredKey::Far { address: u64::from_le_bytes(address), len: u32::from_le_bytes(len) }
    }

    /// Where the value begins.
    #[inline(always)]
    pub(super) fn value_at(self) -> usize {
        self.key_at() + if self.0[0] & FAR == 0 { usize::from(self.0[1]) } else { FAR_KEY }
    }

    #[inline(always)]
    pub(super) fn value(self) -> StoredValue<'a> {
        let bytes = &self.0[self.value_at()..];
        match self.0[0] & ENCODING {
            BYTES => StoredValue::Bytes(bytes),
            INT => StoredValue::Int(read_int(bytes)),
            OBJECT => {
                let mut address = [0; ADDRESS];
                address.copy_from_slice(&bytes[..ADDRESS]);
                StoredValue::Object(u64::from_le_bytes(address))
            }
            _ => StoredValue::Compact(bytes),
        }
    }
}

/// One entry, open for changes that keep its length.
pub(super) struct EntryMut<'a>(pub(super) &'a mut [u8]);

impl<'a> EntryMut<'a> {
    #[inline]
    pub(super) fn set_lru(&mut self, lru: u32) {
        self.0[2..5].copy_from_slice(&lru.to_le_bytes()[..3]);
    }

    /// Rewrites everything in front of the key; the expiry must have the length it will have.
    #[inline]
    fn refresh(&mut self, type_tag: u8, lru: u32, expire: Option<i64>, encoding: u8) {
        debug_assert!(type_tag <= TYPE_TAG);
        let timed = if expire.is_some() { TIMED } else { 0 };
        self.0[0] = self.0[0] & FAR | type_tag & TYPE_TAG | timed | encoding;
        self.set_lru(lru);
        if let Some(ms) = expire {
            write_expiry(&mut self.0[FIXED..FIXED + expiry_len(expire)], ms);
        }
    }

    /// Overwrites all but the key; the caller has checked that every length stays.
    #[inline]
    pub(super) fn overwrite(mut self, type_tag: u8, lru: u32, expire: Option<i64>, value: StoredValue<'_>) {
        let at = Entry(self.0).value_at();
        self.refresh(type_tag, lru, expire, value.encoding());
        value.write(&mut self.0[at..]);
    }

    /// Puts an object's address over the first of its bytes.
    #[inline]
    pub(super) fn open(self, address: u64) {
        debug_assert!(Entry(self.0).is_compact());
        let at = Entry(self.0).value_at();
        self.0[0] = self.0[0] & !ENCODING | OBJECT;
        self.0[at..at + ADDRESS].copy_from_slice(&address.to_le_bytes());
    }

    /// Overwrites the expiry with one of the same length.
    #[inline]
    pub(super) fn set_expire(&mut self, ms: i64) {
        write_expiry(&mut self.0[FIXED..FIXED + expiry_len(Some(ms))], ms);
    }

    /// The bytes of the value.
    #[inline]
    pub(super) fn into_value(self) -> &'a mut [u8] {
        let at = Entry(self.0).value_at();
        &mut self.0[at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(expire: Option<i64>, key: StoredKey<'_>, value: StoredValue<'_>) {
        let draft = Draft { type_tag: 9, lru: 0xabcdef, expire, key, value };
        let mut bytes = vec![0xee; draft.len()];
        draft.write(&mut bytes);
        let entry = Entry(&bytes);
        assert_eq!((entry.type_tag(), entry.lru(), entry.expire()), (9, 0xabcdef, expire));
        match (entry.key(), key) {
            (StoredKey::Near(a), StoredKey::Near(b)) => assert_eq!(a, b),
            (StoredKey::Far { address: a, len: b }, StoredKey::Far { address: c, len: d }) => assert_eq!((a, b), (c, d)),
            _ => panic!("the key changed its place"),
        }
        match (entry.value(), value) {
            (StoredValue::Bytes(a), StoredValue::Bytes(b)) | (StoredValue::Compact(a), StoredValue::Compact(b)) => assert_eq!(a, b),
            (StoredValue::Int(a), StoredValue::Int(b)) => assert_eq!(a, b),
            (StoredValue::Object(a), StoredValue::Object(b)) => assert_eq!(a, b),
            _ => panic!("the value changed its form"),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let long = [7u8; KEY_INLINE_MAX];
        let times = [None, Some(0), Some(-1), Some(i64::MIN), Some(i64::MAX), Some(EXPIRY_BASE_MS - 1), Some(EXPIRY_BASE_MS),
            Some(EXPIRY_BASE_MS + EXPIRY_ESCAPE as i64 - 1), Some(EXPIRY_BASE_MS + EXPIRY_ESCAPE as i64), Some(1_800_000_000_123)];
        let ints = [0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32769, i64::from(i32::MAX), i64::from(i32::MIN) - 1, i64::MAX, i64::MIN];
        for expire in times {
            for key in [StoredKey::Near(b""), StoredKey::Near(b"k"), StoredKey::Near(&long), StoredKey::Far { address: u64::MAX, len: 9 }] {
                round_trip(expire, key, StoredValue::Bytes(b""));
                round_trip(expire, key, StoredValue::Bytes(&[3; 1024]));
                round_trip(expire, key, StoredValue::Compact(&[4; 100]));
                round_trip(expire, key, StoredValue::Object(0x1234_5678_9abc_def0));
                for n in ints {
                    round_trip(expire, key, StoredValue::Int(n));
                }
            }
        }
    }

    #[test]
    fn coarse_never_exceeds_the_real_time() {
        let mut before = 0;
        for ms in [i64::MIN, -1, 0, EXPIRY_BASE_MS, EXPIRY_BASE_MS + 999, EXPIRY_BASE_MS + 1000, 1_800_000_000_000, i64::MAX] {
            assert!(coarse(ms) >= before);
            before = coarse(ms);
        }
        assert_eq!(coarse(EXPIRY_BASE_MS + 1999), 1);
        assert_eq!(coarse(i64::MAX), u32::MAX - 1);
    }
}
