//! ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX: members go. The last one takes the key with it.

use super::bounds;
use super::value::{event, to_change};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::Event;
use crate::error::CommandError;
use crate::exec::Exec;
use crate::types::zset::ZSet;
use std::ops::Range;

const KEYS: &[KeySpec] = &[KeySpec::one(1, key::RW | key::DELETE)];
const RANGE_COST: &str = "O(log(N)+M) with N elements in the set and M of them removed.";

/// ZREM key member [member ...]
pub const ZREM: Command = Command {
    arity: -3,
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Removes members from a sorted set.",
    complexity: "O(M*log(N)) with N elements in the set and M to be removed.",
    history: &[("2.4.0", "Takes more than one member.")],
    flags: flag::WRITE | flag::FAST,
    acl: category::SORTEDSET,
    keys: KEYS,
    args: &[Arg::key("key"), Arg::new("member", ArgKind::String).many()],
    ..Command::new("zrem", zrem)
};

/// ZREMRANGEBYRANK key start stop
pub const ZREMRANGEBYRANK: Command = Command {
    arity: 4,
    group: Group::SortedSet,
    since: "2.0.0",
    summary: "Removes the members between two ranks of a sorted set.",
    complexity: RANGE_COST,
    flags: flag::WRITE,
    acl: category::SORTEDSET,
    keys: KEYS,
    args: &[Arg::key("key"), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)],
    ..Command::new("zremrangebyrank", zremrangebyrank)
};

/// ZREMRANGEBYSCORE key min max
pub const ZREMRANGEBYSCORE: Command = Command {
    arity: 4,
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Removes the members between two scores of a sorted set.",
    complexity: RANGE_COST,
    flags: flag::WRITE,
    acl: category::SORTEDSET,
    keys: KEYS,
    args: &[Arg::key("key"), Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double)],
    ..Command::new("zremrangebyscore", zremrangebyscore)
};

/// ZREMRANGEBYLEX key min max
pub const ZREMRANGEBYLEX: Command = Command {
    arity: 4,
    group: Group::SortedSet,
    since: "2.8.9",
    summary: "Removes the members between two strings of a sorted set whose scores are all the same.",
    complexity: RANGE_COST,
    flags: flag::WRITE,
    acl: category::SORTEDSET,
    keys: KEYS,
    args: &[Arg::key("key"), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String)],
    ..Command::new("zremrangebylex", zremrangebylex)
};

fn zrem(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let members = x.argv.from(2);
    change(x, event("zrem"), |set| {
        let removed = members.iter().filter(|member| set.remove(member).is_some()).count();
        (removed, set.is_empty())
    })
}

fn zremrangebyrank(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (start, stop) = (x.int(2)?, x.int(3)?);
    remove_ranks(x, event("zremrangebyrank"), |set| bounds::ranks(start, stop, set.len()))
}

fn zremrangebyscore(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (min, max) = bounds::scores(x.argv.get(2), x.argv.get(3))?;
    remove_ranks(x, event("zremrangebyscore"), |set| set.ranks_by_score(min, max))
}

fn zremrangebylex(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (min, max) = bounds::members(x.argv.get(2), x.argv.get(3))?;
    remove_ranks(x, event("zremrangebylex"), |set| set.ranks_by_lex(min, max))
}

fn remove_ranks(x: &mut Exec<'_>, told: Event, ranks: impl Fn(&ZSet) -> Range<usize>) -> Result<(), CommandError> {
    change(x, told, |set| {
        let ranks = ranks(set);
        let removed = ranks.len();
        // A set that goes as a whole is not taken apart here: its memory comes back in slices.
        let emptied = removed == set.len();
        if !emptied {
            set.remove_ranks(ranks);
        }
        (removed, emptied)
    })
}

/// Lets `remove` remove elements of the set and tells how many it said it did, and that none is left if it said so.
fn change(
    x: &mut Exec<'_>, told: Event, remove: impl FnOnce(&mut ZSet) -> (usize, bool),
) -> Result<(), CommandError> {
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let Some(set) = to_change(&mut entry)? else {
        x.reply.int(0);
        return Ok(());
    };
    let (removed, emptied) = remove(set);
    if removed > 0 {
        entry.touched(told, removed);
    }
    if emptied {
        entry.remove_emptied();
    }
    x.reply.count(removed);
    Ok(())
}
