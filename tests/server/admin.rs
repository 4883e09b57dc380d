//! INFO, SLOWLOG, COMMANDLOG, DEBUG, MEMORY, TIME, ROLE, LOLWUT, SHUTDOWN and WAIT.

use crate::common::server::eventually;
use crate::common::client::words;
use crate::common::{Reply, Server};

fn field(info: &Reply, name: &str) -> String {
    let text = info.to_string();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned));
    line.unwrap_or_else(|| panic!("{name} in {text}"))
}

#[test]
fn info_adds_up_over_all_cores() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let mut clients: Vec<_> = (0..5).map(|_| server.client()).collect();
        for (i, client) in clients.iter_mut().enumerate() {
            for key in 0..10 {
                client.say(&format!("SET {i}:{key} v"));
                client.say(&format!("GET {i}:{key}"));
                client.say(&format!("GET none:{i}:{key}"));
            }
            client.say("NOPE");
        }
        clients[0].say("EXPIRE 0:0 1000");
        clients[1].say("WATCH 0:0 1:1");
        let info = clients[0].say("INFO everything");
        assert_eq!(field(&info, "db0"), "keys=50,expires=1,avg_ttl=0,keys_with_volatile_items=0");
        assert_eq!(field(&info, "keyspace_hits"), "50");
        assert_eq!(field(&info, "keyspace_misses"), "50");
        assert_eq!(field(&info, "connected_clients"), "5");
        assert_eq!(field(&info, "watching_clients"), "1");
        assert_eq!(field(&info, "total_watched_keys"), "2");
        assert_eq!(field(&info, "errorstat_ERR"), "count=5");
        assert!(field(&info, "cmdstat_set").starts_with("calls=50,"));
        assert!(field(&info, "cmdstat_get").starts_with("calls=100,"));
        assert_eq!(field(&info, "redis_version"), "7.2.4");
        assert_eq!(field(&info, "server_name"), "ringkey");
        assert_eq!(field(&info, "process_id"), server.pid().to_string());
        assert_eq!(field(&info, "tcp_port"), server.port.to_string());
        assert_eq!(field(&info, "cores"), shards.to_string());
        assert_eq!(field(&info, "run_id").len(), 40);
        assert!(field(&info, "used_memory").parse::<u64>().unwrap() > 10_000);
        assert_eq!(clients[0].say("CONFIG RESETSTAT"), "OK");
        let info = clients[0].say("INFO everything");
        assert_eq!(field(&info, "keyspace_hits"), "0");
        assert_eq!(field(&info, "rdb_changes_since_last_save"), "51");
    }
}

#[test]
fn info_takes_sections() {
    let server = Server::start(2);
    let mut client = server.client();
    assert_eq!(client.say("INFO nosuch"), "");
    let text = client.say("INFO keyspace CPU").to_string();
    assert!(text.starts_with("# CPU\r\n") && text.ends_with("\r\n\r\n# Keyspace\r\n"), "{text}");
    assert!(!client.say("INFO").to_string().contains("# Commandstats"));
    assert!(client.say("INFO all").to_string().contains("# Commandstats"));
    client.say("HELLO 3");
    assert!(matches!(client.say("INFO cpu"), Reply::Verbatim(text) if text.starts_with(b"txt:# CPU")));
    client.say("MULTI");
    client.say("INFO keyspace");
    client.say("SET a 1");
    client.say("INFO keyspace");
    let replies = client.say("EXEC").to_string();
    assert!(replies.contains("db0:keys=1"), "{replies}");
}

#[test]
fn used_memory_follows_the_keys() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let mut client = server.client();
        let used = |server: &Server| server.info("used_memory").parse::<u64>().unwrap();
        let before = used(&server);
        let value = "x".repeat(5000);
        for i in 0..2000 {
            client.call(&["SET", &format!("k{i}"), &value]);
        }
        let grown = used(&server) - before;
        assert!((10_000_000..13_500_000).contains(&grown), "{grown}");
        client.say("FLUSHALL SYNC");
        assert!(used(&server) < before + 1_000_000);
    }
}

