//! [`Io`] over a simulated world ([`super::sim`]): one core's view of it.
//!
//! Each poll gives every connection, in random order, a chance to complete what it waits for. Chunks are copied out of the
//! world into buffers of this structure, which are overwritten on release, so that reading a chunk too late shows.
//!
//! Invariant: nothing asked for since the last submit has any effect before the next one.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use super::address;
use super::connections::Receive;
use super::io::{Address, Addresses, Chunk, ConnId, Event, FileWrite, Io};
use super::sim::{Core, Sim, State};

/// As on io_uring.
const CHUNK_BYTES: usize = 16 * 1024;
/// 2026-01-01, where simulated wall clocks start.
const START_UNIX: Duration = Duration::from_secs(1_767_225_600);

/// One core's kernel.
#[derive(Debug)]
pub struct SimIo {
    sim: Sim,
    core: usize,
    chunks: Vec<Vec<u8>>,
    free: Vec<u32>,
}

impl SimIo {
    pub(super) fn new(sim: Sim, core: usize) -> SimIo {
        SimIo { sim, core, chunks: Vec::new(), free: Vec::new() }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        act(&mut self.sim.0.borrow_mut().cores[self.core])
    }

    /// As `with`, for what counts only once it was submitted.
    fn request<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        self.with(|core| {
            core.submitted = false;
            act(core)
        })
    }

    /// Chunks in the core's hands.
    pub fn chunks_held(&self) -> usize {
        self.chunks.len() - self.free.len()
    }

    /// Connections that were adopted and not closed.
    pub fn connections(&self) -> usize {
        self.with(|core| core.connections.in_use())
    }

    fn poll_accepts(&mut self, events: &mut Vec<Event>) {
        let world = &mut *self.sim.0.borrow_mut();
        let core = &mut world.cores[self.core];
        let mut index = 0;
        while index < core.arrivals.len() {
            let listening = core.listening.get(core.arrivals[index].0) == Some(&true);
            if listening && !world.numbers.chance(world.faults.delay) {
                let (listener, fd) = core.arrivals.remove(index);
                events.push(Event::Accepted { listener, fd });
            } else {
                index += 1;
            }
        }
    }

    fn poll_connection(&mut self, conn: ConnId, events: &mut Vec<Event>) {
        let world = &mut *self.sim.0.borrow_mut();
        let socket = world.cores[self.core].sockets[conn.index()];
        if world.numbers.chance(world.faults.reset) {
            world.sockets[socket].break_off();
        }
        if world.can_send(self.core, conn) && !world.numbers.chance(world.faults.delay) {
            world.advance_send(self.core, conn, events);
        }
        if !world.can_receive(self.core, conn) || world.numbers.chance(world.faults.delay) {
            return;
        }
        let connection = world.cores[self.core].connections.at(conn.index());
        let filling = connection.filling.take();
        let limit = filling.as_ref().map_or(CHUNK_BYTES, |buffer| buffer.capacity() - buffer.len());
        let input = world.take_input(socket, limit);
        let connection = world.cores[self.core].connections.at(conn.index());
        let event = match (&input, filling) {
            (Ok(bytes), Some(mut buffer)) => {
                connection.receive = Receive::Filled;
                buffer.extend_from_slice(bytes);
                Event::Filled { conn, buffer, received: bytes.len() }
            }
            (Ok(bytes), None) => {
                connection.receive = Receive::Held;
                let index = self.free.pop().unwrap_or_else(|| {
                    self.chunks.push(Vec::new());
                    self.chunks.len() as u32 - 1
                });
                self.chunks[index as usize].clone_from(bytes);
                Event::Received { conn, chunk: Chunk { conn, buffer: index, len: bytes.len() as u32 } }
            }
            (Err(reason), filling) => {
                connection.receive = Receive::Idle;
                connection.ended = true;
                if let Some(buffer) = filling {
                    events.push(Event::Filled { conn, buffer, received: 0 });
                }
                Event::Closed { conn, reason: *reason }
            }
        };
        events.push(event);
    }

    fn poll_files(&mut self, events: &mut Vec<Event>) {
        let world = &mut *self.sim.0.borrow_mut();
        let mut late = VecDeque::new();
        while let Some(write) = world.cores[self.core].files.pop_front() {
            if world.numbers.chance(world.faults.delay) {
                late.push_back(write);
            } else {
                events.push(world.finish_file(write));
            }
        }
        world.cores[self.core].files = late;
    }

    /// Begins a receive if the connection wants input.
    fn arm(&self, conn: ConnId) {
        self.request(|core| {
            if let Some(connection) = core.connections.get_mut(conn).filter(|connection| connection.wants_input()) {
                connection.receive = if connection.filling.is_some() { Receive::Filling } else { Receive::Armed };
            }
        });
    }
}

