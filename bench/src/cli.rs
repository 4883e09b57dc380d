//! The command line.
//!
//! Short options mean what they mean in valkey-benchmark (`-h -p -s -c -n -P -d -r -t -a`), so habits and scripts carry
//! over; that is why help is `--help` alone. The long ones are ours. Options that describe the load are common to
//! `run` and `compare`.

use crate::catalogue::{self, Workload};
use crate::keys::Distribution;
use crate::load::run::Settings;
use crate::load::schedule::Arrival;
use crate::target::{Greeting, Target};
use crate::template::{Template, Values, split_words};
use clap::{ArgAction, Args, Parser, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Measures servers that speak RESP: throughput, latency, CPU time and memory.
#[derive(Debug, Parser)]
#[command(name = "ringkey-benchmark", version, disable_help_flag = true)]
pub struct Cli {
    /// Print help.
    #[arg(long, action = ArgAction::Help, global = true)]
    help: Option<bool>,
    /// What to do.
    #[command(subcommand)]
    pub command: Action,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Send a load to one server and report throughput and latencies.
    #[command(disable_help_flag = true)]
    Run(Box<RunArgs>),
    /// Send the same load to several servers, in turn, and report medians, CPU time per request and memory per key.
    #[command(disable_help_flag = true)]
    Compare(Box<CompareArgs>),
}

/// What to send and how.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// Named tests, one after the other, as in valkey-benchmark: set,get,incr,mset,ping,lpush,...
    #[arg(short = 't', long, value_name = "NAMES")]
    pub tests: Option<String>,
    /// One mix of named tests by weight: get=80,set=20.
    #[arg(long, value_name = "NAME=WEIGHT,...", conflicts_with_all = ["tests", "ratio"])]
    pub mix: Option<String>,
    /// One mix of SETs and GETs, writes:reads, as memtier's --ratio.
    #[arg(long, value_name = "W:R", conflicts_with = "tests")]
    pub ratio: Option<String>,
    /// A command of your own; several make a mix. Placeholders: __rand_int__ (a key number, 12 digits), __rand_1st__
    /// to __rand_9th__ (the same at all places of one request), __sequence__ (0, 1, 2 ...), __data__ (a value).
    #[arg(long = "command", value_name = "LINE", conflicts_with_all = ["tests", "ratio", "mix"])]
    pub commands: Vec<String>,
    /// The weights of the --command lines, in their order.
    #[arg(long = "command-weight", value_name = "N", requires = "commands")]
    pub command_weights: Vec<u64>,
    /// Connections, over all threads.
    #[arg(short = 'c', long, default_value_t = 50, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub clients: u32,
    /// Sending threads.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: u32,
    /// Pin the sending threads to these CPUs, in turn: 1 or 0-3,8.
    #[arg(long, value_name = "LIST", value_parser = parse_cpus, default_value = "")]
    pub cpus: CpuList,
    /// Requests under way on each connection at most.
    #[arg(short = 'P', long, default_value_t = 1, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub pipeline: u32,
    /// Requests per test [default: 100000 unless --seconds is given].
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: Option<u64>,
    /// End each test after this time.
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    pub seconds: Option<f64>,
    /// Send this long before anything is recorded.
    #[arg(long, default_value = "0", value_name = "S", value_parser = parse_seconds)]
    pub warmup: f64,
    /// Open loop: this many requests per second over all connections, whatever the server does; latency counts from
    /// the time a request was due (no coordinated omission).
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// Gaps between the requests of an open loop.
    #[arg(long, value_enum, default_value = "even")]
    pub arrival: Arrival,
    /// Number of different keys.
    #[arg(short = 'r', long, default_value_t = 1_000_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub keyspace: u64,
    /// How keys are chosen: uniform, zipf[:THETA], seq, hot[:KEYS:HITS] (shares of one).
    #[arg(long, default_value = "uniform", value_name = "SHAPE")]
    pub keys: Distribution,
    /// Bytes of a value: one number, or a range as 16-1024.
    #[arg(short = 'd', long, default_value = "64", value_name = "BYTES", value_parser = parse_sizes)]
    pub data_size: (usize, usize),
    /// Seed of all random choices.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Write values that follow from their keys, and compare what GET returns with them.
    #[arg(long)]
    pub verify: bool,
    /// Protocol version.
    #[arg(long, default_value_t = 2, value_name = "2|3", value_parser = clap::value_parser!(u8).range(2..=3))]
    pub resp: u8,
    /// Password (AUTH).
    #[arg(short = 'a', long, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// User of the password.
    #[arg(long, requires = "password", value_name = "NAME")]
    pub user: Option<String>,
    /// Database (SELECT).
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub db: u32,
    /// Write a progress line to stderr once a second even if it is no terminal.
    #[arg(long)]
    pub progress: bool,
    /// No progress line and no settings, only results.
    #[arg(short = 'q', long, conflicts_with = "progress")]
    pub quiet: bool,
}

