//! ZCARD, ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT: what is known of single members, and numbers of members.

use super::bounds;
use super::value::at_key;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;
use crate::types::zset::ZSet;

const ACCESS: &[KeySpec] = &[KeySpec::one(1, key::RO | key::ACCESS)];

const fn read_row(name: &'static str, run: crate::command::ShardRun) -> Command {
    Command {
        group: Group::SortedSet,
        flags: flag::READONLY | flag::FAST,
        acl: category::SORTEDSET,
        keys: ACCESS,
        ..Command::new(name, run)
    }
}

/// ZCARD key
pub const ZCARD: Command = Command {
    arity: 2,
    since: "1.2.0",
    summary: "Counts the members of a sorted set.",
    complexity: "O(1)",
    keys: &[KeySpec::one(1, key::RO)],
    args: &[Arg::key("key")],
    ..read_row("zcard", zcard)
};

/// ZSCORE key member
pub const ZSCORE: Command = Command {
    arity: 3,
    since: "1.2.0",
    summary: "Tells the score of a member of a sorted set.",
    complexity: "O(1)",
    args: &[Arg::key("key"), Arg::new("member", ArgKind::String)],
    ..read_row("zscore", zscore)
};

/// ZMSCORE key member [member ...]
pub const ZMSCORE: Command = Command {
    arity: -3,
    since: "6.2.0",
    summary: "Tells the scores of several members of a sorted set.",
    complexity: "O(N) with N members asked for.",
    args: &[Arg::key("key"), Arg::new("member", ArgKind::String).many()],
    ..read_row("zmscore", zmscore)
};

const RANK_ARGS: &[Arg] =
    &[Arg::key("key"), Arg::new("member", ArgKind::String), Arg::token("withscore", "WITHSCORE").opt()];
const RANK_HISTORY: &[(&str, &str)] = &[("7.2.0", "Takes `WITHSCORE`.")];

/// ZRANK key member [WITHSCORE]
pub const ZRANK: Command = Command {
    arity: -3,
    since: "2.0.0",
    summary: "Tells how many members of a sorted set come before one.",
    complexity: "O(log(N))",
    history: RANK_HISTORY,
    args: RANK_ARGS,
    ..read_row("zrank", |x| rank(x, false))
};

/// ZREVRANK key member [WITHSCORE]
pub const ZREVRANK: Command = Command {
    arity: -3,
    since: "2.0.0",
    summary: "Tells how many members of a sorted set come after one.",
    complexity: "O(log(N))",
    history: RANK_HISTORY,
    args: RANK_ARGS,
    ..read_row("zrevrank", |x| rank(x, true))
};

/// ZCOUNT key min max
pub const ZCOUNT: Command = Command {
    arity: 4,
    since: "2.0.0",
    summary: "Counts the members of a sorted set between two scores.",
    complexity: "O(log(N)) with N elements in the set.",
    args: &[Arg::key("key"), Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double)],
    ..read_row("zcount", zcount)
};

/// ZLEXCOUNT key min max
pub const ZLEXCOUNT: Command = Command {
    arity: 4,
    since: "2.8.9",
    summary: "Counts the members between two strings of a sorted set whose scores are all the same.",
    complexity: "O(log(N)) with N elements in the set.",
    args: &[Arg::key("key"), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String)],
    ..read_row("zlexcount", zlexcount)
};

fn zcard(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let len = at_key(x)?.map_or(0, ZSet::len);
    x.reply.count(len);
    Ok(())
}

fn zscore(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let member = x.argv.get(2);
    match at_key(x)?.and_then(|set| set.score(member)) {
        Some(score) => x.reply.double(score),
        None => x.reply.null(),
    }
    Ok(())
}

fn zmscore(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let set = super::value::sorted_set(x.ks.read(x.db, x.argv.get(1)))?;
    let members = x.argv.from(2);
    x.reply.array(members.len());
    for member in members.iter() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => x.reply.double(score),
            None => x.reply.null(),
        }
    }
    Ok(())
}

fn rank(x: &mut Exec<'_>, from_end: bool) -> Result<(), CommandError> {
    if x.argc() > 4 {
        return Err(CommandError::arity(if from_end { "zrevrank" } else { "zrank" }));
    }
    let with_score = x.argc() == 4;
    if with_score && !x.arg_is(3, "withscore") {
        return Err(SYNTAX);
    }
    let member = x.argv.get(2);
    let found = at_key(x)?.and_then(|set| {
        let (rank, score) = set.rank(member)?;
        Some((if from_end { set.len() - 1 - rank } else { rank }, score))
    });
    match found {
        Some((rank, score)) if with_score => {
            x.reply.array(2);
            x.reply.count(rank);
            x.reply.double(score);
        }
        Some((rank, _)) => x.reply.count(rank),
        None if with_score => x.reply.null_array(),
        None => x.reply.null(),
    }
    Ok(())
}

fn zcount(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (min, max) = bounds::scores(x.argv.get(2), x.argv.get(3))?;
    let count = at_key(x)?.map_or(0, |set| set.ranks_by_score(min, max).len());
    x.reply.count(count);
    Ok(())
}

fn zlexcount(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (min, max) = bounds::members(x.argv.get(2), x.argv.get(3))?;
    let count = at_key(x)?.map_or(0, |set| set.ranks_by_lex(min, max).len());
    x.reply.count(count);
    Ok(())
}
