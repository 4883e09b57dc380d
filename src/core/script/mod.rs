//! Scripts: from EVAL and FCALL to the machine and back, and what a script's calls mean on several shards.
//!
//! **Where a script runs.** The client's core looks the script up ([`route`]), so what travels is the script itself. Then:
//!
//! 1. Its keys are on one shard (or it names none): it runs there as a plain call, without locks ([`Mode::Free`]).
//! 2. Its keys are on several, and its text shows that it calls no other: a transaction that lends them to one shard
//!    ([`Mode::Lent`]), as any command over several shards.
//! 3. Any other: a transaction that holds every shard ([`Mode::All`]); keys are lent when the script calls them, and it is
//!    suspended until they come.
//!
//! **Straying.** A script of the first kind may call a key of another shard, or one that a transaction has locked: it
//! strays. Scripts often do (BullMQ and Sidekiq build key names), and it cannot be told from outside. So before such a
//! script changes a key its content is kept ([`shards::keyspace::images`]); when it strays all is put back, the script is
//! remembered, and it runs anew as the third kind, at once and from now on. Nobody has seen anything of the first try: its
//! effects were not drained, and whoever wanted its keys had to wait. A script that is about to change a value too large
//! to copy strays too. What was considered instead: waiting in the middle for the other shard. Two scripts that have written
//! and want each other's shard then wait for ever, and one must be undone anyway; so we undo, but only where no one waits.
//!
//! **No circle.** The third kind holds all locks before its first call, so it never waits for a lock; a lender answers at
//! once. There is one machine a core, and whoever waits for it has its locks already and holds up nobody who has the
//! machine.
//!
//! **Slow scripts.** The machine ticks every 100,000 instructions. A script that runs longer than [`SLICE_US`] is suspended
//! for a turn of its core, so that clients whose keys are elsewhere are served, and CLIENT KILL, SCRIPT KILL and the other
//! cores' messages are heard. Its shard is kept from others meanwhile ([`shards::txn::locks::Locks::seize`]). Past
//! `busy-reply-threshold` every core answers BUSY.
//!
//! **Effects** of a script stay together: they are drained when it has ended, and set aside while it is suspended.
//!
//! | file | what |
//! |---|---|
//! | `route.rs` | a client's EVAL, FCALL: what it runs, and where |
//! | `run.rs` | a script from start to end, with its rests |
//! | `calls.rs` | `redis.call`: gates, and running it |
//! | `declared.rs` | scripts whose text shows that they call declared keys only |
//! | `borrow.rs` | calls that need other shards |
//! | `batch.rs` | the calls of a transaction, scripts among them |
//! | `known.rs` | scripts and libraries this core knows |
//! | `load.rs` | trying code: SCRIPT LOAD, FUNCTION LOAD |
//! | `kill.rs` | SCRIPT KILL, FUNCTION KILL, FUNCTION STATS |

pub mod batch;
pub mod borrow;
pub mod calls;
pub mod declared;
pub mod kill;
pub mod known;
pub mod load;
pub mod route;
pub mod run;

use crate::connection::session::Session;
use crate::core::call::How;
use crate::dispatch::call::OwnedCall;
use crate::runtime::ConnId;
use crate::script::stack::Stack;
use batch::Batch;
use shards::keyspace::guests::Loan;
use shards::keyspace::images::Image;
use shards::shard::Aside;
use std::collections::VecDeque;

/// Microseconds a script runs before its core looks after others.
pub const SLICE_US: u64 = 5_000;

/// What a script may call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Keys of this shard that nobody has locked; else it strays.
    Free {
        /// It cannot stray: what it changes need not be kept.
        keeps: bool,
    },
    /// Keys it named.
    Lent,
    /// Everything.
    All,
}

/// What a suspended script waits for.
pub enum Wait {
    /// Its next slice.
    Slice,
    /// Keys of other shards: so many answers. Then its call runs.
    Keys(usize),
    /// The answers of other shards to its call.
    Parts(borrow::Parts),
    /// A server command that asks all cores.
    Gather,
}

/// Who gets the reply of a script.
pub enum Then {
    /// Whoever called, at once: it has not been suspended.
    Caller,
    /// A client of a core.
    Client {
        /// The core.
        core: usize,
        /// The client.
        conn: ConnId,
        /// Where its reply belongs.
        ticket: u64,
    },
    /// The transaction it is part of.
    Batch(Box<Batch>),
}

/// A running script.
pub struct Run {
    /// Its number on this core: answers name it.
    pub id: u64,
    /// The call.
    pub call: OwnedCall,
    /// How it was called.
    pub how: How,
    /// Who gets the reply.
    pub then: Then,
    /// What it may call.
    pub mode: Mode,
    /// The client it runs for, as the server's commands see it; made for the first.
    pub session: Option<Box<Session>>,
    /// Its database.
    pub db: u32,
    /// Its time: it stands still.
    now_ms: i64,
    /// When it began, clock ticks; and its present slice.
    began: u64,
    slice: u64,
    /// A call of it may have written.
    wrote: bool,
    /// It must not write.
    read_only: bool,
    /// It was short of memory when it began, and may not make it worse.
    out_of_memory: bool,
    /// It is to end.
    killed: bool,
    /// It has strayed and ends to begin anew.
    strayed: bool,
    /// Others hear BUSY because of it.
    busy: bool,
    /// What it changed, as it was; and the count of changes before.
    images: Vec<Image>,
    dirty: u64,
    /// Keys that were lent while it waited.
    loans: Vec<Loan>,
    /// While it is suspended: why, and what it left aside.
    wait: Option<Wait>,
    aside: Option<Aside>,
}

/// The scripts of one core.
#[derive(Default)]
pub struct Scripts {
    /// Scripts may call even what is not for scripts (DEBUG SET-DISABLE-DENY-SCRIPTS).
    pub may_call_all: bool,
    /// The machine, made for the first script.
    stack: Option<Box<Stack>>,
    /// The script on it.
    running: Option<Box<Run>>,
    /// Batches that wait for the machine.
    queue: VecDeque<Box<Batch>>,
    /// Scripts and libraries.
    pub known: known::Known,
    next_run: u64,
    /// A script holds the shard as a seizer.
    seized: bool,
    /// Bytes the machine held when it was asked last.
    pub machine_bytes: usize,
}

impl Scripts {
    /// True if a script is under way.
    pub fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// True if a script waits for its next slice.
    pub fn wants_turns(&self) -> bool {
        self.running.as_ref().is_some_and(|run| matches!(run.wait, Some(Wait::Slice)))
    }
}

impl Drop for Scripts {
    fn drop(&mut self) {
        // The machine goes before what its script refers to.
        self.stack = None;
    }
}
