//! CLIENT KILL and UNBLOCK: ending other clients' connections, or their waiting.

use super::filter::{Filter, Subject};
use super::{FLAGS, client_row, grammar};
use crate::commands::{Flow, ServerCommand, ServerExec};
use crate::core::Center;
use crate::core::query::Report;
use crate::runtime::ConnId;
use shards::command::{Arg, ArgKind, flag};
use shards::error::{CommandError, NOT_AN_INTEGER};
use shards::stdx::number::parse_i64;
use std::sync::Arc;

/// CLIENT KILL
pub const KILL: ServerCommand = ServerCommand {
    since: "2.4.0",
    summary: "Closes connections.",
    complexity: "O(N) where N is the number of client connections",
    flags: FLAGS | flag::ADMIN,
    history: &[
        ("2.8.12", "Added new filter format."),
        ("2.8.12", "`ID` option."),
        ("3.2.0", "Added `master` type in for `TYPE` option."),
        ("5.0.0", "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility."),
        ("6.2.0", "`LADDR` option."),
        ("8.0.0", "`MAXAGE` option."),
        ("8.0.0", "Replaced `master` `TYPE` with `primary`. `master` still supported for backward compatibility."),
        ("8.1.0", "`ID` option accepts multiple IDs."),
        ("9.0.0", grammar::FILTERS_OF_9),
    ],
    args: grammar::KILL,
    ..client_row("kill", -3, kill)
};

fn kill(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let old_form = x.argc() == 3;
    let filter = if old_form {
        Filter::of_address(x.arg(2))
    } else {
        Filter::parse(x.argv, true, x.center.config.general.databases, &x.center.users)?
    };
    let me = x.session.id;
    Ok(Flow::Gather {
        question: Arc::new(move |center| Box::new(kill_here(center, &filter, me)) as Report),
        finish: Box::new(move |_, _, reports, reply| {
            let counts = reports.into_iter().map(|r| *r.downcast::<usize>().expect("the question reports this"));
            let killed: usize = counts.sum();
            match (old_form, killed) {
                (true, 0) => reply.error("ERR No such client"),
                (true, _) => reply.ok(),
                (false, _) => reply.count(killed),
            }
        }),
    })
}

/// Closes this core's clients that the filter means; how many. The one that asks gets its reply first.
fn kill_here(center: &mut Center, filter: &Filter, me: u64) -> usize {
    let now_ms = center.now_ms;
    let meant = |(conn, connection): (ConnId, &mut crate::connection::Connection)| {
        let subject = Subject { session: &connection.session, gauges: &connection.gauges(), now_ms };
        if !filter.matches(subject, me) {
            return None;
        }
        let asks = connection.session.id == me;
        if asks {
            Center::end_after_replies(connection);
        }
        Some((conn, asks))
    };
    let meant: Vec<(ConnId, bool)> = center.clients.iter_mut().filter_map(meant).collect();
    meant.iter().filter(|(_, asks)| !asks).for_each(|(conn, _)| center.close(*conn));
    meant.len()
}

/// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]
pub const UNBLOCK: ServerCommand = ServerCommand {
    since: "5.0.0",
    summary: "Ends the waiting of a blocked client.",
    complexity: "O(log N) where N is the number of client connections",
    flags: FLAGS | flag::ADMIN,
    args: &[
        Arg::new("client-id", ArgKind::Integer),
        Arg::one_of("unblock-type", &[Arg::token("timeout", "TIMEOUT"), Arg::token("error", "ERROR")]).opt(),
    ],
    ..client_row("unblock", -3, unblock)
};

fn unblock(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.argc() == 4 && !x.arg_is(3, "timeout") && !x.arg_is(3, "error") {
        return Err(CommandError::Static("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
    }
    // No client has a negative number, so what it turns into finds none.
    let id = parse_i64(x.arg(2)).ok_or(NOT_AN_INTEGER)? as u64;
    let error = x.argc() == 4 && x.arg_is(3, "error");
    Ok(Flow::Gather {
        question: Arc::new(move |center| Box::new(center.unblock(id, error))),
        finish: Box::new(|_, _, reports, reply| {
            let ended = |report: Report| *report.downcast::<bool>().expect("the question reports this");
            reply.int(i64::from(reports.into_iter().any(ended)));
        }),
    })
}
