//! Users made, shown, changed and deleted; logging in.

use crate::wire::{Client, Server};
use crate::{on_shards, user};

const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.";
const BAR: &str = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";

#[test]
fn a_server_begins_with_the_default_user_alone() {
    on_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        c.expect("ACL WHOAMI", "$7\r\ndefault");
        c.expect("ACL USERS", "*1\r\n$7\r\ndefault");
        c.expect("ACL LIST", "*1\r\n$34\r\nuser default on nopass ~* &* +@all");
        c.expect(
            "ACL GETUSER default",
            "*14\r\n$5\r\nflags\r\n*2\r\n$2\r\non\r\n$6\r\nnopass\r\n$9\r\npasswords\r\n*0\r\n$8\r\ncommands\r\n$5\r\n+@all\r\n\
             $4\r\nkeys\r\n$2\r\n~*\r\n$8\r\nchannels\r\n$2\r\n&*\r\n$9\r\ndatabases\r\n$6\r\nalldbs\r\n$9\r\nselectors\r\n*0",
        );
        c.expect("ACL GETUSER nobody", "$-1");
    });
}

#[test]
fn a_user_logs_in_with_any_of_its_passwords() {
    on_shards(&[], |server| {
        let mut c = Client::to(server.addr());
        c.expect("ACL SETUSER bob >foo >bar +acl|whoami", "+OK");
        c.expect("AUTH bob foo", WRONG);
        c.expect("ACL SETUSER bob on", "+OK");
        c.expect("AUTH bob no", WRONG);
        c.expect("AUTH bob foo", "+OK");
        c.expect("ACL WHOAMI", "$3\r\nbob");
        c.expect("AUTH bob bar", "+OK");
        c.expect("PING", "-NOPERM User bob has no permissions to run the 'ping' command");
        assert!(c.ask("HELLO 3 AUTH default any").starts_with('%'));
        c.expect("ACL WHOAMI", "$7\r\ndefault");
        c.expect("ACL SETUSER bob <foo", "+OK");
        c.expect("AUTH bob foo", WRONG);
        c.expect("ACL SETUSER bob <foo", "-ERR Error in ACL SETUSER modifier '<foo': The password you are trying to remove from the user does not exist");
        c.expect(&format!("ACL SETUSER bob !{BAR} !zz"), "-ERR Error in ACL SETUSER modifier '!zz': The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters");
        c.expect("AUTH bob bar", "+OK");
    });
}

#[test]
fn a_change_counts_for_every_client_once_it_is_answered() {
    on_shards(&[], |server| {
        let mut admin = Client::to(server.addr());
        let mut clients: Vec<Client> = (0..8).map(|_| user(server, "bob", "+@all ~*")).collect();
        for round in 0..20 {
            admin.expect("ACL SETUSER bob -get", "+OK");
            for c in &mut clients {
                c.expect(&format!("GET k{round}"), "-NOPERM User bob has no permissions to run the 'get' command");
            }
            admin.expect("ACL SETUSER bob +get", "+OK");
            clients.iter_mut().for_each(|c| c.expect(&format!("GET k{round}"), "$-1"));
        }
    });
}

#[test]
fn clients_of_a_deleted_user_are_closed() {
    on_shards(&[], |server| {
        let mut clients: Vec<Client> = (0..6).map(|_| user(server, "bob", "+@all ~*")).collect();
        let mut other = user(server, "eve", "+@all ~*");
        let mut admin = Client::to(server.addr());
        admin.expect("ACL DELUSER default", "-ERR The 'default' user cannot be removed");
        admin.expect("ACL DELUSER bob default", "-ERR The 'default' user cannot be removed");
        admin.expect("ACL DELUSER bob nobody", ":1");
        clients.iter_mut().for_each(Client::expect_end);
        other.expect("PING", "+PONG");
        other.expect("ACL DELUSER eve", ":1");
        other.expect_end();
        admin.expect("ACL USERS", "*1\r\n$7\r\ndefault");
    });
}

