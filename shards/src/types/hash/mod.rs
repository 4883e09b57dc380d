//! A hash: fields with values, each field with an expiry of its own if it likes.
//!
//! Two forms. A small hash is one *pack* (`pack.rs`): all entries in one block, in the order in which they came, found
//! by walking. What is larger, or has fields that expire, is a *table* (`table.rs`): many packs, each some hundred bytes,
//! among which the hash of a field chooses, growing one pack at a time (linear hashing). So a field costs about the same
//! in both forms, three to six bytes beyond its name and value, where Valkey goes from a listpack to an allocation and
//! a pointer for each field. Which form a hash has follows Valkey's thresholds, for OBJECT ENCODING tells it.
//!
//! A hash knows no time. Whoever reads says what is *hidden*: fields whose expiry is at or before that moment are not
//! there for him ([`NOTHING_HIDDEN`]: all are). They go when somebody removes them or [`Hash::expire_some`] comes by.
//!
//! Invariants: a pack has no expiries and no more entries than the bounds allowed when it was last written to; a table
//! never becomes a pack again; no field is there twice.

mod cell;
mod grow;
mod pack;
mod table;
#[cfg(test)]
mod tests;

pub use cell::Text;

use cell::Probe;
use table::Table;

/// Hides nothing: no field expires at the beginning of time.
pub const NOTHING_HIDDEN: i64 = i64::MIN;
/// A pack never grows beyond this, whatever the bounds say (as a listpack in Valkey).
const PACK_BYTES_MAX: usize = 1 << 30;

/// Up to where a hash is a pack, and what keys the hash function when it becomes a table.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// `hash-max-listpack-entries`.
    pub entries_max: usize,
    /// `hash-max-listpack-value`: bytes of the longest field or value.
    pub value_max: usize,
    /// Secret and random, so that nobody can choose fields that fall together.
    pub seed: u64,
}

/// What becomes of a field's expiry when its value is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// There is none.
    Clear,
    /// It stays.
    Keep,
    /// It is this.
    At(i64),
}

/// What [`Hash::set`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Was {
    /// No such field.
    Absent,
    /// A field whose time was over.
    Over,
    /// The field.
    There,
}

/// A field that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// Its value.
    pub value: Text<'a>,
    /// When it expires, if it does.
    pub expire_at: Option<i64>,
}

impl Field<'_> {
    #[inline]
    fn is_hidden(&self, hidden: i64) -> bool {
        self.expire_at.is_some_and(|at| at <= hidden)
    }
}

/// Fields and values.
#[derive(Clone)]
pub struct Hash {
    form: Form,
}

#[derive(Clone)]
enum Form {
    Pack { bytes: Vec<u8>, len: usize },
    Table(Box<Table>),
}

impl Default for Hash {
    fn default() -> Hash {
        Hash { form: Form::Pack { bytes: Vec::new(), len: 0 } }
    }
}

impl Hash {
    /// An empty table.
    pub fn hashed(bounds: &Bounds) -> Hash {
        Hash { form: Form::Table(Box::new(Table::sized(0, 0, bounds.seed))) }
    }

