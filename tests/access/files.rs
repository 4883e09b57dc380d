//! Users in files: ACL LOAD and SAVE, `user` lines, CONFIG REWRITE.

use crate::wire::{Client, Server};
use crate::{on_shards, user};
use std::path::PathBuf;

/// A file of a test's own, gone when the test ends.
struct TextFile(PathBuf);

impl TextFile {
    fn new(name: &str, text: &str) -> TextFile {
        let path = std::env::temp_dir().join(format!("ringkey-access-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        TextFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for TextFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn users_are_loaded_and_saved() {
    let file = TextFile::new("users.acl", "user alice on nopass +@all ~*\nuser bob on nopass +@all ~k* &c*\n");
    for shards in [1, 4] {
        std::fs::write(&file.0, "user alice on nopass +@all ~*\nuser bob on nopass +@all ~k* &c*\n").unwrap();
        let server = Server::with(shards, &["--aclfile", file.path()]);
        let mut admin = Client::to(server.addr());
        let (mut alice, mut bob) = (Client::to(server.addr()), Client::to(server.addr()));
        alice.expect("AUTH alice x", "+OK");
        bob.expect("AUTH bob x", "+OK");
        admin.expect("ACL SETUSER eve on >pw +get ~a", "+OK");
        admin.expect("ACL SAVE", "+OK");
        let saved = file.text();
        assert!(saved.starts_with("user alice on nopass ~* resetchannels +@all\nuser bob on nopass ~k* resetchannels &c* +@all\nuser default on nopass ~* &* +@all\nuser eve on #"), "{saved}");
        std::fs::write(&file.0, "user bob on nopass -@all +ping\n").unwrap();
        admin.expect("ACL LOAD", "+OK");
        alice.expect_end();
        bob.expect("PING", "+PONG");
        bob.expect("GET k", "-NOPERM User bob has no permissions to run the 'get' command");
        admin.expect("ACL USERS", "*2\r\n$3\r\nbob\r\n$7\r\ndefault");
        std::fs::write(&file.0, "user bob on +nosuch\nwhat\n").unwrap();
        let path = file.path();
        admin.expect("ACL LOAD", &format!(
            "-ERR {path}:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. \
             {path}:2 should start with user keyword followed by the username. \
             WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
        ));
        bob.expect("PING", "+PONG");
    }
}

#[test]
fn without_a_file_there_is_nothing_to_load_or_save() {
    let server = Server::start(1);
    let mut c = Client::to(server.addr());
    let text = "-ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store users in the configuration.";
    c.expect("ACL LOAD", text);
    c.expect("ACL SAVE", text);
}

#[test]
fn user_lines_of_the_configuration_make_users_and_are_rewritten() {
    let file = TextFile::new("r.conf", "user default on nopass ~* +@all\nuser bob on >foo ~a* +@read\nacl-pubsub-default resetchannels\n");
    for shards in [1, 2] {
        let server = Server::with(shards, &["--include", file.path()]);
        let mut c = Client::to(server.addr());
        let list = c.ask("ACL LIST");
        assert!(list.contains("user default on nopass ~* resetchannels +@all\r\n"), "{list}");
        c.expect("AUTH bob foo", "+OK");
        c.expect("GET ab", "$-1");
        c.expect("SET ab 1", "-NOPERM User bob has no permissions to run the 'set' command");
    }
    for lines in ["user bob on\nuser bob off\n", "user bob +nosuch\n", "user bob on\naclfile /nosuch\n", "aclfile /nosuch\n"] {
        std::fs::write(&file.0, lines).unwrap();
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_ringkey-server"))
            .args([file.path(), "--port", "0", "--unixsocket", "/nosuch/socket"])
            .output()
            .unwrap();
        assert!(!out.status.success(), "{lines}");
        let text = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
        assert!(text.contains("ACL") || text.contains("user declaration"), "{lines}: {text}");
    }
}

#[test]
fn a_new_users_channels_are_as_the_configuration_says() {
    on_shards(&["--acl-pubsub-default", "allchannels"], |server| {
        let mut c = user(server, "bob", "+acl|getuser");
        let text = c.ask("ACL GETUSER bob");
        assert!(text.contains("$8\r\nchannels\r\n$2\r\n&*\r\n"), "{text}");
        c.expect("AUTH default x", "+OK");
        c.expect("CONFIG SET acl-pubsub-default resetchannels", "+OK");
        c.expect("ACL SETUSER eve", "+OK");
        let text = c.ask("ACL GETUSER eve");
        assert!(text.contains("$8\r\nchannels\r\n$0\r\n\r\n"), "{text}");
    });
}
