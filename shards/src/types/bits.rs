//! Strings as arrays of bits: counting, searching, combining, and integers of any width at any place.
//!
//! Bit 0 is the highest bit of the first byte, as in Valkey. What lies behind the end of a string reads as zero.

/// Number of set bits.
pub fn count(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let whole: u64 = words.by_ref().map(|w| u64::from(u64::from_le_bytes(w.try_into().expect("eight bytes")).count_ones())).sum();
    whole + words.remainder().iter().map(|b| u64::from(b.count_ones())).sum::<u64>()
}

/// Number of set bits from bit `first` to bit `last`, both included and inside the string.
pub fn count_range(bytes: &[u8], first: usize, last: usize) -> u64 {
    assert!(first <= last && last / 8 < bytes.len());
    let before = u64::from((bytes[first / 8] & !(0xff >> (first % 8))).count_ones());
    let after = u64::from((u16::from(bytes[last / 8]) & (0x7f >> (last % 8))).count_ones());
    count(&bytes[first / 8..=last / 8]) - before - after
}

/// The bit at `at`.
#[inline]
pub fn get(bytes: &[u8], at: usize) -> bool {
    bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
}

/// Sets the bit at `at`, inside the string; what it was.
#[inline]
pub fn set(bytes: &mut [u8], at: usize, bit: bool) -> bool {
    let (byte, mask) = (&mut bytes[at / 8], 0x80 >> (at % 8));
    let old = *byte & mask != 0;
    *byte = if bit { *byte | mask } else { *byte & !mask };
    old
}

/// The first bit that is `bit` from bit `first` to bit `last`, both included and inside the string.
pub fn find(bytes: &[u8], first: usize, last: usize, bit: bool) -> Option<usize> {
    assert!(last / 8 < bytes.len());
    let dull = if bit { 0x00 } else { 0xff };
    let mut at = first;
    while at <= last {
        if at.is_multiple_of(8) && bytes[at / 8] == dull {
            at = skip(bytes, at / 8, dull) * 8;
        } else if get(bytes, at) == bit {
            return Some(at);
        } else {
            at += 1;
        }
    }
    None
}

/// The index of the first byte from `from` on that is not `dull`, or the length.
fn skip(bytes: &[u8], from: usize, dull: u8) -> usize {
    const STRIDE: usize = 64;
    let rest = &bytes[from..];
    let strides = rest.chunks_exact(STRIDE).take_while(|stride| stride.iter().fold(0, |d, b| d | (b ^ dull)) == 0).count();
    let at = strides * STRIDE;
    from + at + rest[at..].iter().position(|b| *b != dull).unwrap_or(rest.len() - at)
}

/// What BITOP computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Set where all are.
    And,
    /// Set where one is.
    Or,
    /// Set where an odd number is.
    Xor,
    /// Set where it is not.
    Not,
}

/// Combines strings, as long as the longest of them; shorter ones go on with zeros.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut result = Vec::with_capacity(len);
    result.extend_from_slice(sources.first().copied().unwrap_or_default());
    result.resize(len, 0);
    if operation == Operation::Not {
        result.iter_mut().for_each(|byte| *byte = !*byte);
        return result;
    }
    for source in sources.iter().skip(1) {
        let (common, beyond) = result.split_at_mut(source.len());
        let pairs = common.iter_mut().zip(*source);
        match operation {
            Operation::And => {
                pairs.for_each(|(to, byte)| *to &= byte);
                beyond.fill(0);
            }
            Operation::Or => pairs.for_each(|(to, byte)| *to |= byte),
            Operation::Xor => pairs.for_each(|(to, byte)| *to ^= byte),
            Operation::Not => unreachable!("it was done above"),
        }
    }
    result
}

/// Bytes that hold an integer of up to 64 bits wherever it begins.
const WINDOW: usize = 9;

