//! Client-side caching against the real binary, on one, two and four shards: who is told of what, in which order, and
//! that a cache that forgets what it is told to forget never keeps an old value.

#![allow(clippy::unwrap_used)] // these are tests

#[path = "../common/mod.rs"]
mod common;

mod caches;
mod modes;

use common::{Client, Reply, Server};

/// On servers of several sizes.
fn everywhere(args: &[&str], test: impl Fn(&mut Server)) {
    for shards in [1, 2, 4] {
        let mut server = Server::with(shards, args);
        test(&mut server);
        server.assert_well();
    }
}

/// A client of RESP3.
fn client3(server: &Server) -> Client {
    let mut client = server.client();
    assert!(!client.say("HELLO 3").is_error());
    client
}

/// A client of RESP3 that tracks with these words.
fn tracking(server: &Server, words: &str) -> Client {
    let mut client = client3(server);
    assert_eq!(client.say(&format!("CLIENT TRACKING ON {words}")), "OK");
    client
}

/// What comes before the answer to PING: pushes that were made before.
fn told(client: &mut Client) -> Vec<Reply> {
    client.send(&common::client::words("PING"));
    let mut pushes = Vec::new();
    loop {
        match client.reply() {
            Reply::Simple(text) => {
                assert_eq!(text, "PONG");
                return pushes;
            }
            push => pushes.push(push),
        }
    }
}
