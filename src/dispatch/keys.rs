//! Which arguments of a call are keys, and what happens to each: for COMMAND GETKEYSANDFLAGS and for access control, which
//! must agree with what the call really touches.
//!
//! The key specs say it where they can tell all; else the row's own finder does.

use super::table::Entry;
use shards::args::Args;
use shards::command::{Begin, key};

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
        let unknown = matches!(spec.begin, Begin::Unknown);
        if spec.flags & key::INCOMPLETE != 0 || ((varies || unknown) && entry.facts.finds_keys) {
            return None;
        }
        let flags = flags_of(entry, call, spec.flags);
        found.extend(at.into_iter().map(|at| (at, flags)));
    }
    Some(found)
}

/// What the row itself finds. Its specs that know where to begin stand in the order of the keys, the last of all for those
/// that follow (SORT's destination).
fn by_row(entry: &Entry, call: Args<'_>) -> Option<Vec<(usize, u32)>> {
    if !entry.facts.finds_keys {
        return None;
    }
    let mut at = Vec::new();
    entry.key_indexes(call, &mut at).ok()?;
    let specs = entry.facts.keys;
    let flags = |nth: usize| {
        let mut known = specs.iter().filter(|spec| !matches!(spec.begin, Begin::Unknown));
        known.nth(nth).or(specs.last()).map_or(0, |spec| flags_of(entry, call, spec.flags & !key::INCOMPLETE))
    };
    Some(at.into_iter().enumerate().map(|(nth, at)| (at, flags(nth))).collect())
}

/// The flags of a spec, or what the row says of this call where they vary.
fn flags_of(entry: &Entry, call: Args<'_>, flags: u32) -> u32 {
    let varying = entry.facts.key_flags.filter(|_| flags & key::VARIABLE_FLAGS != 0);
    varying.map_or(flags, |flags| flags(call))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::call::OwnedCall;
    use crate::dispatch::table::table;

    fn found(words: &[&str]) -> Vec<(usize, u32)> {
        let entry = table().find(words[0].as_bytes()).expect("there is such a command");
        let call = OwnedCall::of_parts(entry, 0, words.iter().map(|word| word.as_bytes()));
        with_flags(entry, call.argv())
    }

    #[test]
    fn the_destination_of_sort_is_a_key_that_is_written() {
        let (read, write) = (key::RO | key::ACCESS, key::OW | key::UPDATE);
        assert_eq!(found(&["sort", "a", "by", "w_*", "get", "v_*"]), [(1, read)]);
        assert_eq!(found(&["sort", "a", "store", "b"]), [(1, read), (3, write)]);
        assert_eq!(found(&["sort", "a", "store", "b", "store", "c"]), [(1, read), (5, write)]);
        assert_eq!(found(&["sort_ro", "a", "by", "w_*"]), [(1, read)]);
    }
}
