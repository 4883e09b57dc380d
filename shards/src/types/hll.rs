//! HyperLogLog: how many different things were seen, within about one percent, in at most 12 KiB.
//!
//! A value is a string in Valkey's format, so GET, DUMP and other servers see the same bytes:
//!
//! ```text
//! "HYLL" | encoding u8 (0 dense, 1 sparse) | 3 unused | cached count u64, highest bit set: not valid | registers
//! dense:  16384 registers of 6 bits, the lowest bits first
//! sparse: 00nnnnnn            n+1 registers of 0          01nnnnnn nnnnnnnn   the same for up to 16384
//!         1vvvvvnn            n+1 registers of v+1
//! ```
//!
//! An element's hash names a register and offers it the length of a run of zeros; a register keeps the longest. The
//! estimate is Ertl's (arXiv:1702.01284). A sparse value becomes dense when a register passes 32 or the bytes pass
//! `hll-sparse-max-bytes`, and never goes back.
//!
//! Bytes may come from anyone (SET, RESTORE): runs that do not cover exactly 16384 registers are [`Corrupt`].

/// Number of registers.
pub const REGISTERS: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 14;
const RUN_MAX: u32 = 64 - INDEX_BITS;
const REGISTER_BITS: usize = 6;
const HEADER: usize = 16;
const DENSE_LEN: usize = HEADER + REGISTERS * REGISTER_BITS / 8;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const SPARSE_VALUE_MAX: u8 = 32;
const SPARSE_VALUES_MAX: usize = 4;
const SHORT_ZEROS_MAX: usize = 64;
const INVALID: u8 = 0x80;

/// The bytes are no sound HyperLogLog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt;

/// The registers, one a byte.
pub type Registers = [u8; REGISTERS];

/// True if a string claims to be a HyperLogLog and has the length its form demands.
pub fn is_hll(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER
        && bytes.starts_with(b"HYLL")
        && match bytes[4] {
            DENSE => bytes.len() == DENSE_LEN,
            encoding => encoding == SPARSE,
        }
}

/// True if it is in its sparse form.
pub fn is_sparse(bytes: &[u8]) -> bool {
    bytes[4] == SPARSE
}

/// A HyperLogLog that has seen nothing.
pub fn empty() -> Vec<u8> {
    let mut bytes = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    push_zeros(&mut bytes, REGISTERS);
    bytes
}

/// A run of equal registers in the sparse form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Their value.
    pub value: u8,
    /// How many there are.
    pub count: usize,
    /// Bytes it takes.
    pub bytes: usize,
}

/// The run that begins at `at`, if it is whole.
fn run_at(bytes: &[u8], at: usize) -> Option<Run> {
    let first = *bytes.get(at)?;
    let low = usize::from(first & 0x3f);
    Some(match first >> 6 {
        0 => Run { value: 0, count: low + 1, bytes: 1 },
        1 => Run { value: 0, count: (low << 8 | usize::from(*bytes.get(at + 1)?)) + 1, bytes: 2 },
        _ => Run { value: (first >> 2 & 0x1f) + 1, count: usize::from(first & 3) + 1, bytes: 1 },
    })
}

/// The runs of a sparse value, up to one that is cut off.
pub fn runs(bytes: &[u8]) -> impl Iterator<Item = Run> + use<'_> {
    let mut at = HEADER;
    std::iter::from_fn(move || run_at(bytes, at).inspect(|run| at += run.bytes))
}

