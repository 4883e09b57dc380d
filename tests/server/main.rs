//! The whole server from outside, through its sockets. One binary with many modules: it links once.
//!
//! | module | what |
//! |---|---|
//! | `start.rs` | starting and stopping |

#![allow(clippy::unwrap_used)] // these are tests

#[path = "../common/mod.rs"]
mod common;

mod start;
