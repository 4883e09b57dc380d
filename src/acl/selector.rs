//! A selector: commands together with the keys, channels and databases they may touch.
//!
//! Every user has a root selector, which rules change directly, and any number of others, each made by one rule in
//! parentheses and never changed again. A call is allowed if one selector allows all of it: rights of two selectors do
//! not add up within a call.

use super::commands::CommandSet;
use super::error::RuleError;
use shards::command::key;
use shards::stdx::glob;

/// May read.
pub const READ: u8 = 1;
/// May write.
pub const WRITE: u8 = 2;

/// A pattern of keys and what may be done to them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyPattern {
    /// [`READ`], [`WRITE`] or both.
    pub rights: u8,
    /// The pattern.
    pub glob: Box<[u8]>,
}

/// Which databases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Databases {
    /// All.
    All,
    /// These, in order.
    Some(Vec<u32>),
}

/// See the essay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selector {
    /// Which commands.
    pub commands: CommandSet,
    /// Every key, whatever is done to it.
    pub all_keys: bool,
    /// Which keys, if not all.
    pub keys: Vec<KeyPattern>,
    /// Every channel.
    pub all_channels: bool,
    /// Patterns of channels, if not all.
    pub channels: Vec<Box<[u8]>>,
    /// Which databases.
    pub databases: Databases,
}

/// The rights on a key that what a call does to it (bits of [`key`]) takes.
pub fn rights_needed(flags: u32) -> u8 {
    let read = if flags & key::ACCESS != 0 { READ } else { 0 };
    let write = if flags & (key::INSERT | key::DELETE | key::UPDATE) != 0 { WRITE } else { 0 };
    read | write
}

/// Names and patterns may not hold what would split or end the line they are written in.
pub fn has_spaces(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, 0 | b' ' | b'\t'..=b'\r'))
}

impl Selector {
    /// A selector that allows nothing, but for channels if those are open by default.
    pub fn new(all_channels: bool) -> Selector {
        let mut commands = CommandSet::default();
        commands.deny_all();
        let (keys, channels) = (Vec::new(), Vec::new());
        Selector { commands, all_keys: false, keys, all_channels, channels, databases: Databases::All }
    }

    /// True if it allows everything, now and for ever.
    pub fn is_unlimited(&self) -> bool {
        self.commands.is_all() && self.all_keys && self.all_channels && self.databases == Databases::All
    }

    /// True if what a call does to this key is allowed.
    pub fn allows_key(&self, name: &[u8], flags: u32) -> bool {
        let needed = rights_needed(flags);
        let fits = |pattern: &KeyPattern| pattern.rights & needed == needed && glob::matches(&pattern.glob, name, false);
        self.all_keys || self.keys.iter().any(fits)
    }

    /// True if this is allowed with every key there may be.
    pub fn allows_any_key(&self, flags: u32) -> bool {
        let needed = rights_needed(flags);
        self.all_keys || self.keys.iter().any(|pattern| pattern.rights & needed == needed && *pattern.glob == *b"*")
    }

