//! Which leaf of the tree a member is in.
//!
//! A hash table that knows no members: a slot holds 32 bits of a member's hash and the number of the leaf that has it, and
//! the leaf says whether it is so. Eight bytes an element, and nothing has to be looked up again when the table grows.
//!
//! It grows by linear hashing ([`Buckets`]), one bucket at a time, so no call pays for a doubling; and it shrinks the same
//! way.
//!
//! Invariant: slot (hash, leaf) is there once for each element of the leaf with that hash, in the bucket `bucket(hash)`.

use crate::stdx::prefetch::{LINE, prefetch};
use crate::types::buckets::Buckets;

/// Slots a bucket has on average when the table grows by one.
const FILL: usize = 20;
/// Slots a bucket grows by.
const STEP: usize = 4;

/// Where a member is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    hash: u32,
    leaf: u32,
}

impl Slot {
    /// Asks for the lines of these.
    #[inline]
    pub(in crate::types) fn prefetch(slots: &[Slot]) {
        slots.chunks(LINE / size_of::<Slot>()).for_each(|line| prefetch(line.as_ptr().cast()));
    }
}

/// The table.
#[derive(Clone)]
pub(super) struct Index {
    buckets: Buckets<Vec<Slot>>,
    len: usize,
}

impl Index {
    pub fn new() -> Index {
        Index { buckets: Buckets::new(1), len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes on the heap, about: buckets have some unused slots at their ends.
    pub fn heap_bytes(&self) -> usize {
        self.buckets.row_bytes() + self.len * size_of::<Slot>() * 9 / 8
    }

    #[inline]
    fn bucket(&self, hash: u32) -> usize {
        self.buckets.of(u64::from(hash))
    }

    /// The leaves that may have a member of this hash.
    #[inline]
    pub fn leaves(&self, hash: u32) -> impl Iterator<Item = u32> {
        self.buckets[self.bucket(hash)].iter().filter(move |slot| slot.hash == hash).map(|slot| slot.leaf)
    }

    /// The bucket of a hash; its place is asked for.
    #[inline]
    pub fn look_ahead(&self, hash: u32) -> &Vec<Slot> {
        self.buckets.prefetch(self.bucket(hash))
    }

    pub fn insert(&mut self, hash: u32, leaf: u32) {
        let at = self.bucket(hash);
        push(&mut self.buckets[at], Slot { hash, leaf });
        self.len += 1;
        if self.len > self.buckets.len() * FILL {
            self.split();
        }
    }

    pub fn remove(&mut self, hash: u32, leaf: u32) {
        let at = self.bucket(hash);
        let bucket = &mut self.buckets[at];
        let slot = bucket.iter().position(|slot| *slot == Slot { hash, leaf }).expect("every element has its slot");
        bucket.swap_remove(slot);
        if bucket.capacity() > 2 * bucket.len() + STEP {
            bucket.shrink_to(bucket.len() + STEP / 2);
        }
        self.len -= 1;
        if self.buckets.len() > 1 && self.len < self.buckets.len() * FILL / 3 {
            self.merge();
        }
    }

    /// An element went from one leaf to another.
    pub fn relocate(&mut self, hash: u32, from: u32, to: u32) {
        let at = self.bucket(hash);
        let slot = self.buckets[at].iter_mut().find(|slot| **slot == Slot { hash, leaf: from });
        slot.expect("every element has its slot").leaf = to;
    }

    /// Adds a bucket and moves to it what belongs there.
    fn split(&mut self) {
        self.buckets.split(|mut stays, goes| {
            let goes = |slot: &Slot| goes(u64::from(slot.hash));
            let moved: Vec<Slot> = stays.iter().copied().filter(goes).collect();
            stays.retain(|slot| !goes(slot));
            stays.shrink_to(stays.len() + STEP / 2);
            (stays, moved)
        });
    }

    /// Takes the last bucket away.
    fn merge(&mut self) {
        self.buckets.merge(|to, gone| gone.into_iter().for_each(|slot| push(to, slot)));
    }

    /// Gives the slots of the bucket at `cursor` to `each` as (hash, leaf), each pair once, and returns the next cursor, 0
    /// at the end.
    pub fn scan(&self, cursor: u64, each: &mut dyn FnMut(u32, u32)) -> u64 {
        let (at, next) = self.buckets.step(cursor);
        let slots = &self.buckets[at];
        for (i, slot) in slots.iter().enumerate() {
            if !slots[..i].contains(slot) {
                each(slot.hash, slot.leaf);
            }
        }
        next
    }

    /// Frees up to `n` buckets; true when all are gone. The table is of no use afterwards.
    pub fn drop_some(&mut self, n: usize) -> bool {
        self.buckets.drop_some(n)
    }

    /// Checks that every slot is in its bucket.
    pub fn check_invariants(&self) {
        self.buckets.check_invariants();
        let mut len = 0;
        for (at, bucket) in self.buckets.iter().enumerate() {
            assert!(bucket.iter().all(|slot| self.bucket(slot.hash) == at));
            len += bucket.len();
        }
        assert_eq!(len, self.len);
    }
}

fn push(bucket: &mut Vec<Slot>, slot: Slot) {
    if bucket.len() == bucket.capacity() {
        bucket.reserve_exact(STEP);
    }
    bucket.push(slot);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;
    use std::collections::HashSet;

    #[test]
    fn a_scan_tells_each_slot_once_for_every_number_of_buckets() {
        let mut rng = Prng::new(4);
        let mut index = Index::new();
        for leaf in 0..1500 {
            index.insert(rng.next_u64() as u32, leaf);
            if leaf % 37 != 0 {
                continue;
            }
            let (mut cursor, mut seen) = (0, HashSet::new());
            loop {
                cursor = index.scan(cursor, &mut |_, leaf| assert!(seen.insert(leaf)));
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen.len(), index.len());
        }
    }

    #[test]
    fn a_scan_misses_nothing_while_the_table_grows_and_shrinks() {
        let mut rng = Prng::new(9);
        let mut index = Index::new();
        let staying: Vec<u32> = (0..2000).map(|_| rng.next_u64() as u32).collect();
        staying.iter().for_each(|hash| index.insert(*hash, 1));
        let (mut cursor, mut seen, mut passing) = (0, HashSet::new(), Vec::new());
        for round in 0.. {
            cursor = index.scan(cursor, &mut |hash, leaf| {
                if leaf == 1 {
                    seen.insert(hash);
                }
            });
            if cursor == 0 {
                break;
            }
            if round % 40 < 20 {
                for _ in 0..100 {
                    passing.push(rng.next_u64() as u32);
                    index.insert(passing[passing.len() - 1], 2);
                }
            } else {
                let keep = passing.len() - passing.len().min(100);
                passing.drain(keep..).for_each(|hash| index.remove(hash, 2));
            }
            index.check_invariants();
        }
        assert!(staying.iter().all(|hash| seen.contains(hash)));
    }
}
