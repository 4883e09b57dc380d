//! Scripts and functions with 1, 2 and 4 shards: a client cannot tell how many there are.

use crate::common::{Client, Server};
use std::time::{Duration, Instant};

fn with_shards(test: impl Fn(&Server)) {
    for shards in [1, 2, 4] {
        println!("{shards} shards");
        test(&Server::start(shards));
    }
}

/// Runs a script with keys and arguments (`keys|args`, words).
fn eval(client: &mut Client, body: &str, keys: &str, args: &str) -> String {
    let keys: Vec<&str> = keys.split_ascii_whitespace().collect();
    let count = keys.len().to_string();
    let argv: Vec<&str> =
        ["EVAL", body, &count].into_iter().chain(keys).chain(args.split_ascii_whitespace()).collect();
    client.call(&argv).to_string()
}

#[test]
fn scripts_run_where_their_keys_are() {
    with_shards(|server| {
        let mut c = server.client();
        for i in 0..40 {
            let key = format!("k{i}");
            assert_eq!(eval(&mut c, "return redis.call('set', KEYS[1], ARGV[1])", &key, "7"), "OK");
            assert_eq!(eval(&mut c, "return redis.call('incrby', KEYS[1], ARGV[1])", &key, "3"), ":10");
            assert_eq!(c.say(&format!("GET {key}")), "10");
        }
        assert_eq!(eval(&mut c, "return redis.call('mget', unpack(KEYS))", "k1 k2 k3 k4 k5 none", ""), "[10 10 10 10 10 (nil)]");
        assert_eq!(eval(&mut c, "return 1", "", ""), ":1");
    });
}

#[test]
fn keys_that_were_not_named_work_all_the_same() {
    with_shards(|server| {
        let mut c = server.client();
        let fill = "for i = 1, 50 do redis.call('set', 'key:' .. i, i) end return redis.call('dbsize')";
        assert_eq!(eval(&mut c, fill, "", ""), ":50");
        let sum = "local sum = 0 for i = 1, 50 do sum = sum + redis.call('get', 'key:' .. i) end return sum";
        assert_eq!(eval(&mut c, sum, "", ""), ":1275");
        // A first try that has written before it strays leaves nothing behind.
        let twice = "redis.call('incr', KEYS[1]) for i = 1, 9 do redis.call('incr', KEYS[1] .. ':' .. i) end return redis.call('get', KEYS[1])";
        for round in 1..4 {
            assert_eq!(eval(&mut c, twice, "counter", ""), round.to_string());
            for i in 1..10 {
                assert_eq!(c.say(&format!("GET counter:{i}")), round.to_string().as_str());
            }
        }
        assert_eq!(eval(&mut c, "return #redis.call('keys', '*')", "", ""), ":60");
        assert_eq!(eval(&mut c, "redis.call('flushall') redis.call('set', 'a', 1) redis.call('set', 'b', 2) return redis.call('dbsize')", "", ""), ":2");
        assert_eq!(eval(&mut c, "return redis.call('randomkey') and 1", "", ""), ":1");
        let scan = "local n, cursor = 0, '0' repeat local r = redis.call('scan', cursor) cursor = r[1] n = n + #r[2] until cursor == '0' return n";
        assert_eq!(eval(&mut c, scan, "", ""), ":2");
        assert_eq!(eval(&mut c, "redis.call('rename', 'a', 'c') return redis.call('mget', 'a', 'b', 'c')", "", ""), "[(nil) 2 1]");
        assert_eq!(c.say("MGET a b c"), "[(nil) 2 1]");
    });
}

#[test]
fn a_try_that_is_given_up_restores_every_type() {
    for shards in [2, 4] {
        let server = Server::start(shards);
        let mut c = server.client();
        for line in ["SET s 1", "RPUSH l a b c", "HSET h f v", "ZADD z 1 a 2 b", "SADD t x y", "XADD x 1-1 f v"] {
            c.say(line);
        }
        for key in ["s", "l", "h", "z", "t", "x"] {
            let body = format!("redis.call('del', KEYS[1]) redis.call('set', KEYS[1], 'gone') for i = 1, 20 do redis.call('get', 'other:{key}' .. i) end return redis.error_reply('STOP here')");
            // It runs to its end in the second try: what it did then stays, done once.
            assert_eq!(eval(&mut c, &body, key, ""), "-STOP here");
            assert_eq!(c.say(&format!("GET {key}")), "gone");
        }
    }
}

