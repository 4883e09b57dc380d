//! All values made anew, in place: what remains of a reload when there is no file (DEBUG RELOAD).
//!
//! What is over is left out, as a loader would.

use super::entry::{Taken, TakenValue};
use super::guests::insert;
use super::space::Keyspace;
use super::table::{Table, Value};
use crate::types::Object;

impl Keyspace {
    /// Replaces every value of a database by what `remake` makes of it. That is no change: watched keys
    /// keep their versions.
    pub fn rebuild(&mut self, db: u32, remake: &mut dyn FnMut(Value<'_, Object>) -> TakenValue) {
        assert!(self.guests.is_none(), "a reload runs on all shards, never beside guests");
        let fresh = Table::new(self.table_seed());
        let old = std::mem::replace(&mut self.dbs[db as usize], fresh);
        let over = self.fields_over();
        let mut timed: Vec<(Box<[u8]>, i64)> = Vec::new();
        let table = &mut self.dbs[db as usize];
        let (now_ms, keep_expired) = (self.now_ms, self.keep_expired);
        old.for_each(&mut |pos| {
            let expire_at = old.expire_at(pos);
            if expire_at.is_some_and(|at| at <= now_ms) && !keep_expired {
                return;
            }
            let mut value = remake(old.value(pos));
            if let TakenValue::Object(object) = &mut value {
                object.forget_over(over);
                if matches!(&**object, Object::Hash(hash) if hash.iter(over).next().is_none()) {
                    return;
                }
                timed.extend(object.earliest_inside().map(|at| (Box::from(old.key(pos)), at)));
            }
            insert(table, old.key(pos), Taken { value, tag: old.type_tag(pos), expire_at, lru: old.lru(pos) });
            table.settle();
        });
        self.timed_hashes[db as usize] = Default::default();
        timed.into_iter().for_each(|(key, at)| self.track_fields(db, &key, at));
        self.garbage_tables.push(old);
    }
}
