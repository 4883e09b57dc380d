//! The whole server from outside, through its sockets. One binary with many modules: it links once.
//!
//! | module | what |
//! |---|---|
//! | `clients.rs` | many clients, bad clients |
//! | `protocol.rs` | bytes that are no requests, requests in pieces |
//! | `start.rs` | starting and stopping |
//! | `transactions.rs` | MULTI, WATCH, many keys: the same with any number of shards |

#![allow(clippy::unwrap_used)] // these are tests

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod protocol;
mod start;
mod transactions;
