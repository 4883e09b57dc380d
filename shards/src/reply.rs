//! Writing a reply: RESP2 or RESP3 straight into the connection's output buffer.
//!
//! A command says what it answers (a map of three pairs, a null, a double); which bytes that takes depends on the
//! protocol the client chose with HELLO, and only this file knows. Nothing is built in between: no value tree, no copy.
//!
//! | said | RESP2 | RESP3 |
//! |---|---|---|
//! | `null` | `$-1` | `_` |
//! | `null_array` | `*-1` | `_` |
//! | `map(n)` | `*2n` | `%n` |
//! | `set(n)` | `*n` | `~n` |
//! | `double` | bulk | `,` |
//! | `bool` | `:1` or `:0` | `#t` or `#f` |
//! | `big_number` | bulk | `(` |
//! | `verbatim` | bulk | `=len` `ext:` |
//! | `push(n)` | `*n` | `>n` |
//! | `attribute(n)` | nothing may be said | `\|n` |
//!
//! When the number of elements is known only at the end, the elements are written first and [`Reply::close_array`] puts
//! the header before them: one move of bytes that are in the cache, where a reserved field would leave blanks or zeros
//! in the header that no Valkey sends.
//!
//! Invariant: a line (simple string, error, big number) never contains CR or LF, whatever text was handed in: a client
//! must not be able to smuggle a second reply into an error message that quotes it.

use crate::stdx::number::{decimal_len, fill_u64, write_f64, write_i64};

/// The protocol version a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resp {
    /// What everyone speaks before HELLO.
    #[default]
    V2,
    /// After `HELLO 3`.
    V3,
}

/// Where an aggregate of yet unknown length begins. Hand it to the `close_` of its kind.
#[derive(Debug)]
#[must_use = "an aggregate without its header breaks the protocol"]
pub struct Deferred {
    at: usize,
}

/// Writes replies at the end of a buffer.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    resp: Resp,
}

