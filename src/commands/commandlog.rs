//! SLOWLOG and COMMANDLOG: calls that took long, and calls with a large request or reply.
//!
//! Each core keeps the calls of its own clients, as many as the directive allows for all; an answer takes the newest of
//! all cores together. Ids are counted over all cores, so they tell the order.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::core::Center;
use crate::core::query::Report;
use crate::stats::slowlog::{LogKind, SlowCall};
use shards::command::{Arg, ArgKind, Group, category, flag};
use shards::commands::container;
use shards::error::CommandError;
use shards::reply::Reply;
use shards::stdx::number::parse_i64;
use std::sync::Arc;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [SLOWLOG, COMMANDLOG]
}

const BAD_COUNT: CommandError = CommandError::Static("ERR count should be greater than or equal to -1");
const BAD_TYPE: CommandError =
    CommandError::Static("ERR type should be one of the following: slow, large-request, large-reply");
/// Calls SLOWLOG GET answers without a count.
const COUNT: i64 = 10;

const fn log_row(name: &'static str, since: &'static str, run: ServerRun) -> ServerCommand {
    ServerCommand {
        group: Group::Server,
        since,
        complexity: "O(1)",
        flags: flag::ADMIN | flag::LOADING | flag::STALE,
        acl: category::DANGEROUS,
        ..ServerCommand::new(name, run)
    }
}

const fn container_row(name: &'static str, since: &'static str, subcommands: &'static [ServerCommand]) -> ServerCommand {
    ServerCommand {
        arity: -2,
        group: Group::Server,
        since,
        summary: "Shows calls that were costly.",
        complexity: "Depends on the subcommand.",
        subcommands,
        ..ServerCommand::new(name, |x| Err(container::unknown_subcommand(x.argv)))
    }
}

const GET_TIPS: &[&str] = &["request_policy:all_nodes", "nondeterministic_output"];
const LEN_TIPS: &[&str] = &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"];
const RESET_TIPS: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// SLOWLOG subcommand
pub const SLOWLOG: ServerCommand = container_row(
    "slowlog",
    "2.2.12",
    &[
        ServerCommand {
            arity: -2,
            summary: "Shows the latest slow calls.",
            complexity: "O(N) with N calls answered.",
            history: &[("4.0.0", "Tells the client's address and name.")],
            tips: GET_TIPS,
            args: &[Arg::new("count", ArgKind::Integer).opt()],
            ..log_row("get", "2.2.12", slowlog_get)
        },
        ServerCommand { arity: 2, summary: "Counts the slow calls kept.", tips: LEN_TIPS, ..log_row("len", "2.2.12", slowlog_len) },
        ServerCommand { arity: 2, summary: "Forgets the slow calls.", tips: RESET_TIPS, ..log_row("reset", "2.2.12", slowlog_reset) },
        help_row("6.2.0", slowlog_help),
    ],
);

const KINDS: &[Arg] =
    &[Arg::token("slow", "slow"), Arg::token("large-request", "large-request"), Arg::token("large-reply", "large-reply")];
const TYPE: Arg = Arg::one_of("type", KINDS);

/// COMMANDLOG subcommand
pub const COMMANDLOG: ServerCommand = container_row(
    "commandlog",
    "8.1.0",
    &[
        ServerCommand {
            arity: 4,
            summary: "Shows the latest costly calls of a type.",
            complexity: "O(N) with N calls answered.",
            tips: GET_TIPS,
            args: &[Arg::new("count", ArgKind::Integer), TYPE],
            ..log_row("get", "8.1.0", commandlog_get)
        },
        ServerCommand {
            arity: 3,
            summary: "Counts the costly calls of a type.",
            tips: LEN_TIPS,
            args: &[TYPE],
            ..log_row("len", "8.1.0", commandlog_len)
        },
        ServerCommand {
            arity: 3,
            summary: "Forgets the costly calls of a type.",
            tips: RESET_TIPS,
            args: &[TYPE],
            ..log_row("reset", "8.1.0", commandlog_reset)
        },
        help_row("8.1.0", commandlog_help),
    ],
);

const fn help_row(since: &'static str, run: ServerRun) -> ServerCommand {
    ServerCommand {
        arity: 2,
        summary: "Describes the subcommands.",
        flags: flag::LOADING | flag::STALE,
        acl: 0,
        ..log_row("help", since, run)
    }
}

