//! The system calls of `process` that the standard library has no words for.
#![allow(unsafe_code)] // fork, setsid, dup2, prctl and limits exist only in C.

use super::CpuTime;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

/// Leaves the terminal: the parent ends, the child goes on in a session of its own with its standard streams on
/// /dev/null.
pub fn become_daemon() -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    // SAFETY: called before any thread exists (see `detach`), so no lock is held by a thread the child lacks.
    let child = unsafe { libc::fork() };
    match child {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        // SAFETY: ends the parent at once; _exit runs no destructors, which are the child's now.
        _ => unsafe { libc::_exit(0) },
    }
    // SAFETY: takes no pointers; it fails only for the leader of a group, which a fresh child is not.
    unsafe { libc::setsid() };
    for stream in 0..=2 {
        // SAFETY: both are descriptors, `null` is open; the standard streams are owned by nobody.
        if unsafe { libc::dup2(null.as_raw_fd(), stream) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The session this process belongs to.
#[cfg(test)]
pub fn session() -> i32 {
    // SAFETY: takes no pointers.
    unsafe { libc::getsid(0) }
}

/// Soft and hard limit of open files.
pub fn open_files_limit() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives through the call, which writes it and keeps nothing.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok((limit.rlim_cur, limit.rlim_max)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets both.
pub fn set_open_files_limit(soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: `limit` lives through the call, which reads it and keeps nothing.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// No transparent huge pages for this process: they make small changes cost 2 MiB.
pub fn disable_huge_pages() -> io::Result<()> {
    let (on, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: this prctl takes numbers only; the unused ones must be 0.
    match unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, on, none, none, none) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Processor time of `who` (RUSAGE_SELF, RUSAGE_THREAD).
pub fn cpu_time(who: i32) -> CpuTime {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` lives through the call, which fills it and keeps nothing.
    unsafe { libc::getrusage(who, usage.as_mut_ptr()) };
    // SAFETY: all zeroes is a valid rusage, and so is what the kernel wrote over it.
    let usage = unsafe { usage.assume_init() };
    let micros = |time: libc::timeval| time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_usec.unsigned_abs();
    CpuTime { user_us: micros(usage.ru_utime), system_us: micros(usage.ru_stime) }
}

/// Bytes of a page of memory.
pub fn page_bytes() -> u64 {
    // SAFETY: asks for a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}
