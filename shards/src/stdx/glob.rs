//! Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET and ACL rules understand them.
//!
//! `*` any run of bytes, `?` one byte, `[abc]` `[a-z]` `[^a]` one byte of a class (a range may stand backwards), `\` takes
//! the next byte literally. The corners are those of Valkey's matcher, which clients can see: a class left open ends
//! with the pattern, `*` does not match the empty string unless something was matched before it, ranges compare bytes as
//! signed, an escape inside a class ignores `nocase`, and more than [`STARS_MAX`] stars match nothing.
//!
//! Every element but `*` consumes exactly one byte. So when a run fails after a `*`, only the start of that run has to
//! move: an earlier `*` taking more could not help, as it would leave less to the later one. One place to come back to
//! instead of a stack: `a*a*a*a*b` costs pattern times text at the most, never more.

/// Stars (runs of them) a pattern may have before it matches nothing: Valkey's guard against deep recursion.
pub const STARS_MAX: usize = 1000;

/// True if `pattern` matches all of `text`; `nocase` compares ASCII letters regardless of case.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    let (mut stars, mut back) = (0, None);
    loop {
        if t == text.len() {
            // Elements left over cannot match: starting the run later leaves it even fewer bytes.
            return skip_stars(pattern, p) == pattern.len();
        }
        if pattern.get(p) == Some(&b'*') {
            p = skip_stars(pattern, p);
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > STARS_MAX {
                return false;
            }
            back = Some((p, t));
            continue;
        }
        if p < pattern.len() {
            let (matched, len) = element(&pattern[p..], text[t], nocase);
            if matched {
                p += len;
                t += 1;
                continue;
            }
        }
        let Some((run, start)) = back else { return false };
        back = Some((run, start + 1));
        (p, t) = (run, start + 1);
    }
}

/// True if the pattern has no special byte, so that it matches one text at the most: itself.
pub fn is_literal(pattern: &[u8]) -> bool {
    !pattern.iter().any(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'))
}

fn skip_stars(pattern: &[u8], from: usize) -> usize {
    from + pattern[from..].iter().take_while(|b| **b == b'*').count()
}

/// Whether the first element of `pattern` (not a star) matches `byte`, and how long it is.
fn element(pattern: &[u8], byte: u8, nocase: bool) -> (bool, usize) {
    match pattern[0] {
        b'?' => (true, 1),
        b'[' => class(pattern, byte, nocase),
        b'\\' if pattern.len() >= 2 => (same(pattern[1], byte, nocase), 2),
        literal => (same(literal, byte, nocase), 1),
    }
}

/// The class at the start of `pattern`: whether it holds `byte`, and its length with both brackets.
fn class(pattern: &[u8], byte: u8, nocase: bool) -> (bool, usize) {
    let negated = pattern.get(1) == Some(&b'^');
    let mut at = 1 + usize::from(negated);
    let mut found = false;
    loop {
        let rest = &pattern[at.min(pattern.len())..];
        match rest {
            [] => break,
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [from, b'-', to, ..] => {
                found |= in_range(*from, *to, byte, nocase);
                at += 3;
            }
            [one, ..] => {
                found |= same(*one, byte, nocase);
                at += 1;
            }
        }
    }
    (found != negated, at)
}

fn in_range(from: u8, to: u8, byte: u8, nocase: bool) -> bool {
    let signed = |b: u8| if nocase { b.to_ascii_lowercase() as i8 } else { b as i8 };
    // The ends are put in order before they are lowered: `[Z-a]` and `[a-Z]` are one range with nocase, but an odd one.
    let (low, high) = if from as i8 > to as i8 { (to, from) } else { (from, to) };
    (signed(low)..=signed(high)).contains(&signed(byte))
}

fn same(a: u8, b: u8, nocase: bool) -> bool {
    a == b || nocase && a.eq_ignore_ascii_case(&b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;

    /// The plainest matcher of the same language: recursion over all choices of every star.
    fn naive(pattern: &[u8], text: &[u8], nocase: bool, consumed: bool) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => {
                if text.is_empty() && !consumed {
                    return false;
                }
                (0..=text.len()).any(|n| naive(rest, &text[n..], nocase, true))
            }
            _ if text.is_empty() => false,
            _ => {
                let (matched, len) = element(pattern, text[0], nocase);
                matched && naive(&pattern[len..], &text[1..], nocase, true)
            }
        }
    }

    #[test]
    fn it_agrees_with_a_matcher_that_tries_everything() {
        let mut rng = Prng::new(11);
        let mut word = |alphabet: &[u8], max: u64| -> Vec<u8> {
            (0..rng.below(max + 1)).map(|_| alphabet[rng.below(alphabet.len() as u64) as usize]).collect()
        };
        let mut matched = 0;
        for i in 0..200_000 {
            let pattern = word(b"ab*?[]^-\\cAB\xff", 9);
            let text = word(b"abcAB-]\\\xff", 7);
            let expected = naive(&pattern, &text, i % 2 == 0, false);
            assert_eq!(matches(&pattern, &text, i % 2 == 0), expected, "{:?} {:?}", pattern.escape_ascii(), text.escape_ascii());
            matched += usize::from(expected);
        }
        assert!(matched > 5_000, "{matched}");
    }

    #[test]
    fn corners_are_those_of_valkey() {
        let yes = |p: &str, t: &str| assert!(matches(p.as_bytes(), t.as_bytes(), false), "{p} {t}");
        let no = |p: &str, t: &str| assert!(!matches(p.as_bytes(), t.as_bytes(), false), "{p} {t}");
        yes("", "");
        no("*", "");
        no("**", "");
        yes("a*", "a");
        yes("h[^e]llo", "hallo");
        no("h[^e]llo", "hello");
        yes("[z-a]", "m");
        yes("[^", "x");
        no("[", "x");
        yes("[a", "a");
        no("[]", "]");
        yes("[a-]", "^");
        yes("\\*", "*");
        no("\\*", "x");
        yes("a\\", "a\\");
        yes("*[\\]]", "x]");
        yes("*a*", "xa");
    }

    #[test]
    fn case_is_ignored_except_after_an_escape_in_a_class() {
        assert!(matches(b"HeL[K-M]o", b"hello", true));
        assert!(!matches(b"[\\A]", b"a", true));
        assert!(!matches(b"HELLO", b"hello", false));
    }

    #[test]
    fn a_pattern_made_to_backtrack_is_quick() {
        let pattern = [b"a*".repeat(900), b"b".to_vec()].concat();
        let text = b"a".repeat(50_000);
        assert!(!matches(&pattern, &text, false));
        assert!(matches(&b"a*".repeat(900), &text, false));
    }

    #[test]
    fn too_many_stars_match_nothing() {
        let text = b"a".repeat(3000);
        assert!(matches(&[b"*a".repeat(STARS_MAX), b"*".to_vec()].concat(), &text, false));
        assert!(!matches(&[b"*a".repeat(STARS_MAX + 1), b"*".to_vec()].concat(), &text, false));
    }
}
