//! A group: consumers who share a stream, each entry given to one of them.
//!
//! What was given and not yet acknowledged is pending. It stands in two places: the group knows who has an entry, since
//! when and how often it was given; the consumer knows its own ids, so that its history is read without a search.
//! Consumers have numbers, which cost four bytes where an entry names its consumer; `order` has them by name.
//!
//! Invariants: an id is pending in the group if and only if it is pending with the consumer named there; `order` names
//! each consumer once, sorted.

use std::collections::{BTreeMap, BTreeSet};

use super::id::StreamId;
use super::log::Log;

/// The number of entries read cannot be told.
pub const READ_UNKNOWN: i64 = -1;

/// A consumer's number within its group.
pub type ConsumerId = u32;

/// An entry that was given to a consumer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// When it was last given, unix milliseconds.
    pub time_ms: i64,
    /// How often it was given.
    pub count: i64,
    /// To whom.
    pub consumer: ConsumerId,
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last asked for something, unix milliseconds.
    pub seen_ms: i64,
    /// When it last got something; -1: never.
    pub active_ms: i64,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The ids of what it has, in order.
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

/// A group.
#[derive(Clone)]
pub struct Group {
    /// The largest id that was given to anybody.
    pub last_id: StreamId,
    /// Entries up to `last_id`, or [`READ_UNKNOWN`].
    pub entries_read: i64,
    pending: BTreeMap<StreamId, Pending>,
    consumers: Vec<Option<Consumer>>,
    /// Numbers of consumers that went, for those to come.
    free: Vec<ConsumerId>,
    order: Vec<ConsumerId>,
}

impl Group {
    /// A group that was given everything up to `last_id`.
    pub fn new(last_id: StreamId, entries_read: i64) -> Group {
        Group { last_id, entries_read, pending: BTreeMap::new(), consumers: Vec::new(), free: Vec::new(), order: Vec::new() }
    }

