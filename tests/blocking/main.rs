//! Commands that wait for keys, seen from outside, with 1, 2 and 4 shards: the same with any number of them.
//!
//! | module | what |
//! |---|---|
//! | `order.rs` | who is served first, and from which key |
//! | `ready.rs` | every way a key becomes ready |
//! | `streams.rs` | XREAD and XREADGROUP |
//! | `ends.rs` | timeouts, CLIENT UNBLOCK, CLIENT KILL, disconnects, pauses |
//!
//! Nothing here waits for time to pass: a test waits until the server counts so many blocked clients.

#![allow(clippy::unwrap_used)] // these are tests

#[path = "../common/mod.rs"]
mod common;

mod ends;
mod order;
mod ready;
mod streams;

use common::server::eventually;
use common::{Client, Server, client::words};

/// A server, and a client that looks at it and changes it.
struct Stage {
    server: Server,
    admin: Client,
}

/// Runs a test with 1, 2 and 4 shards.
fn on_any_shards(test: impl Fn(&mut Stage)) {
    for shards in [1, 2, 4] {
        let server = Server::start(shards);
        let admin = server.client();
        test(&mut Stage { server, admin });
    }
}

impl Stage {
    /// Waits until so many clients are blocked.
    fn await_blocked(&mut self, count: usize) {
        let admin = &mut self.admin;
        let expected = format!("\r\nblocked_clients:{count}\r\n");
        eventually("clients are blocked", || admin.say("INFO clients").to_string().contains(&expected));
    }

    /// Clients that wait, each with one of these calls, in this order.
    fn waiting(&mut self, calls: &[&str]) -> Vec<Client> {
        let before = self.blocked();
        let mut clients = Vec::new();
        for (i, call) in calls.iter().enumerate() {
            let mut client = self.server.client();
            client.send(&words(call));
            clients.push(client);
            self.await_blocked(before + i + 1);
        }
        clients
    }

    /// One client that waits with this call.
    fn waiter(&mut self, call: &str) -> Client {
        self.waiting(&[call]).pop().unwrap()
    }

    fn blocked(&mut self) -> usize {
        let info = self.admin.say("INFO clients").to_string();
        let line = info.lines().find_map(|line| line.strip_prefix("blocked_clients:")).unwrap();
        line.trim().parse().unwrap()
    }

    /// Runs calls by MULTI and EXEC.
    fn at_once(&mut self, calls: &[&str]) {
        assert_eq!(self.admin.say("MULTI"), "OK");
        calls.iter().for_each(|call| assert_eq!(self.admin.say(call), "QUEUED", "{call}"));
        let replies = self.admin.say("EXEC");
        assert!(replies.array().iter().all(|reply| !reply.is_error()), "{replies:?}");
    }
}

/// Names of keys that lie on all shards.
fn keys(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("key:{i}")).collect()
}
