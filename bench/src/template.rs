//! A command as bytes, ready but for its numbers.
//!
//! A request is encoded once, when the run starts; for each send the template is copied behind the others of the
//! pipeline and its placeholders are overwritten in place. Numbers are always twelve digits with leading zeros, so the
//! length of the request never changes (and `key:__rand_int__` is a key of 16 bytes, as in valkey-benchmark):
//!
//! | placeholder | becomes |
//! |---|---|
//! | `__rand_int__` | a key number, drawn anew at each place |
//! | `__rand_1st__` ... `__rand_9th__` | a key number, the same at all places of one request |
//! | `__sequence__` | 0, 1, 2 ... over the whole run |
//! | `__data__` | a value of `--data-size` bytes |
//!
//! Values of one fixed size are baked into the template. Values of a range of sizes, and values that can be checked
//! (`--verify`: a function of seed and key), are written piece by piece; then `__data__` must be a whole argument.
//!
//! Invariant: every patch lies inside its fixed piece.

use crate::keys::KeySource;
use crate::random::{Rng, mix};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Digits of a number placeholder; all number placeholders are exactly this long themselves.
const DIGITS: usize = 12;
const SAME: [&str; 9] = [
    "__rand_1st__", "__rand_2nd__", "__rand_3rd__", "__rand_4th__", "__rand_5th__", "__rand_6th__", "__rand_7th__",
    "__rand_8th__", "__rand_9th__",
];
const _: () = assert!("__rand_int__".len() == DIGITS);

/// How values look: how long, and whether their bytes follow from the key.
#[derive(Clone, Debug)]
pub struct Values {
    smallest: usize,
    largest: usize,
    checked: bool,
    seed: u64,
    /// Random printable bytes, longer than the largest value, of which values are slices.
    pool: Arc<Vec<u8>>,
}

/// Start places of values in the pool.
const POOL_STARTS: u64 = 4096;

impl Values {
    /// Values of `smallest..=largest` bytes; `checked` ones are a function of seed and key.
    pub fn new(smallest: usize, largest: usize, checked: bool, seed: u64) -> Values {
        assert!(smallest <= largest, "a range of sizes upside down");
        let mut rng = Rng::new(mix(seed));
        let pool = (0..largest + POOL_STARTS as usize).map(|_| b'0' + (rng.below(75)) as u8).collect();
        Values { smallest, largest, checked, seed, pool: Arc::new(pool) }
    }

    fn is_fixed(&self) -> bool {
        self.smallest == self.largest && !self.checked
    }

    /// The value that `chance` selects: a random number, or for checked values a hash of the key.
    fn select(&self, chance: u64) -> &[u8] {
        let size = self.smallest + (chance >> 32) as usize % (self.largest - self.smallest + 1);
        let start = (chance % POOL_STARTS) as usize;
        &self.pool[start..start + size]
    }

    /// The value every write of `key` wrote, if values are checked.
    pub fn of_key(&self, key: u64) -> &[u8] {
        self.select(mix(self.seed ^ mix(key)))
    }
}

/// Where one connection's numbers and values come from.
#[derive(Clone, Debug)]
pub struct Draw {
    /// The connection's random stream.
    pub rng: Rng,
    keys: KeySource,
    values: Values,
    sequence: Arc<AtomicU64>,
    same: [Option<u64>; 9],
}

impl Draw {
    /// Draws keys from `keys`, values from `values`; `sequence` is shared by the whole run.
    pub fn new(rng: Rng, keys: KeySource, values: Values, sequence: Arc<AtomicU64>) -> Draw {
        Draw { rng, keys, values, sequence, same: [None; 9] }
    }

    /// How values look in this run.
    pub fn values(&self) -> &Values {
        &self.values
    }

