//! What could have been in the standard library.

pub mod number;
