//! What whole-server tests share: starting servers, talking to them, looking at them from outside.
//!
//! | file | what |
//! |---|---|
//! | `server.rs` | starts our server (or a `redis-server`) in a folder of its own, stops it by its own pid |
//! | `client.rs` | a client: calls, pipelines, raw bytes, time limits |
//! | `reply.rs` | replies of RESP2 and RESP3, readable in assertions |
//! | `random.rs` | seeds that are printed and can be given again, how long random tests run |
//!
//! Use it with `mod common;` in `tests/NAME.rs`, or `#[path = "../common/mod.rs"] mod common;` in `tests/NAME/main.rs`:
//!
//! ```text
//! let server = Server::start(2);                        // 2 shards; Server::with(2, &["--maxclients", "10"])
//! let mut client = server.client();
//! assert_eq!(client.say("SET a 1"), "OK");
//! assert_eq!(client.call(&[&b"GET"[..], b"a"]), "1");   // any bytes
//! assert_eq!(client.say("MGET a b"), "[1 (nil)]");
//! ```
//!
//! A server starts in milliseconds, so every test has its own. When a test fails, the log of its server is printed.

#![allow(dead_code)] // every test binary uses a part
#![allow(clippy::unwrap_used)] // these are tests

pub mod client;
pub mod random;
pub mod reply;
pub mod server;

#[allow(unused_imports)] // as above
pub use self::{
    client::{Client, request},
    reply::Reply,
    server::Server,
};
