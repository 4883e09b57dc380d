//! The gate: one key's entry, through which alone it changes.
//!
//! Every method that changes something takes the keyspace event that names the change, so no change goes unseen: it is
//! counted, its watchers get a new version, its event is noted. `expire` and `persist` keep the value, `set` and
//! `set_object` replace it, `edit_*` change it in place.
//!
//! Invariant: `pos` is right after every method (the table may move entries when they change size).

use super::space::Keyspace;
use super::table::{NewValue, Pos, Table, Value};
use crate::effects::{Event, EventClass};
use crate::stdx::number;
use crate::types::{Object, tag};

/// What becomes of the TTL when a value is replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ttl {
    /// It stays.
    Keep,
    /// There is none.
    Clear,
    /// It ends at this time, unix milliseconds.
    At(i64),
}

/// A new key.
pub(super) const NEW: Event = Event::new(EventClass::New, "new");

/// The entry of one key, present or not.
pub struct EntryMut<'k> {
    ks: &'k mut Keyspace,
    db: u32,
    key: &'k [u8],
    hash: u64,
    pos: Option<Pos>,
}

impl<'k> EntryMut<'k> {
    #[inline]
    pub(super) fn open(ks: &'k mut Keyspace, db: u32, key: &'k [u8]) -> EntryMut<'k> {
        let now_ms = ks.now_ms;
        let access = ks.access;
        let table = ks.home(db, key);
        let hash = table.hash(key);
        let mut pos = table.find(hash, key);
        if let Some(p) = pos {
            if table.expire_at(p).is_some_and(|at| at <= now_ms) && !ks.keep_expired {
                ks.expire_if_due(db, key);
                pos = None;
            } else if !ks.no_touch {
                let old = table.lru(p);
                let new = access.used(old, now_ms, &mut ks.rng);
                if new != old {
                    ks.home_mut(db, key).set_lru(p, new);
                }
            }
        }
        EntryMut { ks, db, key, hash, pos }
    }

    #[inline]
    fn table(&self) -> &Table<Object> {
        self.ks.home(self.db, self.key)
    }

    #[inline]
    fn table_mut(&mut self) -> &mut Table<Object> {
        self.ks.home_mut(self.db, self.key)
    }

    /// True if the key exists.
    #[inline]
    pub fn exists(&self) -> bool {
        self.pos.is_some()
    }

    /// Its value, if it exists.
    #[inline]
    pub fn value(&self) -> Option<Value<'_, Object>> {
        self.pos.map(|p| self.table().value(p))
    }

    /// Its type tag, if it exists.
    #[inline]
    pub fn tag(&self) -> Option<u8> {
        self.pos.map(|p| self.table().type_tag(p))
    }

    /// When it expires.
    pub fn expire_at(&self) -> Option<i64> {
        self.pos.and_then(|p| self.table().expire_at(p))
    }

    /// The LRU/LFU field.
    pub fn lru(&self) -> Option<u32> {
        self.pos.map(|p| self.table().lru(p))
    }

    /// Sets the LRU/LFU field (RESTORE, loans); no change of the key in Valkey's sense.
    pub fn set_lru(&mut self, lru: u32) {
        if let Some(pos) = self.pos {
            self.table_mut().set_lru(pos, lru);
        }
    }

    /// Sets a string in the encoding its bytes ask for: integer, inline or object.
    #[inline]
    pub fn set(&mut self, bytes: &[u8], ttl: Ttl, event: Event) {
        if bytes.len() > Table::<Object>::INLINE_MAX {
            return self.put(NewValue::Object(Box::new(Object::String(bytes.to_vec()))), tag::STRING, ttl, event);
        }
        match number::parse_i64(bytes) {
            Some(n) => self.put(NewValue::Int(n), tag::STRING, ttl, event),
            None => self.put(NewValue::Bytes(bytes), tag::STRING, ttl, event),
        }
    }

    /// Sets a string that was computed: not kept as an integer even if it spells one (INCRBYFLOAT, as OBJECT ENCODING
    /// tells).
    pub fn set_text(&mut self, bytes: &[u8], ttl: Ttl, event: Event) {
        if bytes.len() > Table::<Object>::INLINE_MAX {
            self.put(NewValue::Object(Box::new(Object::String(bytes.to_vec()))), tag::STRING, ttl, event);
        } else {
            self.put(NewValue::Bytes(bytes), tag::STRING, ttl, event);
        }
    }

    /// Sets a string that was edited: never an integer, and OBJECT ENCODING says "raw".
    pub fn set_raw(&mut self, bytes: Vec<u8>, ttl: Ttl, event: Event) {
        if bytes.len() > Table::<Object>::INLINE_MAX {
            self.put(NewValue::Object(Box::new(Object::String(bytes))), tag::STRING_RAW, ttl, event);
        } else {
            self.put(NewValue::Bytes(&bytes), tag::STRING_RAW, ttl, event);
        }
    }

    /// Sets an integer.
    #[inline]
    pub fn set_int(&mut self, n: i64, ttl: Ttl, event: Event) {
        if let (Some(pos), Ttl::Keep) = (self.pos, ttl)
            && matches!(self.table().value(pos), Value::Int(_)) {
                self.before_change();
                self.pos = Some(self.table_mut().set_int(pos, n));
                return self.changed(event);
            }
        self.put(NewValue::Int(n), tag::STRING, ttl, event);
    }

    /// Sets any object.
    pub fn set_object(&mut self, object: Box<Object>, type_tag: u8, ttl: Ttl, event: Event) {
        self.put(NewValue::Object(object), type_tag, ttl, event);
    }

    /// The object behind the entry, to be changed in place; `None` if there is none (absent, inline or integer).
    pub fn edit_object(&mut self, event: Event) -> Option<&mut Object> {
        let pos = self.pos?;
        if !self.table().has_object(pos) {
            return None;
        }
        self.before_change();
        self.changed(event);
        self.table_mut().object_mut(pos)
    }

    /// The object behind the entry, to be changed in place by a caller that knows only afterwards whether it changed, and
    /// then tells so with `touched`; `None` if there is none.
    pub fn object_mut(&mut self) -> Option<&mut Object> {
        let pos = self.pos?;
        if !self.table().has_object(pos) {
            return None;
        }
        self.before_change();
        self.table_mut().object_mut(pos)
    }

    /// What was done to the object that `object_mut` gave: one event for so many changes, at least one.
    pub fn touched(&mut self, event: Event, changes: usize) {
        assert!(changes > 0, "nothing is told when nothing changed");
        self.review_fields();
        self.changed(event);
        self.ks.effects.count_dirty(changes as u64 - 1);
    }

    /// Changes the object in place, if there is one. `change` tells how many changes it made; none means that nothing
    /// happened to the key. Passes that number on.
    pub fn edit_counted(&mut self, event: Event, change: impl FnOnce(&mut Object) -> usize) -> usize {
        let Some(pos) = self.pos.filter(|pos| self.table().has_object(*pos)) else { return 0 };
        self.before_change();
        let changes = change(self.table_mut().object_mut(pos).expect("looked at above"));
        if changes > 0 {
            self.review_fields();
            self.changed(event);
            self.ks.effects.count_dirty(changes as u64 - 1);
        }
        changes
    }

    /// Counts further changes of a change that was just made (SADD of several members makes one event).
    pub fn count_more(&mut self, changes: usize) {
        self.ks.effects.count_dirty(changes as u64);
    }

    /// Fields of the hash behind the entry were found to be over their time and went: told before what replaced them.
    pub fn fields_over(&mut self, fields: usize, event: Event) {
        if fields > 0 {
            self.count_fields_over(fields);
            self.also(event);
        }
    }

    /// Counts fields of a hash that went because their time is over.
    pub fn count_fields_over(&mut self, fields: usize) {
        self.ks.effects.expired_fields += fields as u64;
    }

    /// Has the fields of the hash behind the entry removed when their time comes; to be called after giving them one.
    pub fn track_fields(&mut self) {
        if let Some(Value::Object(object)) = self.value() && let Some(earliest) = object.earliest_inside() {
            self.ks.track_fields(self.db, self.key, earliest);
        }
    }

    /// The hash behind the entry has changed: it may have lost its last field with an expiry.
    #[inline]
    fn review_fields(&mut self) {
        if self.ks.has_timed_hashes(self.db)
            && !matches!(self.value(), Some(Value::Object(object)) if object.earliest_inside().is_some())
        {
            self.ks.untrack_fields(self.db, self.key);
        }
    }

    /// The time of these fields had come and they are gone from the hash; so is the key, if they were all.
    pub(super) fn fields_expired(&mut self, names: &[Vec<u8>], event: Event) {
        let argv: Vec<&[u8]> = [b"HDEL", self.key].into_iter().chain(names.iter().map(Vec::as_slice)).collect();
        self.ks.effects.op(self.db, &argv);
        self.ks.watch.changed(self.db, self.key);
        self.fields_over(names.len(), event);
        if matches!(self.value(), Some(Value::Object(Object::Hash(hash))) if hash.is_empty()) {
            self.ks.effects.op(self.db, &[b"UNLINK", self.key]);
            self.remove_emptied();
        }
    }

    /// Removes a collection that a change just made empty: an event of its own, but no further change.
    pub fn remove_emptied(&mut self) {
        let Some(pos) = self.pos.take() else { return };
        self.before_change();
        let object = self.table_mut().remove(pos);
        self.ks.untrack_fields(self.db, self.key);
        self.ks.discard(object);
        self.ks.watch.changed(self.db, self.key);
        self.also(Event::DEL);
    }

    /// Lets the value go that stood here.
    fn drop_later(&mut self, object: Option<Box<Object>>) {
        self.ks.untrack_object(self.db, self.key, object.as_deref());
        self.ks.discard(object);
    }

    /// Drops what was taken out of an object, later and in slices if there is much of it.
    pub fn discard(&mut self, object: Option<Box<Object>>) {
        self.ks.discard(object);
    }

    /// The inline bytes of a string, to be changed in place without changing their number.
    pub fn edit_bytes(&mut self, event: Event) -> Option<&mut [u8]> {
        let pos = self.pos?;
        if !matches!(self.table().value(pos), Value::Bytes(_)) {
            return None;
        }
        self.before_change();
        self.changed(event);
        self.table_mut().bytes_mut(pos)
    }

    /// Gives the key a time to live.
    pub fn expire(&mut self, at_ms: i64, event: Event) {
        self.set_expire(Some(at_ms), event);
    }

    /// Takes its time to live away; false if it had none.
    pub fn persist(&mut self, event: Event) -> bool {
        let had = self.expire_at().is_some();
        if had {
            self.set_expire(None, event);
        }
        had
    }

    fn set_expire(&mut self, at_ms: Option<i64>, event: Event) {
        let Some(pos) = self.pos else { return };
        self.before_change();
        let pos = self.table_mut().set_expire(pos, at_ms);
        self.pos = Some(pos);
        self.changed(event);
    }

    /// Removes the key; true if it existed.
    #[inline]
    pub fn remove(&mut self, event: Event) -> bool {
        let Some(pos) = self.pos.take() else { return false };
        self.before_change();
        let object = self.table_mut().remove(pos);
        self.drop_later(object);
        self.changed(event);
        true
    }

    /// Removes the key and gives its memory back before returning (`lazyfree-lazy-user-del no`).
    pub fn remove_now(&mut self, event: Event) -> bool {
        let Some(pos) = self.pos.take() else { return false };
        self.before_change();
        let object = self.table_mut().remove(pos);
        self.ks.untrack_object(self.db, self.key, object.as_deref());
        drop(object);
        self.changed(event);
        true
    }

    /// Notes one more event of a change that was just made (`expire` after `set`).
    #[inline]
    pub fn also(&mut self, event: Event) {
        self.ks.effects.event(event, self.db, self.key);
    }

    /// Has those who wait for the key look again, though in the sense of WATCH it has not changed.
    pub fn wake(&mut self) {
        self.ks.blocked.changed(self.db, self.key);
    }

    /// Removes the key because a call gave it a time that is already over; true if it existed. The caller propagates
    /// the removal.
    pub fn remove_expired(&mut self) -> bool {
        let removed = self.remove(Event::EXPIRED);
        self.ks.effects.expired += u64::from(removed);
        removed
    }

    /// Removes the key to make room: told to all who listen, but no change of the data set in the counter's sense.
    pub(super) fn evict(&mut self) {
        let Some(pos) = self.pos.take() else { return };
        self.before_change();
        let object = self.table_mut().remove(pos);
        self.drop_later(object);
        self.ks.watch.changed(self.db, self.key);
        self.ks.blocked.changed(self.db, self.key);
        self.ks.effects.evicted += 1;
        self.ks.effects.event(Event::EVICTED, self.db, self.key);
        self.ks.effects.op(self.db, &[b"UNLINK", self.key]);
    }

    /// Takes the value out as it is, with its tag, expiry and LRU field, removing the key (RENAME, MOVE).
    pub fn take(&mut self, event: Event) -> Option<Taken> {
        let taken = self.lift()?;
        self.ks.effects.changed(event, self.db, self.key);
        Some(taken)
    }

    /// As `take`, but the caller tells what happened (`transfer`).
    pub(super) fn lift(&mut self) -> Option<Taken> {
        let pos = self.pos.take()?;
        self.before_change();
        let taken = Taken::out_of(self.table_mut(), pos);
        if let TakenValue::Object(object) = &taken.value {
            self.ks.untrack_object(self.db, self.key, Some(object));
        }
        self.ks.watch.changed(self.db, self.key);
        self.ks.blocked.changed(self.db, self.key);
        Some(taken)
    }

    /// Puts a value in place of whatever is there; the caller tells what happened (`transfer`).
    pub(super) fn lay(&mut self, taken: Taken) {
        let lru = taken.lru;
        let (type_tag, expire) = (taken.tag, taken.expire_at);
        self.before_change();
        if let Some(pos) = self.pos.take() {
            let object = self.table_mut().remove(pos);
            self.drop_later(object);
        }
        let (key, hash) = (self.key, self.hash);
        let table = self.table_mut();
        self.pos = Some(match taken.value {
            TakenValue::Bytes(b) => table.insert(hash, key, NewValue::Bytes(&b), type_tag, expire, lru),
            TakenValue::Int(n) => table.insert(hash, key, NewValue::Int(n), type_tag, expire, lru),
            TakenValue::Object(o) => table.insert(hash, key, NewValue::Object(o), type_tag, expire, lru),
        });
        self.track_fields();
        self.ks.watch.changed(self.db, self.key);
        self.ks.blocked.changed(self.db, self.key);
    }

    /// Puts a value taken elsewhere, expiry and LRU field included, replacing what is there.
    pub fn put_taken(&mut self, taken: Taken, event: Event) {
        let ttl = taken.expire_at.map_or(Ttl::Clear, Ttl::At);
        let lru = taken.lru;
        match taken.value {
            TakenValue::Bytes(b) => self.put(NewValue::Bytes(&b), taken.tag, ttl, event),
            TakenValue::Int(n) => self.put(NewValue::Int(n), taken.tag, ttl, event),
            TakenValue::Object(o) => self.put(NewValue::Object(o), taken.tag, ttl, event),
        }
        self.set_lru(lru);
    }

    #[inline]
    fn put(&mut self, value: NewValue<'_, Object>, type_tag: u8, ttl: Ttl, event: Event) {
        self.before_change();
        let expire = match ttl {
            Ttl::Keep => self.expire_at(),
            Ttl::Clear => None,
            Ttl::At(at) => Some(at),
        };
        let fresh = self.ks.access.fresh(self.ks.now_ms);
        let (key, hash) = (self.key, self.hash);
        let is_object = matches!(value, NewValue::Object(_));
        match self.pos {
            Some(pos) => {
                let lru = if self.ks.access.lfu { self.table().lru(pos) } else { fresh };
                let (pos, old) = self.table_mut().replace(pos, value, type_tag, expire, lru);
                self.pos = Some(pos);
                self.drop_later(old);
            }
            None => {
                let pos = self.table_mut().insert(hash, key, value, type_tag, expire, fresh);
                self.pos = Some(pos);
                self.ks.effects.event(NEW, self.db, key);
            }
        }
        if is_object {
            self.track_fields();
        }
        self.changed(event);
    }

    /// What must happen before the entry changes: a running snapshot takes its old content.
    #[inline]
    fn before_change(&mut self) {}

    /// What follows from a change.
    #[inline]
    fn changed(&mut self, event: Event) {
        self.ks.watch.changed(self.db, self.key);
        self.ks.blocked.changed(self.db, self.key);
        self.ks.effects.changed(event, self.db, self.key);
    }
}

