//! Messages and confirmations as bytes.
//!
//! They are written in RESP3's form, as pushes (`>`); for RESP2 the first byte becomes `*` and nothing else changes, save
//! that a missing channel is `$-1` there and `_` here.

use super::Kind;
use shards::reply::{Reply, Resp};

/// Room to write frames in.
#[derive(Default)]
pub struct Scratch {
    frame: Vec<u8>,
    tail: Vec<u8>,
}

/// Room larger than this is given back.
const KEEP_BYTES: usize = 64 << 10;

impl Scratch {
    /// The frame of a message to subscribers of its channel.
    pub fn message(&mut self, kind: Kind, channel: &[u8], payload: &[u8]) -> &[u8] {
        self.clear();
        let mut frame = Reply::new(&mut self.frame, Resp::V3);
        frame.push(3);
        frame.bulk(if kind == Kind::Shard { b"smessage" } else { b"message" });
        frame.bulk(channel);
        frame.bulk(payload);
        &self.frame
    }

    /// Prepares the part of a message that is the same for all patterns.
    pub fn begin_pattern_messages(&mut self, channel: &[u8], payload: &[u8]) {
        self.clear();
        let mut tail = Reply::new(&mut self.tail, Resp::V3);
        tail.bulk(channel);
        tail.bulk(payload);
    }

    /// The frame of that message to subscribers of a pattern.
    #[inline]
    pub fn pattern_message(&mut self, pattern: &[u8]) -> &[u8] {
        self.frame.clear();
        self.frame.extend_from_slice(b">4\r\n$8\r\npmessage\r\n");
        Reply::new(&mut self.frame, Resp::V3).bulk(pattern);
        self.frame.extend_from_slice(&self.tail);
        &self.frame
    }

    fn clear(&mut self) {
        for room in [&mut self.frame, &mut self.tail] {
            room.clear();
            room.shrink_to(KEEP_BYTES);
        }
    }
}

/// Appends the confirmation that a client began (or ceased) to listen to something, or had nothing to leave.
pub fn confirm(out: &mut Vec<u8>, resp: Resp, kind: Kind, joins: bool, name: Option<&[u8]>, count: usize) {
    let verb: &[u8] = match (kind, joins) {
        (Kind::Channel, true) => b"subscribe",
        (Kind::Channel, false) => b"unsubscribe",
        (Kind::Pattern, true) => b"psubscribe",
        (Kind::Pattern, false) => b"punsubscribe",
        (Kind::Shard, true) => b"ssubscribe",
        (Kind::Shard, false) => b"sunsubscribe",
    };
    let mut reply = Reply::new(out, resp);
    reply.push(3);
    reply.bulk(verb);
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    reply.int(count as i64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_form_subscribers_know() {
        let mut room = Scratch::default();
        assert_eq!(room.message(Kind::Channel, b"c", b"hi"), b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n");
        assert_eq!(room.message(Kind::Shard, b"c", b""), b">3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$0\r\n\r\n");
        room.begin_pattern_messages(b"c", b"hi");
        assert_eq!(room.pattern_message(b"?"), b">4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\nc\r\n$2\r\nhi\r\n");
        assert_eq!(room.pattern_message(b"*"), b">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$2\r\nhi\r\n");
    }

    #[test]
    fn a_confirmation_without_a_channel_is_null() {
        let mut out = Vec::new();
        confirm(&mut out, Resp::V2, Kind::Channel, false, None, 0);
        confirm(&mut out, Resp::V3, Kind::Pattern, true, Some(b"a"), 7);
        assert_eq!(out, b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n>3\r\n$10\r\npsubscribe\r\n$1\r\na\r\n:7\r\n");
    }
}
