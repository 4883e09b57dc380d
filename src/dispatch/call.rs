//! A call with arguments of its own, for when it must wait or travel: queued by MULTI, parked behind a lock, part of a
//! transaction.

use crate::acl::User;
use crate::dispatch::table::Entry;
use crate::script::exchange::Code;
use shards::args::{Args, Span};
use shards::error::CommandError;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What EVAL or FCALL is to run, found where its client is.
#[derive(Debug)]
pub struct ScriptCall {
    /// The script or function, or why there is none.
    pub code: Result<Code, CommandError>,
    /// How many keys it names.
    pub keys: usize,
    /// It was called as one that must not write.
    pub read_only: bool,
    /// It calls no key but those.
    pub keeps: bool,
    /// For whom.
    pub client: ScriptClient,
}

/// The client of a script.
#[derive(Clone, Debug)]
pub struct ScriptClient {
    /// Its id.
    pub id: u64,
    /// Its user.
    pub user: Arc<User>,
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// Peer address and own address as CLIENT LIST shows them.
    pub ends: (Box<str>, Box<str>),
}

impl ScriptCall {
    /// True if it is known to call keys of other shards.
    pub fn strays(&self) -> bool {
        match &self.code {
            Ok(Code::Script(script)) => script.strays.load(Ordering::Relaxed),
            Ok(Code::Function(library, _)) => library.strays.load(Ordering::Relaxed),
            _ => false,
        }
    }
}

/// A call that owns its arguments.
#[derive(Clone, Debug)]
pub struct OwnedCall {
    /// The command.
    pub entry: &'static Entry,
    /// The database it runs in.
    pub db: u32,
    /// What it runs, if it is a script's.
    pub script: Option<Arc<ScriptCall>>,
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
        let mut call = OwnedCall { entry, db, script: None, bytes: Vec::new(), spans: Vec::new() };
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
