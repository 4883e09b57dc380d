//! A table: many packs, among which the hash of a field's name chooses.
//!
//! Linear hashing: when the packs hold more than `PACK_BYTES` each on average, the next one in line is split in two;
//! when they hold far less, the last one goes back into the one it came from. So the table grows and shrinks by one
//! pack at a time: no second table, no pause, and memory follows the content.
//!
//! ```text
//!            split            mask
//!   0 .. .. .. | .. .. .. .. .. | .. .. ..      packs
//!   these have their other half .. here
//! ```
//!
//! A scan's cursor counts packs with their bits reversed, as in the keyspace's table: the two halves of a pack are
//! neighbours in that order, so a cursor says which part of all hashes was visited, whatever the table's size is then.
//!
//! Expiries: beside each pack stands a moment before which nothing in it expires, and one for the whole table. They are
//! kept low, not exact, until a walk finds nothing there.
//!
//! The vector of packs grows by an eighth; moving it costs some milliseconds when there are a hundred million fields.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

use super::cell::Probe;
use super::grow::{block_bytes, fitted};
use super::pack::{self, Place};
use super::{Expiry, Field, Text, Was};

/// What a pack holds on average: some twenty small fields. More would cost time in walking, less would cost memory.
const PACK_BYTES: usize = 640;
/// Packs are merged when they hold less than one part in so many of it.
const MERGE_BELOW: usize = 4;
/// At least so many fields a pack, however large they are.
const PACK_FIELDS_MIN: usize = 2;
/// Attempts at a fair sample before any field will do.
const TRIES: usize = 256;

/// See the essay of this file.
#[derive(Clone)]
pub struct Table {
    packs: Vec<Vec<u8>>,
    /// Nothing in the pack expires before this; empty while no field has an expiry.
    due: Vec<i64>,
    mask: u64,
    split: u64,
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
        let mask = (1u64 << packs.ilog2()) - 1;
        Table {
            packs: vec![Vec::new(); packs],
            due: Vec::new(),
            mask,
            split: packs as u64 - (mask + 1),
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
    pub fn packs(&self) -> &[Vec<u8>] {
        &self.packs
    }

    /// Bytes on the heap: what the packs hold and what their blocks waste (a sixteenth on average, with four sizes to a
    /// doubling), counted without looking at each.
    pub fn memory_bytes(&self) -> usize {
        self.used + self.used / 16 + self.packs.capacity() * size_of::<Vec<u8>>() + self.due.capacity() * size_of::<i64>()
    }

    #[inline]
    fn hash(&self, name: Text<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        match name {
            Text::Bytes(bytes) => hasher.write(bytes),
            Text::Int(n) => hasher.write_i64(n),
        }
        hasher.finish()
    }

    #[inline]
    fn bucket(&self, hash: u64) -> usize {
        let low = hash & self.mask;
        (if low < self.split { hash & (2 * self.mask + 1) } else { low }) as usize
    }

    #[inline]
    fn find(&self, name: &Probe<'_>) -> (usize, Option<Place>) {
        let at = self.bucket(self.hash(name.text()));
        (at, pack::find(&self.packs[at], name))
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
        let at = self.bucket(self.hash(field.name));
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
        let from = self.split as usize;
        let whole = std::mem::take(&mut self.packs[from]);
        let (mut stay, mut go) = (Vec::with_capacity(whole.len()), Vec::with_capacity(whole.len()));
        for place in pack::places(&whole) {
            let goes = self.hash(pack::name(&whole, place)) & (self.mask + 1) != 0;
            (if goes { &mut go } else { &mut stay }).extend_from_slice(&whole[place.start..place.end]);
        }
        if !self.due.is_empty() {
            self.due[from] = pack::earliest(&stay);
            self.due.push(pack::earliest(&go));
        }
        if self.packs.len() == self.packs.capacity() {
            self.packs.reserve_exact(self.packs.len() / 8 + 4);
        }
        self.packs[from] = fitted(&stay);
        self.packs.push(fitted(&go));
        self.split += 1;
        if self.split > self.mask {
            self.mask = 2 * self.mask + 1;
            self.split = 0;
        }
    }

    fn merge_one(&mut self) {
        if self.split == 0 {
            self.mask >>= 1;
            self.split = self.mask + 1;
        }
        self.split -= 1;
        let to = self.split as usize;
        let gone = self.packs.pop().expect("a pack was split off");
        let kept = &mut self.packs[to];
        kept.reserve_exact(block_bytes(kept.len() + gone.len()) - kept.len());
        kept.extend_from_slice(&gone);
        if let Some(time) = self.due.pop() {
            self.due[to] = self.due[to].min(time);
        }
        if self.packs.len() < self.packs.capacity() / 2 {
            self.packs.shrink_to(self.packs.len() + self.packs.len() / 8);
            self.due.shrink_to_fit();
        }
    }

    /// The pack a scan's cursor stands for, and the next cursor.
    pub fn step(&self, cursor: u64) -> (&[u8], u64) {
        let low = cursor & self.mask;
        let mask = if low < self.split { 2 * self.mask + 1 } else { self.mask };
        // Sets the bits that do not count, so that the carry of the reversed addition runs through them.
        let next = (cursor | !mask).reverse_bits().wrapping_add(1).reverse_bits();
        (&self.packs[(cursor & mask) as usize], next)
    }

    /// A random field and what tells it from others.
    ///
    /// A random hash finds a pack, an unsplit one twice as often as a half; a random place in it is taken if a field is
    /// there, else all is tried again. So every field has the same chance, unless its pack is far fuller than others.
    pub fn random(&self, below: &mut dyn FnMut(u64) -> u64) -> Option<(u64, Field<'_>)> {
        if self.len == 0 {
            return None;
        }
        let mean = self.len as f64 / (2 * (self.mask + 1)) as f64;
        let places = (mean + 5.0 * mean.sqrt() + 4.0) as u64;
        for _ in 0..TRIES {
            let hash = below(2 * (self.mask + 1));
            let at = self.bucket(hash);
            let count = pack::places(&self.packs[at]).count() as u64;
            let is_half = hash & self.mask < self.split;
            let n = below((if is_half { places } else { 2 * places }).max(count));
            if n < count {
                return self.nth(at, n);
            }
        }
        let start = below(self.packs.len() as u64) as usize;
        let at = (0..self.packs.len()).map(|i| (start + i) % self.packs.len()).find(|at| !self.packs[*at].is_empty())?;
        let count = pack::places(&self.packs[at]).count() as u64;
        self.nth(at, below(count))
    }

    fn nth(&self, at: usize, n: u64) -> Option<(u64, Field<'_>)> {
        let field = pack::fields(&self.packs[at]).nth(n as usize)?;
        Some(((at as u64) << 32 | n, field))
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
        self.packs.truncate(self.packs.len().saturating_sub(max));
        self.packs.is_empty()
    }

    /// Checks everything.
    pub fn check_invariants(&self) {
        let packs = self.packs.len();
        assert!((self.mask + 1).is_power_of_two() && self.split <= self.mask);
        assert_eq!(packs as u64, self.mask + 1 + self.split);
        assert!(self.due.is_empty() || self.due.len() == packs);
        assert_eq!(self.due.is_empty(), self.timed == 0);
        let (mut len, mut timed) = (0, 0);
        for (at, pack) in self.packs.iter().enumerate() {
            for field in pack::fields(pack) {
                assert_eq!(self.bucket(self.hash(field.name)), at, "a field lies where its hash says");
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
