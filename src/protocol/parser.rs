//! The request parser of one connection.
//!
//! A request is an array of bulk strings, `*2 $3 GET $1 k` with a CR LF after each part, or an inline line. The caller
//! keeps received bytes in one buffer and hands [`Parser::step`] what begins at the current request. Complete: the spans
//! of its arguments, and how many bytes to drop once they are used. Incomplete: the parser keeps its place, the caller
//! adds bytes behind and asks again; nothing is read twice, but for the few bytes of a length that broke off.
//!
//! What is refused and when is Valkey's, with one difference: how far a line is looked at before it counts as too long
//! does not depend on how the bytes happened to arrive. So the same bytes give the same answer in whatever pieces, which
//! the tests hold for every split.
//!
//! Announced lengths reserve nothing: a client that announces a million arguments or a bulk of 512 MiB costs what it has
//! sent. Before authentication ten arguments of 16 KiB and a buffer of 1 MiB are the limit.
//!
//! Invariant: between calls `at` never exceeds the bytes seen; `held` is empty unless `left` counts arguments to come.

use super::error::ProtocolError;
use super::inline::split_line;
use memchr::{memchr, memchr2};
use shards::args::{Args, Span};
use shards::stdx::number::parse_i64;

/// A line, inline or a length, may have this many bytes before its end.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// A request may announce fewer arguments than this.
const TOO_MANY_ARGUMENTS: i64 = i32::MAX as i64 + 1;
const UNAUTHENTICATED_ARGUMENTS_MAX: i64 = 10;
const UNAUTHENTICATED_BULK_BYTES_MAX: u64 = 16 * 1024;
const UNAUTHENTICATED_BUFFER_BYTES_MAX: usize = 1024 * 1024;
/// Spans have 32 bits, so no request may pass this, whatever the configuration allows.
const REQUEST_BYTES_MAX: usize = u32::MAX as usize;
/// Buffers grown beyond this many elements by an unusual request are given back after it.
const KEPT_CAPACITY_MAX: usize = 1024;

/// What a connection may send at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Whether the client has authenticated, or need not.
    pub authenticated: bool,
    /// Whether the other side is our primary: no limit on a bulk, no inline requests but empty ones.
    pub primary: bool,
    /// `proto-max-bulk-len`.
    pub bulk_bytes_max: u64,
    /// `client-query-buffer-limit`.
    pub buffer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { authenticated: true, primary: false, bulk_bytes_max: 512 << 20, buffer_bytes_max: 1 << 30 }
    }
}

impl Limits {
    /// How many bytes of an incomplete request may wait.
    pub fn buffered_max(&self) -> usize {
        match (self.primary, self.authenticated) {
            (true, _) => REQUEST_BYTES_MAX,
            (false, true) => self.buffer_bytes_max.min(REQUEST_BYTES_MAX),
            (false, false) => self.buffer_bytes_max.min(UNAUTHENTICATED_BUFFER_BYTES_MAX),
        }
    }
}

/// What the bytes at the front of the buffer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A request; its spans refer to the input.
    Request {
        /// Bytes up to its end.
        end: usize,
    },
    /// A request typed as a line; its arguments are in [`Parser::inline`].
    Inline {
        /// Bytes up to its end.
        end: usize,
    },
    /// Nothing to run: `*0`, `*-1`, a blank line. Drop the bytes and go on.
    Empty {
        /// Bytes up to its end.
        end: usize,
    },
    /// The request is not all there.
    Incomplete {
        /// At least so many bytes are missing. A hint for how much to receive at a time, not how much to reserve: the
        /// number is the client's word, and a thousand clients can each announce 512 MiB and send nothing.
        need: usize,
    },
    /// What cannot be read. Answer it and close; there is no next request.
    Error(ProtocolError),
}

/// Reads requests off one connection's input.
#[derive(Debug, Default)]
pub struct Parser {
    /// Next byte to read, from the start of the current request.
    at: usize,
    /// From `at` on, so many bytes hold no end of line.
    searched: usize,
    /// Arguments still to come; zero before the count is known.
    left: usize,
    /// Length of the argument at `at`, if its length line was read.
    bulk: Option<usize>,
    /// Spans of the arguments of a request that is not complete.
    held: Vec<Span>,
    inline_text: Vec<u8>,
    inline_spans: Vec<Span>,
}

