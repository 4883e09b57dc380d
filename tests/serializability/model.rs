//! A server as a plain map, and the calls that random clients make.

use crate::common::Reply;
use crate::common::client::words;
use shards::stdx::prng::Prng;
use std::collections::BTreeMap;

/// Few, so that calls meet; on four shards they lie on three or four of them.
pub const KEYS: usize = 4;

/// Keys that hold lists; in a state they stand behind the others.
const LISTS: usize = 4;

/// All places of a state.
pub const PLACES: usize = KEYS + LISTS;

/// How long a blocking call waits, seconds. It may be over before anything comes: then the lists were empty when it came.
const WAIT: &str = "0.002";

/// What the keys hold; the elements of a list with blanks between them.
pub type State = BTreeMap<usize, String>;

/// The name of a key.
pub fn key(i: usize) -> String {
    format!("key:{i}")
}

/// The name of a list.
fn list(i: usize) -> String {
    format!("list:{}", i - KEYS)
}

/// The call that asks what a place holds.
pub fn question(place: usize) -> String {
    if place < KEYS { format!("GET {}", key(place)) } else { format!("LRANGE {} 0 -1", list(place)) }
}

/// What a place holds by the answer to that.
pub fn answer(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Array(elements) if elements.is_empty() => None,
        Reply::Array(elements) => Some(elements.iter().map(Reply::text).collect::<Vec<_>>().join(" ")),
        reply if *reply == "(nil)" => None,
        reply => Some(reply.text()),
    }
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
    /// RPUSH
    Push(usize, Vec<u64>),
    /// BLPOP
    Pop(Vec<usize>),
    /// BLMPOP ... RIGHT COUNT
    PopSome(Vec<usize>, usize),
    /// BLMOVE ... LEFT RIGHT
    Move(usize, usize),
    Llen(usize),
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
    let list = |rng: &mut Prng| KEYS + rng.below(LISTS as u64) as usize;
    match rng.below(23) {
        14..=16 => Op::Push(list(rng), (0..1 + rng.below(3)).map(|_| value(rng)).collect()),
        17 | 18 => Op::Pop((0..1 + rng.below(4)).map(|_| list(rng)).collect()),
        19 => Op::PopSome((0..1 + rng.below(4)).map(|_| list(rng)).collect(), 1 + rng.below(3) as usize),
        20 | 21 => Op::Move(list(rng), list(rng)),
        22 => Op::Llen(list(rng)),
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

fn lists(lists: &[usize]) -> String {
    lists.iter().map(|l| list(*l)).collect::<Vec<_>>().join(" ")
}

/// The elements at a place.
fn elements(state: &State, place: usize) -> Vec<String> {
    state.get(&place).map_or(Vec::new(), |held| held.split(' ').map(str::to_owned).collect())
}

fn keep(state: &mut State, place: usize, elements: &[String]) {
    match elements {
        [] => drop(state.remove(&place)),
        some => drop(state.insert(place, some.join(" "))),
    }
}

/// The first of these lists that has something.
fn first(state: &State, lists: &[usize]) -> Option<usize> {
    lists.iter().copied().find(|l| state.contains_key(l))
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
            Op::Push(l, values) => {
                format!("RPUSH {} {}", list(*l), values.iter().map(u64::to_string).collect::<Vec<_>>().join(" "))
            }
            Op::Pop(from) => format!("BLPOP {} {WAIT}", lists(from)),
            Op::PopSome(from, count) => {
                format!("BLMPOP {WAIT} {} {} RIGHT COUNT {count}", from.len(), lists(from))
            }
            Op::Move(from, to) => format!("BLMOVE {} {} LEFT RIGHT {WAIT}", list(*from), list(*to)),
            Op::Llen(l) => format!("LLEN {}", list(*l)),
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
            Op::Push(l, values) => {
                let mut held = elements(state, *l);
                held.extend(values.iter().map(u64::to_string));
                keep(state, *l, &held);
                format!(":{}", held.len())
            }
            Op::Pop(from) => {
                let Some(l) = first(state, from) else { return "(nil)".to_owned() };
                let mut held = elements(state, l);
                let element = held.remove(0);
                keep(state, l, &held);
                format!("[{} {element}]", list(l))
            }
            Op::PopSome(from, count) => {
                let Some(l) = first(state, from) else { return "(nil)".to_owned() };
                let mut held = elements(state, l);
                let mut taken = held.split_off(held.len() - (*count).min(held.len()));
                taken.reverse();
                keep(state, l, &held);
                format!("[{} [{}]]", list(l), taken.join(" "))
            }
            Op::Move(from, to) => {
                let mut held = elements(state, *from);
                if held.is_empty() {
                    return "(nil)".to_owned();
                }
                let element = held.remove(0);
                keep(state, *from, &held);
                let mut there = elements(state, *to);
                there.push(element.clone());
                keep(state, *to, &there);
                element
            }
            Op::Llen(l) => format!(":{}", elements(state, *l).len()),
            Op::Multi(ops) => format!("[{}]", ops.iter().map(|op| op.apply(state)).collect::<Vec<_>>().join(" ")),
        }
    }
}
