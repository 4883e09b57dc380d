//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::core::Center;
use shards::command::{Arg, Group, KeySpec, category, flag, key};
use shards::error::CommandError;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [MULTI, EXEC, DISCARD, WATCH, UNWATCH]
}

const ALWAYS: u32 = flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::ALLOW_BUSY;

/// MULTI
pub const MULTI: ServerCommand = ServerCommand {
    arity: 1,
    group: Group::Transactions,
    since: "1.2.0",
    summary: "Begins to queue commands for EXEC.",
    complexity: "O(1)",
    flags: ALWAYS | flag::NO_MULTI,
    acl: category::TRANSACTION,
    ..ServerCommand::new("multi", multi)
};

fn multi(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.session.multi.is_some() {
        return Err(CommandError::Static("ERR MULTI calls can not be nested"));
    }
    Center::begin_multi(x.session);
    x.reply.ok();
    Ok(Flow::Done)
}

/// EXEC
pub const EXEC: ServerCommand = ServerCommand {
    arity: 1,
    group: Group::Transactions,
    since: "1.2.0",
    summary: "Runs the queued commands, atomically.",
    complexity: "Depends on commands in the transaction",
    flags: flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::SKIP_SLOWLOG,
    acl: category::TRANSACTION,
    ..ServerCommand::new("exec", exec)
};

fn exec(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.session.multi.is_none() {
        return Err(CommandError::Static("ERR EXEC without MULTI"));
    }
    let word = x.arg(0);
    x.session.exec_word.copy_from_slice(word);
    Ok(Flow::Exec)
}

/// DISCARD
pub const DISCARD: ServerCommand = ServerCommand {
    arity: 1,
    group: Group::Transactions,
    since: "2.0.0",
    summary: "Forgets the queued commands.",
    complexity: "O(N), when N is the number of queued commands",
    flags: ALWAYS,
    acl: category::TRANSACTION,
    ..ServerCommand::new("discard", discard)
};

fn discard(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.session.multi.take().is_none() {
        return Err(CommandError::Static("ERR DISCARD without MULTI"));
    }
    x.center.unwatch_all(x.session);
    x.reply.ok();
    Ok(Flow::Done)
}

/// WATCH key [key ...]
pub const WATCH: ServerCommand = ServerCommand {
    arity: -2,
    group: Group::Transactions,
    since: "2.2.0",
    summary: "Makes the next EXEC depend on keys staying as they are.",
    complexity: "O(1) for every key.",
    flags: ALWAYS | flag::NO_MULTI,
    acl: category::TRANSACTION,
    keys: &[KeySpec::range(1, -1, 1, key::RO)],
    args: &[Arg::key("key").many()],
    ..ServerCommand::new("watch", watch)
};

fn watch(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.session.multi.is_some() {
        return Err(CommandError::Static("ERR WATCH inside MULTI is not allowed"));
    }
    Ok(Flow::Watch(x.argv.iter().skip(1).map(Box::from).collect()))
}

/// UNWATCH
pub const UNWATCH: ServerCommand = ServerCommand {
    arity: 1,
    group: Group::Transactions,
    since: "2.2.0",
    summary: "Lets go of all watched keys.",
    complexity: "O(1)",
    flags: ALWAYS,
    acl: category::TRANSACTION,
    ..ServerCommand::new("unwatch", unwatch)
};

fn unwatch(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.center.unwatch_all(x.session);
    x.reply.ok();
    Ok(Flow::Done)
}
