//! All users, as they are at one moment.
//!
//! A `Users` never changes once it is made; a change is a new one, in which what did not change is shared. Whoever owns
//! it (the process) hands the newest to every core, and a core hands each of its clients the new self of its user. So a
//! check reads plain memory that nobody writes, without a lock, and a core sees all of a change or none of it.

use super::error::RuleError;
use super::selector::has_spaces;
use super::user::User;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The user everybody is who has not said otherwise.
pub const DEFAULT: &[u8] = b"default";

/// See the essay.
#[derive(Clone, Debug)]
pub struct Users {
    by_name: BTreeMap<Box<[u8]>, Arc<User>>,
    default: Arc<User>,
    next_serial: u64,
}

impl Users {
    /// The default user alone, with the password of `requirepass`.
    pub fn new(requirepass: &[u8]) -> Users {
        let default = Arc::new(User::default_user(0));
        let by_name = BTreeMap::from([(DEFAULT.into(), Arc::clone(&default))]);
        Users { by_name, default, next_serial: 1 }.with_requirepass(requirepass)
    }

    /// A user.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// The default user, which is always there.
    pub fn default_user(&self) -> &Arc<User> {
        &self.default
    }

    /// True if nobody needs to log in.
    pub fn is_open(&self) -> bool {
        self.default.nopass && self.default.enabled
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Never: the default user is always there.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Every user as a line of rules behind its name, as in `user` lines.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.iter().map(|user| [&user.name, &b" "[..], &user.describe()].concat()).collect()
    }

    fn put(&mut self, user: User) {
        let user = Arc::new(user);
        if *user.name == *DEFAULT {
            self.default = Arc::clone(&user);
        }
        self.by_name.insert(user.name.clone(), user);
    }

    fn serial(&mut self) -> u64 {
        self.next_serial += 1;
        self.next_serial
    }

    /// The user as it is, or a new one.
    fn take_or_make(&mut self, name: &[u8], all_channels: bool) -> User {
        match self.get(name) {
            Some(user) => User::clone(user),
            None => User::new(name, self.serial(), all_channels),
        }
    }

    /// ACL SETUSER: all rules or none. Errors: the text of the reply.
    pub fn with_rules(&self, name: &[u8], rules: &[&[u8]], all_channels: bool) -> Result<Users, String> {
        if has_spaces(name) {
            return Err("ERR Usernames can't contain spaces or null characters".to_owned());
        }
        let merged = merge_selectors(rules).map_err(|at| {
            format!("ERR Unmatched parenthesis in acl selector starting at '{}'.", String::from_utf8_lossy(rules[at]))
        })?;
        let mut next = self.clone();
        let mut user = next.take_or_make(name, all_channels);
        for rule in &merged {
            user.apply(rule, all_channels).map_err(|error| {
                format!("ERR Error in ACL SETUSER modifier '{}': {}", String::from_utf8_lossy(rule), error.text())
            })?;
            if super::commands::names_first_arg(rule) {
                tracing::warn!(
                    "Deprecation warning: allowing one first argument of a command that is otherwise denied is not what \
                     ACL rules are made for, and may go (offender: {})",
                    String::from_utf8_lossy(rule)
                );
            }
        }
        next.put(user);
        Ok(next)
    }

    /// ACL DELUSER: without these, and how many were there. The default user stays.
    pub fn without<'a>(&self, names: impl Iterator<Item = &'a [u8]>) -> (Users, usize) {
        let mut next = self.clone();
        let gone = names.filter(|name| *name != DEFAULT).filter(|name| next.by_name.remove(*name).is_some()).count();
        (next, gone)
    }

    /// `requirepass`: the only password of the default user, or none needed.
    pub fn with_requirepass(&self, password: &[u8]) -> Users {
        let mut next = self.clone();
        let mut user = User::clone(&self.default);
        let rule = if password.is_empty() { b"nopass".to_vec() } else { [b">", password].concat() };
        for rule in [&b"resetpass"[..], &rule] {
            user.apply(rule, true).expect("these rules are right");
        }
        next.put(user);
        next
    }

    /// A `user` line of the configuration: its words behind `user`. Errors: what is wrong, with the word that is.
    pub fn with_line(&self, words: &[&[u8]], all_channels: bool) -> Result<Users, (String, &'static str)> {
        let (name, rules) = words.split_first().expect("a user line has a name");
        if has_spaces(name) {
            return Err((String::from_utf8_lossy(name).into_owned(), "Spaces not allowed in ACL usernames"));
        }
        let merged = merge_selectors(rules).map_err(|at| (shown(rules[at]), "Unmatched parenthesis in acl selector"))?;
        let mut next = self.clone();
        let serial = if *name == DEFAULT { self.default.serial } else { next.serial() };
        let mut user = User::new(name, serial, all_channels);
        for rule in &merged {
            user.apply(rule, all_channels).map_err(|error| (shown(rule), error.text()))?;
        }
        next.put(user);
        Ok(next)
    }

    /// The users of an ACL file in place of all there are; who had the same name before is the same user. Errors: all of
    /// them in one text; then nothing changes.
    pub fn from_file(&self, path: &str, text: &[u8], all_channels: bool) -> Result<Users, String> {
        let mut loading = Loading { path, next: self.clone(), users: BTreeMap::new(), errors: String::new(), all_channels };
        loading.next.by_name.clear();
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = trim(line);
            if !line.is_empty() {
                loading.line(line, at + 1, self);
            }
        }
        let Loading { mut next, users, errors, .. } = loading;
        if !errors.is_empty() {
            let unchanged = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
            return Err(errors + unchanged);
        }
        next.put(User::default_user(self.default.serial));
        users.into_values().for_each(|user| next.put(user));
        Ok(next)
    }
}

