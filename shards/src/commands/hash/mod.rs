//! Hashes: HSET, HGET and their relatives, and the expiry of single fields.
//!
//! `value` finds and changes the hash at a key, `options` reads the words and the list of fields that the younger
//! commands share; the rest are the commands.
//!
//! A field whose time is over is not there for anybody who reads, but counts in HLEN until it is removed. What a call
//! does is propagated so that one who still sees such fields (a replica waits for its primary's word) comes to the same
//! result: where the outcome depends on them, only the fields that really changed are named.

mod counters;
mod delete;
mod expire;
mod get;
mod getex;
mod list;
mod options;
mod random;
mod scan;
mod set;
mod setex;
#[cfg(test)]
mod tests;
mod ttl;
pub(crate) mod value;

use crate::command::ShardRun;

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [
        delete::HDEL,
        get::HEXISTS,
        expire::HEXPIRE,
        expire::HEXPIREAT,
        ttl::HEXPIRETIME,
        get::HGET,
        list::HGETALL,
        delete::HGETDEL,
        getex::HGETEX,
        counters::HINCRBY,
        counters::HINCRBYFLOAT,
        list::HKEYS,
        get::HLEN,
        get::HMGET,
        set::HMSET,
        expire::HPERSIST,
        expire::HPEXPIRE,
        expire::HPEXPIREAT,
        ttl::HPEXPIRETIME,
        ttl::HPTTL,
        random::HRANDFIELD,
        scan::HSCAN,
        set::HSET,
        setex::HSETEX,
        set::HSETNX,
        get::HSTRLEN,
        ttl::HTTL,
        list::HVALS,
    ]
}
