//! Random calls of each type side by side with a real server: equal replies, and in the end equal digests of all keys.
//!
//! The server is a `redis-server` from the PATH (or a running one, `RINGKEY_REF_ADDR`, with DEBUG allowed). What is
//! newer than it is left out, and so is what no two servers need to answer alike: random choices, times, cursors, the
//! insides. Replies that have no order are sorted. `RINGKEY_COMPARE_CALLS` says how many calls a type gets,
//! `RINGKEY_SEED` where the seeds begin.

#![allow(clippy::unwrap_used)] // these are tests

mod servers;

use servers::{Connection, Target};
use shards::command::{Command, flag};
use shards::commands::{self, FAMILIES};
use shards::generate::{Generator, since};
use shards::transcript::resp::elements;
use shards::transcript::show;

/// Calls between two comparisons of all keys; then both start anew.
const ROUND: u64 = 1000;
/// Answer something else each time, or tell of times and insides.
const ELSEWHERE: &[&str] = &[
    "spop", "srandmember", "hrandfield", "zrandmember", "randomkey", "scan", "sscan", "hscan", "zscan", "object", "memory",
    "dump", "restore", "xinfo", "expire", "pexpire", "expireat", "pexpireat", "setex", "psetex", "getex", "ttl", "pttl",
    "expiretime", "pexpiretime", "sort", "sort_ro", "copy", "move", "keys", "pfselftest",
    "httl", "hpttl",
];
/// Spelt by everybody in words of his own.
const HELP: &[u8] = b"help";
/// From this version on every reply is the same to the letter. Before, errors had other texts and doubles more digits.
const LITERAL: (u32, u32) = (8, 0);
/// Came in 7.2, which the row does not say.
const WITHSCORE: &[u8] = b"WITHSCORE";
/// Words after which a call depends on the clock.
const TIMED: &[&[u8]] = &[b"EX", b"PX", b"EXAT", b"PXAT", b"*", b"IDLE", b"TIME"];
/// Their replies have no order.
const UNORDERED: &[&str] = &["hgetall", "hkeys", "hvals", "smembers", "sunion", "sinter", "sdiff"];

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn reference() -> Option<Target> {
    let target = match std::env::var("RINGKEY_REF_ADDR") {
        Ok(addr) => Some(Target::running(addr)),
        Err(_) => Target::start("redis-server", &["--enable-debug-command", "yes"], None),
    };
    if target.is_none() {
        assert!(std::env::var_os("RINGKEY_REQUIRE_REDIS").is_none(), "there is no redis-server on the PATH");
        println!("skipped: no RINGKEY_REF_ADDR and no redis-server on the PATH");
    }
    target
}

/// The rows of a type that can be compared with a server of this version, with DEL and TYPE beside them.
fn rows(family: &'static [Command], version: (u32, u32)) -> Vec<&'static Command> {
    let generic = commands::generic::ROWS.iter().filter(|row| ["del", "type", "exists", "rename"].contains(&row.name));
    let fits = |row: &&'static Command| {
        since(row.since) <= version && row.flags & flag::BLOCKING == 0 && !ELSEWHERE.contains(&row.name)
    };
    family.iter().chain(generic).filter(fits).collect()
}

/// True if both servers may be asked this and must say the same.
fn comparable(argv: &[Vec<u8>], version: (u32, u32)) -> bool {
    let is = |i: usize, word: &str| argv.get(i).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    let timed = argv[1..].iter().any(|arg| TIMED.iter().any(|word| arg.eq_ignore_ascii_case(word)));
    // A minimum of idle time decides by the clock unless it is none; what is pending tells how long.
    let by_idle = (is(0, "xclaim") || is(0, "xautoclaim")) && argv.get(4).is_none_or(|idle| idle != b"0");
    // A time to live that is not over at once.
    let soon = (is(0, "hexpire") || is(0, "hpexpire")) && argv.get(2).is_none_or(|ttl| !ttl.starts_with(b"-") && ttl != b"0");
    let tells_idle = is(0, "xpending") && argv.len() > 3;
    // Larger than any test needs: half a gigabyte of zeros.
    let huge = ["setrange", "setbit", "bitfield"].iter().any(|name| is(0, name))
        && argv.iter().any(|arg| arg.len() > 6 && arg.iter().all(u8::is_ascii_digit));
    let help = argv[1..].iter().any(|arg| arg.eq_ignore_ascii_case(HELP));
    !(timed || soon || by_idle || tells_idle || huge || help || is_mistaken(argv) || version < LITERAL && is_newer(argv))
}