/// Gives each run of non-zero registers with the index of its first; an error unless all registers are covered once.
fn for_runs(bytes: &[u8], mut each: impl FnMut(usize, Run)) -> Result<(), Corrupt> {
    let (mut index, mut at) = (0, HEADER);
    while at < bytes.len() {
        let run = run_at(bytes, at).filter(|run| index + run.count <= REGISTERS).ok_or(Corrupt)?;
        each(index, run);
        index += run.count;
        at += run.bytes;
    }
    if index == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

fn push_zeros(out: &mut Vec<u8>, count: usize) {
    if count > SHORT_ZEROS_MAX {
        out.extend_from_slice(&[0x40 | ((count - 1) >> 8) as u8, (count - 1) as u8]);
    } else if count > 0 {
        out.push((count - 1) as u8);
    }
}

fn value_run(value: u8, count: usize) -> u8 {
    debug_assert!((1..=SPARSE_VALUE_MAX).contains(&value) && (1..=SPARSE_VALUES_MAX).contains(&count));
    0x80 | (value - 1) << 2 | (count - 1) as u8
}

/// A register of the dense form.
pub fn register(bytes: &[u8], index: usize) -> u8 {
    let bit = index * REGISTER_BITS;
    let (at, shift) = (HEADER + bit / 8, bit % 8);
    let next = bytes.get(at + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([bytes[at], next]) >> shift) as u8 & 63
}

fn set_register(bytes: &mut [u8], index: usize, value: u8) {
    let bit = index * REGISTER_BITS;
    let (at, shift) = (HEADER + bit / 8, bit % 8);
    let next = bytes.get(at + 1).copied().unwrap_or(0);
    let both = u16::from_le_bytes([bytes[at], next]) & !(63 << shift) | u16::from(value) << shift;
    let [low, high] = both.to_le_bytes();
    bytes[at] = low;
    if let Some(byte) = bytes.get_mut(at + 1) {
        *byte = high;
    }
}

/// MurmurHash64A (Austin Appleby, public domain) with the seed of Redis.
fn murmur(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const SEED: u64 = 0xadc8_3b19;
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    let mut words = bytes.chunks_exact(8);
    for word in words.by_ref() {
        let mut k = u64::from_le_bytes(word.try_into().expect("eight bytes")).wrapping_mul(M);
        k = (k ^ k >> 47).wrapping_mul(M);
        hash = (hash ^ k).wrapping_mul(M);
    }
    if !words.remainder().is_empty() {
        let mut rest = [0; 8];
        rest[..words.remainder().len()].copy_from_slice(words.remainder());
        hash = (hash ^ u64::from_le_bytes(rest)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(M);
    hash ^ hash >> 47
}

/// The register an element belongs to, and what it offers it.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let rest = hash >> INDEX_BITS | 1 << RUN_MAX;
    (hash as usize & (REGISTERS - 1), rest.trailing_zeros() as u8 + 1)
}

/// Adds an element; whether a register changed.
pub fn add(bytes: &mut Vec<u8>, element: &[u8], sparse_bytes_max: usize) -> Result<bool, Corrupt> {
    let (index, value) = place(element);
    raise(bytes, index, value, sparse_bytes_max)
}

/// Raises a register to `value` unless it is as high.
fn raise(bytes: &mut Vec<u8>, index: usize, value: u8, sparse_bytes_max: usize) -> Result<bool, Corrupt> {
    if !is_sparse(bytes) {
        return Ok(raise_dense(bytes, index, value));
    }
    if value <= SPARSE_VALUE_MAX
        && let Some(changed) = raise_sparse(bytes, index, value, sparse_bytes_max)?
    {
        return Ok(changed);
    }
    to_dense(bytes)?;
    Ok(raise_dense(bytes, index, value))
}

/// The same for the dense form.
pub fn raise_dense(bytes: &mut [u8], index: usize, value: u8) -> bool {
    let raises = value > register(bytes, index);
    if raises {
        set_register(bytes, index, value);
    }
    raises
}

/// The same for the sparse form; `None` if it would grow too long.
fn raise_sparse(bytes: &mut Vec<u8>, index: usize, value: u8, bytes_max: usize) -> Result<Option<bool>, Corrupt> {
    let (mut first, mut at, mut before) = (0, HEADER, None);
    let run = loop {
        let run = run_at(bytes, at).ok_or(Corrupt)?;
        if index < first + run.count {
            break run;
        }
        before = Some(at);
        at += run.bytes;
        first += run.count;
    };
    if run.value >= value {
        return Ok(Some(false));
    }
    let mut parts = Vec::with_capacity(5);
    let aside = |parts: &mut Vec<u8>, count: usize| match run.value {
        0 => push_zeros(parts, count),
        old if count > 0 => parts.push(value_run(old, count)),
        _ => {}
    };
    aside(&mut parts, index - first);
    parts.push(value_run(value, 1));
    aside(&mut parts, first + run.count - 1 - index);
    if parts.len() > run.bytes && bytes.len() + parts.len() - run.bytes > bytes_max {
        return Ok(None);
    }
    bytes.splice(at..at + run.bytes, parts);
    join_values(bytes, before.unwrap_or(HEADER));
    invalidate(bytes);
    Ok(Some(true))
}

/// Joins neighbouring runs of one value, looking at five runs from `at` on, as Valkey does.
fn join_values(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(run) = run_at(bytes, at) else { return };
        if run.value > 0 {
            let next = run_at(bytes, at + 1).filter(|next| next.value == run.value);
            if let Some(next) = next.filter(|next| next.count + run.count <= SPARSE_VALUES_MAX) {
                bytes[at + 1] = value_run(run.value, run.count + next.count);
                bytes.remove(at);
                continue;
            }
        }
        at += run.bytes;
    }
}

/// Turns a sparse value into a dense one; whether it was sparse.
pub fn to_dense(bytes: &mut Vec<u8>) -> Result<bool, Corrupt> {
    if !is_sparse(bytes) {
        return Ok(false);
    }
    let mut dense = vec![0; DENSE_LEN];
    dense[..HEADER].copy_from_slice(&bytes[..HEADER]);
    dense[4] = DENSE;
    for_runs(bytes, |first, run| {
        if run.value > 0 {
            (first..first + run.count).for_each(|index| set_register(&mut dense, index, run.value));
        }
    })?;
    *bytes = dense;
    Ok(true)
}

/// Marks the cached count as out of date.
pub fn invalidate(bytes: &mut [u8]) {
    bytes[HEADER - 1] |= INVALID;
}

/// The cached count, if it is valid.
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let valid = bytes[HEADER - 1] & INVALID == 0;
    valid.then(|| u64::from_le_bytes(bytes[8..HEADER].try_into().expect("eight bytes")))
}

