//! Strict serializability, seen from outside: clients of one server with several shards write down what they asked and
//! heard, and when; then a checker looks for an order of all calls that explains every reply and agrees with time.
//!
//! | file | what |
//! |---|---|
//! | `model.rs` | a server as a plain map, and the calls over it |
//! | `checker.rs` | the search for an order (Wing and Gong 1993, with Lowe's memory of what was tried) |
//!
//! Blocking pops are among the calls: they may take an element whenever they want between being asked and answering, but
//! from the first of their lists that has one, and null only if there was a moment when all were empty.
//!
//! Calls are short bursts over a few keys that lie on different shards, so that they meet; a burst is small, so that
//! the search ends. Between bursts all clients wait for each other and start from a state that is known.

#![allow(clippy::unwrap_used)] // these are tests

#[path = "../common/mod.rs"]
mod common;

mod checker;
mod model;

use checker::{Event, explain};
use common::{Client, Server, random};
use model::{Op, State, random_op};
use shards::stdx::prng::Prng;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const CLIENTS: usize = 4;
const CALLS_A_BURST: usize = 6;

/// One client's part of a burst.
fn run(client: &mut Client, ops: &[Op], begun: Instant) -> Vec<Event> {
    ops.iter()
        .map(|op| {
            let invoked = begun.elapsed();
            client.send(&op.bytes());
            let replies: Vec<_> = (0..op.replies()).map(|_| client.reply()).collect();
            let reply = replies.last().unwrap().to_string();
            Event { op: op.clone(), reply, invoked, returned: begun.elapsed() }
        })
        .collect()
}

/// What every key holds, asked one by one while nobody writes.
fn state(client: &mut Client) -> State {
    let mut state = State::new();
    for place in 0..model::PLACES {
        if let Some(held) = model::answer(&client.say(&model::question(place))) {
            state.insert(place, held);
        }
    }
    state
}

fn bursts_can_be_explained(shards: usize, seconds: u64) {
    let seed = random::seed();
    let server = Server::start(shards);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    let mut asking = server.client();
    let end = random::deadline(seconds);
    let mut rng = Prng::new(seed);
    let (mut bursts, begun) = (0, Instant::now());
    while Instant::now() < end {
        let before = state(&mut asking);
        let plans: Vec<Vec<Op>> =
            (0..CLIENTS).map(|_| (0..CALLS_A_BURST).map(|_| random_op(&mut rng)).collect()).collect();
        let barrier = Barrier::new(CLIENTS);
        let mut history: Vec<Event> = std::thread::scope(|scope| {
            let mut parts = Vec::new();
            for (client, ops) in clients.iter_mut().zip(&plans) {
                let barrier = &barrier;
                parts.push(scope.spawn(move || {
                    barrier.wait();
                    run(client, ops, begun)
                }));
            }
            parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
        });
        let after = state(&mut asking);
        history.sort_by_key(|event| event.invoked);
        if !explain(&before, &history, &after) {
            let lines: Vec<String> = history.iter().map(ToString::to_string).collect();
            panic!("seed {seed}, burst {bursts}: no order explains\nbefore {before:?}\n{}\nafter {after:?}", lines.join("\n"));
        }
        bursts += 1;
    }
    println!("{bursts} bursts with {shards} shards: {} calls", bursts * CLIENTS * CALLS_A_BURST);
    assert!(bursts > 0);
}

#[test]
fn what_clients_of_two_shards_see_has_an_order() {
    bursts_can_be_explained(2, 4);
}

#[test]
fn what_clients_of_four_shards_see_has_an_order() {
    bursts_can_be_explained(4, 6);
}

const ACCOUNTS: usize = 8;
const UNITS: i64 = 1000;

/// Moves a unit between two accounts, by WATCH and MULTI or by MULTI alone.
fn transfer(client: &mut Client, rng: &mut Prng) {
    let (from, to) = (rng.below(ACCOUNTS as u64), rng.below(ACCOUNTS as u64));
    if rng.below(2) == 0 {
        for call in ["MULTI".to_owned(), format!("DECR account:{from}"), format!("INCR account:{to}"), "EXEC".to_owned()] {
            assert!(!client.say(&call).is_error());
        }
        return;
    }
    assert_eq!(client.say(&format!("WATCH account:{from} account:{to}")), "OK");
    let read = |client: &mut Client, n: u64| client.say(&format!("GET account:{n}")).text().parse::<i64>().unwrap();
    let (held, held_there) = (read(client, from), read(client, to));
    assert_eq!(client.say("MULTI"), "OK");
    client.say(&format!("SET account:{from} {}", held - 1));
    client.say(&format!("SET account:{to} {}", if from == to { held } else { held_there + 1 }));
    let reply = client.say("EXEC");
    assert!(reply == "[OK OK]" || reply == "(nil)", "{reply:?}");
}

/// Reads all accounts at once, in one of the ways there are.
fn sum(client: &mut Client, rng: &mut Prng) -> i64 {
    let all: Vec<String> = (0..ACCOUNTS).map(|i| format!("account:{i}")).collect();
    let reply = match rng.below(3) {
        0 => client.say(&format!("MGET {}", all.join(" "))),
        1 => {
            client.say("MULTI");
            all.iter().for_each(|account| assert_eq!(client.say(&format!("GET {account}")), "QUEUED"));
            client.say("EXEC")
        }
        _ => {
            client.say("MULTI");
            client.say("DBSIZE");
            client.say(&format!("MGET {}", all.join(" ")));
            client.say("EXEC").array()[1].clone()
        }
    };
    reply.array().iter().map(|held| held.text().parse::<i64>().unwrap()).sum()
}

fn transfers_keep_the_sum(shards: usize, seconds: u64) {
    let seed = random::seed();
    let server = Server::start(shards);
    let mut client = server.client();
    (0..ACCOUNTS).for_each(|i| assert_eq!(client.say(&format!("SET account:{i} {}", UNITS / ACCOUNTS as i64)), "OK"));
    let (end, over) = (random::deadline(seconds), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (server, over) = (&server, &over);
            scope.spawn(move || {
                let mut client = server.client();
                let mut rng = Prng::new(seed + number);
                while Instant::now() < end && !over.load(Ordering::Relaxed) {
                    if number < 3 {
                        transfer(&mut client, &mut rng);
                        continue;
                    }
                    let found = sum(&mut client, &mut rng);
                    if found != UNITS {
                        over.store(true, Ordering::Relaxed);
                        panic!("seed {seed}: {found} units instead of {UNITS} with {shards} shards");
                    }
                }
            });
        }
    });
    assert_eq!(sum(&mut client, &mut Prng::new(seed)), UNITS);
}

#[test]
fn transfers_between_accounts_lose_no_unit() {
    for shards in [1, 2, 4] {
        transfers_keep_the_sum(shards, 2);
    }
}