#[test]
fn slow_calls_are_logged_with_their_client_newest_first() {
    for shards in [1, 4] {
        let server = Server::with(shards, &["--slowlog-max-len", "6"]);
        let mut client = server.client();
        client.say("CLIENT SETNAME me");
        assert_eq!(client.say("CONFIG SET slowlog-log-slower-than 0"), "OK");
        for i in 0..10 {
            client.say(&format!("SET key:{i} {}", "v".repeat(200)));
        }
        client.say("CONFIG SET slowlog-log-slower-than -1");
        assert_eq!(client.say("SLOWLOG LEN"), ":6");
        let calls = client.say("SLOWLOG GET -1");
        let ids: Vec<i64> = calls.array().iter().map(|call| call.array()[0].int()).collect();
        assert!(ids.len() == 6 && ids.windows(2).all(|pair| pair[0] > pair[1]), "{ids:?}");
        let newest = &calls.array()[0].array();
        let cut = format!("[SET key:9 {}... (72 more bytes)]", "v".repeat(128));
        assert_eq!(newest[3], cut.as_str());
        assert_eq!(newest[5], "me");
        assert!(newest[4].to_string().starts_with("127.0.0.1:"));
        assert_eq!(client.say("SLOWLOG GET 2").array().len(), 2);
        assert_eq!(client.say("SLOWLOG RESET"), "OK");
        assert_eq!(client.say("SLOWLOG LEN"), ":0");
        assert_eq!(client.say("SLOWLOG GET -2"), "-ERR count should be greater than or equal to -1");
    }
}

#[test]
fn large_requests_and_replies_have_their_logs() {
    for shards in [1, 4] {
        let server = Server::with(shards, &["--commandlog-request-larger-than", "1000", "--commandlog-reply-larger-than", "1000"]);
        let mut client = server.client();
        client.call(&["SET", "a", &"x".repeat(2000)]);
        client.say("GET a");
        client.say("SET b 1");
        assert_eq!(client.say("COMMANDLOG LEN large-request"), ":1");
        eventually("the reply is logged", || client.say("COMMANDLOG LEN large-reply") == ":1");
        let reply = client.say("COMMANDLOG GET -1 large-reply");
        assert_eq!(reply.array()[0].array()[3], "[GET a]");
        assert!(reply.array()[0].array()[2].int() >= 2000);
        assert_eq!(client.say("COMMANDLOG GET -1 slow"), "[]");
        assert_eq!(client.say("COMMANDLOG RESET large-reply"), "OK");
        assert_eq!(client.say("COMMANDLOG LEN large-reply"), ":0");
        let error = "-ERR type should be one of the following: slow, large-request, large-reply";
        assert_eq!(client.say("COMMANDLOG LEN x"), error);
    }
}

#[test]
fn debug_runs_only_where_it_is_allowed() {
    let server = Server::start(2);
    let error = server.client().say("DEBUG SLEEP 0").to_string();
    assert!(error.starts_with("-ERR DEBUG command not allowed. If the enable-debug-command option is set"), "{error}");
    let error = server.client().say("DEBUG OBJECT a").to_string();
    assert!(error.starts_with("-ERR DEBUG command not allowed."), "{error}");
    for allowed in ["yes", "local"] {
        let server = Server::with(2, &["--enable-debug-command", allowed]);
        let mut client = server.client();
        assert_eq!(client.say("DEBUG POPULATE 100 key 10"), "OK");
        assert_eq!(client.say("DBSIZE"), ":100");
        assert!(client.say("DEBUG OBJECT key:7").to_string().starts_with("Value at:"));
        assert_eq!(client.say("DEBUG OBJECT nokey"), "-ERR no such key");
        assert_eq!(client.say("DEBUG SLEEP 0.001"), "OK");
        assert_eq!(client.say("DEBUG ERROR CODE"), "-CODE");
        assert_eq!(client.say("DEBUG LOADAOF"), "-ERR DEBUG LOADAOF is not supported by this server");
        assert_eq!(
            client.say("DEBUG NOPE"),
            "-ERR unknown subcommand or wrong number of arguments for 'NOPE'. Try DEBUG HELP."
        );
        assert_eq!(client.say("DEBUG LOG hello"), "OK");
        eventually("it is logged", || server.log().contains("DEBUG LOG: hello"));
    }
}

