//! What the compiler does not check: who may look at whom, essays, sizes, and what must not stand in the tree.
//!
//! The rooms of the house and the directions between them are a plan. Written down here as two tables and held against
//! every path that begins with `crate::`, the plan cannot drift from the code. A new room gets a line in its table; a
//! room that needs to look at another either may, and the table says so, or the code belongs where rooms meet.
//!
//! Code under `#[cfg(test)]` may look anywhere.

#![allow(clippy::unwrap_used)] // these are tests

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lines of the longest file; past 600 look for the second idea in it.
const FILE_LINES_MAX: usize = 1000;
/// How far above a block its SAFETY comment may begin.
const SAFETY_LINES: usize = 8;

/// The engine: shard -> commands -> {exec, args, reply, error} -> keyspace -> types -> stdx.
const SHARDS: &[(&str, &[&str])] = &[
    ("stdx", &[]),
    ("types", &["stdx"]),
    ("args", &["stdx"]),
    ("error", &[]),
    ("reply", &["stdx"]),
    // The gate writes into the effects; they name kinds of events that the keyspace knows.
    ("effects", &["args", "keyspace"]),
    ("keyspace", &["effects", "stdx", "types"]),
    ("txn", &["keyspace", "stdx"]),
    ("rdb", &["keyspace", "stdx", "types"]),
    ("exec", &["args", "effects", "error", "keyspace", "rdb", "reply", "stdx", "types"]),
    // The row type; a row's function takes an exec.
    ("command", &["args", "error", "exec", "stdx"]),
    ("commands", &["args", "command", "effects", "error", "exec", "keyspace", "rdb", "reply", "stdx", "types"]),
    ("shard", &["args", "command", "effects", "error", "exec", "keyspace", "rdb", "reply", "stdx", "txn", "types"]),
    // For tests: generated calls, transcripts, the contents of a shard as a value.
    ("generate", &["command", "stdx"]),
    ("contents", &["keyspace", "shard", "stdx", "types"]),
    ("transcript", &["args", "command", "commands", "contents", "error", "reply", "shard", "stdx"]),
];

/// The server: rooms meet in `core` and in `commands`; `dispatch` knows the commands, `start` puts all together.
const SERVER: &[(&str, &[&str])] = &[
    ("alloc", &[]),
    ("identity", &[]),
    ("mesh", &[]),
    ("protocol", &[]),
    ("runtime", &[]),
    ("config", &[]),
    // The machine knows no shards and no clients; its shebangs are quoted as inline lines are.
    ("script", &["identity", "protocol"]),
    ("log", &["config"]),
    ("process", &["config"]),
    // Statistics are kept by command.
    ("stats", &["dispatch"]),
    // Subscribers are named by their connections.
    ("pubsub", &["runtime"]),
    ("tracking", &["runtime"]),
    // A session holds its user, queued calls, its parser, its subscriptions and what it tracks.
    ("connection", &["acl", "dispatch", "protocol", "pubsub", "tracking"]),
    // Rights are about commands; rules are quoted as lines of the configuration are.
    ("acl", &["config", "dispatch"]),
    // Transactions are made of calls and of a client's watched keys.
    ("coordinator", &["connection", "dispatch", "tracking"]),
    // A script's call names the user it runs for.
    ("dispatch", &["acl", "commands", "config", "connection", "script"]),
    ("commands", EVERYTHING),
    ("core", EVERYTHING),
    ("start", EVERYTHING),
];

/// For rooms in which others meet.
const EVERYTHING: &[&str] = &["*"];

#[test]
fn rooms_of_the_engine_look_only_where_they_may() {
    hold("shards/src", SHARDS);
}

#[test]
fn rooms_of_the_server_look_only_where_they_may() {
    hold("src", SERVER);
}

