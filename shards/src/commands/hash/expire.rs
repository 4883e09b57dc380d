//! HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT give fields an expiry, HPERSIST takes it away.
//!
//! The first four end in one absolute time in milliseconds and are propagated as HPEXPIREAT with it. A time that is over
//! removes the fields at once and is propagated as their removal. If only some of the fields changed, only those are
//! propagated: a field that is over here may still be seen by whoever replays it.

use super::options::{FIELDS, FIELDS_ALONE, MISMATCH, Time, behind, fields_at, listed};
use super::value::{HEXPIRE as HEXPIRE_EVENT, HEXPIRED, HPERSIST as HPERSIST_EVENT, bounds, hash_at, hash_mut, tidy};
use crate::args::Args;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, ShardRun, category, flag, key};
use crate::error::{CommandError, shown};
use crate::exec::Exec;
use crate::stdx::number::write_i64;
use crate::types::hash::{Field, Hash};

const CONDITION: Arg = Arg::one_of(
    "condition",
    &[Arg::token("nx", "NX"), Arg::token("xx", "XX"), Arg::token("gt", "GT"), Arg::token("lt", "LT")],
)
.opt();

const KEYS: &[KeySpec] = &[KeySpec::one(1, key::RW | key::UPDATE)];

const fn expire_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: -6,
        group: Group::Hash,
        since: "9.0.0",
        complexity: "O(N) with N fields named.",
        flags: flag::WRITE | flag::FAST,
        acl: category::HASH,
        keys: KEYS,
        ..Command::new(name, run)
    }
}

/// HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub const HEXPIRE: Command = Command {
    summary: "Lets fields of a hash expire after some seconds.",
    args: &[Arg::key("key"), Arg::new("seconds", ArgKind::Integer), CONDITION, FIELDS_ALONE],
    ..expire_row("hexpire", |x| expire(x, "hexpire", 1000, true))
};

/// HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub const HPEXPIRE: Command = Command {
    summary: "Lets fields of a hash expire after some milliseconds.",
    args: &[Arg::key("key"), Arg::new("milliseconds", ArgKind::Integer), CONDITION.since("9.0.0"), FIELDS],
    ..expire_row("hpexpire", |x| expire(x, "hpexpire", 1, true))
};

/// HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub const HEXPIREAT: Command = Command {
    summary: "Lets fields of a hash expire at a Unix time in seconds.",
    args: &[
        Arg::key("key"),
        Arg::new("unix-time-seconds", ArgKind::Integer),
        CONDITION.since("9.0.0"),
        FIELDS,
    ],
    ..expire_row("hexpireat", |x| expire(x, "hexpireat", 1000, false))
};

/// HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub const HPEXPIREAT: Command = Command {
    summary: "Lets fields of a hash expire at a Unix time in milliseconds.",
    args: &[
        Arg::key("key"),
        Arg::new("unix-time-milliseconds", ArgKind::Integer),
        CONDITION.since("9.0.0"),
        FIELDS,
    ],
    ..expire_row("hpexpireat", |x| expire(x, "hpexpireat", 1, false))
};

