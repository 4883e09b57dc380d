//! The state machine of one transaction, and the table of all that this core coordinates.
//!
//! It knows no sockets and no rings: requests go to an outbox of (shard, request), answers come in, and when the last
//! has come the finished transaction falls out. Every answer is about a transaction in the table; on a refusal nothing
//! is undone before all shards have answered, so no answer ever comes late.

use super::merge::{is_null, merge};
use super::messages::{Answer, Calls, DbKey, Lending, Request, Work};
use super::plan::{How, Plan, Step};
use crate::dispatch::call::OwnedCall;
use crate::dispatch::table::Target;
use crate::tracking::{By, Hold};
use shards::command::flag;
use shards::exec::{Block, PutBack};
use shards::keyspace::guests::Loan;
use shards::keyspace::slots::key_owner;
use shards::reply::Resp;
use shards::txn::locks::TxId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Whom a transaction is for, and how its calls run.
#[derive(Clone, Copy, Debug)]
pub struct Order<C> {
    /// The client, as the core names it.
    pub client: C,
    /// The client's id.
    pub client_id: u64,
    /// Protocol of the replies.
    pub resp: Resp,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// CLIENT IMPORT-SOURCE: it finds keys whose time is over, while `import-mode` keeps them.
    pub sees_expired: bool,
    /// Its one call may wait for its keys.
    pub may_block: bool,
    /// The number under which its call waits on its shards already.
    pub wait: Option<u64>,
    /// On whose account its calls run.
    pub by: By,
}

/// How a transaction ended.
#[derive(Debug)]
pub struct Finished<C> {
    /// Whom it was for.
    pub order: Order<C>,
    /// A watched key had changed: nothing ran.
    pub changed: bool,
    /// Its calls, those of the server not run yet.
    pub calls: Vec<OwnedCall>,
    /// Replies of the engine's calls; `None` for the server's own.
    pub replies: Vec<Option<Vec<u8>>>,
    /// Its one call waits for its keys: it has waiters on `shards`, under the order's number.
    pub block: Option<Box<Block>>,
    /// What puts back what its one call took.
    pub put_back: Option<Box<PutBack>>,
    /// Its shards.
    pub shards: Vec<usize>,
}

#[derive(Debug)]
struct Transaction<C> {
    order: Order<C>,
    calls: Vec<OwnedCall>,
    replies: Vec<Option<Vec<u8>>>,
    plan: Plan,
    /// The step that runs; `None` while scheduling.
    step: Option<usize>,
    /// Answers still to come in this phase.
    missing: usize,
    refused: bool,
    changed: bool,
    block: Option<Box<Block>>,
    put_back: Option<Box<PutBack>>,
    /// What the step's call reads beside the keys it names.
    reached: Vec<Box<[u8]>>,
    /// Loans gathered for the step.
    loans: Vec<Loan>,
    /// Replies of the parts of a split step.
    parts: Vec<Option<Vec<u8>>>,
    /// Shards asked by a first-found step.
    asked: usize,
    /// The step's work was done with the grant.
    early: bool,
    /// One shard is all there is, and it lets go by itself once it has run the calls.
    alone: bool,
}

/// Requests to be sent: (shard, request).
pub type Outbox = Vec<(usize, Request)>;

/// The transactions of one core.
#[derive(Debug)]
pub struct Coordinator<C> {
    open: HashMap<TxId, Transaction<C>>,
    shards: usize,
    /// Transactions that had to begin again (INFO).
    pub retries: u64,
}

impl<C: Copy> Coordinator<C> {
    /// A coordinator over so many shards.
    pub fn new(shards: usize) -> Coordinator<C> {
        Coordinator { open: HashMap::new(), shards, retries: 0 }
    }

    /// Number of transactions under way.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// True if none is under way.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whom the transactions under way are for.
    pub fn orders(&self) -> impl Iterator<Item = &Order<C>> {
        self.open.values().map(|tx| &tx.order)
    }

