//! What cores say to each other.
//!
//! The traffic of pipelines is two kinds of batch: *calls* for the core that owns their keys, and *replies* back; *pushes*
//! (`push.rs`) are a third, and go behind the other two. A batch
//! is one buffer a peer and turn, so a call costs a header and its bytes, not an allocation; buffers are reused by whoever
//! received them. Everything rarer is a message of its own.
//!
//! ```text
//! call:  [len u32][entry u16][flags u8][db u8][conn u64][ticket u64][argc u32][arg len u32 x argc][arg bytes]
//! reply: [len u32][conn u64][ticket u64][bytes]
//! ```
//!
//! Lengths count the whole record. Numbers are in the machine's own order: both ends are one process.

use super::query::{Question, Report};
use super::script::borrow::ScriptMessage;
use super::track::Notice;
use crate::stats::slowlog::SlowCall;
use crate::coordinator::messages::{Answer, Request};
use crate::dispatch::table::{Entry, table};
use crate::runtime::ConnId;
use shards::args::{Args, Span};
use shards::exec::PutBack;
use shards::reply::Resp;
use std::os::fd::OwnedFd;

/// A message from one core to another.
pub enum Message {
    /// A batch of calls.
    Calls(Vec<u8>),
    /// A batch of replies.
    Replies(Vec<u8>),
    /// A batch of pushes ([`super::push`]).
    Pushes(Vec<u8>),
    /// What clients that keep copies are to be told; behind the replies of the same turn.
    Notices(Vec<Notice>),
    /// The sender's shard was emptied, so many times by now.
    Flushed {
        /// How many.
        count: u64,
    },
    /// A connection to adopt.
    Adopt {
        /// The socket.
        fd: OwnedFd,
        /// It came through a unix socket.
        unix: bool,
    },
    /// A coordinator asks a shard.
    Request(Box<Request>),
    /// A shard answers a coordinator.
    Answer(Box<Answer>),
    /// Asks a core for something; answered by `Reported`.
    Ask {
        /// Who asks.
        gather: u64,
        /// What.
        question: Question,
    },
    /// The answer to `Ask`.
    Reported {
        /// Who asked.
        gather: u64,
        /// The answer.
        report: Report,
    },
    /// Something to do, without an answer.
    Tell(Question),
    /// A call of this core's client was slow over there: it is logged where the client is known.
    Slow {
        /// The client.
        conn: ConnId,
        /// The call.
        call: Box<SlowCall>,
    },
    /// Accept TCP connections from these sockets, and from the former ones no more.
    Listen(Vec<OwnedFd>),
    /// A shard has something for a call that waits on several.
    Offer {
        /// The call's number.
        wait: u64,
    },
    /// The answer of a blocking call that took something.
    Popped {
        /// The client.
        conn: ConnId,
        /// Where it belongs.
        ticket: u64,
        /// The answer.
        reply: Vec<u8>,
        /// What puts back what it tells, should the client be gone.
        put_back: Box<PutBack>,
    },
    /// A client was gone before it was told what was taken for it.
    PutBack(Box<PutBack>),
    /// About a script.
    Script(Box<ScriptMessage>),
    /// Ends the core's loop.
    Stop,
}

/// A call in a batch.
#[derive(Clone, Copy, Debug)]
pub struct CallHeader {
    /// The command.
    pub entry: &'static Entry,
    /// Database.
    pub db: u32,
    /// Protocol of the reply.
    pub resp: Resp,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// CLIENT IMPORT-SOURCE: it finds keys whose time is over, while `import-mode` keeps them.
    pub sees_expired: bool,
    /// The client tracks what it reads.
    pub tracks: bool,
    /// The client, on the core that sent the batch.
    pub conn: ConnId,
    /// Where its reply belongs.
    pub ticket: u64,
}

const CALL_HEADER: usize = 4 + 2 + 1 + 1 + 8 + 8 + 4;
/// Bytes of a reply's record before the reply itself.
pub const REPLY_HEADER: usize = 4 + 8 + 8;
const FLAG_RESP3: u8 = 1;
const FLAG_NO_TOUCH: u8 = 2;
const FLAG_SEES_EXPIRED: u8 = 4;
const FLAG_TRACKS: u8 = 8;

