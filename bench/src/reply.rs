//! Skims replies: finds where each one ends, and whether it is an error, and looks at nothing else.
//!
//! The load generator must spend less on a reply than the server did, so there is no tree of values: only a count of
//! values still to come. A header line is read; a length says how many bytes to jump over; an aggregate adds its
//! elements to the count; when the count is zero, one reply has ended. No stack, no allocation, no recursion, and a
//! reply may be cut at any byte: the skimmer goes on where it stopped. All types of RESP2 and RESP3 are known; the
//! streamed ones (`$?`, `*?`), which no server of this family sends, are refused by name.
//!
//! Pushes (`>`) are out of band: they are skimmed but answer no request. An attribute (`|`) belongs to the value that
//! follows it.
//!
//! Invariant: `values_left` is at least one while a reply is open, and `skip` bytes belong to its current value.

use std::fmt;

/// A header line longer than this is no reply of a sane server.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Valkey's own limit of a bulk is 512 MiB by default and configurable; this catches garbage.
const LENGTH_MAX: i64 = 1 << 40;

/// One whole reply, as much of it as the load generator wants to know.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The text of an error reply, without its sign.
    pub error: Option<&'a [u8]>,
    /// The bytes of a string reply when capturing was asked for; `None` for nil and for everything else.
    pub string: Option<&'a [u8]>,
}

/// What came was no RESP.
#[derive(Debug, PartialEq, Eq)]
pub struct ProtocolError(String);

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a RESP reply: {}", self.0)
    }
}

/// Finds the ends of replies in a stream of bytes.
#[derive(Debug)]
pub struct Skimmer {
    /// Values to come until the open reply ends; one between replies.
    values_left: u64,
    /// Bytes of a bulk (with its CR LF) still to jump over.
    skip: u64,
    /// The start of a header line that was cut.
    line: Vec<u8>,
    /// The type byte of the open reply, zero before its first header.
    kind: u8,
    /// Keep the bytes of strings.
    capture: bool,
    /// Bytes kept of the open reply: an error's text or a string.
    kept: Vec<u8>,
    keeping: bool,
}

impl Skimmer {
    /// A skimmer at the start of a stream; `capture` keeps string replies for checking.
    pub fn new(capture: bool) -> Skimmer {
        Skimmer { values_left: 1, skip: 0, line: Vec::new(), kind: 0, capture, kept: Vec::new(), keeping: false }
    }

    /// Takes the next bytes of the stream and calls `on_reply` for each reply that ends in them.
    pub fn feed(&mut self, mut input: &[u8], mut on_reply: impl FnMut(Reply<'_>)) -> Result<(), ProtocolError> {
        while !input.is_empty() {
            if self.skip > 0 {
                let take = self.skip.min(input.len() as u64) as usize;
                if self.keeping {
                    self.kept.extend_from_slice(&input[..take]);
                }
                self.skip -= take as u64;
                input = &input[take..];
                if self.skip == 0 {
                    self.end_value(&mut on_reply);
                }
                continue;
            }
            let Some(end) = memchr::memchr(b'\n', input) else {
                self.line.extend_from_slice(input);
                return if self.line.len() > LINE_BYTES_MAX { Err(bad("a line without end", &self.line)) } else { Ok(()) };
            };
            let (head, rest) = input.split_at(end + 1);
            input = rest;
            if self.line.is_empty() {
                self.on_line(head, &mut on_reply)?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(head);
                self.on_line(&line, &mut on_reply)?;
                line.clear();
                self.line = line;
            }
        }
        Ok(())
    }

    /// True between two replies.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.kind == 0 && self.line.is_empty()
    }

