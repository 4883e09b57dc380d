//! Pub/sub against the real binary, on one, two and four shards, in RESP2 and RESP3: subscriptions, messages, counts,
//! order, what subscribers may do, and what slow ones meet.

#![allow(clippy::unwrap_used)] // these are tests

#[path = "../common/mod.rs"]
mod common;

mod channels;
mod crowds;
mod events;
mod figures;
mod latency;
mod monitor;

use common::{Client, Server};

/// On servers of several sizes.
fn everywhere(args: &[&str], test: impl Fn(&mut Server)) {
    for shards in [1, 2, 4] {
        let mut server = Server::with(shards, args);
        test(&mut server);
        server.assert_well();
    }
}

/// In both protocols, on servers of several sizes: `test` gets the protocol and the letters that open and close a push.
fn in_both_protocols(test: impl Fn(&mut Server, Protocol)) {
    for resp3 in [false, true] {
        everywhere(&[], |server| test(server, Protocol { resp3 }));
    }
}

#[derive(Clone, Copy)]
struct Protocol {
    resp3: bool,
}

impl Protocol {
    fn client(self, server: &Server) -> Client {
        let mut client = server.client();
        if self.resp3 {
            assert!(!client.say("HELLO 3").is_error());
        }
        client
    }

    /// How a message reads: `[message a b]` in RESP2, `>message a b;` in RESP3.
    fn push(self, text: &str) -> String {
        if self.resp3 { format!(">{text};") } else { format!("[{text}]") }
    }
}
