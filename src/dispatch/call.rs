//! A call with arguments of its own, for when it must wait or travel: queued by MULTI, parked behind a lock, part of a
//! transaction.

use crate::dispatch::table::Entry;
use shards::args::{Args, Span};

/// A call that owns its arguments.
#[derive(Clone, Debug)]
pub struct OwnedCall {
    /// The command.
    pub entry: &'static Entry,
    /// The database it runs in.
    pub db: u32,
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl OwnedCall {
    /// Copies a call.
    pub fn new(entry: &'static Entry, db: u32, argv: Args<'_>) -> OwnedCall {
        OwnedCall::of_parts(entry, db, argv.iter())
    }

    /// A call made of these arguments.
    pub fn of_parts<'a>(entry: &'static Entry, db: u32, parts: impl Iterator<Item = &'a [u8]>) -> OwnedCall {
        let mut call = OwnedCall { entry, db, bytes: Vec::new(), spans: Vec::new() };
        for part in parts {
            call.spans.push(Span::new(call.bytes.len(), part.len()));
            call.bytes.extend_from_slice(part);
        }
        call
    }

    /// A call as one would type it, for tests.
    #[cfg(test)]
    pub fn of_words(text: &str) -> OwnedCall {
        let words = || text.split(' ').map(str::as_bytes);
        let name = super::table::table().find(text.split(' ').next().unwrap_or_default().as_bytes());
        let call = OwnedCall::of_parts(name.expect("tests call what there is"), 0, words());
        let entry = super::table::table().resolve(call.argv()).expect("tests call what there is");
        OwnedCall { entry, ..call }
    }

    /// Its arguments.
    pub fn argv(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        size_of::<OwnedCall>() + self.bytes.capacity() + self.spans.capacity() * size_of::<Span>()
    }
}
