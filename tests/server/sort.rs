//! SORT by keys of any shard: the same with any number of them, and atomic.

use crate::common::{Server, random};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const ELEMENTS: i64 = 12;

/// Sets all weights at once, rising or falling.
fn weigh(sign: i64) -> String {
    let pairs: Vec<String> = (1..=ELEMENTS).map(|i| format!("weight:{i} {}", i * sign)).collect();
    format!("MSET {}", pairs.join(" "))
}

#[test]
fn a_sort_sees_all_weights_of_one_moment() {
    for shards in [2, 4] {
        let server = Server::start(shards);
        let mut client = server.client();
        let all: Vec<String> = (1..=ELEMENTS).map(|i| i.to_string()).collect();
        client.say(&format!("RPUSH list {}", all.join(" ")));
        client.say(&weigh(1));
        let rising = format!("[{}]", all.join(" "));
        let falling = format!("[{}]", all.iter().rev().map(String::as_str).collect::<Vec<_>>().join(" "));
        let (end, over) = (random::deadline(3), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = server.client();
                let mut sign = 1;
                while !over.load(Ordering::Relaxed) {
                    sign = -sign;
                    assert_eq!(client.say(&weigh(sign)), "OK");
                }
            });
            let mut seen = [0, 0];
            while Instant::now() < end {
                let sorted = client.say("SORT list BY weight:* GET #").to_string();
                assert!(sorted == rising || sorted == falling, "{sorted}");
                seen[usize::from(sorted == rising)] += 1;
                assert_eq!(client.say("SORT list BY weight:* STORE sorted"), format!(":{ELEMENTS}"));
                let stored = client.say("LRANGE sorted 0 -1").to_string();
                assert!(stored == rising || stored == falling, "{stored}");
            }
            over.store(true, Ordering::Relaxed);
            println!("{seen:?} with {shards} shards");
        });
    }
}

#[test]
fn a_sort_inside_a_transaction_reaches_every_shard() {
    for shards in [1, 2, 4] {
        let server = Server::start(shards);
        let mut client = server.client();
        client.say("MULTI");
        let calls = ["RPUSH l 1 2 3", "MSET w1 9 w2 8 w3 7", "HSET h2 f two", "SORT l BY w* GET h*->f", "SET w2 0", "SORT l BY w* STORE out", "LRANGE out 0 -1", "GET w3"];
        calls.iter().for_each(|call| assert_eq!(client.say(call), "QUEUED"));
        assert_eq!(client.say("EXEC"), "[:3 OK :1 [(nil) two (nil)] OK :3 [2 3 1] 7]", "{shards} shards");
        assert_eq!(client.say("EXISTS l w1 w2 w3 h2 out"), ":6");
    }
}

#[test]
fn who_waits_for_the_destination_of_a_sort_is_woken() {
    for shards in [1, 2, 4] {
        let server = Server::start(shards);
        let (mut client, mut waiting) = (server.client(), server.client());
        client.say("RPUSH l 2 1");
        client.say("MSET w1 5 w2 4");
        waiting.send(&crate::common::client::words("BLPOP a b dst c 0"));
        crate::common::server::eventually("it waits", || server.info("blocked_clients") == "1");
        client.say("SORT l BY w* STORE dst");
        assert_eq!(waiting.reply(), "[dst 2]");
        assert_eq!(client.say("LRANGE dst 0 -1"), "[1]");
    }
}
