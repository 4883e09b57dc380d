//! A table: many packs, among which the hash of a field's name chooses (linear hashing, [`Buckets`]).
//!
//! When the packs hold more than `PACK_BYTES` each on average, the next one in line is split in two; when they hold far
//! less, the last one goes back into the one it came from.
//!
//! Expiries: beside each pack stands a moment before which nothing in it expires, and one for the whole table. They are
//! kept low, not exact, until a walk finds nothing there.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

use super::cell::Probe;
use super::grow::{block_bytes, fitted};
use super::pack::{self, Place};
use crate::types::buckets::Buckets;
use super::{Expiry, Field, Text, Was};

/// What a pack holds on average: some twenty small fields. More would cost time in walking, less would cost memory.
const PACK_BYTES: usize = 640;
/// Packs are merged when they hold less than one part in so many of it.
const MERGE_BELOW: usize = 4;
/// At least so many fields a pack, however large they are.
const PACK_FIELDS_MIN: usize = 2;

/// See the essay of this file.
#[derive(Clone)]
pub struct Table {
    packs: Buckets<Vec<u8>>,
    /// Nothing in the pack expires before this; empty while no field has an expiry.
    due: Vec<i64>,
    len: usize,
    /// Bytes in the packs.
    used: usize,
    timed: usize,
    earliest: i64,
    /// The pack at which `expire_some` goes on.
    expire_at: usize,
    hasher: RandomState,
}

