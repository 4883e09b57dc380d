//! Looking ahead into a large collection.
//!
//! A look-up in a large hash, set or sorted set waits twice for memory: for the place of the bucket and for what is in it.
//! Whoever has several calls at hand asks for all their places first ([`Object::look_ahead`]), then for all the buckets
//! ([`Ahead::bring`]), and the waits overlap. Nothing is changed and nothing is promised.

use super::Object;
use super::zset::Slot;
use crate::stdx::prefetch::prefetch_lines;

/// Lines of a bucket that are asked for: nearly all of most.
const LINES: usize = 10;

/// A bucket whose place was asked for.
pub enum Ahead<'a> {
    /// Fields or members.
    Bytes(&'a Vec<u8>),
    /// Where members are in a sorted set.
    Slots(&'a Vec<Slot>),
}

impl Ahead<'_> {
    /// Asks for the bucket itself.
    #[inline]
    pub fn bring(&self) {
        match self {
            Ahead::Bytes(bytes) => prefetch_lines(bytes, LINES),
            Ahead::Slots(slots) => Slot::prefetch(slots),
        }
    }
}

impl Object {
    /// Asks for the place of the bucket in which `member` (a field, a member) is or would be.
    #[inline]
    pub fn look_ahead(&self, member: &[u8]) -> Option<Ahead<'_>> {
        match self {
            Object::Hash(hash) => hash.look_ahead(member).map(Ahead::Bytes),
            Object::Set(set) => set.look_ahead(member).map(Ahead::Bytes),
            Object::ZSet(set) => set.look_ahead(member).map(Ahead::Slots),
            Object::List(_) | Object::Stream(_) | Object::String(_) => None,
        }
    }
}
