//! What clients see: confirmations, messages, counts, the limits of subscribers in RESP2.

use crate::common::{Client, Server};
use crate::{everywhere, in_both_protocols};

#[test]
fn messages_reach_channels_and_patterns_and_are_counted() {
    in_both_protocols(|server, protocol| {
        let mut subs: Vec<Client> = (0..6).map(|_| protocol.client(server)).collect();
        let mut publishers: Vec<Client> = (0..4).map(|_| server.client()).collect();
        for sub in &mut subs {
            assert_eq!(sub.say("SUBSCRIBE a b"), protocol.push("subscribe a :1"));
            assert_eq!(sub.reply(), protocol.push("subscribe b :2"));
            assert_eq!(sub.say("PSUBSCRIBE a* ?"), protocol.push("psubscribe a* :3"));
            assert_eq!(sub.reply(), protocol.push("psubscribe ? :4"));
            assert_eq!(sub.say("SUBSCRIBE a"), protocol.push("subscribe a :4"));
        }
        for publisher in &mut publishers {
            assert_eq!(publisher.say("PUBLISH a hi"), ":18");
            assert_eq!(publisher.say("PUBLISH c hi"), ":6");
            assert_eq!(publisher.say("PUBLISH axe hi"), ":6");
            assert_eq!(publisher.say("PUBLISH nobody hi"), ":0");
            assert_eq!(publisher.say("SPUBLISH a hi"), ":0");
            for sub in &mut subs {
                assert_eq!(sub.reply(), protocol.push("message a hi"));
                let mut both = [sub.reply().to_string(), sub.reply().to_string()];
                both.sort();
                assert_eq!(both, [protocol.push("pmessage ? a hi"), protocol.push("pmessage a* a hi")]);
                assert_eq!(sub.reply(), protocol.push("pmessage ? c hi"));
                assert_eq!(sub.reply(), protocol.push("pmessage a* axe hi"));
            }
        }
        for sub in &mut subs {
            assert_eq!(sub.say("UNSUBSCRIBE a zzz"), protocol.push("unsubscribe a :3"));
            assert_eq!(sub.reply(), protocol.push("unsubscribe zzz :3"));
            assert_eq!(sub.say("PUNSUBSCRIBE"), protocol.push("punsubscribe ? :2"));
            assert_eq!(sub.reply(), protocol.push("punsubscribe a* :1"));
            assert_eq!(sub.say("PUNSUBSCRIBE"), protocol.push("punsubscribe (nil) :1"));
        }
        for publisher in &mut publishers {
            assert_eq!(publisher.say("PUBLISH a hi"), ":0");
            assert_eq!(publisher.say("PUBLISH b hi"), ":6");
        }
    });
}

#[test]
fn pubsub_tells_of_all_cores() {
    everywhere(&[], |server| {
        let mut subs: Vec<Client> = (0..5).map(|_| server.client()).collect();
        for (i, sub) in subs.iter_mut().enumerate() {
            sub.say(&format!("SUBSCRIBE all one-{i}"));
            sub.reply();
            sub.say("PSUBSCRIBE p*");
            sub.say("SSUBSCRIBE s");
        }
        for _ in 0..4 {
            let mut c = server.client();
            assert_eq!(c.say("PUBSUB CHANNELS"), "[all one-0 one-1 one-2 one-3 one-4]");
            assert_eq!(c.say("PUBSUB CHANNELS *[13]"), "[one-1 one-3]");
            assert_eq!(c.say("PUBSUB NUMSUB all one-2 none"), "[all :5 one-2 :1 none :0]");
            assert_eq!(c.say("PUBSUB NUMSUB"), "[]");
            assert_eq!(c.say("PUBSUB NUMPAT"), ":1");
            assert_eq!(c.say("PUBSUB SHARDCHANNELS"), "[s]");
            assert_eq!(c.say("PUBSUB SHARDNUMSUB s t"), "[s :5 t :0]");
            assert_eq!(c.say("SPUBLISH s hi"), ":5");
            let info = c.say("INFO everything").text();
            for line in ["pubsub_clients:5", "pubsub_channels:6", "pubsub_patterns:1", "pubsubshard_channels:1"] {
                assert!(info.contains(line), "{line}");
            }
            let list = c.say("CLIENT LIST TYPE pubsub").text();
            assert_eq!(list.lines().count(), 5);
            assert!(list.lines().all(|line| line.contains(" flags=P ") && line.contains(" sub=2 psub=1 ssub=1 ")));
        }
        // Those that go take their subscriptions along.
        drop(subs);
        let mut c = server.client();
        while c.say("PUBSUB NUMSUB all") != "[all :0]" {
            std::thread::yield_now();
        }
        while c.say("CLIENT LIST TYPE pubsub").text() != "" {}
        assert_eq!(c.say("PUBSUB NUMPAT"), ":0");
        assert_eq!(c.say("PUBSUB SHARDCHANNELS"), "[]");
        assert_eq!(c.say("PUBSUB CHANNELS"), "[]");
    });
}

