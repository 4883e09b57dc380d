//! Lua 5.1 as Valkey offers it: the language, its libraries, its sandbox and its error texts; nothing of shards or
//! clients.
//!
//! A core has one machine ([`stack::Stack`]), made when the first script comes. It is a state machine to its core: it
//! says what it wants (a call, a moment's rest, to be done) and is told what became of it. So this room looks at no
//! other; what a call of a script means is decided in `core`.
//!
//! | file | what |
//! |---|---|
//! | `stack.rs` | the stack a machine runs on, and the switch between it and the core |
//! | `exchange.rs` | what core and machine hand each other |
//! | `machine.rs` | the machine: jobs in, replies out |
//! | `sandbox.rs` | the globals: what is there, what may not be changed |
//! | `server_table.rs` | `redis.*` and `server.*` |
//! | `replies.rs` | RESP to Lua values and back |
//! | `error.rs` | errors that carry a Lua value |
//! | `cjson.rs`, `cmsgpack.rs`, `structs.rs`, `bits.rs` | the libraries |
//! | `random.rs` | `math.random` |
//! | `text.rs` | a script: its SHA, shebang and flags, and whether it can stray from its keys |
//! | `declared.rs` | what can be seen of a script's calls from its text |
//! | `cache.rs` | the scripts the server knows |
//! | `library.rs` | libraries of functions |
//!
//! Invariant: a script leaves nothing behind that another one could see, but for what its library keeps to itself.

pub mod bits;
pub mod cache;
pub mod cjson;
pub mod cmsgpack;
pub mod declared;
pub mod error;
pub mod exchange;
pub mod library;
pub mod machine;
pub mod random;
pub mod replies;
pub mod sandbox;
pub mod server_table;
pub mod stack;
pub mod structs;
pub mod text;

#[cfg(test)]
mod tests;
