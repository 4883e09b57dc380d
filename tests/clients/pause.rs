//! CLIENT PAUSE and UNPAUSE.

use crate::wire::{Client, on_one_and_four_shards, request};

#[test]
fn a_pause_of_writes_holds_writes_alone() {
    on_one_and_four_shards(&[], |server| {
        let (mut a, mut b) = (Client::to(server.addr()), Client::to(server.addr()));
        a.expect("SET k old", "+OK");
        a.expect("CLIENT PAUSE 100000 WRITE", "+OK");
        b.send("SET k new");
        b.send("GET k");
        a.expect("GET k", "$3\r\nold");
        let list = a.ask("CLIENT LIST");
        assert!(list.contains("flags=b"), "{list}");
        a.expect("CLIENT UNPAUSE", "+OK");
        assert_eq!((b.read(), b.read()), ("+OK\r\n".to_owned(), "$3\r\nnew\r\n".to_owned()));
        assert!(!a.ask("CLIENT LIST").contains("flags=b"));
    });
}

#[test]
fn held_commands_run_in_their_order_when_the_time_is_over() {
    on_one_and_four_shards(&[], |server| {
        let (mut a, mut b) = (Client::to(server.addr()), Client::to(server.addr()));
        a.expect("CLIENT PAUSE 300", "+OK");
        // All are held, the one that asked too; what is wrong is answered at once.
        for i in 0..20 {
            b.send(&format!("RPUSHX-NO {i}"));
            assert!(b.read().starts_with("-ERR unknown command"));
        }
        for i in 0..20 {
            b.send(&format!("APPEND k {i},"));
        }
        a.send("CLIENT UNPAUSE");
        a.send("PING");
        let mut last = 0;
        for _ in 0..20 {
            let len: usize = b.read()[1..].trim_end().parse().unwrap();
            assert!(len > last);
            last = len;
        }
        assert_eq!((a.read(), a.read()), ("+OK\r\n".to_owned(), "+PONG\r\n".to_owned()));
        let all: String = (0..20).map(|i| format!("{i},")).collect();
        b.expect("GET k", &format!("${}\r\n{all}", all.len()));
    });
}

#[test]
fn an_exec_that_writes_is_held_and_one_that_reads_is_not() {
    on_one_and_four_shards(&[], |server| {
        let (mut a, mut w, mut r) = (Client::to(server.addr()), Client::to(server.addr()), Client::to(server.addr()));
        w.expect("MULTI", "+OK");
        w.expect("SET k 1", "+QUEUED");
        r.expect("MULTI", "+OK");
        r.expect("GET k", "+QUEUED");
        a.expect("CLIENT PAUSE 100000 WRITE", "+OK");
        w.send("EXEC");
        r.expect("EXEC", "*1\r\n$-1");
        a.expect("GET k", "$-1");
        a.expect("CLIENT UNPAUSE", "+OK");
        assert_eq!(w.read(), "*1\r\n+OK\r\n");
        a.expect("GET k", "$1\r\n1");
    });
}

#[test]
fn a_pause_of_writes_holds_scripts_unless_they_declare_to_write_nothing() {
    on_one_and_four_shards(&[], |server| {
        let (mut a, mut r, mut late) = (Client::to(server.addr()), Client::to(server.addr()), Client::to(server.addr()));
        let library = "#!lua name=l\nserver.register_function{function_name='reads',callback=function() return 4 end,flags={'no-writes'}}\nserver.register_function('writes',function() return 5 end)";
        a.send_raw(&parts(&["FUNCTION", "LOAD", library]));
        assert_eq!(a.read(), "$1\r\nl\r\n");
        a.send_raw(&parts(&["SCRIPT", "LOAD", "#!lua flags=no-writes\nreturn 3"]));
        let sha = a.read()[5..45].to_owned();
        late.expect("MULTI", "+OK");
        late.send_raw(&parts(&["EVAL", "return 6", "0"]));
        assert_eq!(late.read(), "+QUEUED\r\n");
        a.expect("CLIENT PAUSE 100000 WRITE", "+OK");
        let reads: [(&[&str], i32); 5] = [
            (&["EVAL", "#!lua flags=no-writes\nreturn 1", "0"], 1),
            (&["EVAL_RO", "return 2", "0"], 2),
            (&["EVALSHA", &sha, "0"], 3),
            (&["FCALL", "reads", "0"], 4),
            (&["FCALL_RO", "reads", "0"], 4),
        ];
        for (call, reply) in reads {
            r.send_raw(&parts(call));
            assert_eq!(r.read(), format!(":{reply}\r\n"), "{call:?}");
        }
        r.expect("MULTI", "+OK");
        r.send_raw(&parts(reads[0].0));
        assert_eq!(r.read(), "+QUEUED\r\n");
        r.expect("EXEC", "*1\r\n:1");
        late.send("EXEC");
        let writes: [&[&str]; 4] = [
            &["EVAL", "return 5", "0"],
            &["EVAL", "#!lua\nreturn 5", "0"],
            &["FCALL", "writes", "0"],
            &["PUBLISH", "c", "m"],
        ];
        let mut held: Vec<Client> = Vec::new();
        for call in writes {
            let mut c = Client::to(server.addr());
            c.send_raw(&parts(call));
            held.push(c);
        }
        while !a.ask("INFO clients").contains("blocked_clients:5\r\n") {
            std::thread::yield_now();
        }
        a.expect("CLIENT UNPAUSE", "+OK");
        assert_eq!(late.read(), "*1\r\n:6\r\n");
        for (c, reply) in held.iter_mut().zip([5, 5, 5, 0]) {
            assert_eq!(c.read(), format!(":{reply}\r\n"));
        }
    });
}

