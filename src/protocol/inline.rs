//! Lines typed by hand: `SET key "a value"`.
//!
//! Words are separated by blanks. Inside double quotes `\n \r \t \b \a`, `\xHH` and a backslash before any other byte are
//! escapes; inside single quotes only `\'` is. Quotes may open and close in the middle of a word, the parts join up.
//! A quote left open is an error.
//!
//! One oddity is Valkey's and kept: an escape needs a byte after it on the line, so a backslash right before the closing
//! quote that ends the line stands for itself, and `"a\"` is the word `a\`.

use shards::args::Span;

/// Splits `line` into words: their bytes are appended to `text`, where each lies to `spans`. False when a quote is left
/// open; what was appended then means nothing.
#[must_use]
pub fn split_line(line: &[u8], text: &mut Vec<u8>, spans: &mut Vec<Span>) -> bool {
    let mut rest = line;
    loop {
        let blanks = rest.iter().take_while(|&&byte| is_blank(byte)).count();
        rest = &rest[blanks..];
        if rest.is_empty() {
            return true;
        }
        let start = text.len();
        let Some(consumed) = word(rest, text) else { return false };
        debug_assert!(consumed > 0, "a word moves on, or the line never ends");
        spans.push(Span::new(start, text.len() - start));
        rest = &rest[consumed..];
    }
}

/// What C calls a space. Vertical tab and form feed separate words but do not end one.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Appends the word at the start of `line` to `text`; how many bytes it took, with the blank that ended it.
fn word(line: &[u8], text: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        at += 1;
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Some(at),
            b'"' => at += quoted(&line[at..], b'"', text)?,
            b'\'' => at += quoted(&line[at..], b'\'', text)?,
            _ => text.push(byte),
        }
    }
    Some(at)
}

/// Appends what stands before the closing `quote`; how many bytes that took, with the quote.
fn quoted(line: &[u8], quote: u8, text: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = line.get(at..)?;
        let (byte, taken) = match *rest {
            [] => return None,
            [b'\\', b'x', high, low, _, ..] if quote == b'"' && hex(high).is_some() && hex(low).is_some() => {
                (hex(high)? << 4 | hex(low)?, 4)
            }
            [b'\\', escaped, _, ..] if quote == b'"' => (unescape(escaped), 2),
            [b'\\', b'\'', _, ..] if quote == b'\'' => (b'\'', 2),
            [byte, ..] if byte == quote => return Some(at + 1),
            [byte, ..] => (byte, 1),
        };
        text.push(byte);
        at += taken;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
        let (mut text, mut spans) = (Vec::new(), Vec::new());
        split_line(line, &mut text, &mut spans)
            .then(|| spans.iter().map(|span| text[span.start as usize..span.end()].to_vec()).collect())
    }

    fn expect(line: &str, expected: &[&[u8]]) {
        let expected: Vec<Vec<u8>> = expected.iter().map(|word| word.to_vec()).collect();
        assert_eq!(words(line.as_bytes()), Some(expected), "{line:?}");
    }

    #[test]
    fn blanks_separate_words() {
        expect("", &[]);
        expect(" \t\r\x0b\x0c ", &[]);
        expect("  SET\tkey  value ", &[b"SET", b"key", b"value"]);
        expect("a\x0bb c", &[b"a\x0bb", b"c"]);
    }

    #[test]
    fn double_quotes_know_escapes() {
        expect(r#""a b" "\n\r\t\b\a\\\"\q" x"#, &[b"a b", b"\n\r\t\x08\x07\\\"q", b"x"]);
        expect(r#""\x41\xff\xZZ\x4" x"#, &[b"A\xffxZZx4", b"x"]);
        expect(r#""" ''"#, &[b"", b""]);
    }

    #[test]
    fn single_quotes_know_only_their_own() {
        expect(r#"'a\n\'b "' x"#, &[br#"a\n'b ""#, b"x"]);
    }

    #[test]
    fn quotes_join_the_word_they_touch() {
        expect(r#"a"b c"'d'e f"#, &[b"ab cde", b"f"]);
    }

    #[test]
    fn a_quote_left_open_is_no_line() {
        for line in ["\"", "'", "\"a", "a '", r#""a\" b"#, r#""\x41"#, r"'a\' b"] {
            assert_eq!(words(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn a_backslash_before_the_last_quote_of_a_line_stands_for_itself() {
        expect(r#""a\""#, &[br"a\"]);
        expect(r"'a\'", &[br"a\"]);
    }
}
