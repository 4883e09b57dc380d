//! What the loader takes, refuses and says.

use super::super::fake::Fake;
use super::*;

fn load_text(text: &str) -> Result<Loaded, Fatal> {
    load_in(text, &mut Fake::default())
}

fn load_in(text: &str, world: &mut Fake) -> Result<Loaded, Fatal> {
    world.files.insert(PathBuf::from("/start/test.conf"), text.as_bytes().to_vec());
    let request = Request { file: Some(PathBuf::from("test.conf")), ..Request::default() };
    load(&request, world)
}

fn config(text: &str) -> Config {
    match load_text(text) {
        Ok(loaded) => loaded.config,
        Err(fatal) => panic!("{fatal}"),
    }
}

/// The last line of the failure.
fn why(text: &str) -> String {
    let fatal = load_text(text).err().expect("the text is refused").to_string();
    fatal.lines().last().expect("a failure says why").to_owned()
}

fn shown(config: &Config, name: &str) -> String {
    let entry = table::lookup(name.as_bytes()).expect("the directive exists");
    String::from_utf8(entry.row.show(config)).expect("tests use text")
}

#[test]
fn comments_blank_lines_and_odd_spacing_are_fine() {
    let config = config("# c\n\n  \t port   7000 \r\n#port 1\nMaxMemory 1gb\n");
    assert_eq!((config.network.port, config.memory.maxmemory), (7000, 1 << 30));
}

#[test]
fn the_last_line_counts_but_save_adds_up() {
    assert_eq!(config("port 1\nport 2").network.port, 2);
    assert_eq!(shown(&config(""), "save"), "3600 1 300 100 60 10000");
    assert_eq!(shown(&config("save 900 1\nsave 300 10"), "save"), "900 1 300 10");
    assert_eq!(shown(&config("save 900 1\nsave \"\""), "save"), "");
    assert_eq!(shown(&config("save \"\"\nsave 5 6"), "save"), "5 6");
    assert_eq!(shown(&config("save 900 1 300 10"), "save"), "900 1 300 10");
    assert_eq!(shown(&config("save \"900 1 300 10\""), "save"), "900 1 300 10");
}

#[test]
fn aliases_set_their_directive() {
    let config = config("slave-priority 7\nslaveof host 6380\nmasterauth pw\nhash-max-ziplist-entries 9\nlua-time-limit 3");
    assert_eq!(config.replication.replica_priority, 7);
    assert_eq!(shown(&config, "replicaof"), "host 6380");
    assert_eq!(config.replication.primaryauth.reveal(), b"pw");
    assert_eq!(config.types.hash_max_listpack_entries, 9);
    assert_eq!(config.general.busy_reply_threshold, 3);
}

#[test]
fn lists_may_stand_in_one_argument() {
    let config = config("bind \"127.0.0.1 -::1\"\nshutdown-on-sigterm \"save now\"\nclient-output-buffer-limit \"pubsub 1mb 1kb 5\"");
    assert_eq!(shown(&config, "bind"), "127.0.0.1 -::1");
    assert_eq!(shown(&config, "shutdown-on-sigterm"), "save now");
    assert_eq!(config.clients.client_output_buffer_limit.pubsub.hard_bytes, 1 << 20);
}

#[test]
fn failures_name_the_line() {
    let fatal = load_text("# x\nport 7000\nmaxmemory 12x\n").err().expect("12x is no size").to_string();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "\n*** FATAL CONFIG FILE ERROR (Version {version}) ***\n\
         Reading the configuration file, at line 3\n>>> 'maxmemory 12x'\nargument must be a memory value"
    );
    assert_eq!(fatal, expected);
}

