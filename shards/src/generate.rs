//! Random calls made from the command table, for model tests, replay tests, fuzzing and simulation.
//!
//! A row's grammar says what a call looks like, so every command that gets a row is tested without anybody listing it.
//! Most calls are well-formed over few keys, so that they meet; some carry numbers from the edges, lie about counts or
//! have arguments dropped, repeated and replaced.
//!
//! Everything follows from the seed of the generator. When a sequence of calls fails, [`shrink`] finds a short one.

use crate::command::{Arg, ArgKind, Command};
use crate::stdx::prng::Prng;

/// Numbers at which arithmetic goes wrong.
const EDGES: &[i64] = &[
    0, -1, 1, 2, 10, 100, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1, 1 << 31, (1 << 31) - 1, -(1 << 31), 1 << 32, 1 << 62,
    i64::MAX / 1000, i64::MAX / 1000 + 1,
];
/// Strings that look like something else, or like nothing.
const STRINGS: &[&[u8]] = &[
    b"", b"a", b"b", b"ab", b"1", b"10", b"-7", b"007", b" 1", b"1.5", b"3e2", b"inf", b"nan", b"\x00\xff\r\n", b"9223372036854775807",
    b"the quick brown fox jumps over the lazy dog", b"get", b"NX",
];
const PATTERNS: &[&[u8]] = &[b"*", b"key:?", b"key:[0-3]", b"nothing", b"*[", b"\\*", b"k*y*:*1"];
const DOUBLES: &[&[u8]] = &[b"0", b"1", b"-1", b"0.1", b"2.5", b"1e10", b"-1e-10", b"inf", b"-inf", b"nan", b"1e400", b"x", b"3.0"];

/// Makes calls.
pub struct Generator {
    /// Where its randomness comes from; tests may take some for themselves.
    pub rng: Prng,
    /// Number of keys it uses.
    pub keys: u64,
    /// The time that unix times are near, milliseconds.
    pub now_ms: i64,
    /// One call in so many is damaged (0: none).
    pub damage_one_in: u64,
    /// Arguments that came later are left out: for comparing with older servers.
    pub version: (u32, u32),
}

