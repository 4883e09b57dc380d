//! The provided buffers of one core: memory from which the kernel takes a buffer only at the moment input has arrived.
//!
//! Ten thousand idle connections thus hold no input memory at all; the number of buffers only bounds how many connections can
//! deliver input in one turn. The rest fail with ENOBUFS and are armed again when buffers came back.
//!
//! ```text
//! ring  (one page or more, shared with the kernel)   memory (count x size, ours, named by the ring's entries)
//! +------------------------------+                   +--------+--------+--- ... ---+
//! | addr len bid | addr len bid  | ... tail          | buf 0  | buf 1  |           |
//! +------------------------------+                   +--------+--------+--- ... ---+
//! ```
//!
//! A buffer is owned by the kernel from [`Buffers::give`] until a completion names it, then by us until it is given back.
//!
//! Invariant: `lent[bid]` says which of the two it is; giving back twice is caught.
#![allow(unsafe_code)] // the ring is memory shared with the kernel

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use super::ring::Ring;

const GROUP: u16 = 0;
const _: () = assert!(size_of::<BufRingEntry>() == 16);

/// A piece of anonymous memory, zeroed, page-aligned, unmapped on drop (unless its length was set to 0: then it stays).
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(len: usize) -> io::Result<Mapping> {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { start: NonNull::new(start.cast()).expect("mmap without a hint never maps page zero"), len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len == 0 {
            return;
        }
        // SAFETY: the mapping was made by `new`, and whoever owns it has let go of every pointer into it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// The provided buffers of one ring.
pub struct Buffers {
    entries: Mapping,
    memory: Mapping,
    count: u16,
    size: u32,
    tail: u16,
    /// Tail as the kernel knows it.
    committed: u16,
    /// Whether the buffer is in our hands.
    lent: Box<[bool]>,
    lent_count: u16,
}

impl Buffers {
    /// Makes `count` (a power of two) buffers of `size` bytes and registers them with the ring.
    pub fn register(ring: &Ring, count: u16, size: u32) -> io::Result<Buffers> {
        assert!(count.is_power_of_two() && count <= 1 << 15 && size > 0, "buffer ring sizes");
        let entries = Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?;
        let memory = Mapping::new(usize::from(count) * size as usize)?;
        let address = entries.start.as_ptr() as u64;
        // SAFETY: the mapping is page-aligned, holds `count` entries, and `Buffers` outlives the ring's use of it: the owner
        // drops the ring first.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, count, GROUP, 0) }?;
        let lent = vec![true; usize::from(count)].into_boxed_slice();
        let mut buffers = Buffers { entries, memory, count, size, tail: 0, committed: 0, lent, lent_count: count };
        for bid in 0..count {
            buffers.give(bid);
        }
        buffers.commit();
        Ok(buffers)
    }

    /// The group's number, for receive requests.
    pub fn group(&self) -> u16 {
        GROUP
    }

    /// Bytes of one buffer.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Leaves the memory mapped for ever: the last resort of a shutdown that could not wait for the kernel.
    pub fn leak(&mut self) {
        self.entries.len = 0;
        self.memory.len = 0;
    }

    /// How many buffers are in the kernel's hands (or in completions not yet reaped).
    pub fn available(&self) -> usize {
        usize::from(self.count - self.lent_count)
    }

    /// Notes that a completion named this buffer: it is ours until given back.
    #[inline]
    pub fn take(&mut self, bid: u16) {
        assert!(!std::mem::replace(&mut self.lent[usize::from(bid)], true), "the kernel lent a buffer twice");
        self.lent_count += 1;
    }

    /// The first `len` bytes of a buffer that is ours.
    #[inline]
    pub fn bytes(&self, bid: u16, len: usize) -> &[u8] {
        assert!(self.lent[usize::from(bid)] && len <= self.size as usize, "a buffer is read only while it is lent");
        // SAFETY: `bid` passed the bounds check of `lent`, so the offset lies inside the mapping.
        let start = unsafe { self.memory.start.as_ptr().add(usize::from(bid) * self.size as usize) };
        // SAFETY: `len` bytes of an initialised mapping; while a buffer is lent the kernel does not write to it, and giving it
        // back needs `&mut self`, which ends this borrow.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// Gives a buffer back; the kernel sees it after [`Buffers::commit`].
    #[inline]
    pub fn give(&mut self, bid: u16) {
        assert!(std::mem::replace(&mut self.lent[usize::from(bid)], false), "a buffer is given back once");
        self.lent_count -= 1;
        let place = usize::from(self.tail & (self.count - 1));
        // SAFETY: `place` is below `count`, so the entry lies inside the mapping.
        let entry = unsafe { self.entries.start.as_ptr().cast::<BufRingEntry>().add(place) };
        // SAFETY: `bid` is below `count` (bounds check above).
        let memory = unsafe { self.memory.start.as_ptr().add(usize::from(bid) * self.size as usize) };
        // SAFETY: at most `count` buffers are between head and tail, so the kernel has consumed this entry and reads it again
        // only after the tail is published.
        let entry = unsafe { &mut *entry };
        entry.set_addr(memory as u64);
        entry.set_len(self.size);
        entry.set_bid(bid);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel see what was given back.
    #[inline]
    pub fn commit(&mut self) {
        if self.committed == self.tail {
            return;
        }
        self.committed = self.tail;
        // SAFETY: the mapping begins with the ring's first entry, whose reserved field is the tail.
        let tail = unsafe { BufRingEntry::tail(self.entries.start.as_ptr().cast()) };
        // SAFETY: the field is an aligned u16 in memory that lives as long as `self`; the kernel reads it concurrently, hence
        // an atomic store with release so that it sees the entries before the tail.
        unsafe { AtomicU16::from_ptr(tail.cast_mut()) }.store(self.tail, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "given back once")]
    fn giving_a_buffer_back_twice_is_caught() {
        let ring = Ring::open(32, 64).unwrap();
        let mut buffers = Buffers::register(&ring, 8, 4096).unwrap();
        buffers.take(3);
        buffers.give(3);
        buffers.give(3);
    }

    #[test]
    #[should_panic(expected = "only while it is lent")]
    fn a_buffer_in_the_kernels_hands_cannot_be_read() {
        let ring = Ring::open(32, 64).unwrap();
        let buffers = Buffers::register(&ring, 8, 4096).unwrap();
        buffers.bytes(3, 1);
    }

    #[test]
    fn available_counts_what_the_kernel_may_use() {
        let ring = Ring::open(32, 64).unwrap();
        let mut buffers = Buffers::register(&ring, 8, 4096).unwrap();
        assert_eq!(buffers.available(), 8);
        buffers.take(0);
        buffers.take(7);
        assert_eq!(buffers.available(), 6);
        assert_eq!(buffers.bytes(7, 4096).len(), 4096);
        buffers.give(0);
        assert_eq!(buffers.available(), 7);
    }
}
