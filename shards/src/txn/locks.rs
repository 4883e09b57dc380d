//! Locks of transactions that span shards, in a queue ordered by transaction id.
//!
//! A transaction asks each of its shards for its keys (or for the whole shard) and runs when all have granted: strict
//! two-phase locking, so the order in which transactions run is serial and agrees with real time. A shard grants when no
//! earlier id in its queue conflicts. A late id that conflicts with one already granted is *refused*, and its
//! coordinator takes a new id; so transactions only ever wait for smaller ids and cannot wait in a circle.
//!
//! A plain call of one shard passes by unless its keys conflict with something queued; then it joins the queue with a
//! fresh id, so that it neither overtakes nor is overtaken by those that want the same keys.
//!
//! Keys stand as 64-bit fingerprints: two keys with one fingerprint wait for each other needlessly, nothing worse.
//!
//! Invariant: no two granted transactions conflict (but for a seizer, see [`Locks::seize`]).

use std::collections::{BTreeMap, HashMap};

/// A transaction's id: its place in the order of all transactions.
pub type TxId = u64;

/// The id of a script that rests: before all others. Real ids begin at 1.
pub const SEIZER: TxId = 0;

/// What a lock allows beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Mode {
    /// Others may read.
    Shared,
    /// Nobody else.
    Exclusive,
}

impl Mode {
    fn conflicts(self, other: Mode) -> bool {
        self == Mode::Exclusive || other == Mode::Exclusive
    }
}

/// What a transaction locks on one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockSet {
    /// The whole shard.
    pub whole: Option<Mode>,
    /// Fingerprints of keys, each once, with the stronger mode.
    pub keys: Vec<(u64, Mode)>,
}

impl LockSet {
    /// A set over the whole shard.
    pub fn whole(mode: Mode) -> LockSet {
        LockSet { whole: Some(mode), keys: Vec::new() }
    }

    /// Adds a key.
    pub fn add(&mut self, fingerprint: u64, mode: Mode) {
        match self.keys.iter_mut().find(|(k, _)| *k == fingerprint) {
            Some((_, m)) => *m = (*m).max(mode),
            None => self.keys.push((fingerprint, mode)),
        }
    }

    fn strongest(&self) -> Option<Mode> {
        self.keys.iter().map(|(_, m)| *m).max()
    }

    fn conflicts(&self, other: &LockSet) -> bool {
        let against = |whole: Option<Mode>, s: &LockSet| match (whole, s.whole.max(s.strongest())) {
            (Some(a), Some(b)) => a.conflicts(b),
            _ => false,
        };
        against(self.whole, other)
            || against(other.whole, self)
            || self.keys.iter().any(|(k, m)| other.keys.iter().any(|(o, n)| k == o && m.conflicts(*n)))
    }
}

/// The fingerprint of a key of a database: 64-bit FNV-1a with a final mix. Anybody may make keys collide, which costs
/// those who do it some waiting.
pub fn fingerprint(db: u32, key: &[u8]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325u64 ^ u64::from(db).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for b in key {
        h = (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    }
    h ^ (h >> 29)
}

/// The answer to `schedule`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Run.
    Granted,
    /// Wait; a later `conclude` names the id.
    Queued,
    /// Too late: take a new id.
    Refused,
}

#[derive(Debug)]
struct Waiter {
    set: LockSet,
    granted: bool,
}

/// The locks of one shard.
#[derive(Default, Debug)]
pub struct Locks {
    queue: BTreeMap<TxId, Waiter>,
    /// Who names a key, in order of id.
    by_key: HashMap<u64, Vec<(TxId, Mode)>>,
    /// Who names the whole shard, in order of id.
    whole: Vec<(TxId, Mode)>,
}

impl Locks {
    /// True if nobody locks anything: the one test a plain call pays.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Number of transactions here, waiting or granted.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True if a plain call with these locks may run at once: nothing queued conflicts.
    pub fn admits(&self, set: &LockSet) -> bool {
        self.is_empty() || self.conflicting(set).is_empty()
    }

    /// True if a write of this one key would have to wait.
    pub fn blocks_write(&self, db: u32, key: &[u8]) -> bool {
        !self.is_empty() && (!self.whole.is_empty() || self.by_key.contains_key(&fingerprint(db, key)))
    }

    /// Puts a transaction into the queue.
    pub fn schedule(&mut self, txid: TxId, set: LockSet) -> Answer {
        assert!(!self.queue.contains_key(&txid), "an id is scheduled once a shard");
        let rivals = self.conflicting(&set);
        if rivals.iter().any(|id| *id > txid && self.queue[id].granted) {
            return Answer::Refused;
        }
        let granted = rivals.iter().all(|id| *id > txid);
        for (key, mode) in &set.keys {
            let line = self.by_key.entry(*key).or_default();
            let at = line.partition_point(|(id, _)| *id < txid);
            line.insert(at, (txid, *mode));
        }
        if let Some(mode) = set.whole {
            let at = self.whole.partition_point(|(id, _)| *id < txid);
            self.whole.insert(at, (txid, mode));
        }
        self.queue.insert(txid, Waiter { set, granted });
        if granted { Answer::Granted } else { Answer::Queued }
    }

