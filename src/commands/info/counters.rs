//! The sections of counters: Persistence, Stats, Replication, and those about commands, errors and cores.

use super::page::{Page, ratio};
use super::totals::Totals;
use crate::stats::clock::{ticks_per_us, ticks_to_us};

/// # Persistence
pub fn persistence(page: &mut Page, all: &Totals<'_>) {
    page.section("Persistence");
    page.zeros(&["loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"]);
    page.field("current_fork_perc", "0.00");
    page.zeros(&["current_save_keys_processed", "current_save_keys_total"]);
    page.field("rdb_changes_since_last_save", all.sum(|core| core.stats.dirty));
    page.field("rdb_bgsave_in_progress", 0);
    page.field("rdb_last_save_time", all.center.shared.started_ms / 1000);
    page.field("rdb_last_bgsave_status", "ok");
    page.field("rdb_last_bgsave_time_sec", -1);
    page.field("rdb_current_bgsave_time_sec", -1);
    page.zeros(&["rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded"]);
    page.zeros(&["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"]);
    page.field("aof_last_rewrite_time_sec", -1);
    page.field("aof_current_rewrite_time_sec", -1);
    page.field("aof_last_bgrewrite_status", "ok");
    page.zeros(&["aof_rewrites", "aof_rewrites_consecutive_failures"]);
    page.field("aof_last_write_status", "ok");
    page.zeros(&[
        "aof_last_cow_size",
        "module_fork_in_progress",
        "module_fork_last_cow_size",
        "slot_migration_fork_in_progress",
    ]);
}

/// # Stats
pub fn stats(page: &mut Page, all: &Totals<'_>) {
    page.section("Stats");
    traffic(page, all);
    keys(page, all);
    // Every core knows them all.
    for (name, count) in ["pubsub_channels", "pubsub_patterns", "pubsubshard_channels"].into_iter().zip(all.cores[0].topics) {
        page.field(name, count);
    }
    page.zeros(&[
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ]);
    page.field("tracking_total_keys", all.sum(|core| core.tracking.keys));
    page.field("tracking_total_items", all.sum(|core| core.tracking.items));
    page.field("tracking_total_prefixes", all.max(|core| core.tracking.prefixes));
    page.field("unexpected_error_replies", 0);
    page.field("total_error_replies", all.sum(|core| core.stats.error_replies));
    page.field("dump_payload_sanitizations", 0);
    loops(page, all);
    page.field("acl_access_denied_auth", all.sum(|core| core.stats.denied_auth));
    page.field("acl_access_denied_cmd", all.sum(|core| core.stats.denied_commands));
    page.field("acl_access_denied_key", all.sum(|core| core.stats.denied_keys));
    page.field("acl_access_denied_channel", all.sum(|core| core.stats.denied_channels));
    page.zeros(&["acl_access_denied_tls_cert"]);
    page.field("acl_access_denied_db", all.sum(|core| core.stats.denied_databases));
}

fn traffic(page: &mut Page, all: &Totals<'_>) {
    let kilobytes = |rate: f64| format!("{:.2}", rate / 1024.0);
    page.field("total_connections_received", all.sum(|core| core.stats.connections_received));
    page.field("total_commands_processed", all.sum(|core| core.stats.calls));
    page.field("instantaneous_ops_per_sec", all.rate(|core| core.rates.calls) as u64);
    page.field("total_net_input_bytes", all.sum(|core| core.stats.net_in));
    page.field("total_net_output_bytes", all.sum(|core| core.stats.net_out));
    page.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    page.zeros(&["total_net_cluster_slot_import_bytes", "total_net_cluster_slot_export_bytes"]);
    page.field("instantaneous_input_kbps", kilobytes(all.rate(|core| core.rates.net_in)));
    page.field("instantaneous_output_kbps", kilobytes(all.rate(|core| core.rates.net_out)));
    page.field("instantaneous_input_repl_kbps", "0.00");
    page.field("instantaneous_output_repl_kbps", "0.00");
    page.field("rejected_connections", all.sum(|core| core.stats.connections_rejected));
    page.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
}

fn keys(page: &mut Page, all: &Totals<'_>) {
    page.field("expired_keys", all.sum(|core| core.stats.expired));
    page.field("expired_fields", all.sum(|core| core.stats.expired_fields));
    page.field("expired_stale_perc", "0.00");
    page.field("expired_keys_with_volatile_items_stale_perc", "0.00");
    page.zeros(&["expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds"]);
    page.field("evicted_keys", all.sum(|core| core.stats.evicted));
    page.field("evicted_clients", 0);
    page.field("evicted_scripts", all.center.shared.register.scripts().evicted);
    page.zeros(&["total_eviction_exceeded_time", "current_eviction_exceeded_time"]);
    page.field("keyspace_hits", all.sum(|core| core.hits));
    page.field("keyspace_misses", all.sum(|core| core.misses));
}

