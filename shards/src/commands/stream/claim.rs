//! XCLAIM and XAUTOCLAIM: entries that are pending with one consumer go to another.
//!
//! An entry that is no longer in the stream cannot be claimed: it is taken off the pending ones instead.

use super::access::{group_mut, no_key_or_group, stream, stream_mut};
use super::entries::{reply_entry, reply_id};
use super::groups::CONSUMER_CREATED;
use super::ids;
use super::propagation::{Place, Told};
use crate::command::{Arg, ArgKind, Command, Group as Family, KeySpec, category, flag, key};
use crate::error::{CommandError, SYNTAX, shown};
use crate::exec::Exec;
use crate::keyspace::EntryMut;
use crate::reply::Reply;
use crate::stdx::number::parse_i64;
use crate::types::stream::{ConsumerId, Group, Log, Pending, StreamId};

/// XCLAIM key group consumer min-idle-time id [id ...] [options]
pub const XCLAIM: Command = Command {
    arity: -6,
    group: Family::Stream,
    since: "5.0.0",
    summary: "Gives pending entries to another consumer.",
    complexity: "O(log N) where N is the number of the group's pending entries.",
    flags: flag::WRITE | flag::FAST,
    acl: category::STREAM,
    tips: &["nondeterministic_output"],
    keys: &[KeySpec::one(1, key::RW | key::UPDATE)],
    args: &[
        Arg::key("key"),
        Arg::new("group", ArgKind::String),
        Arg::new("consumer", ArgKind::String),
        Arg::new("min-idle-time", ArgKind::String),
        Arg::new("ID", ArgKind::String).many(),
        Arg::new("ms", ArgKind::Integer).after("IDLE").opt(),
        Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("TIME").opt(),
        Arg::new("count", ArgKind::Integer).after("RETRYCOUNT").opt(),
        Arg::token("force", "FORCE").opt(),
        Arg::token("justid", "JUSTID").opt(),
        Arg::new("lastid", ArgKind::String).after("LASTID").opt(),
    ],
    ..Command::new("xclaim", xclaim)
};

/// XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]
pub const XAUTOCLAIM: Command = Command {
    arity: -6,
    group: Family::Stream,
    since: "6.2.0",
    summary: "Gives entries that were pending for long to another consumer, walking over all of them.",
    complexity: "O(1) if COUNT is small.",
    history: &[(
        "7.0.0",
        "Added an element to the reply array, containing deleted entries the command cleared from the PEL",
    )],
    flags: flag::WRITE | flag::FAST,
    acl: category::STREAM,
    tips: &["nondeterministic_output"],
    keys: &[KeySpec::one(1, key::RW | key::DELETE)],
    args: &[
        Arg::key("key"),
        Arg::new("group", ArgKind::String),
        Arg::new("consumer", ArgKind::String),
        Arg::new("min-idle-time", ArgKind::String),
        Arg::new("start", ArgKind::String),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
        Arg::token("justid", "JUSTID").opt(),
    ],
    ..Command::new("xautoclaim", xautoclaim)
};

/// The words behind XCLAIM's ids.
struct Words {
    ids: usize,
    idle_min_ms: i64,
    time_ms: i64,
    count: Option<i64>,
    force: bool,
    only_ids: bool,
    last_id: StreamId,
}

fn int(text: &[u8], error: &'static str) -> Result<i64, CommandError> {
    parse_i64(text).ok_or(CommandError::Static(error))
}

impl Words {
    fn parse(x: &Exec<'_>, now_ms: i64) -> Result<Words, CommandError> {
        let idle_min_ms = int(x.arg(4), "ERR Invalid min-idle-time argument for XCLAIM")?.max(0);
        let ids = (5..x.argc()).take_while(|at| ids::strict(x.arg(*at), 0).is_ok()).count();
        let last_id = StreamId::MIN;
        let mut words = Words { ids, idle_min_ms, time_ms: -1, count: None, force: false, only_ids: false, last_id };
        let mut i = 5 + ids;
        while i < x.argc() {
            let valued = i + 1 < x.argc();
            if x.arg_is(i, "force") {
                words.force = true;
            } else if x.arg_is(i, "justid") {
                words.only_ids = true;
            } else if valued {
                words.option(x, i, now_ms)?;
                i += 1;
            } else {
                return Err(unrecognized(x.arg(i)));
            }
            i += 1;
        }
        // A time of -1 is one that was not given. A time that cannot be is taken for now, and no error: clients reckon
        // with clocks of their own.
        if !(0..=now_ms).contains(&words.time_ms) {
            words.time_ms = now_ms;
        }
        Ok(words)
    }

