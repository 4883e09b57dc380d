//! Eviction: which keys give way when memory is at its limit.
//!
//! A victim is the worst of a sample, as in Valkey, but the sample is all entries of a random leaf: one read from memory
//! brings about twenty-five of them, five times Valkey's default, for less than five random entries would cost. A leaf
//! found by a random hash holds any given key with the same chance, so no key is favoured.
//!
//! The volatile policies look at keys with a time to live only. Where those are rare, random leaves may hold none; then
//! a walk that reads one line a leaf goes on from where the last one ended, within a bound, so a call never takes long.
//!
//! Evicting passes the gate: watchers see a change, listeners the event `evicted`, replicas an UNLINK. It is no change
//! in the sense of the counter that triggers saves.
//!
//! Keys that a transaction has locked stay.

use super::access::{self, AccessPolicy};
use super::memory::entry_bytes;
use super::space::Keyspace;
use super::table::{Pos, Table};
use crate::stdx::prng::Prng;
use crate::types::Object;

/// Leaves looked at for one victim.
const LEAVES_MAX: usize = 16;
/// Leaves whose first line one call may read in search of keys with a time to live.
const WALK_MAX: usize = 8192;
/// Leaves between two looks at whether the walk has found something.
const WALK_STEP: usize = 64;

/// `maxmemory-policy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub enum EvictionPolicy {
    #[default]
    NoEviction,
    AllKeysLru,
    AllKeysLfu,
    AllKeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

use EvictionPolicy::*;

impl EvictionPolicy {
    /// True if only keys with a time to live are evicted.
    pub fn is_volatile(self) -> bool {
        matches!(self, VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl)
    }

    /// True if keys have to remember how often they are used instead of when.
    pub fn is_lfu(self) -> bool {
        matches!(self, AllKeysLfu | VolatileLfu)
    }
}

/// What a call of [`Keyspace::evict_some`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Evicted {
    /// Keys removed.
    pub keys: u64,
    /// Bytes they held, the table's share included.
    pub bytes: usize,
    /// There may be more to evict. If not, memory can only come from elsewhere: the client hears of OOM. No keys and yet
    /// more: all that was seen is locked, or the bounded search came to its bound; a later call goes on.
    pub more: bool,
}

/// What a key is worth under a policy; the least goes first.
#[derive(Clone, Copy)]
struct Judge {
    policy: EvictionPolicy,
    access: AccessPolicy,
    now_ms: i64,
}

impl Judge {
    /// `None`: the policy does not touch this key.
    fn worth(&self, table: &Table<Object>, pos: Pos, rng: &mut Prng) -> Option<u64> {
        let expire_at = table.expire_at(pos);
        if self.policy.is_volatile() && expire_at.is_none() {
            return None;
        }
        Some(match self.policy {
            NoEviction => return None,
            AllKeysLru | VolatileLru => u64::from(u32::MAX - access::idle_seconds(table.lru(pos), self.now_ms)),
            AllKeysLfu | VolatileLfu => u64::from(self.access.decayed(table.lru(pos), self.now_ms)),
            AllKeysRandom | VolatileRandom => rng.next_u64(),
            VolatileTtl => expire_at.map_or(u64::MAX, |at| at.max(0) as u64),
        })
    }
}

/// The least worth entry so far.
#[derive(Default)]
struct Worst {
    judged: usize,
    found: Option<(u64, Pos)>,
}

impl Worst {
    fn consider(&mut self, worth: Option<u64>, pos: Pos) {
        let Some(worth) = worth else { return };
        self.judged += 1;
        if self.found.is_none_or(|(least, _)| worth < least) {
            self.found = Some((worth, pos));
        }
    }
}

impl Keyspace {
    /// Evicts up to `keys_max` keys, each the worst of at least `samples` (as far as a bounded search finds so many),
    /// none for which `locked` is true.
    pub fn evict_some(
        &mut self,
        policy: EvictionPolicy,
        samples: usize,
        keys_max: usize,
        locked: &dyn Fn(u32, &[u8]) -> bool,
    ) -> Evicted {
        let mut evicted = Evicted::default();
        if policy == NoEviction || self.has_guests() {
            return evicted;
        }
        for _ in 0..keys_max {
            let Some((db, key, bytes)) = self.victim(policy, samples, locked) else { break };
            self.entry_mut(db, &key).evict();
            self.settle(db);
            evicted.keys += 1;
            evicted.bytes += bytes;
        }
        evicted.more = self.evictable(policy) > 0;
        evicted
    }

    /// Keys the policy may evict.
    fn evictable(&self, policy: EvictionPolicy) -> usize {
        self.dbs.iter().map(|table| candidates(table, policy)).sum()
    }

