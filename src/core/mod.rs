//! One per CPU: the loop that ties the rooms together.
//!
//! A core owns a shard, its clients' connections and its end of the mesh. Its life is turns: completions in, messages in,
//! requests run, house-keeping, everything flushed out ([`turn`]). Nothing in a turn waits.
//!
//! [`Center`] is all of a core but its sockets: what happens in it is decided by what goes in, so the simulator can run
//! whole cores. [`turn::Core`] puts it on an [`crate::runtime::Io`].
//!
//! | file | what |
//! |---|---|
//! | `turn.rs` | the loop: events and messages in, sends and batches out |
//! | `serve.rs` | a connection's bytes to requests to routes |
//! | `call.rs` | the only caller of `Shard::execute` |
//! | `commit.rs` | THE TAP: what a call did, for those who must know |
//! | `owner.rs` | this shard's side of other cores' calls and transactions |
//! | `multi.rs`, `assembly.rs` | MULTI, EXEC, and putting EXEC's reply together |
//! | `query.rs`, `gather.rs` | asking all cores |
//! | `report.rs`, `world.rs` | what a core tells INFO; what CONFIG SET changes outside the configuration |
//! | `block.rs` | clients that wait for replicas (WAIT) |
//! | `script/` | scripts and functions |
//! | `keywait.rs`, `waiters.rs` | clients that wait for keys (BLPOP ...), and the table of them |
//! | `clients.rs` | the table of connections: coming, going, limits |
//! | `rights.rs` | what clients may do: denials, and changes of users |
//! | `memory.rs` | `maxmemory`: making room, refusing |
//! | `notify.rs` | keyspace events |
//! | `monitor.rs` | MONITOR |
//! | `publish.rs` | PUBLISH, and telling all cores who listens |
//! | `push.rs` | frames for connections of any core: messages, invalidations, MONITOR |
//! | `track.rs` | client-side caching: reads remembered, changes told |
//! | `message.rs` | what cores say to each other |
//! | `shared.rs` | the few things cores share |

pub mod assembly;
pub mod block;
pub mod call;
pub mod clients;
pub mod commit;
pub mod gather;
pub mod keywait;
pub mod memory;
pub mod message;
pub mod monitor;
pub mod multi;
pub mod notify;
pub mod owner;
pub mod publish;
pub mod push;
pub mod query;
pub mod report;
pub mod rights;
pub mod script;
pub mod serve;
pub mod shared;
pub mod track;
pub mod turn;
pub mod waiters;
pub mod world;

use crate::acl::Users;
use crate::config::choices::{MaxmemoryPolicy, RdbVersionCheck};
use crate::config::{Config, Reader};
use crate::coordinator::messages::{Answer, Request};
use crate::coordinator::transaction::Coordinator;
use crate::mesh::Endpoint;
use crate::runtime::ConnId;
use crate::stats::Stats;
use crate::stats::latency::Latency;
use crate::stats::slowlog::{CallLog, SlowCall};
use waiters::Waiters;
use clients::Clients;
use message::Message;
use owner::Waiting;
use query::Gather;
use shards::args::Span;
use shards::shard::Shard;
use shards::txn::locks::TxId;
use shared::Shared;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The client a transaction is for.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Its connection.
    pub conn: ConnId,
    /// Where the reply belongs.
    pub ticket: u64,
    /// It is an EXEC, whose replies are an array.
    pub exec: bool,
    /// It has waited already.
    pub waits: bool,
}

/// What a core wants of its sockets; carried out at the end of the turn.
#[derive(Debug)]
pub enum Action {
    /// Close.
    Close(ConnId),
    /// Take no more input until `Resume`.
    Pause(ConnId),
    /// Take input again.
    Resume(ConnId),
    /// Accept TCP connections from these sockets instead of the former ones.
    Listen(Vec<std::os::fd::OwnedFd>),
    /// Take over a connection handed to this core.
    Adopt {
        /// The socket.
        fd: std::os::fd::OwnedFd,
        /// It came through a unix socket.
        unix: bool,
    },
}

/// Numbers of the configuration that every call looks at.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Ticks from which on a call is slow; `u64::MAX`: never.
    pub slow_ticks: u64,
    /// Bytes from which on a reply is large.
    pub reply_bytes: u64,
    /// Bytes from which on a request is large.
    pub request_bytes: u64,
    /// Unread output from which on a client's further requests wait.
    pub unread_bytes: usize,
    /// Ticks from which on an event enters the latency monitor; `u64::MAX`: never.
    pub latency_ticks: u64,
    /// The duration of every call is counted.
    pub track_calls: bool,
    /// Writes are refused: `min-replicas-to-write` asks for replicas, and there are none.
    pub lacks_replicas: bool,
}

