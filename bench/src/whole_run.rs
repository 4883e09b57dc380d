//! Whole runs against small servers in a thread of the test: what is sent arrives, and what is counted is true.

use crate::catalogue::{Workload, named_mix, named_test};
use crate::cli::{Action, Cli};
use crate::load::run::{Settings, run};
use crate::target::Target;
use clap::Parser;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A server that answers every request with the same bytes and counts the requests. It lives as long as the test.
pub struct FakeServer {
    /// Where it listens.
    pub target: Target,
    /// Requests answered.
    pub requests: Arc<AtomicU64>,
}

impl FakeServer {
    /// Listens on a free port and answers `reply`.
    pub fn answering(reply: &'static [u8]) -> FakeServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let requests = Arc::new(AtomicU64::new(0));
        let count = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = count.clone();
                thread::spawn(move || answer(stream, reply, &count));
            }
        });
        FakeServer { target: Target::Tcp("127.0.0.1".into(), port), requests }
    }
}

/// Counts requests by their `*` lines: keys and values of these tests contain none.
fn answer(mut stream: TcpStream, reply: &[u8], count: &AtomicU64) {
    let mut buffer = [0; 65536];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        let requests = buffer[..n].iter().filter(|&&b| b == b'*').count();
        count.fetch_add(requests as u64, Ordering::SeqCst);
        if stream.write_all(&reply.repeat(requests)).is_err() {
            return;
        }
    }
}

fn settings(line: &str) -> Settings {
    let words = format!("ringkey-benchmark run {line}");
    match Cli::try_parse_from(words.split_whitespace()).expect("parses").command {
        Action::Run(args) => args.load.settings(),
        Action::Compare(_) => panic!("that was run"),
    }
}

fn set(settings: &Settings) -> Workload {
    Workload::single(named_test("set", &settings.values).expect("known"))
}

#[test]
fn a_closed_loop_sends_exactly_the_requests_asked_for() {
    let server = FakeServer::answering(b"+OK\r\n");
    for line in ["-n 1003 -c 7 -P 16", "-n 1003 -c 3 -P 1 --threads 2", "-n 5 -c 50 -P 10", "-n 200 -c 2 -P 3 -d 100-5000"] {
        let settings = settings(line);
        let before = server.requests.load(Ordering::SeqCst);
        let outcome = run(&server.target, &set(&settings), &settings).expect(line);
        let wanted = settings.requests.expect("given");
        assert_eq!(outcome.tally.recorded(), wanted, "{line}");
        assert_eq!(server.requests.load(Ordering::SeqCst) - before, wanted, "{line}");
        assert_eq!((outcome.tally.errors(), outcome.tally.unanswered), (0, 0), "{line}");
    }
}

#[test]
fn an_open_loop_sends_exactly_the_requests_asked_for_and_not_faster_than_asked() {
    let server = FakeServer::answering(b"+OK\r\n");
    for line in ["-n 500 -c 4 --rate 10000", "-n 500 -c 4 -P 4 --rate 10000 --arrival poisson --threads 2"] {
        let settings = settings(line);
        let outcome = run(&server.target, &set(&settings), &settings).expect(line);
        assert_eq!(outcome.tally.recorded(), 500, "{line}");
        if line.ends_with("10000") {
            assert!(outcome.elapsed_ns >= 499 * 100_000, "{} ns", outcome.elapsed_ns);
        }
    }
}

#[test]
fn the_warm_up_is_sent_but_not_recorded() {
    let server = FakeServer::answering(b"+OK\r\n");
    let settings = settings("-n 100 -c 2 --warmup 0.02");
    let outcome = run(&server.target, &set(&settings), &settings).expect("runs");
    assert_eq!(outcome.tally.recorded(), 100);
    assert!(outcome.tally.replies > 100);
    assert_eq!(server.requests.load(Ordering::SeqCst), outcome.tally.replies);
}

#[test]
fn error_replies_are_counted_with_their_text() {
    let server = FakeServer::answering(b"-OOM no room\r\n");
    let settings = settings("-n 50 -c 2");
    let mix = named_mix("get=1,set=1", &settings.values).expect("a mix");
    let outcome = run(&server.target, &mix, &settings).expect("runs");
    assert_eq!(outcome.tally.errors(), 50);
    assert!(outcome.tally.commands.iter().all(|c| c.error_texts.get("OOM no room") == Some(&c.errors)));
}

#[test]
fn verify_finds_a_value_that_was_never_written() {
    let server = FakeServer::answering(b"$3\r\nabc\r\n");
    let settings = settings("-n 50 -c 2 --verify -d 10");
    let get = Workload::single(named_test("get", &settings.values).expect("known"));
    let outcome = run(&server.target, &get, &settings).expect("runs");
    assert_eq!(outcome.tally.commands[0].mismatches, 50);
}

#[test]
fn a_server_that_hangs_up_or_talks_nonsense_ends_the_run_with_a_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let target = Target::Tcp("127.0.0.1".into(), listener.local_addr().expect("bound").port());
    thread::spawn(move || listener.incoming().for_each(drop));
    let settings = settings("-n 50 -c 1");
    assert!(run(&target, &set(&settings), &settings).is_err());
    let nonsense = FakeServer::answering(b"what?\r\n");
    let reason = run(&nonsense.target, &set(&settings), &settings).expect_err("no RESP");
    assert!(reason.contains("not a RESP reply"), "{reason}");
}

#[test]
fn a_comparison_of_two_servers_measures_both_in_every_round() {
    let (a, b) = (FakeServer::answering(b"+OK\r\n"), FakeServer::answering(b"-ERR never\r\n"));
    let pid = std::process::id();
    // The second server answers PING with an error too, so it only counts as up once it is asked without one.
    let up = FakeServer::answering(b"$2\r\nab\r\n");
    let line = format!(
        "ringkey-benchmark compare --server a={} --server b={} --pid a={pid} --rounds 3 --pipelines 1,4 -t set,get -n 100 -c 2 -q",
        a.target, up.target
    );
    let args = match Cli::try_parse_from(line.split_whitespace()).expect("parses").command {
        Action::Compare(args) => args,
        Action::Run(_) => panic!("that was compare"),
    };
    let comparison = crate::compare::measure(&args).expect("measures");
    assert_eq!(comparison.servers, ["a", "b"]);
    let rows: Vec<_> = comparison.rows.iter().map(|r| (r.name.as_str(), r.pipeline)).collect();
    assert_eq!(rows, [("SET", 1), ("GET", 1), ("SET", 4), ("GET", 4)]);
    for row in &comparison.rows {
        assert!(row.cells.iter().all(|c| c.rate.is_some() && c.p999_us.is_some() && !c.curve.is_empty()));
        assert!(row.cells[0].cpu_us.is_some() && row.cells[1].cpu_us.is_none());
    }
    // 4 rows of 100 requests in 3 rounds, one PING and one INFO.
    assert_eq!(a.requests.load(Ordering::SeqCst), 1202);
    assert_eq!(up.requests.load(Ordering::SeqCst), 1202);
    let refused = line.replace(&up.target.to_string(), &b.target.to_string()).replace("-q", "-q --start-timeout 0");
    let args = match Cli::try_parse_from(refused.split_whitespace()).expect("parses").command {
        Action::Compare(args) => args,
        Action::Run(_) => panic!("that was compare"),
    };
    assert!(crate::compare::measure(&args).expect_err("no PONG").contains("ERR never"));
}
