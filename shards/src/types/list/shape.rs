//! How large the nodes of a list may be, by Valkey's rules.
//!
//! `list-max-listpack-size` is a number of elements if positive (then a node keeps below 8 KiB as well), and the place in
//! a row of sizes if negative.

/// Sizes that -1 to -5 stand for, bytes.
const SIZES: [usize; 5] = [4096, 8192, 16384, 32768, 65536];
/// The largest node where elements are counted, bytes.
const COUNTED_BYTES_MAX: usize = 8192;
/// What an entry takes beside its bytes, estimated from above.
const ENTRY_EXTRA: usize = 8;

/// The thresholds of lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// `list-max-listpack-size`.
    pub fill: i32,
    /// `list-compress-depth`: nodes at either end that stay uncompressed; 0: all do.
    pub depth: u32,
    /// Elements from this length on get a node of their own, whatever `fill` says (DEBUG QUICKLIST-PACKED-THRESHOLD);
    /// 0: `fill` decides.
    pub large_from: usize,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { fill: -2, depth: 0, large_from: 0 }
    }
}

impl Shape {
    /// Most bytes and most elements of a node; one of them is no limit.
    fn limits(self) -> (usize, usize) {
        match usize::try_from(self.fill) {
            Ok(count) => (usize::MAX, count.max(1)),
            Err(_) => (SIZES[(self.fill.unsigned_abs() as usize - 1).min(SIZES.len() - 1)], usize::MAX),
        }
    }

    /// True if a node must not have this many bytes and elements.
    pub fn exceeds(self, bytes: usize, count: usize) -> bool {
        let (bytes_max, count_max) = self.limits();
        bytes > bytes_max.min(if self.fill < 0 { usize::MAX } else { COUNTED_BYTES_MAX }) || count > count_max
    }

    /// True if an element of this length gets a node of its own.
    pub fn is_large(self, len: usize) -> bool {
        if self.large_from > 0 {
            return len >= self.large_from;
        }
        len > self.limits().0.min(if self.fill < 0 { usize::MAX } else { COUNTED_BYTES_MAX })
    }

    /// True if a node of this many bytes and elements has room for an element of this length.
    pub fn has_room(self, bytes: usize, count: usize, len: usize) -> bool {
        !self.is_large(len) && !self.exceeds(bytes + len + ENTRY_EXTRA, count + 1)
    }

    /// True if a list that shrank to one node of this many bytes and elements becomes a listpack again: at half of what
    /// a node may have, so that it does not go to and fro.
    pub fn is_small_again(self, bytes: usize, count: usize) -> bool {
        let (bytes_max, count_max) = self.limits();
        bytes <= bytes_max / 2 && count <= count_max / 2
    }

    /// True if a list that was loaded as one node of this many bytes and elements is a listpack.
    pub fn is_small(self, bytes: usize, count: usize) -> bool {
        let (bytes_max, count_max) = self.limits();
        bytes <= bytes_max && count <= count_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positive_sizes_count_elements_and_negative_ones_bytes() {
        let shape = |fill| Shape { fill, ..Shape::default() };
        assert!(!shape(3).exceeds(8192, 3) && shape(3).exceeds(8, 4) && shape(3).exceeds(8193, 1));
        assert!(!shape(0).exceeds(8, 1) && shape(0).exceeds(8, 2));
        assert!(!shape(-2).exceeds(8192, 100_000) && shape(-2).exceeds(8193, 1));
        assert!(!shape(-5).exceeds(65536, 1) && shape(i32::MIN).exceeds(65537, 1));
        assert!(shape(-1).is_large(4097) && !shape(-1).is_large(4096) && shape(100).is_large(8193));
        assert!(shape(-1).has_room(4000, 9, 88) && !shape(-1).has_room(4000, 9, 89));
        assert!(shape(-1).is_small_again(2048, 9) && !shape(-1).is_small_again(2049, 9));
        let small = Shape { large_from: 10, ..Shape::default() };
        assert!(small.is_large(10) && !small.is_large(9) && !small.has_room(0, 0, 10));
        assert!(shape(3).is_small_again(9000, 1) && !shape(3).is_small_again(9, 2) && !shape(1).is_small_again(9, 1));
    }
}
