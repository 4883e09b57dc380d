//! Subscribers of one channel on one core.
//!
//! A list, as a message goes to all of them. Beyond a few the place of each is kept too, so that leaving a crowd of
//! 50,000 costs what leaving one of five does.
//!
//! Invariant: nobody is in it twice; `places`, if it is there, names the place of each.

use crate::runtime::ConnId;
use std::collections::HashMap;

/// Up to here a look through the list is as fast.
const SMALL: usize = 32;

/// Subscribers.
#[derive(Default)]
pub struct Crowd {
    members: Vec<ConnId>,
    places: Option<HashMap<ConnId, usize>>,
}

impl Crowd {
    /// Adds somebody, who is not in it.
    pub fn insert(&mut self, conn: ConnId) {
        debug_assert!(self.place(conn).is_none(), "nobody subscribes twice");
        if let Some(places) = &mut self.places {
            places.insert(conn, self.members.len());
        }
        self.members.push(conn);
        if self.members.len() > SMALL && self.places.is_none() {
            self.places = Some(self.members.iter().enumerate().map(|(at, conn)| (*conn, at)).collect());
        }
    }

    /// Removes somebody, if it is in it.
    pub fn remove(&mut self, conn: ConnId) {
        let Some(at) = self.place(conn) else { return };
        self.members.swap_remove(at);
        if let Some(places) = &mut self.places {
            places.remove(&conn);
            if let Some(moved) = self.members.get(at) {
                places.insert(*moved, at);
            }
        }
        if self.members.len() < SMALL / 2 {
            self.places = None;
            self.members.shrink_to(SMALL);
        }
    }

    fn place(&self, conn: ConnId) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&conn).copied(),
            None => self.members.iter().position(|member| *member == conn),
        }
    }

    /// All of them.
    pub fn members(&self) -> &[ConnId] {
        &self.members
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// True if there is nobody.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crowds_of_any_size_know_who_is_in_them() {
        let mut rng = shards::stdx::prng::Prng::new(7);
        let (mut crowd, mut expected) = (Crowd::default(), std::collections::BTreeSet::new());
        for step in 0..20_000 {
            let conn = ConnId(rng.below(if step < 10_000 { 200 } else { 30 }));
            if expected.remove(&conn) {
                crowd.remove(conn);
            } else {
                crowd.remove(conn);
                crowd.insert(conn);
                expected.insert(conn);
            }
            assert_eq!(crowd.len(), expected.len());
        }
        for round in 0..2 {
            let mut members = crowd.members().to_vec();
            members.sort();
            assert_eq!(members, expected.iter().copied().collect::<Vec<_>>());
            if round == 0 {
                expected.clear();
                members.into_iter().for_each(|conn| crowd.remove(conn));
                assert!(crowd.is_empty() && crowd.places.is_none());
            }
        }
    }
}
