//! Which key comes next.
//!
//! Four shapes of access, over the key numbers `0..keyspace`:
//!
//! - `uniform`: every key alike, the shape of valkey-benchmark's `-r`.
//! - `zipf:THETA`: key number k is drawn in proportion to 1 / (k+1)^THETA, the usual model of cache traffic. Key 0 is
//!   the hottest; servers hash keys, so it does not matter that hot keys have neighbouring numbers.
//! - `seq`: 0, 1, 2 ... and round again, over all connections and threads together, so that `-n N -r N` writes each
//!   of N keys exactly once. That is what a memory measurement needs.
//! - `hot:KEYS:HITS`: a share HITS of the draws falls on the first share KEYS of the keys, evenly inside both parts.
//!
//! Zipf numbers are drawn by rejection-inversion (Hoermann and Derflinger 1996): constant time, constant memory, exact
//! for any number of keys and any theta > 0. The usual table or zeta-sum methods need O(n) work at start, or fail at
//! theta >= 1.

use crate::random::Rng;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The shape of access, as named on the command line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Every key alike.
    Uniform,
    /// In proportion to 1 / rank^theta.
    Zipf(f64),
    /// One after the other.
    Sequential,
    /// `hits` of the draws fall on the first `keys` of the keys (both shares of one).
    Hot {
        /// The share of the keys that is hot.
        keys: f64,
        /// The share of the draws that hits them.
        hits: f64,
    },
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let numbers: Vec<f64> = parts
            .map(|p| p.parse::<f64>().map_err(|_| format!("'{p}' is not a number")))
            .collect::<Result<_, _>>()?;
        let share = |x: f64| x > 0.0 && x <= 1.0;
        match (name, numbers.as_slice()) {
            ("uniform", []) => Ok(Distribution::Uniform),
            ("seq" | "sequential", []) => Ok(Distribution::Sequential),
            ("zipf", []) => Ok(Distribution::Zipf(0.99)),
            ("zipf", &[theta]) if theta > 0.0 && theta < 10.0 => Ok(Distribution::Zipf(theta)),
            ("hot", []) => Ok(Distribution::Hot { keys: 0.2, hits: 0.8 }),
            ("hot", &[keys, hits]) if share(keys) && share(hits) => Ok(Distribution::Hot { keys, hits }),
            _ => Err(format!("'{text}': expected uniform, zipf[:THETA], seq or hot[:KEYS:HITS]")),
        }
    }
}

/// Draws key numbers of one shape.
#[derive(Clone, Debug)]
pub struct KeySource {
    keyspace: u64,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Uniform,
    Zipf(Zipf),
    Sequential(Arc<AtomicU64>),
    Hot { keys: u64, hits: f64 },
}

impl KeySource {
    /// A source over `0..keyspace`. Clones of a sequential source continue one common count.
    pub fn new(distribution: Distribution, keyspace: u64) -> KeySource {
        assert!(keyspace > 0, "a keyspace without keys");
        let shape = match distribution {
            Distribution::Uniform => Shape::Uniform,
            Distribution::Zipf(theta) => Shape::Zipf(Zipf::new(keyspace, theta)),
            Distribution::Sequential => Shape::Sequential(Arc::new(AtomicU64::new(0))),
            Distribution::Hot { keys, hits } => {
                Shape::Hot { keys: ((keyspace as f64 * keys) as u64).clamp(1, keyspace), hits }
            }
        };
        KeySource { keyspace, shape }
    }

    /// The next key number.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        match &self.shape {
            Shape::Uniform => rng.below(self.keyspace),
            Shape::Zipf(zipf) => zipf.draw(rng) - 1,
            Shape::Sequential(next) => next.fetch_add(1, Ordering::Relaxed) % self.keyspace,
            Shape::Hot { keys, hits } => {
                if rng.unit() < *hits || *keys == self.keyspace {
                    rng.below(*keys)
                } else {
                    keys + rng.below(self.keyspace - keys)
                }
            }
        }
    }
}

/// Zipf numbers in 1..=n by rejection-inversion: draw from the integral of x^-theta, which is easy to invert, round to
/// the next whole number, and reject what rounding got wrong (about one draw in ten, for theta near one).
#[derive(Clone, Debug)]
struct Zipf {
    n: f64,
    theta: f64,
    h_first: f64,
    h_last: f64,
    /// Distance from x to its rounded value below which no test is needed.
    accept: f64,
}

