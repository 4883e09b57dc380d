//! Changes: insert, replace, expire, remove. Each touches one leaf (and may give it another block); all other leaves
//! stay where they are until `settle`.

use super::map::{NewValue, Pos, Table, tag_of};
use super::entry::{Draft, Entry, KEY_INLINE_MAX, StoredKey, StoredValue, coarse, expiry_len, int_width};
use super::compact::Compact;
use super::owned;
use super::room::Wanted;

impl<O: Compact> Table<O> {
    /// Adds a key that is not there. `type_tag` has four bits, `lru` 24.
    #[inline]
    pub fn insert(&mut self, hash: u64, key: &[u8], value: NewValue<'_, O>, type_tag: u8, expire: Option<i64>, lru: u32) -> Pos {
        debug_assert_eq!(hash, self.hash(key));
        debug_assert!(self.find(hash, key).is_none(), "insert wants an absent key");
        if cfg!(debug_assertions) {
            self.leaves(self.bucket(hash)).for_each(|handle| self.assert_seen(handle));
        }
        let value = match value {
            NewValue::Bytes(bytes) => StoredValue::Bytes(Self::short(bytes)),
            NewValue::Int(n) => StoredValue::Int(n),
            NewValue::Object(object) => {
                return self.with_stored(object, |table, value| table.insert_stored(hash, key, value, type_tag, expire, lru));
            }
        };
        self.insert_stored(hash, key, value, type_tag, expire, lru)
    }

    #[inline]
    fn insert_stored(
        &mut self, hash: u64, key: &[u8], value: StoredValue<'_>, type_tag: u8, expire: Option<i64>, lru: u32,
    ) -> Pos {
        let bucket = self.bucket(hash);
        let key = if key.len() <= KEY_INLINE_MAX { StoredKey::Near(key) } else { self.keep_key(key) };
        let draft = Draft { type_tag, lru, expire, key, value };
        self.generation = self.generation.wrapping_add(1);
        let wanted = Wanted { bucket, tag: tag_of(hash), len: draft.len(), expire, epoch: self.epoch };
        let pos = self.reserve(wanted);
        draft.write(self.entry_mut(pos).0);
        self.len += 1;
        self.expires += usize::from(expire.is_some());
        pos
    }

