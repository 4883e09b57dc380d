//! SADD, SREM, SMOVE, SISMEMBER, SMISMEMBER, SCARD.

use super::{as_set, as_set_mut};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::{EntryMut, Ttl};
use crate::types::set::{Member, Set, SetLimits};
use crate::types::{Object, tag};

const ADDED: Event = Event::new(EventClass::Set, "sadd");
const REMOVED: Event = Event::new(EventClass::Set, "srem");

/// SADD key member [member ...]
pub const SADD: Command = Command {
    arity: -3,
    group: Group::Set,
    since: "1.0.0",
    summary: "Adds members to a set, creating it if it is missing.",
    complexity: "O(N) for N members given.",
    history: &[("2.4.0", "Takes several members.")],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::SET,
    keys: &[KeySpec::one(1, key::RW | key::INSERT)],
    args: &[Arg::key("key"), Arg::new("member", ArgKind::String).many()],
    ..Command::new("sadd", sadd)
};

fn sadd(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (members, limits) = (x.argv.from(2), &x.env.limits.set);
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let exists = entry.value().map(as_set).transpose()?.is_some();
    let add_all = |set: &mut Set| members.iter().filter(|member| set.add(Member::of(member), limits)).count();
    let added = if exists {
        entry.edit_counted(ADDED, |object| {
            let set = as_set_mut(object);
            set.prepare(members.len(), limits);
            add_all(set)
        })
    } else {
        let mut set = Set::for_members(members.get(0), members.len(), limits);
        let added = add_all(&mut set);
        entry.set_object(Box::new(Object::Set(set)), tag::SET, Ttl::Clear, ADDED);
        entry.count_more(added - 1);
        added
    };
    x.reply.count(added);
    Ok(())
}

/// SREM key member [member ...]
pub const SREM: Command = Command {
    arity: -3,
    group: Group::Set,
    since: "1.0.0",
    summary: "Removes members from a set, and the key with the last of them.",
    complexity: "O(N) for N members given.",
    history: &[("2.4.0", "Takes several members.")],
    flags: flag::WRITE | flag::FAST,
    acl: category::SET,
    keys: &[KeySpec::one(1, key::RW | key::DELETE)],
    args: &[Arg::key("key"), Arg::new("member", ArgKind::String).many()],
    ..Command::new("srem", srem)
};

fn srem(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let members = x.argv.from(2);
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    entry.value().map(as_set).transpose()?;
    let removed = remove(&mut entry, members.iter());
    x.reply.count(removed);
    Ok(())
}

/// Removes members of a set, and the set when none is left; how many were there.
fn remove<'m>(entry: &mut EntryMut<'_>, members: impl Iterator<Item = &'m [u8]>) -> usize {
    let mut emptied = false;
    let removed = entry.edit_counted(REMOVED, |object| {
        let set = as_set_mut(object);
        let removed = members.filter(|member| set.remove(Member::of(member))).count();
        emptied = set.is_empty();
        removed
    });
    if emptied {
        entry.remove_emptied();
    }
    removed
}

/// SMOVE source destination member
pub const SMOVE: Command = Command {
    arity: 4,
    group: Group::Set,
    since: "1.0.0",
    summary: "Moves a member from one set to another.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::FAST,
    acl: category::SET,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::DELETE), KeySpec::one(2, key::RW | key::INSERT)],
    args: &[
        Arg::key("source"),
        Arg { key_spec: 1, ..Arg::key("destination") },
        Arg::new("member", ArgKind::String),
    ],
    ..Command::new("smove", smove)
};

fn smove(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (from, to, text) = (x.arg(1), x.arg(2), x.arg(3));
    let member = Member::of(text);
    let source = x.ks.entry_mut(x.db, from);
    let Some(value) = source.value() else {
        x.reply.int(0);
        return Ok(());
    };
    let is_member = as_set(value)?.contains(member);
    x.ks.entry_mut(x.db, to).value().map(as_set).transpose()?;
    if is_member && from != to {
        remove(&mut x.ks.entry_mut(x.db, from), std::iter::once(text));
        let limits = &x.env.limits.set;
        insert(&mut x.ks.entry_mut(x.db, to), text, limits);
    }
    x.reply.int(i64::from(is_member));
    Ok(())
}

/// Adds one member to a set that may be missing.
fn insert(entry: &mut EntryMut<'_>, text: &[u8], limits: &SetLimits) {
    if entry.exists() {
        entry.edit_counted(ADDED, |object| usize::from(as_set_mut(object).add(Member::of(text), limits)));
    } else {
        let mut set = Set::for_members(text, 1, limits);
        set.add(Member::of(text), limits);
        entry.set_object(Box::new(Object::Set(set)), tag::SET, Ttl::Clear, ADDED);
    }
}

/// SISMEMBER key member
pub const SISMEMBER: Command = Command {
    arity: 3,
    group: Group::Set,
    since: "1.0.0",
    summary: "Tells whether something is a member of a set.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::FAST,
    acl: category::SET,
    keys: &[KeySpec::one(1, key::RO)],
    args: &[Arg::key("key"), Arg::new("member", ArgKind::String)],
    ..Command::new("sismember", sismember)
};

fn sismember(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let member = Member::of(x.arg(2));
    let set = x.ks.read(x.db, x.argv.get(1)).map(|found| as_set(found.value())).transpose()?;
    x.reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    Ok(())
}

/// SMISMEMBER key member [member ...]
pub const SMISMEMBER: Command = Command {
    arity: -3,
    group: Group::Set,
    since: "6.2.0",
    summary: "Tells for each of several things whether it is a member of a set.",
    complexity: "O(N) for N things asked about.",
    flags: flag::READONLY | flag::FAST,
    acl: category::SET,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key"), Arg::new("member", ArgKind::String).many()],
    ..Command::new("smismember", smismember)
};

fn smismember(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let set = x.ks.read(x.db, x.argv.get(1)).map(|found| as_set(found.value())).transpose()?;
    let asked = x.argv.from(2);
    x.reply.array(asked.len());
    for text in asked.iter() {
        x.reply.int(i64::from(set.is_some_and(|set| set.contains(Member::of(text)))));
    }
    Ok(())
}

/// SCARD key
pub const SCARD: Command = Command {
    arity: 2,
    group: Group::Set,
    since: "1.0.0",
    summary: "Counts the members of a set.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::FAST,
    acl: category::SET,
    keys: &[KeySpec::one(1, key::RO)],
    args: &[Arg::key("key")],
    ..Command::new("scard", scard)
};

fn scard(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let set = x.ks.read(x.db, x.argv.get(1)).map(|found| as_set(found.value())).transpose()?;
    x.reply.count(set.map_or(0, Set::len));
    Ok(())
}
