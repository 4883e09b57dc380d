//! Bytes to values, of every type that Valkey and Redis ever wrote.
//!
//! A value gets the encoding that Valkey gives it on loading. What comes element by element is built as commands build
//! it. What comes as a compact block stays compact if it has no more elements than the configuration allows, however
//! long these are.

use std::borrow::Cow;

use super::encode::{NODE_PACKED, NODE_PLAIN};
use super::kind;
use super::old;
use super::reader::{Failure, Reader};
use super::streams::read_stream;
use crate::stdx::number::parse_f64;
use crate::types::hash::{Bounds, Expiry, Hash, NOTHING_HIDDEN, Was};
use crate::types::intset::IntSet;
use crate::types::list::{End, List, Shape};
use crate::types::listpack::{Digits, Element, Listpack};
use crate::types::set::{Member, Set, SetLimits};
use crate::types::zset::{Caps, ZSet};
use crate::types::{Object, tag};

/// A field's time where it has none.
pub(super) const NO_EXPIRY: i64 = -1;
/// Scores are text in a listpack; no double needs more.
const SCORE_TEXT_MAX: usize = 128;

/// Which encodings values get.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// Of hashes.
    pub hash: Bounds,
    /// Of sets.
    pub set: SetLimits,
    /// Of sorted sets.
    pub zset: Caps,
    /// Of lists.
    pub list: Shape,
}

/// A value that was read.
#[derive(Debug)]
pub enum Content {
    /// A string.
    String(Vec<u8>),
    /// Anything else, with its type tag.
    Object(Box<Object>, u8),
}

/// Reads what follows the type byte `kind`. Bytes behind the value are left alone.
pub fn read(kind: u8, from: &mut Reader<'_>, thresholds: &Thresholds) -> Result<Content, Failure> {
    let of = |object: Object, tag: u8| Ok(Content::Object(Box::new(object), tag));
    match kind {
        kind::STRING => Ok(Content::String(from.text()?.into_owned())),
        kind::LIST | kind::LIST_ZIPLIST | kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => {
            of(Object::List(read_list(kind, from, thresholds.list)?), tag::LIST)
        }
        kind::SET | kind::SET_INTSET | kind::SET_LISTPACK => {
            of(Object::Set(read_set(kind, from, &thresholds.set)?), tag::SET)
        }
        kind::ZSET | kind::ZSET_2 | kind::ZSET_ZIPLIST | kind::ZSET_LISTPACK => {
            of(Object::ZSet(read_zset(kind, from, &thresholds.zset)?), tag::ZSET)
        }
        kind::HASH | kind::HASH_2 | kind::HASH_ZIPMAP | kind::HASH_ZIPLIST | kind::HASH_LISTPACK | kind::REDIS_HASH
        | kind::REDIS_HASH_LISTPACK => of(Object::Hash(read_hash(kind, from, &thresholds.hash)?), tag::HASH),
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => {
            of(Object::Stream(Box::new(read_stream(kind, from)?)), tag::STREAM)
        },
        unknown => Err(Failure::Unknown(unknown)),
    }
}

/// Some number of elements, at least one.
fn some(count: usize) -> Result<usize, Failure> {
    if count == 0 { Err(Failure::Empty) } else { Ok(count) }
}

fn read_pack(from: &mut Reader<'_>) -> Result<Listpack, Failure> {
    Listpack::from_untrusted(from.text()?.into_owned()).ok_or(Failure::Damaged)
}

/// The elements of a compact block, new or old.
fn elements<'a>(is_old: bool, bytes: &'a [u8]) -> Result<Vec<Element<'a>>, Failure> {
    let mut all = Vec::new();
    if is_old {
        let whole = old::ziplist(bytes, &mut |element| {
            all.push(element);
            true
        });
        return if whole { Ok(all) } else { Err(Failure::Damaged) };
    }
    crate::types::listpack::elements(bytes).map(Iterator::collect).ok_or(Failure::Damaged)
}

