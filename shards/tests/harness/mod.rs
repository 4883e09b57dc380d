//! What the random tests share: sequences of calls, running them until something is wrong, and making them short.

use std::panic::{AssertUnwindSafe, catch_unwind};

use shards::command::Command;
use shards::exec::Limits;
use shards::generate::{Generator, shrink};
use shards::transcript::{Bare, START_MS, show};

/// A call some time after the one before.
#[derive(Clone, Debug)]
pub struct Step {
    pub wait_ms: i64,
    pub argv: Vec<Vec<u8>>,
}

impl Step {
    pub fn show(&self) -> String {
        let args: Vec<String> = self.argv.iter().map(|arg| format!("\"{}\"", show(arg).replace('\n', "\\r\\n"))).collect();
        format!("+{}ms {}", self.wait_ms, args.join(" "))
    }
}

/// `count` calls of `rows`; the clock moves on now and then, so that short times to live end.
pub fn steps(seed: u64, count: usize, rows: &[&'static Command]) -> Vec<Step> {
    let mut generator = Generator::new(seed);
    generator.now_ms = START_MS;
    (0..count)
        .map(|_| {
            let wait_ms = if generator.one_in(6) { generator.rng.below(1500) as i64 } else { 0 };
            generator.now_ms += wait_ms;
            Step { wait_ms, argv: generator.call(rows) }
        })
        .collect()
}

/// A shard whose strings stay small, so that no random offset costs memory.
pub fn bare(seed: u64) -> Bare {
    let mut bare = Bare::new(seed);
    bare.shard.set_limits(Limits { string_bytes_max: 1 << 16, ..Limits::default() });
    bare
}

/// Runs `check` over random calls of every seed; on a failure prints the seed and a short sequence that still fails.
pub fn hold_for_seeds(
    seeds: std::ops::Range<u64>, count: usize, rows: &[&'static Command], check: fn(u64, &[Step]) -> Result<(), String>,
) {
    let run = |seed, steps: &[Step]| {
        catch_unwind(AssertUnwindSafe(|| check(seed, steps))).unwrap_or_else(|_| Err("it panicked".into()))
    };
    for seed in seeds {
        let all = steps(seed, count, rows);
        if run(seed, &all).is_ok() {
            continue;
        }
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let short = shrink(&all, |steps| run(seed, steps).is_err());
        std::panic::set_hook(hook);
        let error = run(seed, &short).expect_err("a shrunk sequence still fails");
        let text: Vec<String> = short.iter().map(Step::show).collect();
        panic!("seed {seed}: {error}\n{}", text.join("\n"));
    }
}
