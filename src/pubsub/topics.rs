//! Channels by their names, and for each who listens, here and elsewhere.
//!
//! Invariant: a topic that is kept has somebody who listens.

use super::Name;
use super::crowd::Crowd;
use ahash::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// Who listens to one channel or pattern.
#[derive(Default)]
pub struct Topic {
    /// Subscribers of this core.
    pub here: Crowd,
    /// Other cores with subscribers, and how many each has: never 0.
    pub elsewhere: Vec<(u32, u32)>,
}

impl Topic {
    /// One more on that core.
    pub fn add(&mut self, core: usize) {
        match self.elsewhere.iter_mut().find(|(other, _)| *other == core as u32) {
            Some((_, count)) => *count += 1,
            None => self.elsewhere.push((core as u32, 1)),
        }
    }

    /// One less on that core.
    pub fn subtract(&mut self, core: usize) {
        let at = self.elsewhere.iter().position(|(other, _)| *other == core as u32).expect("who leaves has joined");
        self.elsewhere[at].1 -= 1;
        if self.elsewhere[at].1 == 0 {
            self.elsewhere.swap_remove(at);
        }
    }

    /// How many listen, on all cores.
    pub fn subscribers(&self) -> u64 {
        self.here.len() as u64 + self.elsewhere.iter().map(|(_, count)| u64::from(*count)).sum::<u64>()
    }

    /// True if nobody listens.
    pub fn is_empty(&self) -> bool {
        self.here.is_empty() && self.elsewhere.is_empty()
    }
}

/// Channels.
pub struct Topics {
    by_name: HashMap<Name, Topic, RandomState>,
}

impl Topics {
    /// None yet. Names come from clients, so the hasher must not be guessed.
    pub fn new(hasher: RandomState) -> Topics {
        Topics { by_name: HashMap::with_hasher(hasher) }
    }

    /// The topic of that name, new if need be, and its name as it is kept.
    pub fn of(&mut self, name: &[u8]) -> (Name, &mut Topic) {
        let name = match self.by_name.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(name),
        };
        (Arc::clone(&name), self.by_name.entry(name).or_default())
    }

    /// The topic of that name, new if need be.
    pub fn named(&mut self, name: &Name) -> &mut Topic {
        self.by_name.entry(Arc::clone(name)).or_default()
    }

    /// The topic of that name, if anybody listens.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&Topic> {
        self.by_name.get(name)
    }

    /// Changes a topic; forgets it when nobody is left.
    pub fn change(&mut self, name: &Name, change: impl FnOnce(&mut Topic)) {
        let Some(topic) = self.by_name.get_mut(name) else { return };
        change(topic);
        if topic.is_empty() {
            self.by_name.remove(name);
            if self.by_name.is_empty() {
                self.by_name.shrink_to_fit();
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// True if nobody listens to anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.by_name.keys().map(|name| &**name)
    }

    /// Checks what must hold; for tests.
    pub fn check_invariants(&self) {
        assert!(self.by_name.values().all(|topic| !topic.is_empty()), "topics without subscribers are forgotten");
    }
}
