//! What one connection, and all of them together, may cost.

use crate::config::row::rows;
use crate::config::specials::OutputLimits;
use crate::config::values::{I32_MAX, I64_MAX, MIB, U32_MAX};

rows! { clients: Clients, "CLIENTS", "What one connection, and all of them together, may cost.";
    "maxclients" => maxclients: u64 = 10_000,
        "Connections served at once; one more is told so and closed.",
        range(1, U32_MAX);
    "client-query-buffer-limit" => client_query_buffer_limit: u64 = 1024 * MIB as u64,
        "Bytes of unanswered requests after which a client is disconnected.",
        range(MIB as i128, I64_MAX), memory, debug;
    "client-output-buffer-limit" => client_output_buffer_limit: OutputLimits = OutputLimits::default(),
        "Limits on waiting replies for each class of client (normal, replica, pubsub): hard bytes, soft bytes, and seconds the soft limit may be exceeded.",
        multi_arg;
    "proto-max-bulk-len" => proto_max_bulk_len: i64 = 512 * MIB,
        "Longest single argument of a request.",
        range(MIB as i128, I64_MAX), memory, debug;
    "maxmemory-clients" => maxmemory_clients: i64 = 0,
        "Memory all clients' buffers may take together, in bytes or percent of maxmemory; the biggest are disconnected first. 0 turns it off.",
        range(-100, I64_MAX), memory_or_percent, later("clients are not evicted");
    "tracking-table-max-keys" => tracking_table_max_keys: u64 = 1_000_000,
        "Keys remembered for client-side caching; beyond it, random ones are invalidated.",
        range(0, I64_MAX);
    "min-io-threads-avoid-copy-reply" => min_io_threads_avoid_copy_reply: i64 = 7,
        "Threads from which replies are sent without a copy.",
        range(0, I32_MAX), hidden, idle("replies are written in place by the core that owns the client");
    "min-string-size-avoid-copy-reply" => min_string_size_avoid_copy_reply: i64 = 16_384,
        "Size from which a string is sent without a copy.",
        range(0, I32_MAX), hidden, idle("replies are written in place by the core that owns the client");
    "min-string-size-avoid-copy-reply-threaded" => min_string_size_avoid_copy_reply_threaded: i64 = 65_536,
        "The same with I/O threads.",
        range(0, I32_MAX), hidden, idle("replies are written in place by the core that owns the client");
}
