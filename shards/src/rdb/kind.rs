//! The type bytes, each with the version that brought it.

/// A string.
pub const STRING: u8 = 0;
/// A list, element by element.
pub const LIST: u8 = 1;
/// A set, member by member.
pub const SET: u8 = 2;
/// A sorted set with scores as text (until 3.2).
pub const ZSET: u8 = 3;
/// A hash, field by field.
pub const HASH: u8 = 4;
/// A sorted set with scores as doubles.
pub const ZSET_2: u8 = 5;
/// A hash as a zipmap (until 2.4).
pub const HASH_ZIPMAP: u8 = 9;
/// A list as a ziplist (until 3.0).
pub const LIST_ZIPLIST: u8 = 10;
/// A set of integers as an intset.
pub const SET_INTSET: u8 = 11;
/// A sorted set as a ziplist (until 6.2).
pub const ZSET_ZIPLIST: u8 = 12;
/// A hash as a ziplist (until 6.2).
pub const HASH_ZIPLIST: u8 = 13;
/// A list of ziplists (until 6.2).
pub const LIST_QUICKLIST: u8 = 14;
/// A stream (5.0, 6.x).
pub const STREAM: u8 = 15;
/// A hash as a listpack (7.0).
pub const HASH_LISTPACK: u8 = 16;
/// A sorted set as a listpack (7.0).
pub const ZSET_LISTPACK: u8 = 17;
/// A list of listpacks and large elements (7.0).
pub const LIST_QUICKLIST_2: u8 = 18;
/// A stream that knows its first id, what was deleted and how many were added (7.0).
pub const STREAM_2: u8 = 19;
/// A set as a listpack (7.2).
pub const SET_LISTPACK: u8 = 20;
/// A stream whose consumers know when they were active (7.2).
pub const STREAM_3: u8 = 21;
/// A hash whose fields may expire (Valkey 9.0).
pub const HASH_2: u8 = 22;
/// The same of Redis 7.4 and later: times relative to the earliest.
pub const REDIS_HASH: u8 = 24;
/// The same of Redis 7.4 and later, as a listpack of field, value and time.
pub const REDIS_HASH_LISTPACK: u8 = 25;

/// Types from here on mean something else in payloads of other makers' versions.
pub const FOREIGN_MIN: u8 = 22;
/// Types of Valkey end before this one.
pub const END: u8 = 23;

/// True for the type of a value of Valkey, known here or not (those of modules): Valkey refuses all others outright.
pub fn is_value(kind: u8) -> bool {
    kind != 8 && kind < END
}
