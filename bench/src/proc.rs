//! What `/proc` says about a process: CPU time and memory.
//!
//! CPU time is the sum of the first field of `/proc/PID/task/*/schedstat`: nanoseconds on a CPU, exact, while utime
//! and stime come in ticks. It includes the kernel's work on behalf of the process. A thread that ended takes its time
//! with it, so a difference can only be read over a stretch in which no thread of the server ends; the servers
//! measured here keep their threads.

use std::fs;

/// Nanoseconds all threads of `pid` have spent on CPUs; `None` if there is no such process.
pub fn cpu_ns(pid: u32) -> Option<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    Some(tasks.flatten().filter_map(|t| first_number(&t.path().join("schedstat").to_string_lossy())).sum())
}

/// Nanoseconds the calling thread has spent on CPUs.
pub fn thread_cpu_ns() -> u64 {
    first_number("/proc/thread-self/schedstat").unwrap_or(0)
}

fn first_number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
}

/// Resident memory of `pid` in bytes, from smaps_rollup (statm lags behind on recent kernels).
pub fn rss_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|l| l.starts_with("Rss:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// The processor's name and the number of CPUs, for reports.
pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpus = info.lines().filter(|l| l.starts_with("processor")).count();
    let model = info.lines().find_map(|l| l.strip_prefix("model name")).map_or("", |m| m.trim_start_matches(['\t', ' ', ':']));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cpus} CPUs, Linux {}", kernel.trim()).trim_start_matches([',', ' ']).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_has_memory_and_cpu_time_that_never_falls() {
        let pid = std::process::id();
        assert!(rss_bytes(pid).expect("we live") > 0);
        let before = thread_cpu_ns();
        std::hint::black_box((0..2_000_000u64).fold(0, |a, b| a ^ b.wrapping_mul(31)));
        assert!(thread_cpu_ns() >= before);
        assert!(cpu_ns(pid).is_some());
        assert!(cpu_ns(u32::MAX - 1).is_none());
    }
}
