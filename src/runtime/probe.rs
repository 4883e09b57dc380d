//! Why io_uring does not start, said so that whoever runs the server can do something about it.
//!
//! The needed set-up flags came with Linux 6.1, so a ring that could be opened proves the kernel; only messages between rings
//! are asked about separately, since there is another way to wake a core.

use std::fmt;
use std::fs;
use std::io;

use io_uring::{Probe, opcode};

use super::ring::Ring;

/// The oldest kernel that knows all that is needed.
const KERNEL_MIN: &str = "6.1";

/// What a started ring can do beyond the minimum.
#[derive(Clone, Copy, Debug)]
pub struct Support {
    /// Messages from ring to ring.
    pub message_ring: bool,
}

/// Why a core could not open its ring.
#[derive(Debug, PartialEq, Eq)]
pub enum StartError {
    /// The administrator disabled io_uring; the value of the sysctl.
    Disabled(u32),
    /// Refused although the sysctl allows it: a seccomp filter.
    Forbidden,
    /// The kernel (or the sandbox posing as one) has no io_uring.
    Missing,
    /// The kernel has io_uring but lacks something; its release.
    TooOld(String),
    /// Locked memory is used up, even for the smallest ring; bytes allowed.
    LockedMemory(Option<u64>),
    /// No file descriptor left.
    Descriptors,
    /// Something else, an errno.
    Other(i32),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Disabled(value) => write!(
                f,
                "io_uring is disabled on this machine (kernel.io_uring_disabled = {value}). \
                 Allow it with: sysctl -w kernel.io_uring_disabled=0"
            ),
            StartError::Forbidden => f.write_str(
                "io_uring is forbidden to this process, probably by a seccomp filter. In a container, allow the system calls \
                 io_uring_setup, io_uring_enter and io_uring_register in its seccomp profile \
                 (or run it with --security-opt seccomp=unconfined)",
            ),
            StartError::Missing => write!(
                f,
                "this kernel offers no io_uring, or a seccomp filter hides it. Linux {KERNEL_MIN} or later is needed; in a \
                 container, allow the system calls io_uring_setup, io_uring_enter and io_uring_register"
            ),
            StartError::TooOld(release) => write!(
                f,
                "this kernel's io_uring is too old (Linux {release}): deferred task work of a single issuer \
                 (IORING_SETUP_DEFER_TASKRUN) is missing. Linux {KERNEL_MIN} or later is needed"
            ),
            StartError::LockedMemory(limit) => {
                f.write_str("not enough locked memory for io_uring")?;
                if let Some(bytes) = limit {
                    write!(f, " (the limit is {} KiB)", bytes / 1024)?;
                }
                f.write_str(
                    ". Raise RLIMIT_MEMLOCK: ulimit -l 8192, LimitMEMLOCK=8M in a systemd unit, \
                     --ulimit memlock=8388608 for a container",
                )
            }
            StartError::Descriptors => {
                f.write_str("no file descriptor left for io_uring. Raise RLIMIT_NOFILE (ulimit -n)")
            }
            StartError::Other(errno) => write!(f, "io_uring: {}", io::Error::from_raw_os_error(*errno)),
        }
    }
}

impl std::error::Error for StartError {}

/// Finds out what an error of ring set-up means on this machine.
pub fn explain(error: io::Error) -> StartError {
    let sysctl = read_trimmed("/proc/sys/kernel/io_uring_disabled").and_then(|text| text.parse().ok());
    let release = read_trimmed("/proc/sys/kernel/osrelease").unwrap_or_default();
    diagnose(error.raw_os_error().unwrap_or(0), sysctl.unwrap_or(0), release, locked_memory_limit())
}

fn diagnose(errno: i32, sysctl: u32, release: String, locked_memory: Option<u64>) -> StartError {
    match errno {
        libc::EPERM if sysctl != 0 => StartError::Disabled(sysctl),
        libc::EPERM | libc::EACCES => StartError::Forbidden,
        libc::ENOSYS => StartError::Missing,
        libc::EINVAL => StartError::TooOld(release),
        libc::ENOMEM => StartError::LockedMemory(locked_memory),
        libc::EMFILE | libc::ENFILE => StartError::Descriptors,
        errno => StartError::Other(errno),
    }
}

/// Asks an opened ring what it supports.
pub fn check(ring: &Ring) -> Result<Support, StartError> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(explain)?;
    let needed = [opcode::AcceptMulti::CODE, opcode::Recv::CODE, opcode::Send::CODE, opcode::AsyncCancel::CODE];
    if !needed.iter().all(|code| probe.is_supported(*code)) {
        return Err(explain(io::Error::from_raw_os_error(libc::EINVAL)));
    }
    Ok(Support { message_ring: probe.is_supported(opcode::MsgRingData::CODE) })
}

fn read_trimmed(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The soft RLIMIT_MEMLOCK, if it binds this process; from /proc, so that no unsafe code is needed here.
pub fn locked_memory_limit() -> Option<u64> {
    const CAP_IPC_LOCK: u32 = 14;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let capabilities = u64::from_str_radix(capabilities.trim(), 16).ok()?;
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    let limit = line.split_whitespace().next()?.parse().ok()?;
    (capabilities & 1 << CAP_IPC_LOCK == 0).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(errno: i32, sysctl: u32) -> String {
        diagnose(errno, sysctl, "5.15.0".to_owned(), Some(65536)).to_string()
    }

    #[test]
    fn every_refusal_names_its_remedy() {
        assert!(told(libc::EPERM, 2).contains("sysctl -w kernel.io_uring_disabled=0"));
        assert!(told(libc::EPERM, 0).contains("seccomp"));
        assert!(told(libc::ENOSYS, 0).contains("Linux 6.1"));
        assert!(told(libc::EINVAL, 0).contains("5.15.0"));
        assert!(told(libc::ENOMEM, 0).contains("64 KiB") && told(libc::ENOMEM, 0).contains("ulimit -l"));
        assert!(told(libc::EMFILE, 0).contains("ulimit -n"));
    }
}
