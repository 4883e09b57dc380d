//! DUMP and RESTORE: values as bytes that other servers understand, and back.
//!
//! The bytes are those of [`crate::rdb`]; here are the keys. A time to live is propagated as the moment at which it ends.

use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::{self, CommandError};
use crate::exec::{Env, Exec};
use crate::keyspace::access;
use crate::keyspace::entry::{Taken, TakenValue};
use crate::rdb::payload::{self, Wrong};
use crate::rdb::{self, Content, Reader, Thresholds};
use crate::stdx::number;
use crate::types::hash::Bounds;
use crate::types::tag;
use crate::types::zset::Caps;

const RESTORED: Event = Event::new(EventClass::Generic, "restore");
const BUSY: CommandError = CommandError::Static("BUSYKEY Target key name already exists.");
const BAD_TTL: CommandError = CommandError::Static("ERR Invalid TTL value, must be >= 0");
const BAD_FRAME: CommandError = CommandError::Static("ERR DUMP payload version or checksum are wrong");
const BAD_FORMAT: CommandError = CommandError::Static("ERR Bad data format");

/// DUMP key
pub const DUMP: Command = Command {
    arity: 2,
    group: Group::Generic,
    since: "2.6.0",
    summary: "Answers a value as bytes that RESTORE understands.",
    complexity: "O(N) with N bytes in the value.",
    flags: flag::READONLY,
    acl: category::KEYSPACE,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    tips: &["nondeterministic_output"],
    args: &[Arg::key("key")],
    ..Command::new("dump", dump)
};

/// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
pub const RESTORE: Command = Command {
    arity: -4,
    group: Group::Generic,
    since: "2.6.0",
    summary: "Makes a key of what DUMP answered.",
    complexity: "O(N) with N bytes in the value; O(N*log(N)) with N elements of a sorted set.",
    history: &[
        ("3.0.0", "Takes `REPLACE`."),
        ("5.0.0", "Takes `ABSTTL`."),
        ("5.0.0", "Takes `IDLETIME` and `FREQ`."),
    ],
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::KEYSPACE | category::DANGEROUS,
    keys: &[KeySpec::one(1, key::OW | key::UPDATE)],
    args: &[
        Arg::key("key"),
        Arg::new("ttl", ArgKind::Integer),
        Arg::new("serialized-value", ArgKind::String),
        Arg::token("replace", "REPLACE").opt().since("3.0.0"),
        Arg::token("absttl", "ABSTTL").opt().since("5.0.0"),
        Arg::new("seconds", ArgKind::Integer).after("IDLETIME").opt().since("5.0.0"),
        Arg::new("frequency", ArgKind::Integer).after("FREQ").opt().since("5.0.0"),
    ],
    ..Command::new("restore", restore)
};

fn dump(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let compress = x.env.limits.compress_dumps;
    match x.ks.read(x.db, x.argv.get(1)) {
        Some(found) => x.reply.bulk(&payload::seal(&found.value(), compress)),
        None => x.reply.null(),
    }
    Ok(())
}

/// The encodings the configuration asks for.
pub(crate) fn thresholds(env: &mut Env) -> Thresholds {
    let seed = env.rng.next_u64();
    let limits = &env.limits;
    Thresholds {
        hash: Bounds { entries_max: limits.hash_entries_max, value_max: limits.hash_value_max, seed },
        set: limits.set.clone(),
        zset: Caps { entries_max: limits.zset_entries_max, value_max: limits.zset_value_max, seed },
        list: limits.list,
    }
}

/// What was read, as the keyspace takes it, and its type tag.
pub(crate) fn taken_value(content: Content) -> (TakenValue, u8) {
    match content {
        Content::String(bytes) => (TakenValue::of_string(bytes), tag::STRING),
        Content::Object(object, tag) => (TakenValue::Object(object), tag),
    }
}

#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(x: &Exec<'_>) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut i = 4;
        while i < x.argc() {
            let has_value = i + 1 < x.argc();
            match () {
                () if x.arg_is(i, "replace") => options.replace = true,
                () if x.arg_is(i, "absttl") => options.absolute = true,
                () if x.arg_is(i, "idletime") && has_value && options.frequency.is_none() => {
                    i += 1;
                    let wrong = CommandError::Static("ERR Invalid IDLETIME value, must be >= 0");
                    options.idle_seconds = Some(u64::try_from(x.int(i)?).map_err(|_| wrong)?);
                }
                () if x.arg_is(i, "freq") && has_value && options.idle_seconds.is_none() => {
                    i += 1;
                    let wrong = CommandError::Static("ERR Invalid FREQ value, must be >= 0 and <= 255");
                    options.frequency = Some(u8::try_from(x.int(i)?).map_err(|_| wrong)?);
                }
                () => return Err(error::SYNTAX),
            }
            i += 1;
        }
        Ok(options)
    }

    /// The LRU/LFU field of the new key, by the policy in force.
    fn lru(&self, x: &Exec<'_>) -> u32 {
        let (policy, now_ms) = (x.ks.access, x.now_ms());
        match (policy.lfu, self.frequency, self.idle_seconds) {
            (true, Some(frequency), _) => policy.fresh(now_ms) & !0xff | u32::from(frequency),
            (false, _, Some(seconds)) => access::idle_since(seconds, now_ms),
            _ => policy.fresh(now_ms),
        }
    }
}

fn restore(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let options = Options::parse(x)?;
    let key = x.arg(1);
    if !options.replace && x.ks.entry_mut(x.db, key).exists() {
        return Err(BUSY);
    }
    let ttl = x.int(2)?;
    if ttl < 0 {
        return Err(BAD_TTL);
    }
    let expire_at = match ttl {
        0 => None,
        _ if options.absolute => Some(ttl),
        _ => Some(x.now_ms().checked_add(ttl).ok_or(BAD_TTL)?),
    };
    let content = unpack(x, x.arg(3))?;
    if expire_at.is_some_and(|at| x.ks.is_over(at)) {
        let propagated: &[u8] = if x.env.limits.lazy_server_del { b"UNLINK" } else { b"DEL" };
        if x.ks.entry_mut(x.db, key).remove(Event::DEL) {
            x.propagate_as(&[propagated, key]);
        }
        x.reply.ok();
        return Ok(());
    }
    let (value, tag) = taken_value(content);
    let lru = options.lru(x);
    x.ks.place((x.db, key), Taken { value, tag, expire_at, lru }, RESTORED);
    if let Some(at) = expire_at.filter(|_| !options.absolute) {
        propagate(x, at);
    }
    x.reply.ok();
    Ok(())
}

fn unpack(x: &mut Exec<'_>, bytes: &[u8]) -> Result<Content, CommandError> {
    let opened = payload::open(bytes, x.env.limits.dump_checks).map_err(|wrong| match wrong {
        Wrong::Frame => BAD_FRAME,
        Wrong::Kind => BAD_FORMAT,
        Wrong::ForeignKind(kind) => CommandError::owned(format!("ERR Unsupported foreign data type: {kind}")),
    })?;
    let thresholds = thresholds(x.env);
    let mut reader = Reader::new(opened.body, x.env.limits.string_bytes_max);
    rdb::read(opened.kind, &mut reader, &thresholds).map_err(|_| BAD_FORMAT)
}

/// The same with the moment at which the time to live ends.
fn propagate(x: &mut Exec<'_>, at_ms: i64) {
    let mut time = Vec::with_capacity(20);
    number::write_i64(&mut time, at_ms);
    let mut argv: Vec<&[u8]> = x.argv.iter().collect();
    argv[2] = &time;
    argv.push(b"ABSTTL");
    x.propagate_as(&argv);
}
