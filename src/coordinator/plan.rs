//! From calls to locks and steps.
//!
//! One call that spans shards is one step. An EXEC is as few steps as its calls allow: if none of them reaches every
//! shard, all keyed calls run back to back on one shard, to which the others lend their keys; otherwise they run one
//! after the other with every shard held.

use crate::connection::session::Watched;
use crate::coordinator::merge::Places;
use crate::coordinator::messages::DbKey;
use crate::dispatch::call::OwnedCall;
use crate::dispatch::route::{keys_with_dbs, mode, reaches_beyond};
use crate::dispatch::table::{Entry, Target};
use shards::command::{Merge, Spread, flag};
use shards::commands::generic::scan::shard_of_cursor;
use shards::keyspace::slots::key_owner;
use shards::txn::locks::{LockSet, Mode, fingerprint};
use std::collections::BTreeMap;

/// How a step runs.
#[derive(Debug)]
pub enum How {
    /// On one shard, which has all it needs.
    One(usize),
    /// On one shard; others lend keys.
    Loan {
        /// Who runs it.
        home: usize,
        /// Who lends what.
        lenders: Vec<(usize, Vec<DbKey>)>,
    },
    /// On the shard of its first key, which first says what keys the call reads beside those it names; the others lend
    /// all of these. Every shard is held meanwhile, so that they stay what they are.
    Reach {
        /// Who runs it.
        home: usize,
        /// The keys it names.
        named: Vec<(usize, DbKey)>,
    },
    /// On several shards, each with its own part of the one call.
    Split {
        /// The parts.
        parts: Vec<(usize, OwnedCall)>,
        /// How the replies become one.
        merge: Merge,
        /// Where each key's element is.
        places: Places,
    },
    /// On shards in turn, from this one on, until one does not answer null.
    FirstFound {
        /// The first to ask.
        start: usize,
    },
}

/// One step of a transaction.
#[derive(Debug)]
pub struct Step {
    /// Which of the transaction's calls it runs, in order.
    pub calls: Vec<usize>,
    /// How.
    pub how: How,
}

/// What a transaction does on its shards.
#[derive(Debug, Default)]
pub struct Plan {
    /// What it locks, shard by shard.
    pub locks: BTreeMap<usize, LockSet>,
    /// Watched keys, shard by shard.
    pub watched: BTreeMap<usize, Vec<Watched>>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// The keys of a blocking call, shard by shard: where it will wait.
    pub keys: BTreeMap<usize, Vec<DbKey>>,
    /// It holds every shard for scripts that may call any key.
    pub whole: bool,
}

/// What a planner must know.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Number of shards.
    pub shards: usize,
    /// The client's own core: preferred where any shard will do.
    pub here: usize,
    /// A random number: where RANDOMKEY starts.
    pub random: u64,
}

/// Keys of a call by shard, with their databases.
fn keys_of(call: &OwnedCall, shards: usize) -> Vec<(usize, DbKey)> {
    let argv = call.argv();
    let keys = keys_with_dbs(call.entry, argv, call.db).into_iter();
    keys.map(|(db, at)| (key_owner(argv.get(at), shards), (db, argv.get(at).into()))).collect()
}

impl Plan {
    fn lock(&mut self, shard: usize, db: u32, key: &[u8], mode: Mode) {
        self.locks.entry(shard).or_default().add(fingerprint(db, key), mode);
    }

    fn lock_everything(&mut self, shards: usize, mode: Mode) {
        for shard in 0..shards {
            self.locks.insert(shard, LockSet::whole(mode));
        }
    }

