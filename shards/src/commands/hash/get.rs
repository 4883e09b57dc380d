//! HGET, HMGET, HEXISTS, HSTRLEN, HLEN: reading single fields.

use super::value::{hash_in, reply_value};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, ShardRun, category, flag, key};
use crate::error::CommandError;
use crate::exec::Exec;

const FIELD: Arg = Arg::new("field", ArgKind::String);

const KEYS: &[KeySpec] = &[KeySpec::one(1, key::RO)];
const KEYS_READ: &[KeySpec] = &[KeySpec::one(1, key::RO | key::ACCESS)];
const ARGS: &[Arg] = &[Arg::key("key"), FIELD];

const fn get_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: 3,
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(1)",
        flags: flag::READONLY | flag::FAST,
        acl: category::HASH,
        keys: KEYS,
        args: ARGS,
        ..Command::new(name, run)
    }
}

/// HGET key field
pub const HGET: Command = Command {
    summary: "Returns the value of one field of a hash.",
    keys: KEYS_READ,
    ..get_row("hget", hget)
};

fn hget(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let hidden = x.ks.hidden();
    let hash = hash_in(x.ks.read(x.db, x.argv.get(1)))?;
    reply_value(&mut x.reply, hash.and_then(|hash| hash.get(x.argv.get(2), hidden)));
    Ok(())
}

/// HMGET key field [field ...]
pub const HMGET: Command = Command {
    arity: -3,
    summary: "Returns the values of several fields of a hash.",
    complexity: "O(N) with N fields asked for.",
    keys: KEYS_READ,
    args: &[Arg::key("key"), FIELD.many()],
    ..get_row("hmget", hmget)
};

fn hmget(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let hidden = x.ks.hidden();
    let hash = hash_in(x.ks.read(x.db, x.argv.get(1)))?;
    let names = x.argv.from(2).iter();
    x.reply.array(names.len());
    for name in names {
        reply_value(&mut x.reply, hash.and_then(|hash| hash.get(name, hidden)));
    }
    Ok(())
}

/// HEXISTS key field
pub const HEXISTS: Command =
    Command { summary: "Tells whether a hash has a field.", ..get_row("hexists", hexists) };

fn hexists(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let hidden = x.ks.hidden();
    let hash = hash_in(x.ks.read(x.db, x.argv.get(1)))?;
    x.reply.int(hash.is_some_and(|hash| hash.has(x.argv.get(2), hidden)).into());
    Ok(())
}

/// HSTRLEN key field
pub const HSTRLEN: Command = Command {
    since: "3.2.0",
    summary: "Returns the length of a field's value.",
    ..get_row("hstrlen", hstrlen)
};

fn hstrlen(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let hidden = x.ks.hidden();
    let hash = hash_in(x.ks.read(x.db, x.argv.get(1)))?;
    x.reply.count(hash.and_then(|hash| hash.get(x.argv.get(2), hidden)).map_or(0, |field| field.value.len()));
    Ok(())
}

/// HLEN key
pub const HLEN: Command = Command {
    arity: 2,
    summary: "Counts the fields of a hash.",
    args: &[Arg::key("key")],
    ..get_row("hlen", hlen)
};

fn hlen(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let hash = hash_in(x.ks.read(x.db, x.argv.get(1)))?;
    x.reply.count(hash.map_or(0, |hash| hash.len()));
    Ok(())
}