#[test]
fn without_active_expiry_expired_keys_stay_until_somebody_looks() {
    let server = Server::with(4, &["--enable-debug-command", "yes"]);
    let mut client = server.client();
    assert_eq!(client.say("DEBUG SET-ACTIVE-EXPIRE 0"), "OK");
    for i in 0..40 {
        client.say(&format!("SET k{i} v PX 1"));
    }
    assert_eq!(client.say("DEBUG SLEEP 0.25"), "OK");
    assert_eq!(client.say("DBSIZE"), ":40");
    assert_eq!(client.say("DEBUG SET-ACTIVE-EXPIRE 1"), "OK");
    eventually("they expire", || client.say("DBSIZE") == ":0");
    assert_eq!(server.info("expired_keys"), "40");
}

#[test]
fn every_protocol_type_can_be_asked_for() {
    let server = Server::with(1, &["--enable-debug-command", "yes"]);
    let mut client = server.client();
    assert_eq!(client.say("DEBUG PROTOCOL map"), "[:0 :0 :1 :1 :2 :0]");
    assert_eq!(client.say("DEBUG PROTOCOL push"), "-ERR RESP2 is not supported by this command");
    client.say("HELLO 3");
    for (name, reply) in [
        ("string", "Hello World"),
        ("integer", ":12345"),
        ("double", ",3.141"),
        ("null", "(nil)"),
        ("array", "[:0 :1 :2]"),
        ("set", "<:0 :1 :2>"),
        ("map", "{:0=#f :1=#t :2=#f}"),
        ("true", "#t"),
        ("false", "#f"),
        ("verbatim", "txt:This is a verbatim\nstring"),
    ] {
        assert_eq!(client.say(&format!("DEBUG PROTOCOL {name}")), reply, "{name}");
    }
}

#[test]
fn memory_subcommands_answer() {
    let server = Server::start(2);
    let mut client = server.client();
    client.say("SET a b");
    assert!(client.say("MEMORY USAGE a").int() > 0);
    assert_eq!(client.say("MEMORY USAGE nokey"), "(nil)");
    assert_eq!(client.say("MEMORY PURGE"), "OK");
    assert!(client.say("MEMORY DOCTOR").to_string().contains("next to nothing"));
    assert!(client.say("MEMORY MALLOC-STATS").to_string().len() > 100);
    assert_eq!(client.say("MEMORY STATS").array().len(), 2 * 35);
    assert_eq!(client.say("MEMORY NOPE"), "-ERR unknown subcommand 'NOPE'. Try MEMORY HELP.");
    client.say("HELLO 3");
    let Reply::Map(stats) = client.say("MEMORY STATS") else { panic!("a map in RESP3") };
    let keys = stats.iter().find(|(name, _)| *name == "keys.count").unwrap();
    assert_eq!(keys.1, ":1");
}

#[test]
fn small_questions_are_answered() {
    let server = Server::start(3);
    let mut client = server.client();
    let time = client.say("TIME");
    assert_eq!(time.array().len(), 2);
    assert!(time.array()[0].to_string().parse::<u64>().unwrap() > 1_700_000_000);
    assert_eq!(client.say("ROLE"), "[master :0 []]");
    assert!(client.say("LOLWUT").to_string().contains("Ringkey ver. "));
    assert!(client.say("LOLWUT VERSION 5").to_string().contains("Valkey ver. "));
    assert_eq!(client.say("LOLWUT VERSION x"), "-ERR value is not an integer or out of range");
}

