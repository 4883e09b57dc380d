//! Ringkey, the server: everything that touches a socket, a file, a clock or a thread.
//!
//! The map of the house. A client's bytes come in through `runtime`, become requests in `protocol`, find their command
//! and their shard in `dispatch`, run in `core::call` on the engine (crate `shards`), and go out through
//! `connection::replies`. What spans several shards goes through `coordinator`; what cores say to each other, through
//! `mesh`.
//!
//! | room | what |
//! |---|---|
//! | [`core`] | one per CPU: the loop, where all rooms meet |
//! | [`runtime`] | sockets, files, threads: the only room that knows the kernel |
//! | [`mesh`] | messages between cores |
//! | [`protocol`] | bytes to requests |
//! | [`connection`] | one client, without I/O |
//! | [`dispatch`] | the table of commands, the gates, the routes |
//! | [`coordinator`] | transactions over several shards |
//! | [`pubsub`] | who listens to which channel |
//! | [`commands`] | commands that need the server |
//! | [`acl`] | users and what they may do |
//! | [`script`] | Lua |
//! | [`config`] | every directive |
//! | [`log`] | log lines and crash reports |
//! | [`stats`] | what the server knows of itself |
//! | [`tracking`] | client-side caching: who read what |
//! | [`process`] | background, pid file, supervisor, limits |
//! | [`identity`] | names and versions we give |
//! | [`alloc`] | the allocator, counted |
//! | [`start`] | from the command line to running cores |
//!
//! Rooms never look sideways at each other; they meet in `core`.

pub mod acl;
pub mod alloc;
pub mod commands;
pub mod config;
pub mod connection;
pub mod coordinator;
pub mod core;
pub mod dispatch;
pub mod identity;
pub mod log;
pub mod mesh;
pub mod process;
pub mod protocol;
pub mod pubsub;
pub mod runtime;
pub mod script;
pub mod start;
pub mod stats;
pub mod tracking;
