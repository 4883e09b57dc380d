//! The engine of Ringkey: one shard of the keyspace.
//!
//! A shard is a deterministic machine. It has no sockets, no files, no clock and no threads: time, randomness and limits
//! come in as arguments, so a test, a fuzzer, a model checker or a simulator can run it without a server.
//!
//! Life of a call: the server finds the command's row ([`command::Row`]) and checks its arity; [`shard::Shard::execute`]
//! builds an [`exec::Exec`] (arguments, time, keyspace, reply) and calls the row's function. The function reads through
//! [`keyspace::Keyspace::read`] and changes through the gate, [`keyspace::Keyspace::entry_mut`]; the gate writes down
//! what changed in [`effects::Effects`]. The reply is appended to the caller's buffer, the effects are drained by the
//! caller.
//!
//! Invariants:
//! - A call runs to its end; nothing else of this shard runs meanwhile.
//! - On an error reply nothing has changed.
//! - Replaying the effects of all calls gives the same state.
//! - Inside the crate: shard -> commands -> {exec, args, reply, error} -> keyspace -> types -> stdx. Never back.

pub mod args;
pub mod command;
pub mod commands;
pub mod contents;
pub mod effects;
pub mod error;
pub mod exec;
pub mod generate;
pub mod keyspace;
pub mod rdb;
pub mod reply;
pub mod shard;
pub mod stdx;
pub mod transcript;
pub mod txn;
pub mod types;
