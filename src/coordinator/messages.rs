//! What coordinators and shards say to each other about transactions.

use crate::connection::session::Watched;
use crate::dispatch::call::OwnedCall;
use crate::tracking::By;
use crate::dispatch::table::Entry;
use shards::exec::{Block, PutBack};
use shards::keyspace::guests::Loan;
use shards::reply::Resp;
use shards::txn::locks::{LockSet, TxId};

/// A key of a database.
pub type DbKey = (u32, Box<[u8]>);

/// Calls that run back to back on one shard.
#[derive(Debug, Clone)]
pub struct Calls {
    /// The calls.
    pub calls: Vec<OwnedCall>,
    /// Protocol of their replies.
    pub resp: Resp,
    /// The client's CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// CLIENT IMPORT-SOURCE: it finds keys whose time is over, while `import-mode` keeps them.
    pub sees_expired: bool,
    /// The client's id, for the logs of slow commands.
    pub client: u64,
    /// The one call may wait for its keys (it is no EXEC).
    pub may_block: bool,
    /// On whose account they run.
    pub by: By,
    /// The transaction holds every shard: scripts may call any key.
    pub whole: bool,
}

/// Keys that a shard is to lend.
#[derive(Debug, Clone)]
pub struct Lending {
    /// Which.
    pub keys: Vec<DbKey>,
    /// Those of them that a client which tracks is about to read.
    pub reads: Vec<Box<[u8]>>,
    /// That client.
    pub by: By,
}

/// What a shard does the moment it grants.
#[derive(Debug)]
pub enum Work {
    /// Nothing: others must grant first.
    Wait,
    /// Runs these; only reads, or the transaction has this shard alone.
    Run(Calls),
    /// Lends these keys.
    Lend(Lending),
}

/// From a coordinator to a shard.
#[derive(Debug)]
pub enum Request {
    /// Asks for locks.
    Schedule {
        /// The transaction.
        txid: TxId,
        /// What it locks here.
        set: LockSet,
        /// Watched keys to compare once it is granted.
        watched: Vec<Watched>,
        /// What to do then, unless a watched key changed.
        work: Work,
        /// This is the only shard: let go at once afterwards.
        alone: bool,
    },
    /// Runs calls under locks held, with keys of other shards.
    Run {
        /// The transaction.
        txid: TxId,
        /// The calls.
        calls: Calls,
        /// Keys lent by others, to be sent back with the replies.
        loans: Vec<Loan>,
    },
    /// Asks what keys a call reads beside those it names.
    Reach {
        /// The transaction.
        txid: TxId,
        /// The call.
        call: OwnedCall,
    },
    /// Lends keys.
    Lend {
        /// The transaction.
        txid: TxId,
        /// Which.
        lending: Lending,
    },
    /// Leaves a waiter on keys of this shard, for a call over several shards that found nothing.
    Await {
        /// The call's number at its coordinator.
        wait: u64,
        /// Its command: what kind of value it waits for.
        entry: &'static Entry,
        /// The keys.
        keys: Vec<DbKey>,
    },
    /// An offer was taken, or passed by.
    EndOffer {
        /// The call's number.
        wait: u64,
        /// The call has its answer: it waits no more.
        served: bool,
    },
    /// Keys come home.
    TakeBack {
        /// The keys.
        loans: Vec<Loan>,
        /// On whose account they were borrowed.
        by: By,
    },
    /// Lets go of the locks.
    Conclude {
        /// The transaction.
        txid: TxId,
    },
}

/// From a shard to a coordinator.
#[derive(Debug)]
pub enum Answer {
    /// The id came late.
    Refused {
        /// The transaction.
        txid: TxId,
    },
    /// The locks are held.
    Granted {
        /// The transaction.
        txid: TxId,
        /// No watched key changed (and so the work was done).
        unchanged: bool,
        /// Replies of `Work::Run`, one a call.
        replies: Vec<Vec<u8>>,
        /// Keys of `Work::Lend`.
        loans: Vec<Loan>,
    },
    /// Calls have run.
    Ran {
        /// The transaction.
        txid: TxId,
        /// Replies, one a call.
        replies: Vec<Vec<u8>>,
        /// The keys of others, as they are now.
        loans: Vec<Loan>,
        /// The one call waits for its keys instead of answering.
        block: Option<Box<Block>>,
        /// What puts back what the one call took.
        put_back: Option<Box<PutBack>>,
    },
    /// The keys a call reads beside those it names.
    Reached {
        /// The transaction.
        txid: TxId,
        /// The keys.
        keys: Vec<Box<[u8]>>,
    },
    /// Keys were lent.
    Lent {
        /// The transaction.
        txid: TxId,
        /// The keys.
        loans: Vec<Loan>,
    },
}

impl Answer {
    /// The transaction it is about.
    pub fn txid(&self) -> TxId {
        match self {
            Answer::Refused { txid }
            | Answer::Granted { txid, .. }
            | Answer::Ran { txid, .. }
            | Answer::Reached { txid, .. }
            | Answer::Lent { txid, .. } => *txid,
        }
    }
}
