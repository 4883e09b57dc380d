//! MONITOR: what is shown, in which form, and what is not.

use crate::common::{Client, Server};
use crate::everywhere;

/// The next line without its time, and the client's address replaced by `A`.
fn line(c: &mut Client, address: &str) -> String {
    let text = c.reply().text();
    let (time, rest) = text.split_once(' ').unwrap();
    let (seconds, us) = time.split_once('.').unwrap();
    assert!(seconds.len() >= 10 && us.len() == 6, "{text}");
    rest.replace(address, "A")
}

#[test]
fn commands_of_all_cores_are_shown_in_their_clients_order() {
    everywhere(&[], |server: &mut Server| {
        let mut monitors: Vec<Client> = (0..3).map(|_| server.client()).collect();
        monitors.iter_mut().for_each(|c| assert_eq!(c.say("MONITOR"), "OK"));
        for _ in 0..5 {
            let mut c = server.client();
            let address = c.stream.local_addr().unwrap().to_string();
            c.call(&[&b"SET"[..], b"k\n\"\\", b"\0\x7f\xff"]);
            for call in [
                "get k1", "GET k2", "MGET a b c d e f", "AUTH secret", "HELLO 3 AUTH u p", "nosuch", "get", "SELECT 3",
                "CONFIG GET port", "PUBLISH a b", "BLPOP k 0.01", "lpush l x", "LPUSH l",
            ] {
                c.say(call);
            }
            for call in ["multi", "set a 1", "select 2", "ping", "EXEC", "MULTI", "nosuch", "exec", "watch a", "CLIENT LIST"] {
                c.say(call);
            }
            for monitor in &mut monitors {
                for expected in [
                    r#"[0 A] "SET" "k\n\"\\" "\x00\x7f\xff""#,
                    r#"[0 A] "get" "k1""#,
                    r#"[0 A] "GET" "k2""#,
                    r#"[0 A] "MGET" "a" "b" "c" "d" "e" "f""#,
                    r#"[0 A] "AUTH" "(redacted)""#,
                    r#"[0 A] "HELLO" "3" "AUTH" "(redacted)" "(redacted)""#,
                    r#"[3 A] "SELECT" "3""#,
                    r#"[3 A] "PUBLISH" "a" "b""#,
                    r#"[3 A] "BLPOP" "k" "0.01""#,
                    r#"[3 A] "lpush" "l" "x""#,
                    r#"[3 A] "multi""#,
                    r#"[3 A] "set" "a" "1""#,
                    r#"[2 A] "select" "2""#,
                    r#"[2 A] "ping""#,
                    r#"[2 A] "EXEC""#,
                    r#"[2 A] "MULTI""#,
                    r#"[2 A] "exec""#,
                    r#"[2 A] "watch" "a""#,
                ] {
                    assert_eq!(line(monitor, &address), expected);
                }
            }
        }
        let mut c = server.client();
        let flags = |c: &mut Client| c.say("CLIENT LIST").text().lines().filter(|line| line.contains(" flags=O ")).count();
        assert_eq!(flags(&mut c), 3);
        assert_eq!(monitors[0].say("RESET"), "RESET");
        assert_eq!(monitors[0].say("PING"), "PONG");
        drop(monitors);
        while flags(&mut c) > 0 {}
        assert_eq!(c.say("MULTI"), "OK");
        assert_eq!(c.say("MONITOR"), "QUEUED");
        assert_eq!(c.say("EXEC"), "[-ERR MONITOR isn't allowed for DENY BLOCKING client]");
    });
}