/// Appends a call to a batch.
#[inline]
pub fn push_call(batch: &mut Vec<u8>, header: &CallHeader, argv: Args<'_>) {
    let start = batch.len();
    let bytes: usize = argv.iter().map(<[u8]>::len).sum();
    let len = CALL_HEADER + 4 * argv.len() + bytes;
    assert!(len <= u32::MAX as usize, "a request stays below 4 GiB");
    batch.reserve(len);
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let flags = flag(header.resp == Resp::V3, FLAG_RESP3)
        | flag(header.no_touch, FLAG_NO_TOUCH)
        | flag(header.sees_expired, FLAG_SEES_EXPIRED)
        | flag(header.tracks, FLAG_TRACKS);
    let mut head = [0u8; CALL_HEADER];
    head[0..4].copy_from_slice(&(len as u32).to_ne_bytes());
    head[4..6].copy_from_slice(&header.entry.id.to_ne_bytes());
    head[6] = flags;
    head[7] = u8::try_from(header.db).expect("databases in messages are numbered up to 255");
    head[8..16].copy_from_slice(&header.conn.0.to_ne_bytes());
    head[16..24].copy_from_slice(&header.ticket.to_ne_bytes());
    head[24..28].copy_from_slice(&(argv.len() as u32).to_ne_bytes());
    batch.extend_from_slice(&head);
    for arg in argv.iter() {
        batch.extend_from_slice(&(arg.len() as u32).to_ne_bytes());
    }
    for arg in argv.iter() {
        batch.extend_from_slice(arg);
    }
    debug_assert_eq!(batch.len() - start, len);
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[inline]
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Reads the call at `at`, appending its spans (relative to the batch); its header and where the next one begins.
#[inline]
pub fn read_call(batch: &[u8], at: usize, spans: &mut Vec<Span>) -> (CallHeader, usize) {
    let head = &batch[at..at + CALL_HEADER];
    let len = u32_at(head, 0) as usize;
    let argc = u32_at(head, 24) as usize;
    let lens = at + CALL_HEADER;
    let mut start = lens + 4 * argc;
    for i in 0..argc {
        let arg_len = u32_at(batch, lens + 4 * i) as usize;
        spans.push(Span::new(start, arg_len));
        start += arg_len;
    }
    debug_assert_eq!(start, at + len);
    let header = header_of(head);
    (header, at + len)
}

/// The header of the call at `at`, without its arguments.
#[inline]
pub fn read_header(batch: &[u8], at: usize) -> CallHeader {
    header_of(&batch[at..at + CALL_HEADER])
}

/// The database of the call at `at`.
#[inline]
pub fn read_db(batch: &[u8], at: usize) -> u32 {
    u32::from(batch[at + 7])
}

#[inline]
fn header_of(head: &[u8]) -> CallHeader {
    CallHeader {
        entry: table().get(u16::from_ne_bytes([head[4], head[5]])),
        db: u32::from(head[7]),
        resp: if head[6] & FLAG_RESP3 != 0 { Resp::V3 } else { Resp::V2 },
        no_touch: head[6] & FLAG_NO_TOUCH != 0,
        sees_expired: head[6] & FLAG_SEES_EXPIRED != 0,
        tracks: head[6] & FLAG_TRACKS != 0,
        conn: ConnId(u64_at(head, 8)),
        ticket: u64_at(head, 16),
    }
}

/// Appends a reply to a batch; `write` writes its bytes straight into it.
#[inline]
pub fn push_reply<R>(batch: &mut Vec<u8>, conn: ConnId, ticket: u64, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let start = batch.len();
    let mut head = [0u8; REPLY_HEADER];
    head[4..12].copy_from_slice(&conn.0.to_ne_bytes());
    head[12..20].copy_from_slice(&ticket.to_ne_bytes());
    batch.extend_from_slice(&head);
    let result = write(batch);
    let len = batch.len() - start;
    assert!(len <= u32::MAX as usize, "a reply stays below 4 GiB");
    batch[start..start + 4].copy_from_slice(&(len as u32).to_ne_bytes());
    result
}

/// Reads the reply at `at`: client, ticket, bytes, and where the next one begins.
#[inline]
pub fn read_reply(batch: &[u8], at: usize) -> (ConnId, u64, &[u8], usize) {
    let head = &batch[at..at + REPLY_HEADER];
    let end = at + u32_at(head, 0) as usize;
    (ConnId(u64_at(head, 4)), u64_at(head, 12), &batch[at + REPLY_HEADER..end], end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_replies_survive_the_way() {
        let get = table().find(b"get").unwrap();
        let text = b"getkey";
        let spans = [Span::new(0, 3), Span::new(3, 3)];
        let header = CallHeader {
            entry: get,
            db: 9,
            resp: Resp::V3,
            no_touch: true,
            sees_expired: true,
            tracks: true,
            conn: ConnId::new(7, 3),
            ticket: 1 << 40,
        };
        let mut batch = vec![];
        push_call(&mut batch, &header, Args::new(text, &spans));
        push_call(&mut batch, &CallHeader { ticket: 2, ..header }, Args::new(text, &spans));
        let mut found = vec![];
        let (h, next) = read_call(&batch, 0, &mut found);
        assert_eq!((h.entry.id, h.db, h.resp, h.conn, h.ticket), (get.id, 9, Resp::V3, header.conn, 1 << 40));
        assert!(h.no_touch && h.sees_expired && h.tracks);
        assert_eq!(Args::new(&batch, &found).iter().collect::<Vec<_>>(), [&b"get"[..], b"key"]);
        let (h, end) = read_call(&batch, next, &mut found);
        assert_eq!((h.ticket, end), (2, batch.len()));
        let mut replies = vec![];
        push_reply(&mut replies, header.conn, 5, |o| o.extend_from_slice(b"+OK\r\n"));
        push_reply(&mut replies, header.conn, 6, |o| o.extend_from_slice(b""));
        let (conn, ticket, bytes, next) = read_reply(&replies, 0);
        assert_eq!((conn, ticket, bytes), (header.conn, 5, &b"+OK\r\n"[..]));
        let (_, ticket, bytes, end) = read_reply(&replies, next);
        assert_eq!((ticket, bytes, end), (6, &b""[..], replies.len()));
    }
}
