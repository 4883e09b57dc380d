//! TTL, PTTL, EXPIRETIME, PEXPIRETIME, PERSIST: how long a key lives, and that it lives for ever.

use crate::command::{Arg, Command, Group, KeySpec, ShardRun, category, flag, key};
use crate::effects::Event;
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::Lookup;

/// The reply for a key that is not there.
const NO_KEY: i64 = -2;
/// The reply for a key that does not expire.
const FOR_EVER: i64 = -1;

const KEY: &[KeySpec] = &[KeySpec::one(1, key::RO | key::ACCESS)];
const ARGS: &[Arg] = &[Arg::key("key")];

const fn ttl_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: 2,
        group: Group::Generic,
        complexity: "O(1)",
        flags: flag::READONLY | flag::FAST,
        acl: category::KEYSPACE,
        keys: KEY,
        args: ARGS,
        ..Command::new(name, run)
    }
}

/// TTL key
pub const TTL: Command = Command {
    since: "1.0.0",
    summary: "Tells in seconds how long a key still lives.",
    history: &[("2.8.0", "Answers -2 for a key that does not exist.")],
    tips: &["nondeterministic_output"],
    ..ttl_row("ttl", ttl)
};

/// PTTL key
pub const PTTL: Command = Command {
    since: "2.6.0",
    summary: "Tells in milliseconds how long a key still lives.",
    history: &[("2.8.0", "Answers -2 for a key that does not exist.")],
    tips: &["nondeterministic_output"],
    ..ttl_row("pttl", pttl)
};

/// EXPIRETIME key
pub const EXPIRETIME: Command = Command {
    since: "7.0.0",
    summary: "Tells the Unix time in seconds at which a key expires.",
    ..ttl_row("expiretime", expiretime)
};

/// PEXPIRETIME key
pub const PEXPIRETIME: Command = Command {
    since: "7.0.0",
    summary: "Tells the Unix time in milliseconds at which a key expires.",
    ..ttl_row("pexpiretime", pexpiretime)
};

/// PERSIST key
pub const PERSIST: Command = Command {
    arity: 2,
    group: Group::Generic,
    since: "2.2.0",
    summary: "Takes the time to live away from a key.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::FAST,
    acl: category::KEYSPACE,
    keys: &[KeySpec::one(1, key::RW | key::UPDATE)],
    args: &[Arg::key("key")],
    ..Command::new("persist", persist)
};

fn ttl(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let now_ms = x.now_ms();
    answer(x, |at_ms| seconds((at_ms - now_ms).max(0)))
}

fn pttl(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let now_ms = x.now_ms();
    answer(x, |at_ms| (at_ms - now_ms).max(0))
}

fn expiretime(x: &mut Exec<'_>) -> Result<(), CommandError> {
    answer(x, seconds)
}

fn pexpiretime(x: &mut Exec<'_>) -> Result<(), CommandError> {
    answer(x, |at_ms| at_ms)
}

/// Rounded to the nearest second, half a second up.
fn seconds(ms: i64) -> i64 {
    ms / 1000 + i64::from(ms % 1000 >= 500)
}

fn answer(x: &mut Exec<'_>, tell: impl Fn(i64) -> i64) -> Result<(), CommandError> {
    let found = x.ks.look_up(x.db, x.argv.get(1), Lookup::NoTouch);
    x.reply.int(found.map_or(NO_KEY, |f| f.expire_at().map_or(FOR_EVER, tell)));
    Ok(())
}

fn persist(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let persisted = x.ks.entry_mut(x.db, x.argv.get(1)).persist(Event::PERSIST);
    x.reply.int(i64::from(persisted));
    Ok(())
}
