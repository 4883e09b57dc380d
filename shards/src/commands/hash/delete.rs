//! HDEL, HGETDEL: removing fields, and the key with the last one.

use super::options::listed;
use super::value::{HDEL as HDEL_EVENT, hash_at, hash_mut, reply_value, tidy};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::CommandError;
use crate::exec::Exec;

const FIELD: Arg = Arg::new("field", ArgKind::String);

/// HDEL key field [field ...]
pub const HDEL: Command = Command {
    arity: -3,
    group: Group::Hash,
    since: "2.0.0",
    summary: "Removes fields from a hash, and the key when none is left.",
    complexity: "O(N) with N fields named.",
    history: &[("2.4.0", "Takes several fields.")],
    flags: flag::WRITE | flag::FAST,
    acl: category::HASH,
    keys: &[KeySpec::one(1, key::RW | key::DELETE)],
    args: &[Arg::key("key"), FIELD.many()],
    ..Command::new("hdel", hdel)
};

fn hdel(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let hidden = x.ks.hidden();
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    hash_at(&entry)?;
    let mut deleted = 0;
    if let Some(hash) = hash_mut(&mut entry) {
        deleted = x.argv.from(2).iter().filter(|name| hash.remove(name, hidden)).count();
    }
    if deleted > 0 {
        entry.touched(HDEL_EVENT, deleted);
        tidy(&mut entry);
    }
    x.reply.count(deleted);
    Ok(())
}

/// HGETDEL key FIELDS numfields field [field ...]
pub const HGETDEL: Command = Command {
    arity: -5,
    group: Group::Hash,
    since: "9.1.0",
    summary: "Removes fields from a hash and returns the values they had.",
    complexity: "O(N) with N fields named.",
    flags: flag::WRITE | flag::FAST,
    acl: category::HASH,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::DELETE)],
    args: &[Arg::key("key"), super::options::FIELDS],
    ..Command::new("hgetdel", hgetdel)
};

fn hgetdel(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let names = listed(x.argv, super::options::MISMATCH)?;
    let hidden = x.ks.hidden();
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    hash_at(&entry)?;
    let mut deleted = 0;
    let mut hash = hash_mut(&mut entry);
    x.reply.array(names.len());
    for name in names.iter() {
        reply_value(&mut x.reply, hash.as_deref().and_then(|hash| hash.get(name, hidden)));
        deleted += usize::from(hash.as_deref_mut().is_some_and(|hash| hash.remove(name, hidden)));
    }
    if deleted > 0 {
        entry.touched(HDEL_EVENT, deleted);
        tidy(&mut entry);
    }
    Ok(())
}
