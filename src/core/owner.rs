//! This shard's side of what other cores want of it: batches of calls, and transactions.
//!
//! A plain call whose keys are locked joins the queue of locks like a transaction of one shard and runs when it is
//! granted; until then it is *parked*.

use super::Center;
use super::call::How;
use super::message::{self, Message};
use super::script::batch::{Batch, Origin};
use crate::connection::session::Watched;
use crate::coordinator::messages::{Answer, Lending, Request, Work};
use crate::dispatch::call::OwnedCall;
use crate::dispatch::route;
use crate::runtime::ConnId;
use crate::tracking::{By, Hold, Who};
use shards::args::Args;
use shards::keyspace::guests::Loan;
use shards::reply::Resp;
use shards::shard::{Call, Outcome};
use shards::txn::locks::{self, TxId};

/// A batch of replies that grows larger is sent at once.
const POST_BYTES: usize = 1 << 20;

/// Somebody who waits for locks of this shard.
pub enum Waiting {
    /// A plain call.
    Call {
        /// The call.
        call: OwnedCall,
        /// How it runs.
        how: How,
        /// The core of its client.
        core: usize,
        /// The client.
        conn: ConnId,
        /// Where its reply belongs.
        ticket: u64,
    },
    /// A transaction.
    Transaction {
        /// Its coordinator's core.
        core: usize,
        /// Watched keys to compare.
        watched: Vec<Watched>,
        /// What to do when it is granted.
        work: Work,
        /// Let go at once afterwards.
        alone: bool,
    },
}

impl Center {
    /// Runs a batch of calls another core sent; the replies go back in this turn's batch.
    pub fn run_calls(&mut self, from: usize, batch: Vec<u8>) {
        let mut spans = std::mem::take(&mut self.spans);
        let mut ends = [(0usize, 0usize, 0u64); super::serve::BATCH];
        let mut at = 0;
        while at < batch.len() {
            // Look at a few together first, so that their waits for memory overlap.
            spans.clear();
            let (mut count, begin, mut next) = (0, at, at);
            while count < ends.len() && next < batch.len() {
                let first = spans.len();
                let (header, end) = message::read_call(&batch, next, &mut spans);
                let hash = match header.entry.single_key.map(usize::from) {
                    Some(key) if key < spans.len() - first => {
                        let key = Args::new(&batch, &spans[first..]).get(key);
                        self.shard.keyspace.prefetch_bucket(header.db, key)
                    }
                    _ => 0,
                };
                ends[count] = (first, end, hash);
                (next, count) = (end, count + 1);
            }
            if count > 1 {
                let db = message::read_db(&batch, begin);
                ends[..count].iter().filter(|e| e.2 != 0).for_each(|e| self.shard.keyspace.prefetch_leaf(db, e.2));
                ends[..count].iter().filter(|e| e.2 != 0).for_each(|e| self.shard.keyspace.prefetch_entry(db, e.2));
            }
            for i in 0..count {
                let last = if i + 1 < count { ends[i + 1].0 } else { spans.len() };
                let argv = Args::new(&batch, &spans[ends[i].0..last]);
                self.run_call_for(from, message::read_header(&batch, at), argv);
                at = ends[i].1;
            }
        }
        spans.clear();
        self.spans = spans;
        self.recycle(batch);
    }

    #[inline]
    fn run_call_for(&mut self, from: usize, header: message::CallHeader, argv: Args<'_>) {
        let message::CallHeader { db, resp, no_touch, sees_expired, .. } = header;
        let who = Who { core: u16::try_from(from).expect("cores are few"), conn: header.conn };
        let by = By { who: Some(who), tracks: header.tracks, hold: Hold::No };
        let how = How { db, resp, no_touch, sees_expired, may_block: true, by };
        let locked = !self.shard.locks.is_empty();
        if locked && !self.shard.locks.admits(&route::lock_set(header.entry, argv, how.db)) {
            let call = OwnedCall::new(header.entry, how.db, argv);
            return self.park(call, how, from, header.conn, header.ticket);
        }
        self.call_for(from, header.entry, argv, how, header.conn, header.ticket);
    }

    /// Runs a call for a client of core `to` and sends its reply there.
    fn call_for(
        &mut self,
        to: usize,
        entry: &'static crate::dispatch::table::Entry,
        argv: Args<'_>,
        how: How,
        conn: ConnId,
        ticket: u64,
    ) {
        let mut batch = std::mem::take(&mut self.replies_out[to]);
        let start = batch.len();
        let outcome = message::push_reply(&mut batch, conn, ticket, |out| self.call(entry, argv, how, out));
        if outcome == Outcome::Blocked {
            batch.truncate(start);
            let block = *self.shard.take_block().expect("a blocked call says what it waits for");
            self.wait_here(block, OwnedCall::new(entry, how.db, argv), how, to, conn, ticket);
        }
        let mut popped = None;
        if let Some(put_back) = self.shard.take_put_back() {
            let reply = batch.split_off(start + message::REPLY_HEADER);
            batch.truncate(start);
            popped = Some(Message::Popped { conn, ticket, reply, put_back });
        }
        if to == self.id {
            // A call of this core's own client that had to wait: its reply goes the way of all others.
            self.loopback.push_back(Message::Replies(batch));
        } else {
            self.replies_out[to] = batch;
            if self.replies_out[to].len() > POST_BYTES {
                self.post_batches(to);
            }
        }
        if let Some(popped) = popped {
            self.send(to, popped);
        }
        self.commit();
        if let Some(call) = self.slow.take() {
            self.send(to, Message::Slow { conn, call });
        }
    }

