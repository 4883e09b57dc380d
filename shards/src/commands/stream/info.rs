//! XINFO: what a stream, its groups and their consumers are made of.

use super::access::{no_group, stream};
use super::entries::{reply_entries, reply_entry, reply_id};
use crate::command::{Arg, ArgKind, Command, Group as Family, KeySpec, ShardRun, category, flag, key};
use crate::commands::container;
use crate::error::{CommandError, NO_SUCH_KEY};
use crate::exec::Exec;
use crate::reply::Reply;
use crate::types::stream::{Consumer, Entry, Group, Log, READ_UNKNOWN, Stream, StreamId};

/// Entries that FULL shows of each list if COUNT does not say.
const COUNT_DEFAULT: usize = 10;

/// XINFO subcommand
pub const XINFO: Command = Command {
    arity: -2,
    group: Family::Stream,
    since: "5.0.0",
    summary: "Looks at streams, groups and consumers.",
    complexity: "Depends on the subcommand.",
    subcommands: &[CONSUMERS, GROUPS, HELP, STREAM],
    ..Command::new("xinfo", |x| Err(container::unknown_subcommand(x.argv)))
};

const KEY: &[KeySpec] = &[KeySpec::one(2, key::RO | key::ACCESS)];

const fn row(name: &'static str, run: ShardRun) -> Command {
    Command {
        group: Family::Stream,
        since: "5.0.0",
        complexity: "O(1)",
        flags: flag::READONLY,
        acl: category::STREAM,
        keys: KEY,
        ..Command::new(name, run)
    }
}

const CONSUMERS: Command = Command {
    arity: 4,
    summary: "Lists the consumers of a group.",
    history: &[("7.2.0", "Added the `inactive` field, and changed the meaning of `idle`.")],
    tips: &["nondeterministic_output"],
    args: &[Arg::key("key"), Arg::new("group", ArgKind::String)],
    ..row("consumers", consumers)
};

const GROUPS: Command = Command {
    arity: 3,
    summary: "Lists the groups of a stream.",
    history: &[("7.0.0", "Added the `entries-read` and `lag` fields")],
    args: &[Arg::key("key")],
    ..row("groups", groups)
};

const STREAM: Command = Command {
    arity: -3,
    summary: "Tells what a stream holds.",
    history: &[
        ("6.0.0", "Added the `FULL` modifier."),
        (
            "7.0.0",
            "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields",
        ),
        ("7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."),
    ],
    args: &[
        Arg::key("key"),
        Arg::block(
            "full-block",
            &[Arg::token("full", "FULL"), Arg::new("count", ArgKind::Integer).after("COUNT").opt()],
        )
        .opt(),
    ],
    ..row("stream", about)
};

const HELP: Command = Command {
    arity: 2,
    summary: "Lists the subcommands.",
    flags: flag::LOADING | flag::STALE,
    keys: &[],
    ..row("help", help)
};

fn help(x: &mut Exec<'_>) -> Result<(), CommandError> {
    container::help(
        &mut x.reply,
        x.argv,
        &[
            "CONSUMERS <key> <groupname>",
            "    List the consumers of a group.",
            "GROUPS <key>",
            "    List the groups of a stream.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Tell what a stream holds.",
        ],
    );
    Ok(())
}

fn consumers(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (key, name, now_ms) = (x.arg(2), x.arg(3), x.now_ms());
    let found = stream(x.ks.read(x.db, key).map(|found| found.value()))?.ok_or(NO_SUCH_KEY)?;
    let group = found.groups.get(name).ok_or_else(|| no_group(key, name))?;
    let reply = &mut x.reply;
    reply.array(group.consumers().len());
    for consumer in group.consumers() {
        let inactive_ms =
            if consumer.active_ms == -1 { -1 } else { now_ms.saturating_sub(consumer.active_ms) };
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        field(reply, "pending", consumer.pending().len() as i64);
        field(reply, "idle", now_ms.saturating_sub(consumer.seen_ms).max(0));
        field(reply, "inactive", inactive_ms);
    }
    Ok(())
}

fn groups(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let found = stream(x.ks.read(x.db, x.argv.get(2)).map(|found| found.value()))?.ok_or(NO_SUCH_KEY)?;
    let reply = &mut x.reply;
    reply.array(found.groups.len());
    for (name, group) in &found.groups {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        field(reply, "consumers", group.consumers().len() as i64);
        field(reply, "pending", group.pending().len() as i64);
        progress(reply, group, &found.log);
    }
    Ok(())
}

