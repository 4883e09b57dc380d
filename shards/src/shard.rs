//! The only door to a shard: `execute` a call, `tick`, `check_invariants`; and this shard's side of transactions.
//!
//! `execute` is a plain function that runs to its end on the core that owns the shard. It never waits, so a call is
//! atomic without locks. What the call did stands in `effects()` until the caller drains it.

use crate::args::Args;
use crate::command::Command;
use crate::effects::{Effects, Event};
use crate::exec::{Block, Env, Exec, Limits, PutBack};
use crate::keyspace::Keyspace;
use crate::keyspace::evict::{Evicted, EvictionPolicy};
use crate::keyspace::expire::ActiveExpiry;
use crate::keyspace::guests::{Guests, Loan};
use crate::reply::{Reply, Resp};
use crate::stdx::prng::Prng;
use crate::txn::locks::Locks;

/// One call of one command.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The command (a subcommand's own row where there is one).
    pub row: &'static Command,
    /// Its arguments, the name included.
    pub argv: Args<'a>,
    /// The client's database.
    pub db: u32,
    /// The protocol of the reply.
    pub resp: Resp,
    /// CLIENT NO-TOUCH: reads do not count as use.
    pub no_touch: bool,
    /// It finds keys whose time is over, where they are kept (CLIENT IMPORT-SOURCE).
    pub sees_expired: bool,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A reply was written.
    Done,
    /// An error reply was written; nothing changed.
    Failed,
    /// Nothing was written and nothing changed: the call waits ([`Shard::take_block`]).
    Blocked,
}

/// What a suspended script left aside.
pub struct Aside {
    guests: Option<Box<Guests>>,
    effects: Effects,
}

/// One shard of the keyspace.
pub struct Shard {
    /// The keyspace.
    pub keyspace: Keyspace,
    /// Locks of transactions that span shards.
    pub locks: Locks,
    env: Env,
    expiry: ActiveExpiry,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub active_expire: bool,
}

impl Shard {
    /// Shard `shard` of `shards`, empty, with everything random following from `seed`.
    pub fn new(shard: usize, shards: usize, databases: usize, seed: u64) -> Shard {
        Shard {
            keyspace: Keyspace::new(databases, shard, shards, seed),
            locks: Locks::default(),
            env: Env { shard, shards, limits: Limits::default(), rng: Prng::new(!seed), may_block: false, block: None, put_back: None }
                .seeded(),
            expiry: ActiveExpiry::default(),
            active_expire: true,
        }
    }

    /// Replaces the limits (CONFIG SET).
    pub fn set_limits(&mut self, limits: Limits) {
        let old = std::mem::replace(&mut self.env.limits, limits);
        self.env.limits.set.seed = old.set.seed;
        self.env.limits.list.large_from = old.list.large_from;
        self.env.limits.dump_checks.skip_checksum = old.dump_checks.skip_checksum;
    }

    /// DEBUG QUICKLIST-PACKED-THRESHOLD: elements of lists from this length on get a node of their own; 0: as the
    /// configuration says. Quicklists that are there keep what they have.
    pub fn set_large_from(&mut self, bytes: usize) {
        self.env.limits.list.large_from = bytes;
    }

    /// DEBUG SET-SKIP-CHECKSUM-VALIDATION.
    pub fn set_skip_checksum(&mut self, skip: bool) {
        self.env.limits.dump_checks.skip_checksum = skip;
    }

    /// Runs a call at `now_ms` (unix milliseconds) and appends its reply to `out`.
    #[inline]
    pub fn execute(&mut self, call: &Call<'_>, now_ms: i64, out: &mut Vec<u8>) -> Outcome {
        debug_assert!(call.row.arity_fits(call.argv.len()), "arity is checked at admission");
        let ks = &mut self.keyspace;
        ks.set_now(now_ms);
        ks.no_touch = call.no_touch;
        ks.see_expired = call.sees_expired || ks.follows_primary;
        let dirty = ks.effects.dirty();
        let start = out.len();
        let reply = Reply::new(out, call.resp);
        let mut exec = Exec { argv: call.argv, db: call.db, ks, reply, env: &mut self.env };
        let outcome = match (call.row.run)(&mut exec) {
            Ok(()) if exec.env.block.is_some() => Outcome::Blocked,
            Ok(()) => Outcome::Done,
            Err(error) => {
                exec.reply.rewind(start);
                exec.reply.error(error.text());
                Outcome::Failed
            }
        };
        let changed = self.keyspace.effects.dirty() != dirty;
        assert!(outcome != Outcome::Failed || !changed, "{}: an error reply means nothing changed", call.row.name);
        let rewritten = self.keyspace.effects.take_rewritten();
        if changed && !rewritten {
            self.keyspace.effects.op_verbatim(call.db, call.argv);
        }
        self.keyspace.settle(call.db);
        outcome
    }

