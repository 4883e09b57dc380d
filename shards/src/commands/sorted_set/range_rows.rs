//! The rows of ZRANGE and of those that came before it.

use super::range;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, ShardRun, category, flag, key};

const ACCESS: &[KeySpec] = &[KeySpec::one(1, key::RO | key::ACCESS)];
const BY_RANK_COST: &str = "O(log(N)+M) with N elements in the set and M of them told.";
const BY_VALUE_COST: &str =
    "O(log(N)+M) with N elements in the set and M of them told; with a constant LIMIT it is O(log(N)).";

const fn range_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: -4,
        group: Group::SortedSet,
        complexity: BY_VALUE_COST,
        flags: flag::READONLY,
        acl: category::SORTEDSET,
        keys: ACCESS,
        ..Command::new(name, run)
    }
}

const SORT_BY: Arg = Arg::one_of("sortby", &[Arg::token("byscore", "BYSCORE"), Arg::token("bylex", "BYLEX")]).opt();
const REV: Arg = Arg::token("rev", "REV").opt();
const LIMIT: Arg =
    Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]).after("LIMIT").opt();
const WITH_SCORES: Arg = Arg::token("withscores", "WITHSCORES").opt();

/// ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
pub const ZRANGE: Command = Command {
    since: "1.2.0",
    summary: "Tells the members of a sorted set between two ranks, scores or strings.",
    complexity: BY_RANK_COST,
    history: &[("6.2.0", "Takes `REV`, `BYSCORE`, `BYLEX` and `LIMIT`.")],
    args: &[
        Arg::key("key"),
        Arg::new("start", ArgKind::String),
        Arg::new("stop", ArgKind::String),
        SORT_BY.since("6.2.0"),
        REV.since("6.2.0"),
        LIMIT.since("6.2.0"),
        WITH_SCORES,
    ],
    ..range_row("zrange", range::ZRANGE)
};

/// ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
pub const ZRANGESTORE: Command = Command {
    arity: -5,
    since: "6.2.0",
    summary: "Stores the members of a sorted set between two ranks, scores or strings at another key.",
    complexity: "O(log(N)+M) with N elements in the set and M of them stored.",
    flags: flag::WRITE | flag::DENYOOM,
    keys: &[KeySpec::one(1, key::OW | key::UPDATE), KeySpec::one(2, key::RO | key::ACCESS)],
    args: &[
        Arg::key("dst"),
        Arg { key_spec: 1, ..Arg::key("src") },
        Arg::new("min", ArgKind::String),
        Arg::new("max", ArgKind::String),
        SORT_BY,
        REV,
        LIMIT,
    ],
    ..range_row("zrangestore", range::zrangestore)
};

/// ZREVRANGE key start stop [WITHSCORES]
pub const ZREVRANGE: Command = Command {
    since: "1.2.0",
    summary: "Tells the members of a sorted set between two ranks counted from the highest score.",
    complexity: BY_RANK_COST,
    args: &[Arg::key("key"), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer), WITH_SCORES],
    ..range_row("zrevrange", range::ZREVRANGE)
};

/// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
pub const ZRANGEBYSCORE: Command = Command {
    since: "1.0.5",
    summary: "Tells the members of a sorted set between two scores.",
    history: &[("2.0.0", "Takes `WITHSCORES`.")],
    args: &[
        Arg::key("key"),
        Arg::new("min", ArgKind::Double),
        Arg::new("max", ArgKind::Double),
        WITH_SCORES.since("2.0.0"),
        LIMIT,
    ],
    ..range_row("zrangebyscore", range::ZRANGEBYSCORE)
};

/// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
pub const ZREVRANGEBYSCORE: Command = Command {
    since: "2.2.0",
    summary: "Tells the members of a sorted set between two scores, the highest first.",
    history: &[("2.1.6", "Takes scores that are outside the range themselves.")],
    args: &[
        Arg::key("key"),
        Arg::new("max", ArgKind::Double),
        Arg::new("min", ArgKind::Double),
        WITH_SCORES,
        LIMIT,
    ],
    ..range_row("zrevrangebyscore", range::ZREVRANGEBYSCORE)
};

/// ZRANGEBYLEX key min max [LIMIT offset count]
pub const ZRANGEBYLEX: Command = Command {
    since: "2.8.9",
    summary: "Tells the members between two strings of a sorted set whose scores are all the same.",
    args: &[Arg::key("key"), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String), LIMIT],
    ..range_row("zrangebylex", range::ZRANGEBYLEX)
};

/// ZREVRANGEBYLEX key max min [LIMIT offset count]
pub const ZREVRANGEBYLEX: Command = Command {
    since: "2.8.9",
    summary: "Tells the members between two strings of a sorted set whose scores are all the same, the last first.",
    args: &[Arg::key("key"), Arg::new("max", ArgKind::String), Arg::new("min", ArgKind::String), LIMIT],
    ..range_row("zrevrangebylex", range::ZREVRANGEBYLEX)
};
