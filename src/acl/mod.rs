//! Access control: users, what they may do, and who was denied what.
//!
//! ```text
//! rule --> Selector, User --> Users (never changes) --> each core, each client
//!                                |                          |
//!                          ACL LIST, file            check(user, call)
//! ```
//!
//! | file | what |
//! |---|---|
//! | `commands.rs` | a set of commands, and the rules that made it |
//! | `selector.rs` | commands with keys, channels and databases |
//! | `user.rs` | logging in, and selectors |
//! | `users.rs` | all users at one moment; ACL files |
//! | `check.rs` | whether a user may make a call |
//! | `log.rs` | ACL LOG |
//! | `error.rs` | what can be wrong with a rule |
//! | `sha256.rs` | the hash of passwords |
//!
//! A client holds its user ([`Session::user`](crate::connection::session::Session)); on the hot path it asks one thing, whether the user is *unlimited*, as the
//! default user is unless somebody says otherwise. A change of users is a new [`Users`]; every core takes it up, and gives
//! its clients their users' new selves, before the command that made it answers.
//!
//! Rules are read in Valkey's language and written in it, byte for byte. They name commands by their own names whatever
//! `rename-command` calls them.

pub mod check;
pub mod commands;
pub mod error;
pub mod log;
pub mod selector;
pub mod sha256;
pub mod user;
pub mod users;

pub use check::{Call, Denial, Reason, check};
pub use log::{AclLog, Context, LogEntry};
pub use user::User;
pub use users::Users;
