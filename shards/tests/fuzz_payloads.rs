//! Damaged payloads with right checksums: whatever RESTORE is given, it refuses it with one of its two errors and changes
//! nothing, or it makes a sound value, which every command of its type can work on and which DUMP and RESTORE carry on.
//!
//! Payloads come from values that random calls made, and from old forms built here. They are changed byte by byte, cut,
//! grown, put together, and given other types. Seeds follow on one another until the time is over:
//! `RINGKEY_FUZZ_SECONDS`, or a few seconds. `RINGKEY_SEED` says where they begin.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test may look at the clock

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use shards::command::Command;
use shards::commands::FAMILIES;
use shards::exec::Limits;
use shards::generate::Generator;
use shards::rdb::payload::close;
use shards::stdx::prng::Prng;
use shards::transcript::{Bare, START_MS, show};

const ODD: &[u8] = &[0, 1, 2, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xf0, 0xfe, 0xff];

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A shard whose strings stay small, so that no random offset costs memory.
fn bare(seed: u64) -> Bare {
    let mut bare = Bare::new(seed);
    bare.shard.set_limits(Limits { string_bytes_max: 1 << 16, ..Limits::default() });
    bare
}

/// The rows whose keys the calls work on, those of waiting and of whole databases left out.
fn rows() -> Vec<&'static Command> {
    let harmless = |row: &&Command| !row.keys.is_empty() && row.flags & shards::command::flag::BLOCKING == 0;
    FAMILIES.iter().flat_map(|family| family.iter()).filter(harmless).collect()
}

/// The bytes of a bulk reply.
fn bulk(reply: &[u8]) -> Option<&[u8]> {
    let end = reply.iter().position(|byte| *byte == b'\n')?;
    (reply[0] == b'$' && reply[1] != b'-').then(|| &reply[end + 1..reply.len() - 2])
}

