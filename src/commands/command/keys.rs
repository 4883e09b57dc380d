//! COMMAND GETKEYS and GETKEYSANDFLAGS: which arguments of a call are keys.

use super::command_row;
use super::info::write_words;
use crate::commands::{Flow, ServerCommand, ServerExec};
use crate::dispatch::keys;
use crate::dispatch::table::table;
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
    if !keys::has_keys(entry) {
        return Err(CommandError::Static("ERR The command has no key arguments"));
    }
    if !entry.arity_fits(call.len()) {
        return Err(CommandError::Static("ERR Invalid number of arguments specified for command"));
    }
    let found = keys::with_flags(entry, call);
    if found.is_empty() && !entry.is(flag::NO_MANDATORY_KEYS) {
        return Err(CommandError::Static("ERR Invalid arguments specified for command"));
    }
    Ok(found)
}
