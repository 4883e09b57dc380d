//! `ringkey-benchmark`: sends load to servers that speak RESP, and says how well they did.
//!
//! It knows a server only through TCP or a unix socket, and, on the same machine, through what `/proc` says about its
//! process; so the same numbers are measured for every server. From the command line inwards:
//!
//! - `cli`: the options; `catalogue`: the named tests; `template`: a command as ready bytes; `keys`: which key comes
//!   next; `random`: numbers that a seed repeats.
//! - `target`: connecting and greeting; `reply`: finding the ends of replies; `sys`: epoll, pinning, signals.
//! - `load`: the threads that send and measure, in a closed or an open loop.
//! - `compare`: several servers, started, pinned, measured in turn and stopped; `proc`: CPU time and memory.
//! - `report`: the results as text, JSON, HTML and Markdown.
//!
//! The one aim of its inner loop is to cost less than the server under test: requests are encoded once, sent with one
//! write per batch, and replies are skimmed, not parsed.

mod catalogue;
mod cli;
mod compare;
mod keys;
mod load;
mod proc;
mod random;
mod reply;
mod report;
mod sys;
mod target;
mod template;
#[cfg(test)]
mod whole_run;

use clap::Parser;
use cli::{Action, Cli, RunArgs};
use report::{Results, Run};
use std::process::ExitCode;

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = Cli::parse();
    sys::catch_signals();
    let done = match cli.command {
        Action::Run(args) => run(&args),
        Action::Compare(args) => compare::compare(&args),
    };
    match done {
        Ok(()) if !sys::stopping() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(INTERRUPTED),
        Err(message) => {
            eprintln!("ringkey-benchmark: {message}");
            if sys::stopping() { ExitCode::from(INTERRUPTED) } else { ExitCode::FAILURE }
        }
    }
}

/// `run`: each load of the row once, against one server.
fn run(args: &RunArgs) -> Result<(), String> {
    let (target, settings) = (args.target(), args.load.settings());
    let mut described = vec![("server".to_string(), target.to_string())];
    described.push(("pipeline".into(), args.load.pipeline.to_string()));
    described.extend(args.load.described());
    let mut results = Results { settings: described, runs: Vec::new() };
    let mut out = String::new();
    if !args.load.quiet {
        report::text::settings(&results.settings, &mut out);
    }
    print!("{out}");
    for load in args.load.workloads(&args.words)? {
        let cpu_before = args.pid.and_then(proc::cpu_ns);
        let outcome = load::run::run(&target, &load, &settings)?;
        let cpu_after = args.pid.and_then(proc::cpu_ns);
        let server_cpu_ns = cpu_before.zip(cpu_after).map(|(before, after)| after.saturating_sub(before));
        results.runs.push(Run { name: load.name.clone(), outcome, server_cpu_ns });
        print!("{}", report::text::run(&results.runs[results.runs.len() - 1]));
        if sys::stopping() {
            break;
        }
    }
    report::write(args.output.json.as_deref(), || report::json::results(&results))?;
    report::write(args.output.html.as_deref(), || report::html::results(&results))?;
    report::write(args.output.markdown.as_deref(), || report::markdown::results(&results))?;
    let mismatches: u64 = results.runs.iter().flat_map(|r| &r.outcome.tally.commands).map(|c| c.mismatches).sum();
    if mismatches > 0 { Err(format!("{mismatches} values differed from what was written")) } else { Ok(()) }
}
