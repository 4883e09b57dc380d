//! One run of one load: connects, starts the threads, shows progress, adds up.
//!
//! Connections are dealt to the threads in turn, and a thread may be pinned to a CPU. Everything that costs time is
//! done before the clock of the run starts: connecting, greeting, encoding the templates. The main thread then only
//! waits for results and, if wanted, writes a line a second to stderr.

use crate::catalogue::Workload;
use crate::keys::{Distribution, KeySource};
use crate::load::client::Client;
use crate::load::schedule::{Arrival, Budget, Clock, OpenLoop, Times};
use crate::load::tally::Tally;
use crate::load::worker::Worker;
use crate::random::Rng;
use crate::sys;
use crate::target::{Greeting, Socket, Target};
use crate::template::{Draw, Values};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// Time for all threads to reach their first line before the run's clock says start.
const RUN_UP_NS: u64 = 2_000_000;

/// Everything that defines a run but the load itself and the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is said on each connection first.
    pub greeting: Greeting,
    /// Connections, over all threads.
    pub clients: usize,
    /// Sending threads.
    pub threads: usize,
    /// CPUs the threads are pinned to, in turn; empty is not pinned.
    pub cpus: Vec<usize>,
    /// Most requests under way on one connection.
    pub pipeline: usize,
    /// End after so many recorded requests.
    pub requests: Option<u64>,
    /// End after this time.
    pub seconds: Option<f64>,
    /// Send this long before recording.
    pub warmup_seconds: f64,
    /// Requests per second of an open loop.
    pub rate: Option<f64>,
    /// How arrivals of an open loop are spaced.
    pub arrival: Arrival,
    /// The shape of key access.
    pub distribution: Distribution,
    /// Number of keys.
    pub keyspace: u64,
    /// How values look.
    pub values: Values,
    /// Compare values that are read with what was written.
    pub verify: bool,
    /// The seed of all random choices.
    pub seed: u64,
    /// Write a line a second to stderr.
    pub progress: bool,
}

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What came back.
    pub tally: Tally,
    /// From the start of recording to the last recorded reply.
    pub elapsed_ns: u64,
}

impl Outcome {
    /// Recorded replies per second.
    pub fn rate(&self) -> f64 {
        self.tally.recorded() as f64 * 1e9 / self.elapsed_ns.max(1) as f64
    }
}

/// Runs `load` against `target`.
pub fn run(target: &Target, load: &Workload, settings: &Settings) -> Result<Outcome, String> {
    let threads = settings.threads.min(settings.clients).max(1);
    let mut shares = connect(target, settings, threads)?;
    let load = Arc::new(load.clone());
    let budget = Arc::new(Budget::new(settings.requests));
    let progress = Arc::new(AtomicU64::new(0));
    let clock = Clock::start();
    let start_ns = clock.now_ns() + RUN_UP_NS;
    let record_ns = start_ns + (settings.warmup_seconds * 1e9) as u64;
    let end_ns = settings.seconds.map_or(u64::MAX, |s| record_ns + (s * 1e9) as u64);
    let times = Times { start_ns, record_ns, end_ns };
    let (sender, results) = mpsc::channel();
    for (i, clients) in shares.drain(..).enumerate() {
        let open = settings.rate.map(|rate| {
            let rng = Rng::for_connection(settings.seed, u64::MAX - i as u64);
            let offset = i as f64 / threads as f64;
            OpenLoop::new(rate / threads as f64, start_ns, offset, settings.arrival, rng)
        });
        let worker = Worker {
            clients,
            load: load.clone(),
            pipeline: settings.pipeline,
            budget: budget.clone(),
            progress: progress.clone(),
            times,
            open,
            clock,
        };
        let cpu = (!settings.cpus.is_empty()).then(|| settings.cpus[i % settings.cpus.len()]);
        let sender = sender.clone();
        let work = move || {
            let pinned = cpu.map_or(Ok(()), |cpu| sys::pin_thread(&[cpu]));
            // The receiver lives until all results are in, unless another thread failed: then nobody wants this one.
            let _ = sender.send(pinned.and_then(|()| worker.run()));
        };
        thread::Builder::new().name(format!("load-{i}")).spawn(work).map_err(|e| format!("cannot start a thread: {e}"))?;
    }
    drop(sender);
    let tally = collect(&results, threads, &load, settings, &progress)?;
    let elapsed_ns = tally.last_reply_ns.saturating_sub(record_ns);
    Ok(Outcome { tally, elapsed_ns })
}

/// Opens all connections, dealt to the threads in turn.
fn connect(target: &Target, settings: &Settings, threads: usize) -> Result<Vec<Vec<Client>>, String> {
    let keys = KeySource::new(settings.distribution, settings.keyspace);
    let sequence = Arc::new(AtomicU64::new(0));
    let mut shares: Vec<Vec<Client>> = (0..threads).map(|_| Vec::new()).collect();
    for i in 0..settings.clients {
        let socket = Socket::open(target, &settings.greeting).map_err(|e| format!("{target}: {e}"))?;
        let rng = Rng::for_connection(settings.seed, i as u64);
        let draw = Draw::new(rng, keys.clone(), settings.values.clone(), sequence.clone());
        let share = &mut shares[i % threads];
        share.push(Client::new(socket, share.len() as u64, draw, settings.verify));
    }
    Ok(shares)
}

/// Waits for all threads' results, writing the progress line meanwhile.
fn collect(
    results: &mpsc::Receiver<std::io::Result<Tally>>,
    threads: usize,
    load: &Workload,
    settings: &Settings,
    progress: &AtomicU64,
) -> Result<Tally, String> {
    let mut sum = Tally::new(load.commands.iter().map(|c| c.name.as_str()));
    let (mut missing, mut shown) = (threads, 0);
    while missing > 0 {
        match results.recv_timeout(Duration::from_secs(1)) {
            Ok(Ok(tally)) => {
                sum.add(&tally);
                missing -= 1;
            }
            Ok(Err(error)) => return Err(format!("{}: {error}", load.name)),
            Err(mpsc::RecvTimeoutError::Timeout) if settings.progress => {
                let replies = progress.load(Ordering::Relaxed);
                eprint!("\r{}: {} requests, {}/s   ", load.name, replies, replies - shown);
                shown = replies;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(format!("{}: a sending thread died", load.name)),
        }
    }
    if settings.progress && shown > 0 {
        eprint!("\r{:70}\r", "");
    }
    Ok(sum)
}
