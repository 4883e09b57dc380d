//! Access control against the real binary on one, two and four shards. Texts were taken from Valkey 9.1.

#![allow(clippy::unwrap_used)] // these are tests

#[path = "../common/mod.rs"]
mod common;
#[path = "../clients/wire.rs"]
#[allow(dead_code)] // what only others need
mod wire;

mod attacks;
mod files;
mod rights;
mod users;

use wire::{Client, Server};

/// Runs a test against one shard, two and four.
fn on_shards(words: &[&str], test: impl Fn(&Server)) {
    for shards in [1, 2, 4] {
        test(&Server::with(shards, words));
    }
}

/// A connection of a user that was just made with these rules and any password.
fn user(server: &Server, name: &str, rules: &str) -> Client {
    let mut admin = Client::to(server.addr());
    admin.expect(&format!("ACL SETUSER {name} reset on nopass {rules}"), "+OK");
    let mut client = Client::to(server.addr());
    client.expect(&format!("AUTH {name} x"), "+OK");
    client
}

/// A bulk reply's text.
fn bulk(reply: &str) -> &str {
    reply.split_once("\r\n").unwrap().1.trim_end_matches("\r\n")
}

/// Waits until something is so.
fn wait_for(mut is: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("it never came to be");
}
