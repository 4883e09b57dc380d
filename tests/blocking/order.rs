//! Who is served first, and from which of its keys.

use super::{keys, on_any_shards};
use crate::common::client::words;

#[test]
fn clients_are_served_in_the_order_they_came() {
    on_any_shards(|stage| {
        for (wait, push) in [
            ("BLPOP k 0", "RPUSH k"),
            ("BZPOPMIN k 0", "ZADD k 1"),
            ("BZMPOP 0 1 k MAX", "ZADD k 1"),
            ("BLMPOP 0 1 k LEFT", "RPUSH k"),
        ] {
            let mut clients = stage.waiting(&[wait; 5]);
            for (i, client) in clients.iter_mut().enumerate() {
                stage.admin.say(&format!("{push} v{i}"));
                let reply = client.reply().to_string();
                assert!(reply.contains(&format!("v{i}")), "{wait}: {reply}");
            }
        }
    });
}

#[test]
fn those_who_wait_for_one_key_and_for_many_stand_in_one_line() {
    on_any_shards(|stage| {
        let calls = ["BLPOP a 0", "BLPOP a b c d e 0", "BLPOP e d c b a 0", "BLPOP a 0"];
        let mut clients = stage.waiting(&calls);
        stage.admin.say("RPUSH a 1 2 3 4");
        for (i, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.reply(), format!("[a {}]", i + 1), "{}", calls[i]);
        }
        assert_eq!(stage.blocked(), 0);
    });
}

