//! Scripts whose text shows that they call no key but those they named.
//!
//! For them nothing must be kept to be put back, and keys on several shards can be lent beforehand.

use crate::core::Center;
use crate::dispatch::route;
use crate::dispatch::table::{Target, table};
use crate::script::declared::{Arg, calls};
use crate::script::text::Script;
use shards::args::{Args, Span};
use shards::command::{Begin, Spread};

impl Center {
    /// True if a script cannot stray.
    pub(super) fn keeps_to_keys(&self, script: &Script) -> bool {
        let shows = || calls(script.code()).is_some_and(|calls| calls.iter().all(|call| keeps(call)));
        *script.keeps_to_keys.get_or_init(shows)
    }
}

/// True if every key of a call is one the script named.
fn keeps(call: &[Arg]) -> bool {
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    for arg in call {
        let text: &[u8] = match arg {
            Arg::Literal(text) => text,
            Arg::Key | Arg::Unknown | Arg::Open => b"?",
        };
        spans.push(Span::new(bytes.len(), text.len()));
        bytes.extend_from_slice(text);
    }
    let argv = Args::new(&bytes, &spans);
    let open = call.last() == Some(&Arg::Open);
    if !matches!(call.first(), Some(Arg::Literal(_))) {
        return false;
    }
    // A command that is not there answers its error and calls nothing.
    let Ok(entry) = table().resolve(argv) else { return true };
    if !entry.subcommands.is_empty() && call.len() < 2 {
        return false;
    }
    match entry.target {
        Target::Engine(row) => {
            if route::reaches_beyond(entry, argv) || row.find_dbs.is_some() || !matches!(row.spread, Spread::Loan | Spread::Split(..)) {
                return false;
            }
            if let Some(at) = entry.single_key.map(usize::from) {
                return call.get(at) == Some(&Arg::Key);
            }
            let known = |arg: &Arg| matches!(arg, Arg::Literal(_) | Arg::Key);
            let by_word = row.keys.iter().any(|spec| !matches!(spec.begin, Begin::Index(_)));
            if open || (row.find_keys.is_some() || by_word) && !call.iter().all(known) {
                return false;
            }
            let mut at = Vec::new();
            entry.key_indexes(argv, &mut at).is_ok() && at.iter().all(|at| call[*at] == Arg::Key)
        }
        Target::Server(row) => row.keys.is_empty() && entry.full_name != "select",
        Target::Script(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(code: &str) -> bool {
        calls(code.as_bytes()).is_some_and(|calls| calls.iter().all(|call| keeps(call)))
    }

    #[test]
    fn scripts_that_name_their_keys_are_known_to_keep_to_them() {
        assert!(shown("return redis.call('set', KEYS[1], ARGV[1])"));
        assert!(shown("if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) end"));
        assert!(shown("local v = redis.call('incr', KEYS[1]) if v == 1 then redis.call('expire', KEYS[1], ARGV[1]) end return v"));
        assert!(shown("redis.call('rename', KEYS[1], KEYS[2]) return redis.call('time')"));
        assert!(shown("return redis.call('zadd', KEYS[1], unpack(ARGV))"));
        assert!(shown("return 1"));
    }

    #[test]
    fn others_are_not() {
        assert!(!shown("return redis.call('get', ARGV[1])"));
        assert!(!shown("return redis.call('rename', KEYS[1], KEYS[2] .. 'x')"));
        assert!(!shown("return redis.call('dbsize')"));
        assert!(!shown("return redis.call('scan', 0)"));
        assert!(!shown("redis.call('select', 1) return redis.call('get', KEYS[1])"));
        assert!(!shown("return redis.call('copy', KEYS[1], KEYS[2], 'DB', 1)"));
        assert!(!shown("return redis.call(ARGV[1], KEYS[1])"));
        assert!(!shown("return redis.call('del', unpack(ARGV))"));
        assert!(!shown("return redis.call('zunionstore', KEYS[1], ARGV[1], KEYS[2])"));
    }
}
