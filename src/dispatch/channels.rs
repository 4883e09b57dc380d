//! Which channels a call names, for those who ask whether its user may (ACL).

use super::table::Entry;
use shards::args::Args;
use std::ops::Range;

/// The channels of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Channels {
    /// The arguments that name them.
    pub at: Range<usize>,
    /// They are patterns: a user may listen to one only if a rule of theirs is that very pattern.
    pub patterns: bool,
    /// The user must hold a right to them; ceasing to listen needs none.
    pub need_a_right: bool,
}

/// The channels of a call; `None` if the command has nothing to do with channels.
pub fn channels(entry: &Entry, argv: Args<'_>) -> Option<Channels> {
    let (last, patterns, need_a_right) = match entry.full_name {
        "publish" | "spublish" => (2, false, true),
        "subscribe" | "ssubscribe" => (argv.len(), false, true),
        "psubscribe" => (argv.len(), true, true),
        "unsubscribe" | "sunsubscribe" => (argv.len(), false, false),
        "punsubscribe" => (argv.len(), true, false),
        _ => return None,
    };
    Some(Channels { at: 1..last.min(argv.len()), patterns, need_a_right })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::call::OwnedCall;
    use crate::dispatch::table::table;

    #[test]
    fn channels_are_found_where_they_stand() {
        for (text, expected) in [
            ("publish c message", Some((1..2, false, true))),
            ("spublish c message", Some((1..2, false, true))),
            ("subscribe a b c", Some((1..4, false, true))),
            ("psubscribe a*", Some((1..2, true, true))),
            ("unsubscribe", Some((1..1, false, false))),
            ("punsubscribe a*", Some((1..2, true, false))),
            ("pubsub numsub a", None),
            ("get a", None),
        ] {
            let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
            let name = table().find(words[0]).expect("it is in the table");
            let call = OwnedCall::of_parts(name, 0, words.iter().copied());
            let entry = table().resolve(call.argv()).expect("it is in the table");
            let expected = expected.map(|(at, patterns, need_a_right)| Channels { at, patterns, need_a_right });
            assert_eq!(channels(entry, call.argv()), expected, "{text}");
        }
    }
}
