//! Results, and the ways to write them down.
//!
//! `Results` is what `run` measured, `Comparison` what `compare` measured; `text`, `json`, `html` and `markdown` each
//! turn both into a string and touch nothing else, so rendering is tested without a run.

pub mod html;
pub mod json;
pub mod markdown;
pub mod text;

use crate::load::run::Outcome;
use hdrhistogram::Histogram;
use std::path::Path;

/// What `run` measured.
#[derive(Clone, Debug)]
pub struct Results {
    /// Names and values of the settings.
    pub settings: Vec<(String, String)>,
    /// One entry per load.
    pub runs: Vec<Run>,
}

/// One load's outcome.
#[derive(Clone, Debug)]
pub struct Run {
    /// The load.
    pub name: String,
    /// What came back.
    pub outcome: Outcome,
    /// CPU time the server used meanwhile, if its process is known.
    pub server_cpu_ns: Option<u64>,
}

impl Run {
    /// Microseconds of CPU the server spent on each request, warm-up included.
    pub fn server_cpu_us(&self) -> Option<f64> {
        let replies = self.outcome.tally.replies.max(1) as f64;
        self.server_cpu_ns.map(|ns| ns as f64 / 1000.0 / replies)
    }

    /// Microseconds of CPU the load generator spent on each request.
    pub fn client_cpu_us(&self) -> f64 {
        self.outcome.tally.client_cpu_ns as f64 / 1000.0 / self.outcome.tally.replies.max(1) as f64
    }
}

/// The median and the extremes of some rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// The spread of `samples`; `None` of none.
    pub fn of(samples: &[f64]) -> Option<Spread> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Spread { median, min, max })
    }
}

/// What `compare` measured.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The heading.
    pub title: String,
    /// Names and values of the settings.
    pub settings: Vec<(String, String)>,
    /// The servers' names; ratios are to the first.
    pub servers: Vec<String>,
    /// One row per load and pipeline depth.
    pub rows: Vec<Row>,
    /// Bytes of memory per key, per server.
    pub memory: Vec<Option<Memory>>,
}

/// One load at one pipeline depth.
#[derive(Clone, Debug)]
pub struct Row {
    /// The load.
    pub name: String,
    /// Pipeline depth.
    pub pipeline: u32,
    /// One cell per server.
    pub cells: Vec<Cell>,
}

/// One server's results in a row, over the rounds; `None` is what could not be measured.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// Requests per second.
    pub rate: Option<Spread>,
    /// Latencies in microseconds.
    pub p50_us: Option<Spread>,
    /// The 99th percentile.
    pub p99_us: Option<Spread>,
    /// The 99.9th percentile.
    pub p999_us: Option<Spread>,
    /// Server CPU microseconds per request.
    pub cpu_us: Option<Spread>,
    /// Error replies of all rounds.
    pub errors: u64,
    /// The latencies of all rounds as a curve of quantile and microseconds.
    pub curve: Vec<(f64, f64)>,
}

/// Memory of a server after a load of keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Keys loaded.
    pub keys: u64,
    /// Growth of resident memory.
    pub growth_bytes: u64,
    /// Bytes of keys and values themselves.
    pub payload_bytes: u64,
}

impl Memory {
    /// Resident bytes per key, payload included.
    pub fn per_key(&self) -> f64 {
        self.growth_bytes as f64 / self.keys as f64
    }

    /// Resident bytes per key beyond key and value.
    pub fn overhead_per_key(&self) -> f64 {
        (self.growth_bytes as f64 - self.payload_bytes as f64) / self.keys as f64
    }
}

/// The quantiles shown everywhere, and their names.
pub const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// A histogram of nanoseconds as a curve of (quantile, microseconds), denser towards the tail.
pub fn curve(latency: &Histogram<u64>) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    if latency.is_empty() {
        return points;
    }
    let tail_end = 1.0 / latency.len() as f64;
    let mut tail = 1.0;
    while tail > tail_end {
        points.push((1.0 - tail, latency.value_at_quantile(1.0 - tail) as f64 / 1000.0));
        tail /= 10f64.powf(0.1);
    }
    points.push((1.0 - tail_end, latency.max() as f64 / 1000.0));
    points
}

/// A number with thousands apart, or with few decimals if it is small.
pub fn number(x: f64) -> String {
    if x.abs() < 10.0 {
        return format!("{x:.2}");
    }
    if x.abs() < 1000.0 {
        return format!("{x:.1}");
    }
    let digits = format!("{:.0}", x.abs());
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(' ');
        }
        out.push(c);
    }
    if x < 0.0 { format!("-{out}") } else { out }
}

/// Writes a rendering to a file, if one was named.
pub fn write(file: Option<&Path>, render: impl FnOnce() -> String) -> Result<(), String> {
    match file {
        Some(path) => std::fs::write(path, render()).map_err(|e| format!("{}: {e}", path.display())),
        None => Ok(()),
    }
}

#[cfg(test)]
pub mod samples {
    //! Small made-up results for the tests of the renderings.
    use super::*;
    use crate::load::tally::Tally;

    /// Two commands, one with an error.
    pub fn results() -> Results {
        let mut tally = Tally::new(["GET", "SET <&>"].into_iter());
        tally.commands[0].record(100_000, 990);
        tally.commands[0].record(2_000_000, 10);
        tally.commands[1].record(50_000, 1);
        tally.commands[1].record_error(b"ERR \"no\"");
        tally.replies = 1001;
        let outcome = Outcome { tally, elapsed_ns: 500_000_000 };
        let run = Run { name: "mix".into(), outcome, server_cpu_ns: Some(5_005_000) };
        Results { settings: vec![("clients".into(), "50".into())], runs: vec![run] }
    }

    /// Two servers, the second twice as fast.
    pub fn comparison() -> Comparison {
        let cell = |rate: f64| Cell {
            rate: Spread::of(&[rate, rate * 1.1, rate * 0.9]),
            p50_us: Spread::of(&[100.0]),
            cpu_us: Spread::of(&[1e6 / rate]),
            curve: vec![(0.0, 10.0), (0.9, 100.0), (0.999, 1000.0)],
            ..Cell::default()
        };
        let row = Row { name: "GET".into(), pipeline: 16, cells: vec![cell(100_000.0), cell(200_000.0)] };
        let memory = |growth_bytes| Some(Memory { keys: 1000, growth_bytes, payload_bytes: 32_000 });
        Comparison {
            title: "A | B".into(),
            settings: vec![("rounds".into(), "3".into())],
            servers: vec!["old".into(), "new".into()],
            rows: vec![row],
            memory: vec![memory(100_000), memory(42_000)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(Spread::of(&[4.0, 1.0, 3.0, 2.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn numbers_are_short_and_readable() {
        let shown: Vec<String> = [0.5, 12.34, 999.96, 1234567.0, -4321.0].iter().map(|&x| number(x)).collect();
        assert_eq!(shown, ["0.50", "12.3", "1000.0", "1 234 567", "-4 321"]);
    }

    #[test]
    fn a_curve_ends_at_the_maximum_and_never_falls() {
        let latency = samples::results().runs[0].outcome.tally.latency();
        let curve = curve(&latency);
        assert!(curve.windows(2).all(|w| w[0].1 <= w[1].1 && w[0].0 <= w[1].0));
        assert!((curve.last().expect("points").1 - 2000.0).abs() < 5.0);
    }

    #[test]
    fn memory_counts_what_is_beyond_the_payload() {
        let memory = samples::comparison().memory[1].expect("measured");
        assert_eq!((memory.per_key(), memory.overhead_per_key()), (42.0, 10.0));
    }
}
