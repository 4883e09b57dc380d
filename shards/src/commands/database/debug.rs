//! What DEBUG asks of the engine. Rows without key specs run on every shard, each for its own keys.

use crate::command::{Command, Group, KeySpec, Merge, ShardRun, Spread, category, flag, key};
use crate::commands::{container, generic};
use crate::effects::{Event, EventClass};
use crate::error::{self, CommandError};
use crate::exec::Exec;
use crate::keyspace::{Ttl, access};

const fn debug_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        group: Group::Server,
        since: "1.0.0",
        complexity: "Depends on the subcommand.",
        flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE,
        acl: category::DANGEROUS,
        ..Command::new(name, run)
    }
}

/// DEBUG OBJECT key [FAST]
pub const OBJECT: Command = Command {
    arity: -3,
    summary: "Tells how a key is stored and when it was used.",
    keys: &[KeySpec::one(2, key::RO)],
    ..debug_row("object", object)
};

/// DEBUG POPULATE count [prefix [size]]
pub const POPULATE: Command = Command {
    arity: -3,
    summary: "Makes many keys.",
    spread: Spread::Everywhere(Merge::Same),
    ..debug_row("populate", populate)
};

/// Keys POPULATE makes at the most: beyond this Valkey cannot even make room for the table.
const POPULATE_MAX: i64 = 1 << 36;
/// Bytes of a name POPULATE makes, at the most (Valkey prints it into a buffer of 128).
const NAME_MAX: usize = 127;
/// A key made by POPULATE.
const POPULATED: Event = Event::new(EventClass::New, "new");

fn object(x: &mut Exec<'_>) -> Result<(), CommandError> {
    if x.argc() > 4 {
        return Err(container::wrong_arguments(x.argv));
    }
    let now_ms = x.now_ms();
    let Some(found) = x.ks.peek(x.db, x.argv.get(2)) else { return Err(error::NO_SUCH_KEY) };
    let (encoding, field) = (generic::encoding_of(&found), found.lru());
    let used = if x.ks.access.lfu {
        format!("lfu_freq:{} lfu_access_time_minutes:{}", x.ks.access.decayed(field, now_ms), field >> 8)
    } else {
        format!("lru:{field} lru_seconds_idle:{}", access::idle_seconds(field, now_ms))
    };
    // Values live in leaves that move: there is no address to give.
    x.reply.simple(&format!("Value at:0x0 refcount:1 encoding:{encoding} {used}"));
    Ok(())
}

/// Makes `prefix:0` ... with the values `value:0` ..., cut or filled with NULs to `size`; keys that exist stay as they
/// are. Like Valkey, tells nobody about it: it is for tests, which fill replicas likewise.
fn populate(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let count = positive(x, 2)?;
    if x.argc() > 5 {
        return Err(container::wrong_arguments(x.argv));
    }
    if count > POPULATE_MAX {
        return Err(CommandError::Static("ERR OOM in dbExpand"));
    }
    let size = if x.argc() == 5 { positive(x, 4)? as usize } else { 0 };
    if size > x.env.limits.string_bytes_max {
        return Err(error::STRING_TOO_LONG);
    }
    let prefix: &[u8] = if x.argc() > 3 { x.arg(3) } else { b"key" };
    for i in 0..count {
        let mut name = prefix[..prefix.len().min(NAME_MAX)].to_vec();
        name.extend_from_slice(format!(":{i}").as_bytes());
        name.truncate(NAME_MAX);
        if !x.ks.owns(&name) {
            continue;
        }
        let mut entry = x.ks.entry_mut(x.db, &name);
        if !entry.exists() {
            let mut value = format!("value:{i}").into_bytes();
            if size > 0 {
                value.resize(size, 0);
            }
            entry.set(&value, Ttl::Clear, POPULATED);
            // The end of the call settles the table once, which is not enough for a million new keys.
            x.ks.settle(x.db);
        }
    }
    x.propagate_nothing();
    x.reply.ok();
    Ok(())
}

fn positive(x: &Exec<'_>, i: usize) -> Result<i64, CommandError> {
    x.int(i).ok().filter(|n| *n >= 0).ok_or(error::MUST_BE_POSITIVE)
}
