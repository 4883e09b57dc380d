//! Pushing frames to connections, whichever core has them: messages to subscribers, invalidations for client-side caches,
//! lines of MONITOR.
//!
//! ```text
//! record:      [len u32][count u32][conn u64 x count][frame]                lengths count the whole record
//! publication: [len u32][CHANNEL or SHARD u32][name len u32][name][payload]
//! ```
//!
//! A publication is one record however many subscribers that core has: it finds them itself.
//!
//! A push for another core joins the batch for that core; one for a connection of this core goes into its output at once.
//! A frame is whole and is never split, and stands where [`crate::connection::replies`] says: behind what was answered,
//! before what is missing. CLIENT REPLY OFF and SKIP do not concern it. A frame that begins with `>` is written as an
//! array for clients that speak RESP2 (the two differ in that byte alone, provided what is inside is bulk strings,
//! integers and arrays).
//!
//! Invariant: pushes of one core to one connection arrive in the order they were made; and behind every reply that core
//! gave that connection before ([`Center::send`] hands replies to the mesh ahead of pushes).
//!
//! A connection being served is out of the table: what it is pushed meanwhile (its own PUBLISH) is *stray* until the
//! running command has been answered, then it follows the answer.

use super::Center;
use crate::connection::{Connection, Ending};
use crate::pubsub::Kind;
use crate::runtime::ConnId;
use shards::reply::Resp;

const HEADER: usize = 4 + 4;

/// Bytes of a batch from which it goes out before the turn ends, so that a flood of pushes stays in bounds.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// In the place of a record's count: a message on a channel, on a sharded channel.
const CHANNEL: u32 = u32::MAX;
const SHARD: u32 = u32::MAX - 1;

/// Appends a record to a batch.
fn append(batch: &mut Vec<u8>, conns: &[ConnId], frame: &[u8]) {
    let len = HEADER + 8 * conns.len() + frame.len();
    let len_u32 = u32::try_from(len).expect("a frame stays below 4 GiB");
    batch.reserve(len);
    batch.extend_from_slice(&len_u32.to_ne_bytes());
    batch.extend_from_slice(&(conns.len() as u32).to_ne_bytes());
    for conn in conns {
        batch.extend_from_slice(&conn.0.to_ne_bytes());
    }
    batch.extend_from_slice(frame);
}

/// The record at `at`: its connections, its frame, where the next one begins.
fn record(batch: &[u8], at: usize) -> (impl Iterator<Item = ConnId> + '_, &[u8], usize) {
    let end = at + u32_at(batch, at) as usize;
    let conns_end = at + HEADER + 8 * u32_at(batch, at + 4) as usize;
    let conns = batch[at + HEADER..conns_end].as_chunks::<8>().0.iter().map(|id| ConnId(u64::from_ne_bytes(*id)));
    (conns, &batch[conns_end..end], end)
}

fn u32_at(batch: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(batch[at..at + 4].try_into().expect("four bytes"))
}

impl Connection {
    /// Puts a frame among the replies, in the client's protocol.
    #[inline]
    pub(super) fn push(&mut self, frame: &[u8]) {
        match frame.split_first() {
            Some((b'>', rest)) if self.session.resp == Resp::V2 => self.replies.push_parts(b"*", rest),
            _ => self.replies.push_parts(frame, b""),
        }
    }
}

impl Center {
    /// Pushes a frame to connections of core `core`. Connections that are gone get nothing.
    pub fn push(&mut self, core: usize, conns: &[ConnId], frame: &[u8]) {
        if core == self.id {
            return conns.iter().for_each(|conn| self.push_here(*conn, frame));
        }
        append(&mut self.pushes_out[core], conns, frame);
        if self.pushes_out[core].len() > BATCH_BYTES_MAX {
            self.post_batches(core);
        }
    }

