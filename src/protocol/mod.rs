//! Bytes to requests: RESP arrays of bulk strings and inline lines, as Valkey 9.1 reads them.
//!
//! | file | what |
//! |---|---|
//! | `parser.rs` | [`Parser`]: one per connection, incremental; hands out spans, copies nothing |
//! | `inline.rs` | lines typed by hand: words, quotes, escapes |
//! | `error.rs` | [`ProtocolError`]: what cannot be read, in Valkey's words |
//!
//! RESP2 and RESP3 differ only in replies, which the engine writes (`shards::reply`); requests look the same in both.

mod error;
mod inline;
mod parser;

pub use error::ProtocolError;
pub use inline::split_line;
pub use parser::{Limits, Parser, Step, is_cross_protocol};

#[cfg(test)]
mod tests;
