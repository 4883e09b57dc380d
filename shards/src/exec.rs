//! What a running command may see: its arguments, the time, randomness, limits, the keyspace and its reply.
//!
//! Nothing else exists for a command: no socket, no clock, no other shard. That is what makes a call atomic, and what
//! lets tests, fuzzers and simulators run it without a server.

use crate::args::Args;
use crate::error::{self, CommandError};
use crate::keyspace::space::Found;
use crate::keyspace::{EntryMut, Keyspace};
use crate::rdb::payload::Checks;
use crate::reply::Reply;
use crate::stdx::number;
use crate::stdx::prng::Prng;
use crate::types::set::SetLimits;
use crate::types::list;
use crate::types::stream::NodeLimits;
use std::ops::Range;

/// Limits and thresholds of the configuration that commands ask for. Copied into each shard when they change.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `proto-max-bulk-len`: the longest string, bytes.
    pub string_bytes_max: usize,
    /// `lazyfree-lazy-user-del`: DEL frees as UNLINK does.
    pub lazy_user_del: bool,
    /// `lazyfree-lazy-user-flush`: FLUSHALL without SYNC or ASYNC is asynchronous.
    pub lazy_user_flush: bool,
    /// `hash-max-listpack-entries`: fields of a small hash.
    pub hash_entries_max: usize,
    /// `hash-max-listpack-value`: bytes of the longest field or value in it.
    pub hash_value_max: usize,
    /// `zset-max-listpack-entries`: elements of a small sorted set.
    pub zset_entries_max: usize,
    /// `zset-max-listpack-value`: bytes of the longest member in it.
    pub zset_value_max: usize,
    /// `lazyfree-lazy-server-del`: what a command empties is propagated as UNLINK.
    pub lazy_server_del: bool,
    /// `hll-sparse-max-bytes`: the longest sparse HyperLogLog.
    pub hll_sparse_bytes_max: usize,
    /// `set-max-*`: up to where sets stay compact. The seed in it is the shard's own.
    pub set: SetLimits,
    /// `list-max-listpack-size` and `list-compress-depth`. What DEBUG set in it stays when the rest is replaced.
    pub list: list::Shape,
    /// `stream-node-max-bytes` and `stream-node-max-entries`.
    pub stream_node: NodeLimits,
    /// `rdbcompression`: DUMP compresses long strings.
    pub compress_dumps: bool,
    /// `rdb-version-check` and what DEBUG made of it: which payloads RESTORE takes.
    pub dump_checks: Checks,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            string_bytes_max: 512 << 20,
            lazy_user_del: true,
            lazy_user_flush: true,
            hash_entries_max: 512,
            hash_value_max: 64,
            zset_entries_max: 128,
            zset_value_max: 64,
            lazy_server_del: true,
            hll_sparse_bytes_max: 3000,
            set: SetLimits::default(),
            list: list::Shape::default(),
            stream_node: NodeLimits::default(),
            compress_dumps: true,
            dump_checks: Checks::default(),
        }
    }
}

/// What a call waits for that found nothing ([`Exec::block_on`]).
#[derive(Clone, Debug)]
pub struct Block {
    /// The keys that may wake it.
    pub keys: Vec<Box<[u8]>>,
    /// When it gives up and answers a null array, unix milliseconds; `None`: never.
    pub deadline_ms: Option<i64>,
    /// The call to run instead when a key has changed (XREAD: `$` has become an id); `None`: the same.
    pub retry: Option<Vec<Box<[u8]>>>,
}

/// What puts back what a blocking call took, should its client be gone before the answer has left the server.
#[derive(Clone, Debug)]
pub struct PutBack {
    /// Database.
    pub db: u32,
    /// Calls, all of one key: the first argument of each is the command, the second the key.
    pub calls: Vec<Vec<Box<[u8]>>>,
}

/// What a shard has beside its keyspace.
pub struct Env {
    /// Number of this shard.
    pub shard: usize,
    /// Number of shards.
    pub shards: usize,
    /// Limits.
    pub limits: Limits,
    /// Randomness of commands (RANDOMKEY, SPOP ...).
    pub rng: Prng,
    /// The running call may wait for its keys (it does not stand in an EXEC or a script).
    pub may_block: bool,
    /// What the running call waits for.
    pub block: Option<Box<Block>>,
    /// What undoes it.
    pub put_back: Option<Box<PutBack>>,
}

impl Env {
    /// The same with the keys of the values' hashes drawn.
    pub(crate) fn seeded(mut self) -> Env {
        self.limits.set.seed = self.rng.next_u64();
        self
    }
}

