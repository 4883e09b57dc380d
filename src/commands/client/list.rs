//! CLIENT INFO and LIST: everything about connections, one line each.

use super::filter::{Filter, Subject};
use super::tracking::redirect_of;
use super::{client_row, grammar};
use crate::commands::{Flow, ServerCommand, ServerExec};
use crate::connection::gauges::Gauges;
use crate::connection::session::Session;
use crate::core::Center;
use crate::core::query::Report;
use crate::tracking::client::Mode;
use crate::pubsub::Kind;
use shards::command::flag;
use shards::error::{CommandError, SYNTAX};
use shards::reply::Resp;
use std::io::Write;
use std::sync::Arc;

/// CLIENT INFO
pub const INFO: ServerCommand = ServerCommand {
    since: "6.2.0",
    summary: "Tells all about the connection.",
    tips: &["nondeterministic_output"],
    ..client_row("info", 2, info)
};

fn info(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let mut line = Vec::new();
    let args_bytes = x.argv.iter().map(<[u8]>::len).sum();
    let subject = Subject { session: x.session, gauges: &x.gauges, now_ms: x.center.now_ms };
    write_line(&mut line, subject, Some(args_bytes));
    x.reply.verbatim(b"txt", &line);
    Ok(Flow::Done)
}

/// CLIENT LIST
pub const LIST: ServerCommand = ServerCommand {
    since: "2.4.0",
    summary: "Tells all about all connections.",
    complexity: "O(N) where N is the number of client connections",
    flags: super::FLAGS | flag::ADMIN,
    history: &[
        ("2.8.12", "Added unique client `id` field."),
        ("5.0.0", "Added optional `TYPE` filter."),
        ("6.0.0", "Added `user` field."),
        ("6.2.0", "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter."),
        ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
        ("7.0.3", "Added `ssub` field."),
        ("8.0.0", "Replaced `master` `TYPE` with `primary`. `master` still supported for backward compatibility."),
        ("8.1.0", "Added filters USER, ADDR, LADDR, SKIPME, and MAXAGE."),
        ("9.0.0", super::grammar::FILTERS_OF_9),
    ],
    tips: &["nondeterministic_output"],
    args: grammar::LIST,
    ..client_row("list", -2, list)
};

fn list(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.argc() == 3 {
        return Err(SYNTAX);
    }
    let filter = Filter::parse(x.argv, false, x.center.config.general.databases, &x.center.users)?;
    let me = x.session.id;
    let args_bytes = x.argv.iter().map(<[u8]>::len).sum();
    Ok(Flow::Gather {
        question: Arc::new(move |center| Box::new(lines(center, &filter, me, args_bytes)) as Report),
        finish: Box::new(|_, _, reports, reply| {
            let mut lines: Vec<Line> = Vec::new();
            for report in reports {
                lines.extend(*report.downcast::<Vec<Line>>().expect("the question reports this"));
            }
            // In the order they came, as if one core had them all.
            lines.sort_unstable_by_key(|(id, _)| *id);
            let text: Vec<u8> = lines.into_iter().flat_map(|(_, line)| line).collect();
            reply.verbatim(b"txt", &text);
        }),
    })
}

/// A client's number and its line.
type Line = (u64, Vec<u8>);

/// The lines of this core's clients that the filter means.
fn lines(center: &Center, filter: &Filter, me: u64, args_bytes: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for (_, connection) in center.clients.iter() {
        let gauges = connection.gauges();
        let subject = Subject { session: &connection.session, gauges: &gauges, now_ms: center.now_ms };
        if !filter.matches(subject, me) {
            continue;
        }
        let mut line = Vec::with_capacity(400);
        let asks = subject.session.id == me;
        write_line(&mut line, subject, asks.then_some(args_bytes));
        lines.push((subject.session.id, line));
    }
    lines
}

/// The letters of a client's states, in Valkey's order; `N` if there is none.
pub fn flags(session: &Session, gauges: &Gauges) -> String {
    let tracking = session.tracking.as_deref();
    let states = [
        (session.monitor, 'O'),
        (session.is_subscriber(), 'P'),
        (session.multi.is_some(), 'x'),
        (gauges.blocked, 'b'),
        (tracking.is_some(), 't'),
        (tracking.is_some_and(|tracking| tracking.broken), 'R'),
        (tracking.is_some_and(|tracking| tracking.mode == Mode::Broadcast), 'B'),
        (gauges.closing, 'c'),
        (session.unix, 'U'),
        (session.no_evict, 'e'),
        (session.read_only, 'r'),
        (session.no_touch, 'T'),
        (session.import_source, 'I'),
    ];
    let letters: String = states.iter().filter(|(is, _)| *is).map(|(_, letter)| *letter).collect();
    if letters.is_empty() { "N".to_owned() } else { letters }
}

/// A client's line without its end, as logs keep it.
pub fn line_of(client: Subject<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(400);
    write_line(&mut line, client, None);
    line.pop();
    line
}

/// Writes a client's line. `running` holds the bytes of the arguments of the command it is in, which counts as run only
/// when it has ended.
fn write_line(out: &mut Vec<u8>, client: Subject<'_>, running: Option<usize>) {
    let Subject { session: s, gauges: g, now_ms } = client;
    let mut field = |name: &str, value: &[u8]| {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value);
    };
    let number = |n: i64| {
        let mut text = Vec::with_capacity(20);
        write!(text, "{n}").expect("memory takes all");
        text
    };
    let size = |n: usize| number(n as i64);
    field("id", &number(s.id as i64));
    field("addr", s.peer.as_bytes());
    field("laddr", s.local.as_bytes());
    field("fd", &number(i64::from(s.fd)));
    field("name", &s.name);
    field("age", &number(now_ms / 1000 - s.connected_ms / 1000));
    field("idle", &number(now_ms / 1000 - s.active_ms / 1000));
    field("flags", flags(s, g).as_bytes());
    field("capa", if s.can_redirect { b"r" } else { b"" });
    field("db", &number(i64::from(s.db)));
    for (name, kind) in [("sub", Kind::Channel), ("psub", Kind::Pattern), ("ssub", Kind::Shard)] {
        field(name, &size(s.subscriptions.as_ref().map_or(0, |subscriptions| subscriptions.of(kind).len())));
    }
    field("multi", &s.multi.as_ref().map_or(number(-1), |m| size(m.queue.len())));
    field("watch", &size(s.watched.len()));
    field("qbuf", &size(g.input_bytes));
    field("qbuf-free", &size(g.input_free));
    field("argv-mem", &size(running.unwrap_or(0)));
    field("multi-mem", &size(s.multi.as_ref().map_or(0, |m| m.args_bytes)));
    field("rbs", &size(g.reply_capacity));
    field("rbp", &size(g.reply_peak));
    field("obl", &size(g.reply_bytes));
    field("oll", &size(g.parts));
    field("omem", &size(g.parts_bytes));
    field("tot-mem", &size(g.memory_bytes));
    field("events", if g.sending { b"rw" } else { b"r" });
    field("cmd", s.last.map_or("NULL", |entry| entry.full_name).as_bytes());
    field("user", &s.user.name);
    field("redir", &number(redirect_of(s.tracking.as_deref())));
    field("resp", if s.resp == Resp::V3 { b"3" } else { b"2" });
    field("lib-name", &s.lib_name);
    field("lib-ver", &s.lib_version);
    field("tot-net-in", &number(s.net_in as i64));
    field("tot-net-out", &number(s.net_out as i64));
    field("tot-cmds", &number(s.commands as i64 - i64::from(running.is_some() || g.unfinished)));
    out.push(b'\n');
}
