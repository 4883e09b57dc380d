//! Writes and syncs on the core's own ring: the append-only file lies on the latency path, so it shares the turn's enter.
//!
//! A write that has to be synced goes out as a linked pair (write, then fdatasync), one completion round instead of two. A short
//! write breaks the link, the rest is then sent as a new pair; where a pair does not fit into one submission the sync
//! follows when the write has completed.
//!
//! Invariant: a slot is taken from `begin` until the last completion of its requests; file and buffer live as long.
#![allow(unsafe_code)] // requests name the buffer by address

use std::io;
use std::os::fd::AsRawFd;

use io_uring::{opcode, squeue, types};
use slab::Slab;

use super::io::{Event, FileWrite};
use super::ring::Ring;
use super::uring::{OP_FILE_SYNC, OP_FILE_WRITE, user_data};

/// The most one request writes; the kernel would cut it there anyway.
const WRITE_BYTES_MAX: usize = 0x7fff_f000;

#[derive(Debug)]
struct FileOp {
    write: FileWrite,
    written: usize,
    /// Completions to come.
    pending: u8,
    /// The first errno.
    error: Option<i32>,
    /// A sync succeeded behind the last byte written.
    synced: bool,
}

/// The file operations under way on one ring.
#[derive(Debug, Default)]
pub struct FileOps {
    ops: Slab<FileOp>,
}

impl FileOps {
    /// Starts an operation.
    pub fn begin(&mut self, ring: &mut Ring, write: FileWrite) {
        assert!(write.sync || !write.buffer.is_empty(), "a file operation writes or syncs");
        let index = self.ops.insert(FileOp { write, written: 0, pending: 0, error: None, synced: false });
        self.advance(ring, index);
    }

    /// How many are under way.
    pub fn in_use(&self) -> usize {
        self.ops.len()
    }

    /// Forgets all without freeing what the kernel may still read: the last resort of a shutdown.
    pub fn leak(&mut self) {
        std::mem::forget(std::mem::take(&mut self.ops));
    }

    /// Queues what comes next: the rest of the write, with the sync behind it if they fit together, or the sync.
    fn advance(&mut self, ring: &mut Ring, index: usize) {
        let op = &mut self.ops[index];
        let fd = types::Fd(op.write.file.as_raw_fd());
        let sync = opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build();
        let sync = sync.user_data(user_data(OP_FILE_SYNC, 0, index as u32));
        let rest = &op.write.buffer[op.written..];
        if rest.is_empty() {
            op.pending += 1;
            // SAFETY: the slot keeps the file open until the completion.
            unsafe { ring.push(sync) };
            return;
        }
        let offset = op.write.offset.map_or(u64::MAX, |offset| offset + op.written as u64);
        let len = rest.len().min(WRITE_BYTES_MAX) as u32;
        let write = opcode::Write::new(fd, rest.as_ptr(), len).offset(offset).build();
        let write = write.user_data(user_data(OP_FILE_WRITE, 0, index as u32));
        let linked = op.write.sync && rest.len() <= WRITE_BYTES_MAX && ring.make_room(2);
        op.pending += 1;
        // SAFETY: the slot keeps file and buffer, which nobody changes, until the completion.
        unsafe { ring.push(if linked { write.flags(squeue::Flags::IO_LINK) } else { write }) };
        if linked {
            op.pending += 1;
            // SAFETY: the slot keeps the file open until the completion.
            unsafe { ring.push(sync) };
        }
    }

    /// A write completed.
    pub fn on_written(&mut self, ring: &mut Ring, index: usize, result: i32, events: &mut Vec<Event>) {
        let op = &mut self.ops[index];
        match result {
            n if n > 0 => op.written += n as usize,
            0 => op.error = Some(libc::EIO),
            e if e == -libc::EINTR || e == -libc::EAGAIN => {}
            e => op.error = Some(-e),
        }
        self.on_step(ring, index, events);
    }

    /// A sync completed, or was cancelled because the write before it fell short.
    pub fn on_synced(&mut self, ring: &mut Ring, index: usize, result: i32, events: &mut Vec<Event>) {
        let op = &mut self.ops[index];
        match result {
            n if n >= 0 => op.synced = true,
            e if e == -libc::EINTR || e == -libc::EAGAIN || e == -libc::ECANCELED => {}
            e => op.error = op.error.or(Some(-e)),
        }
        self.on_step(ring, index, events);
    }

    fn on_step(&mut self, ring: &mut Ring, index: usize, events: &mut Vec<Event>) {
        let op = &mut self.ops[index];
        op.pending -= 1;
        if op.pending > 0 {
            return;
        }
        let complete = op.written == op.write.buffer.len() && (op.synced || !op.write.sync);
        if op.error.is_none() && !complete {
            // A sync that ran before the last byte was written (never, when linked) would not count.
            op.synced = false;
            self.advance(ring, index);
            return;
        }
        let op = self.ops.remove(index);
        let result = op.error.map_or(Ok(op.written), |errno| Err(io::Error::from_raw_os_error(errno)));
        events.push(Event::FileDone { token: op.write.token, result, buffer: op.write.buffer });
    }
}
