//! [`Io`] on io_uring: one ring per core, used only by that core's thread.
//!
//! Receives are single-shot, from provided buffers of 16 KiB: one flooding connection delivers one buffer a turn and cannot
//! starve the others (uncapped multishot receives posted 64 a turn and kept a PING waiting 30 times longer). A receive that
//! begins right after the last one usually finds nothing, so unless the kernel said that more is waiting it is asked
//! to poll first instead of trying in vain (1 to 3 % less CPU a request). Sends are handed over whole (`MSG_WAITALL`); what is cut short goes on here.
//!
//! A completion finds its way by its user data:
//!
//! ```text
//! 63      56 55                32 31                 0
//! +---------+--------------------+-------------------+
//! |   op    |  generation (low)  |  place, core, ... |
//! +---------+--------------------+-------------------+
//! ```
//!
//! Closing cancels what is under way and frees descriptor, buffers and place when the last completion has come.
//!
//! Invariant: whatever the kernel may read or write (buffers being sent or filled, provided buffers, descriptors) is kept
//! in this structure until its completion was reaped; dropping it cancels and waits first.
#![allow(unsafe_code)] // requests name buffers and descriptors that must outlive them

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use io_uring::{cqueue, opcode, squeue, types};

use super::accept::Listeners;
use super::address;
use super::buffers::Buffers;
use super::connections::{Connection, Connections, Receive};
use super::doorbell::Doorbells;
use super::file_ops::FileOps;
use super::io::{Addresses, Chunk, CloseReason, ConnId, Event, FileWrite, Io};
use super::options::Options;
use super::probe::{self, StartError};
use super::ring::Ring;

pub(super) const OP_IGNORE: u8 = 0;
pub(super) const OP_ACCEPT: u8 = 1;
pub(super) const OP_ACCEPT_RETRY: u8 = 2;
const OP_RECEIVE: u8 = 3;
const OP_FILL: u8 = 4;
const OP_SEND: u8 = 5;
const OP_CANCEL: u8 = 6;
const OP_WOKEN: u8 = 7;
const OP_WAKE_FAILED: u8 = 8;
const OP_BELL: u8 = 9;
pub(super) const OP_FILE_WRITE: u8 = 10;
pub(super) const OP_FILE_SYNC: u8 = 11;
const OP_TIMER: u8 = 12;

/// The kernel's IORING_RECVSEND_POLL_FIRST.
const POLL_FIRST: u16 = 1;
/// The most one request sends or fills; the kernel would cut it there anyway.
const TRANSFER_BYTES_MAX: usize = 0x7fff_f000;
/// How many rounds of 10 ms a drop waits for cancelled requests before it leaks their buffers.
const DROP_ROUNDS_MAX: usize = 200;

#[inline]
pub(super) fn user_data(op: u8, generation: u32, index: u32) -> u64 {
    u64::from(op) << 56 | u64::from(generation & 0xff_ffff) << 32 | u64::from(index)
}

/// One core's sockets and files on io_uring.
pub struct UringIo {
    // The ring goes first when this is dropped: the kernel lets go of the buffers with it.
    ring: Ring,
    buffers: Buffers,
    connections: Connections,
    listeners: Listeners,
    starved: Vec<ConnId>,
    files: FileOps,
    doorbells: Arc<Doorbells>,
    core: usize,
    message_ring: bool,
    bell_count: Box<u64>,
    bell_armed: bool,
    stopping: bool,
    /// When the timer under way ends.
    timer_until: Option<Instant>,
    timer: Box<types::Timespec>,
    started: Instant,
}

impl UringIo {
    /// Opens the ring of this core, on the thread that will use it.
    pub fn new(core: usize, options: Options, doorbells: Arc<Doorbells>) -> Result<UringIo, StartError> {
        let (ring, buffers) = options.open(doorbells.cores()).map_err(probe::explain)?;
        let support = probe::check(&ring)?;
        doorbells.bell(core).set_ring_fd(Some(ring.fd()));
        let mut io = UringIo {
            ring,
            buffers,
            connections: Connections::default(),
            listeners: Listeners::new(),
            starved: Vec::new(),
            files: FileOps::default(),
            doorbells,
            core,
            message_ring: support.message_ring,
            bell_count: Box::new(0),
            bell_armed: false,
            stopping: false,
            timer_until: None,
            timer: Box::new(types::Timespec::new()),
            started: Instant::now(),
        };
        io.arm_bell();
        Ok(io)
    }

