//! Hash slots: which of the 16384 slots a key belongs to, and which shard owns a slot.
//!
//! slot = CRC16(key or its {hashtag}) & 16383, as in Valkey Cluster. One map serves cores and cluster: contiguous ranges
//! of slots belong to one shard, so `owner` is a multiplication and a shift instead of a table look-up.

use crate::stdx::crc16::crc16;

/// Number of hash slots.
pub const SLOTS: u16 = 16384;

/// The slot of a key: of the part between the first `{` and the next `}` if there is one and it is not empty.
#[inline]
pub fn key_slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) & (SLOTS - 1)
}

#[inline]
fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = memchr::memchr(b'{', key) else { return key };
    match memchr::memchr(b'}', &key[open + 1..]) {
        Some(len) if len > 0 => &key[open + 1..open + 1 + len],
        _ => key,
    }
}

/// The shard that owns `slot` when `shards` shards share all slots in contiguous ranges.
#[inline]
pub fn slot_owner(slot: u16, shards: usize) -> usize {
    (slot as usize * shards) >> 14
}

/// The shard that owns a key.
#[inline]
pub fn key_owner(key: &[u8], shards: usize) -> usize {
    if shards == 1 { 0 } else { slot_owner(key_slot(key), shards) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_valkey() {
        // CLUSTER KEYSLOT of a real server.
        assert_eq!(key_slot(b"foo"), 12182);
        assert_eq!(key_slot(b"bar"), 5061);
        assert_eq!(key_slot(b"{user1000}.following"), key_slot(b"user1000"));
        assert_eq!(key_slot(b"foo{}{bar}"), 8363);
    }

    #[test]
    fn every_shard_owns_a_contiguous_fair_range() {
        for shards in 1..=64 {
            let owners: Vec<usize> = (0..SLOTS).map(|s| slot_owner(s, shards)).collect();
            assert!(owners.is_sorted());
            assert_eq!(owners.first(), Some(&0));
            assert_eq!(owners.last(), Some(&(shards - 1)));
            let most = (0..shards).map(|o| owners.iter().filter(|x| **x == o).count()).max();
            assert!(most <= Some(SLOTS as usize / shards + 1));
        }
    }
}
