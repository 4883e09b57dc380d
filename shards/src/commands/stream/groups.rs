//! XGROUP: groups and their consumers, made and removed by hand.

use super::access::{group_mut, no_group, stream, stream_mut};
use super::ids;
use crate::command::{Arg, ArgKind, Command, Group as Family, KeySpec, ShardRun, category, flag, key};
use crate::commands::container;
use crate::effects::{Event, EventClass};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::{EntryMut, Ttl};
use crate::types::stream::{Group, READ_UNKNOWN, Stream, StreamId};
use crate::types::{Object, tag};

const CREATED: Event = Event::new(EventClass::Stream, "xgroup-create");
const ID_SET: Event = Event::new(EventClass::Stream, "xgroup-setid");
const DESTROYED: Event = Event::new(EventClass::Stream, "xgroup-destroy");
const CONSUMER_DELETED: Event = Event::new(EventClass::Stream, "xgroup-delconsumer");
/// A consumer was made, by hand or because it asked.
pub(super) const CONSUMER_CREATED: Event = Event::new(EventClass::Stream, "xgroup-createconsumer");

const NO_KEY: CommandError = CommandError::Static(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option \
     to create an empty stream automatically.",
);
const BUSY: CommandError = CommandError::Static("BUSYGROUP Consumer Group name already exists");

/// XGROUP subcommand
pub const XGROUP: Command = Command {
    arity: -2,
    group: Family::Stream,
    since: "5.0.0",
    summary: "Makes and removes groups and consumers.",
    complexity: "Depends on the subcommand.",
    subcommands: &[CREATE, CREATECONSUMER, DELCONSUMER, DESTROY, HELP, SETID],
    ..Command::new("xgroup", |x| Err(container::unknown_subcommand(x.argv)))
};

const KEY: &[KeySpec] = &[KeySpec::one(2, key::RW | key::DELETE)];

const fn row(name: &'static str, run: ShardRun) -> Command {
    Command {
        group: Family::Stream,
        since: "5.0.0",
        complexity: "O(1)",
        flags: flag::WRITE,
        acl: category::STREAM,
        keys: KEY,
        ..Command::new(name, run)
    }
}

const ID: Arg =
    Arg::one_of("id-selector", &[Arg::new("id", ArgKind::String), Arg::token("new-id", "$")]);
const ENTRIES_READ: Arg = Arg::new("entriesread", ArgKind::Integer).after("ENTRIESREAD").shown_as("entries-read").opt();
const CONSUMER_ARGS: &[Arg] =
    &[Arg::key("key"), Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String)];

const CREATE: Command = Command {
    arity: -5,
    summary: "Makes a group.",
    history: &[("7.0.0", "Added the `entries_read` named argument.")],
    flags: flag::WRITE | flag::DENYOOM,
    keys: &[KeySpec::one(2, key::RW | key::INSERT)],
    args: &[
        Arg::key("key"),
        Arg::new("group", ArgKind::String),
        ID,
        Arg::token("mkstream", "MKSTREAM").opt(),
        ENTRIES_READ,
    ],
    ..row("create", create)
};

const SETID: Command = Command {
    arity: -5,
    summary: "Sets up to which id a group was given entries.",
    history: &[("7.0.0", "Added the optional `entries_read` argument.")],
    keys: &[KeySpec::one(2, key::RW | key::UPDATE)],
    args: &[Arg::key("key"), Arg::new("group", ArgKind::String), ID, ENTRIES_READ],
    ..row("setid", setid)
};

const DESTROY: Command = Command {
    arity: 4,
    summary: "Removes a group.",
    complexity: "O(N) where N is the number of its pending entries.",
    args: &[Arg::key("key"), Arg::new("group", ArgKind::String)],
    ..row("destroy", destroy)
};

const CREATECONSUMER: Command = Command {
    arity: 5,
    since: "6.2.0",
    summary: "Makes a consumer in a group.",
    flags: flag::WRITE | flag::DENYOOM,
    keys: &[KeySpec::one(2, key::RW | key::INSERT)],
    args: CONSUMER_ARGS,
    ..row("createconsumer", createconsumer)
};

const DELCONSUMER: Command = Command {
    arity: 5,
    summary: "Removes a consumer from a group, and what is pending with it.",
    args: CONSUMER_ARGS,
    ..row("delconsumer", delconsumer)
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
            "CREATE <key> <groupname> <id|$> [option]",
            "    Make a group that was given everything up to <id>. Options are:",
            "    * MKSTREAM",
            "      Make an empty stream if there is none.",
            "    * ENTRIESREAD entries_read",
            "      Number of entries up to <id> (for internal use).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Make a consumer in a group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove a consumer from a group.",
            "DESTROY <key> <groupname>",
            "    Remove a group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set up to which <id> a group was given entries, and their number.",
        ],
    );
    Ok(())
}

/// The options of CREATE and SETID.
struct Options {
    create_stream: bool,
    entries_read: i64,
}