impl Parser {
    /// A parser at the start of a connection.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Reads on in `input`, which begins with the current request and only grows while that is incomplete. The spans of
    /// a complete request are appended to `spans`; otherwise those stay as they were.
    #[inline]
    pub fn step(&mut self, input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Step {
        debug_assert!(self.at <= input.len(), "the input of an incomplete request never shrinks");
        let step = if self.left > 0 {
            self.resume(input, limits, spans)
        } else {
            match input.first() {
                Some(b'*') => self.begin(input, limits, spans),
                Some(_) => self.line(input, limits),
                None => Step::Incomplete { need: 1 },
            }
        };
        match step {
            Step::Incomplete { .. } if input.len() > limits.buffered_max() => Step::Error(ProtocolError::QueryBufferFull),
            step => step,
        }
    }

    /// The arguments of the line that [`Step::Inline`] announced, until the next step.
    pub fn inline(&self) -> Args<'_> {
        Args::new(&self.inline_text, &self.inline_spans)
    }

    /// Memory behind the parser, for the client's account.
    pub fn memory_bytes(&self) -> usize {
        (self.held.capacity() + self.inline_spans.capacity()) * size_of::<Span>() + self.inline_text.capacity()
    }

    /// An array: its count, then its arguments.
    #[inline]
    fn begin(&mut self, input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Step {
        let (count, at) = match short_number(input, 1) {
            Some((count, at)) if count > 0 && (limits.authenticated || count as i64 <= UNAUTHENTICATED_ARGUMENTS_MAX) => {
                (count, at)
            }
            _ => match self.multibulk_length(input, limits) {
                Ok((0, end)) => return self.finish(Step::Empty { end }),
                Ok(found) => found,
                Err(step) => return step,
            },
        };
        self.left = count;
        self.at = at;
        self.searched = 0;
        let first = spans.len();
        let step = self.arguments(input, limits, spans);
        if !matches!(step, Step::Request { .. }) {
            self.held.extend(spans.drain(first..));
        }
        step
    }

    /// An array whose beginning was read in an earlier step.
    #[cold]
    fn resume(&mut self, input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Step {
        let mut held = std::mem::take(&mut self.held);
        let step = self.arguments(input, limits, &mut held);
        if matches!(step, Step::Request { .. }) {
            spans.append(&mut held);
            held.shrink_to(KEPT_CAPACITY_MAX);
        }
        self.held = held;
        step
    }

    /// Arguments from `at` on, until all are read or the input ends.
    #[inline]
    fn arguments(&mut self, input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Step {
        let mut at = self.at;
        while self.left > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => match short_bulk_length(input, at, limits) {
                    Some((len, start)) => {
                        at = start;
                        len
                    }
                    None => match self.bulk_length(input, at, limits) {
                        Ok((len, start)) => {
                            at = start;
                            len
                        }
                        Err(step) => return step,
                    },
                },
            };
            let end = at + len;
            match input.get(end..end + 2) {
                Some(b"\r\n") => {}
                Some(_) => return Step::Error(ProtocolError::InvalidCrlf),
                None => return self.await_bulk(input, at, len),
            }
            spans.push(Span { start: at as u32, len: len as u32 });
            at = end + 2;
            self.left -= 1;
            self.bulk = None;
            self.searched = 0;
        }
        debug_assert!(at <= REQUEST_BYTES_MAX, "spans would not hold it");
        self.at = 0;
        Step::Request { end: at }
    }

    /// Keeps the place before a bulk that is not all there.
    #[cold]
    fn await_bulk(&mut self, input: &[u8], at: usize, len: usize) -> Step {
        self.at = at;
        self.bulk = Some(len);
        self.searched = 0;
        Step::Incomplete { need: at + len + 2 - input.len() }
    }

    /// The count of an array that is not short and plain; zero stands for nothing to run.
    #[cold]
    fn multibulk_length(&mut self, input: &[u8], limits: &Limits) -> Result<(usize, usize), Step> {
        let line = self.length_line(input, 0, ProtocolError::BigMultibulkCount)?;
        if input[line + 1] != b'\n' {
            return Err(Step::Error(ProtocolError::InvalidCrlf));
        }
        match parse_i64(&input[1..line]) {
            None | Some(TOO_MANY_ARGUMENTS..) => Err(Step::Error(ProtocolError::InvalidMultibulkLength)),
            Some(count) if count > UNAUTHENTICATED_ARGUMENTS_MAX && !limits.authenticated => {
                Err(Step::Error(ProtocolError::UnauthenticatedMultibulk))
            }
            Some(count) => Ok((count.max(0) as usize, line + 2)),
        }
    }

    /// The length of an argument that is not short and plain.
    #[cold]
    fn bulk_length(&mut self, input: &[u8], at: usize, limits: &Limits) -> Result<(usize, usize), Step> {
        self.at = at;
        let line = self.length_line(input, at, ProtocolError::BigBulkCount)?;
        if input[at] != b'$' {
            return Err(Step::Error(ProtocolError::ExpectedBulk(input[at])));
        }
        if input[line + 1] != b'\n' {
            return Err(Step::Error(ProtocolError::InvalidCrlf));
        }
        let Some(len) = parse_i64(&input[at + 1..line]).and_then(|len| u64::try_from(len).ok()) else {
            return Err(Step::Error(ProtocolError::InvalidBulkLength));
        };
        if len > limits.bulk_bytes_max && !limits.primary {
            return Err(Step::Error(ProtocolError::InvalidBulkLength));
        }
        if len > UNAUTHENTICATED_BULK_BYTES_MAX && !limits.authenticated {
            return Err(Step::Error(ProtocolError::UnauthenticatedBulk));
        }
        if len > (REQUEST_BYTES_MAX - line - 4) as u64 {
            return Err(Step::Error(ProtocolError::QueryBufferFull));
        }
        Ok((len as usize, line + 2))
    }

    /// Where the line at `at` has its CR, once the byte behind it has come too.
    fn length_line(&mut self, input: &[u8], at: usize, too_big: ProtocolError) -> Result<usize, Step> {
        let window_end = input.len().min(at + LINE_BYTES_MAX + 1);
        let from = at + self.searched;
        let Some(found) = memchr(b'\r', &input[from..window_end]) else {
            self.searched = window_end - at;
            let too_long = self.searched > LINE_BYTES_MAX;
            return Err(if too_long { Step::Error(too_big) } else { Step::Incomplete { need: 1 } });
        };
        let line = from + found;
        self.searched = line - at;
        if line + 1 >= input.len() {
            return Err(Step::Incomplete { need: 1 });
        }
        self.searched = 0;
        Ok(line)
    }

    /// A line typed by hand. A NUL hides the end of its line from Valkey, so such a line never ends but by its length.
    #[cold]
    fn line(&mut self, input: &[u8], limits: &Limits) -> Step {
        let window = &input[..input.len().min(LINE_BYTES_MAX + 1)];
        let stop = memchr2(b'\n', 0, &window[self.searched..]).map(|found| self.searched + found);
        let Some(newline) = stop.filter(|&stop| window[stop] == b'\n') else {
            self.searched = stop.unwrap_or(window.len());
            let too_long = window.len() > LINE_BYTES_MAX;
            return if too_long { Step::Error(ProtocolError::BigInline) } else { Step::Incomplete { need: 1 } };
        };
        let line = &input[..newline];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.inline_text.clear();
        self.inline_spans.clear();
        self.inline_text.shrink_to(KEPT_CAPACITY_MAX);
        self.inline_spans.shrink_to(KEPT_CAPACITY_MAX);
        if !split_line(line, &mut self.inline_text, &mut self.inline_spans) {
            return Step::Error(ProtocolError::UnbalancedQuotes);
        }
        if limits.primary && !line.is_empty() {
            return Step::Error(ProtocolError::InlineFromPrimary);
        }
        let end = newline + 1;
        self.finish(if self.inline_spans.is_empty() { Step::Empty { end } } else { Step::Inline { end } })
    }

    /// Ready for the next request.
    fn finish(&mut self, step: Step) -> Step {
        debug_assert!(self.left == 0 && self.held.is_empty() && self.bulk.is_none());
        self.at = 0;
        self.searched = 0;
        step
    }
}

/// The plain form of an argument's length, as nearly every client sends it.
#[inline]
fn short_bulk_length(input: &[u8], at: usize, limits: &Limits) -> Option<(usize, usize)> {
    if *input.get(at)? != b'$' {
        return None;
    }
    let (len, start) = short_number(input, at + 1)?;
    let max = if limits.authenticated { limits.bulk_bytes_max } else { limits.bulk_bytes_max.min(UNAUTHENTICATED_BULK_BYTES_MAX) };
    (len as u64 <= max && start + len <= REQUEST_BYTES_MAX - 2).then_some((len, start))
}

/// A number of at most eight digits with its CR LF, and where the next line begins. Anything else, right or wrong, is
/// left to the slow way, which knows every reason.
#[inline]
fn short_number(input: &[u8], start: usize) -> Option<(usize, usize)> {
    let first = input.get(start)?.wrapping_sub(b'0');
    if first > 9 {
        return None;
    }
    let mut value = first as usize;
    let mut at = start + 1;
    loop {
        let byte = *input.get(at)?;
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (byte == b'\r' && *input.get(at + 1)? == b'\n').then_some((value, at + 2));
        }
        if value == 0 || at - start >= 8 {
            return None;
        }
        value = value * 10 + digit as usize;
        at += 1;
    }
}

/// Whether a command's name shows that a browser was made to talk to us: `POST`, or the `Host:` header of any request.
/// Valkey closes such a connection without an answer, and logs it as an attack at most once a minute.
pub fn is_cross_protocol(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}
