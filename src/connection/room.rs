//! How much of a connection's work may be under way at once.
//!
//! A few bytes of requests can ask for gigabytes of replies. Those made on this core show at once in the output; those of
//! other cores only when they arrive, and by then a thousand calls may have been sent out. So a connection is *full*, and
//! runs no further request for now, when
//!
//! - its replies under way, guessed from the size of the last ones, would pass [`UNDER_WAY_BYTES`], or are
//!   [`UNDER_WAY_MAX`]; or
//! - its unread output passes a limit, where no `client-output-buffer-limit` closes it instead.
//!
//! It goes on when half of that is gone. Its input is still read meanwhile: a client that writes its whole pipeline before
//! it reads must not wait for a server that waits for it.

use super::Connection;

/// Bytes of replies of other cores that may be under way.
const UNDER_WAY_BYTES: usize = 8 << 20;
/// Replies of other cores that may be under way, however small.
const UNDER_WAY_MAX: usize = 128;
/// Replies of other cores that may be under way, however large.
const UNDER_WAY_MIN: usize = 4;

/// What a connection knows of the size of its replies.
#[derive(Default, Debug)]
pub struct Room {
    /// Bytes of a reply of another core: rises fast, falls slowly.
    reply_bytes: usize,
}

impl Room {
    /// A reply of another core has come.
    #[inline]
    pub fn learn(&mut self, bytes: usize) {
        if bytes > self.reply_bytes {
            self.reply_bytes += (bytes - self.reply_bytes).div_ceil(2);
        } else {
            self.reply_bytes -= (self.reply_bytes - bytes) / 8;
        }
    }

    #[inline]
    fn is_full(&self, under_way: usize) -> bool {
        under_way >= UNDER_WAY_MAX
            || under_way >= UNDER_WAY_MIN && under_way.saturating_mul(self.reply_bytes) >= UNDER_WAY_BYTES
    }
}

impl Connection {
    /// True if it runs no further request for now; `unread_max` is what its output may hold.
    #[inline]
    pub fn is_full(&self, unread_max: usize) -> bool {
        self.room.is_full(self.replies.missing()) || self.output_bytes() >= unread_max
    }

    /// True if it was full and may go on.
    pub fn has_room_again(&self, unread_max: usize) -> bool {
        !self.room.is_full(2 * self.replies.missing()) && self.output_bytes() < unread_max / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_replies_may_be_under_way_and_few_large_ones() {
        let mut room = Room::default();
        assert!(!room.is_full(UNDER_WAY_MAX - 1) && room.is_full(UNDER_WAY_MAX));
        for _ in 0..8 {
            room.learn(1 << 20);
        }
        assert!(room.is_full(9) && !room.is_full(3), "eight of a MiB each are enough");
        room.learn(1 << 30);
        assert!(room.is_full(UNDER_WAY_MIN) && !room.is_full(UNDER_WAY_MIN - 1));
        for _ in 0..200 {
            room.learn(5);
        }
        assert!(!room.is_full(UNDER_WAY_MAX - 1), "large ones are forgotten");
    }
}
