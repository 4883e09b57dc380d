//! Whole cores in one thread, from a seed: sockets, clock and the order of turns are made up.
//!
//! Input comes in pieces, sends complete late, rings between cores are tiny, turns of cores mix in every way, clients
//! break off at any moment. Checked are: what clients heard has a serial order (the checker of `tests/serializability`,
//! with simulated time); every call is answered, in order; no element is popped twice or lost; and when all have gone, no core holds a transaction, a lock, a
//! watch or a client, and each shard is sound.
//!
//! A failure prints its seed; `RINGKEY_SEED=n` begins with that seed. The same seed gives the same run.

#![allow(clippy::unwrap_used)] // these are tests

#[path = "../serializability/checker.rs"]
mod checker;
#[path = "../common/mod.rs"]
mod common;
#[path = "../serializability/model.rs"]
mod model;

use checker::{Event, explain};
use common::client::words;
use common::{Reply, random};
use model::{Op, State, key, random_op};
use ringkey::config::{Config, Store};
use ringkey::core::Center;
use ringkey::core::message::Message;
use ringkey::core::shared::Shared;
use ringkey::core::turn::Core;
use ringkey::mesh::mesh;
use ringkey::runtime::sim::{Faults, Sim, SimPeer};
use ringkey::runtime::SimIo;
use shards::stdx::prng::Prng;
use std::cell::Cell;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Turns after which something hangs: far more than any run here takes.
const TURNS_MAX: usize = 200_000;

/// A server in a made-up world.
struct World {
    sim: Sim,
    cores: Vec<Core<SimIo>>,
    turns: usize,
    /// Clients so far.
    connected: Cell<u64>,
}

impl World {
    fn new(seed: u64, cores: usize, ring_slots: usize) -> World {
        let sim = Sim::new(seed, cores, Faults::default());
        let shared = Arc::new(Shared::new(Store::new(Config::default(), None), "0".repeat(40), "1".repeat(40)));
        let make = |(id, endpoint)| {
            let listeners = if id == 0 { vec![(OwnedFd::from(File::open("/dev/null").unwrap()), false)] } else { Vec::new() };
            let center = Center::new(id, seed + id as u64, endpoint, Arc::clone(&shared));
            Core::new(sim.io(id), center, listeners)
        };
        let cores = mesh::<Message>(cores, ring_slots).into_iter().enumerate().map(make).collect();
        World { sim, cores, turns: 0, connected: Cell::new(0) }
    }

    /// One turn of some core. Which one is the seed's choice, so cores may starve for long and run ahead far.
    fn turn(&mut self) {
        self.sim.step();
        let core = self.sim.below(self.cores.len());
        self.cores[core].step();
        self.turns += 1;
        if self.turns.is_multiple_of(16) {
            self.cores[core].center.check_invariants();
        }
        assert!(self.turns < TURNS_MAX, "something hangs");
    }

    fn client(&self) -> Client {
        self.connected.set(self.connected.get() + 1);
        Client { peer: self.sim.connect(0, 0), buffer: Vec::new() }
    }

    /// Waits for a reply.
    fn reply(&mut self, client: &mut Client) -> Reply {
        loop {
            if let Some(reply) = client.hear() {
                return reply;
            }
            self.turn();
        }
    }

    fn say(&mut self, client: &mut Client, text: &str) -> Reply {
        client.peer.send(&words(text));
        self.reply(client)
    }

    /// What every key holds.
    fn state(&mut self, client: &mut Client) -> State {
        let mut state = State::new();
        for place in 0..model::PLACES {
            if let Some(held) = model::answer(&self.say(client, &model::question(place))) {
                state.insert(place, held);
            }
        }
        state
    }

    /// All clients have gone: nothing may be left.
    fn assert_quiet(&mut self) {
        // A call of a client that has gone may still be under way between cores.
        let quiet = |core: &Core<SimIo>| {
            let mesh = &core.center.mesh;
            core.center.is_quiet() && core.center.clients.is_empty() && !mesh.has_inbound() && !mesh.backlogged()
        };
        // One that went before it was welcome may have left calls to be run.
        let welcome = |world: &World| world.cores.iter().map(|core| core.center.stats.connections_received).sum::<u64>();
        while welcome(self) < self.connected.get() || !self.cores.iter().all(quiet) {
            self.turn();
        }
        for core in &self.cores {
            core.center.shard.check_invariants();
            assert!(core.center.is_quiet());
        }
    }
}

struct Client {
    peer: SimPeer,
    buffer: Vec<u8>,
}

impl Client {
    fn hear(&mut self) -> Option<Reply> {
        self.buffer.extend(self.peer.receive());
        let (reply, len) = Reply::parse(&self.buffer)?;
        self.buffer.drain(..len);
        Some(reply)
    }
}

