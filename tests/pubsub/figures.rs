//! Figures about clients and calls that Valkey's own tests look at.

use crate::everywhere;

fn field(list: &str, id: &str, name: &str) -> i64 {
    let line = list.lines().find(|line| line.starts_with(&format!("id={id} "))).unwrap();
    let value = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap();
    value.parse().unwrap()
}

#[test]
fn a_call_that_waits_is_not_counted_yet() {
    everywhere(&[], |server| {
        let mut c = server.client();
        let mut waiting = server.client();
        let id = waiting.say("CLIENT ID").int().to_string();
        let before = field(&c.say("CLIENT LIST").text(), &id, "tot-cmds");
        waiting.send(&crate::common::client::words("BLPOP list 0"));
        while !c.say("CLIENT LIST FLAGS b").text().contains(&format!("id={id} ")) {}
        assert_eq!(field(&c.say("CLIENT LIST").text(), &id, "tot-cmds"), before);
        c.say("RPUSH list x");
        assert_eq!(waiting.reply(), "[list x]");
        assert_eq!(field(&c.say("CLIENT LIST").text(), &id, "tot-cmds"), before + 1);
    });
}

#[test]
fn the_key_that_sort_stores_to_is_overwritten() {
    everywhere(&[], |server| {
        let mut c = server.client();
        let found = c.say("COMMAND GETKEYSANDFLAGS SORT k1 BY w_* STORE k2");
        assert_eq!(found, "[[k1 [RO access]] [k2 [OW update]]]");
        assert_eq!(c.say("COMMAND GETKEYSANDFLAGS SORT k1"), "[[k1 [RO access]]]");
    });
}
