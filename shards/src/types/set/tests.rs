//! Sets against a plain model, and what chance gives.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn random_text(rng: &mut Prng, wide: bool) -> Vec<u8> {
    match rng.below(if wide { 12 } else { 4 }) {
        0..4 => (rng.below(3000) as i64 - 500).to_string().into_bytes(),
        4 => ((rng.next_u64() as i64) >> rng.below(64)).to_string().into_bytes(),
        5 => vec![b'x'; 230 + rng.below(20) as usize],
        6 => vec![b'y'; rng.below(80) as usize],
        7 => format!("0{}", rng.below(50)).into_bytes(),
        _ => format!("member:{}", rng.below(4000)).into_bytes(),
    }
}

fn texts(set: &Set) -> BTreeSet<Vec<u8>> {
    let mut digits = [0; 20];
    set.iter().map(|m| text(m, &mut digits).to_vec()).collect()
}

#[test]
fn a_set_agrees_with_a_sorted_set_over_random_calls() {
    for seed in 0..40 {
        let mut rng = Prng::new(seed);
        let limits = match seed % 4 {
            0 => SetLimits { listpack_entries: 5000, listpack_value: 1000, ..SetLimits::default() },
            1 => SetLimits { intset_entries: 8, listpack_entries: 8, ..SetLimits::default() },
            _ => SetLimits::default(),
        };
        let (mut set, mut model) = (Set::of_ints(), BTreeSet::new());
        let mut shrinking = false;
        for step in 0..3000 {
            if rng.below(500) == 0 {
                shrinking = !shrinking;
            }
            let member = random_text(&mut rng, seed % 3 > 0 || step > 1500);
            match (rng.below(10), shrinking) {
                (0..2, false) | (0..8, true) if !model.is_empty() && rng.below(2) == 0 => {
                    let mut popped = Vec::new();
                    set.pop(&mut rng, |m| popped = text(m, &mut [0; 20]).to_vec());
                    assert!(model.remove(&popped), "seed {seed}: it was a member");
                }
                (0..2, false) | (0..8, true) => {
                    assert_eq!(set.remove(Member::of(&member)), model.remove(&member), "seed {seed}");
                }
                _ => assert_eq!(set.add(Member::of(&member), &limits), model.insert(member.clone()), "seed {seed}"),
            }
            assert_eq!(set.contains(Member::of(&member)), model.contains(&member), "seed {seed}");
            assert_eq!(set.len(), model.len(), "seed {seed}");
            if step % 50 == 0 {
                set.check_invariants();
                assert_eq!(texts(&set), model, "seed {seed}");
                assert_eq!(texts(&set.clone()), model);
            }
        }
    }
}

#[test]
fn the_form_changes_where_valkey_changes_it() {
    let limits = SetLimits::default();
    let mut set = Set::for_members(b"1", 1, &limits);
    (0..512).for_each(|n| assert!(set.add(Member::Int(n), &limits)));
    assert_eq!(set.encoding(), "intset");
    set.add(Member::Int(512), &limits);
    assert_eq!(set.encoding(), "hashtable");
    let mut set = Set::for_members(b"1", 1, &limits);
    set.add(Member::Int(1), &limits);
    set.add(Member::Text(b"a"), &limits);
    assert_eq!(set.encoding(), "listpack");
    let mut long = set.clone();
    long.add(Member::Text(&[b'x'; 65]), &limits);
    assert_eq!(long.encoding(), "hashtable");
    (2..129).for_each(|n| assert!(set.add(Member::Int(n), &limits)));
    assert_eq!((set.encoding(), set.len()), ("hashtable", 129));
}

fn big(count: i64, limits: &SetLimits) -> Set {
    let mut set = Set::hashed(limits);
    (0..count).for_each(|n| {
            set.add(Member::Int(n), limits);
        });
    set
}

#[test]
fn a_scan_gives_every_member_that_stays() {
    let limits = SetLimits::default();
    for seed in 0..10 {
        let mut rng = Prng::new(seed);
        let mut set = big(2000, &limits);
        let (mut cursor, mut seen, mut extra) = (0, BTreeSet::new(), 10_000);
        loop {
            cursor = set.scan(cursor, &mut |m| {
                seen.insert(text(m, &mut [0; 20]).to_vec());
            });
            if cursor == 0 {
                break;
            }
            // The members from 1000 on come and go, so buckets split and merge meanwhile.
            for _ in 0..rng.below(60) {
                if seed % 2 == 0 {
                    set.add(Member::Int(extra), &limits);
                    extra += 1;
                } else {
                    set.remove(Member::Int(1000 + rng.below(1000) as i64));
                }
            }
        }
        assert!((0..1000).all(|n: i64| seen.contains(n.to_string().as_bytes())), "seed {seed}");
    }
}

/// Chi-squared of `counts` against equal chances, per degree of freedom: about 1.
fn unevenness(counts: &BTreeMap<i64, u64>, members: usize) -> f64 {
    let total: u64 = counts.values().sum();
    let expected = total as f64 / members as f64;
    let missing = (members - counts.len()) as f64 * expected;
    let sum: f64 = counts.values().map(|n| (*n as f64 - expected).powi(2) / expected).sum();
    (sum + missing) / (members - 1) as f64
}

#[test]
fn every_member_is_drawn_as_often() {
    let limits = SetLimits::default();
    let mut rng = Prng::new(5);
    let mut set = big(3000, &limits);
    (0..2000).for_each(|n| {
            set.remove(Member::Int(n));
        });
    let mut counts = BTreeMap::new();
    for _ in 0..200_000 {
        let Member::Int(n) = set.random(&mut rng) else { unreachable!() };
        *counts.entry(n).or_default() += 1;
    }
    assert!((0.8..1.2).contains(&unevenness(&counts, 1000)), "{}", unevenness(&counts, 1000));
    for count in [5, 900] {
        let mut counts = BTreeMap::new();
        for _ in 0..(400_000 / count) {
            let mut seen = BTreeSet::new();
            set.sample(count, &mut rng, |m| {
                let Member::Int(n) = m else { unreachable!() };
                seen.insert(n);
                *counts.entry(n).or_default() += 1;
            });
            assert_eq!(seen.len(), count, "all different");
        }
        // Drawn without putting back, so counts scatter less than independent draws.
        assert!(unevenness(&counts, 1000) < 1.2);
    }
}

#[test]
fn a_big_set_is_dropped_in_slices() {
    let mut set = big(50_000, &SetLimits::default());
    set.add(Member::Text(&[b'z'; 500]), &SetLimits::default());
    let mut slices = 1;
    while set.drop_some(64) {
        slices += 1;
    }
    assert!(slices > 30, "{slices}");
}

#[test]
fn members_take_few_bytes_past_the_cliff() {
    let limits = SetLimits::default();
    for (count, bytes_max) in [(129, 15.5), (1000, 14.5), (100_000, 14.5)] {
        let mut set = Set::compact();
        (0..count).for_each(|n| {
            set.add(Member::Text(format!("m{n:08}").as_bytes()), &limits);
        });
        let each = set.memory_bytes() as f64 / f64::from(count);
        assert!(each < bytes_max, "{count}: {each}");
    }
    let mut ints = big(100_000, &limits).memory_bytes() as f64 / 100_000.0;
    ints = ints.max(0.0);
    assert!(ints < 7.0, "{ints}");
}
