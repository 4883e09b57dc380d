//! Ringkey, the server.