fn field(reply: &mut Reply<'_>, name: &str, value: i64) {
    reply.bulk(name.as_bytes());
    reply.int(value);
}

fn id_field(reply: &mut Reply<'_>, name: &str, id: StreamId) {
    reply.bulk(name.as_bytes());
    reply_id(reply, id);
}

/// How far a group has come: three pairs.
fn progress(reply: &mut Reply<'_>, group: &Group, log: &Log) {
    id_field(reply, "last-delivered-id", group.last_id);
    let read = Some(group.entries_read).filter(|read| *read != READ_UNKNOWN);
    for (name, value) in [("entries-read", read), ("lag", group.lag(log))] {
        reply.bulk(name.as_bytes());
        match value {
            Some(value) => reply.int(value),
            None => reply.null(),
        }
    }
}

fn about(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let found = stream(x.ks.read(x.db, x.argv.get(2)).map(|found| found.value()))?.ok_or(NO_SUCH_KEY)?;
    let wrong = || container::wrong_arguments(x.argv);
    let word_is = |at: usize, word: &str| x.argv.get(at).eq_ignore_ascii_case(word.as_bytes());
    let count = match x.argv.len() {
        3 => None,
        4 | 6 if !word_is(3, "full") => return Err(wrong()),
        4 => Some(COUNT_DEFAULT),
        6 if word_is(4, "count") => {
            let count = crate::stdx::number::parse_i64(x.argv.get(5)).ok_or(crate::error::NOT_AN_INTEGER)?;
            Some(usize::try_from(count).unwrap_or(COUNT_DEFAULT))
        }
        _ => return Err(wrong()),
    };
    let reply = &mut x.reply;
    reply.map(if count.is_some() { 9 } else { 10 });
    log_fields(reply, &found.log);
    match count {
        None => short(reply, found),
        Some(count) => full(reply, found, count),
    }
    Ok(())
}

/// What both forms tell: seven pairs.
fn log_fields(reply: &mut Reply<'_>, log: &Log) {
    field(reply, "length", log.len() as i64);
    field(reply, "radix-tree-keys", log.nodes() as i64);
    field(reply, "radix-tree-nodes", log.radix_nodes() as i64);
    id_field(reply, "last-generated-id", log.last_id);
    id_field(reply, "max-deleted-entry-id", log.max_deleted);
    field(reply, "entries-added", log.entries_added as i64);
    id_field(reply, "recorded-first-entry-id", log.first_id());
}

fn short(reply: &mut Reply<'_>, stream: &Stream) {
    field(reply, "groups", stream.groups.len() as i64);
    edge(reply, "first-entry", stream.log.iter().next());
    edge(reply, "last-entry", stream.log.iter().next_back());
}

fn edge(reply: &mut Reply<'_>, name: &str, entry: Option<Entry<'_>>) {
    reply.bulk(name.as_bytes());
    match entry {
        Some(entry) => reply_entry(reply, entry),
        None => reply.null(),
    }
}

fn full(reply: &mut Reply<'_>, stream: &Stream, count: usize) {
    let shown = if count == 0 { usize::MAX } else { count };
    reply.bulk(b"entries");
    reply_entries(reply, stream.log.iter(), count);
    reply.bulk(b"groups");
    reply.array(stream.groups.len());
    for (name, group) in &stream.groups {
        reply.map(7);
        reply.bulk(b"name");
        reply.bulk(name);
        progress(reply, group, &stream.log);
        field(reply, "pel-count", group.pending().len() as i64);
        reply.bulk(b"pending");
        reply.array(group.pending().len().min(shown));
        for (id, pending) in group.pending().iter().take(shown) {
            reply.array(4);
            reply_id(reply, *id);
            reply.bulk(group.consumer(pending.consumer).name());
            reply.int(pending.time_ms);
            reply.int(pending.count);
        }
        reply.bulk(b"consumers");
        reply.array(group.consumers().len());
        group.consumers().for_each(|consumer| full_consumer(reply, group, consumer, shown));
    }
}

fn full_consumer(reply: &mut Reply<'_>, group: &Group, consumer: &Consumer, shown: usize) {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    field(reply, "seen-time", consumer.seen_ms);
    field(reply, "active-time", consumer.active_ms);
    field(reply, "pel-count", consumer.pending().len() as i64);
    reply.bulk(b"pending");
    reply.array(consumer.pending().len().min(shown));
    for id in consumer.pending().iter().take(shown) {
        let pending = group.pending()[id];
        reply.array(3);
        reply_id(reply, *id);
        reply.int(pending.time_ms);
        reply.int(pending.count);
    }
}
