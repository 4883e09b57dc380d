//! LPOP, RPOP and LMPOP: elements taken from an end.

use super::value::{end_arg, entry_list, int_from, push_name, reply_element, reply_end, side, take};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, MUST_BE_POSITIVE, SYNTAX};
use crate::exec::Exec;
use crate::stdx::number::fill_i64;
use crate::types::list::End;

const NUMKEYS: CommandError = CommandError::Static("ERR numkeys should be greater than 0");
const COUNT: CommandError = CommandError::Static("ERR count should be greater than 0");

/// LPOP key [count]
pub const LPOP: Command = Command {
    arity: -2,
    group: Group::List,
    since: "1.0.0",
    summary: "Takes elements from the beginning of a list and returns them.",
    complexity: "O(N) where N is the number of elements returned.",
    history: &[("6.2.0", "Added the `count` argument.")],
    flags: flag::WRITE | flag::FAST,
    acl: category::LIST,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::DELETE)],
    args: &[Arg::key("key"), Arg::new("count", ArgKind::Integer).opt().since("6.2.0")],
    ..Command::new("lpop", lpop)
};

/// RPOP key [count]
pub const RPOP: Command = Command {
    name: "rpop",
    summary: "Takes elements from the end of a list and returns them, the last one first.",
    run: rpop,
    ..LPOP
};

fn lpop(x: &mut Exec<'_>) -> Result<(), CommandError> {
    pop(x, End::Left, "lpop")
}

fn rpop(x: &mut Exec<'_>) -> Result<(), CommandError> {
    pop(x, End::Right, "rpop")
}

fn pop(x: &mut Exec<'_>, end: End, name: &str) -> Result<(), CommandError> {
    match x.argc() {
        2 => pop_one(x, end),
        3 => pop_some(x, end),
        _ => Err(CommandError::arity(name)),
    }
}

fn pop_one(x: &mut Exec<'_>, end: End) -> Result<(), CommandError> {
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    match entry_list(&entry)? {
        None => x.reply.null(),
        Some(list) => {
            reply_element(&mut x.reply, list.peek(end).expect("a list at a key is not empty"));
            take(&mut entry, end, 1, x.env.limits.list);
        }
    }
    Ok(())
}

fn pop_some(x: &mut Exec<'_>, end: End) -> Result<(), CommandError> {
    let count = int_from(x.arg(2), 0, MUST_BE_POSITIVE)? as usize;
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    match entry_list(&entry)? {
        None => x.reply.null_array(),
        Some(_) if count == 0 => x.reply.array(0),
        Some(list) => {
            let count = count.min(list.len());
            reply_end(&mut x.reply, list, end, count);
            take(&mut entry, end, count, x.env.limits.list);
        }
    }
    Ok(())
}

/// LMPOP numkeys key [key ...] LEFT | RIGHT [COUNT count]
pub const LMPOP: Command = Command {
    arity: -4,
    group: Group::List,
    since: "7.0.0",
    summary: "Takes elements from an end of the first of several lists that is there, and returns them with its key.",
    complexity: "O(N+M) where N is the number of keys and M the number of elements returned.",
    flags: flag::WRITE | flag::MOVABLE_KEYS,
    acl: category::LIST,
    keys: &[KeySpec::counted(1, key::RW | key::ACCESS | key::DELETE)],
    args: &[
        Arg::new("numkeys", ArgKind::Integer),
        Arg::key("key").many(),
        side("where"),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
    ],
    ..Command::new("lmpop", lmpop)
};

fn lmpop(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let MultiPop { keys, end, count } = multi_pop(x, 1)?;
    for i in keys {
        if pop_from(x, i, end, count)? {
            return Ok(());
        }
    }
    x.reply.null_array();
    Ok(())
}

/// What LMPOP and BLMPOP are asked for.
pub(super) struct MultiPop {
    /// The arguments that are keys.
    pub(super) keys: std::ops::Range<usize>,
    /// Where to pop.
    pub(super) end: End,
    /// How many, at most.
    pub(super) count: usize,
}

/// Reads `numkeys key [key ...] LEFT | RIGHT [COUNT count]` from argument `at` on.
pub(super) fn multi_pop(x: &Exec<'_>, at: usize) -> Result<MultiPop, CommandError> {
    let numkeys = int_from(x.arg(at), 1, NUMKEYS)?;
    let first = at + 1;
    let keys_end = usize::try_from(numkeys).ok().and_then(|n| n.checked_add(first)).filter(|at| *at < x.argc()).ok_or(SYNTAX)?;
    let end = end_arg(x, keys_end)?;
    let count = match x.argc() - keys_end - 1 {
        0 => 1,
        n if n < 2 || !x.arg_is(keys_end + 1, "COUNT") => return Err(SYNTAX),
        n => {
            let count = int_from(x.arg(keys_end + 2), 1, COUNT)?;
            if n > 2 {
                return Err(SYNTAX);
            }
            count as usize
        }
    };
    Ok(MultiPop { keys: first..keys_end, end, count })
}

/// Pops from the list at one key of LMPOP, if there is one.
pub(super) fn pop_from(x: &mut Exec<'_>, i: usize, end: End, count: usize) -> Result<bool, CommandError> {
    let key = x.arg(i);
    let mut entry = x.ks.entry_mut(x.db, key);
    let Some(list) = entry_list(&entry)? else { return Ok(false) };
    let count = count.min(list.len());
    x.reply.array(2);
    x.reply.bulk(key);
    reply_end(&mut x.reply, list, end, count);
    let mut taken = Vec::new();
    if x.env.may_block {
        let (from, back) = if end == End::Left { (count - 1, true) } else { (list.len() - count, false) };
        list.range(from, count, back, |element| taken.push(element.to_vec()));
    }
    let expire_at = entry.expire_at().filter(|_| count == list.len());
    take(&mut entry, end, count, x.env.limits.list);
    if !taken.is_empty() {
        // The last one taken is pushed first.
        let argv: Vec<&[u8]> = [push_name(end), key].into_iter().chain(taken.iter().map(Vec::as_slice)).collect();
        x.put_back_by(&argv);
        x.put_back_expiry(key, expire_at);
    }
    let mut digits = [0; 20];
    let start = fill_i64(&mut digits, count as i64);
    x.propagate_as(&[if end == End::Left { b"LPOP" } else { b"RPOP" }, key, &digits[start..]]);
    Ok(true)
}
