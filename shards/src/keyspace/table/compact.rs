//! Small objects lie in their leaf, as bytes, like strings do: no box, no block of its own, no address.
//!
//! An object that can be small says so by [`Compact`]. Who reads it gets an object made from its bytes, a *view*, which
//! lives until the call ends ([`Table::settle`]). Who changes it gets an object in a box: the entry is *open*, which is to
//! say that it holds the box's address in front of what were its bytes. When the call ends the box goes back into the leaf
//! if it is (still, or now) small; else the entry keeps the address. So a small collection of 16 elements costs about 70
//! bytes less than in blocks of its own, and reading it one cache miss where there were three; what it costs is a copy of
//! at most a kilobyte in and out.
//!
//! Invariant: an entry with an address and further bytes behind it is listed in `open`.

use std::cell::{Cell, OnceCell};

use super::entry::StoredValue;
use super::map::{Pos, Table, tag_of};
use super::owned;

/// The longest object inside a leaf.
pub(super) const COMPACT_MAX: usize = 1024;

/// A value that may be small enough to lie in a leaf.
pub trait Compact: Sized {
    /// How many bytes it would take there; `None` if it cannot be there. At least eight.
    fn compact_len(&self) -> Option<usize> {
        None
    }

    /// Writes it into just so many bytes.
    fn write_compact(&self, _out: &mut [u8]) {
        unreachable!("only what has a compact length is written")
    }

    /// The value that was written.
    fn from_compact(_bytes: &[u8]) -> Self {
        unreachable!("only what was written is read")
    }
}

impl Compact for () {}

/// An entry that was opened: its key's hash and the address it holds.
#[derive(Clone, Copy)]
pub(super) struct Open {
    hash: u64,
    pub(super) address: u64,
}

impl<O: Compact> Table<O> {
    /// What `object` takes inside a leaf, if it may lie there.
    #[inline]
    pub(super) fn len_inside(object: &O) -> Option<usize> {
        object.compact_len().filter(|len| *len <= COMPACT_MAX)
    }

    /// The view of an entry whose object lies in the leaf.
    pub(super) fn view(&self, pos: Pos, bytes: &[u8]) -> &O {
        let place = (pos.leaf, u32::from(pos.offset), pos.generation);
        self.views.last_if(place).unwrap_or_else(|| self.views.keep(place, O::from_compact(bytes)))
    }

    /// The object of an entry, to change in place until the call ends. Moves nothing.
    #[inline]
    pub fn object_mut(&mut self, pos: Pos) -> Option<&mut O> {
        self.assert_seen(pos.leaf);
        match self.entry(pos).value() {
            StoredValue::Object(address) => {
                // It may have become small since it was put into its box.
                if Self::len_inside(owned::object::<O>(address)).is_some() && !self.open.iter().any(|o| o.address == address) {
                    let hash = self.entry_hash(self.entry(pos));
                    self.open.push(Open { hash, address });
                }
                Some(owned::object_mut(address))
            }
            StoredValue::Compact(bytes) => {
                let object = Box::new(O::from_compact(bytes));
                Some(self.open_entry(pos, object))
            }
            _ => None,
        }
    }

    fn open_entry(&mut self, pos: Pos, object: Box<O>) -> &mut O {
        let hash = self.entry_hash(self.entry(pos));
        let address = owned::keep_object(object);
        self.boxed += 1;
        self.entry_mut(pos).open(address);
        self.open.push(Open { hash, address });
        owned::object_mut(address)
    }

    /// The end of a call: what was opened is closed, what was looked at is forgotten.
    #[inline]
    pub(super) fn close_all(&mut self) {
        self.views.clear();
        while let Some(open) = self.open.pop() {
            self.close(open);
        }
    }

