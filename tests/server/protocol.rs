//! Bytes that are no requests, requests that are too big, and requests in pieces: a clear error or a closed connection,
//! never a stopped server.

use crate::common::client::words;
use crate::common::{Client, Server, request};
use std::time::Duration;

/// Sends `bytes`, reads until the server closes.
fn said_before_closing(server: &Server, bytes: &[u8]) -> String {
    let mut client = server.client();
    client.send(bytes);
    String::from_utf8_lossy(&client.until_closed()).into_owned()
}

#[test]
fn what_cannot_be_read_is_answered_and_the_connection_closed() {
    let mut server = Server::start(2);
    for (bytes, error) in [
        (&b"*3000000000\r\n"[..], "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*x\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*1x\r\n", "invalid multibulk length"),
        (b"*01\r\n$4\r\nPING\r\n", "invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n$\r\n", "invalid bulk length"),
        (b"*1\r\n$4x\r\nPING\r\n", "invalid bulk length"),
        (b"*1\r\n$04\r\nPING\r\n", "invalid bulk length"),
        (b"*1\r\n$+4\r\nPING\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$18446744073709551615\r\n", "invalid bulk length"),
        (b"*2\r\n$4\r\nECHO\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\nPING\r\n", "expected '$', got 'P'"),
        (b"*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'"),
        (b"SET a \"b\r\n", "unbalanced quotes in request"),
        (b"SET a 'b\r\n", "unbalanced quotes in request"),
        (b"SET a \"b\"c\"\r\n", "unbalanced quotes in request"),
    ] {
        let said = said_before_closing(&server, bytes);
        assert!(said.starts_with("-ERR Protocol error: "), "{:?}: {said:?}", String::from_utf8_lossy(bytes));
        assert!(said.contains(error) && said.ends_with("\r\n"), "{:?}: {said:?}", String::from_utf8_lossy(bytes));
    }
    server.assert_well();
}

#[test]
fn lines_and_lengths_that_never_end_are_refused_at_64_kib() {
    let mut server = Server::start(1);
    let long = vec![b'1'; 70 << 10];
    for (start, error) in [
        (&b""[..], "too big inline request"),
        (b"*", "too big mbulk count string"),
        (b"*1\r\n$", "too big bulk count string"),
    ] {
        let said = said_before_closing(&server, &[start, &long].concat());
        assert!(said.contains(error), "{said:?}");
    }
    server.assert_well();
}

#[test]
fn empty_requests_are_passed_over() {
    let server = Server::start(2);
    let mut client = server.client();
    client.send(b"*0\r\n*-1\r\n\r\n\r\n   \r\n\n*1\r\n$4\r\nPING\r\n");
    assert_eq!(client.reply(), "PONG");
    client.send(b"*-10\r\nPING\r\n");
    assert_eq!(client.reply(), "PONG");
    client.assert_in_step();
}

#[test]
fn lines_and_arrays_can_be_mixed() {
    let server = Server::start(2);
    let mut client = server.client();
    client.send(b"SET a \"x\\r\\ny\"\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\nget a\nSET 'b' ''\n*2\r\n$6\r\nSTRLEN\r\n$1\r\nb\r\nECHO \xff\r\n");
    assert_eq!(client.reply(), "OK");
    assert_eq!(client.reply(), "x\r\ny");
    assert_eq!(client.reply(), "x\r\ny");
    assert_eq!(client.reply(), "OK");
    assert_eq!(client.reply(), ":0");
    assert_eq!(client.reply().bytes(), b"\xff");
    client.assert_in_step();
}

#[test]
fn a_request_may_be_cut_at_every_byte() {
    let server = Server::start(4);
    let requests = [
        request(&["SET", "key:1", "value"]),
        b"\r\n".to_vec(),
        b"*0\r\n".to_vec(),
        b"INCR 'counter'\r\n".to_vec(),
        request(&["MSET", "a", "1", "b", "2", "c", "3"]),
        request(&["MGET", "a", "b", "c", "key:1"]),
        request(&[&b"ECHO"[..], b"\r\n\0\xff"]),
        request(&["DEL", "a", "b", "c", "key:1", "counter"]),
    ]
    .concat();
    let mut client = server.client();
    for cut in 0..=requests.len() {
        client.send(&requests[..cut]);
        // The server has seen the first piece before the second leaves.
        std::thread::sleep(Duration::from_micros(200));
        client.send(&requests[cut..]);
        for expected in ["OK", ":1", "OK", "[1 2 3 value]", "\r\n\0\u{fffd}", ":5"] {
            assert_eq!(client.reply(), expected, "cut at {cut}");
        }
    }
    for byte in requests {
        client.send(&[byte]);
    }
    for expected in ["OK", ":1", "OK", "[1 2 3 value]", "\r\n\0\u{fffd}", ":5"] {
        assert_eq!(client.reply(), expected);
    }
    client.assert_in_step();
}

