//! DEBUG DIGEST and DIGEST-VALUE: the contents of a keyspace as twenty bytes, by Valkey's algorithm, so that two servers
//! can be compared whatever they are.
//!
//! What has an order is *mixed* into a digest, what has none is *xored*. The digests of a database's keys are xored, the
//! databases mixed one after the other; so shards answer one sum a database, and whoever asked them all puts these
//! together ([`whole`]). A shard that is alone answers the whole itself.

use std::collections::BTreeMap;

use crate::command::{Command, KeySpec, Merge, Spread, key};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::table::{Table, Value};
use crate::stdx::number::{write_f64_shortest, write_i64};
use crate::stdx::sha1::{DIGEST_BYTES, Digest, hex, sha1};
use crate::types::hash::Hash;
use crate::types::set::{Set, text};
use crate::types::stream::Stream;
use crate::types::zset::ZSet;
use crate::types::{Object, tag};

use super::debug::debug_row;

/// DEBUG DIGEST
pub const DIGEST: Command = Command {
    arity: 2,
    summary: "Digests all databases.",
    spread: Spread::Everywhere(Merge::Digest),
    ..debug_row("digest", digest)
};

/// DEBUG DIGEST-VALUE [key ...]
pub const DIGEST_VALUE: Command = Command {
    arity: -2,
    summary: "Digests values.",
    keys: &[KeySpec::range(2, -1, 1, key::RO)],
    spread: Spread::Split(1, Merge::ByKey),
    ..debug_row("digest-value", digest_value)
};

const ZERO: Digest = [0; DIGEST_BYTES];
/// Bytes of one database in a shard's answer.
const SUM_BYTES: usize = 4 + DIGEST_BYTES;

fn xor(digest: &mut Digest, bytes: &[u8]) {
    let other = sha1(bytes);
    digest.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
}

fn mix(digest: &mut Digest, bytes: &[u8]) {
    xor(digest, bytes);
    *digest = sha1(digest);
}

/// The digest of a value, mixed into `digest`. Fields that expire at or before `hidden` are not seen.
fn mix_value(digest: &mut Digest, type_tag: u8, value: Value<'_, Object>, expires: bool, hidden: i64) {
    let number = if tag::is_string(type_tag) { tag::STRING } else { type_tag };
    mix(digest, &u32::from(number).to_be_bytes());
    let mut digits = Vec::new();
    match value {
        Value::Bytes(bytes) => mix(digest, bytes),
        Value::Int(n) => {
            write_i64(&mut digits, n);
            mix(digest, &digits);
        }
        Value::Object(Object::String(bytes)) => mix(digest, bytes),
        Value::Object(Object::List(list)) => list.walk(0, false, |element| {
            mix(digest, element.text(&mut Default::default()));
            true
        }),
        Value::Object(Object::Set(set)) => xor_set(digest, set),
        Value::Object(Object::ZSet(set)) => xor_zset(digest, set),
        Value::Object(Object::Hash(hash)) => xor_hash(digest, hash, hidden),
        Value::Object(Object::Stream(stream)) => mix_stream(digest, stream),
    }
    if expires {
        xor(digest, b"!!expire!!");
    }
}

fn xor_set(digest: &mut Digest, set: &Set) {
    set.iter().for_each(|member| xor(digest, text(member, &mut [0; 20])));
}

fn xor_zset(digest: &mut Digest, set: &ZSet) {
    let mut score_text = Vec::new();
    set.for_each(|member, score| {
        score_text.clear();
        write_f64_shortest(&mut score_text, score);
        let mut pair = ZERO;
        mix(&mut pair, member);
        mix(&mut pair, &score_text);
        xor(digest, &pair);
    });
}

fn xor_hash(digest: &mut Digest, hash: &Hash, hidden: i64) {
    for field in hash.iter(hidden) {
        let mut pair = ZERO;
        mix(&mut pair, field.name.bytes(&mut [0; 20]));
        mix(&mut pair, field.value.bytes(&mut [0; 20]));
        xor(digest, &pair);
    }
}

fn mix_stream(digest: &mut Digest, stream: &Stream) {
    for entry in stream.log.iter() {
        mix(digest, format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
        for (name, value) in entry.pairs() {
            mix(digest, name.text(&mut Default::default()));
            mix(digest, value.text(&mut Default::default()));
        }
    }
}

/// The keys of a database, xored.
fn database_sum(table: &Table<Object>, hidden: i64) -> Digest {
    let mut sum = ZERO;
    table.for_each(&mut |pos| {
        let mut digest = ZERO;
        mix(&mut digest, table.key(pos));
        mix_value(&mut digest, table.type_tag(pos), table.value(pos), table.expire_at(pos).is_some(), hidden);
        xor(&mut sum, &digest);
    });
    sum
}

/// The digest of all databases, in hexadecimal digits, of what the shards answered.
pub fn whole<'a>(answers: impl Iterator<Item = &'a [u8]>) -> String {
    let mut sums: BTreeMap<u32, Digest> = BTreeMap::new();
    for sum in answers.flat_map(|answer| answer.as_chunks::<SUM_BYTES>().0) {
        let (db, digest) = sum.split_first_chunk::<4>().expect("a sum has more bytes");
        let of_db = sums.entry(u32::from_be_bytes(*db)).or_default();
        of_db.iter_mut().zip(digest).for_each(|(byte, other)| *byte ^= other);
    }
    let mut all = ZERO;
    for (db, sum) in sums {
        mix(&mut all, &db.to_be_bytes());
        all.iter_mut().zip(sum).for_each(|(byte, other)| *byte ^= other);
    }
    hex(&all)
}

fn digest(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let hidden = x.ks.hidden();
    let mut sums = Vec::new();
    for db in 0..x.ks.databases() as u32 {
        let table = x.ks.table(db);
        if !table.is_empty() {
            sums.extend_from_slice(&db.to_be_bytes());
            sums.extend_from_slice(&database_sum(table, hidden));
        }
    }
    if x.env.shards == 1 {
        x.reply.simple(&whole(std::iter::once(&*sums)));
    } else {
        x.reply.bulk(&sums);
    }
    Ok(())
}

fn digest_value(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let hidden = x.ks.hidden();
    x.reply.array(x.argc() - 2);
    for i in 2..x.argc() {
        let mut digest = ZERO;
        if let Some(found) = x.ks.peek(x.db, x.argv.get(i)) {
            mix_value(&mut digest, found.tag(), found.value(), found.expire_at().is_some(), hidden);
        }
        x.reply.simple(&hex(&digest));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_a_digest_of_zeros() {
        assert_eq!(whole(std::iter::empty()), "0".repeat(40));
    }

    #[test]
    fn it_does_not_matter_how_keys_are_divided_among_shards() {
        let sum = |db: u32, byte: u8| [&db.to_be_bytes()[..], &[byte; DIGEST_BYTES]].concat();
        let one = [sum(0, 1 ^ 2), sum(3, 4)].concat();
        let two = [sum(0, 1), [sum(0, 2), sum(3, 4)].concat()];
        assert_eq!(whole(std::iter::once(&*one)), whole(two.iter().map(|part| &**part)));
    }
}
