//! Bytes to requests.
