//! LPUSH, RPUSH, LPUSHX and RPUSHX: new elements at an end.

use super::value::{edit_list, entry_list, pushed};
use crate::args::Args;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::{EntryMut, Ttl};
use crate::types::list::{End, List, Shape};
use crate::types::{Object, tag};

/// LPUSH key element [element ...]
pub const LPUSH: Command = Command {
    arity: -3,
    group: Group::List,
    since: "1.0.0",
    summary: "Adds elements at the beginning of a list, creating it if it is missing.",
    complexity: "O(1) for each element.",
    history: &[("2.4.0", "Accepts multiple `element` arguments.")],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::LIST,
    keys: &[KeySpec::one(1, key::RW | key::INSERT)],
    args: &[Arg::key("key"), Arg::new("element", ArgKind::String).many()],
    ..Command::new("lpush", lpush)
};

/// RPUSH key element [element ...]
pub const RPUSH: Command = Command {
    name: "rpush",
    summary: "Adds elements at the end of a list, creating it if it is missing.",
    run: rpush,
    ..LPUSH
};

/// LPUSHX key element [element ...]
pub const LPUSHX: Command = Command {
    name: "lpushx",
    since: "2.2.0",
    summary: "Adds elements at the beginning of a list, if it is there.",
    history: &[("4.0.0", "Accepts multiple `element` arguments.")],
    run: lpushx,
    ..LPUSH
};

/// RPUSHX key element [element ...]
pub const RPUSHX: Command = Command {
    name: "rpushx",
    summary: "Adds elements at the end of a list, if it is there.",
    run: rpushx,
    ..LPUSHX
};

fn lpush(x: &mut Exec<'_>) -> Result<(), CommandError> {
    push(x, End::Left, true)
}

fn rpush(x: &mut Exec<'_>) -> Result<(), CommandError> {
    push(x, End::Right, true)
}

fn lpushx(x: &mut Exec<'_>) -> Result<(), CommandError> {
    push(x, End::Left, false)
}

fn rpushx(x: &mut Exec<'_>) -> Result<(), CommandError> {
    push(x, End::Right, false)
}

fn push(x: &mut Exec<'_>, end: End, create: bool) -> Result<(), CommandError> {
    let shape = x.env.limits.list;
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let there = entry_list(&entry)?.is_some();
    let len = if there || create { add(&mut entry, end, x.argv.from(2), shape) } else { 0 };
    x.reply.count(len);
    Ok(())
}

/// Adds elements at an end of the list at a key whose type was looked at; how many it has then.
fn add(entry: &mut EntryMut<'_>, end: End, elements: Args<'_>, shape: Shape) -> usize {
    let len = if entry.exists() {
        extend(edit_list(entry, pushed(end)), end, elements, shape)
    } else {
        let mut list = List::new();
        let len = extend(&mut list, end, elements, shape);
        entry.set_object(Box::new(Object::List(list)), tag::LIST, Ttl::Clear, pushed(end));
        len
    };
    entry.count_more(elements.len() - 1);
    len
}

fn extend(list: &mut List, end: End, elements: Args<'_>, shape: Shape) -> usize {
    list.grow(elements.iter().map(<[u8]>::len).sum(), elements.len(), shape);
    elements.iter().for_each(|element| list.push(end, element));
    list.len()
}

/// Adds one element at an end of the list at a key whose type was looked at.
pub(super) fn add_one(entry: &mut EntryMut<'_>, end: End, element: &[u8], shape: Shape) {
    if entry.exists() {
        let list = edit_list(entry, pushed(end));
        list.grow(element.len(), 1, shape);
        list.push(end, element);
    } else {
        let mut list = List::new();
        list.grow(element.len(), 1, shape);
        list.push(end, element);
        entry.set_object(Box::new(Object::List(list)), tag::LIST, Ttl::Clear, pushed(end));
    }
}
