//! HELLO, AUTH, RESET, QUIT.

use crate::wire::{Client, Server, on_one_and_four_shards, request};
use crate::value::Value;

const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.";
const NO_AUTH: &str = "-NOAUTH Authentication required.";

#[test]
fn hello_tells_what_the_server_is_in_the_protocol_it_was_asked_for() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        let id = c.id();
        let fields = |proto| {
            format!(
                "$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n9.1.2\r\n$5\r\nproto\r\n:{proto}\r\n$2\r\nid\r\n:{id}\r\n\
                 $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0"
            )
        };
        c.expect("HELLO", &format!("*14\r\n{}", fields(2)));
        c.expect("HELLO 3", &format!("%7\r\n{}", fields(3)));
        c.expect("HELLO", &format!("%7\r\n{}", fields(3)));
        c.expect("GET nothing", "_");
        c.expect("HELLO 2", &format!("*14\r\n{}", fields(2)));
        c.expect("GET nothing", "$-1");
    });
}

#[test]
fn hello_refuses_what_it_does_not_know_and_changes_nothing() {
    let server = Server::start(1);
    let mut c = Client::to(server.addr());
    c.expect("HELLO 1", "-NOPROTO unsupported protocol version");
    c.expect("HELLO 4", "-NOPROTO unsupported protocol version");
    c.expect("HELLO x", "-ERR Protocol version is not an integer or out of range");
    c.expect("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'");
    c.expect("HELLO 3 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'");
    c.expect("HELLO 3 SETNAME a\tb", "-ERR Client names cannot contain spaces, newlines or special characters.");
    c.expect("HELLO 3 SETNAME ok AUTH bob pw", WRONG);
    c.expect("CLIENT GETNAME", "$-1");
    assert!(c.ask("HELLO 3 SETNAME ok AUTH default anything").starts_with('%'));
    c.expect("CLIENT GETNAME", "$2\r\nok");
    assert!(c.ask("HELLO 3 SETNAME \"\"").starts_with('%'));
    c.expect("CLIENT GETNAME", "_");
}

#[test]
fn hello_names_redis_and_the_zone_where_the_configuration_says_so() {
    let server = Server::with(1, &["--extended-redis-compatibility", "yes", "--availability-zone", "north"]);
    let mut c = Client::to(server.addr());
    let hello = Value::parse(&c.ask("HELLO 3"));
    let field = |name| hello.field(name).unwrap().text();
    assert_eq!((field("server"), field("version"), field("availability_zone")), ("redis", "7.2.4", "north"));
}

#[test]
fn auth_takes_the_password_with_and_without_the_user() {
    on_one_and_four_shards(&["--requirepass", "foo"], |server| {
        let mut c = Client::to(server.addr());
        c.expect("GET a", NO_AUTH);
        c.expect("AUTH bar", WRONG);
        c.expect("AUTH bob foo", WRONG);
        c.expect("AUTH default bar", WRONG);
        c.expect("AUTH", "-ERR wrong number of arguments for 'auth' command");
        c.expect("AUTH a b c", "-ERR syntax error");
        c.expect("GET a", NO_AUTH);
        c.expect("AUTH foo", "+OK");
        c.expect("GET a", "$-1");
        c.expect("AUTH bar", WRONG);
        c.expect("GET a", "$-1");
        let mut d = Client::to(server.addr());
        d.expect("AUTH default foo", "+OK");
        d.expect("PING", "+PONG");
    });
}

#[test]
fn auth_without_a_password_set_says_so() {
    let server = Server::start(1);
    let mut c = Client::to(server.addr());
    c.expect(
        "AUTH foo",
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
    );
    c.expect("AUTH default anything", "+OK");
    c.expect("AUTH bob anything", WRONG);
}