    /// Pushes a frame to a connection of this core.
    #[inline]
    pub fn push_here(&mut self, conn: ConnId, frame: &[u8]) {
        let Some(connection) = self.clients.get_mut(conn) else {
            // Gone, or being served.
            return append(&mut self.strays, &[conn], frame);
        };
        if connection.ending == Ending::Now {
            return;
        }
        connection.push(frame);
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(conn);
        }
        if connection.output_bytes() > LOOK_BYTES {
            self.doom_if_it_drowns(conn);
        }
    }

    /// A client over its limit is closed when the pushing is done: whoever pushes walks through lists it stands in.
    #[cold]
    fn doom_if_it_drowns(&mut self, conn: ConnId) {
        let Some(mut connection) = self.clients.take(conn) else { return };
        if self.drowns(&mut connection) {
            connection.ending = Ending::Now;
            self.doomed.push(conn);
        }
        self.clients.put(conn, connection);
    }

    /// Sends a message to another core, for its subscribers.
    pub(super) fn push_publication(&mut self, core: usize, kind: Kind, channel: &[u8], payload: &[u8]) {
        debug_assert!(core != self.id && kind != Kind::Pattern);
        let batch = &mut self.pushes_out[core];
        let len = u32::try_from(HEADER + 4 + channel.len() + payload.len()).expect("a message stays below 4 GiB");
        batch.reserve(len as usize);
        for number in [len, if kind == Kind::Shard { SHARD } else { CHANNEL }, channel.len() as u32] {
            batch.extend_from_slice(&number.to_ne_bytes());
        }
        batch.extend_from_slice(channel);
        batch.extend_from_slice(payload);
        if batch.len() > BATCH_BYTES_MAX {
            self.post_batches(core);
        }
    }

    /// Pushes of another core.
    pub(super) fn take_pushes(&mut self, batch: Vec<u8>) {
        let mut at = 0;
        while at < batch.len() {
            let kind = u32_at(&batch, at + 4);
            if kind == CHANNEL || kind == SHARD {
                let (start, end) = (at + HEADER + 4, at + u32_at(&batch, at) as usize);
                let (channel, payload) = batch[start..end].split_at(u32_at(&batch, at + HEADER) as usize);
                self.deliver(if kind == SHARD { Kind::Shard } else { Kind::Channel }, channel, payload);
                at = end;
            } else {
                let (conns, frame, next) = record(&batch, at);
                conns.for_each(|conn| self.push_here(conn, frame));
                at = next;
            }
        }
        self.recycle(batch);
    }

    /// Gives a connection that is being served what it was pushed meanwhile.
    #[inline]
    pub(super) fn settle_strays(&mut self, conn: ConnId, connection: &mut Connection) {
        if !self.strays.is_empty() {
            self.settle_strays_of(conn, connection);
        }
        self.settle_notices(conn, connection);
    }

    #[cold]
    fn settle_strays_of(&mut self, conn: ConnId, connection: &mut Connection) {
        let strays = std::mem::take(&mut self.strays);
        let mut at = 0;
        while at < strays.len() {
            let (mut conns, frame, next) = record(&strays, at);
            if conns.any(|stray| stray == conn) {
                connection.push(frame);
            }
            at = next;
        }
        self.recycle(strays);
    }

    /// Gives strays to connections that are back in the table; drops those of connections that are gone.
    pub(super) fn end_strays(&mut self) {
        let strays = std::mem::take(&mut self.strays);
        self.take_pushes(strays);
        self.strays.clear();
    }
}

/// Output below this is looked at when the turn ends; it is no more than [`Center::drowns`] ignores.
const LOOK_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut batch = Vec::new();
        let (a, b) = (ConnId::new(1, 2), ConnId::new(3, 4));
        append(&mut batch, &[a, b], b">1\r\n$1\r\nx\r\n");
        append(&mut batch, &[b], b"");
        let (conns, frame, next) = record(&batch, 0);
        assert_eq!((conns.collect::<Vec<_>>(), frame), (vec![a, b], &b">1\r\n$1\r\nx\r\n"[..]));
        let (conns, frame, end) = record(&batch, next);
        assert_eq!((conns.collect::<Vec<_>>(), frame, end), (vec![b], &b""[..], batch.len()));
    }
}
