//! Sorted sets: ZADD and its relatives.
//!
//! `value` reads a sorted set and knows its events, `bounds` reads the ends of ranges, `source` reads what the commands
//! that combine sets take as input. The rest are the commands: `add`, `remove`, `read` about single members and counts,
//! `range` every form of ZRANGE with `range_rows` their rows, `pop`, `blocking`, `random`, `scan`, and `combine` with
//! `combine_rows` for unions, intersections and differences.

pub(crate) mod add;
mod blocking;
mod bounds;
mod combine;
mod combine_rows;
mod pop;
mod random;
mod range;
mod range_rows;
mod read;
mod remove;
mod scan;
mod source;
pub(crate) mod value;

use crate::command::ShardRun;

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [
        blocking::BZMPOP,
        blocking::BZPOPMAX,
        blocking::BZPOPMIN,
        add::ZADD,
        read::ZCARD,
        read::ZCOUNT,
        combine_rows::ZDIFF,
        combine_rows::ZDIFFSTORE,
        add::ZINCRBY,
        combine_rows::ZINTER,
        combine_rows::ZINTERCARD,
        combine_rows::ZINTERSTORE,
        read::ZLEXCOUNT,
        pop::ZMPOP,
        read::ZMSCORE,
        pop::ZPOPMAX,
        pop::ZPOPMIN,
        random::ZRANDMEMBER,
        range_rows::ZRANGE,
        range_rows::ZRANGEBYLEX,
        range_rows::ZRANGEBYSCORE,
        range_rows::ZRANGESTORE,
        read::ZRANK,
        remove::ZREM,
        remove::ZREMRANGEBYLEX,
        remove::ZREMRANGEBYRANK,
        remove::ZREMRANGEBYSCORE,
        range_rows::ZREVRANGE,
        range_rows::ZREVRANGEBYLEX,
        range_rows::ZREVRANGEBYSCORE,
        read::ZREVRANK,
        scan::ZSCAN,
        read::ZSCORE,
        combine_rows::ZUNION,
        combine_rows::ZUNIONSTORE,
    ]
}
