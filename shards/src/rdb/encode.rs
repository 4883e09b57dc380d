//! Values to bytes, in the types that Valkey 9.1 writes for the same encodings.

use super::kind;
use super::streams::write_stream;
use super::writer::Writer;
use crate::keyspace::table::Value;
use crate::stdx::number::write_f64;
use crate::types::Object;
use crate::types::hash::{Hash, NOTHING_HIDDEN, Text};
use crate::types::list::List;
use crate::types::listpack::Listpack;
use crate::types::set::{Member, Set};
use crate::types::zset::ZSet;

/// A list's node is a listpack (2) or one large element (1).
pub(super) const NODE_PLAIN: u64 = 1;
pub(super) const NODE_PACKED: u64 = 2;

/// The name of the compact encoding of hashes, sets and sorted sets.
const LISTPACK: &str = "listpack";

/// The type byte under which a value is written.
pub fn kind_of(value: &Value<'_, Object>) -> u8 {
    let Value::Object(object) = value else { return kind::STRING };
    let compact = object.encoding() == LISTPACK;
    match object {
        Object::String(_) => kind::STRING,
        Object::List(_) => kind::LIST_QUICKLIST_2,
        Object::Set(Set::Ints(_)) => kind::SET_INTSET,
        Object::Set(_) if compact => kind::SET_LISTPACK,
        Object::Set(_) => kind::SET,
        Object::ZSet(_) if compact => kind::ZSET_LISTPACK,
        Object::ZSet(_) => kind::ZSET_2,
        Object::Hash(_) if compact => kind::HASH_LISTPACK,
        Object::Hash(hash) if hash.timed_len() > 0 => kind::HASH_2,
        Object::Hash(_) => kind::HASH,
        Object::Stream(_) => kind::STREAM_3,
    }
}

/// Writes what follows the type byte.
pub fn write(value: &Value<'_, Object>, out: &mut Writer<'_>) {
    let object = match value {
        Value::Bytes(bytes) => return out.text(bytes),
        Value::Int(n) => return out.int_text(*n),
        Value::Object(object) => object,
    };
    match object {
        Object::String(bytes) => out.text(bytes),
        Object::List(list) => write_list(list, out),
        Object::Set(set) => write_set(set, out),
        Object::ZSet(set) => write_zset(set, out),
        Object::Hash(hash) => write_hash(hash, out),
        Object::Stream(stream) => write_stream(stream, out),
    }
}

fn write_list(list: &List, out: &mut Writer<'_>) {
    out.len(list.nodes() as u64);
    list.for_each_node(&mut |bytes, plain| {
        out.len(if plain { NODE_PLAIN } else { NODE_PACKED });
        out.text(bytes);
    });
}

fn write_set(set: &Set, out: &mut Writer<'_>) {
    if let Some(ints) = set.as_ints() {
        out.text(ints.as_bytes());
    } else if set.encoding() == LISTPACK {
        let mut pack = Listpack::new();
        set.iter().for_each(|member| match member {
            Member::Int(n) => pack.push_back_int(n),
            Member::Text(text) => pack.push_back(text),
        });
        out.text(pack.bytes());
    } else {
        out.len(set.len() as u64);
        set.iter().for_each(|member| match member {
            Member::Int(n) => out.int_text(n),
            Member::Text(text) => out.text(text),
        });
    }
}

fn write_zset(set: &ZSet, out: &mut Writer<'_>) {
    if set.is_small() {
        let mut pack = Listpack::new();
        let mut text = Vec::new();
        set.for_each(|member, score| {
            text.clear();
            // A listpack has no negative zero.
            write_f64(&mut text, score + 0.0);
            pack.push_back(member);
            pack.push_back(&text);
        });
        return out.text(pack.bytes());
    }
    out.len(set.len() as u64);
    // The greatest first: so a loader always inserts at the beginning.
    set.walk(set.len() - 1, true, &mut |member, score| {
        out.text(member);
        out.double(score);
        true
    });
}

fn write_hash(hash: &Hash, out: &mut Writer<'_>) {
    if hash.encoding() == LISTPACK {
        let mut pack = Listpack::new();
        for field in hash.iter(NOTHING_HIDDEN) {
            for text in [field.name, field.value] {
                match text {
                    Text::Int(n) => pack.push_back_int(n),
                    Text::Bytes(bytes) => pack.push_back(bytes),
                }
            }
        }
        return out.text(pack.bytes());
    }
    let timed = hash.timed_len() > 0;
    out.len(hash.len() as u64);
    for field in hash.iter(NOTHING_HIDDEN) {
        for text in [field.name, field.value] {
            match text {
                Text::Int(n) => out.int_text(n),
                Text::Bytes(bytes) => out.text(bytes),
            }
        }
        if timed {
            out.millis(field.expire_at.unwrap_or(super::decode::NO_EXPIRY));
        }
    }
}
