//! Listpack: many short strings in one block of bytes, the compact form of small lists, hashes, sorted sets, sets and of
//! the nodes of large lists and streams.
//!
//! The bytes are Valkey's, to the last bit, so DUMP and RDB write them as they are and load them after [`validate`].
//! `entry` is the form of one entry, `pack` the block and its edits, `iter` the walk over it.

mod entry;
mod iter;
mod pack;
#[cfg(test)]
mod tests;

pub use entry::{Digits, Element, Needle};
pub use iter::Iter;
pub use pack::{BYTES_MAX, EMPTY_BYTES, Listpack, elements, validate};
