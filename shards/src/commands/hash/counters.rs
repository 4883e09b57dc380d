//! HINCRBY, HINCRBYFLOAT: values as numbers.
//!
//! The expiry of the field stays. Fractions are propagated as their result, for another machine might round
//! differently; so are integers when fields of the hash expire, for whoever replays it may see a field that is over here.

use super::value::{HEXPIRED, bounds, hash_at, hash_mut};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, ShardRun, category, flag, key};
use crate::commands::string::float::NOT_FINITE;
use crate::effects::{Event, EventClass};
use crate::error::{CommandError, NOT_A_FLOAT};
use crate::exec::Exec;
use crate::keyspace::{EntryMut, Ttl};
use crate::stdx::long_double::LongDouble;
use crate::stdx::number::{parse_i64, write_i64};
use crate::types::hash::{Expiry, Hash, Text, Was};
use crate::types::{Object, tag};

const HINCRBY_EVENT: Event = Event::new(EventClass::Hash, "hincrby");
const HINCRBYFLOAT_EVENT: Event = Event::new(EventClass::Hash, "hincrbyfloat");
const NOT_AN_INTEGER: CommandError = CommandError::Static("ERR hash value is not an integer");
const VALUE_NOT_A_FLOAT: CommandError = CommandError::Static("ERR hash value is not a float");
const OVERFLOW: CommandError = CommandError::Static("ERR increment or decrement would overflow");
const INFINITE: CommandError = CommandError::Static("ERR value is NaN or Infinity");

const KEYS: &[KeySpec] = &[KeySpec::one(1, key::RW | key::ACCESS | key::UPDATE)];

const fn counter_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: 4,
        group: Group::Hash,
        complexity: "O(1)",
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        acl: category::HASH,
        keys: KEYS,
        ..Command::new(name, run)
    }
}

/// HINCRBY key field increment
pub const HINCRBY: Command = Command {
    since: "2.0.0",
    summary: "Adds to the integer in a field; a missing field counts as 0.",
    args: &[
        Arg::key("key"),
        Arg::new("field", ArgKind::String),
        Arg::new("increment", ArgKind::Integer),
    ],
    ..counter_row("hincrby", hincrby)
};

fn hincrby(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let delta = x.int(3)?;
    let old = Old::find(x)?;
    let value = match &old.value {
        None => 0,
        Some(text) => parse_i64(text).ok_or(NOT_AN_INTEGER)?,
    };
    let new = value.checked_add(delta).ok_or(OVERFLOW)?;
    let mut text = Vec::with_capacity(20);
    write_i64(&mut text, new);
    old.replace(x, &text, HINCRBY_EVENT);
    if old.timed {
        old.propagate(x, &text);
    }
    x.reply.int(new);
    Ok(())
}

/// HINCRBYFLOAT key field increment
pub const HINCRBYFLOAT: Command = Command {
    since: "2.6.0",
    summary: "Adds to the decimal fraction in a field; a missing field counts as 0.",
    args: &[
        Arg::key("key"),
        Arg::new("field", ArgKind::String),
        Arg::new("increment", ArgKind::Double),
    ],
    ..counter_row("hincrbyfloat", hincrbyfloat)
};

fn hincrbyfloat(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let delta = LongDouble::parse(x.argv.get(3)).ok_or(NOT_A_FLOAT)?;
    if delta.is_infinite() {
        return Err(INFINITE);
    }
    let old = Old::find(x)?;
    let value = match &old.value {
        None => LongDouble::from_i64(0),
        Some(text) => LongDouble::parse(text).ok_or(VALUE_NOT_A_FLOAT)?,
    };
    let mut text = Vec::new();
    value.checked_add(delta).ok_or(NOT_FINITE)?.write_human(&mut text);
    old.replace(x, &text, HINCRBYFLOAT_EVENT);
    old.propagate(x, &text);
    x.reply.bulk(&text);
    Ok(())
}

/// The field before the call.
struct Old {
    value: Option<Vec<u8>>,
    expire_at: Option<i64>,
    /// Fields of the hash expire.
    timed: bool,
}

impl Old {
    fn find(x: &mut Exec<'_>) -> Result<Old, CommandError> {
        let hidden = x.ks.hidden();
        let entry = x.ks.entry_mut(x.db, x.argv.get(1));
        let hash = hash_at(&entry)?;
        let field = hash.and_then(|hash| hash.get(x.argv.get(2), hidden));
        let text = |text: Text<'_>| text.bytes(&mut [0; 20]).to_vec();
        Ok(Old {
            value: field.map(|field| text(field.value)),
            expire_at: field.and_then(|field| field.expire_at),
            timed: hash.is_some_and(|hash| hash.timed_len() > 0),
        })
    }

    fn replace(&self, x: &mut Exec<'_>, value: &[u8], event: Event) {
        let (gone, bounds) = (x.ks.fields_over(), bounds(x.env));
        let expiry = self.expire_at.map_or(Expiry::Clear, Expiry::At);
        let name = x.arg(2);
        let mut entry: EntryMut<'_> = x.ks.entry_mut(x.db, x.argv.get(1));
        if let Some(hash) = hash_mut(&mut entry) {
            let was = hash.set(name, value, expiry, gone, &bounds);
            entry.fields_over(usize::from(was == Was::Over), HEXPIRED);
            entry.touched(event, 1);
            entry.track_fields();
        } else {
            let mut hash = Hash::default();
            hash.set(name, value, expiry, gone, &bounds);
            entry.set_object(Box::new(Object::Hash(hash)), tag::HASH, Ttl::Clear, event);
        }
    }

    /// As the setting of the result.
    fn propagate(&self, x: &mut Exec<'_>, value: &[u8]) {
        let (key, name) = (x.arg(1), x.arg(2));
        match self.expire_at {
            None => x.propagate_as(&[b"HSET", key, name, value]),
            Some(at) => {
                let mut time = Vec::with_capacity(20);
                write_i64(&mut time, at);
                x.propagate_as(&[b"HSETEX", key, b"PXAT", &time, b"FIELDS", b"1", name, value]);
            }
        }
    }
}
