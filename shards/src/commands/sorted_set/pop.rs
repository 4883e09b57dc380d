//! ZPOPMIN, ZPOPMAX, ZMPOP: the members at an end of a sorted set are told and removed.
//!
//! ZMPOP is propagated as the ZPOPMIN or ZPOPMAX of the key it found.

use super::value::{event, to_change};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, MUST_BE_POSITIVE, SYNTAX};
use crate::exec::Exec;
use crate::reply::Resp;
use crate::stdx::number::{parse_i64, write_f64};
use std::ops::Range;

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
pub(super) enum End {
    Min,
    Max,
}

impl End {
    /// The command that pops there.
    pub(super) fn pop_name(self) -> &'static [u8] {
        if self == End::Min { b"ZPOPMIN" } else { b"ZPOPMAX" }
    }
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
    let words = multi_pop(x, 1)?;
    for i in words.keys.clone() {
        if pop_from(x, i, &words)? {
            return Ok(());
        }
    }
    x.reply.null_array();
    Ok(())
}

/// What ZMPOP and BZMPOP are asked for.
pub(super) struct MultiPop {
    /// The arguments that are keys.
    pub(super) keys: Range<usize>,
    end: End,
    count: usize,
}

/// Reads `numkeys key [key ...] MIN | MAX [COUNT count]` from argument `at` on.
pub(super) fn multi_pop(x: &Exec<'_>, at: usize) -> Result<MultiPop, CommandError> {
    let numkeys = at_least_one(x.arg(at), "ERR numkeys should be greater than 0")?;
    let word = numkeys.saturating_add(at + 1);
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
    Ok(MultiPop { keys: at + 1..word, end, count })
}

/// Pops from the sorted set at argument `i`, if there is one.
pub(super) fn pop_from(x: &mut Exec<'_>, i: usize, words: &MultiPop) -> Result<bool, CommandError> {
    let Some(popped) = pop(x, i, words.end, words.count, Form::KeyAndPairs)? else { return Ok(false) };
    let key = x.arg(i);
    x.propagate_as(&[words.end.pop_name(), key, popped.to_string().as_bytes()]);
    Ok(true)
}

fn at_least_one(text: &[u8], error: &'static str) -> Result<usize, CommandError> {
    let number = parse_i64(text).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    number.ok_or(CommandError::Static(error))
}

/// How the elements are told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Members and scores in one list.
    Flat,
    /// The key, then members and scores in the same list.
    FlatWithKey,
    /// A list of pairs.
    Pairs,
    /// The key, then a list of pairs.
    KeyAndPairs,
}

/// Pops up to `count` elements of the set at argument `key_at` and answers them; how many, or `None` (and no answer) if
/// there is no set.
pub(super) fn pop(x: &mut Exec<'_>, key_at: usize, end: End, count: usize, form: Form) -> Result<Option<usize>, CommandError> {
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
    let flat = matches!(form, Form::Flat | Form::FlatWithKey);
    reply.array(usize::from(form == Form::FlatWithKey) + if flat { 2 * count } else { count });
    if form == Form::FlatWithKey {
        reply.bulk(key);
    }
    if count == 0 {
        return Ok(Some(0));
    }
    let start = if end == End::Min { 0 } else { len - 1 };
    let mut rest = count;
    let (may_block, mut taken) = (x.env.may_block, Vec::new());
    set.walk(start, end == End::Max, &mut |member, score| {
        if !flat {
            reply.array(2);
        }
        reply.bulk(member);
        reply.double(score);
        if may_block {
            let mut text = Vec::new();
            write_f64(&mut text, score);
            taken.extend([text, member.to_vec()]);
        }
        rest -= 1;
        rest > 0
    });
    // A set that goes as a whole is not taken apart here: its memory comes back in slices.
    if count < len {
        set.remove_ranks(if end == End::Min { 0..count } else { len - count..len });
    }
    let expire_at = entry.expire_at().filter(|_| count == len);
    entry.touched(event(if end == End::Min { "zpopmin" } else { "zpopmax" }), count);
    if count == len {
        entry.remove_emptied();
    }
    if may_block {
        // Who has come back by itself meanwhile keeps its new score.
        let argv: Vec<&[u8]> = [&b"ZADD"[..], key, b"NX"].into_iter().chain(taken.iter().map(Vec::as_slice)).collect();
        x.put_back_by(&argv);
        x.put_back_expiry(key, expire_at);
    }
    Ok(Some(count))
}
