//! Whether a user may make a call.
//!
//! A call names its command, its keys with what happens to each (from the key specs, or from what the row itself finds),
//! its channels and its databases. One selector must allow all of it. If none does, the denial that tells most is the one
//! given: a wrong channel says more than a wrong key, that more than the command, that more than the database; of two
//! alike the later argument.

use super::user::User;
use super::selector::Selector;
use crate::dispatch::channels::channels;
use crate::dispatch::keys;
use crate::dispatch::table::Entry;
use shards::args::Args;
use shards::command::{category, flag};
use shards::stdx::number::parse_i64;

/// What was denied, from what tells least to what tells most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// A database.
    Database,
    /// The command.
    Command,
    /// A key.
    Key,
    /// Logging in; only in the log.
    Auth,
    /// A channel.
    Channel,
}

/// A denial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Denial {
    /// What.
    pub reason: Reason,
    /// The argument that named it; 0 if none did.
    pub at: usize,
}

/// A call to be checked.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The command.
    pub entry: &'static Entry,
    /// Its arguments.
    pub argv: Args<'a>,
    /// The database it would run in.
    pub db: u32,
    /// How many databases there are.
    pub databases: i64,
}

/// Keys of a call with what happens to them, found once for all selectors.
type Keys = Option<Vec<(usize, u32)>>;

/// Checks a call.
pub fn check(user: &User, call: &Call<'_>) -> Result<(), Denial> {
    if user.unlimited {
        return Ok(());
    }
    let mut keys = None;
    let mut worst = Denial { reason: Reason::Database, at: 0 };
    for selector in user.all_selectors() {
        let Err(denial) = check_selector(selector, call, &mut keys) else { return Ok(()) };
        if (denial.reason, denial.at) > (worst.reason, worst.at) {
            worst = denial;
        }
    }
    Err(worst)
}

/// True if the user may make the call and do this (bits of `key`) with every key there may be: what SORT needs for the
/// keys its BY and GET patterns make up.
pub fn allows_with_any_key(user: &User, call: &Call<'_>, flags: u32) -> bool {
    let mut keys = None;
    let allows = |s: &Selector| check_selector(s, call, &mut keys).is_ok() && s.allows_any_key(flags);
    user.unlimited || user.all_selectors().any(allows)
}

fn check_selector(selector: &Selector, call: &Call<'_>, keys: &mut Keys) -> Result<(), Denial> {
    let denial = |reason, at| Err(Denial { reason, at });
    if let Some(at) = denied_database(selector, call) {
        return denial(Reason::Database, at);
    }
    if !call.entry.is(flag::NO_AUTH) && !selector.commands.allows(call.entry, call.argv) {
        return denial(Reason::Command, 0);
    }
    if !selector.all_keys && keys::has_keys(call.entry) {
        let keys = keys.get_or_insert_with(|| keys::with_flags(call.entry, call.argv));
        let denied = keys.iter().find(|(at, flags)| !selector.allows_key(call.argv.get(*at), *flags));
        if let Some((at, _)) = denied {
            return denial(Reason::Key, *at);
        }
    }
    // Letting go of a channel is nobody's business.
    let named = channels(call.entry, call.argv).filter(|named| named.need_a_right && !selector.all_channels);
    if let Some(mut named) = named {
        let denied = named.at.find(|at| !selector.allows_channel(call.argv.get(*at), named.patterns));
        if let Some(at) = denied {
            return denial(Reason::Channel, at);
        }
    }
    Ok(())
}

/// The argument that names a denied database, 0 if it is the client's own.
fn denied_database(selector: &Selector, call: &Call<'_>) -> Option<usize> {
    if matches!(selector.databases, super::selector::Databases::All) {
        return None;
    }
    let own = || (!selector.allows_database(i64::from(call.db), call.databases)).then_some(0);
    if let Some(find) = call.entry.facts.find_dbs {
        let mut named = Vec::new();
        find(call.argv, &mut named);
        let numbers: Option<Vec<(usize, i64)>> =
            named.iter().map(|arg| parse_i64(call.argv.get(arg.at)).map(|db| (arg.at, db))).collect();
        // A call that names what is no database answers its own error.
        let numbers = numbers.filter(|all| all.iter().all(|(_, db)| (0..call.databases).contains(db))).unwrap_or_default();
        let denied = numbers.iter().find(|(_, db)| !selector.allows_database(*db, call.databases)).map(|(at, _)| *at);
        return denied.or_else(|| own().filter(|_| keys::has_keys(call.entry)));
    }
    if call.entry.is(flag::ALL_DBS) {
        return (0..call.databases).any(|db| !selector.allows_database(db, call.databases)).then_some(0);
    }
    let data = category::KEYSPACE | category::READ | category::WRITE;
    if call.entry.categories & data != 0 || keys::has_keys(call.entry) { own() } else { None }
}

