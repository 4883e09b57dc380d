//! Random ACL rules, ACL files and glob patterns: nothing makes them panic, a refused rule changes nothing, and what is
//! written down gives the same rights when it is read again.
//!
//! Inputs follow from seeds until the time is over: `RINGKEY_FUZZ_SECONDS`, or a few seconds; `RINGKEY_SEED` says where
//! they begin.

#![allow(clippy::unwrap_used)] // these are tests

use ringkey::acl::user::quoted;
use ringkey::acl::{Call, Users, check};
use ringkey::config::words;
use ringkey::dispatch::call::OwnedCall;
use ringkey::dispatch::table::table;
use shards::stdx::glob;
use shards::stdx::prng::Prng;
use std::time::{Duration, Instant};

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Runs `one` with one seed after the other until the time is over.
fn seeds(mut one: impl FnMut(&mut Prng, u64)) {
    let end = Instant::now() + Duration::from_secs(number("RINGKEY_FUZZ_SECONDS", 3));
    let first = number("RINGKEY_SEED", 1);
    let mut seed = first;
    while seed == first || Instant::now() < end {
        one(&mut Prng::new(seed), seed);
        seed += 1;
    }
    println!("{} inputs", seed - first);
}

fn one_of<'a>(rng: &mut Prng, words: &[&'a str]) -> &'a str {
    words[rng.below(words.len() as u64) as usize]
}

const HASH: &str = "#2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

const RULES: &[&str] = &[
    "on", "off", "nopass", "resetpass", "reset", "allkeys", "resetkeys", "allchannels", "resetchannels", "alldbs", "resetdbs",
    "allcommands", "nocommands", "+@all", "-@all", "~*", "&*", ">pw", "<pw", ">pw2", HASH, "!00", "clearselectors", "db=0",
    "db=3,1,2", "db=-1", "db=1,,2", "db=99999999999", "+select|0", "+select|1", "+debug|object", "+config|get", "-config|get",
    "+config|get|x", "+select|", "()", "(~a", "+get)", "(+get ~a)", "(on)", "(%R~x +@read db=1)", "", "sanitize-payload", "%~x",
    "(\"~a\\\"b\" +get)", "~q\"", "%R", "%RW~rw*", "%r~r*", "%W~w*", "~a*", "~b", "&c", "&c*",
];

/// A rule, mostly one that makes sense.
fn rule(rng: &mut Prng) -> Vec<u8> {
    let sign = one_of(rng, &["+", "-"]);
    let mut rule = match rng.below(10) {
        0..=3 => one_of(rng, RULES).as_bytes().to_vec(),
        4..=6 => {
            let entries = table().entries();
            format!("{sign}{}", entries[rng.below(entries.len() as u64) as usize].full_name).into_bytes()
        }
        7 | 8 => {
            let names = shards::command::category::NAMES;
            format!("{sign}@{}", names[rng.below(names.len() as u64) as usize].1).into_bytes()
        }
        _ => (0..rng.below(12)).map(|_| b"+-@~%&()|RW*ab\\[]? <>#!=,0\n\0\"'\xff"[rng.below(31) as usize]).collect(),
    };
    if rng.below(20) == 0 && !rule.is_empty() {
        let at = rng.below(rule.len() as u64) as usize;
        rule[at] = rng.below(256) as u8;
    }
    rule
}

const CALLS: &[&str] = &[
    "get a", "get b", "set a 1", "set rw1 1 get", "mget a b r1", "del w1", "copy r1 w1 db 1", "select 0", "select 1", "config get x",
    "config set x y", "ping", "publish c x", "psubscribe c*", "flushall", "xread streams a b 0 0", "debug object a", "acl whoami",
    "sintercard 2 a b", "swapdb 0 1", "multi",
];

/// What each call of the list is answered.
fn rights(users: &Users, calls: &[OwnedCall]) -> Vec<bool> {
    let user = users.get(b"u").unwrap();
    let mut all = Vec::new();
    for call in calls {
        for db in [0, 1] {
            let call = Call { entry: call.entry, argv: call.argv(), db, databases: 16 };
            all.push(check(user, &call).is_ok());
        }
    }
    all
}

