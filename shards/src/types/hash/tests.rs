//! A hash against a plain model, and what it costs.

use std::collections::BTreeMap;

use super::*;
use crate::stdx::prng::Prng;

const BOUNDS: Bounds = Bounds { entries_max: 16, value_max: 64, seed: 7 };

fn text(text: Text<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    text.write(&mut out);
    out
}

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn same(hash: &Hash, model: &Model, hidden: i64) {
    hash.check_invariants();
    assert_eq!(hash.len(), model.len());
    let mut found: Vec<_> = hash.iter(hidden).map(|f| (text(f.name), (text(f.value), f.expire_at))).collect();
    found.sort();
    let live = model.iter().filter(|(_, (_, at))| at.is_none_or(|at| at > hidden));
    assert!(found.iter().map(|(n, v)| (n, v)).eq(live));
}

fn random_name(rng: &mut Prng) -> Vec<u8> {
    match rng.below(3) {
        0 => rng.below(300).to_string().into_bytes(),
        1 => format!("field:{}", rng.below(300)).into_bytes(),
        _ => vec![b'x'; rng.below(90) as usize],
    }
}

fn random_value(rng: &mut Prng) -> Vec<u8> {
    match rng.below(20) {
        0 => vec![b'v'; rng.below(3000) as usize],
        1..10 => (rng.next_u64() as i64 >> rng.below(64)).to_string().into_bytes(),
        _ => format!("value {}", rng.below(1 << 40)).into_bytes(),
    }
}

#[test]
fn random_calls_do_what_a_map_does() {
    for seed in 0..30 {
        let mut rng = Prng::new(seed);
        let (mut hash, mut model, mut now) = (Hash::default(), Model::new(), 0);
        let grows = 2 + rng.below(4);
        for turn in 0..3000 {
            let name = random_name(&mut rng);
            let there = model.get(&name).cloned();
            let over = there.as_ref().is_some_and(|(_, at)| at.is_some_and(|at| at <= now));
            match rng.below(10) {
                n if n < grows + turn / 1000 => {
                    let value = random_value(&mut rng);
                    let expiry = match rng.below(8) {
                        0 if turn > 500 => Expiry::At(now + rng.below(500) as i64),
                        1 => Expiry::Keep,
                        _ => Expiry::Clear,
                    };
                    let was = hash.set(&name, &value, expiry, now, &BOUNDS);
                    let expected = if over { Was::Over } else if there.is_some() { Was::There } else { Was::Absent };
                    assert_eq!(was, expected, "seed {seed}, turn {turn}");
                    let at = match expiry {
                        Expiry::At(at) => Some(at),
                        Expiry::Keep if !over => there.and_then(|(_, at)| at),
                        _ => None,
                    };
                    model.insert(name, (value, at));
                }
                8 if there.is_some() => {
                    let at = (rng.below(2) == 0 && turn > 500).then(|| now + rng.below(500) as i64);
                    hash.set_expiry(&name, at, &BOUNDS);
                    model.get_mut(&name).expect("it is there").1 = at;
                }
                9 => {
                    now += rng.below(50) as i64;
                    let mut gone = Vec::new();
                    let more = hash.expire_some(now, 5, &mut |name| gone.push(text(name)));
                    for name in &gone {
                        assert!(model.remove(name).expect("it was there").1.expect("it had an expiry") <= now);
                    }
                    assert!(gone.len() <= 5);
                    assert!(more || model.values().all(|(_, at)| at.is_none_or(|at| at > now)), "seed {seed}");
                }
                _ => {
                    assert_eq!(hash.remove(&name, now), there.is_some() && !over);
                    if !over {
                        model.remove(&name);
                    }
                }
            }
            same(&hash, &model, now);
        }
    }
}

#[test]
fn a_pack_keeps_the_order_in_which_fields_came() {
    let mut hash = Hash::default();
    for name in ["c", "a", "b", "10"] {
        hash.set(name.as_bytes(), b"1", Expiry::Clear, 0, &BOUNDS);
    }
    hash.set(b"a", b"22222", Expiry::Clear, 0, &BOUNDS);
    let names: Vec<_> = hash.iter(0).map(|field| text(field.name)).collect();
    assert_eq!(names, [b"c".to_vec(), b"a".to_vec(), b"b".to_vec(), b"10".to_vec()]);
    assert_eq!(hash.encoding(), "listpack");
}

