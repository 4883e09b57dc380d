//! Lists: LPUSH, LPOP, LRANGE and their relatives.
//!
//! `value` finds the list at a key and does what the commands share; the rest are the commands. A list that loses its
//! last element goes with its key.

mod blocking;
mod edit;
mod moves;
mod pop;
mod push;
mod read;
mod search;
mod value;

use crate::command::ShardRun;

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [
        blocking::BLMOVE,
        blocking::BLMPOP,
        blocking::BLPOP,
        blocking::BRPOP,
        blocking::BRPOPLPUSH,
        read::LINDEX,
        edit::LINSERT,
        read::LLEN,
        moves::LMOVE,
        pop::LMPOP,
        pop::LPOP,
        search::LPOS,
        push::LPUSH,
        push::LPUSHX,
        read::LRANGE,
        edit::LREM,
        edit::LSET,
        edit::LTRIM,
        pop::RPOP,
        moves::RPOPLPUSH,
        push::RPUSH,
        push::RPUSHX,
    ]
}
