//! Strings: GET, SET and their relatives.

mod get;

use crate::command::ShardRun;

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [get::GET]
}
