//! Commands for keys whatever they hold: deleting, expiring, renaming, listing, looking inside.

mod delete;
mod dump;
mod expire;
mod memory;
mod object;
mod rename;
pub mod scan;
mod sort;
#[cfg(test)]
mod tests;
mod ttl;

pub(crate) use dump::{taken_value, thresholds};
pub use object::encoding_of;

use crate::command::ShardRun;

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [
        delete::DEL,
        delete::UNLINK,
        delete::EXISTS,
        delete::TOUCH,
        delete::TYPE,
        expire::EXPIRE,
        expire::PEXPIRE,
        expire::EXPIREAT,
        expire::PEXPIREAT,
        ttl::TTL,
        ttl::PTTL,
        ttl::EXPIRETIME,
        ttl::PEXPIRETIME,
        ttl::PERSIST,
        rename::RENAME,
        rename::RENAMENX,
        rename::COPY,
        rename::MOVE,
        scan::KEYS,
        scan::SCAN,
        scan::RANDOMKEY,
        sort::SORT,
        sort::SORT_RO,
        object::OBJECT,
        dump::DUMP,
        dump::RESTORE,
        memory::MEMORY,
    ]
}
