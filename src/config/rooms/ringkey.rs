//! What Ringkey has and Valkey has not: cores, their CPUs and how they wait.

use crate::config::checks;
use crate::config::row::rows;
use crate::config::values::Text;

rows! { ringkey: Ringkey, "RINGKEY", "What Ringkey has and Valkey has not: cores, their CPUs and how they wait.";
    "shards" => shards: i64 = 0,
        "Cores the keyspace is divided among, each a thread with an event loop of its own; 0 takes one for every CPU the process may use.",
        range(0, 1024), immutable, repeatable;
    "shard-cpus" => shard_cpus: Text = Text::of(""),
        "CPUs to pin the cores to, as a list such as \"0-3,8\"; empty takes those the process may use, in order.",
        empty_is_unset, immutable, repeatable, check(checks::cpu_list);
    "spin-us" => spin_us: i64 = -1,
        "Microseconds a core looks for work before it sleeps; 0 sleeps at once, -1 lets each core adapt to its traffic.",
        range(-1, 1000);
}
