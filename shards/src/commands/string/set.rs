//! SET with all its options, its older spellings SETEX, PSETEX and SETNX, and DELIFEQ.
//!
//! A relative time to live is propagated as an absolute one (SET key value PXAT ms): a replica or a log that runs later
//! must not give the key more time.

use super::options::{self, Options, SET_WORDS, TimeText};
use super::value::{Digits, reply_text, text};
use crate::args::Args;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::CommandError;
use crate::effects::Event;
use crate::exec::Exec;
use crate::keyspace::{EntryMut, Ttl};

/// SET key value [NX | XX | IFEQ value] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
pub const SET: Command = Command {
    arity: -3,
    group: Group::String,
    since: "1.0.0",
    summary: "Stores a string at a key, whatever the key held before.",
    complexity: "O(1)",
    history: &[
        ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
        ("6.0.0", "Added the `KEEPTTL` option."),
        ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
        ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
        ("8.1.0", "Added the `IFEQ` option."),
    ],
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::STRING,
    keys: &[KeySpec {
        notes: "RW and ACCESS due to the optional `GET` argument",
        ..KeySpec::one(1, key::RW | key::ACCESS | key::UPDATE | key::VARIABLE_FLAGS)
    }],
    key_flags: Some(set_key_flags),
    args: &[
        Arg::key("key"),
        Arg::new("value", ArgKind::String),
        Arg::one_of(
            "condition",
            &[
                Arg::token("nx", "NX").since("2.6.12"),
                Arg::token("xx", "XX").since("2.6.12"),
                Arg::new("comparison-value", ArgKind::String).after("IFEQ").since("8.1.0"),
            ],
        )
        .opt(),
        Arg::token("get", "GET").opt().since("6.2.0"),
        Arg::one_of(
            "expiration",
            &[
                Arg::new("seconds", ArgKind::Integer).after("EX").since("2.6.12"),
                Arg::new("milliseconds", ArgKind::Integer).after("PX").since("2.6.12"),
                Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT").since("6.2.0"),
                Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT").since("6.2.0"),
                Arg::token("keepttl", "KEEPTTL").since("6.0.0"),
            ],
        )
        .opt(),
    ],
    ..Command::new("set", set)
};

/// SET overwrites what it does not look at, unless GET asks for it.
fn set_key_flags(argv: Args<'_>) -> u32 {
    let reads = argv.iter().skip(3).any(|word| word.eq_ignore_ascii_case(b"get"));
    if reads { key::RW | key::ACCESS | key::UPDATE } else { key::OW | key::UPDATE }
}

fn set(x: &mut Exec<'_>) -> Result<(), CommandError> {
    if x.argc() == 3 {
        x.ks.entry_mut(x.db, x.argv.get(1)).set(x.argv.get(2), Ttl::Clear, Event::SET);
        x.reply.ok();
        return Ok(());
    }
    set_with_words(x)
}

fn set_with_words(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let options = Options::parse(x.argv, 3, SET_WORDS)?;
    let done = store(x, x.argv.get(2), &options, "set")?;
    match (options.has(options::GET), done) {
        (true, _) => {} // `store` has answered with the old string
        (false, true) => x.reply.ok(),
        (false, false) => x.reply.null(),
    }
    Ok(())
}

/// Stores `value` at the first argument if the options allow it; false if they do not.
fn store(x: &mut Exec<'_>, value: &[u8], options: &Options<'_>, name: &str) -> Result<bool, CommandError> {
    let key = x.arg(1);
    let deadline = options.deadline(x.now_ms(), name)?;
    if options.has(options::GET) {
        reply_text(&mut x.reply, x.ks.read(x.db, key).map(|found| found.value()))?;
    }
    let over = deadline.is_some_and(|at| x.ks.is_over(at));
    let mut entry = x.ks.entry_mut(x.db, key);
    if !allows(&entry, options)? {
        return Ok(false);
    }
    if over {
        if entry.remove_expired() {
            x.propagate_as(&[b"UNLINK", key]);
        }
        return Ok(true);
    }
    entry.set(value, options.ttl(deadline), Event::SET);
    if deadline.is_some() {
        entry.also(Event::EXPIRE);
    }
    propagate(x, value, options, deadline);
    Ok(true)
}

