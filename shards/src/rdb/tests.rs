//! Values there and back: random ones of every type, old payloads built byte by byte, damage of every kind.

use super::*;
use crate::keyspace::table::Value;
use crate::stdx::prng::Prng;
use crate::types::hash::{Bounds, Expiry, Hash, NOTHING_HIDDEN};
use crate::types::list::{End, List, Shape};
use crate::types::set::{Member, Set, SetLimits};
use crate::types::stream::{Group, NodeLimits, Pending, Stream, StreamId};
use crate::types::zset::{Caps, ZSet};
use crate::types::{Object, tag};

pub(super) fn thresholds() -> Thresholds {
    Thresholds {
        hash: Bounds { entries_max: 64, value_max: 40, seed: 7 },
        set: SetLimits { intset_entries: 50, listpack_entries: 30, listpack_value: 40, seed: 9 },
        zset: Caps { entries_max: 30, value_max: 40, seed: 11 },
        list: Shape { fill: -1, ..Shape::default() },
    }
}

fn written(object: &Object, compress: bool) -> (u8, Vec<u8>) {
    let mut out = Vec::new();
    let value = Value::Object(object);
    write(&value, &mut Writer::new(&mut out, compress));
    (kind_of(&value), out)
}

fn try_read(kind: u8, body: &[u8]) -> Result<Object, Failure> {
    let mut reader = Reader::new(body, 1 << 20);
    match read(kind, &mut reader, &thresholds())? {
        Content::String(bytes) => Ok(Object::String(bytes)),
        Content::Object(object, _) => {
            object.check_invariants();
            Ok(*object)
        }
    }
}

/// What a value holds, in words that are the same for equal values.
fn shown(object: &Object) -> String {
    let hash = match object {
        Object::Hash(hash) => hash,
        Object::List(list) => return format!("{list:?}"),
        Object::Set(set) => return format!("{set:?}"),
        Object::ZSet(set) => return format!("{set:?}"),
        Object::String(_) | Object::Stream(_) => return format!("{object:?}"),
    };
    let text = |text: crate::types::hash::Text<'_>| text.bytes(&mut [0; 20]).escape_ascii().to_string();
    let mut fields: Vec<String> = hash
        .iter(NOTHING_HIDDEN)
        .map(|f| format!("{}={} {:?}", text(f.name), text(f.value), f.expire_at))
        .collect();
    fields.sort();
    format!("{fields:?}")
}

fn random_text(rng: &mut Prng) -> Vec<u8> {
    match rng.below(8) {
        0 => rng.below(300).to_string().into_bytes(),
        1 => ((rng.next_u64() >> rng.below(64)) as i64).wrapping_neg().to_string().into_bytes(),
        2 => vec![b'a' + rng.below(3) as u8; rng.below(120) as usize],
        3 => (0..rng.below(60)).map(|_| rng.next_u64() as u8).collect(),
        4 => Vec::new(),
        _ => format!("member {}", rng.below(400)).into_bytes(),
    }
}

fn random_value(rng: &mut Prng) -> Object {
    let limits = thresholds();
    let size = rng.below(5);
    let count = 1 + rng.below([3, 20, 60, 200, 700][size as usize]);
    match rng.below(6) {
        0 => {
            let text = random_text(rng);
            Object::String(text.repeat(1 + rng.below(30) as usize))
        }
        1 => {
            let mut list = List::new();
            for _ in 0..count {
                let text = if rng.below(50) == 0 { vec![b'L'; 5000] } else { random_text(rng) };
                list.grow(text.len(), 1, limits.list);
                list.push(if rng.below(2) == 0 { End::Left } else { End::Right }, &text);
            }
            Object::List(list)
        }
        2 => {
            let mut set = Set::of_ints();
            let ints = rng.below(2) == 0;
            for _ in 0..count {
                let text = if ints { rng.below(100_000).to_string().into_bytes() } else { random_text(rng) };
                set.add(Member::of(&text), &limits.set);
            }
            Object::Set(set)
        }
        3 => {
            let mut set = ZSet::new(&limits.zset, 0, 0);
            for _ in 0..count {
                let text = random_text(rng);
                let scores = [rng.unit(), rng.below(1000) as f64, -1e300, f64::INFINITY, f64::NEG_INFINITY, 4.7e18, 1e-9];
                let score = scores[rng.below(7) as usize];
                if set.score(&text).is_none() {
                    set.insert(&limits.zset, &text, score);
                }
            }
            Object::ZSet(set)
        }
        4 => {
            let mut hash = Hash::default();
            let timed = rng.below(2) == 0;
            for _ in 0..count {
                let (name, value) = (random_text(rng), random_text(rng));
                let expiry = if timed && rng.below(3) == 0 { Expiry::At(rng.below(1 << 45) as i64) } else { Expiry::Clear };
                hash.set(&name, &value, expiry, NOTHING_HIDDEN, &limits.hash);
            }
            Object::Hash(hash)
        }
        _ => Object::Stream(Box::new(random_stream(rng, count))),
    }
}

