//! GETEX, GETDEL and GETSET: reads that change something on the way.
//!
//! None of them is propagated as it came: what counts is what they did to the key.

use super::options::{self, GETEX_WORDS, Options, TimeText};
use super::value::reply_text;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::Event;
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::Ttl;

/// GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]
pub const GETEX: Command = Command {
    arity: -2,
    group: Group::String,
    since: "6.2.0",
    summary: "Returns the string at a key and sets or removes its time to live.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::FAST,
    acl: category::STRING,
    keys: &[KeySpec {
        notes: "RW and UPDATE because it changes the TTL",
        ..KeySpec::one(1, key::RW | key::ACCESS | key::UPDATE)
    }],
    args: &[
        Arg::key("key"),
        Arg::one_of(
            "expiration",
            &[
                Arg::new("seconds", ArgKind::Integer).after("EX"),
                Arg::new("milliseconds", ArgKind::Integer).after("PX"),
                Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT"),
                Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT"),
                Arg::token("persist", "PERSIST"),
            ],
        )
        .opt(),
    ],
    ..Command::new("getex", getex)
};

fn getex(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let key = x.arg(1);
    let options = Options::parse(x.argv, 2, GETEX_WORDS)?;
    let deadline = options.deadline(x.now_ms(), "getex")?;
    if !reply_old(x)? {
        return Ok(());
    }
    let over = deadline.is_some_and(|at| x.ks.is_over(at));
    let mut entry = x.ks.entry_mut(x.db, key);
    if over {
        entry.remove_expired();
        x.propagate_as(&[b"UNLINK", key]);
    } else if let Some(at) = deadline {
        entry.expire(at, Event::EXPIRE);
        x.propagate_as(&[b"PEXPIREAT", key, TimeText::new(at).bytes()]);
    } else if options.has(options::PERSIST) && entry.persist(Event::PERSIST) {
        x.propagate_as(&[b"PERSIST", key]);
    }
    Ok(())
}

/// Answers with the string at the first argument; true if there is one.
fn reply_old(x: &mut Exec<'_>) -> Result<bool, CommandError> {
    let old = x.ks.read(x.db, x.argv.get(1)).map(|found| found.value());
    let exists = old.is_some();
    reply_text(&mut x.reply, old)?;
    Ok(exists)
}

/// GETDEL key
pub const GETDEL: Command = Command {
    arity: 2,
    group: Group::String,
    since: "6.2.0",
    summary: "Returns the string at a key and deletes the key.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::FAST,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::DELETE)],
    args: &[Arg::key("key")],
    ..Command::new("getdel", getdel)
};

fn getdel(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let key = x.arg(1);
    if reply_old(x)? && x.entry(key).remove(Event::DEL) {
        x.propagate_as(&[b"DEL", key]);
    }
    Ok(())
}

/// GETSET key value
pub const GETSET: Command = Command {
    arity: 3,
    group: Group::String,
    since: "1.0.0",
    summary: "Stores a string at a key and returns the one that was there.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::UPDATE)],
    args: &[Arg::key("key"), Arg::new("value", ArgKind::String)],
    ..Command::new("getset", getset)
};

fn getset(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (key, value) = (x.arg(1), x.arg(2));
    reply_old(x)?;
    x.entry(key).set(value, Ttl::Clear, Event::SET);
    x.propagate_as(&[b"SET", key, value]);
    Ok(())
}
