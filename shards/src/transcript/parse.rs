//! Text to cases, and replies back to text.

use super::resp::{elements, reply_len};
use crate::reply::Resp;
use crate::stdx::number::parse_i64;

/// One case: calls that start on an empty keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The sentence that names it.
    pub name: String,
    /// Where it starts, counted from 1.
    pub line: usize,
    /// The Valkey version (major, minor) it needs.
    pub since: Option<(u32, u32)>,
    /// It needs commands or settings of the server.
    pub server_only: bool,
    /// It needs the whole keyspace in one shard: what it shows of SCAN's cursors differs otherwise.
    pub one_shard: bool,
    /// What happens.
    pub steps: Vec<Step>,
}

impl Case {
    /// True if it moves the clock, which only a bare shard allows.
    pub fn moves_the_clock(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Advance(_)))
    }
}

/// One step of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The protocol changes.
    Resp(Resp),
    /// So many milliseconds pass.
    Advance(i64),
    /// A call.
    Call(Call),
}

/// A call and what must come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its line, counted from 1.
    pub line: usize,
    /// The arguments.
    pub argv: Vec<Vec<u8>>,
    /// The reply.
    pub expect: Expect,
    /// What it is propagated as, if the transcript says.
    pub propagates: Option<Vec<Vec<Vec<u8>>>>,
    /// Its keyspace events as `name:key`, if the transcript says.
    pub notifies: Option<Vec<Vec<u8>>>,
}

/// What a call must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Exactly these bytes.
    Reply(Vec<u8>),
    /// These elements in any order.
    Unordered(Vec<u8>),
    /// Anything.
    Any,
    /// Not written down yet; a recording runner fills it in.
    Missing,
}

impl Expect {
    /// Compares a reply; the error says what was expected and what came.
    pub fn check(&self, got: &[u8]) -> Result<(), String> {
        let (fits, expected) = match self {
            Expect::Any => return Ok(()),
            Expect::Missing => return Err(format!("no reply is written down; it was:\n{}", show(got))),
            Expect::Reply(reply) => (reply == got, reply),
            Expect::Unordered(reply) => (sorted(reply) == sorted(got), reply),
        };
        if fits { Ok(()) } else { Err(format!("expected:\n{}got:\n{}", show(expected), show(got))) }
    }

    /// How many replies are to come.
    pub fn replies(&self) -> usize {
        let (Expect::Reply(bytes) | Expect::Unordered(bytes)) = self else { return 1 };
        let (mut at, mut count) = (0, 0);
        while let Some(len) = reply_len(&bytes[at..]) {
            at += len;
            count += 1;
        }
        count
    }
}

fn sorted(reply: &[u8]) -> Option<(&[u8], Vec<&[u8]>)> {
    elements(reply).map(|(header, mut parts)| {
        parts.sort_unstable();
        (header, parts)
    })
}

/// Reads a transcript. The error names the line.
pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    let mut reader = Reader { lines: text.lines().collect(), at: 0, next: NextCall::default() };
    let mut cases: Vec<Case> = Vec::new();
    while let Some(line) = reader.take() {
        let number = reader.at;
        if line.trim().is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix("# ") {
            cases.push(Case { name: name.into(), line: number, since: None, server_only: false, one_shard: false, steps: Vec::new() });
            continue;
        }
        let case = cases.last_mut().ok_or(format!("line {number}: a case begins with '# '"))?;
        let result = match line.split_at_checked(2) {
            Some(("> ", call)) => reader.call(call).map(|call| case.steps.push(Step::Call(call))),
            Some(("! ", words)) => reader.directive(words, case),
            _ => Err("neither a case nor a call nor a directive".into()),
        };
        result.map_err(|error| format!("line {number}: {error}"))?;
    }
    Ok(cases)
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    at: usize,
    next: NextCall,
}

/// What directives said about the call to come.
#[derive(Default)]
struct NextCall {
    any: bool,
    unordered: bool,
    propagates: Option<Vec<Vec<Vec<u8>>>>,
    notifies: Option<Vec<Vec<u8>>>,
}

