//! Commands for whole databases: counting, emptying, swapping, and the engine's part of DEBUG.

mod debug;
pub mod digest;
mod flush;
mod swap;

use crate::command::ShardRun;

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [flush::DBSIZE, flush::FLUSHDB, flush::FLUSHALL, swap::SWAPDB]
}

crate::rows! {
    /// DEBUG's subcommands that the engine runs; the server's DEBUG hands them on. Each sees the whole call, so the
    /// subcommand's name is argument 1.
    pub DEBUG: ShardRun = [
        debug::OBJECT,
        debug::POPULATE,
        debug::LISTPACK,
        debug::RELOAD,
        digest::DIGEST,
        digest::DIGEST_VALUE,
    ]
}
