//! XLEN, XRANGE and XREVRANGE: entries by their place.

use super::access::stream;
use super::entries::reply_entries;
use super::ids;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;

/// XLEN key
pub const XLEN: Command = Command {
    arity: 2,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Counts the entries of a stream.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::FAST,
    acl: category::STREAM,
    keys: &[KeySpec::one(1, key::RO)],
    args: &[Arg::key("key")],
    ..Command::new("xlen", xlen)
};

fn xlen(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let found = stream(x.ks.read(x.db, x.argv.get(1)).map(|found| found.value()))?;
    x.reply.count(found.map_or(0, |stream| stream.log.len()) as usize);
    Ok(())
}

/// XRANGE key start end [COUNT count]
pub const XRANGE: Command = Command {
    arity: -4,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Returns the entries of a stream from one id to another.",
    complexity: "O(N) where N is the number of entries returned; O(1) if COUNT keeps that constant.",
    history: &[("6.2.0", "Added exclusive ranges.")],
    flags: flag::READONLY,
    acl: category::STREAM,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[
        Arg::key("key"),
        Arg::new("start", ArgKind::String),
        Arg::new("end", ArgKind::String),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
    ],
    ..Command::new("xrange", |x| range(x, false))
};

/// XREVRANGE key end start [COUNT count]
pub const XREVRANGE: Command = Command {
    summary: "Returns the entries of a stream from one id back to another.",
    args: &[
        Arg::key("key"),
        Arg::new("end", ArgKind::String),
        Arg::new("start", ArgKind::String),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
    ],
    name: "xrevrange",
    run: |x| range(x, true),
    ..XRANGE
};

fn range(x: &mut Exec<'_>, backwards: bool) -> Result<(), CommandError> {
    let (start_at, end_at) = if backwards { (3, 2) } else { (2, 3) };
    let (start, end) = (ids::range_start(x.arg(start_at))?, ids::range_end(x.arg(end_at))?);
    let mut count = None;
    let mut i = 4;
    while i < x.argc() {
        if i + 1 == x.argc() || !x.arg_is(i, "count") {
            return Err(SYNTAX);
        }
        count = Some(x.int(i + 1)?.max(0) as usize);
        i += 2;
    }
    let Some(found) = stream(x.ks.read(x.db, x.argv.get(1)).map(|found| found.value()))? else {
        x.reply.array(0);
        return Ok(());
    };
    if count == Some(0) {
        x.reply.null_array();
        return Ok(());
    }
    let (entries, count) = (found.log.range(start, end), count.unwrap_or(0));
    if backwards {
        reply_entries(&mut x.reply, entries.rev(), count);
    } else {
        reply_entries(&mut x.reply, entries, count);
    }
    Ok(())
}