    /// Sizes that the kernel granted: submissions, completions.
    pub fn sizes(&self) -> (u32, u32) {
        self.ring.sizes()
    }

    /// How often the kernel was entered so far.
    pub fn enters(&self) -> u64 {
        self.ring.enters
    }

    /// Connections in the table, those being closed included.
    pub fn connections(&self) -> usize {
        self.connections.in_use()
    }

    /// Buffers that are not in the core's hands.
    pub fn buffers_available(&self) -> usize {
        self.buffers.available()
    }

    fn arm_bell(&mut self) {
        let fd = types::Fd(self.doorbells.bell(self.core).event_fd());
        let target = std::ptr::from_mut(&mut *self.bell_count).cast::<u8>();
        let entry = opcode::Read::new(fd, target, 8).build().user_data(user_data(OP_BELL, 0, 0));
        self.bell_armed = true;
        // SAFETY: eight bytes on the heap that live until the completion (drop waits for it); the bell outlives us by the Arc.
        unsafe { self.ring.push(entry) };
    }

    /// Sees to it that a wait ends after `limit`: by a timer that outlives the wait where that will do, for a busy core waits
    /// a hundred thousand times a second and a timer of its own for each wait costs. What is returned must end this wait.
    fn arm_timer(&mut self, limit: Duration) -> Option<Duration> {
        let deadline = Instant::now() + limit;
        match self.timer_until {
            Some(until) if until <= deadline => return None,
            Some(_) => return Some(limit),
            None => {}
        }
        *self.timer = limit.into();
        self.timer_until = Some(deadline);
        let entry = opcode::Timeout::new(&raw const *self.timer).build().user_data(user_data(OP_TIMER, 0, 0));
        // SAFETY: the timespec is boxed and changes only when no timer is under way.
        unsafe { self.ring.push(entry) };
        None
    }

    /// Begins a receive if the connection wants input.
    #[inline]
    fn arm_receive(&mut self, index: usize) {
        let generation = self.connections.id(index).generation();
        let connection = self.connections.at(index);
        if !connection.wants_input() {
            return;
        }
        let fd = types::Fd(connection.fd());
        let poll_first = if connection.more_input { 0 } else { POLL_FIRST };
        let entry = if let Some(buffer) = &mut connection.filling {
            connection.receive = Receive::Filling;
            let spare = buffer.spare_capacity_mut();
            let len = spare.len().min(TRANSFER_BYTES_MAX) as u32;
            let receive = opcode::Recv::new(fd, spare.as_mut_ptr().cast(), len).ioprio(poll_first).build();
            receive.user_data(user_data(OP_FILL, generation, index as u32))
        } else {
            connection.receive = Receive::Armed;
            let receive = opcode::Recv::new(fd, std::ptr::null_mut(), self.buffers.size());
            let receive = receive.buf_group(self.buffers.group()).ioprio(poll_first).build();
            receive.flags(squeue::Flags::BUFFER_SELECT).user_data(user_data(OP_RECEIVE, generation, index as u32))
        };
        // SAFETY: descriptor and buffer stay in the table while `receive` says that a receive is under way; provided buffers
        // live as long as the ring.
        unsafe { self.ring.push(entry) };
    }

    fn on_receive(&mut self, index: usize, result: i32, flags: u32, events: &mut Vec<Event>) {
        let conn = self.connections.id(index);
        let connection = self.connections.at(index);
        debug_assert_eq!(connection.receive, Receive::Armed);
        connection.receive = Receive::Idle;
        connection.more_input = cqueue::sock_nonempty(flags);
        let lent = cqueue::buffer_select(flags);
        if let Some(bid) = lent {
            self.buffers.take(bid);
            if result > 0 && !connection.closing {
                connection.receive = Receive::Held;
                let chunk = Chunk { conn, buffer: u32::from(bid), len: result as u32 };
                events.push(Event::Received { conn, chunk });
                return;
            }
            self.buffers.give(bid);
        }
        if connection.closing {
            self.connections.free_if_done(index);
        } else if result == -libc::ENOBUFS {
            connection.receive = Receive::Starved;
            connection.more_input = true;
            self.starved.push(conn);
        } else {
            self.on_no_input(index, result, events);
        }
    }

