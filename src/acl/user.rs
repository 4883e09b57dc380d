//! A user: whether it may log in and how, and what it may do.

use super::error::RuleError;
use super::selector::Selector;
use super::sha256;
use crate::config::words;

/// A password's hash, as hexadecimal digits.
pub type Hash = [u8; 64];

/// See the essay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Its name.
    pub name: Box<[u8]>,
    /// Who it is whatever it is called: a user that was deleted and made again is another.
    pub serial: u64,
    /// It may log in.
    pub enabled: bool,
    /// Any password will do.
    pub nopass: bool,
    /// Hashes of its passwords, in the order they were given.
    pub passwords: Vec<Hash>,
    /// The root selector.
    pub root: Selector,
    /// The others.
    pub selectors: Vec<Selector>,
    /// No check can fail: the hot path asks only this.
    pub unlimited: bool,
}

impl User {
    /// A user that may do nothing yet.
    pub fn new(name: &[u8], serial: u64, all_channels: bool) -> User {
        User {
            name: name.into(),
            serial,
            enabled: false,
            nopass: false,
            passwords: Vec::new(),
            root: Selector::new(all_channels),
            selectors: Vec::new(),
            unlimited: false,
        }
    }

    /// The default user as it is without any configuration: it may do everything, and needs no password.
    pub fn default_user(serial: u64) -> User {
        let mut user = User::new(b"default", serial, true);
        for rule in ["+@all", "~*", "&*", "on", "nopass"] {
            user.apply(rule.as_bytes(), true).expect("these rules are right");
        }
        user
    }

    /// Its name, for texts.
    pub fn shown_name(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// The root selector and the others.
    pub fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Changes it by a rule. `all_channels`: what `acl-pubsub-default` says.
    pub fn apply(&mut self, rule: &[u8], all_channels: bool) -> Result<(), RuleError> {
        let applied = self.apply_rule(rule, all_channels);
        let unlimited = self.all_selectors().any(Selector::is_unlimited);
        self.unlimited = unlimited;
        applied
    }

    fn apply_rule(&mut self, rule: &[u8], all_channels: bool) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"" => {}
            b"on" => self.enabled = true,
            b"off" => self.enabled = false,
            // Once meant that RESTORE checks what it is given; it always does.
            b"skip-sanitize-payload" | b"sanitize-payload" => {}
            b"nopass" => (self.nopass, self.passwords) = (true, Vec::new()),
            b"resetpass" => (self.nopass, self.passwords) = (false, Vec::new()),
            b"clearselectors" => self.selectors.clear(),
            b"reset" => *self = User::new(&self.name, self.serial, all_channels),
            _ => return self.apply_sign(rule, all_channels),
        }
        Ok(())
    }

    fn apply_sign(&mut self, rule: &[u8], all_channels: bool) -> Result<(), RuleError> {
        match rule {
            [b'>', password @ ..] => self.add_password(sha256::hex(password)),
            [b'#', hash @ ..] => self.add_password(parse_hash(hash)?),
            [b'<', password @ ..] => return self.remove_password(sha256::hex(password)),
            [b'!', hash @ ..] => return self.remove_password(parse_hash(hash)?),
            [b'(', inner @ .., b')'] => {
                let mut made = Selector::new(all_channels);
                for rule in words::split(inner).unwrap_or_default() {
                    made.apply(&rule)?;
                }
                self.selectors.push(made);
            }
            _ => return self.root.apply(rule),
        }
        Ok(())
    }

    fn add_password(&mut self, hash: Hash) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.nopass = false;
    }

    fn remove_password(&mut self, hash: Hash) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| *known == hash).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    /// True if it may log in with this password. Every hash is looked at, to its end: the time tells nothing of it.
    pub fn admits(&self, password: &[u8]) -> bool {
        let offered = sha256::hex(password);
        let mut right = false;
        for known in &self.passwords {
            let different = known.iter().zip(offered).fold(0, |all, (a, b)| all | std::hint::black_box(a ^ b));
            right |= different == 0;
        }
        self.enabled && (self.nopass | right)
    }

    /// The channels it has now, if there are some that its older self had and it has not; patterns are compared as they
    /// stand. Who listens to others must go.
    pub fn channels_left(&self, old: &User) -> Option<Vec<&[u8]>> {
        if self.all_selectors().any(|selector| selector.all_channels) {
            return None;
        }
        let left: Vec<&[u8]> = self.all_selectors().flat_map(|s| s.channels.iter().map(|glob| &**glob)).collect();
        let lost = |s: &Selector| s.all_channels || s.channels.iter().any(|glob| !left.contains(&&**glob));
        old.all_selectors().any(lost).then_some(left)
    }

    /// Its flags, as ACL GETUSER shows them.
    pub fn flags(&self) -> Vec<&'static str> {
        let login = if self.enabled { "on" } else { "off" };
        if self.nopass { vec![login, "nopass"] } else { vec![login] }
    }

    /// Its rules, as ACL LIST shows them behind its name.
    pub fn describe(&self) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = self.flags().into_iter().map(|flag| flag.as_bytes().to_vec()).collect();
        words.extend(self.passwords.iter().map(|hash| [b"#", &hash[..]].concat()));
        words.push(self.root.describe());
        words.extend(self.selectors.iter().map(|other| [b"(", &quoted(&other.describe())[..], b")"].concat()));
        words.join(&b' ')
    }
}

