//! A thin wrapper around one io_uring: how it is set up, filled, entered and emptied.
//!
//! Set-up: only the thread that made the ring submits (`SINGLE_ISSUER`), completions are finished when that thread enters the
//! kernel and not by interrupting it (`DEFER_TASKRUN`), a flag in shared memory says that there is something to finish
//! (`TASKRUN_FLAG`, so that a poll without it costs no system call), one bad request does not hold up those behind it
//! (`SUBMIT_ALL`). The ring's descriptor is registered, which saves its look-up on every enter. All of that needs Linux 6.1;
//! `NO_SQARRAY` (6.6) is left out where it is refused.
//!
//! A small ring is merely slower: a full submission queue is flushed, and the kernel keeps completions that do not fit.
//!
//! Invariant: entries reach the kernel in the order they were pushed, also when the queue was full.
#![allow(unsafe_code)] // io_uring_enter, io_uring_register and pushing raw submission entries

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use io_uring::types::Timespec;
use io_uring::{IoUring, Submitter, cqueue, squeue};

/// Below this a ring is not worth having.
pub const SUBMISSIONS_MIN: u32 = 32;
const REGISTER_RING_FDS: u32 = 20;
const ENTER_GETEVENTS: u32 = 1;
const ENTER_EXT_ARG: u32 = 1 << 3;
const ENTER_REGISTERED_RING: u32 = 1 << 4;
const ENTER_NO_IOWAIT: u32 = 1 << 7;

/// The kernel's `io_uring_getevents_arg`.
#[repr(C)]
struct EnterArgument {
    signals: u64,
    signals_size: u32,
    min_wait_us: u32,
    timespec: u64,
}

/// The kernel's `io_uring_rsrc_update`.
#[repr(C)]
struct RingFdUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

const _: () = assert!(size_of::<EnterArgument>() == 24 && size_of::<RingFdUpdate>() == 16);

/// One io_uring, used by the thread that opened it.
pub struct Ring {
    ring: IoUring,
    enter_fd: RawFd,
    enter_flags: u32,
    /// Entries that found the submission queue full even after a flush.
    overflow: VecDeque<squeue::Entry>,
    /// How often the kernel was entered, for measurements and for the test that an idle core sleeps.
    pub enters: u64,
}

impl Ring {
    /// Opens a ring on this thread.
    pub fn open(submissions: u32, completions: u32) -> io::Result<Ring> {
        assert!(submissions >= SUBMISSIONS_MIN && completions >= submissions, "ring sizes");
        let ring = set_up(submissions, completions)?;
        // A wait with receives under way would count as waiting for a disk: an idle server would show a CPU full of iowait.
        let enter_flags = if ring.params().is_feature_no_iowait() { ENTER_NO_IOWAIT } else { 0 };
        let mut ring = Ring { enter_fd: ring.as_raw_fd(), enter_flags, ring, overflow: VecDeque::new(), enters: 0 };
        ring.register_own_fd();
        Ok(ring)
    }

    /// An enter by a registered index is cheaper; without it (limits reached) the plain descriptor serves.
    fn register_own_fd(&mut self) {
        let fd = self.ring.as_raw_fd();
        let mut update = RingFdUpdate { offset: u32::MAX, reserved: 0, data: fd as u64 };
        // SAFETY: the argument is one io_uring_rsrc_update as the operation asks for, alive during the call.
        let registered = unsafe { libc::syscall(libc::SYS_io_uring_register, fd, REGISTER_RING_FDS, &raw mut update, 1) };
        if registered == 1 {
            self.enter_fd = update.offset as RawFd;
            self.enter_flags |= ENTER_REGISTERED_RING;
        }
    }

