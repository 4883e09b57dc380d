//! Whether big values are freed in the background or on the spot.

use crate::config::row::rows;

rows! { lazyfree: Lazyfree, "LAZY FREEING", "Whether big values are freed in the background or on the spot.";
    "lazyfree-lazy-eviction" => lazyfree_lazy_eviction: bool = true,
        "In the background when evicted.",
        debug, later("such values are freed on the spot");
    "lazyfree-lazy-expire" => lazyfree_lazy_expire: bool = true,
        "In the background when expired.",
        debug, later("such values are freed on the spot");
    "lazyfree-lazy-server-del" => lazyfree_lazy_server_del: bool = true,
        "In the background when a command replaces them (RENAME and the like).",
        debug, later("such values are freed on the spot");
    "lazyfree-lazy-user-del" => lazyfree_lazy_user_del: bool = true,
        "In the background for DEL, as UNLINK does.",
        debug;
    "lazyfree-lazy-user-flush" => lazyfree_lazy_user_flush: bool = true,
        "In the background for FLUSHDB and FLUSHALL without ASYNC or SYNC.",
        debug;
}
