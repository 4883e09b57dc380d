//! GET and STRLEN: plain reads of a whole string.

use super::value::{reply_text, text_len};
use crate::command::{Arg, Command, Group, KeySpec, category, flag, key};
use crate::error::CommandError;
use crate::exec::Exec;

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

#[inline]
fn get(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let key = x.arg(1);
    reply_text(&mut x.reply, x.ks.read(x.db, key).map(|found| found.value()))
}

/// STRLEN key
pub const STRLEN: Command = Command {
    arity: 2,
    group: Group::String,
    since: "2.2.0",
    summary: "Returns how many bytes the string at a key has.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::FAST,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::RO)],
    args: &[Arg::key("key")],
    ..Command::new("strlen", strlen)
};

fn strlen(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let key = x.arg(1);
    let len = match x.ks.read(x.db, key) {
        Some(found) => text_len(&found.value())?,
        None => 0,
    };
    x.reply.count(len);
    Ok(())
}
