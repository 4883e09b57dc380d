//! Threads, CPUs and the kernel's view of the process.

use crate::config::choices::OomScoreAdj;
use crate::config::row::rows;
use crate::config::specials::OomScores;
use crate::config::values::Text;

rows! { process: Process, "PROCESS AND KERNEL", "Threads, CPUs and the kernel's view of the process.";
    "io-threads" => io_threads: i64 = 1,
        "Threads that read and write for the main thread.",
        range(1, 256), debug, idle("Ringkey runs one event loop per shard, see shards");
    "io-threads-always-active" => io_threads_always_active: bool = false,
        "Keep I/O threads busy for tests.",
        hidden, idle("Ringkey runs one event loop per shard, see shards");
    "prefetch-batch-max-size" => prefetch_batch_max_size: i64 = 16,
        "Commands whose keys are fetched into the cache together before they run; 0 or 1 turns it off.",
        range(0, 128), later("the batch has a fixed size");
    "server-cpulist" => server_cpulist: Text = Text::of(""),
        "CPUs for the main thread and its helpers.",
        empty_is_unset, alias("server_cpulist"), immutable, idle("see shard-cpus");
    "bio-cpulist" => bio_cpulist: Text = Text::of(""),
        "CPUs for background jobs.",
        empty_is_unset, alias("bio_cpulist"), immutable, idle("see shard-cpus");
    "aof-rewrite-cpulist" => aof_rewrite_cpulist: Text = Text::of(""),
        "CPUs for the process that rewrites the append-only file.",
        empty_is_unset, alias("aof_rewrite_cpulist"), immutable, idle("no child process is forked");
    "bgsave-cpulist" => bgsave_cpulist: Text = Text::of(""),
        "CPUs for the process that saves a snapshot.",
        empty_is_unset, alias("bgsave_cpulist"), immutable, idle("no child process is forked");
    "oom-score-adj" => oom_score_adj: OomScoreAdj = OomScoreAdj::No,
        "Tell the kernel which of our processes to kill first when memory runs out: no, yes (same as relative) or absolute.";
    "oom-score-adj-values" => oom_score_adj_values: OomScores = OomScores::default(),
        "The scores for a primary, a replica and a background child, from -2000 to 2000.",
        multi_arg;
    "disable-thp" => disable_thp: bool = true,
        "Turn transparent huge pages off for this process.",
        immutable;
}
