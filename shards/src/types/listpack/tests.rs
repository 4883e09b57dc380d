//! Lists against a plain vector, every byte of a listpack changed, and what was found wrong once.

use super::*;
use crate::stdx::prng::Prng;

fn pack(elements: &[&[u8]]) -> Listpack {
    let mut pack = Listpack::new();
    elements.iter().for_each(|element| pack.push_back(element));
    pack
}

fn texts(pack: &Listpack) -> Vec<Vec<u8>> {
    pack.iter().map(Element::to_vec).collect()
}

#[test]
fn the_bytes_are_those_of_valkey() {
    assert_eq!(Listpack::new().bytes(), [7, 0, 0, 0, 0, 0, 0xff]);
    let pack = pack(&[b"hello", b"127", b"128", b"-1", b"-4096", b"4095", b"-4097", b"8388607", b"-8388609", b"1099511627776"]);
    let expected: &[&[u8]] = &[
        &[53, 0, 0, 0, 10, 0],
        b"\x85hello\x06",
        &[127, 1],
        &[0xc0, 128, 2],
        &[0xdf, 0xff, 2],
        &[0xd0, 0, 2],
        &[0xcf, 0xff, 2],
        &[0xf1, 0xff, 0xef, 3],
        &[0xf2, 0xff, 0xff, 0x7f, 4],
        &[0xf3, 0xff, 0xff, 0x7f, 0xff, 5],
        &[0xf4, 0, 0, 0, 0, 0, 1, 0, 0, 9],
        &[0xff],
    ];
    assert_eq!(pack.bytes(), expected.concat());
}

#[test]
fn long_strings_have_longer_headers_and_back_lengths() {
    for (len, header, back) in [
        (0, &[0x80][..], &[1][..]),
        (63, &[0xbf], &[64]),
        (64, &[0xe0, 64], &[66]),
        (126, &[0xe0, 126], &[1, 0x80]),
        (4095, &[0xef, 0xff], &[32, 0x81]),
        (4096, &[0xf0, 0, 0x10, 0, 0], &[32, 0x85]),
        (20000, &[0xf0, 0x20, 0x4e, 0, 0], &[1, 0x9c, 0xa5]),
    ] {
        let text = vec![b'x'; len];
        let pack = pack(&[&text]);
        let expected = [header, &text, back, &[0xff]].concat();
        assert_eq!(pack.bytes()[6..], expected, "{len}");
        assert_eq!(pack.iter().next_back(), Some(Element::Bytes(&text)));
        pack.check_invariants();
    }
}

#[test]
fn every_integer_comes_back() {
    let mut near: Vec<i64> = vec![i64::MIN, i64::MAX];
    for bits in 0..63 {
        for delta in -2..=2 {
            near.extend([(1i64 << bits).saturating_add(delta), (-(1i64 << bits)).saturating_add(delta)]);
        }
    }
    for n in near {
        let text = n.to_string();
        let pack = pack(&[text.as_bytes()]);
        assert_eq!(pack.iter().next(), Some(Element::Int(n)));
        assert_eq!(pack.iter().next_back(), Some(Element::Int(n)));
        assert_eq!(texts(&pack), [text.as_bytes()]);
        assert!(pack.find(pack.begin(), &Needle::new(text.as_bytes()), 0).is_some());
    }
    for text in ["", "-0", "01", "+1", "1 ", "9223372036854775808", "-9223372036854775809"] {
        assert_eq!(pack(&[text.as_bytes()]).iter().next(), Some(Element::Bytes(text.as_bytes())));
    }
}

#[test]
fn from_65535_elements_on_they_are_counted_one_by_one() {
    let mut pack = Listpack::new();
    (0..65534).for_each(|_| pack.push_back(b"1"));
    assert_eq!(pack.bytes()[4..6], [0xfe, 0xff]);
    (0..3).for_each(|_| pack.push_front(b"2"));
    assert_eq!((pack.bytes()[4..6].to_vec(), pack.len()), (vec![0xff, 0xff], 65537));
    assert!(pack.seek(65536).is_some() && pack.seek(65537).is_none());
    pack.remove_range(1, 65535);
    assert_eq!((pack.len(), texts(&pack)), (2, vec![b"2".to_vec(), b"1".to_vec()]));
    pack.check_invariants();
}

