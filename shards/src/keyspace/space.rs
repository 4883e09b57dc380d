//! The databases of a shard and the doors to them.
//!
//! A key that belongs to another shard can be here as a guest while a transaction runs (see `guests`); look-ups then
//! ask whose key it is first. Without guests that costs one test of a bool.
//!
//! Invariant: `now_ms` stands still during a call, so a key does not expire in the middle of a command.

use super::access::AccessPolicy;
use super::blocked::Blocked;
use super::entry::EntryMut;
use super::guests::Guests;
use super::table::{Pos, Table, Value};
use super::watch::{Life, Watch};
use crate::effects::{Effects, Event};
use crate::stdx::prng::Prng;
use crate::types::{Ahead, Object};

/// What a look-up may do beside finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// Counts as a use of the key (LRU/LFU) and as a hit or miss.
    Use,
    /// Counts as hit or miss only (CLIENT NO-TOUCH, TTL, TYPE).
    NoTouch,
    /// As `NoTouch`, but a miss is no keyspace event (OBJECT).
    Unheard,
    /// Leaves no trace (DEBUG).
    Quiet,
}

/// Hits and misses since start, and what was dropped lazily, as INFO shows them.
#[derive(Clone, Copy, Default, Debug)]
pub struct LookupStats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Objects dropped in slices, not on the spot.
    pub lazy_freed: u64,
}

/// The keyspace of one shard.
pub struct Keyspace {
    pub(super) dbs: Vec<Table<Object>>,
    pub(super) guests: Option<Box<Guests>>,
    /// What the current call did.
    pub effects: Effects,
    /// Watched keys.
    pub watch: Watch,
    /// Keys that somebody waits for.
    pub blocked: Blocked,
    /// How keys remember their use.
    pub access: AccessPolicy,
    /// Hits and misses.
    pub stats: LookupStats,
    /// Expired keys are hidden, not removed (a replica waits for its primary; CLIENT PAUSE WRITE; DEBUG).
    pub keep_expired: bool,
    /// The running call's reads find hidden keys too. Means nothing without `keep_expired`.
    pub(crate) see_expired: bool,
    /// Every call's reads find them: set while a replica executes what its primary sends, since for the primary they were
    /// there.
    pub follows_primary: bool,
    /// Reads of this call do not count as use (CLIENT NO-TOUCH).
    pub no_touch: bool,
    pub(super) now_ms: i64,
    pub(super) rng: Prng,
    /// Hashes whose fields expire, a database each.
    pub(super) timed_hashes: Vec<super::fields::TimedHashes>,
    /// Where eviction's walk for keys with a TTL stands.
    pub(super) evict_cursor: u64,
    /// Objects taken out of the keyspace, to be dropped in slices by `tick`.
    #[allow(clippy::vec_box)] // they come boxed, and moving the boxes is cheaper
    pub(super) garbage: Vec<Box<Object>>,
    /// Whole tables taken out by an asynchronous flush.
    pub(super) garbage_tables: Vec<Table<Object>>,
    seed: [u64; 4],
    pub(super) shard: usize,
    pub(super) shards: usize,
}

impl Keyspace {
    /// An empty keyspace of `databases` databases for shard `shard` of `shards`; `seed` keys the hash and the
    /// randomness.
    pub fn new(databases: usize, shard: usize, shards: usize, seed: u64) -> Keyspace {
        assert!(shard < shards && databases > 0);
        let mut rng = Prng::new(seed);
        let seed = [rng.next_u64(), rng.next_u64(), rng.next_u64(), rng.next_u64()];
        Keyspace {
            dbs: (0..databases).map(|_| Table::new(seed)).collect(),
            guests: None,
            effects: Effects::default(),
            watch: Watch::default(),
            blocked: Blocked::default(),
            access: AccessPolicy::default(),
            stats: LookupStats::default(),
            keep_expired: false,
            see_expired: false,
            follows_primary: false,
            no_touch: false,
            now_ms: 0,
            rng,
            timed_hashes: vec![Default::default(); databases],
            evict_cursor: 0,
            garbage: Vec::new(),
            garbage_tables: Vec::new(),
            seed,
            shard,
            shards,
        }
    }

