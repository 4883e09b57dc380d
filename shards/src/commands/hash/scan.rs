//! HSCAN: a hash bit by bit.

use super::value::{hash_in, reply_text};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::commands::scanning::{ScanOptions, Scanned, parse_cursor};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::stdx::number::write_u64;

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
pub const HSCAN: Command = Command {
    arity: -3,
    group: Group::Hash,
    since: "2.8.0",
    summary: "Lists the fields of a hash bit by bit.",
    complexity: "O(1) per call, O(N) until the cursor is 0 again, with N fields in the hash.",
    flags: flag::READONLY,
    acl: category::HASH,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    tips: &["nondeterministic_output"],
    args: &[
        Arg::key("key"),
        Arg::new("cursor", ArgKind::Integer),
        Arg::new("pattern", ArgKind::Pattern).after("MATCH").opt(),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
        Arg::token("novalues", "NOVALUES").opt(),
    ],
    ..Command::new("hscan", hscan)
};

fn hscan(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let mut cursor = parse_cursor(x.argv.get(2))?;
    if hash_in(x.ks.read(x.db, x.argv.get(1)))?.is_none() {
        x.reply.array(2);
        x.reply.bulk(b"0");
        x.reply.array(0);
        return Ok(());
    }
    let options = ScanOptions::parse(x, 3, Scanned::Hash)?;
    let hidden = x.ks.hidden();
    let hash = hash_in(x.ks.peek(x.db, x.argv.get(1)))?.expect("it was there a moment ago");
    let (mut found, mut seen, mut steps) = (Vec::new(), 0, options.steps_max());
    loop {
        cursor = hash.scan(cursor, hidden, |field| {
            seen += 1;
            if options.wants(field.name.bytes(&mut [0; 20])) {
                found.push(field);
            }
        });
        if cursor == 0 || steps == 0 || seen >= options.count {
            break;
        }
        steps -= 1;
    }
    x.reply.array(2);
    x.reply.bulk_with(|out| write_u64(out, cursor));
    x.reply.array(if options.names_only { found.len() } else { 2 * found.len() });
    for field in found {
        reply_text(&mut x.reply, field.name);
        if !options.names_only {
            reply_text(&mut x.reply, field.value);
        }
    }
    Ok(())
}
