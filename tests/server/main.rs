//! The whole server from outside, through its sockets. One binary with many modules: it links once.
//!
//! | module | what |
//! |---|---|
//! | `admin.rs` | INFO, SLOWLOG, DEBUG, MEMORY, SHUTDOWN, WAIT and their like |
//! | `clients.rs` | many clients, bad clients |
//! | `config.rs` | CONFIG |
//! | `flow.rs` | pipelines that ask for more than fits |
//! | `memory.rs` | `maxmemory` |
//! | `protocol.rs` | bytes that are no requests, requests in pieces |
//! | `scripts.rs` | EVAL, FCALL: the same with any number of shards |
//! | `sort.rs` | SORT by keys of any shard |
//! | `start.rs` | starting and stopping |
//! | `transactions.rs` | MULTI, WATCH, many keys: the same with any number of shards |

#![allow(clippy::unwrap_used)] // these are tests

#[path = "../common/mod.rs"]
mod common;

mod admin;
mod clients;
mod config;
mod flow;
mod memory;
mod protocol;
mod scripts;
mod sort;
mod start;
mod transactions;
