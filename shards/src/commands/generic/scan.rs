//! KEYS, SCAN, RANDOMKEY: which keys there are.
//!
//! SCAN's cursor on a server of several shards: the cursor of the shard's table times the number of shards, plus the
//! shard. So it says by itself which shard goes on ([`shard_of_cursor`]), a new scan (0) starts at shard 0, and when one
//! shard is done the number of the next one is the cursor with which that one starts. With one shard it is the table's
//! cursor. A cursor nobody gave out is some place in some table: it finds less than all keys, nothing worse.

use crate::args::Args;
use crate::command::{Arg, ArgKind, Command, Group, Merge, Spread, category, flag};
use crate::commands::scanning::{ScanOptions, Scanned, parse_cursor};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::table::Table;
use crate::stdx::glob;
use crate::types::{Object, tag};

/// KEYS pattern
pub const KEYS: Command = Command {
    arity: 2,
    group: Group::Generic,
    since: "1.0.0",
    summary: "Lists the keys whose names match a pattern.",
    complexity: "O(N) with N keys in the database.",
    flags: flag::READONLY,
    acl: category::KEYSPACE | category::DANGEROUS,
    spread: Spread::Everywhere(Merge::Concat),
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    args: &[Arg::new("pattern", ArgKind::Pattern)],
    ..Command::new("keys", keys)
};

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
pub const SCAN: Command = Command {
    arity: -2,
    group: Group::Generic,
    since: "2.8.0",
    summary: "Lists the keys of the database bit by bit.",
    complexity: "O(1) per call, O(N) until the cursor is 0 again, with N keys in the database.",
    history: &[("6.0.0", "Takes `TYPE`.")],
    flags: flag::READONLY | flag::TOUCHES_ARBITRARY_KEYS,
    acl: category::KEYSPACE,
    spread: Spread::Cursor(1),
    tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
    args: &[
        Arg::new("cursor", ArgKind::Integer),
        Arg::new("pattern", ArgKind::Pattern).after("MATCH").opt(),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
        Arg::new("type", ArgKind::String).after("TYPE").opt().since("6.0.0"),
    ],
    ..Command::new("scan", scan)
};

/// RANDOMKEY
pub const RANDOMKEY: Command = Command {
    arity: 1,
    group: Group::Generic,
    since: "1.0.0",
    summary: "Names a random key of the database.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::TOUCHES_ARBITRARY_KEYS,
    acl: category::KEYSPACE,
    spread: Spread::FirstFound,
    tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
    ..Command::new("randomkey", randomkey)
};

fn keys(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (pattern, hidden) = (x.argv.get(1), x.ks.hidden());
    let (table, reply) = (x.ks.table(x.db), &mut x.reply);
    let list = reply.deferred_array();
    let mut count = 0;
    let mut consider = |pos| {
        let key = table.key(pos);
        let live = table.expire_at(pos).is_none_or(|at| at > hidden);
        if live && (pattern == b"*" || glob::matches(pattern, key, false)) {
            reply.bulk(key);
            count += 1;
        }
    };
    if glob::is_literal(pattern) {
        table.find(table.hash(pattern), pattern).into_iter().for_each(&mut consider);
    } else {
        table.for_each(&mut consider);
    }
    reply.close_array(list, count);
    Ok(())
}

fn scan(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let cursor = parse_cursor(x.argv.get(1))?;
    let options = ScanOptions::parse(x, 2, Scanned::Keys)?;
    let shards = x.env.shards as u64;
    debug_assert_eq!(cursor % shards, x.env.shard as u64, "routed by shard_of_cursor");

    let hidden = x.ks.hidden();
    let table = x.ks.table(x.db);
    let (mut found, mut expired) = (Vec::new(), Vec::new());
    let (next, _) = walk(table, cursor / shards, &options, &mut |pos| {
        let dead = table.expire_at(pos).is_some_and(|at| at <= hidden);
        if dead { expired.push(Box::from(table.key(pos))) } else { found.push(pos) }
    });
    let next = match next {
        0 => (x.env.shard as u64 + 1) % shards,
        next => next * shards + x.env.shard as u64,
    };
    x.reply.array(2);
    x.reply.bulk_with(|out| crate::stdx::number::write_u64(out, next));
    x.reply.array(found.len());
    found.iter().for_each(|pos| x.reply.bulk(table.key(*pos)));
    remove_expired(x, expired);
    Ok(())
}

/// Steps through the table from `cursor` as far as the options ask, giving each entry they want; the next cursor and
/// the number of entries looked at.
fn walk(
    table: &Table<Object>,
    cursor: u64,
    options: &ScanOptions<'_>,
    each: &mut dyn FnMut(crate::keyspace::table::Pos),
) -> (u64, u64) {
    let (mut cursor, mut seen, mut steps) = (cursor, 0, options.steps_max());
    loop {
        cursor = table.scan(cursor, &mut |pos| {
            seen += 1;
            let type_fits = options.type_tag.is_none_or(|t| {
                let own = table.type_tag(pos);
                own == t || t == tag::STRING && tag::is_string(own)
            });
            if type_fits && options.wants(table.key(pos)) {
                each(pos);
            }
        });
        if cursor == 0 || steps == 0 || seen >= options.count {
            return (cursor, seen);
        }
        steps -= 1;
    }
}

/// A look that leaves no trace but the removal of what is due.
fn remove_expired(x: &mut Exec<'_>, expired: Vec<Box<[u8]>>) {
    for key in expired {
        x.ks.peek(x.db, &key);
    }
}

/// The shard that a SCAN with this cursor goes on with; any shard answers a cursor that is none.
pub fn shard_of_cursor(argv: Args<'_>, at: usize, shards: usize) -> usize {
    if at >= argv.len() {
        return 0;
    }
    parse_cursor(argv.get(at)).map_or(0, |cursor| (cursor % shards as u64) as usize)
}

fn randomkey(x: &mut Exec<'_>) -> Result<(), CommandError> {
    match x.ks.random_key(x.db) {
        Some(key) => x.reply.bulk(&key),
        None => x.reply.null(),
    }
    Ok(())
}
