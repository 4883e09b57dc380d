//! How waiting ends without an element: timeouts, CLIENT UNBLOCK, CLIENT KILL, disconnects.

use super::{Stage, on_any_shards};
use crate::common::client::words;
use crate::common::server::eventually;

/// Calls that wait on one key and on several; `@` stands for the timeout.
const CALLS: &[&str] = &[
    "BLPOP a @",
    "BRPOP a b c d e @",
    "BLMOVE a b LEFT LEFT @",
    "BRPOPLPUSH a c @",
    "BLMPOP @ 4 a b c d LEFT",
    "BZPOPMIN a @",
    "BZPOPMAX a b c d @",
    "BZMPOP @ 4 a b c d MAX",
];

fn with_timeout(call: &str, timeout: &str) -> String {
    call.replace('@', timeout)
}

#[test]
fn a_wait_that_is_over_answers_null() {
    on_any_shards(|stage| {
        for call in CALLS {
            assert_eq!(stage.admin.say(&with_timeout(call, "0.01")), "(nil)", "{call}");
        }
        assert_eq!(stage.admin.say("XREAD BLOCK 10 STREAMS a b c d $ $ $ $"), "(nil)");
        stage.admin.say("XGROUP CREATE s g $ MKSTREAM");
        assert_eq!(stage.admin.say("XREADGROUP GROUP g c BLOCK 1 STREAMS s >"), "(nil)");
        assert_eq!(stage.blocked(), 0);
        stage.admin.assert_in_step();
    });
}

#[test]
fn the_shortest_wait_ends_first() {
    on_any_shards(|stage| {
        let mut clients = stage.waiting(&["BLPOP a b c d 100", "BZPOPMIN a 0", "BLPOP a 100"]);
        assert_eq!(stage.admin.say("BZMPOP 0.02 3 a b c MIN"), "(nil)");
        stage.await_blocked(3);
        stage.admin.say("RPUSH a 1 2");
        assert_eq!(clients[0].reply(), "[a 1]");
        assert_eq!(clients[2].reply(), "[a 2]");
    });
}

#[test]
fn client_unblock_ends_a_wait_as_a_timeout_or_an_error() {
    on_any_shards(|stage| {
        for call in CALLS {
            let call = with_timeout(call, "0");
            for (how, reply) in [("", "(nil)"), (" TIMEOUT", "(nil)"), (" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK")] {
                let mut client = stage.server.client();
                let id = client.say("CLIENT ID").int();
                assert_eq!(stage.admin.say(&format!("CLIENT UNBLOCK {id}{how}")), ":0");
                client.send(&words(&call));
                stage.await_blocked(1);
                assert_eq!(stage.admin.say(&format!("CLIENT UNBLOCK {id}{how}")), ":1");
                assert_eq!(client.reply(), reply, "{call}");
                assert_eq!(stage.admin.say(&format!("CLIENT UNBLOCK {id}{how}")), ":0");
                client.assert_in_step();
            }
        }
        stage.await_blocked(0);
    });
}

#[test]
fn a_blocked_client_is_listed_as_such() {
    on_any_shards(|stage| {
        let _clients = stage.waiting(&["BLPOP a 0", "BZPOPMIN a b c d 0"]);
        let list = stage.admin.say("CLIENT LIST FLAGS b").to_string();
        assert!(list.contains("cmd=blpop") && list.contains("cmd=bzpopmin"), "{list}");
    });
}

#[test]
fn what_comes_after_a_client_is_gone_is_for_the_next() {
    on_any_shards(|stage| {
        for (wait, put, reply) in
            [("BLPOP a 0", "RPUSH a v", "[a v]"), ("BLPOP a b c d 0", "RPUSH d v", "[d v]"), ("BZPOPMIN b a 0", "ZADD a 1 v", "[a v 1]")]
        {
            let killed = stage.waiter(wait);
            let id = stage.admin.say("CLIENT LIST FLAGS b").to_string();
            let id = id.split_once("id=").unwrap().1.split(' ').next().unwrap().to_owned();
            let closed = stage.waiter(wait);
            let mut last = stage.waiter(wait);
            assert_eq!(stage.admin.say(&format!("CLIENT KILL ID {id}")), ":1");
            drop(closed);
            stage.await_blocked(1);
            stage.admin.say(put);
            assert_eq!(last.reply(), reply);
            drop(killed);
        }
    });
}

