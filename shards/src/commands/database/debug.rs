//! What DEBUG asks of the engine. Rows without key specs run on every shard, each for its own keys.

use crate::command::{Command, Group, KeySpec, Merge, ShardRun, Spread, category, flag, key};
use crate::commands::{container, generic};
use crate::effects::{Event, EventClass};
use crate::error::{self, CommandError};
use crate::exec::Exec;
use crate::keyspace::table::Value;
use crate::keyspace::{Ttl, access};
use crate::rdb::{self, Reader, Writer};
use crate::types::Object;
use crate::types::list::List;
use crate::types::listpack::{self, Element};

pub(super) const fn debug_row(name: &'static str, run: ShardRun) -> Command {
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

/// DEBUG LISTPACK key
pub const LISTPACK: Command = Command {
    arity: 3,
    summary: "Shows a compact value element by element.",
    keys: &[KeySpec::one(2, key::RO)],
    ..debug_row("listpack", listpack)
};

/// DEBUG RELOAD
pub const RELOAD: Command = Command {
    arity: -2,
    summary: "Writes all values as RDB has them and reads them back.",
    spread: Spread::Everywhere(Merge::Same),
    ..debug_row("reload", reload)
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
    let (now_ms, compress) = (x.now_ms(), x.env.limits.compress_dumps);
    let Some(found) = x.ks.peek(x.db, x.argv.get(2)) else { return Err(error::NO_SUCH_KEY) };
    let (encoding, field, value) = (generic::encoding_of(&found), found.lru(), found.value());
    let fast = x.argv.len() == 4 && x.argv.get(3).eq_ignore_ascii_case(b"fast");
    let length = if fast { String::new() } else { format!(" serializedlength:{}", written(&value, compress).len()) };
    let nodes = if let Value::Object(Object::List(list)) = value { nodes_of(list, fast) } else { String::new() };
    let used = if x.ks.access.lfu {
        format!("lfu_freq:{} lfu_access_time_minutes:{}", x.ks.access.decayed(field, now_ms), field >> 8)
    } else {
        format!("lru:{field} lru_seconds_idle:{}", access::idle_seconds(field, now_ms))
    };
    // Values live in leaves that move: there is no address to give.
    x.reply.simple(&format!("Value at:0x0 refcount:1 encoding:{encoding}{length} {used}{nodes}"));
    Ok(())
}

/// What RDB writes of a value, its type byte left out.
fn written(value: &Value<'_, Object>, compress: bool) -> Vec<u8> {
    let mut out = Vec::new();
    rdb::write(value, &mut Writer::new(&mut out, compress));
    out
}

/// What a list is made of, if it has nodes.
fn nodes_of(list: &List, fast: bool) -> String {
    let Some(shape) = list.shape() else { return String::new() };
    let (nodes, depth) = (list.nodes(), u8::from(shape.depth > 0));
    let average = list.len() as f64 / nodes as f64;
    let bytes = if fast { String::new() } else { format!(" ql_uncompressed_size:{}", list.nodes_bytes()) };
    format!(" ql_nodes:{nodes} ql_avg_node:{average:.2} ql_listpack_max:{} ql_compressed:{depth}{bytes}", shape.fill)
}

/// Where Valkey prints to its terminal, this answers.
fn listpack(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let Some(found) = x.ks.peek(x.db, x.argv.get(2)) else { return Err(error::NO_SUCH_KEY) };
    let value = found.value();
    let bytes = match value {
        Value::Object(Object::List(List::Packed(pack))) => pack.bytes().to_vec(),
        Value::Object(object) if object.encoding() == "listpack" => {
            let out = written(&value, false);
            Reader::new(&out, 0).text().expect("we wrote it").into_owned()
        }
        _ => return Err(CommandError::Static("ERR Not a listpack encoded object.")),
    };
    let elements = listpack::elements(&bytes).expect("our own listpacks are sound");
    let mut shown = format!("bytes {}, elements {}", bytes.len(), elements.clone().count());
    for (i, element) in elements.enumerate() {
        let text = element.to_vec().escape_ascii().to_string();
        let kind = if matches!(element, Element::Int(_)) { "integer" } else { "string" };
        shown.push_str(&format!("\n{i}: {kind} {text}"));
    }
    x.reply.verbatim(b"txt", shown.as_bytes());
    Ok(())
}

/// There are no files to reload from: the values go through RDB's bytes in memory.
fn reload(x: &mut Exec<'_>) -> Result<(), CommandError> {
    if x.argc() > 2 {
        let known = ["merge", "noflush", "nosave"].iter().any(|word| x.arg_is(2, word));
        return Err(CommandError::Static(if known {
            "ERR DEBUG RELOAD takes no options while snapshots are not built"
        } else {
            "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
        }));
    }
    let (thresholds, compress) = (generic::thresholds(x.env), x.env.limits.compress_dumps);
    for db in 0..x.ks.databases() as u32 {
        x.ks.rebuild(db, &mut |value| {
            let out = written(&value, compress);
            let read = rdb::read(rdb::kind_of(&value), &mut Reader::new(&out, usize::MAX), &thresholds);
            generic::taken_value(read.expect("what was written can be read")).0
        });
    }
    x.propagate_nothing();
    x.reply.ok();
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
