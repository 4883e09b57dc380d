//! Moving values together so that memory can be given back.

use crate::config::row::rows;
use crate::config::values::{I64_MAX, MIB};

rows! { defrag: Defrag, "ACTIVE DEFRAGMENTATION", "Moving values together so that memory can be given back.";
    "activedefrag" => activedefrag: bool = false,
        "Defragment while running.",
        debug, idle("the allocator returns free pages by itself");
    "active-defrag-ignore-bytes" => active_defrag_ignore_bytes: u64 = 100 * MIB as u64,
        "Waste below which nothing is done.",
        range(1, I64_MAX), memory, idle("see activedefrag");
    "active-defrag-threshold-lower" => active_defrag_threshold_lower: i64 = 10,
        "Percentage of waste from which it starts.",
        range(0, 1000), idle("see activedefrag");
    "active-defrag-threshold-upper" => active_defrag_threshold_upper: i64 = 100,
        "Percentage of waste from which it works hardest.",
        range(0, 1000), idle("see activedefrag");
    "active-defrag-cycle-min" => active_defrag_cycle_min: i64 = 1,
        "Least CPU percentage used.",
        range(1, 99), idle("see activedefrag");
    "active-defrag-cycle-max" => active_defrag_cycle_max: i64 = 25,
        "Most CPU percentage used.",
        range(1, 99), idle("see activedefrag");
    "active-defrag-cycle-us" => active_defrag_cycle_us: i64 = 500,
        "Microseconds of one slice of work.",
        range(0, 100_000), idle("see activedefrag");
    "active-defrag-max-scan-fields" => active_defrag_max_scan_fields: u64 = 1000,
        "Entries of a collection looked at in one go.",
        range(1, I64_MAX), idle("see activedefrag");
}
