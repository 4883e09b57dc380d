//! The two inner loops of a look-up, sixteen bytes at a time: which tags equal mine, and how many bytes lie before
//! entry i. Every function has a scalar twin, which is what other machines than x86_64 run and what the tests compare with.
#![allow(unsafe_code)] // reason: SSE2 loads take raw pointers

pub(super) use crate::stdx::prefetch::prefetch;

/// How many tags one comparison looks at.
pub(super) const LANES: usize = 16;

/// Bit i is set when `bytes[i] == tag`.
#[inline(always)]
pub(super) fn matches(bytes: &[u8; LANES], tag: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::*;
        // SAFETY: SSE2 is part of every x86_64; the unaligned load reads the 16 bytes of the array and no more.
        unsafe {
            let all = _mm_loadu_si128(bytes.as_ptr().cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(all, _mm_set1_epi8(tag as i8))) as u32
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    matches_scalar(bytes, tag)
}

/// The twin of `matches` for every machine.
#[cfg_attr(target_arch = "x86_64", allow(dead_code))]
pub(super) fn matches_scalar(bytes: &[u8; LANES], tag: u8) -> u32 {
    bytes.iter().enumerate().fold(0, |bits, (i, &b)| bits | (u32::from(b == tag) << i))
}

/// Sixteen bytes from `at` on.
///
/// Not checked in release builds: a leaf is looked at several times per command, and these checks were a fifth of a
/// look-up in the caches. The leaf's layout promises the bytes: see `Leaf::find`.
#[inline(always)]
pub(super) fn lanes(bytes: &[u8], at: usize) -> &[u8; LANES] {
    debug_assert!(at + LANES <= bytes.len(), "sixteen bytes lie in the block");
    // SAFETY: the caller's layout has the bytes inside the slice (asserted above in debug builds); any bytes are valid.
    unsafe { &*bytes.as_ptr().add(at).cast() }
}

/// The sum of `n` bytes from `at` on. Whole lanes are read, as many as hold them.
#[inline(always)]
pub(super) fn sum(bytes: &[u8], at: usize, n: usize) -> usize {
    let mut total = 0;
    let mut done = 0;
    while done < n {
        total += sum_lanes(lanes(bytes, at + done), (n - done).min(LANES));
        done += LANES;
    }
    total
}

/// The sum of the first `n` of sixteen bytes.
#[inline(always)]
fn sum_lanes(bytes: &[u8; LANES], n: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::*;
        // SAFETY: SSE2 is part of every x86_64; the unaligned load reads the 16 bytes of the array and no more.
        unsafe {
            let all = _mm_loadu_si128(bytes.as_ptr().cast());
            let lane = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let kept = _mm_and_si128(all, _mm_cmplt_epi8(lane, _mm_set1_epi8(n as i8)));
            let halves = _mm_sad_epu8(kept, _mm_setzero_si128());
            (_mm_cvtsi128_si32(halves) + _mm_extract_epi16::<4>(halves)) as usize
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    sum_scalar(bytes, n)
}

/// The twin of `sum_lanes` for every machine.
#[cfg_attr(target_arch = "x86_64", allow(dead_code))]
fn sum_scalar(bytes: &[u8; LANES], n: usize) -> usize {
    bytes[..n].iter().map(|&b| usize::from(b)).sum()
}

/// The sum of the first `n` little-endian u16 of `bytes`.
#[inline]
pub(super) fn sum_wide(bytes: &[u8], n: usize) -> usize {
    bytes[..2 * n].chunks_exact(2).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]]))).sum()
}

/// Whether two keys are equal, without the call to memcmp that `==` makes: keys are short.
#[inline(always)]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.len() > 64 {
        return a == b;
    }
    if a.len() < 8 {
        return a.iter().zip(b).all(|(x, y)| x == y);
    }
    let word = |s: Option<&[u8; 8]>| u64::from_le_bytes(*s.expect("there are eight"));
    if a.len() <= 16 {
        return word(a.first_chunk()) == word(b.first_chunk()) && word(a.last_chunk()) == word(b.last_chunk());
    }
    let wide = |s: &[u8]| s.first_chunk().map(|x| u128::from_le_bytes(*x));
    let mut blocks = a.chunks_exact(16).zip(b.chunks_exact(16));
    blocks.all(|(x, y)| wide(x) == wide(y)) && a.last_chunk::<16>() == b.last_chunk::<16>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_equals_its_scalar_twin() {
        let mut bytes = [0u8; LANES];
        for round in 0..4096u32 {
            for (i, b) in bytes.iter_mut().enumerate() {
                *b = (round.wrapping_mul(2_654_435_761) >> (i % 24)) as u8 & 7;
            }
            for tag in 0..9 {
                assert_eq!(matches(&bytes, tag), matches_scalar(&bytes, tag));
            }
        }
    }

    #[test]
    fn sum_counts_the_first_n_bytes_only() {
        let bytes: Vec<u8> = (0..250u32).map(|i| (i * 37 % 256) as u8).collect();
        for at in 0..40 {
            for n in 0..=190 {
                let plain: usize = bytes[at..at + n].iter().map(|&b| usize::from(b)).sum();
                assert_eq!(sum(&bytes, at, n), plain, "at {at} n {n}");
            }
        }
        assert_eq!(sum(&[255; 64], 0, 64), 64 * 255);
        assert_eq!(sum_scalar(&[255; LANES], 7), 7 * 255);
        assert_eq!(sum_wide(&[1, 1, 2, 0, 9, 9], 2), 259);
    }

    #[test]
    fn same_sees_a_difference_at_every_place() {
        for len in 0..100usize {
            let a: Vec<u8> = (0..len).map(|i| i as u8).collect();
            assert!(same(&a, &a.clone()));
            assert!(!same(&a, &[&a[..], &[0]].concat()));
            for i in 0..len {
                let mut b = a.clone();
                b[i] ^= 0x80;
                assert!(!same(&a, &b), "len {len} place {i}");
            }
        }
    }
}
