//! The commands about clients and about commands, against the real binary on one and on four shards: HELLO, AUTH, RESET,
//! CLIENT, COMMAND, and the gates before every command. Replies are compared byte by byte; they were taken from Valkey
//! 9.1 (`rows.rs` asks a running one).

#![allow(clippy::unwrap_used)] // these are tests

#[path = "../common/mod.rs"]
mod common;

mod command;
mod gates;
mod handshake;
mod kill;
mod list;
mod pause;
mod reply_mode;
mod rows;
mod value;
mod wire;
