//! MEMORY USAGE: what a key and its value take. The rest of MEMORY (STATS, DOCTOR ...) is about the process and is the
//! server's.

use crate::command::{Arg, ArgKind, Command, Group, KeySpec, flag, key};
use crate::commands::container;
use crate::error::{self, CommandError};
use crate::exec::Exec;

/// MEMORY subcommand
pub const MEMORY: Command = Command {
    arity: -2,
    group: Group::Server,
    since: "4.0.0",
    summary: "Tells about the memory of keys and of the server.",
    complexity: "Depends on the subcommand.",
    subcommands: &[USAGE],
    ..Command::new("memory", |x| Err(container::unknown_subcommand(x.argv)))
};

/// MEMORY USAGE key [SAMPLES count]
pub const USAGE: Command = Command {
    arity: -3,
    group: Group::Server,
    since: "4.0.0",
    summary: "Tells how many bytes a key and its value take.",
    complexity: "O(1); values know their size, so nothing has to be sampled.",
    flags: flag::READONLY,
    keys: &[KeySpec::one(2, key::RO)],
    args: &[Arg::key("key"), Arg::new("count", ArgKind::Integer).after("SAMPLES").opt()],
    ..Command::new("usage", usage)
};

fn usage(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let mut i = 3;
    while i < x.argc() {
        if !x.arg_is(i, "samples") || i + 1 == x.argc() || x.int(i + 1)? < 0 {
            return Err(error::SYNTAX);
        }
        i += 2;
    }
    match x.ks.peek(x.db, x.argv.get(2)).map(|found| found.memory_bytes()) {
        Some(bytes) => x.reply.count(bytes),
        None => x.reply.null(),
    }
    Ok(())
}
