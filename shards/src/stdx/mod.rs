//! What could have been in the standard library.

pub mod crc16;
pub mod crc64;
pub mod glob;
pub mod grisu;
pub mod long_double;
pub mod lzf;
pub mod number;
pub mod prefetch;
pub mod prng;
pub mod sha1;
