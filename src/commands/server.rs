//! TIME, ROLE, LOLWUT: small questions about the server itself.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::identity::{REDIS_VERSION, RINGKEY_VERSION, VALKEY_VERSION};
use crate::stats::clock;
use shards::command::{Arg, ArgKind, Group, category, flag};
use shards::error::{CommandError, NOT_AN_INTEGER};
use shards::stdx::number::parse_i64;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [TIME, ROLE, LOLWUT]
}

/// TIME
pub const TIME: ServerCommand = ServerCommand {
    arity: 1,
    group: Group::Server,
    since: "2.6.0",
    summary: "Tells the server's time: unix seconds, and the microseconds beyond.",
    complexity: "O(1)",
    flags: flag::LOADING | flag::STALE | flag::FAST,
    tips: &["nondeterministic_output"],
    ..ServerCommand::new("time", time)
};

fn time(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    const SECOND: i64 = 1_000_000;
    let now_us = clock::unix_us();
    x.reply.array(2);
    x.reply.bulk_int(now_us / SECOND);
    x.reply.bulk_int(now_us % SECOND);
    Ok(Flow::Done)
}

/// ROLE
pub const ROLE: ServerCommand = ServerCommand {
    arity: 1,
    group: Group::Server,
    since: "2.8.12",
    summary: "Tells the server's part in replication.",
    complexity: "O(1)",
    flags: flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST,
    acl: category::ADMIN | category::DANGEROUS,
    ..ServerCommand::new("role", role)
};

fn role(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    // A primary that has written nothing to any replica: there are none.
    x.reply.array(3);
    x.reply.bulk(b"master");
    x.reply.int(0);
    x.reply.array(0);
    Ok(Flow::Done)
}

/// LOLWUT [VERSION version]
pub const LOLWUT: ServerCommand = ServerCommand {
    arity: -1,
    group: Group::Server,
    since: "5.0.0",
    summary: "Draws a ring and tells the version.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::FAST,
    args: &[Arg::new("version", ArgKind::Integer).after("VERSION").opt()],
    ..ServerCommand::new("lolwut", lolwut)
};

/// Size of the drawing; a character is about twice as high as wide.
const COLUMNS: i32 = 48;
const ROWS_DRAWN: i32 = 24;

fn lolwut(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.argc() >= 3 && x.arg_is(1, "version") {
        // One drawing serves all versions; what is no number is refused all the same.
        parse_i64(x.arg(2)).ok_or(NOT_AN_INTEGER)?;
    }
    let mut text = drawing(x.center.cores as i32);
    text.push_str(&format!("\nOne ring, {} of {} cores busy with you.", 1, x.center.cores));
    let older = x.center.config.general.extended_redis_compatibility;
    let (like, version) = if older { ("Redis", REDIS_VERSION) } else { ("Valkey", VALKEY_VERSION) };
    text.push_str(&format!("\nRingkey ver. {RINGKEY_VERSION}, as {like} ver. {version}\n"));
    x.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Done)
}

/// A ring with a stone for every core.
fn drawing(stones: i32) -> String {
    let mut text = String::new();
    for row in 0..ROWS_DRAWN {
        let line: String = (0..COLUMNS).map(|column| mark(column, row, stones)).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn mark(column: i32, row: i32, stones: i32) -> char {
    let across = f64::from(2 * column - COLUMNS) / f64::from(COLUMNS);
    let down = f64::from(2 * row - ROWS_DRAWN) / f64::from(ROWS_DRAWN);
    let radius = across.hypot(down);
    let turn = (down.atan2(across) / std::f64::consts::TAU + 0.5) * f64::from(stones);
    match radius {
        r if !(0.62..=0.96).contains(&r) => ' ',
        _ if (turn - turn.round()).abs() < 0.06 * f64::from(stones) => '@',
        r if !(0.70..=0.88).contains(&r) => '.',
        _ => '=',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_hollow_and_has_stones() {
        let text = drawing(4);
        assert!(text.contains('@') && text.contains('='));
        let middle = text.lines().nth(ROWS_DRAWN as usize / 2).unwrap();
        assert_eq!(middle.chars().nth(COLUMNS as usize / 2), Some(' '));
    }
}
