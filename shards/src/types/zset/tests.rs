//! Random calls on both forms against a plain model.

use super::*;
use crate::stdx::prng::Prng;
use std::collections::HashMap;

/// What the set should hold, in order.
fn sorted(model: &HashMap<Vec<u8>, f64>) -> Vec<(Vec<u8>, f64)> {
    let mut all: Vec<(Vec<u8>, f64)> = model.iter().map(|(m, s)| (m.clone(), *s)).collect();
    all.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
    all
}

fn elements(set: &ZSet, rank: usize, reverse: bool) -> Vec<(Vec<u8>, f64)> {
    let mut all = Vec::new();
    set.walk(rank, reverse, &mut |member, score| {
        all.push((member.to_vec(), score));
        true
    });
    all
}

fn random_member(rng: &mut Prng, names: u64) -> Vec<u8> {
    let name = rng.below(names);
    let mut member = format!("m{name}").into_bytes();
    if name % 50 == 7 {
        member.resize(1500, b'x');
    }
    member
}

fn random_score(rng: &mut Prng, kind: u64) -> f64 {
    match kind {
        0 => 0.0,
        1 => rng.below(10) as f64,
        2 => rng.unit() * 1e6 - 5e5,
        _ => [f64::INFINITY, f64::NEG_INFINITY, 1e300, 0.5, 7.0][rng.below(5) as usize],
    }
}

fn compare(seed: u64, set: &ZSet, model: &HashMap<Vec<u8>, f64>, rng: &mut Prng) {
    set.check_invariants();
    let expected = sorted(model);
    assert_eq!(elements(set, 0, false), expected, "seed {seed}");
    if expected.is_empty() {
        return;
    }
    let rank = rng.below(expected.len() as u64) as usize;
    assert_eq!(elements(set, rank, false), expected[rank..], "seed {seed}");
    let down: Vec<_> = expected[..=rank].iter().rev().cloned().collect();
    assert_eq!(elements(set, rank, true), down, "seed {seed}");
    let (member, score) = &expected[rank];
    assert_eq!(set.rank(member), Some((rank, *score)), "seed {seed}");
    assert_eq!(set.at(rank), (&member[..], *score), "seed {seed}");
    let min = ScoreBound { score: *score, exclusive: rng.below(2) == 0 };
    let max = ScoreBound { score: expected[rng.below(expected.len() as u64) as usize].1, exclusive: rng.below(2) == 0 };
    let inside = |s: f64| {
        (if min.exclusive { s > min.score } else { s >= min.score }) && (if max.exclusive { s < max.score } else { s <= max.score })
    };
    let count = expected.iter().filter(|(_, s)| inside(*s)).count();
    let ranks = set.ranks_by_score(min, max);
    assert_eq!(ranks.len(), count, "seed {seed}");
    assert!(expected[ranks].iter().all(|(_, s)| inside(*s)), "seed {seed}");
}

fn run(seed: u64, caps: Caps, names: u64, steps: usize) {
    let mut rng = Prng::new(seed);
    let kind = seed % 4;
    let mut set = ZSet::new(&caps, 0, 0);
    let mut model: HashMap<Vec<u8>, f64> = HashMap::new();
    for step in 0..steps {
        let shrinking = step * 4 > steps * 3;
        let member = random_member(&mut rng, names);
        let score = random_score(&mut rng, kind);
        match rng.below(10) {
            0..=6 if !shrinking => match model.insert(member.clone(), score) {
                None => set.insert(&caps, &member, score),
                Some(_) => set.update(&member, score),
            },
            0 => {
                let from = rng.below(set.len() as u64 + 1) as usize;
                let to = (from + rng.below(20) as usize).min(set.len());
                for (member, _) in &sorted(&model)[from..to] {
                    model.remove(member);
                }
                set.remove_ranks(from..to);
            }
            _ => assert_eq!(set.remove(&member), model.remove(&member), "seed {seed}"),
        }
        assert_eq!(set.len(), model.len(), "seed {seed}");
        assert_eq!(set.score(&member), model.get(&member).copied(), "seed {seed}");
        if step % 16 == 0 {
            compare(seed, &set, &model, &mut rng);
        }
    }
    compare(seed, &set, &model, &mut rng);
}

