//! The few calls to the kernel that the standard library does not offer: epoll, pinning, short sleeps, Ctrl-C.
//!
//! This is the only file of the crate with unsafe code. Everything goes out as safe functions with plain types. CPU
//! times and memory are read from `/proc`, which needs none of this (see `proc.rs`).
#![allow(unsafe_code)] // epoll, affinity, ppoll and signals have no safe door in std

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by Ctrl-C or SIGTERM: everybody comes to an end soon and cleans up.
static STOP: AtomicBool = AtomicBool::new(false);

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 256;

/// One thing that became ready: the token given at registration, and whether it can be written to.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// The token.
    pub token: u64,
    /// There is something to read, or the peer is gone.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
}

/// An epoll instance.
#[derive(Debug)]
pub struct Poller {
    fd: OwnedFd,
}

impl Poller {
    /// A poller that watches nothing yet.
    pub fn new() -> io::Result<Poller> {
        // SAFETY: the call takes no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel just gave us this descriptor; nobody else owns it.
        Ok(Poller { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Watches `fd` for bytes to read.
    pub fn watch(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, libc::EPOLLIN)
    }

    /// Also watches `fd` for room to write, or no longer.
    pub fn watch_room(&self, fd: BorrowedFd<'_>, token: u64, room: bool) -> io::Result<()> {
        let events = if room { libc::EPOLLIN | libc::EPOLLOUT } else { libc::EPOLLIN };
        self.control(libc::EPOLL_CTL_MOD, fd, token, events)
    }

    fn control(&self, how: i32, fd: BorrowedFd<'_>, token: u64, events: i32) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        // SAFETY: both descriptors are open, and the kernel only reads `event` during the call.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), how, fd.as_raw_fd(), &mut event) }).map(|_| ())
    }

    /// Waits until something is ready, at most `timeout_ns`, and puts it into `ready`.
    ///
    /// epoll counts in milliseconds, too coarse for an open loop; shorter waits go through ppoll on the epoll's own
    /// descriptor, which every kernel has (epoll_pwait2 came with 5.11).
    pub fn wait(&self, ready: &mut Vec<Ready>, timeout_ns: u64) -> io::Result<()> {
        const MS: u64 = 1_000_000;
        ready.clear();
        let mut timeout_ms = 0;
        if timeout_ns >= 20 * MS {
            timeout_ms = (timeout_ns / MS).min(1000) as i32;
        } else if timeout_ns > 0 && !self.sleep(timeout_ns)? {
            return Ok(());
        }
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
        // SAFETY: the kernel writes at most EVENTS_MAX entries into the array, which outlives the call.
        let n = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), events.as_mut_ptr(), EVENTS_MAX as i32, timeout_ms) };
        let n = if n < 0 && interrupted() { 0 } else { check(n)? };
        let bit = |e: &libc::epoll_event, bits: i32| { e.events } & bits as u32 != 0;
        ready.extend(events[..n as usize].iter().map(|e| Ready {
            token: e.u64,
            readable: bit(e, libc::EPOLLIN | libc::EPOLLHUP | libc::EPOLLERR | libc::EPOLLRDHUP),
            writable: bit(e, libc::EPOLLOUT),
        }));
        Ok(())
    }

    /// Sleeps until an event or the end of the time; true if there may be events.
    fn sleep(&self, ns: u64) -> io::Result<bool> {
        let mut one = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let time = libc::timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 };
        // SAFETY: one pollfd and one timespec that live through the call; the signal mask may be null.
        let n = unsafe { libc::ppoll(&mut one, 1, &time, std::ptr::null()) };
        if n < 0 && interrupted() { Ok(false) } else { check(n).map(|n| n > 0) }
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn interrupted() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}

/// Pins the calling thread, and with it the processes it starts, to `cpus`.
pub fn pin_thread(cpus: &[usize]) -> io::Result<()> {
    assert!(!cpus.is_empty(), "pinned to no CPU at all");
    // SAFETY: an all-zero cpu_set_t is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        if cpu >= libc::CPU_SETSIZE as usize {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("there is no CPU {cpu}")));
        }
        // SAFETY: `cpu` is below CPU_SETSIZE, so the bit lies inside the set.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: the kernel reads one cpu_set_t of the size given; 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) }).map(|_| ())
}

/// Lets short sleeps of this thread end on time: the default slack of 50 us would show up as latency.
pub fn precise_sleeps() {
    // SAFETY: PR_SET_TIMERSLACK takes one number and changes nothing but the calling thread's slack.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) };
}

extern "C" fn on_signal(_: i32) {
    if STOP.swap(true, Ordering::SeqCst) {
        // The second Ctrl-C means it. SAFETY: _exit is safe in a signal handler.
        unsafe { libc::_exit(130) };
    }
}

/// From now on Ctrl-C and SIGTERM set the stop flag instead of ending the process.
pub fn catch_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let handler = on_signal as extern "C" fn(i32) as libc::sighandler_t;
        // SAFETY: the handler only touches an atomic and _exit, both safe in a signal handler.
        unsafe { libc::signal(signal, handler) };
    }
}

/// True after Ctrl-C.
pub fn stopping() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Asks a process that we started to end (SIGTERM).
pub fn terminate(pid: u32) {
    assert!(pid > 1, "not a process of ours");
    // SAFETY: kill takes two numbers.
    unsafe { libc::kill(pid as i32, libc::SIGTERM) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_poller_reports_what_is_ready_and_only_that() {
        let (mut a, b) = UnixStream::pair().expect("a pair");
        let poller = Poller::new().expect("epoll");
        poller.watch(b.as_fd(), 7).expect("watched");
        let mut ready = Vec::new();
        poller.wait(&mut ready, 1000).expect("waited");
        assert!(ready.is_empty());
        a.write_all(b"x").expect("written");
        poller.wait(&mut ready, 1_000_000).expect("waited");
        assert_eq!(ready.iter().map(|r| (r.token, r.readable, r.writable)).collect::<Vec<_>>(), [(7, true, false)]);
        poller.watch_room(b.as_fd(), 7, true).expect("watched");
        poller.wait(&mut ready, 0).expect("waited");
        assert!(ready[0].writable);
    }

    #[test]
    fn a_thread_can_be_pinned_but_not_to_a_cpu_beyond_the_set() {
        std::thread::spawn(|| {
            assert!(pin_thread(&[0]).is_ok());
            assert!(pin_thread(&[1 << 20]).is_err());
        })
        .join()
        .expect("no panic");
    }
}
