//! The border between a core and the world: what can happen ([`Event`]) and what a core may ask for ([`Io`]).
//!
//! A core's loop is a plain state machine: it takes a batch of events, reacts, and asks for receives and sends. Everything that
//! touches the kernel hides behind [`Io`], so the same loop runs on io_uring ([`super::uring::UringIo`]) and inside a
//! simulator that makes up the whole network from a seed ([`super::sim`]). The trait is used by static dispatch only.
//!
//! Input arrives as [`Chunk`]s: at most one per connection at a time, in a buffer that belongs to the runtime. Nothing more is
//! received on that connection until the chunk is released; that bound is what keeps a flooding client from starving its
//! neighbours, and not releasing (or pausing) is the whole of back-pressure. Output goes the other way as one `Vec<u8>` at a
//! time, handed over by [`Io::send`] and handed back by [`Event::Sent`] for reuse.
//!
//! Invariants: no poll after [`Io::close`] brings an event of that connection (but those in the batch at hand may still name
//! it: look before believing); a [`ConnId`] whose connection is gone is ignored by every call; every chunk is released exactly
//! once, also those of closed connections.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

/// Name of a connection on the core that adopted it: its place in the core's table and how often that place was reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnId(pub u64);

impl ConnId {
    /// Packs a place and its generation.
    #[inline]
    pub fn new(index: u32, generation: u32) -> ConnId {
        ConnId(u64::from(generation) << 32 | u64::from(index))
    }

    /// The place in the core's table: small and dense, fit to index a table of one's own.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as u32 as usize
    }

    /// How often the place had been used before this connection took it.
    #[inline]
    pub fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A received piece of input, lying in one of the runtime's buffers until it is released.
#[derive(Debug)]
#[must_use = "a chunk that is not released keeps its buffer, and its connection receives nothing more"]
pub struct Chunk {
    pub(super) conn: ConnId,
    pub(super) buffer: u32,
    pub(super) len: u32,
}

impl Chunk {
    /// The connection it came from.
    pub fn conn(&self) -> ConnId {
        self.conn
    }

    /// Bytes received; never 0.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Always false: an empty receive is [`Event::Closed`], not a chunk.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Why nothing more will be received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The peer ended its side; we may still send.
    EndOfFile,
    /// The connection broke: this errno (`ECONNRESET`, `ETIMEDOUT`, ...).
    Error(i32),
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A listener accepted a connection. It does nothing until some core adopts it.
    Accepted {
        /// As named in [`Io::listen`].
        listener: usize,
        /// The connected socket.
        fd: OwnedFd,
    },
    /// A listener could not accept (descriptors or memory exhausted) and tries again by itself in a while.
    AcceptPaused {
        /// As named in [`Io::listen`].
        listener: usize,
        /// Usually `EMFILE`.
        errno: i32,
    },
    /// Input arrived.
    Received {
        /// From whom.
        conn: ConnId,
        /// The bytes; release it.
        chunk: Chunk,
    },
    /// Input arrived straight into the buffer given to [`Io::receive_into`]. Nothing more is received until the owner says how
    /// to go on: [`Io::receive_into`] again, or [`Io::resume_receive`].
    Filled {
        /// From whom.
        conn: ConnId,
        /// The buffer, longer by `received`.
        buffer: Vec<u8>,
        /// How many bytes were appended; 0 if the connection ended, [`Event::Closed`] follows.
        received: usize,
    },
    /// Nothing more will be received. The connection stays until [`Io::close`].
    Closed {
        /// Which connection.
        conn: ConnId,
        /// Ended or broken.
        reason: CloseReason,
    },
    /// The whole buffer was handed to the kernel, or sending failed.
    Sent {
        /// Which connection.
        conn: ConnId,
        /// The buffer, as it was given, for reuse.
        buffer: Vec<u8>,
        /// The errno if it failed: the connection is of no use any more, close it.
        result: Result<(), i32>,
    },
    /// Another core called [`Io::wake`], or a thread the [`Waker`]. Once per poll, however many called.
    Woken,
    /// A file operation ended.
    FileDone {
        /// As given when it began.
        token: u64,
        /// The bytes written, or why not. After an error an unknown part may have been written.
        result: io::Result<usize>,
        /// The buffer, as it was given.
        buffer: Vec<u8>,
    },
}

/// One end of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// TCP over IPv4 or IPv6.
    Tcp(SocketAddr),
    /// A unix socket; empty if the end has no name.
    Unix(Vec<u8>),
    /// The kernel does not know (any more).
    Unknown,
}

/// `ip:port`, `[ip6]:port`, `path:0`, or `?:0`, as CLIENT LIST shows them.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => match address.ip() {
                std::net::IpAddr::V4(ip) => write!(f, "{ip}:{}", address.port()),
                std::net::IpAddr::V6(ip) => write!(f, "[{ip}]:{}", address.port()),
            },
            Address::Unix(path) => write!(f, "{}:0", String::from_utf8_lossy(path)),
            Address::Unknown => f.write_str("?:0"),
        }
    }
}

