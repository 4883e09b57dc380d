//! Keyspace events: which, in which order, with which classes. Lists were taken from Valkey 9.1.

use crate::common::Client;
use crate::everywhere;

/// Runs a call and gives the events it made, as `event key` words of the keyevent channel, in order.
fn events_of(c: &mut Client, listener: &mut Client, call: &str) -> Vec<String> {
    c.say(call);
    // The key's own core publishes its event; the end is asked of the same key, so it comes last.
    let key = call.split(' ').nth(1).unwrap_or("k").to_owned();
    c.say(&format!("PERSIST {key}-end{{{key}}}"));
    let end = format!("end{{{key}}}");
    assert_eq!(c.say(&format!("SETEX {end} 100 x")), "OK");
    let mut events = Vec::new();
    loop {
        let message = listener.reply();
        let parts: Vec<String> = message.array().iter().map(|part| part.text()).collect();
        let event = parts[2].strip_prefix("__keyevent@0__:").unwrap().to_owned();
        if parts[3] == end {
            if event == "expire" {
                return events;
            }
            continue;
        }
        events.push(format!("{event} {}", parts[3]));
    }
}

#[test]
fn every_change_is_told_once_and_in_order() {
    everywhere(&["--notify-keyspace-events", "AEn"], |server| {
        let (mut c, mut listener) = (server.client(), server.client());
        assert_eq!(listener.say("PSUBSCRIBE __keyevent@0__:*"), "[psubscribe __keyevent@0__:* :1]");
        for (call, expected) in [
            ("SET k 1", "new k, set k"),
            ("SET k 2 EX 100", "set k, expire k"),
            ("APPEND k 3", "append k"),
            ("GETEX k PERSIST", "persist k"),
            ("INCR k", "incrby k"),
            ("GETDEL k", "del k"),
            ("MSET k 1 b{k} 2", "new k, set k, new b{k}, set b{k}"),
            ("RENAME k c{k}", "new c{k}, rename_from k, rename_to c{k}"),
            ("DEL c{k} b{k}", ""),
            ("EXISTS k", ""),
            ("RPUSH k a b", "new k, rpush k"),
            ("LMOVE k d{k} LEFT RIGHT", "new d{k}, rpush d{k}, lpop k"),
            ("LPOP k", "lpop k, del k"),
            ("SADD k a b", "new k, sadd k"),
            ("SMOVE k e{k} a", "srem k, new e{k}, sadd e{k}"),
            ("SPOP k 5", "spop k, del k"),
            ("HSET k a 1", "new k, hset k"),
            ("HEXPIRE k 100 FIELDS 1 a", "hexpire k"),
            ("HDEL k a", "hdel k, del k"),
            ("ZADD k 1 a", "new k, zadd k"),
            ("ZINCRBY k 1 a", "zincr k"),
            ("ZPOPMIN k", "zpopmin k, del k"),
            ("XADD k 1-1 a b", "new k, xadd k"),
            ("EXPIRE k -1", "expired k"),
            ("GET k", ""),
        ] {
            let expected: Vec<String> = expected.split(", ").filter(|e| !e.is_empty()).map(str::to_owned).collect();
            if call.starts_with("DEL") {
                c.say(call);
                for _ in 0..2 {
                    assert!(listener.reply().array()[2].text().ends_with(":del"));
                }
                continue;
            }
            assert_eq!(events_of(&mut c, &mut listener, call), expected, "{call}");
            let end = format!("DEL end{{{}}}", call.split(' ').nth(1).unwrap());
            c.say(&end);
            assert!(listener.reply().array()[2].text().ends_with(":del"));
        }
    });
}

