//! HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME: when fields expire.

use super::options::{FIELDS, listed};
use super::value::hash_in;
use crate::command::{Arg, Command, Group, KeySpec, ShardRun, category, flag, key};
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;

const NO_FIELD: i64 = -2;
const FOR_EVER: i64 = -1;

const KEYS: &[KeySpec] = &[KeySpec::one(1, key::RO | key::ACCESS)];
const ARGS: &[Arg] = &[Arg::key("key"), FIELDS];

const fn ttl_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: -5,
        group: Group::Hash,
        since: "9.0.0",
        complexity: "O(N) with N fields named.",
        flags: flag::READONLY | flag::FAST,
        acl: category::HASH,
        keys: KEYS,
        args: ARGS,
        ..Command::new(name, run)
    }
}

/// HTTL key FIELDS numfields field [field ...]
pub const HTTL: Command = Command {
    summary: "Tells in seconds how long fields of a hash still live.",
    ..ttl_row("httl", |x| answer(x, |at, now| seconds((at - now).max(0))))
};

/// HPTTL key FIELDS numfields field [field ...]
pub const HPTTL: Command = Command {
    summary: "Tells in milliseconds how long fields of a hash still live.",
    ..ttl_row("hpttl", |x| answer(x, |at, now| (at - now).max(0)))
};

/// HEXPIRETIME key FIELDS numfields field [field ...]
pub const HEXPIRETIME: Command = Command {
    summary: "Tells the Unix times in seconds at which fields of a hash expire.",
    ..ttl_row("hexpiretime", |x| answer(x, |at, _| seconds(at)))
};

/// HPEXPIRETIME key FIELDS numfields field [field ...]
pub const HPEXPIRETIME: Command = Command {
    summary: "Tells the Unix times in milliseconds at which fields of a hash expire.",
    ..ttl_row("hpexpiretime", |x| answer(x, |at, _| at))
};

/// Rounded to the nearest second, half a second up.
fn seconds(ms: i64) -> i64 {
    ms / 1000 + i64::from(ms % 1000 >= 500)
}

fn answer(x: &mut Exec<'_>, tell: impl Fn(i64, i64) -> i64) -> Result<(), CommandError> {
    let names = listed(x.argv, SYNTAX)?;
    let (now_ms, hidden) = (x.now_ms(), x.ks.hidden());
    let hash = hash_in(x.ks.read(x.db, x.argv.get(1)))?;
    x.reply.array(names.len());
    for name in names.iter() {
        let field = hash.and_then(|hash| hash.get(name, hidden));
        x.reply.int(field.map_or(NO_FIELD, |field| field.expire_at.map_or(FOR_EVER, |at| tell(at, now_ms))));
    }
    Ok(())
}
