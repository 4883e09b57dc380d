//! A server as a plain map, and the calls that random clients make.

use crate::common::client::words;
use shards::stdx::prng::Prng;
use std::collections::BTreeMap;

/// Few, so that calls meet; on four shards they lie on three or four of them.
pub const KEYS: usize = 4;

/// What the keys hold.
pub type State = BTreeMap<usize, String>;

/// The name of a key.
pub fn key(i: usize) -> String {
    format!("key:{i}")
}

/// A call, or a transaction of several.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Get(usize),
    Set(usize, u64),
    Incr(usize),
    Del(Vec<usize>),
    Mget(Vec<usize>),
    Mset(Vec<(usize, u64)>),
    Msetnx(Vec<(usize, u64)>),
    Rename(usize, usize),
    Copy(usize, usize),
    Exists(Vec<usize>),
    Dbsize,
    Multi(Vec<Op>),
}

/// A random call.
pub fn random_op(rng: &mut Prng) -> Op {
    match rng.below(14) {
        0 | 1 => Op::Multi((0..1 + rng.below(4)).map(|_| single(rng)).collect()),
        _ => single(rng),
    }
}

fn single(rng: &mut Prng) -> Op {
    let one = |rng: &mut Prng| rng.below(KEYS as u64) as usize;
    let some = |rng: &mut Prng| (0..2 + rng.below(3)).map(|_| one(rng)).collect::<Vec<_>>();
    // Values differ, so that a reply tells whose write it saw.
    let value = |rng: &mut Prng| rng.below(1_000_000);
    match rng.below(14) {
        0 | 1 => Op::Get(one(rng)),
        2 | 3 => Op::Set(one(rng), value(rng)),
        4 | 5 => Op::Incr(one(rng)),
        6 => Op::Del(some(rng)),
        7 | 8 => Op::Mget(some(rng)),
        9 => Op::Mset(some(rng).into_iter().map(|k| (k, value(rng))).collect()),
        10 => Op::Msetnx(some(rng).into_iter().map(|k| (k, value(rng))).collect()),
        11 => Op::Rename(one(rng), one(rng)),
        12 => if rng.below(2) == 0 { Op::Dbsize } else { Op::Exists(some(rng)) },
        _ => Op::Copy(one(rng), one(rng)),
    }
}

fn names(keys: &[usize]) -> String {
    keys.iter().map(|k| key(*k)).collect::<Vec<_>>().join(" ")
}

fn pairs(pairs: &[(usize, u64)]) -> String {
    pairs.iter().map(|(k, value)| format!("{} {value}", key(*k))).collect::<Vec<_>>().join(" ")
}

impl Op {
    /// The call as a client types it.
    fn text(&self) -> String {
        match self {
            Op::Get(k) => format!("GET {}", key(*k)),
            Op::Set(k, value) => format!("SET {} {value}", key(*k)),
            Op::Incr(k) => format!("INCR {}", key(*k)),
            Op::Del(keys) => format!("DEL {}", names(keys)),
            Op::Mget(keys) => format!("MGET {}", names(keys)),
            Op::Mset(all) => format!("MSET {}", pairs(all)),
            Op::Msetnx(all) => format!("MSETNX {}", pairs(all)),
            Op::Rename(from, to) => format!("RENAME {} {}", key(*from), key(*to)),
            Op::Copy(from, to) => format!("COPY {} {} REPLACE", key(*from), key(*to)),
            Op::Exists(keys) => format!("EXISTS {}", names(keys)),
            Op::Dbsize => "DBSIZE".to_owned(),
            Op::Multi(_) => unreachable!("a transaction is several calls"),
        }
    }

    /// The bytes to send.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Op::Multi(ops) => {
                let calls = ops.iter().flat_map(|op| words(&op.text()));
                words("MULTI").into_iter().chain(calls).chain(words("EXEC")).collect()
            }
            op => words(&op.text()),
        }
    }

    /// How many replies come; the last one counts.
    pub fn replies(&self) -> usize {
        match self {
            Op::Multi(ops) => ops.len() + 2,
            _ => 1,
        }
    }

    /// What a server in this state does and answers.
    pub fn apply(&self, state: &mut State) -> String {
        let shown = |state: &State, k: &usize| state.get(k).cloned().unwrap_or_else(|| "(nil)".to_owned());
        match self {
            Op::Get(k) => shown(state, k),
            Op::Set(k, value) => {
                state.insert(*k, value.to_string());
                "OK".to_owned()
            }
            Op::Incr(k) => {
                let next = state.get(k).map_or(0, |n| n.parse::<u64>().unwrap()) + 1;
                state.insert(*k, next.to_string());
                format!(":{next}")
            }
            Op::Del(keys) => format!(":{}", keys.iter().filter(|k| state.remove(k).is_some()).count()),
            Op::Mget(keys) => format!("[{}]", keys.iter().map(|k| shown(state, k)).collect::<Vec<_>>().join(" ")),
            Op::Mset(all) => {
                state.extend(all.iter().map(|(k, value)| (*k, value.to_string())));
                "OK".to_owned()
            }
            Op::Msetnx(all) if all.iter().any(|(k, _)| state.contains_key(k)) => ":0".to_owned(),
            Op::Msetnx(all) => {
                state.extend(all.iter().map(|(k, value)| (*k, value.to_string())));
                ":1".to_owned()
            }
            Op::Rename(from, to) => match state.remove(from) {
                Some(value) => {
                    state.insert(*to, value);
                    "OK".to_owned()
                }
                None => "-ERR no such key".to_owned(),
            },
            Op::Copy(from, to) if from == to => "-ERR source and destination objects are the same".to_owned(),
            Op::Copy(from, to) => match state.get(from).cloned() {
                Some(value) => {
                    state.insert(*to, value);
                    ":1".to_owned()
                }
                None => ":0".to_owned(),
            },
            Op::Exists(keys) => format!(":{}", keys.iter().filter(|k| state.contains_key(k)).count()),
            Op::Dbsize => format!(":{}", state.len()),
            Op::Multi(ops) => format!("[{}]", ops.iter().map(|op| op.apply(state)).collect::<Vec<_>>().join(" ")),
        }
    }
}