    fn close(&mut self, open: Open) {
        let holds = |entry: super::entry::Entry<'_>| entry.address() == Some(open.address);
        let bucket = self.bucket(open.hash);
        let found = self.leaves(bucket).find_map(|handle| {
            let (index, offset, len) = self.leaf(handle).find(tag_of(open.hash), holds)?;
            Some(self.pos(handle, index, offset, len))
        });
        // The key may be gone, or hold something else by now.
        let Some(pos) = found else { return };
        let Some(len) = Self::len_inside(owned::object::<O>(open.address)) else {
            if self.entry(pos).is_open() {
                self.restore(pos, StoredValue::Object(open.address));
            }
            return;
        };
        let object = owned::take_object::<O>(open.address);
        self.boxed -= 1;
        let mut bytes = std::mem::take(&mut self.aside);
        bytes.clear();
        bytes.resize(len, 0);
        object.write_compact(&mut bytes);
        self.restore(pos, StoredValue::Compact(&bytes));
        self.aside = bytes;
    }

    /// Gives an entry another form of the value it has.
    fn restore(&mut self, pos: Pos, value: StoredValue<'_>) {
        let entry = self.entry(pos);
        let (type_tag, lru, expire) = (entry.type_tag(), entry.lru(), entry.expire());
        if entry.value_at() + value.len() == entry.0.len() {
            return self.entry_mut(pos).overwrite(type_tag, lru, expire, value);
        }
        self.rewrite(pos, type_tag, lru, expire, Some(value));
    }

    /// Forgets what was looked at. For those who walk over a whole table in one call and hold no view.
    pub fn forget_views(&mut self) {
        self.views.clear();
    }
}

/// Where an entry was: leaf, offset, generation.
type Place = (u32, u32, u32);

/// Objects made from bytes, each at its place until all are forgotten at once. They are kept in chunks, every one twice as
/// large as the one before, and a chunk never moves: so a view can be added while others are looked at.
pub(super) struct Views<O> {
    first: Chunk<O>,
    len: Cell<usize>,
    /// The entry that was looked at last: commands ask several times.
    last: Cell<Place>,
}

struct Chunk<O> {
    slots: Box<[OnceCell<O>]>,
    next: OnceCell<Box<Chunk<O>>>,
}

/// Slots of the first chunk.
const FIRST: usize = 4;

impl<O> Chunk<O> {
    fn new(slots: usize) -> Chunk<O> {
        Chunk { slots: (0..slots).map(|_| OnceCell::new()).collect(), next: OnceCell::new() }
    }
}

impl<O> Default for Views<O> {
    fn default() -> Views<O> {
        Views { first: Chunk::new(FIRST), len: Cell::new(0), last: Cell::default() }
    }
}

impl<O> Views<O> {
    fn slot(&self, mut index: usize) -> &OnceCell<O> {
        let mut chunk = &self.first;
        while index >= chunk.slots.len() {
            index -= chunk.slots.len();
            chunk = chunk.next.get_or_init(|| Box::new(Chunk::new(2 * chunk.slots.len())));
        }
        &chunk.slots[index]
    }

    fn last_if(&self, place: Place) -> Option<&O> {
        let len = self.len.get();
        if len == 0 || self.last.get() != place { None } else { self.slot(len - 1).get() }
    }

    fn keep(&self, place: Place, object: O) -> &O {
        let index = self.len.get();
        self.len.set(index + 1);
        self.last.set(place);
        self.slot(index).get_or_init(|| object)
    }

    #[inline]
    fn clear(&mut self) {
        if self.len.get() > 0 {
            let used = self.len.replace(0).min(FIRST);
            self.first.slots[..used].iter_mut().for_each(|slot| drop(slot.take()));
            self.first.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_stay_where_they_are_until_all_are_forgotten() {
        let mut views = Views::default();
        for _ in 0..3 {
            let kept: Vec<&String> = (0..1000).map(|i| views.keep((i, 0, 0), i.to_string())).collect();
            assert!(kept.iter().enumerate().all(|(i, text)| **text == i.to_string()));
            assert_eq!(views.last_if((999, 0, 0)).map(String::as_str), Some("999"));
            assert!(views.last_if((998, 0, 0)).is_none());
            views.clear();
            assert!(views.last_if((999, 0, 0)).is_none());
        }
    }
}
