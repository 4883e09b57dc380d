//! Bytes that grow and shrink in the middle, holding hardly more memory than they need.
//!
//! A `Vec` left alone doubles; blocks of a hash are many and small, and the allocator has four sizes to a doubling, so a
//! block asks for exactly such a size.

/// The allocator's block for so many bytes.
pub fn block_bytes(len: usize) -> usize {
    const FINE: usize = 16;
    const FINE_MAX: usize = 128;
    if len <= FINE_MAX {
        return len.next_multiple_of(FINE);
    }
    let step = 1 << (usize::BITS - (len - 1).leading_zeros() - 3);
    len.next_multiple_of(step)
}

/// Turns the `old` bytes at `at` into `new` ones; what they hold is the caller's to write.
pub fn resize_at(bytes: &mut Vec<u8>, at: usize, old: usize, new: usize) {
    let len = bytes.len();
    assert!(at + old <= len);
    if new > old {
        let grown = len + new - old;
        if grown > bytes.capacity() {
            bytes.reserve_exact(block_bytes(grown) - len);
        }
        bytes.resize(grown, 0);
        bytes.copy_within(at + old..len, at + new);
    } else if new < old {
        bytes.copy_within(at + old.., at + new);
        bytes.truncate(len - (old - new));
        let fit = block_bytes(bytes.len());
        if fit < bytes.capacity() / 4 * 3 {
            *bytes = fitted(bytes);
        }
    }
}

/// The same bytes in a block that fits. A copy: asked to shrink, the allocator leaves what is more than half full where
/// it is.
pub fn fitted(bytes: &[u8]) -> Vec<u8> {
    let mut copy = Vec::with_capacity(block_bytes(bytes.len()));
    copy.extend_from_slice(bytes);
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_gives_way_and_closes_again() {
        let mut bytes = b"abcdef".to_vec();
        resize_at(&mut bytes, 2, 1, 4);
        bytes[2..6].copy_from_slice(b"CCCC");
        assert_eq!(bytes, b"abCCCCdef");
        resize_at(&mut bytes, 2, 4, 0);
        assert_eq!(bytes, b"abdef");
        resize_at(&mut bytes, 5, 0, 1000);
        assert!(bytes.capacity() <= 1280, "{}", bytes.capacity());
        resize_at(&mut bytes, 5, 1000, 0);
        assert!(bytes.capacity() <= 32, "{}", bytes.capacity());
    }

    #[test]
    fn blocks_are_the_allocators() {
        for (len, block) in [(0, 0), (1, 16), (17, 32), (128, 128), (129, 160), (513, 640), (640, 640), (1025, 1280)] {
            assert_eq!(block_bytes(len), block, "{len}");
        }
    }
}