    /// Begins a transaction. A plan that locks nothing is finished at once and returned.
    pub fn begin(
        &mut self,
        txid: TxId,
        order: Order<C>,
        calls: Vec<OwnedCall>,
        plan: Plan,
        out: &mut Outbox,
    ) -> Option<Finished<C>> {
        let replies = vec![None; calls.len()];
        if plan.locks.is_empty() {
            return Some(Finished { order, changed: false, calls, replies, block: None, put_back: None, shards: Vec::new() });
        }
        let mut tx = Transaction {
            order,
            calls,
            replies,
            plan,
            step: None,
            missing: 0,
            refused: false,
            changed: false,
            block: None,
            put_back: None,
            reached: Vec::new(),
            loans: Vec::new(),
            parts: Vec::new(),
            asked: 0,
            early: false,
            alone: false,
        };
        tx.schedule(txid, out);
        self.open.insert(txid, tx);
        None
    }

    /// Takes an answer in. `fresh` makes a new id should the transaction have to begin again.
    pub fn answer(
        &mut self,
        from: usize,
        answer: Answer,
        fresh: &mut dyn FnMut() -> TxId,
        out: &mut Outbox,
    ) -> Option<Finished<C>> {
        let txid = answer.txid();
        let tx = self.open.get_mut(&txid).expect("shards answer about open transactions");
        tx.take(from, answer);
        tx.missing -= 1;
        if tx.missing > 0 {
            return None;
        }
        if tx.step.is_none() && tx.refused {
            let mut tx = self.open.remove(&txid).expect("found above");
            self.retries += 1;
            tx.let_go(txid, self.shards, out);
            let txid = fresh();
            tx.schedule(txid, out);
            self.open.insert(txid, tx);
            return None;
        }
        if !tx.advance(txid, self.shards, out) {
            return None;
        }
        let mut tx = self.open.remove(&txid).expect("found above");
        if tx.block.is_some() && tx.order.wait.is_none() {
            // The waiters come before the locks go, so that no push slips between.
            tx.order.wait = Some(txid);
            let entry = tx.calls[0].entry;
            let wait = |keys: &Vec<_>| Request::Await { wait: txid, entry, keys: keys.clone() };
            out.extend(tx.plan.keys.iter().map(|(shard, keys)| (*shard, wait(keys))));
        }
        if !tx.alone {
            tx.let_go(txid, self.shards, out);
        }
        let shards = tx.plan.locks.keys().copied().collect();
        let Transaction { order, changed, calls, replies, block, put_back, .. } = tx;
        Some(Finished { order, changed, calls, replies, block, put_back, shards })
    }
}

impl<C: Copy> Transaction<C> {
    /// Asks every shard for its locks; work that can be done with the grant goes along.
    fn schedule(&mut self, txid: TxId, out: &mut Outbox) {
        (self.step, self.refused, self.changed, self.early) = (None, false, false, false);
        self.loans.clear();
        self.parts.clear();
        self.replies.iter_mut().for_each(|r| *r = None);
        self.missing = self.plan.locks.len();
        self.alone = self.plan.locks.len() == 1 && matches!(&self.plan.steps[..], [Step { how: How::One(_), .. }] | []);
        let alone = self.alone;
        for (shard, set) in &self.plan.locks {
            let work = self.early_work(*shard);
            let watched = self.plan.watched.get(shard).cloned().unwrap_or_default();
            out.push((*shard, Request::Schedule { txid, set: set.clone(), watched, work, alone }));
        }
    }

    fn early_work(&self, shard: usize) -> Work {
        let Some(step) = self.plan.steps.first() else { return Work::Wait };
        match &step.how {
            How::One(home) if self.alone && *home == shard => {
                Work::Run(self.batch(&step.calls))
            }
            How::Loan { lenders, .. } => match lenders.iter().find(|(lender, _)| *lender == shard) {
                Some((_, keys)) => Work::Lend(self.lending(step, keys)),
                None => Work::Wait,
            },
            _ => Work::Wait,
        }
    }

    fn batch(&self, calls: &[usize]) -> Calls {
        self.order_of(calls.iter().map(|i| self.calls[*i].clone()).collect())
    }

    fn order_of(&self, calls: Vec<OwnedCall>) -> Calls {
        Calls {
            calls,
            resp: self.order.resp,
            no_touch: self.order.no_touch,
            sees_expired: self.order.sees_expired,
            client: self.order.client_id,
            may_block: self.order.may_block,
            by: self.order.by,
            whole: self.plan.whole,
        }
    }

