//! The loop of a core: a turn takes in what has happened, does it, and flushes what came of it.
//!
//! ```text
//! poll: completions -> bytes to connections        receive: messages of other cores
//! ready connections go on     tick: expiry, lazy frees, idle clients
//! flush: one send a connection, one batch a peer, wake-ups, closes
//! ```
//!
//! One flush per connection and turn: replies of a pipeline leave in one send. A connection that still waits for other
//! cores' replies to the same pipeline is not flushed piecemeal (its bytes wait for the rest, unless they are many): half
//! the sends, half the wake-ups of the client.

use super::message::{self, Message};
use super::{Action, Center};
use crate::connection::{Ending, Stall};
use crate::runtime::{Chunk, CloseReason, ConnId, Event, Io};
use crate::stats::clock;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Bytes from which replies are sent although older commands of the pipeline are still under way elsewhere.
const SEND_EARLY_BYTES: usize = 16 << 10;
/// A send buffer larger than this is not kept for reuse.
const KEEP_SEND_BYTES: usize = 64 << 10;
/// How often a core that has something to tend wakes without being asked.
const TICK_MS: i64 = 100;
/// How often clients are tended while there is work.
const TEND_MS: i64 = 500;
/// Leaves an expiry round looks at, and how long a tick may go on with rounds (Valkey gives 25 % of a cycle at most).
const EXPIRE_LEAVES: usize = 64;
const TICK_BUDGET_US: u64 = 2_000;

/// A core on its runtime.
pub struct Core<I: Io> {
    io: I,
    /// Everything but the sockets.
    pub center: Center,
    events: Vec<Event>,
    /// Listeners of this core: true for unix sockets.
    unix_listeners: Vec<bool>,
    /// Who gets the next connection.
    next_core: usize,
    next_tick_ms: i64,
    tended_ms: i64,
    spin: Spin,
    spare: Vec<Vec<u8>>,
    accept_warned: bool,
    /// There is more to evict: the next turn follows without a rest.
    go_on_at_once: bool,
}

/// How long to look for work before sleeping, under `spin-us -1`.
///
/// Spinning a little instead of sleeping halves the latency of few connections (perf.md: 63 to 31 us), and costs CPU when
/// there are many, where somebody else's request fills the time anyway. So a core spins while few clients are active, and
/// only while it pays: an idle server soon stops.
#[derive(Debug, Default)]
struct Spin {
    /// Share of recent spins that found work, in 1/256.
    success: u32,
    /// Rests since the last spin.
    rests: u32,
    /// The window of time that is counted, and the clients seen in it and in the one before.
    window: i64,
    active: u32,
    active_before: u32,
}

impl Spin {
    /// About what falling asleep and being woken costs.
    const LIMIT: Duration = Duration::from_micros(20);
    /// Clients above which somebody else's request is as near as the one waited for.
    const FEW: u32 = 4;
    /// Milliseconds of a window, as a shift.
    const WINDOW_SHIFT: u32 = 4;
    /// Rests between two tries while spinning does not pay.
    const TRY_AGAIN: u32 = 16;

    /// A client sent something; true if it is the first time in this window.
    #[inline]
    fn saw(&mut self, last_active_ms: i64, now_ms: i64) {
        let window = now_ms >> Spin::WINDOW_SHIFT;
        if window != self.window {
            self.active_before = if window == self.window + 1 { self.active } else { 0 };
            self.active = 0;
            self.window = window;
        }
        if last_active_ms >> Spin::WINDOW_SHIFT != window {
            self.active += 1;
        }
    }

    /// How long to spin now.
    fn limit(&mut self, directive: i64) -> Duration {
        if let Ok(us) = u64::try_from(directive) {
            return Duration::from_micros(us);
        }
        let few = self.active.max(self.active_before) <= Spin::FEW;
        self.rests += 1;
        if few && (self.success >= 128 || self.rests >= Spin::TRY_AGAIN) {
            self.rests = 0;
            return Spin::LIMIT;
        }
        Duration::ZERO
    }

    fn learn(&mut self, found: bool) {
        self.success = self.success - self.success / 8 + if found { 32 } else { 0 };
    }
}

