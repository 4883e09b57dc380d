//! DEL, UNLINK, EXISTS, TOUCH, TYPE: whether keys are there, and that they no longer are.
//!
//! DEL and UNLINK differ in when memory comes back: UNLINK leaves large values to `tick`, DEL does so too unless
//! `lazyfree-lazy-user-del` is off. A key named twice is deleted (or touched, or counted) as often as it is found.

use crate::command::{Arg, Command, Group, KeySpec, Merge, Spread, category, flag, key};
use crate::effects::Event;
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::Lookup;
use crate::types::tag;

const ALL_KEYS: &[Arg] = &[Arg::key("key").many()];
const PER_SHARD: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

/// DEL key [key ...]
pub const DEL: Command = Command {
    arity: -2,
    group: Group::Generic,
    since: "1.0.0",
    summary: "Removes the named keys.",
    complexity: "O(N) with N keys; a key that holds M elements costs O(M) to free.",
    flags: flag::WRITE,
    acl: category::KEYSPACE,
    keys: &[KeySpec::range(1, -1, 1, key::RM | key::DELETE)],
    spread: Spread::Split(1, Merge::Sum),
    tips: PER_SHARD,
    args: ALL_KEYS,
    ..Command::new("del", del)
};

/// UNLINK key [key ...]
pub const UNLINK: Command = Command {
    arity: -2,
    group: Group::Generic,
    since: "4.0.0",
    summary: "Removes the named keys and frees their memory bit by bit.",
    complexity: "O(1) per key; the memory of large values comes back in slices later.",
    flags: flag::WRITE | flag::FAST,
    acl: category::KEYSPACE,
    keys: &[KeySpec::range(1, -1, 1, key::RM | key::DELETE)],
    spread: Spread::Split(1, Merge::Sum),
    tips: PER_SHARD,
    args: ALL_KEYS,
    ..Command::new("unlink", unlink)
};

/// EXISTS key [key ...]
pub const EXISTS: Command = Command {
    arity: -2,
    group: Group::Generic,
    since: "1.0.0",
    summary: "Counts how many of the named keys exist.",
    complexity: "O(N) with N keys.",
    history: &[("3.0.3", "Takes more than one key.")],
    flags: flag::READONLY | flag::FAST,
    acl: category::KEYSPACE,
    keys: &[KeySpec::range(1, -1, 1, key::RO)],
    spread: Spread::Split(1, Merge::Sum),
    tips: PER_SHARD,
    args: ALL_KEYS,
    ..Command::new("exists", exists)
};

/// TOUCH key [key ...]
pub const TOUCH: Command = Command {
    arity: -2,
    group: Group::Generic,
    since: "3.2.1",
    summary: "Marks the named keys as used now and counts those that exist.",
    complexity: "O(N) with N keys.",
    flags: flag::READONLY | flag::FAST,
    acl: category::KEYSPACE,
    keys: &[KeySpec::range(1, -1, 1, key::RO)],
    spread: Spread::Split(1, Merge::Sum),
    tips: PER_SHARD,
    args: ALL_KEYS,
    ..Command::new("touch", touch)
};

/// TYPE key
pub const TYPE: Command = Command {
    arity: 2,
    group: Group::Generic,
    since: "1.0.0",
    summary: "Names the type of the value at a key.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::FAST,
    acl: category::KEYSPACE,
    keys: &[KeySpec::one(1, key::RO)],
    args: &[Arg::key("key")],
    ..Command::new("type", type_of)
};

fn del(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let lazily = x.env.limits.lazy_user_del;
    remove_all(x, lazily)
}

fn unlink(x: &mut Exec<'_>) -> Result<(), CommandError> {
    remove_all(x, true)
}

fn remove_all(x: &mut Exec<'_>, lazily: bool) -> Result<(), CommandError> {
    let mut removed = 0;
    for key in x.argv.from(1).iter() {
        let mut entry = x.ks.entry_mut(x.db, key);
        removed += usize::from(if lazily { entry.remove(Event::DEL) } else { entry.remove_now(Event::DEL) });
    }
    x.reply.count(removed);
    Ok(())
}

fn exists(x: &mut Exec<'_>) -> Result<(), CommandError> {
    count_found(x, Lookup::NoTouch)
}

/// CLIENT NO-TOUCH does not bind TOUCH: touching is what it was asked for.
fn touch(x: &mut Exec<'_>) -> Result<(), CommandError> {
    count_found(x, Lookup::Use)
}

fn count_found(x: &mut Exec<'_>, how: Lookup) -> Result<(), CommandError> {
    let (ks, db) = (&mut *x.ks, x.db);
    let found = x.argv.from(1).iter().filter(|key| ks.look_up(db, key, how).is_some()).count();
    x.reply.count(found);
    Ok(())
}

fn type_of(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let found = x.ks.look_up(x.db, x.argv.get(1), Lookup::NoTouch);
    x.reply.simple(found.map_or("none", |f| tag::type_name(f.tag())));
    Ok(())
}
