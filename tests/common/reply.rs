//! Replies of RESP2 and RESP3, parsed strictly: anything a server must not send is a panic that shows the bytes.
//!
//! A reply can be compared with a text: `OK` and bulk strings as they are, `:1` an integer, `-ERR ...` an error,
//! `(nil)` any null, `[a :1 (nil)]` an array, `{k=v}` a map, `<a b>` a set, `,1.5` a double, `#t` a boolean.

use std::fmt;

/// One reply.
#[derive(Clone, PartialEq)]
pub enum Reply {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    /// `$-1`, and `_` of RESP3.
    Nil,
    /// `*-1`.
    NilArray,
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    Double(String),
    Bool(bool),
    BigNumber(String),
    Verbatim(Vec<u8>),
}

impl Reply {
    /// The reply at the start of `bytes` and its length; `None` if it is not all there yet.
    pub fn parse(bytes: &[u8]) -> Option<(Reply, usize)> {
        let mut at = 0;
        let reply = parse(bytes, &mut at)?;
        Some((reply, at))
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    pub fn int(&self) -> i64 {
        match self {
            Reply::Int(n) => *n,
            other => panic!("an integer was expected, not {other:?}"),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Reply::Bulk(bytes) | Reply::Verbatim(bytes) => bytes,
            Reply::Simple(text) => text.as_bytes(),
            other => panic!("a string was expected, not {other:?}"),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub fn array(&self) -> &[Reply] {
        match self {
            Reply::Array(all) | Reply::Set(all) | Reply::Push(all) => all,
            other => panic!("an array was expected, not {other:?}"),
        }
    }
}

fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a str> {
    let rest = &bytes[*at..];
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let text = std::str::from_utf8(&rest[..end]).unwrap_or_else(|_| panic!("a line of text: {:?}", &rest[..end]));
    assert!(!text.contains(['\r', '\n']), "a line holds no line ends: {text:?}");
    *at += end + 2;
    Some(text)
}

fn many(bytes: &[u8], at: &mut usize, count: usize) -> Option<Vec<Reply>> {
    (0..count).map(|_| parse(bytes, at)).collect()
}

fn parse(bytes: &[u8], at: &mut usize) -> Option<Reply> {
    let kind = *bytes.get(*at)?;
    *at += 1;
    let text = line(bytes, at)?;
    let number = || text.parse::<i64>().unwrap_or_else(|_| panic!("a number behind {:?}: {text:?}", kind as char));
    let count = || usize::try_from(number()).expect("counts are not negative");
    Some(match kind {
        b'+' => Reply::Simple(text.to_owned()),
        b'-' => Reply::Error(text.to_owned()),
        b':' => Reply::Int(number()),
        b'$' | b'*' if text == "-1" => if kind == b'$' { Reply::Nil } else { Reply::NilArray },
        b'$' | b'=' => {
            let end = *at + count();
            if bytes.len() < end + 2 {
                return None;
            }
            assert_eq!(&bytes[end..end + 2], b"\r\n", "a bulk string ends where it said");
            let content = bytes[*at..end].to_vec();
            *at = end + 2;
            if kind == b'$' { Reply::Bulk(content) } else { Reply::Verbatim(content) }
        }
        b'*' => Reply::Array(many(bytes, at, count())?),
        b'~' => Reply::Set(many(bytes, at, count())?),
        b'>' => Reply::Push(many(bytes, at, count())?),
        b'%' => {
            let all = many(bytes, at, 2 * count())?;
            Reply::Map(all.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
        }
        b'_' => Reply::Nil,
        b',' => Reply::Double(text.to_owned()),
        b'#' => Reply::Bool(match text {
            "t" => true,
            "f" => false,
            _ => panic!("a boolean, not {text:?}"),
        }),
        b'(' => Reply::BigNumber(text.to_owned()),
        _ => panic!("no reply begins like this: {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)])),
    })
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, open: char, all: &[Reply], close: char| {
            let texts: Vec<String> = all.iter().map(Reply::to_string).collect();
            write!(f, "{open}{}{close}", texts.join(" "))
        };
        match self {
            Reply::Simple(text) => f.write_str(text),
            Reply::Error(text) => write!(f, "-{text}"),
            Reply::Int(n) => write!(f, ":{n}"),
            Reply::Bulk(bytes) | Reply::Verbatim(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Reply::Nil | Reply::NilArray => f.write_str("(nil)"),
            Reply::Array(all) => list(f, '[', all, ']'),
            Reply::Set(all) => list(f, '<', all, '>'),
            Reply::Push(all) => list(f, '>', all, ';'),
            Reply::Map(all) => {
                let pairs: Vec<String> = all.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "{{{}}}", pairs.join(" "))
            }
            Reply::Double(text) => write!(f, ",{text}"),
            Reply::Bool(yes) => f.write_str(if *yes { "#t" } else { "#f" }),
            Reply::BigNumber(text) => write!(f, "({text}"),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_string();
        match text.char_indices().nth(400) {
            Some((cut, _)) => write!(f, "{:?}... ({} bytes)", &text[..cut], text.len()),
            None => write!(f, "{text:?}"),
        }
    }
}

impl PartialEq<&str> for Reply {
    fn eq(&self, other: &&str) -> bool {
        let text = self.to_string();
        text == *other
    }
}

impl PartialEq<String> for Reply {
    fn eq(&self, other: &String) -> bool {
        let text = self.to_string();
        text == *other
    }
}