impl Denial {
    /// What ACL LOG calls the thing denied.
    pub fn object<'a>(&self, call: &Call<'a>) -> &'a [u8] {
        match (self.reason, self.at) {
            (Reason::Command, _) | (Reason::Database, 0) => call.entry.full_name.as_bytes(),
            (_, at) => call.argv.get(at),
        }
    }

    /// What the client hears, behind NOPERM.
    pub fn text(&self, user: &User, call: &Call<'_>) -> String {
        match self.reason {
            Reason::Command => self.verbose_text(user, call),
            Reason::Key => "No permissions to access a key".to_owned(),
            Reason::Channel | Reason::Auth => "No permissions to access a channel".to_owned(),
            Reason::Database => "No permissions to access database".to_owned(),
        }
    }

    /// The same with names, for who may see them (ACL DRYRUN).
    pub fn verbose_text(&self, user: &User, call: &Call<'_>) -> String {
        let (name, what) = (user.shown_name(), String::from_utf8_lossy(call.argv.get(self.at)));
        match self.reason {
            Reason::Command => format!("User {name} has no permissions to run the '{}' command", call.entry.full_name),
            Reason::Key => format!("User {name} has no permissions to access the '{what}' key"),
            Reason::Channel | Reason::Auth => format!("User {name} has no permissions to access the '{what}' channel"),
            Reason::Database => format!("User {name} has no permissions to access database {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::call::OwnedCall;

    fn user(rules: &[&str]) -> User {
        let mut user = User::new(b"u", 1, false);
        rules.iter().for_each(|rule| user.apply(rule.as_bytes(), false).unwrap());
        user
    }

    fn denied_in(user: &User, db: u32, text: &str) -> Option<(Reason, usize)> {
        let owned = OwnedCall::of_words(text);
        let call = Call { entry: owned.entry, argv: owned.argv(), db, databases: 16 };
        check(user, &call).err().map(|denial| (denial.reason, denial.at))
    }

    fn denied(user: &User, text: &str) -> Option<(Reason, usize)> {
        denied_in(user, 0, text)
    }

    #[test]
    fn keys_are_checked_for_what_happens_to_them() {
        let user = user(&["+@all", "%R~r*", "%W~w*", "~b*"]);
        for (text, expected) in [
            ("get r", None),
            ("get w", Some((Reason::Key, 1))),
            ("set w 1", None),
            ("set r 1", Some((Reason::Key, 1))),
            ("set w 1 get", Some((Reason::Key, 1))),
            ("set b 1 get", None),
            ("mget r1 r2 x", Some((Reason::Key, 3))),
            ("copy r w", None),
            ("copy w r", Some((Reason::Key, 1))),
            ("rename b w", None),
            ("rename r w", Some((Reason::Key, 1))),
            ("sinterstore w 2 r1 r2", Some((Reason::Key, 2))),
            ("sintercard 2 r1 w", Some((Reason::Key, 3))),
            ("xread count 1 streams r1 x 0 0", Some((Reason::Key, 5))),
            ("xread count 1 streams r1 r2 0 0", None),
            ("del w", None),
            ("del r", Some((Reason::Key, 1))),
            ("exists r w", None),
            ("exists x", Some((Reason::Key, 1))),
            ("ping", None),
        ] {
            assert_eq!(denied(&user, text), expected, "{text}");
        }
    }

    #[test]
    fn one_selector_must_allow_the_whole_call() {
        let user = user(&["+get", "~a", "(+set ~b)", "(+mget ~a ~b)"]);
        assert_eq!(denied(&user, "get a"), None);
        assert_eq!(denied(&user, "set b 1"), None);
        assert_eq!(denied(&user, "get b"), Some((Reason::Key, 1)));
        assert_eq!(denied(&user, "mget a b c"), Some((Reason::Key, 3)));
        assert_eq!(denied(&user, "del a"), Some((Reason::Command, 0)));
    }

    #[test]
    fn of_several_denials_the_one_that_tells_most_is_given() {
        let user = user(&["db=1", "(+mget ~x)", "(+mget ~a)"]);
        assert_eq!(denied(&user, "mget a b"), Some((Reason::Key, 2)));
        assert_eq!(denied(&user, "del a"), Some((Reason::Command, 0)));
    }

    #[test]
    fn databases_are_checked_where_a_call_touches_them() {
        let user = user(&["+@all", "~*", "db=0,2"]);
        for (db, text, expected) in [
            (0, "get a", None),
            (1, "get a", Some((Reason::Database, 0))),
            (1, "ping", None),
            (1, "select 2", None),
            (0, "select 1", Some((Reason::Database, 1))),
            (0, "select 99", None),
            (0, "select x", None),
            (0, "move a 1", Some((Reason::Database, 2))),
            (0, "move a 2", None),
            (1, "move a 2", Some((Reason::Database, 0))),
            (0, "copy a b db 2", None),
            (0, "copy a b db 1", Some((Reason::Database, 4))),
            (0, "copy a b db 2 db 1", Some((Reason::Database, 6))),
            (0, "copy a b db 1 db 2", Some((Reason::Database, 4))),
            (0, "swapdb 0 2", None),
            (0, "swapdb 2 1", Some((Reason::Database, 2))),
            (0, "flushall", Some((Reason::Database, 0))),
            (0, "flushdb", None),
            (1, "dbsize", Some((Reason::Database, 0))),
            (1, "scan 0", Some((Reason::Database, 0))),
            (1, "config get x", None),
        ] {
            assert_eq!(denied_in(&user, db, text), expected, "{db} {text}");
        }
    }

    #[test]
    fn commands_that_need_no_login_need_no_right() {
        let user = user(&["-@all"]);
        for text in ["auth x", "hello 3", "quit", "reset"] {
            assert_eq!(denied(&user, text), None, "{text}");
        }
        assert_eq!(denied(&user, "ping"), Some((Reason::Command, 0)));
    }

    #[test]
    fn any_key_means_a_pattern_of_a_single_star() {
        let read = shards::command::key::ACCESS;
        let asked = |rules: &[&str]| {
            let owned = OwnedCall::of_words("get a");
            let call = Call { entry: owned.entry, argv: owned.argv(), db: 0, databases: 16 };
            allows_with_any_key(&user(rules), &call, read)
        };
        assert!(asked(&["+@all", "~*"]) && asked(&["+get", "%R~*"]));
        assert!(!asked(&["+get", "~a*"]) && !asked(&["+get", "%W~*"]) && !asked(&["~*"]));
        assert!(!asked(&["+get", "~a", "(~* +set)"]), "the selector that allows the call must have the keys");
    }
}
