//! CLIENT LIST, INFO and what clients say of themselves.

use crate::wire::{Client, on_one_and_four_shards};
use crate::value::Value;

/// The lines of CLIENT LIST with these words.
fn lines(c: &mut Client, words: &str) -> Vec<String> {
    let reply = Value::parse(&c.ask(&format!("CLIENT LIST{words}")));
    reply.text().lines().map(str::to_owned).collect()
}

/// The numbers of the clients listed.
fn ids(c: &mut Client, words: &str) -> Vec<u64> {
    let id = |line: &String| line.strip_prefix("id=").unwrap().split(' ').next().unwrap().parse().unwrap();
    lines(c, words).iter().map(id).collect()
}

fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let of_name = |part: &&'a str| part.split_once('=').is_some_and(|(n, _)| n == name);
    line.split(' ').find(of_name).and_then(|part| part.split_once('=')).unwrap_or_else(|| panic!("{name} in {line}")).1
}

const FIELDS: &str = "id addr laddr fd name age idle flags capa db sub psub ssub multi watch qbuf qbuf-free argv-mem \
multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver tot-net-in tot-net-out tot-cmds";

#[test]
fn a_line_has_valkeys_fields_in_their_order() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        let list = lines(&mut c, "");
        let info = Value::parse(&c.ask("CLIENT INFO")).text().to_owned();
        for line in [list[0].as_str(), info.trim_end_matches('\n')] {
            let names: Vec<&str> = line.split(' ').map(|part| part.split_once('=').unwrap().0).collect();
            assert_eq!(names.join(" "), FIELDS);
        }
        assert!(info.ends_with('\n'));
        c.send("HELLO 3");
        c.read();
        assert!(c.ask("CLIENT LIST").starts_with("="));
        let verbatim = c.ask("CLIENT INFO");
        assert!(verbatim.split_once("\r\n").unwrap().1.starts_with("txt:id="), "{verbatim}");
    });
}

#[test]
fn the_fields_are_true() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        let id = c.id();
        for call in ["SELECT 7", "CLIENT SETNAME bob", "CLIENT SETINFO lib-name lib", "CLIENT SETINFO LIB-VER 1.2",
            "CLIENT NO-EVICT on", "CLIENT NO-TOUCH on", "CLIENT CAPA redirect other", "WATCH a b"] {
            c.expect(call, "+OK");
        }
        c.expect("MULTI", "+OK");
        c.expect("SET key value", "+QUEUED");
        let mut other = Client::to(server.addr());
        let line = lines(&mut other, &format!(" ID {id}")).remove(0);
        let expected = [
            ("id", id.to_string()), ("addr", c.address()), ("name", "bob".into()), ("age", "0".into()),
            ("flags", "xeT".into()), ("capa", "r".into()), ("db", "7".into()), ("sub", "0".into()),
            ("multi", "1".into()), ("watch", "2".into()), ("qbuf", "0".into()), ("argv-mem", "0".into()),
            ("multi-mem", "11".into()), ("obl", "0".into()), ("oll", "0".into()), ("omem", "0".into()),
            ("events", "r".into()), ("cmd", "set".into()), ("user", "default".into()), ("redir", "-1".into()),
            ("resp", "2".into()), ("lib-name", "lib".into()), ("lib-ver", "1.2".into()), ("tot-cmds", "10".into()),
        ];
        for (name, value) in expected {
            // A second may have ended meanwhile.
            if name != "age" || field(&line, name) == "0" {
                assert_eq!(field(&line, name), value, "{name} in {line}");
            }
        }
        c.expect("EXEC", "*1\r\n+OK");
        let line = lines(&mut other, &format!(" ID {id}")).remove(0);
        assert_eq!((field(&line, "multi"), field(&line, "watch"), field(&line, "flags")), ("-1", "0", "eT"));
        c.expect("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: ");
        let line = lines(&mut other, &format!(" ID {id}")).remove(0);
        assert_eq!(field(&line, "cmd"), "NULL");
    });
}

