//! A line into words and back: the quoting of Valkey's configuration files.
//!
//! Words are split at white space. "Double quotes" understand \n \r \t \b \a \xHH and a backslash before anything
//! else; 'single quotes' only \'. Quotes may start in the middle of a word and then go on in the same word. A line
//! whose quotes do not end is no line at all.

/// What may stand between words.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c)
}

/// The words of a line; None when a quote is not closed. As in C, a line ends where a NUL stands.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut rest = line;
    let mut words = Vec::new();
    loop {
        let start = rest.iter().position(|byte| !is_space(*byte)).unwrap_or(rest.len());
        rest = &rest[start..];
        if rest.is_empty() {
            return Some(words);
        }
        let (word, used) = word(rest)?;
        assert!(used > 0 && used <= rest.len());
        words.push(word);
        rest = &rest[used..];
    }
}

/// One word and how many bytes it took.
fn word(line: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b' ' | b'\n' | b'\r' | b'\t' => return Some((out, at + 1)),
            b'"' => at = double_quoted(line, at + 1, &mut out)?,
            b'\'' => at = single_quoted(line, at + 1, &mut out)?,
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Some((out, at))
}

/// Reads up to the closing quote and says where it goes on.
fn double_quoted(line: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        match &line[at..] {
            [] => return None,
            [b'"', ..] => return Some(at + 1),
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                at += 4;
            }
            [b'\\', byte, ..] => {
                out.push(unescape(*byte));
                at += 2;
            }
            [byte, ..] => {
                out.push(*byte);
                at += 1;
            }
        }
    }
}

fn single_quoted(line: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        match &line[at..] {
            [] => return None,
            [b'\'', ..] => return Some(at + 1),
            [b'\\', b'\'', ..] => {
                out.push(b'\'');
                at += 2;
            }
            [byte, ..] => {
                out.push(*byte);
                at += 1;
            }
        }
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// Text in double quotes, so that `split` gives it back.
pub fn quote(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            0x20..=0x7e => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").into_bytes()),
        }
    }
    out.push(b'"');
    out
}

/// Text as it is where that reads back as one word, else in quotes.
pub fn quote_if_needed(text: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !text.is_empty() && text.iter().all(plain) { text.to_vec() } else { quote(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let words = split(line.as_bytes()).expect("the quotes are closed");
        words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect()
    }

    #[test]
    fn white_space_parts_words() {
        assert_eq!(words("  a\tb  c \r"), ["a", "b", "c"]);
        assert!(words(" \t ").is_empty());
    }

    #[test]
    fn double_quotes_understand_escapes() {
        assert_eq!(words(r#"save "" "a b\n\x41\q\"""#), ["save", "", "a b\nAq\""]);
        assert_eq!(words(r#""\xZZ""#), ["xZZ"]);
    }

    #[test]
    fn single_quotes_only_understand_their_own_escape() {
        assert_eq!(words(r"'a\n' 'it\'s'"), [r"a\n", "it's"]);
    }

    #[test]
    fn a_quote_may_stand_within_a_word() {
        assert_eq!(words(r#"a"b c"d 'e'f"#), ["ab cd", "ef"]);
    }

    #[test]
    fn an_open_quote_is_no_line() {
        for line in ["\"abc", "'abc", "a \"b\\", "\"\\\""] {
            assert_eq!(split(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn every_byte_survives_quoting() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(split(&quote(&all)), Some(vec![all]));
        assert_eq!(quote_if_needed(b"plain-1"), b"plain-1");
        assert_eq!(quote_if_needed(b"a b"), b"\"a b\"");
        assert_eq!(quote_if_needed(b""), b"\"\"");
    }
}
