//! The keyspace of one shard: its databases, and the gate every change passes.
//!
//! Reading goes through [`Keyspace::read`] and [`Keyspace::peek`]; every change goes through [`Keyspace::entry_mut`]
//! (or the few whole-database doors: flush, swap). The gate expires keys whose time has come, keeps watch versions,
//! tells a running snapshot before a leaf changes, and writes the change into [`crate::effects::Effects`]. So no command
//! has to remember to signal, notify or replicate.
//!
//! Rooms: `space` the keyspace itself, `entry` the gate, `table` the hash table of one database, `watch` versions for
//! WATCH, `access` the LRU/LFU clock, `expire` active expiry, `fields` that of the fields of hashes, `evict` making room,
//! `memory` what a key costs, `guests` keys lent by other shards,
//! `images` what keys held before a script changed them, `slots` the hash slots,
//! `transfer` values going from key to key, `rebuild` all values anew.

pub mod access;
pub mod blocked;
pub mod entry;
pub mod evict;
pub mod expire;
mod fields;
pub mod guests;
pub mod images;
mod memory;
mod rebuild;
pub mod slots;
pub mod space;
pub mod table;
pub mod transfer;
pub mod watch;

pub use entry::{EntryMut, Ttl};
pub use space::{Keyspace, Lookup};
