//! LATENCY: what held the server up, and how long calls take.
//!
//! Every core knows its own events and histograms ([`crate::stats::latency`]); each subcommand joins them.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::core::Center;
use crate::dispatch::table::{Entry, table};
use crate::stats::clock;
use crate::stats::histogram::Histogram;
use crate::stats::latency::{Events, Latency, Series};
use shards::command::{Arg, ArgKind, Group, category, flag};
use shards::commands::container;
use shards::error::{CommandError, shown};
use shards::reply::Reply;
use std::fmt::Write as _;
use std::sync::Arc;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [LATENCY]
}

const EVERY_NODE: &[&str] = &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];
const EVENT: &[Arg] = &[Arg::new("event", ArgKind::String)];

const fn latency_row(name: &'static str, arity: i16, run: ServerRun) -> ServerCommand {
    ServerCommand {
        arity,
        group: Group::Server,
        since: "2.8.13",
        complexity: "O(1)",
        flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE,
        acl: category::DANGEROUS,
        tips: EVERY_NODE,
        ..ServerCommand::new(name, run)
    }
}

/// LATENCY subcommand
pub const LATENCY: ServerCommand = ServerCommand {
    arity: -2,
    group: Group::Server,
    since: "2.8.13",
    summary: "Looks at what holds the server up.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        ServerCommand { summary: "Says in words what was slow and what may help.", ..latency_row("doctor", 2, doctor) },
        ServerCommand { summary: "Draws the durations of an event.", args: EVENT, ..latency_row("graph", 3, graph) },
        ServerCommand {
            summary: "Lists the subcommands.",
            flags: flag::LOADING | flag::STALE,
            acl: 0,
            tips: &[],
            ..latency_row("help", 2, help)
        },
        ServerCommand {
            since: "7.0.0",
            summary: "Tells how many calls of commands took how long.",
            complexity: "O(N) where N is the number of commands with latency information being retrieved.",
            args: &[Arg::new("COMMAND", ArgKind::String).many().opt()],
            ..latency_row("histogram", -2, histogram)
        },
        ServerCommand { summary: "Lists when an event took how long.", args: EVENT, ..latency_row("history", 3, history) },
        ServerCommand { summary: "Tells the latest of every event.", ..latency_row("latest", 2, latest) },
        ServerCommand {
            summary: "Forgets events.",
            tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
            args: &[Arg::new("event", ArgKind::String).many().opt()],
            ..latency_row("reset", -2, reset)
        },
    ],
    ..ServerCommand::new("latency", |x| Err(container::unknown_subcommand(x.argv)))
};