    fn victim(
        &mut self,
        policy: EvictionPolicy,
        samples: usize,
        locked: &dyn Fn(u32, &[u8]) -> bool,
    ) -> Option<(u32, Box<[u8]>, usize)> {
        let db = self.random_database(policy)?;
        let judge = Judge { policy, access: self.access, now_ms: self.now_ms };
        let (table, rng) = (&self.dbs[db], &mut self.rng);
        let mut worst = Worst::default();
        for _ in 0..LEAVES_MAX {
            let hash = rng.next_u64();
            table.each_near(hash, &mut |pos| {
                if !locked(db as u32, table.key(pos)) {
                    worst.consider(judge.worth(table, pos, rng), pos);
                }
            });
            if worst.judged >= samples.max(1) {
                break;
            }
        }
        let mut steps = WALK_MAX / WALK_STEP;
        while policy.is_volatile() && worst.found.is_none() && steps > 0 {
            let (next, _) = table.walk_expired(self.evict_cursor, WALK_STEP, i64::MAX, &mut |pos| {
                if !locked(db as u32, table.key(pos)) {
                    worst.consider(judge.worth(table, pos, rng), pos);
                }
            });
            self.evict_cursor = next;
            steps -= 1;
        }
        let (_, pos) = worst.found?;
        Some((db as u32, table.key(pos).into(), entry_bytes(table, pos)))
    }

    /// A database, the likelier the more it has to evict.
    fn random_database(&mut self, policy: EvictionPolicy) -> Option<usize> {
        let mut place = self.rng.below(self.evictable(policy) as u64) as usize;
        self.dbs.iter().position(|table| {
            let count = candidates(table, policy);
            let here = place < count;
            place = place.saturating_sub(count);
            here
        })
    }
}

