//! LZF: the small, fast compression of RDB strings and of inner list nodes.
//!
//! ```text
//! | 000LLLLL | bytes |            L + 1 bytes as they are
//! | LLLooooo | oooooooo |         L + 2 bytes again, from o + 1 bytes ago
//! | 111ooooo | LLLLLLLL | oooooooo |   L + 9 bytes again
//! ```
//!
//! The choices of the compressor (which places it remembers, when it gives up) are those of the LibLZF that Valkey
//! embeds, so that what we write is what Valkey would write; anything in this format can be read.
//!
//! A compressor keeps its table of places from one input to the next: places below `base` belong to earlier inputs, so
//! the table, larger than most inputs, is not cleared each time.

/// Places remembered, as a power of two.
const PLACES_LOG: u32 = 16;
/// Longest run of plain bytes.
const PLAIN_MAX: usize = 32;
/// How far back a repetition reaches.
const REACH: usize = 1 << 13;
/// Longest repetition.
const REPEAT_MAX: usize = (1 << 8) + (1 << 3);
/// A byte cannot stand for more than this when decompressed.
const RATIO_MAX: usize = REPEAT_MAX;

/// Compresses; keep it for several inputs.
pub struct Compressor {
    places: Box<[u32]>,
    base: u32,
}

impl Compressor {
    /// A compressor that has seen nothing.
    pub fn new() -> Compressor {
        Compressor { places: vec![0; 1 << PLACES_LOG].into_boxed_slice(), base: 0 }
    }

    /// `input` compressed into less than `max` bytes (or a few less: it gives up early); `None` if that cannot be done.
    pub fn compress(&mut self, input: &[u8], max: usize) -> Option<Vec<u8>> {
        if input.is_empty() || max == 0 || u32::try_from(input.len()).is_err() {
            return None;
        }
        if self.base.checked_add(input.len() as u32 + 1).is_none() {
            self.places.fill(0);
            self.base = 0;
        }
        let out = self.run(input, max);
        self.base += input.len() as u32 + 1;
        out
    }

    fn run(&mut self, input: &[u8], max: usize) -> Option<Vec<u8>> {
        let mut out = Out { bytes: Vec::with_capacity(max.min(input.len()) + 8), plain: 0 };
        out.bytes.push(0);
        let mut i = 0;
        while i + 2 < input.len() {
            let seen = self.swap(input, i);
            let Some(from) = seen.filter(|from| repeats(input, *from, i)) else {
                if out.bytes.len() >= max {
                    return None;
                }
                out.plain(input[i]);
                i += 1;
                continue;
            };
            if out.bytes.len() - usize::from(out.plain == 0) + 4 >= max {
                return None;
            }
            let len = repeat_len(input, from, i);
            out.repeat(len, i - from - 1);
            i += len;
            if i + 2 >= input.len() {
                break;
            }
            self.swap(input, i - 2);
            self.swap(input, i - 1);
        }
        if out.bytes.len() + 3 > max {
            return None;
        }
        input[i..].iter().for_each(|byte| out.plain(*byte));
        out.end_plain();
        Some(out.bytes)
    }

    /// The place where three bytes like those at `i` were last seen, which is `i` from now on.
    #[inline]
    fn swap(&mut self, input: &[u8], i: usize) -> Option<usize> {
        let three = u32::from(input[i]) << 16 | u32::from(input[i + 1]) << 8 | u32::from(input[i + 2]);
        let hash = (three >> (24 - PLACES_LOG)).wrapping_sub(three.wrapping_mul(5)) & ((1 << PLACES_LOG) - 1);
        let slot = &mut self.places[hash as usize];
        let old = std::mem::replace(slot, self.base + i as u32 + 1);
        old.checked_sub(self.base + 1).map(|place| place as usize)
    }
}

impl Default for Compressor {
    fn default() -> Compressor {
        Compressor::new()
    }
}

/// True if the three bytes at `i` can be written as those at `from` again. LibLZF never refers to the first byte.
#[inline]
fn repeats(input: &[u8], from: usize, i: usize) -> bool {
    from > 0 && from < i && i - from - 1 < REACH && input[from..from + 3] == input[i..i + 3]
}

/// How many bytes at `i` are those at `from` again, by LibLZF's count: it stops short of the last bytes of the input when
/// they are near.
fn repeat_len(input: &[u8], from: usize, i: usize) -> usize {
    /// Where the end is farther than this, so many bytes are compared without looking for it.
    const STRIDE: usize = 16;
    let max = (input.len() - i - 2).min(REPEAT_MAX);
    let same = |at: usize| input[from + at] == input[i + at];
    let mut len = 3;
    if max > STRIDE {
        while len < 3 + STRIDE {
            if !same(len) {
                return len;
            }
            len += 1;
        }
    }
    while len < max && same(len) {
        len += 1;
    }
    len
}

/// What is being written; a run of plain bytes is always open, its header of one byte still to be filled in.
struct Out {
    bytes: Vec<u8>,
    plain: usize,
}

