//! Against a plain model, over random calls; and what was found wrong once.

use super::*;
use crate::stdx::prng::Prng;
use crate::types::listpack::Listpack;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn add(log: &mut Log, id: StreamId, fields: &Fields, limits: NodeLimits) {
    let pairs = (0..fields.len()).map(|i| (fields[i].0.as_slice(), fields[i].1.as_slice()));
    log.append(id, pairs, limits).unwrap();
}

fn texts<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Vec<(StreamId, Fields)> {
    entries.map(|entry| (entry.id, entry.pairs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect())).collect()
}

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

fn random_fields(rng: &mut Prng) -> Fields {
    let text = |rng: &mut Prng| match rng.below(4) {
        0 => rng.below(1000).to_string().into_bytes(),
        1 => vec![b'x'; rng.below(100) as usize],
        _ => format!("f{}", rng.below(3)).into_bytes(),
    };
    if rng.below(3) == 0 {
        return (0..1 + rng.below(4)).map(|_| (text(rng), text(rng))).collect();
    }
    vec![(b"f1".to_vec(), text(rng)), (b"f2".to_vec(), text(rng))]
}

#[test]
fn a_node_has_the_bytes_of_valkey() {
    let mut log = Log::default();
    for (at, name, value) in [(id(1, 1), b"a", b"1"), (id(1, 2), b"a", b"2"), (id(2, 1), b"b", b"x")] {
        add(&mut log, at, &vec![(name.to_vec(), value.to_vec())], NodeLimits::default());
    }
    assert!(log.delete(id(1, 2)));
    let (own, pack) = log.blocks().next().unwrap();
    assert_eq!(own, id(1, 1));
    // As DUMP of Valkey 9.1.2 has it after the same calls.
    let expected: &[u8] = &[
        54, 0, 0, 0, 22, 0, 2, 1, 1, 1, 1, 1, 129, 97, 2, 0, 1, 2, 1, 0, 1, 0, 1, 1, 1, 4, 1, 3, 1, 0, 1, 1, 1, 2, 1, 4, 1, 0, 1, 1, 1, 0, 1, 1, 1, 129, 98, 2, 129, 120, 2, 6, 1, 255,
    ];
    assert_eq!(pack.bytes(), expected);
}

#[test]
fn ids_go_up_and_down_across_milliseconds() {
    assert_eq!(id(5, u64::MAX).next(), Some(id(6, 0)));
    assert_eq!(id(6, 0).prev(), Some(id(5, u64::MAX)));
    assert_eq!((StreamId::MAX.next(), StreamId::MIN.prev()), (None, None));
    let mut room = [0; _];
    assert_eq!(StreamId::MAX.text(&mut room), b"18446744073709551615-18446744073709551615");
    assert_eq!(StreamId::MIN.text(&mut room), b"0-0");
}

#[test]
fn nodes_are_closed_by_entries_and_by_bytes() {
    let fields = vec![(b"f".to_vec(), vec![b'v'; 50])];
    let mut log = Log::default();
    (1..=250).for_each(|ms| add(&mut log, id(ms, 0), &vec![(b"f".to_vec(), b"v".to_vec())], NodeLimits::default()));
    assert_eq!(log.nodes(), 3);
    let mut log = Log::default();
    (1..=100).for_each(|ms| add(&mut log, id(ms, 0), &fields, NodeLimits { bytes_max: 1000, entries_max: 0 }));
    assert!(log.blocks().all(|(_, pack)| pack.size() < 1100) && log.nodes() > 5);
    let mut log = Log::default();
    (1..=1000).for_each(|ms| add(&mut log, id(ms, 0), &fields, NodeLimits { bytes_max: 0, entries_max: 0 }));
    assert_eq!(log.nodes(), 1);
}

