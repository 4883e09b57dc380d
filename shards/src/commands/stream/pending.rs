//! XACK and XPENDING: what was given to consumers and is not yet done with.

use super::access::{group_mut, no_key_or_group, stream};
use super::entries::reply_id;
use super::ids;
use crate::command::{Arg, ArgKind, Command, Group as Family, KeySpec, category, flag, key};
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;
use crate::reply::Reply;
use crate::types::stream::{Group, Pending, StreamId};

/// XACK key group id [id ...]
pub const XACK: Command = Command {
    arity: -4,
    group: Family::Stream,
    since: "5.0.0",
    summary: "Tells that entries given to a consumer are done with; how many were pending.",
    complexity: "O(1) an id.",
    flags: flag::WRITE | flag::FAST,
    acl: category::STREAM,
    keys: &[KeySpec::one(1, key::RW | key::UPDATE)],
    args: &[Arg::key("key"), Arg::new("group", ArgKind::String), Arg::new("ID", ArgKind::String).many()],
    ..Command::new("xack", xack)
};

fn xack(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let name = x.arg(2);
    let found = stream(x.ks.read(x.db, x.argv.get(1)).map(|found| found.value()))?;
    if found.is_none_or(|stream| !stream.groups.contains_key(name)) {
        x.reply.int(0);
        return Ok(());
    }
    let named = x.argv.from(3);
    named.iter().try_for_each(|text| ids::strict(text, 0).map(drop))?;
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let group = group_mut(&mut entry, name);
    let done = |text: &&[u8]| group.acknowledge(ids::strict(text, 0).expect("all were read before"));
    let done = named.iter().filter(done).count();
    entry.count_more(done);
    x.reply.count(done);
    Ok(())
}

/// XPENDING key group [[IDLE ms] start end count [consumer]]
pub const XPENDING: Command = Command {
    arity: -3,
    group: Family::Stream,
    since: "5.0.0",
    summary: "Returns what was given to a group's consumers and is not yet done with.",
    complexity: "O(N) where N is the number of entries returned, or looked at if IDLE is given; without a range O(N) \
                 where N is the number of consumers.",
    history: &[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")],
    flags: flag::READONLY,
    acl: category::STREAM,
    tips: &["nondeterministic_output"],
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[
        Arg::key("key"),
        Arg::new("group", ArgKind::String),
        Arg::block(
            "filters",
            &[
                Arg::new("min-idle-time", ArgKind::Integer).after("IDLE").opt().since("6.2.0"),
                Arg::new("start", ArgKind::String),
                Arg::new("end", ArgKind::String),
                Arg::new("count", ArgKind::Integer),
                Arg::new("consumer", ArgKind::String).opt(),
            ],
        )
        .opt(),
    ],
    ..Command::new("xpending", xpending)
};

/// Which pending entries are asked for.
struct Filter<'a> {
    idle_min_ms: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// `None`: a summary is asked for.
    fn parse(x: &Exec<'a>) -> Result<Option<Filter<'a>>, CommandError> {
        match x.argc() {
            3 => return Ok(None),
            6..=9 => {}
            _ => return Err(SYNTAX),
        }
        let (mut at, mut idle_min_ms) = (3, 0);
        if x.arg_is(3, "idle") {
            idle_min_ms = x.int(4)?;
            if x.argc() < 8 {
                return Err(SYNTAX);
            }
            at = 5;
        }
        let count = x.int(at + 2)?.max(0) as usize;
        let (start, end) = (ids::range_start(x.arg(at))?, ids::range_end(x.arg(at + 1))?);
        let consumer = (at + 3 < x.argc()).then(|| x.arg(at + 3));
        Ok(Some(Filter { idle_min_ms, start, end, count, consumer }))
    }
}

fn xpending(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let filter = Filter::parse(x)?;
    let (key, name, now_ms) = (x.arg(1), x.arg(2), x.now_ms());
    let found = stream(x.ks.read(x.db, key).map(|found| found.value()))?;
    let group = found.and_then(|stream| stream.groups.get(name)).ok_or_else(|| no_key_or_group(key, name))?;
    match filter {
        None => summary(&mut x.reply, group),
        Some(filter) => list(&mut x.reply, group, &filter, now_ms),
    }
    Ok(())
}

/// How many there are, the first and the last, and how many each consumer has.
fn summary(reply: &mut Reply<'_>, group: &Group) {
    let pending = group.pending();
    reply.array(4);
    reply.count(pending.len());
    let (Some((first, _)), Some((last, _))) = (pending.first_key_value(), pending.last_key_value()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, *first);
    reply_id(reply, *last);
    let busy = || group.consumers().filter(|consumer| !consumer.pending().is_empty());
    reply.array(busy().count());
    for consumer in busy() {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_int(consumer.pending().len() as i64);
    }
}

fn list(reply: &mut Reply<'_>, group: &Group, filter: &Filter<'_>, now_ms: i64) {
    let range = filter.start..=filter.end;
    if filter.start > filter.end || filter.count == 0 {
        return reply.array(0);
    }
    let all = group.pending();
    match filter.consumer.map(|name| group.find(name)) {
        Some(None) => reply.array(0),
        Some(Some(consumer)) => {
            let own = group.consumer(consumer).pending().range(range);
            list_of(reply, group, filter, now_ms, own.map(|id| (id, &all[id])));
        }
        None => list_of(reply, group, filter, now_ms, all.range(range)),
    }
}

fn list_of<'p>(
    reply: &mut Reply<'_>, group: &Group, filter: &Filter<'_>, now_ms: i64,
    entries: impl Iterator<Item = (&'p StreamId, &'p Pending)>,
) {
    let mark = reply.deferred_array();
    let mut written = 0;
    for (id, pending) in entries {
        let idle_ms = now_ms.saturating_sub(pending.time_ms);
        if filter.idle_min_ms != 0 && idle_ms < filter.idle_min_ms {
            continue;
        }
        reply.array(4);
        reply_id(reply, *id);
        reply.bulk(group.consumer(pending.consumer).name());
        reply.int(idle_ms.max(0));
        reply.int(pending.count);
        written += 1;
        if written == filter.count {
            break;
        }
    }
    reply.close_array(mark, written);
}
