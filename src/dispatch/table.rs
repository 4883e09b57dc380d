//! The table of all commands: the engine's rows and the server's, under their names.
//!
//! Built once at start, read by every core. A name of up to eight bytes, which is every hot command, is one 64-bit
//! word; finding it is a multiplication and a comparison. What routing asks of a row at each call (its only key, whether
//! it writes) is worked out here once.

use crate::commands::{self, ServerCommand};
use shards::args::Args;
use shards::command::{Arg, Command, DbArg, Group, KeySpec, Row, Spread, flag};
use shards::error::{CommandError, shown};
use std::collections::HashMap;
use std::sync::OnceLock;

/// What runs a command.
#[derive(Clone, Copy)]
pub enum Target {
    /// A shard.
    Engine(&'static Command),
    /// The server itself.
    Server(&'static ServerCommand),
    /// The Lua machine of a shard; the row's function is never called.
    Script(&'static ServerCommand),
}

/// One command or subcommand.
pub struct Entry {
    /// Its number: the index of statistics, the name in messages between cores.
    pub id: u16,
    /// Its parent's number, for subcommands.
    pub parent: Option<u16>,
    /// Its name with its parent's: `get`, `config|get`.
    pub full_name: &'static str,
    /// What runs it.
    pub target: Target,
    /// Bits of [`flag`].
    pub flags: u32,
    /// The argument that is its only key, if the row says so outright.
    pub single_key: Option<u8>,
    /// Arity as in the row.
    pub arity: i16,
    /// Bits of ACL categories.
    pub categories: u32,
    /// Numbers of its subcommands, by name.
    pub subcommands: Vec<(&'static str, u16)>,
    /// Numbers of rows that run some of its calls although it is no container (DEBUG), by its first argument.
    pub inner: Vec<(&'static str, u16)>,
    /// The name it is called by, if it is no subcommand.
    pub called: Vec<u8>,
    /// What COMMAND tells of it beyond this.
    pub facts: Facts,
    /// The configuration took its name away: nobody can call it.
    pub removed: bool,
}

/// The part of a row that only describes.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// It finds keys that the specs do not.
    pub finds_keys: bool,
    /// What a call does to its keys, where that varies.
    pub key_flags: Option<fn(Args<'_>) -> u32>,
    /// Finds the arguments that name databases.
    pub find_dbs: Option<fn(Args<'_>, &mut Vec<DbArg>)>,
    /// Group in the documentation.
    pub group: Group,
    /// Version that brought it.
    pub since: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Time complexity.
    pub complexity: &'static str,
    /// (version, change) pairs.
    pub history: &'static [(&'static str, &'static str)],
    /// Hints for clients.
    pub tips: &'static [&'static str],
    /// Version that deprecated it, and what replaces it.
    pub deprecated: (&'static str, &'static str),
    /// Its grammar.
    pub args: &'static [Arg],
}

impl Facts {
    fn of<R>(row: &'static Row<R>) -> Facts {
        Facts {
            keys: row.keys,
            finds_keys: row.find_keys.is_some(),
            key_flags: row.key_flags,
            find_dbs: row.find_dbs,
            group: row.group,
            since: row.since,
            summary: row.summary,
            complexity: row.complexity,
            history: row.history,
            tips: row.tips,
            deprecated: row.deprecated,
            args: row.args,
        }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.full_name)
    }
}

impl Entry {
    /// True if it may be called with so many arguments.
    #[inline]
    pub fn arity_fits(&self, argc: usize) -> bool {
        if self.arity > 0 { argc == self.arity as usize } else { argc >= self.arity.unsigned_abs() as usize }
    }

    /// The argument that names a member of the collection at its key, in most commands of such a group.
    #[inline]
    pub fn member_at(&self, argc: usize) -> Option<usize> {
        match self.facts.group {
            Group::Hash | Group::Set if argc > 2 => Some(2),
            Group::SortedSet if argc > 2 => Some(argc - 1),
            _ => None,
        }
    }

    /// True if it has this flag.
    #[inline]
    pub fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// The engine's row, if the engine runs it.
    #[inline]
    pub fn engine(&self) -> Option<&'static Command> {
        match self.target {
            Target::Engine(row) => Some(row),
            Target::Server(_) | Target::Script(_) => None,
        }
    }

    /// How it runs over several shards.
    pub fn spread(&self) -> Spread {
        match self.target {
            Target::Engine(row) => row.spread,
            Target::Server(row) | Target::Script(row) => row.spread,
        }
    }

    /// Appends the indexes of the arguments that are keys.
    pub fn key_indexes(&self, argv: Args<'_>, found: &mut Vec<usize>) -> Result<(), CommandError> {
        match self.target {
            Target::Engine(row) => row.key_indexes(argv, found),
            Target::Server(row) | Target::Script(row) => row.key_indexes(argv, found),
        }
    }
}

/// All commands.
pub struct Table {
    entries: Vec<Entry>,
    short: Vec<(u64, u16)>,
    long: HashMap<Vec<u8>, u16>,
}

const SHORT_SLOTS: usize = 2048;
const EMPTY: u16 = u16::MAX;

/// Another name for a command; an empty one takes it away (`rename-command`).
pub type Renaming = (Vec<u8>, Vec<u8>);

static RENAMINGS: OnceLock<Vec<Renaming>> = OnceLock::new();

/// Says how commands are to be called in this process, before anybody asks for the table. Errors: Valkey's texts, with
/// the place of the renaming that cannot be.
pub fn rename(renamings: Vec<Renaming>) -> Result<(), (usize, &'static str)> {
    let mut names: HashMap<Vec<u8>, ()> = rows().map(|name| (name.as_bytes().to_vec(), ())).collect();
    for (i, (from, to)) in renamings.iter().enumerate() {
        names.remove(&from.to_ascii_lowercase()).ok_or((i, "No such command in rename-command"))?;
        if !to.is_empty() && names.insert(to.to_ascii_lowercase(), ()).is_some() {
            return Err((i, "Target command name already exists"));
        }
    }
    assert!(RENAMINGS.set(renamings).is_ok(), "commands are renamed once, at start");
    Ok(())
}

/// Names of all commands, as in their rows.
fn rows() -> impl Iterator<Item = &'static str> {
    let engine = shards::commands::FAMILIES.iter().copied().flatten().map(|row| row.name);
    let scripts = commands::scripting::SCRIPTS.iter().map(|row| row.name);
    engine.chain(commands::FAMILIES.iter().copied().flatten().map(|row| row.name)).chain(scripts)
}

/// The table of this process.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(Table::build)
}

impl Table {
    fn build() -> Table {
        let mut table = Table { entries: Vec::new(), short: vec![(0, EMPTY); SHORT_SLOTS], long: HashMap::new() };
        for row in shards::commands::FAMILIES.iter().copied().flatten() {
            table.add_row(row, Target::Engine, &|r| r);
        }
        for row in commands::FAMILIES.iter().copied().flatten() {
            table.add_row(row, Target::Server, &|r| r);
        }
        for row in commands::scripting::SCRIPTS {
            table.add_row(row, Target::Script, &|r| r);
        }
        for row in commands::memory::SUBCOMMANDS {
            table.add_subcommand("memory", row, Target::Server(row));
        }
        for row in shards::commands::database::DEBUG {
            table.add_inner("debug", row, Target::Engine(row));
        }
        for (from, to) in RENAMINGS.get().into_iter().flatten() {
            table.rename(from, to);
        }
        table.enter_all();
        table
    }

