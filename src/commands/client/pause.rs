//! CLIENT PAUSE and UNPAUSE: holding the commands of all clients for a while.
//!
//! Every core has its own idea of the pause, set by the same message; a command that is held is read again when the
//! pause ends (`core/serve.rs`). A second PAUSE may lengthen the first and widen it from writes to everything, never
//! the opposite. As in Valkey a pause of everything holds the one who asked for it too, and its UNPAUSE.

use super::{FLAGS, client_row};
use crate::commands::{Flow, ServerCommand, ServerExec};
use crate::core::query::{Finish, Report};
use shards::command::{Arg, ArgKind, flag};
use shards::error::CommandError;
use shards::stdx::number::parse_i64;
use std::sync::Arc;

/// CLIENT PAUSE timeout [WRITE | ALL]
pub const PAUSE: ServerCommand = ServerCommand {
    since: "3.0.0",
    summary: "Holds commands for a while.",
    flags: FLAGS | flag::ADMIN,
    history: &[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")],
    args: &[
        Arg::new("timeout", ArgKind::Integer),
        Arg::one_of("mode", &[Arg::token("write", "WRITE"), Arg::token("all", "ALL")]).opt().since("6.2.0"),
    ],
    ..client_row("pause", -3, pause)
};

fn pause(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let writes_only = x.argc() == 4 && x.arg_is(3, "write");
    if x.argc() == 4 && !writes_only && !x.arg_is(3, "all") {
        return Err(CommandError::Static("ERR CLIENT PAUSE mode must be WRITE or ALL"));
    }
    let until_ms = deadline(x.arg(2), x.center.now_ms)?;
    Ok(Flow::Gather {
        question: Arc::new(move |center| {
            center.pause(until_ms, writes_only);
            Box::new(()) as Report
        }),
        finish: ok(),
    })
}

/// The end of a timeout given in milliseconds.
fn deadline(timeout: &[u8], now_ms: i64) -> Result<i64, CommandError> {
    let bad = CommandError::Static("ERR timeout is not an integer or out of range");
    let timeout_ms = parse_i64(timeout).ok_or(bad)?;
    if timeout_ms < 0 {
        return Err(CommandError::Static("ERR timeout is negative"));
    }
    now_ms.checked_add(timeout_ms).ok_or(CommandError::Static("ERR timeout is out of range"))
}

/// CLIENT UNPAUSE
pub const UNPAUSE: ServerCommand = ServerCommand {
    since: "6.2.0",
    summary: "Ends a pause.",
    complexity: "O(N) Where N is the number of paused clients",
    flags: FLAGS | flag::ADMIN,
    ..client_row("unpause", 2, unpause)
};

fn unpause(_: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    Ok(Flow::Gather {
        question: Arc::new(|center| {
            center.end_pause();
            Box::new(()) as Report
        }),
        finish: ok(),
    })
}

fn ok() -> Finish {
    Box::new(|_, _, _, reply| reply.ok())
}
