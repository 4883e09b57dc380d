//! CONFIG: reading, changing what the running server does, refusing, writing the file.

use crate::common::server::eventually;
use crate::common::client::words;
use crate::common::{Client, Server};

#[test]
fn a_change_is_in_force_on_every_core_when_the_client_hears_ok() {
    let server = Server::start(4);
    let mut client = server.client();
    for i in 0..20 {
        client.say(&format!("SET key:{i} value"));
    }
    for (policy, answers) in [("allkeys-lfu", true), ("allkeys-lru", false)] {
        assert_eq!(client.say(&format!("CONFIG SET maxmemory-policy {policy}")), "OK");
        for i in 0..20 {
            assert_eq!(!client.say(&format!("OBJECT FREQ key:{i}")).is_error(), answers, "{policy}, key {i}");
        }
    }
}

#[test]
fn all_or_nothing() {
    let server = Server::start(2);
    let mut client = server.client();
    let error = client.say("CONFIG SET timeout 7 maxmemory x");
    assert!(error.is_error() && error.to_string().contains("'maxmemory'"), "{error}");
    assert_eq!(client.say("CONFIG GET timeout"), "[timeout 0]");
    assert_eq!(client.say("CONFIG SET timeout 7 hz 20"), "OK");
    assert_eq!(client.say("CONFIG GET timeout hz"), "[hz 20 timeout 7]");
    assert!(!client.say("HELLO 3").is_error());
    assert_eq!(client.say("CONFIG GET timeout"), "{timeout=7}");
}

#[test]
fn what_cannot_be_set_says_why() {
    let server = Server::start(1);
    let mut client = server.client();
    for (call, error) in [
        ("CONFIG SET timeout", "-ERR wrong number of arguments for 'config|set' command"),
        ("CONFIG SET timeout 1 hz", "-ERR syntax error"),
        ("CONFIG SET databases 3", "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config"),
        ("CONFIG SET dir /", "-ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config"),
        ("CONFIG NOPE", "-ERR unknown subcommand 'NOPE'. Try CONFIG HELP."),
        ("CONFIG REWRITE", "-ERR The server is running without a config file"),
    ] {
        assert_eq!(client.say(call), error, "{call}");
    }
    let error = client.say("CONFIG SET maxclients 4000000000").to_string();
    assert!(error.contains("The operating system is not able to handle the specified number of clients, try with"), "{error}");
    assert_eq!(client.say("CONFIG GET maxclients"), "[maxclients 10000]");
}

#[test]
fn another_port_is_listened_on_and_the_old_one_is_not() {
    for shards in [1, 4] {
        let mut server = Server::start(shards);
        let mut client = server.client();
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let taken = client.say(&format!("CONFIG SET port {port}"));
        assert_eq!(
            taken,
            "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
        );
        assert_eq!(server.client().say("PING"), "PONG");
        drop(other);
        assert_eq!(client.say(&format!("CONFIG SET port {port}")), "OK");
        assert_eq!(Client::connect(("127.0.0.1", port)).say("SET a 1"), "OK");
        eventually("the old port is closed", || Client::try_connect(server.addr()).is_err());
        assert_eq!(client.say("GET a"), "1");
        let info = client.say("INFO server").to_string();
        assert!(info.contains(&format!("tcp_port:{port}\r\n")), "{info}");
        server.port = port;
        server.assert_well();
    }
}

#[test]
fn other_addresses_on_the_same_port_are_listened_on() {
    let server = Server::start(2);
    let mut client = server.client();
    let port = server.port;
    let absent = client.call(&["CONFIG", "SET", "bind", "192.0.2.77"]);
    assert_eq!(
        absent,
        "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses."
    );
    assert_eq!(server.client().say("PING"), "PONG");
    assert_eq!(client.call(&["CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2"]), "OK");
    for host in ["127.0.0.1", "127.0.0.2"] {
        assert_eq!(Client::connect((host, port)).say("PING"), "PONG");
    }
}

#[test]
fn a_new_password_leaves_old_connections_in() {
    let server = Server::start(2);
    let mut client = server.client();
    assert_eq!(client.say("CONFIG SET requirepass secret"), "OK");
    assert_eq!(client.say("PING"), "PONG");
    let mut other = server.client();
    assert_eq!(other.say("PING"), "-NOAUTH Authentication required.");
    assert_eq!(other.say("AUTH secret"), "OK");
    assert_eq!(other.say("PING"), "PONG");
}

#[test]
fn an_idle_client_is_closed_after_its_timeout() {
    let server = Server::start(1);
    let mut idle = server.client();
    assert_eq!(idle.say("PING"), "PONG");
    assert_eq!(server.client().say("CONFIG SET timeout 1"), "OK");
    assert_eq!(idle.until_closed(), b"");
}

#[test]
fn the_log_level_changes_while_running() {
    let server = Server::with(1, &["--loglevel", "warning"]);
    let mut client = server.client();
    assert!(!server.log().contains("Ready to accept connections"));
    assert_eq!(client.say("CONFIG SET loglevel debug"), "OK");
    client.send(b"*x\r\n");
    client.until_closed();
    eventually("the protocol error is logged", || server.log().contains("Protocol error"));
}

#[test]
fn rewrite_keeps_what_was_set() {
    let dir = std::env::temp_dir().join(format!("ringkey-rewrite-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("r.conf");
    std::fs::write(&file, "# mine\ntimeout 3\n").unwrap();
    let server = Server::with(1, &[]);
    drop(server);
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_ringkey-server"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = std::process::Command::new(program)
        .arg(&file)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--shards", "1"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("it listens", || Client::try_connect(("127.0.0.1", port)).is_ok());
    let mut client = Client::connect(("127.0.0.1", port));
    assert_eq!(client.say("CONFIG SET maxmemory 1gb"), "OK");
    assert_eq!(client.say("CONFIG REWRITE"), "OK");
    client.send(&words("SHUTDOWN NOSAVE"));
    assert_eq!(client.until_closed(), b"");
    assert!(child.wait().unwrap().success());
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# mine\ntimeout 3\n") && text.contains("\nmaxmemory 1gb\n"), "{text}");
    std::fs::remove_dir_all(&dir).unwrap();
}
