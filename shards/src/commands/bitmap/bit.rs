//! SETBIT and GETBIT.

use super::{edit, offset};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::commands::string::value::{Digits, text};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::types::bits;

/// SETBIT key offset value
pub const SETBIT: Command = Command {
    arity: 4,
    group: Group::Bitmap,
    since: "2.2.0",
    summary: "Sets or clears one bit of a string, which grows if it has to, and returns what the bit was.",
    complexity: "O(1)",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::BITMAP,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::UPDATE)],
    args: &[Arg::key("key"), Arg::new("offset", ArgKind::Integer), Arg::new("value", ArgKind::Integer)],
    ..Command::new("setbit", setbit)
};

fn setbit(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let at = offset(x.arg(2), None, x.env.limits.string_bytes_max)?;
    let bit = match x.int(3) {
        Ok(0) => false,
        Ok(1) => true,
        _ => return Err(CommandError::Static("ERR bit is not an integer or out of range")),
    };
    let mut old = false;
    edit(&mut x.ks.entry_mut(x.db, x.argv.get(1)), at / 8 + 1, |bytes, grew| {
        old = bits::set(bytes, at, bit);
        usize::from(grew || old != bit)
    })?;
    x.reply.int(i64::from(old));
    Ok(())
}

/// GETBIT key offset
pub const GETBIT: Command = Command {
    arity: 3,
    group: Group::Bitmap,
    since: "2.2.0",
    summary: "Returns one bit of a string.",
    complexity: "O(1)",
    flags: flag::READONLY | flag::FAST,
    acl: category::BITMAP,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key"), Arg::new("offset", ArgKind::Integer)],
    ..Command::new("getbit", getbit)
};

fn getbit(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let at = offset(x.arg(2), None, x.env.limits.string_bytes_max)?;
    let mut digits = Digits::default();
    let found = x.ks.read(x.db, x.argv.get(1));
    let string = found.map_or(Ok(&b""[..]), |found| text(found.value(), &mut digits))?;
    x.reply.int(i64::from(bits::get(string, at)));
    Ok(())
}
