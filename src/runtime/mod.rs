//! The only room that knows the kernel: sockets, files, threads, clocks.
//!
//! - [`io`]: the border, [`Io`] and [`Event`]; a core is generic over it
//! - [`uring`]: the border on io_uring, from [`ring`], [`buffers`], [`connections`], [`accept`] and [`file_ops`]
//! - [`doorbell`]: waking a core from another core or from any thread
//! - [`files`]: bulk files on threads of their own, by glommio
//! - [`listen`], [`address`]: listening sockets by Valkey's rules, both ends of a socket
//! - [`sim`]: the border without a kernel, from a seed
//! - [`threads`]: one pinned thread per core
//! - [`probe`]: why io_uring does not start, and what to do about it
//!
//! Nothing outside this room names io-uring or glommio.

pub mod accept;
pub mod address;
pub mod buffers;
pub mod connections;
pub mod doorbell;
pub mod file_ops;
pub mod files;
mod files_flow;
mod files_worker;
pub mod io;
pub mod listen;
pub mod options;
pub mod probe;
pub mod ring;
pub mod signals;
pub mod sim;
mod sim_io;
pub mod threads;
pub mod uring;

pub use doorbell::Doorbells;
pub use files::{BulkClient, BulkEvent, BulkFiles, BulkReader, BulkWriter, StreamId, WriteTarget};
pub use io::{Address, Addresses, Chunk, CloseReason, ConnId, Event, FileWrite, Io};
pub use options::Options;
pub use probe::StartError;
pub use sim::{Faults, Sim, SimPeer};
pub use sim_io::SimIo;
pub use uring::UringIo;