    /// The ring's descriptor, the address of messages from other rings.
    pub fn fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }

    /// For registering resources.
    pub fn submitter(&self) -> Submitter<'_> {
        self.ring.submitter()
    }

    /// Sizes that were granted: submissions, completions.
    pub fn sizes(&self) -> (u32, u32) {
        (self.ring.params().sq_entries(), self.ring.params().cq_entries())
    }

    /// Queues an entry for the next enter.
    ///
    /// # Safety
    /// Every buffer and descriptor the entry names must stay valid until its (last) completion was reaped.
    #[inline]
    pub unsafe fn push(&mut self, entry: squeue::Entry) {
        if self.overflow.is_empty() {
            // SAFETY: the caller promises what `push` asks.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return;
            }
            self.enter(0, None);
        }
        self.overflow.push_back(entry);
        self.drain_overflow();
    }

    fn drain_overflow(&mut self) {
        let mut queue = self.ring.submission();
        while let Some(entry) = self.overflow.front() {
            // SAFETY: whoever pushed the entry promised that what it names stays valid until it completes.
            if unsafe { queue.push(entry) }.is_err() {
                break;
            }
            self.overflow.pop_front();
        }
    }

    /// Whether `count` entries pushed now go out in one submission, as linked ones must.
    pub fn make_room(&mut self, count: usize) -> bool {
        let fits = |ring: &mut Ring| {
            let queue = ring.ring.submission();
            ring.overflow.is_empty() && queue.capacity() - queue.len() >= count
        };
        if !fits(self) {
            self.enter(0, None);
        }
        fits(self)
    }

    /// The next completion, if there is one.
    #[inline]
    pub fn reap(&mut self) -> Option<cqueue::Entry> {
        self.ring.completion().next()
    }

    /// Whether something waits to be submitted.
    #[inline]
    pub fn has_queued(&mut self) -> bool {
        !self.overflow.is_empty() || !self.ring.submission().is_empty()
    }

    /// Whether entering the kernel would finish something (or bring in completions that did not fit).
    #[inline]
    pub fn kernel_has_work(&mut self) -> bool {
        let queue = self.ring.submission();
        queue.taskrun() || queue.cq_overflow()
    }

    /// Whether completions wait to be reaped.
    #[inline]
    pub fn has_completions(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }

    /// Submits what is queued, finishes what can be finished, and waits for `want` completions, at most for `timeout`.
    pub fn enter(&mut self, want: u32, timeout: Option<Duration>) {
        let queued = self.ring.submission().len() as u32;
        let timespec = timeout.map(Timespec::from);
        let argument = EnterArgument {
            signals: 0,
            signals_size: 8,
            min_wait_us: 0,
            timespec: timespec.as_ref().map_or(0, |timespec| std::ptr::from_ref(timespec) as u64),
        };
        let (extended, pointer, size) = match timespec {
            Some(_) => (ENTER_EXT_ARG, &raw const argument, size_of::<EnterArgument>()),
            None => (0, std::ptr::null(), 8),
        };
        let flags = ENTER_GETEVENTS | extended | self.enter_flags;
        self.enters += 1;
        // SAFETY: the ring is open, the argument and its timespec outlive the call, and whoever pushed the queued entries
        // promised that what they name stays valid.
        let entered = unsafe {
            libc::syscall(libc::SYS_io_uring_enter, self.enter_fd, queued, want, flags, pointer, size)
        };
        if entered < 0 {
            // Interrupted, out of time, or short of memory for now: the loop comes back. Anything else is our bug.
            let error = io::Error::last_os_error();
            let errno = error.raw_os_error().unwrap_or(0);
            let passing = [libc::EINTR, libc::ETIME, libc::EAGAIN, libc::EBUSY, libc::ENOMEM].contains(&errno);
            assert!(passing, "io_uring_enter failed: {error}");
        }
        if !self.overflow.is_empty() {
            self.drain_overflow();
        }
    }
}

/// One attempt; without `NO_SQARRAY` where the kernel does not know it.
fn set_up(submissions: u32, completions: u32) -> io::Result<IoUring> {
    let build = |no_array: bool| {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
        builder.setup_clamp().setup_cqsize(completions).dontfork();
        if no_array {
            builder.setup_no_sqarray();
        }
        builder.build(submissions)
    };
    match build(true) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => build(false),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use io_uring::opcode;

    fn nop(number: u64) -> squeue::Entry {
        opcode::Nop::new().build().user_data(number)
    }

    #[test]
    fn entries_beyond_the_queue_go_out_in_order() {
        let mut ring = Ring::open(32, 64).unwrap();
        for number in 0..1000 {
            // SAFETY: a no-op names nothing.
            unsafe { ring.push(nop(number)) };
        }
        let mut seen = Vec::new();
        while seen.len() < 1000 {
            ring.enter(0, None);
            while let Some(entry) = ring.reap() {
                seen.push(entry.user_data());
            }
        }
        assert!(seen.iter().copied().eq(0..1000));
    }

    #[test]
    fn a_wait_ends_when_its_time_is_over() {
        let mut ring = Ring::open(32, 64).unwrap();
        ring.enter(1, Some(Duration::from_millis(2)));
        assert!(!ring.has_completions() && !ring.has_queued());
    }

    #[test]
    fn room_is_made_by_submitting() {
        let mut ring = Ring::open(32, 64).unwrap();
        for number in 0..31 {
            // SAFETY: a no-op names nothing.
            unsafe { ring.push(nop(number)) };
        }
        assert!(ring.make_room(2));
        assert!(!ring.has_queued());
        assert!(!ring.make_room(33), "never more than the queue holds");
    }
}
