//! Emptying a table, in slices when it is big, and what memory it holds.

use super::map::Table;
use super::entry::{StoredKey, StoredValue};
use super::owned;

/// One region's unmapping costs about as much as so many buckets.
const BUCKETS_A_REGION: usize = 64;

impl<O> Table<O> {
    /// Drops every entry now. A running snapshot ends. To free a big table in slices, `take` it and call `drop_some`.
    pub fn clear(&mut self) {
        drop(self.take());
    }

    /// Frees part of a table that nobody will use again: up to `buckets_max` buckets, or as much memory as costs the
    /// same; true while there is more. The table must not be used otherwise once this was called.
    pub fn drop_some(&mut self, buckets_max: usize) -> bool {
        self.generation = self.generation.wrapping_add(1);
        self.snapshot = None;
        if self.boxed > 0 {
            for _ in 0..buckets_max.max(1) {
                self.drop_last_bucket();
                if self.boxed == 0 {
                    break;
                }
            }
            return true;
        }
        (self.len, self.expires, self.used) = (0, 0, 0);
        (self.mask, self.split) = (0, 0);
        self.directory = Default::default();
        self.overflow.clear();
        !self.heap.unmap_some((buckets_max / BUCKETS_A_REGION).max(1))
    }

    fn drop_last_bucket(&mut self) {
        let bucket = (self.buckets() - 1) as u32;
        let handles: Vec<u32> = self.leaves(bucket).collect();
        handles.iter().for_each(|&handle| self.drop_owned(handle));
        self.directory.set(bucket, 0);
        self.overflow.remove(&bucket);
        if self.split > 0 {
            self.split -= 1;
        } else if self.mask > 0 {
            self.mask >>= 1;
            self.split = self.mask;
        }
    }

    /// Frees what the entries of a leaf own. The leaf must not be read again.
    fn drop_owned(&mut self, handle: u32) {
        let leaf = self.leaf(handle);
        let mut freed = 0;
        for entry in leaf.places().map(|(_, offset, len)| leaf.entry(offset, len)).filter(|e| e.owns()) {
            if let StoredKey::Far { address, len } = entry.key() {
                owned::drop_bytes(address, len);
                freed += 1;
            }
            if let StoredValue::Object(address) = entry.value() {
                drop(owned::take_object::<O>(address));
                freed += 1;
            }
        }
        let count = leaf.count();
        self.boxed -= freed;
        self.len -= count;
    }

    /// Bytes held: leaves, holes, empty spans, the directory. What objects and long keys take outside is not in it.
    pub fn memory_bytes(&self) -> usize {
        let extras: usize = self.overflow.values().map(|extras| 48 + extras.capacity() * 4).sum();
        size_of::<Self>() + self.heap.held_bytes() + self.directory.bytes() + self.scratch.capacity() + extras
    }

    /// Bytes of entries in leaves. Costs nothing to ask.
    pub fn used_bytes(&self) -> u64 {
        self.used
    }

    /// Bytes of leaves' blocks: entries and the room around them.
    pub fn live_bytes(&self) -> u64 {
        self.heap.block_parts().0 as u64
    }

    /// Where the bytes are: used in leaves, in leaves' blocks, in holes. For measurements.
    #[doc(hidden)]
    pub fn memory_parts(&self) -> (u64, usize, usize) {
        let (blocks, holes) = self.heap.block_parts();
        (self.used, blocks, holes)
    }

    /// For a timer: gives empty memory back to the system, up to so many spans of 64 KiB, and returns how many bytes.
    pub fn release_memory(&mut self, spans_max: usize) -> usize {
        self.heap.release(spans_max)
    }
}

impl<O> Drop for Table<O> {
    fn drop(&mut self) {
        while self.boxed > 0 {
            self.drop_last_bucket();
        }
    }
}
