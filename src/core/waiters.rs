//! The clients that wait for keys of this core's shard, and those of its own clients that wait on several shards.
//!
//! A waiter stands in the line of each of its keys, in order of arrival; a key whose line is *held* has an offer out
//! ([`super::keywait`] says how they are served). Serving one and taking it out of its lines costs the same however long
//! the lines are: the served are nearly always the first.
//!
//! Invariant: a waiter is in the line of each of its keys, or nowhere.

use super::Client;
use super::call::How;
use crate::coordinator::transaction::Order;
use crate::dispatch::call::OwnedCall;
use crate::dispatch::table::Entry;
use crate::runtime::ConnId;
use shards::keyspace::blocked::DbKey;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Why a waiter is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cancel {
    /// Its time is over, or CLIENT UNBLOCK says so: it gets a null array.
    Timeout,
    /// CLIENT UNBLOCK ... ERROR.
    Error,
    /// Its user may not make the call any more.
    Denied,
    /// Its client is gone.
    Gone,
}

/// Who waits on this shard.
pub(super) enum Waiter {
    /// A call all of whose keys are here.
    Call { call: OwnedCall, how: How, core: usize, conn: ConnId, ticket: u64, deadline_ms: Option<i64> },
    /// A call over several shards; its coordinator knows it by this number.
    Elsewhere { core: usize, wait: u64, entry: &'static Entry },
}

impl Waiter {
    /// Its command.
    pub(super) fn entry(&self) -> &'static Entry {
        match self {
            Waiter::Call { call, .. } => call.entry,
            Waiter::Elsewhere { entry, .. } => entry,
        }
    }
}

/// A call of one of this core's clients that waits on several shards.
pub(super) struct Spread {
    pub(super) order: Order<Client>,
    pub(super) call: OwnedCall,
    pub(super) shards: Vec<usize>,
    pub(super) deadline_ms: Option<i64>,
    /// Its transaction is under way.
    pub(super) running: bool,
    /// An offer came meanwhile.
    pub(super) offered: bool,
    /// It was cancelled meanwhile.
    pub(super) cancelled: Option<Cancel>,
}

/// Who waits for a key, in order of arrival.
#[derive(Default)]
pub(super) struct Line {
    pub(super) ids: VecDeque<u64>,
    /// How many of them read for a consumer group: they are told when the key is gone, all others sleep on.
    pub(super) grouped: usize,
}

impl Line {
    fn remove(&mut self, id: u64) {
        // Nearly always the first.
        let at = self.ids.iter().position(|other| *other == id).expect("a waiter stands in the line of each of its keys");
        self.ids.remove(at);
    }
}

/// An offer that is out.
pub(super) struct Held {
    /// To whom.
    pub(super) by: u64,
    /// The key changed again since: whoever passes the offer by is to be asked once more.
    pub(super) changed: bool,
}

/// All who wait on this core.
#[derive(Default)]
pub struct Waiters {
    pub(super) here: HashMap<u64, (Waiter, Vec<DbKey>)>,
    pub(super) lines: HashMap<DbKey, Line>,
    /// Keys whose line is held by an offer.
    pub(super) held: HashMap<DbKey, Held>,
    pub(super) by_client: HashMap<(usize, ConnId), u64>,
    pub(super) elsewhere: HashMap<(usize, u64), u64>,
    pub(super) spread: HashMap<u64, Spread>,
    /// Clients told to wait no more while the first transaction of their call was still under way.
    pub(super) early: HashMap<ConnId, Cancel>,
    pub(super) deadlines: BTreeSet<(i64, bool, u64)>,
    pub(super) next: u64,
    pub(super) serving: bool,
}

impl Waiters {
    /// True if nobody waits, and nothing is left of those who did.
    pub fn is_empty(&self) -> bool {
        let lines = self.lines.is_empty() && self.held.is_empty() && self.deadlines.is_empty();
        lines && self.here.is_empty() && self.spread.is_empty() && self.early.is_empty()
    }

    /// The next time something is over.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(at, ..)| *at)
    }

    /// Clients whose calls wait on this shard alone or are coordinated here, and how many of them with a deadline.
    pub fn counts(&self) -> (u64, u64) {
        ((self.by_client.len() + self.spread.len()) as u64, self.deadlines.len() as u64)
    }

    /// Keys that somebody waits for who wants to hear of their end, too (XREADGROUP).
    pub fn keys_on_nokey(&self) -> u64 {
        self.lines.values().filter(|line| line.grouped > 0).count() as u64
    }

    /// Puts a waiter at the end of the line of each of its keys, each named once.
    pub(super) fn add(&mut self, waiter: Waiter, keys: Vec<DbKey>) -> u64 {
        let id = self.next;
        self.next += 1;
        match &waiter {
            Waiter::Call { core, conn, deadline_ms, .. } => {
                self.by_client.insert((*core, *conn), id);
                self.deadlines.extend(deadline_ms.map(|at| (at, false, id)));
            }
            Waiter::Elsewhere { core, wait, .. } => {
                self.elsewhere.insert((*core, *wait), id);
            }
        }
        let grouped = usize::from(is_grouped(waiter.entry()));
        for key in &keys {
            let line = self.lines.entry(key.clone()).or_default();
            line.ids.push_back(id);
            line.grouped += grouped;
        }
        self.here.insert(id, (waiter, keys));
        id
    }

    /// Takes a waiter out of all lines.
    pub(super) fn remove(&mut self, id: u64) -> Option<(Waiter, Vec<DbKey>)> {
        let (waiter, keys) = self.here.remove(&id)?;
        match &waiter {
            Waiter::Call { core, conn, deadline_ms, .. } => {
                self.by_client.remove(&(*core, *conn));
                deadline_ms.iter().for_each(|at| {
                    self.deadlines.remove(&(*at, false, id));
                });
            }
            Waiter::Elsewhere { core, wait, .. } => {
                self.elsewhere.remove(&(*core, *wait));
            }
        }
        for key in &keys {
            let line = self.lines.get_mut(key).expect("a waiter stands in the line of each of its keys");
            line.remove(id);
            line.grouped -= usize::from(is_grouped(waiter.entry()));
            if line.ids.is_empty() {
                self.lines.remove(key);
            }
        }
        Some((waiter, keys))
    }
}

/// True for the command that is told when its key is gone.
pub(super) fn is_grouped(entry: &Entry) -> bool {
    entry.full_name == "xreadgroup"
}