/// One running call.
pub struct Exec<'a> {
    /// The arguments; the first is the command's name.
    pub argv: Args<'a>,
    /// The client's database.
    pub db: u32,
    /// The keyspace.
    pub ks: &'a mut Keyspace,
    /// The reply.
    pub reply: Reply<'a>,
    /// Limits, randomness, place.
    pub env: &'a mut Env,
}

impl<'a> Exec<'a> {
    /// Number of arguments, the name included.
    #[inline]
    pub fn argc(&self) -> usize {
        self.argv.len()
    }

    /// An argument.
    #[inline]
    pub fn arg(&self, i: usize) -> &'a [u8] {
        self.argv.get(i)
    }

    /// True if argument `i` is `word`, whatever its case.
    #[inline]
    pub fn arg_is(&self, i: usize, word: &str) -> bool {
        self.argv.get(i).eq_ignore_ascii_case(word.as_bytes())
    }

    /// An argument as a 64-bit integer, by Valkey's strict rules.
    pub fn int(&self, i: usize) -> Result<i64, CommandError> {
        number::parse_i64(self.argv.get(i)).ok_or(error::NOT_AN_INTEGER)
    }

    /// An argument as the number of a database.
    pub fn database(&self, i: usize) -> Result<u32, CommandError> {
        let n = i32::try_from(self.int(i)?).map_err(|_| {
            CommandError::Static("ERR value is out of range, value must between -2147483648 and 2147483647")
        })?;
        self.database_numbered(n)
    }

    /// The database of this number, if there is one.
    pub fn database_numbered(&self, n: i32) -> Result<u32, CommandError> {
        let exists = |n: &u32| (*n as usize) < self.ks.databases();
        u32::try_from(n).ok().filter(exists).ok_or(error::NO_SUCH_DATABASE)
    }

    /// The time of the call, unix milliseconds.
    #[inline]
    pub fn now_ms(&self) -> i64 {
        self.ks.now_ms()
    }

    /// Finds a key of the client's database for reading.
    #[inline]
    pub fn read(&mut self, key: &[u8]) -> Option<Found<'_>> {
        self.ks.read(self.db, key)
    }

    /// The gate to a key of the client's database.
    #[inline]
    pub fn entry<'k>(&'k mut self, key: &'k [u8]) -> EntryMut<'k> {
        self.ks.entry_mut(self.db, key)
    }

    /// Propagates the call as this instead of verbatim; may be called several times.
    pub fn propagate_as(&mut self, argv: &[&[u8]]) {
        self.ks.effects.op(self.db, argv);
        self.ks.effects.set_rewritten();
    }

    /// Propagates the call as it is although perhaps nothing changed (FLUSHALL of an empty server).
    pub fn propagate_verbatim(&mut self) {
        self.ks.effects.op_verbatim(self.db, self.argv);
        self.ks.effects.set_rewritten();
    }

    /// Whether the call may wait: not inside EXEC or a script, where it must answer what it has.
    pub fn may_block(&self) -> bool {
        self.env.may_block
    }

    /// Has the call wait until one of the keys changes, and then be run again. It has answered nothing and changed no
    /// value (XREADGROUP may have made its consumer, which stays), and may block.
    pub fn block_on(&mut self, block: Block) {
        assert!(self.env.may_block, "the command asked");
        self.env.block = Some(Box::new(block));
    }

    /// Says what puts back what the call took, for a client that waits and may be gone when the answer comes. Where
    /// nothing can wait, there is nobody to be gone.
    pub fn put_back_by(&mut self, argv: &[&[u8]]) {
        if self.env.may_block {
            let none = PutBack { db: self.db, calls: Vec::new() };
            let put_back = self.env.put_back.get_or_insert_with(|| Box::new(none));
            put_back.calls.push(argv.iter().map(|arg| Box::from(*arg)).collect());
        }
    }

    /// As `put_back_by`: the key that went with its last element gets its time back.
    pub fn put_back_expiry(&mut self, key: &[u8], expire_at: Option<i64>) {
        if let Some(at_ms) = expire_at {
            self.put_back_by(&[b"PEXPIREAT", key, at_ms.to_string().as_bytes(), b"NX"]);
        }
    }

    /// Waits for the keys in these arguments, or answers a null array at once where a call may not wait.
    pub fn wait_for(&mut self, keys: Range<usize>, deadline_ms: Option<i64>) {
        if self.may_block() {
            let keys = keys.map(|i| self.arg(i).into()).collect();
            self.block_on(Block { keys, deadline_ms, retry: None });
        } else {
            self.reply.null_array();
        }
    }

    /// Propagates nothing although something changed.
    pub fn propagate_nothing(&mut self) {
        self.ks.effects.set_rewritten();
    }
}