    fn add_row<R: Copy + 'static>(
        &mut self,
        row: &'static shards::command::Row<R>,
        target: fn(&'static shards::command::Row<R>) -> Target,
        _: &dyn Fn(R) -> R,
    ) {
        let id = self.add(row, target(row), None, row.name);
        for sub in row.subcommands {
            let full = format!("{}|{}", row.name, sub.name).leak();
            let sub_id = self.add(sub, target(sub), Some(id), full);
            self.entries[id as usize].subcommands.push((sub.name, sub_id));
        }
    }

    /// Adds a subcommand to a container whose other subcommands run elsewhere (MEMORY).
    fn add_subcommand<R>(&mut self, container: &str, row: &'static Row<R>, target: Target) {
        let id = self.named(container);
        let sub_id = self.add(row, target, Some(id), format!("{container}|{}", row.name).leak());
        self.entries[id as usize].subcommands.push((row.name, sub_id));
    }

    /// Adds a row for some calls of a command that is no container: they count as that command's and pass its gates.
    fn add_inner<R>(&mut self, command: &'static str, row: &'static Row<R>, target: Target) {
        let id = self.named(command);
        let inner_id = self.add(row, target, Some(id), command);
        self.entries[inner_id as usize].flags = self.entries[id as usize].flags;
        self.entries[id as usize].inner.push((row.name, inner_id));
    }