    fn on_fill(&mut self, index: usize, result: i32, flags: u32, events: &mut Vec<Event>) {
        let conn = self.connections.id(index);
        let connection = self.connections.at(index);
        debug_assert_eq!(connection.receive, Receive::Filling);
        connection.receive = Receive::Filled;
        connection.more_input = cqueue::sock_nonempty(flags);
        if connection.closing {
            self.connections.free_if_done(index);
            return;
        }
        if result == -libc::EINTR || result == -libc::EAGAIN {
            self.on_no_input(index, result, events);
            return;
        }
        let mut buffer = connection.filling.take().expect("a filling connection has a buffer");
        let received = result.max(0) as usize;
        assert!(received <= buffer.capacity() - buffer.len(), "the kernel filled more than it was given");
        // SAFETY: the kernel wrote `received` bytes behind the buffer's end, within its capacity.
        unsafe { buffer.set_len(buffer.len() + received) };
        events.push(Event::Filled { conn, buffer, received });
        if result <= 0 {
            self.on_no_input(index, result, events);
        }
    }

    /// A receive brought nothing: the end, an error, or merely an interruption.
    fn on_no_input(&mut self, index: usize, result: i32, events: &mut Vec<Event>) {
        let conn = self.connections.id(index);
        let connection = self.connections.at(index);
        connection.receive = Receive::Idle;
        if result == -libc::EINTR || result == -libc::EAGAIN {
            self.arm_receive(index);
            return;
        }
        connection.ended = true;
        let reason = if result == 0 { CloseReason::EndOfFile } else { CloseReason::Error(-result) };
        events.push(Event::Closed { conn, reason });
    }

    /// Begins again the receives that found no buffer, as many as there are buffers now.
    fn rearm_starved(&mut self) {
        let count = self.starved.len().min(self.buffers.available());
        for position in 0..count {
            let conn = self.starved[position];
            if let Some(connection) = self.connections.get_mut(conn) {
                connection.receive = Receive::Idle;
                self.arm_receive(conn.index());
            }
        }
        self.starved.drain(..count);
    }

    fn push_send(&mut self, index: usize) {
        let generation = self.connections.id(index).generation();
        let connection = self.connections.at(index);
        connection.sending = true;
        let rest = &connection.outgoing[connection.sent..];
        let len = rest.len().min(TRANSFER_BYTES_MAX) as u32;
        let send = opcode::Send::new(types::Fd(connection.fd()), rest.as_ptr(), len);
        let entry = send.flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL).build();
        let entry = entry.user_data(user_data(OP_SEND, generation, index as u32));
        // SAFETY: descriptor and buffer stay in the table, the buffer unchanged, while `sending` is set.
        unsafe { self.ring.push(entry) };
    }

    fn on_send(&mut self, index: usize, result: i32, events: &mut Vec<Event>) {
        let conn = self.connections.id(index);
        let connection = self.connections.at(index);
        assert!(connection.sending, "a send completed that was not under way");
        connection.sending = false;
        if connection.closing {
            self.connections.free_if_done(index);
            return;
        }
        let failed = result < 0 && result != -libc::EINTR && result != -libc::EAGAIN;
        if !failed {
            connection.sent += result.max(0) as usize;
            if connection.sent < connection.outgoing.len() {
                self.push_send(index);
                return;
            }
        }
        connection.sent = 0;
        let buffer = std::mem::take(&mut connection.outgoing);
        if std::mem::take(&mut connection.shutdown_when_sent) {
            shutdown(connection, libc::SHUT_WR);
        }
        events.push(Event::Sent { conn, buffer, result: if failed { Err(-result) } else { Ok(()) } });
    }

    fn cancel(&mut self, target: u64, conn: ConnId) {
        let entry = opcode::AsyncCancel::new(target).build().flags(squeue::Flags::SKIP_SUCCESS);
        // SAFETY: a cancel names nothing but a number.
        unsafe { self.ring.push(entry.user_data(user_data(OP_CANCEL, conn.generation(), conn.index() as u32))) };
    }

    /// A cancel that did not succeed: either the request had completed already, or it was just running and has to be ended
    /// from the socket's side.
    fn on_cancel_failed(&mut self, index: usize, generation: u32, result: i32) {
        if result != -libc::EALREADY {
            return;
        }
        let conn = self.connections.id(index);
        let Some(connection) = self.connections.find(conn) else { return };
        if conn.generation() & 0xff_ffff == generation && connection.closing {
            shutdown(connection, libc::SHUT_RDWR);
        }
    }

    #[inline]
    fn on_completion(&mut self, entry: &cqueue::Entry, woken: &mut bool, events: &mut Vec<Event>) {
        let (data, result, flags) = (entry.user_data(), entry.result(), entry.flags());
        let (op, generation, index) = ((data >> 56) as u8, (data >> 32) as u32 & 0xff_ffff, data as u32 as usize);
        match op {
            OP_RECEIVE => self.on_receive(index, result, flags, events),
            OP_SEND => self.on_send(index, result, events),
            OP_FILL => self.on_fill(index, result, flags, events),
            OP_WOKEN => *woken = true,
            OP_BELL => {
                self.bell_armed = false;
                *woken = true;
                if !self.stopping {
                    self.arm_bell();
                }
            }
            OP_WAKE_FAILED => self.doorbells.bell(index).ring(),
            OP_ACCEPT => self.listeners.on_accept(&mut self.ring, index, result, flags, events),
            OP_ACCEPT_RETRY => self.listeners.on_retry(&mut self.ring, index),
            OP_CANCEL => self.on_cancel_failed(index, generation, result),
            OP_FILE_WRITE => self.files.on_written(&mut self.ring, index, result, events),
            OP_FILE_SYNC => self.files.on_synced(&mut self.ring, index, result, events),
            OP_IGNORE => {}
            OP_TIMER => self.timer_until = None,
            _ => unreachable!("user data is made here only"),
        }
    }

    /// What has to be done before the kernel is entered.
    #[inline]
    fn prepare_enter(&mut self) {
        if !self.starved.is_empty() {
            self.rearm_starved();
        }
        self.buffers.commit();
    }
}

