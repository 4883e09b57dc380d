//! Who the server says it is: to clients that look for a Valkey or a Redis before they use a feature, and to people.

/// The Valkey version whose behaviour this is (INFO `valkey_version`, HELLO `version`).
pub const VALKEY_VERSION: &str = "9.1.2";

/// The Redis version Valkey forked from, which old clients ask for (INFO `redis_version`).
pub const REDIS_VERSION: &str = "7.2.4";

/// Our own version.
pub const RINGKEY_VERSION: &str = env!("CARGO_PKG_VERSION");