fn hold(base: &str, table: &[(&str, &[&str])]) {
    let mut wrong = BTreeSet::new();
    for file in files(&root().join(base), &["rs"]) {
        let inside = file.strip_prefix(root().join(base)).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if matches!(&*room, "lib" | "main") || inside.ends_with("tests.rs") {
            continue;
        }
        let Some((_, allowed)) = table.iter().find(|(name, _)| *name == room) else {
            wrong.insert(format!("{base}: the room {room} has no line in the table of tests/tidy.rs"));
            continue;
        };
        let text = without_tests(&std::fs::read_to_string(&file).unwrap());
        for seen in looked_at(&text) {
            let is_room = table.iter().any(|(name, _)| *name == seen);
            if is_room && seen != room && !allowed.contains(&"*") && !allowed.contains(&&*seen) {
                wrong.insert(format!("{base}/{}: {room} must not look at {seen}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Code without comments and without what is compiled for tests only.
fn without_tests(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        if code.starts_with("#[cfg(test)]") || code.starts_with("#[cfg(all(test") {
            // A test module stands at the end of its file; anything else is one item of one line.
            if lines.next().is_some_and(|next| next.trim_start().starts_with("mod") && next.ends_with('{')) {
                break;
            }
        } else if !code.starts_with("//") {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// The names that follow `crate::`, macros left out.
fn looked_at(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, prefix) in text.match_indices("crate::") {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &text[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(top_names(list)),
            None => found.extend(name(rest)),
        }
    }
    found
}

fn name(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (!text[end..].starts_with('!')).then(|| text[..end].to_owned())
}

/// The first names of the elements of a `use crate::{...}` list.
fn top_names(list: &str) -> Vec<String> {
    let (mut depth, mut found, mut fresh) = (1, Vec::new(), true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            c if fresh && depth == 1 && (c.is_alphabetic() || c == '_') => {
                found.extend(name(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

#[test]
fn the_engine_knows_nothing_of_the_world() {
    // clippy.toml bans the names; this holds for what slips past it.
    let banned = ["std::net", "std::fs", "std::thread", "Instant::now", "SystemTime", "std::sync::Arc", "Mutex", "println!", "tracing"];
    let mut wrong = Vec::new();
    for file in files(&root().join("shards/src"), &["rs"]) {
        if file.ends_with("tests.rs") {
            continue;
        }
        let text = without_tests(&std::fs::read_to_string(&file).unwrap());
        wrong.extend(banned.iter().filter(|word| text.contains(**word)).map(|word| format!("{}: {word}", file.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_begins_with_an_essay_and_ends_in_time() {
    let mut wrong = Vec::new();
    for file in sources() {
        let text = std::fs::read_to_string(&file).unwrap();
        if !text.starts_with("//! ") {
            wrong.push(format!("{}: no essay", file.display()));
        }
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_blocks_say_why_they_are_safe() {
    let mut wrong = Vec::new();
    for file in sources() {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap();
            let opens = code.contains("unsafe {") || code.contains("unsafe impl");
            let near = &lines[i.saturating_sub(SAFETY_LINES)..=i];
            if opens && !near.iter().any(|line| line.contains("SAFETY")) && file != this_file() {
                wrong.push(format!("{}:{}", file.display(), i + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_left_for_later_without_a_reason() {
    let mut wrong = Vec::new();
    for file in sources().into_iter().filter(|file| *file != this_file()) {
        let text = std::fs::read_to_string(&file).unwrap();
        for (i, line) in text.lines().enumerate() {
            let code = line.trim_start();
            let left = code.contains("todo!(") || code.contains("unimplemented!(") || code == "#[ignore]" || code.contains("FIXME");
            if left && !code.starts_with("//!") {
                wrong.push(format!("{}:{}: {code}", file.display(), i + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_path_of_a_machine_stands_in_the_tree() {
    let mut needles = vec!["/home/".to_owned(), "--index-url".to_owned()];
    // Whoever runs this: their own folder, unless it is too short to mean anything.
    needles.extend(std::env::var("HOME").ok().filter(|home| home.len() > 4).map(|home| format!("{home}/")));
    let kinds = ["rs", "toml", "md", "py", "sh", "yml", "yaml", "json", "transcript", "conf", "service", ""];
    let mut wrong = Vec::new();
    for file in files(&root(), &kinds).into_iter().filter(|file| *file != this_file()) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for (i, line) in text.lines().enumerate() {
            if needles.iter().any(|needle| line.contains(needle.as_str())) {
                wrong.push(format!("{}:{}: {line}", file.display(), i + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn paths_are_found_however_they_are_written() {
    let text = "use crate::{a::B, c::{d, e}, f};\n// crate::no\nlet x = crate::g::h(crate::mac!(1), $crate::i);\n#[cfg(test)]\nmod tests {\n crate::z\n}";
    assert_eq!(looked_at(&without_tests(text)), ["a", "c", "f", "g", "i"]);
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn this_file() -> PathBuf {
    root().join("tests/tidy.rs")
}

/// All Rust files of the project.
fn sources() -> Vec<PathBuf> {
    files(&root(), &["rs"])
}

/// Files below `dir` whose names end so (`""`: no dot), but those of builds and of git.
fn files(dir: &Path, kinds: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let kind = path.extension().map_or(String::new(), |kind| kind.to_string_lossy().into_owned());
            if path.is_dir() && !path.is_symlink() {
                if name != "target" && name != ".git" && name != ".venv" {
                    dirs.push(path);
                }
            } else if kinds.contains(&&*kind) && name != ".git" {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{} holds files", dir.display());
    found
}