/// A line with those of its words in quotes that have quotes in them: what is in parentheses, and what is in a
/// configuration file, is read word by word as there.
pub fn quoted(line: &[u8]) -> Vec<u8> {
    let has_quotes = |word: &[u8]| word.iter().any(|byte| matches!(byte, b'"' | b'\''));
    let quote = |word: &[u8]| if has_quotes(word) { words::quote(word) } else { word.to_vec() };
    line.split(|byte| *byte == b' ').map(quote).collect::<Vec<_>>().join(&b' ')
}

fn parse_hash(digits: &[u8]) -> Result<Hash, RuleError> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let hash = digits.try_into().map_err(|_| RuleError::BadHash)?;
    if digits.iter().all(is_digit) { Ok(hash) } else { Err(RuleError::BadHash) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOO: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    fn user(rules: &str) -> User {
        let mut user = User::new(b"u", 1, false);
        rules.split(' ').for_each(|rule| user.apply(rule.as_bytes(), false).unwrap());
        user
    }

    fn text(rules: &str) -> String {
        String::from_utf8(user(rules).describe()).unwrap()
    }

    #[test]
    fn passwords_are_kept_as_hashes_and_can_be_taken_away() {
        assert_eq!(text(">foo"), format!("off #{FOO} resetchannels -@all"));
        assert_eq!(text(&format!("on #{FOO} >foo")), format!("on #{FOO} resetchannels -@all"));
        assert_eq!(text(">foo <foo"), "off resetchannels -@all");
        assert_eq!(text(&format!(">foo !{FOO}")), "off resetchannels -@all");
        assert_eq!(text(">foo nopass"), "off nopass resetchannels -@all");
        assert_eq!(text("nopass >foo resetpass"), "off resetchannels -@all");
        let mut user = user(">foo");
        assert_eq!(user.apply(b"<bar", false), Err(RuleError::NoSuchPassword));
        for bad in ["#123", &format!("#{}", FOO.to_uppercase()), "!zz"] {
            assert_eq!(user.apply(bad.as_bytes(), false), Err(RuleError::BadHash), "{bad}");
        }
    }

    #[test]
    fn only_an_enabled_user_with_the_right_password_gets_in() {
        let user = user("on >foo >bar");
        assert!(user.admits(b"foo") && user.admits(b"bar") && !user.admits(b"") && !user.admits(b"foobar"));
        assert!(!super::tests::user(">foo").admits(b"foo"));
        assert!(super::tests::user("on nopass").admits(b"whatever"));
        assert!(!super::tests::user("on").admits(b""));
    }

    #[test]
    fn selectors_stand_behind_the_root_in_parentheses() {
        let rules = "off resetchannels -@all (~a resetchannels -@all +get) (resetchannels &b db=1 +@all -set)";
        let mut user = User::new(b"u", 1, false);
        for rule in ["(~a +get)", "(&b +@all -set db=1)"] {
            user.apply(rule.as_bytes(), false).unwrap();
        }
        assert_eq!(String::from_utf8(user.describe()).unwrap(), rules);
        user.apply(b"CLEARSELECTORS", false).unwrap();
        assert!(user.selectors.is_empty());
        assert_eq!(user.apply(b"(~a", false), Err(RuleError::Syntax));
        assert_eq!(user.apply(b"(on)", false), Err(RuleError::Syntax));
        assert_eq!(user.apply(b"()", false), Ok(()));
    }

    #[test]
    fn channels_are_lost_when_a_pattern_goes() {
        let left = |old: &str, new: &str| user(new).channels_left(&user(old)).map(|left| left.len());
        assert_eq!(left("&a &b", "&b &a &c"), None);
        assert_eq!(left("&a &b", "&b"), Some(1));
        assert_eq!(left("&*", "&a"), Some(1));
        assert_eq!(left("&a", "&*"), None);
        assert_eq!(left("&a", "resetchannels"), Some(0));
    }

    #[test]
    fn only_who_may_do_everything_is_unlimited() {
        assert!(User::default_user(0).unlimited);
        assert!(user("+@all ~* &*").unlimited && user("-@all +@all allkeys allchannels").unlimited);
        for rules in ["+@all ~*", "+@all ~* &* -get +get", "+@all ~* &* db=0", "+@all %RW~* &*"] {
            assert!(!user(rules).unlimited, "{rules}");
        }
        let mut user = user("on");
        user.apply(b"(+@all ~* &*)", false).unwrap();
        assert!(user.unlimited);
        user.apply(b"reset", false).unwrap();
        assert!(!user.unlimited);
    }
}
