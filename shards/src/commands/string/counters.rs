//! INCR, DECR, INCRBY and DECRBY: strings as numbers.

use super::value::{Digits, text};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::{CommandError, NOT_AN_INTEGER};
use crate::exec::Exec;
use crate::keyspace::Ttl;
use crate::keyspace::table::Value;
use crate::stdx::number::parse_i64;

/// All four tell the same event, decrements too.
const INCRBY_EVENT: Event = Event::new(EventClass::String, "incrby");
const OVERFLOW: CommandError = CommandError::Static("ERR increment or decrement would overflow");
const DECREMENT_OVERFLOW: CommandError = CommandError::Static("ERR decrement would overflow");

const COUNTER: Command = Command {
    group: Group::String,
    since: "1.0.0",
    complexity: "O(1)",
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::UPDATE)],
    ..Command::new("counter", incr)
};

/// INCR key
pub const INCR: Command = Command {
    name: "incr",
    arity: 2,
    summary: "Adds one to the integer at a key; a missing key counts as 0.",
    args: &[Arg::key("key")],
    run: incr,
    ..COUNTER
};

fn incr(x: &mut Exec<'_>) -> Result<(), CommandError> {
    add(x, 1)
}

/// DECR key
pub const DECR: Command = Command {
    name: "decr",
    arity: 2,
    summary: "Takes one from the integer at a key; a missing key counts as 0.",
    args: &[Arg::key("key")],
    run: decr,
    ..COUNTER
};

fn decr(x: &mut Exec<'_>) -> Result<(), CommandError> {
    add(x, -1)
}

/// INCRBY key increment
pub const INCRBY: Command = Command {
    name: "incrby",
    arity: 3,
    summary: "Adds to the integer at a key; a missing key counts as 0.",
    args: &[Arg::key("key"), Arg::new("increment", ArgKind::Integer)],
    run: incrby,
    ..COUNTER
};

fn incrby(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let delta = x.int(2)?;
    add(x, delta)
}

/// DECRBY key decrement
pub const DECRBY: Command = Command {
    name: "decrby",
    arity: 3,
    summary: "Takes from the integer at a key; a missing key counts as 0.",
    args: &[Arg::key("key"), Arg::new("decrement", ArgKind::Integer)],
    run: decrby,
    ..COUNTER
};

fn decrby(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let delta = x.int(2)?.checked_neg().ok_or(DECREMENT_OVERFLOW)?;
    add(x, delta)
}

#[inline]
fn add(x: &mut Exec<'_>, delta: i64) -> Result<(), CommandError> {
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let old = match entry.value() {
        None => 0,
        Some(Value::Int(n)) => n,
        Some(value) => parse_i64(text(value, &mut Digits::default())?).ok_or(NOT_AN_INTEGER)?,
    };
    let new = old.checked_add(delta).ok_or(OVERFLOW)?;
    entry.set_int(new, Ttl::Keep, INCRBY_EVENT);
    x.reply.int(new);
    Ok(())
}