/// A request of arguments that hold spaces.
fn parts(args: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len());
    args.iter().for_each(|arg| bytes += &format!("${}\r\n{arg}\r\n", arg.len()));
    bytes.into_bytes()
}

#[test]
fn a_second_pause_is_never_weaker_than_the_first() {
    on_one_and_four_shards(&[], |server| {
        let (mut a, mut b) = (Client::to(server.addr()), Client::to(server.addr()));
        a.expect("CLIENT PAUSE 100000 WRITE", "+OK");
        a.expect("CLIENT PAUSE 1 WRITE", "+OK");
        b.send("SET k 1");
        a.expect("CLIENT PAUSE 0 WRITE", "+OK");
        a.expect("GET k", "$-1");
        a.expect("CLIENT UNPAUSE", "+OK");
        assert_eq!(b.read(), "+OK\r\n");
        // A pause of no time is none.
        a.expect("CLIENT PAUSE 0", "+OK");
        a.expect("PING", "+PONG");
    });
}

#[test]
fn wrong_timeouts_are_refused() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        c.expect("CLIENT PAUSE x", "-ERR timeout is not an integer or out of range");
        c.expect("CLIENT PAUSE 1.5", "-ERR timeout is not an integer or out of range");
        c.expect("CLIENT PAUSE -1", "-ERR timeout is negative");
        c.expect("CLIENT PAUSE 9223372036854775807", "-ERR timeout is out of range");
        c.expect("CLIENT PAUSE 1 SOME", "-ERR CLIENT PAUSE mode must be WRITE or ALL");
        c.expect("CLIENT PAUSE", "-ERR wrong number of arguments for 'client|pause' command");
        c.expect("CLIENT UNPAUSE", "+OK");
        c.expect("PING", "+PONG");
    });
}

/// Eight clients send pipelines of INCR and transactions while another one pauses, looks and ends pauses.
#[test]
fn pauses_amid_pipelines_lose_and_repeat_nothing() {
    const ROUNDS: usize = 40;
    const CALLS: usize = 50;
    on_one_and_four_shards(&[], |server| {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..8)
                .map(|worker| {
                    scope.spawn(move || {
                        let mut c = Client::to(server.addr());
                        for round in 0..ROUNDS {
                            let calls = (0..CALLS).flat_map(|i| request(&format!("INCR {worker}:{}", i % 5)));
                            let own = format!("INCR {worker}:own");
                            let exec = ["MULTI", "INCR all", &own, "EXEC"];
                            c.send_raw(&calls.chain(exec.iter().flat_map(|call| request(call))).collect::<Vec<_>>());
                            for i in 0..CALLS {
                                let expected = round * CALLS / 5 + i / 5 + 1;
                                assert_eq!(c.read(), format!(":{expected}\r\n"));
                            }
                            for reply in ["+OK", "+QUEUED", "+QUEUED"] {
                                assert_eq!(c.read(), format!("{reply}\r\n"));
                            }
                            assert!(c.read().ends_with(&format!(":{}\r\n", round + 1)));
                        }
                    })
                })
                .collect();
            let mut admin = Client::to(server.addr());
            while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                admin.expect("CLIENT PAUSE 100000 WRITE", "+OK");
                assert!(admin.ask("CLIENT LIST").contains("cmd="));
                admin.expect("CLIENT UNPAUSE", "+OK");
                admin.expect("CLIENT PAUSE 1 ALL", "+OK");
            }
        });
        Client::to(server.addr()).expect("GET all", &format!("$3\r\n{}", 8 * ROUNDS));
    });
}
