//! A world without a kernel: sockets, wake-ups and clock made up from a seed, for whole cores in one thread.
//!
//! A [`Sim`] owns the world; each core gets its [`SimIo`] (an [`super::io::Io`]), each client is a [`SimPeer`]. The test drives: [`Sim::step`] says whose
//! turn it is (a random one of those that have something to do, or, when nobody has, the one whose time-out comes first:
//! then the clock jumps there), the test runs one turn of that core, and a core's `wait` returns at once.
//!
//! ```text
//! while let Some(core) = sim.step() { cores[core].turn(); }
//! ```
//!
//! What the kernel may do, this does, and more often: input is cut at any point, also into single bytes; sends and file writes
//! complete late; events of different connections come in any order; a peer that does not read stalls a send; requests that
//! were never submitted never complete, so a core that forgets to submit hangs here visibly. The same seed gives the same run.
//!
//! Files are real ones, written and synced at the moment their operation completes; [`Faults`] can make them fail.
//!
//! Invariant: nothing depends on addresses, real time or hashing order, only on the seed and on what the test does.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::time::Duration;

use super::connections::{Connections, Receive};
use super::io::{CloseReason, ConnId, Event, FileWrite};
use super::sim_io::SimIo;

/// What a peer's kernel holds for a reader that does not read.
const WINDOW_BYTES: usize = 64 * 1024;

/// How unkind the world is, in chances of a thousand at each opportunity.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Something that could complete does not yet.
    pub delay: u32,
    /// A piece of input or output is cut short at a random point.
    pub split: u32,
    /// A connection is reset.
    pub reset: u32,
    /// A file operation fails with ENOSPC.
    pub file_error: u32,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults { delay: 300, split: 300, reset: 0, file_error: 0 }
    }
}

/// The seed's stream of numbers (splitmix64).
#[derive(Debug)]
pub(super) struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        assert!(limit > 0, "a range has numbers");
        (self.next() % limit as u64) as usize
    }

    pub(super) fn chance(&mut self, of_thousand: u32) -> bool {
        self.below(1000) < of_thousand as usize
    }

    /// How much of `len` bytes goes through now: all, a part, or often a single byte.
    fn cut(&mut self, len: usize, split: u32) -> usize {
        match self.chance(split) {
            false => len,
            true if self.chance(500) => 1,
            true => 1 + self.below(len),
        }
    }
}

