//! Versions of watched keys (WATCH).
//!
//! A key has a version only while somebody watches it: WATCH asks for it, EXEC compares it, UNWATCH lets go. The gate
//! gives a watched key a new version at every change; unwatched keys pay one look at an empty map.
//!
//! A watched key that is already expired counts as absent: removing it later is no change (Valkey does the same), so
//! the gate passes expirations of such keys by. Versions come from one counter of the shard and never repeat.

use std::collections::HashMap;

/// The versions of the watched keys of a shard.
#[derive(Default, Debug)]
pub struct Watch {
    keys: HashMap<(u32, Box<[u8]>), Watched>,
    last: u64,
}

/// What there is of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    /// Nothing.
    None,
    /// Something whose time is over.
    Over,
    /// Something.
    Live,
}

#[derive(Debug)]
struct Watched {
    version: u64,
    watchers: u32,
    /// The key had expired when it was watched, so that its removal is no change.
    expired: bool,
}

impl Watch {
    /// Starts watching (once more); the version to compare at EXEC.
    pub fn watch(&mut self, db: u32, key: &[u8], expired: bool) -> u64 {
        self.last += 1;
        let last = self.last;
        let w = self
            .keys
            .entry((db, key.into()))
            .or_insert(Watched { version: last, watchers: 0, expired });
        w.watchers += 1;
        w.version
    }

    /// Lets go once.
    pub fn unwatch(&mut self, db: u32, key: &[u8]) {
        let id = (db, Box::from(key));
        if let Some(w) = self.keys.get_mut(&id) {
            w.watchers -= 1;
            if w.watchers == 0 {
                self.keys.remove(&id);
            }
        }
    }

    /// True if the key still has the version it was watched with.
    pub fn unchanged(&self, db: u32, key: &[u8], version: u64) -> bool {
        self.keys.get(&(db, Box::from(key))).is_some_and(|w| w.version == version)
    }

    /// True if nothing is watched.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Number of watched keys (INFO watching_clients needs the clients; this is the keys).
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key changed.
    pub(super) fn changed(&mut self, db: u32, key: &[u8]) {
        if self.keys.is_empty() {
            return;
        }
        self.last += 1;
        let last = self.last;
        if let Some(w) = self.keys.get_mut(&(db, Box::from(key))) {
            w.version = last;
            w.expired = false;
        }
    }

    /// The key was removed because its time came.
    pub(super) fn expired(&mut self, db: u32, key: &[u8]) {
        let late = self.keys.get(&(db, Box::from(key))).is_some_and(|w| w.expired);
        if !late {
            self.changed(db, key);
        }
    }

    /// Databases lost what they held (flush) or got something else (swap): `turn` tells for each watched key what it was
    /// and what it is now; `None`: it is in another database.
    pub(super) fn turned(&mut self, turn: impl Fn(u32, &[u8]) -> Option<(Life, Life)>) {
        for ((db, key), w) in &mut self.keys {
            let Some((before, after)) = turn(*db, key) else { continue };
            match (before, after) {
                (Life::None, Life::None) => {}
                // To the watcher it was not there, and it still is not.
                _ if w.expired && after != Life::Live => w.expired = after == Life::Over,
                (Life::None, Life::Over) => w.expired = true,
                _ => {
                    self.last += 1;
                    w.version = self.last;
                    w.expired = false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_gives_a_new_version_and_others_keep_theirs() {
        let mut w = Watch::default();
        let (a, b) = (w.watch(0, b"a", false), w.watch(0, b"b", false));
        w.changed(0, b"a");
        w.changed(1, b"b");
        assert!(!w.unchanged(0, b"a", a));
        assert!(w.unchanged(0, b"b", b));
    }

    #[test]
    fn the_last_watcher_takes_the_version_away() {
        let mut w = Watch::default();
        let v = w.watch(0, b"a", false);
        assert_eq!(w.watch(0, b"a", false), v);
        w.unwatch(0, b"a");
        assert!(w.unchanged(0, b"a", v));
        w.unwatch(0, b"a");
        assert!(w.is_empty() && !w.unchanged(0, b"a", v));
    }

    #[test]
    fn an_expired_key_that_takes_the_place_of_none_is_no_change_even_when_it_is_removed() {
        let mut w = Watch::default();
        let v = w.watch(0, b"a", false);
        w.turned(|_, _| Some((Life::None, Life::Over)));
        w.expired(0, b"a");
        assert!(w.unchanged(0, b"a", v));
        w.turned(|_, _| Some((Life::Over, Life::Live)));
        assert!(!w.unchanged(0, b"a", v));
    }

    #[test]
    fn losing_a_key_is_a_change_unless_it_was_watched_expired() {
        for (expired, unchanged) in [(true, true), (false, false)] {
            let mut w = Watch::default();
            let v = w.watch(0, b"a", expired);
            w.turned(|_, _| Some((Life::Over, Life::None)));
            assert_eq!(w.unchanged(0, b"a", v), unchanged);
        }
    }

    #[test]
    fn removing_a_key_that_was_watched_expired_is_no_change() {
        let mut w = Watch::default();
        let v = w.watch(0, b"a", true);
        w.expired(0, b"a");
        assert!(w.unchanged(0, b"a", v));
        w.changed(0, b"a");
        assert!(!w.unchanged(0, b"a", v));
    }
}