    fn named(&self, name: &str) -> u16 {
        self.entries.iter().find(|entry| entry.full_name == name).expect("rows are added before what belongs to them").id
    }

    /// Moves a command to another name; see [`rename`].
    fn rename(&mut self, from: &[u8], to: &[u8]) {
        let is_it = |e: &&mut Entry| e.parent.is_none() && !e.removed && from.eq_ignore_ascii_case(&e.called);
        let entry = self.entries.iter_mut().find(is_it).expect("asked before");
        entry.called = to.to_ascii_lowercase();
        entry.removed = to.is_empty();
    }

    /// Enters every command under the name it is called by.
    fn enter_all(&mut self) {
        for id in 0..self.entries.len() {
            if self.entries[id].parent.is_none() && !self.entries[id].removed {
                let called = self.entries[id].called.clone();
                self.enter(&called, id as u16);
            }
        }
    }

    fn add<R>(
        &mut self,
        row: &'static shards::command::Row<R>,
        target: Target,
        parent: Option<u16>,
        full_name: &'static str,
    ) -> u16 {
        let id = self.entries.len() as u16;
        assert!(id < EMPTY, "the table holds up to 65534 commands");
        self.entries.push(Entry {
            id,
            parent,
            full_name,
            target,
            flags: row.flags,
            single_key: row.single_key().and_then(|k| u8::try_from(k).ok()),
            arity: row.arity,
            categories: row.categories(),
            subcommands: Vec::new(),
            inner: Vec::new(),
            called: row.name.as_bytes().to_vec(),
            facts: Facts::of(row),
            removed: false,
        });
        id
    }

    fn enter(&mut self, name: &[u8], id: u16) {
        let Some(word) = short_word(name) else {
            let old = self.long.insert(name.to_vec(), id);
            assert!(old.is_none(), "{} stands in the table twice", shown(name, 128));
            return;
        };
        let mut slot = short_slot(word);
        while self.short[slot].1 != EMPTY {
            assert!(self.short[slot].0 != word, "{} stands in the table twice", shown(name, 128));
            slot = (slot + 1) % SHORT_SLOTS;
        }
        self.short[slot] = (word, id);
    }

    /// Finds a command by its name, whatever its case.
    #[inline]
    pub fn find(&'static self, name: &[u8]) -> Option<&'static Entry> {
        let Some(word) = short_word(name) else {
            return self.long.get(&name.to_ascii_lowercase()).map(|id| &self.entries[*id as usize]);
        };
        let mut slot = short_slot(word);
        loop {
            let (entry, id) = self.short[slot];
            if id == EMPTY {
                return None;
            }
            if entry == word {
                return Some(&self.entries[id as usize]);
            }
            slot = (slot + 1) % SHORT_SLOTS;
        }
    }

    /// Finds what a call means: the command, or its subcommand where it has some. Errors: Valkey's texts for unknown
    /// commands and subcommands.
    #[inline]
    pub fn resolve(&'static self, argv: Args<'_>) -> Result<&'static Entry, CommandError> {
        let Some(entry) = self.find(argv.get(0)) else { return Err(unknown_command(argv)) };
        if argv.len() < 2 || entry.subcommands.is_empty() && entry.inner.is_empty() {
            return Ok(entry);
        }
        let name = argv.get(1);
        if entry.subcommands.is_empty() {
            let inner = entry.inner.iter().find(|(inner, _)| name.eq_ignore_ascii_case(inner.as_bytes()));
            let inner = inner.map_or(entry, |(_, id)| &self.entries[*id as usize]);
            return Ok(if inner.arity_fits(argv.len()) { inner } else { entry });
        }
        match entry.subcommands.iter().find(|(sub, _)| name.eq_ignore_ascii_case(sub.as_bytes())) {
            Some((_, id)) => Ok(&self.entries[*id as usize]),
            None => Err(CommandError::owned(format!(
                "ERR unknown subcommand '{}'. Try {} HELP.",
                shown(name, 128),
                shown(argv.get(0), usize::MAX).to_ascii_uppercase()
            ))),
        }
    }

