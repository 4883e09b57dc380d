//! PING, ECHO, SELECT, READONLY, READWRITE, QUIT.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use shards::command::{Arg, ArgKind, DbArg, Group, category, flag};
use shards::error::{CommandError, NOT_AN_INTEGER};
use shards::reply::Resp;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [PING, ECHO, SELECT, READONLY, READWRITE, QUIT]
}

/// PING [message]
pub const PING: ServerCommand = ServerCommand {
    arity: -1,
    group: Group::Connection,
    since: "1.0.0",
    summary: "Answers PONG, or the message it was given.",
    complexity: "O(1)",
    flags: flag::FAST,
    acl: category::CONNECTION,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    args: &[Arg::new("message", ArgKind::String).opt()],
    ..ServerCommand::new("ping", ping)
};

fn ping(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    // A subscriber of RESP2 expects nothing but arrays.
    if x.argc() <= 2 && x.session.resp == Resp::V2 && x.session.is_subscriber() {
        x.reply.array(2);
        x.reply.bulk(b"pong");
        x.reply.bulk(x.argv.iter().nth(1).unwrap_or_default());
        return Ok(Flow::Done);
    }
    match x.argc() {
        1 => x.reply.simple("PONG"),
        2 => x.reply.bulk(x.argv.get(1)),
        _ => return Err(CommandError::arity("ping")),
    }
    Ok(Flow::Done)
}

/// ECHO message
pub const ECHO: ServerCommand = ServerCommand {
    arity: 2,
    group: Group::Connection,
    since: "1.0.0",
    summary: "Answers the message it was given.",
    complexity: "O(1)",
    flags: flag::LOADING | flag::STALE | flag::FAST,
    acl: category::CONNECTION,
    args: &[Arg::new("message", ArgKind::String)],
    ..ServerCommand::new("echo", echo)
};

fn echo(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.reply.bulk(x.argv.get(1));
    Ok(Flow::Done)
}

/// READONLY
pub const READONLY: ServerCommand = ServerCommand {
    arity: 1,
    group: Group::Cluster,
    since: "3.0.0",
    summary: "Says that the connection is content with what a replica knows.",
    complexity: "O(1)",
    flags: flag::LOADING | flag::STALE | flag::FAST,
    acl: category::CONNECTION,
    ..ServerCommand::new("readonly", |x| read_only(x, true))
};

/// READWRITE
pub const READWRITE: ServerCommand = ServerCommand {
    summary: "Takes READONLY back.",
    ..ServerCommand { name: "readwrite", run: |x| read_only(x, false), ..READONLY }
};

fn read_only(x: &mut ServerExec<'_>, on: bool) -> Result<Flow, CommandError> {
    x.session.read_only = on;
    x.reply.ok();
    Ok(Flow::Done)
}

/// SELECT index
pub const SELECT: ServerCommand = ServerCommand {
    arity: 2,
    group: Group::Connection,
    since: "1.0.0",
    summary: "Changes the database of the connection.",
    complexity: "O(1)",
    flags: flag::ALLOW_BUSY | flag::LOADING | flag::STALE | flag::FAST,
    acl: category::CONNECTION,
    find_dbs: Some(|_, found| found.push(DbArg { at: 1, key: None })),
    args: &[Arg::new("index", ArgKind::Integer)],
    ..ServerCommand::new("select", select)
};

fn select(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let n = shards::stdx::number::parse_i64(x.arg(1)).ok_or(NOT_AN_INTEGER)?;
    if !(0..x.center.config.general.databases).contains(&n) {
        return Err(CommandError::Static("ERR DB index is out of range"));
    }
    x.session.db = n as u32;
    x.reply.ok();
    Ok(Flow::Done)
}

/// QUIT
pub const QUIT: ServerCommand = ServerCommand {
    arity: -1,
    group: Group::Connection,
    since: "1.0.0",
    summary: "Closes the connection.",
    complexity: "O(1)",
    flags: flag::ALLOW_BUSY | flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::NO_AUTH,
    acl: category::CONNECTION,
    ..ServerCommand::new("quit", quit)
};

fn quit(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.reply.ok();
    Ok(Flow::Close)
}
