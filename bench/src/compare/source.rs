//! Who sends the load of a comparison: our own threads, or a program with the command line of redis-benchmark.
//!
//! The project's own aims are stated with redis-benchmark, so it can be the source: same tests, clients, pipeline,
//! value size, keyspace and number of requests; its `--csv` output is read, by the names in its head line, since the
//! columns differ between versions. It says nothing of p99.9 and, in quiet modes, nothing of errors: an error reply
//! ends it, which ends the comparison with its message.

use crate::catalogue::{Workload, named_test};
use crate::cli::CompareArgs;
use crate::compare::server::{Server, spawn};
use crate::keys::Distribution;
use crate::load::run::run;
use crate::sys;
use crate::target::Target;
use hdrhistogram::Histogram;
use std::process::{Command, Stdio};

/// One measurement.
#[derive(Debug)]
pub struct Measure {
    /// Requests per second.
    pub rate: f64,
    /// Requests answered, warm-up included.
    pub replies: u64,
    /// Error replies.
    pub errors: u64,
    /// Median latency.
    pub p50_us: Option<f64>,
    /// 99th percentile.
    pub p99_us: Option<f64>,
    /// 99.9th percentile.
    pub p999_us: Option<f64>,
    /// All latencies, if the source gives them.
    pub latency: Option<Histogram<u64>>,
}

/// The sender and its row of tests.
#[derive(Debug)]
pub enum Source {
    /// Our own threads.
    Own(Vec<Workload>),
    /// A program, and the names of its tests.
    Program(String, Vec<String>),
}

impl Source {
    /// What the options ask for.
    pub fn new(args: &CompareArgs) -> Result<Source, String> {
        let Some(program) = &args.with else { return args.load.workloads(&[]).map(Source::Own) };
        if args.load.keys != Distribution::Uniform || args.load.data_size.0 != args.load.data_size.1 {
            return Err(format!("{program} knows only uniform keys and one size of value"));
        }
        if args.load.warmup > 0.0 {
            return Err(format!("{program} knows no warm-up"));
        }
        let tests = args.load.tests.as_deref().unwrap_or("set,get");
        Ok(Source::Program(program.clone(), tests.split(',').map(|t| t.trim().to_string()).collect()))
    }

    /// How many tests there are.
    pub fn tests(&self) -> usize {
        match self {
            Source::Own(loads) => loads.len(),
            Source::Program(_, tests) => tests.len(),
        }
    }

    /// A test's name.
    pub fn name(&self, test: usize) -> &str {
        match self {
            Source::Own(loads) => &loads[test].name,
            Source::Program(_, tests) => &tests[test],
        }
    }

    /// Runs a test against `server`.
    pub fn run(&self, test: usize, pipeline: u32, server: &Server, args: &CompareArgs) -> Result<Measure, String> {
        match self {
            Source::Own(loads) => run_own(&loads[test], pipeline, server, args),
            Source::Program(program, tests) => run_program(program, &tests[test], pipeline, server, args),
        }
    }
}

fn run_own(load: &Workload, pipeline: u32, server: &Server, args: &CompareArgs) -> Result<Measure, String> {
    let mut settings = args.load.settings();
    settings.pipeline = pipeline as usize;
    let outcome = run(&server.target, load, &settings).map_err(|e| format!("{}: {e}", server.name))?;
    let latency = outcome.tally.latency();
    let us = |q| Some(latency.value_at_quantile(q) as f64 / 1000.0);
    if outcome.tally.unanswered > 0 {
        return Err(format!("{}: {} requests of {} were never answered", server.name, outcome.tally.unanswered, load.name));
    }
    let wrong: u64 = outcome.tally.commands.iter().map(|c| c.mismatches).sum();
    if wrong > 0 {
        return Err(format!("{}: {wrong} values differed from what was written", server.name));
    }
    Ok(Measure {
        rate: outcome.rate(),
        replies: outcome.tally.replies,
        errors: outcome.tally.errors(),
        p50_us: us(0.5),
        p99_us: us(0.99),
        p999_us: us(0.999),
        latency: Some(latency),
    })
}

/// Writes `keys` keys in order, each once, with our own threads.
pub fn preload(server: &Server, keys: u64, args: &CompareArgs) -> Result<(), String> {
    let mut settings = args.load.settings();
    settings.distribution = Distribution::Sequential;
    settings.keyspace = keys;
    settings.requests = Some(keys);
    (settings.seconds, settings.rate, settings.warmup_seconds) = (None, None, 0.0);
    settings.pipeline = settings.pipeline.max(64);
    let set = Workload::single(named_test("set", &settings.values)?);
    load_all(server, &set, &settings)
}

