//! The bytes of values: what DUMP and RESTORE carry and what an RDB file holds for each key. No files here, no keys.
//!
//! A value is a type byte ([`kind`]) and a body. [`kind_of`] and [`write`] turn a value into Valkey's bytes, [`read`]
//! turns bytes into a value, whoever made them: Valkey and Redis of any version back to 2.x. [`payload`] seals a value
//! with the version and the checksum that DUMP puts behind it; a file has other trailers and calls `write` and `read`
//! alone.
//!
//! | file | what |
//! |---|---|
//! | `writer`, `reader` | numbers, lengths, strings |
//! | `encode`, `decode` | values |
//! | `streams` | streams, both ways |
//! | `old` | ziplists and zipmaps, which nobody writes any more |
//! | `payload` | DUMP's frame |
//!
//! Whoever reads trusts nothing: every length is held against the bytes that are there before memory is taken, every
//! listpack, ziplist and intset is walked whole, members and fields must not come twice, scores are numbers, ids grow,
//! counts agree. Where that fails the answer is [`Failure`], and nothing was stored. What was read is built by the same
//! functions that commands use, so no value can be in a state that no command could have made.
//!
//! Invariant: `read` of what `write` wrote gives an equal value, and writing that gives the same bytes, but for the order
//! of what has none.

mod decode;
mod encode;
pub mod kind;
mod old;
pub mod payload;
mod reader;
mod streams;
#[cfg(test)]
mod tests;
mod writer;

pub use decode::{Content, Thresholds, read};
pub use encode::{kind_of, write};
pub use reader::{Failure, Reader};
pub use writer::Writer;