/// True if Valkey 9.1.2 gets this wrong: indexes of lists lose all but 32 bits, a number of fields overflows, a score
/// that begins with a NUL is 0.
fn is_mistaken(argv: &[Vec<u8>]) -> bool {
    let name = argv[0].to_ascii_lowercase();
    let number = |arg: &Vec<u8>| std::str::from_utf8(arg).ok().and_then(|text| text.parse::<i64>().ok());
    let wide = |arg: &Vec<u8>| number(arg).is_some_and(|n| i32::try_from(n).is_err());
    name == b"lset" && argv.iter().any(wide)
        || name == b"hsetex" && argv.iter().any(|arg| number(arg) == Some(i64::MIN + 1))
        || name.starts_with(b"z") && argv.iter().any(|arg| arg.starts_with(b"\0"))
}

/// True if Redis 7.0 knows such a call, but answers it otherwise.
fn is_newer(argv: &[Vec<u8>]) -> bool {
    let min = i64::MIN.to_string();
    let odd = |arg: &Vec<u8>| arg.starts_with(b" ") || *arg == min.as_bytes() || arg.eq_ignore_ascii_case(WITHSCORE);
    argv.iter().any(odd) || argv[0].eq_ignore_ascii_case(b"bitcount") && argv.len() == 3
}

/// A reply in the form in which it is compared.
fn canonical(argv: &[Vec<u8>], reply: &[u8], version: (u32, u32)) -> Vec<u8> {
    let unordered = UNORDERED.iter().any(|row| argv[0].eq_ignore_ascii_case(row.as_bytes()));
    // What an error shows of a call ends for others at a NUL.
    let odd = argv.iter().flatten().any(|byte| !(b' '..=b'~').contains(byte));
    match elements(reply) {
        Some((head, mut parts)) if unordered => {
            parts.sort_unstable();
            [head, &parts.concat()].concat()
        }
        _ if reply.starts_with(b"-") && (odd || version < LITERAL) => b"-".to_vec(),
        _ if version < LITERAL => loosely(reply),
        _ => reply.to_vec(),
    }
}

/// A reply without lengths, its doubles spelt one way.
fn loosely(reply: &[u8]) -> Vec<u8> {
    let line = |line: &[u8]| match std::str::from_utf8(line).ok().and_then(|text| text.trim_end().parse::<f64>().ok()) {
        Some(number) => format!("{number:e}").into_bytes(),
        None => line.to_vec(),
    };
    reply.split(|byte| *byte == b'\n').filter(|text| !text.starts_with(b"$")).flat_map(line).collect()
}

/// Our server, with DEBUG allowed.
fn with_debug(shards: u64) -> Target {
    let args = ["--enable-debug-command", "yes", "--shards", &shards.to_string()];
    Target::start(env!("CARGO_BIN_EXE_ringkey-server"), &args, Some((9, 1))).expect("it was built")
}

fn digests(connection: &mut Connection, keys: u64) -> Vec<u8> {
    let mut call: Vec<Vec<u8>> = vec![b"DEBUG".to_vec(), b"DIGEST-VALUE".to_vec()];
    call.extend((0..keys).map(|key| format!("key:{key}").into_bytes()));
    let reply = connection.call(&call, 1).unwrap();
    assert!(reply.starts_with(b"*"), "DEBUG is allowed: {:?}", show(&reply));
    reply
}

/// Digests here of what the other server has: its way of spelling scores may be another.
fn digests_moved(theirs: &mut Connection, here: &mut Connection, keys: u64) -> Vec<u8> {
    here.words("SELECT 1");
    here.words("FLUSHDB");
    for key in 0..keys {
        let key = format!("key:{key}").into_bytes();
        let reply = theirs.call(&[b"DUMP".to_vec(), key.clone()], 1).unwrap();
        if !reply.starts_with(b"$-1") {
            let start = reply.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let payload = reply[start..reply.len() - 2].to_vec();
            let restored = here.call(&[b"RESTORE".to_vec(), key, b"0".to_vec(), payload], 1).unwrap();
            assert_eq!(restored, b"+OK\r\n", "what they dump is restored here");
        }
    }
    let moved = digests(here, keys);
    here.words("SELECT 0");
    moved
}