#[test]
fn errors_are_valkeys() {
    with_shards(|server| {
        let mut c = server.client();
        c.say("LPUSH list a");
        assert_eq!(eval(&mut c, "return redis.call('nope')", "", ""), "-ERR Unknown command called from script script: on @user_script:1.");
        assert_eq!(eval(&mut c, "return redis.call('set', KEYS[1])", "a", ""), "-ERR Wrong number of args calling command from script script: on @user_script:1.");
        assert_eq!(eval(&mut c, "return redis.call('subscribe', 'a')", "", ""), "-ERR This Valkey command is not allowed from script script: on @user_script:1.");
        assert_eq!(eval(&mut c, "return redis.call('get', KEYS[1])", "list", ""), "-WRONGTYPE Operation against a key holding the wrong kind of value script: on @user_script:1.");
        assert_eq!(eval(&mut c, "return redis.pcall('get', KEYS[1])['err']", "list", ""), "WRONGTYPE Operation against a key holding the wrong kind of value");
        assert_eq!(eval(&mut c, "return {err='two\\r\\nlines'}", "", ""), "-two  lines");
        assert_eq!(c.call(&["EVAL", "return 1", "x"]), "-ERR value is not an integer or out of range");
        assert_eq!(c.call(&["EVAL", "return 1", "-1"]), "-ERR Number of keys can't be negative");
        assert_eq!(c.call(&["EVAL", "return 1", "2", "a"]), "-ERR Number of keys can't be greater than number of args");
        assert_eq!(c.call(&["EVALSHA", "abc", "0"]), "-NOSCRIPT No matching script.");
        assert_eq!(c.call(&["EVAL_RO", "return redis.call('set', KEYS[1], 1)", "1", "a"]), "-ERR Write commands are not allowed from read-only scripts. script: on @user_script:1.");
        assert_eq!(c.call(&["EVAL", "#!lua flags=no-writes\nreturn redis.call('set', KEYS[1], 1)", "1", "a"]), "-ERR Write commands are not allowed from read-only scripts. script: on @user_script:2.");
        assert_eq!(c.call(&["EVAL_RO", "#!lua\nreturn 1", "0"]), "-ERR Can not execute a script with write flag using *_ro command.");
        assert_eq!(c.call(&["EVAL", "#!lua flags=bad\nreturn 1", "0"]), "-ERR Unexpected flag in script shebang: bad");
        c.assert_in_step();
    });
}

#[test]
fn scripts_are_known_on_all_cores() {
    with_shards(|server| {
        let mut clients: Vec<Client> = (0..8).map(|_| server.client()).collect();
        let body = "return redis.call('incr', KEYS[1])";
        let sha = clients[0].call(&["SCRIPT", "LOAD", body]).to_string();
        assert_eq!(sha.len(), 40);
        for c in &mut clients {
            assert_eq!(c.call(&["SCRIPT", "EXISTS", &sha, &"0".repeat(40)]), "[:1 :0]");
            assert!(c.call(&["EVALSHA", &sha.to_ascii_uppercase(), "1", "n"]).int() > 0);
            assert_eq!(c.call(&["SCRIPT", "SHOW", &sha]), body);
        }
        assert_eq!(clients[3].say("SCRIPT FLUSH"), "OK");
        for c in &mut clients {
            assert_eq!(c.call(&["EVALSHA", &sha, "1", "n"]), "-NOSCRIPT No matching script.");
        }
        assert_eq!(clients[0].call(&["SCRIPT", "LOAD", "bad syntax"]), "-ERR Error compiling script (new function): user_script:1: '=' expected near 'syntax'");
        assert_eq!(eval(&mut clients[0], "worse syntax", "", "").split(':').next(), Some("-ERR Error compiling script (new function)"));
    });
}

