//! MGET, MSET, MSETNX and MSETEX: many strings at once.
//!
//! MGET and MSET treat each key for itself, so a call over several shards is split among them. MSETNX and MSETEX look at
//! all keys before they set any, so the keys are lent to one shard.

use super::options::{self, MSETEX_WORDS, Options, TimeText};
use super::value::reply_text;
use crate::command::{Arg, ArgKind, Begin, Command, Find, Group, KeySpec, Merge, Spread, category, flag, key};
use crate::effects::Event;
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;
use crate::keyspace::Ttl;
use crate::stdx::number::parse_i64;
use crate::types::tag;

/// MGET key [key ...]
pub const MGET: Command = Command {
    arity: -2,
    group: Group::String,
    since: "1.0.0",
    summary: "Returns the strings at several keys, null for each that is missing or no string.",
    complexity: "O(N) where N is the number of keys.",
    flags: flag::READONLY | flag::FAST,
    acl: category::STRING,
    tips: &["request_policy:multi_shard"],
    keys: &[KeySpec::range(1, -1, 1, key::RO | key::ACCESS)],
    spread: Spread::Split(1, Merge::ByKey),
    args: &[Arg::key("key").many()],
    ..Command::new("mget", mget)
};

fn mget(x: &mut Exec<'_>) -> Result<(), CommandError> {
    x.reply.array(x.argc() - 1);
    for key in x.argv.from(1).iter() {
        let string = x.ks.read(x.db, key).filter(|found| tag::is_string(found.tag()));
        reply_text(&mut x.reply, string.map(|found| found.value()))?;
    }
    Ok(())
}

const PAIRS: Arg = Arg::block("data", &[Arg::key("key"), Arg::new("value", ArgKind::String)]).many();

/// MSET key value [key value ...]
pub const MSET: Command = Command {
    arity: -3,
    group: Group::String,
    since: "1.0.1",
    summary: "Stores strings at several keys at once.",
    complexity: "O(N) where N is the number of keys.",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::STRING,
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    keys: &[KeySpec::range(1, -1, 2, key::OW | key::UPDATE)],
    spread: Spread::Split(2, Merge::Same),
    args: &[PAIRS],
    ..Command::new("mset", mset)
};

fn mset(x: &mut Exec<'_>) -> Result<(), CommandError> {
    if x.argc().is_multiple_of(2) {
        return Err(CommandError::arity("mset"));
    }
    set_pairs(x, 1, x.argc(), Ttl::Clear);
    x.reply.ok();
    Ok(())
}

/// MSETNX key value [key value ...]
pub const MSETNX: Command = Command {
    arity: -3,
    group: Group::String,
    since: "1.0.1",
    summary: "Stores strings at several keys at once, if none of the keys exists.",
    complexity: "O(N) where N is the number of keys.",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::STRING,
    keys: &[KeySpec::range(1, -1, 2, key::OW | key::INSERT)],
    args: &[PAIRS],
    ..Command::new("msetnx", msetnx)
};

fn msetnx(x: &mut Exec<'_>) -> Result<(), CommandError> {
    if x.argc().is_multiple_of(2) {
        return Err(CommandError::arity("msetnx"));
    }
    let free = (1..x.argc()).step_by(2).all(|i| !x.entry(x.argv.get(i)).exists());
    if free {
        set_pairs(x, 1, x.argc(), Ttl::Clear);
    }
    x.reply.int(i64::from(free));
    Ok(())
}

/// Sets the pairs of key and value in the arguments from `first` to `end`.
fn set_pairs(x: &mut Exec<'_>, first: usize, end: usize, ttl: Ttl) {
    for i in (first..end).step_by(2) {
        let mut entry = x.ks.entry_mut(x.db, x.argv.get(i));
        entry.set(x.argv.get(i + 1), ttl, Event::SET);
        if matches!(ttl, Ttl::At(_)) {
            entry.also(Event::EXPIRE);
        }
    }
}

/// MSETEX numkeys key value [key value ...] [NX | XX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
pub const MSETEX: Command = Command {
    arity: -4,
    group: Group::String,
    since: "9.1.0",
    summary: "Stores strings at several keys at once, with a condition on all of them and a time to live.",
    complexity: "O(N) where N is the number of keys.",
    flags: flag::WRITE | flag::DENYOOM | flag::MOVABLE_KEYS,
    acl: category::STRING,
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    keys: &[KeySpec {
        flags: key::OW | key::UPDATE,
        begin: Begin::Index(1),
        find: Find::Count { at: 0, first: 1, step: 2 },
        notes: "",
    }],
    args: &[
        Arg::new("numkeys", ArgKind::Integer),
        PAIRS,
        Arg::one_of("condition", &[Arg::token("nx", "NX"), Arg::token("xx", "XX")]).opt(),
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
    ],
    ..Command::new("msetex", msetex)
};

const BAD_NUMKEYS: CommandError = CommandError::Static("ERR invalid numkeys value or out of range");

fn msetex(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let numkeys = parse_i64(x.arg(1)).and_then(|n| i32::try_from(n).ok()).filter(|n| *n > 0).ok_or(BAD_NUMKEYS)?;
    let end = 2 + 2 * numkeys as usize;
    if end > x.argc() {
        return Err(SYNTAX);
    }
    let options = Options::parse(x.argv, end, MSETEX_WORDS)?;
    let deadline = options.deadline(x.now_ms(), "msetex")?;
    let exists = |x: &mut Exec<'_>, i: usize| x.entry(x.argv.get(i)).exists();
    let allowed = (2..end).step_by(2).all(|i| {
        (!options.has(options::NX) || !exists(x, i)) && (!options.has(options::XX) || exists(x, i))
    });
    if allowed {
        set_pairs(x, 2, end, options.ttl(deadline));
        if let Some(at) = deadline.filter(|_| !options.has(options::PXAT)) {
            propagate_absolute(x, end, at);
        }
    }
    x.reply.int(i64::from(allowed));
    Ok(())
}

/// The call with its time made absolute: a word before the time stays, EX and the like go.
fn propagate_absolute(x: &mut Exec<'_>, end: usize, at: i64) {
    let time = TimeText::new(at);
    let mut argv: Vec<&[u8]> = x.argv.iter().take(end).collect();
    let is_condition = |word: &&[u8]| word.eq_ignore_ascii_case(b"nx") || word.eq_ignore_ascii_case(b"xx");
    argv.extend(x.argv.from(end).iter().filter(is_condition));
    argv.extend([b"PXAT", time.bytes()]);
    x.propagate_as(&argv);
}
