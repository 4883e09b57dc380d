//! What a call did, for those who must know: replication, AOF, keyspace events, client tracking, wake-ups.
//!
//! Commands never signal, notify or replicate. The gate ([`crate::keyspace`]) sees every change and writes it down
//! here; `src/core/commit.rs` drains it once after each call. When nobody listens ([`Wants`]) only the counters move,
//! so a plain SET pays a few additions.
//!
//! Default propagation is the command verbatim if it changed something. The few commands that must rewrite themselves
//! (GETEX, INCRBYFLOAT, EXPIRE to an absolute time ...) say so with `Exec::propagate_as`.

use crate::args::{Args, Span};

/// A class of keyspace event, as `notify-keyspace-events` names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum EventClass {
    /// No event at all: the value changed in a way that nobody is told of, but that is to be replayed.
    None = 0,
    /// `g`: DEL, EXPIRE, RENAME ...
    Generic = 1 << 2,
    /// `$`
    String = 1 << 3,
    /// `l`
    List = 1 << 4,
    /// `s`
    Set = 1 << 5,
    /// `h`
    Hash = 1 << 6,
    /// `z`
    SortedSet = 1 << 7,
    /// `x`
    Expired = 1 << 8,
    /// `e`
    Evicted = 1 << 9,
    /// `t`
    Stream = 1 << 10,
    /// `m`: a key that was looked for and is not there
    Miss = 1 << 11,
    /// `n`: a new key
    New = 1 << 14,
}

/// A keyspace event: class and name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Its class.
    pub class: EventClass,
    /// Its name, as subscribers see it.
    pub name: &'static str,
}

impl Event {
    /// An event.
    pub const fn new(class: EventClass, name: &'static str) -> Event {
        Event { class, name }
    }
    /// A change without an event (PFCOUNT keeps what it counted).
    pub const NONE: Event = Event::new(EventClass::None, "");
    /// DEL and everything that deletes like it.
    pub const DEL: Event = Event::new(EventClass::Generic, "del");
    /// A key whose time came.
    pub const EXPIRED: Event = Event::new(EventClass::Expired, "expired");
    /// A key that gave way to memory.
    pub const EVICTED: Event = Event::new(EventClass::Evicted, "evicted");
    /// A read that found nothing.
    pub const MISS: Event = Event::new(EventClass::Miss, "keymiss");
    /// A new TTL.
    pub const EXPIRE: Event = Event::new(EventClass::Generic, "expire");
    /// A TTL taken away.
    pub const PERSIST: Event = Event::new(EventClass::Generic, "persist");
    /// A string set.
    pub const SET: Event = Event::new(EventClass::String, "set");
}

/// Who listens. Set by the server when its configuration or its clients change.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Wants {
    /// Changed keys with their events (keyspace events, tracking, waiting loans).
    pub changes: bool,
    /// Keys that reads did not find.
    pub misses: bool,
    /// Ops to replay (replicas, AOF, replay tests).
    pub ops: bool,
}

/// One change of one key.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// What happened.
    pub event: Event,
    /// Where.
    pub db: u32,
    key: Span,
}

/// One op to replay: a command in the form replicas and the AOF see.
#[derive(Clone, Copy, Debug)]
struct Op {
    db: u32,
    first: u32,
    count: u32,
}

/// What the calls since the last drain did.
#[derive(Default, Debug)]
pub struct Effects {
    /// Who listens.
    pub wants: Wants,
    /// Changes so far, as INFO's `rdb_changes_since_last_save` counts them (drained by `take_dirty`).
    dirty: u64,
    changes: Vec<Change>,
    ops: Vec<Op>,
    spans: Vec<Span>,
    bytes: Vec<u8>,
    /// Set by `propagate_as` or `propagate_nothing`: the command is not propagated verbatim.
    rewritten: bool,
    /// Keys that expired during the calls (INFO expired_keys).
    pub expired: u64,
    /// Fields of hashes that expired (INFO expired_fields).
    pub expired_fields: u64,
    /// Keys evicted (INFO evicted_keys).
    pub evicted: u64,
    /// Whole databases were emptied: caches of clients that track keys are void. Stays until `clear`.
    pub flushed: bool,
}

