//! Every entry as it was at one moment, each exactly once, while writes go on.
//!
//! `begin_snapshot` chooses a new epoch, so every leaf there is carries another one. `snapshot_step` walks the buckets in
//! order and gives the entries of each leaf it finds with an old epoch, then stamps it. Before the first change to a
//! bucket the gate calls `before_change`, which does the same for that bucket ahead of its turn. New leaves get the new
//! epoch and so are never given. A split hands the old epoch to both halves, of which the upper one lies ahead of the walk
//! (or both are stamped). Merges wait until the snapshot has ended.
//!
//! Invariant: while a snapshot runs, a leaf's content changes only once it has the snapshot's epoch (asserted in debug
//! builds). After a complete walk all leaves have one epoch.

use super::map::{Pos, Table};

/// A snapshot under way.
pub(super) struct Walk {
    next: u64,
}

impl<O> Table<O> {
    /// Starts a snapshot of what is in the table now. One may run at a time.
    pub fn begin_snapshot(&mut self) {
        assert!(self.snapshot.is_none(), "one snapshot at a time");
        // Snapshots given up leave leaves of many epochs behind. Before the byte comes round to one of them, all are
        // stamped alike; that takes 254 in a row of which none was finished.
        if self.epochs_unfinished >= 254 {
            (0..self.buckets()).for_each(|bucket| self.stamp(bucket as u32));
            self.epochs_unfinished = 0;
        }
        self.epoch = self.epoch.wrapping_add(1);
        self.epochs_unfinished += 1;
        self.snapshot = Some(Walk { next: 0 });
    }

    /// Whether a snapshot is under way.
    #[inline]
    pub fn in_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Gives up the snapshot that is under way, if any.
    pub fn abort_snapshot(&mut self) {
        self.snapshot = None;
    }

    /// Walks up to `buckets_max` buckets further; whether the snapshot is complete.
    pub fn snapshot_step(&mut self, buckets_max: usize, each: &mut dyn FnMut(&Self, Pos)) -> bool {
        let Some(walk) = &self.snapshot else { return true };
        let start = walk.next;
        let end = start.saturating_add(buckets_max as u64).min(self.buckets());
        for bucket in start..end {
            self.prefetch_walk(bucket);
            self.give(bucket as u32, each);
        }
        if end < self.buckets() {
            self.snapshot = Some(Walk { next: end });
            return false;
        }
        self.snapshot = None;
        self.epochs_unfinished = 0;
        true
    }

    /// Must be called before a key with this hash is added, changed in any way (its object too) or removed while a
    /// snapshot runs: gives what the snapshot still needs of the key's bucket.
    #[inline]
    pub fn before_change(&mut self, hash: u64, each: &mut dyn FnMut(&Self, Pos)) {
        if self.snapshot.is_some() {
            self.give(self.bucket(hash), each);
        }
    }

    fn give(&mut self, bucket: u32, each: &mut dyn FnMut(&Self, Pos)) {
        let first = self.directory.get(bucket);
        if first == 0 || self.leaf(first).epoch() == self.epoch {
            return;
        }
        self.each_in(bucket, &mut |pos| each(self, pos));
        self.stamp(bucket);
    }

    fn stamp(&mut self, bucket: u32) {
        let epoch = self.epoch;
        let first = self.directory.get(bucket);
        if first == 0 {
            return;
        }
        self.leaf_mut(first).set_epoch(epoch);
        for handle in self.overflow.get(&bucket).cloned().unwrap_or_default() {
            self.leaf_mut(handle).set_epoch(epoch);
        }
    }
}