fn candidates(table: &Table<Object>, policy: EvictionPolicy) -> usize {
    if policy.is_volatile() { table.expires_len() } else { table.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::{Event, Wants};
    use crate::keyspace::Ttl;

    const KEYS: usize = 20_000;
    const VICTIMS: usize = 1_000;
    const SECOND: i64 = 1000;

    fn name(i: usize) -> Vec<u8> {
        format!("key:{i}").into_bytes()
    }

    fn unlocked(_: u32, _: &[u8]) -> bool {
        false
    }

    /// Mean rank of the victims, from 0 (the first that should go) to 1, when key i should go before key i + 1.
    fn mean_rank(ks: &mut Keyspace, policy: EvictionPolicy) -> f64 {
        let evicted = ks.evict_some(policy, 5, VICTIMS, &unlocked);
        assert_eq!(evicted.keys, VICTIMS as u64);
        assert!(evicted.more);
        let gone = |i: &usize| ks.table(0).find(ks.table(0).hash(&name(*i)), &name(*i)).is_none();
        let ranks: Vec<usize> = (0..KEYS).filter(gone).collect();
        assert_eq!(ranks.len(), VICTIMS);
        ks.check_invariants();
        ranks.iter().map(|i| *i as f64).sum::<f64>() / (VICTIMS * KEYS) as f64
    }

    /// Keys in random order of insertion, key i last used in second i.
    fn used_in_order(seed: u64, ttl: Ttl) -> Keyspace {
        let mut ks = Keyspace::new(1, 0, 1, seed);
        ks.set_now(0);
        let mut order: Vec<usize> = (0..KEYS).collect();
        let mut rng = Prng::new(seed);
        (1..KEYS).rev().for_each(|i| order.swap(i, rng.below(i as u64 + 1) as usize));
        for i in order {
            ks.entry_mut(0, &name(i)).set(b"v", ttl, Event::SET);
        }
        for i in 0..KEYS {
            ks.set_now(i as i64 * SECOND);
            assert!(ks.read(0, &name(i)).is_some());
        }
        ks
    }

    #[test]
    fn lru_evicts_far_older_keys_than_chance() {
        for seed in 0..3 {
            let rank = mean_rank(&mut used_in_order(seed, Ttl::Clear), AllKeysLru);
            assert!(rank < 0.12, "seed {seed}: mean rank {rank}, chance gives 0.5");
            let rank = mean_rank(&mut used_in_order(seed, Ttl::Clear), AllKeysRandom);
            assert!((0.45..0.55).contains(&rank), "seed {seed}: mean rank {rank}");
            let far = KEYS as i64 * SECOND * 100;
            let rank = mean_rank(&mut used_in_order(seed, Ttl::At(far)), VolatileLru);
            assert!(rank < 0.12, "seed {seed}: mean rank {rank}");
        }
    }

    #[test]
    fn lfu_evicts_far_rarer_keys_than_chance() {
        for seed in 0..3 {
            let mut ks = Keyspace::new(1, 0, 1, seed);
            ks.access.lfu = true;
            for i in 0..KEYS {
                ks.entry_mut(0, &name(i)).set(b"v", Ttl::At(i64::MAX), Event::SET);
                // Key i is used i * 60 / KEYS times on top: the counter grows with the logarithm.
                (0..i * 60 / KEYS).for_each(|_| assert!(ks.read(0, &name(i)).is_some()));
            }
            let rank = mean_rank(&mut ks, [AllKeysLfu, VolatileLfu][seed as usize % 2]);
            assert!(rank < 0.2, "seed {seed}: mean rank {rank}");
        }
    }

    #[test]
    fn volatile_ttl_evicts_what_dies_soon() {
        for seed in 0..3 {
            let mut ks = Keyspace::new(1, 0, 1, seed);
            for i in 0..KEYS {
                ks.entry_mut(0, &name(i)).set(b"v", Ttl::At((i as i64 + 1) * SECOND), Event::SET);
            }
            let rank = mean_rank(&mut ks, VolatileTtl);
            assert!(rank < 0.12, "seed {seed}: mean rank {rank}");
        }
    }

    #[test]
    fn volatile_policies_find_the_last_key_with_a_ttl_and_touch_no_other() {
        for policy in [VolatileLru, VolatileLfu, VolatileRandom, VolatileTtl] {
            let mut ks = Keyspace::new(2, 0, 1, 5);
            for i in 0..KEYS {
                ks.entry_mut(1, &name(i)).set(b"v", Ttl::Clear, Event::SET);
            }
            assert_eq!(ks.evict_some(policy, 5, 10, &unlocked), Evicted::default());
            ks.entry_mut(1, &name(77)).expire(1_000_000, Event::EXPIRE);
            let evicted = ks.evict_some(policy, 5, 10, &unlocked);
            assert_eq!((evicted.keys, evicted.more), (1, false), "{policy:?}");
            assert!(ks.peek(1, &name(77)).is_none());
            assert_eq!(ks.table(1).len(), KEYS - 1);
        }
    }

    #[test]
    fn an_eviction_is_told_and_counted_but_is_no_change() {
        let mut ks = Keyspace::new(1, 0, 1, 5);
        ks.effects.wants = Wants { changes: true, ops: true, ..Wants::default() };
        ks.entry_mut(0, b"k").set(b"v", Ttl::Clear, Event::SET);
        ks.effects.clear();
        let (dirty, version) = (ks.effects.dirty(), ks.watch_key(0, b"k"));
        let evicted = ks.evict_some(AllKeysLru, 5, 3, &unlocked);
        assert_eq!((evicted.keys, evicted.more), (1, false));
        assert!(evicted.bytes > 2);
        assert_eq!((ks.effects.evicted, ks.effects.dirty()), (1, dirty));
        assert!(!ks.watch.unchanged(0, b"k", version));
        let changes: Vec<_> = ks.effects.changes().map(|(c, k)| (c.event.name, k.to_vec())).collect();
        assert_eq!(changes, [("evicted", b"k".to_vec())]);
        let ops: Vec<Vec<Vec<u8>>> = ks.effects.ops().map(|(_, a)| a.iter().map(<[u8]>::to_vec).collect()).collect();
        assert_eq!(ops, [[b"UNLINK".to_vec(), b"k".to_vec()]]);
    }

    #[test]
    fn locked_keys_stay_and_noeviction_evicts_nothing() {
        let mut ks = Keyspace::new(1, 0, 1, 5);
        for i in 0..100 {
            ks.entry_mut(0, &name(i)).set(b"v", Ttl::Clear, Event::SET);
        }
        assert_eq!(ks.evict_some(NoEviction, 5, 10, &unlocked), Evicted::default());
        let locked = |_: u32, key: &[u8]| key.ends_with(b"7");
        let evicted = ks.evict_some(AllKeysRandom, 5, 1000, &locked);
        assert!(evicted.keys <= 90 && evicted.keys > 80, "{evicted:?}");
        assert!((0..10).all(|i| ks.peek(0, &name(i * 10 + 7)).is_some()));
    }

    #[test]
    fn everything_can_be_evicted_from_all_databases() {
        let mut ks = Keyspace::new(16, 0, 1, 5);
        for i in 0..5000 {
            ks.entry_mut(i as u32 % 16, &name(i)).set(&[b'v'; 2000], Ttl::Clear, Event::SET);
        }
        let evicted = ks.evict_some(AllKeysLfu, 5, 6000, &unlocked);
        assert_eq!((evicted.keys, evicted.more), (5000, false));
        assert!(evicted.bytes > 5000 * 2000);
    }
}