/// When the new time is set.
#[derive(Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(argv: Args<'_>, end: usize) -> Result<Condition, CommandError> {
        let mut c = Condition::default();
        for word in argv.iter().take(end).skip(3) {
            let is = |text: &str| word.eq_ignore_ascii_case(text.as_bytes());
            match () {
                () if is("nx") => c.nx = true,
                () if is("xx") => c.xx = true,
                () if is("gt") => c.gt = true,
                () if is("lt") => c.lt = true,
                () => return Err(CommandError::owned(format!("ERR Unsupported option {}", shown(word, usize::MAX)))),
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

    /// A field that never expires lives longer than any time: GT fails, LT holds.
    fn holds(&self, current: Option<i64>, new: i64) -> bool {
        match current {
            None => !self.xx && !self.gt,
            Some(at) => !self.nx && (!self.gt || new > at) && (!self.lt || new < at),
        }
    }
}

/// What became of a field, as clients are told.
const NO_FIELD: i64 = -2;
const NO_EXPIRY: i64 = -1;
const NOT_MET: i64 = 0;
const DONE: i64 = 1;
const REMOVED: i64 = 2;

fn expire(x: &mut Exec<'_>, name: &str, unit_ms: i64, relative: bool) -> Result<(), CommandError> {
    let list_at = fields_at(x.argv, 3)?;
    let condition = Condition::parse(x.argv, list_at)?;
    let names = behind(x.argv, list_at, 1)?;
    let at = Time { text: x.arg(2), unit_ms, relative }.at(x.now_ms(), name)?;
    let (over, bounds) = (x.ks.is_over(at), bounds(x.env));
    let done = if over { REMOVED } else { DONE };
    let changed = each(x, names, |hash, field, name, hidden| {
        if !condition.holds(field, at) {
            return NOT_MET;
        }
        if over {
            hash.remove(name, hidden);
        } else {
            hash.set_expiry(name, Some(at), &bounds);
        }
        done
    })?;
    if changed.is_empty() {
        return Ok(());
    }
    let key = x.arg(1);
    let mut entry = x.ks.entry_mut(x.db, key);
    if over {
        entry.count_fields_over(changed.len());
        entry.touched(HEXPIRED, changed.len());
        tidy(&mut entry);
        let argv: Vec<&[u8]> = [b"HDEL", key].into_iter().chain(changed).collect();
        x.propagate_as(&argv);
        return Ok(());
    }
    entry.touched(HEXPIRE_EVENT, changed.len());
    entry.track_fields();
    propagate(x, list_at, &changed, at, relative || unit_ms > 1);
    Ok(())
}

/// As HPEXPIREAT, with the fields that changed.
fn propagate(x: &mut Exec<'_>, list_at: usize, changed: &[&[u8]], at: i64, rewrite: bool) {
    let all = x.argc() - list_at - 2 == changed.len();
    if all && !rewrite {
        return;
    }
    let (mut time, mut count) = (Vec::with_capacity(20), Vec::with_capacity(20));
    write_i64(&mut time, at);
    write_i64(&mut count, changed.len() as i64);
    let mut argv: Vec<&[u8]> = vec![b"HPEXPIREAT", x.arg(1), &time];
    argv.extend(x.argv.iter().take(list_at + 1).skip(3));
    argv.push(&count);
    argv.extend(changed);
    x.propagate_as(&argv);
}

/// Does `deed` to each of these fields that is there and answers with what it says; gives those for which that is
/// more than `NOT_MET`. `deed` gets the hash, the field's expiry and name, and up to when fields are hidden.
fn each<'a>(
    x: &mut Exec<'a>, names: Args<'a>, mut deed: impl FnMut(&mut Hash, Option<i64>, &[u8], i64) -> i64,
) -> Result<Vec<&'a [u8]>, CommandError> {
    let hidden = x.ks.hidden();
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    hash_at(&entry)?;
    let mut hash = hash_mut(&mut entry);
    let mut changed = Vec::new();
    x.reply.array(names.len());
    for name in names.iter() {
        let field: Option<Field<'_>> = hash.as_deref().and_then(|hash| hash.get(name, hidden));
        let result = match (field.map(|field| field.expire_at), hash.as_deref_mut()) {
            (Some(expire_at), Some(hash)) => deed(hash, expire_at, name, hidden),
            _ => NO_FIELD,
        };
        if result > NOT_MET {
            changed.push(name);
        }
        x.reply.int(result);
    }
    Ok(changed)
}

/// HPERSIST key FIELDS numfields field [field ...]
pub const HPERSIST: Command = Command {
    arity: -5,
    summary: "Takes the expiry of fields of a hash away.",
    args: &[Arg::key("key"), FIELDS],
    ..expire_row("hpersist", hpersist)
};

fn hpersist(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let names = listed(x.argv, MISMATCH)?;
    let bounds = bounds(x.env);
    let changed = each(x, names, |hash, expire_at, name, _| match expire_at {
        None => NO_EXPIRY,
        Some(_) => {
            hash.set_expiry(name, None, &bounds);
            DONE
        }
    })?;
    if changed.is_empty() {
        return Ok(());
    }
    let key = x.arg(1);
    x.ks.entry_mut(x.db, key).touched(HPERSIST_EVENT, changed.len());
    if changed.len() < names.len() {
        let mut count = Vec::with_capacity(20);
        write_i64(&mut count, changed.len() as i64);
        let argv: Vec<&[u8]> = [x.arg(0), key, x.arg(2), &count].into_iter().chain(changed).collect();
        x.propagate_as(&argv);
    }
    Ok(())
}
