//! XDEL and XSETID: entries go from the middle, and what the stream remembers is set.

use super::access::{stream, stream_mut};
use super::ids;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::{CommandError, NO_SUCH_KEY, SYNTAX};
use crate::exec::Exec;
use crate::types::stream::{Log, StreamId};

const DELETED: Event = Event::new(EventClass::Stream, "xdel");
const ID_SET: Event = Event::new(EventClass::Stream, "xsetid");

/// XDEL key id [id ...]
pub const XDEL: Command = Command {
    arity: -3,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Removes entries from a stream; how many there were.",
    complexity: "O(1) an entry, however long the stream is.",
    flags: flag::WRITE | flag::FAST,
    acl: category::STREAM,
    keys: &[KeySpec::one(1, key::RW | key::DELETE)],
    args: &[Arg::key("key"), Arg::new("ID", ArgKind::String).many()],
    ..Command::new("xdel", xdel)
};

fn xdel(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    if stream(entry.value())?.is_none() {
        x.reply.int(0);
        return Ok(());
    }
    let named = x.argv.from(2);
    named.iter().try_for_each(|text| ids::strict(text, 0).map(drop))?;
    let log = &mut stream_mut(&mut entry).log;
    let deleted = named.iter().filter(|text| log.delete(ids::strict(text, 0).expect("all were read before"))).count();
    if deleted > 0 {
        entry.touched(DELETED, deleted);
    }
    x.reply.count(deleted);
    Ok(())
}

/// XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]
pub const XSETID: Command = Command {
    arity: -3,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Sets what a stream remembers of its ids: for replicas and loading.",
    complexity: "O(1)",
    history: &[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::STREAM,
    keys: &[KeySpec::one(1, key::RW | key::UPDATE)],
    args: &[
        Arg::key("key"),
        Arg::new("last-id", ArgKind::String),
        Arg::new("entries-added", ArgKind::Integer).after("ENTRIESADDED").opt().since("7.0.0"),
        Arg::new("max-deleted-id", ArgKind::String).after("MAXDELETEDID").opt().since("7.0.0"),
    ],
    ..Command::new("xsetid", xsetid)
};

/// What XSETID is to set.
struct Marks {
    last_id: StreamId,
    entries_added: Option<u64>,
    max_deleted: StreamId,
}

fn xsetid(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let marks = Marks::parse(x)?;
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let old = stream(entry.value())?.ok_or(NO_SUCH_KEY)?;
    marks.check(&old.log)?;
    let log = &mut stream_mut(&mut entry).log;
    log.last_id = marks.last_id;
    log.entries_added = marks.entries_added.unwrap_or(log.entries_added);
    if !marks.max_deleted.is_zero() {
        log.max_deleted = marks.max_deleted;
    }
    entry.also(ID_SET);
    entry.count_more(1);
    x.reply.ok();
    Ok(())
}

impl Marks {
    fn parse(x: &Exec<'_>) -> Result<Marks, CommandError> {
        let mut marks = Marks { last_id: ids::strict(x.arg(2), 0)?, entries_added: None, max_deleted: StreamId::MIN };
        let mut i = 3;
        while i < x.argc() {
            let valued = i + 1 < x.argc();
            if valued && x.arg_is(i, "entriesadded") {
                let added = u64::try_from(x.int(i + 1)?);
                marks.entries_added = Some(added.map_err(|_| CommandError::Static("ERR entries_added must be positive"))?);
            } else if valued && x.arg_is(i, "maxdeletedid") {
                marks.max_deleted = ids::strict(x.arg(i + 1), 0)?;
                if marks.last_id < marks.max_deleted {
                    return Err(CommandError::Static(
                        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                    ));
                }
            } else {
                return Err(SYNTAX);
            }
            i += 2;
        }
        Ok(marks)
    }

    fn check(&self, log: &Log) -> Result<(), CommandError> {
        if self.last_id < log.max_deleted {
            return Err(CommandError::Static(
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
            ));
        }
        if log.last_live().is_some_and(|last| self.last_id < last) {
            return Err(CommandError::Static("ERR The ID specified in XSETID is smaller than the target stream top item"));
        }
        if !log.is_empty() && self.entries_added.is_some_and(|added| added < log.len()) {
            return Err(CommandError::Static(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
        Ok(())
    }
}