#[test]
fn damaged_bytes_are_refused() {
    let long = vec![b'y'; 300];
    let sound = pack(&[b"a", b"12", &long, b"70000", b"", b"-3", &long]).bytes().to_vec();
    assert!(Listpack::from_untrusted(sound.clone()).is_some());
    for cut in 0..sound.len() {
        assert!(!validate(&sound[..cut]));
    }
    for at in 0..sound.len() {
        for value in 0..=255 {
            let mut bytes = sound.clone();
            bytes[at] = value;
            let Some(mut pack) = Listpack::from_untrusted(bytes) else { continue };
            let forth = texts(&pack);
            let mut back: Vec<_> = pack.iter().rev().map(Element::to_vec).collect();
            back.reverse();
            assert_eq!(forth, back);
            while let Some(last) = pack.last() {
                pack.remove(last);
                pack.push_front(b"x");
                pack.remove(pack.begin());
            }
        }
    }
    let lying = [11, 0, 0, 0, 1, 0, 0xf0, 0xff, 0xff, 0xff, 0xff];
    assert!(!validate(&lying));
    assert!(!validate(&[7, 0, 0, 0, 1, 0, 0xff]), "it says one element and has none");
    assert!(!validate(&[8, 0, 0, 0, 0, 0, 0xff, 0xff]), "the end comes early");
}

#[test]
fn a_queue_does_not_grow() {
    let mut pack = pack(&[&b"abcdefgh"[..]; 20]);
    let bytes = pack.memory_bytes();
    for _ in 0..10_000 {
        pack.push_back(b"abcdefgh");
        pack.remove(pack.begin());
    }
    assert!(pack.memory_bytes() <= bytes * 2, "{} {bytes}", pack.memory_bytes());
    for _ in 0..10_000 {
        pack.push_front(b"abcdefgh");
        pack.remove(pack.last().unwrap());
    }
    assert!(pack.memory_bytes() <= bytes * 2, "{} {bytes}", pack.memory_bytes());
    pack.check_invariants();
}

fn random_text(rng: &mut Prng) -> Vec<u8> {
    match rng.below(6) {
        0 => rng.below(300).to_string().into_bytes(),
        1 => (rng.next_u64() as i64 >> rng.below(64)).to_string().into_bytes(),
        2 => vec![b'z'; 50 + rng.below(100) as usize],
        3 if rng.below(20) == 0 => vec![b'w'; 4000 + rng.below(20000) as usize],
        _ => vec![b'a' + rng.below(26) as u8; rng.below(20) as usize],
    }
}

#[test]
fn random_edits_do_what_a_plain_vector_would() {
    for seed in 0..60 {
        let mut rng = Prng::new(seed);
        let (mut pack, mut model) = (Listpack::new(), Vec::<Vec<u8>>::new());
        for step in 0..400 {
            let text = random_text(&mut rng);
            let place = rng.below(model.len() as u64 + 1) as usize;
            let at = pack.seek(place as i64).unwrap_or(pack.end());
            match rng.below(12) {
                0 | 1 => {
                    pack.push_back(&text);
                    model.push(text);
                }
                2 | 3 => {
                    pack.push_front(&text);
                    model.insert(0, text);
                }
                4 => {
                    pack.insert(at, Element::of(&text));
                    model.insert(place, text);
                }
                5 if place < model.len() => {
                    pack.replace(at, Element::of(&text));
                    model[place] = text;
                }
                6 if place < model.len() => {
                    pack.remove(at);
                    model.remove(place);
                }
                7 if place < model.len() => {
                    let count = rng.below(4) as usize;
                    let removed = pack.remove_from(at, count);
                    model.drain(place..place + removed);
                }
                8 => {
                    let right = pack.split_off(at);
                    right.check_invariants();
                    assert_eq!(texts(&right), model[place..]);
                    let mut left = pack.clone();
                    left.append(&right);
                    pack = left;
                }
                9 => {
                    let odd = |text: &[u8]| text.len() % 7 != 3;
                    let removed = pack.retain(|element| odd(&element.to_vec()));
                    let old = model.len();
                    model.retain(|text| odd(text));
                    assert_eq!(removed, old - model.len());
                }
                10 if place < model.len() => {
                    let count = rng.below((model.len() - place) as u64 + 1) as usize;
                    pack.remove_range(place, count);
                    model.drain(place..place + count);
                }
                _ => {
                    let found = pack.find(pack.begin(), &Needle::new(&text), 0);
                    assert_eq!(found.map(|at| pack.get(at).to_vec()), model.iter().find(|e| **e == text).cloned());
                }
            }
            pack.check_invariants();
            assert_eq!(texts(&pack), model, "seed {seed} step {step}");
            assert_eq!(pack.len(), model.len());
            let back: Vec<_> = pack.iter().rev().map(Element::to_vec).collect();
            assert!(back.iter().eq(model.iter().rev()));
            for (i, text) in model.iter().enumerate() {
                let at = pack.seek(i as i64 - model.len() as i64).unwrap();
                assert_eq!(pack.get(at).to_vec(), *text);
            }
            assert!(pack.memory_bytes() <= 64.max(pack.size() * 5 / 2), "{} {}", pack.memory_bytes(), pack.size());
        }
    }
}
