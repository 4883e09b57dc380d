//! Payloads between servers: what a real server dumps is restored here with the same digest and the other way round.
//!
//! The other server is a `redis-server` from the PATH (7.0: it takes versions up to 10, so ours are given that number, and
//! types that came later stay out), or a running one, `RINGKEY_REF_ADDR`, with DEBUG allowed; a Valkey 9 takes ours as
//! they are and writes the same bytes.

#![allow(clippy::unwrap_used)] // these are tests

mod servers;

use servers::{Connection, Target, ours};
use shards::rdb::kind;
use shards::stdx::crc64::crc64;
use shards::stdx::prng::Prng;
use shards::transcript::show;

/// Redis 7.0 does not know these.
const LATER: &[u8] = &[kind::SET_LISTPACK, kind::STREAM_3, kind::HASH_2];
const FOOTER_BYTES: usize = 10;

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

fn args(words: &[&[u8]]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_vec()).collect()
}

fn bulk(reply: Vec<u8>) -> Vec<u8> {
    let start = reply.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    assert!(reply.starts_with(b"$") && !reply.starts_with(b"$-"), "{:?}", show(&reply));
    reply[start..reply.len() - 2].to_vec()
}

fn dump(connection: &mut Connection, key: &[u8]) -> Vec<u8> {
    bulk(connection.call(&args(&[b"DUMP", key]), 1).unwrap())
}

fn digest(connection: &mut Connection, key: &[u8]) -> String {
    show(&connection.call(&args(&[b"DEBUG", b"DIGEST-VALUE", key]), 1).unwrap())
}

/// The same payload under another version.
fn with_version(payload: &[u8], version: u16) -> Vec<u8> {
    let mut out = payload[..payload.len() - FOOTER_BYTES].to_vec();
    out.extend_from_slice(&version.to_le_bytes());
    let sum = crc64(0, &out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

fn text(rng: &mut Prng) -> Vec<u8> {
    match rng.below(5) {
        0 => (rng.below(200_000) as i64 - 100_000).to_string().into_bytes(),
        1 => (rng.next_u64() as i64).to_string().into_bytes(),
        2 => vec![b'a'; rng.below(200) as usize],
        3 => (0..rng.below(40)).map(|_| rng.next_u64() as u8).collect(),
        _ => format!("member:{}", rng.below(500)).into_bytes(),
    }
}

/// Calls that make a random value at `key`. Scores are whole numbers, which all servers digest alike.
fn calls(rng: &mut Prng, key: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let size = rng.below(4) as usize;
    let count = 1 + rng.below([3, 30, 150, 600][size]);
    let kind = rng.below(6);
    let ints = rng.below(2) == 0;
    (0..count)
        .map(|i| {
            let (one, two) = (text(rng), text(rng));
            match kind {
                0 => args(&[b"SET", key, &one.repeat(1 + rng.below(20) as usize)]),
                1 => {
                    let large = vec![b'L'; 9000];
                    args(&[b"RPUSH", key, if rng.below(40) == 0 { &large } else { &one }])
                }
                2 if ints => args(&[b"SADD", key, rng.below(100_000).to_string().as_bytes()]),
                2 => args(&[b"SADD", key, &one]),
                3 => args(&[b"ZADD", key, rng.below(1_000_000).to_string().as_bytes(), &one]),
                4 => args(&[b"HSET", key, &one, &two]),
                _ => args(&[b"XADD", key, format!("{}-{}", i / 3 + 1, i % 3 + 1).as_bytes(), b"field", &one, &two, b"x"]),
            }
        })
        .collect()
}

#[test]
fn payloads_go_to_a_real_server_and_come_from_it() {
    let Some(reference) = reference() else { return };
    let as_valkey = reference.version >= (9, 0);
    for (seed, shards) in [(1, 1), (2, 3)] {
        let here = Target::start(env!("CARGO_BIN_EXE_ringkey-server"), &["--enable-debug-command", "yes", "--shards", &format!("{shards}")], Some((9, 1))).unwrap();
        let (mut one, mut two) = (here.connect(), reference.connect());
        two.words("FLUSHALL");
        let mut rng = Prng::new(seed);
        let mut went = 0;
        for number in 0..150 {
            let key = format!("key:{number}").into_bytes();
            for call in calls(&mut rng, &key) {
                let (ours, theirs) = (one.call(&call, 1).unwrap(), two.call(&call, 1).unwrap());
                assert_eq!(ours, theirs, "{:?}", call.iter().map(|arg| show(arg)).collect::<Vec<_>>());
            }
            let expected = digest(&mut two, &key);
            assert_eq!(digest(&mut one, &key), expected, "seed {seed}, {number}");
            let theirs = dump(&mut two, &key);
            assert_eq!(one.call(&args(&[b"RESTORE", b"copy", b"0", &theirs, b"REPLACE"]), 1).unwrap(), b"+OK\r\n");
            assert_eq!(digest(&mut one, b"copy"), expected, "seed {seed}, {number}, from them");
            let ours = dump(&mut one, &key);
            if as_valkey && !matches!(ours[0], kind::SET | kind::HASH) {
                assert_eq!(show(&ours), show(&theirs), "seed {seed}, {number}");
            }
            if !as_valkey && LATER.contains(&ours[0]) {
                continue;
            }
            let ours = if as_valkey { ours } else { with_version(&ours, 10) };
            assert_eq!(two.call(&args(&[b"RESTORE", b"copy", b"0", &ours, b"REPLACE"]), 1).unwrap(), b"+OK\r\n");
            assert_eq!(digest(&mut two, b"copy"), expected, "seed {seed}, {number}, to them");
            went += 1;
        }
        assert!(went > 50, "most types go there: {went}");
    }
}

#[test]
fn our_own_payloads_go_round() {
    let here = ours(2);
    let mut connection = here.connect();
    let mut rng = Prng::new(5);
    for number in 0..60 {
        let key = format!("key:{number}").into_bytes();
        for call in calls(&mut rng, &key) {
            connection.call(&call, 1).unwrap();
        }
        let payload = dump(&mut connection, &key);
        assert_eq!(connection.call(&args(&[b"RESTORE", b"copy", b"0", &payload, b"REPLACE"]), 1).unwrap(), b"+OK\r\n");
        assert_eq!(dump(&mut connection, b"copy").len(), payload.len());
    }
}