impl<I: Io> Core<I> {
    /// A core; `listeners` are its listening sockets, with whether each is a unix socket.
    pub fn new(mut io: I, center: Center, listeners: Vec<(OwnedFd, bool)>) -> Core<I> {
        let mut unix_listeners = Vec::new();
        for (i, (fd, unix)) in listeners.into_iter().enumerate() {
            io.listen(i, fd);
            unix_listeners.push(unix);
        }
        let next_core = center.id;
        Core {
            io,
            center,
            events: Vec::new(),
            unix_listeners,
            next_core,
            next_tick_ms: 0,
            tended_ms: 0,
            spin: Spin::default(),
            spare: Vec::new(),
            accept_warned: false,
            go_on_at_once: false,
        }
    }

    /// Runs until the process is to stop.
    pub fn run(&mut self) {
        while !self.center.stopping {
            self.step();
        }
        self.end();
    }

    /// One turn and, if there was nothing to do, a rest.
    pub fn step(&mut self) {
        let worked = self.turn();
        if self.center.stopping {
            return;
        }
        if !self.center.sleeps.is_empty() {
            self.sleep();
        }
        // A client closed by the flush may have left messages of this core to itself.
        let left = !self.center.ready.is_empty() || !self.center.loopback.is_empty();
        if self.center.cores > 1 && worked || left || self.go_on_at_once {
            self.io.submit();
        } else {
            self.rest();
        }
    }

    /// DEBUG SLEEP. What this core asked the others is on its way, so they sleep at the same time.
    #[cold]
    fn sleep(&mut self) {
        self.io.submit();
        for (since, time) in self.center.sleeps.drain(..) {
            std::thread::sleep(time.saturating_sub(since.elapsed()));
        }
    }

    /// Waits for something to do.
    fn rest(&mut self) {
        let limit = self.spin.limit(self.center.config.ringkey.spin_us);
        if !limit.is_zero() {
            self.io.submit();
            let mesh = &self.center.mesh;
            let found = self.io.spin(limit, &mut || mesh.has_inbound());
            self.spin.learn(found);
            if found {
                return;
            }
        }
        if self.center.mesh.prepare_sleep() {
            self.io.wait(self.wait_limit());
            self.center.mesh.finish_sleep();
        } else {
            self.io.submit();
        }
    }

    /// How long it may sleep: for ever, if there is nothing to tend.
    fn wait_limit(&self) -> Option<Duration> {
        let keyspace = &self.center.shard.keyspace;
        let expiring = (0..keyspace.databases()).any(|db| keyspace.table(db as u32).expires_len() > 0);
        let soon = expiring
            || keyspace.has_timed_fields()
            || keyspace.pending_frees() > 0
            || self.center.paused.is_some()
            || self.center.room.wants_turns();
        let limit = match (soon, self.center.clients.is_empty()) {
            (true, _) => Some(Duration::from_millis(TICK_MS as u64)),
            (false, false) => Some(Duration::from_secs(1)),
            (false, true) => None,
        };
        let now_ms = i64::try_from(self.io.unix_time().as_millis()).unwrap_or(i64::MAX);
        let deadline_ms = self.center.next_deadline_ms().map(|at_ms| (at_ms - now_ms).max(0));
        let deadline = deadline_ms.map(|ms| Duration::from_millis(ms.unsigned_abs()));
        limit.into_iter().chain(deadline).min()
    }

