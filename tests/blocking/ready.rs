//! Every way a key becomes ready.

use super::on_any_shards;

/// Calls that fill the keys to come, and calls that each make `k` ready, by the type of what is waited for.
struct Ways {
    wait: &'static [&'static str],
    /// Fills `src` and `d1` of database 1.
    fill: &'static [&'static str],
    /// Each makes `k` of database 0 ready.
    ways: &'static [&'static [&'static str]],
    /// What the answer holds.
    found: &'static str,
}

const LIST: Ways = Ways {
    wait: &["BLPOP k 0", "BRPOP other k 0", "BLMOVE k dst LEFT LEFT 0", "BLMPOP 0 2 k other LEFT", "BRPOPLPUSH k dst 0"],
    fill: &["RPUSH src v", "SELECT 1", "RPUSH k v", "SELECT 0"],
    ways: &[
        &["RPUSH k v"],
        &["LPUSH k v"],
        &["RENAME src k"],
        &["RENAMENX src k"],
        &["COPY src k"],
        &["LMOVE src k LEFT RIGHT"],
        &["RPOPLPUSH src k"],
        &["SELECT 1", "MOVE k 0", "SELECT 0"],
        &["SELECT 1", "COPY k k DB 0", "SELECT 0"],
        &["SWAPDB 0 1"],
        &["SWAPDB 1 0"],
        &["MULTI", "SET a 1", "SET b 2", "RPUSH k v", "EXEC"],
        &["SET k x", "MULTI", "DEL k", "LPUSH k v", "EXEC"],
    ],
    found: "v",
};

const SORTED_SET: Ways = Ways {
    wait: &["BZPOPMIN k 0", "BZPOPMAX other k 0", "BZMPOP 0 2 k other MIN COUNT 10"],
    fill: &["ZADD src 1 v", "SELECT 1", "ZADD k 1 v", "SELECT 0"],
    ways: &[
        &["ZADD k 1 v"],
        &["ZINCRBY k 1 v"],
        &["ZADD k INCR 1 v"],
        &["RENAME src k"],
        &["COPY src k"],
        &["ZUNIONSTORE k 1 src"],
        &["ZINTERSTORE k 2 src src"],
        &["ZDIFFSTORE k 1 src"],
        &["ZRANGESTORE k src 0 -1"],
        &["SELECT 1", "MOVE k 0", "SELECT 0"],
        &["SELECT 1", "COPY k k DB 0", "SELECT 0"],
        &["SWAPDB 0 1"],
        &["MULTI", "SET a 1", "ZADD k 1 v", "EXEC"],
    ],
    found: "v",
};

const STREAM: Ways = Ways {
    wait: &["XREAD BLOCK 0 STREAMS k 0", "XREAD BLOCK 0 COUNT 1 STREAMS other k $ $", "XREAD BLOCK 0 STREAMS k +"],
    fill: &["XADD src 1-1 f v", "SELECT 1", "XADD k 1-1 f v", "SELECT 0"],
    ways: &[
        &["XADD k 1-1 f v"],
        &["RENAME src k"],
        &["COPY src k"],
        &["SELECT 1", "MOVE k 0", "SELECT 0"],
        &["SWAPDB 0 1"],
        &["MULTI", "SET a 1", "XADD k 5-5 f v", "EXEC"],
    ],
    found: "v",
};

fn every_way_wakes(ways: &Ways) {
    on_any_shards(|stage| {
        for wait in ways.wait {
            for way in ways.ways {
                stage.admin.say("FLUSHALL");
                for call in ways.fill {
                    stage.admin.say(call);
                }
                let mut client = stage.waiter(wait);
                for call in *way {
                    let reply = stage.admin.say(call);
                    assert!(!reply.is_error(), "{call}: {reply:?}");
                }
                let reply = client.reply();
                assert!(!reply.is_error() && reply.to_string().contains(ways.found), "{wait} after {way:?}: {reply:?}");
                assert_eq!(stage.blocked(), 0, "{wait} after {way:?}");
            }
        }
    });
}