impl Options {
    fn parse(x: &Exec<'_>, creating: bool) -> Result<Options, CommandError> {
        let mut options = Options { create_stream: false, entries_read: READ_UNKNOWN };
        let mut i = 5;
        while i < x.argc() {
            if creating && x.arg_is(i, "mkstream") {
                options.create_stream = true;
            } else if i + 1 < x.argc() && x.arg_is(i, "entriesread") {
                i += 1;
                options.entries_read = x.int(i)?;
                if options.entries_read < 0 && options.entries_read != READ_UNKNOWN {
                    return Err(CommandError::Static("ERR value for ENTRIESREAD must be positive or -1"));
                }
            } else {
                return Err(container::wrong_arguments(x.argv));
            }
            i += 1;
        }
        Ok(options)
    }
}

/// The stream behind an entry, which must be there.
fn present<'e>(entry: &'e EntryMut<'_>) -> Result<&'e Stream, CommandError> {
    stream(entry.value())?.ok_or(NO_KEY)
}

/// The group of a stream behind an entry, both of which must be there.
fn present_group<'e>(x_key: &[u8], entry: &'e EntryMut<'_>, name: &[u8]) -> Result<&'e Group, CommandError> {
    present(entry)?.groups.get(name).ok_or_else(|| no_group(x_key, name))
}

fn create(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let options = Options::parse(x, true)?;
    let (name, id_text) = (x.arg(3), x.arg(4));
    let too_long = x.argc() > 8;
    let argv = x.argv;
    let mut entry = x.ks.entry_mut(x.db, argv.get(2));
    let old = stream(entry.value())?;
    if old.is_none() && !options.create_stream {
        return Err(NO_KEY);
    }
    if too_long {
        return Err(container::wrong_arguments(argv));
    }
    let last_id = match id_text {
        b"$" => old.map_or(StreamId::MIN, |stream| stream.log.last_id),
        text => ids::strict(text, 0)?,
    };
    let exists = old.is_some();
    if old.is_some_and(|stream| stream.groups.contains_key(name)) {
        return Err(BUSY);
    }
    let group = Group::new(last_id, options.entries_read);
    if exists {
        stream_mut(&mut entry).groups.insert(name.into(), group);
        entry.also(CREATED);
        entry.count_more(1);
    } else {
        let mut new = Stream::default();
        new.groups.insert(name.into(), group);
        entry.set_object(Box::new(Object::Stream(Box::new(new))), tag::STREAM, Ttl::Clear, CREATED);
    }
    x.reply.ok();
    Ok(())
}

fn setid(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let options = Options::parse(x, false)?;
    let (key, name, id_text) = (x.arg(2), x.arg(3), x.arg(4));
    let argv = x.argv;
    let mut entry = x.ks.entry_mut(x.db, key);
    present_group(key, &entry, name)?;
    if argv.len() != 5 && argv.len() != 7 {
        return Err(container::wrong_arguments(argv));
    }
    let last_id = match id_text {
        b"$" => present(&entry)?.log.last_id,
        text => ids::loose(text, 0)?,
    };
    let group = group_mut(&mut entry, name);
    (group.last_id, group.entries_read) = (last_id, options.entries_read);
    entry.also(ID_SET);
    entry.count_more(1);
    x.reply.ok();
    Ok(())
}

fn destroy(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let name = x.arg(3);
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(2));
    let there = present(&entry)?.groups.contains_key(name);
    if there {
        let group = stream_mut(&mut entry).groups.remove(name);
        entry.also(DESTROYED);
        // Who waits in the group must hear of it.
        entry.wake();
        entry.count_more(1);
        // What a large group holds is dropped in slices, as a stream that has nothing else.
        let left = group.map(|group| Stream { groups: [(Box::from(name), group)].into(), ..Stream::default() });
        entry.discard(left.map(|left| Box::new(Object::Stream(Box::new(left)))));
    }
    x.reply.int(there.into());
    Ok(())
}

fn createconsumer(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (key, name, consumer) = (x.arg(2), x.arg(3), x.arg(4));
    let now_ms = x.now_ms();
    let mut entry = x.ks.entry_mut(x.db, key);
    let absent = present_group(key, &entry, name)?.find(consumer).is_none();
    if absent {
        group_mut(&mut entry, name).find_or_add(consumer, now_ms);
        entry.also(CONSUMER_CREATED);
        entry.count_more(1);
    }
    x.reply.int(absent.into());
    Ok(())
}

fn delconsumer(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (key, name, consumer) = (x.arg(2), x.arg(3), x.arg(4));
    let mut entry = x.ks.entry_mut(x.db, key);
    let there = present_group(key, &entry, name)?.find(consumer).is_some();
    let mut pending = 0;
    if there {
        pending = group_mut(&mut entry, name).remove(consumer).expect("just seen");
        entry.also(CONSUMER_DELETED);
        entry.count_more(1);
    }
    x.reply.count(pending);
    Ok(())
}
