//! The load: threads that send requests and measure the answers.
//!
//! - `schedule`: when a request is due, in a closed and in an open loop. No clock, no sockets.
//! - `tally`: latencies, errors and bytes, per command.
//! - `client`: one connection: requests out, replies in, and which reply answers which request.
//! - `worker`: one thread: an epoll loop over its connections.
//! - `run`: starts the threads, shows progress, adds up the tallies.

pub mod client;
pub mod run;
pub mod schedule;
pub mod tally;
pub mod worker;