#[test]
fn every_way_to_make_a_list_wakes() {
    every_way_wakes(&LIST);
}

#[test]
fn every_way_to_make_a_sorted_set_wakes() {
    every_way_wakes(&SORTED_SET);
}

#[test]
fn every_way_to_make_a_stream_wakes() {
    every_way_wakes(&STREAM);
}

#[test]
fn a_value_of_another_type_wakes_nobody() {
    on_any_shards(|stage| {
        let waits = ["BLPOP k a b c d 0", "BZPOPMIN k e f 0", "XREAD BLOCK 0 STREAMS k g h $ $ $", "BLMOVE k x LEFT LEFT 0"];
        let mut clients = stage.waiting(&waits);
        for call in ["SET k 1", "DEL k", "SADD k m", "DEL k", "HSET k f v", "DEL k", "RPUSH other v", "RENAME other k", "SET k 2"] {
            stage.admin.say(call);
            if call == "RENAME other k" {
                assert_eq!(clients[0].reply(), "[k v]");
            }
        }
        stage.await_blocked(3);
        stage.admin.say("DEL k");
        stage.at_once(&["ZADD k 1 m"]);
        assert_eq!(clients[1].reply(), "[k m 1]");
        stage.await_blocked(2);
        stage.admin.say("XADD k 1-1 f v");
        assert_eq!(clients[2].reply(), "[[k [[1-1 [f v]]]]]");
        stage.admin.say("DEL k");
        stage.admin.say("RPUSH k z");
        assert_eq!(clients[3].reply(), "z");
    });
}

#[test]
fn a_destination_of_another_type_is_told_to_who_waits() {
    on_any_shards(|stage| {
        let mut clients = stage.waiting(&["BLMOVE src dst LEFT LEFT 0", "BLPOP src 0"]);
        stage.admin.say("SET dst x");
        stage.admin.say("RPUSH src v");
        assert!(clients[0].reply().to_string().contains("WRONGTYPE"));
        assert_eq!(clients[1].reply(), "[src v]");
    });
}

#[test]
fn a_key_that_goes_while_it_wakes_wakes_nobody() {
    on_any_shards(|stage| {
        let mut clients = stage.waiting(&["BLPOP k 0", "BZPOPMIN k a b c 0"]);
        for going in ["FLUSHALL", "FLUSHDB", "DEL k", "RENAME k elsewhere", "MOVE k 5", "PEXPIREAT k 1", "SET k x", "UNLINK k"] {
            stage.at_once(&["RPUSH k v", going]);
            stage.at_once(&["FLUSHALL", "ZADD k 1 v", going]);
            stage.admin.say("FLUSHALL");
        }
        stage.at_once(&["RPUSH k v", "SWAPDB 0 3"]);
        stage.await_blocked(2);
        stage.at_once(&["SWAPDB 0 3", "DEL k", "RPUSH k last"]);
        assert_eq!(clients[0].reply(), "[k last]");
        stage.admin.say("ZADD b 1 last");
        assert_eq!(clients[1].reply(), "[b last 1]");
    });
}

#[test]
fn a_restored_value_wakes() {
    on_any_shards(|stage| {
        let cases = [
            ("RPUSH src v", "BLPOP a k b 0", "[k v]"),
            ("ZADD src 1 v", "BZPOPMAX k 0", "[k v 1]"),
            ("XADD src 1-1 f v", "XREAD BLOCK 0 STREAMS a k $ $", "[[k [[1-1 [f v]]]]]"),
        ];
        for (fill, wait, reply) in cases {
            stage.admin.say(fill);
            let payload = stage.admin.say("DUMP src");
            let mut client = stage.waiter(wait);
            assert_eq!(stage.admin.call(&[&b"RESTORE"[..], b"k", b"0", payload.bytes()]), "OK");
            assert_eq!(client.reply(), reply);
            stage.admin.say("FLUSHALL");
        }
    });
}