#[test]
fn shutdown_ends_the_process_without_a_reply() {
    for (shards, call) in [(1, "SHUTDOWN"), (4, "SHUTDOWN NOSAVE NOW FORCE")] {
        let mut server = Server::start(shards);
        let mut client = server.client();
        assert_eq!(client.say("SHUTDOWN ABORT"), "-ERR No shutdown in progress.");
        assert_eq!(client.say("SHUTDOWN NOSAVE SAVE"), "-ERR syntax error");
        assert!(client.say("SHUTDOWN SAVE").to_string().starts_with("-ERR SHUTDOWN SAVE: this version cannot save"));
        client.send(&words(call));
        client.send(&words("PING"));
        assert_eq!(client.until_closed(), b"");
        assert_eq!(server.wait_for_end().code(), Some(0));
        assert!(server.log().contains("User requested shutdown..."));
    }
}

#[test]
fn wait_holds_its_client_and_nobody_else() {
    for shards in [1, 4] {
        let server = Server::start(shards);
        let (mut waiting, mut other) = (server.client(), server.client());
        assert_eq!(waiting.say("WAIT 0 0"), ":0");
        assert_eq!(waiting.say("WAIT 1 20"), ":0");
        assert_eq!(waiting.say("WAITAOF 0 1 20"), "[:0 :0]");
        assert_eq!(waiting.say("WAIT 1 -1"), "-ERR timeout is negative");
        let id = waiting.say("CLIENT ID").int();
        waiting.send(&words("WAIT 1 0"));
        waiting.send(&words("PING"));
        eventually("it waits", || server.info("blocked_clients") == "1");
        assert_eq!(other.say("SET a 1"), "OK");
        assert_eq!(other.say(&format!("CLIENT UNBLOCK {id}")), ":1");
        assert_eq!(waiting.reply(), ":0");
        assert_eq!(waiting.reply(), "PONG");
        waiting.send(&words("WAIT 1 0"));
        eventually("it waits", || server.info("blocked_clients") == "1");
        assert_eq!(other.say(&format!("CLIENT UNBLOCK {id} ERROR")), ":1");
        assert_eq!(waiting.reply(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
        assert_eq!(other.say(&format!("CLIENT UNBLOCK {id}")), ":0");
        waiting.send(&words("WAIT 1 0"));
        eventually("it waits", || server.info("blocked_clients") == "1");
        drop(waiting);
        eventually("it is forgotten", || server.info("blocked_clients") == "0");
        other.say("MULTI");
        other.say("WAIT 1 0");
        assert_eq!(other.say("EXEC"), "[:0]");
    }
}

#[test]
fn debug_digests_are_the_same_on_any_number_of_shards_and_outlive_a_reload() {
    let mut seen = Vec::new();
    for shards in [1, 2, 4] {
        let server = Server::with(shards, &["--enable-debug-command", "yes"]);
        let mut client = server.client();
        assert_eq!(client.say("DEBUG DIGEST"), "0".repeat(40));
        for i in 0..40 {
            client.say(&format!("SET string:{i} {i}"));
            client.say(&format!("RPUSH list:{i} a {i} c"));
            client.say(&format!("HSET hash:{i} f {i} g x"));
            client.say(&format!("ZADD zset:{i} {i} a 2.5 b 1e10 c"));
            client.say(&format!("SADD set:{i} {i} x"));
            client.say(&format!("XADD stream:{i} 1-{} f {i}", i + 1));
        }
        client.say("HPEXPIREAT hash:1 99999999999999 FIELDS 1 f");
        client.say("PEXPIREAT string:1 99999999999999");
        assert_eq!(client.say("SELECT 3"), "OK");
        client.say("SET other 1");
        let whole = client.say("DEBUG DIGEST");
        assert_eq!(client.say("SELECT 0"), "OK");
        let values = client.say("DEBUG DIGEST-VALUE string:1 list:2 nothing hash:3 zset:4 set:5 stream:6 string:1");
        assert_eq!(client.say("DEBUG RELOAD"), "OK");
        assert_eq!(client.say("DEBUG DIGEST"), whole.to_string());
        assert_eq!(client.say("HPEXPIRETIME hash:1 FIELDS 2 f g"), "[:99999999999999 :-1]");
        assert_eq!(client.say("PEXPIRETIME string:1"), ":99999999999999");
        assert_eq!(client.say("DBSIZE"), ":240");
        // Inside a transaction as well.
        assert_eq!(client.say("MULTI"), "OK");
        client.say("DEBUG DIGEST");
        client.say("GET string:7");
        assert_eq!(client.say("EXEC"), format!("[{whole} 7]"));
        seen.push((whole.to_string(), values.to_string()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    // Valkey 9.1.2 says this of the same commands.
    assert_eq!(seen[0].0, "2556373a60389ac0baa8ce1538b52b0fae906232");
}

#[test]
fn debug_shows_how_lists_and_compact_values_are_made() {
    let server = Server::with(2, &["--enable-debug-command", "yes", "--list-max-listpack-size", "2"]);
    let mut client = server.client();
    client.say("RPUSH l a b c 4 e");
    let text = client.say("DEBUG OBJECT l").text();
    assert!(text.ends_with(" ql_nodes:3 ql_avg_node:1.67 ql_listpack_max:2 ql_compressed:0 ql_uncompressed_size:35"), "{text}");
    assert!(!client.say("DEBUG OBJECT l FAST").text().contains("serializedlength"));
    client.say("ZADD z 1.5 a 2 b");
    assert_eq!(client.say("DEBUG LISTPACK z").text(), "bytes 20, elements 4\n0: string a\n1: string 1.5\n2: string b\n3: integer 2");
    assert_eq!(client.say("DEBUG LISTPACK l"), "-ERR Not a listpack encoded object.");
    assert_eq!(client.say("DEBUG LISTPACK nothing"), "-ERR no such key");
    assert_eq!(client.say("DEBUG QUICKLIST-PACKED-THRESHOLD 4gb"), "-ERR argument must be a memory value bigger than 1 and smaller than 4gb");
    assert_eq!(client.say("DEBUG QUICKLIST-PACKED-THRESHOLD 3b"), "OK");
    client.say("RPUSH m a bcd e");
    assert!(client.say("DEBUG OBJECT m").text().contains(" ql_nodes:3 "));
    assert_eq!(client.say("DEBUG QUICKLIST-PACKED-THRESHOLD 0"), "OK");
    assert_eq!(client.say("DEBUG STRINGMATCH-LEN a*c abbc"), ":1");
    assert!(client.say("DEBUG STRINGMATCH-TEST").text().ends_with("test passed"));
}

#[test]
fn payloads_are_checked_as_the_configuration_says() {
    let server = Server::with(2, &["--enable-debug-command", "yes"]);
    let mut client = server.client();
    client.say("SET a bar");
    let mut payload = client.say("DUMP a").bytes().to_vec();
    *payload.last_mut().unwrap() ^= 1;
    let restore = |client: &mut crate::common::Client, payload: &[u8]| client.call(&[&b"RESTORE"[..], b"b", b"0", payload, b"REPLACE"]);
    assert_eq!(restore(&mut client, &payload), "-ERR DUMP payload version or checksum are wrong");
    assert_eq!(client.say("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1"), "OK");
    assert_eq!(restore(&mut client, &payload), "OK");
    let version = payload.len() - 10;
    payload[version] = 12;
    assert_eq!(restore(&mut client, &payload), "-ERR DUMP payload version or checksum are wrong");
    assert_eq!(client.say("CONFIG SET rdb-version-check relaxed"), "OK");
    assert_eq!(restore(&mut client, &payload), "OK");
    payload[0] = 22;
    assert_eq!(restore(&mut client, &payload), "-ERR Unsupported foreign data type: 22");
    assert_eq!(client.say("DEBUG SET-SKIP-CHECKSUM-VALIDATION 0"), "OK");
    client.say(&format!("SET long {}", "x".repeat(500)));
    let short = client.say("DUMP long").bytes().len();
    assert_eq!(client.say("CONFIG SET rdbcompression no"), "OK");
    assert!(short < 40 && client.say("DUMP long").bytes().len() > 500);
}