fn read_list(kind: u8, from: &mut Reader<'_>, shape: Shape) -> Result<List, Failure> {
    let mut list = List::for_loading(shape);
    match kind {
        kind::LIST => {
            for _ in 0..some(from.count(1)?)? {
                list.push(End::Right, &from.text()?);
            }
        }
        kind::LIST_ZIPLIST => {
            let whole = old::ziplist(&from.text()?, &mut |element| {
                list.push(End::Right, element.text(&mut Digits::default()));
                true
            });
            if !whole {
                return Err(Failure::Damaged);
            }
        }
        _ => read_nodes(kind, from, &mut list)?,
    }
    some(list.len())?;
    // Valkey leaves this one as it is.
    if kind != kind::LIST_ZIPLIST {
        list.loaded(shape);
    }
    Ok(list)
}

fn read_nodes(kind: u8, from: &mut Reader<'_>, list: &mut List) -> Result<(), Failure> {
    for _ in 0..some(from.count(1)?)? {
        if kind == kind::LIST_QUICKLIST {
            let mut pack = Listpack::new();
            let whole = old::ziplist(&from.text()?, &mut |element| {
                pack.push_back(element.text(&mut Digits::default()));
                true
            });
            if !whole {
                return Err(Failure::Damaged);
            }
            list.load_pack(pack);
            continue;
        }
        match from.len()? {
            NODE_PACKED => list.load_pack(read_pack(from)?),
            NODE_PLAIN => {
                let element = from.text()?;
                if element.is_empty() {
                    return Err(Failure::Damaged);
                }
                list.load_plain(&element);
            }
            _ => return Err(Failure::Damaged),
        }
    }
    Ok(())
}

fn read_set(kind: u8, from: &mut Reader<'_>, limits: &SetLimits) -> Result<Set, Failure> {
    match kind {
        kind::SET_INTSET => {
            let ints = IntSet::from_bytes(&from.text()?).ok_or(Failure::Damaged)?;
            let mut set = Set::from_ints(ints);
            set.prepare(set.len(), limits);
            Ok(set)
        }
        kind::SET_LISTPACK => {
            let bytes = from.text()?;
            let all = elements(false, &bytes)?;
            let count = some(all.len())?;
            let mut set = if count > limits.listpack_entries { Set::hashed(limits) } else { Set::compact() };
            let any_length = SetLimits { listpack_value: usize::MAX, ..limits.clone() };
            for element in all {
                add(&mut set, element.text(&mut Digits::default()), &any_length)?;
            }
            Ok(set)
        }
        _ => {
            let count = some(from.count(1)?)?;
            let mut set = if count > limits.intset_entries { Set::hashed(limits) } else { Set::of_ints() };
            for _ in 0..count {
                add(&mut set, &from.text()?, limits)?;
            }
            Ok(set)
        }
    }
}

fn add(set: &mut Set, member: &[u8], limits: &SetLimits) -> Result<(), Failure> {
    if set.add(Member::of(member), limits) { Ok(()) } else { Err(Failure::Damaged) }
}

fn read_zset(kind: u8, from: &mut Reader<'_>, caps: &Caps) -> Result<ZSet, Failure> {
    if matches!(kind, kind::ZSET_ZIPLIST | kind::ZSET_LISTPACK) {
        let bytes = from.text()?;
        let all = elements(kind == kind::ZSET_ZIPLIST, &bytes)?;
        let count = some(all.len())?;
        let (pairs, rest) = all.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Failure::Damaged);
        }
        let any_length = Caps { value_max: usize::MAX, ..*caps };
        let mut set = ZSet::new(&any_length, count / 2, 0);
        for [member, score] in pairs {
            let member = member.text(&mut Digits::default()).to_vec();
            insert(&mut set, &any_length, &member, score_of(*score)?)?;
        }
        return Ok(set);
    }
    let count = some(from.count(2)?)?;
    let mut set = ZSet::new(caps, count, 0);
    for _ in 0..count {
        let member = from.text()?;
        let score = if kind == kind::ZSET { from.text_double()? } else { from.double()? };
        insert(&mut set, caps, &member, score)?;
    }
    Ok(set)
}

fn score_of(element: Element<'_>) -> Result<f64, Failure> {
    match element {
        Element::Int(n) => Ok(n as f64),
        Element::Bytes(text) if text.len() <= SCORE_TEXT_MAX => parse_f64(text).ok_or(Failure::Damaged),
        Element::Bytes(_) => Err(Failure::Damaged),
    }
}

