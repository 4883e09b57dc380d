//! The listening sockets of one ring.
//!
//! One multishot accept per socket brings every connection without being asked again. When descriptors or memory run out it
//! ends; asking again at once would fail again and spin, and nothing tells when there are some again, so a timer asks a little
//! later, the only timer of the runtime and only then.
//!
//! Invariant: a listener's descriptor stays open while an accept on it is under way, also after it was stopped.
#![allow(unsafe_code)] // requests name descriptors and a timespec that must outlive them

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use io_uring::{cqueue, opcode, types};

use super::io::Event;
use super::ring::Ring;
use super::uring::{OP_ACCEPT, OP_ACCEPT_RETRY, OP_IGNORE, user_data};

/// How long accepting pauses when descriptors or memory ran out.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Listener {
    fd: OwnedFd,
    generation: u32,
    accepting: bool,
    retrying: bool,
    stopped: bool,
}

/// The listening sockets of one ring, by the numbers their core gave them.
#[derive(Debug)]
pub struct Listeners {
    slots: Vec<Option<Listener>>,
    generation: u32,
    retry: Box<types::Timespec>,
}

impl Default for Listeners {
    fn default() -> Listeners {
        Listeners::new()
    }
}

impl Listeners {
    /// None yet.
    pub fn new() -> Listeners {
        Listeners { slots: Vec::new(), generation: 0, retry: Box::new(RETRY.into()) }
    }

    /// How many numbers were ever used.
    pub fn numbers(&self) -> usize {
        self.slots.len()
    }

    /// Accepts from a socket.
    pub fn start(&mut self, ring: &mut Ring, number: usize, fd: OwnedFd) {
        if self.slots.len() <= number {
            self.slots.resize_with(number + 1, || None);
        }
        assert!(self.slots[number].is_none(), "a listener's number is free before it is used again");
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        self.slots[number] = Some(Listener { fd, generation, accepting: false, retrying: false, stopped: false });
        self.arm(ring, number);
    }

    /// Accepts no more; the socket closes when the kernel has let go of it.
    pub fn stop(&mut self, ring: &mut Ring, number: usize) {
        let Some(Some(listener)) = self.slots.get_mut(number) else { return };
        listener.stopped = true;
        if listener.accepting {
            let target = user_data(OP_ACCEPT, listener.generation, number as u32);
            let entry = opcode::AsyncCancel::new(target).build().user_data(user_data(OP_IGNORE, 0, 0));
            // SAFETY: a cancel names nothing but a number.
            unsafe { ring.push(entry) };
        }
        self.free_if_done(number);
    }

    fn arm(&mut self, ring: &mut Ring, number: usize) {
        let Some(Some(listener)) = self.slots.get_mut(number) else { return };
        if listener.accepting || listener.retrying || listener.stopped {
            return;
        }
        listener.accepting = true;
        let entry = opcode::AcceptMulti::new(types::Fd(listener.fd.as_raw_fd())).flags(libc::SOCK_CLOEXEC).build();
        let entry = entry.user_data(user_data(OP_ACCEPT, listener.generation, number as u32));
        // SAFETY: no memory is named; the descriptor stays open while `accepting` is set.
        unsafe { ring.push(entry) };
    }

    fn pause(&mut self, ring: &mut Ring, number: usize) {
        let Some(Some(listener)) = self.slots.get_mut(number) else { return };
        listener.retrying = true;
        let timer = opcode::Timeout::new(&raw const *self.retry);
        let entry = timer.build().user_data(user_data(OP_ACCEPT_RETRY, listener.generation, number as u32));
        // SAFETY: the kernel copies the timespec when the entry is submitted; it lives as long as the ring.
        unsafe { ring.push(entry) };
    }

    fn free_if_done(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        if slot.as_ref().is_some_and(|listener| listener.stopped && !listener.accepting && !listener.retrying) {
            *slot = None;
        }
    }

    /// An accept completed.
    pub fn on_accept(&mut self, ring: &mut Ring, number: usize, result: i32, flags: u32, events: &mut Vec<Event>) {
        // SAFETY: the kernel made this descriptor for us; nobody else knows it.
        let accepted = (result >= 0).then(|| unsafe { OwnedFd::from_raw_fd(result) });
        let Some(Some(listener)) = self.slots.get_mut(number) else { return };
        if !cqueue::more(flags) {
            listener.accepting = false;
        }
        if listener.stopped {
            self.free_if_done(number);
        } else if let Some(fd) = accepted {
            events.push(Event::Accepted { listener: number, fd });
            self.arm(ring, number);
        } else if is_passing(-result) {
            self.arm(ring, number);
        } else {
            self.pause(ring, number);
            events.push(Event::AcceptPaused { listener: number, errno: -result });
        }
    }

    /// The pause is over.
    pub fn on_retry(&mut self, ring: &mut Ring, number: usize) {
        let Some(Some(listener)) = self.slots.get_mut(number) else { return };
        listener.retrying = false;
        self.free_if_done(number);
        self.arm(ring, number);
    }
}

/// Errors that say nothing about the next accept: the peer gave up or the network had hiccups (see accept(2)).
fn is_passing(errno: i32) -> bool {
    let network = [libc::ENETDOWN, libc::EPROTO, libc::ENOPROTOOPT, libc::EHOSTDOWN, libc::ENONET, libc::EHOSTUNREACH];
    network.contains(&errno) || [libc::ECONNABORTED, libc::EINTR, libc::ENETUNREACH].contains(&errno)
}
