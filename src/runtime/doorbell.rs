//! How a sleeping core is woken.
//!
//! A core wakes another by a message from ring to ring (MSG_RING: no system call of its own, it goes out with the turn's
//! enter). Threads that have no ring (file workers, signal handlers' threads) write to the core's eventfd, which its ring reads;
//! that is also the way where the kernel lacks MSG_RING. Both only interrupt a wait: what there is to do lies in queues.
#![allow(unsafe_code)] // eventfd has no wrapper in std

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Wake, Waker};

/// One core's bell.
#[derive(Debug)]
pub struct Doorbell {
    ring_fd: AtomicI32,
    event: File,
}

impl Doorbell {
    fn new() -> io::Result<Doorbell> {
        // SAFETY: creates a descriptor, touches no memory. It must block: a ring read of a non-blocking one fails at once.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Doorbell { ring_fd: AtomicI32::new(-1), event: File::from(fd) })
    }

    /// Wakes the core by its eventfd.
    pub fn ring(&self) {
        // It fails only when 2^64 - 2 wakes are unread, and then the core is woken anyway.
        let _ = (&self.event).write(&1u64.to_ne_bytes());
    }

    /// The descriptor that the core's ring reads.
    pub fn event_fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }

    /// The core's ring, if it is running.
    pub fn ring_fd(&self) -> Option<RawFd> {
        Some(self.ring_fd.load(Ordering::Acquire)).filter(|fd| *fd >= 0)
    }

    /// Tells the others where the core's ring is, or that it is gone.
    pub fn set_ring_fd(&self, fd: Option<RawFd>) {
        self.ring_fd.store(fd.unwrap_or(-1), Ordering::Release);
    }
}

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// The bells of all cores, made before the cores start.
#[derive(Debug)]
pub struct Doorbells(Vec<Arc<Doorbell>>);

impl Doorbells {
    /// Bells for so many cores.
    pub fn new(cores: usize) -> io::Result<Arc<Doorbells>> {
        let bells = (0..cores).map(|_| Doorbell::new().map(Arc::new)).collect::<io::Result<_>>()?;
        Ok(Arc::new(Doorbells(bells)))
    }

    /// How many cores there are.
    pub fn cores(&self) -> usize {
        self.0.len()
    }

    /// One core's bell.
    pub fn bell(&self, core: usize) -> &Arc<Doorbell> {
        &self.0[core]
    }

    /// What any thread may use to wake a core.
    pub fn waker(&self, core: usize) -> Waker {
        Waker::from(Arc::clone(&self.0[core]))
    }
}