/// Both directions of one connection.
#[derive(Debug, Default)]
pub(super) struct Socket {
    pub to_server: VecDeque<u8>,
    pub to_server_ended: bool,
    pub to_client: VecDeque<u8>,
    pub to_client_ended: bool,
    pub window: usize,
    pub reset: bool,
    pub peer: u16,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum State {
    Running,
    Waiting { deadline: Option<Duration> },
}

/// What the world knows of a core.
#[derive(Debug)]
pub(super) struct Core {
    pub state: State,
    pub bell: Arc<Bell>,
    pub arrivals: Vec<(usize, OwnedFd)>,
    pub listening: Vec<bool>,
    pub connections: Connections,
    /// Which socket lies at a place of the table.
    pub sockets: Vec<usize>,
    pub files: VecDeque<FileWrite>,
    pub wakes: Vec<usize>,
    pub submitted: bool,
}

#[derive(Debug)]
pub(super) struct World {
    pub numbers: Numbers,
    pub faults: Faults,
    pub now: Duration,
    pub sockets: Vec<Socket>,
    /// Sockets on their way to a core, by the descriptor that stands for them.
    pub unclaimed: BTreeMap<RawFd, usize>,
    pub cores: Vec<Core>,
}

#[derive(Debug, Default)]
pub(super) struct Bell(pub AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl World {
    /// Whether a poll of this core could bring an event.
    pub(super) fn is_ready(&self, core: usize) -> bool {
        let this = &self.cores[core];
        let accepts = this.arrivals.iter().any(|(listener, _)| this.listening.get(*listener) == Some(&true));
        let alive = this.connections.ids().into_iter();
        let moves = |conn: ConnId| self.can_receive(core, conn) || self.can_send(core, conn);
        this.bell.0.load(Ordering::SeqCst)
            || this.submitted && (accepts || !this.files.is_empty() || alive.into_iter().any(moves))
    }

    pub(super) fn can_receive(&self, core: usize, conn: ConnId) -> bool {
        let this = &self.cores[core];
        let socket = &self.sockets[this.sockets[conn.index()]];
        let armed = |receive| matches!(receive, Receive::Armed | Receive::Filling);
        this.connections.get(conn).is_some_and(|connection| armed(connection.receive))
            && (socket.reset || socket.to_server_ended || !socket.to_server.is_empty())
    }

    pub(super) fn can_send(&self, core: usize, conn: ConnId) -> bool {
        let this = &self.cores[core];
        let socket = &self.sockets[this.sockets[conn.index()]];
        this.connections.get(conn).is_some_and(|connection| connection.sending)
            && (socket.reset || socket.to_client_ended || socket.to_client.len() < socket.window)
    }

    /// Completes, or partly completes, a send. The peer's window bounds it.
    pub(super) fn advance_send(&mut self, core: usize, conn: ConnId, events: &mut Vec<Event>) {
        let this = &mut self.cores[core];
        let socket = &mut self.sockets[this.sockets[conn.index()]];
        let connection = this.connections.at(conn.index());
        let broken = socket.reset || socket.to_client_ended;
        if !broken {
            let rest = connection.outgoing.len() - connection.sent;
            let len = self.numbers.cut(rest.min(socket.window - socket.to_client.len()), self.faults.split);
            socket.to_client.extend(&connection.outgoing[connection.sent..connection.sent + len]);
            connection.sent += len;
            if connection.sent < connection.outgoing.len() {
                return;
            }
        }
        connection.sending = false;
        socket.to_client_ended |= std::mem::take(&mut connection.shutdown_when_sent);
        let result = if broken { Err(libc::EPIPE) } else { Ok(()) };
        events.push(Event::Sent { conn, buffer: std::mem::take(&mut connection.outgoing), result });
    }

    /// Takes a piece of input out of a socket, or says why there is none.
    pub(super) fn take_input(&mut self, socket: usize, limit: usize) -> Result<Vec<u8>, CloseReason> {
        let socket = &mut self.sockets[socket];
        if socket.reset {
            return Err(CloseReason::Error(libc::ECONNRESET));
        }
        if socket.to_server.is_empty() {
            return Err(CloseReason::EndOfFile);
        }
        let len = self.numbers.cut(socket.to_server.len().min(limit), self.faults.split);
        Ok(socket.to_server.drain(..len).collect())
    }

    pub(super) fn finish_file(&mut self, write: FileWrite) -> Event {
        let failed = self.numbers.chance(self.faults.file_error);
        let result = if failed { Err(io::Error::from_raw_os_error(libc::ENOSPC)) } else { perform(&write) };
        Event::FileDone { token: write.token, result, buffer: write.buffer }
    }
}

fn perform(write: &FileWrite) -> io::Result<usize> {
    match write.offset {
        Some(offset) => write.file.write_all_at(&write.buffer, offset)?,
        None => io::Write::write_all(&mut &*write.file, &write.buffer)?,
    }
    if write.sync {
        write.file.sync_data()?;
    }
    Ok(write.buffer.len())
}

/// A world made from a seed. Clones are handles of the same world.
#[derive(Clone, Debug)]
pub struct Sim(pub(super) Rc<RefCell<World>>);

impl Sim {
    /// A world with so many cores.
    pub fn new(seed: u64, cores: usize, faults: Faults) -> Sim {
        let core = |_| Core {
            state: State::Running,
            bell: Arc::default(),
            arrivals: Vec::new(),
            listening: Vec::new(),
            connections: Connections::default(),
            sockets: Vec::new(),
            files: VecDeque::new(),
            wakes: Vec::new(),
            submitted: true,
        };
        let cores = (0..cores).map(core).collect();
        let (sockets, unclaimed) = (Vec::new(), BTreeMap::new());
        let world = World { numbers: Numbers(seed), faults, now: Duration::ZERO, sockets, unclaimed, cores };
        Sim(Rc::new(RefCell::new(world)))
    }

    /// The kernel of one core.
    pub fn io(&self, core: usize) -> SimIo {
        SimIo::new(self.clone(), core)
    }

    /// A number of the seed's stream, for what the test itself decides.
    pub fn below(&self, limit: usize) -> usize {
        self.0.borrow_mut().numbers.below(limit)
    }

    /// Simulated time since the start.
    pub fn now(&self) -> Duration {
        self.0.borrow().now
    }

    /// From now on the world is this unkind.
    pub fn set_faults(&self, faults: Faults) {
        self.0.borrow_mut().faults = faults;
    }

    /// Connects a client to a listener of a core (which need not be listening yet).
    pub fn connect(&self, core: usize, listener: usize) -> SimPeer {
        let fd = OwnedFd::from(File::open("/dev/null").expect("/dev/null can be opened"));
        let world = &mut *self.0.borrow_mut();
        let index = world.sockets.len();
        world.sockets.push(Socket { window: WINDOW_BYTES, peer: 10_000 + (index % 50_000) as u16, ..Socket::default() });
        if let Some(lost) = world.unclaimed.insert(fd.as_raw_fd(), index) {
            // The same number again: whoever held the descriptor before has closed it without adopting.
            world.sockets[lost].reset = true;
        }
        world.cores[core].arrivals.push((listener, fd));
        SimPeer { sim: self.clone(), socket: index }
    }

    /// Whose turn it is, at a later time than before; `None` when nothing can happen any more without the test.
    pub fn step(&self) -> Option<usize> {
        let world = &mut *self.0.borrow_mut();
        world.now += Duration::from_nanos(1 + world.numbers.below(50_000) as u64);
        if let Some(core) = world.pick_runnable() {
            return Some(core);
        }
        let deadlines = world.cores.iter().filter_map(|core| match core.state {
            State::Waiting { deadline } => deadline,
            State::Running => None,
        });
        world.now = world.now.max(deadlines.min()?);
        world.pick_runnable()
    }

    /// Runs turns until nothing can happen any more. Panics after `limit` turns: then something spins.
    pub fn run(&self, limit: usize, mut turn: impl FnMut(usize)) {
        for _ in 0..limit {
            match self.step() {
                Some(core) => turn(core),
                None => return,
            }
        }
        panic!("still busy after {limit} turns");
    }
}

impl World {
    fn pick_runnable(&mut self) -> Option<usize> {
        let runnable = |core: &usize| match self.cores[*core].state {
            State::Running => true,
            State::Waiting { deadline } => deadline.is_some_and(|at| at <= self.now) || self.is_ready(*core),
        };
        let cores: Vec<usize> = (0..self.cores.len()).filter(runnable).collect();
        if cores.is_empty() {
            return None;
        }
        let core = cores[self.numbers.below(cores.len())];
        self.cores[core].state = State::Running;
        Some(core)
    }
}

/// The client's end of a simulated connection.
#[derive(Debug)]
pub struct SimPeer {
    sim: Sim,
    socket: usize,
}

impl SimPeer {
    fn with<T>(&self, act: impl FnOnce(&mut Socket) -> T) -> T {
        act(&mut self.sim.0.borrow_mut().sockets[self.socket])
    }

    /// Sends.
    pub fn send(&self, bytes: &[u8]) {
        self.with(|socket| socket.to_server.extend(bytes));
    }

    /// Sends no more: the server sees an end of file behind what was sent.
    pub fn finish(&self) {
        self.with(|socket| socket.to_server_ended = true);
    }

    /// Breaks the connection; what was under way in either direction is lost.
    pub fn reset(&self) {
        self.with(|socket| socket.break_off());
    }

    /// Takes what has arrived.
    pub fn receive(&self) -> Vec<u8> {
        self.with(|socket| socket.to_client.drain(..).collect())
    }

    /// How many bytes may lie here unread before the server's sends stall; 0: not even one.
    pub fn set_window(&self, bytes: usize) {
        self.with(|socket| socket.window = bytes);
    }

    /// Whether the server has ended its side (and everything was taken).
    pub fn is_ended(&self) -> bool {
        self.with(|socket| socket.to_client_ended && socket.to_client.is_empty() || socket.reset)
    }

    /// Whether the connection broke.
    pub fn is_reset(&self) -> bool {
        self.with(|socket| socket.reset)
    }
}

impl Socket {
    pub(super) fn break_off(&mut self) {
        self.reset = true;
        self.to_server.clear();
        self.to_client.clear();
    }
}
