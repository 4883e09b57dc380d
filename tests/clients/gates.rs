//! The gates: two faults get the error Valkey gives.

use crate::wire::{Client, Server, on_one_and_four_shards};

#[test]
fn who_is_not_authenticated_learns_nothing_about_commands() {
    let server = Server::with(1, &["--requirepass", "foo"]);
    let mut c = Client::to(server.addr());
    for call in ["NOSUCH", "GET", "GET a", "CLIENT NOSUCH", "MULTI", "PING"] {
        c.expect(call, "-NOAUTH Authentication required.");
    }
    c.expect("EXEC", "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.");
    c.expect("AUTH", "-ERR wrong number of arguments for 'auth' command");
    c.expect("QUIT", "+OK");
}

#[test]
fn unknown_commands_and_wrong_counts_get_valkeys_texts() {
    let server = Server::start(1);
    let mut c = Client::to(server.addr());
    c.expect("NOSUCH a b", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ");
    c.expect("CLIENT", "-ERR wrong number of arguments for 'client' command");
    c.expect("CLIENT NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.");
    c.expect("CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command");
    c.expect("command nosuch", "-ERR unknown subcommand 'nosuch'. Try COMMAND HELP.");
    c.expect("PING a b", "-ERR wrong number of arguments for 'ping' command");
    let long = "x".repeat(300);
    c.expect(&long, &format!("-ERR unknown command '{}', with args beginning with: ", "x".repeat(128)));
}

#[test]
fn a_refused_exec_ends_its_transaction() {
    on_one_and_four_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        c.expect("MULTI", "+OK");
        c.expect("SET a 1", "+QUEUED");
        c.expect("EXEC x", "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command");
        c.expect("EXEC", "-ERR EXEC without MULTI");
        c.expect("GET a", "$-1");
    });
}

#[test]
fn a_refused_command_breaks_its_transaction() {
    let server = Server::start(1);
    let mut c = Client::to(server.addr());
    for call in ["NOSUCH", "GET", "MULTI", "WATCH a", "CLIENT REPLY OFF"] {
        c.expect("MULTI", "+OK");
        assert!(c.ask(call).starts_with("-ERR"), "{call}");
        c.expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
    }
    c.expect("MULTI", "+OK");
    c.expect("MULTI", "-ERR Command 'multi' not allowed inside a transaction");
    c.expect("client reply skip", "-ERR Command 'client|reply' not allowed inside a transaction");
}

#[test]
fn commands_can_be_renamed_and_taken_away() {
    let renamings = [("GET", "fetch-it"), ("CLIENT", "kunde"), ("SET", ""), ("FLUSHALL", "wipe")];
    let words: Vec<&str> = renamings.iter().flat_map(|(from, to)| ["--rename-command", from, to]).collect();
    let server = Server::with(1, &words);
    let mut c = Client::to(server.addr());
    c.expect("GET a", "-ERR unknown command 'GET', with args beginning with: 'a' ");
    c.expect("SET a 1", "-ERR unknown command 'SET', with args beginning with: 'a' '1' ");
    c.expect("APPEND a 1", ":1");
    c.expect("FETCH-IT a", "$1\r\n1");
    c.expect("FETCH-IT", "-ERR wrong number of arguments for 'get' command");
    c.expect("Kunde NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try KUNDE HELP.");
    c.expect("wipe", "+OK");
    assert!(c.ask("COMMAND INFO fetch-it").starts_with("*1\r\n*10\r\n$3\r\nget\r\n"));
    c.expect("COMMAND INFO set", "*1\r\n$-1");
    assert!(!c.ask("COMMAND LIST FILTERBY PATTERN set").contains("set"));
}

#[test]
fn renamings_that_cannot_be_stop_the_start() {
    for (words, why) in [
        (&["--rename-command", "NOSUCH", "x"][..], "No such command in rename-command"),
        (&["--rename-command", "GET", "set"], "Target command name already exists"),
        (&["--rename-command", "GET", "", "--rename-command", "get", "x"], "No such command in rename-command"),
    ] {
        let Err(said) = Server::try_with(words) else { panic!("it started with {words:?}") };
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn debug_is_for_whom_the_configuration_allows_it() {
    let refusal = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";
    for (action, allowed) in [("no", false), ("local", true), ("yes", true)] {
        let server = Server::with(1, &["--enable-debug-command", action]);
        let mut c = Client::to(server.addr());
        c.expect("DEBUG SLEEP 0", if allowed { "+OK" } else { refusal });
        c.expect("MULTI", "+OK");
        c.expect("DEBUG SLEEP 0", if allowed { "+QUEUED" } else { refusal });
    }
}
