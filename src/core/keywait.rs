//! Clients that wait for keys: BLPOP, BLMOVE, BZMPOP, XREAD BLOCK and their like.
//!
//! A blocking command that finds nothing leaves a *waiter* with the shard that owns its keys, in the line of each key, in
//! order of arrival. A change makes a key ready ([`shards::keyspace::blocked`]); when the call or the whole transaction that
//! changed it has ended, its waiters are tried one after the other: the waiting call is simply run again. It looks at its
//! keys in the order the client named them, so it serves itself from the first that has something, and if another was
//! faster it goes on waiting in its old place.
//!
//! A call whose keys lie on several shards is a transaction that lends keys. If it finds nothing, it has a waiter put on
//! every shard before its locks go (so no push slips between). A ready shard *offers*; the coordinator runs the transaction
//! again. While an offer is out the key's line is held, so that those behind do not overtake.
//!
//! What a call took for a client that is gone before the answer was handed to the kernel goes back where it came from
//! ([`PutBack`]): into its list or sorted set, at the same end, for whoever is next. The call itself says how when it runs;
//! the client's core keeps that with the reply until the reply has left. (An element that BLMOVE has moved is not lost, and
//! stays; so does what a consumer group has noted as pending.)
//!
//! Timeout, CLIENT UNBLOCK, CLIENT KILL and a connection that closes are the same: the waiter is taken away, and what
//! differs is the answer.

use super::call::How;
use super::message::{self, Message};
use super::query::{Question, Report};
use super::waiters::{Cancel, Held, Spread, Waiter, is_grouped};
use super::{Center, Client};
use crate::acl::User;
use crate::coordinator::messages::Request;
use crate::coordinator::plan::Plan;
use crate::coordinator::transaction::{Finished, Order, Outbox};
use crate::dispatch::call::OwnedCall;
use crate::dispatch::route::lock_set;
use crate::dispatch::table::{Entry, table};
use crate::runtime::ConnId;
use crate::stats::clock;
use crate::tracking::{By, Hold};
use shards::command::Group;
use shards::exec::{Block, PutBack};
use shards::keyspace::blocked::DbKey;
use shards::keyspace::slots::key_owner;
use shards::reply::{Reply, Resp};
use shards::shard::{Call, Outcome};
use shards::types::tag;
use shards::txn::locks::{LockSet, Mode, fingerprint};
use std::collections::HashSet;
use std::sync::Arc;

const UNBLOCKED: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

impl Center {
    /// Leaves a waiter for a call whose keys are all here.
    pub(super) fn wait_here(&mut self, block: Block, call: OwnedCall, how: How, core: usize, conn: ConnId, ticket: u64) {
        let keys = distinct(block.keys.into_iter().map(|key| (how.db, key)));
        let call = match block.retry {
            Some(argv) => OwnedCall::of_parts(call.entry, call.db, argv.iter().map(|arg| &**arg)),
            None => call,
        };
        keys.iter().for_each(|key| self.shard.keyspace.blocked.wait(key));
        let deadline_ms = block.deadline_ms;
        self.waiters.add(Waiter::Call { call, how, core, conn, ticket, deadline_ms }, keys);
    }

    /// A coordinator leaves a waiter here for a call over several shards.
    pub(super) fn wait_for_elsewhere(&mut self, core: usize, wait: u64, entry: &'static Entry, keys: Vec<DbKey>) {
        let keys = distinct(keys.into_iter());
        keys.iter().for_each(|key| self.shard.keyspace.blocked.wait(key));
        self.waiters.add(Waiter::Elsewhere { core, wait, entry }, keys);
    }

    fn forget(&mut self, id: u64) -> Option<Waiter> {
        let (waiter, keys) = self.waiters.remove(id)?;
        keys.iter().for_each(|key| self.shard.keyspace.blocked.unwait(key));
        Some(waiter)
    }

    /// A coordinator takes its waiter away (`served`), or passes an offer by.
    pub(super) fn end_offer(&mut self, core: usize, wait: u64, served: bool) {
        let Some(id) = self.waiters.elsewhere.get(&(core, wait)).copied() else { return };
        let freed: Vec<DbKey> =
            self.waiters.held.iter().filter(|(_, held)| held.by == id).map(|(key, _)| key.clone()).collect();
        let freed: Vec<(DbKey, bool)> = freed
            .into_iter()
            .map(|key| {
                let held = self.waiters.held.remove(&key).expect("found above");
                (key, held.changed)
            })
            .collect();
        if served {
            self.forget(id);
        }
        let serving = std::mem::replace(&mut self.waiters.serving, true);
        for (key, changed) in freed {
            if !self.serve_key(&key, (!served && !changed).then_some(id)) {
                self.shard.keyspace.blocked.put_off(key);
            }
        }
        self.waiters.serving = serving;
        self.serve_ready();
    }

