//! DBSIZE, FLUSHDB, FLUSHALL: how many keys there are, and that there are none.
//!
//! A flush takes the tables away at once, so it costs the same however many keys there were; ASYNC leaves the freeing of
//! the memory to `tick`, SYNC frees before it answers. Flushing what is empty is propagated all the same, as in Valkey:
//! a replica may hold what its primary does not.

use crate::command::{Arg, Command, Group, Merge, ShardRun, Spread, category, flag};
use crate::error::{self, CommandError};
use crate::exec::Exec;

/// DBSIZE
pub const DBSIZE: Command = Command {
    arity: 1,
    group: Group::Server,
    since: "1.0.0",
    summary: "Counts the keys of the database.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::FAST,
    acl: category::KEYSPACE,
    spread: Spread::Everywhere(Merge::Sum),
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    ..Command::new("dbsize", dbsize)
};

const HOW: &[Arg] = &[Arg::one_of(
    "flush-type",
    &[Arg::token("async", "ASYNC").since("4.0.0"), Arg::token("sync", "SYNC").since("6.2.0")],
)
.opt()];

const fn flush_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: -1,
        group: Group::Server,
        since: "1.0.0",
        complexity: "O(1); the memory of N keys comes back in O(N), later with ASYNC, at once with SYNC.",
        history: &[("4.0.0", "Takes `ASYNC`."), ("6.2.0", "Takes `SYNC`.")],
        flags: flag::WRITE,
        acl: category::KEYSPACE | category::DANGEROUS,
        spread: Spread::Everywhere(Merge::Same),
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        args: HOW,
        ..Command::new(name, run)
    }
}

/// FLUSHDB [ASYNC | SYNC]
pub const FLUSHDB: Command =
    Command { summary: "Removes all keys of the database.", ..flush_row("flushdb", flushdb) };

/// FLUSHALL [ASYNC | SYNC]
pub const FLUSHALL: Command = Command {
    summary: "Removes all keys of all databases.",
    flags: flag::WRITE | flag::ALL_DBS,
    ..flush_row("flushall", flushall)
};

fn dbsize(x: &mut Exec<'_>) -> Result<(), CommandError> {
    x.reply.count(x.ks.table(x.db).len());
    Ok(())
}

fn flushdb(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let lazily = is_lazy(x)?;
    x.ks.flush(x.db, lazily);
    done(x)
}

fn flushall(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let lazily = is_lazy(x)?;
    for db in 0..x.ks.databases() {
        x.ks.flush(db as u32, lazily);
    }
    done(x)
}

fn done(x: &mut Exec<'_>) -> Result<(), CommandError> {
    x.propagate_verbatim();
    x.reply.ok();
    Ok(())
}

fn is_lazy(x: &Exec<'_>) -> Result<bool, CommandError> {
    match x.argc() {
        1 => Ok(x.env.limits.lazy_user_flush),
        2 if x.arg_is(1, "async") => Ok(true),
        2 if x.arg_is(1, "sync") => Ok(false),
        _ => Err(error::SYNTAX),
    }
}
