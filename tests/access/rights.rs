//! What a user may do: where checks happen, what a denial says and leaves behind.

use crate::wire::Client;
use crate::{on_shards, user};

const NO_KEY: &str = "-NOPERM No permissions to access a key";

#[test]
fn keys_are_checked_wherever_they_are() {
    on_shards(&[], |server| {
        let mut c = user(server, "bob", "+@all %R~r* %W~w* ~b*");
        for (call, reply) in [
            ("SET w1 1", "+OK"),
            ("GET w1", NO_KEY),
            ("GET r1", "$-1"),
            ("SET r1 1", NO_KEY),
            ("SET w1 1 GET", NO_KEY),
            ("MGET r1 r2 r3 b1 b2", "*5\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1"),
            ("MGET r1 r2 r3 x b2", NO_KEY),
            ("MSET w1 1 w2 2 w3 3", "+OK"),
            ("MSET w1 9 r2 9", NO_KEY),
            ("COPY r1 w9", ":0"),
            ("COPY w1 w9", NO_KEY),
            ("XREAD STREAMS r1 x 0 0", NO_KEY),
            ("XREAD STREAMS r1 r2 0 0", "*-1"),
            ("SUNIONSTORE w5 r1 r2", ":0"),
            ("SUNIONSTORE w5 r1 w2", NO_KEY),
            ("ZUNION 2 r1 x", NO_KEY),
            ("BLPOP b1 x 0", NO_KEY),
            ("EXISTS w1 r1", ":1"),
            ("DEL w1 w2 w3", ":3"),
        ] {
            c.expect(call, reply);
        }
        let mut admin = Client::to(server.addr());
        admin.expect("DBSIZE", ":0");
    });
}

#[test]
fn commands_subcommands_and_first_arguments() {
    on_shards(&[], |server| {
        let mut c = user(server, "bob", "+get +config|get +select|0 -@dangerous ~*");
        c.expect("GET a", "$-1");
        c.expect("SELECT 0", "+OK");
        c.expect("SELECT 1", "-NOPERM User bob has no permissions to run the 'select' command");
        c.expect("CONFIG GET hz", "-NOPERM User bob has no permissions to run the 'config|get' command");
        let mut admin = Client::to(server.addr());
        admin.expect("ACL SETUSER bob +config|get", "+OK");
        assert!(c.ask("CONFIG GET hz").starts_with("*2\r\n"));
        c.expect("CONFIG SET hz 10", "-NOPERM User bob has no permissions to run the 'config|set' command");
        c.expect("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: ");
    });
}

#[test]
fn selectors_do_not_add_up_within_a_call() {
    on_shards(&[], |server| {
        let mut c = user(server, "bob", "+get ~a (+set ~b) (%R~c +mget)");
        c.expect("GET a", "$-1");
        c.expect("SET b 1", "+OK");
        c.expect("GET b", NO_KEY);
        c.expect("MGET c c", "*2\r\n$-1\r\n$-1");
        c.expect("MGET a c", NO_KEY);
        c.expect("DEL a", "-NOPERM User bob has no permissions to run the 'del' command");
    });
}

#[test]
fn databases_are_rights_too() {
    on_shards(&[], |server| {
        let mut c = user(server, "bob", "+@all ~* db=0,2");
        let denied = "-NOPERM No permissions to access database";
        c.expect("SET a 1", "+OK");
        c.expect("SELECT 1", denied);
        c.expect("SELECT 2", "+OK");
        c.expect("SELECT 0", "+OK");
        c.expect("MOVE a 1", denied);
        c.expect("COPY a b DB 2 DB 1", denied);
        c.expect("COPY a b DB 2", ":1");
        c.expect("FLUSHALL", denied);
        c.expect("SWAPDB 0 1", denied);
        c.expect("SWAPDB 0 2", "+OK");
        c.expect("MULTI", "+OK");
        c.expect("SELECT 2", "+QUEUED");
        c.expect("GET a", "+QUEUED");
        c.expect("EXEC", "*2\r\n+OK\r\n$1\r\n1");
        let mut admin = Client::to(server.addr());
        let info = admin.ask("INFO stats");
        assert!(info.contains("acl_access_denied_db:5\r\n"), "{info}");

    });
}

