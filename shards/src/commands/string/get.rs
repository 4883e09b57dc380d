//! GET and the other plain reads of a whole string.

use crate::command::{Arg, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, WRONG_TYPE};
use crate::exec::Exec;
use crate::keyspace::table::Value;
use crate::types::Object;

/// GET key
pub const GET: Command = Command {
    arity: 2,
    group: Group::String,
    since: "1.0.0",
    summary: "Returns the string stored at a key.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::FAST,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key")],
    ..Command::new("get", get)
};

fn get(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let key = x.arg(1);
    match x.ks.read(x.db, key).map(|found| found.value()) {
        None => x.reply.null(),
        Some(Value::Bytes(bytes)) => x.reply.bulk(bytes),
        Some(Value::Int(n)) => x.reply.bulk_int(n),
        Some(Value::Object(Object::String(bytes))) => x.reply.bulk(bytes),
        #[allow(unreachable_patterns)]
        Some(_) => return Err(WRONG_TYPE),
    }
    Ok(())
}
