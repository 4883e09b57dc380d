//! HGETALL, HKEYS, HVALS: everything in a hash.

use super::value::{hash_in, reply_text};
use crate::command::{Arg, Command, Group, KeySpec, ShardRun, category, flag, key};
use crate::error::CommandError;
use crate::exec::Exec;

const KEYS: &[KeySpec] = &[KeySpec::one(1, key::RO | key::ACCESS)];
const ARGS: &[Arg] = &[Arg::key("key")];
const TIPS: &[&str] = &["nondeterministic_output_order"];

const fn list_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: 2,
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(N) with N fields in the hash.",
        flags: flag::READONLY,
        acl: category::HASH,
        keys: KEYS,
        tips: TIPS,
        args: ARGS,
        ..Command::new(name, run)
    }
}

/// HGETALL key
pub const HGETALL: Command =
    Command { summary: "Returns all fields of a hash with their values.", ..list_row("hgetall", hgetall) };

fn hgetall(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let hidden = x.ks.hidden();
    let Some(hash) = hash_in(x.ks.read(x.db, x.argv.get(1)))? else {
        x.reply.map(0);
        return Ok(());
    };
    let map = x.reply.deferred_map();
    let mut count = 0;
    for field in hash.iter(hidden) {
        reply_text(&mut x.reply, field.name);
        reply_text(&mut x.reply, field.value);
        count += 1;
    }
    x.reply.close_map(map, count);
    Ok(())
}

/// HKEYS key
pub const HKEYS: Command =
    Command { summary: "Returns the names of all fields of a hash.", ..list_row("hkeys", |x| each(x, true)) };

/// HVALS key
pub const HVALS: Command =
    Command { summary: "Returns the values of all fields of a hash.", ..list_row("hvals", |x| each(x, false)) };

fn each(x: &mut Exec<'_>, names: bool) -> Result<(), CommandError> {
    let hidden = x.ks.hidden();
    let Some(hash) = hash_in(x.ks.read(x.db, x.argv.get(1)))? else {
        x.reply.array(0);
        return Ok(());
    };
    let list = x.reply.deferred_array();
    let mut count = 0;
    for field in hash.iter(hidden) {
        reply_text(&mut x.reply, if names { field.name } else { field.value });
        count += 1;
    }
    x.reply.close_array(list, count);
    Ok(())
}
