//! The modes, the order of answers and invalidations, redirection, and the table's limit.

use super::{client3, everywhere, told, tracking};
use crate::common::client::words;
use crate::common::server::eventually;

#[test]
fn a_change_is_told_once_to_who_read_the_key() {
    everywhere(&[], |server| {
        let (mut reader, mut writer) = (tracking(server, ""), server.client());
        for key in ["a", "b", "c", "d", "e"] {
            writer.say(&format!("SET {key} 1"));
            assert_eq!(reader.say(&format!("GET {key}")), "1");
            writer.say(&format!("SET {key} 2"));
            assert_eq!(reader.reply(), format!(">invalidate [{key}];").as_str());
            writer.say(&format!("SET {key} 3"));
        }
        assert_eq!(reader.say("MGET a b c d e"), "[3 3 3 3 3]");
        writer.say("DEL b");
        assert_eq!(reader.reply(), ">invalidate [b];");
        writer.say("RENAME c f");
        assert_eq!(reader.reply(), ">invalidate [c];");
        writer.say("PEXPIRE d 1");
        assert_eq!(reader.reply(), ">invalidate [d];");
        assert_eq!(reader.say("EXISTS e"), ":1");
        writer.say("FLUSHALL");
        assert_eq!(reader.reply(), ">invalidate (nil);");
        assert!(told(&mut reader).is_empty());
        assert_eq!(server.info("tracking_total_keys"), "0");
        assert_eq!(server.info("tracking_clients"), "1");
        drop(reader);
        eventually("the client is forgotten", || server.info("tracking_clients") == "0");
    });
}

#[test]
fn what_a_client_does_itself_is_told_behind_the_answer() {
    everywhere(&[], |server| {
        let mut client = tracking(server, "");
        for key in ["a", "b", "c", "d"] {
            client.say(&format!("HSET {key} f 1"));
            assert_eq!(client.say(&format!("HGET {key} f")), "1");
            assert_eq!(client.say(&format!("HDEL {key} f")), ":1");
            assert_eq!(client.reply(), format!(">invalidate [{key}];").as_str());
        }
        client.say("MSET a 1 b 1 c 1 d 1");
        for words in ["MULTI", "GET a", "GET b", "INCR a", "GET c"] {
            client.say(words);
        }
        assert_eq!(client.say("EXEC"), "[1 1 :2 1]");
        assert_eq!(client.reply(), ">invalidate [a];");
        for words in ["MULTI", "FLUSHDB"] {
            client.say(words);
        }
        assert_eq!(client.say("EXEC"), "[OK]");
        assert_eq!(client.reply(), ">invalidate (nil);");
        assert!(told(&mut client).is_empty());
    });
}

#[test]
fn a_client_that_waited_is_told_behind_its_answer() {
    everywhere(&[], |server| {
        let (mut client, mut other) = (tracking(server, ""), server.client());
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "d"), ("{x}1", "{x}2")] {
            assert_eq!(client.say(&format!("LRANGE {to} 0 -1")), "[]");
            client.send(&words(&format!("BLMOVE {from} {to} LEFT LEFT 0")));
            eventually("it waits", || server.info("blocked_clients") == "1");
            other.say(&format!("RPUSH {from} foo"));
            assert_eq!(client.reply(), "foo");
            assert_eq!(client.reply(), format!(">invalidate [{to}];").as_str());
            other.say("FLUSHALL");
            assert_eq!(client.reply(), ">invalidate (nil);");
        }
    });
}

#[test]
fn noloop_optin_and_optout_leave_out_what_they_say() {
    everywhere(&[], |server| {
        let mut writer = server.client();
        let mut client = tracking(server, "NOLOOP");
        client.say("MGET a b");
        client.say("MSET a 1 b 1");
        assert!(told(&mut client).is_empty());
        client.say("GET a");
        writer.say("SET a 2");
        assert_eq!(client.reply(), ">invalidate [a];");

        let mut client = tracking(server, "OPTIN");
        client.say("GET a");
        assert_eq!(client.say("CLIENT CACHING YES"), "OK");
        client.say("GET b");
        client.say("GET c");
        for words in ["CLIENT CACHING YES", "MULTI", "GET d", "GET e", "EXEC"] {
            client.say(words);
        }
        for key in ["a", "b", "c", "d", "e"] {
            writer.say(&format!("SET {key} 3"));
        }
        let mut keys: Vec<String> = (0..3).map(|_| format!("{:?}", client.reply())).collect();
        keys.sort();
        let expected = [">invalidate [b];", ">invalidate [d];", ">invalidate [e];"];
        assert!(keys.iter().zip(expected).all(|(told, key)| told.contains(&key[13..14])), "{keys:?}");
        assert!(told(&mut client).is_empty());

        let mut client = tracking(server, "OPTOUT");
        client.say("CLIENT CACHING NO");
        client.say("GET a");
        client.say("GET b");
        writer.say("SET a 4");
        writer.say("SET b 4");
        assert_eq!(client.reply(), ">invalidate [b];");
        assert!(told(&mut client).is_empty());
        assert!(client.say("CLIENT CACHING YES").is_error());
    });
}

