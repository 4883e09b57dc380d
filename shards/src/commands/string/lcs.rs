//! LCS: the longest common subsequence of two strings.
//!
//! The textbook table of prefix lengths, walked backwards from its last corner. Where several subsequences are equally
//! long, the direction of each step decides which one is answered, so the walk steps exactly as Valkey's does. The
//! table may be large: it is refused when it would pass `proto-max-bulk-len`, whatever of it a call would need.

use super::value::{Digits, text};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;
use crate::keyspace::{Keyspace, Lookup};
use crate::reply::Reply;

const NOT_STRINGS: CommandError = CommandError::Static("ERR The specified keys must contain string values");
const LEN_AND_IDX: CommandError =
    CommandError::Static("ERR If you want both the length and indexes, please just use IDX.");
const TOO_LONG: CommandError = CommandError::Static("ERR String too long for LCS");
const TOO_MUCH_MEMORY: CommandError =
    CommandError::Static("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
const NO_MEMORY: CommandError =
    CommandError::Static("ERR Insufficient memory, failed allocating transient memory for LCS");

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]
pub const LCS: Command = Command {
    arity: -3,
    group: Group::String,
    since: "7.0.0",
    summary: "Returns the longest common subsequence of two strings, its length or where it matches.",
    complexity: "O(N*M) where N and M are the lengths of the two strings.",
    flags: flag::READONLY,
    acl: category::STRING,
    keys: &[KeySpec::range(1, 1, 1, key::RO | key::ACCESS)],
    args: &[
        Arg::key("key1"),
        Arg::key("key2"),
        Arg::token("len", "LEN").opt(),
        Arg::token("idx", "IDX").opt(),
        Arg::new("min-match-len", ArgKind::Integer).after("MINMATCHLEN").opt(),
        Arg::token("withmatchlen", "WITHMATCHLEN").opt(),
    ],
    ..Command::new("lcs", lcs)
};

fn lcs(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let a = copy(x.ks, x.db, x.argv.get(1))?;
    let b = copy(x.ks, x.db, x.argv.get(2))?;
    let words = Words::parse(x)?;
    let table = Lengths::new(&a, &b, x.env.limits.string_bytes_max)?;
    if words.indexes {
        reply_matches(&mut x.reply, &table, words);
    } else if words.len {
        x.reply.count(table.total());
    } else {
        let mut common: Vec<u8> = Walk::new(&table).map(|(i, _)| a[i]).collect();
        common.reverse();
        x.reply.bulk(&common);
    }
    Ok(())
}

/// The string at a key, empty if there is none. Two keys cannot be borrowed at once; beside the table a copy is small.
fn copy(ks: &mut Keyspace, db: u32, key: &[u8]) -> Result<Vec<u8>, CommandError> {
    let how = if ks.no_touch { Lookup::NoTouch } else { Lookup::Use };
    let Some(found) = ks.look_up(db, key, how) else { return Ok(Vec::new()) };
    text(found.value(), &mut Digits::default()).map(<[u8]>::to_vec).map_err(|_| NOT_STRINGS)
}

#[derive(Clone, Copy, Default)]
struct Words {
    len: bool,
    indexes: bool,
    match_len: bool,
    match_len_min: usize,
}

impl Words {
    fn parse(x: &Exec<'_>) -> Result<Words, CommandError> {
        let mut words = Words::default();
        let mut i = 3;
        while i < x.argc() {
            if x.arg_is(i, "IDX") {
                words.indexes = true;
            } else if x.arg_is(i, "LEN") {
                words.len = true;
            } else if x.arg_is(i, "WITHMATCHLEN") {
                words.match_len = true;
            } else if x.arg_is(i, "MINMATCHLEN") && i + 1 < x.argc() {
                i += 1;
                words.match_len_min = usize::try_from(x.int(i)?).unwrap_or(0);
            } else {
                return Err(SYNTAX);
            }
            i += 1;
        }
        if words.len && words.indexes { Err(LEN_AND_IDX) } else { Ok(words) }
    }
}

