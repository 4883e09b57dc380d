//! A shard's side of transactions that span shards: the locks and their queue.
//!
//! The coordinator (in the server) takes a transaction id from one counter, schedules on each shard, runs its hops and
//! concludes, in the manner of VLL (Ren, Thomson, Abadi 2012). What a shard must know of it is in `locks`.

pub mod locks;