    fn number(&mut self, source: Source) -> u64 {
        match source {
            Source::Random => self.keys.draw(&mut self.rng),
            Source::Same(i) => match self.same[i as usize] {
                Some(n) => n,
                None => *self.same[i as usize].insert(self.keys.draw(&mut self.rng)),
            },
            Source::Sequence => self.sequence.fetch_add(1, Ordering::Relaxed),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Random,
    Same(u8),
    Sequence,
}

#[derive(Clone, Debug)]
enum Piece {
    Fixed { bytes: Vec<u8>, patches: Vec<(usize, Source)> },
    Value,
}

/// A command, encoded, with places for its numbers and values.
#[derive(Clone, Debug)]
pub struct Template {
    /// The name under which its results are shown.
    pub name: String,
    pieces: Vec<Piece>,
    reads_checked: bool,
}

impl Template {
    /// Encodes `arguments`; fails where a placeholder cannot be what it asks for.
    pub fn new(name: &str, arguments: &[String], values: &Values) -> Result<Template, String> {
        let verb = arguments.first().ok_or("a command without a name")?;
        let mut pieces = Vec::new();
        let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
        let seal = |bytes: &mut Vec<u8>, pieces: &mut Vec<Piece>| {
            if !bytes.is_empty() {
                let patches = find_patches(bytes);
                pieces.push(Piece::Fixed { bytes: std::mem::take(bytes), patches });
            }
        };
        for argument in arguments {
            let baked;
            let argument = match argument.as_str() {
                text if values.is_fixed() && text.contains("__data__") => {
                    baked = text.replace("__data__", &String::from_utf8_lossy(values.select(0)));
                    &baked
                }
                "__data__" => {
                    seal(&mut bytes, &mut pieces);
                    pieces.push(Piece::Value);
                    continue;
                }
                text if text.contains("__data__") => {
                    return Err(format!("'{text}': with a range of sizes or --verify, __data__ must be a whole argument"));
                }
                text => text,
            };
            bytes.extend_from_slice(format!("${}\r\n{argument}\r\n", argument.len()).as_bytes());
        }
        seal(&mut bytes, &mut pieces);
        let reads_checked = values.checked && verb.eq_ignore_ascii_case("get");
        Ok(Template { name: name.to_string(), pieces, reads_checked })
    }

    /// A request whose bytes are sent as they are (inline commands).
    pub fn raw(name: &str, bytes: &[u8]) -> Template {
        let pieces = vec![Piece::Fixed { bytes: bytes.to_vec(), patches: Vec::new() }];
        Template { name: name.to_string(), pieces, reads_checked: false }
    }

    /// True for a GET whose reply `--verify` compares.
    pub fn reads_checked(&self) -> bool {
        self.reads_checked
    }

    /// Appends one request to `out`; returns the last key number drawn.
    #[inline]
    pub fn render(&self, out: &mut Vec<u8>, draw: &mut Draw) -> u64 {
        draw.same = [None; 9];
        let mut key = 0;
        for piece in &self.pieces {
            match piece {
                Piece::Fixed { bytes, patches } => {
                    let start = out.len();
                    out.extend_from_slice(bytes);
                    for &(at, source) in patches {
                        key = draw.number(source);
                        write_digits(&mut out[start + at..start + at + DIGITS], key);
                    }
                }
                Piece::Value => {
                    let chance = if draw.values.checked { 0 } else { draw.rng.next() };
                    let values = &draw.values;
                    let value = if values.checked { values.of_key(key) } else { values.select(chance) };
                    out.push(b'$');
                    out.extend_from_slice(value.len().to_string().as_bytes());
                    out.extend_from_slice(b"\r\n");
                    out.extend_from_slice(value);
                    out.extend_from_slice(b"\r\n");
                }
            }
        }
        key
    }
}

/// The number placeholders in encoded bytes. They are overwritten, so they may stay as they are.
fn find_patches(bytes: &[u8]) -> Vec<(usize, Source)> {
    let mut patches = Vec::new();
    let mut at = 0;
    while at + DIGITS <= bytes.len() {
        let source = match &bytes[at..at + DIGITS] {
            b"__rand_int__" => Some(Source::Random),
            b"__sequence__" => Some(Source::Sequence),
            word => SAME.iter().position(|s| s.as_bytes() == word).map(|i| Source::Same(i as u8)),
        };
        match source {
            Some(source) => {
                patches.push((at, source));
                at += DIGITS;
            }
            None => at += 1,
        }
    }
    patches
}

/// Twelve digits, two at a time; larger numbers keep their low digits.
#[inline]
fn write_digits(out: &mut [u8], mut n: u64) {
    const PAIRS: [[u8; 2]; 100] = {
        let mut pairs = [[0; 2]; 100];
        let mut i = 0;
        while i < 100 {
            pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
            i += 1;
        }
        pairs
    };
    for pair in out.chunks_exact_mut(2).rev() {
        pair.copy_from_slice(&PAIRS[(n % 100) as usize]);
        n /= 100;
    }
}

/// Splits a command line into arguments: spaces separate, single or double quotes hold together, a backslash takes
/// the next character as it is.
pub fn split_words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut open, mut quote) = (Vec::new(), String::new(), false, None);
    let mut letters = line.chars();
    while let Some(c) = letters.next() {
        match (c, quote) {
            ('\\', q) if q != Some('\'') => {
                word.push(letters.next().ok_or("a backslash at the end")?);
                open = true;
            }
            (c, Some(q)) if c == q => quote = None,
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) => (quote, open) = (Some(c), true),
            (c, None) if c.is_whitespace() => {
                if open {
                    words.push(std::mem::take(&mut word));
                    open = false;
                }
            }
            (c, None) => {
                word.push(c);
                open = true;
            }
        }
    }
    if quote.is_some() {
        return Err(format!("unbalanced quotes: {line}"));
    }
    if open {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Distribution;

    fn draw(values: &Values) -> Draw {
        Draw::new(Rng::new(5), KeySource::new(Distribution::Uniform, 1000), values.clone(), Arc::default())
    }

    fn render(line: &str, values: &Values, draw: &mut Draw) -> (String, u64) {
        let template = Template::new("x", &split_words(line).expect("words"), values).expect("a template");
        let mut out = Vec::new();
        let key = template.render(&mut out, draw);
        (String::from_utf8(out).expect("text"), key)
    }

    #[test]
    fn a_fixed_command_is_encoded_with_its_value_baked_in() {
        let values = Values::new(3, 3, false, 1);
        let (text, key) = render("SET key:__rand_int__ __data__", &values, &mut draw(&values));
        let data = String::from_utf8_lossy(values.select(0)).into_owned();
        assert_eq!(text, format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:{key:012}\r\n$3\r\n{data}\r\n"));
    }

    #[test]
    fn named_numbers_are_the_same_in_one_request_and_others_are_not() {
        let values = Values::new(1, 1, false, 1);
        let mut draw = draw(&values);
        let (text, _) = render("X __rand_1st__ __rand_1st__ __rand_2nd__ __rand_int__ __sequence__", &values, &mut draw);
        let numbers: Vec<&str> = text.lines().filter(|l| l.len() == DIGITS).collect();
        assert_eq!(numbers.len(), 5);
        assert_eq!(numbers[0], numbers[1]);
        assert_ne!(numbers[1], numbers[2]);
        assert_eq!(numbers[4], "000000000000");
    }

    #[test]
    fn checked_values_follow_from_the_key_alone() {
        let values = Values::new(10, 50, true, 9);
        let (mut a, mut b) = (draw(&values), draw(&values));
        b.rng = Rng::new(1234);
        for _ in 0..100 {
            for draw in [&mut a, &mut b] {
                let (text, key) = render("SET key:__rand_int__ __data__", &values, draw);
                let value = String::from_utf8_lossy(values.of_key(key)).into_owned();
                assert!((10..=50).contains(&value.len()));
                assert!(text.ends_with(&format!("${}\r\n{value}\r\n", value.len())));
            }
        }
    }

    #[test]
    fn a_value_of_changing_size_must_be_a_whole_argument() {
        let values = Values::new(1, 2, false, 9);
        assert!(Template::new("x", &["SET".into(), "a__data__".into()], &values).is_err());
    }

    #[test]
    fn words_are_split_as_a_shell_would() {
        assert_eq!(split_words(r#" a "b c"  'd "e' f\ g "" "#).expect("words"), ["a", "b c", "d \"e", "f g", ""]);
        assert!(split_words("a 'b").is_err());
        assert!(split_words("a\\").is_err());
    }
}