/// For every pair of prefixes the length of their longest common subsequence.
struct Lengths<'s> {
    a: &'s [u8],
    b: &'s [u8],
    cells: Vec<u32>,
}

impl<'s> Lengths<'s> {
    fn new(a: &'s [u8], b: &'s [u8], bytes_max: usize) -> Result<Lengths<'s>, CommandError> {
        if a.len().max(b.len()) >= u32::MAX as usize - 1 {
            return Err(TOO_LONG);
        }
        let count = (a.len() + 1) * (b.len() + 1); // below 2^64: both are below 2^32
        if count.checked_mul(size_of::<u32>()).is_none_or(|bytes| bytes > bytes_max) {
            return Err(TOO_MUCH_MEMORY);
        }
        let mut cells = Vec::new();
        cells.try_reserve_exact(count).map_err(|_| NO_MEMORY)?;
        cells.resize(count, 0);
        let mut table = Lengths { a, b, cells };
        table.fill();
        Ok(table)
    }

    fn fill(&mut self) {
        let width = self.b.len() + 1;
        for (i, byte) in self.a.iter().enumerate() {
            let (above, row) = self.cells[i * width..(i + 2) * width].split_at_mut(width);
            for (j, other) in self.b.iter().enumerate() {
                row[j + 1] = if byte == other { above[j] + 1 } else { above[j + 1].max(row[j]) };
            }
        }
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.cells[i * (self.b.len() + 1) + j]
    }

    fn total(&self) -> usize {
        self.at(self.a.len(), self.b.len()) as usize
    }
}

/// The matching positions, from the ends of both strings backwards.
struct Walk<'t> {
    table: &'t Lengths<'t>,
    i: usize,
    j: usize,
}

impl<'t> Walk<'t> {
    fn new(table: &'t Lengths<'t>) -> Walk<'t> {
        Walk { table, i: table.a.len(), j: table.b.len() }
    }
}

impl Iterator for Walk<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        while self.i > 0 && self.j > 0 {
            let (i, j) = (self.i - 1, self.j - 1);
            if self.table.a[i] == self.table.b[j] {
                (self.i, self.j) = (i, j);
                return Some((i, j));
            }
            if self.table.at(i, self.j) > self.table.at(self.i, j) { self.i = i } else { self.j = j }
        }
        None
    }
}

/// A run of neighbouring matches: where it starts in both strings, and how long it is.
#[derive(Clone, Copy)]
struct Run {
    a: usize,
    b: usize,
    len: usize,
}

fn reply_matches(reply: &mut Reply<'_>, table: &Lengths<'_>, words: Words) {
    reply.map(2);
    reply.bulk(b"matches");
    let matches = reply.deferred_array();
    let mut count = 0;
    let mut tell = |reply: &mut Reply<'_>, run: Run| {
        if run.len >= words.match_len_min {
            reply_run(reply, run, words.match_len);
            count += 1;
        }
    };
    let mut open: Option<Run> = None;
    for (a, b) in Walk::new(table) {
        open = match open {
            Some(run) if run.a == a + 1 && run.b == b + 1 => Some(Run { a, b, len: run.len + 1 }),
            before => {
                if let Some(run) = before {
                    tell(reply, run);
                }
                Some(Run { a, b, len: 1 })
            }
        };
    }
    if let Some(run) = open {
        tell(reply, run);
    }
    reply.close_array(matches, count);
    reply.bulk(b"len");
    reply.count(table.total());
}

fn reply_run(reply: &mut Reply<'_>, run: Run, with_len: bool) {
    reply.array(2 + usize::from(with_len));
    for start in [run.a, run.b] {
        reply.array(2);
        reply.count(start);
        reply.count(start + run.len - 1);
    }
    if with_len {
        reply.count(run.len);
    }
}