impl<'a> Reader<'a> {
    fn take(&mut self) -> Option<&'a str> {
        let line = self.lines.get(self.at)?;
        self.at += 1;
        Some(line)
    }

    fn call(&mut self, text: &str) -> Result<Call, String> {
        let line = self.at;
        let argv = split_args(text).filter(|argv| !argv.is_empty()).ok_or("unbalanced quotes or no command")?;
        let next = std::mem::take(&mut self.next);
        let reply = self.replies()?;
        let expect = match (next.any, reply.is_empty()) {
            (true, true) => Expect::Any,
            (true, false) => return Err("a reply that may be anything is not written down".into()),
            (false, true) => Expect::Missing,
            (false, false) if next.unordered => Expect::Unordered(reply),
            (false, false) => Expect::Reply(reply),
        };
        Ok(Call { line, argv, expect, propagates: next.propagates, notifies: next.notifies })
    }

    /// The replies that follow a call, up to an empty line or something that starts a new step.
    fn replies(&mut self) -> Result<Vec<u8>, String> {
        let mut replies = Vec::new();
        while self.lines.get(self.at).is_some_and(|line| !line.is_empty() && !starts_step(line)) {
            let mut reply = Vec::new();
            loop {
                let line = self.take().ok_or("the reply does not end")?;
                unescape(line, &mut reply)?;
                reply.extend_from_slice(b"\r\n");
                match reply_len(&reply) {
                    Some(len) if len == reply.len() => break,
                    Some(_) => return Err("a length in the reply is wrong".into()),
                    None => {}
                }
            }
            replies.append(&mut reply);
        }
        Ok(replies)
    }

    fn directive(&mut self, words: &str, case: &mut Case) -> Result<(), String> {
        let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
        match word {
            "any" => self.next.any = true,
            "unordered" => self.next.unordered = true,
            "server" => case.server_only = true,
            "one-shard" => case.one_shard = true,
            "since" => case.since = Some(version(rest).ok_or("since wants a version like 9.0")?),
            "resp" => case.steps.push(Step::Resp(match rest {
                "2" => Resp::V2,
                "3" => Resp::V3,
                _ => return Err("resp wants 2 or 3".into()),
            })),
            "advance" => case.steps.push(Step::Advance(parse_i64(rest.as_bytes()).ok_or("advance wants milliseconds")?)),
            "propagates" => {
                let ops = self.next.propagates.get_or_insert_default();
                if rest != "nothing" {
                    ops.push(split_args(rest).ok_or("unbalanced quotes")?);
                }
            }
            "notifies" => {
                let events = self.next.notifies.get_or_insert_default();
                if rest != "nothing" {
                    events.extend(split_args(rest).ok_or("unbalanced quotes")?);
                }
            }
            _ => return Err(format!("unknown directive {word}")),
        }
        Ok(())
    }
}

fn starts_step(line: &str) -> bool {
    ["> ", "# ", "! "].iter().any(|start| line.starts_with(start))
}

/// The major and minor number at the start of a version.
pub(super) fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn unescape(line: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'\\') => out.push(b'\\'),
            Some(b'x') => {
                let digits = [bytes.next(), bytes.next()].map(|digit| digit.and_then(hex));
                let [Some(high), Some(low)] = digits else { return Err("\\x wants two hex digits".into()) };
                out.push(high << 4 | low);
            }
            _ => return Err("a backslash is written \\\\, other bytes \\xHH".into()),
        }
    }
    Ok(())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// A reply as a transcript writes it: the inverse of what `parse` reads.
pub fn show(reply: &[u8]) -> String {
    let mut text = String::with_capacity(reply.len());
    let mut at = 0;
    while at < reply.len() {
        let line_start = text.is_empty() || text.ends_with('\n');
        match reply[at] {
            b'\r' if reply.get(at + 1) == Some(&b'\n') => {
                text.push('\n');
                at += 1;
            }
            b'\\' => text.push_str("\\\\"),
            // A payload line must not look like the next step.
            byte @ (b'>' | b'#' | b'!') if line_start && reply.get(at + 1) == Some(&b' ') => {
                text.push_str(&format!("\\x{byte:02x}"));
            }
            byte @ 0x20..=0x7e => text.push(byte.into()),
            byte => text.push_str(&format!("\\x{byte:02x}")),
        }
        at += 1;
    }
    text
}

