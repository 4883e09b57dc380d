//! The values that do not fit into a table leaf: data structures that know nothing of keys, commands, replies or time.
//!
//! Short strings and integers live inside the leaf of their key. Everything else is an [`Object`]: in the leaf as well
//! while small (`compact`), behind a pointer else.

pub mod geo;
mod ahead;
mod buckets;
mod compact;
pub mod hash;
pub mod list;
pub mod listpack;
pub mod zset;
pub mod bits;
pub mod hll;
pub mod intset;
pub mod set;
pub mod stream;

pub use ahead::Ahead;

/// Type tags as the table stores them beside each key (the numbers are Valkey's object types, which DUMP and
/// MODULE people know; 8 is ours).
pub mod tag {
    /// A string whose encoding follows from its bytes.
    pub const STRING: u8 = 0;
    /// A list.
    pub const LIST: u8 = 1;
    /// A set.
    pub const SET: u8 = 2;
    /// A sorted set.
    pub const ZSET: u8 = 3;
    /// A hash.
    pub const HASH: u8 = 4;
    /// A stream.
    pub const STREAM: u8 = 6;
    /// A string that was edited in place (APPEND, SETRANGE, SETBIT): OBJECT ENCODING says "raw" whatever its length.
    pub const STRING_RAW: u8 = 8;

    /// The name TYPE prints.
    pub fn type_name(tag: u8) -> &'static str {
        match tag {
            STRING | STRING_RAW => "string",
            LIST => "list",
            SET => "set",
            ZSET => "zset",
            HASH => "hash",
            STREAM => "stream",
            _ => unreachable!("tag {tag} is stored nowhere"),
        }
    }

    /// True for both string tags.
    pub fn is_string(tag: u8) -> bool {
        tag == STRING || tag == STRING_RAW
    }
}

/// A value behind a pointer.
#[derive(Clone, Debug)]
pub enum Object {
    /// A string too long for a leaf.
    String(Vec<u8>),
    /// A hash.
    Hash(hash::Hash),
    /// A sorted set.
    ZSet(zset::ZSet),
    /// A set.
    Set(set::Set),
    /// A list.
    List(list::List),
    /// A stream, in a box of its own: it is many times larger than what the others are.
    Stream(Box<stream::Stream>),
}

/// Every collection pays for this.
const _: () = assert!(size_of::<Object>() <= 40);

impl Object {
    /// The name OBJECT ENCODING prints for anything that is not a short string.
    pub fn encoding(&self) -> &'static str {
        match self {
            Object::String(_) => "raw",
            Object::Hash(hash) => hash.encoding(),
            Object::ZSet(set) => set.encoding(),
            Object::Set(set) => set.encoding(),
            Object::List(list) => list.encoding(),
            Object::Stream(_) => "stream",
        }
    }

    /// Bytes the value holds on the heap, its own box included.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Object>()
            + match self {
                Object::String(s) => s.capacity(),
                Object::Hash(hash) => hash.memory_bytes(),
                Object::ZSet(set) => set.heap_bytes(),
                Object::Set(set) => set.memory_bytes(),
                Object::List(list) => list.memory_bytes(),
                Object::Stream(s) => size_of::<stream::Stream>() + s.memory_bytes(),
            }
    }

    /// How much work it is to drop the value, in allocations; large ones are dropped in slices.
    pub fn drop_cost(&self) -> usize {
        match self {
            Object::String(_) => 1,
            Object::Hash(hash) => hash.drop_cost(),
            Object::ZSet(set) => set.drop_cost(),
            Object::Set(set) => set.drop_cost(),
            Object::List(list) => list.drop_cost(),
            Object::Stream(stream) => stream.drop_cost(),
        }
    }

    /// Drops what inside the value is over at `now`, but not all there is: no value is empty.
    pub fn forget_over(&mut self, now: i64) {
        if let Object::Hash(hash) = self && hash.iter(now).next().is_some() {
            while hash.expire_some(now, usize::MAX, &mut |_| {}) {}
        }
    }

    /// Before this moment nothing inside the value expires; `None`: nothing ever does.
    pub fn earliest_inside(&self) -> Option<i64> {
        match self {
            Object::Hash(hash) => hash.earliest(),
            _ => None,
        }
    }

    /// Frees a slice of about `n` allocations; true when what is left can be dropped at once. The value is of no use
    /// afterwards.
    pub fn drop_some(&mut self, n: usize) -> bool {
        match self {
            Object::String(_) => true,
            Object::Hash(hash) => hash.drop_some(n),
            Object::ZSet(set) => set.drop_some(n),
            Object::Set(set) => !set.drop_some(n),
            Object::List(list) => list.drop_some(n),
            Object::Stream(stream) => stream.drop_some(n),
        }
    }

    /// Panics unless the value's invariants hold; for tests.
    pub fn check_invariants(&self) {
        match self {
            Object::Set(set) => set.check_invariants(),
            Object::List(list) => list.check_invariants(),
            Object::ZSet(set) => set.check_invariants(),
            Object::Stream(stream) => stream.check_invariants(),
            _ => {}
        }
    }
}