#[test]
fn scripts_stand_in_transactions() {
    with_shards(|server| {
        let mut c = server.client();
        for undeclared in [false, true] {
            assert_eq!(c.say("MULTI"), "OK");
            assert_eq!(c.say("SET a 1"), "QUEUED");
            let body = if undeclared { "redis.call('incr', 'b') redis.call('incr', 'c') return redis.call('incr', 'a')" } else { "return redis.call('incr', KEYS[1])" };
            let call: Vec<&str> = if undeclared { vec!["EVAL", body, "0"] } else { vec!["EVAL", body, "1", "a"] };
            assert_eq!(c.call(&call), "QUEUED");
            assert_eq!(c.say("GET a"), "QUEUED");
            assert_eq!(c.call(&["EVALSHA", "nope", "0"]), "QUEUED");
            assert_eq!(c.call(&["EVAL", "return redis.call('lpop', KEYS[1])", "1", "a"]), "QUEUED");
            assert_eq!(c.say("PING"), "QUEUED");
            assert_eq!(
                c.say("EXEC"),
                "[OK :2 2 -NOSCRIPT No matching script. -WRONGTYPE Operation against a key holding the wrong kind of value script: on @user_script:1. PONG]"
            );
        }
        assert_eq!(c.say("MGET a b c"), "[2 1 1]");
    });
}

#[test]
fn a_database_chosen_in_a_script_is_its_own() {
    with_shards(|server| {
        let mut c = server.client();
        assert_eq!(eval(&mut c, "redis.call('select', 3) redis.call('set', 'x', 'three') return redis.call('get', 'x')", "", ""), "three");
        assert_eq!(c.say("GET x"), "(nil)");
        c.say("SELECT 3");
        assert_eq!(c.say("GET x"), "three");
    });
}

#[test]
fn the_servers_own_commands_can_be_called() {
    with_shards(|server| {
        let mut c = server.client();
        assert_eq!(eval(&mut c, "return redis.call('ping')", "", ""), "PONG");
        assert_eq!(eval(&mut c, "return redis.call('echo', ARGV[1])", "", "hello"), "hello");
        assert_eq!(eval(&mut c, "return #redis.call('time')", "", ""), ":2");
        assert_eq!(eval(&mut c, "redis.call('set', KEYS[1], 5) local i = redis.call('info', 'server') return {#i > 10, redis.call('get', KEYS[1])}", "k", ""), "[:1 5]");
    });
}