fn random_stream(rng: &mut Prng, count: u64) -> Stream {
    let mut stream = Stream::default();
    let node = NodeLimits { bytes_max: 500, entries_max: 20 };
    let mut id = StreamId::new(5, 0);
    for _ in 0..count {
        id = StreamId::new(id.ms + rng.below(3), id.seq + 1 + rng.below(2));
        let fields: Vec<(Vec<u8>, Vec<u8>)> = (0..1 + rng.below(3)).map(|i| (format!("f{i}").into(), random_text(rng))).collect();
        let fields = fields.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>();
        stream.log.append(id, fields.into_iter(), node).unwrap();
        if rng.below(5) == 0 {
            stream.log.delete(StreamId::new(id.ms, id.seq));
        }
    }
    for number in 0..rng.below(3) {
        let read = if rng.below(2) == 0 { -1 } else { rng.below(count) as i64 };
        let mut group = Group::new(StreamId::new(rng.below(100), rng.below(5)), read);
        for consumer in 0..rng.below(4) {
            let (who, _) = group.find_or_add(&random_text(rng), 1_700_000_000_000 + consumer as i64);
            group.consumer_mut(who).active_ms = if rng.below(2) == 0 { -1 } else { 1_700_000_000_123 };
            for _ in 0..rng.below(20) {
                let pending = Pending { time_ms: rng.below(1 << 41) as i64, count: rng.below(9) as i64, consumer: who };
                group.give(StreamId::new(rng.below(50), rng.below(9)), pending);
            }
        }
        stream.groups.insert(format!("group {number}").into_bytes().into(), group);
    }
    stream
}

#[test]
fn random_values_come_back_as_they_were() {
    for seed in 0..1500 {
        let mut rng = Prng::new(seed);
        let value = random_value(&mut rng);
        let compress = rng.below(2) == 0;
        let (kind, bytes) = written(&value, compress);
        let back = try_read(kind, &bytes).unwrap_or_else(|failure| panic!("seed {seed}: {failure:?}"));
        assert_eq!(shown(&back), shown(&value), "seed {seed}");
        let same_encoding = kind != kind::SET && kind != kind::HASH;
        if same_encoding && kind != kind::LIST_QUICKLIST_2 {
            assert_eq!(back.encoding(), value.encoding(), "seed {seed}");
        }
        let (again, bytes_again) = written(&back, compress);
        assert_eq!(bytes_again.len(), bytes.len(), "seed {seed}");
        if matches!(kind, kind::LIST_QUICKLIST_2 | kind::SET_INTSET | kind::ZSET_2 | kind::STREAM_3) || kind == kind::HASH_LISTPACK {
            assert_eq!((again, bytes_again), (kind, bytes), "seed {seed}");
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for seed in 0..300 {
        let value = random_value(&mut Prng::new(seed));
        let (kind, bytes) = written(&value, seed % 2 == 0);
        let step = 1 + bytes.len() / 200;
        for cut in (0..bytes.len()).step_by(step) {
            assert!(try_read(kind, &bytes[..cut]).is_err(), "seed {seed}, cut at {cut}");
        }
    }
}

#[test]
fn changed_bytes_are_refused_or_give_a_sound_value() {
    for seed in 0..400 {
        let mut rng = Prng::new(seed);
        let value = random_value(&mut rng);
        let (kind, bytes) = written(&value, rng.below(2) == 0);
        for _ in 0..60 {
            let mut bytes = bytes.clone();
            for _ in 0..1 + rng.below(3) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = if rng.below(2) == 0 { rng.next_u64() as u8 } else { [0, 1, 0x7f, 0x80, 0xfe, 0xff][rng.below(6) as usize] };
            }
            let kind = if rng.below(4) == 0 { rng.below(27) as u8 } else { kind };
            if let Ok(value) = try_read(kind, &bytes) {
                let (kind, bytes) = written(&value, true);
                assert_eq!(try_read(kind, &bytes).map(|back| shown(&back)), Ok(shown(&value)), "seed {seed}");
            }
        }
    }
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out, false).text(bytes);
    out
}

