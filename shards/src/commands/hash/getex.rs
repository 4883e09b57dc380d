//! HGETEX: reading fields and changing when they expire. Propagated as what it did to them.

use super::options::{FIELDS, Words, behind, fields_at};
use super::value::{HEXPIRE, HEXPIRED, HPERSIST, bounds, hash_at, hash_mut, reply_value, tidy};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::stdx::number::write_i64;

/// HGETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] FIELDS numfields field [field ...]
pub const HGETEX: Command = Command {
    arity: -5,
    group: Group::Hash,
    since: "9.0.0",
    summary: "Returns the values of fields and sets or removes their expiry.",
    complexity: "O(N) with N fields named.",
    flags: flag::WRITE | flag::FAST,
    acl: category::HASH,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::UPDATE)],
    args: &[
        Arg::key("key"),
        Arg::one_of(
            "expiration",
            &[
                Arg::new("seconds", ArgKind::Integer).after("EX"),
                Arg::new("milliseconds", ArgKind::Integer).after("PX"),
                Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT"),
                Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT"),
                Arg::token("persist", "PERSIST"),
            ],
        )
        .opt(),
        FIELDS,
    ],
    ..Command::new("hgetex", hgetex)
};

/// What happens to the fields.
#[derive(Clone, Copy)]
enum Deed {
    Nothing,
    Remove,
    Persist,
    Expire(i64),
}

fn hgetex(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let list_at = fields_at(x.argv, 2)?;
    let words = Words::parse(x.argv, list_at, false)?;
    let names = behind(x.argv, list_at, 1)?;
    hash_at(&x.ks.entry_mut(x.db, x.argv.get(1)))?;
    let deed = match words.time.map(|time| time.at(x.now_ms(), "hgetex")).transpose()? {
        Some(at) if x.ks.is_over(at) => Deed::Remove,
        Some(at) => Deed::Expire(at),
        None if words.persist => Deed::Persist,
        None => Deed::Nothing,
    };
    let (hidden, bounds) = (x.ks.hidden(), bounds(x.env));
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let mut hash = hash_mut(&mut entry);
    let mut changed: Vec<&[u8]> = Vec::new();
    x.reply.array(names.len());
    for name in names.iter() {
        let field = hash.as_deref().and_then(|hash| hash.get(name, hidden));
        reply_value(&mut x.reply, field);
        let (Some(expire_at), Some(hash)) = (field.map(|field| field.expire_at), hash.as_deref_mut()) else { continue };
        match deed {
            Deed::Nothing => continue,
            Deed::Remove => drop(hash.remove(name, hidden)),
            Deed::Persist if expire_at.is_none() => continue,
            Deed::Persist => hash.set_expiry(name, None, &bounds),
            Deed::Expire(at) => hash.set_expiry(name, Some(at), &bounds),
        }
        changed.push(name);
    }
    if !changed.is_empty() {
        tell(x, deed, &changed);
    }
    Ok(())
}

/// Events and propagation of what was done to these fields.
fn tell(x: &mut Exec<'_>, deed: Deed, changed: &[&[u8]]) {
    let key = x.arg(1);
    let mut entry = x.ks.entry_mut(x.db, key);
    match deed {
        Deed::Nothing => unreachable!("nothing changes nothing"),
        Deed::Remove => {
            entry.count_fields_over(changed.len());
            entry.touched(HEXPIRED, changed.len());
            tidy(&mut entry);
        }
        Deed::Persist => entry.touched(HPERSIST, changed.len()),
        Deed::Expire(_) => {
            entry.touched(HEXPIRE, changed.len());
            entry.track_fields();
        }
    }
    let (mut time, mut count) = (Vec::with_capacity(20), Vec::with_capacity(20));
    write_i64(&mut count, changed.len() as i64);
    let mut argv: Vec<&[u8]> = Vec::with_capacity(changed.len() + 5);
    match deed {
        Deed::Nothing | Deed::Remove => argv.extend([b"HDEL", key]),
        Deed::Persist => argv.extend([b"HPERSIST", key, b"FIELDS", &count]),
        Deed::Expire(at) => {
            write_i64(&mut time, at);
            argv.extend([b"HPEXPIREAT", key, &time, b"FIELDS", &count]);
        }
    }
    argv.extend(changed);
    x.propagate_as(&argv);
}
