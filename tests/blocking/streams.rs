//! XREAD and XREADGROUP with BLOCK.

use super::on_any_shards;

#[test]
fn a_dollar_stands_for_the_last_id_at_the_time_of_the_call() {
    on_any_shards(|stage| {
        stage.at_once(&["XADD a 5-0 f old", "XADD b 7-0 f old"]);
        let mut client = stage.waiter("XREAD BLOCK 0 STREAMS a b c $ $ $");
        stage.admin.say("XADD b 8-0 f new");
        assert_eq!(client.reply(), "[[b [[8-0 [f new]]]]]");
        // What came between two calls is lost to `$`; an id is not.
        stage.admin.say("XADD b 9-0 f between");
        let mut client = stage.waiter("XREAD BLOCK 0 STREAMS a b $ $");
        stage.at_once(&["XADD b 10-0 f x", "XADD a 6-0 f y", "XADD b 11-0 f z"]);
        assert_eq!(client.reply(), "[[a [[6-0 [f y]]]] [b [[10-0 [f x]] [11-0 [f z]]]]]");
        assert_eq!(stage.admin.say("XREAD BLOCK 0 COUNT 1 STREAMS b 8-0"), "[[b [[9-0 [f between]]]]]");
    });
}

#[test]
fn a_plus_is_the_last_entry_or_waits_for_the_first() {
    on_any_shards(|stage| {
        let mut client = stage.waiter("XREAD BLOCK 0 STREAMS a b + +");
        stage.admin.say("XADD b 1-0 f v");
        assert_eq!(client.reply(), "[[b [[1-0 [f v]]]]]");
        stage.admin.say("XADD b 2-0 f w");
        assert_eq!(stage.admin.say("XREAD BLOCK 0 STREAMS a b + +"), "[[b [[2-0 [f w]]]]]");
    });
}

#[test]
fn one_entry_serves_every_reader_and_one_of_each_group() {
    on_any_shards(|stage| {
        stage.at_once(&["XGROUP CREATE s g1 $ MKSTREAM", "XGROUP CREATE s g2 $"]);
        let mut clients = stage.waiting(&[
            "XREAD BLOCK 0 STREAMS s $",
            "XREAD BLOCK 0 STREAMS s other $ $",
            "XREADGROUP GROUP g1 one BLOCK 0 STREAMS s >",
            "XREADGROUP GROUP g1 two BLOCK 0 STREAMS s >",
            "XREADGROUP GROUP g2 one BLOCK 0 NOACK STREAMS s >",
        ]);
        stage.admin.say("XADD s 1-0 f v");
        for at in [0, 1, 2, 4] {
            assert_eq!(clients[at].reply(), "[[s [[1-0 [f v]]]]]");
        }
        stage.await_blocked(1);
        assert_eq!(stage.admin.say("XPENDING s g1"), "[:1 1-0 1-0 [[one 1]]]");
        assert_eq!(stage.admin.say("XPENDING s g2"), "[:0 (nil) (nil) (nil)]");
        stage.admin.say("XADD s 2-0 f w");
        assert_eq!(clients[3].reply(), "[[s [[2-0 [f w]]]]]");
        assert_eq!(stage.admin.say("XPENDING s g1"), "[:2 1-0 2-0 [[one 1] [two 1]]]");
    });
}

#[test]
fn who_waits_in_a_group_is_there_already() {
    on_any_shards(|stage| {
        stage.at_once(&["XGROUP CREATE s g $ MKSTREAM", "XGROUP CREATE t g $ MKSTREAM"]);
        let mut client = stage.waiter("XREADGROUP GROUP g me BLOCK 0 STREAMS s t > >");
        for stream in ["s", "t"] {
            let consumers = stage.admin.say(&format!("XINFO CONSUMERS {stream} g")).to_string();
            assert!(consumers.contains("name me"), "{consumers}");
        }
        stage.admin.say("XADD t 1-0 f v");
        assert_eq!(client.reply(), "[[t [[1-0 [f v]]]]]");
    });
}

#[test]
fn history_is_answered_without_waiting() {
    on_any_shards(|stage| {
        stage.at_once(&["XGROUP CREATE s g $ MKSTREAM", "XGROUP CREATE t g $ MKSTREAM"]);
        assert_eq!(stage.admin.say("XREADGROUP GROUP g me BLOCK 0 STREAMS s t 0 >"), "[[s []]]");
    });
}