impl Io for SimIo {
    fn poll(&mut self, events: &mut Vec<Event>) {
        if self.with(|core| core.bell.0.swap(false, Ordering::SeqCst)) {
            events.push(Event::Woken);
        }
        if !self.with(|core| core.submitted) {
            return;
        }
        self.poll_accepts(events);
        let mut conns = self.with(|core| core.connections.ids());
        while !conns.is_empty() {
            let conn = conns.swap_remove(self.sim.below(conns.len()));
            self.poll_connection(conn, events);
        }
        self.poll_files(events);
    }

    fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        &self.chunks[chunk.buffer as usize]
    }

    fn release(&mut self, chunk: Chunk) {
        assert!(!self.free.contains(&chunk.buffer), "a chunk is released once");
        // What is read after the release would be another connection's input: make it stand out.
        self.chunks[chunk.buffer as usize].fill(0xdd);
        self.free.push(chunk.buffer);
        self.with(|core| {
            if let Some(connection) = core.connections.get_mut(chunk.conn) {
                connection.receive = Receive::Idle;
            }
        });
        self.arm(chunk.conn);
    }

    fn listen(&mut self, listener: usize, fd: OwnedFd) {
        drop(fd);
        self.request(|core| {
            let len = core.listening.len().max(listener + 1);
            core.listening.resize(len, false);
            core.listening[listener] = true;
        });
    }

    fn stop_listening(&mut self, listener: usize) {
        self.request(|core| {
            core.listening[listener] = false;
            core.arrivals.retain(|(of, _)| *of != listener);
        });
    }

    fn adopt(&mut self, fd: OwnedFd) -> ConnId {
        let socket = self.sim.0.borrow_mut().unclaimed.remove(&fd.as_raw_fd());
        let socket = socket.expect("only sockets of this world can be adopted");
        let conn = self.request(|core| {
            let conn = core.connections.insert(fd);
            let len = core.sockets.len().max(conn.index() + 1);
            core.sockets.resize(len, usize::MAX);
            core.sockets[conn.index()] = socket;
            conn
        });
        self.arm(conn);
        conn
    }

    fn pause_receive(&mut self, conn: ConnId) {
        self.with(|core| {
            if let Some(connection) = core.connections.get_mut(conn) {
                connection.paused = true;
            }
        });
    }

    fn resume_receive(&mut self, conn: ConnId) {
        self.with(|core| {
            if let Some(connection) = core.connections.get_mut(conn) {
                connection.paused = false;
                if connection.receive == Receive::Filled {
                    connection.receive = Receive::Idle;
                }
            }
        });
        self.arm(conn);
    }

    fn receive_into(&mut self, conn: ConnId, buffer: Vec<u8>) {
        assert!(buffer.capacity() > buffer.len(), "a buffer to fill has room");
        self.with(|core| {
            if let Some(connection) = core.connections.get_mut(conn) {
                assert!(connection.filling.is_none(), "one buffer to fill at a time");
                connection.filling = Some(buffer);
                if connection.receive == Receive::Filled {
                    connection.receive = Receive::Idle;
                }
            }
        });
        self.arm(conn);
    }

    fn send(&mut self, conn: ConnId, buffer: Vec<u8>) {
        self.request(|core| {
            let Some(connection) = core.connections.get_mut(conn) else { return };
            assert!(!connection.sending, "one send at a time");
            assert!(!buffer.is_empty(), "nothing to send");
            connection.outgoing = buffer;
            connection.sent = 0;
            connection.sending = true;
        });
    }

    fn is_sending(&self, conn: ConnId) -> bool {
        self.with(|core| core.connections.get(conn).is_some_and(|connection| connection.sending))
    }

    fn shutdown_write(&mut self, conn: ConnId) {
        let world = &mut *self.sim.0.borrow_mut();
        let core = &mut world.cores[self.core];
        let Some(connection) = core.connections.get_mut(conn) else { return };
        if connection.sending {
            connection.shutdown_when_sent = true;
        } else {
            world.sockets[core.sockets[conn.index()]].to_client_ended = true;
        }
    }

    fn close(&mut self, conn: ConnId) {
        let world = &mut *self.sim.0.borrow_mut();
        let core = &mut world.cores[self.core];
        let Some(connection) = core.connections.get_mut(conn) else { return };
        connection.closing = true;
        connection.sending = false;
        connection.receive = Receive::Idle;
        core.connections.free_if_done(conn.index());
        let socket = &mut world.sockets[core.sockets[conn.index()]];
        socket.to_client_ended = true;
        // Closing with unread input resets, and the peer may lose even what was sent to it.
        if !socket.to_server.is_empty() {
            socket.break_off();
        }
    }

    fn addresses(&self, conn: ConnId) -> Addresses {
        let world = self.sim.0.borrow();
        let core = &world.cores[self.core];
        let end = |port: u16| Address::Tcp(([127, 0, 0, 1], port).into());
        match core.connections.get(conn) {
            Some(_) => Addresses { peer: end(world.sockets[core.sockets[conn.index()]].peer), local: end(6379) },
            None => address::unknown(),
        }
    }

    fn fd_number(&self, conn: ConnId) -> i32 {
        self.with(|core| core.connections.get(conn).map_or(-1, |_| 8 + conn.index() as i32))
    }

    fn wake(&mut self, core: usize) {
        self.request(|this| this.wakes.push(core));
    }

    fn waker(&self) -> Waker {
        self.with(|core| Waker::from(Arc::clone(&core.bell)))
    }

    fn write_file(&mut self, write: FileWrite) {
        assert!(write.sync || !write.buffer.is_empty(), "a file operation writes or syncs");
        self.request(|core| core.files.push_back(write));
    }

    fn monotonic(&self) -> Duration {
        self.sim.now()
    }

    fn unix_time(&self) -> Duration {
        START_UNIX + self.sim.now()
    }

    fn submit(&mut self) {
        let world = &mut *self.sim.0.borrow_mut();
        world.cores[self.core].submitted = true;
        for core in std::mem::take(&mut world.cores[self.core].wakes) {
            world.cores[core].bell.0.store(true, Ordering::SeqCst);
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) {
        self.submit();
        let deadline = timeout.map(|timeout| self.sim.now() + timeout);
        self.with(|core| core.state = State::Waiting { deadline });
    }

    fn spin(&mut self, _limit: Duration, also: &mut dyn FnMut() -> bool) -> bool {
        also() || self.has_work()
    }

    fn has_work(&mut self) -> bool {
        self.sim.0.borrow().is_ready(self.core)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sim::{Faults, Sim, SimPeer};
    use super::*;
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::rc::Rc;

    /// Echoes, and closes when the client has ended.
    struct EchoCore {
        io: SimIo,
        events: Vec<Event>,
        pending: BTreeMap<u64, (Vec<u8>, bool)>,
    }

    impl EchoCore {
        fn new(io: SimIo) -> EchoCore {
            EchoCore { io, events: Vec::new(), pending: BTreeMap::new() }
        }

        fn turn(&mut self) {
            let mut events = std::mem::take(&mut self.events);
            self.io.poll(&mut events);
            for event in events.drain(..) {
                self.on_event(event);
            }
            self.events = events;
            self.io.wait(None);
        }

        fn on_event(&mut self, event: Event) {
            let conn = match event {
                Event::Accepted { fd, .. } => {
                    let conn = self.io.adopt(fd);
                    self.pending.insert(conn.0, (Vec::new(), false));
                    return;
                }
                Event::Received { conn, chunk } => {
                    let bytes = self.io.bytes(&chunk).to_vec();
                    self.io.release(chunk);
                    if let Some((pending, _)) = self.pending.get_mut(&conn.0) {
                        pending.extend(bytes);
                    }
                    conn
                }
                Event::Closed { conn, .. } => {
                    // It may have been closed in this very batch.
                    if let Some((_, ended)) = self.pending.get_mut(&conn.0) {
                        *ended = true;
                    }
                    conn
                }
                Event::Sent { conn, result: Ok(()), .. } => conn,
                Event::Sent { conn, .. } => {
                    self.pending.remove(&conn.0);
                    self.io.close(conn);
                    return;
                }
                _ => return,
            };
            let Some((pending, ended)) = self.pending.get_mut(&conn.0) else { return };
            if self.io.is_sending(conn) {
                return;
            }
            if !pending.is_empty() {
                self.io.send(conn, std::mem::take(pending));
            } else if *ended {
                self.pending.remove(&conn.0);
                self.io.close(conn);
            }
        }
    }

    fn null() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    fn echo_world(seed: u64, faults: Faults) -> (Sim, EchoCore) {
        let sim = Sim::new(seed, 1, faults);
        let mut core = EchoCore::new(sim.io(0));
        core.io.listen(0, null());
        core.io.submit();
        (sim, core)
    }

    #[test]
    fn every_byte_comes_back_under_any_seed() {
        for seed in 0..200 {
            let (sim, mut core) = echo_world(seed, Faults::default());
            let peers: Vec<SimPeer> = (0..5).map(|_| sim.connect(0, 0)).collect();
            let data: Vec<Vec<u8>> = (0..5).map(|of| (0..sim.below(2000)).map(|i| (i + of) as u8).collect()).collect();
            peers.iter().zip(&data).for_each(|(peer, data)| peer.send(data));
            peers.iter().for_each(SimPeer::finish);
            sim.run(100_000, |_| core.turn());
            for (peer, data) in peers.iter().zip(&data) {
                assert!(peer.receive() == *data, "seed {seed}");
                assert!(peer.is_ended() && !peer.is_reset(), "seed {seed}");
            }
            assert_eq!((core.io.connections(), core.io.chunks_held()), (0, 0), "seed {seed}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let trace = |seed| {
            let (sim, mut core) = echo_world(seed, Faults { reset: 5, ..Faults::default() });
            let peers: Vec<SimPeer> = (0..3).map(|_| sim.connect(0, 0)).collect();
            peers.iter().for_each(|peer| peer.send(&[1; 500]));
            let mut trace = Vec::new();
            sim.run(100_000, |_| {
                core.turn();
                trace.push((sim.now(), peers.iter().map(SimPeer::receive).collect::<Vec<_>>()));
            });
            trace
        };
        assert!(trace(7) == trace(7));
        assert!(trace(7) != trace(8));
    }

    #[test]
    fn a_peer_that_does_not_read_stalls_its_own_reply_only() {
        let (sim, mut core) = echo_world(3, Faults::default());
        let (slow, quick) = (sim.connect(0, 0), sim.connect(0, 0));
        slow.set_window(10);
        slow.send(&[1; 100]);
        quick.send(&[2; 100]);
        sim.run(10_000, |_| core.turn());
        assert_eq!(quick.receive(), [2; 100]);
        let mut got = slow.receive();
        assert_eq!(got.len(), 10);
        while got.len() < 100 {
            sim.run(10_000, |_| core.turn());
            got.extend(slow.receive());
        }
        assert_eq!(got, [1; 100]);
    }

    #[test]
    fn the_clock_jumps_to_the_first_timeout_when_nothing_else_happens() {
        let sim = Sim::new(1, 2, Faults::default());
        let (mut early, mut late) = (sim.io(0), sim.io(1));
        early.wait(Some(Duration::from_secs(5)));
        late.wait(Some(Duration::from_secs(9)));
        assert_eq!(sim.step(), Some(0));
        assert!(sim.now() >= Duration::from_secs(5) && sim.now() < Duration::from_secs(6));
        early.wait(None);
        assert_eq!(sim.step(), Some(1));
        late.wait(None);
        assert_eq!(sim.step(), None);
    }

    #[test]
    fn a_wake_that_was_never_submitted_wakes_nobody() {
        let sim = Sim::new(1, 2, Faults::default());
        let (mut one, mut two) = (sim.io(0), sim.io(1));
        two.wait(None);
        one.wake(1);
        assert_eq!(sim.step(), Some(0));
        assert!(!two.has_work());
        one.wait(None);
        assert_eq!(sim.step(), Some(1));
        let mut events = Vec::new();
        two.poll(&mut events);
        assert!(matches!(events[..], [Event::Woken]));
    }

    #[test]
    fn file_operations_complete_once_and_may_fail() {
        let sim = Sim::new(5, 1, Faults { file_error: 500, ..Faults::default() });
        let mut io = sim.io(0);
        let path = std::env::temp_dir().join(format!("ringkey-sim-{}", std::process::id()));
        let file = Rc::new(File::create(&path).unwrap());
        for token in 0..50 {
            let buffer = vec![token as u8; 3];
            io.write_file(FileWrite { token, file: Rc::clone(&file), buffer, offset: Some(token * 3), sync: true });
        }
        io.wait(None);
        let (mut events, mut seen) = (Vec::new(), [0; 50]);
        sim.run(1000, |_| {
            io.poll(&mut events);
            io.wait(None);
        });
        let mut failed = 0;
        for event in events {
            let Event::FileDone { token, result, .. } = event else { panic!("only files: {event:?}") };
            seen[token as usize] += 1;
            failed += usize::from(result.is_err());
        }
        assert!(seen == [1; 50] && (5..45).contains(&failed), "{failed} failed");
        std::fs::remove_file(&path).unwrap();
    }
}