#[test]
fn a_radix_tree_of_the_same_keys_would_have_so_many_nodes() {
    // Each key a node of its own; the numbers are those XINFO STREAM of Valkey 9.1.2 gives (stream-node-max-entries 1).
    let nodes = |ids: &[(u64, u64)]| {
        let mut log = Log::default();
        let one = NodeLimits { bytes_max: 0, entries_max: 1 };
        ids.iter().for_each(|(ms, seq)| add(&mut log, id(*ms, *seq), &vec![(b"f".to_vec(), b"v".to_vec())], one));
        log.radix_nodes()
    };
    assert_eq!(nodes(&[]), 1);
    assert_eq!(nodes(&[(1, 1)]), 2);
    assert_eq!(nodes(&[(1, 1), (1, 2)]), 4);
    assert_eq!(nodes(&[(1, 1), (2, 1)]), 6);
    assert_eq!(nodes(&[(1, 2), (2, 0), (2, 1), (2, 255), (2, 70000), (255, 1), (255, 70000), (1700000000000, 0), (1700000000000, 256), (1700000000001, 0), (1700000000001, 256), (1700000000001, 70000), (1700000000233, 0), (1700000003802, 255), (1700000020920, 0), (1700000021740, 1), (1700000027454, 1), (1700000046994, 70000), (1700000061482, 1)]), 55);
    assert_eq!(nodes(&[(1, 1), (1, 2), (1, 70000), (2, 0), (2, 2), (2, 256), (255, 2), (255, 255), (255, 256), (256, 0), (256, 2), (256, 255), (256, 256), (1700000000000, 0), (1700000000000, 2), (1700000000000, 255), (1700000000001, 2), (1700000000001, 70000), (1700000046577, 2), (1700000046878, 255)]), 55);
    assert_eq!(nodes(&[(1, 1), (1, 255), (1, 256), (2, 0), (2, 2), (2, 70000), (255, 2), (255, 255), (256, 70000), (1700000000000, 0), (1700000000000, 2), (1700000000000, 256), (1700000000001, 0), (1700000000001, 2), (1700000000001, 256), (1700000043803, 1), (1700000098095, 2)]), 49);
}

fn random_trim(rng: &mut Prng, last: StreamId) -> Trim {
    let until = match rng.below(2) {
        0 => Until::Length(rng.below(40)),
        _ => Until::Id(id(last.ms.saturating_sub(rng.below(60)), rng.below(3))),
    };
    let approximate = rng.below(2) == 0;
    Trim { until, approximate, limit: if approximate { rng.below(3) * 10 } else { 0 } }
}

/// What an exact trim leaves of the model.
fn trimmed(model: &mut Vec<(StreamId, Fields)>, until: Until) {
    match until {
        Until::Length(max) => drop(model.drain(..model.len().saturating_sub(max as usize))),
        Until::Id(first) => model.retain(|(id, _)| *id >= first),
    }
}

#[test]
fn random_changes_do_what_a_plain_vector_would() {
    for seed in 0..40 {
        let mut rng = Prng::new(seed);
        let limits = NodeLimits { bytes_max: 300, entries_max: 1 + rng.below(12) };
        let (mut log, mut model) = (Log::default(), Vec::new());
        for _ in 0..600 {
            match rng.below(10) {
                0..=5 => {
                    let next = id(log.last_id.ms + rng.below(3), log.last_id.seq + 1);
                    let fields = random_fields(&mut rng);
                    add(&mut log, next, &fields, limits);
                    model.push((next, fields));
                }
                6 => {
                    let near = log.last_id.ms.saturating_sub(rng.below(50));
                    let gone = model.get(rng.below(model.len() as u64 + 1) as usize).map_or(id(near, 1), |(id, _)| *id);
                    assert_eq!(log.delete(gone), model.iter().any(|(id, _)| *id == gone));
                    model.retain(|(id, _)| *id != gone);
                }
                7 => {
                    let trim = random_trim(&mut rng, log.last_id);
                    let before = model.len() as u64;
                    let gone = log.trim(&trim);
                    if trim.approximate {
                        assert!(trim.limit == 0 || gone <= trim.limit);
                        let mut exact = model.clone();
                        trimmed(&mut exact, trim.until);
                        assert!(gone <= before - exact.len() as u64, "no more than an exact trim");
                        model.drain(..gone as usize);
                    } else {
                        trimmed(&mut model, trim.until);
                        assert_eq!(gone, before - model.len() as u64);
                    }
                }
                _ => {
                    let start = id(rng.below(log.last_id.ms + 2), rng.below(9));
                    let end = id(start.ms + rng.below(40), rng.below(400));
                    let wanted: Vec<_> = model.iter().filter(|(id, _)| (start..=end).contains(id)).cloned().collect();
                    assert_eq!(texts(log.range(start, end)), wanted);
                    let mut back = texts(log.range(start, end).rev());
                    back.reverse();
                    assert_eq!(back, wanted);
                }
            }
            log.check_invariants();
            assert_eq!(log.len(), model.len() as u64, "seed {seed}");
            assert_eq!(log.last_live(), model.last().map(|(id, _)| *id));
        }
        assert_eq!(texts(log.iter()), model);
        let mut loaded = Log::default();
        assert!(log.blocks().all(|(id, pack)| loaded.load_block(id, pack.clone())));
        loaded.last_id = log.last_id;
        assert!(loaded.loaded());
        loaded.check_invariants();
        assert_eq!(texts(loaded.iter()), model);
    }
}