/// Runs `load` and insists that every request succeeded.
pub fn load_all(server: &Server, load: &Workload, settings: &crate::load::run::Settings) -> Result<(), String> {
    let outcome = run(&server.target, load, settings).map_err(|e| format!("{}: {e}", server.name))?;
    if sys::stopping() {
        return Err("interrupted".into());
    }
    let wanted = settings.requests.unwrap_or(0);
    if outcome.tally.errors() > 0 || outcome.tally.recorded() != wanted {
        let texts: Vec<_> = outcome.tally.commands.iter().flat_map(|c| c.error_texts.keys().cloned()).collect();
        let written = outcome.tally.recorded() - outcome.tally.errors();
        return Err(format!("{}: {written} of {wanted} keys were written; errors: {texts:?}", server.name));
    }
    Ok(())
}

fn program_arguments(test: &str, pipeline: u32, target: &Target, args: &CompareArgs) -> Vec<String> {
    let load = &args.load;
    let mut words: Vec<String> = match target {
        Target::Tcp(host, port) => vec!["-h".into(), host.clone(), "-p".into(), port.to_string()],
        Target::Unix(path) => vec!["-s".into(), path.to_string_lossy().into_owned()],
    };
    let mut add = |flag: &str, value: String| words.extend([flag.to_string(), value]);
    add("-t", test.to_string());
    add("-c", load.clients.to_string());
    add("-P", pipeline.to_string());
    add("-d", load.data_size.0.to_string());
    add("-r", load.keyspace.to_string());
    add("-n", load.requests.unwrap_or(100_000).to_string());
    if load.threads > 1 {
        add("--threads", load.threads.to_string());
    }
    if load.db > 0 {
        add("--dbnum", load.db.to_string());
    }
    if let Some(user) = &load.user {
        add("--user", user.clone());
    }
    if let Some(password) = &load.password {
        add("-a", password.clone());
    }
    if load.resp == 3 {
        words.push("-3".into());
    }
    words.push("--csv".into());
    words
}

fn run_program(program: &str, test: &str, pipeline: u32, server: &Server, args: &CompareArgs) -> Result<Measure, String> {
    let mut command = Command::new(program);
    command.args(program_arguments(test, pipeline, &server.target, args));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = spawn(command, &args.load.cpus.0).map_err(|e| format!("{program}: {e}"))?;
    let pid = child.id();
    let waiting = std::thread::spawn(move || child.wait_with_output());
    while !waiting.is_finished() {
        if sys::stopping() {
            sys::terminate(pid);
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let output = waiting.join().expect("the waiting thread does not panic").map_err(|e| format!("{program}: {e}"))?;
    if sys::stopping() {
        return Err("interrupted".into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let requests = args.load.requests.unwrap_or(100_000);
    parse_csv(&text, requests).map_err(|e| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("{program} -t {test} against {}: {e}: {} {}", server.name, text.trim(), said.trim())
    })
}

/// Reads the first result of `--csv` output. A test that is a group (ping, lrange) has several lines; its requests
/// could not be told apart, so it is refused: name one test.
fn parse_csv(text: &str, requests: u64) -> Result<Measure, String> {
    // A progress line without a newline may stand before the head; carriage returns separate them.
    let lines = text.lines().map(|l| l.rsplit('\r').next().unwrap_or(l));
    let lines: Vec<&str> = lines.filter(|l| l.starts_with('"')).collect();
    let fields = |line: &str| line.split("\",\"").map(|f| f.trim_matches('"').to_string()).collect::<Vec<_>>();
    let [head, line] = lines.as_slice() else {
        return Err(format!("{} lines of results instead of one", lines.len().saturating_sub(1)));
    };
    let (head, line) = (fields(head), fields(line));
    let field = |name: &str| line.get(head.iter().position(|h| h == name)?)?.parse::<f64>().ok();
    Ok(Measure {
        rate: field("rps").ok_or("no column rps")?,
        replies: requests,
        errors: 0,
        p50_us: field("p50_latency_ms").map(|ms| ms * 1000.0),
        p99_us: field("p99_latency_ms").map(|ms| ms * 1000.0),
        p999_us: field("p99.9_latency_ms").map(|ms| ms * 1000.0),
        latency: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\
        \"MSET (10 keys)\",\"90909.09\",\"0.300\",\"0.080\",\"0.287\",\"0.399\",\"0.567\",\"1.063\"\n";

    #[test]
    fn the_csv_of_redis_benchmark_is_read_by_its_head() {
        let measure = parse_csv(CSV, 1000).expect("valid");
        assert_eq!((measure.rate, measure.replies), (90909.09, 1000));
        assert_eq!((measure.p50_us, measure.p99_us, measure.p999_us), (Some(287.0), Some(567.0), None));
    }

    #[test]
    fn csv_without_a_result_or_with_several_is_refused() {
        assert!(parse_csv("", 1).is_err());
        assert!(parse_csv(CSV.lines().next().expect("a head"), 1).is_err());
        let twice = format!("{CSV}{}", CSV.lines().nth(1).expect("a result"));
        assert!(parse_csv(&twice, 1).is_err());
        assert!(parse_csv("Could not connect", 1).is_err());
    }
}
