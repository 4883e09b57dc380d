//! What a key costs in memory: MEMORY USAGE tells it, eviction adds it up.
//!
//! Objects know their bytes, the table knows the entry's. An entry is packed into a leaf with its neighbours, so its
//! share of the leaf's header, of the unused end and of the directory is an average: three bytes, measured over tables
//! from one to ten million keys.

use super::space::Found;
use super::table::{Compact, Pos, Table, Value};
use crate::types::Object;

/// An entry's share of what belongs to the leaf.
const SHARE_BYTES: usize = 3;

/// Small collections lie in the leaf of their key.
impl Compact for Object {
    #[inline]
    fn compact_len(&self) -> Option<usize> {
        Object::compact_len(self)
    }

    fn write_compact(&self, out: &mut [u8]) {
        Object::write_compact(self, out);
    }

    fn from_compact(bytes: &[u8]) -> Object {
        Object::from_compact(bytes)
    }
}

/// Bytes that the entry at `pos` holds.
pub(super) fn entry_bytes(table: &Table<Object>, pos: Pos) -> usize {
    // What lies in the leaf is part of the entry.
    let object = match table.has_boxed_object(pos).then(|| table.value(pos)) {
        Some(Value::Object(object)) => object.memory_bytes(),
        _ => 0,
    };
    table.entry_bytes(pos) + object + SHARE_BYTES
}

impl Found<'_> {
    /// Bytes that the key and its value hold.
    pub fn memory_bytes(&self) -> usize {
        entry_bytes(self.table, self.pos)
    }
}

#[cfg(test)]
mod tests {
    use crate::effects::Event;
    use crate::keyspace::{Keyspace, Ttl};

    #[test]
    fn what_keys_say_they_cost_adds_up_to_what_the_table_holds() {
        for (value, ttl) in [(16, Ttl::Clear), (16, Ttl::At(1_700_000_000_000)), (16, Ttl::At(i64::MAX)), (100, Ttl::Clear)] {
            let mut ks = Keyspace::new(1, 0, 1, 3);
            let mut told = 0;
            for i in 0..100_000 {
                let key = format!("key:{i:012}");
                ks.entry_mut(0, key.as_bytes()).set(&vec![b'v'; value], ttl, Event::SET);
                ks.settle(0);
                told += ks.peek(0, key.as_bytes()).expect("just set").memory_bytes();
            }
            let held = ks.table(0).memory_bytes();
            assert!(told < held * 11 / 10 && held < told * 13 / 10, "told {told}, held {held}");
        }
    }
}