/// Where results go besides the terminal.
#[derive(Args, Clone, Debug)]
pub struct OutputArgs {
    /// Also write the results as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Also write a page with latency curves (one file, no external resources).
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Also write the results as Markdown.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

/// Options of `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Host.
    #[arg(short = 'h', long, default_value = "127.0.0.1")]
    pub host: String,
    /// Port.
    #[arg(short = 'p', long, default_value_t = 6379)]
    pub port: u16,
    /// Unix socket, instead of host and port.
    #[arg(short = 's', long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The server's process: its CPU time per request is reported too.
    #[arg(long)]
    pub pid: Option<u32>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub load: LoadArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
    /// A command of your own, with placeholders (see --command).
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub words: Vec<String>,
}

/// Options of `compare`.
#[derive(Args, Debug)]
pub struct CompareArgs {
    /// A server: a name, and a command that starts it, with {port}, {dir} or {socket} replaced, or an address
    /// (host:port or unix:/path). Give it once per server; ratios are to the first.
    #[arg(long = "server", value_name = "NAME=CMD|ADDR", required = true)]
    pub servers: Vec<String>,
    /// The process behind a server given by address, for its CPU time and memory.
    #[arg(long = "pid", value_name = "NAME=PID")]
    pub pids: Vec<String>,
    /// Pin the servers that are started to these CPUs.
    #[arg(long, value_name = "LIST", value_parser = parse_cpus, default_value = "")]
    pub server_cpus: CpuList,
    /// Rounds: each visits every server once, in changing order.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Pipeline depths to run one after the other, instead of -P.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub pipelines: Vec<u32>,
    /// Let this program (redis-benchmark or valkey-benchmark) send the load.
    #[arg(long = "with", value_name = "PROGRAM", conflicts_with_all = ["mix", "ratio", "commands", "rate", "seconds", "verify"])]
    pub with: Option<String>,
    /// Also load this many keys into a fresh instance of each server and report memory per key.
    #[arg(long, value_name = "KEYS", value_parser = clap::value_parser!(u64).range(1..))]
    pub memory: Option<u64>,
    /// Give the keys of --memory an expiry.
    #[arg(long, requires = "memory")]
    pub memory_ttl: bool,
    /// Only measure memory.
    #[arg(long, requires = "memory")]
    pub memory_only: bool,
    /// Write this many keys, in order, before the first round.
    #[arg(long, value_name = "KEYS", value_parser = clap::value_parser!(u64).range(1..))]
    pub preload: Option<u64>,
    /// Wait this long for a server to answer PING.
    #[arg(long, default_value = "15", value_name = "S", value_parser = parse_seconds)]
    pub start_timeout: f64,
    /// A heading for the report.
    #[arg(long, default_value = "Comparison")]
    pub title: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub load: LoadArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
}

impl RunArgs {
    /// The server's address.
    pub fn target(&self) -> Target {
        match &self.socket {
            Some(path) => Target::Unix(path.clone()),
            None => Target::Tcp(self.host.clone(), self.port),
        }
    }
}

impl LoadArgs {
    /// How values look.
    pub fn values(&self) -> Values {
        Values::new(self.data_size.0, self.data_size.1, self.verify, self.seed)
    }

    /// The row of loads, with `words` as one more way to name a command.
    pub fn workloads(&self, words: &[String]) -> Result<Vec<Workload>, String> {
        let values = self.values();
        if !words.is_empty() {
            return Ok(vec![Workload::single(Template::new(&words.join(" "), words, &values)?)]);
        }
        if !self.commands.is_empty() {
            return self.own_mix(&values).map(|w| vec![w]);
        }
        match (&self.mix, &self.ratio) {
            (Some(mix), _) => catalogue::named_mix(mix, &values).map(|w| vec![w]),
            (_, Some(ratio)) => catalogue::ratio(ratio, &values).map(|w| vec![w]),
            _ => catalogue::named_row(self.tests.as_deref(), &values),
        }
    }

    fn own_mix(&self, values: &Values) -> Result<Workload, String> {
        let weights = &self.command_weights;
        if !weights.is_empty() && weights.len() != self.commands.len() {
            return Err("as many --command-weight as --command, or none".into());
        }
        let mut weighted = Vec::new();
        for (i, line) in self.commands.iter().enumerate() {
            let weight = weights.get(i).copied().unwrap_or(1);
            weighted.push((Template::new(line, &split_words(line)?, values)?, weight));
        }
        Workload::new(if weighted.len() == 1 { &self.commands[0] } else { "mix" }, weighted)
    }

    /// Everything but the load.
    pub fn settings(&self) -> Settings {
        Settings {
            greeting: Greeting {
                user: self.user.clone(),
                password: self.password.clone(),
                resp3: self.resp == 3,
                db: self.db,
            },
            clients: self.clients as usize,
            threads: self.threads as usize,
            cpus: self.cpus.0.clone(),
            pipeline: self.pipeline as usize,
            requests: self.requests.or(self.seconds.is_none().then_some(100_000)),
            seconds: self.seconds,
            warmup_seconds: self.warmup,
            rate: self.rate,
            arrival: self.arrival,
            distribution: self.keys,
            keyspace: self.keyspace,
            values: self.values(),
            verify: self.verify,
            seed: self.seed,
            progress: !self.quiet && (self.progress || std::io::stderr().is_terminal()),
        }
    }

