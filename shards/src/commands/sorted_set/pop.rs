//! ZPOPMIN, ZPOPMAX, ZMPOP: the members at an end of a sorted set are told and removed.
//!
//! ZMPOP is propagated as the ZPOPMIN or ZPOPMAX of the key it found.

use super::value::{event, to_change};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, MUST_BE_POSITIVE, SYNTAX};
use crate::exec::Exec;
use crate::reply::Resp;
use crate::stdx::number::parse_i64;

const KEY: u32 = key::RW | key::ACCESS | key::DELETE;
const POP_ARGS: &[Arg] = &[Arg::key("key"), Arg::new("count", ArgKind::Integer).opt()];
const POP_COST: &str = "O(log(N)*M) with N elements in the set and M of them popped.";

/// ZPOPMIN key [count]
pub const ZPOPMIN: Command = Command {
    arity: -2,
    group: Group::SortedSet,
    since: "5.0.0",
    summary: "Removes the members with the lowest scores and tells them.",
    complexity: POP_COST,
    flags: flag::WRITE | flag::FAST,
    acl: category::SORTEDSET,
    keys: &[KeySpec::one(1, KEY)],
    args: POP_ARGS,
    ..Command::new("zpopmin", |x| zpop(x, End::Min))
};

/// ZPOPMAX key [count]
pub const ZPOPMAX: Command = Command {
    arity: -2,
    group: Group::SortedSet,
    since: "5.0.0",
    summary: "Removes the members with the highest scores and tells them.",
    complexity: POP_COST,
    flags: flag::WRITE | flag::FAST,
    acl: category::SORTEDSET,
    keys: &[KeySpec::one(1, KEY)],
    args: POP_ARGS,
    ..Command::new("zpopmax", |x| zpop(x, End::Max))
};

/// ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]
pub const ZMPOP: Command = Command {
    arity: -4,
    group: Group::SortedSet,
    since: "7.0.0",
    summary: "Removes members at an end of the first of several sorted sets that is there, and tells them.",
    complexity: "O(K) + O(M*log(N)) with K keys, N elements in the set and M of them popped.",
    flags: flag::WRITE | flag::MOVABLE_KEYS,
    acl: category::SORTEDSET,
    keys: &[KeySpec::counted(1, KEY)],
    args: &[
        Arg::new("numkeys", ArgKind::Integer),
        Arg::key("key").many(),
        Arg::one_of("where", &[Arg::token("min", "MIN"), Arg::token("max", "MAX")]),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
    ],
    ..Command::new("zmpop", zmpop)
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

fn zpop(x: &mut Exec<'_>, end: End) -> Result<(), CommandError> {
    if x.argc() > 3 {
        return Err(SYNTAX);
    }
    let count = match x.argc() {
        3 => parse_i64(x.arg(2)).and_then(|n| usize::try_from(n).ok()).ok_or(MUST_BE_POSITIVE)?,
        _ => 1,
    };
    let pairs = x.argc() == 3 && x.reply.resp() == Resp::V3;
    if pop(x, 1, end, count, if pairs { Form::Pairs } else { Form::Flat })?.is_none() {
        x.reply.array(0);
    }
    Ok(())
}

fn zmpop(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let numkeys = at_least_one(x.arg(1), "ERR numkeys should be greater than 0")?;
    let word = numkeys.saturating_add(2);
    if word >= x.argc() {
        return Err(SYNTAX);
    }
    let end = match () {
        () if x.arg_is(word, "min") => End::Min,
        () if x.arg_is(word, "max") => End::Max,
        () => return Err(SYNTAX),
    };
    let count = match x.argc() - word {
        1 => 1,
        3.. if x.arg_is(word + 1, "count") => {
            at_least_one(x.arg(word + 2), "ERR count should be greater than 0")?
        }
        _ => return Err(SYNTAX),
    };
    if x.argc() - word > 3 {
        return Err(SYNTAX);
    }
    for i in 2..word {
        if let Some(popped) = pop(x, i, end, count, Form::KeyAndPairs)? {
            let name: &[u8] = if end == End::Min { b"ZPOPMIN" } else { b"ZPOPMAX" };
            let key = x.arg(i);
            x.propagate_as(&[name, key, popped.to_string().as_bytes()]);
            return Ok(());
        }
    }
    x.reply.null_array();
    Ok(())
}

fn at_least_one(text: &[u8], error: &'static str) -> Result<usize, CommandError> {
    let number = parse_i64(text).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    number.ok_or(CommandError::Static(error))
}

/// How the elements are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Members and scores in one list.
    Flat,
    /// A list of pairs.
    Pairs,
    /// The key, then a list of pairs.
    KeyAndPairs,
}

/// Pops up to `count` elements of the set at argument `key_at` and answers them; how many, or `None` (and no answer) if
/// there is no set.
fn pop(x: &mut Exec<'_>, key_at: usize, end: End, count: usize, form: Form) -> Result<Option<usize>, CommandError> {
    let key = x.argv.get(key_at);
    let mut entry = x.ks.entry_mut(x.db, key);
    let Some(set) = to_change(&mut entry)? else { return Ok(None) };
    let len = set.len();
    let count = count.min(len);
    let reply = &mut x.reply;
    if form == Form::KeyAndPairs {
        reply.array(2);
        reply.bulk(key);
    }
    reply.array(if form == Form::Flat { 2 * count } else { count });
    if count == 0 {
        return Ok(Some(0));
    }
    let start = if end == End::Min { 0 } else { len - 1 };
    let mut rest = count;
    set.walk(start, end == End::Max, &mut |member, score| {
        if form == Form::Flat {
            reply.bulk(member);
            reply.double(score);
        } else {
            reply.array(2);
            reply.bulk(member);
            reply.double(score);
        }
        rest -= 1;
        rest > 0
    });
    // A set that goes as a whole is not taken apart here: its memory comes back in slices.
    if count < len {
        set.remove_ranks(if end == End::Min { 0..count } else { len - count..len });
    }
    entry.touched(event(if end == End::Min { "zpopmin" } else { "zpopmax" }), count);
    if count == len {
        entry.remove_emptied();
    }
    Ok(Some(count))
}
