//! HSETEX: setting fields together with their expiry, on conditions.
//!
//! Propagated without conditions and with an absolute time; when that time is over already, as the removal of the
//! fields that were there.

use super::options::{NUMFIELDS, Words, behind, fields_at, time_named};
use super::value::{HEXPIRE, HEXPIRED, HSET, bounds, hash_at, hash_mut, store, tidy};
use crate::args::Args;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::EntryMut;
use crate::stdx::number::write_i64;
use crate::types::hash::{Expiry, Hash, NOTHING_HIDDEN, Was};

/// HSETEX key [NX | XX] [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] FIELDS numfields field value [...]
pub const HSETEX: Command = Command {
    arity: -6,
    group: Group::Hash,
    since: "9.0.0",
    summary: "Sets fields of a hash and, if told so, when they expire.",
    complexity: "O(N) with N fields named.",
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::HASH,
    keys: &[KeySpec::one(1, key::RW | key::INSERT)],
    args: &[
        Arg::key("key"),
        Arg::one_of("key-condition", &[Arg::token("nx", "NX"), Arg::token("xx", "XX")]).opt(),
        Arg::one_of("fields-condition", &[Arg::token("fnx", "FNX"), Arg::token("fxx", "FXX")]).opt(),
        Arg::one_of(
            "expiration",
            &[
                Arg::new("seconds", ArgKind::Integer).after("EX"),
                Arg::new("milliseconds", ArgKind::Integer).after("PX"),
                Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT"),
                Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT"),
                Arg::token("keepttl", "KEEPTTL"),
            ],
        )
        .opt(),
        Arg::block(
            "fields",
            &[
                NUMFIELDS,
                Arg::block("data", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]).many(),
            ],
        )
        .after("FIELDS"),
    ],
    ..Command::new("hsetex", hsetex)
};

/// Fields and values in turn.
#[derive(Clone, Copy)]
struct Pairs<'a>(Args<'a>);

impl<'a> Pairs<'a> {
    fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        (0..self.0.len()).step_by(2).map(move |i| (self.0.get(i), self.0.get(i + 1)))
    }

    fn len(self) -> usize {
        self.0.len() / 2
    }
}

fn hsetex(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let list_at = fields_at(x.argv, 2)?;
    let words = Words::parse(x.argv, list_at, true)?;
    let pairs = Pairs(behind(x.argv, list_at, 2)?);
    let (hidden, now_ms) = (x.ks.hidden(), x.now_ms());
    let entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let hash = hash_at(&entry)?;
    if words.nx && hash.is_some() || words.xx && hash.is_none() {
        x.reply.int(0);
        return Ok(());
    }
    let at = words.time.map(|time| time.at(now_ms, "hsetex")).transpose()?;
    if !fields_fit(hash, &words, pairs, hidden) {
        x.reply.int(0);
        return Ok(());
    }
    if at.is_some_and(|at| x.ks.is_over(at)) {
        remove(x, pairs);
    } else {
        set(x, &words, pairs, list_at, at);
    }
    x.reply.int(1);
    Ok(())
}

/// Whether FNX and FXX let the call go on.
fn fields_fit(hash: Option<&Hash>, words: &Words<'_>, pairs: Pairs<'_>, hidden: i64) -> bool {
    let is_there = |(name, _): (&[u8], _)| hash.is_some_and(|hash| hash.has(name, hidden));
    (!words.fnx || !pairs.iter().any(is_there)) && (!words.fxx || pairs.iter().all(is_there))
}

fn set(x: &mut Exec<'_>, words: &Words<'_>, pairs: Pairs<'_>, list_at: usize, at: Option<i64>) {
    let (gone, bounds) = (x.ks.fields_over(), bounds(x.env));
    let expiry = match at {
        Some(at) => Expiry::At(at),
        None if words.keep_ttl => Expiry::Keep,
        None => Expiry::Clear,
    };
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let over = store(&mut entry, pairs.len(), |hash| {
        let mut over = Vec::new();
        for (name, value) in pairs.iter() {
            if hash.set(name, value, expiry, gone, &bounds) == Was::Over {
                over.push(name);
            }
        }
        (over.len(), over)
    });
    if at.is_some() {
        entry.also(HEXPIRE);
    }
    if words.keep_ttl && !over.is_empty() {
        // Whoever replays it would keep an expiry that is over here.
        let argv: Vec<&[u8]> = [b"HDEL", x.arg(1)].into_iter().chain(over).collect();
        x.propagate_as(&argv);
        propagate(x, list_at, at);
    } else if words.nx || words.xx || words.fnx || words.fxx || words.time.is_some_and(|t| t.relative || t.unit_ms > 1) {
        propagate(x, list_at, at);
    }
}

/// The call without conditions, its time absolute.
fn propagate(x: &mut Exec<'_>, list_at: usize, at: Option<i64>) {
    let argv = x.argv;
    let mut time = Vec::with_capacity(20);
    let mut kept: Vec<&[u8]> = vec![argv.get(0), argv.get(1)];
    if let Some(at) = at {
        write_i64(&mut time, at);
        kept.extend([b"PXAT".as_slice(), &time]);
    }
    let mut i = 2;
    while i < list_at {
        if time_named(argv.get(i)).is_some() {
            i += 1;
        } else if argv.get(i).eq_ignore_ascii_case(b"keepttl") {
            kept.push(argv.get(i));
        }
        i += 1;
    }
    kept.extend(argv.from(list_at).iter());
    x.propagate_as(&kept);
}

/// The time is over: what is there goes. Valkey tells the events of the setting all the same, and as it makes the key
/// first, those of a key that comes and goes.
fn remove(x: &mut Exec<'_>, pairs: Pairs<'_>) {
    const NEW: Event = Event::new(EventClass::New, "new");
    let key = x.arg(1);
    let mut entry: EntryMut<'_> = x.ks.entry_mut(x.db, key);
    let mut gone: Vec<&[u8]> = Vec::new();
    if let Some(hash) = hash_mut(&mut entry) {
        gone.extend(pairs.iter().map(|(name, _)| name).filter(|name| hash.remove(name, NOTHING_HIDDEN)));
    }
    let existed = entry.exists();
    if gone.is_empty() {
        if !existed {
            entry.also(NEW);
        }
        entry.also(HSET);
    } else {
        entry.touched(HSET, gone.len());
    }
    entry.also(HEXPIRE);
    entry.fields_over(pairs.len(), HEXPIRED);
    if existed {
        tidy(&mut entry);
    } else {
        entry.also(Event::DEL);
    }
    if !gone.is_empty() {
        let argv: Vec<&[u8]> = [b"HDEL", key].into_iter().chain(gone).collect();
        x.propagate_as(&argv);
    }
}
