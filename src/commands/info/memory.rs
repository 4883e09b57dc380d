//! The section Memory.
//!
//! `used_memory` is what this process has allocated, to the byte of its size classes, and what the tables have mapped
//! (see [`crate::alloc`]). The allocator does not tell how its pages are filled, so the fields about that say 0; how much
//! more the kernel has given us is `mem_fragmentation_*`.

use super::page::{Page, human, ratio};
use super::totals::Totals;
use crate::process;
use std::sync::atomic::Ordering;

/// # Memory
pub fn memory(page: &mut Page, all: &Totals<'_>) {
    let (shared, config) = (&all.center.shared, &all.center.config);
    let used = all.used_bytes;
    let resident = process::resident_bytes();
    let peak = shared.peak_bytes.fetch_max(used, Ordering::Relaxed).max(used);
    let startup = shared.startup_bytes.load(Ordering::Relaxed);
    let clients = all.sum(|core| core.clients.memory_bytes);
    let overhead = (startup + clients).min(used);
    let dataset = used - overhead;
    page.section("Memory");
    page.bytes("used_memory", used);
    page.bytes("used_memory_rss", resident);
    page.bytes("used_memory_peak", peak);
    page.field("used_memory_peak_perc", percent(used, peak));
    page.field("used_memory_overhead", overhead);
    page.field("used_memory_startup", startup);
    page.field("used_memory_dataset", dataset);
    page.field("used_memory_dataset_perc", percent(dataset, used.saturating_sub(startup)));
    page.field("allocator_allocated", used);
    page.zeros(&["allocator_active", "allocator_resident", "allocator_muzzy"]);
    page.bytes("total_system_memory", process::system_memory_bytes());
    scripts(page, all);
    page.bytes("maxmemory", config.memory.maxmemory);
    page.field("maxmemory_policy", config.memory.maxmemory_policy.as_str());
    page.field("allocator_frag_ratio", "0.00");
    page.field("allocator_frag_bytes", 0);
    page.field("allocator_rss_ratio", "0.00");
    page.field("allocator_rss_bytes", 0);
    page.field("rss_overhead_ratio", "0.00");
    page.field("rss_overhead_bytes", 0);
    page.field("mem_fragmentation_ratio", format_args!("{:.2}", ratio(resident, used)));
    page.field("mem_fragmentation_bytes", resident as i64 - used as i64);
    page.zeros(&[
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_replicas_repl_buffer",
        "mem_clients_slaves",
    ]);
    page.field("mem_clients_normal", clients);
    page.zeros(&["mem_cluster_links", "mem_cluster_slot_import", "mem_cluster_slot_export", "mem_aof_buffer"]);
    page.field("mem_allocator", "mimalloc");
    page.zeros(&["mem_overhead_db_hashtable_rehashing", "active_defrag_running"]);
    page.field("lazyfree_pending_objects", all.sum(|core| core.pending_frees));
    page.field("lazyfreed_objects", all.sum(|core| core.lazy_freed));
}

/// What scripts hold. Scripts and functions share the machines, so their memory is told as that of scripts.
fn scripts(page: &mut Page, all: &Totals<'_>) {
    let register = &all.center.shared.register;
    let machines = all.sum(|core| core.machine_bytes);
    let libraries = register.libraries();
    let functions = libraries.memory_bytes() as u64;
    let (cached, evals) = {
        let scripts = register.scripts();
        (scripts.len(), scripts.memory_bytes() as u64)
    };
    page.field("used_memory_lua", machines);
    page.field("used_memory_vm_eval", machines);
    page.field("used_memory_lua_human", human(machines));
    page.field("used_memory_scripts_eval", evals);
    page.field("number_of_cached_scripts", cached);
    page.field("number_of_functions", libraries.functions());
    page.field("number_of_libraries", libraries.by_name.len());
    page.field("used_memory_vm_functions", 0);
    page.bytes("used_memory_vm_total", machines);
    page.field("used_memory_functions", functions);
    page.bytes("used_memory_scripts", evals + functions);
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", ratio(part, whole) * 100.0)
}