    /// True if the channel is allowed; a pattern (PSUBSCRIBE) only if it stands among the patterns as it is.
    pub fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        self.all_channels || channel_fits(self.channels.iter().map(|glob| &**glob), name, is_pattern)
    }

    /// True if the database is allowed. `databases` is how many there are.
    pub fn allows_database(&self, db: i64, databases: i64) -> bool {
        match &self.databases {
            Databases::All => true,
            Databases::Some(list) => {
                (0..databases).contains(&db) && u32::try_from(db).is_ok_and(|db| list.binary_search(&db).is_ok())
            }
        }
    }

    /// Changes it by a rule.
    pub fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => (self.all_keys, self.keys) = (true, Vec::new()),
            b"resetkeys" => (self.all_keys, self.keys) = (false, Vec::new()),
            b"allchannels" | b"&*" => (self.all_channels, self.channels) = (true, Vec::new()),
            b"resetchannels" => (self.all_channels, self.channels) = (false, Vec::new()),
            b"alldbs" => self.databases = Databases::All,
            b"resetdbs" => self.databases = Databases::Some(Vec::new()),
            b"allcommands" | b"+@all" => self.commands.allow_all(),
            b"nocommands" | b"-@all" => self.commands.deny_all(),
            [b'd', b'b', b'=', list @ ..] => self.databases = Databases::Some(databases(list)?),
            _ => return self.apply_sign(rule),
        }
        Ok(())
    }

    fn apply_sign(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        match rule {
            [b'~' | b'%', ..] => self.add_keys(rule),
            [b'&', glob @ ..] => self.add_channels(glob),
            [sign @ (b'+' | b'-'), what @ ..] => self.commands.apply(*sign == b'+', what),
            _ => Err(RuleError::Syntax),
        }
    }

    fn add_keys(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::BehindAllKeys);
        }
        let (rights, glob) = key_pattern(rule)?;
        if has_spaces(glob) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|known| *known.glob == *glob) {
            Some(known) => known.rights |= rights,
            None => self.keys.push(KeyPattern { rights, glob: glob.into() }),
        }
        Ok(())
    }

    fn add_channels(&mut self, glob: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::BehindAllChannels);
        }
        if has_spaces(glob) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| **known == *glob) {
            self.channels.push(glob.into());
        }
        Ok(())
    }

    /// Its key patterns, as ACL GETUSER shows them.
    pub fn describe_keys(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let sign = |rights: u8| match rights {
            READ => &b"%R~"[..],
            WRITE => b"%W~",
            _ => b"~",
        };
        let words: Vec<Vec<u8>> = self.keys.iter().map(|known| [sign(known.rights), &*known.glob].concat()).collect();
        words.join(&b' ')
    }

    /// Its channel patterns, as ACL GETUSER shows them.
    pub fn describe_channels(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let words: Vec<Vec<u8>> = self.channels.iter().map(|glob| [b"&", &**glob].concat()).collect();
        words.join(&b' ')
    }

    /// Its databases, as ACL GETUSER shows them.
    pub fn describe_databases(&self) -> String {
        match &self.databases {
            Databases::All => "alldbs".to_owned(),
            Databases::Some(list) if list.is_empty() => String::new(),
            Databases::Some(list) => {
                let words: Vec<String> = list.iter().map(u32::to_string).collect();
                format!("db={}", words.join(","))
            }
        }
    }

    /// All of it, as rules that make it again.
    pub fn describe(&self) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        if self.all_keys || !self.keys.is_empty() {
            words.push(self.describe_keys());
        }
        if !self.all_channels {
            words.push(b"resetchannels".to_vec());
        }
        if self.all_channels || !self.channels.is_empty() {
            words.push(self.describe_channels());
        }
        match &self.databases {
            // Not written, so that older servers can read the line.
            Databases::All => {}
            Databases::Some(list) if list.is_empty() => words.push(b"resetdbs".to_vec()),
            Databases::Some(_) => words.push(self.describe_databases().into_bytes()),
        }
        words.push(self.commands.describe());
        words.join(&b' ')
    }
}

/// True if a channel (or a pattern, as it stands) is among these patterns.
pub fn channel_fits<'a>(mut globs: impl Iterator<Item = &'a [u8]>, name: &[u8], is_pattern: bool) -> bool {
    globs.any(|glob| if is_pattern { glob == name } else { glob::matches(glob, name, false) })
}

/// Rights and pattern of `~x`, `%R~x`, `%W~x`, `%RW~x`. As in Valkey, the `~` behind the letters may be missing, and then
/// the pattern is empty.
fn key_pattern(rule: &[u8]) -> Result<(u8, &[u8]), RuleError> {
    let [b'%', letters @ ..] = rule else { return Ok((READ | WRITE, &rule[1..])) };
    let mut rights = 0;
    for (at, letter) in letters.iter().enumerate() {
        let right = match letter.to_ascii_uppercase() {
            b'R' => READ,
            b'W' => WRITE,
            b'~' if rights != 0 => return Ok((rights, &letters[at + 1..])),
            _ => return Err(RuleError::Syntax),
        };
        if rights & right != 0 {
            return Err(RuleError::Syntax);
        }
        rights |= right;
    }
    if rights == 0 { Err(RuleError::Syntax) } else { Ok((rights, &[])) }
}

