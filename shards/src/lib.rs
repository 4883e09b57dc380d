//! The engine.

pub mod args;
pub mod reply;
pub mod stdx;
