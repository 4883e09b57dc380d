//! What can be configured, where it comes from and who is told.
//!
//! A directive is one row in one file of `rooms/`: name, typed field, default, bounds, what it does. From the rows
//! come the loader (`load`, `command_line`), CONFIG GET and SET (`store`), CONFIG REWRITE (`rewrite`) and the
//! documented file (`document`). The names, the units and the words of every error are Valkey's, so that its files
//! and command lines and those of Redis work as they are.
//!
//! ```text
//! file, stdin, --options --> load --> Config --> Store (one owner) --> Feed --> Reader (each core)
//!                                                  ^ get, propose + commit, rewrite
//! ```
//!
//! The server reads plain fields: `config.memory.maxmemory`. A `Config` never changes once it is handed out; a change
//! is a new one with a higher epoch. All is text in, result out, but for `disk`, the one file that touches the world.
//!
//! A directive that means nothing here is accepted, shown by CONFIG GET, and explained once in the log when somebody
//! gives it another value than its default (`notices`).

pub mod checks;
pub mod choices;
pub mod command_line;
pub mod current;
pub mod disk;
pub mod document;
pub mod feed;
#[cfg(test)]
mod fake;
pub mod load;
mod numbers;
mod obsolete;
pub mod rewrite;
pub mod rooms;
pub mod row;
pub mod specials;
pub mod store;
pub mod table;
pub mod values;
pub mod words;

pub use current::Config;
pub use feed::Reader;
pub use load::{Loaded, Request, load};
pub use store::{Asker, ChangedDirective, Proposal, Store};
