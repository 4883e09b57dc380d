//! Many clients, and clients that behave badly: they never read, never write, go away in the middle, come in crowds.
//! What they cost is measured in bytes and in CPU time used, never in time that passes.

use crate::common::client::words;
use crate::common::server::eventually;
use crate::common::{Client, Server, request};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

/// Lets this process open so many files, if the system allows it.
fn allow_files(count: usize) -> bool {
    let pid = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={count}:")]).output();
    let hard = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = hard.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default().to_owned();
    let soft = line.split_ascii_whitespace().nth(3).and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
    if soft < count {
        println!("no {count} files: {line}; prlimit: {raised:?}");
    }
    soft >= count
}

#[test]
fn ten_thousand_connections_are_served_and_idle_ones_are_small() {
    let most = if allow_files(10_100) { 10_000 } else { 900 };
    println!("{most} connections");
    let server = Server::with(2, &["--maxclients", "12000"]);
    // What the first connections cost is not what one more costs.
    let mut clients: Vec<Client> = (0..100).map(|_| server.client()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.say("SET k 1"), "OK"));
    let before = server.rss_bytes();
    for i in 100..most {
        let mut client = server.client();
        if i % 2 == 0 {
            client.send(&words("PING"));
            assert_eq!(client.reply(), "PONG");
        }
        clients.push(client);
    }
    for client in &mut clients {
        client.send(&words("INCR n"));
    }
    let mut seen: Vec<i64> = clients.iter_mut().map(|client| client.reply().int()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=most as i64).collect::<Vec<_>>());
    assert_eq!(server.info("connected_clients"), (most + 1).to_string());
    // An idle client gives its buffers back within two rounds of house-keeping, which come once a second.
    let limit = (8 << 10) * (most as u64 - 100) + (4 << 20);
    eventually("idle connections are small", || server.rss_bytes().saturating_sub(before) < limit);
    println!("{} bytes a connection", server.rss_bytes().saturating_sub(before) / (most as u64 - 100));
    drop(clients);
    eventually("all connections are gone", || server.info("connected_clients") == "1");
}

#[test]
fn an_idle_server_uses_no_cpu() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let mut clients: Vec<Client> = (0..50).map(|_| server.client()).collect();
        for client in &mut clients {
            assert_eq!(client.say("SET k 1"), "OK");
            assert_eq!(client.say("MSET a 1 b 2 c 3"), "OK");
        }
        std::thread::sleep(Duration::from_millis(200)); // what it does after work is not idling
        let (begun, before) = (Instant::now(), server.cpu_ns());
        std::thread::sleep(Duration::from_secs(2));
        let used = server.cpu_ns() - before;
        let share = used as f64 / begun.elapsed().as_nanos() as f64;
        println!("{shards} shards idle: {:.3} % of a CPU", share * 100.0);
        assert!(share < 0.005, "{shards} shards used {:.2} % of a CPU", share * 100.0);
    }
}

#[test]
fn one_client_too_many_is_told_so() {
    let server = Server::with(2, &["--maxclients", "10"]);
    let mut held: Vec<Client> = Vec::new();
    eventually("ten clients are served", || {
        held.push(server.client());
        if held.last_mut().unwrap().send_and_hear("PING").is_some_and(|reply| reply == "PONG") {
            return held.len() == 10;
        }
        held.pop(); // the client that asked whether the server is up was not gone yet
        false
    });
    // A storm: each is refused or reset, none hangs, none is served.
    for _ in 0..500 {
        let mut client = server.client();
        let heard = client.send_and_hear("PING");
        assert!(heard.is_none_or(|reply| reply == "-ERR max number of clients reached"));
    }
    assert!(held.iter_mut().all(|client| client.say("PING") == "PONG"), "those inside notice nothing");
    held.pop();
    eventually("a place becomes free", || server.client().send_and_hear("PING").is_some_and(|reply| reply == "PONG"));
    assert!(server.rss_peak_bytes() < 200 << 20);
}

impl Client {
    /// A call on a connection that may be refused: its reply, if there was one.
    fn send_and_hear(&mut self, text: &str) -> Option<String> {
        let _ = self.stream.write_all(&words(text));
        self.try_reply().ok().map(|reply| reply.to_string())
    }
}

