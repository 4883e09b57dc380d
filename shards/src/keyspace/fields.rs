//! Fields of hashes whose time has come although nobody asks for them.
//!
//! Each database knows the keys of hashes that have such fields, and a moment before which none of them is due, so a
//! server whose fields live long does nothing. When that moment has come, ticks go through the keys a few at a time and
//! remove what is due; at the end of the round the moment is known anew.
//!
//! Whoever puts a value in place or gives a field an expiry says so (`EntryMut::track_fields`); the gate takes a key out
//! when its hash goes or has no such field any more. Only a hash that other shards have borrowed may stand there and be
//! empty-handed for a moment; it is looked at again when it comes home.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::space::Keyspace;
use crate::effects::{Event, EventClass};
use crate::types::Object;

/// Keys a tick looks at.
const KEYS_MAX: usize = 256;
/// Fields it removes of one hash, and then it has done enough.
const FIELDS_MAX: usize = 256;
const HEXPIRED: Event = Event::new(EventClass::Expired, "hexpired");

/// The hashes of a database that have fields with an expiry.
#[derive(Clone, Debug)]
pub(super) struct TimedHashes {
    keys: BTreeSet<Box<[u8]>>,
    /// No field is due before this.
    earliest: i64,
    /// The same for the keys the running round has seen.
    seen_earliest: i64,
    /// The last key it has seen.
    cursor: Option<Box<[u8]>>,
}

impl Default for TimedHashes {
    fn default() -> TimedHashes {
        TimedHashes { keys: BTreeSet::new(), earliest: i64::MAX, seen_earliest: i64::MAX, cursor: None }
    }
}

/// What a visit found.
enum Visit {
    /// No hash with such fields any more.
    Gone,
    /// Nothing is due before this.
    DueAt(i64),
    /// More is due.
    More,
}

impl TimedHashes {
    fn next(&self) -> Option<Box<[u8]>> {
        let from = self.cursor.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        self.keys.range::<Box<[u8]>, _>((from, Bound::Unbounded)).next().cloned()
    }

    fn end_round(&mut self) {
        self.cursor = None;
        self.earliest = std::mem::replace(&mut self.seen_earliest, i64::MAX);
    }
}

impl Keyspace {
    /// Remembers that no field of the hash at `key` is due before `earliest`, but then one may be.
    pub(super) fn track_fields(&mut self, db: u32, key: &[u8], earliest: i64) {
        if self.guests.is_some() && !self.owns(key) {
            return; // its own shard will hear when it comes home
        }
        let timed = &mut self.timed_hashes[db as usize];
        timed.earliest = timed.earliest.min(earliest);
        timed.seen_earliest = timed.seen_earliest.min(earliest);
        if !timed.keys.contains(key) {
            timed.keys.insert(key.into());
        }
    }

    /// Forgets a key whose value goes or has lost its last field with an expiry.
    pub(super) fn untrack_fields(&mut self, db: u32, key: &[u8]) {
        if self.guests.is_some() && !self.owns(key) {
            return; // its own shard will see when it comes home
        }
        let timed = &mut self.timed_hashes[db as usize];
        if !timed.keys.is_empty() {
            timed.keys.remove(key);
        }
    }

    /// The same for the value that stood there.
    #[inline]
    pub(super) fn untrack_object(&mut self, db: u32, key: &[u8], object: Option<&Object>) {
        if object.is_some_and(|object| object.earliest_inside().is_some()) {
            self.untrack_fields(db, key);
        }
    }

    /// Hashes of a database that have fields with an expiry (INFO keys_with_volatile_items).
    pub fn timed_hashes_len(&self, db: u32) -> usize {
        self.timed_hashes[db as usize].keys.len()
    }

    /// True if a database has such hashes.
    #[inline]
    pub(super) fn has_timed_hashes(&self, db: u32) -> bool {
        !self.timed_hashes[db as usize].keys.is_empty()
    }

    /// True if some hash has fields that will expire.
    pub fn has_timed_fields(&self) -> bool {
        self.timed_hashes.iter().any(|timed| !timed.keys.is_empty())
    }

    /// Removes some fields that are due; true if there is reason to go on at once. Keys that are `locked` wait.
    pub(crate) fn expire_fields(&mut self, locked: &dyn Fn(u32, &[u8]) -> bool) -> bool {
        let now_ms = self.now_ms;
        let due = |db: &u32| {
            let timed = &self.timed_hashes[*db as usize];
            !timed.keys.is_empty() && timed.earliest <= now_ms
        };
        // From a random database on, so that none starves.
        let databases = self.databases() as u32;
        let start = self.rng.clone().below(databases.into()) as u32;
        let Some(db) = (0..databases).map(|i| (start + i) % databases).find(due) else { return false };
        self.rng.next_u64();
        let mut found = false;
        for _ in 0..KEYS_MAX {
            let Some(key) = self.timed_hashes[db as usize].next() else {
                self.timed_hashes[db as usize].end_round();
                self.settle(db);
                return false;
            };
            let visit = if locked(db, &key) { Visit::DueAt(now_ms) } else { self.visit(db, &key, &mut found) };
            let timed = &mut self.timed_hashes[db as usize];
            match visit {
                Visit::More => {
                    self.settle(db);
                    return true;
                }
                Visit::Gone => drop(timed.keys.remove(&key)),
                Visit::DueAt(at) => timed.seen_earliest = timed.seen_earliest.min(at),
            }
            timed.cursor = Some(key);
        }
        self.settle(db);
        found
    }

    fn visit(&mut self, db: u32, key: &[u8], found: &mut bool) -> Visit {
        let now_ms = self.now_ms;
        let no_touch = std::mem::replace(&mut self.no_touch, true);
        let mut entry = self.entry_mut(db, key);
        let mut names = Vec::new();
        let visit = match entry.object_mut() {
            Some(Object::Hash(hash)) => {
                let more = hash.expire_some(now_ms, FIELDS_MAX, &mut |name| {
                    let mut text = Vec::new();
                    name.write(&mut text);
                    names.push(text);
                });
                match hash.earliest() {
                    None => Visit::Gone,
                    Some(_) if more => Visit::More,
                    Some(at) => Visit::DueAt(at),
                }
            }
            _ => Visit::Gone,
        };
        if !names.is_empty() {
            entry.fields_expired(&names, HEXPIRED);
            *found = true;
        }
        self.no_touch = no_touch;
        visit
    }
}
