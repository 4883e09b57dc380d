//! The rows of ZUNION, ZINTER, ZDIFF and their relatives.

use super::combine::{Op, Target, combine};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, ShardRun, category, flag, key};

const UNION_COST: &str = "O(N)+O(M*log(M)) with N elements in all inputs together and M in the result.";
const INTER_COST: &str =
    "O(N*K)+O(M*log(M)) at worst, with N elements in the smallest of K inputs and M in the result.";
const DIFF_COST: &str = "O(N*K)+O(M*log(M)) at worst, with N elements in the first of K inputs and M in the result.";

const READ_KEYS: &[KeySpec] = &[KeySpec::counted(1, key::RO | key::ACCESS)];
const STORE_KEYS: &[KeySpec] = &[KeySpec::one(1, key::OW | key::UPDATE), KeySpec::counted(2, key::RO | key::ACCESS)];

/// A row that reads `numkeys` and the keys behind it.
const fn read_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: -3,
        group: Group::SortedSet,
        flags: flag::READONLY | flag::MOVABLE_KEYS,
        acl: category::SORTEDSET,
        keys: READ_KEYS,
        ..Command::new(name, run)
    }
}

/// A row that stores at its first argument what it makes of the keys behind `numkeys`.
const fn store_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: -4,
        group: Group::SortedSet,
        flags: flag::WRITE | flag::DENYOOM | flag::MOVABLE_KEYS,
        acl: category::SORTEDSET,
        keys: STORE_KEYS,
        ..Command::new(name, run)
    }
}

const NUMKEYS: Arg = Arg::new("numkeys", ArgKind::Integer);
const INPUTS: Arg = Arg::key("key").many();
const STORED_INPUTS: Arg = Arg { key_spec: 1, ..INPUTS };
const DESTINATION: Arg = Arg::key("destination");
const WEIGHTS: Arg = Arg::new("weight", ArgKind::Integer).after("WEIGHTS").opt().many();
const AGGREGATE: Arg =
    Arg::one_of("aggregate", &[Arg::token("sum", "SUM"), Arg::token("min", "MIN"), Arg::token("max", "MAX")])
        .after("AGGREGATE")
        .opt();
const WITH_SCORES: Arg = Arg::token("withscores", "WITHSCORES").opt();

const COMBINED_ARGS: &[Arg] = &[NUMKEYS, INPUTS, WEIGHTS, AGGREGATE, WITH_SCORES];
const STORED_ARGS: &[Arg] = &[DESTINATION, NUMKEYS, STORED_INPUTS, WEIGHTS, AGGREGATE];

/// ZUNION numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]
pub const ZUNION: Command = Command {
    since: "6.2.0",
    summary: "Tells the members that any of several sorted sets has.",
    complexity: UNION_COST,
    args: COMBINED_ARGS,
    ..read_row("zunion", |x| combine(x, Op::Union, Target::Reply, "zunion"))
};

/// ZINTER numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]
pub const ZINTER: Command = Command {
    since: "6.2.0",
    summary: "Tells the members that all of several sorted sets have.",
    complexity: INTER_COST,
    args: COMBINED_ARGS,
    ..read_row("zinter", |x| combine(x, Op::Inter, Target::Reply, "zinter"))
};

/// ZINTERCARD numkeys key [key ...] [LIMIT limit]
pub const ZINTERCARD: Command = Command {
    since: "7.0.0",
    summary: "Counts the members that all of several sorted sets have.",
    complexity: "O(N*K) at worst, with N elements in the smallest of K inputs.",
    args: &[NUMKEYS, INPUTS, Arg::new("limit", ArgKind::Integer).after("LIMIT").opt()],
    ..read_row("zintercard", |x| combine(x, Op::Inter, Target::Count, "zintercard"))
};

/// ZDIFF numkeys key [key ...] [WITHSCORES]
pub const ZDIFF: Command = Command {
    since: "6.2.0",
    summary: "Tells the members of a sorted set that none of several others has.",
    complexity: DIFF_COST,
    args: &[NUMKEYS, INPUTS, WITH_SCORES],
    ..read_row("zdiff", |x| combine(x, Op::Diff, Target::Reply, "zdiff"))
};

/// ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]
pub const ZUNIONSTORE: Command = Command {
    since: "2.0.0",
    summary: "Stores the members that any of several sorted sets has.",
    complexity: UNION_COST,
    args: STORED_ARGS,
    ..store_row("zunionstore", |x| combine(x, Op::Union, Target::Store, "zunionstore"))
};

/// ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]
pub const ZINTERSTORE: Command = Command {
    since: "2.0.0",
    summary: "Stores the members that all of several sorted sets have.",
    complexity: INTER_COST,
    args: STORED_ARGS,
    ..store_row("zinterstore", |x| combine(x, Op::Inter, Target::Store, "zinterstore"))
};

/// ZDIFFSTORE destination numkeys key [key ...]
pub const ZDIFFSTORE: Command = Command {
    since: "6.2.0",
    summary: "Stores the members of a sorted set that none of several others has.",
    complexity: DIFF_COST,
    args: &[DESTINATION, NUMKEYS, STORED_INPUTS],
    ..store_row("zdiffstore", |x| combine(x, Op::Diff, Target::Store, "zdiffstore"))
};