    /// Sets the time of the calls to come, unix milliseconds.
    pub fn set_now(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    /// The time of the current call, unix milliseconds.
    #[inline]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// True if a key that is to expire at `at_ms` need not be stored at all: that time is over. A replica stores it and
    /// waits for its primary's word.
    #[inline]
    pub fn is_over(&self, at_ms: i64) -> bool {
        at_ms <= self.now_ms && !self.keep_expired
    }

    /// Reads do not find keys, nor fields of hashes, that expire at or before this moment.
    #[inline]
    pub fn hidden(&self) -> i64 {
        if self.keep_expired && self.see_expired { i64::MIN } else { self.now_ms }
    }

    /// Writes treat the fields of hashes that expire at or before this moment as gone.
    #[inline]
    pub fn fields_over(&self) -> i64 {
        if self.keep_expired { i64::MIN } else { self.now_ms }
    }

    /// Number of databases.
    pub fn databases(&self) -> usize {
        self.dbs.len()
    }

    /// A database's table, for walks (SCAN, KEYS, RANDOMKEY, DBSIZE, snapshots). Guests are not in it.
    pub fn table(&self, db: u32) -> &Table<Object> {
        &self.dbs[db as usize]
    }

    /// The table that holds `key`, or would.
    #[inline]
    pub(super) fn home(&self, db: u32, key: &[u8]) -> &Table<Object> {
        match &self.guests {
            Some(guests) if !self.owns(key) => guests.table(db),
            _ => &self.dbs[db as usize],
        }
    }

    #[inline]
    pub(super) fn home_mut(&mut self, db: u32, key: &[u8]) -> &mut Table<Object> {
        match &mut self.guests {
            Some(guests) if super::slots::key_owner(key, self.shards) != self.shard => guests.table_mut(db, self.seed),
            _ => &mut self.dbs[db as usize],
        }
    }

    /// True if `key` belongs to this shard.
    #[inline]
    pub fn owns(&self, key: &[u8]) -> bool {
        super::slots::key_owner(key, self.shards) == self.shard
    }

    /// Finds a key for reading. An expired key is removed on the way (or hidden, `keep_expired`).
    #[inline]
    pub fn read(&mut self, db: u32, key: &[u8]) -> Option<Found<'_>> {
        let how = if self.no_touch { Lookup::NoTouch } else { Lookup::Use };
        self.look_up(db, key, how)
    }

