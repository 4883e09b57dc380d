//! Making a log shorter from its beginning.
//!
//! Whole nodes go at once. An exact trim then marks entries of the next node as deleted; an approximate one stops there,
//! and may be told how many entries to take at most.

use super::id::StreamId;
use super::log::Log;
use super::node::Node;

/// What is to be left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// So many entries.
    Length(u64),
    /// The entries of this id and larger ones.
    Id(StreamId),
}

/// How to trim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trim {
    /// What is to be left.
    pub until: Until,
    /// Only whole nodes go.
    pub approximate: bool,
    /// How many entries go at most, in nodes that do not pass it; 0: no limit.
    pub limit: u64,
}

impl Log {
    /// Trims; how many entries went.
    pub fn trim(&mut self, trim: &Trim) -> u64 {
        let mut gone = 0;
        while !matches!(trim.until, Until::Length(max) if self.length <= max) {
            let Some(mut first) = self.nodes.first_entry() else { break };
            let live = first.get().live();
            if trim.limit > 0 && gone + live > trim.limit {
                break;
            }
            let whole = match trim.until {
                Until::Length(max) => self.length - live >= max,
                Until::Id(id) => last_of(*first.key(), first.get()) < id,
            };
            if whole {
                first.remove();
                self.length -= live;
                gone += live;
                continue;
            }
            if !trim.approximate {
                let own = *first.key();
                let deleted = delete_first(own, first.get_mut(), trim.until, self.length);
                self.length -= deleted;
                gone += deleted;
            }
            break;
        }
        if gone > 0 {
            self.find_first();
        }
        gone
    }
}

/// Id of a node's last entry, deleted or not.
fn last_of(own: StreamId, node: &Node) -> StreamId {
    let reader = node.reader(own);
    reader.backward(reader.end()).map_or(StreamId::MIN, |entry| entry.id)
}

/// Deletes entries from a node's beginning; how many. `length` is that of the log.
fn delete_first(own: StreamId, node: &mut Node, until: Until, length: u64) -> u64 {
    let reader = node.reader(own);
    let (mut at, mut places) = (reader.begin(), Vec::new());
    while let Some((entry, next)) = reader.forward(at) {
        let enough = match until {
            Until::Length(max) => length - places.len() as u64 <= max,
            Until::Id(id) => entry.id >= id,
        };
        if enough {
            break;
        }
        if !entry.deleted {
            places.push(entry.at);
        }
        at = next;
    }
    if !places.is_empty() {
        node.delete(&places);
    }
    places.len() as u64
}