/// Asks all cores for their events and gives them to `write` as one.
fn with_events(write: impl FnOnce(&Center, Events, &mut Reply<'_>) + 'static) -> Flow {
    Flow::Gather {
        question: Arc::new(|center| Box::new(center.latency.events.clone())),
        finish: Box::new(move |center, _, reports, reply| {
            let mut all = Events::new();
            for report in reports {
                for (event, series) in *report.downcast::<Events>().expect("the question reports this") {
                    all.entry(event).or_default().join(&series);
                }
            }
            write(center, all, reply);
        }),
    }
}

fn latest(_: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    Ok(with_events(|_, events, reply| {
        reply.array(events.len());
        for (event, series) in events {
            let (at_secs, ms) = series.samples().last().expect("a series begins with a sample");
            reply.array(6);
            reply.bulk(event.as_bytes());
            [at_secs, ms as i64, series.max_ms as i64, series.sum_ms as i64, series.count as i64]
                .into_iter()
                .for_each(|n| reply.int(n));
        }
    }))
}

fn history(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let event = x.arg(2).to_vec();
    Ok(with_events(move |_, mut events, reply| {
        let series = std::str::from_utf8(&event).ok().and_then(|event| events.remove(event)).unwrap_or_default();
        reply.array(series.samples().len());
        for (at_secs, ms) in series.samples() {
            reply.array(2);
            reply.int(at_secs);
            reply.int(ms as i64);
        }
    }))
}

fn reset(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let names: Vec<Vec<u8>> = x.argv.iter().skip(2).map(<[u8]>::to_vec).collect();
    Ok(Flow::Gather {
        question: Arc::new(move |center| {
            let all = std::mem::take(&mut center.latency.events);
            let means = |event: &str| names.is_empty() || names.iter().any(|name| name == event.as_bytes());
            let (gone, kept): (Events, Events) = all.into_iter().partition(|(event, _)| means(event));
            center.latency.events = kept;
            Box::new(gone.into_keys().collect::<Vec<_>>())
        }),
        finish: Box::new(|_, _, reports, reply| {
            let mut gone: Vec<&'static str> = Vec::new();
            for report in reports {
                gone.extend(*report.downcast::<Vec<&'static str>>().expect("the question reports this"));
            }
            gone.sort_unstable();
            gone.dedup();
            reply.count(gone.len());
        }),
    })
}

fn graph(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let event = x.arg(2).to_vec();
    Ok(with_events(move |center, mut events, reply| {
        let name = shown(&event, usize::MAX);
        match std::str::from_utf8(&event).ok().and_then(|event| events.remove(event)) {
            Some(series) => reply.verbatim(b"txt", drawing(&name, &series, center.now_ms / 1000).as_bytes()),
            None => reply.error(&format!("ERR No samples available for event '{name}'")),
        }
    }))
}

/// Columns and rows of a drawing.
const COLUMNS: usize = 80;
const ROWS_OF_GRAPH: u64 = 4;

/// A bar for each sample, its age written downwards below it.
fn drawing(event: &str, series: &Series, now_secs: i64) -> String {
    let all: Vec<(i64, u64)> = series.samples().collect();
    let (high, low) = all.iter().fold((0, u64::MAX), |(high, low), (_, ms)| (high.max(*ms), low.min(*ms)));
    let mut text = format!("{event} - high {high} ms, low {low} ms (all time high {} ms)\n", series.max_ms);
    text.push_str(&"-".repeat(COLUMNS));
    text.push('\n');
    for part in all.chunks(COLUMNS) {
        for row in (0..ROWS_OF_GRAPH).rev() {
            let bar = |ms: u64| {
                // In thirds of a row, so that small differences show.
                let thirds = (ms - low) * (3 * ROWS_OF_GRAPH - 1) / (high - low).max(1);
                match thirds.checked_sub(3 * row) {
                    None => ' ',
                    Some(0) => '_',
                    Some(1) => 'o',
                    Some(2) => '#',
                    Some(_) => '|',
                }
            };
            text.extend(part.iter().map(|(_, ms)| bar(*ms)));
            text.push('\n');
        }
        let ages: Vec<String> = part.iter().map(|(at, _)| age(now_secs - at)).collect();
        for line in 0..ages.iter().map(String::len).max().unwrap_or(0) {
            text.push('\n');
            text.extend(ages.iter().map(|age| age.chars().nth(line).unwrap_or(' ')));
        }
        text.push('\n');
    }
    text
}

/// `12s`, `3m`, `4h`, `5d`.
fn age(secs: i64) -> String {
    match secs {
        ..60 => format!("{secs}s"),
        60..3600 => format!("{}m", secs / 60),
        3600..86400 => format!("{}h", secs / 3600),
        _ => format!("{}d", secs / 86400),
    }
}

fn doctor(_: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    Ok(with_events(|center, events, reply| {
        let watch = &center.config.watch;
        reply.verbatim(b"txt", report(&events, watch.latency_monitor_threshold).as_bytes());
    }))
}

fn report(events: &Events, threshold_ms: i64) -> String {
    if threshold_ms == 0 {
        return "The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on: what lasts so \
                long or longer is kept, and this command says what it means.\n"
            .to_owned();
    }
    if events.is_empty() {
        return format!("Nothing took {threshold_ms} ms or longer since the monitor began to watch.\n");
    }
    let mut text = String::from("What took long:\n\n");
    for (number, (event, series)) in events.iter().enumerate() {
        let mean_ms = series.sum_ms / series.count.max(1);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}. {event}: {} times, {mean_ms} ms in the mean, {} ms at most.",
            number + 1,
            series.count,
            series.max_ms
        );
    }
    text.push_str("\nWhat may help:\n\n");
    for event in events.keys() {
        text.push_str(match *event {
            "command" | "fast-command" => {
                "- SLOWLOG GET shows the calls: large replies, ranges over big keys and KEYS hold a core; use smaller ranges \
                 and SCAN.\n"
            }
            "expire-cycle" => "- Many keys end at the same moment: spread their times to live.\n",
            "eviction-cycle" => "- Memory is at maxmemory: raise it, or write less.\n",
            _ => "- Look at the load of the machine: CPU taken by others shows here.\n",
        });
    }
    text
}

