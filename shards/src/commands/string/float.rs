//! INCRBYFLOAT: a string as a decimal fraction.
//!
//! Propagated as the SET of its result: another machine or another version might round differently.

use super::value::{Digits, text};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::{CommandError, NOT_A_FLOAT};
use crate::exec::Exec;
use crate::keyspace::Ttl;
use crate::stdx::long_double::LongDouble;

const INCRBYFLOAT_EVENT: Event = Event::new(EventClass::String, "incrbyfloat");
/// A sum that is no number; HINCRBYFLOAT says the same.
pub(crate) const NOT_FINITE: CommandError = CommandError::Static("ERR increment would produce NaN or Infinity");

/// INCRBYFLOAT key increment
pub const INCRBYFLOAT: Command = Command {
    arity: 3,
    group: Group::String,
    since: "2.6.0",
    summary: "Adds to the decimal fraction at a key; a missing key counts as 0.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::UPDATE)],
    args: &[Arg::key("key"), Arg::new("increment", ArgKind::Double)],
    ..Command::new("incrbyfloat", incrbyfloat)
};

fn incrbyfloat(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let key = x.arg(1);
    let mut entry = x.ks.entry_mut(x.db, key);
    let old = match entry.value() {
        None => LongDouble::from_i64(0),
        Some(value) => LongDouble::parse(text(value, &mut Digits::default())?).ok_or(NOT_A_FLOAT)?,
    };
    let delta = LongDouble::parse(x.argv.get(2)).ok_or(NOT_A_FLOAT)?;
    let mut new = Vec::new();
    old.checked_add(delta).ok_or(NOT_FINITE)?.write_human(&mut new);
    entry.set_text(&new, Ttl::Keep, INCRBYFLOAT_EVENT);
    x.reply.bulk(&new);
    x.propagate_as(&[b"SET", key, &new, b"KEEPTTL"]);
    Ok(())
}