/// Runs `one` with seed after seed for some seconds.
fn with_seeds(seconds: u64, one: impl Fn(u64)) {
    let first = random::seed();
    let (end, mut seed) = (random::deadline(seconds), first);
    while seed == first || Instant::now() < end {
        if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(seed))) {
            eprintln!("RINGKEY_SEED={seed} fails");
            std::panic::resume_unwind(panic);
        }
        seed += 1;
    }
    println!("{} seeds from {first}", seed - first);
}

/// A world as the seed wants it.
fn world(seed: u64) -> (World, Prng) {
    let mut rng = Prng::new(seed);
    let cores = 1 + rng.below(4) as usize;
    let ring_slots = [2, 4, 64][rng.below(3) as usize];
    (World::new(seed, cores, ring_slots), rng)
}

#[test]
fn one_client_hears_what_the_model_says() {
    with_seeds(3, |seed| {
        let (mut world, mut rng) = world(seed);
        let (mut client, mut model) = (world.client(), State::new());
        for _ in 0..60 {
            let op = random_op(&mut rng);
            client.peer.send(&op.bytes());
            let replies: Vec<Reply> = (0..op.replies()).map(|_| world.reply(&mut client)).collect();
            assert_eq!(*replies.last().unwrap(), op.apply(&mut model), "{op:?}");
        }
        assert_eq!(world.state(&mut client), model);
        client.peer.finish();
        world.assert_quiet();
    });
}

/// A client of a burst: what it will ask, what it has heard.
struct Part {
    client: Client,
    ops: Vec<Op>,
    heard: usize,
    invoked: Duration,
    events: Vec<Event>,
}

impl Part {
    fn begin_next(&mut self, now: Duration) {
        if let Some(op) = self.ops.get(self.events.len()) {
            self.client.peer.send(&op.bytes());
            self.invoked = now;
            self.heard = 0;
        }
    }

    /// Takes replies in; when a call is answered, the next begins.
    fn go_on(&mut self, now: Duration) {
        while let Some(reply) = self.client.hear() {
            let op = &self.ops[self.events.len()];
            self.heard += 1;
            if self.heard == op.replies() {
                self.events.push(Event { op: op.clone(), reply: reply.to_string(), invoked: self.invoked, returned: now });
                self.begin_next(now);
            }
        }
    }
}

#[test]
fn what_several_clients_hear_has_an_order() {
    with_seeds(6, |seed| {
        let (mut world, mut rng) = world(seed);
        let mut asking = world.client();
        let before = world.state(&mut asking);
        let mut parts: Vec<Part> = (0..4)
            .map(|_| {
                let ops = (0..5).map(|_| random_op(&mut rng)).collect();
                Part { client: world.client(), ops, heard: 0, invoked: Duration::ZERO, events: Vec::new() }
            })
            .collect();
        parts.iter_mut().for_each(|part| part.begin_next(world.sim.now()));
        while parts.iter().any(|part| part.events.len() < part.ops.len()) {
            world.turn();
            parts.iter_mut().for_each(|part| part.go_on(world.sim.now()));
        }
        let after = world.state(&mut asking);
        let mut history: Vec<Event> = parts.iter().flat_map(|part| part.events.clone()).collect();
        history.sort_by_key(|event| event.invoked);
        let lines = || history.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(explain(&before, &history, &after), "no order explains\nbefore {before:?}\n{}\nafter {after:?}", lines());
        parts.iter().for_each(|part| part.client.peer.finish());
        asking.peer.finish();
        world.assert_quiet();
    });
}

/// A pipeline of anything, watches and unfinished transactions among it.
fn pipeline(rng: &mut Prng) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..1 + rng.below(12) {
        match rng.below(8) {
            0 => out.extend(words(&format!("WATCH {} {}", key(rng.below(4) as usize), key(rng.below(4) as usize)))),
            1 if rng.below(2) == 0 => {
                let call = ["BLPOP x y z list:0 0", "BZPOPMIN x y z 0", "XREAD BLOCK 0 STREAMS x y z $ $ $", "BLPOP list:1 0"];
                out.extend(words(call[rng.below(4) as usize]));
            }
            1 => out.extend(words("MULTI")),
            2 => out.extend(words("EXEC")),
            3 => out.extend(words(["FLUSHALL", "SWAPDB 0 1", "RANDOMKEY", "KEYS *", "UNWATCH", "NOSUCH"][rng.below(6) as usize])),
            _ => out.extend(random_op(rng).bytes()),
        }
    }
    out
}