#[test]
fn classes_and_channels_are_chosen() {
    everywhere(&["--notify-keyspace-events", "Kl$"], |server| {
        let (mut c, mut listener) = (server.client(), server.client());
        listener.say("PSUBSCRIBE __key*");
        for (flags, expected) in [
            ("Kl$", &["__keyspace@3__:k set", "__keyspace@3__:k incrby"][..]),
            ("KE$", &["__keyspace@3__:k set", "__keyevent@3__:set k", "__keyspace@3__:k incrby", "__keyevent@3__:incrby k"]),
            ("Eg", &["__keyevent@3__:expire k", "__keyevent@3__:del k"]),
            ("Em", &["__keyevent@3__:keymiss k"]),
            ("En", &["__keyevent@3__:new k"]),
            ("E", &[]),
            ("A", &[]),
            ("", &[]),
        ] {
            c.call(&["CONFIG", "SET", "notify-keyspace-events", flags]);
            c.say("SELECT 3");
            for call in ["SET k 1", "INCR k", "EXPIRE k 100", "DEL k", "GET k"] {
                c.say(call);
            }
            c.call(&["CONFIG", "SET", "notify-keyspace-events", "Kx"]);
            c.say("SELECT 0");
            // Nothing else is on, so this comes next.
            c.say("PUBLISH __keyend 1");
            for event in expected {
                let message = listener.reply();
                assert_eq!(format!("{} {}", message.array()[2].text(), message.array()[3].text()), **event, "{flags}");
            }
            assert_eq!(listener.reply().array()[2].text(), "__keyend", "{flags}");
        }
    });
}

#[test]
fn what_expires_or_is_evicted_is_told() {
    everywhere(&["--notify-keyspace-events", "Exeh"], |server| {
        let (mut c, mut listener) = (server.client(), server.client());
        listener.say("PSUBSCRIBE __keyevent*");
        for key in ["k1", "k2", "k3", "k4"] {
            c.say(&format!("SET {key} 1 PX 10"));
            // Nobody asks for it: it is found by itself.
            assert_eq!(listener.reply(), format!("[pmessage __keyevent* __keyevent@0__:expired {key}]"));
        }
        c.say("HSET h f v g w");
        assert_eq!(listener.reply().array()[2].text(), "__keyevent@0__:hset");
        c.say("HPEXPIRE h 10 FIELDS 1 f");
        assert_eq!(listener.reply().array()[2].text(), "__keyevent@0__:hexpire");
        assert_eq!(listener.reply().array()[2].text(), "__keyevent@0__:hexpired");
        c.say("SET victim 1");
        c.say("CONFIG SET maxmemory-policy allkeys-random maxmemory 1");
        let evicted = listener.reply();
        assert_eq!(evicted.array()[2].text(), "__keyevent@0__:evicted");
    });
}

#[test]
fn keys_of_several_cores_tell_their_events_once() {
    everywhere(&["--notify-keyspace-events", "Eg$"], |server| {
        let (mut c, mut listener) = (server.client(), server.client());
        listener.say("SUBSCRIBE __keyevent@0__:set __keyevent@0__:rename_from __keyevent@0__:rename_to end");
        (0..3).for_each(|_| drop(listener.reply()));
        let keys: Vec<String> = (0..20).map(|i| format!("key{i}")).collect();
        let pairs: Vec<&str> = keys.iter().flat_map(|key| [key.as_str(), "v"]).collect();
        c.call(&[&["MSET"][..], &pairs].concat());
        let mut told: Vec<String> = (0..20).map(|_| listener.reply().array()[2].text()).collect();
        told.sort();
        let mut expected = keys.clone();
        expected.sort();
        assert_eq!(told, expected);
        for pair in keys.chunks(2) {
            c.say(&format!("RENAME {} {}", pair[0], pair[1]));
            assert_eq!(listener.reply(), format!("[message __keyevent@0__:rename_from {}]", pair[0]));
            assert_eq!(listener.reply(), format!("[message __keyevent@0__:rename_to {}]", pair[1]));
        }
        c.say("PUBLISH end 1");
        assert_eq!(listener.reply(), "[message end 1]");
    });
}
