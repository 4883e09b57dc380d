//! LLEN, LRANGE and LINDEX: what a list holds.

use super::value::{clamp, found_list, place, reply_element};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::CommandError;
use crate::exec::Exec;

/// LLEN key
pub const LLEN: Command = Command {
    arity: 2,
    group: Group::List,
    since: "1.0.0",
    summary: "Returns the number of elements of a list.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::FAST,
    acl: category::LIST,
    keys: &[KeySpec::one(1, key::RO)],
    args: &[Arg::key("key")],
    ..Command::new("llen", llen)
};

fn llen(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let found = x.ks.read(x.db, x.argv.get(1));
    x.reply.count(found_list(&found)?.map_or(0, |list| list.len()));
    Ok(())
}

/// LRANGE key start stop
pub const LRANGE: Command = Command {
    arity: 4,
    group: Group::List,
    since: "1.0.0",
    summary: "Returns part of a list, both ends included; negative positions count from its end.",
    complexity: "O(S+N) where S is how far the range is from the nearer end, counted in nodes, and N its length.",
    flags: flag::READONLY,
    acl: category::LIST,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key"), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)],
    ..Command::new("lrange", lrange)
};

fn lrange(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (start, stop) = (x.int(2)?, x.int(3)?);
    let found = x.ks.read(x.db, x.argv.get(1));
    let Some(list) = found_list(&found)? else {
        x.reply.array(0);
        return Ok(());
    };
    let (from, count) = clamp(start, stop, list.len());
    x.reply.array(count);
    list.range(from, count, false, |element| reply_element(&mut x.reply, element));
    Ok(())
}

/// LINDEX key index
pub const LINDEX: Command = Command {
    arity: 3,
    group: Group::List,
    since: "1.0.0",
    summary: "Returns one element of a list; a negative position counts from its end.",
    complexity: "O(N) where N is how far the element is from the nearer end, counted in nodes.",
    flags: flag::READONLY,
    acl: category::LIST,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key"), Arg::new("index", ArgKind::Integer)],
    ..Command::new("lindex", lindex)
};

fn lindex(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let index = x.int(2);
    let found = x.ks.read(x.db, x.argv.get(1));
    // Where there is no list, nobody asks whether the index is a number.
    let Some(list) = found_list(&found)? else {
        x.reply.null();
        return Ok(());
    };
    match place(index?, list.len()) {
        None => x.reply.null(),
        Some(place) => list.range(place, 1, false, |element| reply_element(&mut x.reply, element)),
    }
    Ok(())
}
