//! Looking at what the server does.

use crate::config::row::rows;
use crate::config::specials::{NotifyFlags, Percentiles};
use crate::config::values::{I64_MAX, MIB};

rows! { watch: Watch, "COMMAND LOG, LATENCY AND EVENTS", "Looking at what the server does.";
    "commandlog-execution-slower-than" => commandlog_execution_slower_than: i64 = 10_000,
        "Microseconds from which a command counts as slow; 0 logs all, -1 none.",
        range(-1, I64_MAX), alias("slowlog-log-slower-than");
    "commandlog-slow-execution-max-len" => commandlog_slow_execution_max_len: u64 = 128,
        "Slow commands remembered.",
        range(0, I64_MAX), alias("slowlog-max-len");
    "commandlog-request-larger-than" => commandlog_request_larger_than: i64 = MIB,
        "Bytes from which a request counts as large; -1 logs none.",
        range(-1, I64_MAX);
    "commandlog-large-request-max-len" => commandlog_large_request_max_len: u64 = 128,
        "Large requests remembered.",
        range(0, I64_MAX);
    "commandlog-reply-larger-than" => commandlog_reply_larger_than: i64 = MIB,
        "Bytes from which a reply counts as large; -1 logs none.",
        range(-1, I64_MAX);
    "commandlog-large-reply-max-len" => commandlog_large_reply_max_len: u64 = 128,
        "Large replies remembered.",
        range(0, I64_MAX);
    "latency-monitor-threshold" => latency_monitor_threshold: i64 = 0,
        "Milliseconds from which an event enters the latency monitor; 0 turns it off.",
        range(0, I64_MAX);
    "latency-tracking" => latency_tracking: bool = true,
        "Keep a histogram of each command's run time.";
    "latency-tracking-info-percentiles" => latency_tracking_info_percentiles: Percentiles = Percentiles::default(),
        "Percentiles of it shown by INFO latencystats.",
        multi_arg;
    "notify-keyspace-events" => notify_keyspace_events: NotifyFlags = NotifyFlags::default(),
        "Which changes of keys are published: K keyspace, E keyevent, g generic, $ string, l list, s set, h hash, z sorted set, x expired, e evicted, t stream, m miss, d module, n new, A all but m and n.";
}
