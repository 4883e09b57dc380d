//! The sections about the process, its clients, its processor time and its keys.

use super::page::Page;
use super::totals::Totals;
use crate::config::choices::Supervised;
use crate::identity::{REDIS_VERSION, RINGKEY_VERSION, VALKEY_VERSION};
use crate::process::{self, CpuTime};
use crate::stats::clock;
use std::sync::atomic::Ordering;

/// # Server
pub fn server(page: &mut Page, all: &Totals<'_>) {
    let (center, config) = (all.center, &all.center.config);
    let shared = &center.shared;
    let up_seconds = (center.now_ms - shared.started_ms).max(0) / 1000;
    page.section("Server");
    page.field("redis_version", REDIS_VERSION);
    page.field("server_name", "ringkey");
    page.field("valkey_version", VALKEY_VERSION);
    page.field("ringkey_version", RINGKEY_VERSION);
    page.field("valkey_release_stage", "ga");
    page.field("redis_git_sha1", "00000000");
    page.field("redis_git_dirty", 0);
    page.field("redis_build_id", "0000000000000000");
    page.field(if config.general.extended_redis_compatibility { "redis_mode" } else { "server_mode" }, "standalone");
    page.field("os", process::system_name());
    page.field("arch_bits", usize::BITS);
    page.field("monotonic_clock", format_args!("{} @ {:.2} ticks/us", clock::NAME, clock::ticks_per_us()));
    page.field("multiplexing_api", "io_uring");
    page.field("gcc_version", "0.0.0");
    page.field("process_id", std::process::id());
    page.field("process_supervised", supervisor(config.general.supervised));
    page.field("run_id", &shared.run_id);
    page.field("tcp_port", shared.port.load(Ordering::Relaxed));
    page.field("server_time_usec", clock::unix_us());
    page.field("uptime_in_seconds", up_seconds);
    page.field("uptime_in_days", up_seconds / (24 * 60 * 60));
    page.field("hz", config.general.hz);
    page.field("configured_hz", config.general.hz);
    page.field("clients_hz", config.general.hz);
    page.field("lru_clock", (center.now_ms / 1000) & 0xff_ffff);
    page.field("executable", shared.executable.display());
    page.field("config_file", shared.store().file().map(|file| file.display().to_string()).unwrap_or_default());
    page.field("io_threads_active", 0);
    page.field("availability_zone", config.general.availability_zone.to_str_lossy());
    listeners(page, all);
}

fn supervisor(mode: Supervised) -> &'static str {
    match mode {
        Supervised::No => "no",
        Supervised::Systemd => "systemd",
        Supervised::Upstart => "upstart",
        Supervised::Auto if std::env::var_os("UPSTART_JOB").is_some() => "upstart",
        Supervised::Auto if std::env::var_os("NOTIFY_SOCKET").is_some() => "systemd",
        Supervised::Auto => "no",
    }
}

fn listeners(page: &mut Page, all: &Totals<'_>) {
    let network = &all.center.config.network;
    let port = all.center.shared.port.load(Ordering::Relaxed);
    let mut number = 0;
    if port != 0 {
        let bound: String = network.bind.0.iter().map(|address| format!(",bind={}", address.to_str_lossy())).collect();
        page.field("listener0", format_args!("name=tcp{bound},port={port}"));
        number = 1;
    }
    if !network.unixsocket.is_empty() {
        page.field(&format!("listener{number}"), format_args!("name=unix,bind={}", network.unixsocket.to_str_lossy()));
    }
}

/// # TLS
pub fn tls(page: &mut Page, _: &Totals<'_>) {
    page.section("TLS");
    for owner in ["server_cert", "client_cert", "ca_cert"] {
        page.field(&format!("tls_{owner}_serial"), "none");
        page.field(&format!("tls_{owner}_expires_in_seconds"), 0);
    }
}

/// # Clients
pub fn clients(page: &mut Page, all: &Totals<'_>) {
    let center = all.center;
    let paused = all.cores.iter().find_map(|core| core.paused).filter(|(until_ms, _)| *until_ms > center.now_ms);
    page.section("Clients");
    page.field("connected_clients", all.sum(|core| core.clients.connected));
    page.field("cluster_connections", 0);
    page.field("maxclients", center.config.clients.maxclients);
    page.field("client_recent_max_input_buffer", all.max(|core| core.clients.input_bytes_max));
    page.field("client_recent_max_output_buffer", all.max(|core| core.clients.output_bytes_max));
    page.field("blocked_clients", all.sum(|core| core.clients.blocked));
    page.field("tracking_clients", all.max(|core| core.tracking.clients));
    page.field("pubsub_clients", all.sum(|core| core.clients.subscribers));
    page.field("watching_clients", all.sum(|core| core.clients.watching));
    page.field("clients_in_timeout_table", all.sum(|core| core.clients.timed));
    page.field("total_watched_keys", all.sum(|core| core.watched_keys));
    page.field("total_blocking_keys", all.sum(|core| core.blocking_keys));
    page.field("total_blocking_keys_on_nokey", all.sum(|core| core.blocking_keys_on_nokey));
    page.field("paused_reason", if paused.is_some() { "client_pause" } else { "none" });
    let actions = paused.map_or("none", |(_, writes_only)| if writes_only { "write" } else { "all" });
    page.field("paused_actions", actions);
    page.field("paused_timeout_milliseconds", paused.map_or(0, |(until_ms, _)| until_ms - center.now_ms));
}

/// # CPU
pub fn cpu(page: &mut Page, all: &Totals<'_>) {
    let seconds = |us: u64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    let CpuTime { user_us, system_us } = process::cpu_time();
    let first = all.cores[0].cpu;
    page.section("CPU");
    page.field("used_cpu_sys", seconds(system_us));
    page.field("used_cpu_user", seconds(user_us));
    page.field("used_cpu_sys_children", seconds(0));
    page.field("used_cpu_user_children", seconds(0));
    page.field("used_cpu_sys_main_thread", seconds(first.system_us));
    page.field("used_cpu_user_main_thread", seconds(first.user_us));
    page.field("used_active_time_main_thread", seconds(clock::ticks_to_us(all.cores[0].stats.busy_ticks)));
}

/// # Modules
pub fn modules(page: &mut Page, _: &Totals<'_>) {
    page.section("Modules");
}

/// # Cluster
pub fn cluster(page: &mut Page, _: &Totals<'_>) {
    page.section("Cluster");
    page.field("cluster_enabled", 0);
}

/// # Cluster Info
pub fn cluster_info(page: &mut Page, _: &Totals<'_>) {
    page.section("Cluster Info");
}

/// # Scripting Engines
pub fn scripting_engines(page: &mut Page, _: &Totals<'_>) {
    page.section("Scripting Engines");
    page.zeros(&["engines_count", "engines_total_used_memory", "engines_total_memory_overhead"]);
}

/// # Keyspace
pub fn keyspace(page: &mut Page, all: &Totals<'_>) {
    page.section("Keyspace");
    for db in 0..all.cores[0].databases.len() {
        let database = all.database(db);
        if database.keys > 0 {
            let (keys, expires, timed) = (database.keys, database.expires, database.timed_hashes);
            let line = format_args!("keys={keys},expires={expires},avg_ttl=0,keys_with_volatile_items={timed}");
            page.field(&format!("db{db}"), line);
        }
    }
}
