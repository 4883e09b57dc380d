//! Ringkey, the server.

pub mod mesh;
pub mod protocol;

pub mod config;
pub mod log;
pub mod runtime;
