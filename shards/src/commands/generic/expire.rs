//! EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT: giving a key a time to live.
//!
//! All four end in one absolute time in milliseconds. They are propagated as PEXPIREAT with that time, because a replica
//! that executes later must not give the key longer; a time that is already past deletes the key at once and is
//! propagated as its deletion. Where expired keys are only hidden (a replica), a past time is set like any other.

use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::Event;
use crate::error::{CommandError, shown};
use crate::exec::Exec;
use crate::stdx::number;

const CONDITION: Arg = Arg::one_of(
    "condition",
    &[Arg::token("nx", "NX"), Arg::token("xx", "XX"), Arg::token("gt", "GT"), Arg::token("lt", "LT")],
)
.opt()
.since("7.0.0");
const KEY: &[KeySpec] = &[KeySpec::one(1, key::RW | key::UPDATE)];
const HISTORY: &[(&str, &str)] = &[("7.0.0", "Takes the conditions `NX`, `XX`, `GT` and `LT`.")];

const fn expire_row(name: &'static str, run: crate::command::ShardRun) -> Command {
    Command {
        arity: -3,
        group: Group::Generic,
        complexity: "O(1)",
        history: HISTORY,
        flags: flag::WRITE | flag::FAST,
        acl: category::KEYSPACE,
        keys: KEY,
        ..Command::new(name, run)
    }
}

/// EXPIRE key seconds [NX | XX | GT | LT]
pub const EXPIRE: Command = Command {
    since: "1.0.0",
    summary: "Lets a key expire after some seconds.",
    args: &[Arg::key("key"), Arg::new("seconds", ArgKind::Integer), CONDITION],
    ..expire_row("expire", expire)
};

/// PEXPIRE key milliseconds [NX | XX | GT | LT]
pub const PEXPIRE: Command = Command {
    since: "2.6.0",
    summary: "Lets a key expire after some milliseconds.",
    args: &[Arg::key("key"), Arg::new("milliseconds", ArgKind::Integer), CONDITION],
    ..expire_row("pexpire", pexpire)
};

/// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
pub const EXPIREAT: Command = Command {
    since: "1.2.0",
    summary: "Lets a key expire at a Unix time in seconds.",
    args: &[Arg::key("key"), Arg::new("unix-time-seconds", ArgKind::UnixTime), CONDITION],
    ..expire_row("expireat", expireat)
};

/// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
pub const PEXPIREAT: Command = Command {
    since: "2.6.0",
    summary: "Lets a key expire at a Unix time in milliseconds.",
    args: &[Arg::key("key"), Arg::new("unix-time-milliseconds", ArgKind::UnixTime), CONDITION],
    ..expire_row("pexpireat", pexpireat)
};

fn expire(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let now_ms = x.now_ms();
    expire_at(x, "expire", now_ms, 1000)
}

fn pexpire(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let now_ms = x.now_ms();
    expire_at(x, "pexpire", now_ms, 1)
}

fn expireat(x: &mut Exec<'_>) -> Result<(), CommandError> {
    expire_at(x, "expireat", 0, 1000)
}

fn pexpireat(x: &mut Exec<'_>) -> Result<(), CommandError> {
    expire_at(x, "pexpireat", 0, 1)
}

/// When the new time is set.
#[derive(Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(x: &Exec<'_>) -> Result<Condition, CommandError> {
        let mut c = Condition::default();
        for i in 3..x.argc() {
            match () {
                () if x.arg_is(i, "nx") => c.nx = true,
                () if x.arg_is(i, "xx") => c.xx = true,
                () if x.arg_is(i, "gt") => c.gt = true,
                () if x.arg_is(i, "lt") => c.lt = true,
                () => {
                    let option = shown(x.arg(i), usize::MAX);
                    return Err(CommandError::owned(format!("ERR Unsupported option {option}")));
                }
            }
        }
        if c.nx && (c.xx || c.gt || c.lt) {
            return Err(CommandError::Static("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if c.gt && c.lt {
            return Err(CommandError::Static("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(c)
    }

    /// A key that never expires lives longer than any time: GT fails, LT holds.
    fn holds(&self, current: Option<i64>, new: i64) -> bool {
        match current {
            None => !self.xx && !self.gt,
            Some(at) => !self.nx && (!self.gt || new > at) && (!self.lt || new < at),
        }
    }
}

/// Sets the time `argv[2]` (in `unit_ms`, counted from `base_ms`) for the call of the command `name`.
fn expire_at(x: &mut Exec<'_>, name: &str, base_ms: i64, unit_ms: i64) -> Result<(), CommandError> {
    let condition = Condition::parse(x)?;
    let at_ms = x.int(2)?.checked_mul(unit_ms).and_then(|ms| ms.checked_add(base_ms));
    let Some(at_ms) = at_ms else {
        return Err(CommandError::owned(format!("ERR invalid expire time in '{name}' command")));
    };
    // Long past is past: no key carries a negative time.
    let at_ms = at_ms.max(0);
    let (key, past) = (x.arg(1), at_ms <= x.now_ms() && !x.ks.keep_expired);
    let mut entry = x.ks.entry_mut(x.db, key);
    if !entry.exists() || !condition.holds(entry.expire_at(), at_ms) {
        x.reply.int(0);
        return Ok(());
    }
    if past {
        entry.remove_expired();
        x.propagate_as(&[b"UNLINK", key]);
    } else {
        entry.expire(at_ms, Event::EXPIRE);
        propagate(x, key, at_ms);
    }
    x.reply.int(1);
    Ok(())
}

fn propagate(x: &mut Exec<'_>, key: &[u8], at_ms: i64) {
    let mut time = Vec::with_capacity(20);
    number::write_i64(&mut time, at_ms);
    let mut argv: Vec<&[u8]> = vec![b"PEXPIREAT", key, &time];
    argv.extend(x.argv.from(3).iter());
    x.propagate_as(&argv);
}
