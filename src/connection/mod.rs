//! One client: its session, its unread input, its replies in order. A state machine without I/O: the core feeds it bytes
//! and takes its output; nothing here knows a socket.
//!
//! | file | what |
//! |---|---|
//! | `gauges.rs` | what its buffers hold, for CLIENT LIST |
//! | `session.rs` | who the client is: database, protocol, rights, MULTI and WATCH |
//! | `replies.rs` | the order of replies, whichever core answered |
//! | `room.rs` | how much may be under way at once |

pub mod gauges;
pub mod replies;
pub mod room;
pub mod session;

use crate::dispatch::table::Entry;
use crate::protocol::Parser;
use replies::{Replies, Ticket};
use room::Room;
use session::Session;
use shards::command::flag;
use shards::exec::PutBack;

/// Room for unread input made at first (Valkey's PROTO_IOBUF_LEN).
const INPUT_BYTES: usize = 16 << 10;
/// A client that was silent for longer is idle.
const IDLE_MS: i64 = 2000;
/// Capacity of an empty input buffer that is kept for the next request.
const KEEP_INPUT_BYTES: usize = 64 << 10;

/// Why a connection reads no further requests for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stall {
    /// A command that spans cores is under way; it ends with the reply to this ticket.
    Working(u64),
    /// A command waits for something outside (WAIT); it ends with the reply to this ticket.
    Blocked(u64),
    /// CLIENT PAUSE holds its next command.
    Paused,
    /// Enough of its replies are under way, or unread ([`room`]).
    Full,
}

/// What becomes of the connection once its output is out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It goes on.
    None,
    /// It closes when every reply is out (QUIT, protocol errors, end of file).
    AfterReplies,
    /// It closes now.
    Now,
}

/// One client.
pub struct Connection {
    /// Who it is.
    pub session: Session,
    /// Reads requests off its input.
    pub parser: Parser,
    /// Its input, from `input_at` on not yet consumed.
    input: Vec<u8>,
    input_at: usize,
    /// Its socket is not read for now.
    pub deaf: bool,
    /// The size of its replies.
    pub room: Room,
    /// Replies, in order.
    pub replies: Replies,
    /// Reads no further for now.
    pub stall: Option<Stall>,
    /// How it ends.
    pub ending: Ending,
    /// It stands in the core's list of connections to flush.
    pub dirty: bool,
    /// A send is under way: its bytes (they count against the output limit).
    pub sending_bytes: usize,
    /// When its output first passed the soft limit, milliseconds.
    pub over_soft_since_ms: Option<i64>,
    /// What was taken for it and has not left yet.
    owed: Vec<Owed>,
}

/// An answer of a blocking call that has not been handed to the kernel.
struct Owed {
    /// It is in the output once all replies before this ticket are.
    end: Ticket,
    /// What puts back what it tells.
    put_back: Box<PutBack>,
}

impl Connection {
    /// A connection just accepted.
    pub fn new(session: Session) -> Connection {
        Connection {
            session,
            parser: Parser::new(),
            input: Vec::new(),
            input_at: 0,
            deaf: false,
            room: Room::default(),
            replies: Replies::default(),
            stall: None,
            ending: Ending::None,
            dirty: false,
            sending_bytes: 0,
            over_soft_since_ms: None,
            owed: Vec::new(),
        }
    }

    /// Gives back room for input that it does not need: an idle client holds none, an active one no more than usual.
    pub fn shrink_input(&mut self, now_ms: i64) {
        let room = self.input.capacity();
        if now_ms - self.session.active_ms > IDLE_MS {
            self.input.shrink_to_fit();
        } else if self.input.is_empty() && room > 2 * INPUT_BYTES {
            self.input = Vec::with_capacity(INPUT_BYTES);
        }
    }

    /// Keeps the beginning of a request whose end has not come yet.
    pub fn keep_input(&mut self, bytes: &[u8]) {
        if self.input.capacity() == 0 && !bytes.is_empty() {
            self.input.reserve(INPUT_BYTES.max(bytes.len()));
        }
        self.input.extend_from_slice(bytes);
    }

    /// Bytes of input not yet consumed.
    #[inline]
    pub fn unread(&self) -> usize {
        self.input.len() - self.input_at
    }

    /// Makes room for the rest of a request.
    pub fn expect_input(&mut self, bytes: usize) {
        self.input.reserve(bytes);
    }

    /// Takes the input and the place from which on it is not consumed; to be put back.
    pub fn take_input(&mut self) -> (Vec<u8>, usize) {
        (std::mem::take(&mut self.input), std::mem::take(&mut self.input_at))
    }

    /// Puts the input back, of which so many bytes are consumed. They are moved away only when they are the greater part:
    /// a long pipeline of calls that stall would move its rest once for each of them.
    pub fn put_input(&mut self, mut input: Vec<u8>, consumed: usize) {
        self.input_at = consumed;
        if consumed >= input.len() - consumed {
            input.drain(..consumed);
            self.input_at = 0;
        }
        if input.is_empty() && input.capacity() > KEEP_INPUT_BYTES {
            // A big request is done: neither its bytes nor where its arguments lay are needed any more.
            input = Vec::new();
            self.parser = Parser::new();
        }
        self.input = input;
    }

    /// True if it may run its next request.
    pub fn may_read(&self) -> bool {
        self.stall.is_none() && self.ending == Ending::None
    }

    /// The newest of its replies tells what was taken for it: it goes back if the client goes first.
    pub fn owe(&mut self, put_back: Box<PutBack>) {
        self.owed.push(Owed { end: self.replies.end(), put_back });
    }

    /// Takes what can be sent, leaving `spare` in its place: it is handed to the kernel, and nothing of it comes back.
    pub fn take_output(&mut self, spare: Vec<u8>) -> Vec<u8> {
        let (owed, front) = (&mut self.owed, self.replies.front());
        owed.retain(|owed| owed.end > front);
        self.replies.take(spare)
    }

    /// What must go back when the client is gone, in the order in which it is put back: the last taken first.
    pub fn take_owed(&mut self) -> impl Iterator<Item = Box<PutBack>> {
        std::mem::take(&mut self.owed).into_iter().rev().map(|owed| owed.put_back)
    }

    /// True if its last command waits for keys, or is on its way to where it may.
    pub fn waits_for_keys(&self) -> bool {
        let may_wait = |entry: &Entry| entry.is(flag::BLOCKING) && entry.engine().is_some();
        matches!(self.stall, Some(Stall::Working(_))) && self.session.last.is_some_and(may_wait)
    }

    /// Bytes waiting to reach the client.
    pub fn output_bytes(&self) -> usize {
        self.replies.bytes() + self.sending_bytes
    }

    /// Bytes this client holds, for CLIENT LIST.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Connection>()
            + self.input.capacity()
            + self.parser.memory_bytes()
            + self.replies.memory_bytes()
            + self.session.memory_bytes()
    }
}
