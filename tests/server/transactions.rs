//! MULTI, EXEC, WATCH and commands whose keys lie on several cores, with 1, 2 and 4 shards: a client cannot tell how
//! many there are.

use crate::common::client::words;
use crate::common::random;
use crate::common::{Client, Server};
use shards::stdx::prng::Prng;

/// Runs a test with each number of shards, every time with an empty server.
fn with_shards(test: impl Fn(&Server)) {
    for shards in [1, 2, 4] {
        println!("{shards} shards");
        test(&Server::start(shards));
    }
}

/// Says calls and compares replies: `call -> reply`.
fn hold(client: &mut Client, script: &str) {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (call, expected) = line.split_once(" -> ").expect("a line is `call -> reply`");
        assert_eq!(client.say(call), expected, "{call}");
    }
    assert_eq!(client.unread(), "");
}

#[test]
fn exec_answers_all_its_commands() {
    with_shards(|server| {
        let mut client = server.client();
        hold(&mut client, "
            MULTI -> OK
            SET a 1 -> QUEUED
            INCR b -> QUEUED
            MSET c 3 d 4 e 5 -> QUEUED
            MGET a b c d e f -> QUEUED
            INCR c -> QUEUED
            RENAME d a -> QUEUED
            GET a -> QUEUED
            ECHO hello -> QUEUED
            DEL a b c d e -> QUEUED
            EXEC -> [OK :1 OK [1 1 3 4 5 (nil)] :4 OK 4 hello :4]
            DBSIZE -> :0
            MULTI -> OK
            EXEC -> []
            MULTI -> OK
            PING -> QUEUED
            EXEC -> [PONG]");
    });
}

#[test]
fn errors_while_queueing_abort_the_transaction() {
    with_shards(|server| {
        let mut client = server.client();
        for wrong in ["NOSUCH a", "GET", "SET a", "CLIENT NOSUCH", "OBJECT NOSUCH a"] {
            assert_eq!(client.say("MULTI"), "OK");
            assert_eq!(client.say("SET a 1"), "QUEUED");
            assert!(client.say(wrong).is_error(), "{wrong}");
            assert_eq!(client.say("SET b 1"), "QUEUED");
            assert_eq!(client.say("EXEC"), "-EXECABORT Transaction discarded because of previous errors.", "{wrong}");
            assert_eq!(client.say("EXISTS a b"), ":0");
        }
        hold(&mut client, "
            MULTI -> OK
            MULTI -> -ERR Command 'multi' not allowed inside a transaction
            WATCH a -> -ERR Command 'watch' not allowed inside a transaction
            EXEC -> -EXECABORT Transaction discarded because of previous errors.
            EXEC -> -ERR EXEC without MULTI
            DISCARD -> -ERR DISCARD without MULTI
            MULTI -> OK
            SET a 1 -> QUEUED
            DISCARD -> OK
            GET a -> (nil)");
    });
}

#[test]
fn errors_while_running_do_not_stop_the_rest() {
    with_shards(|server| {
        hold(&mut server.client(), "
            MSET a x b y c 1 -> OK
            MULTI -> OK
            INCR a -> QUEUED
            INCR c -> QUEUED
            INCRBY b 5 -> QUEUED
            RENAME nothing a -> QUEUED
            MGET a b c -> QUEUED
            EXEC -> [-ERR value is not an integer or out of range :2 -ERR value is not an integer or out of range -ERR no such key [x y 2]]");
    });
}

#[test]
fn a_watched_key_that_changes_makes_exec_answer_null() {
    with_shards(|server| {
        let (mut watcher, mut other) = (server.client(), server.client());
        for (before, change) in [
            ("SET k 1", "SET k 2"),
            ("SET k 1", "SET k 1"),
            ("SET k 1", "APPEND k x"),
            ("SET k 1", "DEL k"),
            ("SET k 1", "UNLINK k"),
            ("SET k 1", "EXPIRE k 100"),
            ("SET k 1 EX 100", "PERSIST k"),
            ("SET k 1", "PEXPIRE k 0"),
            ("SET k 1", "RENAME k l"),
            ("MSET k 1 l 2", "RENAME l k"),
            ("MSET k 1 l 2", "COPY l k REPLACE"),
            ("DEL k", "SET k 1"),
            ("DEL k", "MSETNX k 1 m 2"),
            ("SET k 1", "MSET x 1 k 2 y 3"),
            ("SET k 1", "FLUSHALL"),
            ("SET k 1", "FLUSHDB"),
            ("SET k 1", "SWAPDB 0 1"),
            ("SET k 1", "MOVE k 5"),
        ] {
            other.say("FLUSHALL");
            other.say(before);
            hold(&mut watcher, "WATCH a k b -> OK\nMULTI -> OK\nSET done 1 -> QUEUED\nGET a -> QUEUED");
            assert!(!other.say(change).is_error(), "{change}");
            assert_eq!(watcher.say("EXEC"), "(nil)", "{before}; {change}");
            assert_eq!(watcher.say("EXISTS done"), ":0");
        }
    });
}

#[test]
fn watched_keys_that_stay_do_not_stop_exec() {
    with_shards(|server| {
        let (mut watcher, mut other) = (server.client(), server.client());
        for change in [
            "SET other 1", "GET k", "DEL nothing", "EXPIRE nothing 5", "SET k 9 NX", "MSETNX k 1 new 1", "TTL k", "PERSIST k",
            "FLUSHDB 1", "COPY l k",
        ] {
            hold(&mut other, "FLUSHALL -> OK\nMSET k 1 l 2 -> OK");
            hold(&mut watcher, "WATCH k missing -> OK\nMULTI -> OK\nINCR k -> QUEUED");
            other.say("SELECT 0");
            other.say(change);
            assert_eq!(watcher.say("EXEC"), "[:2]", "{change}");
        }
        // The same key in another database is another key.
        hold(&mut watcher, "SET k 1 -> OK\nWATCH k -> OK");
        hold(&mut other, "SELECT 3 -> OK\nSET k 2 -> OK\nSELECT 0 -> OK");
        hold(&mut watcher, "MULTI -> OK\nGET k -> QUEUED\nEXEC -> [1]");
        // One's own writes before MULTI count.
        hold(&mut watcher, "WATCH k -> OK\nSET k 5 -> OK\nMULTI -> OK\nGET k -> QUEUED\nEXEC -> (nil)\nGET k -> 5");
    });
}

#[test]
fn watches_end_with_exec_discard_unwatch_and_reset() {
    with_shards(|server| {
        let (mut watcher, mut other) = (server.client(), server.client());
        for end in ["MULTI;EXEC", "MULTI;DISCARD", "UNWATCH", "RESET", "MULTI;NOSUCH;EXEC"] {
            assert_eq!(watcher.say("WATCH k l m n"), "OK");
            end.split(';').for_each(|call| drop(watcher.say(call)));
            assert_eq!(other.say("MSET k 1 l 1 m 1 n 1"), "OK");
            hold(&mut watcher, "MULTI -> OK\nGET k -> QUEUED\nEXEC -> [1]");
        }
        hold(&mut watcher, "WATCH k -> OK\nMULTI -> OK\nUNWATCH -> QUEUED\nGET k -> QUEUED");
        assert_eq!(other.say("SET k 2"), "OK");
        assert_eq!(watcher.say("EXEC"), "(nil)");
    });
}

#[test]
fn a_watched_key_that_expires_is_a_change_and_one_that_had_expired_is_not() {
    with_shards(|server| {
        let mut client = server.client();
        hold(&mut client, "SET k 1 PX 30 -> OK\nWATCH k -> OK\nMULTI -> OK\nSET done 1 -> QUEUED");
        let mut other = server.client();
        while other.say("EXISTS k") != ":0" {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        hold(&mut client, "EXEC -> (nil)\nEXISTS done -> :0\nWATCH k -> OK\nMULTI -> OK\nSET done 1 -> QUEUED\nEXEC -> [OK]");
    });
}

#[test]
fn select_inside_multi_holds_for_what_follows_and_afterwards() {
    with_shards(|server| {
        hold(&mut server.client(), "
            SET a zero -> OK
            MULTI -> OK
            SET b zero -> QUEUED
            SELECT 3 -> QUEUED
            MSET a three c three d three -> QUEUED
            GET a -> QUEUED
            SELECT 99 -> QUEUED
            MGET a b c d -> QUEUED
            DBSIZE -> QUEUED
            SELECT 0 -> QUEUED
            DBSIZE -> QUEUED
            SELECT 3 -> QUEUED
            EXEC -> [OK OK OK three -ERR DB index is out of range [three (nil) three three] :3 OK :2 OK]
            GET a -> three
            SELECT 0 -> OK
            MGET a b c -> [zero zero (nil)]
            MULTI -> OK
            SELECT 3 -> QUEUED
            DISCARD -> OK
            GET a -> zero");
    });
}

#[test]
fn commands_on_all_shards_run_inside_multi() {
    with_shards(|server| {
        let mut client = server.client();
        hold(&mut client, "
            MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 -> OK
            MULTI -> OK
            DBSIZE -> QUEUED
            SET i 9 -> QUEUED
            DBSIZE -> QUEUED
            RENAME a z -> QUEUED
            KEYS z -> QUEUED
            FLUSHDB -> QUEUED
            DBSIZE -> QUEUED
            RANDOMKEY -> QUEUED
            SET one 1 -> QUEUED
            RANDOMKEY -> QUEUED
            KEYS * -> QUEUED
            SWAPDB 0 1 -> QUEUED
            DBSIZE -> QUEUED
            GET one -> QUEUED
            SWAPDB 0 1 -> QUEUED
            MGET one a -> QUEUED
            FLUSHALL -> QUEUED
            EXEC -> [:8 OK :9 OK [z] OK :0 (nil) OK one [one] OK :0 (nil) OK [1 (nil)] OK]
            DBSIZE -> :0");
        for i in 0..200 {
            assert_eq!(client.say(&format!("SET key:{i} {i}")), "OK");
        }
        // A whole iteration, each step in an EXEC.
        let (mut cursor, mut found) = ("0".to_owned(), std::collections::BTreeSet::new());
        loop {
            client.send(&[words("MULTI"), words(&format!("SCAN {cursor} COUNT 7")), words("EXEC")].concat());
            let replies: Vec<_> = (0..3).map(|_| client.reply()).collect();
            let scan = replies[2].array()[0].array().to_vec();
            found.extend(scan[1].array().iter().map(|key| key.text()));
            cursor = scan[0].text();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found.len(), 200);
    });
}

#[test]
fn commands_over_several_keys_meet_every_shard() {
    with_shards(|server| {
        let mut client = server.client();
        hold(&mut client, "
            MSET a 1 a 2 b 3 a 4 -> OK
            MGET a b a zz a -> [4 3 4 (nil) 4]
            MSETNX c 1 a 2 -> :0
            EXISTS c -> :0
            MSETNX c 1 d 1 c 2 -> :1
            MGET c d -> [2 1]
            EXISTS a a a b nothing -> :4
            TOUCH a b nothing -> :2
            DEL a a a -> :1
            UNLINK b c d d -> :3
            MSET a 1 -> OK
            RENAME a a -> OK
            RENAMENX a a -> :0
            RENAME nothing a -> -ERR no such key
            COPY a a -> -ERR source and destination objects are the same
            MSET a 1 b -> -ERR wrong number of arguments for 'mset' command");
        for (i, from) in ["a", "b", "c", "d", "e", "f", "g", "h"].into_iter().enumerate() {
            let to = ["x", "y", "z", "w", "v", "u", "t", "s"][i];
            hold(&mut client, &format!("
                SET {from} {i} EX 100 -> OK
                COPY {from} {to} -> :1
                COPY {from} {to} -> :0
                TTL {to} -> :100
                DEL {from} -> :1
                RENAME {to} {from} -> OK
                MGET {from} {to} -> [{i} (nil)]
                SET {to} old -> OK
                RENAMENX {from} {to} -> :0
                COPY {from} {to} REPLACE -> :1
                MGET {from} {to} -> [{i} {i}]
                COPY {from} {to} DB 4 -> :1
                DEL {from} {to} -> :2"));
        }
        hold(&mut client, "SELECT 4 -> OK\nDBSIZE -> :8\nFLUSHALL -> OK\nDBSIZE -> :0");
    });
}

#[test]
fn a_client_that_goes_away_inside_a_transaction_leaves_no_lock() {
    with_shards(|server| {
        let mut other = server.client();
        for round in 0..50 {
            let mut client = server.client();
            client.send(&words("WATCH a b c d e f"));
            client.send(&words("MULTI"));
            (0..20).for_each(|i| client.send(&words(&format!("INCR {}", ["a", "b", "c", "d", "e", "f"][i % 6]))));
            if round % 2 == 0 {
                client.send(&words("EXEC"));
            }
            if round % 3 == 0 {
                assert_eq!(client.reply(), "OK");
            }
            drop(client);
            let all = other.say("MGET a b c d e f");
            let sum: i64 = all.array().iter().map(|n| if *n == "(nil)" { 0 } else { n.text().parse().unwrap() }).sum();
            assert_eq!(sum % 20, 0, "transactions are whole: {all:?}");
        }
        hold(&mut other, "MULTI -> OK\nDEL a b c d e f -> QUEUED\nDBSIZE -> QUEUED\nFLUSHALL -> QUEUED\nEXEC -> [:6 :0 OK]");
    });
}

/// A call over few keys; what it answers depends on nothing but the calls before it.
fn random_call(rng: &mut Prng) -> String {
    let key = |rng: &mut Prng| format!("k{}", rng.below(12));
    let (a, b, c) = (key(rng), key(rng), key(rng));
    let n = rng.below(100);
    match rng.below(36) {
        0..=3 => format!("GET {a}"),
        4..=6 => format!("SET {a} {n}"),
        7..=9 => format!("INCR {a}"),
        10 => format!("APPEND {a} {n}"),
        11..=13 => format!("MGET {a} {b} {c} {a}"),
        14..=16 => format!("MSET {a} {n} {b} {n} {c} 7"),
        17 => format!("MSETNX {a} 1 {b} 2"),
        18 => format!("DEL {a} {b} {a}"),
        19 => format!("EXISTS {a} {b} {c}"),
        20 => format!("RENAME {a} {b}"),
        21 => format!("RENAMENX {a} {b}"),
        22 => format!("COPY {a} {b} REPLACE"),
        23 => format!("COPY {a} {b}"),
        24 => "DBSIZE".to_owned(),
        25 => format!("ECHO {n}"),
        26 => "PING".to_owned(),
        27 => format!("GETDEL {a}"),
        28 => format!("GETSET {a} {n}"),
        29 => format!("STRLEN {a}"),
        30 => format!("LCS {a} {b}"),
        31 => format!("SETRANGE {a} 3 {n}"),
        32 => if n < 5 { "FLUSHDB".to_owned() } else { format!("TYPE {a}") },
        33 => if n < 10 { "SWAPDB 0 1".to_owned() } else { format!("SELECT {}", rng.below(2)) },
        34 => ["NOSUCH x", "GET", "MSET a", "OBJECT NOSUCH a", "SETRANGE a -1 x"][rng.below(5) as usize].to_owned(),
        _ => format!("MOVE {a} 1"),
    }
}

/// What may stand around random calls: transactions, watches.
fn random_pipeline(rng: &mut Prng, out: &mut Vec<String>) {
    for _ in 0..1 + rng.below(40) {
        match rng.below(12) {
            0 => {
                if rng.below(2) == 0 {
                    out.push(format!("WATCH k{} k{}", rng.below(12), rng.below(12)));
                }
                if rng.below(4) == 0 {
                    out.push(random_call(rng));
                }
                out.push("MULTI".to_owned());
                (0..rng.below(6)).for_each(|_| out.push(random_call(rng)));
                out.push(if rng.below(8) == 0 { "DISCARD" } else { "EXEC" }.to_owned());
            }
            1 => out.push(["UNWATCH", "MULTI", "EXEC", "DISCARD"][rng.below(4) as usize].to_owned()),
            _ => out.push(random_call(rng)),
        }
    }
}

#[test]
fn pipelines_get_the_replies_of_one_shard_from_four_shards() {
    let seed = random::seed();
    let mut rng = Prng::new(seed);
    let servers = [Server::start(1), Server::start(4)];
    let mut clients: Vec<Client> = servers.iter().map(Server::client).collect();
    let end = random::deadline(6);
    let mut said = 0;
    while std::time::Instant::now() < end {
        let mut calls = Vec::new();
        random_pipeline(&mut rng, &mut calls);
        calls.push("EXEC".to_owned());
        let bytes: Vec<u8> = calls.iter().flat_map(|call| words(call)).collect();
        clients.iter_mut().for_each(|client| client.send(&bytes));
        for (i, call) in calls.iter().enumerate() {
            let missing = |which: usize| panic!("server {which}, seed {seed}: no reply {i} ({call}) to {calls:?}");
            let replies: Vec<_> =
                clients.iter_mut().enumerate().map(|(which, c)| c.try_reply().unwrap_or_else(|_| missing(which))).collect();
            assert_eq!(replies[0], replies[1], "seed {seed}: reply {i} ({call}) of {calls:?}");
        }
        said += calls.len();
    }
    println!("{said} calls");
    clients.iter_mut().for_each(Client::assert_in_step);
}