    /// What is pending, in the order of ids.
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// The consumers in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.order.iter().map(|id| self.consumer(*id))
    }

    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.order.binary_search_by(|id| self.consumer(*id).name().cmp(name))
    }

    /// The consumer of this name.
    pub fn find(&self, name: &[u8]) -> Option<ConsumerId> {
        self.place(name).ok().map(|place| self.order[place])
    }

    /// A consumer.
    pub fn consumer(&self, id: ConsumerId) -> &Consumer {
        self.consumers[id as usize].as_ref().expect("the number of a consumer that is there")
    }

    /// A consumer, to note when it was seen.
    pub fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        self.consumers[id as usize].as_mut().expect("the number of a consumer that is there")
    }

    /// The consumer of this name, made if it is not there (then true).
    pub fn find_or_add(&mut self, name: &[u8], now_ms: i64) -> (ConsumerId, bool) {
        let place = match self.place(name) {
            Ok(place) => return (self.order[place], false),
            Err(place) => place,
        };
        let consumer = Consumer { name: name.into(), seen_ms: now_ms, active_ms: -1, pending: BTreeSet::new() };
        let id = self.free.pop().unwrap_or_else(|| {
            self.consumers.push(None);
            self.consumers.len() as ConsumerId - 1
        });
        self.consumers[id as usize] = Some(consumer);
        self.order.insert(place, id);
        (id, true)
    }

    /// Removes a consumer with all that is pending with it; how much that was.
    pub fn remove(&mut self, name: &[u8]) -> Option<usize> {
        let place = self.place(name).ok()?;
        let id = self.order.remove(place);
        let consumer = self.consumers[id as usize].take().expect("the order names consumers that are there");
        consumer.pending.iter().for_each(|entry| _ = self.pending.remove(entry));
        self.free.push(id);
        Some(consumer.pending.len())
    }

    /// Notes that an entry is with a consumer now, whoever had it before.
    pub fn give(&mut self, id: StreamId, pending: Pending) {
        if let Some(old) = self.pending.insert(id, pending) {
            if old.consumer == pending.consumer {
                return;
            }
            self.consumer_mut(old.consumer).pending.remove(&id);
        }
        let fresh = self.consumer_mut(pending.consumer).pending.insert(id);
        assert!(fresh, "an entry is pending with one consumer");
    }

    /// Notes that an entry is done with; true if it was pending.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        let was_there = self.consumer_mut(pending.consumer).pending.remove(&id);
        assert!(was_there, "an entry is pending with the consumer the group names");
        true
    }

    /// Notes that the entry of this id, larger than all before, was given to somebody.
    pub fn advance(&mut self, log: &Log, id: StreamId) {
        assert!(id > self.last_id);
        let counted = self.entries_read != READ_UNKNOWN && self.last_id >= log.first_id() && !log.has_holes_from(self.last_id);
        if counted {
            self.entries_read = self.entries_read.saturating_add(1);
        } else if log.entries_added > 0 {
            self.entries_read = log.entries_up_to(id).unwrap_or(READ_UNKNOWN);
        }
        self.last_id = id;
    }

    /// How many entries are still to be given; none if that cannot be told.
    pub fn lag(&self, log: &Log) -> Option<i64> {
        let added = log.entries_added as i64;
        if log.entries_added == 0 {
            return Some(0);
        }
        if self.entries_read != READ_UNKNOWN && !log.has_holes_from(self.last_id) {
            return Some(added.wrapping_sub(self.entries_read));
        }
        log.entries_up_to(self.last_id).map(|read| added.wrapping_sub(read))
    }

    /// Bytes it holds on the heap, about.
    pub fn memory_bytes(&self) -> usize {
        /// Places of a B-tree's leaf that are used when entries come in order: six of eleven.
        const fn in_tree(bytes: usize) -> usize {
            bytes * 11 / 6
        }
        let names: usize = self.consumers().map(|consumer| consumer.name.len()).sum();
        size_of::<Group>()
            + names
            + self.consumers.capacity() * size_of::<Option<Consumer>>()
            + self.order.capacity() * size_of::<ConsumerId>()
            + self.pending.len() * (in_tree(size_of::<(StreamId, Pending)>()) + in_tree(size_of::<StreamId>()))
    }

    pub(super) fn drop_cost(&self) -> usize {
        // Two trees with at least five entries a leaf.
        1 + self.consumers.len() * 2 + self.pending.len() / 5 * 2
    }

    /// Drops about `units` allocations; true when nothing is left.
    pub(super) fn drop_some(&mut self, units: usize) -> bool {
        for _ in 0..units * 3 {
            if self.pending.pop_first().is_none() {
                let Some(Some(consumer)) = self.consumers.last_mut() else {
                    if self.consumers.pop().is_none() {
                        return true;
                    }
                    continue;
                };
                if consumer.pending.pop_first().is_none() {
                    self.consumers.pop();
                }
            }
        }
        false
    }

    /// Checks everything; for tests and simulation.
    pub fn check_invariants(&self) {
        let names: Vec<&[u8]> = self.consumers().map(Consumer::name).collect();
        assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "consumers are in order");
        assert_eq!(names.len(), self.consumers.iter().flatten().count());
        let held: usize = self.consumers().map(|consumer| consumer.pending.len()).sum();
        assert_eq!(held, self.pending.len(), "an entry is pending with one consumer");
        for (id, pending) in &self.pending {
            assert!(self.consumer(pending.consumer).pending.contains(id), "{id:?} is pending with its consumer");
        }
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |id: ConsumerId| self.consumer(id).name.escape_ascii().to_string();
        let pending = self.pending.iter().map(|(id, p)| (id, name(p.consumer), p.time_ms, p.count));
        let consumers = self.order.iter().map(|id| name(*id));
        write!(f, "{:?} {} ", self.last_id, self.entries_read)?;
        f.debug_list().entries(pending).finish()?;
        f.debug_list().entries(consumers).finish()
    }
}