    /// Finds a key without a trace.
    pub fn peek(&mut self, db: u32, key: &[u8]) -> Option<Found<'_>> {
        self.look_up(db, key, Lookup::Quiet)
    }

    /// Finds a key.
    #[inline]
    pub fn look_up(&mut self, db: u32, key: &[u8], how: Lookup) -> Option<Found<'_>> {
        let now_ms = self.now_ms;
        let access = self.access;
        if self.guests.is_some() {
            return self.look_up_among_guests(db, key, how);
        }
        let table = &mut self.dbs[db as usize];
        let hash = table.hash(key);
        let pos = table.find(hash, key);
        if let Some(pos) = pos {
            if table.expire_at(pos).is_none_or(|at| at > now_ms || self.keep_expired && self.see_expired) {
                if how == Lookup::Use {
                    let old = table.lru(pos);
                    let new = access.used(old, now_ms, &mut self.rng);
                    if new != old {
                        table.set_lru(pos, new);
                    }
                }
                if how != Lookup::Quiet {
                    self.stats.hits += 1;
                }
                return Some(Found { table: &self.dbs[db as usize], pos });
            }
            self.expire_if_due(db, key);
        }
        if how != Lookup::Quiet {
            self.stats.misses += 1;
            if how != Lookup::Unheard {
                self.effects.missed(db, key);
            }
        }
        None
    }

    /// Counts a look-up that went through the gate as the read it is.
    pub fn count_read(&mut self, db: u32, key: &[u8], found: bool) {
        self.stats.hits += u64::from(found);
        self.stats.misses += u64::from(!found);
        if !found {
            self.effects.missed(db, key);
        }
    }

    /// A key that a look-up of this call found a moment ago, without a trace: for commands that hold several at once.
    pub fn glance(&self, db: u32, key: &[u8]) -> Option<Found<'_>> {
        let table = self.home(db, key);
        let pos = table.find(table.hash(key), key)?;
        let live = table.expire_at(pos).is_none_or(|at| at > self.now_ms || self.keep_expired && self.see_expired);
        live.then_some(Found { table, pos })
    }

    #[cold]
    fn look_up_among_guests(&mut self, db: u32, key: &[u8], how: Lookup) -> Option<Found<'_>> {
        let now_ms = self.now_ms;
        let access = self.access;
        let table = self.home(db, key);
        let live = table
            .find(table.hash(key), key)
            .filter(|pos| table.expire_at(*pos).is_none_or(|at| at > now_ms || self.keep_expired && self.see_expired))
            .map(|pos| (pos, table.lru(pos)));
        match (live, how) {
            (_, Lookup::Quiet) => {}
            (Some(_), _) => self.stats.hits += 1,
            (None, _) => self.stats.misses += 1,
        }
        let Some((pos, old)) = live else {
            self.expire_if_due(db, key);
            if !matches!(how, Lookup::Quiet | Lookup::Unheard) {
                self.effects.missed(db, key);
            }
            return None;
        };
        if how == Lookup::Use {
            let new = access.used(old, now_ms, &mut self.rng);
            self.home_mut(db, key).set_lru(pos, new);
        }
        Some(Found { table: self.home(db, key), pos })
    }

    /// THE GATE: the entry of `key`, present or not, through which alone it can change. An expired key is removed
    /// first. Counts as a use of the key.
    #[inline]
    pub fn entry_mut<'k>(&'k mut self, db: u32, key: &'k [u8]) -> EntryMut<'k> {
        EntryMut::open(self, db, key)
    }

    /// Removes `key` if its time has come and nothing forbids it; true if it did.
    pub(super) fn expire_if_due(&mut self, db: u32, key: &[u8]) -> bool {
        if self.keep_expired {
            return false;
        }
        let now_ms = self.now_ms;
        let table = self.home_mut(db, key);
        let Some(pos) = table.find(table.hash(key), key) else { return false };
        if table.expire_at(pos).is_none_or(|at| at > now_ms) {
            return false;
        }
        let object = table.remove(pos);
        self.untrack_object(db, key, object.as_deref());
        self.discard(object);
        self.watch.expired(db, key);
        self.blocked.changed(db, key);
        self.effects.expired += 1;
        self.effects.event(Event::EXPIRED, db, key);
        self.effects.op(db, &[b"UNLINK", key]);
        true
    }

    /// Drops an object later, in slices, if dropping it now would take long.
    pub(super) fn discard(&mut self, object: Option<Box<Object>>) {
        /// Allocations worth dropping on the spot (Valkey's LAZYFREE_THRESHOLD).
        const CHEAP: usize = 64;
        if let Some(object) = object.filter(|o| o.drop_cost() > CHEAP) {
            self.garbage.push(object);
        }
    }

    /// Empties a database; the number of keys it held. `lazily`: the memory is given back in slices by `tick`.
    pub fn flush(&mut self, db: u32, lazily: bool) -> u64 {
        assert!(self.guests.is_none(), "a flush runs on all shards, never beside guests");
        let now_ms = self.now_ms;
        let table = std::mem::replace(&mut self.dbs[db as usize], Table::new(self.seed));
        self.timed_hashes[db as usize] = Default::default();
        self.watch.turned(|d, key| (d == db).then(|| (life(&table, key, now_ms), Life::None)));
        self.blocked.changed_databases(&[db]);
        let keys = table.len() as u64;
        self.effects.count_dirty(keys);
        self.effects.flushed = true;
        if lazily && keys > 64 {
            self.garbage_tables.push(table);
        }
        keys
    }

    /// Swaps two databases.
    pub fn swap(&mut self, a: u32, b: u32) {
        assert!(self.guests.is_none(), "a swap runs on all shards, never beside guests");
        let now_ms = self.now_ms;
        let (one, two) = (&self.dbs[a as usize], &self.dbs[b as usize]);
        self.blocked.changed_databases(&[a, b]);
        self.watch.turned(|d, key| {
            let (in_one, in_two) = (life(one, key, now_ms), life(two, key, now_ms));
            if d == a { Some((in_one, in_two)) } else { (d == b).then_some((in_two, in_one)) }
        });
        self.dbs.swap(a as usize, b as usize);
        self.timed_hashes.swap(a as usize, b as usize);
        self.effects.count_dirty(1);
    }

    /// Watches `key`; its version.
    pub fn watch_key(&mut self, db: u32, key: &[u8]) -> u64 {
        let table = &self.dbs[db as usize];
        let expired = table
            .find(table.hash(key), key)
            .is_some_and(|pos| table.expire_at(pos).is_some_and(|at| at <= self.now_ms));
        self.watch.watch(db, key, expired)
    }

    /// A random live key of a database. Expired ones met on the way are removed. Where they are only hidden, a few
    /// hundred tries must do; then the first live key will, and if there is none, a hidden one (as in Valkey).
    pub fn random_key(&mut self, db: u32) -> Option<Box<[u8]>> {
        const TRIES_HIDDEN: usize = 256;
        let mut hidden = 0;
        loop {
            let rng = &mut self.rng;
            let table = &self.dbs[db as usize];
            let pos = table.random(&mut || rng.next_u64())?;
            let key: Box<[u8]> = table.key(pos).into();
            if table.expire_at(pos).is_none_or(|at| at > self.hidden()) {
                return Some(key);
            }
            if !self.expire_if_due(db, &key) {
                hidden += 1;
                if hidden == TRIES_HIDDEN {
                    return self.first_live(db).or(Some(key));
                }
            }
        }
    }

    fn first_live(&self, db: u32) -> Option<Box<[u8]>> {
        let table = &self.dbs[db as usize];
        let (mut cursor, mut live) = (0, None);
        loop {
            cursor = table.scan(cursor, &mut |pos| {
                if table.expire_at(pos).is_none_or(|at| at > self.now_ms) {
                    live = Some(pos);
                }
            });
            if live.is_some() || cursor == 0 {
                return live.map(|pos| table.key(pos).into());
            }
        }
    }

    /// The end of a call: the table's bounded house-keeping.
    #[inline]
    pub fn settle(&mut self, db: u32) {
        self.dbs[db as usize].settle();
    }

    /// Bytes held by tables and by what waits to be dropped; objects are counted where they are made.
    pub fn memory_bytes(&self) -> usize {
        self.dbs.iter().map(Table::memory_bytes).sum::<usize>()
    }

    /// Bytes of entries in the tables' leaves; the leaves themselves take `live_bytes`.
    pub fn used_bytes(&self) -> u64 {
        self.dbs.iter().chain(&self.garbage_tables).map(Table::used_bytes).sum()
    }

    /// Bytes of the tables' leaves. Slower to ask than `used_bytes`.
    pub fn live_bytes(&self) -> u64 {
        self.dbs.iter().chain(&self.garbage_tables).map(Table::live_bytes).sum()
    }

    /// True while keys of other shards are here.
    pub fn has_guests(&self) -> bool {
        self.guests.is_some()
    }

    /// Drops a slice of what waits to be dropped; true if there is more.
    pub fn free_some(&mut self) -> bool {
        /// Allocations or table slices a call drops; a slice takes some tens of microseconds.
        const SLICE: usize = 64;
        for _ in 0..SLICE {
            let Some(object) = self.garbage.last_mut() else { break };
            // A large one takes the rest of the slice.
            if object.drop_cost() > SLICE && !object.drop_some(SLICE) {
                break;
            }
            self.garbage.pop();
            self.stats.lazy_freed += 1;
        }
        if let Some(table) = self.garbage_tables.last_mut() {
            let before = table.len();
            let more = table.drop_some(SLICE);
            self.stats.lazy_freed += (before - if more { table.len() } else { 0 }) as u64;
            if !more {
                self.garbage_tables.pop();
            }
        }
        !self.garbage.is_empty() || !self.garbage_tables.is_empty()
    }

    /// Gives a slice of the tables' empty memory back to the system.
    pub fn release_memory(&mut self) {
        /// Spans of 64 KiB a database gives back each time; one takes some microseconds.
        const SPANS: usize = 16;
        for table in &mut self.dbs {
            table.release_memory(SPANS);
        }
    }

    /// Objects waiting to be dropped (INFO lazyfree_pending_objects).
    pub fn pending_frees(&self) -> usize {
        self.garbage.len() + self.garbage_tables.iter().map(Table::len).sum::<usize>()
    }

    pub(super) fn table_seed(&self) -> [u64; 4] {
        self.seed
    }

    /// Starts loading the cache lines a look-up of `key` will need: first the bucket ...
    #[inline]
    pub fn prefetch_bucket(&self, db: u32, key: &[u8]) -> u64 {
        let table = &self.dbs[db as usize];
        let hash = table.hash(key);
        table.prefetch_bucket(hash);
        hash
    }

    /// ... then the leaf.
    #[inline]
    pub fn prefetch_leaf(&self, db: u32, hash: u64) {
        self.dbs[db as usize].prefetch_leaf(hash);
    }

    /// ... and last the entry in it. This reads the leaf's head, so all keys' leaves should be asked for before.
    #[inline]
    pub fn prefetch_entry(&self, db: u32, hash: u64) {
        self.dbs[db as usize].prefetch_entry(hash);
    }

    /// For commands that ask a large collection for a member: once the entry is there, asks for the place of the member's
    /// bucket. What comes back asks for the bucket.
    #[inline]
    pub fn look_ahead(&self, db: u32, hash: u64, key: &[u8], member: &[u8]) -> Option<Ahead<'_>> {
        self.dbs[db as usize].boxed_object(hash, key)?.look_ahead(member)
    }

    /// Checks every table and the guests; for tests and simulation.
    pub fn check_invariants(&self) {
        self.blocked.check_invariants();
        for table in &self.dbs {
            table.check_invariants();
            table.for_each(&mut |pos| {
                if table.has_object(pos) && let Value::Object(object) = table.value(pos) {
                    object.check_invariants();
                }
            });
        }
        if let Some(guests) = &self.guests {
            guests.check_invariants(|key| !self.owns(key));
        }
    }
}

fn life(table: &Table<Object>, key: &[u8], now_ms: i64) -> Life {
    match table.find(table.hash(key), key) {
        None => Life::None,
        Some(pos) if table.expire_at(pos).is_none_or(|at| at > now_ms) => Life::Live,
        Some(_) => Life::Over,
    }
}

/// A key that was found, for reading.
#[derive(Clone, Copy)]
pub struct Found<'k> {
    pub(super) table: &'k Table<Object>,
    pub(super) pos: Pos,
}

impl<'k> Found<'k> {
    /// Its value.
    #[inline]
    pub fn value(&self) -> Value<'k, Object> {
        self.table.value(self.pos)
    }

    /// Its type tag ([`crate::types::tag`]).
    #[inline]
    pub fn tag(&self) -> u8 {
        self.table.type_tag(self.pos)
    }

    /// When it expires, unix milliseconds.
    pub fn expire_at(&self) -> Option<i64> {
        self.table.expire_at(self.pos)
    }

    /// Its LRU/LFU field.
    pub fn lru(&self) -> u32 {
        self.table.lru(self.pos)
    }

    /// The key.
    pub fn key(&self) -> &'k [u8] {
        self.table.key(self.pos)
    }
}
