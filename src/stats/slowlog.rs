//! Calls that took long, as SLOWLOG and COMMANDLOG show them. Each core keeps those of its own clients.

use shards::args::Args;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

/// Arguments kept of a call (Valkey's COMMANDLOG_ENTRY_MAX_ARGC).
const ARGS_MAX: usize = 32;
/// Bytes kept of an argument (Valkey's COMMANDLOG_ENTRY_MAX_STRING).
const ARG_BYTES_MAX: usize = 128;

/// Which log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogKind {
    /// Time.
    Slow,
    /// Bytes of the request.
    LargeRequest,
    /// Bytes of the reply.
    LargeReply,
}

/// A call worth logging.
#[derive(Clone, Debug)]
pub struct SlowCall {
    /// Which log it belongs to.
    pub kind: LogKind,
    /// Its number, unique in its log over all cores.
    pub id: u64,
    /// When, unix seconds.
    pub at_secs: i64,
    /// Microseconds or bytes.
    pub value: i64,
    /// Its arguments, shortened.
    pub argv: Vec<Vec<u8>>,
    /// The client's address.
    pub peer: Box<str>,
    /// The client's name.
    pub name: Vec<u8>,
    /// The same call belongs into another log too.
    pub also: Option<Box<SlowCall>>,
}

static NEXT_IDS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

impl SlowCall {
    /// Notes a call; who made it is filled in where the client is known.
    pub fn new(kind: LogKind, at_secs: i64, value: i64, argv: Args<'_>) -> SlowCall {
        let id = NEXT_IDS[kind as usize].fetch_add(1, Ordering::Relaxed);
        SlowCall { kind, id, at_secs, value, argv: shortened(argv), peer: "".into(), name: Vec::new(), also: None }
    }
}

/// The arguments as the log keeps them: the first 31 and a remark on the rest, long ones cut with a remark.
fn shortened(argv: Args<'_>) -> Vec<Vec<u8>> {
    let keep = if argv.len() > ARGS_MAX { ARGS_MAX - 1 } else { argv.len() };
    let mut kept: Vec<Vec<u8>> = argv.iter().take(keep).map(shortened_arg).collect();
    if argv.len() > ARGS_MAX {
        kept.push(format!("... ({} more arguments)", argv.len() - keep).into_bytes());
    }
    kept
}

fn shortened_arg(arg: &[u8]) -> Vec<u8> {
    if arg.len() <= ARG_BYTES_MAX {
        return arg.to_vec();
    }
    let mut kept = arg[..ARG_BYTES_MAX].to_vec();
    kept.extend_from_slice(format!("... ({} more bytes)", arg.len() - ARG_BYTES_MAX).as_bytes());
    kept
}

/// The logged calls of one core and one kind, newest first.
#[derive(Default, Debug)]
pub struct CallLog {
    calls: VecDeque<SlowCall>,
}

impl CallLog {
    /// Adds a call; the oldest give way beyond `len_max`.
    pub fn add(&mut self, call: SlowCall, len_max: usize) {
        self.calls.push_front(call);
        self.calls.truncate(len_max);
    }

    /// The calls, newest first.
    pub fn calls(&self) -> impl Iterator<Item = &SlowCall> {
        self.calls.iter()
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Forgets all.
    pub fn reset(&mut self) {
        self.calls.clear();
    }
}