impl Effects {
    /// Notes that `key` changed. Called by the gate alone.
    pub(crate) fn changed(&mut self, event: Event, db: u32, key: &[u8]) {
        self.dirty += 1;
        if self.wants.changes {
            let key = self.store(key);
            self.changes.push(Change { event, db, key });
        }
    }

    /// Notes an event of a key without counting a change (`new`, `expired` before a rewrite ...).
    pub(crate) fn event(&mut self, event: Event, db: u32, key: &[u8]) {
        if self.wants.changes {
            let key = self.store(key);
            self.changes.push(Change { event, db, key });
        }
    }

    /// Notes that a read did not find `key`.
    #[inline]
    pub(crate) fn missed(&mut self, db: u32, key: &[u8]) {
        if self.wants.misses {
            let key = self.store(key);
            self.changes.push(Change { event: Event::MISS, db, key });
        }
    }

    /// Counts changes that belong to no single key (FLUSHALL).
    pub(crate) fn count_dirty(&mut self, n: u64) {
        self.dirty += n;
    }

    /// Adds an op made of these arguments.
    pub fn op(&mut self, db: u32, argv: &[&[u8]]) {
        if !self.wants.ops {
            return;
        }
        let first = self.spans.len() as u32;
        for arg in argv {
            let span = self.store(arg);
            self.spans.push(span);
        }
        self.ops.push(Op { db, first, count: argv.len() as u32 });
    }

    /// Adds the call itself as an op.
    pub fn op_verbatim(&mut self, db: u32, argv: Args<'_>) {
        if !self.wants.ops {
            return;
        }
        let first = self.spans.len() as u32;
        for arg in argv.iter() {
            let span = self.store(arg);
            self.spans.push(span);
        }
        self.ops.push(Op { db, first, count: argv.len() as u32 });
    }

    pub(crate) fn set_rewritten(&mut self) {
        self.rewritten = true;
    }

    /// Whether the running call rewrote itself; forgets it.
    pub(crate) fn take_rewritten(&mut self) -> bool {
        std::mem::take(&mut self.rewritten)
    }

    /// The changes since there were `before` of them count as one: they are sides of one thing (LMOVE).
    pub(crate) fn count_as_one(&mut self, before: u64) {
        self.dirty = self.dirty.min(before + 1);
    }

    pub(crate) fn add_dirty(&mut self, dirty: u64) {
        self.dirty += dirty;
    }

    pub(crate) fn set_dirty(&mut self, dirty: u64) {
        self.dirty = dirty;
    }

    /// Number of changes since the last `take_dirty`.
    pub fn dirty(&self) -> u64 {
        self.dirty
    }

    /// Number of changes since the last call of this; starts again at 0.
    pub fn take_dirty(&mut self) -> u64 {
        std::mem::take(&mut self.dirty)
    }

    /// The changes since the last `clear`: (change, key).
    pub fn changes(&self) -> impl Iterator<Item = (Change, &[u8])> {
        self.changes.iter().map(|c| (*c, self.slice(c.key)))
    }

    /// The ops since the last `clear`: (db, arguments).
    pub fn ops(&self) -> impl Iterator<Item = (u32, Args<'_>)> {
        self.ops.iter().map(|o| {
            let spans = &self.spans[o.first as usize..(o.first + o.count) as usize];
            (o.db, Args::new(&self.bytes, spans))
        })
    }

    /// True if there is nothing for `commit` to drain.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.ops.is_empty() && !self.flushed
    }

    /// Forgets changes and ops, keeping the buffers unless they grew large (1 MiB).
    pub fn clear(&mut self) {
        self.flushed = false;
        self.changes.clear();
        self.ops.clear();
        self.spans.clear();
        self.bytes.clear();
        if self.bytes.capacity() > 1 << 20 {
            self.bytes = Vec::new();
        }
    }

    fn store(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        Span { start, len: bytes.len() as u32 }
    }

    fn slice(&self, span: Span) -> &[u8] {
        &self.bytes[span.start as usize..(span.start + span.len) as usize]
    }
}
