//! A sorted array of integers in one block of bytes, as Valkey lays it out: DUMP writes the block as it is.
//!
//! ```text
//! [width u32][count u32][integer; count]      little-endian; width 2, 4 or 8 bytes, the same for all
//! ```
//!
//! A look-up is a binary search. The width grows when an integer needs it and never shrinks again.
//!
//! Invariants: the integers ascend strictly; the block is exactly as long as its header says. [`IntSet::from_bytes`]
//! holds foreign bytes against both.

const HEADER: usize = 8;

/// A set of integers.
#[derive(Clone, PartialEq, Eq)]
pub struct IntSet {
    block: Vec<u8>,
}

impl Default for IntSet {
    fn default() -> Self {
        IntSet::new()
    }
}

/// Bytes that `n` needs.
fn width_of(n: i64) -> usize {
    if i16::try_from(n).is_ok() {
        2
    } else if i32::try_from(n).is_ok() {
        4
    } else {
        8
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn int_at(bytes: &[u8], width: usize, index: usize) -> i64 {
    let at = HEADER + index * width;
    let bytes = &bytes[at..at + width];
    match width {
        2 => i64::from(i16::from_le_bytes(bytes.try_into().expect("two bytes"))),
        4 => i64::from(i32::from_le_bytes(bytes.try_into().expect("four bytes"))),
        _ => i64::from_le_bytes(bytes.try_into().expect("eight bytes")),
    }
}

impl IntSet {
    /// An empty set.
    pub fn new() -> IntSet {
        IntSet { block: vec![2, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// A set from bytes that anyone may have made; `None` unless they are what an intset with members would be.
    pub fn from_bytes(bytes: &[u8]) -> Option<IntSet> {
        if bytes.len() <= HEADER {
            return None;
        }
        let (width, count) = (u32_at(bytes, 0) as usize, u32_at(bytes, 4) as usize);
        let fits = matches!(width, 2 | 4 | 8) && count > 0 && count.checked_mul(width) == Some(bytes.len() - HEADER);
        let ascends = || (1..count).all(|i| int_at(bytes, width, i - 1) < int_at(bytes, width, i));
        (fits && ascends()).then(|| IntSet { block: bytes.to_vec() })
    }

    /// The block, as DUMP writes it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.block
    }

    /// The width of the integers, and their bytes.
    pub(super) fn parts(&self) -> (usize, &[u8]) {
        (self.width(), &self.block[HEADER..])
    }

    /// A set of integers that were such parts.
    pub(super) fn from_parts(width: usize, ints: &[u8]) -> IntSet {
        let mut block = Vec::with_capacity(HEADER + ints.len());
        block.extend_from_slice(&(width as u32).to_le_bytes());
        block.extend_from_slice(&((ints.len() / width) as u32).to_le_bytes());
        block.extend_from_slice(ints);
        IntSet { block }
    }

    fn width(&self) -> usize {
        u32_at(&self.block, 0) as usize
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        u32_at(&self.block, 4) as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The member at `index`, counted from the smallest.
    pub fn get(&self, index: usize) -> i64 {
        assert!(index < self.len(), "an index inside the set");
        int_at(&self.block, self.width(), index)
    }

    /// The smallest and the largest member.
    pub fn ends(&self) -> Option<(i64, i64)> {
        let len = self.len();
        (len > 0).then(|| (self.get(0), self.get(len - 1)))
    }

    /// Where `n` is, or where it belongs.
    fn search(&self, n: i64) -> Result<usize, usize> {
        let (width, len) = (self.width(), self.len());
        // Members often come in order, so the last one is looked at first.
        if len == 0 || int_at(&self.block, width, len - 1) < n {
            return Err(len);
        }
        let (mut low, mut high) = (0, len);
        while low < high {
            let middle = (low + high) / 2;
            match int_at(&self.block, width, middle).cmp(&n) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// True if `n` is a member.
    pub fn contains(&self, n: i64) -> bool {
        self.search(n).is_ok()
    }

    /// Adds `n`; false if it was there.
    pub fn add(&mut self, n: i64) -> bool {
        let Err(index) = self.search(n) else { return false };
        self.widen(width_of(n));
        let (width, len) = (self.width(), self.len());
        if self.block.capacity() < self.block.len() + width {
            // An eighth ahead: a set that grows is not copied at every step, and a finished one wastes little.
            self.block.reserve_exact((len / 8 + 1) * width);
        }
        let (at, end) = (HEADER + index * width, self.block.len());
        self.block.resize(end + width, 0);
        self.block.copy_within(at..end, at + width);
        self.block[at..at + width].copy_from_slice(&n.to_le_bytes()[..width]);
        self.set_len(len + 1);
        true
    }

    /// Removes `n`; false if it was not there.
    pub fn remove(&mut self, n: i64) -> bool {
        let Ok(index) = self.search(n) else { return false };
        self.remove_at(index);
        true
    }

    /// Removes the member at `index`.
    pub fn remove_at(&mut self, index: usize) {
        let (width, len) = (self.width(), self.len());
        assert!(index < len, "an index inside the set");
        let at = HEADER + index * width;
        self.block.drain(at..at + width);
        self.set_len(len - 1);
        if self.block.capacity() > self.block.len() * 2 + 64 {
            self.block.shrink_to_fit();
        }
    }

    /// The members from the smallest to the largest.
    pub fn iter(&self) -> impl Iterator<Item = i64> + use<'_> {
        let width = self.width();
        (0..self.len()).map(move |i| int_at(&self.block, width, i))
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.block.capacity()
    }

    fn set_len(&mut self, len: usize) {
        let len = u32::try_from(len).expect("an intset is limited to far fewer members");
        self.block[4..8].copy_from_slice(&len.to_le_bytes());
    }

    fn widen(&mut self, width: usize) {
        let (old, len) = (self.width(), self.len());
        if width <= old {
            return;
        }
        let mut block = Vec::with_capacity(HEADER + (len + 1) * width);
        block.extend_from_slice(&(width as u32).to_le_bytes());
        block.extend_from_slice(&self.block[4..8]);
        for i in 0..len {
            block.extend_from_slice(&int_at(&self.block, old, i).to_le_bytes()[..width]);
        }
        self.block = block;
    }

    /// Panics unless the invariants hold; for tests.
    pub fn check_invariants(&self) {
        assert!(matches!(self.width(), 2 | 4 | 8));
        assert_eq!(self.block.len(), HEADER + self.len() * self.width());
        assert!((1..self.len()).all(|i| self.get(i - 1) < self.get(i)), "members ascend");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;
    use std::collections::BTreeSet;

    #[test]
    fn the_bytes_are_those_of_valkey() {
        let mut set = IntSet::new();
        for n in [3, -1, 2] {
            assert!(set.add(n));
        }
        assert_eq!(set.as_bytes(), [2, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 2, 0, 3, 0]);
        assert!(set.add(70_000) && !set.add(2));
        assert_eq!(&set.as_bytes()[..12], [4, 0, 0, 0, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn it_agrees_with_a_sorted_set_over_random_calls() {
        for seed in 0..20 {
            let mut rng = Prng::new(seed);
            let (mut set, mut model) = (IntSet::new(), BTreeSet::new());
            for _ in 0..400 {
                let bits = 1 + rng.below(63);
                let n = (rng.next_u64() >> bits) as i64 * if rng.below(2) == 0 { 1 } else { -1 } % 50_000;
                let n = if rng.below(8) == 0 { [i64::MIN, i64::MAX, -32768, 32767, 32768][rng.below(5) as usize] } else { n };
                if rng.below(3) == 0 {
                    assert_eq!(set.remove(n), model.remove(&n), "seed {seed}");
                } else {
                    assert_eq!(set.add(n), model.insert(n), "seed {seed}");
                }
                set.check_invariants();
                assert!(set.iter().eq(model.iter().copied()), "seed {seed}");
                assert_eq!(set.contains(n), model.contains(&n));
            }
            let back = IntSet::from_bytes(set.as_bytes());
            assert_eq!(back.is_some(), !model.is_empty());
        }
    }

    #[test]
    fn foreign_bytes_are_held_against_the_invariants() {
        let mut set = IntSet::new();
        (0..5).for_each(|n| {
            set.add(n * 1000);
        });
        let good = set.as_bytes().to_vec();
        for cut in 0..good.len() {
            assert!(IntSet::from_bytes(&good[..cut]).is_none(), "cut at {cut}");
        }
        for at in 0..good.len() {
            for value in 0..=255 {
                let mut bytes = good.clone();
                bytes[at] = value;
                if let Some(set) = IntSet::from_bytes(&bytes) {
                    set.check_invariants();
                }
            }
        }
    }
}
