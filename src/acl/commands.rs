//! Which commands a selector lets run.
//!
//! A bit for each entry of the command table, subcommands included; beside it the first arguments that are allowed of a
//! command that is not (`+select|0`). The rules that made the bits are kept in their order, without those a later one
//! made pointless, so that the selector can be written down and read again: `-@all +@read -keys` is not a set of
//! commands but a way to it, and a command added tomorrow falls under `+@read` too.
//!
//! Invariant: applying `rules` to all commands (if `future`) or to none gives `bits`; checked by [`CommandSet::check`].

use super::error::RuleError;
use super::selector::has_spaces;
use crate::dispatch::table::{Entry, table};
use shards::args::Args;
use shards::command::category;
use std::collections::BTreeMap;

/// A set of commands.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct CommandSet {
    bits: Vec<u64>,
    /// It began with all commands, so it holds those to come.
    future: bool,
    /// Nothing was ever taken away since.
    all: bool,
    first_args: BTreeMap<u16, Vec<Box<[u8]>>>,
    rules: Vec<Rule>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Rule {
    allow: bool,
    /// `get`, `config|get`, `select|0`, `@read`: lower-case.
    what: Box<[u8]>,
}

/// The number rights are kept by: calls that are run by a row of their own without being subcommands (DEBUG) count as
/// their command.
pub fn rights_id(entry: &Entry) -> u16 {
    match entry.parent {
        Some(parent) if table().get(parent).full_name == entry.full_name => parent,
        _ => entry.id,
    }
}

/// The bit of a category, or 0.
pub fn category_bit(name: &[u8]) -> u32 {
    let named = category::NAMES.iter().find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()));
    named.map_or(0, |(bit, _)| *bit)
}

/// The entries rights are about, subcommands behind their parents; whatever `rename-command` calls them, and those it
/// took away as well, so that a rule means the same under any configuration.
pub fn known() -> impl Iterator<Item = &'static Entry> {
    table().entries().iter().filter(|entry| rights_id(entry) == entry.id)
}

/// True for `+select|0`: a first argument of a command that has no subcommands.
pub fn names_first_arg(rule: &[u8]) -> bool {
    rule.first() == Some(&b'+') && rule.contains(&b'|') && find(&rule[1..]).is_none()
}

/// Finds a command, or a subcommand with its parent's name before a bar, by the name in its row.
fn find(name: &[u8]) -> Option<&'static Entry> {
    known().find(|entry| entry.full_name.as_bytes().eq_ignore_ascii_case(name))
}

impl CommandSet {
    /// True if every command is allowed and nothing was taken away.
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// True if this call's command is allowed.
    pub fn allows(&self, entry: &Entry, argv: Args<'_>) -> bool {
        let id = rights_id(entry);
        if self.all || self.has(id) {
            return true;
        }
        let Some(firsts) = self.first_args.get(&id).filter(|_| argv.len() > 1) else { return false };
        firsts.iter().any(|first| first.eq_ignore_ascii_case(argv.get(1)))
    }