/// Keeps a count.
pub fn set_cached(bytes: &mut [u8], count: u64) {
    bytes[8..HEADER].copy_from_slice(&count.to_le_bytes());
}

/// Raises `registers` to those of a HyperLogLog.
pub fn merge(registers: &mut Registers, bytes: &[u8]) -> Result<(), Corrupt> {
    if is_sparse(bytes) {
        return for_runs(bytes, |first, run| {
            registers[first..first + run.count].iter_mut().for_each(|r| *r = (*r).max(run.value));
        });
    }
    registers.iter_mut().enumerate().for_each(|(index, r)| *r = (*r).max(register(bytes, index)));
    Ok(())
}

/// Writes merged registers, which are nowhere lower than those there. `dense`: one of the sources was.
pub fn write(bytes: &mut Vec<u8>, registers: &Registers, dense: bool, sparse_bytes_max: usize) -> Result<(), Corrupt> {
    if dense {
        to_dense(bytes)?;
    }
    for (index, value) in registers.iter().enumerate().filter(|(_, value)| **value > 0) {
        raise(bytes, index, *value, sparse_bytes_max)?;
    }
    invalidate(bytes);
    Ok(())
}

/// The estimate for one value.
pub fn count(bytes: &[u8]) -> Result<u64, Corrupt> {
    let mut histogram = [0u32; 64];
    if is_sparse(bytes) {
        for_runs(bytes, |_, run| histogram[usize::from(run.value)] += run.count as u32)?;
    } else {
        (0..REGISTERS).for_each(|index| histogram[usize::from(register(bytes, index))] += 1);
    }
    Ok(estimate(&histogram))
}

/// The estimate for merged registers.
pub fn count_registers(registers: &Registers) -> u64 {
    let mut histogram = [0u32; 64];
    registers.iter().for_each(|r| histogram[usize::from(r & 63)] += 1);
    estimate(&histogram)
}

fn estimate(histogram: &[u32; 64]) -> u64 {
    const HALF_OVER_LN2: f64 = 0.721_347_520_444_481_7;
    let m = REGISTERS as f64;
    let mut z = m * tau((m - f64::from(histogram[RUN_MAX as usize + 1])) / m);
    for j in (1..=RUN_MAX as usize).rev() {
        z = (z + f64::from(histogram[j])) * 0.5;
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    (HALF_OVER_LN2 * m * m / z).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;

    fn filled(count: u64, sparse_bytes_max: usize) -> Vec<u8> {
        let mut bytes = empty();
        for n in 0..count {
            add(&mut bytes, format!("element {n}").as_bytes(), sparse_bytes_max).unwrap();
        }
        bytes
    }

    #[test]
    fn sparse_and_dense_hold_the_same_registers() {
        for count_added in [0, 1, 10, 300, 3000] {
            let sparse = filled(count_added, 1 << 20);
            let dense = filled(count_added, 0);
            assert!(is_hll(&sparse) && is_hll(&dense) && is_sparse(&sparse));
            let (mut a, mut b) = ([0; REGISTERS], [0; REGISTERS]);
            merge(&mut a, &sparse).unwrap();
            merge(&mut b, &dense).unwrap();
            assert!(a == b);
            assert_eq!(count(&sparse), count(&dense));
            assert_eq!(count(&sparse).unwrap(), count_registers(&a));
            let mut made_dense = sparse.clone();
            to_dense(&mut made_dense).unwrap();
            assert!(made_dense[HEADER..] == dense[HEADER..] || count_added == 0);
        }
    }

    #[test]
    fn the_estimate_is_near() {
        for n in [10u64, 100, 1000, 10_000, 100_000] {
            let estimate = count(&filled(n, 3000)).unwrap();
            assert!(estimate.abs_diff(n) * 100 <= n * 4, "{n}: {estimate}");
        }
    }

    #[test]
    fn mutated_bytes_are_refused_or_sound() {
        let good = filled(200, 3000);
        let mut rng = Prng::new(9);
        for _ in 0..3000 {
            let mut bytes = good.clone();
            let at = HEADER + rng.below((bytes.len() - HEADER) as u64) as usize;
            match rng.below(3) {
                0 => bytes[at] = rng.next_u64() as u8,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, rng.next_u64() as u8),
            }
            let sound = count(&bytes).is_ok();
            let mut registers = [0; REGISTERS];
            assert_eq!(merge(&mut registers, &bytes).is_ok(), sound);
            assert_eq!(to_dense(&mut bytes.clone()).is_ok(), sound);
            let _ = add(&mut bytes, b"one more", 3000);
            let _ = runs(&bytes).count();
        }
    }
}
