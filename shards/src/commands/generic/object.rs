//! OBJECT: how a value is stored and when it was used. Looking inside is no use of the key.

use crate::command::{Arg, Command, Group, KeySpec, ShardRun, category, flag, key};
use crate::commands::container;
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::space::Found;
use crate::keyspace::table::Value;
use crate::keyspace::{Lookup, access};
use crate::types::tag;

/// OBJECT subcommand
pub const OBJECT: Command = Command {
    arity: -2,
    group: Group::Generic,
    since: "2.2.3",
    summary: "Looks at how values are stored and used.",
    complexity: "Depends on the subcommand.",
    subcommands: &[ENCODING, FREQ, HELP, IDLETIME, REFCOUNT],
    ..Command::new("object", |x| Err(container::unknown_subcommand(x.argv)))
};

const KEY: &[KeySpec] = &[KeySpec::one(2, key::RO)];
const ARGS: &[Arg] = &[Arg::key("key")];

const fn object_row(name: &'static str, run: ShardRun) -> Command {
    Command {
        arity: 3,
        group: Group::Generic,
        since: "2.2.3",
        complexity: "O(1)",
        flags: flag::READONLY,
        acl: category::KEYSPACE,
        keys: KEY,
        tips: &["nondeterministic_output"],
        args: ARGS,
        ..Command::new(name, run)
    }
}

const ENCODING: Command =
    Command { summary: "Names the form in which a value is stored.", ..object_row("encoding", encoding) };

const FREQ: Command = Command {
    since: "4.0.0",
    summary: "Tells how often a value is used, on a logarithmic scale.",
    ..object_row("freq", freq)
};

const IDLETIME: Command =
    Command { summary: "Tells for how many seconds a value was not used.", ..object_row("idletime", idletime) };

const REFCOUNT: Command =
    Command { summary: "Tells how many references a value has.", ..object_row("refcount", refcount) };

const HELP: Command = Command {
    arity: 2,
    group: Group::Generic,
    since: "6.2.0",
    summary: "Lists the subcommands.",
    complexity: "O(1)",
    flags: flag::LOADING | flag::STALE,
    acl: category::KEYSPACE,
    ..Command::new("help", help)
};

fn help(x: &mut Exec<'_>) -> Result<(), CommandError> {
    container::help(
        &mut x.reply,
        x.argv,
        &[
            "ENCODING <key>",
            "    Names the form in which the value at <key> is stored.",
            "FREQ <key>",
            "    How often <key> was used of late, as a number that grows with the logarithm",
            "    of the uses and falls with time. Needs an LFU policy.",
            "IDLETIME <key>",
            "    Seconds since <key> was last used. Needs a policy that is not LFU.",
            "REFCOUNT <key>",
            "    Number of references to the value at <key>.",
        ],
    );
    Ok(())
}

fn inspect<'x>(x: &'x mut Exec<'_>) -> Option<Found<'x>> {
    x.ks.look_up(x.db, x.argv.get(2), Lookup::Unheard)
}

fn encoding(x: &mut Exec<'_>) -> Result<(), CommandError> {
    match inspect(x).map(|found| encoding_of(&found)) {
        Some(name) => x.reply.bulk(name.as_bytes()),
        None => x.reply.null(),
    }
    Ok(())
}

fn refcount(x: &mut Exec<'_>) -> Result<(), CommandError> {
    match inspect(x) {
        Some(_) => x.reply.int(1),
        None => x.reply.null(),
    }
    Ok(())
}

fn idletime(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let Some(field) = inspect(x).map(|found| found.lru()) else {
        x.reply.null();
        return Ok(());
    };
    if x.ks.access.lfu {
        return Err(CommandError::Static(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
             policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    x.reply.int(i64::from(access::idle_seconds(field, x.ks.now_ms())));
    Ok(())
}

fn freq(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let Some(field) = inspect(x).map(|found| found.lru()) else {
        x.reply.null();
        return Ok(());
    };
    if !x.ks.access.lfu {
        return Err(CommandError::Static(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    x.reply.int(i64::from(x.ks.access.decayed(field, x.ks.now_ms())));
    Ok(())
}

/// The encoding's name as Valkey would give it; what the table does inside does not show.
pub fn encoding_of(found: &Found<'_>) -> &'static str {
    match found.value() {
        Value::Int(_) => "int",
        Value::Object(object) => object.encoding(),
        Value::Bytes(_) if found.tag() == tag::STRING_RAW => "raw",
        Value::Bytes(bytes) if embeds(bytes.len(), found.key().len(), found.expire_at().is_some()) => "embstr",
        Value::Bytes(_) => "raw",
    }
}

/// Whether Valkey would keep a string in one allocation with its key: if header, key, expiry and value fit 128 bytes.
fn embeds(value_len: usize, key_len: usize, expires: bool) -> bool {
    const OBJECT: usize = 8;
    const EXPIRY: usize = 8;
    const ONE_BLOCK: usize = 128;
    // Strings carry a header of 1 byte (below 32 bytes) or 3, and a NUL; the key's header has its size before it.
    let key = 1 + if key_len < 32 { 1 } else { 3 } + key_len + 1;
    let value = 3 + value_len + 1;
    OBJECT + key + if expires { EXPIRY } else { 0 } + value <= ONE_BLOCK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_embed_up_to_the_length_measured_on_a_real_server() {
        // Valkey 9.1.2, key "k": 112 bytes are embstr, 113 raw; key "kx" with a TTL: 103 and 104.
        assert!(embeds(112, 1, false) && !embeds(113, 1, false));
        assert!(embeds(103, 2, true) && !embeds(104, 2, true));
    }
}