    /// The name OBJECT ENCODING prints.
    pub fn encoding(&self) -> &'static str {
        match self.form {
            Form::Pack { .. } => "listpack",
            Form::Table(_) => "hashtable",
        }
    }

    /// Number of fields, those whose time is over included.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Pack { len, .. } => *len,
            Form::Table(table) => table.len(),
        }
    }

    /// The bytes of a small hash and the number of its fields.
    pub(super) fn small_form(&self) -> Option<(&[u8], usize)> {
        match &self.form {
            Form::Pack { bytes, len } => Some((bytes, *len)),
            Form::Table(_) => None,
        }
    }

    pub(super) fn from_small_form((bytes, len): (&[u8], usize)) -> Hash {
        Hash { form: Form::Pack { bytes: grow::fitted(bytes), len } }
    }

    /// True if there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of fields that have an expiry.
    pub fn timed_len(&self) -> usize {
        match &self.form {
            Form::Pack { .. } => 0,
            Form::Table(table) => table.timed_len(),
        }
    }

    /// No field expires before this; `None`: no field ever.
    pub fn earliest(&self) -> Option<i64> {
        match &self.form {
            Form::Table(table) if table.timed_len() > 0 => Some(table.earliest()),
            _ => None,
        }
    }

    /// The field of this name.
    #[inline]
    pub fn get(&self, name: &[u8], hidden: i64) -> Option<Field<'_>> {
        let probe = Probe::new(name);
        let field = match &self.form {
            Form::Pack { bytes, .. } => pack::find(bytes, &probe).map(|place| pack::read(bytes, place)),
            Form::Table(table) => table.get(&probe),
        };
        field.filter(|field| !field.is_hidden(hidden))
    }

    /// The pack in which a field is or would be, of a large hash; its place is asked for.
    #[inline]
    pub(super) fn look_ahead(&self, name: &[u8]) -> Option<&Vec<u8>> {
        match &self.form {
            Form::Table(table) => Some(table.look_ahead(&Probe::new(name))),
            Form::Pack { .. } => None,
        }
    }

    /// True if there is a field of this name.
    #[inline]
    pub fn has(&self, name: &[u8], hidden: i64) -> bool {
        self.get(name, hidden).is_some()
    }

    /// Becomes a table ahead of `pairs` names and values in turn, if setting them would make it one: an oversized one
    /// decides for all, and their number counts as if all were new.
    pub fn prepare<'a, I: ExactSizeIterator<Item = &'a [u8]>>(&mut self, pairs: impl Fn() -> I, bounds: &Bounds) {
        let Form::Pack { bytes, .. } = &self.form else { return };
        let fields = pairs().len() / 2;
        let total = bytes.len() + pairs().map(<[u8]>::len).sum::<usize>();
        if fields > bounds.entries_max {
            self.spread((fields, total), bounds);
        } else if total > PACK_BYTES_MAX || pairs().any(|text| text.len() > bounds.value_max) {
            self.spread((0, 0), bounds);
        }
    }

    /// Sets the value of a field. A field whose expiry is at or before `over` counts as not there.
    pub fn set(&mut self, name: &[u8], value: &[u8], expiry: Expiry, over: i64, bounds: &Bounds) -> Was {
        if let Form::Pack { bytes, .. } = &self.form {
            let long = name.len() > bounds.value_max || value.len() > bounds.value_max;
            if long || matches!(expiry, Expiry::At(_)) || bytes.len() + name.len() + value.len() > PACK_BYTES_MAX {
                self.spread((0, 0), bounds);
            }
        }
        let probe = Probe::new(name);
        match &mut self.form {
            Form::Table(table) => table.set(&probe, value, expiry, over),
            Form::Pack { bytes, len } => {
                if let Some(place) = pack::find(bytes, &probe) {
                    pack::set_value(bytes, place, value);
                    return Was::There;
                }
                pack::push(bytes, &probe, value, None);
                *len += 1;
                if *len > bounds.entries_max {
                    self.spread((0, 0), bounds);
                }
                Was::Absent
            }
        }
    }

    /// Removes a field; true if it was there.
    pub fn remove(&mut self, name: &[u8], hidden: i64) -> bool {
        let probe = Probe::new(name);
        match &mut self.form {
            Form::Table(table) => table.remove(&probe, hidden),
            Form::Pack { bytes, len } => {
                let Some(place) = pack::find(bytes, &probe) else { return false };
                pack::cut(bytes, place);
                *len -= 1;
                true
            }
        }
    }

    /// Gives a field that is there an expiry, or takes it away.
    pub fn set_expiry(&mut self, name: &[u8], at: Option<i64>, bounds: &Bounds) {
        if at.is_some() && matches!(self.form, Form::Pack { .. }) {
            self.spread((0, 0), bounds);
        }
        if let Form::Table(table) = &mut self.form {
            table.set_expiry(&Probe::new(name), at);
        }
    }

    /// The fields in some order, as they came while the hash is a pack.
    pub fn iter(&self, hidden: i64) -> impl Iterator<Item = Field<'_>> {
        let (packs, one) = match &self.form {
            Form::Table(table) => (Some(table.packs().iter()), None),
            Form::Pack { bytes, .. } => (None, Some(bytes)),
        };
        one.into_iter().chain(packs.into_iter().flatten()).flat_map(|bytes| pack::fields(bytes)).filter(move |field| !field.is_hidden(hidden))
    }

    /// One step of a scan: gives the fields of one part, returns the cursor of the next step, 0 at the end. Any number
    /// is a valid cursor, and fields there from start to end are given at least once.
    pub fn scan<'a>(&'a self, cursor: u64, hidden: i64, mut each: impl FnMut(Field<'a>)) -> u64 {
        let (bytes, next) = match &self.form {
            Form::Pack { bytes, .. } => (bytes.as_slice(), 0),
            Form::Table(table) => table.step(cursor),
        };
        pack::fields(bytes).filter(|field| !field.is_hidden(hidden)).for_each(&mut each);
        next
    }

    /// A random field, hidden ones included, each about equally likely, and a number that tells it from all others until
    /// something changes. `below` gives random numbers below its argument.
    pub fn random(&self, below: &mut dyn FnMut(u64) -> u64) -> Option<(u64, Field<'_>)> {
        match &self.form {
            Form::Table(table) => table.random(below),
            Form::Pack { len: 0, .. } => None,
            Form::Pack { bytes, len } => {
                let n = below(*len as u64);
                pack::fields(bytes).nth(n as usize).map(|field| (n, field))
            }
        }
    }

    /// Removes up to `max` fields whose expiry is at or before `now`, giving each name; false if none are left.
    pub fn expire_some(&mut self, now: i64, max: usize, each: &mut dyn FnMut(Text<'_>)) -> bool {
        match &mut self.form {
            Form::Pack { .. } => false,
            Form::Table(table) => table.expire_some(now, max, each),
        }
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Pack { bytes, .. } => bytes.capacity(),
            Form::Table(table) => size_of::<Table>() + table.memory_bytes(),
        }
    }

    /// How many allocations it is.
    pub fn drop_cost(&self) -> usize {
        match &self.form {
            Form::Pack { .. } => 1,
            Form::Table(table) => table.packs().len() + 2,
        }
    }

    /// Frees up to `max` allocations; true when what is left can be dropped at once. The hash is of no use afterwards.
    pub fn drop_some(&mut self, max: usize) -> bool {
        match &mut self.form {
            Form::Pack { .. } => true,
            Form::Table(table) => table.drop_some(max),
        }
    }

    /// Becomes a table with room for more fields of so many bytes.
    fn spread(&mut self, (more_len, more_bytes): (usize, usize), bounds: &Bounds) {
        if let Form::Pack { bytes, len } = &self.form {
            let mut table = Table::sized(len + more_len, bytes.len() + more_bytes, bounds.seed);
            for field in pack::fields(bytes) {
                table.take_in(field);
            }
            assert_eq!(table.len(), *len, "every field goes along");
            self.form = Form::Table(Box::new(table));
        }
    }

    /// Checks everything; for tests and simulation.
    pub fn check_invariants(&self) {
        match &self.form {
            Form::Table(table) => table.check_invariants(),
            Form::Pack { bytes, len } => {
                assert_eq!(pack::fields(bytes).count(), *len);
                for field in pack::fields(bytes) {
                    assert!(field.expire_at.is_none(), "a pack has no expiries");
                }
            }
        }
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hash").field("encoding", &self.encoding()).field("len", &self.len()).finish()
    }
}