impl Zipf {
    fn new(n: u64, theta: f64) -> Zipf {
        let mut zipf = Zipf { n: n as f64, theta, h_first: 0.0, h_last: 0.0, accept: 0.0 };
        zipf.h_first = zipf.integral(1.5) - 1.0;
        zipf.h_last = zipf.integral(zipf.n + 0.5);
        zipf.accept = 2.0 - zipf.inverse(zipf.integral(2.5) - 2f64.powf(-theta));
        zipf
    }

    /// The integral of t^-theta from 1 to x; the logarithm at theta = 1.
    fn integral(&self, x: f64) -> f64 {
        let e = 1.0 - self.theta;
        if e.abs() < 1e-9 { x.ln() } else { (e * x.ln()).exp_m1() / e }
    }

    fn inverse(&self, y: f64) -> f64 {
        let e = 1.0 - self.theta;
        if e.abs() < 1e-9 { y.exp() } else { ((y * e).max(-1.0).ln_1p() / e).exp() }
    }

    fn draw(&self, rng: &mut Rng) -> u64 {
        loop {
            let u = self.h_last + rng.unit() * (self.h_first - self.h_last);
            let x = self.inverse(u);
            let k = x.round().clamp(1.0, self.n);
            if k - x <= self.accept || u >= self.integral(k + 0.5) - k.powf(-self.theta) {
                return k as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(distribution: &str, keyspace: u64, draws: u64) -> Vec<u64> {
        let source = KeySource::new(distribution.parse().expect("a known shape"), keyspace);
        let mut rng = Rng::new(11);
        let mut seen = vec![0; keyspace as usize];
        for _ in 0..draws {
            seen[source.draw(&mut rng) as usize] += 1;
        }
        seen
    }

    #[test]
    fn uniform_reaches_every_key_alike() {
        let seen = counts("uniform", 100, 200_000);
        assert!(seen.iter().all(|&n| (1_700..2_300).contains(&n)), "{seen:?}");
    }

    #[test]
    fn zipf_falls_as_the_power_of_the_rank_for_every_theta() {
        for theta in [0.5, 0.99, 1.0, 1.3] {
            let draws = 400_000;
            let seen = counts(&format!("zipf:{theta}"), 1000, draws);
            let norm: f64 = (1..=1000).map(|k| f64::from(k).powf(-theta)).sum();
            for k in [1u32, 2, 3, 10, 50] {
                let expected = draws as f64 * f64::from(k).powf(-theta) / norm;
                let got = seen[k as usize - 1] as f64;
                assert!((got - expected).abs() < 6.0 * expected.sqrt() + 1.0, "theta {theta} rank {k}: {got} for {expected}");
            }
        }
    }

    #[test]
    fn zipf_of_one_key_always_draws_it() {
        assert_eq!(counts("zipf:1.2", 1, 1000), vec![1000]);
    }

    #[test]
    fn sequential_clones_share_one_count_and_come_round_again() {
        let source = KeySource::new(Distribution::Sequential, 5);
        let other = source.clone();
        let mut rng = Rng::new(0);
        let drawn: Vec<u64> = (0..7).map(|i| if i % 2 == 0 { source.draw(&mut rng) } else { other.draw(&mut rng) }).collect();
        assert_eq!(drawn, [0, 1, 2, 3, 4, 0, 1]);
    }

    #[test]
    fn the_hot_share_of_the_keys_gets_its_share_of_the_hits() {
        let seen = counts("hot:0.1:0.9", 1000, 100_000);
        let hot: u64 = seen[..100].iter().sum();
        assert!((89_000..91_000).contains(&hot), "{hot}");
        assert!(seen[100..].iter().any(|&n| n > 0));
    }

    #[test]
    fn shapes_that_make_no_sense_are_refused() {
        for text in ["", "zipf:0", "zipf:x", "hot:2:0.5", "hot:0.5", "gauss", "uniform:1"] {
            assert!(text.parse::<Distribution>().is_err(), "{text}");
        }
    }
}
