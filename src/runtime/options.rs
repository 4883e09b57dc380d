//! The sizes of one core's ring and buffers, and how they shrink where locked memory is short.
//!
//! Rings are charged to RLIMIT_MEMLOCK, per user, unless the process may lock memory (CAP_IPC_LOCK). Containers often allow
//! 64 KiB or a few MiB. Each core therefore takes at most its share of the limit, or the first one would leave nothing to the
//! others; and since other processes of the user count too, it halves further when the kernel says no.
//!
//! ```text
//! 1024 submissions, 8192 completions: 64 + 132 KiB; the smallest, 32 and 64: 8 KiB; 256 buffers: 4 KiB
//! ```

use std::io;
use std::thread::sleep;
use std::time::Duration;

use super::buffers::Buffers;
use super::probe;
use super::ring::{Ring, SUBMISSIONS_MIN};

const PAGE_BYTES: u64 = 4096;
/// A ring's shared counters lie before its completions.
const RING_HEADER_BYTES: u64 = 320;
/// A ring that was closed gives its memory back a little later: so often, so long it is waited for at the smallest size.
const SMALLEST_TRIES: usize = 20;
const SMALLEST_PAUSE: Duration = Duration::from_millis(10);

/// Sizes of one core's ring and buffers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Entries of the submission queue; a power of two.
    pub submissions: u32,
    /// Entries of the completion queue; a power of two.
    pub completions: u32,
    /// Provided buffers: how many connections can deliver input in one turn; a power of two.
    pub buffers: u16,
    /// Bytes of each: how much one connection delivers in one turn.
    pub buffer_bytes: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { submissions: 1024, completions: 8192, buffers: 256, buffer_bytes: 16 * 1024 }
    }
}

impl Options {
    /// Memory that the kernel counts as locked.
    fn locked_bytes(&self) -> u64 {
        let pages = |bytes: u64| bytes.next_multiple_of(PAGE_BYTES);
        let completions = u64::from(self.completions) * 16 + RING_HEADER_BYTES;
        pages(u64::from(self.submissions) * 64) + pages(completions) + pages(u64::from(self.buffers) * 16)
    }

    /// Half of it, if that is still a ring.
    fn halved(self) -> Option<Options> {
        let submissions = self.submissions / 2;
        let completions = (self.completions / 2).max(2 * submissions);
        (submissions >= SUBMISSIONS_MIN).then_some(Options { submissions, completions, ..self })
    }

    /// Shrunk to one core's share of the limit; or the smallest, and the kernel decides.
    fn within(self, limit: Option<u64>, cores: usize) -> Options {
        let share = limit.map_or(u64::MAX, |limit| limit / cores.max(1) as u64);
        let mut options = self;
        while options.locked_bytes() > share {
            match options.halved() {
                Some(half) => options = half,
                None => break,
            }
        }
        options
    }

    /// Opens ring and buffers, for one of so many cores.
    pub(super) fn open(self, cores: usize) -> io::Result<(Ring, Buffers)> {
        let mut options = self.within(probe::locked_memory_limit(), cores);
        let mut tries = 0;
        loop {
            match options.try_open() {
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && tries < SMALLEST_TRIES => {
                    match options.halved() {
                        Some(half) => options = half,
                        None => {
                            tries += 1;
                            sleep(SMALLEST_PAUSE);
                        }
                    }
                }
                other => return other,
            }
        }
    }

    fn try_open(&self) -> io::Result<(Ring, Buffers)> {
        let ring = Ring::open(self.submissions, self.completions)?;
        let buffers = Buffers::register(&ring, self.buffers, self.buffer_bytes)?;
        Ok((ring, buffers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_core_stays_within_its_share_of_locked_memory() {
        for (limit, cores) in [(64 << 10, 2), (64 << 10, 4), (256 << 10, 2), (1 << 20, 4), (8 << 20, 64), (8 << 20, 1)] {
            let options = Options::default().within(Some(limit), cores);
            assert!(options.locked_bytes() * cores as u64 <= limit, "{limit} {cores} {options:?}");
            assert!(options.completions >= 2 * options.submissions);
        }
    }

    #[test]
    fn without_a_limit_or_below_the_smallest_nothing_is_guessed() {
        assert_eq!(Options::default().within(None, 64), Options::default());
        let smallest = Options::default().within(Some(1), 1);
        assert_eq!((smallest.submissions, smallest.halved()), (SUBMISSIONS_MIN, None));
    }
}
