//! Random calls of every command over a bare shard, well-formed and damaged: nothing panics, every call gets exactly one
//! well-formed reply, an error changes nothing, and the shard stays sound. The clock, ticks and evictions run in between.
//!
//! Seeds follow on one another until the time is over: `RINGKEY_FUZZ_SECONDS`, or a few seconds. `RINGKEY_SEED` says where
//! they begin.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test may look at the clock

mod harness;

use harness::{Step, bare, hold_for_seeds};
use shards::command::Command;
use shards::commands::FAMILIES;
use shards::reply::Resp;
use shards::transcript::resp::reply_len;
use std::time::{Duration, Instant};

/// Seeds between looks at the clock.
const SEEDS: u64 = 20;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn stays_sound(seed: u64, steps: &[Step]) -> Result<(), String> {
    let mut bare = bare(seed);
    bare.resp = if seed.is_multiple_of(2) { Resp::V2 } else { Resp::V3 };
    for (turn, step) in steps.iter().enumerate() {
        bare.now_ms += step.wait_ms;
        let dirty = bare.shard.effects().dirty();
        let reply = bare.call(&step.argv);
        if reply_len(&reply) != Some(reply.len()) {
            return Err(format!("{} answers {:?}", step.show(), String::from_utf8_lossy(&reply)));
        }
        if reply.starts_with(b"-") && bare.shard.effects().dirty() != dirty {
            return Err(format!("{} answers an error and changes something", step.show()));
        }
        bare.shard.effects().clear();
        if turn % 8 == 0 {
            bare.shard.check_invariants();
        }
        if turn % 16 == 0 {
            bare.shard.tick(bare.now_ms, 16);
            bare.shard.effects().clear();
        }
    }
    bare.shard.check_invariants();
    Ok(())
}

#[test]
fn random_calls_of_every_command_leave_a_sound_shard() {
    let rows: Vec<&'static Command> = FAMILIES.iter().flat_map(|family| family.iter()).collect();
    let end = Instant::now() + Duration::from_secs(number("RINGKEY_FUZZ_SECONDS", 4));
    let first = number("RINGKEY_SEED", 1);
    let mut seed = first;
    while seed == first || Instant::now() < end {
        hold_for_seeds(seed..seed + SEEDS, 300, &rows, stays_sound);
        seed += SEEDS;
    }
    println!("seeds {first} to {seed}");
}