impl Out {
    #[inline]
    fn plain(&mut self, byte: u8) {
        self.bytes.push(byte);
        self.plain += 1;
        if self.plain == PLAIN_MAX {
            self.end_plain();
            self.bytes.push(0);
        }
    }

    /// Ends the run; without a byte in it there is none.
    fn end_plain(&mut self) {
        if self.plain == 0 {
            self.bytes.pop();
        } else {
            let header = self.bytes.len() - self.plain - 1;
            self.bytes[header] = self.plain as u8 - 1;
        }
        self.plain = 0;
    }

    fn repeat(&mut self, len: usize, back: usize) {
        debug_assert!((3..=REPEAT_MAX).contains(&len) && back < REACH);
        self.end_plain();
        let more = len - 2;
        if more < 7 {
            self.bytes.push((more << 5 | back >> 8) as u8);
        } else {
            self.bytes.extend_from_slice(&[(7 << 5 | back >> 8) as u8, (more - 7) as u8]);
        }
        self.bytes.extend_from_slice(&[back as u8, 0]);
    }
}

/// The `len` bytes that `input` stands for; `None` if it is damaged or stands for another number of bytes. Memory is
/// asked for only as far as `input` can reach, whatever length was claimed.
pub fn decompress(input: &[u8], len: usize) -> Option<Vec<u8>> {
    if len > input.len().checked_mul(RATIO_MAX)? {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = input;
    while let [control, after @ ..] = rest {
        let high = usize::from(*control >> 5);
        if high == 0 {
            let (plain, after) = after.split_at_checked(usize::from(*control) + 1)?;
            out.extend_from_slice(plain);
            rest = after;
        } else {
            let (more, after) = if high == 7 { after.split_first().map(|(l, a)| (7 + usize::from(*l), a))? } else { (high, after) };
            let (low, after) = after.split_first()?;
            let back = usize::from(*control & 0x1f) << 8 | usize::from(*low);
            repeat(&mut out, back + 1, more + 2, len)?;
            rest = after;
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

/// Appends `count` bytes from `back` bytes ago, which may run into themselves.
fn repeat(out: &mut Vec<u8>, back: usize, count: usize, max: usize) -> Option<()> {
    let from = out.len().checked_sub(back)?;
    if count > max - out.len() {
        return None;
    }
    if back >= count {
        out.extend_from_within(from..from + count);
    } else {
        for i in from..from + count {
            out.push(out[i]);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;

    fn round(compressor: &mut Compressor, input: &[u8]) -> Option<usize> {
        let small = compressor.compress(input, input.len())?;
        assert_eq!(decompress(&small, input.len()).as_deref(), Some(input));
        Some(small.len())
    }

    #[test]
    fn repetitions_are_written_once() {
        let mut compressor = Compressor::new();
        // As LibLZF writes it: two plain bytes, the first of which is never referred to, then one long repetition.
        assert_eq!(compressor.compress(&[b'a'; 40], 36), Some(vec![1, b'a', b'a', 0xe0, 27, 0, 1, b'a', b'a']));
        assert!(round(&mut compressor, &b"hello world, ".repeat(50)).unwrap() < 40);
        assert!(round(&mut compressor, &[0; 100_000]).unwrap() < 1200);
    }

    #[test]
    fn what_does_not_shrink_is_left_alone() {
        let mut compressor = Compressor::new();
        let mut rng = Prng::new(1);
        let noise: Vec<u8> = (0..1000).map(|_| rng.next_u64() as u8).collect();
        assert_eq!(compressor.compress(&noise, noise.len()), None);
        assert_eq!(compressor.compress(b"", 10), None);
        assert_eq!(compressor.compress(b"ab", 0), None);
    }

    #[test]
    fn random_inputs_come_back() {
        let mut compressor = Compressor::new();
        for seed in 0..2000 {
            let mut rng = Prng::new(seed);
            let size = rng.below(15);
            let (len, letters) = (1 + rng.below(1 << size), 1 + rng.below(12));
            let input: Vec<u8> = (0..len).map(|_| rng.below(letters) as u8).collect();
            round(&mut compressor, &input);
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_have_the_length_that_was_said() {
        let mut compressor = Compressor::new();
        let input = b"abcabcabcabcabcdefdefdefdef-0123456789".repeat(4);
        let small = compressor.compress(&input, input.len()).unwrap();
        for cut in 0..small.len() {
            assert_eq!(decompress(&small[..cut], input.len()), None);
        }
        for at in 0..small.len() {
            for value in 0..=255 {
                let mut bytes = small.clone();
                bytes[at] = value;
                assert!(decompress(&bytes, input.len()).is_none_or(|out| out.len() == input.len()));
            }
        }
        assert_eq!(decompress(&small, usize::MAX), None, "a bomb is refused before memory is taken");
        assert_eq!(decompress(&[0x20, 0x00], 3), None, "nothing to repeat yet");
        assert_eq!(decompress(&[], 0), Some(Vec::new()));
    }
}