#[test]
fn transactions_are_checked_when_queued_and_when_run() {
    on_shards(&[], |server| {
        let mut admin = Client::to(server.addr());
        let mut c = user(server, "bob", "+@all ~a* ~b*");
        c.expect("MULTI", "+OK");
        c.expect("SET a 1", "+QUEUED");
        c.expect("SET x 1", NO_KEY);
        c.expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
        c.expect("MULTI", "+OK");
        c.expect("SET a1 1", "+QUEUED");
        c.expect("SET b1 2", "+QUEUED");
        c.expect("PING", "+QUEUED");
        c.expect("INCR a1", "+QUEUED");
        admin.expect("ACL SETUSER bob resetkeys ~a* -ping", "+OK");
        let changed = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission";
        c.expect("EXEC", &format!("*4\r\n+OK\r\n{changed} to touch the specified keys\r\n{changed} to execute the command or subcommand\r\n:2"));
        admin.expect("EXISTS b1", ":0");
        c.expect("MULTI", "+OK");
        c.expect("GET a1", "+QUEUED");
        admin.expect("ACL SETUSER bob -exec", "+OK");
        c.expect("EXEC", "-EXECABORT Transaction discarded because of: NOPERM User bob has no permissions to run the 'exec' command");
        let log = admin.ask("ACL LOG 1");
        assert!(log.contains("$7\r\ncontext\r\n$5\r\nmulti\r\n"), "{log}");
    });
}

#[test]
fn who_waits_for_a_key_it_may_not_have_any_more_is_told() {
    on_shards(&[], |server| {
        let mut admin = Client::to(server.addr());
        // One key, then keys of several shards.
        for (call, keys) in [("BLPOP k1 0", 1), ("BLPOP k1 k2 k3 k4 k5 k6 k7 0", 7)] {
            let mut waiting = user(server, "bob", "+@all ~k*");
            let mut spared = user(server, "eve", "+@all ~k*");
            waiting.send(call);
            spared.send(call);
            crate::wait_for(|| admin.ask("INFO clients").contains("blocked_clients:2\r\n"));
            admin.expect("ACL SETUSER bob resetkeys", "+OK");
            assert_eq!(waiting.read(), format!("{NO_KEY}\r\n"), "{keys} keys");
            waiting.expect("PING", "+PONG");
            admin.expect("RPUSH k1 v", ":1");
            assert_eq!(spared.read(), "*2\r\n$2\r\nk1\r\n$1\r\nv\r\n");
        }
        let info = admin.ask("INFO commandstats");
        assert!(info.lines().any(|line| line.starts_with("cmdstat_blpop:calls=2,") && line.contains("rejected_calls=2")), "{info}");
    });
}