    fn has(&self, id: u16) -> bool {
        self.bits.get(usize::from(id) / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    fn set(&mut self, id: u16, allow: bool) {
        let (at, bit) = (usize::from(id) / 64, 1u64 << (id % 64));
        if self.bits.len() <= at {
            self.bits.resize(table().entries().len().div_ceil(64), 0);
        }
        if allow {
            self.bits[at] |= bit;
        } else {
            self.bits[at] &= !bit;
            self.all = false;
        }
    }

    /// `+@all`.
    pub fn allow_all(&mut self) {
        let words = table().entries().len().div_ceil(64);
        *self = CommandSet { bits: vec![u64::MAX; words], future: true, all: true, ..CommandSet::default() };
    }

    /// `-@all`.
    pub fn deny_all(&mut self) {
        *self = CommandSet { bits: vec![0; table().entries().len().div_ceil(64)], ..CommandSet::default() };
    }

    /// Any other rule that begins with + or -.
    pub fn apply(&mut self, allow: bool, what: &[u8]) -> Result<(), RuleError> {
        if what.first() == Some(&b'@') {
            return self.apply_category(allow, what);
        }
        match what.iter().rposition(|byte| *byte == b'|') {
            Some(bar) if allow => self.allow_sub(what, bar),
            _ => {
                let entry = find(what).ok_or(RuleError::Unknown)?;
                self.change(entry, allow);
                self.note(allow, entry.full_name.as_bytes());
                Ok(())
            }
        }
    }

    fn apply_category(&mut self, allow: bool, what: &[u8]) -> Result<(), RuleError> {
        let bit = category_bit(&what[1..]);
        if bit == 0 {
            return Err(RuleError::Unknown);
        }
        self.note(allow, what);
        known().filter(|entry| entry.categories & bit != 0).for_each(|entry| self.change(entry, allow));
        Ok(())
    }

    /// `+config|get`, `+select|0`.
    fn allow_sub(&mut self, what: &[u8], bar: usize) -> Result<(), RuleError> {
        let entry = find(&what[..bar]).ok_or(RuleError::Unknown)?;
        let sub = &what[bar + 1..];
        if entry.parent.is_some() {
            return Err(RuleError::FirstArgOfSubcommand);
        }
        // What would end or split the line it is written in must not come into it.
        if sub.is_empty() || has_spaces(sub) {
            return Err(RuleError::Syntax);
        }
        if entry.subcommands.is_empty() {
            let firsts = self.first_args.entry(entry.id).or_default();
            if !firsts.iter().any(|first| first.eq_ignore_ascii_case(sub)) {
                firsts.push(sub.into());
            }
        } else {
            let entry = find(what).ok_or(RuleError::Unknown)?;
            self.change(entry, true);
        }
        self.note(true, what);
        Ok(())
    }

    /// Allows or denies a command with all its subcommands.
    fn change(&mut self, entry: &Entry, allow: bool) {
        self.set(entry.id, allow);
        self.first_args.remove(&entry.id);
        entry.subcommands.iter().for_each(|(_, id)| self.set(*id, allow));
    }

    /// Keeps a rule, and drops those it makes pointless: about the same, or about a part of it.
    fn note(&mut self, allow: bool, what: &[u8]) {
        let what = what.to_ascii_lowercase();
        self.rules.retain(|old| old.what.strip_prefix(&what[..]).is_none_or(|rest| !matches!(rest.first(), None | Some(b'|'))));
        self.rules.push(Rule { allow, what: what.into() });
    }

    /// The rules, as ACL LIST shows them.
    pub fn describe(&self) -> Vec<u8> {
        let mut text = if self.future { b"+@all".to_vec() } else { b"-@all".to_vec() };
        for rule in &self.rules {
            text.extend_from_slice(if rule.allow { b" +" } else { b" -" });
            text.extend_from_slice(&rule.what);
        }
        debug_assert!(self.check(), "the rules give the set they describe");
        text
    }

    /// True if the rules give the same set again.
    fn check(&self) -> bool {
        let mut again = CommandSet::default();
        if self.future { again.allow_all() } else { again.deny_all() }
        let applied = self.rules.iter().try_for_each(|rule| again.apply(rule.allow, &rule.what));
        let same = |a: &Entry| again.has(a.id) == self.has(a.id);
        applied.is_ok() && known().all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rules: &str) -> CommandSet {
        let mut set = CommandSet::default();
        set.deny_all();
        for rule in rules.split_whitespace() {
            match rule {
                "+@all" => set.allow_all(),
                "-@all" => set.deny_all(),
                _ => set.apply(rule.starts_with('+'), &rule.as_bytes()[1..]).unwrap(),
            }
        }
        set
    }

    fn text(rules: &str) -> String {
        String::from_utf8(set(rules).describe()).unwrap()
    }

    fn allows(set: &CommandSet, call: &str) -> bool {
        let call = crate::dispatch::call::OwnedCall::of_words(call);
        set.allows(call.entry, call.argv())
    }

    #[test]
    fn categories_and_commands_are_added_and_taken_away_in_order() {
        let set = set("+@read -@slow +keys");
        assert!(allows(&set, "get a") && allows(&set, "keys *"));
        assert!(!allows(&set, "set a b") && !allows(&set, "smembers a"));
    }

    #[test]
    fn later_rules_replace_what_they_make_pointless() {
        assert_eq!(text("+get -get +get"), "-@all +get");
        assert_eq!(text("+config|get +CONFIG|set -config"), "-@all -config");
        assert_eq!(text("+@all -get -@read +get"), "+@all -@read +get");
        assert_eq!(text("+@string -@String +mget"), "-@all -@string +mget");
        assert_eq!(text("+client|id +client"), "-@all +client");
        assert_eq!(text("+select|0 +select|1 +SELECT|0"), "-@all +select|1 +select|0");
    }

    #[test]
    fn a_container_and_its_subcommands_go_together() {
        let set = set("+@all -config +config|get");
        assert!(allows(&set, "config get x") && !allows(&set, "config set x y"));
        assert!(!set.is_all());
    }

    #[test]
    fn a_first_argument_opens_a_closed_command() {
        let set = set("+select|0 +debug|object");
        assert!(allows(&set, "select 0") && !allows(&set, "select 1"));
        assert!(allows(&set, "debug OBJECT x") && !allows(&set, "debug sleep 1"));
    }

    #[test]
    fn what_is_not_there_is_told() {
        let mut set = set("");
        for (rule, error) in [
            ("nosuch", RuleError::Unknown),
            ("@nosuch", RuleError::Unknown),
            ("@", RuleError::Unknown),
            ("", RuleError::Unknown),
            ("config|nosuch", RuleError::Unknown),
            ("config|get|x", RuleError::FirstArgOfSubcommand),
            ("select|", RuleError::Syntax),
            ("select|0 1", RuleError::Syntax),
            ("select|0\nuser", RuleError::Syntax),
            ("select|0|1", RuleError::Unknown),
            ("nosuch|x", RuleError::Unknown),
        ] {
            assert_eq!(set.apply(true, rule.as_bytes()), Err(error), "+{rule}");
        }
        assert_eq!(set.apply(false, b"select|0"), Err(RuleError::Unknown));
        assert_eq!(set.apply(false, b"config|get"), Ok(()));
    }
}