/// Unread output of a client without limits from which on its further requests wait.
const UNREAD_BYTES_MAX: usize = 64 << 20;

/// All of a core but its sockets.
pub struct Center {
    /// Number of this core and its shard.
    pub id: usize,
    /// Number of cores.
    pub cores: usize,
    /// The shard.
    pub shard: Shard,
    /// Its clients.
    pub clients: Clients,
    /// Its end of the mesh.
    pub mesh: Endpoint<Message>,
    /// What cores share.
    pub shared: Arc<Shared>,
    /// The configuration.
    pub config: Arc<Config>,
    reader: Reader,
    /// The users, as of the last change taken up.
    pub users: Arc<Users>,
    /// Counters.
    pub stats: Stats,
    /// How far they were of late.
    history: crate::stats::rate::History,
    /// What took long.
    pub latency: Latency,
    /// SLOWLOG and COMMANDLOG, by kind.
    pub logs: [CallLog; 3],
    /// Unread output from which on a client's limits are looked at; DEBUG CLIENT-ENFORCE-REPLY-LIST makes it none.
    pub look_at_output_bytes: usize,
    /// What it knows of `maxmemory`.
    pub room: memory::Room,
    /// Time of this turn, unix milliseconds.
    pub now_ms: i64,
    /// Thresholds of the call logs.
    pub thresholds: Thresholds,
    /// DEBUG PAUSE-CRON.
    pub ticks_paused: bool,
    /// DEBUG SLEEP: since when and how long this core is to sleep, at the end of its turn.
    pub sleeps: Vec<(std::time::Instant, std::time::Duration)>,
    /// Clients may not run commands (CLIENT PAUSE) until then; writes only if `.1`.
    pub paused: Option<(i64, bool)>,
    /// Clients in MONITOR, of all cores.
    pub monitors: Vec<monitor::Monitor>,
    /// What listeners at the tap want to be told.
    pub wants: shards::effects::Wants,
    /// Which keyspace events are published.
    notify: crate::config::specials::NotifyFlags,
    coordinator: Coordinator<Client>,
    gathers: HashMap<u64, Gather>,
    next_gather: u64,
    waiting: HashMap<TxId, Waiting>,
    blocked: Vec<block::Blocked>,
    /// Clients that wait for keys.
    pub waiters: Waiters,
    /// Scripts.
    pub scripts: script::Scripts,
    /// Batches of this turn, by core.
    calls_out: Vec<Vec<u8>>,
    replies_out: Vec<Vec<u8>>,
    pushes_out: Vec<Vec<u8>>,
    /// Pushes for connections that were not in the table.
    strays: Vec<u8>,
    /// Connections to be closed as soon as nobody is in the middle of something.
    doomed: Vec<ConnId>,
    /// Who listens to which channel; away while a message is delivered.
    pubsub: Option<Box<crate::pubsub::PubSub>>,
    /// Client-side caching.
    pub tracker: track::Tracker,
    spare: Vec<Vec<u8>>,
    loopback: VecDeque<Message>,
    actions: Vec<Action>,
    /// Connections whose stall ended: their input goes on.
    ready: Vec<ConnId>,
    /// Transactions that had nothing to lock.
    finished_early: Vec<crate::coordinator::transaction::Finished<Client>>,
    /// Connections with output.
    dirty: Vec<ConnId>,
    /// A call of this moment that belongs into a log.
    slow: Option<Box<SlowCall>>,
    /// Scratch space, empty between uses.
    batch: serve::Batch,
    spans: Vec<Span>,
    key_indexes: Vec<usize>,
    scratch: Vec<u8>,
    /// The core is to end its loop.
    pub stopping: bool,
    rng: shards::stdx::prng::Prng,
}

