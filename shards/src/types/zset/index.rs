//! Which leaf of the tree a member is in.
//!
//! A hash table that knows no members: a slot holds 32 bits of a member's hash and the number of the leaf that has it, and
//! the leaf says whether it is so. Eight bytes an element, and nothing has to be looked up again when the table grows.
//!
//! It grows by linear hashing, one bucket at a time, so no call pays for a doubling; and it shrinks the same way.
//!
//! A scan walks the hashes in the order of their reversed bits. Whatever the number of buckets, a bucket holds one stretch
//! of that order, so a cursor (a place in it) means the same before and after a split: no element that stays is missed, and
//! none is told twice.
//!
//! Invariant: slot (hash, leaf) is there once for each element of the leaf with that hash, in the bucket `bucket(hash)`.

/// Slots a bucket has on average when the table grows by one.
const FILL: usize = 20;
/// Slots a bucket grows by.
const STEP: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slot {
    hash: u32,
    leaf: u32,
}

/// The table.
#[derive(Clone)]
pub(super) struct Index {
    buckets: Vec<Vec<Slot>>,
    len: usize,
}

impl Index {
    pub fn new() -> Index {
        Index { buckets: vec![Vec::new()], len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes on the heap, about: buckets have some unused slots at their ends.
    pub fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Vec<Slot>>() + self.len * size_of::<Slot>() * 9 / 8
    }

    #[inline]
    fn bucket(&self, hash: u32) -> usize {
        let mask = self.buckets.len().next_power_of_two() - 1;
        let at = hash as usize & mask;
        if at < self.buckets.len() { at } else { at & (mask >> 1) }
    }

    /// The leaves that may have a member of this hash.
    #[inline]
    pub fn leaves(&self, hash: u32) -> impl Iterator<Item = u32> {
        self.buckets[self.bucket(hash)].iter().filter(move |slot| slot.hash == hash).map(|slot| slot.leaf)
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
        let new = self.buckets.len();
        let half = 1 << new.ilog2();
        let belongs = |slot: &Slot| slot.hash as usize & (2 * half - 1) == new;
        let old = &mut self.buckets[new - half];
        let moved: Vec<Slot> = old.iter().copied().filter(belongs).collect();
        old.retain(|slot| !belongs(slot));
        old.shrink_to(old.len() + STEP / 2);
        self.buckets.push(moved);
    }

    /// Takes the last bucket away.
    fn merge(&mut self) {
        let last = self.buckets.pop().expect("there are several");
        let to = self.buckets.len() - (1 << self.buckets.len().ilog2());
        for slot in last {
            push(&mut self.buckets[to], slot);
        }
        if self.buckets.capacity() > 4 * self.buckets.len() {
            self.buckets.shrink_to(2 * self.buckets.len());
        }
    }

    /// Gives the slots of the bucket at `cursor` to `each` as (hash, leaf), and returns the next cursor, 0 at the end.
    pub fn scan(&self, cursor: u32, each: &mut dyn FnMut(u32, u32)) -> u32 {
        let at = self.bucket(cursor.reverse_bits());
        let slots = &self.buckets[at];
        for (i, slot) in slots.iter().enumerate() {
            let told = slots[..i].contains(slot);
            if slot.hash.reverse_bits() >= cursor && !told {
                each(slot.hash, slot.leaf);
            }
        }
        let bits = self.bits(at);
        if bits == 0 {
            return 0;
        }
        let start = (at as u32).reverse_bits();
        start.checked_add(1 << (32 - bits)).unwrap_or(0)
    }

    /// How many low bits of a hash say that it belongs to bucket `at`.
    fn bits(&self, at: usize) -> u32 {
        let full = self.buckets.len().next_power_of_two();
        let half = full / 2;
        let is_split = at >= half || at + half < self.buckets.len();
        full.ilog2() - u32::from(!is_split)
    }

    /// Frees up to `n` buckets; true when all are gone. The table is of no use afterwards.
    pub fn drop_some(&mut self, n: usize) -> bool {
        self.buckets.truncate(self.buckets.len().saturating_sub(n));
        self.buckets.is_empty()
    }

    /// Checks that every slot is in its bucket.
    pub fn check_invariants(&self) {
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