#[test]
fn damaged_nodes_are_refused_or_harmless() {
    let mut log = Log::default();
    for ms in 1..6 {
        add(&mut log, id(ms, 0), &vec![(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), b"x".to_vec())], NodeLimits::default());
    }
    add(&mut log, id(9, 9), &vec![(b"c".to_vec(), vec![b'y'; 100])], NodeLimits::default());
    log.delete(id(3, 0));
    let sound = log.blocks().next().unwrap().1.bytes().to_vec();
    let load = |bytes: Vec<u8>| {
        let mut log = Log::default();
        let there = Listpack::from_untrusted(bytes).is_some_and(|pack| log.load_block(id(1, 0), pack));
        there.then_some(log)
    };
    assert!(load(sound.clone()).is_some());
    for at in 0..sound.len() {
        for value in 0..=255 {
            let mut bytes = sound.clone();
            bytes[at] = value;
            let Some(mut log) = load(bytes) else { continue };
            assert!(log.loaded());
            log.check_invariants();
            let entries = texts(log.iter());
            entries.iter().for_each(|(id, _)| assert!(log.delete(*id)));
            assert!(log.is_empty());
        }
    }
}

#[test]
fn groups_keep_each_entry_with_one_consumer() {
    for seed in 0..30 {
        let mut rng = Prng::new(seed);
        let mut group = Group::new(StreamId::MIN, 0);
        let mut model: BTreeMap<StreamId, Vec<u8>> = BTreeMap::new();
        for _ in 0..400 {
            let name = format!("c{}", rng.below(5)).into_bytes();
            let entry = id(rng.below(30), 0);
            match rng.below(6) {
                0..=2 => {
                    let (consumer, _) = group.find_or_add(&name, 7);
                    group.give(entry, Pending { time_ms: 7, count: 1, consumer });
                    model.insert(entry, name);
                }
                3 | 4 => assert_eq!(group.acknowledge(entry), model.remove(&entry).is_some()),
                _ => {
                    let held = model.values().filter(|owner| **owner == name).count();
                    assert_eq!(group.remove(&name).unwrap_or(0), held);
                    model.retain(|_, owner| *owner != name);
                }
            }
            group.check_invariants();
            let found = group.pending().iter().map(|(id, p)| (*id, group.consumer(p.consumer).name().to_vec()));
            assert!(found.eq(model.iter().map(|(id, name)| (*id, name.clone()))), "seed {seed}");
        }
    }
}

#[test]
fn a_large_stream_is_dropped_in_slices() {
    let mut stream = Stream::default();
    let one = NodeLimits { bytes_max: 0, entries_max: 1 };
    (1..=500).for_each(|ms| add(&mut stream.log, id(ms, 0), &vec![(b"f".to_vec(), b"v".to_vec())], one));
    let mut group = Group::new(StreamId::MIN, 0);
    let (consumer, _) = group.find_or_add(b"c", 0);
    (1..=500).for_each(|ms| group.give(id(ms, 0), Pending { time_ms: 0, count: 1, consumer }));
    stream.groups.insert((*b"g").into(), group);
    assert!(stream.drop_cost() > 500 && stream.memory_bytes() > 500 * 60);
    let slices = (0..1000).take_while(|_| !stream.drop_some(64)).count();
    assert!((8..50).contains(&slices), "{slices}");
    assert_eq!((stream.log.nodes(), stream.groups.len()), (0, 0));
}
