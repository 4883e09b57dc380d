//! Up to where small collections are kept in their compact form.

use crate::config::row::rows;
use crate::config::values::{I32_MAX, I32_MIN, I64_MAX};

rows! { types: Types, "DATA STRUCTURES", "Up to where small collections are kept in their compact form.";
    "hash-max-listpack-entries" => hash_max_listpack_entries: u64 = 512,
        "Fields in a compact hash.",
        range(0, I64_MAX), alias("hash-max-ziplist-entries");
    "hash-max-listpack-value" => hash_max_listpack_value: u64 = 64,
        "Bytes of the longest field or value in it.",
        range(0, I64_MAX), memory, alias("hash-max-ziplist-value");
    "list-max-listpack-size" => list_max_listpack_size: i64 = -2,
        "Size of a list node: that many entries, or -1 to -5 for 4, 8, 16, 32 or 64 KiB.",
        range(I32_MIN, I32_MAX), alias("list-max-ziplist-size");
    "list-compress-depth" => list_compress_depth: i64 = 0,
        "Nodes at each end of a list left uncompressed; 0 compresses none.",
        range(0, I32_MAX), debug;
    "set-max-intset-entries" => set_max_intset_entries: u64 = 512,
        "Members of a set of integers in its compact form.",
        range(0, I64_MAX);
    "set-max-listpack-entries" => set_max_listpack_entries: u64 = 128,
        "Members of any other compact set.",
        range(0, I64_MAX);
    "set-max-listpack-value" => set_max_listpack_value: u64 = 64,
        "Bytes of the longest member in it.",
        range(0, I64_MAX);
    "zset-max-listpack-entries" => zset_max_listpack_entries: u64 = 128,
        "Members of a compact sorted set.",
        range(0, I64_MAX), alias("zset-max-ziplist-entries");
    "zset-max-listpack-value" => zset_max_listpack_value: u64 = 64,
        "Bytes of the longest member in it.",
        range(0, I64_MAX), memory, alias("zset-max-ziplist-value");
    "hll-sparse-max-bytes" => hll_sparse_max_bytes: u64 = 3000,
        "Bytes of a HyperLogLog in its sparse form.",
        range(0, I64_MAX), memory;
    "stream-node-max-bytes" => stream_node_max_bytes: u64 = 4096,
        "Bytes of a stream node; 0 means no limit.",
        range(0, I64_MAX), memory;
    "stream-node-max-entries" => stream_node_max_entries: i64 = 100,
        "Entries of a stream node; 0 means no limit.",
        range(0, I64_MAX);
}