fn histogram(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let names: Vec<Vec<u8>> = x.argv.iter().skip(2).map(<[u8]>::to_vec).collect();
    Ok(Flow::Gather {
        question: Arc::new(|center| Box::new(center.latency.calls.clone())),
        finish: Box::new(move |_, _, reports, reply| {
            let mut all = Latency::default();
            for report in reports {
                all.add_calls(&report.downcast::<Vec<Option<Box<Histogram>>>>().expect("the question reports this"));
            }
            let known = |entry: &'static Entry| Some((entry, all.calls.get(usize::from(entry.id))?.as_deref()?));
            let chosen: Vec<(&Entry, &Histogram)> = if names.is_empty() {
                table().entries().iter().filter_map(known).collect()
            } else {
                names.iter().flat_map(|name| named(name)).filter_map(known).collect()
            };
            reply.map(chosen.len());
            for (entry, histogram) in chosen {
                reply.bulk(entry.full_name.as_bytes());
                write_histogram(reply, histogram);
            }
        }),
    })
}

/// The command of this name (`client|id`) and its subcommands.
fn named(name: &[u8]) -> Vec<&'static Entry> {
    let name = name.to_ascii_lowercase();
    let is = |entry: &&Entry| {
        let full = entry.full_name.as_bytes();
        full == name || full.strip_prefix(name.as_slice()).is_some_and(|rest| rest.first() == Some(&b'|'))
    };
    table().entries().iter().filter(is).collect()
}

/// How many took at most 1, 2, 4, 8 ... microseconds, as far as there is a difference.
fn write_histogram(reply: &mut Reply<'_>, histogram: &Histogram) {
    let ticks_per_ns = clock::ticks_per_us() / 1000.0;
    let mut steps: Vec<(u64, u64)> = Vec::new();
    let mut before = 0;
    for power in 0..30 {
        let ns = 1024u64 << power;
        let below = histogram.up_to((ns as f64 * ticks_per_ns) as u64);
        if below > before {
            // Valkey names the step by the end of a range of its own, 1/128 wide.
            steps.push(((ns + (ns >> 7) - 1) / 1000, below));
        }
        before = below;
        if below == histogram.total() {
            break;
        }
    }
    reply.map(2);
    reply.bulk(b"calls");
    reply.int(histogram.total() as i64);
    reply.bulk(b"histogram_usec");
    reply.map(steps.len());
    for (us, below) in steps {
        reply.int(us as i64);
        reply.int(below as i64);
    }
}

fn help(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    const LINES: &[&str] = &[
        "DOCTOR",
        "    What was slow, in words, and what may help.",
        "GRAPH <event>",
        "    A drawing of an event's durations.",
        "HISTOGRAM [<command> ...]",
        "    How many calls of the commands, or of all, took how long.",
        "HISTORY <event>",
        "    When an event took how long.",
        "LATEST",
        "    The latest of every event.",
        "RESET [<event> ...]",
        "    Forgets the events, or all.",
    ];
    container::help(&mut x.reply, x.argv, LINES);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[(i64, u64)]) -> Series {
        let mut latency = Latency::default();
        samples.iter().for_each(|(at, ms)| latency.note("command", *at, *ms));
        latency.events.remove("command").expect("noted above")
    }

    #[test]
    fn a_drawing_has_a_bar_for_each_sample_and_its_age_below() {
        let text = drawing("command", &series(&[(0, 100), (3000, 200), (3590, 150)]), 3600);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "command - high 200 ms, low 100 ms (all time high 200 ms)");
        assert_eq!(lines[1], "-".repeat(80));
        assert_eq!(&lines[2..6], [" # ", " | ", " |#", "_||"].map(|line| line));
        assert_eq!(&lines[7..], ["111", "h00", " ms"]);
    }

    #[test]
    fn the_doctor_says_whether_it_watches() {
        assert!(report(&Events::new(), 0).contains("off"));
        assert!(report(&Events::new(), 5).contains("Nothing took 5 ms"));
        let events = Events::from([("expire-cycle", series(&[(1, 30), (2, 50)]))]);
        let text = report(&events, 5);
        assert!(text.contains("expire-cycle: 2 times, 40 ms in the mean, 50 ms at most") && text.contains("spread"));
    }

    #[test]
    fn a_name_means_the_command_and_its_subcommands() {
        let names = |name: &str| named(name.as_bytes()).iter().map(|entry| entry.full_name).collect::<Vec<_>>();
        assert_eq!(names("GET"), ["get"]);
        assert_eq!(names("client|id"), ["client|id"]);
        assert!(names("latency").contains(&"latency|doctor") && names("nosuch").is_empty());
    }
}
