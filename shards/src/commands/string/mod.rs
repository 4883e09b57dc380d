//! Strings: GET, SET and their relatives.
//!
//! `value` reads a string whatever its encoding, `options` the words that SET, GETEX and MSETEX share; the rest are the
//! commands.

mod counters;
pub(crate) mod float;
mod get;
mod getex;
mod lcs;
mod multi;
mod options;
mod range;
mod set;
pub(crate) mod value;

use crate::command::ShardRun;

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [
        range::APPEND,
        counters::DECR,
        counters::DECRBY,
        set::DELIFEQ,
        get::GET,
        getex::GETDEL,
        getex::GETEX,
        range::GETRANGE,
        getex::GETSET,
        counters::INCR,
        counters::INCRBY,
        float::INCRBYFLOAT,
        lcs::LCS,
        multi::MGET,
        multi::MSET,
        multi::MSETEX,
        multi::MSETNX,
        set::PSETEX,
        set::SET,
        set::SETEX,
        set::SETNX,
        range::SETRANGE,
        get::STRLEN,
        range::SUBSTR,
    ]
}