    fn option(&mut self, x: &Exec<'_>, at: usize, now_ms: i64) -> Result<(), CommandError> {
        let value = x.arg(at + 1);
        if x.arg_is(at, "idle") {
            self.time_ms = now_ms.saturating_sub(int(value, "ERR Invalid IDLE option argument for XCLAIM")?);
        } else if x.arg_is(at, "time") {
            self.time_ms = int(value, "ERR Invalid TIME option argument for XCLAIM")?;
        } else if x.arg_is(at, "retrycount") {
            let count = int(value, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
            self.count = Some(count).filter(|count| *count >= 0);
        } else if x.arg_is(at, "lastid") {
            self.last_id = ids::strict(value, 0)?;
        } else {
            return Err(unrecognized(x.arg(at)));
        }
        Ok(())
    }
}

fn unrecognized(word: &[u8]) -> CommandError {
    CommandError::owned(format!("ERR Unrecognized XCLAIM option '{}'", shown(word, usize::MAX)))
}

/// Checks that key and group are there.
fn check_group(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (key, name) = (x.arg(1), x.arg(2));
    let found = stream(x.ks.read(x.db, key).map(|found| found.value()))?;
    found.and_then(|stream| stream.groups.get(name)).map(drop).ok_or_else(|| no_key_or_group(key, name))
}

/// The claim of one consumer at work.
struct Claim<'c> {
    log: &'c Log,
    group: &'c mut Group,
    consumer: ConsumerId,
    only_ids: bool,
    told: Told,
    now_ms: i64,
    written: usize,
    /// Changes so far.
    changes: usize,
}

impl<'c> Claim<'c> {
    /// Begins: finds the consumer or makes it; whether it was made.
    fn begin(
        entry: &'c mut EntryMut<'_>, place: Place<'_>, now_ms: i64, only_ids: bool,
    ) -> (Claim<'c>, bool) {
        let stream = stream_mut(entry);
        let group = stream.groups.get_mut(place.group).expect("the group was looked up before");
        let (consumer, made) = group.find_or_add(place.consumer, now_ms);
        group.consumer_mut(consumer).seen_ms = now_ms;
        let (told, changes) = (Told::default(), usize::from(made));
        (Claim { log: &stream.log, group, consumer, only_ids, told, now_ms, written: 0, changes }, made)
    }

    /// Takes an entry that is gone from the stream off the pending ones.
    fn drop_gone(&mut self, id: StreamId, pending: Pending) {
        self.told.gone(id, pending, self.group);
        self.group.acknowledge(id);
        self.changes += 1;
    }

    /// Gives an entry, which is in the stream, to the consumer and answers with it.
    fn take(&mut self, reply: &mut Reply<'_>, id: StreamId, time_ms: i64, count: i64) {
        let pending = Pending { time_ms, count, consumer: self.consumer };
        self.group.give(id, pending);
        self.group.consumer_mut(self.consumer).active_ms = self.now_ms;
        if self.only_ids {
            reply_id(reply, id);
        } else {
            reply_entry(reply, self.log.range(id, id).next().expect("the entry was looked up before"));
        }
        self.told.given(id, pending, self.group);
        self.changes += 1;
        self.written += 1;
    }
}

/// Writes down what a claim did.
fn end(x: &mut Exec<'_>, place: Place<'_>, mut told: Told, changes: usize, made: bool) {
    if made && !told.names_consumer() {
        told.consumer();
    }
    let mut entry = x.ks.entry_mut(x.db, place.key);
    if made {
        entry.also(CONSUMER_CREATED);
    }
    entry.count_more(changes);
    x.propagate_nothing();
    told.tell(x, place);
}

