//! What replicas and the log are told of groups: results, in calls that give the same on any server.
//!
//! - An entry given to a consumer: `XCLAIM key group consumer 0 id TIME t RETRYCOUNT n FORCE JUSTID LASTID id`. If the
//!   entry is gone from the stream, the same call takes it off the pending ones.
//! - A group that went on: `XGROUP SETID key group id ENTRIESREAD n`.
//! - A consumer that was made and got nothing: `XGROUP CREATECONSUMER key group consumer`.
//!
//! Valkey keeps silent about consumers that got nothing, and about what is given again from a consumer's history; its
//! replicas differ then. Ours are told, for a replica is to be the same.

use crate::exec::Exec;
use crate::stdx::number::write_i64;
use crate::types::stream::{Group, Pending, StreamId};

/// Who is told about whom.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub key: &'a [u8],
    pub group: &'a [u8],
    pub consumer: &'a [u8],
}

/// What is to be told when the call is over.
#[derive(Default)]
pub(super) struct Told {
    claims: Vec<Claim>,
    group: Option<(StreamId, i64)>,
    consumer: bool,
}

struct Claim {
    id: StreamId,
    time_ms: i64,
    count: i64,
    last_id: StreamId,
    /// Another than the place's.
    consumer: Option<Box<[u8]>>,
}

impl Told {
    /// An entry is with the place's consumer.
    pub(super) fn given(&mut self, id: StreamId, pending: Pending, group: &Group) {
        self.claims.push(Claim {
            id,
            time_ms: pending.time_ms,
            count: pending.count,
            last_id: group.last_id,
            consumer: None,
        });
    }

    /// An entry that is gone from the stream is no longer pending.
    pub(super) fn gone(&mut self, id: StreamId, pending: Pending, group: &Group) {
        self.given(id, pending, group);
        let owner = group.consumer(pending.consumer).name().into();
        self.claims.last_mut().expect("just added").consumer = Some(owner);
    }

    /// The group went on.
    pub(super) fn group(&mut self, group: &Group) {
        self.group = Some((group.last_id, group.entries_read));
    }

    /// The consumer was made, and nobody would know.
    pub(super) fn consumer(&mut self) {
        self.consumer = true;
    }

    /// True if something is told from which the consumer's being there follows.
    pub(super) fn names_consumer(&self) -> bool {
        self.claims.iter().any(|claim| claim.consumer.is_none())
    }

    /// Tells.
    pub(super) fn tell(&self, x: &mut Exec<'_>, place: Place<'_>) {
        let Place { key, group, consumer } = place;
        if self.consumer {
            x.propagate_as(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
        }
        for claim in &self.claims {
            let consumer = claim.consumer.as_deref().unwrap_or(consumer);
            let (time, count) = (int_text(claim.time_ms), int_text(claim.count));
            let (mut id, mut last_id) = ([0; _], [0; _]);
            x.propagate_as(&[
                b"XCLAIM",
                key,
                group,
                consumer,
                b"0",
                claim.id.text(&mut id),
                b"TIME",
                &time,
                b"RETRYCOUNT",
                &count,
                b"FORCE",
                b"JUSTID",
                b"LASTID",
                claim.last_id.text(&mut last_id),
            ]);
        }
        if let Some((last_id, read)) = self.group {
            let (mut id, read) = ([0; _], int_text(read));
            x.propagate_as(&[b"XGROUP", b"SETID", key, group, last_id.text(&mut id), b"ENTRIESREAD", &read]);
        }
    }
}

fn int_text(n: i64) -> Vec<u8> {
    let mut text = Vec::new();
    write_i64(&mut text, n);
    text
}
