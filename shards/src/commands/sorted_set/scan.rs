//! ZSCAN: the members of a sorted set bit by bit. A small set is told at once.

use super::value::sorted_set;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::commands::scanning::{ScanOptions, Scanned, parse_cursor};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::stdx::number::{write_f64, write_u64};

/// ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]
pub const ZSCAN: Command = Command {
    arity: -3,
    group: Group::SortedSet,
    since: "2.8.0",
    summary: "Lists the members of a sorted set with their scores bit by bit.",
    complexity: "O(1) per call, O(N) until the cursor is 0 again, with N elements in the set.",
    history: &[("8.0.0", "Takes `NOSCORES`.")],
    flags: flag::READONLY,
    acl: category::SORTEDSET,
    tips: &["nondeterministic_output"],
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[
        Arg::key("key"),
        Arg::new("cursor", ArgKind::Integer),
        Arg::new("pattern", ArgKind::Pattern).after("MATCH").opt(),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
        Arg::token("noscores", "NOSCORES").opt(),
    ],
    ..Command::new("zscan", zscan)
};

fn zscan(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let cursor = parse_cursor(x.argv.get(2))?;
    // The options of a scan over nothing are not looked at.
    if sorted_set(x.ks.read(x.db, x.argv.get(1)))?.is_none() {
        x.reply.array(2);
        x.reply.bulk(b"0");
        x.reply.array(0);
        return Ok(());
    }
    let options = ScanOptions::parse(x, 3, Scanned::SortedSet)?;
    let set = sorted_set(x.ks.peek(x.db, x.argv.get(1)))?.expect("it was there");
    let mut found = Vec::new();
    let next = set.scan(cursor, options.count, &mut |member, score| {
        if options.wants(member) {
            found.push((member, score));
        }
    });
    let reply = &mut x.reply;
    reply.array(2);
    reply.bulk_with(|out| write_u64(out, next));
    reply.array(if options.names_only { found.len() } else { 2 * found.len() });
    for (member, score) in found {
        reply.bulk(member);
        if !options.names_only {
            reply.bulk_with(|out| write_f64(out, score));
        }
    }
    Ok(())
}