fn xclaim(x: &mut Exec<'_>) -> Result<(), CommandError> {
    check_group(x)?;
    let now_ms = x.now_ms();
    let words = Words::parse(x, now_ms)?;
    let place = Place { key: x.arg(1), group: x.arg(2), consumer: x.arg(3) };
    let argv = x.argv;
    let mut entry = x.ks.entry_mut(x.db, place.key);
    let group = group_mut(&mut entry, place.group);
    let advanced = words.last_id > group.last_id;
    group.last_id = group.last_id.max(words.last_id);
    let (mut claim, made) = Claim::begin(&mut entry, place, now_ms, words.only_ids);
    let mark = x.reply.deferred_array();
    for at in 5..5 + words.ids {
        let id = ids::strict(argv.get(at), 0).expect("it was read before");
        let old = claim.group.pending().get(&id).copied();
        if !claim.log.contains(id) {
            old.into_iter().for_each(|old| claim.drop_gone(id, old));
            continue;
        }
        // An entry that nobody had is new: given once, and its first claim counts, so that is two without JUSTID.
        let count = match old {
            Some(old) if words.idle_min_ms > 0 && now_ms.saturating_sub(old.time_ms) < words.idle_min_ms => continue,
            Some(old) => old.count,
            None if words.force => 1,
            None => continue,
        };
        let counted = if words.only_ids { count } else { count.saturating_add(1) };
        claim.take(&mut x.reply, id, words.time_ms, words.count.unwrap_or(counted));
    }
    x.reply.close_array(mark, claim.written);
    let Claim { mut told, mut changes, group, .. } = claim;
    if advanced && changes == usize::from(made) {
        told.group(group);
        changes += 1;
    }
    end(x, place, told, changes, made);
    Ok(())
}

/// Entries looked at for each one wanted.
const ATTEMPTS: usize = 10;

/// COUNT and JUSTID.
fn auto_words(x: &Exec<'_>) -> Result<(usize, bool), CommandError> {
    /// So that COUNT times an id's size, or times the attempts, does not overflow.
    const COUNT_MAX: i64 = i64::MAX / 16;
    let (mut count, mut only_ids) = (100, false);
    let mut i = 6;
    while i < x.argc() {
        if i + 1 < x.argc() && x.arg_is(i, "count") {
            let bad = "ERR COUNT must be > 0";
            count = Some(int(x.arg(i + 1), bad)?).filter(|n| (1..=COUNT_MAX).contains(n)).ok_or(CommandError::Static(bad))?;
            i += 1;
        } else if x.arg_is(i, "justid") {
            only_ids = true;
        } else {
            return Err(SYNTAX);
        }
        i += 1;
    }
    Ok((count as usize, only_ids))
}

fn xautoclaim(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let idle_min_ms = int(x.arg(4), "ERR Invalid min-idle-time argument for XAUTOCLAIM")?.max(0);
    let start = ids::range_start(x.arg(5))?;
    let (count, only_ids) = auto_words(x)?;
    check_group(x)?;
    let now_ms = x.now_ms();
    let place = Place { key: x.arg(1), group: x.arg(2), consumer: x.arg(3) };
    let mut entry = x.ks.entry_mut(x.db, place.key);
    let (mut claim, made) = Claim::begin(&mut entry, place, now_ms, only_ids);
    let (mut left, mut attempts, mut gone, mut next) = (count, count * ATTEMPTS, Vec::new(), Some(start));
    let reply = &mut x.reply;
    reply.array(3);
    let cursor_at = reply.position();
    let mark = reply.deferred_array();
    let cursor = loop {
        let found = next.and_then(|from| claim.group.pending().range(from..).next());
        let Some((id, old)) = found.map(|(id, old)| (*id, *old)) else { break StreamId::MIN };
        if attempts == 0 || left == 0 {
            break id;
        }
        attempts -= 1;
        next = id.next();
        if !claim.log.contains(id) {
            claim.drop_gone(id, old);
            gone.push(id);
            left -= 1;
        } else if idle_min_ms == 0 || now_ms.saturating_sub(old.time_ms) >= idle_min_ms {
            let counted = if only_ids { old.count } else { old.count.saturating_add(1) };
            claim.take(reply, id, now_ms, counted);
            left -= 1;
        }
    };
    reply.close_array(mark, claim.written);
    reply.insert_bulk(cursor_at, cursor.text(&mut [0; _]));
    reply.array(gone.len());
    gone.iter().for_each(|id| reply_id(reply, *id));
    let Claim { told, changes, .. } = claim;
    end(x, place, told, changes, made);
    Ok(())
}
