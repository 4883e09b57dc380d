//! Contract 4: replaying what a shard did gives the same state. It guards replication, the append-only file, scripts
//! and expiry together, for every command of the table, because the calls are made from the table.
//!
//! Two shards replay: one as a replica does (it hides what expired and waits for its primary), one as the loader of a
//! log does.

mod harness;

use harness::{Step, bare, hold_for_seeds};
use shards::command::Command;
use shards::commands::FAMILIES;
use shards::contents::contents;
use shards::stdx::prng::Prng;
use shards::transcript::Bare;

fn replayed_is_the_same(seed: u64, steps: &[Step]) -> Result<(), String> {
    let mut primary = bare(seed);
    let mut replica = bare(seed + 1);
    replica.shard.keyspace.keep_expired = true;
    replica.shard.keyspace.follows_primary = true;
    let mut loader = bare(seed + 2);
    for step in steps {
        primary.now_ms += step.wait_ms;
        primary.shard.effects().clear();
        let reply = primary.call(&step.argv);
        primary.shard.check_invariants();
        let ops: Vec<(u32, Vec<Vec<u8>>)> = primary
            .shard
            .effects()
            .ops()
            .map(|(db, argv)| (db, argv.iter().map(<[u8]>::to_vec).collect()))
            .collect();
        let expected = contents(&mut primary.shard, primary.now_ms);
        for shard in [&mut replica, &mut loader] {
            shard.now_ms = primary.now_ms;
            replay(shard, &ops)?;
            let found = contents(&mut shard.shard, shard.now_ms);
            if found != expected {
                let reply = String::from_utf8_lossy(&reply).into_owned();
                return Err(format!("after {} ({reply:?}), ops {ops:?}:\n{found:?}\ninstead of\n{expected:?}", step.show()));
            }
        }
    }
    Ok(())
}

fn replay(shard: &mut Bare, ops: &[(u32, Vec<Vec<u8>>)]) -> Result<(), String> {
    for (db, argv) in ops {
        shard.db = *db;
        let reply = shard.call(argv);
        shard.shard.effects().clear();
        if reply.starts_with(b"-") {
            return Err(format!("{argv:?} was propagated, but answers {}", String::from_utf8_lossy(&reply)));
        }
    }
    Ok(())
}

#[test]
fn replaying_the_effects_of_random_calls_gives_the_same_state() {
    let rows: Vec<&'static Command> = FAMILIES.iter().flat_map(|family| family.iter()).collect();
    hold_for_seeds(0..60, 400, &rows, replayed_is_the_same);
}

#[test]
fn replaying_the_effects_of_string_calls_gives_the_same_state() {
    let rows: Vec<&'static Command> = shards::commands::string::ROWS.iter().collect();
    hold_for_seeds(1000..1060, 400, &rows, replayed_is_the_same);
}

#[test]
fn replaying_the_effects_of_hash_calls_gives_the_same_state() {
    let mut rows: Vec<&'static Command> = shards::commands::hash::ROWS.iter().collect();
    let keys = ["del", "rename", "copy", "expire", "move"];
    rows.extend(shards::commands::generic::ROWS.iter().filter(|row| keys.contains(&row.name)));
    hold_for_seeds(3000..3060, 400, &rows, replayed_is_the_same);
}

/// A call on one of two streams, their groups and consumers, so that calls meet.
fn stream_call(rng: &mut Prng) -> String {
    let (n, key) = (rng.below(12), ["s", "t"][rng.below(2) as usize]);
    let (group, consumer) = (["g", "h"][rng.below(2) as usize], ["a", "b", "c"][rng.below(3) as usize]);
    let id = format!("{}-{}", rng.below(30), rng.below(3));
    let about = ["~", "="][rng.below(2) as usize];
    let last = ["", " JUSTID"][rng.below(2) as usize];
    match rng.below(26) {
        0..=3 => format!("XADD {key} * f {n}"),
        4 => format!("XADD {key} {}-* f {n} g {n}", 1_700_000_000_000 + rng.below(90_000)),
        5 => format!("XADD {key} MAXLEN {about} {n} * f {n}"),
        6 => format!("XADD {key} MINID {about} {} * f {n}", 1_700_000_000_000 + rng.below(9_000)),
        7 => format!("XTRIM {key} MAXLEN ~ {n} LIMIT 4"),
        8 => format!("XTRIM {key} MAXLEN {n}"),
        9 => format!("XADD {key} {id} f {n}"),
        10 => format!("XGROUP CREATE {key} {group} 0 MKSTREAM"),
        11 => format!("XGROUP SETID {key} {group} {id}"),
        12..=15 => format!("XREADGROUP GROUP {group} {consumer} COUNT {} STREAMS {key} >", n / 3),
        16 => format!("XREADGROUP GROUP {group} {consumer} NOACK COUNT 1 STREAMS s t > >"),
        17 => format!("XREADGROUP GROUP {group} {consumer} COUNT {n} STREAMS {key} 0"),
        18 => format!("XAUTOCLAIM {key} {group} {consumer} {} 0 COUNT 2{last}", n * 50),
        19 => format!("XCLAIM {key} {group} {consumer} 0 {id} FORCE IDLE {n}{last} LASTID {id}"),
        20 => format!("XACK {key} {group} {id}"),
        21 => format!("XGROUP DELCONSUMER {key} {group} {consumer}"),
        22 => format!("XDEL {key} {id}"),
        23 if n == 0 => format!("XGROUP DESTROY {key} {group}"),
        24 if n == 0 => format!("DEL {key}"),
        25 if n == 0 => "COPY s t REPLACE".to_string(),
        _ => format!("XCLAIM {key} {group} {consumer} {n} {id} {id} RETRYCOUNT {n}"),
    }
}

#[test]
fn replaying_the_effects_of_stream_calls_gives_the_same_state() {
    for seed in 0..60 {
        let mut rng = Prng::new(seed);
        let argv = |call: String| call.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        // Ids of small numbers come first, then those of the clock.
        let early = (1..20).map(|ms| format!("XADD s {ms}-1 f {ms}"));
        let early: Vec<Step> = early.map(|call| Step { wait_ms: 0, argv: argv(call) }).collect();
        let late = (0..400).map(|_| Step { wait_ms: rng.below(3) as i64 * 40, argv: argv(stream_call(&mut rng)) });
        let steps: Vec<Step> = early.into_iter().chain(late).collect();
        replayed_is_the_same(seed, &steps).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
