//! One sending thread.
//!
//! The thread sleeps in epoll, reads each connection that has something once, and in a closed loop refills its pipeline
//! at once: one wake-up, one read and one write per batch, and no change of what the poller watches. In an open loop
//! the thread wakes when the next request is due, and gives due requests to connections with room, in turn.
//!
//! At the end nothing is sent any more and the outstanding replies are awaited for `DRAIN_NS`; those that do not come
//! are counted as unanswered.

use crate::catalogue::Workload;
use crate::load::client::Client;
use crate::load::schedule::{Budget, Clock, OpenLoop, Times};
use crate::load::tally::Tally;
use crate::proc;
use crate::sys::{self, Poller, Ready};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How long replies are awaited after the end.
const DRAIN_NS: u64 = 5_000_000_000;
/// A server that owes replies and sends none for so long is given up, so that unattended runs end.
const STALL_NS: u64 = 60_000_000_000;
/// Without a nearer date, look at the stop flag and the end this often.
const LOOK_AROUND_NS: u64 = 50_000_000;
/// One read takes at most this much.
const READ_BYTES: usize = 256 * 1024;

/// A thread's share of the load.
pub struct Worker {
    /// Its connections.
    pub clients: Vec<Client>,
    /// What to send.
    pub load: Arc<Workload>,
    /// Most requests under way on one connection.
    pub pipeline: usize,
    /// Requests that may still be sent and recorded, by all threads.
    pub budget: Arc<Budget>,
    /// Replies so far, by all threads, for the progress line.
    pub progress: Arc<AtomicU64>,
    /// The run's stretches of time.
    pub times: Times,
    /// The arrivals of an open loop; `None` is a closed loop.
    pub open: Option<OpenLoop>,
    /// The run's clock.
    pub clock: Clock,
}

impl Worker {
    /// Sends until the end and gives the results.
    pub fn run(mut self) -> io::Result<Tally> {
        let cpu_before = proc::thread_cpu_ns();
        let mut tally = Tally::new(self.load.commands.iter().map(|c| c.name.as_str()));
        let poller = Poller::new()?;
        if self.open.is_some() {
            sys::precise_sleeps();
        }
        for client in &self.clients {
            client.watch(&poller)?;
        }
        while self.clock.now_ns() < self.times.start_ns {
            std::hint::spin_loop();
        }
        self.send_until_the_end(&poller, &mut tally)?;
        tally.unanswered = self.clients.iter().map(|c| c.in_flight() as u64).sum();
        tally.client_cpu_ns = proc::thread_cpu_ns().saturating_sub(cpu_before);
        Ok(tally)
    }

    fn send_until_the_end(&mut self, poller: &Poller, tally: &mut Tally) -> io::Result<()> {
        let mut ready = Vec::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut next_client = 0;
        let mut sending = true;
        let mut give_up_ns = u64::MAX;
        let mut alive_ns = self.clock.now_ns();
        if self.open.is_none() {
            let now = self.clock.now_ns();
            for i in 0..self.clients.len() {
                sending &= self.refill(i, now, poller, tally)?;
            }
        }
        loop {
            let now = self.clock.now_ns();
            if now.saturating_sub(alive_ns) > STALL_NS {
                if self.clients.iter().any(|c| c.in_flight() > 0) {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the server has sent nothing for a minute"));
                }
                alive_ns = now;
            }
            if sending && (now >= self.times.end_ns || sys::stopping()) {
                sending = false;
            }
            if sending && self.open.is_some() {
                sending = self.send_due(now, &mut next_client, poller, tally)?;
            }
            if !sending {
                give_up_ns = give_up_ns.min(now + DRAIN_NS);
                if now >= give_up_ns || self.clients.iter().all(|c| c.in_flight() == 0) {
                    return Ok(());
                }
            }
            poller.wait(&mut ready, self.nap_ns(sending))?;
            let before = tally.replies;
            for &event in &ready {
                sending = self.on_ready(event, sending, &mut buffer, poller, tally)?;
            }
            if tally.replies > before {
                alive_ns = now;
                self.progress.fetch_add(tally.replies - before, Ordering::Relaxed);
            }
        }
    }

    /// One connection can be read or written; in a closed loop it is refilled when its last reply has come.
    fn on_ready(
        &mut self,
        event: Ready,
        sending: bool,
        buffer: &mut [u8],
        poller: &Poller,
        tally: &mut Tally,
    ) -> io::Result<bool> {
        let i = event.token as usize;
        let client = &mut self.clients[i];
        if event.writable {
            client.flush(poller, tally)?;
        }
        if event.readable {
            let now = client.receive(buffer, tally, &self.clock)?;
            if sending && self.open.is_none() && client.in_flight() == 0 {
                return Ok(now < self.times.end_ns && self.refill(i, now, poller, tally)?);
            }
        }
        Ok(sending)
    }

    /// How long to wait for replies: until the next request is due, if there is room for it.
    fn nap_ns(&self, sending: bool) -> u64 {
        match &self.open {
            Some(open) if sending && self.clients.iter().any(|c| c.in_flight() < self.pipeline) => {
                open.next_due_ns().saturating_sub(self.clock.now_ns()).min(LOOK_AROUND_NS)
            }
            _ => LOOK_AROUND_NS,
        }
    }

    /// How many of `wanted` requests may be sent now, and whether they are recorded.
    fn claim(&self, wanted: u64, due_ns: u64) -> (u64, bool) {
        if due_ns < self.times.record_ns { (wanted, false) } else { (self.budget.claim(wanted), true) }
    }

    /// Fills the pipeline of an idle connection; false when the budget is used up.
    fn refill(&mut self, i: usize, now_ns: u64, poller: &Poller, tally: &mut Tally) -> io::Result<bool> {
        let wanted = self.pipeline as u64;
        let (granted, recorded) = self.claim(wanted, now_ns);
        let client = &mut self.clients[i];
        for _ in 0..granted {
            client.push(&self.load, now_ns, recorded);
        }
        client.flush(poller, tally)?;
        Ok(granted == wanted)
    }

    /// Hands every request that is due to a connection with room; false when the budget is used up.
    fn send_due(&mut self, now_ns: u64, next: &mut usize, poller: &Poller, tally: &mut Tally) -> io::Result<bool> {
        let mut full = 0;
        let mut touched = Vec::new();
        let mut sending = true;
        while full < self.clients.len() && sending {
            let i = *next;
            *next = (i + 1) % self.clients.len();
            if self.clients[i].in_flight() >= self.pipeline {
                full += 1;
                continue;
            }
            let Some(due_ns) = self.open.as_mut().expect("an open loop").take(now_ns) else { break };
            let (granted, recorded) = self.claim(1, due_ns);
            sending = granted == 1;
            if sending {
                full = 0;
                self.clients[i].push(&self.load, due_ns, recorded);
                touched.push(i);
            }
        }
        // A connection that got several requests sends them with its first flush; the others find nothing to do.
        for i in touched {
            self.clients[i].flush(poller, tally)?;
        }
        Ok(sending)
    }
}