const ALWAYS_LARGE: Caps = Caps { entries_max: 0, value_max: 0, seed: 77 };

#[test]
fn a_large_set_does_what_the_model_does() {
    for seed in 0..12 {
        run(seed, ALWAYS_LARGE, 3000, 6000);
    }
    for seed in 100..120 {
        run(seed, ALWAYS_LARGE, 100, 600);
    }
}

#[test]
fn a_small_set_that_becomes_large_does_what_the_model_does() {
    for seed in 0..40 {
        run(seed, Caps { entries_max: 32, value_max: 2000, seed: 5 }, 60, 400);
    }
}

#[test]
fn sets_filled_in_order_are_well_filled() {
    for reverse in [false, true] {
        let mut set = ZSet::new(&ALWAYS_LARGE, 0, 0);
        let mut payload = 0;
        for i in 0..50_000u32 {
            let score = if reverse { 50_000 - i } else { i };
            let member = format!("member:{score:06}");
            payload += member.len();
            set.insert(&ALWAYS_LARGE, member.as_bytes(), f64::from(score));
        }
        set.check_invariants();
        let over = (set.heap_bytes() - payload) as f64 / 50_000.0;
        assert!(over < 25.0, "{over} bytes over the members, {reverse}");
    }
}

#[test]
fn a_range_of_members_is_found_among_equal_scores() {
    for caps in [ALWAYS_LARGE, Caps { entries_max: 9999, value_max: 64, seed: 0 }] {
        let mut set = ZSet::new(&caps, 0, 0);
        for i in (0..1000).rev() {
            set.insert(&caps, format!("{i:04}").as_bytes(), 0.0);
        }
        let ranks = |min, max| set.ranks_by_lex(min, max);
        assert_eq!(ranks(LexBound::Lowest, LexBound::Highest), 0..1000);
        assert_eq!(ranks(LexBound::Including(b"0100"), LexBound::Including(b"0200")), 100..201);
        assert_eq!(ranks(LexBound::Excluding(b"0100"), LexBound::Excluding(b"0200")), 101..200);
        assert_eq!(ranks(LexBound::Excluding(b"01005"), LexBound::Excluding(b"01995")), 101..200);
        assert!(ranks(LexBound::Highest, LexBound::Lowest).is_empty());
    }
}

#[test]
fn a_scan_tells_every_member_that_stays() {
    let mut rng = Prng::new(3);
    let mut set = ZSet::new(&ALWAYS_LARGE, 0, 0);
    for i in 0..3000 {
        set.insert(&ALWAYS_LARGE, format!("stays{i}").as_bytes(), rng.unit());
    }
    let (mut cursor, mut seen, mut round) = (0, std::collections::HashSet::new(), 0);
    loop {
        cursor = set.scan(cursor, 10, &mut |member, _| {
            seen.insert(member.to_vec());
        });
        if cursor == 0 {
            break;
        }
        round += 1;
        for i in 0..40 {
            set.insert(&ALWAYS_LARGE, format!("passes{round}-{i}").as_bytes(), rng.unit());
            set.update(format!("stays{}", rng.below(3000)).as_bytes(), rng.unit());
        }
    }
    set.check_invariants();
    assert_eq!(seen.iter().filter(|m| m.starts_with(b"stays")).count(), 3000);
}

#[test]
fn a_large_set_can_be_dropped_in_slices() {
    let mut set = ZSet::new(&ALWAYS_LARGE, 0, 0);
    for i in 0..20_000 {
        set.insert(&ALWAYS_LARGE, format!("member{i}").as_bytes(), f64::from(i));
    }
    let mut slices = 1;
    while !set.drop_some(64) {
        slices += 1;
    }
    assert!((4..100).contains(&slices), "{slices} slices");
}