/// A server that runs is one for all tests.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn compare(name: &str, family: &'static [Command]) {
    let _shared = std::env::var_os("RINGKEY_REF_ADDR").map(|_| ONE_AT_A_TIME.lock());
    let Some(reference) = reference() else { return };
    let rows = rows(family, reference.version);
    let calls = number("RINGKEY_COMPARE_CALLS", 2000);
    let first = number("RINGKEY_SEED", 1);
    let mut wrong = Vec::new();
    for (round, shards) in (0..calls.div_ceil(ROUND)).zip([1, 3].into_iter().cycle()) {
        let here = with_debug(shards);
        let (mut one, mut two) = (here.connect(), reference.connect());
        two.words("FLUSHALL");
        let seed = first + round;
        // What is wrong with damaged calls was found out in another order once.
        let damage_one_in = if reference.version < LITERAL { 0 } else { 20 };
        let mut generator = Generator { damage_one_in, version: reference.version, ..Generator::new(seed) };
        let mut asked: Vec<String> = Vec::new();
        for _ in 0..ROUND {
            let argv = generator.call(&rows);
            if !comparable(&argv, reference.version) {
                continue;
            }
            let text = argv.iter().map(|arg| format!("\"{}\"", show(arg))).collect::<Vec<_>>().join(" ");
            asked.push(text.clone());
            let ours = one.call(&argv, 1).unwrap_or_else(|error| panic!("{error}: seed {seed}, {text}"));
            let theirs = two.call(&argv, 1).unwrap_or_else(|error| panic!("{error}: seed {seed}, {text}"));
            let form = |reply: &[u8]| canonical(&argv, reply, reference.version);
            if form(&ours) != form(&theirs) {
                wrong.push(format!("seed {seed}, {text}\n  ours   {:?}\n  theirs {:?}", show(&ours), show(&theirs)));
                break;
            }
        }
        if digests(&mut one, generator.keys) != digests_moved(&mut two, &mut one, generator.keys) {
            wrong.push(format!("seed {seed}: the keys differ after\n{}", asked.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{name}: {} rounds differ\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

#[test]
fn strings_answer_as_a_real_server() {
    compare("string", commands::string::ROWS);
}

#[test]
fn lists_answer_as_a_real_server() {
    compare("list", commands::list::ROWS);
}

#[test]
fn hashes_answer_as_a_real_server() {
    compare("hash", commands::hash::ROWS);
}

#[test]
fn sets_answer_as_a_real_server() {
    compare("set", commands::set::ROWS);
}

#[test]
fn sorted_sets_answer_as_a_real_server() {
    compare("sorted set", commands::sorted_set::ROWS);
}

#[test]
fn streams_answer_as_a_real_server() {
    compare("stream", commands::stream::ROWS);
}

#[test]
fn bitmaps_answer_as_a_real_server() {
    compare("bitmap", commands::bitmap::ROWS);
}

#[test]
fn hyperloglogs_answer_as_a_real_server() {
    compare("hyperloglog", commands::hyperloglog::ROWS);
}

#[test]
fn places_answer_as_a_real_server() {
    compare("geo", commands::geo::ROWS);
}

#[test]
fn every_family_of_types_is_compared() {
    let compared = [
        commands::string::ROWS, commands::list::ROWS, commands::hash::ROWS, commands::set::ROWS, commands::sorted_set::ROWS,
        commands::stream::ROWS, commands::bitmap::ROWS, commands::hyperloglog::ROWS, commands::geo::ROWS,
    ];
    let missing: Vec<&str> = FAMILIES
        .iter()
        .filter(|family| !compared.iter().any(|rows| std::ptr::eq(rows.as_ptr(), family.as_ptr())))
        .map(|family| family[0].group.name())
        .filter(|group| !["generic", "server", "connection", "pubsub", "scripting", "transactions"].contains(group))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