    /// Plans one call that cannot simply run on one shard.
    pub fn one(call: &OwnedCall, place: Place) -> Plan {
        let mut plan = Plan::default();
        if reaches_beyond(call.entry, call.argv()) {
            plan.lock_everything(place.shards, Mode::Exclusive);
            plan.steps.push(Step { calls: vec![0], how: reach(call, place) });
            return plan;
        }
        match call.entry.spread() {
            Spread::Everywhere(merge) => {
                plan.lock_everything(place.shards, mode(call.entry));
                plan.steps.push(Step { calls: vec![0], how: everywhere(call, merge, place.shards) });
            }
            Spread::FirstFound => {
                plan.lock_everything(place.shards, Mode::Shared);
                plan.steps.push(Step { calls: vec![0], how: first_found(place) });
            }
            Spread::Split(width, merge) if divides(call, width as usize) => {
                for (shard, (db, key)) in keys_of(call, place.shards) {
                    plan.lock(shard, db, &key, mode(call.entry));
                }
                plan.steps.push(Step { calls: vec![0], how: split(call, width as usize, merge, place.shards) });
            }
            Spread::Loan | Spread::Cursor(_) | Spread::Split(..) => plan.loan(&[(0, call)], place),
        }
        plan
    }

    /// Plans a script: over the keys it names, or with every shard held (`whole`).
    pub fn script(call: &OwnedCall, place: Place, whole: bool) -> Plan {
        let mut plan = Plan { whole, ..Plan::default() };
        if whole {
            plan.lock_everything(place.shards, Mode::Exclusive);
            plan.add_step(0, call, place);
        } else {
            plan.loan(&[(0, call)], place);
        }
        plan
    }

    /// Plans an EXEC: `calls` are its commands with the databases they run in, `watched` the client's watched keys.
    pub fn exec(calls: &[OwnedCall], watched: Vec<Watched>, place: Place) -> Plan {
        let mut plan = Plan::default();
        let engine: Vec<(usize, &OwnedCall)> =
            calls.iter().enumerate().filter(|(_, c)| !matches!(c.entry.target, Target::Server(_))).collect();
        let reaches_all = |c: &OwnedCall| {
            !matches!(c.entry.spread(), Spread::Loan | Spread::Split(..)) || reaches_beyond(c.entry, c.argv())
        };
        plan.whole = engine.iter().any(|(_, c)| c.script.as_ref().is_some_and(|script| !script.keeps));
        if plan.whole || engine.iter().any(|(_, c)| reaches_all(c)) {
            plan.lock_everything(place.shards, Mode::Exclusive);
            for (i, call) in engine {
                plan.add_step(i, call, place);
            }
        } else if !engine.is_empty() {
            plan.loan(&engine, place);
        }
        for w in watched {
            let shard = key_owner(&w.key, place.shards);
            if plan.locks.get(&shard).is_none_or(|set| set.whole.is_none()) {
                plan.lock(shard, w.db, &w.key, Mode::Shared);
            }
            plan.watched.entry(shard).or_default().push(w);
        }
        plan
    }

    /// One more step of an EXEC that holds every shard.
    fn add_step(&mut self, i: usize, call: &OwnedCall, place: Place) {
        let how = match call.entry.spread() {
            Spread::Everywhere(merge) => everywhere(call, merge, place.shards),
            Spread::FirstFound => first_found(place),
            Spread::Cursor(at) => How::One(shard_of_cursor(call.argv(), at as usize, place.shards)),
            _ if reaches_beyond(call.entry, call.argv()) => reach(call, place),
            Spread::Loan | Spread::Split(..) => {
                let (home, lenders) = borrow(keys_of(call, place.shards), place);
                if lenders.is_empty() { How::One(home) } else { How::Loan { home, lenders } }
            }
        };
        match (self.steps.last_mut(), &how) {
            (Some(Step { calls, how: How::One(last) }), How::One(shard)) if last == shard => calls.push(i),
            _ => self.steps.push(Step { calls: vec![i], how }),
        }
    }

