//! XADD and XTRIM: entries come at the end and go from the beginning.

use super::access::{stream, stream_mut};
use super::ids::{self, Wanted};
use super::trimming::{TRIM_PARTS, Words, threshold_now};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::Ttl;
use crate::types::stream::{Log, Stream, StreamId};
use crate::types::{Object, tag};

const ADDED: Event = Event::new(EventClass::Stream, "xadd");
const TRIMMED: Event = Event::new(EventClass::Stream, "xtrim");

const EXHAUSTED: CommandError =
    CommandError::Static("ERR The stream has exhausted the last possible ID, unable to add more items");
const TOO_SMALL: CommandError =
    CommandError::Static("ERR The ID specified in XADD is equal or smaller than the target stream top item");
const MUST_NOT_BE_ZERO: CommandError = CommandError::Static("ERR The ID specified in XADD must be greater than 0-0");
const TOO_LARGE: CommandError = CommandError::Static("ERR Elements are too large to be stored");

/// XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value [field value ...]
pub const XADD: Command = Command {
    arity: -5,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Adds an entry at the end of a stream, creating it if it is missing.",
    complexity: "O(1) to add an entry, O(N) to trim where N is the number of entries that go.",
    history: &[
        ("6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."),
        ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
    ],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::STREAM,
    tips: &["nondeterministic_output"],
    keys: &[KeySpec {
        notes: "UPDATE instead of INSERT because of the optional trimming feature",
        ..KeySpec::one(1, key::RW | key::UPDATE)
    }],
    args: &[
        Arg::key("key"),
        Arg::token("nomkstream", "NOMKSTREAM").opt().since("6.2.0"),
        Arg::block("trim", TRIM_PARTS).opt(),
        Arg::one_of("id-selector", &[Arg::token("auto-id", "*"), Arg::new("id", ArgKind::String)]),
        Arg::block("data", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]).many(),
    ],
    ..Command::new("xadd", xadd)
};

fn xadd(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (words, id_at) = Words::parse(x, true)?;
    let count = x.argc().saturating_sub(id_at + 1);
    if count < 2 || count % 2 == 1 {
        return Err(CommandError::arity("xadd"));
    }
    let wanted = if x.arg(id_at) == b"*" { None } else { Some(ids::wanted(x.arg(id_at))?) };
    if wanted == Some(Wanted::Id(StreamId::MIN)) {
        return Err(MUST_NOT_BE_ZERO);
    }
    let data = x.argv.from(id_at + 1);
    let fields = (0..count / 2).map(move |i| (data.get(2 * i), data.get(2 * i + 1)));
    let (limits, now_ms) = (x.env.limits.stream_node, x.now_ms().max(0) as u64);
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let old = stream(entry.value())?;
    if old.is_none() && words.no_create {
        x.reply.null();
        return Ok(());
    }
    let id = new_id(old.map(|stream| &stream.log), wanted, now_ms)?;
    if old.is_some() {
        stream_mut(&mut entry).log.append(id, fields, limits).map_err(|_| TOO_LARGE)?;
        entry.touched(ADDED, 1);
    } else {
        let mut new = Stream::default();
        new.log.append(id, fields, limits).map_err(|_| TOO_LARGE)?;
        entry.set_object(Box::new(Object::Stream(Box::new(new))), tag::STREAM, Ttl::Clear, ADDED);
    }
    let mut left = Vec::new();
    if let Some((trim, _)) = &words.trim {
        let log = &mut stream_mut(&mut entry).log;
        let gone = log.trim(trim);
        if trim.approximate {
            left = threshold_now(log, trim.until);
        }
        if gone > 0 {
            entry.also(TRIMMED);
        }
    }
    let (mut room, given) = ([0; _], matches!(wanted, Some(Wanted::Id(_))));
    let id = id.text(&mut room);
    x.reply.bulk(id);
    if (!given || !left.is_empty()) && x.ks.effects.wants.ops {
        let call = words.exact(x, &left, Some((id_at, id)));
        x.propagate_as(&call);
    } else if !given || !left.is_empty() {
        x.propagate_nothing();
    }
    Ok(())
}

/// The id that a new entry gets.
fn new_id(log: Option<&Log>, wanted: Option<Wanted>, now_ms: u64) -> Result<StreamId, CommandError> {
    let empty = Log::default();
    let log = log.unwrap_or(&empty);
    if log.last_id == StreamId::MAX {
        return Err(EXHAUSTED);
    }
    match wanted {
        None => Ok(log.next_id(now_ms).expect("the last possible id was not given yet")),
        Some(Wanted::InMs(ms)) => log.next_id_in(ms).ok_or(TOO_SMALL),
        Some(Wanted::Id(id)) => Some(id).filter(|id| *id > log.last_id).ok_or(TOO_SMALL),
    }
}

/// XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]
pub const XTRIM: Command = Command {
    arity: -4,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Removes entries from the beginning of a stream.",
    complexity: "O(N) where N is the number of entries that go; nodes of many entries go at once.",
    history: &[("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option.")],
    flags: flag::WRITE,
    acl: category::STREAM,
    tips: &["nondeterministic_output"],
    keys: &[KeySpec::one(1, key::RW | key::DELETE)],
    args: &[Arg::key("key"), Arg::block("trim", TRIM_PARTS)],
    ..Command::new("xtrim", xtrim)
};

fn xtrim(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (words, _) = Words::parse(x, false)?;
    let (trim, _) = words.trim.expect("XTRIM without a threshold was refused");
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    if stream(entry.value())?.is_none() {
        x.reply.int(0);
        return Ok(());
    }
    let log = &mut stream_mut(&mut entry).log;
    let gone = log.trim(&trim);
    let left = if trim.approximate && gone > 0 { threshold_now(log, trim.until) } else { Vec::new() };
    if gone > 0 {
        entry.touched(TRIMMED, gone as usize);
    }
    x.reply.count(gone as usize);
    if !left.is_empty() {
        let call = words.exact(x, &left, None);
        x.propagate_as(&call);
    }
    Ok(())
}