/// A value outside the keyspace, on its way from one entry to another, maybe on another shard.
#[derive(Debug)]
pub struct Taken {
    /// The value.
    pub value: TakenValue,
    /// Its type tag.
    pub tag: u8,
    /// When it expires.
    pub expire_at: Option<i64>,
    /// Its LRU/LFU field.
    pub lru: u32,
}

/// The value of a [`Taken`].
#[derive(Debug)]
#[allow(missing_docs)]
pub enum TakenValue {
    Bytes(Vec<u8>),
    Int(i64),
    Object(Box<Object>),
}

impl TakenValue {
    /// A string in the form its bytes ask for: integer, inline or object.
    pub fn of_string(bytes: Vec<u8>) -> TakenValue {
        if bytes.len() > Table::<Object>::INLINE_MAX {
            return TakenValue::Object(Box::new(Object::String(bytes)));
        }
        number::parse_i64(&bytes).map_or(TakenValue::Bytes(bytes), TakenValue::Int)
    }
}

impl Taken {
    /// Takes the entry at `pos` out of `table`.
    pub(super) fn out_of(table: &mut Table<Object>, pos: Pos) -> Taken {
        let (tag, expire_at, lru) = (table.type_tag(pos), table.expire_at(pos), table.lru(pos));
        // An object that lies in the leaf is put into a box, to be taken out like any other.
        let has_object = table.object_mut(pos).is_some();
        let copied = match table.value(pos) {
            Value::Bytes(b) => Some(TakenValue::Bytes(b.to_vec())),
            Value::Int(n) => Some(TakenValue::Int(n)),
            Value::Object(_) => None,
        };
        debug_assert_eq!(has_object, copied.is_none());
        let object = table.remove(pos);
        let value = copied.unwrap_or_else(|| TakenValue::Object(object.expect("an object was seen above")));
        Taken { value, tag, expire_at, lru }
    }
}
