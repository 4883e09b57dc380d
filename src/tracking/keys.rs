//! The keys of a shard that clients have read, each with its readers.
//!
//! Keys are named without their database: Valkey's invalidations have none. A reader that is gone stays in the lists until
//! its keys change; telling it then reaches nobody.
//!
//! Keys lie in a vector, so that one can be picked at random when there are too many; the index says where each is.
//!
//! Invariant: every entry is in the index at its place, and nothing else is; `items` counts all readers.

use super::Who;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Who read a key: most keys have one reader.
#[derive(Debug)]
pub enum Readers {
    /// One.
    One(Who),
    /// Several.
    Many(HashSet<Who>),
}

impl Readers {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Readers::One(_) => 1,
            Readers::Many(all) => all.len(),
        }
    }

    /// True if there is none, which is never.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, the same ones in the same order.
    pub fn sorted(self) -> Vec<Who> {
        match self {
            Readers::One(who) => vec![who],
            Readers::Many(all) => {
                let mut all: Vec<Who> = all.into_iter().collect();
                all.sort_unstable();
                all
            }
        }
    }
}

/// The table.
#[derive(Default, Debug)]
pub struct Keys {
    entries: Vec<(Arc<[u8]>, Readers)>,
    index: HashMap<Arc<[u8]>, usize>,
    items: usize,
}

impl Keys {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if nobody read anything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of readers of all keys.
    pub fn items(&self) -> usize {
        self.items
    }

    /// A client has read a key.
    pub fn add(&mut self, key: &[u8], who: Who) {
        let Some(at) = self.index.get(key) else {
            let key: Arc<[u8]> = key.into();
            self.index.insert(Arc::clone(&key), self.entries.len());
            self.entries.push((key, Readers::One(who)));
            self.items += 1;
            return;
        };
        let readers = &mut self.entries[*at].1;
        let before = readers.len();
        match readers {
            Readers::One(first) if *first == who => {}
            Readers::One(first) => *readers = Readers::Many(HashSet::from([*first, who])),
            Readers::Many(all) => {
                all.insert(who);
            }
        }
        self.items += readers.len() - before;
    }

    /// A key has changed: forgets its readers and names them.
    pub fn take(&mut self, key: &[u8]) -> Option<Readers> {
        let at = self.index.remove(key)?;
        Some(self.take_at(at).1)
    }

    /// Takes out a key picked by a random number, if there is one.
    pub fn take_any(&mut self, random: u64) -> Option<(Arc<[u8]>, Readers)> {
        let count = self.entries.len() as u64;
        if count == 0 {
            return None;
        }
        let at = (random % count) as usize;
        self.index.remove(&self.entries[at].0);
        Some(self.take_at(at))
    }

    fn take_at(&mut self, at: usize) -> (Arc<[u8]>, Readers) {
        let entry = self.entries.swap_remove(at);
        if let Some((moved, _)) = self.entries.get(at) {
            *self.index.get_mut(moved).expect("every entry is in the index") = at;
        }
        self.items -= entry.1.len();
        entry
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Keys::default();
    }

    /// Checks everything; for tests.
    pub fn check_invariants(&self) {
        assert_eq!(self.index.len(), self.entries.len());
        assert!(self.entries.iter().enumerate().all(|(at, (key, _))| self.index.get(key) == Some(&at)));
        assert_eq!(self.items, self.entries.iter().map(|(_, readers)| readers.len()).sum::<usize>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::ConnId;
    use shards::stdx::prng::Prng;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn random_reads_and_changes_hold_against_a_map() {
        for seed in 0..20 {
            let mut rng = Prng::new(seed);
            let (mut keys, mut model) = (Keys::default(), BTreeMap::<Vec<u8>, BTreeSet<Who>>::new());
            for _ in 0..3000 {
                let key = format!("key:{}", rng.below(40)).into_bytes();
                let who = Who { core: rng.below(3) as u16, conn: ConnId(rng.below(5)) };
                match rng.below(8) {
                    0 => assert_eq!(
                        keys.take(&key).map(|readers| readers.sorted().into_iter().collect()),
                        model.remove(&key)
                    ),
                    1 => {
                        let taken = keys.take_any(rng.next_u64());
                        assert_eq!(taken.is_none(), model.is_empty());
                        if let Some((key, readers)) = taken {
                            let expected = model.remove(&*key).unwrap();
                            assert_eq!(readers.sorted(), expected.into_iter().collect::<Vec<_>>());
                        }
                    }
                    _ => {
                        keys.add(&key, who);
                        model.entry(key).or_default().insert(who);
                    }
                }
                keys.check_invariants();
                assert_eq!(keys.len(), model.len(), "seed {seed}");
                assert_eq!(keys.items(), model.values().map(BTreeSet::len).sum::<usize>());
            }
        }
    }
}