    #[cold]
    fn keep_key(&mut self, key: &[u8]) -> StoredKey<'static> {
        let (address, len) = owned::keep_bytes(key);
        self.boxed += 1;
        StoredKey::Far { address, len }
    }

    #[inline]
    fn short(bytes: &[u8]) -> &[u8] {
        assert!(bytes.len() <= Self::INLINE_MAX, "a long string comes as an object");
        bytes
    }

    /// Hands `store` an object in the form it is stored in: its bytes if it is small, else its address.
    fn with_stored<R>(&mut self, object: Box<O>, store: impl FnOnce(&mut Self, StoredValue<'_>) -> R) -> R {
        let Some(len) = Self::len_inside(&object) else {
            self.boxed += 1;
            return store(self, StoredValue::Object(owned::keep_object(object)));
        };
        let mut bytes = std::mem::take(&mut self.aside);
        bytes.clear();
        bytes.resize(len, 0);
        object.write_compact(&mut bytes);
        let result = store(self, StoredValue::Compact(&bytes));
        self.aside = bytes;
        result
    }

    /// The object of an entry whose value is about to be overwritten, unless it lies in the leaf.
    #[inline]
    fn release_object(&mut self, pos: Pos) -> Option<Box<O>> {
        let entry = self.entry(pos);
        if !entry.is_object() {
            return None;
        }
        let StoredValue::Object(address) = entry.value() else { return None };
        self.boxed -= 1;
        Some(owned::take_object(address))
    }

    /// Gives a key another value, type, expiry and clock; the old object comes back unless it lay in the leaf, so that it
    /// may be freed later.
    #[inline]
    pub fn replace(
        &mut self, pos: Pos, value: NewValue<'_, O>, type_tag: u8, expire: Option<i64>, lru: u32,
    ) -> (Pos, Option<Box<O>>) {
        self.check(pos);
        self.assert_seen(pos.leaf);
        let value = match value {
            NewValue::Bytes(bytes) => StoredValue::Bytes(Self::short(bytes)),
            NewValue::Int(n) => StoredValue::Int(n),
            NewValue::Object(object) => {
                return self.with_stored(object, |table, value| table.replace_stored(pos, value, type_tag, expire, lru));
            }
        };
        self.replace_stored(pos, value, type_tag, expire, lru)
    }

    #[inline]
    fn replace_stored(
        &mut self, pos: Pos, value: StoredValue<'_>, type_tag: u8, expire: Option<i64>, lru: u32,
    ) -> (Pos, Option<Box<O>>) {
        let old = self.release_object(pos);
        let entry = self.entry(pos);
        let (was, value_at) = (entry.expire(), entry.value_at());
        let same_head = expiry_len(was) == expiry_len(expire);
        self.generation = self.generation.wrapping_add(1);
        let pos = Pos { generation: self.generation, ..pos };
        if same_head && value_at + value.len() == self.entry(pos).0.len() {
            self.entry_mut(pos).overwrite(type_tag, lru, expire, value);
            self.retime(pos, was, expire);
            return (pos, old);
        }
        let pos = self.rewrite(pos, type_tag, lru, expire, Some(value));
        (pos, old)
    }

    /// Writes an entry anew in another length. Without a value it keeps the one it has.
    pub(super) fn rewrite(&mut self, pos: Pos, type_tag: u8, lru: u32, expire: Option<i64>, value: Option<StoredValue<'_>>) -> Pos {
        let mut aside = std::mem::take(&mut self.scratch);
        aside.clear();
        aside.extend_from_slice(self.entry(pos).0);
        let entry = Entry(&aside);
        let was = entry.expire();
        let draft = Draft { type_tag, lru, expire, key: entry.key(), value: value.unwrap_or(entry.value()) };
        // The room below may take a leaf aside in `scratch`, which is empty now: that only costs an allocation, rarely.
        let len = draft.len();
        let pos = match self.stretch(pos, len, expire) {
            Some(pos) => {
                draft.write(self.entry_mut(pos).0);
                self.retime(pos, was, expire);
                pos
            }
            None => self.relocate(pos, &draft),
        };
        self.scratch = aside;
        let leaf = self.tighten(pos.leaf);
        self.pos_again(leaf, usize::from(pos.index))
    }

    /// An entry that no longer fits into its full leaf goes to another leaf of the bucket.
    #[cold]
    fn relocate(&mut self, pos: Pos, draft: &Draft<'_>) -> Pos {
        let leaf = self.leaf(pos.leaf);
        let (bucket, tag, epoch) = (leaf.owner(), leaf.tag(usize::from(pos.index)), leaf.epoch());
        let was = self.entry(pos).expire();
        self.expires = self.expires + usize::from(draft.expire.is_some()) - usize::from(was.is_some());
        // The leaf is full, so it does not become empty here.
        self.cut(pos);
        let len = draft.len();
        let pos = self.reserve(Wanted { bucket, tag, len, expire: draft.expire, epoch });
        draft.write(self.entry_mut(pos).0);
        pos
    }

    /// Where the entry with this index is, after its leaf may have changed its shape.
    #[inline]
    fn pos_again(&self, leaf: u32, index: usize) -> Pos {
        let (offset, len) = (self.leaf(leaf).offset_of(index), self.leaf(leaf).len_of(index));
        self.pos(leaf, index, offset, len)
    }

    /// Keeps the counts of expiries right after one entry's expiry has changed.
    #[inline]
    fn retime(&mut self, pos: Pos, was: Option<i64>, is: Option<i64>) {
        if was.is_none() && is.is_none() || was.map(coarse) == is.map(coarse) {
            return;
        }
        self.expires = self.expires + usize::from(is.is_some()) - usize::from(was.is_some());
        let mut leaf = self.leaf_mut(pos.leaf);
        if let Some(ms) = is {
            leaf.add_timer(ms);
        }
        if let Some(ms) = was {
            leaf.drop_timer(ms);
        }
    }

    /// Sets or removes the expiry.
    pub fn set_expire(&mut self, pos: Pos, expire: Option<i64>) -> Pos {
        self.check(pos);
        self.assert_seen(pos.leaf);
        let was = self.entry(pos).expire();
        if was == expire {
            return pos;
        }
        self.generation = self.generation.wrapping_add(1);
        let pos = Pos { generation: self.generation, ..pos };
        match expire {
            Some(ms) if expiry_len(was) == expiry_len(expire) => {
                self.entry_mut(pos).set_expire(ms);
                self.retime(pos, was, expire);
                pos
            }
            _ => self.rewrite(pos, self.type_tag(pos), self.lru(pos), expire, None),
        }
    }

    /// Sets an integer: in place, moving nothing, when the entry is one and the new one needs no more bytes than it has.
    #[inline]
    pub fn set_int(&mut self, pos: Pos, n: i64) -> Pos {
        self.assert_seen(pos.leaf);
        let entry = self.entry(pos);
        assert!(!entry.is_object() && !entry.is_compact(), "set_int is for strings");
        if entry.is_int() && entry.0.len() - entry.value_at() >= int_width(n) {
            StoredValue::Int(n).write(self.entry_mut(pos).into_value());
            return pos;
        }
        let (type_tag, expire, lru) = (entry.type_tag(), entry.expire(), entry.lru());
        self.replace(pos, NewValue::Int(n), type_tag, expire, lru).0
    }

    /// Removes a key; its object comes back unless it lay in the leaf, so that it may be freed later.
    #[inline]
    pub fn remove(&mut self, pos: Pos) -> Option<Box<O>> {
        self.check(pos);
        self.assert_seen(pos.leaf);
        let object = self.release_object(pos);
        let entry = self.entry(pos);
        let timed = entry.is_timed();
        if let StoredKey::Far { address, len } = entry.key() {
            owned::drop_bytes(address, len);
            self.boxed -= 1;
        }
        self.generation = self.generation.wrapping_add(1);
        let pos = Pos { generation: self.generation, ..pos };
        let last = self.leaf(pos.leaf).count() == 1;
        self.cut(pos);
        if !last {
            self.tighten(pos.leaf);
        }
        self.len -= 1;
        self.expires -= usize::from(timed);
        object
    }
}
