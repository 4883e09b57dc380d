//! The words after SET, GETEX and MSETEX: conditions and times to live.
//!
//! Which words exclude each other, and that EX may be said twice (the last one counts), is Valkey's grammar.

use crate::args::Args;
use crate::error::{CommandError, NOT_AN_INTEGER, SYNTAX};
use crate::keyspace::Ttl;
use crate::stdx::number::{fill_i64, parse_i64};

/// Only if the key is not there.
pub const NX: u16 = 1 << 0;
/// Only if the key is there.
pub const XX: u16 = 1 << 1;
/// Only if the key holds this string.
pub const IFEQ: u16 = 1 << 2;
/// Answer with the old string.
pub const GET: u16 = 1 << 3;
/// The time to live stays.
pub const KEEPTTL: u16 = 1 << 4;
/// The time to live goes.
pub const PERSIST: u16 = 1 << 5;
/// Seconds from now.
pub const EX: u16 = 1 << 6;
/// Milliseconds from now.
pub const PX: u16 = 1 << 7;
/// Unix time in seconds.
pub const EXAT: u16 = 1 << 8;
/// Unix time in milliseconds.
pub const PXAT: u16 = 1 << 9;

const TIMES: u16 = EX | PX | EXAT | PXAT;
const LIFE: u16 = TIMES | KEEPTTL | PERSIST;

/// Words for SET.
pub const SET_WORDS: u16 = NX | XX | IFEQ | GET | KEEPTTL | TIMES;
/// Words for GETEX.
pub const GETEX_WORDS: u16 = PERSIST | TIMES;
/// Words for MSETEX.
pub const MSETEX_WORDS: u16 = NX | XX | KEEPTTL | TIMES;

/// Each word, its bit, and the bits that must not have been said before it.
const WORDS: &[(&str, u16, u16)] = &[
    ("EX", EX, LIFE & !EX),
    ("PX", PX, LIFE & !PX),
    ("NX", NX, XX | IFEQ),
    ("XX", XX, NX | IFEQ),
    ("GET", GET, 0),
    ("EXAT", EXAT, LIFE & !EXAT),
    ("PXAT", PXAT, LIFE & !PXAT),
    ("IFEQ", IFEQ, NX | XX | IFEQ),
    ("KEEPTTL", KEEPTTL, TIMES | PERSIST),
    ("PERSIST", PERSIST, TIMES | KEEPTTL),
];

/// What was said.
#[derive(Clone, Copy, Default, Debug)]
pub struct Options<'a> {
    said: u16,
    /// The string after IFEQ.
    pub compare: Option<&'a [u8]>,
    /// The number after EX, PX, EXAT or PXAT.
    time: &'a [u8],
}

impl<'a> Options<'a> {
    /// Reads the words from argument `first` on; `words` are those the command knows.
    pub fn parse(argv: Args<'a>, first: usize, words: u16) -> Result<Options<'a>, CommandError> {
        let mut options = Options::default();
        let mut rest = argv.from(first).iter();
        while let Some(word) = rest.next() {
            let bit = options.allowed(word, words).ok_or(SYNTAX)?;
            options.said |= bit;
            if bit == IFEQ {
                options.compare = Some(rest.next().ok_or(SYNTAX)?);
            } else if bit & TIMES != 0 {
                options.time = rest.next().ok_or(SYNTAX)?;
            }
        }
        assert!((options.said & LIFE).count_ones() <= 1, "times to live exclude each other");
        Ok(options)
    }

    /// What SETEX and PSETEX say without words.
    pub fn with_time(unit: u16, time: &'a [u8]) -> Options<'a> {
        assert!(unit & TIMES != 0);
        Options { said: unit, compare: None, time }
    }

    /// A condition alone.
    pub fn only(bit: u16) -> Options<'static> {
        Options { said: bit, compare: None, time: b"" }
    }

    fn allowed(&self, word: &[u8], words: u16) -> Option<u16> {
        let (_, bit, excluded) = WORDS.iter().find(|(name, ..)| word.eq_ignore_ascii_case(name.as_bytes()))?;
        (words & bit != 0 && self.said & excluded == 0).then_some(*bit)
    }

    /// True if `bit` was said.
    #[inline]
    pub fn has(&self, bit: u16) -> bool {
        self.said & bit != 0
    }

    /// When the key is to expire, unix milliseconds; `name` is the command's, for the error.
    pub fn deadline(&self, now_ms: i64, name: &str) -> Result<Option<i64>, CommandError> {
        if !self.has(TIMES) {
            return Ok(None);
        }
        let time = parse_i64(self.time).ok_or(NOT_AN_INTEGER)?;
        let ms = if self.has(EX | EXAT) { time.checked_mul(1000) } else { Some(time) };
        let from = if self.has(EX | PX) { now_ms } else { 0 };
        let at = ms.filter(|ms| *ms > 0).and_then(|ms| ms.checked_add(from)).filter(|at| *at > 0);
        match at {
            Some(at) => Ok(Some(at)),
            None => Err(CommandError::owned(format!("ERR invalid expire time in '{name}' command"))),
        }
    }

    /// What becomes of the key's time to live, given its deadline.
    pub fn ttl(&self, deadline: Option<i64>) -> Ttl {
        match deadline {
            Some(at) => Ttl::At(at),
            None if self.has(KEEPTTL) => Ttl::Keep,
            None => Ttl::Clear,
        }
    }
}

/// The text of a time, for propagation.
pub struct TimeText {
    digits: [u8; 20],
    start: usize,
}

impl TimeText {
    /// The text of `ms`.
    pub fn new(ms: i64) -> TimeText {
        let mut digits = [0; 20];
        let start = fill_i64(&mut digits, ms);
        TimeText { digits, start }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}