    /// One turn; true if there was something to do.
    pub fn turn(&mut self) -> bool {
        let begin = clock::ticks();
        self.center.now_ms = i64::try_from(self.io.unix_time().as_millis()).unwrap_or(i64::MAX);
        self.center.refresh_config();
        if self.center.shared.is_stopping() {
            self.center.stopping = true;
        }
        let mut events = std::mem::take(&mut self.events);
        self.io.poll(&mut events);
        let mut worked = !events.is_empty();
        for event in events.drain(..) {
            self.on_event(event);
        }
        self.events = events;
        worked |= self.take_messages();
        self.center.end_waits_due();
        self.center.end_overdue_waits();
        self.center.go_on();
        self.tick();
        let scripts = self.center.tend_scripts();
        self.center.go_on();
        self.go_on_at_once = self.center.evict_between_turns() || scripts;
        self.go_on_at_once |= self.center.end_tracking_turn();
        self.flush();
        if worked {
            self.center.stats.count_turn(clock::ticks().wrapping_sub(begin));
        }
        worked
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Received { conn, chunk } => self.on_received(conn, chunk),
            Event::Sent { conn, buffer, result } => self.on_sent(conn, buffer, result),
            Event::Closed { conn, reason } => self.on_closed(conn, reason),
            Event::Accepted { listener, fd } => self.on_accepted(fd, self.unix_listeners[listener]),
            // A socket that CONFIG SET silenced is about to be let go.
            Event::AcceptPaused { errno: libc::EINVAL, .. } => {}
            Event::AcceptPaused { errno, .. } => {
                if !std::mem::replace(&mut self.accept_warned, true) {
                    let why = std::io::Error::from_raw_os_error(errno);
                    tracing::warn!("Accepting client connections: {why}; accepting goes on when it can");
                }
            }
            Event::Woken => {}
            Event::Filled { conn, buffer, .. } => self.center.received(conn, &buffer),
            Event::FileDone { .. } => unreachable!("nobody writes files on this ring yet"),
        }
    }

    fn on_received(&mut self, conn: ConnId, chunk: Chunk) {
        if let Some(connection) = self.center.clients.get_mut(conn) {
            self.spin.saw(connection.session.active_ms, self.center.now_ms);
        }
        self.center.received(conn, self.io.bytes(&chunk));
        self.io.release(chunk);
    }

    fn on_sent(&mut self, conn: ConnId, mut buffer: Vec<u8>, result: Result<(), i32>) {
        if let Some(connection) = self.center.clients.get_mut(conn) {
            connection.sending_bytes = 0;
            if result.is_ok() {
                connection.session.net_out += buffer.len() as u64;
                self.center.stats.net_out += buffer.len() as u64;
                let more = connection.replies.ready_bytes() > 0 || connection.ending != Ending::None;
                if more && !connection.dirty {
                    connection.dirty = true;
                    self.center.dirty.push(conn);
                }
            }
        }
        self.center.go_on_if_room(conn);
        if result.is_err() {
            self.center.close(conn);
        }
        if buffer.capacity() <= KEEP_SEND_BYTES && self.spare.len() < 1024 {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn on_closed(&mut self, conn: ConnId, reason: CloseReason) {
        if let CloseReason::Error(errno) = reason {
            tracing::debug!("Reading from client: {}", std::io::Error::from_raw_os_error(errno));
        }
        // Valkey closes at end of file, whatever is still to be answered.
        self.center.close(conn);
    }

    /// Spreads connections over the cores, one after the other.
    fn on_accepted(&mut self, fd: OwnedFd, unix: bool) {
        self.accept_warned = false;
        let core = self.next_core;
        self.next_core = (core + 1) % self.center.cores;
        if core == self.center.id {
            self.adopt(fd, unix);
        } else {
            self.center.send(core, Message::Adopt { fd, unix });
        }
    }

    fn adopt(&mut self, fd: OwnedFd, unix: bool) {
        use std::os::fd::AsFd;
        if !unix {
            let keepalive = u32::try_from(self.center.config.network.tcp_keepalive).unwrap_or(0);
            // A socket that refuses options is about to fail anyway, and says so by its next event.
            let _ = crate::runtime::listen::set_nodelay(fd.as_fd());
            let _ = crate::runtime::listen::set_keepalive(fd.as_fd(), keepalive);
        }
        let conn = self.io.adopt(fd);
        let ends = self.io.addresses(conn);
        if let Err(text) = self.center.welcome(conn, &ends, unix, self.io.fd_number(conn)) {
            self.io.send(conn, text.to_vec());
            self.io.shutdown_write(conn);
            self.io.close(conn);
        }
    }

    fn take_messages(&mut self) -> bool {
        let mut worked = false;
        while let Some((from, message)) = self.center.mesh.receive_one() {
            worked = true;
            self.center.on_message(from, message);
        }
        worked
    }

    fn tick(&mut self) {
        let now_ms = self.center.now_ms;
        if now_ms < self.next_tick_ms || self.center.ticks_paused {
            return;
        }
        self.next_tick_ms = now_ms + TICK_MS;
        let begin = clock::ticks();
        // CLIENT PAUSE promises that nothing changes, so keys wait too.
        while self.center.paused.is_none()
            && self.center.shard.tick(now_ms, EXPIRE_LEAVES)
            && clock::ticks_to_us(clock::ticks().wrapping_sub(begin)) < TICK_BUDGET_US
        {}
        self.center.note_latency("expire-cycle", clock::ticks().wrapping_sub(begin));
        self.center.commit();
        if now_ms - self.tended_ms >= TEND_MS {
            self.tended_ms = now_ms;
            self.center.tend_clients();
        }
        self.center.end_pause_if_due();
        self.center.take_sample();
        self.center.note_slack();
        self.center.stats.tick_ticks += clock::ticks().wrapping_sub(begin);
    }

    /// Sends what the turn made: replies, batches, wake-ups; carries out what it wants of sockets.
    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.center.dirty);
        for conn in dirty.drain(..) {
            self.flush_connection(conn);
        }
        if self.center.dirty.is_empty() {
            self.center.dirty = dirty;
        }
        self.act();
        if self.center.cores > 1 {
            for core in 0..self.center.cores {
                self.center.post_batches(core);
            }
            let io = &mut self.io;
            self.center.mesh.flush(&mut |core| io.wake(core));
        }
    }

    fn flush_connection(&mut self, conn: ConnId) {
        let Some(connection) = self.center.clients.get_mut(conn) else { return };
        connection.dirty = false;
        if self.io.is_sending(conn) {
            return self.check_output(conn);
        }
        let ready = connection.replies.ready_bytes();
        let complete = connection.replies.is_complete() || connection.stall.is_some() || ready > SEND_EARLY_BYTES;
        if ready > 0 && complete {
            let buffer = connection.take_output(self.spare.pop().unwrap_or_default());
            connection.sending_bytes = buffer.len();
            self.center.stats.writes += 1;
            self.io.send(conn, buffer);
            return self.check_output(conn);
        }
        if ready == 0 && connection.ending == Ending::AfterReplies && connection.replies.is_complete() {
            self.center.close(conn);
        }
    }

    /// Closes a client whose unread output passes its limit; makes one that reads too slowly wait.
    fn check_output(&mut self, conn: ConnId) {
        let Some(mut connection) = self.center.clients.take(conn) else { return };
        if self.center.drowns(&mut connection) {
            return self.center.farewell(conn, connection);
        }
        self.center.clients.put(conn, connection);
    }

    fn act(&mut self) {
        while !self.center.actions.is_empty() {
            for action in std::mem::take(&mut self.center.actions) {
                match action {
                    Action::Close(conn) => self.io.close(conn),
                    Action::Pause(conn) => self.io.pause_receive(conn),
                    Action::Resume(conn) => self.io.resume_receive(conn),
                    Action::Listen(sockets) => self.listen(sockets),
                    Action::Adopt { fd, unix } => self.adopt(fd, unix),
                }
            }
        }
    }

    /// Accepts from these TCP sockets instead of the former ones (CONFIG SET port, bind).
    fn listen(&mut self, sockets: Vec<OwnedFd>) {
        for number in (0..self.unix_listeners.len()).filter(|number| !self.unix_listeners[*number]) {
            self.io.stop_listening(number);
        }
        for fd in sockets {
            self.io.listen(self.unix_listeners.len(), fd);
            self.unix_listeners.push(false);
        }
    }

    /// The end: what can be sent is sent, then everything closes.
    fn end(&mut self) {
        /// Turns given to the last replies.
        const LAST_TURNS: usize = 50;
        for listener in 0..self.unix_listeners.len() {
            self.io.stop_listening(listener);
        }
        for _ in 0..LAST_TURNS {
            self.turn();
            self.io.wait(Some(Duration::from_millis(1)));
            let busy = self.center.clients.iter().any(|(_, c)| c.output_bytes() > 0);
            if !busy {
                break;
            }
        }
    }
}