#[test]
fn a_stream_or_group_that_goes_is_told_to_those_who_wait_in_it() {
    const NO_GROUP: &str = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    on_any_shards(|stage| {
        let ways: [(&[&str], &str); 12] = [
            (&["DEL s"], NO_GROUP),
            (&["UNLINK s"], NO_GROUP),
            (&["SET s x"], WRONG_TYPE),
            (&["XGROUP DESTROY s g"], NO_GROUP),
            (&["RENAME s elsewhere"], NO_GROUP),
            (&["MOVE s 4"], NO_GROUP),
            (&["PEXPIREAT s 1"], NO_GROUP),
            (&["PEXPIRE s 1"], NO_GROUP),
            (&["FLUSHDB"], NO_GROUP),
            (&["FLUSHALL"], NO_GROUP),
            (&["SWAPDB 0 9"], NO_GROUP),
            (&["XADD u 1-0 f v", "RENAME u s"], NO_GROUP),
        ];
        for (calls, error) in ways {
            stage.admin.say("FLUSHALL");
            stage.at_once(&["XGROUP CREATE s g $ MKSTREAM", "XGROUP CREATE s h $", "XGROUP CREATE t g $ MKSTREAM"]);
            let mut clients = stage.waiting(&[
                "XREADGROUP GROUP g a BLOCK 0 STREAMS s >",
                "XREADGROUP GROUP g b BLOCK 0 STREAMS t s > >",
                "XREAD BLOCK 0 STREAMS s $",
            ]);
            for call in calls {
                let reply = stage.admin.say(call);
                assert!(!reply.is_error(), "{call}: {reply:?}");
            }
            assert_eq!(clients[0].reply(), error, "{calls:?}");
            // The first key of which it is true is named.
            let all_go = calls[0].starts_with("FLUSH") || calls[0].starts_with("SWAPDB");
            let error = if all_go { error.replace("key 's'", "key 't'") } else { error.to_owned() };
            assert_eq!(clients[1].reply(), error, "{calls:?}");
            if calls[0].starts_with("XADD u") {
                continue; // the new stream has an entry for who only reads
            }
            stage.await_blocked(1);
        }
    });
}

#[test]
fn a_stream_made_anew_in_one_transaction_with_its_group_keeps_those_who_wait() {
    on_any_shards(|stage| {
        stage.admin.say("XGROUP CREATE s g $ MKSTREAM");
        let mut client = stage.waiter("XREADGROUP GROUP g me BLOCK 0 STREAMS s >");
        stage.at_once(&["DEL s", "XGROUP CREATE s g $ MKSTREAM"]);
        stage.await_blocked(1);
        stage.admin.say("XADD s 1-0 f v");
        assert_eq!(client.reply(), "[[s [[1-0 [f v]]]]]");
    });
}

#[test]
fn the_map_of_resp3_comes_to_who_waited_in_it() {
    on_any_shards(|stage| {
        let mut client = stage.server.client();
        client.say("HELLO 3");
        client.send(&crate::common::client::words("XREAD BLOCK 0 STREAMS a b c d 0 0 0 0"));
        stage.await_blocked(1);
        stage.admin.say("XADD c 1-0 f v");
        assert_eq!(client.reply(), "{c=[[1-0 [f v]]]}");
        client.send(&crate::common::client::words("BZPOPMIN a b c1 d 0"));
        stage.await_blocked(1);
        stage.admin.say("ZADD c1 1.5 m");
        assert_eq!(client.reply(), "[c1 m ,1.5]");
        assert_eq!(client.say("BZPOPMIN a b 0.001"), "(nil)");
    });
}

#[test]
fn a_stream_that_gives_way_to_memory_is_told_to_those_who_wait_in_it() {
    on_any_shards(|stage| {
        stage.admin.say("XGROUP CREATE s g $ MKSTREAM");
        let mut clients = stage.waiting(&["XREADGROUP GROUP g a BLOCK 0 STREAMS s >", "XREAD BLOCK 0 STREAMS s $"]);
        assert_eq!(stage.admin.say("CONFIG SET maxmemory-policy allkeys-random maxmemory 1"), "OK");
        let error = clients[0].reply().to_string();
        assert!(error.starts_with("-NOGROUP"), "{error}");
        assert_eq!(stage.admin.say("CONFIG SET maxmemory 0"), "OK");
        stage.admin.say("XADD s 5-5 f v");
        assert_eq!(clients[1].reply(), "[[s [[5-5 [f v]]]]]");
    });
}
