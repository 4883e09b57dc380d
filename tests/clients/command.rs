//! COMMAND and its subcommands.

use crate::wire::{Client, Server, on_one_and_four_shards};
use crate::value::Value;

#[test]
fn info_describes_a_command_in_both_protocols() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        let spec = "$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n\
            $9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0";
        let get = format!("*1\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n{spec}\r\n*0");
        c.expect("COMMAND INFO GeT", &get);
        c.expect("COMMAND INFO nosuch", "*1\r\n$-1");
        c.ask("HELLO 3");
        let get = get.replace("*2\r\n+r", "~2\r\n+r").replace("*3\r\n+@", "~3\r\n+@").replace("*0\r\n*1\r\n*6", "~0\r\n~1\r\n%3");
        let get = get.replace("*2\r\n+RO", "~2\r\n+RO").replace("*4\r\n$4\r\ntype", "%2\r\n$4\r\ntype");
        let get = get.replace("*2\r\n$5\r\nindex", "%1\r\n$5\r\nindex").replace("*6\r\n$7", "%3\r\n$7");
        c.expect("COMMAND INFO get", &get);
        c.expect("COMMAND INFO nosuch", "*1\r\n_");
    });
}

#[test]
fn every_way_to_list_commands_agrees() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        c.ask("HELLO 3");
        let all = Value::parse(&c.ask("COMMAND"));
        let count = all.elements().len();
        c.expect("COMMAND COUNT", &format!(":{count}"));
        assert_eq!(Value::parse(&c.ask("COMMAND INFO")), all);
        let Value::Map(docs) = Value::parse(&c.ask("COMMAND DOCS")) else { panic!("a map") };
        assert_eq!(docs.len(), count);
        let subcommands: usize = all.elements().iter().map(|info| info.elements()[9].elements().len()).sum();
        assert_eq!(Value::parse(&c.ask("COMMAND LIST")).elements().len(), count + subcommands);
    });
}

#[test]
fn lists_can_be_filtered() {
    let server = Server::start(1);
    let mut c = Client::to(server.addr());
    let mut names = |words: &str| -> Vec<String> {
        let reply = Value::parse(&c.ask(&format!("COMMAND LIST {words}")));
        reply.elements().iter().map(|name| name.text().to_owned()).collect()
    };
    assert_eq!(names("FILTERBY PATTERN gETR*"), ["getrange"]);
    assert_eq!(names("filterby pattern client|getn*"), ["client|getname"]);
    assert!(names("FILTERBY ACLCAT Transaction").contains(&"exec".to_owned()));
    assert_eq!(names("FILTERBY ACLCAT nosuch"), [""; 0]);
    assert_eq!(names("FILTERBY MODULE any"), [""; 0]);
    c.expect("COMMAND LIST FILTERBY", "-ERR syntax error");
    c.expect("COMMAND LIST FILTERBY NAME x", "-ERR syntax error");
    c.expect("COMMAND LIST FILTERBY PATTERN x y", "-ERR syntax error");
}

#[test]
fn docs_pass_over_what_they_do_not_know() {
    let server = Server::start(1);
    let mut c = Client::to(server.addr());
    c.expect("COMMAND DOCS nosuch", "*0");
    assert!(c.ask("COMMAND DOCS nosuch get client|id").starts_with("*4\r\n$3\r\nget\r\n"));
    c.ask("HELLO 3");
    c.expect("COMMAND DOCS nosuch", "%0");
    let docs = Value::parse(&c.ask("COMMAND DOCS client"));
    let docs = docs.field("client").unwrap();
    assert_eq!(docs.field("group").unwrap().text(), "connection");
    assert!(docs.field("subcommands").unwrap().field("client|id").is_some());
}

#[test]
fn the_keys_of_a_call_are_found() {
    let server = Server::start(1);
    let mut c = Client::to(server.addr());
    c.expect("COMMAND GETKEYS GET a", "*1\r\n$1\r\na");
    c.expect("COMMAND GETKEYS MSET a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb");
    c.expect("COMMAND GETKEYS SET a 1 GET", "*1\r\n$1\r\na");
    c.expect("COMMAND GETKEYS WATCH a b", "*2\r\n$1\r\na\r\n$1\r\nb");
    c.expect("COMMAND GETKEYS OBJECT ENCODING a", "*1\r\n$1\r\na");
    c.expect("COMMAND GETKEYS COPY a b DB 2", "*2\r\n$1\r\na\r\n$1\r\nb");
    c.expect("COMMAND GETKEYS nosuch a", "-ERR Invalid command specified");
    c.expect("COMMAND GETKEYS PING", "-ERR The command has no key arguments");
    c.expect("COMMAND GETKEYS GET", "-ERR Invalid number of arguments specified for command");
    c.expect("COMMAND GETKEYS GET a b", "-ERR Invalid number of arguments specified for command");
    c.expect("COMMAND GETKEYS", "-ERR wrong number of arguments for 'command|getkeys' command");
}

#[test]
fn what_happens_to_keys_is_told_with_them() {
    let server = Server::start(1);
    let mut c = Client::to(server.addr());
    c.expect("COMMAND GETKEYSANDFLAGS GET a", "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access");
    c.expect("COMMAND GETKEYSANDFLAGS SET a 1", "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+OW\r\n+update");
    c.expect("COMMAND GETKEYSANDFLAGS SET a 1 GET", "*1\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+update");
    c.expect(
        "COMMAND GETKEYSANDFLAGS RENAME a b",
        "*2\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+delete\r\n*2\r\n$1\r\nb\r\n*2\r\n+OW\r\n+update",
    );
    c.ask("HELLO 3");
    c.expect("COMMAND GETKEYSANDFLAGS GET a", "*1\r\n*2\r\n$1\r\na\r\n~2\r\n+RO\r\n+access");
}
