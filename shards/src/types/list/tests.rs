//! Against a plain model, over random calls; and what was found wrong once.

use super::*;
use crate::stdx::prng::Prng;
use crate::types::listpack::{Element, Needle};

fn texts(list: &List) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    list.walk(0, false, |element| {
        texts.push(element.to_vec());
        true
    });
    texts
}

fn random_text(rng: &mut Prng) -> Vec<u8> {
    match rng.below(12) {
        0..=3 => rng.below(4).to_string().into_bytes(),
        4 => (rng.next_u64() as i64 >> rng.below(64)).to_string().into_bytes(),
        5 => vec![b'y'; 1000 + rng.below(3000) as usize],
        6 if rng.below(4) == 0 => vec![b'z'; 4000 + rng.below(10000) as usize],
        7 => (0..200).map(|_| rng.next_u64() as u8).collect(),
        _ => vec![b'a' + rng.below(3) as u8; rng.below(80) as usize],
    }
}

fn edit(rng: &mut Prng, list: &mut List, model: &mut Vec<Vec<u8>>, shape: Shape) {
    let text = random_text(rng);
    let place = rng.below(model.len() as u64 + 1) as usize;
    match rng.below(16) {
        0..=4 => {
            let end = if rng.below(2) == 0 { End::Left } else { End::Right };
            list.grow(text.len(), 1, shape);
            list.push(end, &text);
            model.insert(if end == End::Left { 0 } else { model.len() }, text);
        }
        5 if !model.is_empty() => {
            let end = if rng.below(2) == 0 { End::Left } else { End::Right };
            let gone = if end == End::Left { model.remove(0) } else { model.pop().unwrap() };
            assert_eq!(list.peek(end).map(Element::to_vec), Some(gone));
            list.drop_end(end);
            list.shrink(shape);
        }
        6..=9 if place < model.len() => {
            let after = rng.below(2) == 0;
            list.insert(place, after, &text, shape);
            model.insert(place + usize::from(after), text);
        }
        10 | 11 if place < model.len() => {
            list.replace(place, &text, shape);
            model[place] = text;
        }
        12 if rng.below(3) == 0 => {
            let count = rng.below((model.len() - place) as u64 + 1) as usize;
            list.remove_range(place, count);
            list.shrink(shape);
            model.drain(place..place + count);
        }
        13 => {
            let (limit, back) = (1 + rng.below(3) as usize, rng.below(2) == 0);
            let removed = list.remove_matches(&Needle::new(&text), limit, back);
            list.shrink(shape);
            let mut places: Vec<usize> = (0..model.len()).filter(|i| model[*i] == text).collect();
            if back {
                places.reverse();
            }
            places.truncate(limit);
            places.sort_unstable();
            assert_eq!(removed, places.len());
            places.iter().rev().for_each(|i| drop(model.remove(*i)));
        }
        _ => assert_eq!(list.find(&Needle::new(&text)), model.iter().position(|other| *other == text)),
    }
}

#[test]
fn random_edits_do_what_a_plain_vector_would() {
    for seed in 0..120 {
        let mut rng = Prng::new(seed);
        let fill = [-2, -1, 1, 2, 3, 7, 128, 0, -5][rng.below(9) as usize];
        let shape = Shape { fill, depth: rng.below(4) as u32, ..Shape::default() };
        let (mut list, mut model) = (List::new(), Vec::new());
        for step in 0..150 {
            edit(&mut rng, &mut list, &mut model, shape);
            list.check_invariants();
            assert_eq!(texts(&list), model, "seed {seed} step {step}");
            assert_eq!((list.len(), list.is_empty()), (model.len(), model.is_empty()));
        }
        let copy = list.clone();
        copy.check_invariants();
        assert_eq!(texts(&copy), model);
        for from in 0..model.len() {
            let mut seen = Vec::new();
            list.range(from, from + 1, true, |element| seen.push(element.to_vec()));
            assert!(seen.iter().eq(model[..=from].iter().rev()));
        }
        while !list.drop_some(2) {
            assert!(!list.is_empty());
        }
        list.check_invariants();
    }
}

#[test]
fn the_encoding_changes_where_valkey_changes_it() {
    let shape = Shape { fill: 4, ..Shape::default() };
    let mut list = List::new();
    for i in 0..5 {
        assert_eq!(list.encoding(), "listpack");
        list.grow(1, 1, shape);
        list.push(End::Right, i.to_string().as_bytes());
    }
    assert_eq!(list.encoding(), "quicklist");
    for left in [4, 3] {
        list.drop_end(End::Right);
        list.shrink(shape);
        assert_eq!((list.len(), list.encoding()), (left, "quicklist"));
    }
    list.drop_end(End::Right);
    list.shrink(shape);
    assert_eq!((list.len(), list.encoding()), (2, "listpack"));
}

#[test]
fn inner_nodes_are_compressed() {
    let (mut plain, mut squeezed) = (List::new(), List::new());
    for (list, depth) in [(&mut plain, 0), (&mut squeezed, 1)] {
        let shape = Shape { depth, ..Shape::default() };
        for i in 0..20_000 {
            let text = format!("the same words again and again {}", i / 7);
            list.grow(text.len(), 1, shape);
            list.push(End::Right, text.as_bytes());
        }
        list.check_invariants();
    }
    assert!(squeezed.memory_bytes() * 4 < plain.memory_bytes(), "{} {}", squeezed.memory_bytes(), plain.memory_bytes());
    assert_eq!(format!("{plain:?}"), format!("{squeezed:?}"));
    let mut loaded = List::for_loading(Shape::default());
    squeezed.for_each_node(&mut |bytes, large| {
        assert!(!large);
        loaded.load_pack(crate::types::listpack::Listpack::from_untrusted(bytes.to_vec()).unwrap());
    });
    loaded.loaded(Shape::default());
    assert_eq!(format!("{plain:?}"), format!("{loaded:?}"));
}

#[test]
fn a_long_list_costs_little_beside_its_bytes() {
    let mut list = List::new();
    for i in 0..100_000 {
        let text = format!("element-{i:08}");
        list.grow(text.len(), 1, Shape::default());
        list.push(if i % 3 == 0 { End::Left } else { End::Right }, text.as_bytes());
    }
    // 16 bytes of text, one of encoding, one of back length.
    assert!(list.memory_bytes() < 100_000 * 18 * 103 / 100, "{}", list.memory_bytes());
}