#[test]
fn a_pause_holds_who_pushes_and_serves_who_waits_afterwards() {
    on_any_shards(|stage| {
        let mut waiting = stage.waiting(&["BLPOP a b c d 0", "BZPOPMIN z 0"]);
        stage.admin.say("CLIENT PAUSE 100000 WRITE");
        let mut pushing = stage.server.client();
        pushing.send(&[words("RPUSH c v"), words("ZADD z 1 m")].concat());
        // A blocking pop is a write: it is held too.
        let mut held = stage.server.client();
        held.send(&words("BLPOP c 0"));
        let admin = &mut stage.admin;
        eventually("two are held", || admin.say("CLIENT LIST FLAGS b").to_string().matches("id=").count() == 4);
        stage.admin.say("CLIENT UNPAUSE");
        assert_eq!(waiting[0].reply(), "[c v]");
        assert_eq!(waiting[1].reply(), "[z m 1]");
        assert_eq!((pushing.reply().int(), pushing.reply().int()), (1, 1));
        stage.admin.say("RPUSH c w");
        assert_eq!(held.reply(), "[c w]");
    });
}

#[test]
fn replies_that_are_not_wanted_do_not_come() {
    on_any_shards(|stage| {
        let mut client = stage.server.client();
        client.send(&[words("CLIENT REPLY SKIP"), words("BLPOP a b c d 0"), words("ECHO next")].concat());
        stage.await_blocked(1);
        stage.admin.say("RPUSH c v");
        assert_eq!(client.reply(), "next");
        assert_eq!(stage.admin.say("EXISTS c"), ":0");
    });
}

/// A client whose answers cannot leave: it asked for more than sockets hold, and does not read.
fn one_who_does_not_read(stage: &mut Stage, call: &str) -> (crate::common::Client, i64) {
    let mut client = stage.server.client();
    let id = client.say("CLIENT ID").int();
    client.send(&words("GETRANGE big 0 -1"));
    let admin = &mut stage.admin;
    eventually("it is being answered", || admin.say(&format!("CLIENT LIST ID {id}")).to_string().contains("oll=1"));
    client.send(&words(call));
    (client, id)
}

/// Something that was taken: the call that waits, what is put, and how to see that it is taken and back.
const TAKEN: &[(&str, &str, &str, &str)] = &[
    ("BLPOP k 0", "RPUSH k a b c", "LRANGE k 0 -1", "[a b c]"),
    ("BRPOP x k y z 0", "RPUSH k a b c", "LRANGE k 0 -1", "[a b c]"),
    ("BLPOP x k y z 0", "RPUSH k a", "LRANGE k 0 -1", "[a]"),
    ("BLMPOP 0 1 k LEFT COUNT 2", "RPUSH k a b c", "LRANGE k 0 -1", "[a b c]"),
    ("BLMPOP 0 4 x y k z RIGHT COUNT 2", "RPUSH k a b c", "LRANGE k 0 -1", "[a b c]"),
    ("BLMPOP 0 4 x y k z LEFT COUNT 9", "RPUSH k a b c", "LRANGE k 0 -1", "[a b c]"),
    ("BZPOPMIN k 0", "ZADD k 1.5 a 2 b", "ZRANGE k 0 -1 WITHSCORES", "[a 1.5 b 2]"),
    ("BZPOPMAX x k y z 0", "ZADD k 1 a 2 b", "ZRANGE k 0 -1 WITHSCORES", "[a 1 b 2]"),
    ("BZMPOP 0 4 x k y z MIN COUNT 9", "ZADD k -inf a 2 b", "ZRANGE k 0 -1 WITHSCORES", "[a -inf b 2]"),
];

