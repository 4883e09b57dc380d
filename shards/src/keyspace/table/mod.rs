//! The hash table of one logical database: a packed leaf table.
//!
//! Linear hashing over leaves. Every bucket has one *leaf*, a block of about 1 KiB in which all of the bucket's keys and
//! values lie packed, found by one-byte tags (`leaf.rs`, `entry.rs`). The *directory* is a u32 a bucket
//! (`directory.rs`), the *heap* keeps leaves in dense arrays and may move them (`heap.rs`). When the leaves hold more
//! than a target of bytes a bucket, the next bucket in line is split, and merged back when they hold much less
//! (`balance.rs`): no doubling, no second table, no stall. Per key this costs about ten bytes beyond key and value, of
//! which five are the entry's own header with its 24-bit clock.
//!
//! - `map.rs`: the table, looking up and reading. `edit.rs`: insert, replace, expire, remove. `room.rs`: making room in
//!   leaves, and what happens when one is full.
//! - `scan.rs`: cursors that survive growth and shrinking, sampling, the walk for expired keys.
//! - `snapshot.rs`: every entry as it was at one moment, once, while writes go on.
//! - `free.rs`: emptying, in slices when it is big. `audit.rs`: the invariants.
//! - `compact.rs`: small objects inside leaves. `owned.rs`: boxes behind addresses. `simd.rs`: the two inner loops.
//!
//! A `Pos` names an entry until something may have moved: any insert, replace, set_expire, remove or settle ends the life
//! of every `Pos`, which is checked. Values up to `INLINE_MAX` bytes lie in the leaf; longer ones come as objects, of which
//! small ones lie in the leaf as well.
//! A bucket that outgrows the largest leaf (a flood of equal hashes, which a keyed hash makes improbable) continues in
//! extra leaves, listed in a map aside: slower, never wrong.

mod audit;
mod balance;
mod compact;
mod map;
mod directory;
mod edit;
mod entry;
mod free;
mod heap;
mod leaf;
mod owned;
mod room;
mod scan;
mod simd;
mod snapshot;
#[cfg(test)]
mod tests;

pub use self::compact::Compact;
pub use self::map::{NewValue, Pos, Table, Value};