#[test]
fn who_comes_while_the_default_user_is_off_must_log_in() {
    on_shards(&[], |server| {
        let mut admin = user(server, "admin", "+@all ~* &*");
        let mut old = Client::to(server.addr());
        old.expect("PING", "+PONG");
        admin.expect("ACL SETUSER default off", "+OK");
        let mut new = Client::to(server.addr());
        new.expect("PING", "-NOAUTH Authentication required.");
        new.expect("AUTH default x", WRONG);
        new.expect("AUTH admin x", "+OK");
        old.expect("PING", "+PONG");
        old.expect("RESET", "+RESET");
        old.expect("PING", "-NOAUTH Authentication required.");
        admin.expect("ACL SETUSER default on", "+OK");
        Client::to(server.addr()).expect("PING", "+PONG");
    });
}

#[test]
fn requirepass_is_the_default_users_password() {
    on_shards(&["--requirepass", "bar"], |server| {
        let mut c = Client::to(server.addr());
        c.expect("AUTH bar", "+OK");
        let list = c.ask("ACL LIST");
        assert!(list.contains(&format!("user default on #{BAR} ~* &* +@all")), "{list}");
        c.expect("CONFIG SET requirepass \"\"", "+OK");
        let list = c.ask("ACL LIST");
        assert!(list.contains("user default on nopass ~* &* +@all"), "{list}");
        c.expect("ACL SETUSER default >bar", "+OK");
        Client::to(server.addr()).expect("PING", "-NOAUTH Authentication required.");
    });
}

#[test]
fn bad_rules_change_nothing_and_say_why() {
    let server = Server::start(2);
    let mut c = Client::to(server.addr());
    c.expect("ACL SETUSER bob on", "+OK");
    for (rule, why) in [
        ("+nosuch", "Unknown command or category name in ACL"),
        ("+@nosuch", "Unknown command or category name in ACL"),
        ("+config|get|x", "Allowing first-arg of a subcommand is not supported"),
        ("nonsense", "Syntax error"),
        ("%X~a", "Syntax error"),
        ("db=1,", "Syntax error"),
        ("db=99999999999", "The provided database ID is out of range"),
        ("(on)", "Syntax error"),
        ("#00", "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"),
    ] {
        c.expect(&format!("ACL SETUSER bob off {rule}"), &format!("-ERR Error in ACL SETUSER modifier '{rule}': {why}"));
    }
    c.expect("ACL SETUSER bob (~a +get", "-ERR Unmatched parenthesis in acl selector starting at '(~a'.");
    c.send_raw(b"*3\r\n$3\r\nACL\r\n$7\r\nSETUSER\r\n$3\r\na b\r\n");
    assert_eq!(c.read(), "-ERR Usernames can't contain spaces or null characters\r\n");
    let list = c.ask("ACL LIST");
    assert!(list.contains("user bob on resetchannels -@all\r\n") && list.starts_with("*2\r\n"), "{list}");
}

#[test]
fn categories_and_generated_passwords_and_help() {
    let server = Server::start(1);
    let mut c = Client::to(server.addr());
    assert!(c.ask("ACL CAT").starts_with("*21\r\n$8\r\nkeyspace\r\n$4\r\nread\r\n"));
    let scripting = c.ask("ACL CAT TRANSACTION");
    for name in ["multi", "exec", "discard", "watch", "unwatch"] {
        assert!(scripting.contains(&format!("\r\n{name}\r\n")), "{scripting}");
    }
    c.expect("ACL CAT nosuch", "-ERR Unknown category 'nosuch'");
    assert_eq!(c.ask("ACL GENPASS").len(), "$64\r\n\r\n".len() + 64);
    assert!(c.ask("ACL GENPASS 5").starts_with("$2\r\n"));
    assert_ne!(c.ask("ACL GENPASS"), c.ask("ACL GENPASS"));
    let wrong = "-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096";
    for bits in ["0", "-1", "4097"] {
        c.expect(&format!("ACL GENPASS {bits}"), wrong);
    }
    c.expect("ACL GENPASS x", "-ERR value is not an integer or out of range");
    c.expect("ACL NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try ACL HELP.");
    assert!(c.ask("ACL HELP").contains("+GENPASS [<bits>]\r\n"));
}

#[test]
fn client_list_and_kill_know_users() {
    on_shards(&[], |server| {
        let mut bobs: Vec<Client> = (0..4).map(|_| user(server, "bob", "+@all ~*")).collect();
        let mut admin = Client::to(server.addr());
        let list = admin.ask("CLIENT LIST USER bob");
        assert_eq!(list.matches(" user=bob ").count(), 4, "{list}");
        admin.expect("CLIENT KILL USER bob", ":4");
        bobs.iter_mut().for_each(Client::expect_end);
    });
}
