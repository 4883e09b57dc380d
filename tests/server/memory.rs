//! `maxmemory`: what happens at the limit.

use crate::common::server::eventually;
use crate::common::{Client, Server, request};

/// Sets so many keys of 1000 bytes, in pipelines of 100; how many were refused.
fn fill(client: &mut Client, prefix: &str, keys: usize) -> usize {
    let value = "v".repeat(1000);
    let mut refused = 0;
    for first in (0..keys).step_by(100) {
        let requests: Vec<u8> =
            (first..first + 100).flat_map(|i| request(&["SET", &format!("{prefix}{i}"), &value])).collect();
        let replies = client.pipeline(&requests, 100);
        refused += replies.iter().filter(|reply| reply.is_error()).count();
    }
    refused
}

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.";
/// By how much the limit may be passed for a moment: what a pipeline and 64 KiB a core make.
const LEEWAY: u64 = 1 << 20;

fn used(server: &Server) -> u64 {
    server.info("used_memory").parse().unwrap()
}

#[test]
fn without_eviction_writes_are_refused_and_reads_are_not() {
    for shards in [1, 4] {
        let server = Server::with(shards, &["--maxmemory", "8mb"]);
        let mut client = server.client();
        let refused = fill(&mut client, "k", 12_000);
        assert!(refused > 3000, "{refused}");
        assert!(used(&server) < (8 << 20) + LEEWAY, "{}", used(&server));
        assert_eq!(client.say("SET x y"), OOM);
        assert_eq!(client.say("GET x"), "(nil)");
        assert_eq!(client.say("DEL k0"), ":1");
        assert_eq!(server.info("evicted_keys"), "0");
        client.say("FLUSHALL SYNC");
        assert_eq!(client.say("SET x y"), "OK");
    }
}

#[test]
fn transactions_hear_it_as_in_valkey() {
    let server = Server::start(2);
    let mut client = server.client();
    client.say("SET x y");
    assert_eq!(client.say("MULTI"), "OK");
    assert_eq!(client.say("SET x z"), "QUEUED");
    assert_eq!(server.client().say("CONFIG SET maxmemory 1"), "OK");
    assert_eq!(
        client.say("EXEC"),
        "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'."
    );
    assert_eq!(client.say("MULTI"), "OK");
    assert_eq!(client.say("GET x"), OOM);
    assert_eq!(client.say("EXEC"), "-EXECABORT Transaction discarded because of previous errors.");
    assert_eq!(client.say("GET x"), "y");
}

#[test]
fn evicting_policies_keep_the_limit_and_serve_every_write() {
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random"] {
        for shards in [1, 4] {
            let server = Server::with(shards, &["--maxmemory", "8mb", "--maxmemory-policy", policy]);
            let mut client = server.client();
            assert_eq!(fill(&mut client, "k", 20_000), 0, "{policy}");
            assert!(used(&server) < (8 << 20) + LEEWAY, "{policy}: {}", used(&server));
            let mut keys = 0;
            eventually("a key is there or was evicted", || {
                keys = client.say("DBSIZE").int();
                keys + server.info("evicted_keys").parse::<i64>().unwrap() == 20_000
            });
            assert!(keys > 4000, "{policy} on {shards} shards keeps {keys}");
        }
    }
}

#[test]
fn volatile_policies_leave_other_keys_alone() {
    for shards in [1, 4] {
        let server = Server::with(shards, &["--maxmemory", "8mb", "--maxmemory-policy", "volatile-ttl"]);
        let mut client = server.client();
        assert_eq!(fill(&mut client, "stay", 4000), 0);
        for i in 0..1000 {
            client.say(&format!("SET go{i} v EX 1000"));
        }
        assert!(fill(&mut client, "more", 8000) > 0, "what may be evicted is soon gone");
        assert_eq!(client.say("SET x y"), OOM);
        assert_eq!(server.info("evicted_keys"), "1000");
        assert_eq!(client.say("EXISTS stay0 stay3999"), ":2");
    }
}

#[test]
fn a_pause_keeps_the_data_as_it_is() {
    for shards in [1, 4] {
        let server = Server::with(shards, &["--maxmemory-policy", "allkeys-lru"]);
        let mut client = server.client();
        assert_eq!(fill(&mut client, "k", 1000), 0);
        assert_eq!(client.say("CLIENT PAUSE 100000 WRITE"), "OK");
        assert_eq!(client.say("CONFIG SET maxmemory 1"), "OK");
        assert_eq!(client.say("GET k0"), "v".repeat(1000).as_str());
        assert_eq!(client.say("DBSIZE"), ":1000");
        assert_eq!(server.info("evicted_keys"), "0");
        assert_eq!(client.say("CLIENT UNPAUSE"), "OK");
        eventually("eviction goes on", || client.say("DBSIZE").int() == 0);
    }
}

#[test]
fn a_lower_limit_evicts_in_the_background_on_all_cores_alike() {
    let server = Server::with(4, &["--maxmemory-policy", "allkeys-lru"]);
    let mut client = server.client();
    assert_eq!(fill(&mut client, "k", 20_000), 0);
    assert_eq!(client.say("CONFIG SET maxmemory 8mb"), "OK");
    eventually("the limit is kept", || used(&server) <= 8 << 20);
    let keys = |core: usize| -> i64 {
        let line = server.info(&format!("core{core}"));
        line.strip_prefix("keys=").unwrap().split(',').next().unwrap().parse().unwrap()
    };
    let all: Vec<i64> = (0..4).map(keys).collect();
    // Shards shrink in slices, so they are alike only roughly; none pays for the others.
    assert!(all.iter().max().unwrap() < &(2 * all.iter().min().unwrap()), "{all:?}");
}