impl Io for UringIo {
    fn poll(&mut self, events: &mut Vec<Event>) {
        let mut woken = false;
        while let Some(entry) = self.ring.reap() {
            self.on_completion(&entry, &mut woken, events);
        }
        if woken {
            events.push(Event::Woken);
        }
    }

    #[inline]
    fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        self.buffers.bytes(chunk.buffer as u16, chunk.len as usize)
    }

    #[inline]
    fn release(&mut self, chunk: Chunk) {
        self.buffers.give(chunk.buffer as u16);
        if let Some(connection) = self.connections.get_mut(chunk.conn) {
            debug_assert_eq!(connection.receive, Receive::Held);
            connection.receive = Receive::Idle;
            self.arm_receive(chunk.conn.index());
        }
    }

    fn listen(&mut self, listener: usize, fd: OwnedFd) {
        self.listeners.start(&mut self.ring, listener, fd);
    }

    fn stop_listening(&mut self, listener: usize) {
        self.listeners.stop(&mut self.ring, listener);
    }

    fn adopt(&mut self, fd: OwnedFd) -> ConnId {
        let conn = self.connections.insert(fd);
        self.arm_receive(conn.index());
        conn
    }

    fn pause_receive(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.paused = true;
        }
    }

    fn resume_receive(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.paused = false;
        if connection.receive == Receive::Filled {
            connection.receive = Receive::Idle;
        }
        self.arm_receive(conn.index());
    }

    fn receive_into(&mut self, conn: ConnId, buffer: Vec<u8>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        assert!(buffer.capacity() > buffer.len(), "a buffer to fill has room");
        assert!(connection.filling.is_none(), "one buffer to fill at a time");
        connection.filling = Some(buffer);
        if connection.receive == Receive::Filled {
            connection.receive = Receive::Idle;
        }
        self.arm_receive(conn.index());
    }

    #[inline]
    fn send(&mut self, conn: ConnId, buffer: Vec<u8>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        assert!(!connection.sending, "one send at a time");
        assert!(!buffer.is_empty(), "nothing to send");
        connection.outgoing = buffer;
        connection.sent = 0;
        self.push_send(conn.index());
    }

    fn is_sending(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_some_and(|connection| connection.sending)
    }

    fn shutdown_write(&mut self, conn: ConnId) {
        match self.connections.get_mut(conn) {
            Some(connection) if connection.sending => connection.shutdown_when_sent = true,
            Some(connection) => shutdown(connection, libc::SHUT_WR),
            None => {}
        }
    }

    fn close(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.closing = true;
        let (receive, sending) = (connection.receive, connection.sending);
        let (generation, index) = (conn.generation(), conn.index() as u32);
        match receive {
            Receive::Armed => self.cancel(user_data(OP_RECEIVE, generation, index), conn),
            Receive::Filling => self.cancel(user_data(OP_FILL, generation, index), conn),
            _ => {}
        }
        if sending {
            self.cancel(user_data(OP_SEND, generation, index), conn);
        }
        self.connections.free_if_done(conn.index());
    }

    fn addresses(&self, conn: ConnId) -> Addresses {
        match self.connections.get(conn) {
            Some(connection) => address::of(connection.fd()),
            None => address::unknown(),
        }
    }

    fn fd_number(&self, conn: ConnId) -> i32 {
        self.connections.get(conn).map_or(-1, Connection::fd)
    }

    fn wake(&mut self, core: usize) {
        let bell = self.doorbells.bell(core);
        let Some(ring_fd) = bell.ring_fd().filter(|_| self.message_ring && core != self.core) else {
            bell.ring();
            return;
        };
        let message = opcode::MsgRingData::new(types::Fd(ring_fd), 0, user_data(OP_WOKEN, 0, 0), None).build();
        let entry = message.flags(squeue::Flags::SKIP_SUCCESS).user_data(user_data(OP_WAKE_FAILED, 0, core as u32));
        // SAFETY: no memory is named. A descriptor that is no ring (any more) makes the request fail, nothing else.
        unsafe { self.ring.push(entry) };
    }

    fn waker(&self) -> Waker {
        self.doorbells.waker(self.core)
    }

    fn write_file(&mut self, write: FileWrite) {
        self.files.begin(&mut self.ring, write);
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn unix_time(&self) -> Duration {
        // Before 1970 the clock counts as not set.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    #[inline]
    fn submit(&mut self) {
        self.prepare_enter();
        if self.ring.has_queued() || self.ring.kernel_has_work() {
            self.ring.enter(0, None);
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) {
        self.prepare_enter();
        let timeout = timeout.and_then(|limit| self.arm_timer(limit));
        self.ring.enter(1, timeout);
    }

    fn spin(&mut self, limit: Duration, also: &mut dyn FnMut() -> bool) -> bool {
        let start = Instant::now();
        loop {
            for _ in 0..32 {
                if self.ring.kernel_has_work() {
                    // Finished here, so that the next poll finds it instead of nothing.
                    self.submit();
                    return true;
                }
                if self.ring.has_completions() || also() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if start.elapsed() >= limit {
                return false;
            }
        }
    }

    #[inline]
    fn has_work(&mut self) -> bool {
        self.ring.has_completions() || self.ring.kernel_has_work()
    }
}

impl Drop for UringIo {
    /// Cancels everything and waits for it: the kernel must not write into memory that was freed.
    fn drop(&mut self) {
        self.doorbells.bell(self.core).set_ring_fd(None);
        self.stopping = true;
        self.doorbells.bell(self.core).ring();
        for index in 0..self.listeners.numbers() {
            self.stop_listening(index);
        }
        for conn in self.connections.ids() {
            self.close(conn);
        }
        let mut events = Vec::new();
        let busy = |io: &UringIo| io.connections.in_use() > 0 || io.files.in_use() > 0 || io.bell_armed;
        for _ in 0..DROP_ROUNDS_MAX {
            self.submit();
            self.poll(&mut events);
            events.drain(..).for_each(|event| {
                if let Event::Received { chunk, .. } = event {
                    self.release(chunk);
                }
            });
            if !busy(self) {
                return;
            }
            self.wait(Some(Duration::from_millis(10)));
        }
        std::mem::forget(self.connections.take_busy_buffers());
        std::mem::forget(std::mem::take(&mut self.bell_count));
        self.files.leak();
        self.buffers.leak();
    }
}

fn shutdown(connection: &Connection, how: i32) {
    // SAFETY: the descriptor is open while it is in the table. Failing means that the connection is broken already.
    unsafe { libc::shutdown(connection.fd(), how) };
}