fn count(word: &[u8]) -> Result<usize, CommandError> {
    match parse_i64(word).filter(|n| *n >= -1) {
        // -1 asks for all.
        Some(n) => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        None => Err(BAD_COUNT),
    }
}

fn kind(word: &[u8]) -> Result<LogKind, CommandError> {
    match word.to_ascii_lowercase().as_slice() {
        b"slow" => Ok(LogKind::Slow),
        b"large-request" => Ok(LogKind::LargeRequest),
        b"large-reply" => Ok(LogKind::LargeReply),
        _ => Err(BAD_TYPE),
    }
}

fn slowlog_get(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    match x.argc() {
        2 => Ok(get(LogKind::Slow, COUNT as usize)),
        3 => Ok(get(LogKind::Slow, count(x.arg(2))?)),
        _ => Err(container::wrong_arguments(x.argv)),
    }
}

fn commandlog_get(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let count = count(x.arg(2))?;
    Ok(get(kind(x.arg(3))?, count))
}

fn get(kind: LogKind, count: usize) -> Flow {
    Flow::Gather {
        question: Arc::new(move |center| {
            let calls: Vec<SlowCall> = center.logs[kind as usize].calls().take(count).cloned().collect();
            Box::new(calls)
        }),
        finish: Box::new(move |center, _, reports, reply| {
            let most = count.min(center.log_len_max(kind));
            write(reply, &newest(reports, most));
        }),
    }
}

/// The newest of all cores' calls.
fn newest(reports: Vec<Report>, most: usize) -> Vec<SlowCall> {
    let each = |report: Report| *report.downcast::<Vec<SlowCall>>().expect("the question reports this");
    let mut calls: Vec<SlowCall> = reports.into_iter().flat_map(each).collect();
    calls.sort_by_key(|call| std::cmp::Reverse(call.id));
    calls.truncate(most);
    calls
}

fn write(reply: &mut Reply<'_>, calls: &[SlowCall]) {
    reply.array(calls.len());
    for call in calls {
        reply.array(6);
        reply.int(call.id as i64);
        reply.int(call.at_secs);
        reply.int(call.value);
        reply.array(call.argv.len());
        call.argv.iter().for_each(|arg| reply.bulk(arg));
        reply.bulk(call.peer.as_bytes());
        reply.bulk(&call.name);
    }
}

fn slowlog_len(_: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    Ok(len(LogKind::Slow))
}

fn commandlog_len(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    Ok(len(kind(x.arg(2))?))
}

fn len(kind: LogKind) -> Flow {
    Flow::Gather {
        question: Arc::new(move |center| Box::new(center.logs[kind as usize].len())),
        finish: Box::new(move |center, _, reports, reply| {
            let lens = reports.into_iter().map(|report| *report.downcast::<usize>().expect("the question reports this"));
            reply.count(lens.sum::<usize>().min(center.log_len_max(kind)));
        }),
    }
}

fn slowlog_reset(_: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    Ok(reset(LogKind::Slow))
}

fn commandlog_reset(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    Ok(reset(kind(x.arg(2))?))
}

fn reset(kind: LogKind) -> Flow {
    Flow::everywhere(move |center: &mut Center| center.logs[kind as usize].reset())
}

fn slowlog_help(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    const LINES: &[&str] = &[
        "GET [<count>]",
        "    Show the newest <count> calls (10 by default, -1 for all), each with",
        "    its id, time, microseconds, arguments, and the client's address and name.",
        "LEN",
        "    Count the calls kept.",
        "RESET",
        "    Forget all calls.",
    ];
    container::help(&mut x.reply, x.argv, LINES);
    Ok(Flow::Done)
}

fn commandlog_help(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    const LINES: &[&str] = &[
        "GET <count> <type>",
        "    Show the newest <count> calls of a <type> (-1 for all), each with its id,",
        "    time, microseconds or bytes, arguments, and the client's address and name.",
        "    <type> is slow, large-request or large-reply.",
        "LEN <type>",
        "    Count the calls kept.",
        "RESET <type>",
        "    Forget the calls.",
    ];
    container::help(&mut x.reply, x.argv, LINES);
    Ok(Flow::Done)
}
