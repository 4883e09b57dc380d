//! Which arguments of a call are keys, and what happens to each: for COMMAND GETKEYSANDFLAGS and for access control, which
//! must agree with what the call really touches.
//!
//! The key specs say it where they can tell all; else the row's own finder does.

use super::table::Entry;
use shards::args::Args;
use shards::command::key;

/// True if calls of this command may have keys.
pub fn has_keys(entry: &Entry) -> bool {
    entry.facts.finds_keys || entry.facts.keys.iter().any(|spec| spec.flags & key::NOT_KEY == 0)
}

/// The arguments of a call that are keys, with the flags of each; none if they cannot be told.
pub fn with_flags(entry: &Entry, call: Args<'_>) -> Vec<(usize, u32)> {
    by_specs(entry, call).or_else(|| by_row(entry, call)).unwrap_or_default()
}

/// What the specs find; nothing if they cannot tell all, or the call does not fit them.
fn by_specs(entry: &Entry, call: Args<'_>) -> Option<Vec<(usize, u32)>> {
    let mut found = Vec::new();
    for spec in entry.facts.keys.iter().filter(|spec| spec.flags & key::NOT_KEY == 0) {
        let mut at = Vec::new();
        spec.indexes(call, &mut at).ok()?;
        let varies = spec.flags & key::VARIABLE_FLAGS != 0;
        if spec.flags & key::INCOMPLETE != 0 || (varies && entry.facts.finds_keys) {
            return None;
        }
        let flags = flags_of(entry, call, spec.flags);
        found.extend(at.into_iter().map(|at| (at, flags)));
    }
    Some(found)
}

/// What the row itself finds. Its specs stand in the order of the keys, the last one for all that follow.
fn by_row(entry: &Entry, call: Args<'_>) -> Option<Vec<(usize, u32)>> {
    if !entry.facts.finds_keys {
        return None;
    }
    let mut at = Vec::new();
    entry.key_indexes(call, &mut at).ok()?;
    let specs = entry.facts.keys;
    let flags = |nth: usize| {
        specs.get(nth).or(specs.last()).map_or(0, |spec| flags_of(entry, call, spec.flags & !key::INCOMPLETE))
    };
    Some(at.into_iter().enumerate().map(|(nth, at)| (at, flags(nth))).collect())
}

/// The flags of a spec, or what the row says of this call where they vary.
fn flags_of(entry: &Entry, call: Args<'_>, flags: u32) -> u32 {
    let varying = entry.facts.key_flags.filter(|_| flags & key::VARIABLE_FLAGS != 0);
    varying.map_or(flags, |flags| flags(call))
}