#[test]
fn requests_of_another_protocol_close_the_connection_and_run_nothing() {
    let mut server = Server::start(1);
    for attack in [
        "POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET pwned 1\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\nSET pwned 1\r\n",
        "post x\r\nSET pwned 1\r\n",
        "*2\r\n$5\r\nhOsT:\r\n$1\r\nx\r\nSET pwned 1\r\n",
    ] {
        let said = said_before_closing(&server, attack.as_bytes());
        assert!(!said.contains("OK"), "{said:?}");
    }
    assert_eq!(server.client().say("EXISTS pwned"), ":0");
    assert!(server.log().contains("SECURITY ATTACK"), "{}", server.log());
    let mut ssh = server.client();
    ssh.send(b"SSH-2.0-OpenSSH_9.2p1\r\n");
    assert!(ssh.reply().is_error(), "it is an unknown command");
    // A TLS hello holds a NUL, which hides ends of lines from Valkey too: it is an unfinished line until it is too long.
    let mut hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abc\n".to_vec();
    hello.resize(70 << 10, b'x');
    let said = said_before_closing(&server, &hello);
    assert!(said.contains("too big inline request"), "{said:?}");
    server.assert_well();
}

#[test]
fn before_authentication_requests_are_small() {
    let mut server = Server::with(2, &["--requirepass", "secret"]);
    let said = said_before_closing(&server, b"*11\r\n");
    assert!(said.contains("unauthenticated multibulk length"), "{said:?}");
    let said = said_before_closing(&server, b"*2\r\n$4\r\nAUTH\r\n$16385\r\n");
    assert!(said.contains("unauthenticated bulk length"), "{said:?}");
    let mut client = server.client();
    assert_eq!(client.say("SET a 1"), "-NOAUTH Authentication required.");
    assert_eq!(client.say("NOSUCH"), "-NOAUTH Authentication required.");
    let long = vec![b'x'; 16384];
    assert!(client.call(&[b"AUTH", &long[..]]).is_error());
    assert_eq!(client.say("AUTH secret"), "OK");
    assert_eq!(client.call(&[b"SET", &b"a"[..], &vec![b'x'; 100_000]]), "OK");
    // In one piece: the limits end where the password was right.
    let mut client = server.client();
    client.send(&[words("AUTH secret"), request(&["SET", "a", &"y".repeat(20_000)])].concat());
    assert_eq!((client.reply().to_string(), client.reply().to_string()), ("OK".into(), "OK".into()));
    let well = server.client().say("PING");
    assert_eq!(well, "-NOAUTH Authentication required.");
    assert!(server.stop().success());
}

#[test]
fn a_thousand_announced_gigabytes_cost_nothing() {
    for args in [&["--requirepass", "secret"][..], &[]] {
        let server = Server::with(2, args);
        let before = server.rss_bytes();
        let mut clients: Vec<Client> = (0..1000).map(|_| server.client()).collect();
        for (i, client) in clients.iter_mut().enumerate() {
            let bulk = if args.is_empty() { 512 << 20 } else { 1 << (20 + i % 11) };
            client.send(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${bulk}\r\nxxxxxxxxxxxxxxxx").as_bytes());
        }
        if !args.is_empty() {
            for client in &mut clients {
                let said = String::from_utf8_lossy(&client.until_closed()).into_owned();
                assert!(said.starts_with("-ERR Protocol error: ") && said.contains("bulk length"), "{said:?}");
            }
        }
        let mut late = server.client();
        if !args.is_empty() {
            assert_eq!(late.say("AUTH secret"), "OK");
        }
        assert_eq!(late.say("EXISTS k"), ":0");
        let grown = server.rss_bytes().saturating_sub(before);
        assert!(grown < 64 << 20, "{args:?}: {} MiB more", grown >> 20);
    }
}

#[test]
fn a_million_announced_arguments_cost_what_was_sent() {
    let mut server = Server::start(1);
    let before = server.rss_bytes();
    let mut clients: Vec<Client> = (0..100).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send(b"*1000000\r\n$4\r\nMGET\r\n$1\r\nk\r\n");
    }
    server.assert_well();
    let grown = server.rss_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{} MiB more", grown >> 20);
}

#[test]
fn a_million_arguments_are_answered() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let mut client = server.client();
        assert_eq!(client.say("SET key:7 here"), "OK");
        let mut argv = vec!["MGET".to_owned()];
        argv.extend((0..1_000_000).map(|i| format!("key:{}", i % 10)));
        let replies = client.pipeline(&request(&argv), 1);
        let all = replies[0].array();
        assert_eq!(all.len(), 1_000_000);
        assert!(all.iter().enumerate().all(|(i, reply)| *reply == if i % 10 == 7 { "here" } else { "(nil)" }));
        client.assert_in_step();
    }
}

#[test]
fn error_replies_hold_no_line_ends_of_the_client() {
    let server = Server::start(1);
    let mut client = server.client();
    for argv in [[&b"NO\r\n+OK\r\n"[..], b"x\r\n:1\r\n"], [b"CLIENT", b"\r\n-ERR\r\n"], [b"HELLO", b"\r\n"]] {
        assert!(client.call(&argv).is_error());
        client.assert_in_step();
    }
}