#[test]
fn each_wrong_line_has_its_reason() {
    for (line, reason) in [
        ("nosuch 1", "Bad directive or wrong number of arguments"),
        ("maxmemory", "wrong number of arguments"),
        ("maxmemory 1 2", "wrong number of arguments"),
        ("port \"1", "Unbalanced quotes in configuration line"),
        ("port 70000", "argument must be between 0 and 65535 inclusive"),
        ("include", "Bad directive or wrong number of arguments"),
        ("rename-command a", "Bad directive or wrong number of arguments"),
        ("replicaof 1", "wrong number of arguments"),
        ("replicaof a 70000", "Invalid primary port"),
        ("sentinel monitor x", "sentinel directive while not in sentinel mode"),
        ("save 1", "Invalid save parameters"),
        ("user", "Bad directive or wrong number of arguments"),
        ("foo.bar", "Module config specified without value"),
        ("foo.bar 1", "Ringkey does not run modules"),
        ("loadmodule /x.so", "Ringkey does not run modules"),
        ("dir /nosuch", "No such file or directory"),
        ("logfile /nosuch/x", "Can't open the log file: No such file or directory"),
        ("dynamic-hz", "Bad directive or wrong number of arguments"),
        ("cluster-enabled yes\nreplicaof a 1", "replicaof directive not allowed in cluster mode"),
        ("shard-cpus 3-1", "argument must be a CPU list such as 0-3,8"),
    ] {
        assert_eq!(why(line), reason, "{line}");
    }
}