/// Transfers between accounts by scripts that name their keys, and by scripts that do not.
#[test]
fn transfers_by_scripts_never_lose_a_unit() {
    const ACCOUNTS: usize = 8;
    let named = "local a, b = KEYS[1], KEYS[2] if tonumber(redis.call('get', a)) < 1 then return 0 end redis.call('decr', a) redis.call('incr', b) return 1";
    let unnamed = "local a, b = 'acc:' .. ARGV[1], 'acc:' .. ARGV[2] if tonumber(redis.call('get', a)) < 1 then return 0 end redis.call('decr', a) redis.call('incr', b) return 1";
    let half = "redis.call('decr', KEYS[1]) redis.call('incr', 'acc:' .. ARGV[1]) return 1";
    for shards in [2, 4] {
        let server = Server::start(shards);
        let mut c = server.client();
        (0..ACCOUNTS).for_each(|i| drop(c.say(&format!("SET acc:{i} 1000"))));
        std::thread::scope(|scope| {
            for worker in 0..6usize {
                let mut c = server.client();
                scope.spawn(move || {
                    for i in 0..150usize {
                        let (a, b) = ((worker * 7 + i * 3) % ACCOUNTS, (worker + i * 5 + 1) % ACCOUNTS);
                        let (ka, kb) = (format!("acc:{a}"), format!("acc:{b}"));
                        let reply = match (worker + i) % 3 {
                            0 => eval(&mut c, named, &format!("{ka} {kb}"), ""),
                            1 => eval(&mut c, unnamed, "", &format!("{a} {b}")),
                            // Each of these is another script: every one strays for its first time.
                            _ => eval(&mut c, &format!("{half} -- {worker} {i}"), &ka, &b.to_string()),
                        };
                        assert!(reply == ":1" || reply == ":0", "{reply}");
                    }
                });
            }
            let mut watcher = server.client();
            scope.spawn(move || {
                let keys: Vec<String> = (0..ACCOUNTS).map(|i| format!("acc:{i}")).collect();
                let sum = "local sum = 0 for _, v in ipairs(redis.call('mget', unpack(KEYS))) do sum = sum + v end return sum";
                for _ in 0..100 {
                    assert_eq!(eval(&mut watcher, sum, &keys.join(" "), ""), ":8000");
                }
            });
        });
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_slow_script_makes_others_busy_and_can_be_killed() {
    for shards in [1, 2, 4] {
        let server = Server::with(shards, &["--busy-reply-threshold", "10"]);
        let mut others: Vec<Client> = (0..4).map(|_| server.client()).collect();
        assert_eq!(others[0].say("SCRIPT KILL"), "-NOTBUSY No scripts in execution right now.");
        let mut slow = server.client();
        slow.send(&crate::common::client::request(&["EVAL", "while true do end", "1", "k"]));
        for c in &mut others {
            until("everybody hears BUSY", || c.say("PING").to_string().starts_with("-BUSY"));
            assert_eq!(c.say("GET k"), "-BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");
            assert!(c.say("FUNCTION KILL").to_string().starts_with("-BUSY"));
        }
        assert_eq!(others[3].say("SCRIPT KILL"), "OK");
        assert_eq!(slow.reply(), "-ERR Script killed by user with SCRIPT KILL. script: on @user_script:1.");
        for c in &mut others {
            until("all is well", || c.say("PING") == "PONG");
            assert_eq!(c.say("SET k 1"), "OK");
        }
        slow.assert_in_step();
    }
}

#[test]
fn a_slow_script_that_has_written_cannot_be_killed() {
    for shards in [1, 2] {
        let server = Server::with(shards, &["--busy-reply-threshold", "10"]);
        let (mut slow, mut other) = (server.client(), server.client());
        let body = "redis.call('set', KEYS[1], 1) local t = redis.call('time') local begin = t[1] * 1000000 + t[2] while true do local n = 0 for i = 1, 200000 do n = n + i end t = redis.call('time') if t[1] * 1000000 + t[2] - begin > 700000 then break end end return redis.call('get', KEYS[1])";
        slow.send(&crate::common::client::request(&["EVAL", body, "1", "k"]));
        until("it is busy", || other.say("PING").to_string().starts_with("-BUSY"));
        assert!(other.say("SCRIPT KILL").to_string().starts_with("-UNKILLABLE"));
        assert_eq!(slow.reply(), "1");
        until("all is well", || other.say("PING") == "PONG");
        assert_eq!(other.say("GET k"), "1");
    }
}

#[test]
fn a_slow_script_of_one_shard_does_not_stop_the_others() {
    let server = Server::with(2, &["--busy-reply-threshold", "0"]);
    let mut clients: Vec<Client> = (0..4).map(|_| server.client()).collect();
    let mut slow = server.client();
    slow.send(&crate::common::client::request(&["EVAL", "local n = 0 for i = 1, 3e7 do n = n + 1 end return redis.call('incr', KEYS[1])", "1", "k"]));
    for c in &mut clients {
        assert_eq!(c.say("PING"), "PONG");
        assert_eq!(c.say("CLIENT LIST").to_string().lines().count(), 5);
    }
    assert_eq!(slow.reply(), ":1");
    for c in &mut clients {
        assert_eq!(c.say("GET k"), "1");
    }
}

#[test]
fn functions_are_known_on_all_cores() {
    with_shards(|server| {
        let mut clients: Vec<Client> = (0..6).map(|_| server.client()).collect();
        let code = "#!lua name=lib\nlocal function add(key, n) return redis.call('incrby', key, n) end\nserver.register_function('add', function(keys, args) return add(keys[1], tonumber(args[1])) end)\nserver.register_function{function_name='peek', callback=function(keys, args) return redis.call('get', 'n' .. string.len('xx')) end, flags={'no-writes'}, description='looks'}";
        assert_eq!(clients[0].call(&["FUNCTION", "LOAD", code]), "lib");
        assert_eq!(clients[1].call(&["FUNCTION", "LOAD", code]), "-ERR Library 'lib' already exists");
        assert_eq!(clients[1].call(&["FUNCTION", "LOAD", "REPLACE", code]), "lib");
        for (i, c) in clients.iter_mut().enumerate() {
            assert_eq!(c.say("FCALL add 1 n2 2"), format!(":{}", 2 * (i + 1)).as_str());
            assert_eq!(c.say("FCALL_RO peek 0"), (2 * (i + 1)).to_string().as_str());
            assert_eq!(c.say("FCALL_RO add 1 n2 2"), "-ERR Can not execute a script with write flag using *_ro command.");
            assert_eq!(c.say("FCALL nope 0"), "-ERR Function not found");
            assert_eq!(c.say("FCALL add x"), "-ERR Bad number of keys provided");
        }
        assert_eq!(clients[2].say("FUNCTION STATS"), "[running_script (nil) engines [LUA [libraries_count :1 functions_count :2]]]");
        assert!(clients[2].say("FUNCTION LIST").to_string().contains("looks"));
        assert_eq!(clients[3].say("FUNCTION DELETE lib"), "OK");
        for c in &mut clients {
            assert_eq!(c.say("FCALL add 1 n2 2"), "-ERR Function not found");
        }
        assert_eq!(clients[0].say("FUNCTION DELETE lib"), "-ERR Library not found");
        assert_eq!(clients[0].call(&["FUNCTION", "LOAD", "#!lua name=bad-name\n"]), "-ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long");
        assert_eq!(clients[0].call(&["FUNCTION", "LOAD", "#!lua name=x\nlocal x = string.len('a')"]), "-ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'string'");
        assert_eq!(clients[0].call(&["FUNCTION", "LOAD", "#!lua name=x\nwhile true do end"]), "-ERR Error registering functions: ERR FUNCTION LOAD timeout");
        assert_eq!(clients[0].call(&["FUNCTION", "LOAD", "#!lua name=x\nreturn 1"]), "-ERR No functions registered");
    });
}

#[test]
fn blocking_commands_do_not_block_in_scripts() {
    with_shards(|server| {
        let mut c = server.client();
        assert_eq!(eval(&mut c, "return redis.call('blpop', KEYS[1], 0)", "empty", ""), "(nil)");
        let mut waiter = server.client();
        waiter.send(&crate::common::client::words("BLPOP line 0"));
        until("it waits", || c.say("INFO clients").to_string().contains("blocked_clients:1"));
        assert_eq!(eval(&mut c, "redis.call('rpush', KEYS[1], 'a', 'b') redis.call('lpop', KEYS[1]) return redis.call('llen', KEYS[1])", "line", ""), ":1");
        assert_eq!(waiter.reply(), "[line b]");
    });
}

#[test]
fn libraries_travel_as_a_payload() {
    with_shards(|server| {
        let mut c = server.client();
        let code = "#!lua name=lib\nserver.register_function('f', function(keys, args) return 7 end)";
        let other = "#!lua name=other\nserver.register_function('g', function(keys, args) return 8 end)";
        c.call(&["FUNCTION", "LOAD", code]);
        let payload = c.say("FUNCTION DUMP").bytes().to_vec();
        let restore = |c: &mut Client, policy: &[&[u8]]| {
            let argv: Vec<&[u8]> = [&b"FUNCTION"[..], b"RESTORE", &payload].into_iter().chain(policy.iter().copied()).collect();
            c.call(&argv).to_string()
        };
        assert_eq!(restore(&mut c, &[]), "-ERR Library lib already exists");
        assert_eq!(restore(&mut c, &[b"REPLACE"]), "OK");
        assert_eq!(c.say("FUNCTION FLUSH"), "OK");
        assert_eq!(c.say("FCALL f 0"), "-ERR Function not found");
        c.call(&["FUNCTION", "LOAD", other]);
        assert_eq!(restore(&mut c, &[]), "OK");
        assert_eq!((c.say("FCALL f 0"), c.say("FCALL g 0")), (c.say("EVAL return(7) 0"), c.say("EVAL return(8) 0")));
        assert_eq!(restore(&mut c, &[b"FLUSH"]), "OK");
        assert_eq!(c.say("FCALL g 0"), "-ERR Function not found");
        assert_eq!(c.say("FUNCTION RESTORE nonsense"), "-ERR DUMP payload version or checksum are wrong");
        assert_eq!(restore(&mut c, &[b"NEVER"]), "-ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
    });
}

#[test]
fn a_script_may_what_its_user_may() {
    with_shards(|server| {
        let mut c = server.client();
        assert_eq!(c.say("ACL SETUSER bob on nopass +@all -incr ~mine:*"), "OK");
        assert_eq!(c.say("AUTH bob x"), "OK");
        assert_eq!(eval(&mut c, "return redis.call('set', KEYS[1], 1)", "mine:1", ""), "OK");
        assert!(eval(&mut c, "return redis.call('incr', KEYS[1])", "mine:1", "").starts_with("-ERR ACL failure in script: User bob has no permissions to run the 'incr' command"));
        assert!(eval(&mut c, "return redis.call('get', 'yours')", "", "").starts_with("-ERR ACL failure in script: No permissions to access a key"));
        assert_eq!(eval(&mut c, "return {tostring(redis.acl_check_cmd('get', 'mine:2')), tostring(redis.acl_check_cmd('get', 'yours'))}", "", ""), "[true false]");
    });
}

#[test]
fn lua_has_room_for_many_arguments_scripts_and_functions() {
    let server = Server::start(1);
    let mut c = server.client();
    // Functions stay in Lua: neither many of a library nor many libraries take the room of arguments.
    let library = |name: &str, count: usize| {
        format!("#!lua name={name}\nfor i = 1, {count} do server.register_function('{name}_' .. i, function() return i end) end")
    };
    assert_eq!(c.call(&["FUNCTION", "LOAD", &library("large", 9000)]), "large");
    for i in 0..1200 {
        assert_eq!(c.call(&["FUNCTION", "LOAD", &library(&format!("lib{i}"), 8)]), format!("lib{i}").as_str());
        assert_eq!(c.say(&format!("FCALL lib{i}_8 0")), ":8");
    }
    assert_eq!(c.say("FCALL large_9000 0"), ":9000");
    for i in 0..2500 {
        assert_eq!(eval(&mut c, &format!("return {i}"), "", ""), format!(":{i}"));
    }
    let many = "local t = {} for i = 1, 7900 do t[i] = i end return redis.call('rpush', KEYS[1], unpack(t))";
    assert_eq!(eval(&mut c, many, "list", ""), ":7900");
    let too_many = "local t = {} for i = 1, 7999 do t[i] = i end return redis.pcall('echo', unpack(t))";
    assert!(eval(&mut c, too_many, "", "").starts_with('-'));
    assert_eq!(eval(&mut c, "return #ARGV", "", &"x ".repeat(100_000)), ":100000");
    assert_eq!(eval(&mut c, "for i = 1, 100000 do redis.call('rpush', KEYS[1], i) end return #redis.call('lrange', KEYS[1], 0, -1)", "long", ""), ":100000");
}

#[test]
fn a_reply_that_nests_too_deep_says_so_where_it_ends() {
    let server = Server::start(1);
    let mut c = server.client();
    // So deep that a client could hardly read it, so it is told by its bytes.
    let tables = "local r = {} local t = r for i = 1, 100000 do t[1] = {} t = t[1] end return r";
    let maps = "local r = {} local t = r for i = 1, 100000 do t.map = {a = {}} t = t.map.a end return r";
    let sets = "local r = {} local t = r for i = 1, 100000 do local n = {} t.set = {[n] = true} t = n end return r";
    for body in [tables, maps, sets] {
        let text = eval(&mut c, body, "", "");
        assert!(text.contains("-ERR reached lua stack limit"), "{body}: {}", &text[..text.len().min(200)]);
        assert_eq!(c.say("PING"), "PONG");
    }
}

#[test]
fn scripts_call_what_is_not_for_them_only_where_that_is_allowed() {
    let server = Server::with(2, &["--enable-debug-command", "yes"]);
    let mut c = server.client();
    let body = "return redis.call('debug', 'protocol', 'integer')";
    let refused = "-ERR This Valkey command is not allowed from script";
    assert!(eval(&mut c, body, "", "").starts_with(refused));
    assert_eq!(c.say("DEBUG SET-DISABLE-DENY-SCRIPTS 1"), "OK");
    assert_eq!(eval(&mut c, body, "", ""), ":12345");
    assert_eq!(c.say("DEBUG SET-DISABLE-DENY-SCRIPTS 0"), "OK");
    assert!(eval(&mut c, body, "", "").starts_with(refused));
}

#[test]
fn big_numbers_and_shebangs_are_read_as_valkey_reads_them() {
    let server = Server::start(1);
    let mut c = server.client();
    assert_eq!(eval(&mut c, "return {big_number='12\\r\\n3'}", "", ""), "12  3");
    assert_eq!(c.call(&["FUNCTION", "LOAD", "#!lua name=\"quoted\"\nserver.register_function('q', function() return 1 end)"]), "quoted");
    assert_eq!(eval(&mut c, "#!lua 'flags=no-writes'\nreturn 3", "", ""), ":3");
}
