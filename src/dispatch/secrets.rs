//! Which arguments of a call are secrets: whoever keeps or shows a call (SLOWLOG, COMMANDLOG) leaves them out.

use super::table::Entry;
use crate::config::table::lookup;
use shards::args::Args;

/// What stands in the place of a secret.
pub const REDACTED: &[u8] = b"(redacted)";

/// Indexes of the arguments that must not be shown.
pub fn secrets(entry: &Entry, argv: Args<'_>) -> Vec<usize> {
    match entry.full_name {
        "auth" => (1..argv.len()).collect(),
        "hello" => after_auth(argv),
        "acl|setuser" | "acl|deluser" | "acl|getuser" => (2..argv.len()).collect(),
        "config|set" => {
            let is_secret = |at: &usize| lookup(argv.get(at - 1)).is_some_and(|found| found.row.sensitive);
            (3..argv.len()).step_by(2).filter(is_secret).collect()
        }
        _ => Vec::new(),
    }
}

/// HELLO: the two words behind every AUTH.
fn after_auth(argv: Args<'_>) -> Vec<usize> {
    let auths = (2..argv.len()).filter(|at| argv.get(*at).eq_ignore_ascii_case(b"auth"));
    auths.flat_map(|at| [at + 1, at + 2]).filter(|at| *at < argv.len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::call::OwnedCall;
    use crate::dispatch::table::table;

    #[test]
    fn passwords_are_found_wherever_they_stand() {
        for (text, expected) in [
            ("auth pw", &[1][..]),
            ("auth user pw", &[1, 2]),
            ("hello 3 setname x auth user pw", &[5, 6]),
            ("hello 3 auth user", &[3]),
            ("config set port 1 requirepass pw maxclients 5", &[5]),
            ("config get requirepass", &[]),
            ("acl setuser bob on >pw", &[2, 3, 4]),
            ("acl deluser bob", &[2]),
            ("acl whoami", &[]),
            ("get auth", &[]),
        ] {
            let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
            let name = table().find(words[0]).expect("it is in the table");
            let call = OwnedCall::of_parts(name, 0, words.iter().copied());
            let entry = table().resolve(call.argv()).expect("it is in the table");
            assert_eq!(secrets(entry, call.argv()), expected, "{text}");
        }
    }
}