fn insert(set: &mut ZSet, caps: &Caps, member: &[u8], score: f64) -> Result<(), Failure> {
    if score.is_nan() || set.score(member).is_some() {
        return Err(Failure::Damaged);
    }
    set.insert(caps, member, score);
    Ok(())
}

fn read_hash(kind: u8, from: &mut Reader<'_>, bounds: &Bounds) -> Result<Hash, Failure> {
    match kind {
        kind::HASH | kind::HASH_2 | kind::REDIS_HASH => read_fields(kind, from, bounds),
        kind::HASH_ZIPMAP => {
            let bytes = from.text()?;
            let mut pairs: Vec<&[u8]> = Vec::new();
            let whole = old::zipmap(&bytes, &mut |field, value| {
                pairs.extend([field, value]);
                true
            });
            if !whole {
                return Err(Failure::Damaged);
            }
            // Here, and only here, Valkey looks at the lengths.
            hash_of(&pairs.into_iter().map(Element::Bytes).collect::<Vec<_>>(), 2, bounds)
        }
        _ => {
            let parts = if kind == kind::REDIS_HASH_LISTPACK {
                from.millis()?;
                3
            } else {
                2
            };
            let bytes = from.text()?;
            let all = elements(kind == kind::HASH_ZIPLIST, &bytes)?;
            hash_of(&all, parts, &Bounds { value_max: usize::MAX, ..*bounds })
        }
    }
}

/// A hash of fields and values in turn, each with its time (0: none) if there are three `parts`.
fn hash_of(all: &[Element<'_>], parts: usize, bounds: &Bounds) -> Result<Hash, Failure> {
    let count = some(all.len())? / parts;
    if !all.len().is_multiple_of(parts) {
        return Err(Failure::Damaged);
    }
    let mut hash = if count > bounds.entries_max { Hash::hashed(bounds) } else { Hash::default() };
    for entry in all.chunks_exact(parts) {
        let expiry = match entry.get(2) {
            None | Some(Element::Int(0)) => Expiry::Clear,
            Some(Element::Int(at)) if *at > 0 => Expiry::At(*at),
            Some(_) => return Err(Failure::Damaged),
        };
        let (mut one, mut two) = (Digits::default(), Digits::default());
        set_field(&mut hash, entry[0].text(&mut one), entry[1].text(&mut two), expiry, bounds)?;
    }
    Ok(hash)
}

fn read_fields(kind: u8, from: &mut Reader<'_>, bounds: &Bounds) -> Result<Hash, Failure> {
    let earliest = if kind == kind::REDIS_HASH { from.millis()? } else { 0 };
    let count = some(from.count(2)?)?;
    let spread = count > bounds.entries_max || kind == kind::HASH_2;
    let mut hash = if spread { Hash::hashed(bounds) } else { Hash::default() };
    for _ in 0..count {
        let before = if kind == kind::REDIS_HASH { from.len()? } else { 0 };
        let (name, value): (Cow<'_, [u8]>, Cow<'_, [u8]>) = (from.text()?, from.text()?);
        let expiry = match kind {
            kind::HASH_2 => expiry_at(from.millis()?)?,
            kind::REDIS_HASH => expiry_after(earliest, before)?,
            _ => Expiry::Clear,
        };
        set_field(&mut hash, &name, &value, expiry, bounds)?;
    }
    Ok(hash)
}

fn expiry_at(ms: i64) -> Result<Expiry, Failure> {
    match ms {
        NO_EXPIRY => Ok(Expiry::Clear),
        0.. => Ok(Expiry::At(ms)),
        _ => Err(Failure::Damaged),
    }
}

/// A time counted from one millisecond before the earliest; 0 stands for none.
fn expiry_after(earliest: i64, distance: u64) -> Result<Expiry, Failure> {
    if distance == 0 {
        return Ok(Expiry::Clear);
    }
    let at = i64::try_from(distance - 1).ok().and_then(|ms| earliest.checked_add(ms));
    at.filter(|at| *at >= 0).map(Expiry::At).ok_or(Failure::Damaged)
}

fn set_field(hash: &mut Hash, name: &[u8], value: &[u8], expiry: Expiry, bounds: &Bounds) -> Result<(), Failure> {
    match hash.set(name, value, expiry, NOTHING_HIDDEN, bounds) {
        Was::Absent => Ok(()),
        Was::There | Was::Over => Err(Failure::Damaged),
    }
}
