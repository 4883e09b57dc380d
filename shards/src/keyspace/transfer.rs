//! Values that go from one key to another, or come from outside: RENAME, MOVE, COPY, RESTORE.
//!
//! To those who listen such a move is one change with two sides, told in Valkey's order: the key that comes is new, the
//! key that goes was left, the key that came was reached. It counts as one change, while watchers of either key see
//! theirs change. What was at the destination goes without an event of its own.
//!
//! Source and destination may lie in different databases, and either may be a guest of another shard.

use super::entry::{EntryMut, NEW, Taken, TakenValue};
use super::space::Keyspace;
use super::table::Value;
use crate::effects::Event;

/// A key in its database.
pub type Place<'k> = (u32, &'k [u8]);

impl Keyspace {
    /// Moves the value at `from`, its expiry and its use included, to `to`; false if there is none. `left` and `reached`
    /// name what happens to the two keys.
    pub fn transfer(&mut self, from: Place<'_>, to: Place<'_>, left: Event, reached: Event) -> bool {
        assert!(from != to, "a value cannot go where it is");
        let Some(taken) = self.entry_mut(from.0, from.1).lift() else { return false };
        self.entry_mut(to.0, to.1).lay(taken);
        self.effects.event(NEW, to.0, to.1);
        self.effects.event(left, from.0, from.1);
        self.effects.changed(reached, to.0, to.1);
        // The end of the call settles the client's database only.
        self.settle(to.0);
        true
    }

    /// Puts a value from outside at `to`, in place of what is there.
    pub fn place(&mut self, to: Place<'_>, taken: Taken, reached: Event) {
        self.entry_mut(to.0, to.1).lay(taken);
        self.effects.event(NEW, to.0, to.1);
        self.effects.changed(reached, to.0, to.1);
    }

    /// Copies the value at `from` with its expiry to `to`; false if there is none. The copy counts as just used.
    pub fn duplicate(&mut self, from: Place<'_>, to: Place<'_>, reached: Event) -> bool {
        assert!(from != to, "a value cannot be copied onto itself");
        let fresh = self.access.fresh(self.now_ms);
        let hidden = self.hidden();
        let Some(mut taken) = copy_of(&self.entry_mut(from.0, from.1)) else { return false };
        if let TakenValue::Object(object) = &mut taken.value {
            object.forget_over(hidden);
        }
        taken.lru = fresh;
        self.entry_mut(to.0, to.1).lay(taken);
        self.effects.event(NEW, to.0, to.1);
        self.effects.changed(reached, to.0, to.1);
        // The end of the call settles the client's database only.
        self.settle(to.0);
        true
    }
}

fn copy_of(entry: &EntryMut<'_>) -> Option<Taken> {
    let value = match entry.value()? {
        Value::Bytes(bytes) => TakenValue::Bytes(bytes.to_vec()),
        Value::Int(n) => TakenValue::Int(n),
        Value::Object(object) => TakenValue::Object(Box::new(object.clone())),
    };
    Some(Taken { value, tag: entry.tag()?, expire_at: entry.expire_at(), lru: entry.lru()? })
}
