//! One connection of the load.
//!
//! Requests are appended to one output buffer and sent with one write; replies are skimmed straight from the thread's
//! read buffer, so a connection holds no input. What reply answers what request is a queue of `Waiting`: replies come
//! in the order of requests. Requests of a batch that share command, due time and key need only one entry with a
//! count, so a plain pipeline of 64 GETs is one entry and one histogram update.
//!
//! Invariant: the counts in `waiting` add up to `in_flight`.

use crate::catalogue::Workload;
use crate::load::schedule::Clock;
use crate::load::tally::Tally;
use crate::reply::{ProtocolError, Skimmer};
use crate::sys::Poller;
use crate::target::Socket;
use crate::template::{Draw, Values};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;

/// The key of a request whose reply is not compared; key numbers have twelve digits.
const UNCHECKED: u64 = u64::MAX;

/// Requests sent, alike in all that matters for their replies.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    command: u32,
    count: u32,
    /// Latency counts from here.
    due_ns: u64,
    /// The key of a checked read, else `UNCHECKED`.
    key: u64,
    recorded: bool,
}

/// One connection: its socket and what is under way on it.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    token: u64,
    draw: Draw,
    out: Vec<u8>,
    sent: usize,
    waits_for_room: bool,
    waiting: VecDeque<Waiting>,
    in_flight: usize,
    skimmer: Skimmer,
}

impl Client {
    /// A greeted connection; `token` names it to the poller, `verify` checks values that were read.
    pub fn new(socket: Socket, token: u64, draw: Draw, verify: bool) -> Client {
        Client {
            socket,
            token,
            draw,
            out: Vec::new(),
            sent: 0,
            waits_for_room: false,
            waiting: VecDeque::new(),
            in_flight: 0,
            skimmer: Skimmer::new(verify),
        }
    }

    /// Requests whose replies have not come.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Starts watching for replies.
    pub fn watch(&self, poller: &Poller) -> io::Result<()> {
        poller.watch(self.socket.as_fd(), self.token)
    }

    /// Appends one request, due at `due_ns`.
    #[inline]
    pub fn push(&mut self, load: &Workload, due_ns: u64, recorded: bool) {
        let command = load.pick(&mut self.draw.rng);
        let template = &load.commands[command];
        let drawn = template.render(&mut self.out, &mut self.draw);
        let key = if template.reads_checked() { drawn } else { UNCHECKED };
        self.in_flight += 1;
        let command = command as u32;
        if let Some(last) = self.waiting.back_mut()
            && (last.command, last.due_ns, last.recorded, last.key) == (command, due_ns, recorded, key)
        {
            last.count += 1;
            return;
        }
        self.waiting.push_back(Waiting { command, count: 1, due_ns, key, recorded });
    }

    /// Sends what was appended, as much of it as the socket takes; asks the poller for room if some is left.
    pub fn flush(&mut self, poller: &Poller, tally: &mut Tally) -> io::Result<()> {
        while self.sent < self.out.len() {
            match self.socket.write(&self.out[self.sent..]) {
                Ok(n) => {
                    self.sent += n;
                    tally.sent_bytes += n as u64;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if !self.waits_for_room {
                        self.waits_for_room = true;
                        poller.watch_room(self.socket.as_fd(), self.token, true)?;
                    }
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
        }
        self.out.clear();
        self.sent = 0;
        if self.waits_for_room {
            self.waits_for_room = false;
            poller.watch_room(self.socket.as_fd(), self.token, false)?;
        }
        Ok(())
    }

    /// Reads once and records the replies that came. Gives the time after the read: latency ends there.
    pub fn receive(&mut self, buffer: &mut [u8], tally: &mut Tally, clock: &Clock) -> io::Result<u64> {
        let n = match self.socket.read(buffer) {
            Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
            Ok(n) => n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(e) => return Err(e),
        };
        tally.received_bytes += n as u64;
        let now_ns = clock.now_ns();
        self.skim(&buffer[..n], now_ns, tally).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?;
        Ok(now_ns)
    }

    fn skim(&mut self, bytes: &[u8], now_ns: u64, tally: &mut Tally) -> Result<(), String> {
        let (waiting, values) = (&mut self.waiting, self.draw.values());
        let (mut replies, mut surplus) = (0usize, false);
        // Replies to the front entry that have come in this read and are recorded together.
        let mut of_front = 0u32;
        let fed: Result<(), ProtocolError> = self.skimmer.feed(bytes, |reply| {
            let Some(front) = waiting.front() else {
                surplus = true;
                return;
            };
            replies += 1;
            of_front += 1;
            if front.recorded && (reply.error.is_some() || reply.string.is_some()) {
                let command = &mut tally.commands[front.command as usize];
                match reply.error {
                    Some(text) => command.record_error(text),
                    None => command.mismatches += u64::from(differs(front, reply.string, values)),
                }
            }
            if of_front == front.count {
                settle(front, of_front, now_ns, tally);
                waiting.pop_front();
                of_front = 0;
            }
        });
        if of_front > 0 {
            let front = waiting.front_mut().expect("counted replies belong to it");
            settle(front, of_front, now_ns, tally);
            front.count -= of_front;
        }
        self.in_flight -= replies;
        tally.replies += replies as u64;
        fed.map_err(|e| e.to_string())?;
        if surplus { Err("a reply came that answers no request".into()) } else { Ok(()) }
    }
}

/// Records `n` replies to `front`.
fn settle(front: &Waiting, n: u32, now_ns: u64, tally: &mut Tally) {
    if front.recorded {
        tally.commands[front.command as usize].record(now_ns.saturating_sub(front.due_ns), u64::from(n));
        tally.last_reply_ns = now_ns;
    }
}

/// True if a checked read gave a string that was never written; nil is a key not written yet.
fn differs(front: &Waiting, string: Option<&[u8]>, values: &Values) -> bool {
    string.is_some_and(|got| front.key != UNCHECKED && got != values.of_key(front.key))
}
