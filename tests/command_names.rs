//! Every command of Valkey 9.1 is in the table, or stands in the list of those that are still to come.
//!
//! [`VALKEY`] is read off the names, containers and groups of `src/commands/*.json` in the source of Valkey 9.1, but for
//! what only a sentinel answers. [`TO_COME`] may only shrink: a name that is there must leave it.

#![allow(clippy::unwrap_used)] // these are tests

use std::collections::BTreeSet;

use ringkey::dispatch::table::table;

/// Groups and their commands; subcommands as `container|name`.
const VALKEY: &[(&str, &[&str])] = &[
    ("bitmap", &[
        "bitcount", "bitfield", "bitfield_ro", "bitop", "bitpos", "getbit", "setbit",
    ]),
    ("cluster", &[
        "asking", "cluster", "clusterscan", "cluster|addslots", "cluster|addslotsrange", "cluster|bumpepoch",
        "cluster|cancelslotmigrations", "cluster|count-failure-reports", "cluster|countkeysinslot",
        "cluster|delslots", "cluster|delslotsrange", "cluster|failover", "cluster|flushslot", "cluster|flushslots",
        "cluster|forget", "cluster|getkeysinslot", "cluster|getslotmigrations", "cluster|help", "cluster|info",
        "cluster|keyslot", "cluster|links", "cluster|meet", "cluster|migrateslots", "cluster|myid",
        "cluster|myshardid", "cluster|nodes", "cluster|replicas", "cluster|replicate", "cluster|reset",
        "cluster|saveconfig", "cluster|set-config-epoch", "cluster|setslot", "cluster|shards", "cluster|slaves",
        "cluster|slot-stats", "cluster|slots", "cluster|syncslots", "readonly", "readwrite",
    ]),
    ("connection", &[
        "auth", "client", "client|caching", "client|capa", "client|getname", "client|getredir", "client|help",
        "client|id", "client|import-source", "client|info", "client|kill", "client|list", "client|no-evict",
        "client|no-touch", "client|pause", "client|reply", "client|setinfo", "client|setname", "client|tracking",
        "client|trackinginfo", "client|unblock", "client|unpause", "echo", "hello", "ping", "quit", "reset", "select",
    ]),
    ("generic", &[
        "copy", "del", "dump", "exists", "expire", "expireat", "expiretime", "keys", "migrate", "move", "object",
        "object|encoding", "object|freq", "object|help", "object|idletime", "object|refcount", "persist", "pexpire",
        "pexpireat", "pexpiretime", "pttl", "randomkey", "rename", "renamenx", "restore", "scan", "sort", "sort_ro",
        "touch", "ttl", "type", "unlink", "wait", "waitaof",
    ]),
    ("geo", &[
        "geoadd", "geodist", "geohash", "geopos", "georadius", "georadius_ro", "georadiusbymember",
        "georadiusbymember_ro", "geosearch", "geosearchstore",
    ]),
    ("hash", &[
        "hdel", "hexists", "hexpire", "hexpireat", "hexpiretime", "hget", "hgetall", "hgetdel", "hgetex", "hincrby",
        "hincrbyfloat", "hkeys", "hlen", "hmget", "hmset", "hpersist", "hpexpire", "hpexpireat", "hpexpiretime",
        "hpttl", "hrandfield", "hscan", "hset", "hsetex", "hsetnx", "hstrlen", "httl", "hvals",
    ]),
    ("hyperloglog", &[
        "pfadd", "pfcount", "pfdebug", "pfmerge", "pfselftest",
    ]),
    ("list", &[
        "blmove", "blmpop", "blpop", "brpop", "brpoplpush", "lindex", "linsert", "llen", "lmove", "lmpop", "lpop",
        "lpos", "lpush", "lpushx", "lrange", "lrem", "lset", "ltrim", "rpop", "rpoplpush", "rpush", "rpushx",
    ]),
    ("pubsub", &[
        "psubscribe", "publish", "pubsub", "pubsub|channels", "pubsub|help", "pubsub|numpat", "pubsub|numsub",
        "pubsub|shardchannels", "pubsub|shardnumsub", "punsubscribe", "spublish", "ssubscribe", "subscribe",
        "sunsubscribe", "unsubscribe",
    ]),
    ("scripting", &[
        "eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro", "function", "function|delete",
        "function|dump", "function|flush", "function|help", "function|kill", "function|list", "function|load",
        "function|restore", "function|stats", "script", "script|debug", "script|exists", "script|flush",
        "script|help", "script|kill", "script|load", "script|show",
    ]),
    ("server", &[
        "acl", "acl|cat", "acl|deluser", "acl|dryrun", "acl|genpass", "acl|getuser", "acl|help", "acl|list",
        "acl|load", "acl|log", "acl|save", "acl|setuser", "acl|users", "acl|whoami", "bgrewriteaof", "bgsave",
        "command", "commandlog", "commandlog|get", "commandlog|help", "commandlog|len", "commandlog|reset",
        "command|count", "command|docs", "command|getkeys", "command|getkeysandflags", "command|help", "command|info",
        "command|list", "config", "config|get", "config|help", "config|resetstat", "config|rewrite", "config|set",
        "dbsize", "debug", "failover", "flushall", "flushdb", "info", "lastsave", "latency", "latency|doctor",
        "latency|graph", "latency|help", "latency|histogram", "latency|history", "latency|latest", "latency|reset",
        "lolwut", "memory", "memory|doctor", "memory|help", "memory|malloc-stats", "memory|purge", "memory|stats",
        "memory|usage", "module", "module|help", "module|list", "module|load", "module|loadex", "module|unload",
        "monitor", "psync", "replconf", "replicaof", "restore-asking", "role", "save", "shutdown", "slaveof",
        "slowlog", "slowlog|get", "slowlog|help", "slowlog|len", "slowlog|reset", "swapdb", "sync", "time",
    ]),
    ("set", &[
        "sadd", "scard", "sdiff", "sdiffstore", "sinter", "sintercard", "sinterstore", "sismember", "smembers",
        "smismember", "smove", "spop", "srandmember", "srem", "sscan", "sunion", "sunionstore",
    ]),
    ("sorted-set", &[
        "bzmpop", "bzpopmax", "bzpopmin", "zadd", "zcard", "zcount", "zdiff", "zdiffstore", "zincrby", "zinter",
        "zintercard", "zinterstore", "zlexcount", "zmpop", "zmscore", "zpopmax", "zpopmin", "zrandmember", "zrange",
        "zrangebylex", "zrangebyscore", "zrangestore", "zrank", "zrem", "zremrangebylex", "zremrangebyrank",
        "zremrangebyscore", "zrevrange", "zrevrangebylex", "zrevrangebyscore", "zrevrank", "zscan", "zscore",
        "zunion", "zunionstore",
    ]),
    ("stream", &[
        "xack", "xadd", "xautoclaim", "xclaim", "xdel", "xgroup", "xgroup|create", "xgroup|createconsumer",
        "xgroup|delconsumer", "xgroup|destroy", "xgroup|help", "xgroup|setid", "xinfo", "xinfo|consumers",
        "xinfo|groups", "xinfo|help", "xinfo|stream", "xlen", "xpending", "xrange", "xread", "xreadgroup",
        "xrevrange", "xsetid", "xtrim",
    ]),
    ("string", &[
        "append", "decr", "decrby", "delifeq", "get", "getdel", "getex", "getrange", "getset", "incr", "incrby",
        "incrbyfloat", "lcs", "mget", "mset", "msetex", "msetnx", "psetex", "set", "setex", "setnx", "setrange",
        "strlen", "substr",
    ]),
    ("transactions", &[
        "discard", "exec", "multi", "unwatch", "watch",
    ]),
];

