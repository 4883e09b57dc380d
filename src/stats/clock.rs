//! Time: the wall clock of a turn, and ticks that are cheap enough to be read at every call.
//!
//! Every call is timed (command statistics, slow log). A tick is the processor's own counter, which costs a few
//! nanoseconds; how long a tick is was measured against the monotonic clock at start. Where the counter is not constant
//! over frequency changes Linux does not offer it to user space as its clock source, and neither do we rely on more than
//! durations of single calls.
#![allow(unsafe_code)] // reading the counter has no safe form

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the counter is called (INFO).
#[cfg(target_arch = "x86_64")]
pub const NAME: &str = "X86 TSC";
#[cfg(target_arch = "aarch64")]
/// What the counter is called (INFO).
pub const NAME: &str = "ARM CNTVCT";
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
/// What the counter is called (INFO).
pub const NAME: &str = "POSIX clock_gettime";

/// The processor's counter.
#[inline]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: RDTSC reads a register; it is there on every x86-64 processor.
        unsafe { core::arch::x86_64::_rdtsc() }
    }
    #[cfg(target_arch = "aarch64")]
    {
        let count: u64;
        // SAFETY: CNTVCT_EL0 is readable from user space under Linux; nothing else is touched.
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) count, options(nomem, nostack)) };
        count
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}

/// Ticks in a microsecond, measured once.
pub fn ticks_per_us() -> f64 {
    static RATE: OnceLock<f64> = OnceLock::new();
    *RATE.get_or_init(|| {
        /// Long enough for four digits, short enough not to be felt at start.
        const SPAN: Duration = Duration::from_millis(10);
        let (start, first) = (Instant::now(), ticks());
        std::thread::sleep(SPAN);
        let (elapsed, last) = (start.elapsed(), ticks());
        last.wrapping_sub(first) as f64 / elapsed.as_secs_f64() / 1e6
    })
}

/// Ticks as microseconds.
pub fn ticks_to_us(ticks: u64) -> u64 {
    (ticks as f64 / ticks_per_us()) as u64
}

/// Unix time in microseconds.
pub fn unix_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
}

/// Unix time in milliseconds.
#[inline]
pub fn unix_ms() -> i64 {
    unix_us() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_go_forward_at_a_plausible_rate() {
        let (a, b) = (ticks(), ticks());
        assert!(b >= a);
        assert!(ticks_per_us() > 0.5 && ticks_per_us() < 100_000.0, "{}", ticks_per_us());
        assert!((998..=1000).contains(&ticks_to_us((ticks_per_us() * 1000.0) as u64)));
    }
}
