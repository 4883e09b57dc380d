//! The id of an entry: a time in milliseconds and a number that tells entries of one millisecond apart.

use crate::stdx::number::{fill_u64, write_u64};

/// The longest text of an id: twenty digits, a dash, twenty digits.
pub const TEXT_MAX: usize = 41;

/// The id of an entry. Ids are ordered by time, then number.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId {
    /// Milliseconds.
    pub ms: u64,
    /// Number within them.
    pub seq: u64,
}

impl StreamId {
    /// The smallest id, which no entry has.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The largest id.
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// An id.
    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// The next larger one; none after the largest.
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => self.ms.checked_add(1).map(|ms| StreamId { ms, seq: 0 }),
        }
    }

    /// The next smaller one; none before the smallest.
    pub fn prev(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => self.ms.checked_sub(1).map(|ms| StreamId { ms, seq: u64::MAX }),
        }
    }

    /// True for 0-0, which stands for "none" in several places.
    pub fn is_zero(self) -> bool {
        self == StreamId::MIN
    }

    /// Appends its text, `ms-seq`.
    pub fn write(self, out: &mut Vec<u8>) {
        write_u64(out, self.ms);
        out.push(b'-');
        write_u64(out, self.seq);
    }

    /// Its text, spelt into `room`.
    pub fn text(self, room: &mut [u8; TEXT_MAX]) -> &[u8] {
        let mut at = TEXT_MAX;
        for (part, dash) in [(self.seq, true), (self.ms, false)] {
            let mut digits = [0; 20];
            let from = fill_u64(&mut digits, part);
            let start = at - (20 - from);
            room[start..at].copy_from_slice(&digits[from..]);
            at = start;
            if dash {
                at -= 1;
                room[at] = b'-';
            }
        }
        &room[at..]
    }

    /// Its bytes with the highest first, so that they are ordered as the ids are (as RDB and Valkey's tree have them).
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.ms.to_be_bytes());
        bytes[8..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }
}

impl std::fmt::Debug for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}