/// An ACL file being read.
struct Loading<'a> {
    path: &'a str,
    next: Users,
    users: BTreeMap<Box<[u8]>, User>,
    errors: String,
    all_channels: bool,
}

impl Loading<'_> {
    fn line(&mut self, line: &[u8], number: usize, old: &Users) {
        let path = self.path;
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let (b"user", Some(name)) = (words[0], words.get(1)) else {
            let text = format!("{path}:{number} should start with user keyword followed by the username. ");
            return self.errors.push_str(&text);
        };
        if has_spaces(name) {
            let name = String::from_utf8_lossy(name);
            let text = format!("'{path}:{number}: username '{name}' contains invalid characters. ");
            return self.errors.push_str(&text);
        }
        if self.users.contains_key(*name) {
            let name = String::from_utf8_lossy(name);
            return self.errors.push_str(&format!("WARNING: Duplicate user '{name}' found on line {number}. "));
        }
        let serial = old.get(name).map_or_else(|| self.next.serial(), |known| known.serial);
        let mut user = User::new(name, serial, self.all_channels);
        match merge_selectors(&words[2..]) {
            Ok(rules) => self.rules(&mut user, &rules, number),
            Err(_) => self.errors.push_str(&format!("{path}:{number}: Unmatched parenthesis in selector definition.")),
        }
        self.users.insert((*name).into(), user);
    }

    fn rules(&mut self, user: &mut User, rules: &[Vec<u8>], number: usize) {
        let path = self.path;
        let mut told = false;
        for rule in rules {
            let rule = trim(rule);
            match user.apply(rule, self.all_channels) {
                Ok(()) => {}
                // A command's name is no secret; other rules may hold passwords.
                Err(error @ RuleError::Unknown) => {
                    let rule = String::from_utf8_lossy(rule);
                    let text = format!("{path}:{number}: Error in applying operation '{rule}': {}. ", error.text());
                    self.errors.push_str(&text);
                }
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        self.errors.push_str(&format!("{path}:{number}: {}. ", error.text()));
                    }
                }
            }
        }
    }
}

fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !blank(byte)).map_or(start, |at| at + 1);
    &text[start..end]
}

/// A rule for people's eyes: no passwords.
fn shown(rule: &[u8]) -> String {
    match rule.first() {
        Some(b'>' | b'<' | b'#' | b'!') => "(redacted)".to_owned(),
        _ => String::from_utf8_lossy(rule).into_owned(),
    }
}