impl Center {
    /// A core's center.
    pub fn new(id: usize, seed: u64, mesh: Endpoint<Message>, shared: Arc<Shared>) -> Center {
        let reader = shared.reader();
        let config = Arc::clone(reader.config());
        let cores = mesh.cores();
        let users = shared.users();
        let databases = usize::try_from(config.general.databases).unwrap_or(16);
        let mut center = Center {
            id,
            cores,
            shard: Shard::new(id, cores, databases, seed),
            clients: Clients::default(),
            mesh,
            shared,
            config,
            reader,
            users,
            stats: Stats::default(),
            history: Default::default(),
            logs: Default::default(),
            latency: Latency::default(),
            look_at_output_bytes: clients::LOOK_AT_OUTPUT_BYTES,
            room: Default::default(),
            now_ms: crate::stats::clock::unix_ms(),
            thresholds: Thresholds {
                slow_ticks: u64::MAX,
                reply_bytes: u64::MAX,
                request_bytes: u64::MAX,
                latency_ticks: u64::MAX,
                track_calls: true,
                lacks_replicas: false,
                unread_bytes: usize::MAX,
            },
            paused: None,
            ticks_paused: false,
            sleeps: Vec::new(),
            monitors: Vec::new(),
            wants: Default::default(),
            notify: Default::default(),
            coordinator: Coordinator::new(cores),
            gathers: HashMap::new(),
            next_gather: 0,
            waiting: HashMap::new(),
            blocked: Vec::new(),
            waiters: Waiters::default(),
            scripts: script::Scripts::default(),
            calls_out: vec![Vec::new(); cores],
            replies_out: vec![Vec::new(); cores],
            pushes_out: vec![Vec::new(); cores],
            strays: Vec::new(),
            doomed: Vec::new(),
            pubsub: Some(Box::new(crate::pubsub::PubSub::new(seed))),
            tracker: track::Tracker::new(cores),
            spare: Vec::new(),
            loopback: VecDeque::new(),
            actions: Vec::new(),
            ready: Vec::new(),
            finished_early: Vec::new(),
            dirty: Vec::new(),
            slow: None,
            batch: serve::Batch::default(),
            spans: Vec::new(),
            key_indexes: Vec::new(),
            scratch: Vec::new(),
            stopping: false,
            rng: shards::stdx::prng::Prng::new(seed ^ 0x5eed),
        };
        center.apply_config();
        center
    }

    /// Takes the newest configuration if there is a newer one.
    pub fn refresh_config(&mut self) {
        if self.reader.refresh() {
            self.config = Arc::clone(self.reader.config());
            self.apply_config();
        }
    }

    fn apply_config(&mut self) {
        let config = Arc::clone(&self.config);
        self.apply_memory_config(&config);
        self.apply_notify_config();
        let c = &self.config;
        // A log that keeps nothing needs nothing noted.
        let threshold = |n: i64, len_max: u64| u64::try_from(n).ok().filter(|_| len_max > 0).unwrap_or(u64::MAX);
        let output = &c.clients.client_output_buffer_limit.normal;
        let unlimited = output.hard_bytes == 0 && output.soft_bytes == 0;
        let w = &c.watch;
        let slow_us = threshold(w.commandlog_execution_slower_than, w.commandlog_slow_execution_max_len);
        let to_ticks = |us: u64| (us as f64 * crate::stats::clock::ticks_per_us()) as u64;
        self.thresholds = Thresholds {
            slow_ticks: if slow_us == u64::MAX { u64::MAX } else { to_ticks(slow_us) },
            reply_bytes: threshold(w.commandlog_reply_larger_than, w.commandlog_large_reply_max_len),
            request_bytes: threshold(w.commandlog_request_larger_than, w.commandlog_large_request_max_len),
            // Where there is a limit, the client is to meet it.
            unread_bytes: if unlimited { UNREAD_BYTES_MAX } else { usize::MAX },
            latency_ticks: match u64::try_from(w.latency_monitor_threshold) {
                Ok(ms @ 1..) => to_ticks(ms.saturating_mul(1000)),
                _ => u64::MAX,
            },
            track_calls: w.latency_tracking,
            lacks_replicas: c.replication.min_replicas_to_write > 0 && c.replication.min_replicas_max_lag > 0,
        };
        self.shard.keyspace.keep_expired = c.general.import_mode;
        let limits = shards::exec::Limits {
            string_bytes_max: usize::try_from(c.clients.proto_max_bulk_len).unwrap_or(usize::MAX),
            lazy_user_del: c.lazyfree.lazyfree_lazy_user_del,
            lazy_user_flush: c.lazyfree.lazyfree_lazy_user_flush,
            hash_entries_max: usize::try_from(c.types.hash_max_listpack_entries).unwrap_or(usize::MAX),
            hash_value_max: usize::try_from(c.types.hash_max_listpack_value).unwrap_or(usize::MAX),
            zset_entries_max: usize::try_from(c.types.zset_max_listpack_entries).unwrap_or(usize::MAX),
            zset_value_max: usize::try_from(c.types.zset_max_listpack_value).unwrap_or(usize::MAX),
            lazy_server_del: c.lazyfree.lazyfree_lazy_server_del,
            hll_sparse_bytes_max: usize::try_from(c.types.hll_sparse_max_bytes).unwrap_or(usize::MAX),
            set: shards::types::set::SetLimits {
                intset_entries: usize::try_from(c.types.set_max_intset_entries).unwrap_or(usize::MAX),
                listpack_entries: usize::try_from(c.types.set_max_listpack_entries).unwrap_or(usize::MAX),
                listpack_value: usize::try_from(c.types.set_max_listpack_value).unwrap_or(usize::MAX),
                seed: 0,
            },
            // Both directives are 32-bit numbers in their rows.
            list: shards::types::list::Shape {
                fill: c.types.list_max_listpack_size as i32,
                depth: c.types.list_compress_depth as u32,
                large_from: 0,
            },
            stream_node: shards::types::stream::NodeLimits {
                bytes_max: usize::try_from(c.types.stream_node_max_bytes).unwrap_or(usize::MAX),
                entries_max: u64::try_from(c.types.stream_node_max_entries).unwrap_or(0),
            },
            compress_dumps: c.snapshot.rdbcompression,
            dump_checks: shards::rdb::payload::Checks {
                relaxed: c.snapshot.rdb_version_check == RdbVersionCheck::Relaxed,
                skip_checksum: false,
            },
        };
        self.shard.set_limits(limits);
        self.shard.keyspace.access = shards::keyspace::access::AccessPolicy {
            lfu: matches!(c.memory.maxmemory_policy, MaxmemoryPolicy::AllkeysLfu | MaxmemoryPolicy::VolatileLfu),
            log_factor: u32::try_from(c.memory.lfu_log_factor).unwrap_or(u32::MAX),
            decay_minutes: u32::try_from(c.memory.lfu_decay_time).unwrap_or(u32::MAX),
        };
    }

