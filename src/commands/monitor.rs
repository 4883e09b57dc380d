//! MONITOR.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use shards::command::{Group, category, flag};
use shards::error::CommandError;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [MONITOR]
}

/// MONITOR
pub const MONITOR: ServerCommand = ServerCommand {
    arity: 1,
    group: Group::Server,
    since: "1.0.0",
    summary: "Shows every command the server runs.",
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE,
    acl: category::DANGEROUS,
    ..ServerCommand::new("monitor", monitor)
};

fn monitor(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.in_exec {
        return Err(CommandError::Static("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    if x.session.monitor {
        // As in Valkey it is not even answered.
        return Ok(Flow::Done);
    }
    let question = x.center.begin_monitor(x.session, x.conn);
    Ok(Flow::Gather { question, finish: Box::new(|_, _, _, reply| reply.ok()) })
}
