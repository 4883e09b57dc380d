//! Seeds and time for random tests. A random test prints its seed; `RINGKEY_SEED=n` runs it again with that seed, and
//! `RINGKEY_SOAK_SECONDS=n` makes every random test run that long.

use shards::stdx::prng::Prng;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The seed given from outside, or a new one; printed, which a failing test shows.
pub fn seed() -> u64 {
    let given = std::env::var("RINGKEY_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64) % 1_000_000_007
    });
    println!("RINGKEY_SEED={seed}");
    seed
}

/// A generator from the seed given from outside, or a new one.
pub fn prng() -> Prng {
    Prng::new(seed())
}

/// Until when a random test goes on: `usual` seconds, or as the environment says.
pub fn deadline(usual: u64) -> Instant {
    let seconds = std::env::var("RINGKEY_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    Instant::now() + Duration::from_secs(seconds)
}