/// The version in which something came ("7.0.0"), as far as it matters.
pub fn since(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

impl Generator {
    /// A generator whose calls follow from `seed`.
    pub fn new(seed: u64) -> Generator {
        Generator { rng: Prng::new(seed), keys: 8, now_ms: 0, damage_one_in: 12, version: (u32::MAX, 0) }
    }

    /// A call of one of `rows`.
    pub fn call(&mut self, rows: &[&'static Command]) -> Vec<Vec<u8>> {
        assert!(!rows.is_empty());
        let row = rows[self.rng.below(rows.len() as u64) as usize];
        let mut argv = vec![self.cased(row.name)];
        let mut args = row.args;
        if !row.subcommands.is_empty() {
            let sub = &row.subcommands[self.rng.below(row.subcommands.len() as u64) as usize];
            argv.push(self.cased(sub.name));
            args = sub.args;
        }
        self.sequence(args, &mut argv);
        if self.damage_one_in > 0 && self.one_in(self.damage_one_in) {
            self.damage(&mut argv);
        }
        argv
    }

    /// One of the keys.
    pub fn key(&mut self) -> Vec<u8> {
        format!("key:{}", self.rng.below(self.keys)).into_bytes()
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }

    fn sequence(&mut self, args: &[Arg], argv: &mut Vec<Vec<u8>>) {
        // Where a count of what follows stands, to be filled in when that is known.
        let mut count_at = None;
        for arg in args {
            if arg.optional && !self.one_in(3) || since(arg.since) > self.version {
                continue;
            }
            let times = if arg.multiple { 1 + self.rng.below(3) } else { 1 };
            if arg.name == "numkeys" {
                count_at = Some(argv.len() + usize::from(!arg.token.is_empty()));
            }
            for turn in 0..times {
                if !arg.token.is_empty() && (turn == 0 || arg.multiple_token) {
                    argv.push(self.cased(arg.token));
                }
                self.one(arg, argv);
            }
            if arg.name == "numkeys" {
                continue;
            }
            if let Some(at) = count_at.take() {
                argv[at] = if self.one_in(12) { self.integer() } else { times.to_string().into_bytes() };
            }
        }
    }

    fn one(&mut self, arg: &Arg, argv: &mut Vec<Vec<u8>>) {
        match arg.kind {
            ArgKind::PureToken => {}
            ArgKind::OneOf => {
                let part = arg.parts[self.rng.below(arg.parts.len() as u64) as usize];
                // Of choices that came later none is made, which is an error everywhere.
                self.sequence(&[Arg { optional: false, ..part }], argv);
            }
            ArgKind::Block => self.sequence(arg.parts, argv),
            ArgKind::Key => argv.push(self.key()),
            ArgKind::Integer => argv.push(self.integer()),
            ArgKind::UnixTime => argv.push(self.unix_time(arg.name.contains("milli"))),
            ArgKind::Double => argv.push(self.pick(DOUBLES)),
            ArgKind::Pattern => argv.push(self.pick(PATTERNS)),
            ArgKind::String => argv.push(self.string()),
        }
    }

    /// Bytes for a value: short, odd, a number, or too long for a table's leaf.
    pub fn string(&mut self) -> Vec<u8> {
        match self.rng.below(8) {
            0 => self.integer(),
            1 => vec![b'x'; self.rng.below(3000) as usize],
            2 => self.pick(DOUBLES),
            _ => self.pick(STRINGS),
        }
    }

    /// An integer, mostly small.
    pub fn integer(&mut self) -> Vec<u8> {
        let value = match self.rng.below(6) {
            0 => EDGES[self.rng.below(EDGES.len() as u64) as usize],
            1 => self.rng.below(3000) as i64,
            _ => self.rng.below(16) as i64 - 3,
        };
        value.to_string().into_bytes()
    }

    fn unix_time(&mut self, milliseconds: bool) -> Vec<u8> {
        if self.one_in(8) {
            return self.integer();
        }
        let ms = self.now_ms + self.rng.below(6000) as i64 - 2000;
        (if milliseconds { ms } else { ms / 1000 }).to_string().into_bytes()
    }

    fn pick(&mut self, from: &[&[u8]]) -> Vec<u8> {
        from[self.rng.below(from.len() as u64) as usize].to_vec()
    }

    fn cased(&mut self, word: &str) -> Vec<u8> {
        if self.one_in(4) { word.to_ascii_lowercase().into_bytes() } else { word.to_ascii_uppercase().into_bytes() }
    }

    /// Drops, doubles, replaces or adds an argument; the command's name stays.
    fn damage(&mut self, argv: &mut Vec<Vec<u8>>) {
        let at = 1 + self.rng.below(argv.len() as u64) as usize;
        let there = at < argv.len();
        match self.rng.below(4) {
            0 if there => drop(argv.remove(at)),
            1 if there => argv.insert(at, argv[at].clone()),
            2 if there => argv[at] = self.string(),
            _ => argv.push(self.string()),
        }
    }
}

/// A short part of `steps` that still fails: ever smaller stretches are left out while it does.
pub fn shrink<T: Clone>(steps: &[T], fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut kept = steps.to_vec();
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < kept.len() {
            let mut without = kept.clone();
            without.drain(at..(at + size).min(kept.len()));
            if fails(&without) {
                kept = without;
            } else {
                at += size;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_keeps_only_what_matters() {
        let steps: Vec<u32> = (0..1000).collect();
        let fails = |steps: &[u32]| steps.contains(&17) && steps.contains(&801);
        assert_eq!(shrink(&steps, fails), [17, 801]);
    }

    #[test]
    fn undamaged_calls_have_an_arity_that_fits() {
        let rows: Vec<&'static Command> = crate::commands::string::ROWS.iter().collect();
        let mut generator = Generator { damage_one_in: 0, ..Generator::new(5) };
        for _ in 0..2000 {
            let argv = generator.call(&rows);
            let row = rows.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(&argv[0])).unwrap();
            assert!(row.arity_fits(argv.len()), "{argv:?}");
        }
    }
}