#[test]
fn a_hundred_thousand_commands_in_one_pipeline_are_answered_in_order() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let mut client = server.client();
        let mut requests = Vec::new();
        for i in 0..25_000 {
            requests.extend(words(&format!("SET key:{} {i}", i % 100)));
            requests.extend(words(&format!("GET key:{}", i % 100)));
            requests.extend(words(&format!("MSET a {i} b {i} c {i}")));
            requests.extend(words("MGET a b c"));
        }
        // All is written before the first reply is read, as simple clients do.
        client.send(&requests);
        for i in 0..25_000 {
            assert_eq!(client.reply(), "OK");
            assert_eq!(client.reply(), format!("{i}"));
            assert_eq!(client.reply(), "OK");
            assert_eq!(client.reply(), format!("[{i} {i} {i}]"));
        }
        client.assert_in_step();
    }
}

#[test]
fn a_client_that_never_reads_is_closed_at_its_output_limit() {
    for shards in [1, 2] {
        let mut server = Server::with(shards, &["--client-output-buffer-limit", "normal 8mb 0 0"]);
        let mut client = server.client();
        assert_eq!(client.call(&[&b"SET"[..], b"big", &vec![b'x'; 1 << 20]]), "OK");
        let begun = server.rss_bytes();
        for _ in 0..1000 {
            // 1 GiB asked for; the server gives up long before.
            if client.stream.write_all(&words("GET big")).is_err() {
                break;
            }
        }
        client.until_closed();
        server.assert_well();
        assert!(server.log().contains("output buffer limits"), "{}", server.log());
        if shards == 1 {
            let grown = server.rss_peak_bytes().saturating_sub(begun);
            assert!(grown < 64 << 20, "{} MiB more", grown >> 20);
        }
        // Replies made by other cores are counted only when they arrive, so more can be under way; but nothing stays.
        eventually("memory comes back", || {
            // The allocator gives pages back when it is next asked for something.
            (0..4).for_each(|_| assert_eq!(server.client().say("SET big 1"), "OK"));
            server.rss_bytes().saturating_sub(begun) < 64 << 20
        });
    }
}

#[test]
fn a_huge_pipeline_of_a_client_that_never_reads_stops_nobody() {
    let mut server = Server::with(2, &["--client-output-buffer-limit", "normal 4mb 0 0"]);
    let mut client = server.client();
    client.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let requests = words("ECHO xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx").repeat(10_000);
    for _ in 0..50 {
        if client.stream.write_all(&requests).is_err() {
            break;
        }
    }
    server.assert_well();
    client.until_closed();
    assert!(server.rss_peak_bytes() < 150 << 20, "{} MiB", server.rss_peak_bytes() >> 20);
}

#[test]
fn slow_readers_get_everything() {
    let server = Server::start(2);
    let mut client = server.client();
    let value = vec![b'v'; 1 << 20];
    assert_eq!(client.call(&[&b"SET"[..], b"big", &value]), "OK");
    client.send(&words("GET big").repeat(64));
    for _ in 0..64 {
        assert_eq!(client.reply().bytes(), value);
        assert_eq!(server.client().say("PING"), "PONG");
    }
    client.assert_in_step();
}