#[test]
fn bytes_and_commands_are_counted() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        c.expect("PING", "+PONG");
        c.send("CLIENT INFO");
        let info = Value::parse(&c.read()).text().to_owned();
        let info = info.trim_end();
        // *1 $4 PING is 14 bytes, CLIENT INFO 26.
        assert_eq!((field(info, "tot-net-in"), field(info, "tot-net-out"), field(info, "tot-cmds")), ("40", "7", "1"));
        assert_eq!((field(info, "argv-mem"), field(info, "cmd")), ("10", "client|info"));
    });
}

#[test]
fn clients_of_all_cores_are_listed_in_the_order_they_came() {
    on_one_and_four_shards(&[], |server| {
        let mut clients: Vec<Client> = (0..9).map(|_| Client::to(server.addr())).collect();
        let mut expected: Vec<u64> = clients.iter_mut().map(Client::id).collect();
        expected.sort_unstable();
        assert_eq!(ids(&mut clients[4], ""), expected);
        let own = clients[4].id();
        let others: Vec<u64> = expected.iter().copied().filter(|id| *id != own).collect();
        assert_eq!(ids(&mut clients[4], " SKIPME yes"), others);
        assert_eq!(ids(&mut clients[4], " SKIPME no"), expected);
    });
}

#[test]
fn filters_choose_clients() {
    on_one_and_four_shards(&[], |server| {
        // One after the other: cores that welcome clients at the same time give numbers in any order.
        let next = || {
            let mut client = Client::to(server.addr());
            (client.id(), client)
        };
        let ((ia, mut a), (ib, mut b), (ic, mut c)) = (next(), next(), next());
        a.expect("CLIENT SETNAME alice", "+OK");
        a.expect("SELECT 2", "+OK");
        b.expect("CLIENT SETINFO LIB-NAME lib", "+OK");
        b.expect("CLIENT SETINFO LIB-VER 3", "+OK");
        b.expect("CLIENT CAPA REDIRECT", "+OK");
        b.expect("MULTI", "+OK");
        let (addr_a, addr_c) = (a.address(), c.address());
        let all = vec![ia, ib, ic];
        let cases = [
            (format!(" ID {ia} {ic}"), vec![ia, ic]),
            (format!(" NOT-ID {ia} {ic}"), vec![ib]),
            (" TYPE normal".into(), all.clone()),
            (" TYPE pubsub".into(), vec![]),
            (" TYPE replica".into(), vec![]),
            (" TYPE master".into(), vec![]),
            (" NOT-TYPE primary".into(), all.clone()),
            (" NOT-TYPE NORMAL".into(), vec![]),
            (" USER default".into(), all.clone()),
            (" NOT-USER default".into(), vec![]),
            (format!(" ADDR {addr_a}"), vec![ia]),
            (format!(" NOT-ADDR {addr_a}"), vec![ib, ic]),
            (format!(" LADDR {addr_a}"), vec![]),
            (format!(" NOT-LADDR {addr_a}"), all.clone()),
            (" IP 127.0.0.1".into(), all.clone()),
            (" IP 127.0.0".into(), vec![]),
            (" NOT-IP 127.0.0.1".into(), vec![]),
            (" NAME alice".into(), vec![ia]),
            (" NAME \"\"".into(), vec![]),
            (" NOT-NAME alice".into(), vec![ib, ic]),
            (" LIB-NAME lib".into(), vec![ib]),
            (" NOT-LIB-NAME lib".into(), vec![ia, ic]),
            (" LIB-VER 3".into(), vec![ib]),
            (" NOT-LIB-VER 3".into(), vec![ia, ic]),
            (" DB 2".into(), vec![ia]),
            (" NOT-DB 2".into(), vec![ib, ic]),
            (" FLAGS x".into(), vec![ib]),
            (" FLAGS N".into(), vec![ia, ic]),
            (" NOT-FLAGS N".into(), vec![ib]),
            (" FLAGS xe".into(), vec![]),
            (" CAPA r".into(), vec![ib]),
            (" NOT-CAPA r".into(), vec![ia, ic]),
            (" MAXAGE 1000".into(), vec![]),
            (" IDLE 1000".into(), vec![]),
            (format!(" name alice db 2 NOT-ADDR {addr_c} skipme yes"), vec![ia]),
        ];
        for (words, expected) in cases {
            assert_eq!(ids(&mut c, &words), expected, "{words}");
        }
    });
}

