//! Glob patterns over names: `*`, `?`, `[a-c]`, `[^x]` and a backslash before a literal.
//!
//! A `*` remembers where it stood, and on a mismatch only the last one is tried again; so time is bounded by pattern
//! times text, whatever the pattern.

/// Whether `text` as a whole fits `pattern`; `nocase` treats ASCII letters alike.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p + 1, t));
            p += 1;
            continue;
        }
        if t == text.len() && p == pattern.len() {
            return true;
        }
        if t < text.len()
            && let Some(next) = one(&pattern[p..], text[t], nocase)
        {
            p += next;
            t += 1;
            continue;
        }
        match star {
            Some((after, from)) if from < text.len() => {
                star = Some((after, from + 1));
                p = after;
                t = from + 1;
            }
            _ => return false,
        }
    }
}

/// How many bytes of the pattern fit one byte of text; None if they do not.
fn one(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    let fold = |byte: u8| if nocase { byte.to_ascii_lowercase() } else { byte };
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => {
            let (fits, used) = class(rest, fold(byte), fold);
            fits.then_some(used + 1)
        }
        [b'\\', literal, ..] => (fold(*literal) == fold(byte)).then_some(2),
        [literal, ..] => (fold(*literal) == fold(byte)).then_some(1),
    }
}

/// A class after its `[`: whether the byte is in it, and its length. A class left open ends with the pattern.
fn class(pattern: &[u8], byte: u8, fold: impl Fn(u8) -> u8) -> (bool, usize) {
    let negated = pattern.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut fits = false;
    while at < pattern.len() && pattern[at] != b']' {
        match &pattern[at..] {
            [b'\\', literal, ..] => {
                fits |= fold(*literal) == byte;
                at += 2;
            }
            [first, b'-', last, ..] => {
                let (first, last) = (fold(*first), fold(*last));
                fits |= (first.min(last)..=first.max(last)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                fits |= fold(*literal) == byte;
                at += 1;
            }
            [] => break,
        }
    }
    (fits != negated, (at + 1).min(pattern.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("a*c", "abcbc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[^a]x", "ax", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("*memory*", "maxmemory-policy", true),
            ("", "", true),
            ("", "a", false),
            ("[", "a", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), false), fits, "{pattern} {text}");
        }
        assert!(matches(b"MAX*", b"maxmemory", true));
        assert!(!matches(b"MAX*", b"maxmemory", false));
    }

    #[test]
    fn patterns_made_to_backtrack_end_soon() {
        let pattern = b"a*".repeat(200);
        let text = vec![b'a'; 2000];
        assert!(matches(&pattern, &text, false));
        assert!(!matches(&[pattern, b"b".to_vec()].concat(), &text, false));
    }
}