/// Commands that other work brings. Nothing may be added here.
const TO_COME: &[&str] = &[
    // Cluster.
    "asking", "cluster", "clusterscan", "cluster|addslots", "cluster|addslotsrange", "cluster|bumpepoch",
    "cluster|cancelslotmigrations", "cluster|count-failure-reports", "cluster|countkeysinslot", "cluster|delslots",
    "cluster|delslotsrange", "cluster|failover", "cluster|flushslot", "cluster|flushslots", "cluster|forget",
    "cluster|getkeysinslot", "cluster|getslotmigrations", "cluster|help", "cluster|info", "cluster|keyslot",
    "cluster|links", "cluster|meet", "cluster|migrateslots", "cluster|myid", "cluster|myshardid", "cluster|nodes",
    "cluster|replicas", "cluster|replicate", "cluster|reset", "cluster|saveconfig", "cluster|set-config-epoch",
    "cluster|setslot", "cluster|shards", "cluster|slaves", "cluster|slot-stats", "cluster|slots", "cluster|syncslots",
    // Between servers.
    "migrate", "restore-asking",
    // Persistence and replication.
    "bgrewriteaof", "bgsave", "lastsave", "save", "failover", "psync", "replconf", "replicaof", "slaveof", "sync",
    // Modules.
    "module", "module|help", "module|list", "module|load", "module|loadex", "module|unload",
];

fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    VALKEY.iter().flat_map(|(group, names)| names.iter().map(|name| (*group, *name)))
}

#[test]
fn every_command_of_valkey_is_there_or_to_come() {
    let missing: Vec<&str> = names()
        .map(|(_, name)| name)
        .filter(|name| table().find_full(name.as_bytes()).is_none() && !TO_COME.contains(name))
        .collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
}

#[test]
fn what_is_there_is_not_to_come() {
    let there: Vec<&str> =
        TO_COME.iter().copied().filter(|name| table().find_full(name.as_bytes()).is_some()).collect();
    assert!(there.is_empty(), "take these off TO_COME: {there:?}");
    let valkey: BTreeSet<&str> = names().map(|(_, name)| name).collect();
    assert!(TO_COME.iter().all(|name| valkey.contains(name)), "only Valkey's commands are to come");
    assert_eq!(TO_COME.iter().collect::<BTreeSet<_>>().len(), TO_COME.len(), "each once");
}

#[test]
fn commands_stand_in_the_groups_of_valkey() {
    for (group, name) in names() {
        if let Some(entry) = table().find_full(name.as_bytes()) {
            assert_eq!(entry.facts.group.name(), group, "{name}");
        }
    }
}

#[test]
fn there_is_no_command_that_valkey_does_not_have() {
    let valkey: BTreeSet<&str> = names().map(|(_, name)| name).collect();
    let ours: Vec<&str> =
        table().listed().map(|entry| entry.full_name).filter(|name| !valkey.contains(name)).collect();
    assert!(ours.is_empty(), "{ours:?}");
}
