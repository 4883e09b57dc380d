//! Words and lists of fields: `NX | XX`, `EX seconds`, `FIELDS numfields field ...`.

use crate::args::Args;
use crate::command::{Arg, ArgKind};
use crate::error::{CommandError, NOT_AN_INTEGER, SYNTAX};
use crate::stdx::number::parse_i64;

/// The list of fields in the grammar of most commands; Valkey documents its count as belonging to the key.
pub const FIELDS: Arg = Arg::block("fields", &[NUMFIELDS, FIELD.many()]).after("FIELDS");
/// The same where Valkey does not.
pub const FIELDS_ALONE: Arg =
    Arg::block("fields", &[Arg { key_spec: -1, ..NUMFIELDS }, FIELD.many()]).after("FIELDS");
/// How many fields follow.
pub const NUMFIELDS: Arg = Arg { key_spec: 0, ..Arg::new("numfields", ArgKind::Integer) };
const FIELD: Arg = Arg::new("field", ArgKind::String);

/// A count that is not that of the fields.
pub const MISMATCH: CommandError =
    CommandError::Static("ERR numfields should be greater than 0 and match the provided number of fields");

/// The fields of `COMMAND key FIELDS numfields field ...`; `mismatch` is what a wrong count answers.
pub fn listed<'a>(argv: Args<'a>, mismatch: CommandError) -> Result<Args<'a>, CommandError> {
    if !argv.get(2).eq_ignore_ascii_case(b"fields") {
        return Err(SYNTAX);
    }
    counted(argv, 3, 1, mismatch)
}

/// The arguments behind the count at `at`, which must be so many fields of `each` arguments.
fn counted<'a>(argv: Args<'a>, at: usize, each: i64, mismatch: CommandError) -> Result<Args<'a>, CommandError> {
    let count = parse_i64(argv.get(at)).ok_or(NOT_AN_INTEGER)?;
    let rest = argv.from(at + 1);
    if count < 1 || count.checked_mul(each) != Some(rest.len() as i64) {
        return Err(mismatch);
    }
    Ok(rest)
}

/// Where the word FIELDS stands, searched from argument `from` on; it is not the last argument.
pub fn fields_at(argv: Args<'_>, from: usize) -> Result<usize, CommandError> {
    (from..argv.len() - 1).find(|i| argv.get(*i).eq_ignore_ascii_case(b"fields")).ok_or(MISMATCH)
}

/// The fields behind the word FIELDS at `at`, `each` arguments a field.
pub fn behind<'a>(argv: Args<'a>, at: usize, each: i64) -> Result<Args<'a>, CommandError> {
    counted(argv, at + 1, each, MISMATCH)
}

/// A time: number, unit and where it counts from.
#[derive(Clone, Copy, Debug)]
pub struct Time<'a> {
    /// The number as it was said.
    pub text: &'a [u8],
    /// Milliseconds of its unit.
    pub unit_ms: i64,
    /// It counts from now.
    pub relative: bool,
}

impl Time<'_> {
    /// The Unix time in milliseconds it means; `name` is the command's, for the error.
    pub fn at(&self, now_ms: i64, name: &str) -> Result<i64, CommandError> {
        let time = parse_i64(self.text).ok_or(NOT_AN_INTEGER)?;
        let from = if self.relative { now_ms } else { 0 };
        let at = Some(time).filter(|t| *t >= 0).and_then(|t| t.checked_mul(self.unit_ms)?.checked_add(from));
        at.ok_or_else(|| CommandError::owned(format!("ERR invalid expire time in '{name}' command")))
    }
}

/// The words of HSETEX and HGETEX.
#[derive(Clone, Copy, Default, Debug)]
#[allow(missing_docs)]
pub struct Words<'a> {
    pub nx: bool,
    pub xx: bool,
    pub fnx: bool,
    pub fxx: bool,
    pub keep_ttl: bool,
    pub persist: bool,
    /// EX, PX, EXAT or PXAT.
    pub time: Option<Time<'a>>,
}

const TIMES: &[(&str, i64, bool)] = &[("EX", 1000, true), ("PX", 1, true), ("EXAT", 1000, false), ("PXAT", 1, false)];

impl<'a> Words<'a> {
    /// Reads the words from argument 2 up to the word FIELDS at `end`; conditions and KEEPTTL belong to setting, PERSIST
    /// to reading. Words may be said twice, but not beside those they exclude.
    pub fn parse(argv: Args<'a>, end: usize, sets: bool) -> Result<Words<'a>, CommandError> {
        let mut words = Words::default();
        let mut at = 2;
        while at < end {
            let word = argv.get(at);
            if let Some(time) = time_named(word) {
                at += 1;
                if at == end || !words.allows(&time) {
                    return Err(SYNTAX);
                }
                words.time = Some(Time { text: argv.get(at), ..time });
            } else if !(if sets { words.set_word(word) } else { words.get_word(word) }) {
                return Err(SYNTAX);
            }
            at += 1;
        }
        Ok(words)
    }

    fn allows(&self, time: &Time<'_>) -> bool {
        let same = |old: Time<'_>| old.unit_ms == time.unit_ms && old.relative == time.relative;
        !self.keep_ttl && !self.persist && self.time.is_none_or(same)
    }

    fn set_word(&mut self, word: &[u8]) -> bool {
        let is = |text: &str| word.eq_ignore_ascii_case(text.as_bytes());
        let (said, allowed) = match () {
            () if is("nx") => (&mut self.nx, !self.xx),
            () if is("xx") => (&mut self.xx, !self.nx),
            () if is("fnx") => (&mut self.fnx, !self.fxx),
            () if is("fxx") => (&mut self.fxx, !self.fnx),
            () if is("keepttl") => (&mut self.keep_ttl, self.time.is_none()),
            () => return false,
        };
        *said = true;
        allowed
    }

    fn get_word(&mut self, word: &[u8]) -> bool {
        self.persist = true;
        word.eq_ignore_ascii_case(b"persist") && self.time.is_none()
    }
}

/// The unit a word stands for.
pub fn time_named(word: &[u8]) -> Option<Time<'static>> {
    let named = TIMES.iter().find(|(name, ..)| word.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, unit_ms, relative)| Time { text: b"", unit_ms: *unit_ms, relative: *relative })
}