/// Whether NX, XX and IFEQ let the call go on.
fn allows(entry: &EntryMut<'_>, options: &Options<'_>) -> Result<bool, CommandError> {
    if let Some(expected) = options.compare {
        return holds(entry, expected);
    }
    Ok(if entry.exists() { !options.has(options::NX) } else { !options.has(options::XX) })
}

/// True if the key is there and holds exactly this string.
fn holds(entry: &EntryMut<'_>, expected: &[u8]) -> Result<bool, CommandError> {
    let Some(value) = entry.value() else { return Ok(false) };
    Ok(text(value, &mut Digits::default())? == expected)
}

/// A time becomes absolute, GET goes; everything else stays as the client said it.
fn propagate(x: &mut Exec<'_>, value: &[u8], options: &Options<'_>, deadline: Option<i64>) {
    let key = x.arg(1);
    match deadline {
        Some(_) if options.has(options::PXAT) => {}
        Some(at) => {
            // SET with nothing but a time keeps the name as it was typed.
            let name = if x.argc() == 5 { x.arg(0) } else { b"SET" };
            x.propagate_as(&[name, key, value, b"PXAT", TimeText::new(at).bytes()]);
        }
        None if options.has(options::GET) => {
            let words = without_get(x.argv);
            x.propagate_as(&words);
        }
        None => {}
    }
}

/// The arguments of a SET without time, GET left out: but not where "get" is the string after IFEQ.
fn without_get(argv: Args<'_>) -> Vec<&[u8]> {
    let mut kept: Vec<&[u8]> = argv.iter().take(3).collect();
    let mut rest = argv.from(3).iter();
    while let Some(word) = rest.next() {
        if word.eq_ignore_ascii_case(b"get") {
            continue;
        }
        kept.push(word);
        if word.eq_ignore_ascii_case(b"ifeq") {
            kept.extend(rest.next());
        }
    }
    kept
}

/// SETEX key seconds value
pub const SETEX: Command = Command {
    arity: 4,
    group: Group::String,
    since: "2.0.0",
    summary: "Stores a string at a key together with a time to live in seconds.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::OW | key::UPDATE)],
    args: &[Arg::key("key"), Arg::new("seconds", ArgKind::Integer), Arg::new("value", ArgKind::String)],
    ..Command::new("setex", setex)
};

fn setex(x: &mut Exec<'_>) -> Result<(), CommandError> {
    store(x, x.argv.get(3), &Options::with_time(options::EX, x.argv.get(2)), "setex")?;
    x.reply.ok();
    Ok(())
}

/// PSETEX key milliseconds value
pub const PSETEX: Command = Command {
    arity: 4,
    group: Group::String,
    since: "2.6.0",
    summary: "Stores a string at a key together with a time to live in milliseconds.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::OW | key::UPDATE)],
    args: &[Arg::key("key"), Arg::new("milliseconds", ArgKind::Integer), Arg::new("value", ArgKind::String)],
    ..Command::new("psetex", psetex)
};

fn psetex(x: &mut Exec<'_>) -> Result<(), CommandError> {
    store(x, x.argv.get(3), &Options::with_time(options::PX, x.argv.get(2)), "psetex")?;
    x.reply.ok();
    Ok(())
}

/// SETNX key value
pub const SETNX: Command = Command {
    arity: 3,
    group: Group::String,
    since: "1.0.0",
    summary: "Stores a string at a key that does not exist yet.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::OW | key::INSERT)],
    args: &[Arg::key("key"), Arg::new("value", ArgKind::String)],
    ..Command::new("setnx", setnx)
};

fn setnx(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let done = store(x, x.argv.get(2), &Options::only(options::NX), "setnx")?;
    x.reply.int(i64::from(done));
    Ok(())
}

/// DELIFEQ key value
pub const DELIFEQ: Command = Command {
    arity: 3,
    group: Group::String,
    since: "9.0.0",
    summary: "Deletes a key if it holds exactly this string.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::FAST,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::RM | key::DELETE)],
    args: &[Arg::key("key"), Arg::new("value", ArgKind::String)],
    ..Command::new("delifeq", delifeq)
};

fn delifeq(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let key = x.arg(1);
    let mut entry = x.ks.entry_mut(x.db, key);
    let deleted = holds(&entry, x.argv.get(2))? && entry.remove(Event::DEL);
    if deleted {
        x.propagate_as(&[b"DEL", key]);
    }
    x.reply.int(i64::from(deleted));
    Ok(())
}