    /// Says whether the calls to come may wait for their keys. They may not unless this was said.
    pub fn set_may_block(&mut self, may_block: bool) {
        self.env.may_block = may_block;
    }

    /// What the last call waits for, if it does.
    pub fn take_block(&mut self) -> Option<Box<Block>> {
        self.env.block.take()
    }

    /// The keys that a call will read beside those it names; here is the first of those.
    pub fn reached(&mut self, call: &Call<'_>, now_ms: i64) -> Vec<Box<[u8]>> {
        let Some(reaches) = call.row.reaches else { return Vec::new() };
        self.keyspace.set_now(now_ms);
        let mut nothing = Vec::new();
        let reply = Reply::new(&mut nothing, call.resp);
        (reaches.keys)(&mut Exec { argv: call.argv, db: call.db, ks: &mut self.keyspace, reply, env: &mut self.env })
    }

    /// What puts back what the last blocking call took; forgets it.
    pub fn take_put_back(&mut self) -> Option<Box<PutBack>> {
        self.env.put_back.take()
    }

    /// One round of house-keeping at `now_ms`: active expiry over up to `leaves` leaves, a slice of lazy frees. True if
    /// there is reason to come back at once, time permitting.
    pub fn tick(&mut self, now_ms: i64, leaves: usize) -> bool {
        self.keyspace.set_now(now_ms);
        let locks = &self.locks;
        let more = self.active_expire
            && !self.keyspace.keep_expired
            && !self.keyspace.has_guests()
            && self.expiry.round(&mut self.keyspace, leaves, &|db, key| locks.blocks_write(db, key));
        let more_fields = self.active_expire
            && !self.keyspace.keep_expired
            && !self.keyspace.has_guests()
            && self.keyspace.expire_fields(&|db, key| locks.blocks_write(db, key));
        self.keyspace.release_memory();
        self.keyspace.free_some() || more || more_fields
    }

    /// Makes room at `now_ms`: evicts up to `keys_max` keys that no transaction has locked.
    pub fn evict(&mut self, now_ms: i64, policy: EvictionPolicy, samples: usize, keys_max: usize) -> Evicted {
        self.keyspace.set_now(now_ms);
        let locks = &self.locks;
        self.keyspace.evict_some(policy, samples, keys_max, &|db, key| locks.blocks_write(db, key))
    }

    /// What happened since the last `clear_effects`.
    pub fn effects(&mut self) -> &mut Effects {
        &mut self.keyspace.effects
    }

    /// Lends keys of this shard to another.
    pub fn lend<'a>(&mut self, now_ms: i64, keys: impl Iterator<Item = (u32, &'a [u8])>) -> Vec<Loan> {
        self.keyspace.set_now(now_ms);
        self.keyspace.lend(keys)
    }

    /// Takes in keys of other shards.
    pub fn welcome(&mut self, loans: Vec<Loan>) {
        self.keyspace.effects.wants.changes = true;
        self.keyspace.welcome(loans);
    }

    /// Sends the keys of other shards home; the caller has not cleared the effects since `welcome`.
    pub fn farewell(&mut self) -> Vec<Loan> {
        let happened = self.keyspace.effects.changes().filter(|(c, _)| c.event != Event::MISS);
        let changes: Vec<(u32, Vec<u8>, Event)> = happened.map(|(c, key)| (c.db, key.to_vec(), c.event)).collect();
        self.keyspace.farewell(&|db, key| {
            changes.iter().filter(|(d, k, _)| *d == db && k == key).map(|(_, _, e)| *e).collect()
        })
    }

    /// Sets aside what a suspended script has: its guests and what it did so far. The shard serves others meanwhile.
    pub fn set_aside(&mut self) -> Aside {
        let wants = self.keyspace.effects.wants;
        let effects = std::mem::take(&mut self.keyspace.effects);
        self.keyspace.effects.wants = wants;
        Aside { guests: self.keyspace.set_guests_aside(), effects }
    }

    /// Goes on with a suspended script; what others did meanwhile has been drained.
    pub fn bring_back(&mut self, aside: Aside) {
        assert!(self.keyspace.effects.is_empty(), "effects are drained before a script goes on");
        let dirty = self.keyspace.effects.take_dirty();
        self.keyspace.effects = aside.effects;
        self.keyspace.effects.add_dirty(dirty);
        self.keyspace.bring_guests_back(aside.guests);
    }

    /// Takes lent keys back.
    pub fn take_back(&mut self, loans: Vec<Loan>) {
        self.keyspace.take_back(loans);
    }

    /// Checks everything; for tests and simulation.
    pub fn check_invariants(&self) {
        self.keyspace.check_invariants();
        self.locks.check_invariants();
    }
}