#[test]
fn prefixes_are_told_of_keys_nobody_read() {
    everywhere(&[], |server| {
        let mut writer = server.client();
        let mut all = tracking(server, "BCAST");
        let mut some = tracking(server, "BCAST PREFIX a: PREFIX b: NOLOOP");
        writer.say("SET a:1 1");
        assert_eq!(all.reply(), ">invalidate [a:1];");
        assert_eq!(some.reply(), ">invalidate [a:1];");
        writer.say("MSET {t}x 1 {t}y 2");
        assert_eq!(all.reply(), ">invalidate [{t}x {t}y];");
        assert_eq!(some.say("SET b:1 1"), "OK");
        assert_eq!(all.reply(), ">invalidate [b:1];");
        assert_eq!(all.say("SET c:1 1"), "OK");
        assert_eq!(all.reply(), ">invalidate [c:1];");
        assert!(told(&mut some).is_empty());
        assert_eq!(some.say("CLIENT TRACKING ON BCAST PREFIX c: NOLOOP"), "OK");
        writer.say("SET c:1 2");
        assert_eq!(some.reply(), ">invalidate [c:1];");
        assert_eq!(server.info("tracking_total_prefixes"), "4");
        drop(all);
        eventually("its prefix is forgotten", || server.info("tracking_total_prefixes") == "3");
    });
}

#[test]
fn another_client_can_be_told_instead_in_either_protocol() {
    everywhere(&[], |server| {
        let mut writer = server.client();
        for resp3 in [false, true] {
            let mut ear = if resp3 { client3(server) } else { server.client() };
            let id = ear.say("CLIENT ID").int();
            if !resp3 {
                ear.say("SUBSCRIBE __redis__:invalidate");
            }
            let mut client = server.client();
            assert_eq!(client.say(&format!("CLIENT TRACKING ON REDIRECT {id}")), "OK");
            assert_eq!(client.say("CLIENT GETREDIR").int(), id);
            client.say("MGET a b");
            writer.say("SET a 1");
            let expected = if resp3 { ">invalidate [a];" } else { "[message __redis__:invalidate [a]]" };
            assert_eq!(ear.reply(), expected);
            drop(ear);
            eventually("the ear is gone", || {
                !writer.say("CLIENT LIST").text().contains(&format!("id={id} "))
            });
            assert!(!client.say("HELLO 3").is_error());
            writer.say("SET b 1");
            assert_eq!(client.reply(), format!(">tracking-redir-broken :{id};").as_str());
            let line = client.say("CLIENT INFO").text();
            assert!(line.contains("flags=tR ") && line.contains(&format!("redir={id} ")), "{line}");
        }
    });
}

#[test]
fn words_that_do_not_fit_are_refused_and_change_nothing() {
    everywhere(&[], |server| {
        let mut client = client3(server);
        for (words, error) in [
            ("ON PREFIX a", "PREFIX option requires BCAST"),
            ("ON BCAST OPTIN", "not compatible with BCAST"),
            ("ON OPTIN OPTOUT", "both OPTIN mode and OPTOUT"),
            ("ON BCAST PREFIX foobar PREFIX foo", "Prefix 'foobar' overlaps with another provided prefix 'foo'"),
            ("ON REDIRECT 999999", "does not exist"),
            ("ON BCAST REDIRECT 999999 PREFIX a", "does not exist"),
            ("ON REDIRECT x", "not an integer"),
            ("MAYBE", "syntax error"),
            ("ON WORD", "syntax error"),
        ] {
            let reply = format!("{:?}", client.say(&format!("CLIENT TRACKING {words}")));
            assert!(reply.contains(error), "{words}: {reply}");
            assert_eq!(client.say("CLIENT TRACKINGINFO"), "{flags=<off> redirect=:-1 prefixes=[]}");
        }
        assert_eq!(server.info("tracking_total_prefixes"), "0");
        assert_eq!(server.info("tracking_clients"), "0");
        assert!(client.say("CLIENT CACHING YES").is_error());
        assert_eq!(client.say("CLIENT TRACKING ON OPTIN"), "OK");
        assert!(client.say("CLIENT TRACKING ON BCAST").is_error());
        assert!(client.say("CLIENT TRACKING ON OPTOUT").is_error());
        assert_eq!(client.say("CLIENT CACHING YES"), "OK");
        assert_eq!(client.say("CLIENT TRACKINGINFO"), "{flags=<on optin caching-yes> redirect=:0 prefixes=[]}");
        assert_eq!(client.say("RESET"), "RESET");
        assert_eq!(client.say("CLIENT GETREDIR"), ":-1");
    });
}

#[test]
fn keys_beyond_the_limit_are_invalidated() {
    everywhere(&[], |server| {
        let mut client = tracking(server, "");
        for n in 0..100 {
            client.say(&format!("GET key:{n}"));
        }
        assert_eq!(server.info("tracking_total_keys"), "100");
        assert_eq!(server.client().say("CONFIG SET tracking-table-max-keys 10"), "OK");
        for _ in 0..90 {
            assert!(format!("{:?}", client.reply()).contains("invalidate"));
        }
        assert!(told(&mut client).is_empty());
        assert_eq!(server.info("tracking_total_keys"), "10");
    });
}