fn window(bytes: &[u8], offset: usize) -> u128 {
    let from = offset / 8;
    (from..from + WINDOW).fold(0, |window, i| window << 8 | u128::from(bytes.get(i).copied().unwrap_or(0)))
}

/// The unsigned integer of `width` bits (1 to 64) at bit `offset`.
pub fn field(bytes: &[u8], offset: usize, width: u32) -> u64 {
    assert!((1..=64).contains(&width));
    let shift = WINDOW as u32 * 8 - (offset % 8) as u32 - width;
    (window(bytes, offset) >> shift) as u64 & mask(width)
}

/// Writes the low `width` bits of `value` at bit `offset`; the string must reach so far.
pub fn set_field(bytes: &mut [u8], offset: usize, width: u32, value: u64) {
    assert!(offset + width as usize <= bytes.len() * 8, "the string was made long enough");
    let shift = WINDOW as u32 * 8 - (offset % 8) as u32 - width;
    let kept = window(bytes, offset) & !(u128::from(mask(width)) << shift);
    let new = (kept | u128::from(value & mask(width)) << shift).to_be_bytes();
    let to = &mut bytes[offset / 8..];
    let len = to.len().min(WINDOW);
    to[..len].copy_from_slice(&new[16 - WINDOW..16 - WINDOW + len]);
}

/// The same with its highest bit as the sign.
pub fn signed(value: u64, width: u32) -> i64 {
    (value << (64 - width)) as i64 >> (64 - width)
}

fn mask(width: u32) -> u64 {
    u64::MAX >> (64 - width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;

    #[test]
    fn everything_agrees_with_a_list_of_bits() {
        for seed in 0..200 {
            let mut rng = Prng::new(seed);
            let dull = [0x00, 0xff, 0x55][rng.below(3) as usize];
            let mut bytes = vec![dull; 1 + rng.below(300) as usize];
            for _ in 0..rng.below(4) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.next_u64() as u8;
            }
            let bits: Vec<bool> = (0..bytes.len() * 8).map(|i| bytes[i / 8] & (128 >> (i % 8)) != 0).collect();
            let a = rng.below(bits.len() as u64) as usize;
            let (first, last) = (a, a + rng.below((bits.len() - a) as u64) as usize);
            let part = &bits[first..=last];
            assert_eq!(count_range(&bytes, first, last), part.iter().filter(|b| **b).count() as u64, "seed {seed}");
            for bit in [false, true] {
                let expected = part.iter().position(|b| *b == bit).map(|i| first + i);
                assert_eq!(find(&bytes, first, last, bit), expected, "seed {seed}");
            }
            let width = 1 + rng.below(64) as u32;
            let expected = (0..width as usize).fold(0, |n, i| n << 1 | u64::from(*bits.get(first + i).unwrap_or(&false)));
            assert_eq!(field(&bytes, first, width), expected, "seed {seed}");
            if first + width as usize <= bits.len() {
                let value = rng.next_u64();
                set_field(&mut bytes, first, width, value);
                assert_eq!(field(&bytes, first, width), value & mask(width), "seed {seed}");
                let kept = (0..bits.len()).filter(|i| !(first..first + width as usize).contains(i));
                kept.for_each(|i| assert_eq!(get(&bytes, i), bits[i], "seed {seed}"));
            }
        }
    }

    #[test]
    fn shorter_strings_go_on_with_zeros() {
        let sources: &[&[u8]] = &[&[0b1100, 0xff, 7], &[0b1010]];
        assert_eq!(combine(Operation::And, sources), [0b1000, 0, 0]);
        assert_eq!(combine(Operation::Or, sources), [0b1110, 0xff, 7]);
        assert_eq!(combine(Operation::Xor, sources), [0b0110, 0xff, 7]);
        assert_eq!(combine(Operation::Not, &sources[1..]), [!0b1010]);
        assert!(combine(Operation::And, &[b"", b""]).is_empty());
    }
}
