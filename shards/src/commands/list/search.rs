//! LPOS: where an element is.

use super::value::{found_list, int_from, negatable};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;
use crate::types::list::List;
use crate::types::listpack::Needle;

const RANK_ZERO: CommandError = CommandError::Static(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from \
     the end of the list",
);
const COUNT_NEGATIVE: CommandError = CommandError::Static("ERR COUNT can't be negative");
const MAXLEN_NEGATIVE: CommandError = CommandError::Static("ERR MAXLEN can't be negative");

/// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
pub const LPOS: Command = Command {
    arity: -3,
    group: Group::List,
    since: "6.0.6",
    summary: "Returns where in a list an element is.",
    complexity: "O(N) where N is the number of elements looked at: all of the list, if MAXLEN does not say otherwise.",
    flags: flag::READONLY,
    acl: category::LIST,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[
        Arg::key("key"),
        Arg::new("element", ArgKind::String),
        Arg::new("rank", ArgKind::Integer).after("RANK").opt(),
        Arg::new("num-matches", ArgKind::Integer).after("COUNT").opt(),
        Arg::new("len", ArgKind::Integer).after("MAXLEN").opt(),
    ],
    ..Command::new("lpos", lpos)
};

/// What LPOS is asked for.
struct Search {
    /// Matches to pass by.
    skip: u64,
    /// From the end.
    back: bool,
    /// How many matches, all if 0; `None`: one, not as an array.
    count: Option<u64>,
    /// Elements to look at.
    look_max: u64,
}

fn search(x: &Exec<'_>) -> Result<Search, CommandError> {
    let (mut rank, mut count, mut maxlen) = (1, None, 0);
    for i in (3..x.argc()).step_by(2) {
        if i + 1 == x.argc() {
            return Err(SYNTAX);
        }
        let value = x.arg(i + 1);
        if x.arg_is(i, "RANK") {
            rank = negatable(value)?;
            if rank == 0 {
                return Err(RANK_ZERO);
            }
        } else if x.arg_is(i, "COUNT") {
            count = Some(int_from(value, 0, COUNT_NEGATIVE)? as u64);
        } else if x.arg_is(i, "MAXLEN") {
            maxlen = int_from(value, 0, MAXLEN_NEGATIVE)? as u64;
        } else {
            return Err(SYNTAX);
        }
    }
    let look_max = if maxlen == 0 { u64::MAX } else { maxlen };
    Ok(Search { skip: rank.unsigned_abs() - 1, back: rank < 0, count, look_max })
}

/// Hands the index of each match to `see`.
fn matches(list: &List, needle: &Needle<'_>, search: &Search, mut see: impl FnMut(usize)) {
    let len = list.len();
    let wanted = match search.count {
        None => 1,
        Some(0) => u64::MAX,
        Some(count) => count,
    };
    let (mut looked, mut met) = (0u64, 0u64);
    list.walk(if search.back { len - 1 } else { 0 }, search.back, |element| {
        if looked == search.look_max {
            return false;
        }
        if needle.is(element) {
            met += 1;
            if met > search.skip {
                see(if search.back { len - 1 - looked as usize } else { looked as usize });
            }
        }
        looked += 1;
        met.saturating_sub(search.skip) < wanted
    });
}

fn lpos(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let search = search(x)?;
    let needle = Needle::new(x.arg(2));
    let found = x.ks.read(x.db, x.argv.get(1));
    let list = found_list(&found)?;
    let reply = &mut x.reply;
    if search.count.is_some() {
        let (mark, mut count) = (reply.deferred_array(), 0);
        if let Some(list) = list {
            matches(list, &needle, &search, |index| {
                reply.count(index);
                count += 1;
            });
        }
        reply.close_array(mark, count);
        return Ok(());
    }
    let mut first = None;
    if let Some(list) = list {
        matches(list, &needle, &search, |index| first = Some(index));
    }
    match first {
        Some(index) => reply.count(index),
        None => reply.null(),
    }
    Ok(())
}