    /// Serves the keys that have become ready, but for those a transaction holds.
    pub(super) fn serve_ready(&mut self) {
        if self.waiters.serving {
            return;
        }
        self.waiters.serving = true;
        let mut put_off = Vec::new();
        while self.shard.keyspace.blocked.has_ready() {
            for key in self.shard.keyspace.blocked.take_ready() {
                let mut set = LockSet::default();
                set.add(fingerprint(key.0, &key.1), Mode::Exclusive);
                if !self.shard.locks.admits(&set) || !self.serve_key(&key, None) {
                    put_off.push(key);
                }
            }
        }
        put_off.into_iter().for_each(|key| self.shard.keyspace.blocked.put_off(key));
        self.waiters.serving = false;
    }

    /// Tries the waiters of a key in their order, but for `skip`. False if one of them must be tried again when locks have
    /// gone.
    fn serve_key(&mut self, key: &DbKey, skip: Option<u64>) -> bool {
        if let Some(held) = self.waiters.held.get_mut(key) {
            held.changed = true;
            return true;
        }
        let mut at = 0;
        while let Some(line) = self.waiters.lines.get(key) {
            let Some(id) = line.ids.get(at).copied() else { break };
            at += 1;
            if Some(id) == skip {
                continue;
            }
            let is = self.shard.keyspace.peek(key.0, &key.1).map(|found| found.tag());
            if is.is_none() && line.grouped == 0 {
                break;
            }
            let Some((waiter, _)) = self.waiters.here.get(&id) else { continue };
            let entry = waiter.entry();
            // A key of another type, or none, is not what it waits for. A consumer group that is gone, it must be told.
            if is != tag_of(entry) && !is_grouped(entry) {
                continue;
            }
            match waiter {
                Waiter::Elsewhere { core, wait, .. } => {
                    let (core, wait) = (*core, *wait);
                    self.waiters.held.insert(key.clone(), Held { by: id, changed: false });
                    self.send(core, Message::Offer { wait });
                    return true;
                }
                // It looks at all of its keys, of which one may be lent: what it saw there would be neither the state
                // before that transaction nor the one after.
                Waiter::Call { call, how, .. } if !self.shard.locks.admits(&lock_set(entry, call.argv(), how.db)) => {
                    return false;
                }
                Waiter::Call { .. } => {
                    self.try_waiter(id);
                    // Who was served has left the line.
                    at -= usize::from(!self.waiters.here.contains_key(&id));
                }
            }
        }
        true
    }

    /// Runs a waiting call again; if it has an answer, its client gets it.
    fn try_waiter(&mut self, id: u64) {
        let Some((Waiter::Call { call, how, .. }, _)) = self.waiters.here.get(&id) else { return };
        let (call, how) = (call.clone(), *how);
        let row = call.entry.engine().expect("only the engine's calls wait for keys");
        let mut out = Vec::new();
        let begin = clock::ticks();
        self.shard.set_may_block(true);
        let How { db, resp, no_touch, sees_expired, .. } = how;
        let shard_call = Call { row, argv: call.argv(), db, resp, no_touch, sees_expired };
        let by = By { hold: Hold::UntilAnswered, ..how.by };
        self.begin_call_by(by);
        let outcome = self.shard.execute(&shard_call, self.now_ms, &mut out);
        self.shard.set_may_block(false);
        if outcome == Outcome::Blocked {
            self.shard.take_block();
            return self.commit();
        }
        self.note_reads(call.entry, call.argv(), by);
        let ticks = clock::ticks().wrapping_sub(begin);
        let put_back = self.shard.take_put_back();
        self.commit();
        if let Some(Waiter::Call { core, conn, ticket, .. }) = self.forget(id) {
            self.tell_wait_over(&call, core, conn, ticks, outcome == Outcome::Failed, &out);
            match put_back {
                Some(put_back) => self.send(core, Message::Popped { conn, ticket, reply: out, put_back }),
                None => self.reply_to(core, conn, ticket, &out),
            }
        }
    }

    /// A client of this core gets the answer of a blocking call that took something.
    pub(super) fn on_popped(&mut self, conn: ConnId, ticket: u64, reply: &[u8], put_back: Box<PutBack>) {
        let Some(mut connection) = self.clients.take(conn) else { return self.put_back(put_back) };
        self.end_stall(conn, &mut connection, ticket, reply);
        connection.owe(put_back);
        self.clients.put(conn, connection);
    }

    /// What was taken for a client that is gone goes back to its shard.
    pub(super) fn put_back(&mut self, put_back: Box<PutBack>) {
        let owner = key_owner(&put_back.calls[0][1], self.cores);
        self.send(owner, Message::PutBack(put_back));
    }