#[test]
fn sharded_channels_are_a_world_of_their_own() {
    in_both_protocols(|server, protocol| {
        let mut sub = protocol.client(server);
        assert_eq!(sub.say("SSUBSCRIBE x y"), protocol.push("ssubscribe x :1"));
        assert_eq!(sub.reply(), protocol.push("ssubscribe y :2"));
        assert_eq!(sub.say("SUBSCRIBE x"), protocol.push("subscribe x :1"));
        assert_eq!(sub.say("PSUBSCRIBE *"), protocol.push("psubscribe * :2"));
        let mut c = server.client();
        assert_eq!(c.say("SPUBLISH x 1"), ":1");
        assert_eq!(sub.reply(), protocol.push("smessage x 1"));
        assert_eq!(c.say("PUBLISH y 2"), ":1");
        assert_eq!(sub.reply(), protocol.push("pmessage * y 2"));
        assert_eq!(sub.say("SUNSUBSCRIBE"), protocol.push("sunsubscribe x :1"));
        assert_eq!(sub.reply(), protocol.push("sunsubscribe y :0"));
        assert_eq!(c.say("MULTI"), "OK");
        assert_eq!(c.say("SSUBSCRIBE z"), "QUEUED");
        assert_eq!(c.say("EXEC"), "[-ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client]");
    });
}

#[test]
fn a_subscriber_of_resp2_may_do_little_else() {
    everywhere(&[], |server| {
        let mut c = server.client();
        assert_eq!(c.say("SUBSCRIBE a"), "[subscribe a :1]");
        assert_eq!(c.say("PING"), "[pong ]");
        assert_eq!(c.say("PING hello"), "[pong hello]");
        let refusal = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
        for (call, name) in [("GET x", "get"), ("PUBLISH a b", "publish"), ("CLIENT ID", "client|id"), ("MULTI", "multi")] {
            assert_eq!(c.say(call), format!("-ERR Can't execute '{name}': {refusal}"));
        }
        assert_eq!(c.say("UNSUBSCRIBE"), "[unsubscribe a :0]");
        assert_eq!(c.say("PING"), "PONG");
        assert_eq!(c.say("SSUBSCRIBE a"), "[ssubscribe a :1]");
        assert_eq!(c.say("RESET"), "RESET");
        assert_eq!(c.say("GET x"), "(nil)");
        while c.say("PUBSUB SHARDNUMSUB a") != "[a :0]" {}
        let mut c = server.client();
        c.say("HELLO 3");
        assert_eq!(c.say("SUBSCRIBE a"), ">subscribe a :1;");
        assert_eq!(c.say("PING"), "PONG");
        assert_eq!(c.say("SET x 1"), "OK");
        // What it is sent by itself follows the answer.
        assert_eq!(c.say("PUBLISH a me"), ":1");
        assert_eq!(c.reply(), ">message a me;");
        assert_eq!(c.say("QUIT"), "OK");
        c.until_closed();
    });
}

