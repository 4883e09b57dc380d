//! CLIENT: what clients say of themselves, and what may be done to others.
//!
//! Clients live on the cores that serve them, so whatever is about more than the caller itself asks all cores.
//!
//! | file | what |
//! |---|---|
//! | `identity.rs` | ID, GETNAME, SETNAME, SETINFO, REPLY, NO-EVICT, NO-TOUCH, IMPORT-SOURCE, CAPA, HELP |
//! | `list.rs` | INFO, LIST |
//! | `kill.rs` | KILL, UNBLOCK |
//! | `pause.rs` | PAUSE, UNPAUSE |
//! | `tracking.rs` | TRACKING, CACHING, GETREDIR, TRACKINGINFO |
//! | `filter.rs` | which clients LIST and KILL mean |
//! | `grammar.rs` | the filters as COMMAND DOCS shows them |

pub mod filter;
mod grammar;
pub mod identity;
mod kill;
pub mod list;
mod pause;
mod tracking;

use super::{ServerCommand, ServerRun};
use shards::command::{Group, category, flag};
use shards::commands::container;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [CLIENT]
}

/// CLIENT subcommand
pub const CLIENT: ServerCommand = ServerCommand {
    arity: -2,
    group: Group::Connection,
    since: "2.4.0",
    summary: "Looks at connections and changes them.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        tracking::CACHING,
        identity::CAPA,
        identity::GETNAME,
        tracking::GETREDIR,
        identity::HELP,
        identity::ID,
        identity::IMPORT_SOURCE,
        list::INFO,
        kill::KILL,
        list::LIST,
        identity::NO_EVICT,
        identity::NO_TOUCH,
        pause::PAUSE,
        identity::REPLY,
        identity::SETINFO,
        identity::SETNAME,
        tracking::TRACKING,
        tracking::TRACKINGINFO,
        kill::UNBLOCK,
        pause::UNPAUSE,
    ],
    ..ServerCommand::new("client", |x| Err(container::unknown_subcommand(x.argv)))
};

/// Most subcommands may always be used.
const FLAGS: u32 = flag::NOSCRIPT | flag::LOADING | flag::STALE;

const fn client_row(name: &'static str, arity: i16, run: ServerRun) -> ServerCommand {
    ServerCommand {
        arity,
        group: Group::Connection,
        complexity: "O(1)",
        flags: FLAGS,
        acl: category::CONNECTION,
        ..ServerCommand::new(name, run)
    }
}