#[test]
fn passwords_and_control_characters_stay_out_of_failures() {
    for line in ["requirepass \"hunter2", "primaryauth hunter2 x", "user \"bob on >hunter2", "masterauth 'hunter2"] {
        let text = load_text(line).err().expect("the line is refused").to_string();
        assert!(!text.contains("hunter2"), "{text}");
    }
    let text = load_text("nosuch \u{1b}[31m").err().expect("the line is refused").to_string();
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_missing_file_is_named_by_its_absolute_path() {
    let request = Request { file: Some(PathBuf::from("no.conf")), ..Request::default() };
    let fatal = load(&request, &mut Fake::default()).err().expect("there is no such file");
    assert_eq!(fatal.to_string(), "Fatal error, can't open config file '/start/no.conf': No such file or directory");
}

#[test]
fn included_files_stand_where_they_are_named_and_patterns_may_name_none() {
    let mut world = Fake::with(&[("/etc/d/a.conf", "port 1"), ("/etc/d/b.conf", "\nport 2\nhz 20\n"), ("/etc/c.conf", "port 3")]);
    let port = |text: &str, world: &mut Fake| load_in(text, world).map(|loaded| loaded.config.network.port);
    assert_eq!(port("include /etc/c.conf\n", &mut world), Ok(3));
    assert_eq!(port("include /etc/c.conf\nport 9", &mut world), Ok(9));
    assert_eq!(port("port 9\ninclude /etc/none/*.conf", &mut world), Ok(9));
    assert!(matches!(port("include /etc/none.conf", &mut world), Err(Fatal::Open { .. })));
    // Two files of a pattern are read as one text, so the first needs its last newline.
    world.files.insert(PathBuf::from("/etc/d/a.conf"), b"port 1\n".to_vec());
    assert_eq!(port("include /etc/d/*.conf", &mut world), Ok(2));
}

#[test]
fn files_that_include_each_other_end() {
    let mut world = Fake::with(&[("/a", "include /b"), ("/b", "include /a")]);
    let fatal = load_in("include /a", &mut world).err().expect("the files have no end");
    assert!(fatal.to_string().ends_with("Too many files include each other"));
}

#[test]
fn options_come_after_stdin_and_stdin_after_the_file() {
    let mut world = Fake::with(&[("/start/a.conf", "port 1\nhz 11\ntimeout 1")]);
    world.stdin = b"port 2\nhz 12".to_vec();
    let request = Request { file: Some(PathBuf::from("a.conf")), stdin: true, options: b"port \"3\" ".to_vec() };
    let config = load(&request, &mut world).ok().expect("all lines are right").config;
    assert_eq!((config.network.port, config.general.hz, config.network.timeout), (3, 12, 1));
}

#[test]
fn users_and_renames_are_handed_on_with_their_place() {
    let loaded = load_text("user bob on >pw ~*\nrename-command CONFIG \"\"").ok().expect("both lines are right");
    assert_eq!(loaded.users[0].words[0], b"bob");
    assert_eq!((loaded.renames[0].from.as_slice(), loaded.renames[0].to.as_slice()), (b"CONFIG".as_slice(), b"".as_slice()));
    let text = loaded.users[0].place.fatal("no").to_string();
    assert!(text.contains("at line 1\n>>> 'user bob on (redacted) ~*'\nno"), "{text}");
}

#[test]
fn what_has_no_effect_is_told_once_and_only_when_it_was_changed() {
    let loaded = load_text("io-threads 4\nio-threads 4\nrdma-port 0\ndynamic-hz yes").ok().expect("all are accepted");
    assert_eq!(
        loaded.notices,
        [
            "'dynamic-hz' is accepted for older files and does nothing: an idle core sleeps until something happens",
            "'io-threads' is accepted and has no effect: Ringkey runs one event loop per shard, see shards",
        ]
    );
}

#[test]
fn the_folder_is_entered_where_its_line_stands() {
    let mut world = Fake::default();
    let loaded = load_in("dir data", &mut world).ok().expect("the folder exists");
    assert_eq!(shown(&loaded.config, "dir"), "/start/data");
    assert_eq!(shown(&config(""), "dir"), "/start");
}

/// Lines as they stand, commented or not, in the files that Redis 6 to 8 and Valkey 7 to 9 ship.
const STOCK: &str = r#"
bind 127.0.0.1 -::1
bind * -::*
protected-mode yes
enable-protected-configs no
enable-debug-command local
enable-module-command no
port 6379
tcp-backlog 511
unixsocket /run/redis.sock
unixsocketgroup wheel
unixsocketperm 700
timeout 0
tcp-keepalive 300
socket-mark-id 0
tls-port 6379
tls-cert-file redis.crt
tls-key-file redis.key
tls-key-file-pass secret
tls-client-cert-file client.crt
tls-client-key-file client.key
tls-client-key-file-pass secret
tls-dh-params-file redis.dh
tls-ca-cert-file ca.crt
tls-ca-cert-dir /etc/ssl/certs
tls-auth-clients optional
tls-auth-clients-user CN
tls-replication yes
tls-cluster yes
tls-protocols "TLSv1.2 TLSv1.3"
tls-ciphers DEFAULT:!MEDIUM
tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256
tls-prefer-server-ciphers yes
tls-session-caching no
tls-session-cache-size 5000
tls-session-cache-timeout 60
daemonize no
supervised auto
pidfile /var/run/redis_6379.pid
loglevel notice
logfile ""
syslog-enabled no
syslog-ident redis
syslog-facility local0
crash-log-enabled no
crash-memcheck-enabled no
databases 16
always-show-logo no
set-proc-title yes
proc-title-template "{title} {listen-addr} {server-mode}"
locale-collate ""
save 3600 1 300 100 60 10000
save 900 1
save ""
stop-writes-on-bgsave-error yes
rdbcompression yes
rdbchecksum yes
sanitize-dump-payload no
dbfilename dump.rdb
rdb-del-sync-files no
dir ./
replica-serve-stale-data yes
replica-read-only yes
repl-diskless-sync yes
repl-diskless-sync-delay 5
repl-diskless-sync-max-replicas 0
repl-diskless-load disabled
repl-ping-replica-period 10
repl-timeout 60
repl-disable-tcp-nodelay no
repl-backlog-size 1mb
repl-backlog-ttl 3600
replica-priority 100
propagation-error-behavior ignore
replica-ignore-disk-write-errors no
replica-announced yes
min-replicas-to-write 3
min-replicas-max-lag 10
replica-announce-ip 5.5.5.5
replica-announce-port 1234
tracking-table-max-keys 1000000
user worker +@list +@connection ~jobs:* on >ffa9203c493aa99
acllog-max-len 128
aclfile /etc/redis/users.acl
requirepass foobared
acl-pubsub-default resetchannels
rename-command CONFIG ""
maxclients 10000
maxmemory 100mb
maxmemory-policy noeviction
maxmemory-samples 5
maxmemory-eviction-tenacity 10
maxmemory-clients 5%
replica-ignore-maxmemory yes
active-expire-effort 1
lazyfree-lazy-eviction no
lazyfree-lazy-expire no
lazyfree-lazy-server-del no
replica-lazy-flush no
lazyfree-lazy-user-del no
lazyfree-lazy-user-flush no
io-threads 4
io-threads-do-reads no
oom-score-adj no
oom-score-adj-values 0 200 800
disable-thp yes
appendonly no
appendfilename "appendonly.aof"
appenddirname "appendonlydir"
appendfsync everysec
no-appendfsync-on-rewrite no
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
aof-load-truncated yes
aof-use-rdb-preamble yes
aof-timestamp-enabled no
shutdown-timeout 10
shutdown-on-sigint default
shutdown-on-sigterm default
lua-time-limit 5000
busy-reply-threshold 5000
cluster-enabled yes
cluster-config-file nodes-6379.conf
cluster-node-timeout 15000
cluster-port 0
cluster-replica-validity-factor 10
cluster-migration-barrier 1
cluster-allow-replica-migration yes
cluster-require-full-coverage yes
cluster-replica-no-failover no
cluster-allow-reads-when-down no
cluster-allow-pubsubshard-when-down yes
cluster-link-sendbuf-limit 0
cluster-announce-hostname ""
cluster-announce-human-nodename ""
cluster-preferred-endpoint-type ip
cluster-compatibility-sample-ratio 0
cluster-announce-ip 10.1.1.5
cluster-announce-tls-port 6379
cluster-announce-port 0
cluster-announce-bus-port 6380
slowlog-log-slower-than 10000
slowlog-max-len 128
latency-monitor-threshold 0
latency-tracking yes
latency-tracking-info-percentiles 50 99 99.9
notify-keyspace-events Elg
notify-keyspace-events ""
gopher-enabled no
hash-max-listpack-entries 512
hash-max-ziplist-value 64
list-max-listpack-size -2
list-max-ziplist-size -2
list-compress-depth 0
set-max-intset-entries 512
set-max-listpack-entries 128
set-max-listpack-value 64
zset-max-ziplist-entries 128
zset-max-listpack-value 64
hll-sparse-max-bytes 3000
stream-node-max-bytes 4096
stream-node-max-entries 100
activerehashing yes
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit slave 256mb 64mb 60
client-output-buffer-limit replica 256mb 64mb 60
client-output-buffer-limit pubsub 32mb 8mb 60
client-query-buffer-limit 1gb
max-new-connections-per-cycle 10
max-new-tls-connections-per-cycle 1
proto-max-bulk-len 512mb
hz 10
dynamic-hz yes
aof-rewrite-incremental-fsync yes
rdb-save-incremental-fsync yes
lfu-log-factor 10
lfu-decay-time 1
active-defrag-ignore-bytes 100mb
active-defrag-threshold-lower 10
active-defrag-threshold-upper 100
active-defrag-cycle-min 1
active-defrag-cycle-max 25
active-defrag-max-scan-fields 1000
jemalloc-bg-thread yes
server_cpulist 0-7:2
bio_cpulist 1,3
aof_rewrite_cpulist 8-11
bgsave_cpulist 1,10-11
server-cpulist 0-7:2
ignore-warnings ARM64-COW-BUG
lua-replicate-commands yes
replica-full-sync-buffer-limit 0
repl-rdb-channel no
lookahead 16
hide-user-data-from-log yes
log-format legacy
log-timestamp-format legacy
rdma-port 6379
rdma-bind 192.168.1.100
rdma-rx-size 1048576
rdma-completion-vector 0
commandlog-request-larger-than 1048576
import-mode no
dual-channel-replication-enabled no
extended-redis-compatibility no
availability-zone "zone-name"
"#;

#[test]
fn every_line_of_the_stock_files_is_accepted() {
    for line in STOCK.lines() {
        assert!(load_text(line).is_ok(), "{line}: {}", why(line));
    }
    assert!(load_text(STOCK).is_ok(), "{}", why(STOCK));
}

/// Numbers from a seed, so that a failure can be repeated.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("below a usize")
    }
}

#[test]
fn no_text_makes_the_loader_panic() {
    let lines: Vec<&str> = STOCK.lines().collect();
    let splices: [&[u8]; 16] = [
        b"\"", b"'", b"\\", b"\\x4", b"\0", b"\n", b" ", b"-1", b"99999999999999999999", b"%", b"gb", b"\xff", b"{", b"*",
        b"", b"nan",
    ];
    for seed in 1..4000 {
        let mut random = Seeded(seed);
        let mut text = lines[random.next(lines.len())].as_bytes().to_vec();
        for _ in 0..=random.next(4) {
            let at = random.next(text.len() + 1);
            let end = (at + random.next(4)).min(text.len());
            text.splice(at..end, splices[random.next(splices.len())].iter().copied());
        }
        let mut world = Fake::default();
        world.files.insert(PathBuf::from("/start/test.conf"), text.clone());
        let request = Request { file: Some(PathBuf::from("test.conf")), ..Request::default() };
        match load(&request, &mut world) {
            // What was taken can be shown and set again.
            Ok(loaded) => assert!(super::super::store::get(&loaded.config, &[b"*"]).len() > 200),
            Err(fatal) => assert!(!fatal.to_string().is_empty(), "seed {seed}"),
        }
    }
}
