//! Keys lent by other shards while a transaction runs here.
//!
//! A command over keys of several shards runs on one of them as if all keys were its own: the other shards lend theirs.
//! The value itself moves (a pointer for anything large), so lending costs no copy, and the keys are locked, so nobody
//! sees them missing. When the call has ended every key goes back, changed or not; only then does its owner count the
//! change, wake waiters and give watchers a new version.
//!
//! Guests stand in tables of their own: SCAN, DBSIZE, expiry and eviction of this shard never meet them.

use super::entry::{Taken, TakenValue};
use super::space::Keyspace;
use super::table::{NewValue, Table};
use crate::effects::Event;
use crate::types::Object;

/// A key on its way between shards: absent keys travel too, for the command may create them.
#[derive(Debug)]
pub struct Loan {
    /// Database.
    pub db: u32,
    /// The key.
    pub key: Box<[u8]>,
    /// What it holds; `None`: it does not exist.
    pub value: Option<Taken>,
    /// Set on the way back: the event names of what happened to it, in order.
    pub events: Vec<Event>,
}

/// The keys lent to this shard.
pub struct Guests {
    tables: Vec<(u32, Table<Object>)>,
    /// Keys lent, present or not.
    keys: Vec<(u32, Box<[u8]>)>,
    empty: Table<Object>,
}

impl Guests {
    fn new(seed: [u64; 4]) -> Guests {
        Guests { tables: Vec::new(), keys: Vec::new(), empty: Table::new(seed) }
    }

    pub(super) fn table(&self, db: u32) -> &Table<Object> {
        self.tables.iter().find(|(d, _)| *d == db).map_or(&self.empty, |(_, t)| t)
    }

    pub(super) fn table_mut(&mut self, db: u32, seed: [u64; 4]) -> &mut Table<Object> {
        let at = self.tables.iter().position(|(d, _)| *d == db).unwrap_or_else(|| {
            self.tables.push((db, Table::new(seed)));
            self.tables.len() - 1
        });
        &mut self.tables[at].1
    }

    pub(super) fn check_invariants(&self, foreign: impl Fn(&[u8]) -> bool) {
        assert!(self.keys.iter().all(|(_, key)| foreign(key)), "a guest belongs to another shard");
        for (_, table) in &self.tables {
            table.check_invariants();
        }
    }
}

impl Keyspace {
    /// True if this key of another shard is here.
    pub fn has_guest(&self, db: u32, key: &[u8]) -> bool {
        self.guests.as_ref().is_some_and(|guests| guests.keys.iter().any(|(d, k)| *d == db && **k == *key))
    }

    /// Takes the guests aside, so that the shard can serve others while the call they came for waits.
    pub fn set_guests_aside(&mut self) -> Option<Box<Guests>> {
        self.guests.take()
    }

    /// Brings them back.
    pub fn bring_guests_back(&mut self, guests: Option<Box<Guests>>) {
        assert!(self.guests.is_none(), "one call at a time has guests");
        self.guests = guests;
    }

    /// Takes keys of this shard out of it, to be lent. Expired ones are removed first and lent as absent.
    pub fn lend<'a>(&mut self, keys: impl Iterator<Item = (u32, &'a [u8])>) -> Vec<Loan> {
        assert!(self.guests.is_none(), "a shard that borrows does not lend");
        let databases = self.databases();
        // A call may name a database that does not exist; it will answer its error wherever it runs.
        keys.filter(|(db, _)| (*db as usize) < databases).map(|(db, key)| {
            debug_assert!(self.owns(key));
            self.expire_if_due(db, key);
            let table = &mut self.dbs[db as usize];
            let pos = table.find(table.hash(key), key);
            let value = pos.map(|pos| Taken::out_of(table, pos));
            Loan { db, key: key.into(), value, events: Vec::new() }
        })
        .collect()
    }

    /// Takes in keys lent by other shards. From now on changes are noted whoever listens.
    pub fn welcome(&mut self, loans: Vec<Loan>) {
        let seed = self.table_seed();
        let guests = self.guests.get_or_insert_with(|| Box::new(Guests::new(seed)));
        for loan in loans {
            if let Some(taken) = loan.value {
                insert(guests.table_mut(loan.db, seed), &loan.key, taken);
            }
            guests.keys.push((loan.db, loan.key));
        }
    }

    /// Sends the guests home, as they are now. `events` says what happened to a key meanwhile.
    pub fn farewell(&mut self, events: &dyn Fn(u32, &[u8]) -> Vec<Event>) -> Vec<Loan> {
        let Some(mut guests) = self.guests.take() else { return Vec::new() };
        let seed = self.table_seed();
        let keys = std::mem::take(&mut guests.keys);
        keys.into_iter()
            .map(|(db, key)| {
                let table = guests.table_mut(db, seed);
                let pos = table.find(table.hash(&key), &key);
                let value = pos.map(|pos| Taken::out_of(table, pos));
                let events = events(db, &key);
                Loan { db, key, value, events }
            })
            .collect()
    }

    /// Takes back keys that were lent; what changed counts as changed here (watchers), without being told twice to
    /// replication: the shard that ran the call has done that.
    pub fn take_back(&mut self, loans: Vec<Loan>) {
        for loan in loans {
            let table = &mut self.dbs[loan.db as usize];
            let mut earliest = None;
            if let Some(taken) = loan.value {
                if let TakenValue::Object(object) = &taken.value {
                    earliest = object.earliest_inside();
                }
                insert(table, &loan.key, taken);
            }
            table.settle();
            match earliest {
                Some(earliest) => self.track_fields(loan.db, &loan.key, earliest),
                None => self.untrack_fields(loan.db, &loan.key),
            }
            if !loan.events.is_empty() {
                self.watch.changed(loan.db, &loan.key);
                self.blocked.changed(loan.db, &loan.key);
            }
        }
    }
}

pub(super) fn insert(table: &mut Table<Object>, key: &[u8], taken: Taken) {
    let hash = table.hash(key);
    let value = match &taken.value {
        TakenValue::Bytes(b) => NewValue::Bytes(b),
        TakenValue::Int(n) => NewValue::Int(*n),
        TakenValue::Object(_) => {
            let TakenValue::Object(o) = taken.value else { unreachable!() };
            table.insert(hash, key, NewValue::Object(o), taken.tag, taken.expire_at, taken.lru);
            return;
        }
    };
    table.insert(hash, key, value, taken.tag, taken.expire_at, taken.lru);
}