    /// What a shard is to lend for a step, and what of it the client will have read.
    fn lending(&self, step: &Step, keys: &[DbKey]) -> Lending {
        let by = self.order.by;
        let mut reads: Vec<Box<[u8]>> = Vec::new();
        let reading = step.calls.iter().map(|i| &self.calls[*i]).filter(|call| by.tracks && call.entry.is(flag::READONLY));
        for call in reading {
            let mut found = Vec::new();
            if call.entry.key_indexes(call.argv(), &mut found).is_ok() {
                let lent = |key: &&[u8]| keys.iter().any(|(_, lent)| **lent == **key);
                reads.extend(found.into_iter().map(|at| call.argv().get(at)).filter(lent).map(Box::from));
            }
        }
        Lending { keys: keys.to_vec(), reads, by }
    }

    fn take(&mut self, from: usize, answer: Answer) {
        match answer {
            Answer::Refused { .. } => self.refused = true,
            Answer::Granted { unchanged, replies, loans, .. } => {
                self.changed |= !unchanged;
                self.loans.extend(loans);
                self.early |= !replies.is_empty();
                if !replies.is_empty() {
                    self.store(0, replies);
                }
            }
            Answer::Lent { loans, .. } => self.loans.extend(loans),
            Answer::Reached { keys, .. } => self.reached = keys,
            Answer::Ran { replies, loans, block, put_back, .. } => {
                self.loans = loans;
                (self.block, self.put_back) = (block, put_back);
                let at = self.step.expect("calls run in steps");
                match &self.plan.steps[at].how {
                    How::Split { parts, .. } => {
                        let part = parts.iter().position(|(s, _)| *s == from).expect("a part was sent there");
                        self.parts[part] = replies.into_iter().next();
                    }
                    _ => self.store(at, replies),
                }
            }
        }
    }

    fn store(&mut self, step: usize, replies: Vec<Vec<u8>>) {
        assert_eq!(self.plan.steps[step].calls.len(), replies.len(), "one reply a call");
        for (i, reply) in self.plan.steps[step].calls.clone().into_iter().zip(replies) {
            self.replies[i] = Some(reply);
        }
    }

    /// All answers of a phase are in: goes on to the next; true when there is none.
    fn advance(&mut self, txid: TxId, shards: usize, out: &mut Outbox) -> bool {
        if self.changed {
            return true;
        }
        match self.step {
            None if self.early => return true,
            None => self.step = Some(0),
            Some(at) => {
                if !self.end_step(txid, at, shards, out) {
                    return false;
                }
                self.step = Some(at + 1);
            }
        }
        let at = self.step.expect("set above");
        if at == self.plan.steps.len() {
            return true;
        }
        self.begin_step(txid, at, out);
        false
    }

    fn begin_step(&mut self, txid: TxId, at: usize, out: &mut Outbox) {
        let step = &self.plan.steps[at];
        match &step.how {
            How::One(shard) => {
                out.push((*shard, Request::Run { txid, calls: self.batch(&step.calls), loans: Vec::new() }));
                self.missing = 1;
            }
            How::Loan { home, lenders } => {
                if at == 0 {
                    let loans = std::mem::take(&mut self.loans);
                    out.push((*home, Request::Run { txid, calls: self.batch(&step.calls), loans }));
                    self.missing = 1;
                    self.asked = 1;
                } else {
                    for (shard, keys) in lenders {
                        out.push((*shard, Request::Lend { txid, lending: self.lending(step, keys) }));
                    }
                    self.missing = lenders.len();
                    self.asked = 0;
                }
            }
            How::Reach { home, .. } => {
                out.push((*home, Request::Reach { txid, call: self.calls[step.calls[0]].clone() }));
                self.missing = 1;
                self.asked = 0;
            }
            How::Split { parts, .. } => {
                self.parts = vec![None; parts.len()];
                self.missing = parts.len();
                for (shard, call) in parts {
                    let calls = self.order_of(vec![call.clone()]);
                    out.push((*shard, Request::Run { txid, calls, loans: Vec::new() }));
                }
            }
            How::FirstFound { start } => {
                self.asked = 1;
                self.missing = 1;
                out.push((*start, Request::Run { txid, calls: self.batch(&step.calls), loans: Vec::new() }));
            }
        }
    }

