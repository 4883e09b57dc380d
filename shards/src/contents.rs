//! What a shard holds, as text that can be compared: for tests that ask whether two shards are the same (replay,
//! replication, AOF) or whether a call changed anything.
//!
//! A string counts as its bytes, whatever its encoding: INCRBYFLOAT leaves text where the SET that replays it may leave an
//! integer, here as in Valkey.
//!
//! Keys whose time has come are left out: whether they are gone already is nobody's business.

use crate::keyspace::Keyspace;
use crate::keyspace::table::Value;
use crate::shard::Shard;
use crate::types::hash::{Hash, Text};
use crate::types::{Object, tag};

/// One key of a shard.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Content {
    /// Database.
    pub db: u32,
    /// The key, escaped.
    pub key: String,
    /// Type, as TYPE prints it.
    pub type_name: &'static str,
    /// When it expires, unix milliseconds.
    pub expire_at: Option<i64>,
    /// The value.
    pub value: String,
}

/// Every live key at `now_ms`, in the order of databases and keys.
pub fn contents(shard: &mut Shard, now_ms: i64) -> Vec<Content> {
    let ks: &Keyspace = &shard.keyspace;
    let mut found = Vec::new();
    for db in 0..ks.databases() as u32 {
        let table = ks.table(db);
        table.for_each(&mut |pos| {
            let expire_at = table.expire_at(pos);
            if expire_at.is_some_and(|at| at <= now_ms) {
                return;
            }
            let value = match table.value(pos) {
                Value::Bytes(bytes) => bytes.escape_ascii().to_string(),
                Value::Int(n) => n.to_string(),
                Value::Object(Object::String(bytes)) => bytes.escape_ascii().to_string(),
                Value::Object(Object::Hash(hash)) => match fields(hash, now_ms) {
                    Some(fields) => fields,
                    None => return,
                },
                #[allow(unreachable_patterns)]
                Value::Object(object) => format!("{object:?}"),
            };
            let key = table.key(pos).escape_ascii().to_string();
            found.push(Content { db, key, type_name: tag::type_name(table.type_tag(pos)), expire_at, value });
        });
    }
    found.sort_unstable();
    found
}

/// The fields of a hash that are not over; `None` if all are.
fn fields(hash: &Hash, now_ms: i64) -> Option<String> {
    let show = |text: Text<'_>| text.bytes(&mut [0; 20]).escape_ascii().to_string();
    let mut lines: Vec<String> =
        hash.iter(now_ms).map(|f| format!("{}={} {:?}", show(f.name), show(f.value), f.expire_at)).collect();
    lines.sort_unstable();
    (!lines.is_empty()).then(|| lines.join("; "))
}