impl<'a> Reply<'a> {
    /// Replies in `resp` to the end of `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, resp: Resp) -> Reply<'a> {
        Reply { out, resp }
    }

    /// The protocol version it writes.
    #[inline]
    pub fn resp(&self) -> Resp {
        self.resp
    }

    /// Goes on in another protocol version: the reply of HELLO is the first in the one it asked for.
    pub fn switch(&mut self, resp: Resp) {
        self.resp = resp;
    }

    /// Length of the buffer, to measure a reply or to come back to with [`Reply::rewind`].
    #[inline]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Forgets what was written since `position`: a command that fails half-way answers its error alone.
    #[inline]
    pub fn rewind(&mut self, position: usize) {
        assert!(position <= self.out.len(), "only what was written can be forgotten");
        self.out.truncate(position);
    }

    /// Bytes that are a reply already, from another core or a script.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A status line.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        self.out.push(b'+');
        self.line(text.as_bytes());
    }

    /// An error line; `text` begins with its code, as in `ERR syntax error`.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// An error line that quotes bytes of the client, which need not be UTF-8. Newlines around the text are dropped.
    pub fn error_bytes(&mut self, text: &[u8]) {
        let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
        let start = text.iter().position(is_text).unwrap_or(text.len());
        let end = text.iter().rposition(is_text).map_or(start, |last| last + 1);
        self.out.push(b'-');
        self.line(&text[start..end]);
    }

    /// `text` up to the end of the line; CR and LF inside become blanks.
    #[inline]
    fn line(&mut self, text: &[u8]) {
        let start = self.out.len();
        self.out.extend_from_slice(text);
        for byte in &mut self.out[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        self.out.push(b':');
        write_i64(self.out, value);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A length or a count as an integer.
    #[inline]
    pub fn count(&mut self, value: usize) {
        self.header(b':', value);
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 32);
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer as a string.
    #[inline]
    pub fn bulk_int(&mut self, value: i64) {
        self.header(b'$', decimal_len(value.unsigned_abs()) + usize::from(value < 0));
        write_i64(self.out, value);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A bulk that `write` fills; its length is found afterwards.
    pub fn bulk_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.out.len();
        write(self.out);
        let len = self.out.len() - at;
        self.out.extend_from_slice(b"\r\n");
        self.insert_header(at, b'$', len);
    }

    /// No value.
    #[inline]
    pub fn null(&mut self) {
        self.out.extend_from_slice(if self.resp == Resp::V2 { b"$-1\r\n" } else { b"_\r\n" });
    }

    /// No value where an array was expected.
    #[inline]
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(if self.resp == Resp::V2 { b"*-1\r\n" } else { b"_\r\n" });
    }

    /// True or false.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.resp, value) {
            (Resp::V2, true) => b":1\r\n",
            (Resp::V2, false) => b":0\r\n",
            (Resp::V3, true) => b"#t\r\n",
            (Resp::V3, false) => b"#f\r\n",
        });
    }

    /// A double with the fewest digits that read back as the same.
    pub fn double(&mut self, value: f64) {
        match self.resp {
            Resp::V2 => self.bulk_with(|out| write_f64(out, value)),
            Resp::V3 => {
                self.out.push(b',');
                write_f64(self.out, value);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A double whose text was made elsewhere: coordinates and the like, which print more digits than needed.
    pub fn double_text(&mut self, text: &[u8]) {
        match self.resp {
            Resp::V2 => self.bulk(text),
            Resp::V3 => {
                self.out.push(b',');
                self.line(text);
            }
        }
    }

    /// An integer of any size, given as its digits.
    pub fn big_number(&mut self, digits: &[u8]) {
        match self.resp {
            Resp::V2 => self.bulk(digits),
            Resp::V3 => {
                self.out.push(b'(');
                self.line(digits);
            }
        }
    }

    /// Text for humans with its format, three letters such as `txt`.
    pub fn verbatim(&mut self, ext: &[u8; 3], bytes: &[u8]) {
        if self.resp == Resp::V2 {
            return self.bulk(bytes);
        }
        self.header(b'=', bytes.len() + 4);
        self.out.extend_from_slice(ext);
        self.out.push(b':');
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An array; its `count` elements follow.
    #[inline]
    pub fn array(&mut self, count: usize) {
        self.header(b'*', count);
    }

    /// A map; `pairs` keys and values follow.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        match self.resp {
            Resp::V2 => self.header(b'*', pairs * 2),
            Resp::V3 => self.header(b'%', pairs),
        }
    }

    /// A set; its `count` elements follow.
    #[inline]
    pub fn set(&mut self, count: usize) {
        self.header(if self.resp == Resp::V2 { b'*' } else { b'~' }, count);
    }

    /// A message the client did not ask for; `count` elements follow.
    #[inline]
    pub fn push(&mut self, count: usize) {
        self.header(if self.resp == Resp::V2 { b'*' } else { b'>' }, count);
    }

    /// An attribute of the value to come; `pairs` keys and values follow. RESP2 has none: the caller asks first.
    pub fn attribute(&mut self, pairs: usize) {
        assert!(self.resp == Resp::V3, "RESP2 knows no attributes");
        self.header(b'|', pairs);
    }

    /// Begins an array whose length is not yet known.
    #[inline]
    pub fn deferred_array(&mut self) -> Deferred {
        Deferred { at: self.out.len() }
    }

    /// Begins a map whose length is not yet known.
    #[inline]
    pub fn deferred_map(&mut self) -> Deferred {
        Deferred { at: self.out.len() }
    }

    /// Begins a set whose length is not yet known.
    #[inline]
    pub fn deferred_set(&mut self) -> Deferred {
        Deferred { at: self.out.len() }
    }

    /// Ends a deferred array of `count` elements.
    pub fn close_array(&mut self, mark: Deferred, count: usize) {
        self.insert_header(mark.at, b'*', count);
    }

    /// Ends a deferred map of `pairs` keys and values.
    pub fn close_map(&mut self, mark: Deferred, pairs: usize) {
        match self.resp {
            Resp::V2 => self.insert_header(mark.at, b'*', pairs * 2),
            Resp::V3 => self.insert_header(mark.at, b'%', pairs),
        }
    }

    /// Ends a deferred set of `count` elements.
    pub fn close_set(&mut self, mark: Deferred, count: usize) {
        self.insert_header(mark.at, if self.resp == Resp::V2 { b'*' } else { b'~' }, count);
    }

    /// Puts a string before what was written since `position`: one that is known only afterwards (a cursor).
    pub fn insert_bulk(&mut self, position: usize, bytes: &[u8]) {
        let end = self.out.len();
        assert!(position <= end, "a string goes into what was written");
        self.bulk(bytes);
        let len = self.out.len() - end;
        self.out[position..].rotate_right(len);
    }

    /// `kind`, a number, the end of the line: nearly always one digit, so that one comes first.
    #[inline]
    fn header(&mut self, kind: u8, number: usize) {
        if number < 10 {
            self.out.extend_from_slice(&[kind, b'0' + number as u8, b'\r', b'\n']);
        } else {
            self.long_header(kind, number);
        }
    }

    fn long_header(&mut self, kind: u8, number: usize) {
        let mut text = [0u8; 20];
        let start = fill_u64(&mut text, number as u64);
        self.out.push(kind);
        self.out.extend_from_slice(&text[start..]);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Writes the header behind what it heads, then turns the two round.
    fn insert_header(&mut self, at: usize, kind: u8, number: usize) {
        assert!(at <= self.out.len(), "an aggregate is closed in the buffer it began in");
        let end = self.out.len();
        self.header(kind, number);
        let header_len = self.out.len() - end;
        self.out[at..].rotate_right(header_len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(write: impl Fn(&mut Reply)) -> (String, String) {
        let text = |resp| {
            let mut out = Vec::new();
            write(&mut Reply::new(&mut out, resp));
            String::from_utf8(out).unwrap()
        };
        (text(Resp::V2), text(Resp::V3))
    }

    fn expect(write: impl Fn(&mut Reply), v2: &str, v3: &str) {
        assert_eq!(both(write), (v2.to_string(), v3.to_string()));
    }

    #[test]
    fn each_kind_is_spelt_in_both_protocols() {
        expect(|r| r.ok(), "+OK\r\n", "+OK\r\n");
        expect(|r| r.int(-42), ":-42\r\n", ":-42\r\n");
        expect(|r| r.count(1234), ":1234\r\n", ":1234\r\n");
        expect(|r| r.bulk(b"0123456789"), "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n");
        expect(|r| r.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n");
        expect(|r| r.bulk_int(i64::MIN), "$20\r\n-9223372036854775808\r\n", "$20\r\n-9223372036854775808\r\n");
        expect(|r| r.null(), "$-1\r\n", "_\r\n");
        expect(|r| r.null_array(), "*-1\r\n", "_\r\n");
        expect(|r| r.bool(true), ":1\r\n", "#t\r\n");
        expect(|r| r.bool(false), ":0\r\n", "#f\r\n");
        expect(|r| r.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
        expect(|r| r.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
        expect(|r| r.double_text(b"13.5000"), "$7\r\n13.5000\r\n", ",13.5000\r\n");
        expect(|r| r.big_number(b"12345678901234567890"), "$20\r\n12345678901234567890\r\n", "(12345678901234567890\r\n");
        expect(|r| r.verbatim(b"txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
        expect(|r| r.map(12), "*24\r\n", "%12\r\n");
        expect(|r| r.set(3), "*3\r\n", "~3\r\n");
        expect(|r| r.push(3), "*3\r\n", ">3\r\n");
    }

    #[test]
    fn a_quoted_newline_cannot_end_an_error() {
        expect(|r| r.error("ERR unknown 'a\r\n+OK'"), "-ERR unknown 'a  +OK'\r\n", "-ERR unknown 'a  +OK'\r\n");
        expect(|r| r.error("\nERR b\r\n\n"), "-ERR b\r\n", "-ERR b\r\n");
        expect(|r| r.error("\r\n"), "-\r\n", "-\r\n");
    }

    #[test]
    fn deferred_headers_nest() {
        let write = |r: &mut Reply| {
            r.int(7);
            let outer = r.deferred_array();
            r.bulk(b"a");
            let inner = r.deferred_map();
            r.bulk(b"k");
            r.bulk(b"v");
            r.close_map(inner, 1);
            r.close_array(outer, 2);
        };
        expect(write, ":7\r\n*2\r\n$1\r\na\r\n*2\r\n$1\r\nk\r\n$1\r\nv\r\n", ":7\r\n*2\r\n$1\r\na\r\n%1\r\n$1\r\nk\r\n$1\r\nv\r\n");
    }

    #[test]
    fn a_failed_command_leaves_only_its_error() {
        let write = |r: &mut Reply| {
            r.ok();
            let start = r.position();
            r.array(3);
            r.rewind(start);
            r.error("ERR no");
        };
        expect(write, "+OK\r\n-ERR no\r\n", "+OK\r\n-ERR no\r\n");
    }
}
