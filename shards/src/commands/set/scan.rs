//! SSCAN: the members of a set bit by bit.

use super::{as_set, reply_member};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::commands::scanning::{ScanOptions, Scanned, parse_cursor};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::reply::Reply;
use crate::stdx::number::write_u64;
use crate::types::set::{Set, text};

/// SSCAN key cursor [MATCH pattern] [COUNT count]
pub const SSCAN: Command = Command {
    arity: -3,
    group: Group::Set,
    since: "2.8.0",
    summary: "Lists the members of a set bit by bit.",
    complexity: "O(1) per call, O(N) until the cursor is 0 again, with N members in the set.",
    tips: &["nondeterministic_output"],
    flags: flag::READONLY,
    acl: category::SET,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[
        Arg::key("key"),
        Arg::new("cursor", ArgKind::Integer),
        Arg::new("pattern", ArgKind::Pattern).after("MATCH").opt(),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
    ],
    ..Command::new("sscan", sscan)
};

fn sscan(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let cursor = parse_cursor(x.argv.get(2))?;
    let exists = x.ks.read(x.db, x.argv.get(1)).map(|found| as_set(found.value())).transpose()?.is_some();
    if !exists {
        x.reply.array(2);
        x.reply.bulk(b"0");
        x.reply.array(0);
        return Ok(());
    }
    let options = ScanOptions::parse(x, 3, Scanned::Set)?;
    let found = x.ks.glance(x.db, x.argv.get(1)).expect("it was found above");
    scan(&mut x.reply, as_set(found.value())?, cursor, &options);
    Ok(())
}

fn scan(reply: &mut Reply<'_>, set: &Set, mut cursor: u64, options: &ScanOptions<'_>) {
    // The cursor comes first but is known last.
    let mut found = Vec::new();
    let mut list = Reply::new(&mut found, reply.resp());
    let (mut count, mut seen, mut steps) = (0, 0, options.steps_max());
    loop {
        cursor = set.scan(cursor, &mut |member| {
            seen += 1;
            if options.pattern.is_none() || options.wants(text(member, &mut [0; 20])) {
                reply_member(&mut list, member);
                count += 1;
            }
        });
        if cursor == 0 || steps == 0 || seen >= options.count {
            break;
        }
        steps -= 1;
    }
    reply.array(2);
    reply.bulk_with(|out| write_u64(out, cursor));
    reply.array(count);
    reply.raw(&found);
}