/// Puts the words of a selector that was given in several (`(~a`, `+get)`) together. Error: the word that opens one that
/// does not end.
fn merge_selectors(words: &[&[u8]]) -> Result<Vec<Vec<u8>>, usize> {
    let mut merged = Vec::with_capacity(words.len());
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (at, word) in words.iter().enumerate() {
        let ends = word.last() == Some(&b')');
        match open.take() {
            None if word.first() == Some(&b'(') && !ends => open = Some((at, word.to_vec())),
            None => merged.push(word.to_vec()),
            Some((from, mut text)) => {
                text.push(b' ');
                text.extend_from_slice(word);
                if ends {
                    merged.push(text);
                } else {
                    open = Some((from, text));
                }
            }
        }
    }
    open.map_or(Ok(merged), |(at, _)| Err(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(users: &Users, name: &str, rules: &str) -> Result<Users, String> {
        let rules: Vec<&[u8]> = rules.split(' ').map(str::as_bytes).collect();
        users.with_rules(name.as_bytes(), &rules, false)
    }

    fn lines(users: &Users) -> Vec<String> {
        users.lines().into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn all_rules_are_applied_or_none() {
        let users = set(&Users::new(b""), "bob", "on nopass +get").unwrap();
        let error = set(&users, "bob", "off +nosuch").unwrap_err();
        assert_eq!(error, "ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL");
        assert_eq!(lines(&users), ["bob on nopass resetchannels -@all +get", "default on nopass ~* &* +@all"]);
        let error = set(&users, "a\0b", "on").unwrap_err();
        assert_eq!(error, "ERR Usernames can't contain spaces or null characters");
    }

    #[test]
    fn selectors_may_come_in_several_words() {
        let users = set(&Users::new(b""), "bob", "on (~a +get) (+set ~b )").unwrap();
        assert_eq!(users.get(b"bob").unwrap().selectors.len(), 2);
        let error = set(&users, "bob", "on (~a +get").unwrap_err();
        assert_eq!(error, "ERR Unmatched parenthesis in acl selector starting at '(~a'.");
    }

    #[test]
    fn the_default_user_stays_and_a_user_made_again_is_another() {
        let users = set(&Users::new(b""), "bob", "on").unwrap();
        let (without, gone) = users.without([&b"bob"[..], b"default", b"eve"].into_iter());
        assert_eq!((gone, without.len()), (1, 1));
        let again = set(&without, "bob", "on").unwrap();
        assert_ne!(again.get(b"bob").unwrap().serial, users.get(b"bob").unwrap().serial);
        let changed = set(&users, "bob", "off").unwrap();
        assert_eq!(changed.get(b"bob").unwrap().serial, users.get(b"bob").unwrap().serial);
    }

    #[test]
    fn requirepass_is_the_password_of_the_default_user() {
        let users = Users::new(b"foo");
        assert!(!users.is_open() && users.default_user().admits(b"foo"));
        assert!(users.default_user().unlimited);
        let open = users.with_requirepass(b"");
        assert!(open.is_open() && open.default_user().passwords.is_empty());
        let off = set(&open, "default", "off").unwrap();
        assert!(!off.is_open());
    }

    #[test]
    fn a_file_takes_the_place_of_all_users() {
        let users = set(&Users::new(b"pw"), "bob", "on").unwrap();
        let text = b"\n  user bob on  nopass +@all ~* &* \r\nuser eve off (~a +get) (+set ~b )\n";
        let loaded = users.from_file("f", text, false).unwrap();
        assert_eq!(
            lines(&loaded),
            [
                "bob on nopass ~* &* +@all",
                "default on nopass ~* &* +@all",
                "eve off resetchannels -@all (~a resetchannels -@all +get) (~b resetchannels -@all +set)"
            ]
        );
        assert_eq!(loaded.get(b"bob").unwrap().serial, users.get(b"bob").unwrap().serial);
        assert_eq!(loaded.default_user().serial, users.default_user().serial);
        let closed = users.from_file("f", b"user default on +@all ~* >pw2", false).unwrap();
        assert!(!closed.is_open() && closed.default_user().admits(b"pw2") && closed.get(b"bob").is_none());
    }

    #[test]
    fn every_error_of_a_file_is_told_at_once() {
        let text = b"user a +nosuch +x %z %y\n# no\nuser\nuser a on\nuser b (~a\nuser c\td on\n";
        let error = Users::new(b"").from_file("f.acl", text, false).unwrap_err();
        assert_eq!(
            error,
            "f.acl:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. \
             f.acl:1: Error in applying operation '+x': Unknown command or category name in ACL. \
             f.acl:1: Syntax error. \
             f.acl:2 should start with user keyword followed by the username. \
             f.acl:3 should start with user keyword followed by the username. \
             WARNING: Duplicate user 'a' found on line 4. \
             f.acl:5: Unmatched parenthesis in selector definition.\
             'f.acl:6: username 'c\td' contains invalid characters. \
             WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
        );
    }

    #[test]
    fn lines_of_the_configuration_begin_anew() {
        let users = Users::new(b"pw");
        let line = |words: &str| users.with_line(&words.split(' ').map(str::as_bytes).collect::<Vec<_>>(), false);
        assert_eq!(lines(&line("default on nopass").unwrap()), ["default on nopass resetchannels -@all"]);
        assert_eq!(line("bob #zz").unwrap_err().0, "(redacted)");
        assert_eq!(line("bob +nosuch").unwrap_err(), ("+nosuch".into(), "Unknown command or category name in ACL"));
    }
}
