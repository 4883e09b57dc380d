//! Streams: entries in the order of their ids, and the groups that read them.
//!
//! `id` is the place of an entry, `node` a block of entries in Valkey's bytes, `log` the blocks in order, `trim` what
//! shortens it, `walk` reads a range from either end, `group` who was given what. A [`Stream`] is a log and its groups:
//! two fields, so that a group can be changed while the log is read.
//!
//! Invariants: a log counts what its nodes hold; ids grow from entry to entry; what a group says is pending is pending
//! with one consumer.

mod group;
mod id;
mod log;
mod node;
#[cfg(test)]
mod tests;
mod trim;
mod walk;

pub use group::{Consumer, ConsumerId, Group, Pending, READ_UNKNOWN};
pub use id::StreamId;
pub use log::{Log, Overfull};
pub use node::{Entry, NodeLimits};
pub use trim::{Trim, Until};
pub use walk::Walk;

use std::collections::BTreeMap;

/// A stream.
#[derive(Clone, Default)]
pub struct Stream {
    /// The entries.
    pub log: Log,
    /// Its groups in the order of their names.
    pub groups: BTreeMap<Box<[u8]>, Group>,
}

impl Stream {
    /// Bytes it holds on the heap.
    pub fn memory_bytes(&self) -> usize {
        let groups: usize = self.groups.iter().map(|(name, group)| name.len() + group.memory_bytes()).sum();
        self.log.memory_bytes() + groups
    }

    /// Allocations to give back when it goes.
    pub fn drop_cost(&self) -> usize {
        self.log.nodes() + self.groups.values().map(Group::drop_cost).sum::<usize>()
    }

    /// Drops about `units` allocations of it; true when there is nothing left.
    pub fn drop_some(&mut self, units: usize) -> bool {
        let left = self.log.drop_some(units);
        if left == 0 {
            return false;
        }
        while let Some(mut group) = self.groups.first_entry() {
            if !group.get_mut().drop_some(left) {
                return false;
            }
            group.remove();
        }
        true
    }

    /// Checks everything; for tests and simulation.
    pub fn check_invariants(&self) {
        self.log.check_invariants();
        self.groups.values().for_each(Group::check_invariants);
    }
}

/// What it holds, without the bytes that only say how (nodes, deleted entries) and without the times at which consumers
/// were seen, which are not replicated: two streams that print the same are the same to their readers.
impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |name: &[u8]| name.escape_ascii().to_string();
        let groups: Vec<(String, &Group)> = self.groups.iter().map(|(name, group)| (names(name), group)).collect();
        f.debug_struct("Stream").field("log", &self.log).field("groups", &groups).finish()
    }
}