#[test]
fn clients_that_break_off_at_any_moment_leave_nothing() {
    with_seeds(4, |seed| {
        let (mut world, mut rng) = world(seed);
        let mut clients: Vec<Client> = Vec::new();
        for _ in 0..200 {
            match rng.below(8) {
                0 => clients.push(world.client()),
                1 if !clients.is_empty() => {
                    let client = clients.swap_remove(rng.below(clients.len() as u64) as usize);
                    if rng.below(2) == 0 { client.peer.reset() } else { client.peer.finish() }
                }
                2 | 3 if !clients.is_empty() => {
                    let client = &clients[rng.below(clients.len() as u64) as usize];
                    let bytes = pipeline(&mut rng);
                    let cut = if rng.below(3) == 0 { rng.below(bytes.len() as u64) as usize } else { bytes.len() };
                    client.peer.send(&bytes[..cut]);
                }
                4 if !clients.is_empty() => {
                    let client = &clients[rng.below(clients.len() as u64) as usize];
                    client.peer.set_window([0, 1, 100, 1 << 16][rng.below(4) as usize]);
                }
                _ => (0..rng.below(20)).for_each(|_| world.turn()),
            }
            // Replies that nobody reads fill the window; some are read.
            clients.iter_mut().filter(|_| rng.below(2) == 0).for_each(|client| drop(client.peer.receive()));
        }
        clients.iter().for_each(|client| client.peer.reset());
        world.assert_quiet();
        // And it still serves.
        let mut client = world.client();
        assert_eq!(world.say(&mut client, "FLUSHALL"), "OK");
        assert_eq!(world.say(&mut client, "MSET a 1 b 2 c 3 d 4"), "OK");
        assert_eq!(world.say(&mut client, "DBSIZE"), ":4");
        client.peer.finish();
        world.assert_quiet();
    });
}

/// Pushes and blocking pops by clients of which many break off while they wait, or while they are being answered.
#[test]
fn no_element_is_heard_twice_and_none_is_lost_but_on_its_way_to_who_has_gone() {
    with_seeds(4, |seed| {
        let (mut world, mut rng) = world(seed);
        let (mut pushing, mut clients) = (world.client(), Vec::<Client>::new());
        let (mut pushed, mut gone, mut heard) = (0, 0, Vec::new());
        let hear = |client: &mut Client, heard: &mut Vec<u64>| {
            while let Some(reply) = client.hear() {
                heard.push(reply.array()[1].text().parse().unwrap());
            }
        };
        for _ in 0..150 {
            match rng.below(6) {
                0 | 1 => {
                    let keys = ["a", "a b c d", "d c b a", "b x y", "c a"][rng.below(5) as usize];
                    let pop = ["BLPOP", "BRPOP", "BZPOPMIN"][rng.below(3) as usize];
                    let prefix = if pop == "BZPOPMIN" { "z" } else { "l" };
                    let keys: Vec<String> = keys.split(' ').map(|key| format!("{prefix}{key}")).collect();
                    let client = world.client();
                    client.peer.send(&words(&format!("{pop} {} 0", keys.join(" "))));
                    clients.push(client);
                }
                2 | 3 => {
                    let at = ["a", "b", "c", "d"][rng.below(4) as usize];
                    let call = if rng.below(2) == 0 { format!("RPUSH l{at} {pushed}") } else { format!("ZADD z{at} 1 {pushed}") };
                    assert!(!world.say(&mut pushing, &call).is_error());
                    pushed += 1;
                }
                4 if !clients.is_empty() => {
                    let mut client = clients.swap_remove(rng.below(clients.len() as u64) as usize);
                    hear(&mut client, &mut heard);
                    if rng.below(2) == 0 { client.peer.reset() } else { client.peer.finish() }
                    gone += 1;
                }
                _ => (0..rng.below(30)).for_each(|_| world.turn()),
            }
            clients.iter_mut().for_each(|client| hear(client, &mut heard));
        }
        // All who still wait go; those who were answered hear it first.
        (0..3000).for_each(|_| world.turn());
        for mut client in clients {
            hear(&mut client, &mut heard);
            client.peer.finish();
            gone += 1;
        }
        (0..3000).for_each(|_| world.turn());
        let mut left = Vec::new();
        for at in ["a", "b", "c", "d"] {
            for call in [format!("LRANGE l{at} 0 -1"), format!("ZRANGE z{at} 0 -1")] {
                left.extend(world.say(&mut pushing, &call).array().iter().map(|e| e.text().parse::<u64>().unwrap()));
            }
        }
        let mut all = [heard.clone(), left.clone()].concat();
        all.sort_unstable();
        let before = all.len();
        all.dedup();
        assert_eq!(all.len(), before, "an element is heard twice: heard {heard:?}, left {left:?}");
        assert!(all.len() as u64 + gone >= pushed, "{pushed} pushed, {} heard, {} left, {gone} gone", heard.len(), left.len());
        pushing.peer.finish();
        world.assert_quiet();
    });
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed: u64| {
        let (mut world, mut rng) = world(seed);
        let mut client = world.client();
        let ops: Vec<Op> = (0..30).map(|_| random_op(&mut rng)).collect();
        let heard: Vec<String> = ops
            .iter()
            .map(|op| {
                client.peer.send(&op.bytes());
                (0..op.replies()).map(|_| world.reply(&mut client).to_string()).collect()
            })
            .collect();
        (heard, world.turns, world.sim.now())
    };
    for seed in 0..5 {
        assert_eq!(run(seed), run(seed));
    }
}
