//! Streams, to bytes and back.
//!
//! ```text
//! | nodes | (id: 16, in a string | listpack)... | entries | last id
//!   from 7.0: | first id | largest deleted id | entries ever added
//! | groups | name | last id | from 7.0: entries read
//!            | pending | (id: 16 | time | times given)...
//!            | consumers | name | seen | from 7.2: active | pending | (id: 16)...
//! ```
//!
//! An id is two lengths, but sixteen bytes, high first, where it says so. What is pending stands twice: with the group,
//! and with the one consumer who has it.

use std::collections::BTreeMap;

use super::kind;
use super::reader::{Failure, Reader};
use super::writer::Writer;
use crate::types::listpack::Listpack;
use crate::types::stream::{Consumer, Group, Pending, READ_UNKNOWN, Stream, StreamId};

const ID_BYTES: usize = 16;
/// The least a group, a consumer and something pending take.
const GROUP_MIN: usize = 5;
const CONSUMER_MIN: usize = 10;
const PENDING_MIN: usize = ID_BYTES + 9;

pub(super) fn write_stream(stream: &Stream, out: &mut Writer<'_>) {
    let log = &stream.log;
    out.len(log.nodes() as u64);
    for (id, pack) in log.blocks() {
        out.text(&id.to_bytes());
        out.text(pack.bytes());
    }
    out.len(log.len());
    for id in [log.last_id, log.first_id(), log.max_deleted] {
        write_id(id, out);
    }
    out.len(log.entries_added);
    out.len(stream.groups.len() as u64);
    for (name, group) in &stream.groups {
        out.text(name);
        write_group(group, out);
    }
}

fn write_id(id: StreamId, out: &mut Writer<'_>) {
    out.len(id.ms);
    out.len(id.seq);
}

fn write_group(group: &Group, out: &mut Writer<'_>) {
    write_id(group.last_id, out);
    out.len(group.entries_read as u64);
    out.len(group.pending().len() as u64);
    for (id, pending) in group.pending() {
        out.raw(&id.to_bytes());
        out.millis(pending.time_ms);
        out.len(pending.count as u64);
    }
    out.len(group.consumers().len() as u64);
    group.consumers().for_each(|consumer| write_consumer(consumer, out));
}

fn write_consumer(consumer: &Consumer, out: &mut Writer<'_>) {
    out.text(consumer.name());
    out.millis(consumer.seen_ms);
    out.millis(consumer.active_ms);
    out.len(consumer.pending().len() as u64);
    consumer.pending().iter().for_each(|id| out.raw(&id.to_bytes()));
}

pub(super) fn read_stream(kind: u8, from: &mut Reader<'_>) -> Result<Stream, Failure> {
    let mut stream = Stream::default();
    read_log(kind, from, &mut stream)?;
    for _ in 0..from.count(GROUP_MIN)? {
        let name = from.text()?;
        let group = read_group(kind, from, &stream)?;
        if stream.groups.insert(name.into(), group).is_some() {
            return Err(Failure::Damaged);
        }
    }
    Ok(stream)
}

fn read_log(kind: u8, from: &mut Reader<'_>, stream: &mut Stream) -> Result<(), Failure> {
    let log = &mut stream.log;
    for _ in 0..from.count(2)? {
        let own = from.text()?;
        let own = own.first_chunk::<ID_BYTES>().filter(|_| own.len() == ID_BYTES).ok_or(Failure::Damaged)?;
        let pack = Listpack::from_untrusted(from.text()?.into_owned()).ok_or(Failure::Damaged)?;
        if !log.load_block(id_of(*own), pack) {
            return Err(Failure::Damaged);
        }
    }
    let length = from.len()?;
    log.last_id = read_id(from)?;
    log.entries_added = length;
    if kind != kind::STREAM {
        // The first id follows from the entries.
        read_id(from)?;
        log.max_deleted = read_id(from)?;
        log.entries_added = from.len()?;
    }
    if log.loaded() && log.len() == length { Ok(()) } else { Err(Failure::Damaged) }
}

fn read_id(from: &mut Reader<'_>) -> Result<StreamId, Failure> {
    Ok(StreamId { ms: from.len()?, seq: from.len()? })
}

fn id_of(bytes: [u8; ID_BYTES]) -> StreamId {
    let both = u128::from_be_bytes(bytes);
    StreamId { ms: (both >> 64) as u64, seq: both as u64 }
}

fn read_raw_id(from: &mut Reader<'_>) -> Result<StreamId, Failure> {
    let bytes = from.raw(ID_BYTES)?;
    Ok(id_of(*bytes.first_chunk().expect("so many were read")))
}

/// Given but not acknowledged: when and how often. Who has it is told later.
type Unowned = BTreeMap<StreamId, (i64, i64)>;

fn read_group(kind: u8, from: &mut Reader<'_>, stream: &Stream) -> Result<Group, Failure> {
    let last_id = read_id(from)?;
    let entries_read = match kind {
        kind::STREAM => stream.log.entries_up_to(last_id).unwrap_or(READ_UNKNOWN),
        // Whatever is no count means that there is none.
        _ => i64::try_from(from.len()?).unwrap_or(READ_UNKNOWN),
    };
    let mut group = Group::new(last_id, entries_read);
    let mut unowned = Unowned::new();
    for _ in 0..from.count(PENDING_MIN)? {
        let id = read_raw_id(from)?;
        let time_ms = from.millis()?;
        let count = i64::try_from(from.len()?).map_err(|_| Failure::Damaged)?;
        if unowned.insert(id, (time_ms, count)).is_some() {
            return Err(Failure::Damaged);
        }
    }
    for _ in 0..from.count(CONSUMER_MIN)? {
        read_consumer(kind, from, &mut group, &mut unowned)?;
    }
    if unowned.is_empty() { Ok(group) } else { Err(Failure::Damaged) }
}

fn read_consumer(kind: u8, from: &mut Reader<'_>, group: &mut Group, unowned: &mut Unowned) -> Result<(), Failure> {
    let name = from.text()?;
    let seen_ms = from.millis()?;
    let active_ms = if kind == kind::STREAM_3 { from.millis()? } else { seen_ms };
    let (consumer, fresh) = group.find_or_add(&name, seen_ms);
    if !fresh {
        return Err(Failure::Damaged);
    }
    group.consumer_mut(consumer).active_ms = active_ms;
    for _ in 0..from.count(ID_BYTES)? {
        let id = read_raw_id(from)?;
        // Not pending at all, or with somebody else already.
        let (time_ms, count) = unowned.remove(&id).ok_or(Failure::Damaged)?;
        group.give(id, Pending { time_ms, count, consumer });
    }
    Ok(())
}