/// Both ends of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addresses {
    /// Theirs.
    pub peer: Address,
    /// Ours.
    pub local: Address,
}

/// A write on the core's own ring.
#[derive(Debug)]
pub struct FileWrite {
    /// Comes back in [`Event::FileDone`].
    pub token: u64,
    /// Kept open until the end.
    pub file: Rc<File>,
    /// What to write; empty only to sync.
    pub buffer: Vec<u8>,
    /// Where; `None`: at the file's own position (its end, if it was opened to append).
    pub offset: Option<u64>,
    /// Whether `fdatasync` follows and has to succeed too.
    pub sync: bool,
}

/// What a core may ask of its runtime.
pub trait Io {
    /// Appends what has happened to `events`; never waits.
    fn poll(&mut self, events: &mut Vec<Event>);

    /// The bytes of a chunk.
    fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8];

    /// Gives a chunk's buffer back. Its connection, unless paused, receives again. Works after the connection was closed, too.
    fn release(&mut self, chunk: Chunk);

    /// Accepts connections from a listening socket, each reported as [`Event::Accepted`] with this number. When descriptors or
    /// memory run out accepting pauses and resumes by itself.
    fn listen(&mut self, listener: usize, fd: OwnedFd);

    /// Stops accepting and closes that listening socket.
    fn stop_listening(&mut self, listener: usize);

    /// Takes over a connected socket, accepted here or handed over by another core, and begins to receive.
    fn adopt(&mut self, fd: OwnedFd) -> ConnId;

    /// Receives nothing more after what is already under way: one more chunk may arrive.
    fn pause_receive(&mut self, conn: ConnId);

    /// Receives again.
    fn resume_receive(&mut self, conn: ConnId);

    /// The next receive that begins appends to the spare capacity of this buffer, without a copy, and ends as
    /// [`Event::Filled`]. A chunk may still arrive before it; the caller keeps the order by asking while it holds a chunk. On a
    /// connection that has ended the buffer is freed with it.
    fn receive_into(&mut self, conn: ConnId, buffer: Vec<u8>);

    /// Sends the whole buffer; [`Event::Sent`] gives it back. At most one per connection at a time.
    fn send(&mut self, conn: ConnId, buffer: Vec<u8>);

    /// Whether a send is under way.
    fn is_sending(&self, conn: ConnId) -> bool;

    /// Ends our side after what was sent: the peer sees an end of file.
    fn shutdown_write(&mut self, conn: ConnId);

    /// Ends the connection, cancelling what is under way. No event about it follows.
    fn close(&mut self, conn: ConnId);

    /// Both addresses, as the kernel knows them now.
    fn addresses(&self, conn: ConnId) -> Addresses;

    /// The file descriptor's number, for CLIENT LIST; -1 if the connection is gone.
    fn fd_number(&self, conn: ConnId) -> i32;

    /// Makes a sleeping core return from [`Io::wait`] with [`Event::Woken`]. Goes out with the next submit.
    fn wake(&mut self, core: usize);

    /// What other threads use to wake this core.
    fn waker(&self) -> Waker;

    /// Starts a write, and a sync if asked for, on the core's own ring.
    fn write_file(&mut self, write: FileWrite);

    /// Time that only goes forward, from an arbitrary start.
    fn monotonic(&self) -> Duration;

    /// Time since 1970, as the clock on the wall has it: it may jump.
    fn unix_time(&self) -> Duration;

    /// Hands to the kernel what was asked for since the last time. Costs nothing if there is nothing.
    fn submit(&mut self);

    /// As [`Io::submit`], then sleeps until something happened or the time is over.
    fn wait(&mut self, timeout: Option<Duration>);

    /// Looks for completions, and asks `also`, without sleeping and without system calls, for at most `limit`. True as soon as
    /// there is something to do.
    fn spin(&mut self, limit: Duration, also: &mut dyn FnMut() -> bool) -> bool;

    /// Whether a poll (after a submit) would find something.
    fn has_work(&mut self) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_id_gives_back_what_was_packed() {
        let id = ConnId::new(7, 0xffff_fff0);
        assert_eq!((id.index(), id.generation()), (7, 0xffff_fff0));
        assert_ne!(id, ConnId::new(7, 0xffff_fff1));
    }

    #[test]
    fn addresses_print_as_in_client_list() {
        let print = |text: &str| Address::Tcp(text.parse().unwrap()).to_string();
        assert_eq!(print("127.0.0.1:80"), "127.0.0.1:80");
        assert_eq!(print("[::1]:80"), "[::1]:80");
        assert_eq!(Address::Unix(b"/tmp/s".to_vec()).to_string(), "/tmp/s:0");
        assert_eq!(Address::Unknown.to_string(), "?:0");
    }
}
