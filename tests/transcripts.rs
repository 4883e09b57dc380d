//! The transcripts of `shards` against whole servers: a real Valkey or Redis, and ours.
//!
//! `RINGKEY_REF_ADDR=host:port` names a server that is already running (its database is flushed!); without it a
//! `redis-server` on the PATH is started. With `RINGKEY_REF_RECORD=1` calls without a written reply get the reply of
//! that server: new cases are written as calls and recorded from a real Valkey.
//!
//! Our own server is started with one, two and four shards.
//!
//! A transcript that moves the clock cannot run here; one that needs a newer version than the server's is skipped.

#![allow(clippy::unwrap_used)] // these are tests

mod servers;

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use servers::{Target, ours};
use shards::reply::Resp;
use shards::transcript::{Case, Expect, Step, parse, show};

/// Commands that transcripts use and our server does not know yet: their cases are skipped. A command that is there must
/// leave the list (`what_is_not_there_yet` sees to that).
const NOT_YET: &[&str] = &[];

fn can_run(target: &Target, case: &Case) -> bool {
    !case.moves_the_clock()
        && (target.shards == 1 || !case.one_shard)
        && case.since.is_none_or(|since| since <= target.version)
}

/// Runs a case on a fresh connection; `heard` gets every reply with the line of its call.
fn run_case(target: &Target, case: &Case, heard: &mut Vec<(usize, Vec<u8>)>) -> Result<(), String> {
    let mut connection = target.connect();
    let flushed = connection.call(&[b"FLUSHALL".to_vec()], 1)?;
    assert_eq!(flushed, b"+OK\r\n");
    for step in &case.steps {
        match step {
            Step::Resp(Resp::V2) => drop(connection.words("HELLO 2")),
            Step::Resp(Resp::V3) => drop(connection.words("HELLO 3")),
            Step::Advance(_) => unreachable!("cases that move the clock do not come here"),
            Step::Call(call) => {
                let at = |error| format!("line {} ({}): {error}", call.line, case.name);
                let got = connection.call(&call.argv, call.expect.replies()).map_err(at)?;
                let checked = call.expect.check(&got);
                if call.expect == Expect::Missing {
                    heard.push((call.line, got));
                }
                checked.map_err(at).or_else(|error| {
                    if call.expect == Expect::Missing && recording() { Ok(()) } else { Err(error) }
                })?;
            }
        }
    }
    Ok(())
}

fn uses(case: &Case, command: &str) -> bool {
    case.steps.iter().any(|step| match step {
        Step::Resp(_) => command == "HELLO",
        Step::Advance(_) => false,
        Step::Call(call) => call.argv[0].eq_ignore_ascii_case(command.as_bytes()),
    })
}

fn recording() -> bool {
    std::env::var_os("RINGKEY_REF_RECORD").is_some()
}

/// Runs every transcript that `target` can run, but for cases that call one of `without`; the failures as text.
fn run_all(target: &Target, without: &[&str]) -> String {
    let mut failures = String::new();
    let (mut ran, mut skipped) = (0, 0);
    let only = std::env::var("RINGKEY_REF_ONLY").unwrap_or_default();
    for file in transcripts().iter().filter(|file| file.to_string_lossy().contains(&only)) {
        let name = file.file_name().unwrap().to_string_lossy();
        let text = std::fs::read_to_string(file).unwrap();
        let cases = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut heard = Vec::new();
        for case in &cases {
            if !can_run(target, case) || without.iter().any(|name| uses(case, name)) {
                skipped += 1;
                continue;
            }
            ran += 1;
            if let Err(error) = run_case(target, case, &mut heard) {
                writeln!(failures, "{name}: {error}").unwrap();
            }
            if TcpStream::connect(&target.addr).is_err() {
                return failures + "the server is gone";
            }
        }
        if recording() && !heard.is_empty() {
            std::fs::write(file, with_replies(&text, &heard)).unwrap();
        }
    }
    println!("{} (version {:?}): {ran} cases ran, {skipped} skipped", target.addr, target.version);
    failures
}

/// The transcript with replies put behind the calls that had none.
fn with_replies(text: &str, heard: &[(usize, Vec<u8>)]) -> String {
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        out.push_str(line);
        out.push('\n');
        if let Some((_, reply)) = heard.iter().find(|(line, _)| *line == index + 1) {
            out.push_str(&show(reply));
        }
    }
    out
}

fn transcripts() -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("shards/src"), &mut found);
    found.sort();
    found
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "transcript") {
            found.push(path);
        }
    }
}

#[test]
fn a_reference_server_says_what_the_transcripts_say() {
    let target = match std::env::var("RINGKEY_REF_ADDR") {
        Ok(addr) => Some(Target::running(addr)),
        Err(_) => Target::start("redis-server", &[], None),
    };
    let Some(target) = target else {
        println!("skipped: no RINGKEY_REF_ADDR and no redis-server on the PATH");
        return;
    };
    let failures = run_all(&target, &[]);
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn our_server_says_what_the_transcripts_say_however_many_shards_it_has() {
    for shards in [1, 2, 4] {
        let failures = run_all(&ours(shards), NOT_YET);
        assert!(failures.is_empty(), "{shards} shards:\n{failures}");
    }
}

#[test]
fn what_is_not_there_yet() {
    let target = ours(1);
    for name in NOT_YET {
        let reply = target.connect().words(&format!("{name} 1 2 3"));
        assert!(reply.starts_with(b"-ERR unknown command"), "{name} is there: take it off NOT_YET");
    }
}