fn loops(page: &mut Page, all: &Totals<'_>) {
    page.field("total_reads_processed", all.sum(|core| core.stats.reads));
    page.field("total_writes_processed", all.sum(|core| core.stats.writes));
    page.zeros(&[
        "io_threaded_reads_processed",
        "io_threaded_writes_processed",
        "io_threaded_freed_objects",
        "io_threaded_accept_processed",
        "io_threaded_poll_processed",
        "io_threaded_total_prefetch_batches",
        "io_threaded_total_prefetch_entries",
    ]);
    page.field("client_query_buffer_limit_disconnections", all.sum(|core| core.stats.query_limit_closes));
    page.field("client_output_buffer_limit_disconnections", all.sum(|core| core.stats.output_limit_closes));
    page.zeros(&["reply_buffer_shrinks", "reply_buffer_expands"]);
    page.field("eventloop_cycles", all.sum(|core| core.stats.turns));
    page.field("eventloop_duration_sum", ticks_to_us(all.sum(|core| core.stats.busy_ticks)));
    let in_calls = all.sum(|core| core.stats.commands.iter().map(|stat| stat.ticks).sum());
    page.field("eventloop_duration_cmd_sum", ticks_to_us(in_calls));
    let (turns, busy) = (all.rate(|core| core.rates.turns), all.rate(|core| core.rates.busy_ticks));
    page.field("instantaneous_eventloop_cycles_per_sec", turns as u64);
    let each = if turns > 0.0 { ticks_to_us((busy / turns) as u64) } else { 0 };
    page.field("instantaneous_eventloop_duration_usec", each);
}

/// # Replication
pub fn replication(page: &mut Page, all: &Totals<'_>) {
    page.section("Replication");
    page.field("role", "master");
    page.zeros(&["connected_slaves", "replicas_waiting_psync"]);
    page.field("master_failover_state", "no-failover");
    page.field("master_replid", &all.center.shared.replication_id);
    page.field("master_replid2", "0".repeat(40));
    page.field("master_repl_offset", 0);
    page.field("second_repl_offset", -1);
    page.field("repl_backlog_active", 0);
    page.field("repl_backlog_size", all.center.config.replication.repl_backlog_size);
    page.zeros(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
}

/// # Commandstats
pub fn commandstats(page: &mut Page, all: &Totals<'_>) {
    page.section("Commandstats");
    for (name, stat) in all.commands() {
        let us = ticks_to_us(stat.ticks);
        let line = format_args!(
            "calls={},usec={us},usec_per_call={:.2},rejected_calls={},failed_calls={}",
            stat.calls,
            ratio(us, stat.calls),
            stat.rejected,
            stat.failed
        );
        page.field(&format!("cmdstat_{name}"), line);
    }
}

/// # Errorstats
pub fn errorstats(page: &mut Page, all: &Totals<'_>) {
    page.section("Errorstats");
    for (code, count) in all.errors() {
        page.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

/// # Latencystats
pub fn latencystats(page: &mut Page, all: &Totals<'_>) {
    page.section("Latencystats");
    let watch = &all.center.config.watch;
    if !watch.latency_tracking {
        return;
    }
    for (name, histogram) in all.histograms() {
        let us = |percent: f64| histogram.percentile(percent) as f64 / ticks_per_us();
        let values: Vec<String> =
            watch.latency_tracking_info_percentiles.named().map(|(name, percent)| format!("p{name}={:.3}", us(percent))).collect();
        page.field(&format!("latency_percentiles_usec_{name}"), values.join(","));
    }
}

/// # Debug
pub fn debug(page: &mut Page, all: &Totals<'_>) {
    page.section("Debug");
    page.field("eventloop_duration_aof_sum", 0);
    page.field("eventloop_duration_cron_sum", ticks_to_us(all.sum(|core| core.stats.tick_ticks)));
    page.field("eventloop_duration_max", ticks_to_us(all.max(|core| core.stats.turn_ticks_max)));
    page.field("eventloop_cmd_per_cycle_max", all.max(|core| core.stats.turn_calls_max));
    page.zeros(&["io_threaded_reads_pending", "io_threaded_writes_pending"]);
}

/// # Cores: what each core does for itself. No other server has these.
pub fn cores(page: &mut Page, all: &Totals<'_>) {
    page.section("Cores");
    page.field("cores", all.cores.len());
    for (number, core) in all.cores.iter().enumerate() {
        let keys: u64 = core.databases.iter().map(|database| database.keys).sum();
        let (stats, mesh) = (&core.stats, core.mesh);
        let line = format_args!(
            "keys={keys},connections={},calls={},hops={},turns={},busy_usec={},cpu_usec={},transactions={},\
             transactions_open={},retries={},waiting={},messages_sent={},messages_received={},messages_delayed={},\
             wakes={},inbound={},outbound={},table_bytes={}",
            core.clients.connected,
            stats.calls,
            stats.hops,
            stats.turns,
            ticks_to_us(stats.busy_ticks),
            core.cpu.user_us + core.cpu.system_us,
            stats.transactions,
            core.transactions_open,
            core.retries,
            core.waiting,
            mesh.posted,
            mesh.received,
            mesh.delayed,
            mesh.wakes,
            core.inbound,
            core.outbound,
            core.table_bytes,
        );
        page.field(&format!("core{number}"), line);
    }
}
