//! RENAME, RENAMENX, COPY, MOVE: values that go from key to key.

use crate::args::Args;
use crate::command::{Arg, ArgKind, Command, DbArg, Group, KeySpec, Spread, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::{self, CommandError};
use crate::exec::Exec;

const RENAME_FROM: Event = Event::new(EventClass::Generic, "rename_from");
const RENAME_TO: Event = Event::new(EventClass::Generic, "rename_to");
const COPY_TO: Event = Event::new(EventClass::Generic, "copy_to");
const MOVE_FROM: Event = Event::new(EventClass::Generic, "move_from");
const MOVE_TO: Event = Event::new(EventClass::Generic, "move_to");

/// RENAME key newkey
pub const RENAME: Command = Command {
    arity: 3,
    group: Group::Generic,
    since: "1.0.0",
    summary: "Gives a key another name, replacing what had that name.",
    complexity: "O(1)",
    flags: flag::WRITE,
    acl: category::KEYSPACE,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::DELETE), KeySpec::one(2, key::OW | key::UPDATE)],
    spread: Spread::Loan,
    args: &[Arg::key("key"), NEW_KEY],
    ..Command::new("rename", rename)
};

/// RENAMENX key newkey
pub const RENAMENX: Command = Command {
    arity: 3,
    group: Group::Generic,
    since: "1.0.0",
    summary: "Gives a key another name unless that name is taken.",
    complexity: "O(1)",
    history: &[("3.2.0", "The same name twice is no longer an error.")],
    flags: flag::WRITE | flag::FAST,
    acl: category::KEYSPACE,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::DELETE), KeySpec::one(2, key::OW | key::INSERT)],
    spread: Spread::Loan,
    args: &[Arg::key("key"), NEW_KEY],
    ..Command::new("renamenx", renamenx)
};

/// COPY source destination [DB destination-db] [REPLACE]
pub const COPY: Command = Command {
    arity: -3,
    group: Group::Generic,
    since: "6.2.0",
    summary: "Copies the value of a key to another key.",
    complexity: "O(1) for strings, O(N) for a collection of N elements.",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::KEYSPACE,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS), KeySpec::one(2, key::OW | key::UPDATE)],
    spread: Spread::Loan,
    find_dbs: Some(copy_dbs),
    args: &[
        Arg::key("source"),
        Arg { key_spec: 1, ..Arg::key("destination") },
        Arg::new("destination-db", ArgKind::Integer).after("DB").opt(),
        Arg::token("replace", "REPLACE").opt(),
    ],
    ..Command::new("copy", copy)
};

/// MOVE key db
pub const MOVE: Command = Command {
    arity: 3,
    group: Group::Generic,
    since: "1.0.0",
    summary: "Moves a key to another database.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::FAST,
    acl: category::KEYSPACE,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::UPDATE)],
    find_dbs: Some(move_dbs),
    args: &[Arg::key("key"), Arg::new("db", ArgKind::Integer)],
    ..Command::new("move", move_key)
};

const NEW_KEY: Arg = Arg { key_spec: 1, ..Arg::key("newkey") };

fn rename(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (from, to) = (x.arg(1), x.arg(2));
    if !x.entry(from).exists() {
        return Err(error::NO_SUCH_KEY);
    }
    if from != to {
        x.ks.transfer((x.db, from), (x.db, to), RENAME_FROM, RENAME_TO);
    }
    x.reply.ok();
    Ok(())
}

fn renamenx(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (from, to) = (x.arg(1), x.arg(2));
    if !x.entry(from).exists() {
        return Err(error::NO_SUCH_KEY);
    }
    let free = from != to && !x.entry(to).exists();
    if free {
        x.ks.transfer((x.db, from), (x.db, to), RENAME_FROM, RENAME_TO);
    }
    x.reply.int(i64::from(free));
    Ok(())
}

fn copy(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (from, to) = (x.arg(1), x.arg(2));
    let (mut db, mut replace, mut i) = (x.db, false, 3);
    while i < x.argc() {
        if x.arg_is(i, "replace") {
            replace = true;
        } else if x.arg_is(i, "db") && i + 1 < x.argc() {
            db = x.database(i + 1)?;
            i += 1;
        } else {
            return Err(error::SYNTAX);
        }
        i += 1;
    }
    if (x.db, from) == (db, to) {
        return Err(error::SAME_OBJECT);
    }
    let found = x.entry(from).exists();
    // Through the gate, so that a replica copies what is hidden; it counts as a read all the same.
    x.ks.count_read(x.db, from, found);
    let copied = found
        && (replace || !x.ks.entry_mut(db, to).exists())
        && x.ks.duplicate((x.db, from), (db, to), COPY_TO);
    x.reply.int(i64::from(copied));
    Ok(())
}

fn move_key(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (key, db) = (x.arg(1), x.database(2)?);
    if db == x.db {
        return Err(error::SAME_OBJECT);
    }
    let moved = x.entry(key).exists()
        && !x.ks.entry_mut(db, key).exists()
        && x.ks.transfer((x.db, key), (db, key), MOVE_FROM, MOVE_TO);
    x.reply.int(i64::from(moved));
    Ok(())
}

fn copy_dbs(argv: Args<'_>, found: &mut Vec<DbArg>) {
    let mut i = 3;
    while i < argv.len() {
        if argv.get(i).eq_ignore_ascii_case(b"db") && i + 1 < argv.len() {
            found.push(DbArg { at: i + 1, key: Some(2) });
            i += 1;
        }
        i += 1;
    }
}

fn move_dbs(_: Args<'_>, found: &mut Vec<DbArg>) {
    found.push(DbArg { at: 2, key: Some(1) });
}
