//! WAIT and WAITAOF. There are no replicas and no append-only file yet: nobody will ever acknowledge anything, so a client
//! that asks for no acknowledgement is answered at once, and one that asks for some when its time is over.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use shards::command::{Arg, ArgKind, Group, category, flag};
use shards::error::{CommandError, MUST_BE_POSITIVE, NOT_AN_INTEGER};
use shards::stdx::number::parse_i64;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [WAIT, WAITAOF]
}

const TIPS: &[&str] = &["request_policy:all_shards", "response_policy:agg_min"];

/// WAIT numreplicas timeout
pub const WAIT: ServerCommand = ServerCommand {
    arity: 3,
    group: Group::Generic,
    since: "3.0.0",
    summary: "Waits until replicas have the connection's earlier writes.",
    complexity: "O(1)",
    flags: flag::BLOCKING,
    acl: category::CONNECTION,
    tips: TIPS,
    args: &[Arg::new("numreplicas", ArgKind::Integer), Arg::new("timeout", ArgKind::Integer)],
    ..ServerCommand::new("wait", wait)
};

fn wait(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let replicas = parse_i64(x.arg(1)).ok_or(NOT_AN_INTEGER)?;
    let timeout_ms = timeout_ms(x, 2)?;
    let acknowledged = b":0\r\n";
    if replicas <= 0 || x.in_exec {
        x.reply.raw(acknowledged);
        return Ok(Flow::Done);
    }
    Ok(Flow::Block { timeout_ms, reply: acknowledged.to_vec() })
}

/// WAITAOF numlocal numreplicas timeout
pub const WAITAOF: ServerCommand = ServerCommand {
    arity: 4,
    group: Group::Generic,
    since: "7.2.0",
    summary: "Waits until the connection's earlier writes are in append-only files.",
    complexity: "O(1)",
    flags: flag::BLOCKING,
    acl: category::CONNECTION,
    tips: TIPS,
    args: &[
        Arg::new("numlocal", ArgKind::Integer),
        Arg::new("numreplicas", ArgKind::Integer),
        Arg::new("timeout", ArgKind::Integer),
    ],
    ..ServerCommand::new("waitaof", waitaof)
};

fn waitaof(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let local = parse_i64(x.arg(1)).ok_or(NOT_AN_INTEGER)?;
    if !(0..=1).contains(&local) {
        return Err(CommandError::Static("ERR value is out of range, value must between 0 and 1"));
    }
    let replicas = parse_i64(x.arg(2)).filter(|n| *n >= 0).ok_or(MUST_BE_POSITIVE)?;
    let timeout_ms = timeout_ms(x, 3)?;
    if local > 0 {
        return Err(CommandError::Static(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    let acknowledged = b"*2\r\n:0\r\n:0\r\n";
    if replicas == 0 || x.in_exec {
        x.reply.raw(acknowledged);
        return Ok(Flow::Done);
    }
    Ok(Flow::Block { timeout_ms, reply: acknowledged.to_vec() })
}

/// A timeout in milliseconds, with Valkey's refusals.
fn timeout_ms(x: &ServerExec<'_>, at: usize) -> Result<i64, CommandError> {
    let wrong = CommandError::Static("ERR timeout is not an integer or out of range");
    let timeout_ms = parse_i64(x.arg(at)).ok_or(wrong)?;
    if timeout_ms < 0 {
        return Err(CommandError::Static("ERR timeout is negative"));
    }
    if timeout_ms > 0 && timeout_ms.checked_add(x.center.now_ms).is_none() {
        return Err(CommandError::Static("ERR timeout is out of range"));
    }
    Ok(timeout_ms)
}