impl Center {
    /// A message of another core, or of this one to itself.
    pub fn on_message(&mut self, from: usize, message: Message) {
        match message {
            Message::Calls(batch) => self.run_calls(from, batch),
            Message::Replies(batch) => self.take_replies(batch),
            Message::Pushes(batch) => self.take_pushes(batch),
            Message::Notices(notices) => self.take_notices(notices),
            Message::Flushed { count } => self.on_flushed(from, count),
            Message::Adopt { fd, unix } => self.actions.push(Action::Adopt { fd, unix }),
            Message::Request(request) => self.on_request(from, *request),
            Message::Answer(answer) => self.on_answer(from, *answer),
            Message::Ask { gather, question } => {
                let report = question(self);
                self.send(from, Message::Reported { gather, report });
            }
            Message::Reported { gather, report } => self.on_reported(from, gather, report),
            Message::Tell(tell) => {
                tell(self);
            }
            Message::Slow { conn, call } => {
                let Some(connection) = self.clients.take(conn) else { return self.log_slow(call, None) };
                self.log_slow(call, Some(&connection.session));
                self.clients.put(conn, connection);
            }
            Message::Listen(sockets) => self.actions.push(Action::Listen(sockets)),
            Message::Offer { wait } => self.on_offer(wait),
            Message::Popped { conn, ticket, reply, put_back } => self.on_popped(conn, ticket, &reply, put_back),
            Message::PutBack(put_back) => self.run_put_back(*put_back),
            Message::Script(message) => self.on_script_message(from, *message),
            Message::Stop => self.stopping = true,
        }
    }