#[test]
fn wrong_filters_are_refused() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        for (words, reply) in [
            ("ID", "syntax error"),
            ("NOSUCH x", "syntax error"),
            ("ID x", "syntax error"),
            ("TYPE normal NAME", "syntax error"),
            ("SKIPME maybe", "syntax error"),
            ("NOT-SKIPME yes", "syntax error"),
            ("NOT-MAXAGE 1", "syntax error"),
            ("ID 0", "client-id should be greater than 0"),
            ("NOT-ID -1", "client-id should be greater than 0"),
            ("TYPE foo", "Unknown client type 'foo'"),
            ("NOT-TYPE foo", "Unknown client type 'foo'"),
            ("USER bob", "No such user 'bob'"),
            ("MAXAGE x", "maxage is not an integer or out of range"),
            ("MAXAGE 0", "maxage should be greater than 0"),
            ("IDLE x", "idle is not an integer or out of range"),
            ("IDLE -5", "idle should be greater than 0"),
            ("DB x", "DB is not an integer or out of range"),
            ("DB 16", "DB number should be between 0 and 15"),
            ("NOT-DB -1", "NOT-DB number should be between 0 and 15"),
            ("NOT-DB 99999999999", "NOT-DB is not an integer or out of range"),
            ("FLAGS z", "Unknown flags found in the provided filter: z"),
            ("NOT-FLAGS Nz", "Unknown flags found in the NOT-FLAGS filter: Nz"),
            ("CAPA x", "Unknown capa found in the provided filter: x"),
            ("NOT-CAPA x", "Unknown capa found in the NOT-CAPA filter: x"),
        ] {
            c.expect(&format!("CLIENT LIST {words}"), &format!("-ERR {reply}"));
            if words.contains(' ') {
                c.expect(&format!("CLIENT KILL {words}"), &format!("-ERR {reply}"));
            }
        }
    });
}

#[test]
fn names_that_would_break_a_line_are_refused() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        let name = "-ERR Client names cannot contain spaces, newlines or special characters.";
        c.expect("CLIENT SETNAME a\nb", name);
        c.expect("CLIENT SETNAME a\u{e9}", name);
        c.expect("CLIENT SETNAME bob", "+OK");
        c.expect("CLIENT GETNAME", "$3\r\nbob");
        c.expect("CLIENT SETNAME \"\"", "+OK");
        c.expect("CLIENT GETNAME", "$-1");
        c.expect("CLIENT SETINFO lib-name a\tb", "-ERR lib-name cannot contain spaces, newlines or special characters.");
        c.expect("CLIENT SETINFO Lib-Ver a\tb", "-ERR Lib-Ver cannot contain spaces, newlines or special characters.");
        c.expect("CLIENT SETINFO lib-foo x", "-ERR Unrecognized option 'lib-foo'");
        c.expect("CLIENT NO-EVICT maybe", "-ERR syntax error");
        c.expect("CLIENT NO-TOUCH maybe", "-ERR syntax error");
    });
}

#[test]
fn list_works_inside_a_transaction() {
    on_one_and_four_shards(&[], |server| {
        let mut clients: Vec<Client> = (0..4).map(|_| Client::to(server.addr())).collect();
        clients.iter_mut().for_each(|c| c.expect("PING", "+PONG"));
        let c = &mut clients[1];
        c.expect("MULTI", "+OK");
        for call in ["SET a 1", "CLIENT LIST", "GET a", "CLIENT ID"] {
            c.expect(call, "+QUEUED");
        }
        let reply = Value::parse(&c.ask("EXEC"));
        assert_eq!(reply.elements()[0].text(), "OK");
        assert_eq!(reply.elements()[1].text().lines().count(), 4);
        assert_eq!(reply.elements()[2].text(), "1");
    });
}

#[test]
fn help_names_every_subcommand() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        for command in ["CLIENT", "COMMAND"] {
            let help = c.ask(&format!("{command} HELP"));
            let names = Value::parse(&c.ask(&format!("COMMAND LIST FILTERBY PATTERN {command}|*")));
            for name in names.elements() {
                let name = name.text().split('|').nth(1).unwrap().to_uppercase();
                assert!(help.contains(&format!("+{name}")), "{command} {name}");
            }
        }
    });
}