#[test]
fn the_log_tells_who_was_denied_what() {
    on_shards(&[], |server| {
        let mut admin = Client::to(server.addr());
        let mut c = user(server, "bob", "+get ~a");
        c.expect("GET b", NO_KEY);
        c.expect("GET b", NO_KEY);
        c.expect("SET a 1", "-NOPERM User bob has no permissions to run the 'set' command");
        assert!(c.ask("AUTH eve nope").starts_with("-WRONGPASS"));
        let log = admin.ask("ACL LOG");
        assert!(log.starts_with("*3\r\n*20\r\n$5\r\ncount\r\n:1\r\n$6\r\nreason\r\n$4\r\nauth\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n$6\r\nobject\r\n$4\r\nAUTH\r\n$8\r\nusername\r\n$3\r\neve\r\n$11\r\nage-seconds\r\n"), "{log}");
        assert!(log.contains("count\r\n:2\r\n$6\r\nreason\r\n$3\r\nkey\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n$6\r\nobject\r\n$1\r\nb\r\n$8\r\nusername\r\n$3\r\nbob\r\n"), "{log}");
        assert!(log.contains(" cmd=get user=bob "), "{log}");
        for field in ["$8\r\nentry-id\r\n:2\r\n", "$8\r\nentry-id\r\n:0\r\n", "$17\r\ntimestamp-created\r\n:", "$22\r\ntimestamp-last-updated\r\n:"] {
            assert!(log.contains(field), "{field} in {log}");
        }
        assert!(admin.ask("ACL LOG 1").starts_with("*1\r\n"));
        admin.expect("ACL LOG -1", "*0");
        admin.expect("CONFIG SET acllog-max-len 1", "+OK");
        c.expect("GET c", NO_KEY);
        assert!(admin.ask("ACL LOG").starts_with("*1\r\n"));
        admin.expect("ACL LOG RESET", "+OK");
        admin.expect("ACL LOG", "*0");
        let info = admin.ask("INFO stats");
        for line in ["acl_access_denied_auth:1", "acl_access_denied_cmd:1", "acl_access_denied_key:3", "acl_access_denied_channel:0"] {
            assert!(info.contains(&format!("{line}\r\n")), "{line} in {info}");
        }
    });
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    on_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        c.expect("ACL SETUSER bob +@all -del ~a db=0,1", "+OK");
        for (call, reply) in [
            ("bob set a 1", "+OK"),
            ("bob set b 1", "$57\r\nUser bob has no permissions to access the 'b' key"),
            ("bob del a", "$51\r\nUser bob has no permissions to run the 'del' command"),
            ("bob select 3", "$52\r\nUser bob has no permissions to access database 3"),
            ("nobody get a", "-ERR User 'nobody' not found"),
            ("bob nosuch", "-ERR Command 'nosuch' not found"),
            ("bob get", "-ERR wrong number of arguments for 'get' command"),
        ] {
            let reply = match reply.split_once("\r\n") {
                Some((_, text)) => format!("${}\r\n{text}", text.len()),
                None => reply.to_owned(),
            };
            c.expect(&format!("ACL DRYRUN {call}"), &reply);
        }
        c.expect("EXISTS a", ":0");
    });
}

#[test]
fn a_renamed_command_keeps_its_rights_under_its_own_name() {
    on_shards(&["--rename-command", "GET", "read", "--rename-command", "FLUSHALL", ""], |server| {
        let mut c = user(server, "bob", "+get -flushall ~*");
        c.expect("read a", "$-1");
        c.expect("GET a", "-ERR unknown command 'GET', with args beginning with: 'a' ");
        c.expect("ACL WHOAMI", "-NOPERM User bob has no permissions to run the 'acl|whoami' command");
        let mut admin = Client::to(server.addr());
        admin.expect("ACL SETUSER bob +read", "-ERR Error in ACL SETUSER modifier '+read': Unknown command or category name in ACL");
        admin.expect("ACL DRYRUN bob read a", "+OK");
    });
}

#[test]
fn channels_are_checked_and_those_lost_close_their_listeners() {
    on_shards(&[], |server| {
        let mut admin = Client::to(server.addr());
        let denied = "-NOPERM No permissions to access a channel";
        let mut c = user(server, "bob", "+@all resetchannels &a:* &p* ~*");
        for (call, reply) in [
            ("PUBLISH a:1 x", ":0"),
            ("PUBLISH b x", denied),
            ("SPUBLISH b x", denied),
            ("SUBSCRIBE a:1 b", denied),
            ("SSUBSCRIBE b", denied),
            ("PSUBSCRIBE a:1", denied),
            ("PSUBSCRIBE p1*", denied),
            ("SUBSCRIBE a:1", "*3\r\n$9\r\nsubscribe\r\n$3\r\na:1\r\n:1"),
            ("PSUBSCRIBE p*", "*3\r\n$10\r\npsubscribe\r\n$2\r\np*\r\n:2"),
            ("UNSUBSCRIBE b", "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:2"),
        ] {
            c.expect(call, reply);
        }
        let mut idle = Client::to(server.addr());
        idle.expect("AUTH bob x", "+OK");
        admin.expect("ACL SETUSER bob &more", "+OK");
        c.expect("PING", "*2\r\n$4\r\npong\r\n$0\r\n");
        admin.expect("ACL SETUSER bob resetchannels &a:* &p", "+OK");
        c.expect_end();
        idle.expect("PUBLISH a:2 x", ":0");
        let info = admin.ask("INFO stats");
        assert!(info.contains("acl_access_denied_channel:6\r\n"), "{info}");
    });
}

