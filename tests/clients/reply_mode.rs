//! CLIENT REPLY: who is answered, and when again.

use crate::wire::{Client, on_one_and_four_shards, request};

/// Sends all calls at once; the replies must be these.
fn pipeline(calls: &[&str], replies: &[&str]) {
    on_one_and_four_shards(&[], |server| {
        for at_once in [true, false] {
            let mut c = Client::to(server.addr());
            if at_once {
                c.send_raw(&calls.iter().flat_map(|call| request(call)).collect::<Vec<_>>());
            } else {
                calls.iter().for_each(|call| c.send(call));
            }
            for reply in replies {
                assert_eq!(c.read(), format!("{reply}\r\n"), "{calls:?}");
            }
        }
    });
}

#[test]
fn skip_is_for_one_command() {
    pipeline(&["CLIENT REPLY SKIP", "SET a 1", "GET a", "PING"], &["$1\r\n1", "+PONG"]);
    pipeline(&["CLIENT REPLY SKIP", "NOSUCH", "PING"], &["+PONG"]);
    pipeline(&["CLIENT REPLY SKIP", "CLIENT LIST", "PING"], &["+PONG"]);
    pipeline(&["CLIENT REPLY SKIP", "MSET a 1 b 2 c 3 d 4", "MGET a d"], &["*2\r\n$1\r\n1\r\n$1\r\n4"]);
}

#[test]
fn skip_said_twice_skips_itself_and_one_more() {
    pipeline(&["CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "ECHO x"], &["$1\r\nx"]);
}

#[test]
fn off_lasts_until_on() {
    let calls = ["CLIENT REPLY OFF", "PING", "NOSUCH", "CLIENT REPLY SKIP", "GET a", "CLIENT REPLY ON", "PING"];
    pipeline(&calls, &["+OK", "+PONG"]);
    pipeline(&["CLIENT REPLY SKIP", "CLIENT REPLY ON", "PING"], &["+OK", "+PONG"]);
    pipeline(&["CLIENT REPLY OFF", "RESET", "PING"], &["+RESET", "+PONG"]);
}

#[test]
fn an_exec_is_skipped_whole() {
    let calls = ["MULTI", "SET a 1", "GET a", "ECHO x"];
    let queued = ["+OK", "+QUEUED", "+QUEUED", "+QUEUED"];
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        for (call, reply) in calls.iter().zip(queued) {
            c.expect(call, reply);
        }
        // SKIP may not stand in a transaction, so it is said before.
        c.expect("DISCARD", "+OK");
        c.send("CLIENT REPLY OFF");
        calls.iter().for_each(|call| c.send(call));
        c.send("EXEC");
        c.expect("CLIENT REPLY ON", "+OK");
        c.expect("GET a", "$1\r\n1");
        c.expect("CLIENT REPLY x", "-ERR syntax error");
    });
}
