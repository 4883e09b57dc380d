//! HELLO, AUTH and RESET: who the client is, and which protocol it speaks.
//!
//! Who does not name a user means the default one. A wrong name takes as long to refuse as a wrong password, and a wrong
//! password as long as the right one.

use super::client::identity::{INVALID_NAME, is_valid_attribute};
use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::acl::users::DEFAULT;
use crate::acl::{Context, Reason};
use crate::connection::session::ReplyMode;
use crate::core::rights::Denied;
use crate::identity;
use shards::command::{Arg, ArgKind, Group, category, flag};
use shards::error::{CommandError, SYNTAX, shown};
use shards::reply::Resp;
use shards::stdx::number::parse_i64;
use std::sync::Arc;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [AUTH, HELLO, RESET]
}

const WRONG_PASSWORD: CommandError =
    CommandError::Static("WRONGPASS invalid username-password pair or user is disabled.");
const NO_PASSWORD: CommandError = CommandError::Static(
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
);
const NOT_YET: CommandError = CommandError::Static(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);

/// What may be said by whom is not known yet, and at any time.
const ALWAYS: u32 =
    flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::NO_AUTH | flag::ALLOW_BUSY;

/// AUTH [username] password
pub const AUTH: ServerCommand = ServerCommand {
    arity: -2,
    group: Group::Connection,
    since: "1.0.0",
    summary: "Shows who the client is.",
    complexity: "O(N) where N is the number of passwords defined for the user",
    flags: ALWAYS,
    acl: category::CONNECTION,
    history: &[("6.0.0", "Added ACL style (username and password).")],
    args: &[Arg::new("username", ArgKind::String).opt().since("6.0.0"), Arg::new("password", ArgKind::String)],
    ..ServerCommand::new("auth", auth)
};

fn auth(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let (user, password) = match x.argc() {
        2 if x.center.users.default_user().nopass => return Err(NO_PASSWORD),
        2 => (DEFAULT, x.arg(1)),
        3 => (x.arg(1), x.arg(2)),
        _ => return Err(SYNTAX),
    };
    authenticate(x, user, password)?;
    x.reply.ok();
    Ok(Flow::Done)
}

/// Makes the client that user, if the password is right.
fn authenticate(x: &mut ServerExec<'_>, user: &[u8], password: &[u8]) -> Result<(), CommandError> {
    let known = x.center.users.get(user).cloned();
    // A name that is not there is asked for its password all the same: how long that takes says nothing.
    let nobody = || Arc::clone(x.center.users.default_user());
    let right = known.clone().unwrap_or_else(nobody).admits(password);
    if let Some(known) = known.filter(|_| right) {
        x.session.become_user(&known, true);
        return Ok(());
    }
    let context = if x.in_exec { Context::Multi } else { Context::Toplevel };
    let denied = Denied { reason: Reason::Auth, context, object: x.arg(0), username: user };
    x.center.note_denied(denied, x.session, &x.gauges);
    Err(WRONG_PASSWORD)
}

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
pub const HELLO: ServerCommand = ServerCommand {
    arity: -1,
    group: Group::Connection,
    since: "6.0.0",
    summary: "Chooses the protocol, and tells what the server is.",
    complexity: "O(1)",
    flags: ALWAYS,
    acl: category::CONNECTION,
    history: &[
        ("8.1.0", "A new `availability_zone` field is added to the response if the `availability-zone` config is set."),
        ("6.2.0", "`protover` made optional; without it the connection's present state is reported."),
    ],
    args: &[Arg::block(
        "arguments",
        &[
            Arg::new("protover", ArgKind::Integer),
            Arg::block("auth", &[Arg::new("username", ArgKind::String), Arg::new("password", ArgKind::String)])
                .after("AUTH")
                .opt(),
            Arg::new("clientname", ArgKind::String).after("SETNAME").opt(),
        ],
    )
    .opt()],
    ..ServerCommand::new("hello", hello)
};

fn hello(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let resp = protocol(x)?;
    let (mut credentials, mut name) = (None, None);
    let mut at = 2;
    while at < x.argc() {
        let more = x.argc() - 1 - at;
        if x.arg_is(at, "auth") && more >= 2 {
            credentials = Some((x.arg(at + 1), x.arg(at + 2)));
            at += 3;
        } else if x.arg_is(at, "setname") && more >= 1 {
            name = Some(x.arg(at + 1));
            if !is_valid_attribute(x.arg(at + 1)) {
                return Err(INVALID_NAME);
            }
            at += 2;
        } else {
            return Err(CommandError::owned(format!("ERR Syntax error in HELLO option '{}'", shown(x.arg(at), usize::MAX))));
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(x, user, password)?;
    }
    if !x.session.authenticated {
        return Err(NOT_YET);
    }
    if let Some(name) = name {
        x.session.name = name.to_vec();
    }
    if let Some(resp) = resp {
        x.session.resp = resp;
        x.reply.switch(resp);
    }
    introduce(x);
    Ok(Flow::Done)
}

/// The protocol asked for, if any.
fn protocol(x: &ServerExec<'_>) -> Result<Option<Resp>, CommandError> {
    if x.argc() == 1 {
        return Ok(None);
    }
    match parse_i64(x.arg(1)) {
        Some(2) => Ok(Some(Resp::V2)),
        Some(3) => Ok(Some(Resp::V3)),
        Some(_) => Err(CommandError::Static("NOPROTO unsupported protocol version")),
        None => Err(CommandError::Static("ERR Protocol version is not an integer or out of range")),
    }
}

/// Tells what the server is. Clients choose features by `server` and `version`, so these name whose behaviour this is.
fn introduce(x: &mut ServerExec<'_>) {
    let general = &x.center.config.general;
    let zone = general.availability_zone.as_bytes();
    let (server, version) = if general.extended_redis_compatibility {
        ("redis", identity::REDIS_VERSION)
    } else {
        ("valkey", identity::VALKEY_VERSION)
    };
    let reply = &mut x.reply;
    reply.map(7 + usize::from(!zone.is_empty()));
    let mut field = |name: &str, value: &str| {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    };
    field("server", server);
    field("version", version);
    reply.bulk(b"proto");
    reply.int(if x.session.resp == Resp::V3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.int(x.session.id as i64);
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
    if !zone.is_empty() {
        reply.bulk(b"availability_zone");
        reply.bulk(zone);
    }
}

/// RESET
pub const RESET: ServerCommand = ServerCommand {
    arity: 1,
    group: Group::Connection,
    since: "6.2.0",
    summary: "Makes the connection as new.",
    complexity: "O(1)",
    flags: ALWAYS,
    acl: category::CONNECTION,
    ..ServerCommand::new("reset", reset)
};

fn reset(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.center.unwatch_all(x.session);
    x.center.forget_subscriptions(x.session, x.conn);
    x.center.end_monitor(x.session, x.conn);
    x.center.stop_tracking(x.conn, x.session);
    let session = &mut *x.session;
    session.multi = None;
    session.db = 0;
    session.resp = Resp::V2;
    session.become_user(x.center.users.default_user(), x.center.users.is_open());
    session.name = Vec::new();
    session.reply_mode = ReplyMode::On;
    session.no_touch = false;
    session.import_source = false;
    session.read_only = false;
    session.no_evict = false;
    x.reply.switch(Resp::V2);
    x.reply.simple("RESET");
    Ok(Flow::Done)
}
