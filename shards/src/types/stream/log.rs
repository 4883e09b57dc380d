//! The entries of a stream: nodes in the order of their ids, and what the stream remembers beside them.
//!
//! Entries are added at the end only, so a node is filled and then closed. They go from the beginning (`trim`) or from
//! anywhere (`delete`), which leaves holes; `max_deleted` is the largest id ever deleted from the middle, and what lies
//! behind it is known to be without holes: that is what a group's lag is reckoned with.
//!
//! Invariants: the ids of entries grow within a node and from node to node, none passes `last_id`; `length` counts the
//! entries that are not deleted; `first_id` is the first of these, 0-0 if there is none.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::id::StreamId;
use super::node::{BYTES_MAX, Node, NodeLimits};
use super::walk::Walk;
use crate::types::listpack::Listpack;

/// An entry larger than a node may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overfull;

/// The entries of a stream.
#[derive(Clone, Default)]
pub struct Log {
    pub(super) nodes: BTreeMap<StreamId, Node>,
    pub(super) length: u64,
    pub(super) first_id: StreamId,
    /// The largest id given so far.
    pub last_id: StreamId,
    /// The largest id that was deleted (XDEL; trimming does not count).
    pub max_deleted: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
}

impl Log {
    /// Number of entries.
    #[inline]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// True if it has no entry.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Id of the first entry, 0-0 if there is none.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The id that an entry added at `now_ms` gets; none if the last possible id was given.
    pub fn next_id(&self, now_ms: u64) -> Option<StreamId> {
        if now_ms > self.last_id.ms { Some(StreamId::new(now_ms, 0)) } else { self.last_id.next() }
    }

    /// The next id of this millisecond; none if that is over, or has no numbers left.
    pub fn next_id_in(&self, ms: u64) -> Option<StreamId> {
        let seq = if ms == self.last_id.ms { self.last_id.seq.checked_add(1)? } else { 0 };
        Some(StreamId { ms, seq }).filter(|id| *id > self.last_id)
    }

