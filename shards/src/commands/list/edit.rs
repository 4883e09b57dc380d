//! LSET, LINSERT, LREM and LTRIM: changes that are not at an end.

use super::value::{clamp, edit_list, entry_list, negatable, place};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::{CommandError, INDEX_OUT_OF_RANGE, NO_SUCH_KEY, SYNTAX};
use crate::exec::Exec;
use crate::types::listpack::Needle;

const SET: Event = Event::new(EventClass::List, "lset");
const INSERTED: Event = Event::new(EventClass::List, "linsert");
const REMOVED: Event = Event::new(EventClass::List, "lrem");
const TRIMMED: Event = Event::new(EventClass::List, "ltrim");

/// LSET key index element
pub const LSET: Command = Command {
    arity: 4,
    group: Group::List,
    since: "1.0.0",
    summary: "Replaces one element of a list; a negative position counts from its end.",
    complexity: "O(N) where N is how far the element is from the nearer end, counted in nodes.",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::LIST,
    keys: &[KeySpec::one(1, key::RW | key::UPDATE)],
    args: &[Arg::key("key"), Arg::new("index", ArgKind::Integer), Arg::new("element", ArgKind::String)],
    ..Command::new("lset", lset)
};

fn lset(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let index = x.int(2);
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let len = entry_list(&entry)?.ok_or(NO_SUCH_KEY)?.len();
    let place = place(index?, len).ok_or(INDEX_OUT_OF_RANGE)?;
    edit_list(&mut entry, SET).replace(place, x.argv.get(3), x.env.limits.list);
    x.reply.ok();
    Ok(())
}

/// LINSERT key BEFORE | AFTER pivot element
pub const LINSERT: Command = Command {
    arity: 5,
    group: Group::List,
    since: "2.2.0",
    summary: "Inserts an element before or after the first one of a list that is equal to another.",
    complexity: "O(N) where N is the number of elements before that one.",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::LIST,
    keys: &[KeySpec::one(1, key::RW | key::INSERT)],
    args: &[
        Arg::key("key"),
        Arg::one_of("where", &[Arg::token("before", "BEFORE"), Arg::token("after", "AFTER")]),
        Arg::new("pivot", ArgKind::String),
        Arg::new("element", ArgKind::String),
    ],
    ..Command::new("linsert", linsert)
};

fn linsert(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let after = x.arg_is(2, "AFTER");
    if !after && !x.arg_is(2, "BEFORE") {
        return Err(SYNTAX);
    }
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let Some(list) = entry_list(&entry)? else {
        x.reply.int(0);
        return Ok(());
    };
    let Some(index) = list.find(&Needle::new(x.argv.get(3))) else {
        x.reply.int(-1);
        return Ok(());
    };
    let list = edit_list(&mut entry, INSERTED);
    list.insert(index, after, x.argv.get(4), x.env.limits.list);
    x.reply.count(list.len());
    Ok(())
}

/// LREM key count element
pub const LREM: Command = Command {
    arity: 4,
    group: Group::List,
    since: "1.0.0",
    summary: "Removes elements equal to one from a list: that many from its beginning, from its end if negative, all if 0.",
    complexity: "O(N) where N is the length of the list.",
    flags: flag::WRITE,
    acl: category::LIST,
    keys: &[KeySpec::one(1, key::RW | key::DELETE)],
    args: &[Arg::key("key"), Arg::new("count", ArgKind::Integer), Arg::new("element", ArgKind::String)],
    ..Command::new("lrem", lrem)
};

fn lrem(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let count = negatable(x.arg(2))?;
    let needle = Needle::new(x.argv.get(3));
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let there = entry_list(&entry)?.is_some_and(|list| list.find(&needle).is_some());
    if !there {
        x.reply.int(0);
        return Ok(());
    }
    let limit = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let list = edit_list(&mut entry, REMOVED);
    let removed = list.remove_matches(&needle, limit, count < 0);
    assert!(removed > 0, "one was found");
    list.shrink(x.env.limits.list);
    let emptied = list.is_empty();
    entry.count_more(removed - 1);
    if emptied {
        entry.remove_emptied();
    }
    x.reply.count(removed);
    Ok(())
}

/// LTRIM key start stop
pub const LTRIM: Command = Command {
    arity: 4,
    group: Group::List,
    since: "1.0.0",
    summary: "Keeps only part of a list, both ends included; negative positions count from its end.",
    complexity: "O(N) where N is the number of elements removed.",
    flags: flag::WRITE,
    acl: category::LIST,
    keys: &[KeySpec::one(1, key::RW | key::DELETE)],
    args: &[Arg::key("key"), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)],
    ..Command::new("ltrim", ltrim)
};

fn ltrim(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (start, stop) = (x.int(2)?, x.int(3)?);
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    x.reply.ok();
    let Some(len) = entry_list(&entry)?.map(|list| list.len()) else { return Ok(()) };
    let (from, kept) = clamp(start, stop, len);
    if kept == len {
        // Nothing changes, but those who listen hear of it.
        entry.also(TRIMMED);
        return Ok(());
    }
    let list = edit_list(&mut entry, TRIMMED);
    if kept > 0 {
        list.remove_range(from + kept, len - from - kept);
        list.remove_range(0, from);
        list.shrink(x.env.limits.list);
    }
    entry.count_more(len - kept - 1);
    if kept == 0 {
        entry.remove_emptied();
    }
    Ok(())
}