#[test]
fn hello_authenticates_too() {
    let server = Server::with(1, &["--requirepass", "foo"]);
    let mut c = Client::to(server.addr());
    let not_yet = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time";
    c.expect("HELLO", not_yet);
    c.expect("HELLO 3", not_yet);
    c.expect("HELLO 3 AUTH default bar SETNAME x", WRONG);
    c.expect("PING", NO_AUTH);
    assert!(c.ask("HELLO 3 AUTH default foo SETNAME x").starts_with("%7"));
    c.expect("CLIENT GETNAME", "$1\r\nx");
}

#[test]
fn a_password_set_later_does_not_lock_out_who_is_in() {
    on_one_and_four_shards(&[], |server| {
        let mut old = Client::to(server.addr());
        old.expect("PING", "+PONG");
        old.expect("CONFIG SET requirepass foo", "+OK");
        let mut new = Client::to(server.addr());
        new.expect("PING", NO_AUTH);
        old.expect("PING", "+PONG");
        old.expect("CONFIG SET requirepass \"\"", "+OK");
        Client::to(server.addr()).expect("PING", "+PONG");
    });
}

#[test]
fn reset_makes_the_connection_as_new() {
    on_one_and_four_shards(&["--requirepass", "foo"], |server| {
        let mut c = Client::to(server.addr());
        c.expect("AUTH foo", "+OK");
        assert!(c.ask("HELLO 3 SETNAME me").starts_with('%'));
        c.expect("SELECT 5", "+OK");
        c.expect("CLIENT NO-EVICT ON", "+OK");
        c.expect("CLIENT NO-TOUCH ON", "+OK");
        c.expect("CLIENT SETINFO LIB-NAME lib", "+OK");
        c.expect("WATCH k", "+OK");
        c.expect("MULTI", "+OK");
        c.expect("SET k v", "+QUEUED");
        c.expect("RESET", "+RESET");
        c.expect("EXEC", "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.");
        c.expect("AUTH foo", "+OK");
        c.expect("EXEC", "-ERR EXEC without MULTI");
        c.expect("CLIENT GETNAME", "$-1");
        let info = c.ask("CLIENT INFO");
        for field in [" db=0 ", " flags=N ", " watch=0 ", " resp=2 ", " lib-name=lib "] {
            assert!(info.contains(field), "{field} in {info}");
        }
    });
}

#[test]
fn quit_answers_what_came_before_it_and_nothing_after() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        let calls = ["SET a 1", "GET a", "MULTI", "GET a", "QUIT", "GET a"];
        c.send_raw(&calls.iter().flat_map(|call| request(call)).collect::<Vec<_>>());
        for reply in ["+OK", "$1\r\n1", "+OK", "+QUEUED", "+OK"] {
            assert_eq!(c.read(), format!("{reply}\r\n"));
        }
        c.expect_end();
    });
}

#[test]
fn a_connection_that_is_not_authenticated_may_send_little() {
    let server = Server::with(1, &["--requirepass", "foo"]);
    let mut c = Client::to(server.addr());
    c.send_raw(b"*11\r\n");
    assert_eq!(c.read(), "-ERR Protocol error: unauthenticated multibulk length\r\n");
    c.expect_end();
    let mut c = Client::to(server.addr());
    c.send_raw(b"*2\r\n$4\r\nAUTH\r\n$100000\r\n");
    assert_eq!(c.read(), "-ERR Protocol error: unauthenticated bulk length\r\n");
    c.expect_end();
}

#[test]
fn passwords_stay_out_of_the_slow_log() {
    on_one_and_four_shards(&["--slowlog-log-slower-than", "0"], |server| {
        let mut c = Client::to(server.addr());
        c.expect("AUTH default sekret", "+OK");
        assert!(c.ask("HELLO 2 AUTH default sekret SETNAME x").starts_with('*'));
        c.expect("CONFIG SET requirepass sekret", "+OK");
        c.expect("MULTI", "+OK");
        c.expect("AUTH sekret", "+QUEUED");
        c.expect("EXEC", "*1\r\n+OK");
        let log = c.ask("SLOWLOG GET -1");
        assert!(!log.contains("sekret"), "{log}");
        assert_eq!(log.matches("(redacted)").count(), 2 + 2 + 1 + 1, "{log}");
    });
}
