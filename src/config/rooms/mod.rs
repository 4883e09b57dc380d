//! The directives, room by room: one file for each heading of the documented configuration file.

pub mod aof;
pub mod clients;
pub mod cluster;
pub mod defrag;
pub mod general;
pub mod lazyfree;
pub mod logging;
pub mod memory;
pub mod network;
pub mod process;
pub mod rdma;
pub mod replication;
pub mod ringkey;
pub mod security;
pub mod snapshot;
pub mod tls;
pub mod types;
pub mod watch;
