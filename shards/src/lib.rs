//! The engine.

pub mod args;
