//! What attackers try against access control: the lines of bad-inputs.md, *Access control*.

use crate::wire::{Client, Server, request};
use crate::{bulk, on_shards, user};
use std::fmt::Write as _;

#[test]
fn patterns_made_to_backtrack_stall_nobody() {
    on_shards(&[], |server| {
        let evil = format!("{}b", "a*".repeat(400));
        let key = "a".repeat(20_000);
        let mut c = user(server, "bob", &format!("+@all ~{evil}"));
        for _ in 0..20 {
            c.expect(&format!("GET {key}"), "-NOPERM No permissions to access a key");
        }
        let mut admin = Client::to(server.addr());
        admin.expect(&format!("SET {key} 1"), "+OK");
        admin.expect(&format!("KEYS {evil}"), "*0");
    });
}

#[test]
fn thousands_of_selectors_are_held_and_checked() {
    let server = Server::start(2);
    let mut c = Client::to(server.addr());
    let mut rules = String::from("ACL SETUSER bob on nopass");
    (0..20_000).for_each(|i| write!(rules, " (~k{i} +get)").unwrap());
    c.expect(&rules, "+OK");
    c.expect("AUTH bob x", "+OK");
    c.expect("GET k19999", "$-1");
    c.expect("GET x", "-NOPERM No permissions to access a key");
    c.expect("AUTH default x", "+OK");
    c.expect("ACL DELUSER bob", ":1");
}

#[test]
fn line_ends_in_names_do_not_split_replies_or_lists() {
    let server = Server::start(2);
    let mut c = Client::to(server.addr());
    for raw in [&b"*4\r\n$3\r\nACL\r\n$7\r\nSETUSER\r\n$3\r\nbob\r\n$6\r\n+x\r\n+y\r\n"[..], b"*2\r\n$3\r\nACL\r\n$6\r\nx\r\n+OK\r\n"] {
        c.send_raw(raw);
        let reply = c.read();
        assert!(reply.starts_with("-ERR ") && reply.matches("\r\n").count() == 1, "{reply:?}");
    }
    c.send_raw(b"*4\r\n$3\r\nACL\r\n$7\r\nSETUSER\r\n$3\r\nbob\r\n$5\r\n~x\r\ny\r\n");
    assert!(c.read().contains("Syntax error"));
    c.send_raw(b"*3\r\n$3\r\nACL\r\n$7\r\nSETUSER\r\n$5\r\na\nb c\r\n");
    assert!(c.read().contains("Usernames can't contain spaces"));
    c.expect("PING", "+PONG");
}

#[test]
fn passwords_stay_out_of_logs() {
    on_shards(&["--slowlog-log-slower-than", "0", "--slowlog-max-len", "1000"], |server| {
        let mut c = Client::to(server.addr());
        c.expect("ACL SETUSER bob on >sekret +@all", "+OK");
        c.expect("ACL GETUSER sekret", "$-1");
        c.expect("AUTH bob sekret", "+OK");
        c.expect("AUTH default sekret", "+OK");
        c.expect("MULTI", "+OK");
        c.expect("ACL SETUSER bob >sekret2", "+QUEUED");
        c.expect("EXEC", "*1\r\n+OK");
        c.expect("ACL DELUSER sekret", ":0");
        assert!(!c.ask("SLOWLOG GET -1").contains("sekret"));
        assert!(!c.ask("ACL LIST").contains("sekret"));
        assert!(c.ask("AUTH bob sekret9").starts_with("-WRONGPASS"));
        assert!(!c.ask("ACL LOG").contains("sekret"));
        assert!(!server.log().contains("sekret"), "{}", server.log());
    });
}

#[test]
fn who_is_not_authenticated_can_do_nothing() {
    on_shards(&["--requirepass", "pw"], |server| {
        let mut c = Client::to(server.addr());
        for call in ["PSYNC ? -1", "SYNC", "REPLCONF listening-port 1", "MONITOR", "SUBSCRIBE x", "ACL WHOAMI", "GET a", "NOSUCH", "MULTI", "DEBUG SLEEP 0"] {
            c.expect(call, "-NOAUTH Authentication required.");
        }
        c.expect("AUTH nobody pw", "-WRONGPASS invalid username-password pair or user is disabled.");
        let mut pipeline = request("AUTH wrong");
        pipeline.extend(request("GET a"));
        pipeline.extend(request("AUTH pw"));
        pipeline.extend(request("GET a"));
        c.send_raw(&pipeline);
        assert!(c.read().starts_with("-WRONGPASS"));
        assert!(c.read().starts_with("-NOAUTH"));
        assert_eq!(c.read(), "+OK\r\n");
        assert_eq!(c.read(), "$-1\r\n");
    });
}

#[test]
fn names_of_keys_do_not_lead_out_of_a_users_rights() {
    on_shards(&[], |server| {
        let mut admin = Client::to(server.addr());
        admin.expect("SET secret 1", "+OK");
        admin.expect("RPUSH ids secret", ":1");
        let mut c = user(server, "bob", "+@all ~ids ~mine");
        for call in [
            "COPY secret mine",
            "RENAME secret mine",
            "OBJECT ENCODING secret",
            "TYPE secret",
            "EXISTS secret",
            "WATCH secret",
            "MSETEX 2 mine 1 secret 2",
            "XREAD COUNT 1 STREAMS mine secret 0 0",
            "XREADGROUP GROUP g c STREAMS secret >",
            "LMPOP 2 mine secret LEFT",
            "BZMPOP 0 2 mine secret MIN",
            "ZINTERSTORE mine 2 ids secret",
            "BITOP AND mine secret",
            "MEMORY USAGE secret",
        ] {
            let reply = c.ask(call);
            assert!(reply.starts_with("-NOPERM No permissions to access a key"), "{call}: {reply}");
        }
        admin.expect("GET secret", "$1\r\n1");
        assert_eq!(bulk(&admin.ask("TYPE secret")), "");
    });
}
