//! The gates a call must pass before it runs, in this order: it is known, its arity fits, the client may run it, the
//! server is in a state to.
//!
//! The order is Valkey's `processCommand`, so that a call with two faults gets the same error there and here.

use super::table::{Entry, table};
use crate::config::Config;
use crate::connection::session::Session;
use shards::args::Args;
use shards::command::flag;
use shards::error::CommandError;

const NO_AUTH: CommandError = CommandError::Static("NOAUTH Authentication required.");

/// Lets a call in. `entry` is what was found for it, if anything.
#[inline]
pub fn admit(
    entry: Option<&'static Entry>,
    argv: Args<'_>,
    session: &Session,
    _config: &Config,
) -> Result<&'static Entry, CommandError> {
    let Some(entry) = entry else { return Err(table().resolve(argv).err().unwrap_or_else(|| unreachable!("found twice"))) };
    if !entry.arity_fits(argv.len()) {
        return Err(CommandError::arity(entry.full_name));
    }
    if !session.authenticated && !entry.is(flag::NO_AUTH) {
        return Err(NO_AUTH);
    }
    if session.multi.is_some() && entry.is(flag::NO_MULTI) {
        return Err(CommandError::Static("ERR Command not allowed inside a transaction"));
    }
    Ok(entry)
}

/// Commands that run at once between MULTI and EXEC.
pub fn runs_inside_multi(entry: &Entry) -> bool {
    matches!(entry.full_name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

/// Commands that CLIENT PAUSE never holds, so that it can be ended.
pub fn passes_pause(entry: &Entry) -> bool {
    entry.full_name.starts_with("client|") || matches!(entry.full_name, "auth" | "hello" | "quit" | "reset")
}