#[test]
fn a_transaction_publishes_and_subscribes_in_its_order() {
    in_both_protocols(|server, protocol| {
        let mut listeners: Vec<Client> = (0..4).map(|_| server.client()).collect();
        listeners.iter_mut().for_each(|c| assert_eq!(c.say("SUBSCRIBE a"), "[subscribe a :1]"));
        let mut c = protocol.client(server);
        for call in ["MULTI", "SUBSCRIBE a b", "PUBLISH a 1", "SET k v", "PUBLISH b 2", "UNSUBSCRIBE b", "PUBLISH b 3"] {
            c.say(call);
        }
        let two = |kind: &str, first: &str| protocol.push(&format!("{kind} {first}"));
        c.send(&crate::common::request(&["EXEC"]));
        // A confirmation of several channels is several elements of an array that counts one for the call, as in Valkey.
        assert_eq!(c.array_head(), 6);
        assert_eq!(c.reply(), two("subscribe", "a :1"));
        assert_eq!(c.reply(), two("subscribe", "b :2"));
        assert_eq!(c.reply(), ":5");
        assert_eq!(c.reply(), "OK");
        assert_eq!(c.reply(), ":1");
        assert_eq!(c.reply(), two("unsubscribe", "b :1"));
        assert_eq!(c.reply(), ":0");
        assert_eq!(c.reply(), two("message", "a 1"));
        assert_eq!(c.reply(), two("message", "b 2"));
        listeners.iter_mut().for_each(|c| assert_eq!(c.reply(), "[message a 1]"));
    });
}

#[test]
fn client_reply_off_does_not_concern_messages() {
    in_both_protocols(|server, protocol| {
        let mut c = protocol.client(server);
        c.send(&crate::common::client::words("CLIENT REPLY OFF"));
        assert_eq!(c.say("SUBSCRIBE a"), protocol.push("subscribe a :1"));
        let mut publisher = server.client();
        assert_eq!(publisher.say("PUBLISH a 1"), ":1");
        assert_eq!(c.reply(), protocol.push("message a 1"));
        c.send(&crate::common::client::words("PING"));
        assert_eq!(publisher.say("PUBLISH a 2"), ":1");
        assert_eq!(c.reply(), protocol.push("message a 2"));
        assert_eq!(c.say("UNSUBSCRIBE a"), protocol.push("unsubscribe a :0"));
    });
}

#[test]
fn messages_reach_a_client_that_waits_for_a_key() {
    everywhere(&[], |server| {
        let mut c = server.client();
        c.say("HELLO 3");
        assert_eq!(c.say("SUBSCRIBE a"), ">subscribe a :1;");
        c.send(&crate::common::client::words("BLPOP k1 k2 k3 0"));
        let mut publisher = server.client();
        assert_eq!(publisher.say("PUBLISH a 1"), ":1");
        assert_eq!(c.reply(), ">message a 1;");
        assert_eq!(publisher.say("RPUSH k2 x"), ":1");
        assert_eq!(c.reply(), "[k2 x]");
    });
}

#[test]
fn binary_names_and_messages_pass_unharmed() {
    let everything: Vec<u8> = (0..=255).collect();
    everywhere(&[], |server: &mut Server| {
        let mut c = server.client();
        c.call(&[&b"SUBSCRIBE"[..], &everything]);
        c.call(&[&b"PSUBSCRIBE"[..], b"\0\x01*"]);
        c.call(&[&b"SUBSCRIBE"[..], b""]);
        let mut publisher = server.client();
        assert_eq!(publisher.call(&[&b"PUBLISH"[..], &everything, &everything]), ":2");
        let got = c.reply();
        assert_eq!((got.array()[1].bytes(), got.array()[2].bytes()), (&everything[..], &everything[..]));
        assert_eq!(c.reply().array()[3].bytes(), &everything);
        assert_eq!(publisher.call(&[&b"PUBLISH"[..], b"", b""]), ":1");
        assert_eq!(c.reply(), "[message  ]");
    });
}
