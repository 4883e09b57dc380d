//! The gates a call must pass before it runs, in this order: the client has shown who it is, the command is known, its
//! arity fits, it is not locked away by the configuration, it may stand in a transaction. The next gate, whether the
//! client's user may make the call, needs the core ([`crate::core::rights`]): a denial is logged.
//!
//! The order is Valkey's `processCommand`, so that a call with two faults gets the same error there and here.

use super::table::{Entry, table};
use crate::config::Config;
use crate::config::choices::ProtectedAction;
use crate::connection::session::Session;
use shards::args::Args;
use shards::command::flag;
use shards::error::CommandError;
use shards::reply::Resp;

const NO_AUTH: CommandError = CommandError::Static("NOAUTH Authentication required.");

/// Lets a call in. `entry` is what was found for it, if anything; `open`: nobody needs to log in.
#[inline]
pub fn admit(
    entry: Option<&'static Entry>,
    argv: Args<'_>,
    session: &Session,
    config: &Config,
    open: bool,
) -> Result<&'static Entry, CommandError> {
    if auth_required(session, open) && entry.is_none_or(|e| !e.is(flag::NO_AUTH)) {
        return Err(NO_AUTH);
    }
    let Some(entry) = entry else { return Err(table().resolve(argv).err().unwrap_or_else(|| unreachable!("found twice"))) };
    if !entry.arity_fits(argv.len()) {
        return Err(CommandError::arity(entry.full_name));
    }
    if entry.is(flag::PROTECTED | flag::NO_MULTI) {
        admit_rare(entry, session, config)?;
    }
    if session.subscriptions.is_some() {
        admit_subscriber(entry, session)?;
    }
    Ok(entry)
}

/// Gates that few commands have to pass.
#[cold]
fn admit_rare(entry: &Entry, session: &Session, config: &Config) -> Result<(), CommandError> {
    if entry.is(flag::PROTECTED) {
        admit_protected(entry, session, config)?;
    }
    if session.multi.is_some() && entry.is(flag::NO_MULTI) {
        let name = entry.full_name;
        return Err(CommandError::owned(format!("ERR Command '{name}' not allowed inside a transaction")));
    }
    Ok(())
}

/// A subscriber of RESP2 cannot tell replies from messages, so it may do little else. In RESP3 there is no limit.
#[cold]
fn admit_subscriber(entry: &Entry, session: &Session) -> Result<(), CommandError> {
    const ALLOWED: [&str; 9] = [
        "ping", "subscribe", "ssubscribe", "unsubscribe", "sunsubscribe", "psubscribe", "punsubscribe", "quit", "reset",
    ];
    if session.resp == Resp::V3 || !session.is_subscriber() || ALLOWED.contains(&entry.full_name) {
        return Ok(());
    }
    Err(CommandError::owned(format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        entry.full_name
    )))
}

/// DEBUG and MODULE: only where the configuration says so.
fn admit_protected(entry: &Entry, session: &Session, config: &Config) -> Result<(), CommandError> {
    let (name, directive, action) = if entry.full_name.starts_with("module") {
        ("MODULE", "enable-module-command", config.security.enable_module_command)
    } else {
        ("DEBUG", "enable-debug-command", config.security.enable_debug_command)
    };
    let allowed = match action {
        ProtectedAction::Yes => true,
        ProtectedAction::No => false,
        ProtectedAction::Local => session.is_local,
    };
    if allowed {
        return Ok(());
    }
    Err(CommandError::owned(format!(
        "ERR {name} command not allowed. If the {directive} option is set to \"local\", you can run it from a local \
         connection, otherwise you need to set this option in the configuration file, and then restart the server."
    )))
}

/// True if the client must show who it is before it may do anything else. A client that came while nobody had to
/// stays welcome.
#[inline]
pub fn auth_required(session: &Session, open: bool) -> bool {
    !session.authenticated && !open
}

/// What the refusal of an EXEC says: its transaction is gone, and why.
pub fn exec_refused(error: &CommandError) -> CommandError {
    let text = error.text();
    let why = text.strip_prefix("ERR ").unwrap_or(text);
    CommandError::owned(format!("EXECABORT Transaction discarded because of: {why}"))
}

/// Commands that run at once between MULTI and EXEC.
pub fn runs_inside_multi(entry: &Entry) -> bool {
    matches!(entry.full_name, "exec" | "discard" | "quit" | "reset")
}
