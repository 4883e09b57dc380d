//! Streams: XADD, XREAD, XREADGROUP and their relatives.
//!
//! `access` finds a stream behind a key, `ids` reads ids, `entries` writes entries into replies, `add` and `delete` change
//! the log, `range` and `read` read it, `groups` makes and removes groups, `pending` and `claim` work on what was given
//! to consumers, `info` shows everything.
//!
//! What is done to groups reaches replicas as the result, never as the call: an XREADGROUP becomes XCLAIMs that say who
//! got what. Watchers of the key hear nothing of it, as in Valkey.

mod access;
mod add;
mod claim;
mod delete;
mod entries;
mod groups;
mod ids;
mod info;
mod pending;
mod propagation;
mod range;
mod read;
mod trimming;

use crate::command::ShardRun;

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [
        pending::XACK,
        add::XADD,
        claim::XAUTOCLAIM,
        claim::XCLAIM,
        delete::XDEL,
        groups::XGROUP,
        info::XINFO,
        range::XLEN,
        pending::XPENDING,
        range::XRANGE,
        read::XREAD,
        read::XREADGROUP,
        range::XREVRANGE,
        delete::XSETID,
        add::XTRIM,
    ]
}
