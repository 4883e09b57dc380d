//! Random numbers that a seed repeats.
//!
//! A benchmark that cannot be repeated cannot be argued about, so every random choice of a run (which key, which
//! command, how long a value, when the next arrival) comes from a generator seeded by `--seed` and the place of the
//! connection. It is xoshiro256++ (Blackman and Vigna, public domain): four words of state, a few instructions a
//! number, and far better than the C library's `random()` in the low bits. The four words are filled by splitmix64, as
//! its authors advise, so that neighbouring seeds do not give related streams.

/// A stream of random numbers, repeatable from its seed.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

/// One step of splitmix64; also used as a cheap mixing function of one number.
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// A stream for `seed`; equal seeds give equal streams.
    pub fn new(seed: u64) -> Rng {
        let mut at = seed;
        let state = std::array::from_fn(|_| {
            at = at.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(at)
        });
        Rng { state }
    }

    /// A stream of its own for one connection of a run: related to no other connection's.
    pub fn for_connection(seed: u64, connection: u64) -> Rng {
        Rng::new(mix(seed) ^ mix(connection.wrapping_add(1)))
    }

    /// The next 64 random bits.
    pub fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let out = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        out
    }

    /// A number below `n`, by multiplication instead of division (the bias is below n / 2^64).
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "a number below zero was asked for");
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// A number in [0, 1) with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The time to the next arrival of a Poisson process, in units of its mean.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream_and_another_seed_another() {
        let take = |seed| {
            let mut rng = Rng::new(seed);
            (0..100).map(move |_| rng.next()).collect::<Vec<_>>()
        };
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }

    #[test]
    fn connections_of_one_run_draw_different_numbers() {
        let mut first: Vec<u64> = (0..1000).map(|c| Rng::for_connection(1, c).next()).collect();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 1000);
    }

    #[test]
    fn below_covers_its_range_evenly_and_never_leaves_it() {
        let mut rng = Rng::new(3);
        let mut seen = [0u32; 10];
        for _ in 0..100_000 {
            seen[rng.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (9_500..10_500).contains(&n)), "{seen:?}");
    }

    #[test]
    fn exponential_has_mean_one() {
        let mut rng = Rng::new(4);
        let mean = (0..100_000).map(|_| rng.exponential()).sum::<f64>() / 100_000.0;
        assert!((0.98..1.02).contains(&mean), "{mean}");
    }
}
