//! The calls of a transaction on this shard, back to back; scripts among them may be suspended, and the batch with them.

use super::run::Driven;
use super::{Mode, Then};
use crate::coordinator::messages::{Answer, Calls};
use crate::core::Center;
use crate::core::call::How;
use shards::exec::Block;
use shards::keyspace::guests::Loan;
use shards::reply::Reply;
use shards::shard::Outcome;
use shards::txn::locks::TxId;

/// How a batch came, and so how it is answered.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// With the grant.
    Granted {
        /// The coordinator.
        core: usize,
        /// The transaction.
        txid: TxId,
        /// It lets go by itself afterwards.
        alone: bool,
    },
    /// As a step of its own.
    Ran {
        /// The coordinator.
        core: usize,
        /// The transaction.
        txid: TxId,
    },
}

/// Calls under way.
pub struct Batch {
    origin: Origin,
    calls: Calls,
    at: usize,
    replies: Vec<Vec<u8>>,
    /// Keys of other shards, until it begins.
    loans: Vec<Loan>,
    block: Option<Box<Block>>,
    /// It has not been suspended: whoever began it sees its end.
    at_once: bool,
}

impl Batch {
    /// A batch that has yet to begin.
    pub fn new(origin: Origin, calls: Calls, loans: Vec<Loan>) -> Box<Batch> {
        Box::new(Batch { origin, calls, at: 0, replies: Vec::new(), loans, block: None, at_once: true })
    }

    /// The script it was suspended with has its reply.
    pub(super) fn take_reply(&mut self, reply: Vec<u8>) {
        self.replies.push(reply);
        self.at += 1;
    }
}

impl Center {
    /// Goes on with a batch; true if it has ended. One that ends at once is not concluded: its caller does that.
    pub fn run_batch(&mut self, mut batch: Box<Batch>) -> bool {
        let has_scripts = batch.calls.calls[batch.at..].iter().any(|call| call.script.is_some());
        if has_scripts && self.scripts.is_busy() {
            batch.at_once = false;
            self.scripts.queue.push_back(batch);
            return false;
        }
        if !batch.loans.is_empty() {
            self.shard.welcome(std::mem::take(&mut batch.loans));
        }
        while batch.at < batch.calls.calls.len() {
            let calls = &batch.calls;
            let call = &calls.calls[batch.at];
            let Calls { resp, no_touch, sees_expired, may_block, by, .. } = *calls;
            let how = How { db: call.db, resp, no_touch, sees_expired, may_block, by };
            let mut out = Vec::new();
            if let Some(script) = &call.script {
                if let Err(error) = &script.code {
                    Reply::new(&mut out, how.resp).error(error.text());
                    self.count(call.entry, 0, true, &out);
                } else {
                    let mode = if calls.whole { Mode::All } else { Mode::Lent };
                    match self.start_script(call.clone(), how, mode, Then::Caller) {
                        Driven::Done(mut run) => out = self.settle_script(&mut run),
                        Driven::Suspended => {
                            let run = self.scripts.running.as_mut().expect("it was suspended");
                            batch.at_once = false;
                            run.then = Then::Batch(batch);
                            return false;
                        }
                        Driven::Strayed(_) => unreachable!("a script of a transaction does not stray"),
                    }
                }
            } else if self.call(call.entry, call.argv(), how, &mut out) == Outcome::Blocked {
                batch.block = self.shard.take_block();
            }
            let client = batch.calls.client;
            if !self.shard.keyspace.has_guests() {
                self.commit();
            }
            batch.take_reply(out);
            if let Some(slow) = self.slow.take() {
                self.log_slow_of(client, slow);
            }
        }
        self.end_batch(*batch);
        true
    }

    fn end_batch(&mut self, batch: Batch) {
        let loans = self.shard.farewell();
        self.commit();
        let put_back = self.shard.take_put_back();
        let Batch { origin, replies, block, at_once, .. } = batch;
        match origin {
            Origin::Granted { core, txid, alone } => {
                self.answer(core, Answer::Granted { txid, unchanged: true, replies, loans });
                self.release_shard();
                if alone && !at_once {
                    self.conclude(txid);
                }
            }
            Origin::Ran { core, txid } => {
                self.answer(core, Answer::Ran { txid, replies, loans, block, put_back });
                self.release_shard();
            }
        }
    }
}