#[test]
fn what_was_taken_for_a_client_that_went_before_the_answer_left_goes_back() {
    on_any_shards(|stage| {
        assert_eq!(stage.admin.say("SETRANGE big 33554431 x"), ":33554432");
        for (wait, put, see, there) in TAKEN {
            // Taken after waiting, then the client closes; taken at once, then it is killed.
            let (client, _) = one_who_does_not_read(stage, wait);
            stage.await_blocked(1);
            assert!(!stage.admin.say(put).is_error());
            stage.await_blocked(0);
            let admin = &mut stage.admin;
            eventually("it is taken", || admin.say(see) != *there);
            drop(client);
            eventually("it is back", || admin.say(see) == *there);
            assert_eq!(admin.say("PEXPIREAT k 33000000000000"), ":1");
            let (client, id) = one_who_does_not_read(stage, wait);
            let admin = &mut stage.admin;
            eventually("it is taken", || admin.say(see) != *there);
            assert_eq!(admin.say(&format!("CLIENT KILL ID {id}")), ":1");
            eventually("it is back", || admin.say(see) == *there);
            eventually("with its time", || admin.say("PEXPIRETIME k") == ":33000000000000");
            drop(client);
            admin.say("DEL k");
        }
    });
}

#[test]
fn what_goes_back_is_for_the_next_who_waits() {
    on_any_shards(|stage| {
        stage.admin.say("SETRANGE big 33554431 x");
        let (client, _) = one_who_does_not_read(stage, "BLPOP a k b c 0");
        stage.await_blocked(1);
        let mut next = stage.waiter("BLPOP d k e f 0");
        stage.admin.say("RPUSH k v");
        stage.await_blocked(1);
        drop(client);
        assert_eq!(next.reply(), "[k v]");
        assert_eq!(stage.admin.say("EXISTS k"), ":0");
    });
}

#[test]
fn what_has_left_does_not_come_back() {
    on_any_shards(|stage| {
        for (wait, put, see, _) in TAKEN {
            let mut client = stage.waiter(wait);
            stage.admin.say(put);
            client.reply();
            let left = stage.admin.say(see);
            let id = client.say("CLIENT ID").int();
            stage.admin.say(&format!("CLIENT KILL ID {id}"));
            client.until_closed();
            assert_eq!(stage.admin.say("PING"), "PONG");
            assert_eq!(stage.admin.say(see), left);
            stage.admin.say("DEL k");
        }
    });
}

/// One call ends by a push or by something else at the same time: it has the element, or the element is still there.
#[test]
fn an_end_that_races_with_a_push_takes_the_element_or_leaves_it() {
    on_any_shards(|stage| {
        let mut other = stage.server.client();
        let mut counts = [0, 0];
        for round in 0..150 {
            let call = ["BLPOP c 0", "BLPOP a b c d 0", "BLPOP c 0.002", "BLPOP d c b a 0.002"][round % 4];
            let mut client = stage.server.client();
            let id = client.say("CLIENT ID").int();
            client.send(&words(call));
            let (unblock, push) = (words(&format!("CLIENT UNBLOCK {id}")), words("RPUSH c v"));
            std::thread::scope(|scope| {
                scope.spawn(|| other.send(&push));
                stage.admin.send(&unblock);
            });
            assert_eq!(other.reply(), ":1");
            stage.admin.reply();
            // Who was not blocked yet when it was unblocked finds the element; who had it, is answered already.
            let taken = client.reply();
            let left = stage.admin.say("LPOP c");
            if taken == "(nil)" {
                assert_eq!(left, "v", "{call}");
            } else {
                assert_eq!(taken, "[c v]", "{call}");
                assert_eq!(left, "(nil)", "{call}");
            }
            counts[usize::from(left == "v")] += 1;
            client.assert_in_step();
        }
        println!("taken and left: {counts:?}");
        stage.await_blocked(0);
    });
}
