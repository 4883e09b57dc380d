//! Pre-images: what keys held before a script changed them, to be put back should it have to begin again.
//!
//! A script whose keys are not all known ahead runs on one shard in the hope that it stays there. Before it changes a key
//! for the first time, the key's content is kept; if the script then calls a key of another shard, everything is put
//! back as it was and the script runs anew with every shard held. Copies cost, so large values are not copied: who is
//! about to change one asks [`Keyspace::is_heavy`] first and gives up its hope instead.

use super::entry::{Taken, TakenValue};
use super::space::Keyspace;
use super::table::Value;
use crate::effects::{Effects, EventClass};

/// Bytes of a value from which it is not copied.
const HEAVY_BYTES: usize = 16 << 10;

/// What a key held.
#[derive(Debug)]
pub struct Image {
    /// Its database.
    pub db: u32,
    /// The key.
    pub key: Box<[u8]>,
    value: Option<Taken>,
}

impl Keyspace {
    /// True if copying what the key holds would cost too much.
    pub fn is_heavy(&mut self, db: u32, key: &[u8]) -> bool {
        match self.peek(db, key).map(|found| found.value()) {
            Some(Value::Object(object)) => object.memory_bytes() > HEAVY_BYTES,
            _ => false,
        }
    }

    /// A copy of what the key holds.
    pub fn image(&mut self, db: u32, key: &[u8]) -> Image {
        let value = self.peek(db, key).map(|found| {
            let value = match found.value() {
                Value::Bytes(bytes) => TakenValue::Bytes(bytes.to_vec()),
                Value::Int(n) => TakenValue::Int(n),
                Value::Object(object) => TakenValue::Object(Box::new(object.clone())),
            };
            Taken { value, tag: found.tag(), expire_at: found.expire_at(), lru: found.lru() }
        });
        Image { db, key: key.into(), value }
    }

    /// Puts everything back as the images have it, as if what came since had not been: its effects are forgotten, but for
    /// keys whose time had come, which stay gone. `dirty` is the count of changes from before.
    pub fn put_back(&mut self, images: Vec<Image>, dirty: u64) {
        let is_expiry = |class: EventClass| class == EventClass::Expired;
        let expired: Vec<(u32, Vec<u8>)> = self
            .effects
            .changes()
            .filter(|(change, _)| is_expiry(change.event.class))
            .map(|(change, key)| (change.db, key.to_vec()))
            .collect();
        for Image { db, key, value } in images {
            debug_assert!(self.owns(&key), "images are made of a shard's own keys");
            let mut entry = self.entry_mut(db, &key);
            match value {
                Some(taken) => entry.lay(taken),
                None => drop(entry.lift()),
            }
            self.settle(db);
        }
        let wants = self.effects.wants;
        self.effects.restart(dirty);
        self.effects.wants = wants;
        for (db, key) in expired {
            self.effects.op(db, &[b"UNLINK", &key]);
        }
    }
}

impl Effects {
    /// Forgets everything since the last drain; the count of changes is `dirty` again.
    pub(crate) fn restart(&mut self, dirty: u64) {
        self.clear();
        self.take_rewritten();
        self.set_dirty(dirty);
    }
}

#[cfg(test)]
mod tests {
    use crate::args::{Args, Span};
    use crate::commands::FAMILIES;
    use crate::reply::Resp;
    use crate::shard::{Call, Shard};

    fn run(shard: &mut Shard, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        for word in &words {
            spans.push(Span::new(bytes.len(), word.len()));
            bytes.extend_from_slice(word.as_bytes());
        }
        let row = FAMILIES.iter().copied().flatten().find(|row| row.name.eq_ignore_ascii_case(words[0])).unwrap();
        let mut out = Vec::new();
        let argv = Args::new(&bytes, &spans);
        shard.execute(&Call { row, argv, db: 0, resp: Resp::V2, no_touch: false, sees_expired: false }, 1_000, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_was_changed_is_as_it_was() {
        let mut shard = Shard::new(0, 1, 1, 7);
        for line in ["SET s v", "RPUSH l a b", "HSET h f 1", "ZADD z 1 m", "SET n 5", "PEXPIRE n 50000"] {
            run(&mut shard, line);
        }
        let before = crate::contents::contents(&mut shard, 1_000);
        let dirty = shard.effects().dirty();
        let keys: [&[u8]; 7] = [b"s", b"l", b"h", b"z", b"n", b"new", b"never"];
        let images = keys.iter().map(|key| shard.keyspace.image(0, key)).collect();
        for line in ["DEL s", "RPUSH l c", "HDEL h f", "ZADD z 2 n", "INCR n", "PERSIST n", "SET new x"] {
            run(&mut shard, line);
        }
        shard.keyspace.put_back(images, dirty);
        assert_eq!(crate::contents::contents(&mut shard, 1_000), before);
        assert_eq!(shard.effects().dirty(), dirty);
        shard.check_invariants();
    }

    #[test]
    fn large_values_are_not_copied() {
        let mut shard = Shard::new(0, 1, 1, 7);
        run(&mut shard, &format!("SET s {}", "x".repeat(20_000)));
        run(&mut shard, "SET t x");
        assert!(shard.keyspace.is_heavy(0, b"s"));
        assert!(!shard.keyspace.is_heavy(0, b"t") && !shard.keyspace.is_heavy(0, b"none"));
    }
}