    /// A script that was let in without locks must rest in the middle: from now on it has the whole shard but for what was
    /// granted before (its calls ask [`Locks::admits_seizer`]). It stands before everybody, so nobody waits for it in vain
    /// and it is in no circle; it ends by `conclude(SEIZER)`.
    pub fn seize(&mut self) {
        assert!(!self.queue.contains_key(&SEIZER), "one script at a time runs on a shard");
        let set = LockSet::whole(Mode::Exclusive);
        self.whole.insert(0, (SEIZER, Mode::Exclusive));
        self.queue.insert(SEIZER, Waiter { set, granted: true });
    }

    /// True if a call of the running script may run: nobody else was promised its keys.
    pub fn admits_seizer(&self, set: &LockSet) -> bool {
        self.conflicting(set).iter().all(|id| *id == SEIZER)
    }

    /// Takes a transaction out, run or cancelled, and appends the ids that are granted by this, in order.
    pub fn conclude(&mut self, txid: TxId, granted: &mut Vec<TxId>) {
        let Some(gone) = self.queue.remove(&txid) else { return };
        for (key, _) in &gone.set.keys {
            let line = self.by_key.get_mut(key).expect("a queued key has a line");
            line.retain(|(id, _)| *id != txid);
            if line.is_empty() {
                self.by_key.remove(key);
            }
        }
        if gone.set.whole.is_some() {
            self.whole.retain(|(id, _)| *id != txid);
        }
        for id in self.heirs(&gone.set, txid) {
            let waiter = &self.queue[&id];
            if !waiter.granted && self.conflicting(&waiter.set).iter().all(|other| *other >= id) {
                self.queue.get_mut(&id).expect("an heir is queued").granted = true;
                granted.push(id);
            }
        }
    }

