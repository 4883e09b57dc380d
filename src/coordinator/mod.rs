//! Anything on more than one shard: transactions.
//!
//! A call whose keys lie on several shards, and every EXEC that reaches one, becomes a transaction, coordinated by the
//! core of its client. The coordinator is a state machine without I/O: it is told what shards answered and says what to
//! send. Life of a transaction:
//!
//! 1. *schedule*: every shard is asked for its locks under one id ([`shards::txn::locks`]). If one refuses (the id came
//!    late), all are let go once they have answered, and it begins again with a new id.
//! 2. *steps*: with all locks held, its calls run, step by step ([`plan::How`]): on one shard; on one shard to which the
//!    others lend their keys; on each shard over its own keys; on every shard.
//! 3. *conclude*: the locks are let go, the reply is put together.
//!
//! Locks are held until everything has run, so transactions are strictly serializable; ids order those who wait, so they
//! never wait in a circle.
//!
//! | file | what |
//! |---|---|
//! | `plan.rs` | from calls to locks and steps |
//! | `messages.rs` | what coordinators and shards say to each other |
//! | `transaction.rs` | the state machine |
//! | `merge.rs` | replies of several shards into one |

pub mod merge;
pub mod messages;
pub mod plan;
pub mod transaction;