/// Types and bodies (footers taken off) of values that random calls left, and of old forms.
fn corpus(seed: u64, rows: &[&'static Command]) -> Vec<Vec<u8>> {
    let mut bare = bare(seed);
    let mut generator = Generator { now_ms: START_MS, damage_one_in: 0, ..Generator::new(seed) };
    for _ in 0..600 {
        bare.call(&generator.call(rows));
        bare.shard.effects().clear();
    }
    let mut found: Vec<Vec<u8>> = OLD.iter().map(|body| body.to_vec()).collect();
    for key in 0..generator.keys {
        let reply = bare.call(&[b"DUMP".to_vec(), format!("key:{key}").into_bytes()]);
        found.extend(bulk(&reply).map(|payload| payload[..payload.len() - 10].to_vec()));
    }
    found
}

/// A list, a set, a sorted set and a hash element by element; a zipmap; ziplists as list, sorted set, hash and quicklist; a
/// hash whose field expires; streams of the first two versions with a group.
const OLD: &[&[u8]] = &[
    b"\x01\x02\x01a\xc0\x05",
    b"\x02\x03\x01a\xc0\x05\xc1\x00\x01",
    b"\x03\x02\x01a\x031.5\x01b\xfe",
    b"\x04\x02\x01f\x01v\x01g\xc0\x01",
    b"\x09\x18\x02\x03foo\x03\x00bar\x05hello\x05\x00world\xff",
    b"\x0a\x12\x12\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\x02bc\xff",
    b"\x0c\x11\x11\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\xf6\xff",
    b"\x0d\x13\x13\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\xc0\xe8\x03\xff",
    b"\x0e\x01\x12\x12\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\x02bc\xff",
    b"\x16\x01\x01f\x01v\xe8\x03\x00\x00\x00\x00\x00\x00",
    b"\x0f\x01\x10\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01\x1d\x1d\x00\x00\x00\x0a\x00\x01\x01\x00\x01\x01\x01\x81f\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81v\x02\x04\x01\xff\x01\x05\x01\x01\x01g\x05\x01\x01\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01\x4d\x00\x00\x00\x00\x00\x00\x00\x03\x01\x01c\x4d\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01",
];

fn mutated(rng: &mut Prng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let pick = |rng: &mut Prng| corpus[rng.below(corpus.len() as u64) as usize].clone();
    let mut bytes = pick(rng);
    for _ in 0..rng.below(5) {
        let at = rng.below(bytes.len() as u64) as usize;
        match rng.below(9) {
            0..=3 => bytes[at] = if rng.below(2) == 0 { rng.next_u64() as u8 } else { ODD[rng.below(ODD.len() as u64) as usize] },
            4 => bytes[at] = bytes[at].wrapping_add(1).wrapping_sub(2 * rng.below(2) as u8),
            5 if bytes.len() > 1 => drop(bytes.remove(at)),
            6 => bytes.insert(at, ODD[rng.below(ODD.len() as u64) as usize]),
            7 => bytes.truncate((at + 1).max(2)),
            _ => {
                let other = pick(rng);
                let from = rng.below(other.len() as u64) as usize;
                bytes.truncate(at.max(1));
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    if rng.below(6) == 0 {
        bytes[0] = rng.below(27) as u8;
    }
    bytes
}

/// Restores one payload and works on what came of it.
fn try_payload(bare: &mut Bare, generator: &mut Generator, rows: &[&'static Command], body: &[u8]) -> Result<bool, String> {
    let mut payload = body.to_vec();
    close(&mut payload);
    let restore = |bare: &mut Bare, key: &[u8], payload: &[u8]| {
        let dirty = bare.shard.effects().dirty();
        let reply = bare.call(&[b"RESTORE".to_vec(), key.to_vec(), b"0".to_vec(), payload.to_vec(), b"REPLACE".to_vec()]);
        (bare.shard.effects().dirty() != dirty, reply)
    };
    match restore(bare, b"key:0", &payload) {
        (false, reply) if reply == b"-ERR Bad data format\r\n" => return Ok(false),
        (true, reply) if reply == b"+OK\r\n" => {}
        (changed, reply) => return Err(format!("RESTORE answers {:?}, changed: {changed}", show(&reply))),
    }
    bare.shard.check_invariants();
    let digest = |bare: &mut Bare, key: &str| bare.call(&["DEBUG", "DIGEST-VALUE", key].map(|arg| arg.as_bytes().to_vec()));
    let dumped = bare.call(&[b"DUMP".to_vec(), b"key:0".to_vec()]);
    let Some(dumped) = bulk(&dumped) else { return Err("a restored key is not dumped".into()) };
    let (_, reply) = restore(bare, b"key:1", dumped);
    if reply != b"+OK\r\n" || digest(bare, "key:0") != digest(bare, "key:1") {
        return Err(format!("what DUMP answers is not the same again: {:?}", show(&reply)));
    }
    for _ in 0..12 {
        let call = generator.call(rows);
        bare.call(&call);
        bare.shard.effects().clear();
        bare.now_ms += 7;
    }
    bare.shard.check_invariants();
    Ok(true)
}

#[test]
fn damaged_payloads_are_refused_or_become_sound_values() {
    let rows = rows();
    let end = Instant::now() + Duration::from_secs(number("RINGKEY_FUZZ_SECONDS", 5));
    let first = number("RINGKEY_SEED", 1);
    let (mut seed, mut tried, mut taken) = (first, 0u64, 0u64);
    while seed == first || Instant::now() < end {
        let corpus = corpus(seed, &rows);
        let mut bare = bare(seed);
        let mut generator = Generator { keys: 2, now_ms: START_MS, ..Generator::new(!seed) };
        let mut rng = Prng::new(seed);
        for turn in 0..2000 {
            let body = mutated(&mut rng, &corpus);
            let result = catch_unwind(AssertUnwindSafe(|| try_payload(&mut bare, &mut generator, &rows, &body)));
            match result.unwrap_or_else(|_| Err("it panicked".into())) {
                Ok(sound) => taken += u64::from(sound),
                Err(error) => panic!("seed {seed}, turn {turn}: {error}\nbody {:?}", show(&body)),
            }
            tried += 1;
            if turn % 64 == 0 {
                bare.call(&[b"FLUSHALL".to_vec(), b"SYNC".to_vec()]);
                bare.shard.tick(bare.now_ms, 64);
                bare.shard.effects().clear();
            }
        }
        seed += 1;
    }
    println!("seeds {first} to {seed}: {tried} payloads, {taken} of them sound");
    assert!(taken * 20 > tried, "many payloads must get through the checks, or nothing is tested");
}