#[test]
fn a_value_of_512_mib_is_taken_and_given_back() {
    let server = Server::start(2);
    let mut client = server.client();
    let size = 512 << 20;
    let mut head = b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$536870912\r\n".to_vec();
    let piece = vec![b'z'; 1 << 20];
    client.stream.write_all(&std::mem::take(&mut head)).unwrap();
    (0..size >> 20).for_each(|_| client.stream.write_all(&piece).unwrap());
    client.send(b"\r\n");
    assert_eq!(client.reply(), "OK");
    assert_eq!(client.say("STRLEN big"), format!(":{size}"));
    assert_eq!(client.say("GETRANGE big -3 -1"), "zzz");
    assert_eq!(client.say("APPEND big x"), "-ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    client.send(&words("GET big"));
    let reply = client.reply();
    assert_eq!(reply.bytes().len(), size);
    assert!(reply.bytes().iter().all(|byte| *byte == b'z'));
    assert_eq!(client.say("DEL big"), ":1");
    client.assert_in_step();
}

#[test]
fn clients_that_go_away_at_any_moment_leave_nothing_behind() {
    let mut server = Server::start(4);
    let requests = [
        words("MULTI"),
        words("SET a 1"),
        words("MSET b 1 c 2 d 3"),
        words("EXEC"),
        words("WATCH a b c d"),
        words("MGET a b c d"),
        words("MULTI"),
        words("INCR a"),
    ]
    .concat();
    assert_eq!(server.client().say("PING"), "PONG");
    let files = server.fd_count();
    for cut in 0..requests.len() {
        let mut client = server.client();
        client.send(&requests[..cut]);
        match cut % 3 {
            0 => client.half_close(),
            // Unread replies make the kernel reset the connection.
            1 => drop(client),
            _ if cut > 20 => assert_eq!(client.reply(), "OK"),
            _ => {}
        }
    }
    eventually("all connections are gone", || server.info("connected_clients") == "1");
    eventually("all sockets are closed", || server.fd_count() <= files + 1);
    let mut client = server.client();
    assert_eq!(client.say("MSET a 1 b 2 c 3 d 4"), "OK");
    assert_eq!(client.say("DBSIZE"), ":4");
    server.assert_well();
}

#[test]
fn a_client_that_has_finished_sending_may_be_closed_but_not_kept() {
    let server = Server::start(2);
    let mut client = server.client();
    assert_eq!(client.say("PING"), "PONG");
    client.half_close();
    assert_eq!(client.until_closed(), b"");
}

#[test]
fn quit_answers_and_closes() {
    let server = Server::start(1);
    let mut client = server.client();
    client.send(&[words("SET a 1"), words("QUIT"), words("SET a 2")].concat());
    assert_eq!(client.until_closed(), b"+OK\r\n+OK\r\n");
    assert_eq!(server.client().say("GET a"), "1");
}

#[test]
fn idle_clients_are_closed_after_the_timeout() {
    let server = Server::with(2, &["--timeout", "1"]);
    let mut client = server.client();
    assert_eq!(client.say("PING"), "PONG");
    assert_eq!(client.until_closed(), b"");
}

#[test]
fn replies_can_be_turned_off_and_skipped() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let mut client = server.client();
        let skipped = [
            "CLIENT REPLY SKIP", "SET a 1", "SET b 1", "CLIENT REPLY SKIP", "MSET a 2 b 2 c 2 d 2", "GET a",
            "CLIENT REPLY OFF", "SET e 3", "MGET a b c d e", "NOSUCH", "GET", "DBSIZE", "MULTI", "INCR a", "MGET a b",
            "EXEC", "CLIENT REPLY ON", "MGET a b c d e", "CLIENT REPLY SKIP", "DBSIZE", "PING",
        ];
        client.send(&skipped.iter().flat_map(|call| words(call)).collect::<Vec<u8>>());
        assert_eq!(client.reply(), "OK", "SET b");
        assert_eq!(client.reply(), "2", "GET a");
        assert_eq!(client.reply(), "OK", "CLIENT REPLY ON");
        assert_eq!(client.reply(), "[3 2 2 2 3]", "{shards} shards");
        assert_eq!(client.reply(), "PONG");
        client.assert_in_step();
    }
}

#[test]
fn big_arguments_and_replies_cross_between_cores() {
    let server = Server::start(4);
    let mut client = server.client();
    let value: Vec<u8> = (0..5 << 20).map(|i| (i % 251) as u8).collect();
    for i in 0..8 {
        assert_eq!(client.call(&[b"SET", format!("key:{i}").as_bytes(), &value]), "OK");
    }
    let mut argv = vec![b"MSET".to_vec()];
    (0..8).for_each(|i| argv.extend([format!("other:{i}").into_bytes(), value.clone()]));
    assert_eq!(client.pipeline(&request(&argv), 1)[0], "OK");
    for i in 0..8 {
        let reply = client.say(&format!("MGET key:{i} other:{i}"));
        assert!(reply.array().iter().all(|reply| reply.bytes() == value));
    }
}
