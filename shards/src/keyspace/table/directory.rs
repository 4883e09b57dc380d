//! Which leaf belongs to which bucket: a u32 handle a bucket, 0 for none.
//!
//! The handles lie in segments of 4096, so growing never copies them and costs at most four fresh pages at a time; a
//! single array would have to be doubled, which takes milliseconds when it is megabytes long. Only the first segment
//! grows by doubling, so that a table of a few keys stays small. An empty directory owns no memory.

const SEGMENT_BITS: u32 = 12;
const SEGMENT: usize = 1 << SEGMENT_BITS;
const FIRST: usize = 16;

#[derive(Default)]
pub(super) struct Directory {
    segments: Vec<Vec<u32>>,
}

impl Directory {
    /// The leaf of a bucket; 0 also for a bucket that was never set.
    #[inline(always)]
    pub(super) fn get(&self, bucket: u32) -> u32 {
        let place = bucket as usize & (SEGMENT - 1);
        self.segments.get(bucket as usize >> SEGMENT_BITS).and_then(|s| s.get(place)).copied().unwrap_or(0)
    }

    /// The address of the bucket's handle, to prefetch.
    #[inline(always)]
    pub(super) fn address(&self, bucket: u32) -> *const u8 {
        let place = bucket as usize & (SEGMENT - 1);
        match self.segments.get(bucket as usize >> SEGMENT_BITS) {
            Some(segment) => segment.as_ptr().wrapping_add(place).cast(),
            None => core::ptr::null(),
        }
    }

    /// Sets the leaf of a bucket, growing the directory to hold it.
    #[inline]
    pub(super) fn set(&mut self, bucket: u32, leaf: u32) {
        let (segment, place) = (bucket as usize >> SEGMENT_BITS, bucket as usize & (SEGMENT - 1));
        match self.segments.get_mut(segment).and_then(|s| s.get_mut(place)) {
            Some(slot) => *slot = leaf,
            None if leaf == 0 => (),
            None => self.grow(segment, place, leaf),
        }
    }

    #[cold]
    fn grow(&mut self, segment: usize, place: usize, leaf: u32) {
        while self.segments.len() <= segment {
            let len = if self.segments.is_empty() && segment == 0 { 0 } else { SEGMENT };
            self.segments.push(vec![0; len]);
        }
        let found = &mut self.segments[segment];
        if found.len() <= place {
            let len = (place + 1).next_power_of_two().clamp(FIRST, SEGMENT);
            found.reserve_exact(len - found.len());
            found.resize(len, 0);
        }
        found[place] = leaf;
    }

    /// Gives segments behind the last bucket back.
    pub(super) fn truncate(&mut self, buckets: u64) {
        let keep = buckets.div_ceil(SEGMENT as u64) as usize;
        // One segment more is kept, so that a table that breathes around a border does not allocate each time.
        if self.segments.len() > keep + 1 {
            self.segments.truncate(keep + 1);
        }
    }

    /// Bytes owned.
    pub(super) fn bytes(&self) -> usize {
        let first = self.segments.first().map_or(0, |s| s.capacity() * 4);
        first + self.segments.len().saturating_sub(1) * SEGMENT * 4 + self.segments.capacity() * size_of::<Vec<u32>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_remembers_what_was_set() {
        let mut dir = Directory::default();
        assert_eq!((dir.get(0), dir.get(u32::MAX), dir.bytes()), (0, 0, 0));
        for bucket in 0..20_000 {
            assert_eq!(dir.get(bucket), 0);
            dir.set(bucket, bucket + 1);
        }
        assert!((0..20_000).all(|b| dir.get(b) == b + 1));
        (5_000..20_000).for_each(|b| dir.set(b, 0));
        dir.truncate(5_000);
        assert!((0..5_000).all(|b| dir.get(b) == b + 1));
        assert_eq!(dir.get(19_999), 0);
    }

    #[test]
    fn a_small_directory_is_small() {
        let mut dir = Directory::default();
        dir.set(0, 1);
        assert!(dir.bytes() < 256, "{}", dir.bytes());
    }
}
