//! Entries in replies.

use crate::reply::Reply;
use crate::types::listpack::Element;
use crate::types::stream::{Entry, StreamId};

/// Answers with an id.
pub(super) fn reply_id(reply: &mut Reply<'_>, id: StreamId) {
    reply.bulk(id.text(&mut [0; _]));
}

/// Answers with an entry: its id and its fields.
pub(super) fn reply_entry(reply: &mut Reply<'_>, entry: Entry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply.array(entry.fields * 2);
    for (name, value) in entry.pairs() {
        reply_element(reply, name);
        reply_element(reply, value);
    }
}

/// Answers with up to `count` entries (0: all of them); how many.
pub(super) fn reply_entries<'e>(
    reply: &mut Reply<'_>, entries: impl Iterator<Item = Entry<'e>>, count: usize,
) -> usize {
    let mark = reply.deferred_array();
    let mut written = 0;
    for entry in entries {
        reply_entry(reply, entry);
        written += 1;
        if written == count {
            break;
        }
    }
    reply.close_array(mark, written);
    written
}

fn reply_element(reply: &mut Reply<'_>, element: Element<'_>) {
    match element {
        Element::Bytes(bytes) => reply.bulk(bytes),
        Element::Int(n) => reply.bulk_int(n),
    }
}
