//! MEMORY DOCTOR, STATS, PURGE, MALLOC-STATS, HELP. MEMORY USAGE is the engine's, which knows what a key takes.

use super::info::totals::Totals;
use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::core::Center;
use crate::core::report::CoreReport;
use crate::{alloc, process};
use shards::command::{Group, flag};
use shards::commands::container;
use shards::error::CommandError;
use shards::reply::Reply;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The subcommands beside the engine's.
pub const SUBCOMMANDS: &[ServerCommand] = &[DOCTOR, STATS, PURGE, MALLOC_STATS, HELP];

const REPORT_TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

const fn memory_row(name: &'static str, run: ServerRun) -> ServerCommand {
    ServerCommand { arity: 2, group: Group::Server, since: "4.0.0", complexity: "O(1)", ..ServerCommand::new(name, run) }
}

const DOCTOR: ServerCommand = ServerCommand {
    summary: "Says what looks wrong about the memory.",
    tips: REPORT_TIPS,
    ..memory_row("doctor", |_| Ok(report(doctor)))
};

const STATS: ServerCommand = ServerCommand {
    summary: "Tells what the memory is used for.",
    tips: REPORT_TIPS,
    ..memory_row("stats", |_| Ok(report(stats)))
};

const PURGE: ServerCommand = ServerCommand {
    summary: "Gives free memory back to the system.",
    complexity: "Depends on how much there is.",
    flags: flag::LOADING,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    // The allocator keeps free memory by thread, so every core gives back its own.
    ..memory_row("purge", |_| Ok(Flow::everywhere(|_| alloc::purge())))
};

const MALLOC_STATS: ServerCommand = ServerCommand {
    summary: "Shows the allocator's own statistics.",
    complexity: "Depends on how much memory there is.",
    flags: flag::LOADING,
    tips: REPORT_TIPS,
    ..memory_row("malloc-stats", malloc_stats)
};

const HELP: ServerCommand = ServerCommand {
    summary: "Describes the subcommands.",
    flags: flag::LOADING | flag::STALE,
    ..memory_row("help", help)
};

fn report(write: fn(&Totals<'_>, &mut Reply<'_>)) -> Flow {
    Flow::Gather {
        question: Arc::new(|center: &mut Center| Box::new(center.report())),
        finish: Box::new(move |center, _, reports, reply| {
            let cores: Vec<CoreReport> =
                reports.into_iter().map(|report| *report.downcast().expect("the question reports this")).collect();
            write(&Totals::new(center, &cores), reply);
        }),
    }
}

/// What the numbers say; thresholds as in Valkey.
fn doctor(all: &Totals<'_>, reply: &mut Reply<'_>) {
    const SMALL: u64 = 5 << 20;
    const WASTE: u64 = 10 << 20;
    const CLIENT: u64 = 200 << 10;
    let used = all.used_bytes;
    let resident = process::resident_bytes();
    let peak = all.center.shared.peak_bytes.load(Ordering::Relaxed);
    let clients = all.sum(|core| core.clients.connected).max(1);
    let mut found: Vec<String> = Vec::new();
    if used < SMALL {
        found.push("The server holds next to nothing, so there is nothing to say about its memory yet.".to_owned());
    } else {
        if peak as f64 / used as f64 > 1.5 {
            found.push(format!(
                "At its peak the server used {peak} bytes, now it uses {used}. Pages that were filled then may be kept by \
                 the allocator; MEMORY PURGE asks for them back."
            ));
        }
        if resident as f64 / used as f64 > 1.4 && resident - used > WASTE {
            found.push(format!(
                "The system has given the process {resident} bytes, of which {used} are in use. After many deletes that is \
                 normal for a while; MEMORY PURGE shortens it."
            ));
        }
        if all.sum(|core| core.clients.memory_bytes) / clients > CLIENT {
            found.push(
                "Clients hold more than 200 KiB each on average: some send long pipelines or do not read their replies. \
                 CLIENT LIST shows which (qbuf, omem)."
                    .to_owned(),
            );
        }
    }
    if found.is_empty() {
        found.push("Nothing looks wrong about the memory.".to_owned());
    }
    reply.verbatim(b"txt", (found.join("\n\n") + "\n").as_bytes());
}