#[test]
fn the_first_of_the_clients_keys_that_has_something_is_taken() {
    on_any_shards(|stage| {
        let all = keys(40);
        for (wait, put) in [("BLPOP", "RPUSH"), ("BZPOPMAX", "ZADD")] {
            let mut client = stage.waiter(&format!("{wait} {} 0", all.join(" ")));
            let value = if put == "ZADD" { "1 v" } else { "v" };
            // All at once, the last named first.
            let puts: Vec<String> = (5..40).rev().map(|i| format!("{put} {} {value}", all[i])).collect();
            stage.at_once(&puts.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(client.reply().to_string().starts_with("[key:5 v"), "{wait}");
            assert_eq!(stage.admin.say("DBSIZE").int(), 34);
            stage.admin.say("FLUSHALL");
        }
    });
}

#[test]
fn keys_that_have_something_are_taken_in_the_clients_order_without_waiting() {
    on_any_shards(|stage| {
        stage.at_once(&["ZADD z1 1 a", "ZADD z2 2 b", "ZADD z3 3 c", "RPUSH l2 x", "RPUSH l1 y"]);
        assert_eq!(stage.admin.say("BZPOPMIN none z3 z2 z1 0"), "[z3 c 3]");
        assert_eq!(stage.admin.say("BZMPOP 0 4 none z3 z2 z1 MIN COUNT 7"), "[z2 [[b 2]]]");
        assert_eq!(stage.admin.say("BRPOP none l1 l2 0"), "[l1 y]");
        assert_eq!(stage.admin.say("BLMPOP 0 3 none l1 l2 LEFT"), "[l2 [x]]");
        assert_eq!(stage.admin.say("EXISTS z1 z2 z3 l1 l2"), ":1");
    });
}

#[test]
fn many_elements_at_once_serve_many_clients() {
    on_any_shards(|stage| {
        let mut clients = stage.waiting(&["BZPOPMIN z y 0", "BZPOPMAX z 0", "BZPOPMIN z x 0", "BZPOPMIN z 0"]);
        assert_eq!(stage.admin.say("ZADD z 1 a 2 b 3 c"), ":3");
        let served: Vec<String> = clients[..3].iter_mut().map(|c| c.reply().to_string()).collect();
        assert_eq!(served, ["[z a 1]", "[z c 3]", "[z b 2]"]);
        stage.await_blocked(1);
        assert_eq!(stage.admin.say("EXISTS z"), ":0");
    });
}

#[test]
fn a_waiting_call_that_feeds_another_wakes_it() {
    on_any_shards(|stage| {
        let mut last = stage.waiter("BLPOP d 0");
        let mut second = stage.waiter("BLMOVE c d LEFT RIGHT 0");
        let mut third = stage.waiter("BRPOPLPUSH b c 0");
        let mut first = stage.waiter("BLMOVE a b LEFT RIGHT 0");
        stage.admin.say("RPUSH a x");
        assert_eq!(first.reply(), "x");
        assert_eq!(third.reply(), "x");
        assert_eq!(second.reply(), "x");
        assert_eq!(last.reply(), "[d x]");
        assert_eq!(stage.admin.say("DBSIZE"), ":0");
    });
}

#[test]
fn a_push_and_pop_in_one_transaction_wake_nobody() {
    on_any_shards(|stage| {
        let mut clients = stage.waiting(&["BLPOP a b c d 0", "BZPOPMIN e f g h 0"]);
        stage.at_once(&["RPUSH a x", "RPUSH d y", "DEL a d", "ZADD e 1 m", "ZREM e m"]);
        stage.await_blocked(2);
        stage.at_once(&["RPUSH c z", "ZADD g 5 n"]);
        assert_eq!(clients[0].reply(), "[c z]");
        assert_eq!(clients[1].reply(), "[g n 5]");
    });
}

#[test]
fn what_follows_a_blocking_call_in_a_pipeline_waits_for_it_and_what_went_before_does_not() {
    on_any_shards(|stage| {
        for (wait, put, reply) in [
            ("BLPOP a b c d 0", "RPUSH c x", "[c x]"),
            ("BZPOPMIN a 0", "ZADD a 1 x", "[a x 1]"),
            ("XREAD BLOCK 0 STREAMS a b 0 0", "XADD b 1-1 f v", "[[b [[1-1 [f v]]]]]"),
        ] {
            let mut client = stage.server.client();
            let calls = ["SET k1 1", "SET k2 2", wait, "GET k1", "BLPOP l1 l2 l3 0", "GET k2"];
            client.send(&calls.iter().flat_map(|call| words(call)).collect::<Vec<u8>>());
            assert_eq!(client.reply(), "OK");
            assert_eq!(client.reply(), "OK");
            stage.await_blocked(1);
            stage.admin.say(put);
            assert_eq!(client.reply(), reply);
            assert_eq!(client.reply(), "1");
            stage.await_blocked(1);
            stage.admin.say("RPUSH l3 y");
            assert_eq!(client.reply(), "[l3 y]");
            assert_eq!(client.reply(), "2");
            stage.admin.say("FLUSHALL");
        }
    });
}

#[test]
fn inside_a_transaction_nothing_waits() {
    on_any_shards(|stage| {
        stage.admin.say("XGROUP CREATE st g $ MKSTREAM");
        let calls = [
            "BLPOP a b 0", "BRPOP a b 0", "BLMOVE a b LEFT LEFT 0", "BRPOPLPUSH a b 0", "BLMPOP 0 2 a b LEFT", "BZPOPMIN a b 0",
            "BZPOPMAX a b 0", "BZMPOP 0 2 a b MIN", "XREAD BLOCK 0 STREAMS st $", "XREADGROUP GROUP g c BLOCK 0 STREAMS st >",
        ];
        for call in calls {
            stage.admin.say("MULTI");
            assert_eq!(stage.admin.say(call), "QUEUED");
            assert_eq!(stage.admin.say("EXEC"), "[(nil)]", "{call}");
        }
        stage.admin.say("MULTI");
        calls.iter().for_each(|call| assert_eq!(stage.admin.say(call), "QUEUED"));
        assert!(stage.admin.say("EXEC").array().iter().all(|reply| *reply == "(nil)"));
    });
}

#[test]
fn hundreds_of_keys_in_rotating_order() {
    on_any_shards(|stage| {
        let mut all = keys(300);
        let mut clients = Vec::new();
        for _ in 0..6 {
            all.rotate_left(50);
            clients.push(stage.waiter(&format!("BRPOP {} 0", all.join(" "))));
        }
        for i in 0..6 {
            stage.admin.say(&format!("LPUSH key:{} job{i}", (i * 97) % 300));
        }
        let mut jobs: Vec<String> = clients.iter_mut().map(|c| c.reply().array()[1].text()).collect();
        jobs.sort_unstable();
        assert_eq!(jobs, ["job0", "job1", "job2", "job3", "job4", "job5"]);
        assert_eq!(stage.admin.say("DBSIZE"), ":0");
    });
}

#[test]
fn a_long_line_is_served_one_by_one() {
    on_any_shards(|stage| {
        let calls = ["BLPOP k 0", "BLPOP k a b c 0", "BRPOP k 0"];
        let mut clients: Vec<_> = (0..300).map(|_| stage.server.client()).collect();
        clients.iter_mut().enumerate().for_each(|(i, client)| client.send(&words(calls[i % 3])));
        stage.await_blocked(300);
        for i in 0..150 {
            // With many shards the one before may still be on offer.
            assert!(!stage.admin.say(&format!("RPUSH k {i}")).is_error());
        }
        stage.await_blocked(150);
        let rest: Vec<String> = (150..300).map(|i| i.to_string()).collect();
        stage.admin.say(&format!("RPUSH k {}", rest.join(" ")));
        let mut heard: Vec<u32> = clients.iter_mut().map(|c| c.reply().array()[1].text().parse().unwrap()).collect();
        heard.sort_unstable();
        assert_eq!(heard, (0..300).collect::<Vec<u32>>());
    });
}