fn listpack(elements: &[&str]) -> Vec<u8> {
    let mut pack = crate::types::listpack::Listpack::new();
    elements.iter().for_each(|element| pack.push_back(element.as_bytes()));
    pack.bytes().to_vec()
}

fn ziplist(elements: &[&str]) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = elements.iter().map(|e| [&[e.len() as u8], e.as_bytes()].concat()).collect();
    old::ziplist_of(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn reads(kind: u8, body: &[u8]) -> (String, &'static str) {
    let object = try_read(kind, body).unwrap_or_else(|failure| panic!("type {kind}: {failure:?}"));
    (shown(&object), object.encoding())
}

#[test]
fn what_old_versions_wrote_is_read() {
    // Element by element: two elements, the second compressed.
    let squeezed = [0xc3, 9, 40, 1, b'a', b'a', 0xe0, 27, 0, 1, b'a', b'a'];
    assert_eq!(reads(kind::LIST, &[&[2, 1, b'x'][..], &squeezed].concat()), (format!("[\"x\", \"{}\"]", "a".repeat(40)), "listpack"));
    assert_eq!(reads(kind::SET, b"\x03\x01b\xc0\x07\x01a"), (r#"{"7", "a", "b"}"#.into(), "listpack"));
    assert_eq!(reads(kind::SET, b"\x02\xc0\x07\xc1\x00\x01"), (r#"{"256", "7"}"#.into(), "intset"));
    // Scores as text, and infinity as a code.
    assert_eq!(reads(kind::ZSET, b"\x02\x01b\xfe\x01a\x031.5"), ("[a=1.5, b=inf]".into(), "listpack"));
    assert_eq!(reads(kind::HASH, b"\x01\x01f\x01v"), (r#"["f=v None"]"#.into(), "listpack"));
    assert_eq!(reads(kind::HASH_ZIPMAP, &text(b"\x01\x01f\x01\x02v..\xff")), (r#"["f=v None"]"#.into(), "listpack"));
    assert_eq!(reads(kind::LIST_ZIPLIST, &text(&ziplist(&["a", "bc"]))), (r#"["a", "bc"]"#.into(), "quicklist"));
    assert_eq!(reads(kind::ZSET_ZIPLIST, &text(&ziplist(&["m", "2.5", "n", "1"]))), ("[n=1, m=2.5]".into(), "listpack"));
    assert_eq!(reads(kind::HASH_ZIPLIST, &text(&ziplist(&["f", "v"]))), (r#"["f=v None"]"#.into(), "listpack"));
    let nodes = [&[2][..], &text(&ziplist(&["a"])), &text(&ziplist(&["b", "c"]))].concat();
    assert_eq!(reads(kind::LIST_QUICKLIST, &nodes), (r#"["a", "b", "c"]"#.into(), "quicklist"));
    let one = [&[1][..], &text(&ziplist(&["b", "c"]))].concat();
    assert_eq!(reads(kind::LIST_QUICKLIST, &one), (r#"["b", "c"]"#.into(), "listpack"));
}

#[test]
fn hashes_whose_fields_expire_are_read_as_each_maker_writes_them() {
    let both = r#"["f=v Some(1000)", "g=w None"]"#.to_string();
    let mut valkey = b"\x02\x01f\x01v".to_vec();
    valkey.extend_from_slice(&1000i64.to_le_bytes());
    valkey.extend_from_slice(b"\x01g\x01w");
    valkey.extend_from_slice(&(-1i64).to_le_bytes());
    assert_eq!(reads(kind::HASH_2, &valkey), (both.clone(), "hashtable"));
    let earliest = 1000i64.to_le_bytes();
    let redis = [&earliest[..], b"\x02\x01\x01f\x01v\x00\x01g\x01w"].concat();
    assert_eq!(reads(kind::REDIS_HASH, &redis), (both.clone(), "hashtable"));
    let packed = [&earliest[..], &text(&listpack(&["f", "v", "1000", "g", "w", "0"]))].concat();
    assert_eq!(reads(kind::REDIS_HASH_LISTPACK, &packed), (both, "hashtable"));
    // A time before all time, and one beyond it.
    let end = valkey.len();
    valkey[end - 8..].copy_from_slice(&(-2i64).to_le_bytes());
    assert_eq!(try_read(kind::HASH_2, &valkey).map(|_| ()), Err(Failure::Damaged));
    let beyond = [&i64::MAX.to_le_bytes()[..], b"\x01\x02\x01f\x01v"].concat();
    assert_eq!(try_read(kind::REDIS_HASH, &beyond).map(|_| ()), Err(Failure::Damaged));
}

/// A node of two entries at 5-1 and 5-2, with the field `f`.
fn node(live: i64, second_flags: i64) -> Vec<u8> {
    let deleted = 2 - live;
    listpack(&[
        &live.to_string(), &deleted.to_string(), "1", "f", "0",
        "2", "0", "0", "v", "4", //
        &second_flags.to_string(), "0", "1", "w", "4",
    ])
}

fn stream_body(node: &[u8], length: u64, tail: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, false);
    writer.len(1);
    writer.text(&StreamId::new(5, 1).to_bytes());
    writer.text(node);
    writer.len(length);
    writer.len(5);
    writer.len(2);
    out.extend_from_slice(tail);
    out
}

#[test]
fn streams_of_each_version_are_read() {
    // No groups.
    let (first, _) = reads(kind::STREAM, &stream_body(&node(2, 2), 2, b"\x00"));
    assert!(first.contains("5-1") && first.contains("5-2"), "{first}");
    let cut_short = [0; 4];
    let Ok(Object::Stream(stream)) = try_read(kind::STREAM, &stream_body(&node(2, 2), 2, &[0])) else { panic!() };
    assert_eq!((stream.log.entries_added, stream.log.max_deleted, stream.log.first_id()), (2, StreamId::MIN, StreamId::new(5, 1)));
    // First id, largest deleted id, entries added; one group `g` at 5-1 with one consumer `c` who has 5-1.
    let id = StreamId::new(5, 1).to_bytes();
    let time = 77i64.to_le_bytes();
    let group = |entries_read: &[u8], active: &[u8]| {
        [&[1, 1, b'g', 5, 1][..], entries_read, &[1], &id, &time, &[3], &[1, 1, b'c'], &time, active, &[1], &id].concat()
    };
    let second = [&[5, 1, 0, 0, 9][..], &group(&[1], &[])].concat();
    let Ok(Object::Stream(stream)) = try_read(kind::STREAM_2, &stream_body(&node(2, 2), 2, &second)) else { panic!() };
    let held = &stream.groups[&b"g"[..]];
    assert_eq!((stream.log.entries_added, held.entries_read, held.pending().len()), (9, 1, 1));
    assert_eq!((held.consumers().next().unwrap().active_ms, held.pending()[&StreamId::new(5, 1)].count), (77, 3));
    let third = [&[5, 1, 0, 0, 9][..], &group(&[0x81, 255, 255, 255, 255, 255, 255, 255, 255], &99i64.to_le_bytes())].concat();
    let Ok(Object::Stream(stream)) = try_read(kind::STREAM_3, &stream_body(&node(2, 2), 2, &third)) else { panic!() };
    let held = &stream.groups[&b"g"[..]];
    assert_eq!((held.entries_read, held.consumers().next().unwrap().active_ms), (-1, 99));
    let first = group(&[], &[]);
    assert!(try_read(kind::STREAM, &stream_body(&node(2, 2), 2, &first)).is_ok());
    assert!(try_read(kind::STREAM_2, &stream_body(&node(2, 2), 2, &cut_short)).is_err());
}

#[test]
fn streams_that_contradict_themselves_are_refused() {
    let refused = |body: &[u8]| assert_eq!(try_read(kind::STREAM, body).map(|_| ()), Err(Failure::Damaged));
    refused(&stream_body(&node(2, 3), 2, &[0])); // a deleted entry is counted as live
    refused(&stream_body(&node(1, 3), 2, &[0])); // the stream says two, the node has one
    refused(&stream_body(&listpack(&["0", "0", "1", "f", "0"]), 0, &[0])); // a node without entries
    refused(&stream_body(&listpack(&["1", "0", "1", "f", "0", "2", "0", "0", "v", "5"]), 1, &[0])); // a wrong number of pieces
    let id = StreamId::new(5, 1).to_bytes();
    let time = 77i64.to_le_bytes();
    let consumer = |name: u8| [&[1, name][..], &time, &[1], &id].concat();
    let pending = [&[1, 1, b'g', 5, 1, 1][..], &id, &time, &[3]].concat();
    let body = |tail: &[&[u8]]| stream_body(&node(2, 2), 2, &[&pending, &tail.concat()[..]].concat());
    assert!(try_read(kind::STREAM, &body(&[&[1], &consumer(b'c')])).is_ok());
    refused(&body(&[&[2], &consumer(b'c'), &consumer(b'd')])); // one entry with two consumers
    refused(&body(&[&[2], &consumer(b'c'), &[1, b'c'], &time, &[0]])); // one consumer twice
    refused(&body(&[&[0]])); // an entry with nobody
    let nobody = [&[1, 1, b'g', 5, 1, 0, 1][..], &consumer(b'c')].concat();
    refused(&stream_body(&node(2, 2), 2, &nobody)); // a consumer has what the group does not know
    refused(&stream_body(&node(2, 2), 2, &[2, 1, b'g', 0, 0, 0, 0, 1, b'g', 0, 0, 0, 0])); // one group twice
    let mut twice = vec![2];
    for _ in 0..2 {
        twice.extend(text(&id));
        twice.extend(text(&node(2, 2)));
    }
    twice.extend_from_slice(&[4, 5, 2, 0]);
    refused(&twice); // one node twice
}

#[test]
fn what_comes_twice_is_refused() {
    for (kind, body) in [
        (kind::SET, b"\x02\x01a\x01a".to_vec()),
        (kind::SET, b"\x02\xc0\x07\x017".to_vec()),
        (kind::SET_LISTPACK, text(&listpack(&["a", "b", "a"]))),
        (kind::ZSET, b"\x02\x01a\x011\x01a\x012".to_vec()),
        (kind::ZSET_LISTPACK, text(&listpack(&["a", "1", "a", "2"]))),
        (kind::ZSET_ZIPLIST, text(&ziplist(&["a", "1", "a", "2"]))),
        (kind::HASH, b"\x02\x01a\x01v\x01a\x01v".to_vec()),
        (kind::HASH_LISTPACK, text(&listpack(&["a", "1", "a", "2"]))),
        (kind::HASH_ZIPLIST, text(&ziplist(&["a", "1", "a", "2"]))),
        (kind::HASH_ZIPMAP, text(b"\x02\x01a\x01\x00b\x01a\x01\x00c\xff")),
        (kind::SET_INTSET, text(&[2, 0, 0, 0, 2, 0, 0, 0, 7, 0, 7, 0])),
    ] {
        assert_eq!(try_read(kind, &body).map(|_| ()), Err(Failure::Damaged), "type {kind}");
    }
}

#[test]
fn what_is_no_number_is_no_score() {
    let nan = [&b"\x01\x01a"[..], &f64::NAN.to_le_bytes()].concat();
    assert_eq!(try_read(kind::ZSET_2, &nan).map(|_| ()), Err(Failure::Damaged));
    assert_eq!(try_read(kind::ZSET, b"\x01\x01a\xfd").map(|_| ()), Err(Failure::Damaged));
    for score in ["nan", "abc", ""] {
        let body = text(&listpack(&["a", score]));
        assert_eq!(try_read(kind::ZSET_LISTPACK, &body).map(|_| ()), Err(Failure::Damaged), "{score:?}");
    }
    assert_eq!(try_read(kind::ZSET_LISTPACK, &text(&listpack(&["a", "1", "b"]))).map(|_| ()), Err(Failure::Damaged), "half a pair");
    assert_eq!(reads(kind::ZSET_LISTPACK, &text(&listpack(&["b", "2", "a", "-inf"]))).0, "[a=-inf, b=2]", "any order is put right");
}

#[test]
fn a_collection_has_elements() {
    for kind in [kind::LIST, kind::SET, kind::ZSET, kind::ZSET_2, kind::HASH, kind::HASH_2, kind::LIST_QUICKLIST, kind::LIST_QUICKLIST_2] {
        assert_eq!(try_read(kind, &[0]).map(|_| ()), Err(Failure::Empty), "type {kind}");
    }
    for kind in [kind::SET_LISTPACK, kind::ZSET_LISTPACK, kind::HASH_LISTPACK] {
        assert_eq!(try_read(kind, &text(&listpack(&[]))).map(|_| ()), Err(Failure::Empty), "type {kind}");
    }
    for kind in [kind::LIST_ZIPLIST, kind::ZSET_ZIPLIST, kind::HASH_ZIPLIST] {
        assert_eq!(try_read(kind, &text(&ziplist(&[]))).map(|_| ()), Err(Failure::Empty), "type {kind}");
    }
    let hollow = [&[1, 2][..], &text(&listpack(&[]))].concat();
    assert_eq!(try_read(kind::LIST_QUICKLIST_2, &hollow).map(|_| ()), Err(Failure::Empty));
    let with_one = [&[2, 2][..], &text(&listpack(&[])), &[1, 1, b'p']].concat();
    assert_eq!(reads(kind::LIST_QUICKLIST_2, &with_one), (r#"["p"]"#.into(), "quicklist"));
}

#[test]
fn unknown_types_say_so() {
    for kind in [6, 7, 8, 23, 26, 255] {
        assert_eq!(try_read(kind, &[0; 20]).map(|_| ()), Err(Failure::Unknown(kind)));
    }
    assert_eq!(kind_of(&Value::Int(5)), kind::STRING);
    assert_eq!(tag::type_name(tag::STREAM), "stream");
}

#[test]
fn compact_blocks_stay_compact_whatever_their_elements_lengths() {
    let long = "x".repeat(100);
    assert_eq!(reads(kind::SET_LISTPACK, &text(&listpack(&["a", &long]))).1, "listpack");
    assert_eq!(reads(kind::HASH_LISTPACK, &text(&listpack(&["a", &long]))).1, "listpack");
    assert_eq!(reads(kind::ZSET_LISTPACK, &text(&listpack(&[&long, "1"]))).1, "listpack");
    assert_eq!(reads(kind::HASH, &[&[1, 1, b'a'][..], &text(long.as_bytes())].concat()).1, "hashtable");
    let many: Vec<String> = (0..62).map(|n| format!("m{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(reads(kind::SET_LISTPACK, &text(&listpack(&many))).1, "hashtable");
    assert_eq!(reads(kind::SET_LISTPACK, &text(&listpack(&["1", "2"]))).1, "listpack", "integers too");
    let pairs: Vec<&str> = many.iter().flat_map(|m| [*m, "1"]).collect();
    assert_eq!(reads(kind::ZSET_LISTPACK, &text(&listpack(&pairs))).1, "skiplist");
}
