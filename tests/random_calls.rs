//! Random calls of every command of the engine, damaged ones among them: whatever they say, the server answers each and
//! goes on, however many shards it has.

#![allow(clippy::unwrap_used)] // these are tests

mod servers;

use servers::ours;
use shards::command::{Command, flag};
use shards::commands::FAMILIES;
use shards::generate::Generator;
use shards::transcript::{START_MS, show};

#[test]
fn random_calls_do_not_stop_the_server() {
    // Commands that wait would wait for as long as a random timeout says.
    let waits = |row: &&'static Command| row.flags & flag::BLOCKING != 0;
    let rows: Vec<&'static Command> = FAMILIES.iter().flat_map(|family| family.iter()).filter(|row| !waits(row)).collect();
    for shards in [1, 2, 4] {
        let target = ours(shards);
        for seed in 0..4 {
            let mut generator = Generator { now_ms: START_MS, ..Generator::new(seed) };
            let mut connection = target.connect();
            for turn in 0..1500 {
                let argv = generator.call(&rows);
                if let Err(error) = connection.call(&argv, 1) {
                    let call: Vec<String> = argv.iter().map(|arg| show(arg)).collect();
                    panic!("{shards} shards, seed {seed}, call {turn} ({}): {error}", call.join(" "));
                }
            }
        }
    }
}
