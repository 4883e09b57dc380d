//! Several servers, the same load, side by side.
//!
//! One server's figures vary by a tenth or more from minute to minute on a shared machine, so a comparison must not
//! measure one server first and the other later. Each round visits every server with every load, and the order of the
//! servers turns by one place a round; what is reported is the median over the rounds with the extremes beside it.
//!
//! - `server`: a server that was started (pinned, in a folder of its own, stopped by its own pid) or pointed at.
//! - `source`: who sends the load: our own threads or a redis-benchmark program.
//! - `memory`: resident bytes per key, in a fresh instance of each server.
//!
//! CPU time of a server is read from `/proc` before and after each load and divided by all requests it answered. All
//! servers stay up for all rounds; an idle one costs nothing that matters.

mod memory;
mod server;
mod source;

use crate::cli::CompareArgs;
use crate::proc;
use crate::report::{self, Cell, Comparison, Row, Spread};
use crate::sys;
use hdrhistogram::Histogram;
use server::{Server, Spec};
use source::{Measure, Source};

/// Samples of one server in one row.
#[derive(Debug, Default)]
struct Samples {
    rate: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
    p999_us: Vec<f64>,
    cpu_us: Vec<f64>,
    errors: u64,
    latency: Option<Histogram<u64>>,
}

impl Samples {
    fn add(&mut self, measure: Measure, cpu_ns: Option<u64>) {
        self.rate.push(measure.rate);
        self.p50_us.extend(measure.p50_us);
        self.p99_us.extend(measure.p99_us);
        self.p999_us.extend(measure.p999_us);
        self.cpu_us.extend(cpu_ns.map(|ns| ns as f64 / 1000.0 / measure.replies.max(1) as f64));
        self.errors += measure.errors;
        match (&mut self.latency, measure.latency) {
            (Some(all), Some(new)) => all.add(&new).expect("equal bounds"),
            (all @ None, new) => *all = new,
            (Some(_), None) => {}
        }
    }

    fn cell(&self) -> Cell {
        Cell {
            rate: Spread::of(&self.rate),
            p50_us: Spread::of(&self.p50_us),
            p99_us: Spread::of(&self.p99_us),
            p999_us: Spread::of(&self.p999_us),
            cpu_us: Spread::of(&self.cpu_us),
            errors: self.errors,
            curve: self.latency.as_ref().map(report::curve).unwrap_or_default(),
        }
    }
}

/// `compare`: measures and reports.
pub fn compare(args: &CompareArgs) -> Result<(), String> {
    let comparison = measure(args)?;
    print!("{}", report::text::comparison(&comparison));
    report::write(args.output.json.as_deref(), || report::json::comparison(&comparison))?;
    report::write(args.output.html.as_deref(), || report::html::comparison(&comparison))?;
    report::write(args.output.markdown.as_deref(), || report::markdown::comparison(&comparison))
}

/// Measures memory, then the loads round by round.
pub fn measure(args: &CompareArgs) -> Result<Comparison, String> {
    let specs = args.servers.iter().map(|text| Spec::parse(text, &args.pids)).collect::<Result<Vec<_>, _>>()?;
    if let Some(stray) = args.pids.iter().find(|p| !specs.iter().any(|s| p.starts_with(&format!("{}=", s.name)))) {
        return Err(format!("--pid {stray}: no server has that name"));
    }
    let mut memory = vec![None; specs.len()];
    let mut versions = vec![None; specs.len()];
    if let Some(keys) = args.memory {
        for (i, spec) in specs.iter().enumerate() {
            say(args, &format!("memory of {}", spec.name));
            let server = Server::start(spec, args)?;
            versions[i] = server.version(&args.load.settings().greeting);
            memory[i] = Some(memory::measure(&server, keys, args)?);
        }
    }
    let rows = if args.memory_only {
        Vec::new()
    } else {
        let servers = specs.iter().map(|s| Server::start(s, args)).collect::<Result<Vec<_>, _>>()?;
        versions = servers.iter().map(|s| s.version(&args.load.settings().greeting)).collect();
        measure_rounds(args, &servers)?
    };
    Ok(Comparison {
        title: args.title.clone(),
        settings: described(args, &specs, &versions),
        servers: specs.iter().map(|s| s.name.clone()).collect(),
        rows,
        memory,
    })
}

fn measure_rounds(args: &CompareArgs, servers: &[Server]) -> Result<Vec<Row>, String> {
    let source = Source::new(args)?;
    let depths = if args.pipelines.is_empty() { vec![args.load.pipeline] } else { args.pipelines.clone() };
    if depths.contains(&0) {
        return Err("--pipelines: a depth of zero sends nothing".into());
    }
    for server in servers {
        if let Some(keys) = args.preload {
            say(args, &format!("preload of {}", server.name));
            source::preload(server, keys, args)?;
        }
    }
    let mut rows: Vec<(String, u32, Vec<Samples>)> = Vec::new();
    'rounds: for round in 0..args.rounds as usize {
        for turn in 0..servers.len() {
            let place = (turn + round) % servers.len();
            for (d, &depth) in depths.iter().enumerate() {
                for test in 0..source.tests() {
                    let row = d * source.tests() + test;
                    if rows.len() == row {
                        rows.push((source.name(test).to_string(), depth, servers.iter().map(|_| Samples::default()).collect()));
                    }
                    let server = &servers[place];
                    say(args, &format!("round {}: {}, {}, pipeline {depth}", round + 1, server.name, source.name(test)));
                    let before = server.cpu_ns();
                    let measure = source.run(test, depth, server, args);
                    let after = server.cpu_ns();
                    if sys::stopping() {
                        break 'rounds; // what was measured before is still worth reporting
                    }
                    let measure = measure?;
                    rows[row].2[place].add(measure, before.zip(after).map(|(b, a)| a.saturating_sub(b)));
                }
            }
        }
    }
    let finish = |(name, pipeline, samples): (String, u32, Vec<Samples>)| {
        Row { name, pipeline, cells: samples.iter().map(Samples::cell).collect() }
    };
    Ok(rows.into_iter().map(finish).collect())
}

fn say(args: &CompareArgs, what: &str) {
    if !args.load.quiet {
        eprintln!("# {what}");
    }
}

fn described(args: &CompareArgs, specs: &[Spec], versions: &[Option<String>]) -> Vec<(String, String)> {
    let mut out = vec![("machine".to_string(), proc::machine())];
    for (spec, version) in specs.iter().zip(versions) {
        let version = version.as_ref().map(|v| format!(" ({v})")).unwrap_or_default();
        out.push((format!("server {}", spec.name), format!("{}{version}", spec.described())));
    }
    if !args.server_cpus.0.is_empty() {
        out.push(("server CPUs".into(), args.server_cpus.to_string()));
    }
    if !args.memory_only {
        out.push(("rounds".into(), args.rounds.to_string()));
        out.push(("load from".into(), args.with.clone().unwrap_or_else(|| "ringkey-benchmark".into())));
    }
    out.extend(args.load.described());
    if let Some(keys) = args.memory {
        let expiry = if args.memory_ttl { ", with an expiry" } else { "" };
        out.push(("memory".into(), format!("{keys} keys of 16 bytes{expiry}")));
    }
    out
}
