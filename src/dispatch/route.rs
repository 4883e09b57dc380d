//! Which shards a call's keys are on, and what it would lock there.

use crate::dispatch::table::Entry;
use shards::args::Args;
use shards::command::flag;
use shards::error::CommandError;
use shards::keyspace::slots::key_owner;
use shards::stdx::number;
use shards::txn::locks::{LockSet, Mode, fingerprint};

/// Where a call must go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// No key: any shard will do.
    Nowhere,
    /// One shard has all keys.
    One(usize),
    /// Several shards.
    Many,
}

/// Finds where a call must go; fills `keys` with the indexes of its keys.
#[inline]
pub fn reach(entry: &Entry, argv: Args<'_>, shards: usize, keys: &mut Vec<usize>) -> Result<Reach, CommandError> {
    keys.clear();
    if let Some(at) = entry.single_key {
        return Ok(Reach::One(key_owner(argv.get(at as usize), shards)));
    }
    entry.key_indexes(argv, keys)?;
    let mut owners = keys.iter().map(|at| key_owner(argv.get(*at), shards));
    let Some(first) = owners.next() else { return Ok(Reach::Nowhere) };
    Ok(if owners.all(|owner| owner == first) { Reach::One(first) } else { Reach::Many })
}

/// The mode in which a call holds its keys: shared if it only reads.
pub fn mode(entry: &Entry) -> Mode {
    if entry.is(flag::WRITE | flag::MAY_REPLICATE) { Mode::Exclusive } else { Mode::Shared }
}

/// True if a call reads keys it does not name (SORT with BY or GET).
pub fn reaches_beyond(entry: &Entry, argv: Args<'_>) -> bool {
    entry.engine().is_some_and(|row| row.reaches_beyond(argv))
}

/// What a call that stays on one shard would lock there.
pub fn lock_set(entry: &Entry, argv: Args<'_>, db: u32) -> LockSet {
    let mut set = LockSet::default();
    let mode = mode(entry);
    let keys = keys_with_dbs(entry, argv, db);
    if keys.is_empty() || reaches_beyond(entry, argv) {
        return LockSet::whole(mode);
    }
    for (db, at) in keys {
        set.add(fingerprint(db, argv.get(at)), mode);
    }
    set
}

/// The keys of a call with the databases they may be looked for in: the client's, and those the call names itself
/// (COPY ... DB, MOVE). Empty if it has no keys or they cannot be told.
pub fn keys_with_dbs(entry: &Entry, argv: Args<'_>, db: u32) -> Vec<(u32, usize)> {
    let mut at = Vec::new();
    if entry.key_indexes(argv, &mut at).is_err() {
        return Vec::new();
    }
    let mut keys: Vec<(u32, usize)> = at.into_iter().map(|at| (db, at)).collect();
    if let Some(find_dbs) = entry.engine().and_then(|row| row.find_dbs) {
        let mut named = Vec::new();
        find_dbs(argv, &mut named);
        for arg in named {
            let number = number::parse_i64(argv.get(arg.at)).and_then(|n| u32::try_from(n).ok());
            if let (Some(db), Some(key)) = (number, arg.key) {
                keys.push((db, key));
            }
        }
    }
    keys
}