    /// Checks what must hold whenever no turn runs; for tests and simulation.
    pub fn check_invariants(&self) {
        self.shard.check_invariants();
        assert!(self.finished_early.is_empty(), "a turn ends what had nothing to lock");
    }

    /// True if no transaction, no question and no lock is under way and nobody watches a key or waits for one.
    pub fn is_quiet(&self) -> bool {
        let open = self.scripts.is_busy() || !self.coordinator.is_empty() || !self.gathers.is_empty() || !self.waiting.is_empty() || !self.loopback.is_empty();
        let waited_for = !self.waiters.is_empty() || !self.shard.keyspace.blocked.is_empty();
        !open && !waited_for && self.shard.locks.is_empty() && self.shard.keyspace.watch.is_empty()
    }

    /// Sends a message to a core, this one included; behind what was batched for it.
    pub fn send(&mut self, core: usize, message: Message) {
        if core == self.id {
            self.loopback.push_back(message);
            return;
        }
        self.post_batches(core);
        self.mesh.post(core, message);
    }

    fn request(&mut self, core: usize, request: Request) {
        self.send(core, Message::Request(Box::new(request)));
    }

    fn answer(&mut self, core: usize, answer: Answer) {
        self.send(core, Message::Answer(Box::new(answer)));
    }

    /// Hands this turn's batches for a core to the mesh.
    fn post_batches(&mut self, core: usize) {
        debug_assert!(core != self.id || self.replies_out[core].is_empty() && self.calls_out[core].is_empty());
        let kinds: [(&mut Vec<Vec<u8>>, fn(Vec<u8>) -> Message); 3] = [
            (&mut self.calls_out, Message::Calls),
            (&mut self.replies_out, Message::Replies),
            (&mut self.pushes_out, Message::Pushes),
        ];
        for (batches, message) in kinds {
            if !batches[core].is_empty() {
                let next = self.spare.pop().unwrap_or_default();
                let batch = std::mem::replace(&mut batches[core], next);
                self.mesh.post(core, message(batch));
            }
        }
        if let Some(notices) = self.tracker.outgoing(core) {
            self.mesh.post(core, notices);
        }
    }

    /// Keeps an empty buffer for a later batch, unless it is huge or there are plenty.
    fn recycle(&mut self, mut buffer: Vec<u8>) {
        /// Buffers kept, and the size from which one is given back.
        const KEEP: usize = 32;
        const KEEP_BYTES: usize = 256 << 10;
        if self.spare.len() < KEEP && buffer.capacity() <= KEEP_BYTES {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}