#[test]
fn scripts_may_what_their_user_may() {
    on_shards(&[], |server| {
        let mut admin = Client::to(server.addr());
        let mut c = user(server, "bob", "+@all -incr ~a* %R~r*");
        let eval = |c: &mut Client, script: &str, keys: &[&str]| {
            let mut argv = vec!["EVAL".to_owned(), script.to_owned(), keys.len().to_string()];
            argv.extend(keys.iter().map(|key| (*key).to_owned()));
            c.send_raw(&crate::common::request(&argv));
            c.read()
        };
        assert_eq!(eval(&mut c, "return redis.call('set', KEYS[1], 1)", &["a1"]), "+OK\r\n");
        assert_eq!(eval(&mut c, "return redis.call('get', 'r1')", &[]), "$-1\r\n");
        // A key it declares is checked before the script runs, one it does not when it is touched.
        assert!(eval(&mut c, "return 1", &["x"]).starts_with("-NOPERM No permissions to access a key"));
        let touched = eval(&mut c, "return redis.call('get', 'x')", &[]);
        assert!(touched.contains("ACL failure in script: No permissions to access a key"), "{touched}");
        let denied = eval(&mut c, "return redis.call('incr', KEYS[1])", &["a1"]);
        assert!(denied.contains("ACL failure in script: User bob has no permissions to run the 'incr' command"), "{denied}");
        let asked = "return {redis.acl_check_cmd('set','a','1'), redis.acl_check_cmd('set','r','1'), redis.acl_check_cmd('incr','a')}";
        assert_eq!(eval(&mut c, asked, &[]), "*3\r\n:1\r\n$-1\r\n$-1\r\n");
        let log = admin.ask("ACL LOG 1");
        for part in ["$3\r\nlua\r\n", "$4\r\nincr\r\n", " cmd=eval user=bob "] {
            assert!(log.contains(part), "{part} in {log}");
        }
        admin.expect("GET a1", "$1\r\n1");
    });
}

#[test]
fn sort_makes_up_keys_only_for_who_may_read_all() {
    on_shards(&[], |server| {
        let mut admin = Client::to(server.addr());
        admin.expect("RPUSH ids 1", ":1");
        admin.expect("SET secret1 s", "+OK");
        let mut c = user(server, "bob", "+@all ~ids ~out");
        let (by, get) = ("-ERR BY option of SORT denied due to insufficient ACL permissions.", "-ERR GET option of SORT denied due to insufficient ACL permissions.");
        c.expect("SORT ids GET secret*", get);
        c.expect("SORT ids BY secret* GET #", by);
        c.expect("SORT_RO ids GET #", get);
        c.expect("SORT ids BY nosort", "*1\r\n$1\r\n1");
        c.expect("SORT ids STORE secret1", "-NOPERM No permissions to access a key");
        c.expect("SORT ids STORE out", ":1");
        c.expect("MULTI", "+OK");
        c.expect("SORT ids GET secret*", "+QUEUED");
        c.expect("SORT ids", "+QUEUED");
        c.expect("EXEC", &format!("*2\r\n{get}\r\n*1\r\n$1\r\n1"));
        admin.expect("ACL SETUSER bob %R~*", "+OK");
        c.expect("SORT ids GET secret*", "*1\r\n$1\r\ns");
        c.expect("GEOADD secret1 1 1 x", "-NOPERM No permissions to access a key");
        c.expect("GEORADIUS ids 0 0 1 km STORE secret1", "-NOPERM No permissions to access a key");
    });
}
