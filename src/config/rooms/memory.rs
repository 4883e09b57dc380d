//! How much memory the keyspace may take and which keys go first.

use crate::config::choices::MaxmemoryPolicy;
use crate::config::row::rows;
use crate::config::values::{I32_MAX, U64_MAX};

rows! { memory: Memory, "MEMORY MANAGEMENT", "How much memory the keyspace may take and which keys go first.";
    "maxmemory" => maxmemory: u64 = 0,
        "Memory limit in bytes; 0 means none. At the limit the policy decides.",
        range(0, U64_MAX), memory;
    "maxmemory-policy" => maxmemory_policy: MaxmemoryPolicy = MaxmemoryPolicy::Noeviction,
        "Which keys are evicted at the limit: volatile-* looks only at keys with an expiry, allkeys-* at all; noeviction refuses writes.";
    "maxmemory-samples" => maxmemory_samples: i64 = 5,
        "Keys compared for one eviction; more is closer to true LRU or LFU and slower.",
        range(1, 64);
    "maxmemory-eviction-tenacity" => maxmemory_eviction_tenacity: i64 = 10,
        "How long one call may evict, from 0 (a little) to 100 (until done).",
        range(0, 100);
    "lfu-log-factor" => lfu_log_factor: i64 = 10,
        "How many hits it takes to saturate the LFU counter.",
        range(0, I32_MAX);
    "lfu-decay-time" => lfu_decay_time: i64 = 1,
        "Minutes after which an unused key's LFU counter falls by one; 0 never.",
        range(0, I32_MAX);
    "jemalloc-bg-thread" => jemalloc_bg_thread: bool = true,
        "Let the allocator purge memory in a thread of its own.",
        idle("Ringkey uses another allocator");
}
