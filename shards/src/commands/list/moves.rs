//! LMOVE and RPOPLPUSH: an element taken from one list and added to another, which may be the same.

use super::push::add_one;
use super::value::{edit_list, end_arg, entry_list, popped, pushed, side, take};
use crate::command::{Arg, Command, Group, KeySpec, category, flag, key};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::types::list::End;

pub(super) const KEYS: &[KeySpec] =
    &[KeySpec::one(1, key::RW | key::ACCESS | key::DELETE), KeySpec::one(2, key::RW | key::INSERT)];
pub(super) const DESTINATION: Arg = Arg { key_spec: 1, ..Arg::key("destination") };

/// LMOVE source destination LEFT | RIGHT LEFT | RIGHT
pub const LMOVE: Command = Command {
    arity: 5,
    group: Group::List,
    since: "6.2.0",
    summary: "Takes an element from an end of a list, adds it at an end of another, and returns it.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::LIST,
    keys: KEYS,
    args: &[Arg::key("source"), DESTINATION, side("wherefrom"), side("whereto")],
    ..Command::new("lmove", lmove)
};

/// RPOPLPUSH source destination
pub const RPOPLPUSH: Command = Command {
    arity: 3,
    group: Group::List,
    since: "1.2.0",
    summary: "Takes the last element of a list, adds it at the beginning of another, and returns it.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::LIST,
    keys: KEYS,
    args: &[Arg::key("source"), DESTINATION],
    ..Command::new("rpoplpush", rpoplpush)
};

fn lmove(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (from, to) = (end_arg(x, 3)?, end_arg(x, 4)?);
    move_element(x, from, to)
}

fn rpoplpush(x: &mut Exec<'_>) -> Result<(), CommandError> {
    move_element(x, End::Right, End::Left)
}

pub(super) fn move_element(x: &mut Exec<'_>, from: End, to: End) -> Result<(), CommandError> {
    let (source, destination) = (x.arg(1), x.arg(2));
    let entry = x.ks.entry_mut(x.db, source);
    let Some(list) = entry_list(&entry)? else {
        x.reply.null();
        return Ok(());
    };
    let element = list.peek(from).expect("a list at a key is not empty").to_vec();
    if source == destination {
        turn(x, from, to, &element);
    } else {
        let shape = x.env.limits.list;
        let before = x.ks.effects.dirty();
        let mut entry = x.ks.entry_mut(x.db, destination);
        entry_list(&entry)?;
        add_one(&mut entry, to, &element, shape);
        take(&mut x.ks.entry_mut(x.db, source), from, 1, shape);
        x.ks.effects.count_as_one(before);
    }
    x.reply.bulk(&element);
    Ok(())
}

/// Takes an element from one end of a list and adds it at an end of the same list.
fn turn(x: &mut Exec<'_>, from: End, to: End, element: &[u8]) {
    let shape = x.env.limits.list;
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let list = edit_list(&mut entry, pushed(to));
    list.drop_end(from);
    list.grow(element.len(), 1, shape);
    list.push(to, element);
    list.shrink(shape);
    entry.also(popped(from));
}