    /// Adds an entry, whose id must be larger than all before.
    pub fn append<'f>(
        &mut self, id: StreamId, fields: impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])> + Clone, limits: NodeLimits,
    ) -> Result<(), Overfull> {
        assert!(id > self.last_id, "ids grow");
        let bytes: usize = fields.clone().map(|(name, value)| name.len() + value.len()).sum();
        // Around each element there are at most ten bytes, and there are some numbers.
        let room = bytes.saturating_add(16 * (fields.len() * 3 + 8));
        if room > BYTES_MAX {
            return Err(Overfull);
        }
        match self.nodes.last_entry() {
            Some(mut last) if !last.get().is_full(bytes, room, limits) => {
                let own = *last.key();
                last.get_mut().append(own, id, fields);
            }
            full => {
                full.into_iter().for_each(|mut full| full.get_mut().close());
                let mut node = Node::new(fields.clone().map(|(name, _)| name));
                node.append(id, id, fields);
                self.nodes.insert(id, node);
            }
        }
        self.length += 1;
        self.entries_added = self.entries_added.saturating_add(1);
        self.last_id = id;
        if self.length == 1 {
            self.first_id = id;
        }
        Ok(())
    }

    /// The entries from `start` to `end`, both included.
    pub fn range(&self, start: StreamId, end: StreamId) -> Walk<'_> {
        Walk::new(self, start, end)
    }

    /// All entries.
    pub fn iter(&self) -> Walk<'_> {
        self.range(StreamId::MIN, StreamId::MAX)
    }

    /// True if there is an entry of this id.
    pub fn contains(&self, id: StreamId) -> bool {
        self.range(id, id).next().is_some()
    }

    /// Id of the last entry, if there is one. It may be smaller than `last_id`.
    pub fn last_live(&self) -> Option<StreamId> {
        self.iter().next_back().map(|entry| entry.id)
    }

    /// Id of the first entry that still takes room, deleted or not.
    pub fn first_kept(&self) -> Option<StreamId> {
        self.iter().with_deleted().next().map(|entry| entry.id)
    }

    /// Deletes an entry; true if there was one of this id.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some((own, node)) = self.nodes.range_mut(..=id).next_back() else { return false };
        let own = *own;
        let reader = node.reader(own);
        let mut at = reader.begin();
        let place = loop {
            match reader.forward(at) {
                Some((entry, _)) if entry.id == id && !entry.deleted => break entry.at,
                Some((entry, next)) if entry.id <= id => at = next,
                _ => return false,
            }
        };
        if node.live() == 1 {
            self.nodes.remove(&own);
        } else {
            node.delete(&[place]);
        }
        self.length -= 1;
        self.max_deleted = self.max_deleted.max(id);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    /// Looks up `first_id` anew.
    pub(super) fn find_first(&mut self) {
        self.first_id = self.iter().next().map_or(StreamId::MIN, |entry| entry.id);
    }

    /// True if an entry at or behind `from` was deleted, as far as can be told.
    pub fn has_holes_from(&self, from: StreamId) -> bool {
        !self.is_empty() && !self.max_deleted.is_zero() && from <= self.max_deleted
    }

    /// How many entries were ever added up to the one of this id; none if that cannot be told any more.
    pub fn entries_up_to(&self, id: StreamId) -> Option<i64> {
        let added = self.entries_added as i64;
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.is_empty() && id <= self.last_id {
            return Some(added);
        }
        if !id.is_zero() && id < self.max_deleted {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(added);
        }
        if !self.max_deleted.is_zero() && self.max_deleted >= self.first_id {
            return None;
        }
        let before_first = added.wrapping_sub(self.length as i64);
        match id.cmp(&self.first_id) {
            Ordering::Less => Some(before_first),
            Ordering::Equal => Some(before_first.wrapping_add(1)),
            Ordering::Greater => None,
        }
    }

    /// The nodes as RDB writes them: id and listpack.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = (StreamId, &Listpack)> {
        self.nodes.iter().map(|(id, node)| (*id, node.pack()))
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a node from outside behind the others, its entries counted; false if it is damaged or out of order. The
    /// caller sets `last_id`, `max_deleted` and `entries_added` when all are there, then calls [`Log::loaded`].
    pub fn load_block(&mut self, id: StreamId, pack: Listpack) -> bool {
        let Some((node, live)) = Node::from_untrusted(pack) else { return false };
        let reader = node.reader(id);
        let (mut at, mut last) = (reader.begin(), None);
        while let Some((entry, next)) = reader.forward(at) {
            if entry.id < id || last.is_some_and(|last| entry.id <= last) {
                return false;
            }
            (at, last) = (next, Some(entry.id));
        }
        let Some(last) = last else { return false };
        if !self.nodes.is_empty() && id <= self.last_id {
            return false;
        }
        self.last_id = last;
        self.length += live;
        self.nodes.insert(id, node);
        true
    }

    /// Finds the first entry after nodes were loaded; false if `last_id` is smaller than an entry's.
    pub fn loaded(&mut self) -> bool {
        self.find_first();
        let largest = self.iter().with_deleted().next_back().map_or(StreamId::MIN, |entry| entry.id);
        largest <= self.last_id
    }

    /// Nodes of a radix tree that had these ids as keys (XINFO shows them). The tree is canonical, so its size follows
    /// from what neighbouring keys have in common: an inner node where keys part, one for the stretch before it unless
    /// that is empty, and a leaf a key.
    pub fn radix_nodes(&self) -> usize {
        const KEY_BYTES: usize = 16;
        let keys: Vec<[u8; KEY_BYTES]> = self.nodes.keys().map(|id| id.to_bytes()).collect();
        let shared: Vec<usize> = keys.windows(2).map(|pair| (0..KEY_BYTES).take_while(|i| pair[0][*i] == pair[1][*i]).count()).collect();
        // A node at depth `to` whose parent is at depth `from`: itself, and the stretch of key between the two.
        let with_stretch = |from: Option<usize>, to: usize| 1 + usize::from(from.map_or(0, |from| from + 1) < to);
        // Depths at which the key at hand parted from keys before it.
        let mut path: Vec<usize> = Vec::new();
        let mut count = usize::from(keys.is_empty());
        for i in 0..keys.len() {
            let (before, after) = (i.checked_sub(1).map(|i| shared[i]), shared.get(i).copied());
            count += with_stretch(before.max(after), KEY_BYTES);
            let Some(after) = after else { break };
            while let Some(depth) = path.pop_if(|depth| *depth > after) {
                count += with_stretch(path.last().copied().max(Some(after)), depth);
            }
            if path.last() != Some(&after) {
                path.push(after);
            }
        }
        while let Some(depth) = path.pop() {
            count += with_stretch(path.last().copied(), depth);
        }
        count
    }

    /// Bytes it holds on the heap.
    pub fn memory_bytes(&self) -> usize {
        /// Bytes of a B-tree a key and node take: eight of eleven places are used.
        const PLACE: usize = (size_of::<StreamId>() + size_of::<Node>()) * 11 / 8;
        // Closed nodes are much alike: a few at either end tell of all.
        const SAMPLES: usize = 16;
        let count = self.nodes.len();
        let samples = self.nodes.values().take(SAMPLES).chain(self.nodes.values().rev().take(SAMPLES));
        let (sum, seen) = samples.fold((0, 0), |(sum, seen), node| (sum + node.memory_bytes(), seen + 1));
        count * PLACE + (sum as u128 * count as u128 / (seen as u128).max(1)) as usize
    }

    /// Drops up to `nodes` nodes; how many of these were left when there were no more.
    pub(super) fn drop_some(&mut self, nodes: usize) -> usize {
        (0..nodes).rev().find(|_| self.nodes.pop_first().is_none()).map_or(0, |left| left + 1)
    }

    /// Checks everything; for tests and simulation.
    pub fn check_invariants(&self) {
        let (mut live, mut last) = (0, None);
        for (own, node) in &self.nodes {
            node.pack().check_invariants();
            let reader = node.reader(*own);
            let (mut at, mut counts) = (reader.begin(), [0, 0]);
            while let Some((entry, next)) = reader.forward(at) {
                assert!(last.is_none_or(|last| entry.id > last) && entry.id >= *own, "ids grow");
                counts[usize::from(entry.deleted)] += 1;
                (at, last) = (next, Some(entry.id));
            }
            assert_eq!((counts[0], counts[1]), (node.live(), node.deleted()), "a node counts its entries");
            live += counts[0];
        }
        assert_eq!(live, self.length, "the log counts its entries");
        assert!(last.is_none_or(|last| last <= self.last_id), "no id passes the last one");
        assert_eq!(self.iter().next().map_or(StreamId::MIN, |entry| entry.id), self.first_id);
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fixed = (self.length, self.first_id, self.last_id, self.max_deleted, self.entries_added);
        let text = |element: crate::types::listpack::Element<'_>| element.to_vec().escape_ascii().to_string();
        let entries = self.iter().map(|entry| {
            let id = entry.id;
            (id, entry.pairs().map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>())
        });
        write!(f, "{fixed:?} ")?;
        f.debug_list().entries(entries).finish()
    }
}
