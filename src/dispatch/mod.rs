//! From a request to what runs it: the table of all commands, the gates a call must pass, the way to its shard.
//!
//! | file | what |
//! |---|---|
//! | `table.rs` | every command and subcommand under its name |
//! | `channels.rs` | which channels a call names
//! | `call.rs` | a call that must wait or travel |
//! | `gates.rs` | the ordered list of admission checks |
//! | `secrets.rs` | arguments that must not be shown |
//! | `keys.rs` | which arguments are keys, and what happens to them |
//! | `route.rs` | which shards a call's keys are on |

pub mod call;
pub mod channels;
pub mod gates;
pub mod keys;
pub mod route;
pub mod secrets;
pub mod table;