    /// Finds a command by its name, or a subcommand by its own and its parent's (`config|get`).
    pub fn find_full(&'static self, name: &[u8]) -> Option<&'static Entry> {
        let Some(bar) = name.iter().position(|byte| *byte == b'|') else { return self.find(name) };
        let (parent, sub) = (self.find(&name[..bar])?, &name[bar + 1..]);
        self.subcommands(parent).find(|entry| {
            let own = entry.full_name.split_once('|').map_or("", |(_, own)| own);
            sub.eq_ignore_ascii_case(own.as_bytes())
        })
    }

    /// The commands that can be called, without their subcommands.
    pub fn parents(&'static self) -> impl Iterator<Item = &'static Entry> {
        self.entries.iter().filter(|entry| entry.parent.is_none() && !entry.removed)
    }

    /// The subcommands of a command.
    pub fn subcommands(&'static self, entry: &'static Entry) -> impl Iterator<Item = &'static Entry> {
        entry.subcommands.iter().map(|(_, id)| self.get(*id))
    }

    /// All that can be called, subcommands behind their parents.
    pub fn listed(&'static self) -> impl Iterator<Item = &'static Entry> {
        self.parents().flat_map(|entry| std::iter::once(entry).chain(self.subcommands(entry)))
    }

    /// The entry with this number.
    #[inline]
    pub fn get(&'static self, id: u16) -> &'static Entry {
        &self.entries[id as usize]
    }

    /// All entries, subcommands behind their parents.
    pub fn entries(&'static self) -> &'static [Entry] {
        &self.entries
    }
}

/// A name of up to eight bytes as one word, lower-case; `None` if it is longer or holds bytes names never hold.
#[inline]
fn short_word(name: &[u8]) -> Option<u64> {
    if name.len() > 8 || name.is_empty() {
        return None;
    }
    let mut word = 0u64;
    for b in name {
        word = word << 8 | u64::from(b.to_ascii_lowercase());
    }
    Some(word)
}

#[inline]
fn short_slot(word: u64) -> usize {
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53) as usize
}

const _: () = assert!(SHORT_SLOTS == 1 << (64 - 53));

fn unknown_command(argv: Args<'_>) -> CommandError {
    let mut text = format!("ERR unknown command '{}', with args beginning with: ", shown(argv.get(0), 128));
    let mut room = 128usize;
    for arg in argv.iter().skip(1) {
        if room == 0 {
            break;
        }
        let part = format!("'{}' ", shown(arg, room));
        room = room.saturating_sub(part.len());
        text.push_str(&part);
    }
    CommandError::owned(text)
}

/// True if the entry may write (itself, or what it runs).
pub fn may_write(entry: &Entry) -> bool {
    entry.is(flag::WRITE | flag::MAY_REPLICATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shards::args::Span;

    fn resolve(words: &[&[u8]]) -> Result<&'static Entry, CommandError> {
        let bytes = words.concat();
        let mut spans = vec![];
        let mut at = 0;
        for w in words {
            spans.push(Span::new(at, w.len()));
            at += w.len();
        }
        table().resolve(Args::new(&bytes, &spans))
    }

    #[test]
    fn commands_are_found_whatever_their_case() {
        assert_eq!(resolve(&[b"GeT", b"a"]).unwrap().full_name, "get");
        assert_eq!(resolve(&[b"client", b"ID"]).unwrap().full_name, "client|id");
    }

    #[test]
    fn unknown_names_get_valkeys_texts() {
        let text = |w: &[&[u8]]| resolve(w).unwrap_err().text().to_string();
        assert_eq!(text(&[b"nope", b"x", b"y"]), "ERR unknown command 'nope', with args beginning with: 'x' 'y' ");
        assert_eq!(text(&[b"client", b"nope"]), "ERR unknown subcommand 'nope'. Try CLIENT HELP.");
        assert_eq!(text(&[b"", b"nope"]), "ERR unknown command '', with args beginning with: 'nope' ");
    }

    #[test]
    fn every_row_is_found_under_its_own_name() {
        for entry in table().entries().iter().filter(|e| e.parent.is_none()) {
            assert_eq!(table().find(entry.full_name.as_bytes()).unwrap().id, entry.id);
        }
    }
}
