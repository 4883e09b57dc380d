//! What could have been in the standard library.

pub mod crc16;
pub mod number;
pub mod prng;