    fn take_replies(&mut self, batch: Vec<u8>) {
        let mut at = 0;
        while at < batch.len() {
            let (conn, ticket, bytes, next) = message::read_reply(&batch, at);
            at = next;
            // A client that is gone wants no reply.
            let Some(connection) = self.clients.get_mut(conn) else { continue };
            connection.room.learn(bytes.len());
            connection.replies.fill(ticket, bytes);
            let full = connection.stall == Some(Stall::Full);
            if connection.stall == Some(Stall::Working(ticket))
                || full && connection.has_room_again(self.thresholds.unread_bytes)
            {
                connection.stall = None;
                self.ready.push(conn);
            }
            if !connection.dirty {
                connection.dirty = true;
                self.dirty.push(conn);
            }
        }
        self.recycle(batch);
    }

    /// Some of a client's output has left: if that is what it waits for, it goes on.
    fn go_on_if_room(&mut self, conn: ConnId) {
        let Some(connection) = self.clients.get_mut(conn) else { return };
        if connection.stall == Some(Stall::Full) && connection.has_room_again(self.thresholds.unread_bytes) {
            connection.stall = None;
            self.ready.push(conn);
        }
    }

    /// Messages to itself, transactions without locks, and connections whose stall has ended, until none is left.
    pub fn go_on(&mut self) {
        loop {
            if let Some(message) = self.loopback.pop_front() {
                self.on_message(self.id, message);
            } else if let Some(finished) = self.finished_early.pop() {
                self.on_finished(finished);
            } else if let Some(conn) = self.ready.pop() {
                self.resume(conn);
            } else if let Some(conn) = self.doomed.pop() {
                self.close(conn);
            } else if !self.strays.is_empty() {
                self.end_strays();
            } else {
                self.end_notices();
                // A core tells itself of clients that are gone by a message.
                if self.loopback.is_empty() {
                    return;
                }
            }
        }
    }

    /// Wakes the clients CLIENT PAUSE held once it is over.
    pub fn end_pause_if_due(&mut self) {
        if self.paused.is_some_and(|(until_ms, _)| self.now_ms >= until_ms) {
            self.end_pause();
        }
    }

    /// CLIENT PAUSE. A pause under way may get longer and stricter, never the opposite.
    pub fn pause(&mut self, until_ms: i64, writes_only: bool) {
        let now_ms = self.now_ms;
        let (old_ms, old_writes_only) = self.paused.filter(|(end_ms, _)| *end_ms > now_ms).unwrap_or((0, true));
        let until_ms = until_ms.max(old_ms);
        if until_ms > now_ms {
            self.paused = Some((until_ms, writes_only && old_writes_only));
        }
    }

    /// Ends CLIENT PAUSE.
    pub fn end_pause(&mut self) {
        self.paused = None;
        let held: Vec<ConnId> = self
            .clients
            .iter_mut()
            .filter(|(_, c)| c.stall == Some(crate::connection::Stall::Paused))
            .map(|(id, c)| {
                c.stall = None;
                id
            })
            .collect();
        self.ready.extend(held);
    }
}