    /// All these calls on one shard, with keys lent by the others.
    fn loan(&mut self, calls: &[(usize, &OwnedCall)], place: Place) {
        let mut keys = Vec::new();
        let mut modes = Vec::new();
        for (_, call) in calls {
            for (shard, key) in keys_of(call, place.shards) {
                modes.push(mode(call.entry));
                keys.push((shard, key));
            }
        }
        let (home, lenders) = borrow(keys.clone(), place);
        for ((shard, (db, key)), mode) in keys.iter().zip(modes) {
            // A key that travels is nobody else's meanwhile, even if it is only read.
            self.lock(*shard, *db, key, if *shard == home { mode } else { Mode::Exclusive });
        }
        if calls.iter().any(|(_, call)| call.entry.is(flag::BLOCKING)) {
            keys.iter().for_each(|(shard, key)| self.keys.entry(*shard).or_default().push(key.clone()));
        }
        if keys.is_empty() {
            self.locks.entry(home).or_default();
        }
        let how = if lenders.is_empty() { How::One(home) } else { How::Loan { home, lenders } };
        self.steps.push(Step { calls: calls.iter().map(|(i, _)| *i).collect(), how });
    }
}

/// Who runs a call with these keys, and who lends which (each key once).
fn borrow(keys: Vec<(usize, DbKey)>, place: Place) -> (usize, Vec<(usize, Vec<DbKey>)>) {
    let mut by_shard: BTreeMap<usize, Vec<DbKey>> = BTreeMap::new();
    for (shard, key) in keys {
        let line = by_shard.entry(shard).or_default();
        if !line.contains(&key) {
            line.push(key);
        }
    }
    let home = by_shard
        .iter()
        .max_by_key(|(shard, keys)| (keys.len(), **shard == place.here))
        .map_or(place.here, |(shard, _)| *shard);
    by_shard.remove(&home);
    (home, by_shard.into_iter().collect())
}

fn reach(call: &OwnedCall, place: Place) -> How {
    let named = keys_of(call, place.shards);
    How::Reach { home: named[0].0, named }
}

fn everywhere(call: &OwnedCall, merge: Merge, shards: usize) -> How {
    How::Split { parts: (0..shards).map(|s| (s, call.clone())).collect(), merge, places: Vec::new() }
}

fn first_found(place: Place) -> How {
    How::FirstFound { start: (place.random % place.shards as u64) as usize }
}

/// True if every key of the call has all its `width` arguments. A call that has not (MSET with an odd value missing) is
/// not cut: one shard runs it whole, to answer its error.
fn divides(call: &OwnedCall, width: usize) -> bool {
    let mut keys = Vec::new();
    call.entry.key_indexes(call.argv(), &mut keys).is_ok()
        && keys.last().is_some_and(|last| last + width <= call.argv().len())
}

/// Cuts a call into one for each shard; `width` arguments belong to a key. Arguments before the first key go to all.
fn split(call: &OwnedCall, width: usize, merge: Merge, shards: usize) -> How {
    let argv = call.argv();
    let mut keys = Vec::new();
    call.entry.key_indexes(argv, &mut keys).expect("the call was routed by its keys");
    let first = keys.first().copied().unwrap_or(argv.len());
    let mut parts: Vec<(usize, Vec<&[u8]>, usize)> = Vec::new();
    let mut places = Places::new();
    for at in keys {
        let shard = key_owner(argv.get(at), shards);
        let part = parts.iter().position(|(s, ..)| *s == shard).unwrap_or_else(|| {
            parts.push((shard, (0..first).map(|i| argv.get(i)).collect(), 0));
            parts.len() - 1
        });
        places.push((part, parts[part].2));
        parts[part].1.extend((at..at + width).map(|i| argv.get(i)));
        parts[part].2 += 1;
    }
    let make = |(shard, args, _): (usize, Vec<&[u8]>, usize)| {
        (shard, OwnedCall::of_parts(call.entry, call.db, args.into_iter()))
    };
    How::Split { parts: parts.into_iter().map(make).collect(), merge, places }
}

/// True if a call without keys must still visit shards.
pub fn visits_shards(entry: &Entry) -> bool {
    matches!(entry.spread(), Spread::Everywhere(_) | Spread::FirstFound)
}
