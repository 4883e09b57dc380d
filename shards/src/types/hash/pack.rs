//! A pack: entries one after the other in a block of bytes, in the order in which they came.
//!
//! ```text
//! entry = [expiry] name value        each as in `cell.rs`
//! ```
//!
//! A field is found by walking: two lengths say where the next entry is, and a name of another length, or with another
//! last byte, is passed without a comparison.

use super::cell::{self, Probe};
use super::grow::resize_at;
use super::{Field, Text};

/// Where an entry is, in offsets from the start of its pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its first byte.
    pub start: usize,
    /// The name's cell.
    pub name: usize,
    /// The value's cell.
    pub value: usize,
    /// The first byte after it.
    pub end: usize,
}

/// The entry at `start`.
#[inline]
pub fn place_at(pack: &[u8], start: usize) -> Place {
    let name = start + expiry_bytes(&pack[start..]);
    let value = name + cell::measure(&pack[name..]).0;
    let end = value + cell::measure(&pack[value..]).0;
    Place { start, name, value, end }
}

#[inline]
fn expiry_bytes(entry: &[u8]) -> usize {
    match cell::read_expiry(entry) {
        None => 0,
        at => cell::expiry_len(at),
    }
}

/// The entries' places.
pub fn places(pack: &[u8]) -> impl Iterator<Item = Place> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == pack.len() {
            return None;
        }
        let place = place_at(pack, at);
        at = place.end;
        Some(place)
    })
}

/// The field at a place.
#[inline]
pub fn read(pack: &[u8], place: Place) -> Field<'_> {
    Field {
        name: cell::read(&pack[place.name..place.value]),
        value: cell::read(&pack[place.value..place.end]),
        expire_at: if place.name > place.start { cell::read_expiry(&pack[place.start..]) } else { None },
    }
}

/// The fields.
pub fn fields(pack: &[u8]) -> impl Iterator<Item = Field<'_>> {
    places(pack).map(|place| read(pack, place))
}

/// The entry of a name.
#[inline]
pub fn find(pack: &[u8], name: &Probe<'_>) -> Option<Place> {
    places(pack).find(|place| name.is(&pack[place.name..place.value]))
}

/// Adds an entry at the end.
pub fn push(pack: &mut Vec<u8>, name: &Probe<'_>, value: &[u8], expire_at: Option<i64>) {
    push_probes(pack, name, &Probe::new(value), expire_at);
}

/// Adds a field of another pack at the end.
pub fn push_field(pack: &mut Vec<u8>, field: Field<'_>) {
    push_probes(pack, &Probe::of(field.name), &Probe::of(field.value), field.expire_at);
}

fn push_probes(pack: &mut Vec<u8>, name: &Probe<'_>, value: &Probe<'_>, expire_at: Option<i64>) {
    let start = pack.len();
    let name_at = start + cell::expiry_len(expire_at);
    let value_at = name_at + name.len();
    let end = value_at + value.len();
    resize_at(pack, start, 0, end - start);
    cell::write_expiry(expire_at, &mut pack[start..name_at]);
    name.write(&mut pack[name_at..value_at]);
    value.write(&mut pack[value_at..end]);
}

/// Replaces the value of an entry.
pub fn set_value(pack: &mut Vec<u8>, place: Place, value: &[u8]) {
    let value = Probe::new(value);
    resize_at(pack, place.value, place.end - place.value, value.len());
    value.write(&mut pack[place.value..place.value + value.len()]);
}

/// Replaces the expiry of an entry.
pub fn set_expiry(pack: &mut Vec<u8>, place: Place, at: Option<i64>) {
    let len = cell::expiry_len(at);
    resize_at(pack, place.start, place.name - place.start, len);
    cell::write_expiry(at, &mut pack[place.start..place.start + len]);
}

/// Removes an entry.
pub fn cut(pack: &mut Vec<u8>, place: Place) {
    resize_at(pack, place.start, place.end - place.start, 0);
}

/// The name in an entry.
pub fn name(pack: &[u8], place: Place) -> Text<'_> {
    cell::read(&pack[place.name..place.value])
}

/// The earliest expiry in it; `i64::MAX` if there is none.
pub fn earliest(pack: &[u8]) -> i64 {
    fields(pack).filter_map(|field| field.expire_at).min().unwrap_or(i64::MAX)
}