fn calls() -> Vec<OwnedCall> {
    let call = |text: &&str| {
        let words = || text.split(' ').map(str::as_bytes);
        let name = table().find(words().next().unwrap()).unwrap();
        let call = OwnedCall::of_parts(name, 0, words());
        OwnedCall::of_parts(table().resolve(call.argv()).unwrap(), 0, words())
    };
    CALLS.iter().map(call).collect()
}

#[test]
fn rules_that_were_written_down_give_the_same_rights() {
    let calls = calls();
    let mut accepted = 0;
    seeds(|rng, seed| {
        let mut users = Users::new(b"").with_rules(b"u", &[], false).unwrap();
        for _ in 0..1 + rng.below(12) {
            let rules: Vec<Vec<u8>> = (0..1 + rng.below(3)).map(|_| rule(rng)).collect();
            let rules: Vec<&[u8]> = rules.iter().map(Vec::as_slice).collect();
            if let Ok(next) = users.with_rules(b"u", &rules, rng.below(2) == 0) {
                users = next;
                accepted += 1;
            }
        }
        let lines = users.lines();
        let file: Vec<u8> = lines.iter().flat_map(|line| [b"user ", &line[..], b"\n"].concat()).collect();
        let again = Users::new(b"").from_file("file", &file, rng.below(2) == 0);
        let again = again.unwrap_or_else(|error| panic!("seed {seed}: {error}: {}", file.escape_ascii()));
        assert_eq!(again.lines(), lines, "seed {seed}");
        let line = [b"user ", &quoted(&users.get(b"u").unwrap().describe())[..]].concat();
        let words = words::split(&line).unwrap_or_else(|| panic!("seed {seed}: {}", line.escape_ascii()));
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).map(|word| if word == b"user" { b"u" } else { word }).collect();
        let configured = Users::new(b"").with_line(&words, false).unwrap_or_else(|why| panic!("seed {seed}: {why:?}"));
        assert_eq!(configured.lines(), lines, "seed {seed}");
        assert_eq!(rights(&again, &calls), rights(&users, &calls), "seed {seed}: {}", file.escape_ascii());
    });
    assert!(accepted > 0);
}

#[test]
fn no_bytes_confuse_the_reader_of_acl_files() {
    seeds(|rng, _| {
        let mut text = Vec::new();
        for _ in 0..rng.below(6) {
            text.extend_from_slice(one_of(rng, &["user ", "user", " ", "\n", "\r\n", "\t", "bob ", "default ", "#"]).as_bytes());
            for _ in 0..rng.below(4) {
                text.extend(rule(rng));
                text.push(if rng.below(4) == 0 { b'\n' } else { b' ' });
            }
        }
        // Either all of it is taken or nothing, with a reason of one line for each that is wrong.
        match Users::new(b"").from_file("file", &text, false) {
            Ok(users) => assert!(users.get(b"default").is_some()),
            Err(errors) => assert!(errors.ends_with("no change to the previously active ACL rules was performed")),
        }
    });
}

#[test]
fn no_bytes_confuse_patterns_and_no_pattern_runs_away() {
    seeds(|rng, seed| {
        let mut word = |max: u64| -> Vec<u8> { (0..rng.below(max)).map(|_| b"ab*?[]^-\\AB\xff\0"[rng.below(13) as usize]).collect() };
        let (pattern, text) = (word(40), word(60));
        let matched = glob::matches(&pattern, &text, seed % 2 == 0);
        if glob::is_literal(&pattern) && seed % 2 == 1 {
            assert_eq!(matched, pattern == text, "{} {}", pattern.escape_ascii(), text.escape_ascii());
        }
        if !text.is_empty() {
            assert!(glob::matches(b"*", &text, false));
            let with_star = [&pattern[..], b"*"].concat();
            let escapes = pattern.contains(&b'\\') || pattern.contains(&b'[');
            assert!(!matched || escapes || glob::matches(&with_star, &text, seed % 2 == 0), "a star takes nothing away");
        }
    });
}
