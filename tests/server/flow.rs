//! Pipelines that ask for more than fits: what is under way is bounded, nobody waits for ever, every reply comes in order.

use crate::common::Server;
use crate::common::client::words;

const MIB: u64 = 1 << 20;

#[test]
fn replies_of_other_shards_are_asked_for_only_as_fast_as_they_are_read() {
    let server = Server::start(2);
    let mut client = server.client();
    for i in 0..20 {
        assert_eq!(client.say(&format!("SETRANGE key:{i} {} x", MIB - 1)), format!(":{MIB}"));
    }
    let before = server.rss_peak_bytes();
    // Small ones first: what was learnt from them does not help.
    let calls: Vec<u8> =
        (0..1200).flat_map(|i| if i < 200 { words("GET none") } else { words(&format!("GET key:{}", i % 20)) }).collect();
    client.send(&calls);
    // The reader begins late: all of its requests are there by then.
    assert_eq!(server.client().say("PING"), "PONG");
    for i in 0..1200 {
        let reply = client.reply();
        assert!(if i < 200 { reply == "(nil)" } else { reply.bytes().len() as u64 == MIB }, "{i}");
    }
    client.assert_in_step();
    let grown = server.rss_peak_bytes().saturating_sub(before) / MIB;
    assert!(grown < 600, "{grown} MiB for 1000 replies of 1 MiB");
    println!("{grown} MiB");
}

#[test]
fn a_client_that_writes_everything_before_it_reads_is_served() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let mut client = server.client();
        for i in 0..8 {
            client.say(&format!("SETRANGE key:{i} 4095 x"));
        }
        // 200 MB of replies, of which the sockets hold a few; the requests are 2 MB, and all must be taken.
        let count = 50_000;
        let calls: Vec<u8> = (0..count).flat_map(|i| words(&format!("GET key:{}", i % 8))).collect();
        client.send(&calls);
        for i in 0..count {
            assert_eq!(client.reply().bytes().len(), 4096, "{i} with {shards} shards");
        }
        client.assert_in_step();
    }
}

#[test]
fn a_long_pipeline_behind_calls_over_many_shards_keeps_its_order() {
    for shards in [2, 4] {
        let server = Server::start(shards);
        let mut client = server.client();
        let rounds = 4000;
        let mut calls = Vec::new();
        let filler = "x".repeat(500);
        for i in 0..rounds {
            calls.extend(words(&format!("MSET a {i} b {i} c {i} d {i}")));
            calls.extend(words("INCR n"));
            calls.extend(words("MGET a b c d"));
            calls.extend(words(&format!("SET filler {filler}")));
        }
        let replies = client.pipeline(&calls, 4 * rounds);
        for (i, four) in replies.chunks(4).enumerate() {
            assert_eq!(four[0], "OK");
            assert_eq!(four[1], format!(":{}", i + 1));
            assert_eq!(four[2], format!("[{i} {i} {i} {i}]"));
            assert_eq!(four[3], "OK");
        }
    }
}