    /// Puts back what was taken here.
    pub(super) fn run_put_back(&mut self, put_back: PutBack) {
        let by = By::default();
        let how = How { db: put_back.db, resp: Resp::V2, no_touch: true, sees_expired: false, may_block: false, by };
        for argv in put_back.calls {
            let entry = table().find(&argv[0]).expect("a call names a command");
            let call = OwnedCall::of_parts(entry, put_back.db, argv.iter().map(|arg| &**arg));
            // The reply is nobody's.
            self.park(call, how, self.id, ConnId(u64::MAX), 0);
        }
    }

    /// A call that waited has its answer: it is counted, and logged if it was slow.
    fn tell_wait_over(&mut self, call: &OwnedCall, core: usize, conn: ConnId, ticks: u64, failed: bool, reply: &[u8]) {
        self.count(call.entry, ticks, failed, reply);
        self.note_slow(call.entry, call.argv(), ticks, reply.len());
        if let Some(call) = self.slow.take() {
            self.send(core, Message::Slow { conn, call });
        }
    }

    /// Sends a reply to a client of any core.
    pub(super) fn reply_to(&mut self, core: usize, conn: ConnId, ticket: u64, reply: &[u8]) {
        if core == self.id {
            let mut batch = Vec::new();
            message::push_reply(&mut batch, conn, ticket, |out| out.extend_from_slice(reply));
            self.loopback.push_back(Message::Replies(batch));
        } else {
            message::push_reply(&mut self.replies_out[core], conn, ticket, |out| out.extend_from_slice(reply));
        }
    }

    /// Ends the waits whose time is over.
    pub(super) fn end_overdue_waits(&mut self) {
        while let Some((at, spread, id)) = self.waiters.deadlines.first().copied().filter(|(at, ..)| *at <= self.now_ms) {
            self.waiters.deadlines.remove(&(at, spread, id));
            if spread {
                self.cancel_spread(id, Cancel::Timeout);
            } else {
                self.cancel_here(id, Cancel::Timeout);
            }
        }
    }

    fn cancel_here(&mut self, id: u64, why: Cancel) {
        let Some(Waiter::Call { call, core, conn, ticket, how, .. }) = self.forget(id) else { return };
        if why == Cancel::Denied {
            let tell = move |center: &mut Center| center.refuse_waiting(conn, ticket, &call);
            return self.tell(core, tell);
        }
        if why != Cancel::Gone {
            let reply = cancel_reply(why, how.resp);
            self.tell_wait_over(&call, core, conn, 0, why == Cancel::Error, &reply);
            self.reply_to(core, conn, ticket, &reply);
        }
    }

    fn cancel_spread(&mut self, wait: u64, why: Cancel) {
        let Some(spread) = self.waiters.spread.get_mut(&wait) else { return };
        spread.cancelled = Some(why);
        if !spread.running {
            self.end_spread(wait);
        }
    }

    /// Ends the waiting of a client of this core, wherever it waits.
    pub fn cancel_client(&mut self, conn: ConnId, why: Cancel) {
        let waits: Vec<u64> =
            self.waiters.spread.iter().filter(|(_, s)| s.order.client.conn == conn).map(|(wait, _)| *wait).collect();
        if !waits.is_empty() {
            return waits.into_iter().for_each(|wait| self.cancel_spread(wait, why));
        }
        if self.coordinator.orders().any(|order| order.client.conn == conn && order.may_block) {
            self.waiters.early.insert(conn, why);
            return;
        }
        let home = self.id;
        let tell: Question = Arc::new(move |center: &mut Center| -> Report {
            if let Some(id) = center.waiters.by_client.get(&(home, conn)).copied() {
                center.cancel_here(id, why);
            }
            center.cancel_parked(home, conn);
            Box::new(())
        });
        for core in 0..self.cores {
            self.send(core, Message::Tell(tell.clone()));
        }
    }

    /// Ends the waiting of a client of this core if its user may not make the call any more.
    pub(super) fn recheck_waiting(&mut self, conn: ConnId, user: &Arc<User>) {
        let of_client = self.waiters.spread.iter().filter(|(_, s)| s.order.client.conn == conn);
        let waits: Vec<(u64, OwnedCall)> = of_client.map(|(wait, spread)| (*wait, spread.call.clone())).collect();
        if !waits.is_empty() {
            for (wait, call) in waits {
                if self.check_call(user, &call).is_err() {
                    self.cancel_spread(wait, Cancel::Denied);
                }
            }
            return;
        }
        let (home, user) = (self.id, Arc::clone(user));
        let deed = move |center: &mut Center| {
            let Some(id) = center.waiters.by_client.get(&(home, conn)).copied() else { return };
            let Some((Waiter::Call { call, .. }, _)) = center.waiters.here.get(&id) else { return };
            if center.check_call(&user, call).is_err() {
                center.cancel_here(id, Cancel::Denied);
            }
        };
        (0..self.cores).for_each(|core| self.tell(core, deed.clone()));
    }

