//! The rows of the command table against a real Valkey: COMMAND INFO and DOCS of every command there is on both sides.
//!
//! Wording is ours (summaries, complexities, the texts of the history) and not compared; everything that programs read is.

use crate::wire::{Client, Server};
use crate::value::Value;

/// Fields of COMMAND DOCS whose text is for people.
const WORDING: &[&str] = &["summary", "complexity", "subcommands"];

fn ask(c: &mut Client, words: &str) -> Value {
    Value::parse(&c.ask(words))
}

/// Takes out what may differ: wording, and subcommands, which are compared one by one.
fn comparable(docs: Value) -> Value {
    let Value::Map(mut fields) = docs else { return docs };
    WORDING.iter().for_each(|name| drop(fields.remove(&Value::Text((*name).to_owned()))));
    if let Some(Value::Set(history)) = fields.get_mut(&Value::Text("history".to_owned())) {
        history.iter_mut().for_each(|change| *change = change.elements()[0].clone());
        history.sort();
    }
    Value::Map(fields)
}

/// What differs between two values, and where.
fn differences(at: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Map(theirs), Value::Map(ours)) => {
            let summary = Value::Text("summary".to_owned());
            for key in theirs.keys().chain(ours.keys().filter(|key| !theirs.contains_key(*key))) {
                if *key == summary {
                    continue;
                }
                let none = Value::Nothing;
                let (t, o) = (theirs.get(key).unwrap_or(&none), ours.get(key).unwrap_or(&none));
                differences(&format!("{at}.{}", key.text()), t, o, found);
            }
        }
        (Value::List(theirs), Value::List(ours)) if theirs.len() == ours.len() => {
            for (i, (t, o)) in theirs.iter().zip(ours).enumerate() {
                differences(&format!("{at}[{i}]"), t, o, found);
            }
        }
        _ if theirs == ours => {}
        _ => found.push(format!("{at}\n    valkey {theirs:?}\n    ours   {ours:?}")),
    }
}

#[test]
#[ignore = "needs a running Valkey 9.1: RINGKEY_VALKEY_ADDR=host:port cargo test --test clients -- --ignored"]
fn rows_say_what_valkeys_say() {
    let Ok(address) = std::env::var("RINGKEY_VALKEY_ADDR") else { return };
    let server = Server::start(1);
    let (mut theirs, mut ours) = (Client::to(&address), Client::to(server.addr()));
    theirs.ask("HELLO 3");
    ours.ask("HELLO 3");
    let (mut found, mut compared) = (Vec::new(), 0);
    for name in ask(&mut ours, "COMMAND LIST").elements() {
        let name = name.text();
        let (t, o) = (ask(&mut theirs, &format!("COMMAND INFO {name}")), ask(&mut ours, &format!("COMMAND INFO {name}")));
        let (t, o) = (&t.elements()[0], &o.elements()[0]);
        if *t == Value::Nothing {
            // Ours alone.
            assert!(name.starts_with("ringkey"), "Valkey has no {name}");
            continue;
        }
        compared += 1;
        let fields = ["name", "arity", "flags", "first key", "last key", "step", "categories", "tips", "key specs"];
        for (i, field) in fields.iter().enumerate() {
            differences(&format!("{name}: {field}"), &t.elements()[i], &o.elements()[i], &mut found);
        }
        let docs = |c: &mut Client| comparable(ask(c, &format!("COMMAND DOCS {name}")).field(name).unwrap().clone());
        differences(&format!("{name}: docs"), &docs(&mut theirs), &docs(&mut ours), &mut found);
    }
    assert!(compared > 80, "only {compared} commands");
    assert!(found.is_empty(), "{} differences in {compared} commands:\n{}", found.len(), found.join("\n"));
}