impl Table {
    /// An empty table for `len` fields of so many bytes in all.
    pub fn sized(len: usize, bytes: usize, seed: u64) -> Table {
        let packs = (bytes / PACK_BYTES).min(len / PACK_FIELDS_MIN).max(1);
        Table {
            packs: Buckets::new(packs),
            due: Vec::new(),
            len: 0,
            used: 0,
            timed: 0,
            earliest: i64::MAX,
            expire_at: 0,
            hasher: RandomState::with_seeds(seed, !seed, seed.rotate_left(32), seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        }
    }

    /// Number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Number of fields with an expiry.
    pub fn timed_len(&self) -> usize {
        self.timed
    }

    /// Nothing expires before this.
    pub fn earliest(&self) -> i64 {
        self.earliest
    }

    /// The packs.
    pub fn packs(&self) -> &Buckets<Vec<u8>> {
        &self.packs
    }

    /// Bytes on the heap: what the packs hold and what their blocks waste (a sixteenth on average, with four sizes to a
    /// doubling), counted without looking at each.
    pub fn memory_bytes(&self) -> usize {
        self.used + self.used / 16 + self.packs.row_bytes() + self.due.capacity() * size_of::<i64>()
    }

    #[inline]
    fn hash(&self, name: Text<'_>) -> u64 {
        hash_of(&self.hasher, name)
    }

    #[inline]
    fn find(&self, name: &Probe<'_>) -> (usize, Option<Place>) {
        let at = self.packs.of(self.hash(name.text()));
        (at, pack::find(&self.packs[at], name))
    }

    /// The pack in which a field is or would be; its place is asked for.
    #[inline]
    pub fn look_ahead(&self, name: &Probe<'_>) -> &Vec<u8> {
        self.packs.prefetch(self.packs.of(self.hash(name.text())))
    }

    /// The field of this name.
    #[inline]
    pub fn get(&self, name: &Probe<'_>) -> Option<Field<'_>> {
        let (at, place) = self.find(name);
        place.map(|place| pack::read(&self.packs[at], place))
    }

    /// Sets a field's value; what expired at or before `over` counts as not there.
    pub fn set(&mut self, name: &Probe<'_>, value: &[u8], expiry: Expiry, over: i64) -> Was {
        let (at, place) = self.find(name);
        let old = place.and_then(|place| pack::read(&self.packs[at], place).expire_at);
        let is_over = old.is_some_and(|time| time <= over);
        let new = match expiry {
            Expiry::At(time) => Some(time),
            Expiry::Keep if !is_over => old,
            Expiry::Keep | Expiry::Clear => None,
        };
        self.change(at, |pack| match place {
            None => pack::push(pack, name, value, new),
            Some(place) => {
                pack::set_value(pack, place, value);
                if old != new {
                    pack::set_expiry(pack, place, new);
                }
            }
        });
        self.len += usize::from(place.is_none());
        self.retime(at, old, new);
        self.settle();
        match place {
            None => Was::Absent,
            Some(_) if is_over => Was::Over,
            Some(_) => Was::There,
        }
    }

    /// Removes a field that is not hidden.
    pub fn remove(&mut self, name: &Probe<'_>, hidden: i64) -> bool {
        let (at, Some(place)) = self.find(name) else { return false };
        let old = pack::read(&self.packs[at], place).expire_at;
        if old.is_some_and(|time| time <= hidden) {
            return false;
        }
        self.change(at, |pack| pack::cut(pack, place));
        self.len -= 1;
        self.retime(at, old, None);
        self.settle();
        true
    }

    /// Gives a field an expiry or takes it away.
    pub fn set_expiry(&mut self, name: &Probe<'_>, new: Option<i64>) {
        let (at, Some(place)) = self.find(name) else { return };
        let old = pack::read(&self.packs[at], place).expire_at;
        self.change(at, |pack| pack::set_expiry(pack, place, new));
        self.retime(at, old, new);
        self.settle();
    }

    /// Takes in a field of another hash; it is not here yet.
    pub fn take_in(&mut self, field: Field<'_>) {
        let at = self.packs.of(self.hash(field.name));
        self.change(at, |pack| pack::push_field(pack, field));
        self.len += 1;
        self.retime(at, None, field.expire_at);
    }

    #[inline]
    fn change(&mut self, at: usize, how: impl FnOnce(&mut Vec<u8>)) {
        let pack = &mut self.packs[at];
        let before = pack.len();
        how(pack);
        self.used = self.used + pack.len() - before;
    }

    /// An expiry in pack `at` was replaced.
    fn retime(&mut self, at: usize, old: Option<i64>, new: Option<i64>) {
        self.timed = self.timed + usize::from(new.is_some()) - usize::from(old.is_some());
        if let Some(time) = new {
            self.due.resize(self.packs.len(), i64::MAX);
            self.due[at] = self.due[at].min(time);
            self.earliest = self.earliest.min(time);
        }
        if self.timed == 0 && !self.due.is_empty() {
            self.due = Vec::new();
            self.earliest = i64::MAX;
        }
    }

    /// One step towards the right number of packs.
    #[inline]
    fn settle(&mut self) {
        let packs = self.packs.len();
        if self.used > PACK_BYTES * packs && self.len > PACK_FIELDS_MIN * packs {
            self.split_one();
        } else if packs > 1 && self.used < PACK_BYTES / MERGE_BELOW * packs {
            self.merge_one();
        }
    }

    fn split_one(&mut self) {
        let hasher = self.hasher.clone();
        let (from, _) = self.packs.split(|whole, goes| {
            let (mut stay, mut go) = (Vec::with_capacity(whole.len()), Vec::with_capacity(whole.len()));
            for place in pack::places(&whole) {
                let goes = goes(hash_of(&hasher, pack::name(&whole, place)));
                (if goes { &mut go } else { &mut stay }).extend_from_slice(&whole[place.start..place.end]);
            }
            (fitted(&stay), fitted(&go))
        });
        if !self.due.is_empty() {
            self.due[from] = pack::earliest(&self.packs[from]);
            self.due.push(pack::earliest(&self.packs[self.packs.len() - 1]));
        }
    }

    fn merge_one(&mut self) {
        let to = self.packs.merge(|kept, gone| {
            kept.reserve_exact(block_bytes(kept.len() + gone.len()) - kept.len());
            kept.extend_from_slice(&gone);
        });
        if let Some(time) = self.due.pop() {
            self.due[to] = self.due[to].min(time);
            if self.due.len() < self.due.capacity() / 2 {
                self.due.shrink_to_fit();
            }
        }
    }

    /// The pack a scan's cursor stands for, and the next cursor.
    pub fn step(&self, cursor: u64) -> (&[u8], u64) {
        let (at, next) = self.packs.step(cursor);
        (&self.packs[at], next)
    }

    /// A random field and what tells it from others.
    pub fn random(&self, below: &mut dyn FnMut(u64) -> u64) -> Option<(u64, Field<'_>)> {
        let (at, n) = self.packs.random(self.len, below, |pack| pack::places(pack).count())?;
        let field = pack::fields(&self.packs[at]).nth(n)?;
        Some(((at as u64) << 32 | n as u64, field))
    }

    /// Removes up to `max` fields that expired at or before `now`; true if there may be more.
    pub fn expire_some(&mut self, now: i64, max: usize, each: &mut dyn FnMut(Text<'_>)) -> bool {
        if self.timed == 0 || self.earliest > now {
            return false;
        }
        let mut left = max;
        while left > 0 && self.expire_at < self.due.len() {
            let at = self.expire_at;
            if self.due[at] <= now && !self.expire_in(at, now, &mut left, each) {
                break;
            }
            self.expire_at += 1;
        }
        if self.expire_at >= self.due.len() {
            self.expire_at = 0;
            self.earliest = self.due.iter().copied().min().unwrap_or(i64::MAX);
        }
        (left..max).for_each(|_| self.settle());
        self.timed > 0 && self.earliest <= now
    }

    /// The same in one pack; false if it stopped before the pack's end.
    fn expire_in(&mut self, at: usize, now: i64, left: &mut usize, each: &mut dyn FnMut(Text<'_>)) -> bool {
        let mut start = 0;
        while start < self.packs[at].len() {
            let pack = &self.packs[at];
            let place = pack::place_at(pack, start);
            let field = pack::read(pack, place);
            if field.expire_at.is_none_or(|time| time > now) {
                start = place.end;
                continue;
            }
            if *left == 0 {
                return false;
            }
            *left -= 1;
            each(field.name);
            let old = field.expire_at;
            self.change(at, |pack| pack::cut(pack, place));
            self.len -= 1;
            self.retime(at, old, None);
        }
        if let Some(due) = self.due.get_mut(at) {
            *due = pack::earliest(&self.packs[at]);
        }
        true
    }

    /// Frees up to `max` packs; true when none is left.
    pub fn drop_some(&mut self, max: usize) -> bool {
        self.packs.drop_some(max)
    }

    /// Checks everything.
    pub fn check_invariants(&self) {
        let packs = self.packs.len();
        self.packs.check_invariants();
        assert!(self.due.is_empty() || self.due.len() == packs);
        assert_eq!(self.due.is_empty(), self.timed == 0);
        let (mut len, mut timed) = (0, 0);
        for (at, pack) in self.packs.iter().enumerate() {
            for field in pack::fields(pack) {
                assert_eq!(self.packs.of(self.hash(field.name)), at, "a field lies where its hash says");
                len += 1;
                if let Some(time) = field.expire_at {
                    timed += 1;
                    assert!(self.due[at] <= time && self.earliest <= time, "moments are kept low");
                }
            }
        }
        assert_eq!((len, timed), (self.len, self.timed));
        assert_eq!(self.packs.iter().map(Vec::len).sum::<usize>(), self.used);
    }
}

#[inline]
fn hash_of(hasher: &RandomState, name: Text<'_>) -> u64 {
    let mut hasher = hasher.build_hasher();
    match name {
        Text::Bytes(bytes) => hasher.write(bytes),
        Text::Int(n) => hasher.write_i64(n),
    }
    hasher.finish()
}