    /// Queues a plain call behind the locks in its way.
    pub(super) fn park(&mut self, call: OwnedCall, how: How, core: usize, conn: ConnId, ticket: u64) {
        let txid = self.shared.txid();
        let set = route::lock_set(call.entry, call.argv(), how.db);
        let answer = self.shard.locks.schedule(txid, set);
        self.waiting.insert(txid, Waiting::Call { call, how, core, conn, ticket });
        match answer {
            locks::Answer::Granted => self.granted(txid),
            locks::Answer::Queued => {}
            // A fresh id is the highest there is, unless another core took one since and was granted here meanwhile,
            // which cannot be: this core grants.
            locks::Answer::Refused => unreachable!("a fresh id is never late on its own core"),
        }
    }

    /// A client whose call is parked waits no more: the call does not begin to wait when its turn comes.
    pub(super) fn cancel_parked(&mut self, home: usize, client: ConnId) {
        for waiting in self.waiting.values_mut() {
            if let Waiting::Call { how, core, conn, .. } = waiting
                && (*core, *conn) == (home, client)
            {
                how.may_block = false;
            }
        }
    }

    /// A coordinator's request.
    pub fn on_request(&mut self, from: usize, request: Request) {
        match request {
            Request::Schedule { txid, set, watched, work, alone } => match self.shard.locks.schedule(txid, set) {
                locks::Answer::Refused => self.answer(from, Answer::Refused { txid }),
                answer => {
                    self.waiting.insert(txid, Waiting::Transaction { core: from, watched, work, alone });
                    if answer == locks::Answer::Granted {
                        self.granted(txid);
                    }
                }
            },
            Request::Run { txid, calls, loans } => {
                self.run_batch(Batch::new(Origin::Ran { core: from, txid }, calls, loans));
            }
            Request::Reach { txid, call } => {
                let keys = self.reached(&call);
                self.answer(from, Answer::Reached { txid, keys });
            }
            Request::Lend { txid, lending } => {
                let loans = self.lend(lending);
                self.answer(from, Answer::Lent { txid, loans });
            }
            Request::TakeBack { loans, by } => {
                self.note_returned(&loans, by);
                self.shard.take_back(loans);
                self.commit();
            }
            Request::Conclude { txid } => self.conclude(txid),
            Request::Await { wait, entry, keys } => self.wait_for_elsewhere(from, wait, entry, keys),
            Request::EndOffer { wait, served } => self.end_offer(from, wait, served),
        }
    }

    /// Runs whoever was granted, and all who are granted by that.
    fn granted(&mut self, txid: TxId) {
        let mut line = std::collections::VecDeque::from([txid]);
        while let Some(txid) = line.pop_front() {
            let done = match self.waiting.remove(&txid).expect("who is granted was waiting") {
                Waiting::Call { call, how, core, conn, ticket } if call.script.is_some() => {
                    self.script_for(core, call, how, conn, ticket);
                    true
                }
                Waiting::Call { call, how, core, conn, ticket } => {
                    self.call_for(core, call.entry, call.argv(), how, conn, ticket);
                    true
                }
                Waiting::Transaction { core, watched, work, alone } => {
                    self.begin_work(txid, core, &watched, work, alone) && alone
                }
            };
            if done {
                let mut next = Vec::new();
                self.shard.locks.conclude(txid, &mut next);
                line.extend(next);
            }
        }
        self.serve_ready();
    }

    /// Does what is to be done with the grant; false if that is a batch that goes on later and then ends by itself.
    fn begin_work(&mut self, txid: TxId, core: usize, watched: &[Watched], work: Work, alone: bool) -> bool {
        let unchanged = watched.iter().all(|w| self.watch_unchanged(w));
        let mut loans = Vec::new();
        match work {
            Work::Run(calls) if unchanged => {
                return self.run_batch(Batch::new(Origin::Granted { core, txid, alone }, calls, Vec::new()));
            }
            Work::Lend(lending) => loans = self.lend(lending),
            _ => {}
        }
        self.answer(core, Answer::Granted { txid, unchanged, replies: Vec::new(), loans });
        true
    }

    fn watch_unchanged(&mut self, w: &Watched) -> bool {
        // A key that expired since it was watched is a change, found when somebody looks.
        self.shard.keyspace.set_now(self.now_ms);
        self.shard.keyspace.peek(w.db, &w.key);
        self.shard.keyspace.watch.unchanged(w.db, &w.key, w.version)
    }

    pub(super) fn conclude(&mut self, txid: TxId) {
        self.waiting.remove(&txid);
        let mut next = Vec::new();
        self.shard.locks.conclude(txid, &mut next);
        for txid in next {
            self.granted(txid);
        }
        self.serve_ready();
    }

    fn reached(&mut self, call: &OwnedCall) -> Vec<Box<[u8]>> {
        let row = call.entry.engine().expect("the server's own commands reach nothing");
        let call = Call { row, argv: call.argv(), db: call.db, resp: Resp::V2, no_touch: true, sees_expired: false };
        let keys = self.shard.reached(&call, self.now_ms);
        self.commit();
        keys
    }

    pub(super) fn lend(&mut self, lending: Lending) -> Vec<Loan> {
        let loans = self.shard.lend(self.now_ms, lending.keys.iter().map(|(db, key)| (*db, &**key)));
        self.note_lent(lending.reads, lending.by);
        self.commit();
        loans
    }
}
