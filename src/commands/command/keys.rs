//! COMMAND GETKEYS and GETKEYSANDFLAGS: which arguments of a call are keys.

use super::command_row;
use super::info::write_words;
use crate::commands::{Flow, ServerCommand, ServerExec};
use crate::dispatch::table::{Entry, table};
use shards::args::Args;
use shards::command::{Arg, ArgKind, flag, key};
use shards::error::CommandError;

const ARGS: &[Arg] = &[Arg::new("command", ArgKind::String), Arg::new("arg", ArgKind::String).opt().many()];

/// COMMAND GETKEYS command [arg ...]
pub const GETKEYS: ServerCommand = ServerCommand {
    since: "2.8.13",
    summary: "Finds the keys in a call.",
    complexity: "O(N) where N is the number of arguments to the command",
    args: ARGS,
    ..command_row("getkeys", -3, getkeys)
};

fn getkeys(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let call = x.argv.from(2);
    let found = find(call)?;
    x.reply.array(found.len());
    found.iter().for_each(|(at, _)| x.reply.bulk(call.get(*at)));
    Ok(Flow::Done)
}

/// COMMAND GETKEYSANDFLAGS command [arg ...]
pub const GETKEYSANDFLAGS: ServerCommand = ServerCommand {
    since: "7.0.0",
    summary: "Finds the keys in a call, and what happens to each.",
    complexity: "O(N) where N is the number of arguments to the command",
    args: ARGS,
    ..command_row("getkeysandflags", -3, getkeysandflags)
};

fn getkeysandflags(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let call = x.argv.from(2);
    let found = find(call)?;
    x.reply.array(found.len());
    for (at, flags) in found {
        x.reply.array(2);
        x.reply.bulk(call.get(at));
        write_words(&mut x.reply, flags, key::NAMES, "");
    }
    Ok(Flow::Done)
}

/// The arguments of a call that are keys, with the flags of each.
fn find(call: Args<'_>) -> Result<Vec<(usize, u32)>, CommandError> {
    let Ok(entry) = table().resolve(call) else { return Err(CommandError::Static("ERR Invalid command specified")) };
    let has_keys = entry.facts.finds_keys || entry.facts.keys.iter().any(|spec| spec.flags & key::NOT_KEY == 0);
    if !has_keys {
        return Err(CommandError::Static("ERR The command has no key arguments"));
    }
    if !entry.arity_fits(call.len()) {
        return Err(CommandError::Static("ERR Invalid number of arguments specified for command"));
    }
    let found = by_specs(entry, call).or_else(|| by_row(entry, call)).unwrap_or_default();
    if found.is_empty() && !entry.is(flag::NO_MANDATORY_KEYS) {
        return Err(CommandError::Static("ERR Invalid arguments specified for command"));
    }
    Ok(found)
}

/// What the specs find; nothing if they cannot tell all, or the call does not fit them.
fn by_specs(entry: &Entry, call: Args<'_>) -> Option<Vec<(usize, u32)>> {
    let mut found = Vec::new();
    for spec in entry.facts.keys.iter().filter(|spec| spec.flags & key::NOT_KEY == 0) {
        let mut at = Vec::new();
        spec.indexes(call, &mut at).ok()?;
        let varies = spec.flags & key::VARIABLE_FLAGS != 0;
        if spec.flags & key::INCOMPLETE != 0 || (varies && entry.facts.finds_keys) {
            return None;
        }
        let flags = flags_of(entry, call, spec.flags);
        found.extend(at.into_iter().map(|at| (at, flags)));
    }
    Some(found)
}

/// What the row itself finds. Its specs stand in the order of the keys, the last one for all that follow.
fn by_row(entry: &Entry, call: Args<'_>) -> Option<Vec<(usize, u32)>> {
    if !entry.facts.finds_keys {
        return None;
    }
    let mut at = Vec::new();
    entry.key_indexes(call, &mut at).ok()?;
    let specs = entry.facts.keys;
    let flags = |nth: usize| {
        specs.get(nth).or(specs.last()).map_or(0, |spec| flags_of(entry, call, spec.flags & !key::INCOMPLETE))
    };
    Some(at.into_iter().enumerate().map(|(nth, at)| (at, flags(nth))).collect())
}

/// The flags of a spec, or what the row says of this call where they vary.
fn flags_of(entry: &Entry, call: Args<'_>, flags: u32) -> u32 {
    let varying = entry.facts.key_flags.filter(|_| flags & key::VARIABLE_FLAGS != 0);
    varying.map_or(flags, |flags| flags(call))
}
