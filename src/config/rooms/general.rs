//! The process: how it starts, what it is called, which databases it has.

use crate::config::checks;
use crate::config::choices::{PropagationError, Supervised};
use crate::config::row::rows;
use crate::config::specials::{Dir, ShutdownFlags};
use crate::config::values::{I32_MAX, I64_MAX, Text};

rows! { general: General, "GENERAL", "The process: how it starts, what it is called, which databases it has.";
    "daemonize" => daemonize: bool = false,
        "Detach from the terminal and run in the background.",
        immutable;
    "supervised" => supervised: Supervised = Supervised::No,
        "Which supervisor to tell about readiness: systemd, upstart, whichever the environment shows (auto), or none (no).",
        immutable;
    "pidfile" => pidfile: Text = Text::of(""),
        "File that holds the process id while the server runs.",
        empty_is_unset, immutable;
    "databases" => databases: i64 = 16,
        "How many databases SELECT can choose from.",
        range(1, I32_MAX), immutable;
    "always-show-logo" => always_show_logo: bool = false,
        "Print the logo even when the log is not a terminal.",
        immutable, idle("Ringkey prints no logo");
    "set-proc-title" => set_proc_title: bool = true,
        "Show addresses and mode in the process list.",
        immutable, later("the process keeps the title it was started with");
    "proc-title-template" => proc_title_template: Text = Text::of("{title} {listen-addr} {server-mode}"),
        "What to show there. Variables: {title}, {listen-addr}, {server-mode}, {port}, {tls-port}, {unixsocket}, {config-file}.",
        check(checks::proc_title), later("the process keeps the title it was started with");
    "locale-collate" => locale_collate: Text = Text::of(""),
        "Locale by which SORT ALPHA compares; empty takes the environment's.",
        later("SORT ALPHA compares bytes");
    "extended-redis-compatibility" => extended_redis_compatibility: bool = false,
        "Introduce ourselves under the older name where clients look for it.";
    "availability-zone" => availability_zone: Text = Text::of(""),
        "Name of the zone this server runs in, shown to clients by HELLO and INFO.",
        binary;
    "hash-seed" => hash_seed: Text = Text::of(""),
        "Text from which the hash function's seed is made; empty draws a random seed at each start.",
        empty_is_unset, binary, check(checks::hash_seed), immutable, later("the seed is drawn at random");
    "hz" => hz: i64 = 10,
        "How often a second background work runs when nothing else wakes a core; 1 to 500.",
        range(0, I32_MAX), later("background work has a fixed budget");
    "active-expire-effort" => active_expire_effort: i64 = 1,
        "How hard the search for expired keys works, from 1 to 10; more effort frees memory sooner and costs more CPU.",
        range(1, 10), later("background work has a fixed budget");
    "activerehashing" => activerehashing: bool = true,
        "Rehash tables in the background.",
        idle("the table grows in small steps, there is no rehashing to push");
    "dir" => dir: Dir = Dir::default(),
        "Working folder: where snapshots, append-only files and relative paths are found.",
        protected, deny_loading;
    "shutdown-timeout" => shutdown_timeout: i64 = 10,
        "Seconds a shutdown waits for replicas that lag behind.",
        range(0, I32_MAX), later("replication is not built");
    "shutdown-on-sigint" => shutdown_on_sigint: ShutdownFlags = ShutdownFlags::default(),
        "What SIGINT does: default, or a mix of save, nosave, now, force, safe and failover.",
        multi_arg, later("snapshots and replication are not built, so every stop is alike");
    "shutdown-on-sigterm" => shutdown_on_sigterm: ShutdownFlags = ShutdownFlags::default(),
        "What SIGTERM does; same words.",
        multi_arg, later("snapshots and replication are not built, so every stop is alike");
    "ignore-warnings" => ignore_warnings: Text = Text::of(""),
        "Warnings about the system that shall not stop the start.",
        idle("no warning stops the start");
    "busy-reply-threshold" => busy_reply_threshold: i64 = 5000,
        "Milliseconds a script may run before other clients are told BUSY instead of waiting.",
        range(0, I64_MAX), alias("lua-time-limit");
    "propagation-error-behavior" => propagation_error_behavior: PropagationError = PropagationError::Ignore,
        "What to do when a replicated command fails: ignore it, or stop (panic, panic-on-replicas).",
        later("replication is not built");
    "import-mode" => import_mode: bool = false,
        "Data is being imported from another server: do not expire or evict keys until it ends.",
        debug;
    "use-exit-on-panic" => use_exit_on_panic: bool = false,
        "Exit instead of aborting after a crash.",
        hidden, idle("a crash aborts after its report");
    "debug-context" => debug_context: Text = Text::of(""),
        "Words added to a crash report, for test runs.",
        hidden, debug;
    "enable-debug-assert" => enable_debug_assert: bool = false,
        "Run costly assertions.",
        immutable, hidden, idle("assertions are chosen when building");
    "watchdog-period" => watchdog_period: i64 = 0,
        "Milliseconds after which a stuck event loop logs its stack.",
        range(0, I32_MAX), hidden, idle("a slow turn is reported by the latency monitor");
    "lua-enable-insecure-api" => lua_enable_insecure_api: bool = false,
        "Give scripts the deprecated functions that can break their isolation.",
        alias("lua-enable-deprecated-api"), hidden, protected;
}
