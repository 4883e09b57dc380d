//! BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH: as their namesakes, but where there is no element they wait for one.
//!
//! A call that waits is run again when one of its keys has changed; it then looks at its keys in the order the client
//! named them, as at first.

use super::moves::{DESTINATION, KEYS, move_element};
use super::pop::{MultiPop, multi_pop, pop_from};
use super::value::{end_arg, entry_list, push_name, reply_element, side, take};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::commands::timeout::deadline_ms;
use crate::error::CommandError;
use crate::exec::Exec;
use crate::types::list::End;

const TIMEOUT: Arg = Arg::new("timeout", ArgKind::Double);
const TIMEOUT_HISTORY: &[(&str, &str)] = &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")];

/// BLPOP key [key ...] timeout
pub const BLPOP: Command = Command {
    arity: -3,
    group: Group::List,
    since: "2.0.0",
    summary: "Takes the first element of the first of several lists that has one, or waits for one.",
    complexity: "O(N) where N is the number of provided keys.",
    history: TIMEOUT_HISTORY,
    flags: flag::WRITE | flag::BLOCKING,
    acl: category::LIST,
    keys: &[KeySpec::range(1, -2, 1, key::RW | key::ACCESS | key::DELETE)],
    args: &[Arg::key("key").many(), TIMEOUT],
    ..Command::new("blpop", blpop)
};

/// BRPOP key [key ...] timeout
pub const BRPOP: Command = Command {
    name: "brpop",
    summary: "Takes the last element of the first of several lists that has one, or waits for one.",
    run: brpop,
    ..BLPOP
};

/// BLMPOP timeout numkeys key [key ...] LEFT | RIGHT [COUNT count]
pub const BLMPOP: Command = Command {
    arity: -5,
    group: Group::List,
    since: "7.0.0",
    summary: "Takes elements from an end of the first of several lists that has some, or waits for one.",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    flags: flag::WRITE | flag::BLOCKING | flag::MOVABLE_KEYS,
    acl: category::LIST,
    keys: &[KeySpec::counted(2, key::RW | key::ACCESS | key::DELETE)],
    args: &[
        TIMEOUT,
        Arg::new("numkeys", ArgKind::Integer),
        Arg::key("key").many(),
        side("where"),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
    ],
    ..Command::new("blmpop", blmpop)
};

/// BLMOVE source destination LEFT | RIGHT LEFT | RIGHT timeout
pub const BLMOVE: Command = Command {
    arity: 6,
    group: Group::List,
    since: "6.2.0",
    summary: "Takes an element from an end of a list, or waits for one, adds it at an end of another, and returns it.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::DENYOOM | flag::BLOCKING,
    acl: category::LIST,
    keys: KEYS,
    args: &[Arg::key("source"), DESTINATION, side("wherefrom"), side("whereto"), TIMEOUT],
    ..Command::new("blmove", blmove)
};

/// BRPOPLPUSH source destination timeout
pub const BRPOPLPUSH: Command = Command {
    arity: 4,
    group: Group::List,
    since: "2.2.0",
    summary: "Takes the last element of a list, or waits for one, adds it at the beginning of another, and returns it.",
    complexity: "O(1)",
    history: TIMEOUT_HISTORY,
    flags: flag::WRITE | flag::DENYOOM | flag::BLOCKING,
    acl: category::LIST,
    keys: KEYS,
    args: &[Arg::key("source"), DESTINATION, TIMEOUT],
    ..Command::new("brpoplpush", brpoplpush)
};

fn blpop(x: &mut Exec<'_>) -> Result<(), CommandError> {
    pop_or_wait(x, End::Left)
}

fn brpop(x: &mut Exec<'_>) -> Result<(), CommandError> {
    pop_or_wait(x, End::Right)
}

fn pop_or_wait(x: &mut Exec<'_>, end: End) -> Result<(), CommandError> {
    let last = x.argc() - 1;
    let deadline_ms = deadline_ms(x, last)?;
    for i in 1..last {
        let key = x.arg(i);
        let mut entry = x.ks.entry_mut(x.db, key);
        let Some(list) = entry_list(&entry)? else { continue };
        x.reply.array(2);
        x.reply.bulk(key);
        let element = list.peek(end).expect("a list at a key is not empty");
        reply_element(&mut x.reply, element);
        let taken = x.env.may_block.then(|| element.to_vec());
        let expire_at = entry.expire_at().filter(|_| list.len() == 1);
        take(&mut entry, end, 1, x.env.limits.list);
        if let Some(taken) = taken {
            x.put_back_by(&[push_name(end), key, &taken]);
            x.put_back_expiry(key, expire_at);
        }
        x.propagate_as(&[if end == End::Left { b"LPOP" } else { b"RPOP" }, key]);
        return Ok(());
    }
    x.wait_for(1..last, deadline_ms);
    Ok(())
}

fn blmpop(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let MultiPop { keys, end, count } = multi_pop(x, 2)?;
    let deadline_ms = deadline_ms(x, 1)?;
    for i in keys.clone() {
        if pop_from(x, i, end, count)? {
            return Ok(());
        }
    }
    x.wait_for(keys, deadline_ms);
    Ok(())
}

fn blmove(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (from, to) = (end_arg(x, 3)?, end_arg(x, 4)?);
    let deadline_ms = deadline_ms(x, 5)?;
    let names = [b"LEFT".as_slice(), b"RIGHT"];
    let argv = [b"LMOVE".as_slice(), x.arg(1), x.arg(2), names[usize::from(from == End::Right)], names[usize::from(to == End::Right)]];
    move_or_wait(x, from, to, deadline_ms, &argv)
}

fn brpoplpush(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let deadline_ms = deadline_ms(x, 3)?;
    let argv = [b"RPOPLPUSH".as_slice(), x.arg(1), x.arg(2)];
    move_or_wait(x, End::Right, End::Left, deadline_ms, &argv)
}

fn move_or_wait(
    x: &mut Exec<'_>,
    from: End,
    to: End,
    deadline_ms: Option<i64>,
    propagated: &[&[u8]],
) -> Result<(), CommandError> {
    let there = entry_list(&x.ks.entry_mut(x.db, x.argv.get(1)))?.is_some();
    if there {
        move_element(x, from, to)?;
        x.propagate_as(propagated);
    } else if x.may_block() {
        x.wait_for(1..2, deadline_ms);
    } else {
        x.reply.null();
    }
    Ok(())
}
