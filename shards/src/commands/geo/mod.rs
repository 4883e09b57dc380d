//! Places: GEOADD and its relatives.
//!
//! There is no type of its own: a place is the score of a member of a sorted set ([`crate::types::geo`]), so GEOADD is a
//! ZADD whose scores are worked out, and everything that sorted sets can do works on places too.
//!
//! `words` reads coordinates and units, `add` and `read` are about single members. The six commands that search are one:
//! `query` reads what they ask for, `search` answers or stores it, `search_rows` are their rows.

mod add;
mod query;
mod read;
mod search;
mod search_rows;
mod words;

use crate::command::ShardRun;

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [
        add::GEOADD,
        read::GEODIST,
        read::GEOHASH,
        read::GEOPOS,
        search_rows::GEORADIUS,
        search_rows::GEORADIUSBYMEMBER,
        search_rows::GEORADIUSBYMEMBER_RO,
        search_rows::GEORADIUS_RO,
        search_rows::GEOSEARCH,
        search_rows::GEOSEARCHSTORE,
    ]
}