#[test]
fn thresholds_and_expiries_make_a_table() {
    let mut full = Hash::default();
    for i in 0..17 {
        assert_eq!(full.encoding(), "listpack");
        full.set(format!("f{i}").as_bytes(), b"v", Expiry::Clear, 0, &BOUNDS);
    }
    assert_eq!(full.encoding(), "hashtable");
    for (name, value, expiry) in
        [(&[b'x'; 65][..], &b"v"[..], Expiry::Clear), (b"f", &[b'x'; 65], Expiry::Clear), (b"f", b"v", Expiry::At(9))]
    {
        let mut hash = Hash::default();
        hash.set(name, value, expiry, 0, &BOUNDS);
        assert_eq!(hash.encoding(), "hashtable");
    }
}

fn filled(n: usize) -> Hash {
    let mut hash = Hash::default();
    for i in 0..n {
        hash.set(format!("field:{i:08}").as_bytes(), format!("value:{i:08}").as_bytes(), Expiry::Clear, 0, &BOUNDS);
    }
    hash
}

#[test]
fn a_scan_sees_every_field_while_the_table_grows_and_shrinks() {
    let mut hash = filled(5000);
    let mut seen = std::collections::BTreeSet::new();
    let (mut cursor, mut turn) = (0, 0);
    loop {
        cursor = hash.scan(cursor, 0, |field| {
            seen.insert(text(field.name));
        });
        turn += 1;
        if cursor == 0 {
            break;
        }
        for i in 0..40 {
            let name = format!("other:{turn}:{i}");
            if turn < 100 {
                hash.set(name.as_bytes(), b"some value of some length", Expiry::Clear, 0, &BOUNDS);
            } else {
                hash.remove(format!("other:{}:{i}", turn - 99).as_bytes(), 0);
            }
        }
    }
    for i in 0..5000 {
        assert!(seen.contains(format!("field:{i:08}").as_bytes()), "{i}");
    }
    assert!(turn > 100);
}

#[test]
fn samples_are_fair() {
    let hash = filled(1000);
    let mut rng = Prng::new(3);
    let mut hits = BTreeMap::new();
    for _ in 0..100_000 {
        let (_, field) = hash.random(&mut |n| rng.below(n)).expect("there are fields");
        *hits.entry(text(field.name)).or_insert(0) += 1;
    }
    assert_eq!(hits.len(), 1000);
    assert!(hits.values().all(|n| (50..170).contains(n)), "{:?} {:?}", hits.values().min(), hits.values().max());
}

#[test]
fn a_field_costs_few_bytes_beyond_its_name_and_value() {
    const PAYLOAD: usize = 28;
    for (n, most) in [(16, 4.5), (100, 6.7), (1000, 6.5), (100_000, 6.5)] {
        let hash = filled(n);
        let beyond = hash.memory_bytes() as f64 / n as f64 - PAYLOAD as f64;
        assert!(beyond < most, "{n} fields: {beyond:.1} bytes each beyond the {PAYLOAD}");
    }
}

#[test]
fn memory_is_what_the_blocks_hold() {
    for n in [1000, 10_000, 100_000] {
        let hash = filled(n);
        let Form::Table(table) = &hash.form else { panic!("it is a table") };
        let held: usize = table.packs().iter().map(|pack| pack.capacity() + size_of::<Vec<u8>>()).sum();
        let told = hash.memory_bytes();
        assert!(told > held * 9 / 10 && told < held * 12 / 10, "told {told}, held {held}");
    }
}

#[test]
fn a_table_that_lost_its_fields_is_small_again_and_drops_in_slices() {
    let mut hash = filled(100_000);
    let full = hash.memory_bytes();
    for i in 0..99_000 {
        hash.remove(format!("field:{i:08}").as_bytes(), 0);
    }
    hash.check_invariants();
    assert!(hash.memory_bytes() < full / 20, "{} of {full}", hash.memory_bytes());
    let mut slices = 1;
    while !hash.drop_some(10) {
        slices += 1;
    }
    assert!(slices > 3);
}