    /// A transaction of a blocking call has ended without an answer: it waits, or goes on waiting.
    pub(super) fn wait_spread(&mut self, finished: Finished<Client>, block: Block) {
        let early = self.waiters.early.remove(&finished.order.client.conn);
        let wait = finished.order.wait.expect("a call that waits has a number");
        let call = finished.calls.into_iter().next().expect("one call waits");
        let call = match (&block.retry, finished.order.client.waits) {
            (Some(argv), false) => OwnedCall::of_parts(call.entry, call.db, argv.iter().map(|arg| &**arg)),
            _ => call,
        };
        if !finished.order.client.waits {
            let mut order = finished.order;
            order.client.waits = true;
            self.waiters.deadlines.extend(block.deadline_ms.map(|at| (at, true, wait)));
            let spread = Spread {
                order,
                call,
                shards: finished.shards,
                deadline_ms: block.deadline_ms,
                running: false,
                offered: false,
                cancelled: None,
            };
            self.waiters.spread.insert(wait, spread);
            let conn = finished.order.client.conn;
            if self.clients.get_mut(conn).is_none() {
                self.cancel_spread(wait, Cancel::Gone);
            } else if let Some(why) = early {
                self.cancel_spread(wait, why);
            }
            return;
        }
        let Some(spread) = self.waiters.spread.get_mut(&wait) else { return };
        spread.running = false;
        for core in spread.shards.clone() {
            self.request(core, Request::EndOffer { wait, served: false });
        }
        let spread = &self.waiters.spread[&wait];
        if spread.cancelled.is_some() {
            self.end_spread(wait);
        } else if spread.offered {
            self.on_offer(wait);
        }
    }

    /// A shard has something for a call that waits on several.
    pub(super) fn on_offer(&mut self, wait: u64) {
        let place = self.place();
        let Some(spread) = self.waiters.spread.get_mut(&wait) else { return };
        if std::mem::replace(&mut spread.running, true) {
            spread.offered = true;
            return;
        }
        spread.offered = false;
        let (order, call) = (spread.order, spread.call.clone());
        let plan = Plan::one(&call, place);
        let mut out = Outbox::new();
        let txid = self.shared.txid();
        let finished = self.coordinator.begin(txid, order, vec![call], plan, &mut out);
        assert!(finished.is_none(), "a call with keys locks something");
        self.send_out(out);
    }

    /// A transaction has its answer: if its call waited, the waiters go.
    pub(super) fn end_wait(&mut self, order: &Order<Client>) {
        if !self.waiters.early.is_empty() {
            self.waiters.early.remove(&order.client.conn);
        }
        if let Some(wait) = order.wait {
            self.served_spread(wait);
        }
    }

    fn served_spread(&mut self, wait: u64) {
        if let Some(spread) = self.waiters.spread.remove(&wait) {
            spread.deadline_ms.iter().for_each(|at| {
                self.waiters.deadlines.remove(&(*at, true, wait));
            });
            for core in spread.shards {
                self.request(core, Request::EndOffer { wait, served: true });
            }
        }
    }

    fn end_spread(&mut self, wait: u64) {
        let Some(spread) = self.waiters.spread.get(&wait) else { return };
        let Client { conn, ticket, .. } = spread.order.client;
        let why = spread.cancelled.unwrap_or(Cancel::Timeout);
        let reply = cancel_reply(why, spread.order.resp);
        let call = spread.call.clone();
        if why == Cancel::Denied {
            self.served_spread(wait);
            return self.refuse_waiting(conn, ticket, &call);
        }
        self.served_spread(wait);
        if why != Cancel::Gone {
            self.tell_wait_over(&call, self.id, conn, 0, why == Cancel::Error, &reply);
            self.reply_to(self.id, conn, ticket, &reply);
        }
    }
}

/// The type of value a blocking command waits for.
fn tag_of(entry: &Entry) -> Option<u8> {
    match entry.engine()?.group {
        Group::List => Some(tag::LIST),
        Group::SortedSet => Some(tag::ZSET),
        Group::Stream => Some(tag::STREAM),
        _ => None,
    }
}

fn distinct(keys: impl Iterator<Item = DbKey>) -> Vec<DbKey> {
    let mut seen = HashSet::new();
    keys.filter(|key| seen.insert(key.clone())).collect()
}

fn cancel_reply(why: Cancel, resp: Resp) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reply = Reply::new(&mut out, resp);
    if why == Cancel::Error { reply.error(UNBLOCKED) } else { reply.null_array() }
    out
}