    fn on_line(&mut self, line: &[u8], on_reply: &mut impl FnMut(Reply<'_>)) -> Result<(), ProtocolError> {
        let [kind, text @ .., b'\r', b'\n'] = line else { return Err(bad("a line without CR LF", line)) };
        let top = self.kind == 0;
        if top && *kind != b'|' {
            self.kind = *kind;
        }
        match kind {
            b'+' | b':' | b',' | b'(' | b'#' | b'_' | b'-' => {
                if top && (*kind == b'-' || (*kind == b'+' && self.capture)) {
                    self.kept.extend_from_slice(text);
                    self.keeping = true;
                }
                self.end_value(on_reply);
            }
            b'$' | b'!' | b'=' => match length(text, line)? {
                None => self.end_value(on_reply),
                Some(n) => {
                    self.keeping = top && (*kind == b'!' || self.capture);
                    self.skip = n + 2;
                }
            },
            b'*' | b'~' | b'>' => self.open(length(text, line)?.unwrap_or(0), on_reply),
            b'%' => self.open(length(text, line)?.unwrap_or(0) * 2, on_reply),
            b'|' => self.values_left += length(text, line)?.unwrap_or(0) * 2,
            _ => return Err(bad("an unknown type", line)),
        }
        if self.values_left as i64 > LENGTH_MAX {
            return Err(bad("too many elements", line));
        }
        // The pairs of an attribute before the first header must not pass for the reply's own type.
        if top && *kind == b'|' && self.values_left > 1 {
            self.kind = b'|';
        }
        Ok(())
    }

    /// An aggregate of `n` elements stands for one value.
    fn open(&mut self, n: u64, on_reply: &mut impl FnMut(Reply<'_>)) {
        self.values_left += n;
        self.end_value(on_reply);
    }

    fn end_value(&mut self, on_reply: &mut impl FnMut(Reply<'_>)) {
        debug_assert!(self.values_left > 0, "a value ended where none was open");
        self.values_left -= 1;
        if self.kind == b'|' && self.values_left == 1 {
            self.kind = 0; // the attribute is over, its value comes now
            return;
        }
        if self.values_left > 0 {
            return;
        }
        let kind = std::mem::take(&mut self.kind);
        self.values_left = 1;
        if kind != b'>' {
            let kept = match kind {
                b'$' | b'!' | b'=' if self.keeping => &self.kept[..self.kept.len() - 2],
                _ => &self.kept[..],
            };
            let is_error = kind == b'-' || kind == b'!';
            on_reply(Reply {
                error: is_error.then_some(kept),
                string: (!is_error && self.keeping).then_some(kept),
            });
        }
        if self.keeping {
            self.kept.clear();
            self.keeping = false;
        }
    }
}

/// A length: digits, or -1 for RESP2's nil.
fn length(text: &[u8], line: &[u8]) -> Result<Option<u64>, ProtocolError> {
    if text == b"-1" {
        return Ok(None);
    }
    if text == b"?" {
        return Err(bad("streamed types are not supported", line));
    }
    let mut n: i64 = 0;
    for &digit in text {
        if !digit.is_ascii_digit() || n > LENGTH_MAX / 10 {
            return Err(bad("a bad length", line));
        }
        n = n * 10 + i64::from(digit - b'0');
    }
    if text.is_empty() { Err(bad("a bad length", line)) } else { Ok(Some(n as u64)) }
}

fn bad(what: &str, line: &[u8]) -> ProtocolError {
    ProtocolError(format!("{what}: {}", line[..line.len().min(60)].escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Vec<(Option<String>, Option<String>)>;

    fn text(bytes: Option<&[u8]>) -> Option<String> {
        bytes.map(|b| String::from_utf8_lossy(b).into_owned())
    }

    fn skim(pieces: &[&[u8]]) -> Result<Seen, ProtocolError> {
        let mut skimmer = Skimmer::new(true);
        let mut seen = Vec::new();
        for piece in pieces {
            skimmer.feed(piece, |r| seen.push((text(r.error), text(r.string))))?;
        }
        assert!(skimmer.is_idle(), "a reply was left open");
        Ok(seen)
    }

    const EVERY_TYPE: &[u8] = b"+OK\r\n-ERR no\r\n:12\r\n$5\r\nhe\r\no\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n\
        *3\r\n:1\r\n*2\r\n$1\r\na\r\n-nested\r\n$-1\r\n_\r\n#t\r\n,1.5\r\n(123456789012345678901\r\n!7\r\nERR big\r\n\
        =7\r\ntxt:abc\r\n%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n~2\r\n:1\r\n:2\r\n>2\r\n+message\r\n$2\r\nhi\r\n\
        |1\r\n+ttl\r\n:7\r\n$3\r\nval\r\n|0\r\n+end\r\n*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n%0\r\n";

    fn expected() -> Seen {
        let plain = (None, None);
        let error = |s: &str| (Some(s.to_string()), None);
        let string = |s: &str| (None, Some(s.to_string()));
        vec![
            string("OK"), error("ERR no"), plain.clone(), string("he\r\no"), plain.clone(), plain.clone(), plain.clone(),
            string(""), plain.clone(), plain.clone(), plain.clone(), plain.clone(), plain.clone(), error("ERR big"),
            string("txt:abc"), plain.clone(), plain.clone(), string("val"), string("end"), plain.clone(), plain,
        ]
    }

    #[test]
    fn every_type_is_one_reply_and_pushes_are_none() {
        assert_eq!(skim(&[EVERY_TYPE]).expect("valid"), expected());
    }

    #[test]
    fn a_stream_may_be_cut_at_every_byte() {
        for at in 0..=EVERY_TYPE.len() {
            let (a, b) = EVERY_TYPE.split_at(at);
            assert_eq!(skim(&[a, b]).expect("valid"), expected(), "cut at {at}");
        }
        let bytes: Vec<&[u8]> = EVERY_TYPE.chunks(1).collect();
        assert_eq!(skim(&bytes).expect("valid"), expected());
    }

    #[test]
    fn without_capture_only_errors_are_kept() {
        let mut skimmer = Skimmer::new(false);
        let mut seen = Vec::new();
        skimmer.feed(b"$3\r\nabc\r\n-ERR x\r\n+OK\r\n", |r| seen.push((text(r.error), text(r.string)))).expect("valid");
        assert_eq!(seen, [(None, None), (Some("ERR x".into()), None), (None, None)]);
    }

    #[test]
    fn garbage_is_refused_and_not_waited_for() {
        let lengths = [&b"$x\r\n"[..], b"$-2\r\n", b"*99999999999999999999\r\n", b"$?\r\n", b"$\r\n"];
        let lines = [&b"HTTP/1.1 200 OK\r\n"[..], b"+no cr\n", b"\r\n"];
        for garbage in lengths.into_iter().chain(lines) {
            assert!(skim(&[garbage]).is_err(), "{}", garbage.escape_ascii());
        }
        assert!(skim(&[&vec![b'+'; LINE_BYTES_MAX + 1]]).is_err());
    }
}
