//! Which keys somebody waits for (BLPOP, BZPOPMIN, XREAD BLOCK ...), and which of them have changed.
//!
//! The waiters themselves stand with the core, which knows clients and clocks. Here stands only how many wait for a key;
//! the gate looks it up at every change (one look at an empty map where nobody waits) and notes the key as *ready*. The
//! core serves ready keys when the call that changed them, or the whole transaction, has ended: so a MULTI that pushes
//! and pops again wakes nobody. Ready means only "look again": the waiting command is run once more and finds out.
//!
//! Invariant: a ready key is waited for, and stands in the list once.

use std::collections::HashMap;

/// A key of a database.
pub type DbKey = (u32, Box<[u8]>);

/// The keys that are waited for.
#[derive(Default, Debug)]
pub struct Blocked {
    waiters: HashMap<DbKey, u32>,
    ready: Vec<DbKey>,
}

impl Blocked {
    /// One more waits for this key.
    pub fn wait(&mut self, key: &DbKey) {
        *self.waiters.entry(key.clone()).or_default() += 1;
    }

    /// One less waits for this key.
    pub fn unwait(&mut self, key: &DbKey) {
        if let Some(count) = self.waiters.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.waiters.remove(key);
                self.ready.retain(|ready| ready != key);
            }
        }
    }

    /// Number of keys waited for.
    pub fn len(&self) -> usize {
        self.waiters.len()
    }

    /// True if nobody waits for anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// A key has changed.
    #[inline]
    pub(super) fn changed(&mut self, db: u32, key: &[u8]) {
        if !self.waiters.is_empty() {
            self.note(db, key);
        }
    }

    #[cold]
    fn note(&mut self, db: u32, key: &[u8]) {
        let key = (db, Box::from(key));
        if self.waiters.contains_key(&key) && !self.ready.contains(&key) {
            self.ready.push(key);
        }
    }

    /// All waited-for keys of these databases may have changed (SWAPDB, FLUSHDB).
    pub(super) fn changed_databases(&mut self, dbs: &[u32]) {
        let keys: Vec<DbKey> = self.waiters.keys().filter(|(db, _)| dbs.contains(db)).cloned().collect();
        keys.iter().for_each(|(db, key)| self.note(*db, key));
    }

    /// True if keys have become ready.
    #[inline]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The keys that have become ready, in the order they did; forgets them.
    pub fn take_ready(&mut self) -> Vec<DbKey> {
        std::mem::take(&mut self.ready)
    }

    /// Puts back a ready key that could not be served now (a transaction holds it).
    pub fn put_off(&mut self, key: DbKey) {
        if self.waiters.contains_key(&key) && !self.ready.contains(&key) {
            self.ready.push(key);
        }
    }

    /// Checks the invariant.
    pub fn check_invariants(&self) {
        for (i, key) in self.ready.iter().enumerate() {
            assert!(self.waiters.contains_key(key), "a ready key is waited for");
            assert!(!self.ready[..i].contains(key), "a ready key stands once");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> DbKey {
        (0, Box::from(name.as_bytes()))
    }

    #[test]
    fn only_keys_that_are_waited_for_become_ready_once_and_in_order() {
        let mut b = Blocked::default();
        b.wait(&key("a"));
        b.wait(&key("b"));
        for name in ["b", "x", "a", "b"] {
            b.changed(0, name.as_bytes());
        }
        b.changed(1, b"a");
        assert_eq!(b.take_ready(), [key("b"), key("a")]);
        assert!(!b.has_ready());
    }

    #[test]
    fn the_last_waiter_takes_readiness_away() {
        let mut b = Blocked::default();
        b.wait(&key("a"));
        b.wait(&key("a"));
        b.changed(0, b"a");
        b.unwait(&key("a"));
        assert!(b.has_ready());
        b.unwait(&key("a"));
        assert!(!b.has_ready() && b.is_empty());
        b.check_invariants();
    }
}
