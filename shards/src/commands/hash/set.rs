//! HSET, HMSET, HSETNX: setting fields. A field that is set anew has no expiry.

use super::value::{bounds, hash_at, store};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, ShardRun, category, flag, key};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::types::hash::{Expiry, Was};

const FIELD: Arg = Arg::new("field", ArgKind::String);
const VALUE: Arg = Arg::new("value", ArgKind::String);
const PAIRS: &[Arg] = &[Arg::key("key"), Arg::block("data", &[FIELD, VALUE]).many()];

const KEYS: &[KeySpec] = &[KeySpec::one(1, key::RW | key::UPDATE)];

const fn set_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: -4,
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(N) with N fields.",
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        acl: category::HASH,
        keys: KEYS,
        args: PAIRS,
        ..Command::new(name, run)
    }
}

/// HSET key field value [field value ...]
pub const HSET: Command = Command {
    summary: "Sets fields of a hash, which is made if it does not exist.",
    history: &[("4.0.0", "Takes several fields with their values.")],
    ..set_row("hset", hset)
};

fn hset(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let added = set_pairs(x, "hset")?;
    x.reply.count(added);
    Ok(())
}

/// HMSET key field value [field value ...]
pub const HMSET: Command = Command {
    summary: "Sets fields of a hash; HSET does the same.",
    ..set_row("hmset", hmset)
};

fn hmset(x: &mut Exec<'_>) -> Result<(), CommandError> {
    set_pairs(x, "hmset")?;
    x.reply.ok();
    Ok(())
}

/// Sets the fields from argument 2 on; how many are new.
fn set_pairs(x: &mut Exec<'_>, name: &str) -> Result<usize, CommandError> {
    if x.argc() % 2 == 1 {
        return Err(CommandError::arity(name));
    }
    let (pairs, gone, bounds) = (x.argv.from(2), x.ks.fields_over(), bounds(x.env));
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    hash_at(&entry)?;
    let added = store(&mut entry, pairs.len() / 2, |hash| {
        hash.prepare(|| pairs.iter(), &bounds);
        let (mut over, mut added) = (0, 0);
        for i in (0..pairs.len()).step_by(2) {
            let was = hash.set(pairs.get(i), pairs.get(i + 1), Expiry::Clear, gone, &bounds);
            added += usize::from(was != Was::There);
            over += usize::from(was == Was::Over);
        }
        (over, added)
    });
    Ok(added)
}

/// HSETNX key field value
pub const HSETNX: Command = Command {
    arity: 4,
    summary: "Sets a field of a hash that has no such field yet.",
    complexity: "O(1)",
    keys: &[KeySpec::one(1, key::RW | key::INSERT)],
    args: &[Arg::key("key"), FIELD, VALUE],
    ..set_row("hsetnx", hsetnx)
};

fn hsetnx(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (hidden, gone, bounds) = (x.ks.hidden(), x.ks.fields_over(), bounds(x.env));
    let (key, name, value) = (x.arg(1), x.arg(2), x.arg(3));
    let mut entry = x.ks.entry_mut(x.db, key);
    let hash = hash_at(&entry)?;
    if hash.is_some_and(|hash| hash.has(name, hidden)) {
        x.reply.int(0);
        return Ok(());
    }
    let timed = hash.is_some_and(|hash| hash.timed_len() > 0);
    store(&mut entry, 1, |hash| {
        hash.prepare(|| [name, value].into_iter(), &bounds);
        let was = hash.set(name, value, Expiry::Clear, gone, &bounds);
        (usize::from(was == Was::Over), ())
    });
    if timed {
        // Whoever replays it may still see the field.
        x.propagate_as(&[b"HSET", key, name, value]);
    }
    x.reply.int(1);
    Ok(())
}