/// Splits a line into arguments as redis-cli does: blanks separate, `"..."` knows `\n \r \t \b \a \xHH`, `'...'` knows
/// `\'`. `None` if quotes are unbalanced or a closing quote is followed by anything but a blank.
pub fn split_args(line: &str) -> Option<Vec<Vec<u8>>> {
    let bytes = line.as_bytes();
    let mut args = Vec::new();
    let mut at = 0;
    loop {
        while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        if at == bytes.len() {
            return Some(args);
        }
        let mut arg = Vec::new();
        while let Some(&byte) = bytes.get(at).filter(|byte| !byte.is_ascii_whitespace()) {
            at += 1;
            if matches!(byte, b'"' | b'\'') {
                at = quoted(bytes, at, byte, &mut arg)?;
                break;
            }
            arg.push(byte);
        }
        args.push(arg);
    }
}

/// Reads up to the closing `quote` and says where to go on.
fn quoted(bytes: &[u8], mut at: usize, quote: u8, arg: &mut Vec<u8>) -> Option<usize> {
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        if byte == quote {
            return bytes.get(at).is_none_or(u8::is_ascii_whitespace).then_some(at);
        }
        let escaped = bytes.get(at).copied().filter(|_| byte == b'\\');
        match escaped {
            Some(b'\'') if quote == b'\'' => arg.push(b'\''),
            Some(letter) if quote == b'"' => {
                let digits = (bytes.get(at + 1).copied().and_then(hex), bytes.get(at + 2).copied().and_then(hex));
                if let (b'x', (Some(high), Some(low))) = (letter, digits) {
                    arg.push(high << 4 | low);
                    at += 2;
                } else {
                    arg.push(match letter {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'a' => 7,
                        other => other,
                    });
                }
            }
            _ => {
                arg.push(byte);
                continue;
            }
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_as_redis_cli_splits_them() {
        let split = |line| split_args(line).map(|args| args.into_iter().map(|a| String::from_utf8(a).unwrap()).collect::<Vec<_>>());
        assert_eq!(split(" SET  a \"1 2\\x41\\n\" 'it\\'s \\x' \"\""), Some(vec!["SET", "a", "1 2A\n", "it's \\x", ""].into_iter().map(String::from).collect()));
        assert_eq!(split("a\"b c\" d"), Some(vec!["ab c".into(), "d".into()]));
        assert_eq!(split("\"a\"b"), None);
        assert_eq!(split("'a"), None);
        assert_eq!(split("\"a\\"), None);
    }

    #[test]
    fn a_reply_survives_being_written_down() {
        let reply = b"*3\r\n$9\r\n> a\\\n\x00\xff\r\n\r\n$0\r\n\r\n-ERR no\r\n";
        let text = format!("# a case\n> X\n{}\n\n> Y\n:1\n", show(reply));
        let cases = parse(&text).unwrap();
        let Step::Call(call) = &cases[0].steps[0] else { panic!() };
        assert_eq!(call.expect, Expect::Reply(reply.to_vec()), "{text}");
        assert_eq!(cases[0].steps.len(), 2);
    }

    #[test]
    fn a_wrong_length_names_its_line() {
        assert_eq!(parse("# a\n> GET a\n$1\nab\n> GET b\n"), Err("line 2: a length in the reply is wrong".into()));
        assert_eq!(parse("> GET a\n"), Err("line 1: a case begins with '# '".into()));
    }

    #[test]
    fn unordered_replies_compare_as_bags() {
        let expect = Expect::Unordered(b"*2\r\n:1\r\n:2\r\n".to_vec());
        assert!(expect.check(b"*2\r\n:2\r\n:1\r\n").is_ok());
        assert!(expect.check(b"*2\r\n:2\r\n:2\r\n").is_err());
        assert!(expect.check(b"*3\r\n:2\r\n:2\r\n:1\r\n").is_err());
    }
}