fn stats(all: &Totals<'_>, reply: &mut Reply<'_>) {
    /// Bytes an entry takes beside key and value, and an expiry.
    const ENTRY: u64 = 10;
    const EXPIRY: u64 = 5;
    let shared = &all.center.shared;
    let used = all.used_bytes;
    let resident = process::resident_bytes();
    let peak = shared.peak_bytes.fetch_max(used, Ordering::Relaxed).max(used);
    let startup = shared.startup_bytes.load(Ordering::Relaxed);
    let clients = all.sum(|core| core.clients.memory_bytes);
    let databases: Vec<_> = (0..all.cores[0].databases.len()).map(|db| (db, all.database(db))).collect();
    let filled: Vec<_> = databases.iter().filter(|(_, database)| database.keys > 0).collect();
    let keys: u64 = filled.iter().map(|(_, database)| database.keys).sum();
    let tables: u64 = filled.iter().map(|(_, database)| database.keys * ENTRY + database.expires * EXPIRY).sum();
    let overhead = (startup + clients + tables).min(used);
    let dataset = used - overhead;
    let net = used.saturating_sub(startup);
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    reply.map(34 + filled.len());
    let int = |reply: &mut Reply<'_>, name: &str, value: u64| {
        reply.bulk(name.as_bytes());
        reply.int(value as i64);
    };
    for (name, value) in [("peak.allocated", peak), ("total.allocated", used), ("startup.allocated", startup)] {
        int(reply, name, value);
    }
    for name in ["replication.backlog", "replicas.repl.buffer", "clients.slaves"] {
        int(reply, name, 0);
    }
    int(reply, "clients.normal", clients);
    for name in ["cluster.links", "cluster.slot_import", "cluster.slot_export", "aof.buffer", "lua.caches", "functions.caches"] {
        int(reply, name, 0);
    }
    for (db, database) in filled {
        reply.bulk(format!("db.{db}").as_bytes());
        reply.map(2);
        int(reply, "overhead.hashtable.main", database.keys * ENTRY);
        int(reply, "overhead.hashtable.expires", database.expires * EXPIRY);
    }
    int(reply, "overhead.db.hashtable.lut", 0);
    int(reply, "overhead.db.hashtable.rehashing", 0);
    int(reply, "overhead.total", overhead);
    int(reply, "db.dict.rehashing.count", 0);
    int(reply, "keys.count", keys);
    int(reply, "keys.bytes-per-key", net.checked_div(keys).unwrap_or(0));
    int(reply, "dataset.bytes", dataset);
    let float = |reply: &mut Reply<'_>, name: &str, value: f64| {
        reply.bulk(name.as_bytes());
        reply.double(value);
    };
    float(reply, "dataset.percentage", share(dataset, net));
    float(reply, "peak.percentage", share(used, peak));
    int(reply, "allocator.allocated", used);
    for name in ["allocator.active", "allocator.resident", "allocator.muzzy"] {
        int(reply, name, 0);
    }
    for name in ["allocator-fragmentation", "allocator-rss", "rss-overhead"] {
        float(reply, &format!("{name}.ratio"), 0.0);
        int(reply, &format!("{name}.bytes"), 0);
    }
    float(reply, "fragmentation", if used == 0 { 0.0 } else { resident as f64 / used as f64 });
    int(reply, "fragmentation.bytes", resident.saturating_sub(used));
}

fn malloc_stats(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.reply.verbatim(b"txt", alloc::statistics().as_bytes());
    Ok(Flow::Done)
}

fn help(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    const LINES: &[&str] = &[
        "DOCTOR",
        "    Say what looks wrong about the memory.",
        "MALLOC-STATS",
        "    Show the allocator's own statistics.",
        "PURGE",
        "    Give free memory back to the system.",
        "STATS",
        "    Show what the memory is used for.",
        "USAGE <key> [SAMPLES <count>]",
        "    Show how many bytes <key> and its value take.",
    ];
    container::help(&mut x.reply, x.argv, LINES);
    Ok(Flow::Done)
}