    /// The settings in words, for reports.
    pub fn described(&self) -> Vec<(String, String)> {
        let settings = self.settings();
        let mut out = vec![
            ("clients".to_string(), self.clients.to_string()),
            ("threads".into(), self.threads.to_string()),
            ("keyspace".into(), format!("{} ({})", self.keyspace, shape_name(self.keys))),
            ("value bytes".into(), match self.data_size {
                (a, b) if a == b => a.to_string(),
                (a, b) => format!("{a}-{b}"),
            }),
        ];
        let mut add = |name: &str, value: Option<String>| out.extend(value.map(|v| (name.to_string(), v)));
        add("requests", settings.requests.map(|n| n.to_string()));
        add("seconds", self.seconds.map(|s| s.to_string()));
        add("warm-up seconds", (self.warmup > 0.0).then(|| self.warmup.to_string()));
        add("loop", Some(self.rate.map_or("closed".into(), |r| format!("open, {r}/s, {:?}", self.arrival).to_lowercase())));
        add("RESP", Some(self.resp.to_string()));
        add("client CPUs", (!self.cpus.0.is_empty()).then(|| self.cpus.to_string()));
        add("seed", Some(self.seed.to_string()));
        out
    }
}

fn shape_name(distribution: Distribution) -> String {
    match distribution {
        Distribution::Uniform => "uniform".into(),
        Distribution::Zipf(theta) => format!("zipf {theta}"),
        Distribution::Sequential => "sequential".into(),
        Distribution::Hot { keys, hits } => format!("{hits} of the hits on {keys} of the keys"),
    }
}

/// A list of CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuList(pub Vec<usize>);

impl std::fmt::Display for CpuList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.iter().map(usize::to_string).collect::<Vec<_>>().join(","))
    }
}

fn parse_cpus(text: &str) -> Result<CpuList, String> {
    let mut cpus = Vec::new();
    for part in text.split(',').filter(|p| !p.is_empty()) {
        let number = |t: &str| t.trim().parse::<usize>().ok().filter(|&n| n < 1024).ok_or(format!("'{t}' is no CPU"));
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(number(first)?..=number(last)?);
    }
    Ok(CpuList(cpus))
}

fn parse_sizes(text: &str) -> Result<(usize, usize), String> {
    let number = |t: &str| t.parse::<usize>().ok().filter(|&n| n <= 512 << 20).ok_or(format!("'{t}' is no size"));
    let (a, b) = text.split_once('-').unwrap_or((text, text));
    let sizes = (number(a)?, number(b)?);
    if sizes.0 > sizes.1 { Err(format!("'{text}' is upside down")) } else { Ok(sizes) }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|s| (0.0..=1e6).contains(s)).ok_or_else(|| format!("'{text}' is no number of seconds"))
}

fn parse_rate(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|r| *r > 0.0 && *r <= 1e9).ok_or_else(|| format!("'{text}' is no rate"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn run_args(line: &str) -> RunArgs {
        let words = split_words(&format!("ringkey-benchmark run {line}")).expect("words");
        match Cli::try_parse_from(words).expect("parses").command {
            Action::Run(args) => *args,
            Action::Compare(_) => panic!("that was run"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_habits_of_valkey_benchmark_work() {
        let args = run_args("-h localhost -p 7000 -c 10 -n 500 -P 16 -d 128 -r 1000 -t set,get -a pw");
        assert_eq!(args.target(), Target::Tcp("localhost".into(), 7000));
        let settings = args.load.settings();
        assert_eq!((settings.clients, settings.pipeline, settings.requests), (10, 16, Some(500)));
        assert_eq!(args.load.workloads(&[]).expect("known").len(), 2);
    }

    #[test]
    fn a_command_may_follow_the_options() {
        let args = run_args("-c 1 SET key:__rand_int__ __data__ EX 10");
        assert_eq!(args.load.workloads(&args.words).expect("a load")[0].name, "SET key:__rand_int__ __data__ EX 10");
    }

    #[test]
    fn commands_and_weights_must_match_in_number() {
        let args = run_args("--command 'GET a' --command 'SET a b' --command-weight 1");
        assert!(args.load.workloads(&[]).is_err());
    }

    #[test]
    fn lists_and_ranges_are_read_and_nonsense_is_refused() {
        assert_eq!(parse_cpus("0-2,5").expect("valid"), CpuList(vec![0, 1, 2, 5]));
        assert!(parse_cpus("x").is_err());
        assert_eq!(parse_sizes("16-64"), Ok((16, 64)));
        assert!(parse_sizes("64-16").is_err());
        assert!(parse_seconds("-1").is_err());
        assert!(parse_rate("0").is_err());
    }
}
