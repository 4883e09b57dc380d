//! Signals: blocked in every thread, awaited by the first.
//!
//! SIGTERM and SIGINT ask for an orderly end. They interrupt nothing: the main thread waits for them (and for the wish to
//! stop of SHUTDOWN, which arrives as SIGUSR2 from ourselves) while the cores work. SIGPIPE and SIGHUP are ignored.
#![allow(unsafe_code)] // signal masks have no wrapper in std

use std::io;
use std::mem::MaybeUninit;

fn awaited() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set it is given.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGUSR2] {
        // SAFETY: the set was initialised above and the signals exist.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: initialised above.
    unsafe { set.assume_init() }
}

/// Blocks the awaited signals in this thread and all it will start.
pub fn block() -> io::Result<()> {
    let set = awaited();
    for signal in [libc::SIGPIPE, libc::SIGHUP] {
        // SAFETY: ignoring a signal installs no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: the set is valid; no old mask is asked for.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) };
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// Waits for the wish to stop; the signal's name, unless it was our own.
pub fn wait() -> Option<&'static str> {
    let set = awaited();
    loop {
        let mut signal = 0;
        // SAFETY: both pointers are valid for the call.
        let error = unsafe { libc::sigwait(&set, &mut signal) };
        match (error, signal) {
            (0, libc::SIGTERM) => return Some("SIGTERM"),
            (0, libc::SIGINT) => return Some("SIGINT"),
            (0, libc::SIGUSR2) => return None,
            _ => {}
        }
    }
}

/// Ends `wait` from within (SHUTDOWN).
pub fn stop_self() {
    // SAFETY: sends a signal to this process, in which it is blocked and awaited.
    unsafe { libc::kill(libc::getpid(), libc::SIGUSR2) };
}