    /// The answers of a step are in: true if it is over, false if it asked for more.
    fn end_step(&mut self, txid: TxId, at: usize, shards: usize, out: &mut Outbox) -> bool {
        match &self.plan.steps[at].how {
            How::One(_) => {
                // A script may have borrowed.
                give_back(std::mem::take(&mut self.loans), shards, self.order.by, out);
                true
            }
            How::Loan { home, .. } if self.asked == 0 => {
                let (home, loans) = (*home, std::mem::take(&mut self.loans));
                let calls = self.batch(&self.plan.steps[at].calls);
                out.push((home, Request::Run { txid, calls, loans }));
                self.missing = 1;
                self.asked = 1;
                false
            }
            How::Loan { .. } => {
                give_back(std::mem::take(&mut self.loans), shards, self.order.by, out);
                true
            }
            // First the keys are told, then they are lent, then the call runs.
            How::Reach { home, named } if self.asked == 0 => {
                let db = self.calls[self.plan.steps[at].calls[0]].db;
                let reached = std::mem::take(&mut self.reached).into_iter().map(|key| (key_owner(&key, shards), (db, key)));
                let lenders = lenders(*home, named.iter().cloned().chain(reached));
                self.missing = lenders.len();
                self.asked = 1;
                let step = &self.plan.steps[at];
                let lend = |keys: Vec<DbKey>| Request::Lend { txid, lending: self.lending(step, &keys) };
                out.extend(lenders.into_iter().map(|(shard, keys)| (shard, lend(keys))));
                self.missing == 0 && self.end_step(txid, at, shards, out)
            }
            How::Reach { home, .. } if self.asked == 1 => {
                let (home, loans) = (*home, std::mem::take(&mut self.loans));
                let calls = self.batch(&self.plan.steps[at].calls);
                out.push((home, Request::Run { txid, calls, loans }));
                (self.missing, self.asked) = (1, 2);
                false
            }
            How::Reach { .. } => {
                give_back(std::mem::take(&mut self.loans), shards, self.order.by, out);
                true
            }
            How::Split { merge: how, places, .. } => {
                let parts: Vec<Vec<u8>> = self.parts.drain(..).map(|p| p.expect("every part answered")).collect();
                let reply = merge(*how, &parts, places);
                self.store(at, vec![reply]);
                true
            }
            How::FirstFound { start } => {
                let call = self.plan.steps[at].calls[0];
                let found = self.replies[call].as_ref().is_some_and(|r| !is_null(r));
                if found || self.asked == shards {
                    return true;
                }
                let next = (start + self.asked) % shards;
                let calls = self.batch(&self.plan.steps[at].calls);
                out.push((next, Request::Run { txid, calls, loans: Vec::new() }));
                self.asked += 1;
                self.missing = 1;
                false
            }
        }
    }

    /// Sends borrowed keys home and lets go of every lock.
    fn let_go(&mut self, txid: TxId, shards: usize, out: &mut Outbox) {
        give_back(std::mem::take(&mut self.loans), shards, self.order.by, out);
        for shard in self.plan.locks.keys() {
            out.push((*shard, Request::Conclude { txid }));
        }
    }
}

/// Who lends which of these keys, each once.
fn lenders(home: usize, keys: impl Iterator<Item = (usize, DbKey)>) -> BTreeMap<usize, Vec<DbKey>> {
    let mut by_shard: BTreeMap<usize, BTreeSet<DbKey>> = BTreeMap::new();
    for (shard, key) in keys.filter(|(shard, _)| *shard != home) {
        by_shard.entry(shard).or_default().insert(key);
    }
    by_shard.into_iter().map(|(shard, keys)| (shard, keys.into_iter().collect())).collect()
}

fn give_back(loans: Vec<Loan>, shards: usize, by: By, out: &mut Outbox) {
    let by = By { hold: Hold::UnlessItWaits, ..by };
    let mut by_shard: HashMap<usize, Vec<Loan>> = HashMap::new();
    for loan in loans {
        by_shard.entry(key_owner(&loan.key, shards)).or_default().push(loan);
    }
    out.extend(by_shard.into_iter().map(|(shard, loans)| (shard, Request::TakeBack { loans, by })));
}

/// True for a call the server runs itself.
pub fn is_servers(call: &OwnedCall) -> bool {
    matches!(call.entry.target, Target::Server(_))
}
