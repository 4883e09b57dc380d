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
use shards::transcript::Bare;

fn replayed_is_the_same(seed: u64, steps: &[Step]) -> Result<(), String> {
    let mut primary = bare(seed);
    let mut replica = bare(seed + 1);
    replica.shard.keyspace.keep_expired = true;
    replica.shard.keyspace.see_expired = true;
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
