//! Many: subscribers, channels, messages in order, and those who do not read.

use crate::common::client::words;
use crate::common::{Client, request};
use crate::{everywhere, in_both_protocols};

#[test]
fn ten_thousand_channels_on_one_connection() {
    everywhere(&[], |server| {
        let mut c = server.client();
        let names: Vec<String> = (0..10_000).map(|i| format!("channel-{i}")).collect();
        let calls: Vec<u8> = names.iter().flat_map(|name| request(&["SUBSCRIBE", name])).collect();
        let replies = c.pipeline(&calls, names.len());
        for (i, reply) in replies.iter().enumerate() {
            assert_eq!(*reply, format!("[subscribe channel-{i} :{}]", i + 1));
        }
        let mut publisher = server.client();
        assert_eq!(publisher.say("PUBLISH channel-7777 x"), ":1");
        assert_eq!(c.reply(), "[message channel-7777 x]");
        assert_eq!(publisher.say("PUBSUB CHANNELS").array().len(), 10_000);
        let calls: Vec<u8> = names.iter().flat_map(|name| request(&["UNSUBSCRIBE", name])).collect();
        assert_eq!(c.pipeline(&calls, names.len()).last().unwrap(), &"[unsubscribe channel-9999 :0]");
        assert_eq!(publisher.say("PUBSUB CHANNELS"), "[]");
        // At once, and all of them again.
        let mut call = vec!["SUBSCRIBE"];
        call.extend(names.iter().map(String::as_str));
        assert_eq!(c.pipeline(&request(&call), names.len()).len(), 10_000);
        assert_eq!(c.pipeline(&words("UNSUBSCRIBE"), names.len()).len(), 10_000);
        assert_eq!(c.say("PING"), "PONG");
    });
}

#[test]
fn each_publishers_order_is_kept_over_all_channels() {
    in_both_protocols(|server, protocol| {
        const MESSAGES: usize = 500;
        let mut subs: Vec<Client> = (0..8).map(|_| protocol.client(server)).collect();
        for sub in &mut subs {
            sub.say("PSUBSCRIBE p?");
            sub.say("SUBSCRIBE c0 c1 c2 c3");
            (1..4).for_each(|_| drop(sub.reply()));
        }
        let publishers: Vec<Client> = (0..4).map(|_| server.client()).collect();
        let threads: Vec<_> = publishers
            .into_iter()
            .enumerate()
            .map(|(who, mut publisher)| {
                std::thread::spawn(move || {
                    let call = |i: usize| {
                        let channel = format!("{}{}", if i.is_multiple_of(3) { "p" } else { "c" }, i % 4);
                        request(&["PUBLISH", &channel, &format!("{who} {i}")])
                    };
                    let calls: Vec<u8> = (0..MESSAGES).flat_map(call).collect();
                    assert!(publisher.pipeline(&calls, MESSAGES).iter().all(|reply| *reply == ":8"));
                })
            })
            .collect();
        for sub in &mut subs {
            let mut next = [0; 4];
            for _ in 0..4 * MESSAGES {
                let message = sub.reply();
                let text = message.array().last().unwrap().text();
                let (who, i) = text.split_once(' ').unwrap();
                let (who, i): (usize, usize) = (who.parse().unwrap(), i.parse().unwrap());
                assert_eq!(next[who], i, "publisher {who}");
                next[who] += 1;
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_confirmed_subscriber_misses_nothing_that_is_counted() {
    everywhere(&[], |server| {
        // While one client comes and goes, another publishes: each message counted was delivered.
        let mut publisher = server.client();
        let mut sub = server.client();
        sub.say("HELLO 3");
        let (mut counted, mut received) = (0, 0);
        for round in 0..300 {
            sub.send(&words(if round % 2 == 0 { "SUBSCRIBE a" } else { "UNSUBSCRIBE a" }));
            let replies = publisher.pipeline(&words("PUBLISH a x").repeat(8), 8);
            counted += replies.iter().map(|reply| reply.int()).sum::<i64>();
            loop {
                let push = sub.reply().to_string();
                if push.starts_with(">message") {
                    received += 1;
                } else {
                    break;
                }
            }
        }
        sub.send(&words("ECHO end"));
        while sub.reply() != "end" {
            received += 1;
        }
        assert_eq!(received, counted);
    });
}

#[test]
fn a_subscriber_that_does_not_read_is_closed_at_its_limit() {
    let args = ["--client-output-buffer-limit", "pubsub 1mb 0 0"];
    everywhere(&args, |server| {
        let mut slow: Vec<Client> = (0..4).map(|_| server.client()).collect();
        slow.iter_mut().for_each(|c| assert_eq!(c.say("SUBSCRIBE a"), "[subscribe a :1]"));
        let mut reader = server.client();
        assert_eq!(reader.say("PSUBSCRIBE a"), "[psubscribe a :1]");
        let mut publisher = server.client();
        let payload = vec![b'x'; 100_000];
        let mut sent = 0;
        while publisher.call(&[&b"PUBLISH"[..], b"a", &payload]).int() > 1 {
            assert_eq!(reader.reply().array()[3].bytes().len(), payload.len());
            sent += 1;
            assert!(sent < 1000, "the limit is never met");
        }
        assert!(publisher.say("INFO stats").text().contains("client_output_buffer_limit_disconnections:4"));
        assert_eq!(publisher.say("PUBSUB NUMSUB a"), "[a :0]");
    });
}