    /// Those who may profit from `set` being free, in order of id.
    fn heirs(&self, set: &LockSet, after: TxId) -> Vec<TxId> {
        let mut ids: Vec<TxId> = if set.whole.is_some() {
            self.queue.range(after..).map(|(id, _)| *id).collect()
        } else {
            let keyed = set.keys.iter().filter_map(|(k, _)| self.by_key.get(k)).flatten();
            keyed.chain(&self.whole).map(|(id, _)| *id).filter(|id| *id > after).collect()
        };
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The ids in the queue that conflict with `set`, in no order, perhaps more than once.
    fn conflicting(&self, set: &LockSet) -> Vec<TxId> {
        let mut ids = Vec::new();
        if set.whole.is_some() {
            ids.extend(self.queue.iter().filter(|(_, w)| w.set.conflicts(set)).map(|(id, _)| *id));
        }
        if let Some(strongest) = set.strongest() {
            ids.extend(self.whole.iter().filter(|(_, m)| strongest.conflicts(*m)).map(|(id, _)| *id));
        }
        for (key, mode) in &set.keys {
            let line = self.by_key.get(key).map_or(&[][..], Vec::as_slice);
            ids.extend(line.iter().filter(|(_, m)| mode.conflicts(*m)).map(|(id, _)| *id));
        }
        ids
    }

    /// No two granted transactions conflict, the oldest one runs, and the lines agree with the queue.
    pub fn check_invariants(&self) {
        assert!(self.queue.values().next().is_none_or(|w| w.granted), "the oldest waits for nobody");
        for (id, waiter) in &self.queue {
            let clash = self.queue.range(1..(*id).max(1)).any(|(_, w)| w.granted && waiter.granted && w.set.conflicts(&waiter.set));
            assert!(!clash, "two granted transactions conflict");
            for (key, _) in &waiter.set.keys {
                assert!(self.by_key[key].iter().any(|(other, _)| other == id));
            }
        }
        let lines: usize = self.by_key.values().map(Vec::len).sum();
        assert_eq!(lines, self.queue.values().map(|w| w.set.keys.len()).sum::<usize>());
        assert!(self.by_key.values().all(|l| l.is_sorted_by(|a, b| a.0 < b.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;

    fn keys(list: &[(u64, Mode)]) -> LockSet {
        let mut set = LockSet::default();
        list.iter().for_each(|(k, m)| set.add(*k, *m));
        set
    }

    #[test]
    fn readers_share_and_a_writer_waits_for_them() {
        let mut l = Locks::default();
        assert_eq!(l.schedule(1, keys(&[(7, Mode::Shared)])), Answer::Granted);
        assert_eq!(l.schedule(2, keys(&[(7, Mode::Shared)])), Answer::Granted);
        assert_eq!(l.schedule(3, keys(&[(7, Mode::Exclusive)])), Answer::Queued);
        assert_eq!(l.schedule(4, keys(&[(7, Mode::Shared)])), Answer::Queued, "a reader does not overtake a writer");
        let mut granted = vec![];
        l.conclude(1, &mut granted);
        assert!(granted.is_empty());
        l.conclude(2, &mut granted);
        assert_eq!(granted, [3]);
        l.conclude(3, &mut granted);
        assert_eq!(granted, [3, 4]);
    }

    #[test]
    fn a_late_id_is_refused_only_if_somebody_it_conflicts_with_was_granted() {
        let mut l = Locks::default();
        assert_eq!(l.schedule(5, keys(&[(1, Mode::Exclusive)])), Answer::Granted);
        assert_eq!(l.schedule(3, keys(&[(1, Mode::Shared)])), Answer::Refused);
        assert_eq!(l.schedule(4, keys(&[(2, Mode::Exclusive)])), Answer::Granted);
        assert_eq!(l.schedule(9, keys(&[(1, Mode::Exclusive), (2, Mode::Exclusive)])), Answer::Queued);
        assert_eq!(l.schedule(6, keys(&[(1, Mode::Exclusive)])), Answer::Queued, "before 9, after 5");
        let mut granted = vec![];
        l.conclude(5, &mut granted);
        assert_eq!(granted, [6]);
    }

    #[test]
    fn the_whole_shard_waits_for_every_key_and_holds_every_key() {
        let mut l = Locks::default();
        l.schedule(1, keys(&[(1, Mode::Shared)]));
        assert_eq!(l.schedule(2, LockSet::whole(Mode::Shared)), Answer::Granted);
        assert_eq!(l.schedule(3, keys(&[(9, Mode::Exclusive)])), Answer::Queued);
        assert_eq!(l.schedule(4, LockSet::whole(Mode::Exclusive)), Answer::Queued);
        assert!(!l.admits(&keys(&[(77, Mode::Shared)])));
        let mut granted = vec![];
        l.conclude(2, &mut granted);
        assert_eq!(granted, [3]);
        l.conclude(1, &mut granted);
        l.conclude(3, &mut granted);
        assert_eq!(granted, [3, 4]);
    }

    #[test]
    fn a_seizer_holds_off_all_but_those_granted_before() {
        let mut l = Locks::default();
        assert_eq!(l.schedule(1, keys(&[(1, Mode::Exclusive)])), Answer::Granted);
        assert_eq!(l.schedule(2, keys(&[(1, Mode::Exclusive)])), Answer::Queued);
        l.seize();
        assert_eq!(l.schedule(3, keys(&[(9, Mode::Shared)])), Answer::Queued);
        assert!(!l.admits(&keys(&[(8, Mode::Shared)])));
        assert!(l.admits_seizer(&keys(&[(8, Mode::Exclusive)])));
        assert!(!l.admits_seizer(&keys(&[(1, Mode::Shared)])));
        l.check_invariants();
        let mut granted = vec![];
        l.conclude(1, &mut granted);
        assert!(granted.is_empty(), "the seizer comes first");
        l.conclude(SEIZER, &mut granted);
        assert_eq!(granted, [2, 3]);
    }

    #[test]
    fn random_schedules_keep_the_invariants_and_never_stall() {
        for seed in 0..200 {
            let mut rng = Prng::new(seed);
            let mode = |rng: &mut Prng| if rng.below(2) == 0 { Mode::Shared } else { Mode::Exclusive };
            let mut l = Locks::default();
            let (mut running, mut next): (Vec<TxId>, TxId) = (vec![], 1);
            for _ in 0..300 {
                if rng.below(3) > 0 {
                    // Ids arrive out of order, each once.
                    let txid = next * 4 - rng.below(12).min(next * 4 - 1) / 4 * 4 + next % 4;
                    next += 1;
                    let mut set = LockSet::default();
                    if rng.below(12) == 0 {
                        set = LockSet::whole(mode(&mut rng));
                    } else {
                        (0..=rng.below(3)).for_each(|_| set.add(rng.below(6), mode(&mut rng)));
                    }
                    if !l.queue.contains_key(&txid) && l.schedule(txid, set) == Answer::Granted {
                        running.push(txid);
                    }
                } else if !running.is_empty() {
                    let txid = running.swap_remove(rng.below(running.len() as u64) as usize);
                    l.conclude(txid, &mut running);
                }
                l.check_invariants();
                assert!(l.is_empty() || !running.is_empty(), "seed {seed}: somebody must be running");
            }
        }
    }
}