/// The numbers of `db=0,1,2`, sorted, each once.
fn databases(list: &[u8]) -> Result<Vec<u32>, RuleError> {
    let numbers: Result<Vec<u32>, RuleError> = list.split(|byte| *byte == b',').map(database).collect();
    let mut numbers = numbers?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// One number, in C's manner: blanks and a sign may stand before the digits.
fn database(word: &[u8]) -> Result<u32, RuleError> {
    let digits = word.trim_ascii_start();
    let (negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(RuleError::Syntax);
    }
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u32>().ok());
    let number = number.filter(|number| *number <= i32::MAX as u32 && (!negative || *number == 0));
    number.ok_or(RuleError::DatabaseOutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(rules: &str) -> Selector {
        let mut made = Selector::new(false);
        rules.split_whitespace().for_each(|rule| made.apply(rule.as_bytes()).unwrap());
        made
    }

    fn text(rules: &str) -> String {
        String::from_utf8(selector(rules).describe()).unwrap()
    }

    #[test]
    fn rules_are_shown_as_valkey_shows_them() {
        for (rules, shown) in [
            ("", "resetchannels -@all"),
            ("~a ~b ~a", "~a ~b resetchannels -@all"),
            ("%R~a %W~b %rw~c", "%R~a %W~b ~c resetchannels -@all"),
            ("%R~a %W~a", "~a resetchannels -@all"),
            ("~* &*", "~* &* -@all"),
            ("ALLKEYS allchannels +@ALL", "~* &* +@all"),
            ("&a &b &a", "resetchannels &a &b -@all"),
            ("db=3,1,3", "resetchannels db=1,3 -@all"),
            ("db=1 resetdbs", "resetchannels resetdbs -@all"),
            ("db=1 alldbs", "resetchannels -@all"),
            ("~a resetkeys", "resetchannels -@all"),
            ("%R", "%R~ resetchannels -@all"),
        ] {
            assert_eq!(text(rules), shown, "{rules}");
            assert_eq!(text(shown), shown, "it reads what it writes");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (rules, bad, error) in [
            ("", "%~x", RuleError::Syntax),
            ("", "%", RuleError::Syntax),
            ("", "%X~x", RuleError::Syntax),
            ("", "%RR~x", RuleError::Syntax),
            ("", "~a b", RuleError::Syntax),
            ("", "&a\0", RuleError::Syntax),
            ("~*", "~a", RuleError::BehindAllKeys),
            ("&*", "&a", RuleError::BehindAllChannels),
            ("", "what", RuleError::Syntax),
            ("", "db=", RuleError::Syntax),
            ("", "db=,1", RuleError::Syntax),
            ("", "db=1,,2", RuleError::Syntax),
            ("", "db=1,x", RuleError::Syntax),
            ("", "db=-1", RuleError::DatabaseOutOfRange),
            ("", "db=2147483648", RuleError::DatabaseOutOfRange),
            ("", "db=99999999999999999999", RuleError::DatabaseOutOfRange),
        ] {
            assert_eq!(selector(rules).apply(bad.as_bytes()), Err(error), "{bad}");
        }
        assert_eq!(selector("").apply(b"db=2147483647"), Ok(()));
    }

    #[test]
    fn keys_need_the_rights_of_what_is_done_to_them() {
        let made = selector("%R~read* %W~write* ~both*");
        let (read, write) = (key::RO | key::ACCESS, key::OW | key::UPDATE);
        assert!(made.allows_key(b"read1", read) && !made.allows_key(b"read1", write));
        assert!(!made.allows_key(b"write1", read) && made.allows_key(b"write1", write));
        assert!(made.allows_key(b"both1", read | write) && !made.allows_key(b"read1", read | write));
        // EXISTS, TTL and their like look at no value: any right on the key will do.
        assert!(made.allows_key(b"write1", key::RO) && !made.allows_key(b"other", key::RO));
        assert!(!made.allows_any_key(read) && selector("%R~*").allows_any_key(read));
        assert!(!selector("%R~*").allows_any_key(write));
    }

    #[test]
    fn patterns_of_channels_must_stand_there_as_they_are() {
        let made = selector("&news:* &x?");
        assert!(made.allows_channel(b"news:1", false) && !made.allows_channel(b"news:1", true));
        assert!(made.allows_channel(b"news:*", true) && !made.allows_channel(b"other", false));
    }

    #[test]
    fn only_databases_that_are_there_are_allowed() {
        let made = selector("db=0,3,90");
        assert!(made.allows_database(3, 16) && !made.allows_database(1, 16) && !made.allows_database(90, 16));
        assert!(selector("").allows_database(1, 16) && !selector("resetdbs").allows_database(0, 16));
    }
}
