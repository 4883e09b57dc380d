//! Transcripts: what a client says and what it must hear, as text files beside the commands (`set.transcript`).
//!
//! One file, many runners: a bare shard ([`run`]), a server of any number of shards, a real Valkey or Redis. So a case
//! written once says at the same time what Ringkey does and that Valkey does the same.
//!
//! ```text
//! # NX does not touch a key that is there      a case; every case starts with an empty keyspace
//! ! since 9.0                                   only for servers of at least this Valkey version
//! ! server                                      needs a server: the bare shard skips the case
//! ! one-shard                                   skipped where the keyspace is divided (SCAN's cursors)
//! > SET a "1 2\x00"                             a call, quoted as in redis-cli
//! +OK                                           its reply, every CRLF a line end; none written: to be recorded
//! ! resp 3                                      from here on RESP3 (or 2)
//! ! advance 1500                                the clock moves on, milliseconds; only the bare shard can do that
//! ! unordered                                   the elements of the next reply may come in any order
//! ! any                                         the next reply is not compared and not written
//! ! propagates SET a 1 PXAT 1700000001000       the next call is replayed as this (or `nothing`); bare shard only
//! ! notifies set:a expire:a                     the next call's keyspace events (or `nothing`); bare shard only
//! ```
//!
//! In replies a backslash starts an escape: `\\` or `\xHH`. A bulk's length says where it ends, so empty lines inside
//! are meant; between calls empty lines mean nothing. Several replies to one call follow one another.
//!
//! Rooms: `parse` text to cases, `resp` where a reply ends, `run` the bare shard.

mod parse;
pub mod resp;
mod run;

pub use parse::{Call, Case, Expect, Step, parse, show, split_args};
pub use run::{Bare, START_MS};
