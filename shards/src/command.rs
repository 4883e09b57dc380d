//! The row of the command table: everything the server knows about a command, in one constant.
//!
//! A command is one `const` row beside its function and its tests. From the row come dispatch and arity, routing by
//! key specs, ACL categories, COMMAND / COMMAND DOCS / GETKEYS / LIST, the out-of-memory, read-only, loading and script
//! gates, and the generator of random calls for model tests. Nothing about a command stands anywhere else.
//!
//! `Row` is generic over what runs it: the engine's rows carry a function over [`Exec`], the server's rows (CLIENT,
//! CONFIG, INFO ...) one over the server's own context. Both kinds meet in one dispatch table.
//!
//! Invariant: every row passes [`Row::check`] at compile time (`rows!` does it); a bad row does not compile.

use crate::args::Args;
use crate::error::CommandError;
use crate::exec::Exec;

/// What runs a command inside a shard. On `Err` the gate has seen no change and the reply is the error alone.
pub type ShardRun = fn(&mut Exec<'_>) -> Result<(), CommandError>;

/// A command of the engine.
pub type Command = Row<ShardRun>;

/// Command flags, with the names COMMAND INFO shows (`flag::NAMES`).
pub mod flag {
    /// May change the keyspace.
    pub const WRITE: u32 = 1 << 0;
    /// Never changes the keyspace.
    pub const READONLY: u32 = 1 << 1;
    /// May need memory: refused when over `maxmemory`.
    pub const DENYOOM: u32 = 1 << 2;
    /// Administrative.
    pub const ADMIN: u32 = 1 << 3;
    /// Pub/sub related.
    pub const PUBSUB: u32 = 1 << 4;
    /// Not callable from scripts.
    pub const NOSCRIPT: u32 = 1 << 5;
    /// May block the client.
    pub const BLOCKING: u32 = 1 << 6;
    /// Allowed while the dataset loads.
    pub const LOADING: u32 = 1 << 7;
    /// Allowed on a replica with stale data.
    pub const STALE: u32 = 1 << 8;
    /// Not fed to MONITOR.
    pub const SKIP_MONITOR: u32 = 1 << 9;
    /// Not recorded by SLOWLOG / COMMANDLOG.
    pub const SKIP_SLOWLOG: u32 = 1 << 10;
    /// Constant or logarithmic time.
    pub const FAST: u32 = 1 << 11;
    /// Needs no authentication.
    pub const NO_AUTH: u32 = 1 << 12;
    /// May replicate although it does not write.
    pub const MAY_REPLICATE: u32 = 1 << 13;
    /// Not allowed between MULTI and EXEC.
    pub const NO_MULTI: u32 = 1 << 14;
    /// Keys cannot all be known from the key specs.
    pub const MOVABLE_KEYS: u32 = 1 << 15;
    /// Allowed while a script is too slow.
    pub const ALLOW_BUSY: u32 = 1 << 16;
    /// Touches keys it does not name in its arguments.
    pub const TOUCHES_ARBITRARY_KEYS: u32 = 1 << 17;
    /// Works on all databases.
    pub const ALL_DBS: u32 = 1 << 18;
    /// Runs asynchronously in the background (no COMMAND INFO name).
    pub const NO_ASYNC_LOADING: u32 = 1 << 19;
    /// Needs mandatory keys to be declared (no COMMAND INFO name).
    pub const NO_MANDATORY_KEYS: u32 = 1 << 20;
    /// Used by servers and tests, not by applications: COMMAND DOCS says so (no COMMAND INFO name).
    pub const SYSCMD: u32 = 1 << 22;
    /// Only where the configuration allows it, as DEBUG (no COMMAND INFO name).
    pub const PROTECTED: u32 = 1 << 21;

    /// Flag bits with the names COMMAND INFO gives them, in Valkey's order.
    pub const NAMES: &[(u32, &str)] = &[
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (BLOCKING, "blocking"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (SKIP_MONITOR, "skip_monitor"),
        (SKIP_SLOWLOG, "skip_commandlog"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (NO_ASYNC_LOADING, "no_async_loading"),
        (NO_MULTI, "no_multi"),
        (MOVABLE_KEYS, "movablekeys"),
        (ALLOW_BUSY, "allow_busy"),
    ];
}

/// ACL categories a row names itself. READ, WRITE, ADMIN, DANGEROUS, PUBSUB, FAST, SLOW and BLOCKING follow from the
/// flags as in Valkey ([`Row::categories`]).
pub mod category {
    /// @keyspace
    pub const KEYSPACE: u32 = 1 << 0;
    /// @read
    pub const READ: u32 = 1 << 1;
    /// @write
    pub const WRITE: u32 = 1 << 2;
    /// @set
    pub const SET: u32 = 1 << 3;
    /// @sortedset
    pub const SORTEDSET: u32 = 1 << 4;
    /// @list
    pub const LIST: u32 = 1 << 5;
    /// @hash
    pub const HASH: u32 = 1 << 6;
    /// @string
    pub const STRING: u32 = 1 << 7;
    /// @bitmap
    pub const BITMAP: u32 = 1 << 8;
    /// @hyperloglog
    pub const HYPERLOGLOG: u32 = 1 << 9;
    /// @geo
    pub const GEO: u32 = 1 << 10;
    /// @stream
    pub const STREAM: u32 = 1 << 11;
    /// @pubsub
    pub const PUBSUB: u32 = 1 << 12;
    /// @admin
    pub const ADMIN: u32 = 1 << 13;
    /// @fast
    pub const FAST: u32 = 1 << 14;
    /// @slow
    pub const SLOW: u32 = 1 << 15;
    /// @blocking
    pub const BLOCKING: u32 = 1 << 16;
    /// @dangerous
    pub const DANGEROUS: u32 = 1 << 17;
    /// @connection
    pub const CONNECTION: u32 = 1 << 18;
    /// @transaction
    pub const TRANSACTION: u32 = 1 << 19;
    /// @scripting
    pub const SCRIPTING: u32 = 1 << 20;

    /// Category bits with their names, in the order Valkey lists them.
    pub const NAMES: &[(u32, &str)] = &[
        (KEYSPACE, "keyspace"),
        (READ, "read"),
        (WRITE, "write"),
        (SET, "set"),
        (SORTEDSET, "sortedset"),
        (LIST, "list"),
        (HASH, "hash"),
        (STRING, "string"),
        (BITMAP, "bitmap"),
        (HYPERLOGLOG, "hyperloglog"),
        (GEO, "geo"),
        (STREAM, "stream"),
        (PUBSUB, "pubsub"),
        (ADMIN, "admin"),
        (FAST, "fast"),
        (SLOW, "slow"),
        (BLOCKING, "blocking"),
        (DANGEROUS, "dangerous"),
        (CONNECTION, "connection"),
        (TRANSACTION, "transaction"),
        (SCRIPTING, "scripting"),
    ];
}

/// Key-spec flags: what a command does to the keys of one spec.
pub mod key {
    /// Reads the value, never changes it.
    pub const RO: u32 = 1 << 0;
    /// Reads and changes.
    pub const RW: u32 = 1 << 1;
    /// Overwrites without reading.
    pub const OW: u32 = 1 << 2;
    /// Removes.
    pub const RM: u32 = 1 << 3;
    /// Returns or copies user data of the value.
    pub const ACCESS: u32 = 1 << 4;
    /// Changes the value depending on what it holds.
    pub const UPDATE: u32 = 1 << 5;
    /// Adds data without reading it.
    pub const INSERT: u32 = 1 << 6;
    /// Removes data without reading it.
    pub const DELETE: u32 = 1 << 7;
    /// Not really a key (a channel, say), but routed like one.
    pub const NOT_KEY: u32 = 1 << 8;
    /// The spec may not find all keys.
    pub const INCOMPLETE: u32 = 1 << 9;
    /// The flags depend on the arguments.
    pub const VARIABLE_FLAGS: u32 = 1 << 10;

    /// Names as COMMAND INFO prints them.
    pub const NAMES: &[(u32, &str)] = &[
        (RO, "RO"),
        (RW, "RW"),
        (OW, "OW"),
        (RM, "RM"),
        (ACCESS, "access"),
        (UPDATE, "update"),
        (INSERT, "insert"),
        (DELETE, "delete"),
        (NOT_KEY, "not_key"),
        (INCOMPLETE, "incomplete"),
        (VARIABLE_FLAGS, "variable_flags"),
    ];
}

/// The group a command is documented under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    PubSub,
    Transactions,
    Connection,
    Server,
    Scripting,
    HyperLogLog,
    Cluster,
    Sentinel,
    Geo,
    Stream,
    Bitmap,
}

impl Group {
    /// The name COMMAND DOCS prints.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::PubSub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::HyperLogLog => "hyperloglog",
            Group::Cluster => "cluster",
            Group::Sentinel => "sentinel",
            Group::Geo => "geo",
            Group::Stream => "stream",
            Group::Bitmap => "bitmap",
        }
    }
}

/// Where the keys of a spec begin.
#[derive(Clone, Copy, Debug)]
pub enum Begin {
    /// At this argument (0 is the command's name).
    Index(i16),
    /// After this keyword, searched from this argument on (negative: from the end).
    Keyword(&'static str, i16),
    /// Cannot be told.
    Unknown,
}

/// How the keys of a spec go on from where they begin.
#[derive(Clone, Copy, Debug)]
pub enum Find {
    /// To `last` (relative to the first key, or negative from the end of the arguments), every `step`th; with
    /// `last` = -1, `limit` > 1 keeps only the first 1/limit of the arguments.
    Range {
        /// Last key, relative; negative counts from the end.
        last: i16,
        /// Distance between keys.
        step: i16,
        /// Fraction of the remaining arguments that are keys; 0 and 1 mean all.
        limit: i16,
    },
    /// A count stands at `at` (relative), the first key at `first` (relative).
    Count {
        /// Where the number of keys stands.
        at: i16,
        /// Where the first key stands.
        first: i16,
        /// Distance between keys.
        step: i16,
    },
    /// Cannot be told.
    Unknown,
}

/// One key spec of a command.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Bits of [`key`].
    pub flags: u32,
    /// Where the keys begin.
    pub begin: Begin,
    /// How they go on.
    pub find: Find,
    /// A remark for COMMAND DOCS, empty if none.
    pub notes: &'static str,
}

impl KeySpec {
    /// One key at argument `index`.
    pub const fn one(index: i16, flags: u32) -> KeySpec {
        KeySpec::range(index, 0, 1, flags)
    }

    /// Keys from argument `index` to `last` (relative, or negative from the end), every `step`th.
    pub const fn range(index: i16, last: i16, step: i16, flags: u32) -> KeySpec {
        KeySpec { flags, begin: Begin::Index(index), find: Find::Range { last, step, limit: 0 }, notes: "" }
    }

    /// `numkeys` at argument `index`, followed by the keys.
    pub const fn counted(index: i16, flags: u32) -> KeySpec {
        KeySpec { flags, begin: Begin::Index(index), find: Find::Count { at: 0, first: 1, step: 1 }, notes: "" }
    }
}

/// The kind of an argument in the grammar COMMAND DOCS shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum ArgKind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl ArgKind {
    /// The name COMMAND DOCS prints.
    pub const fn name(self) -> &'static str {
        match self {
            ArgKind::String => "string",
            ArgKind::Integer => "integer",
            ArgKind::Double => "double",
            ArgKind::Key => "key",
            ArgKind::Pattern => "pattern",
            ArgKind::UnixTime => "unix-time",
            ArgKind::PureToken => "pure-token",
            ArgKind::OneOf => "oneof",
            ArgKind::Block => "block",
        }
    }
}

/// One argument of a command's grammar.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: ArgKind,
    /// The keyword before it, empty if none.
    pub token: &'static str,
    /// What COMMAND DOCS shows a user for it; empty: its name.
    pub display: &'static str,
    /// Index of the key spec it belongs to, or -1.
    pub key_spec: i8,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// The token is repeated with each value.
    pub multiple_token: bool,
    /// Version that brought it, empty if as old as the command.
    pub since: &'static str,
    /// Version that deprecated it, empty if none.
    pub deprecated_since: &'static str,
    /// The parts of a block or the choices of a oneof.
    pub parts: &'static [Arg],
}

impl Arg {
    /// A mandatory argument of `kind`.
    pub const fn new(name: &'static str, kind: ArgKind) -> Arg {
        Arg {
            name,
            kind,
            token: "",
            display: "",
            key_spec: -1,
            optional: false,
            multiple: false,
            multiple_token: false,
            since: "",
            deprecated_since: "",
            parts: &[],
        }
    }

    /// A key of the first key spec.
    pub const fn key(name: &'static str) -> Arg {
        Arg { key_spec: 0, ..Arg::new(name, ArgKind::Key) }
    }

    /// The keyword, if there is one; `Arg::NO_WORD` stands for an empty keyword, which is one all the same.
    pub fn keyword(&self) -> Option<&'static str> {
        match self.token {
            "" => None,
            Arg::NO_WORD => Some(""),
            token => Some(token),
        }
    }

    /// A keyword of no letters: `""` typed as it stands (MIGRATE).
    pub const NO_WORD: &'static str = "\"\"";

    /// A keyword without a value.
    pub const fn token(name: &'static str, token: &'static str) -> Arg {
        Arg { token, ..Arg::new(name, ArgKind::PureToken) }
    }

    /// A choice.
    pub const fn one_of(name: &'static str, parts: &'static [Arg]) -> Arg {
        Arg { parts, ..Arg::new(name, ArgKind::OneOf) }
    }

    /// A group of arguments that stand together.
    pub const fn block(name: &'static str, parts: &'static [Arg]) -> Arg {
        Arg { parts, ..Arg::new(name, ArgKind::Block) }
    }

    /// The same argument, preceded by a keyword.
    pub const fn after(self, token: &'static str) -> Arg {
        Arg { token, ..self }
    }

    /// The same argument, optional.
    pub const fn opt(self) -> Arg {
        Arg { optional: true, ..self }
    }

    /// The same argument, repeatable.
    pub const fn many(self) -> Arg {
        Arg { multiple: true, ..self }
    }

    /// The same argument, shown to users under another name than its own.
    pub const fn shown_as(self, display: &'static str) -> Arg {
        Arg { display, ..self }
    }

    /// The same argument, its keyword repeated with each value.
    pub const fn many_with_token(self) -> Arg {
        Arg { multiple: true, multiple_token: true, ..self }
    }

    /// The same argument, deprecated since this version.
    pub const fn deprecated(self, deprecated_since: &'static str) -> Arg {
        Arg { deprecated_since, ..self }
    }

    /// The same argument, there since a later version than the command.
    pub const fn since(self, since: &'static str) -> Arg {
        Arg { since, ..self }
    }
}

/// How a call whose keys (or whose reach) span several shards is run. Calls that stay on one shard never look at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spread {
    /// The keys of the other shards are lent to one shard, which runs the command as if all were its own.
    Loan,
    /// Each shard runs the command over its own keys; `merge` puts the replies together. The number is how many
    /// arguments belong to a key (1: the key alone, 2: key and value).
    Split(u8, Merge),
    /// Every shard runs the command whole; `merge` puts the replies together.
    Everywhere(Merge),
    /// The cursor in this argument says which shard runs it (SCAN).
    Cursor(u8),
    /// Any shard that has something to say (RANDOMKEY): shards are asked in turn until one does not answer null.
    FirstFound,
}

/// How the replies of several shards become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merge {
    /// Integers are added.
    Sum,
    /// All say the same (OK); the first is taken.
    Same,
    /// Arrays with one element a key, put back into the order of the keys.
    ByKey,
    /// Arrays are joined.
    Concat,
    /// Sums of databases become one digest (DEBUG DIGEST).
    Digest,
}

/// An argument that names a database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DbArg {
    /// Its index.
    pub at: usize,
    /// The key argument that is looked for in that database, if it is about one key. If several name one key, the last
    /// one counts.
    pub key: Option<usize>,
}

/// Keys a call reads beside those it names: their names lie in what others hold (SORT's BY and GET).
#[derive(Clone, Copy)]
pub struct Reaches {
    /// Whether this call does.
    pub beyond: fn(Args<'_>) -> bool,
    /// Which those are, told by the shard of the first key it names. A call that is wrong reaches none.
    pub keys: fn(&mut Exec<'_>) -> Vec<Box<[u8]>>,
}

/// One row of the command table. See the essay of this file.
pub struct Row<R: 'static> {
    /// Lower-case name; a subcommand's own name without its parent's.
    pub name: &'static str,
    /// Number of arguments with the name; negative: at least so many.
    pub arity: i16,
    /// Bits of [`flag`].
    pub flags: u32,
    /// Bits of [`category`], beyond those that follow from the flags.
    pub acl: u32,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// How it runs over several shards.
    pub spread: Spread,
    /// Finds the keys where the specs cannot (SORT ... STORE); appends argument indexes.
    pub find_keys: Option<fn(Args<'_>, &mut Vec<usize>) -> Result<(), CommandError>>,
    /// What a call does to its keys (bits of [`key`]), where a spec says `VARIABLE_FLAGS` (SET with GET reads too).
    pub key_flags: Option<fn(Args<'_>) -> u32>,
    /// Finds the arguments that name databases (COPY ... DB, MOVE, SWAPDB): ACL rules ask for them, and so does whoever
    /// locks or lends the keys, for such a key is not in the client's database.
    pub find_dbs: Option<fn(Args<'_>, &mut Vec<DbArg>)>,
    /// Keys it reads beside those it names.
    pub reaches: Option<Reaches>,
    /// Group in the documentation.
    pub group: Group,
    /// Version of Redis or Valkey that brought it.
    pub since: &'static str,
    /// One sentence, ours.
    pub summary: &'static str,
    /// Time complexity.
    pub complexity: &'static str,
    /// (version, change) pairs.
    pub history: &'static [(&'static str, &'static str)],
    /// Hints for clients, as COMMAND INFO shows them.
    pub tips: &'static [&'static str],
    /// Version that deprecated it, and what replaces it; empty if none.
    pub deprecated: (&'static str, &'static str),
    /// Its grammar.
    pub args: &'static [Arg],
    /// Its subcommands (then `run` answers the call without one).
    pub subcommands: &'static [Row<R>],
    /// What runs it.
    pub run: R,
}

impl<R: Copy> Row<R> {
    /// A row with everything empty but its name and what runs it; rows are written with `..Row::new("name", run)`.
    pub const fn new(name: &'static str, run: R) -> Row<R> {
        Row {
            name,
            arity: 0,
            flags: 0,
            acl: 0,
            keys: &[],
            spread: Spread::Loan,
            find_keys: None,
            key_flags: None,
            find_dbs: None,
            reaches: None,
            group: Group::Generic,
            since: "",
            summary: "",
            complexity: "",
            history: &[],
            tips: &[],
            deprecated: ("", ""),
            args: &[],
            subcommands: &[],
            run,
        }
    }

    /// Refuses a bad row; evaluated at compile time by [`rows!`](crate::rows).
    pub const fn check(&self) {
        assert!(!self.name.is_empty(), "a command needs a name");
        let name = self.name.as_bytes();
        let mut i = 0;
        while i < name.len() {
            assert!(!name[i].is_ascii_uppercase(), "names are lower-case");
            i += 1;
        }
        assert!(self.arity != 0, "a command needs an arity");
        assert!(!self.summary.is_empty(), "a command needs a summary");
        assert!(!self.since.is_empty(), "a command needs the version that brought it");
        assert!(self.flags & flag::WRITE == 0 || self.flags & flag::READONLY == 0, "either write or readonly");
        let mut k = 0;
        while k < self.keys.len() {
            let varies = self.keys[k].flags & key::VARIABLE_FLAGS != 0;
            assert!(!varies || self.key_flags.is_some(), "who says that flags vary says how");
            k += 1;
        }
        if self.flags & flag::WRITE != 0 {
            assert!(
                !self.keys.is_empty() || !matches!(self.spread, Spread::Loan),
                "a write needs key specs or runs everywhere"
            );
        }
        let mut s = 0;
        while s < self.subcommands.len() {
            self.subcommands[s].check();
            s += 1;
        }
    }
}

impl<R> Row<R> {
    /// True if the command may be called with `argc` arguments, its name included.
    pub fn arity_fits(&self, argc: usize) -> bool {
        if self.arity > 0 { argc == self.arity as usize } else { argc >= self.arity.unsigned_abs() as usize }
    }

    /// True if this is a write command.
    pub fn is_write(&self) -> bool {
        self.flags & flag::WRITE != 0
    }

    /// The categories of the row: its own and those that follow from its flags (the rules of Valkey's
    /// `setImplicitACLCategories`).
    pub fn categories(&self) -> u32 {
        let mut c = self.acl;
        let scripting = c & category::SCRIPTING != 0;
        if self.flags & flag::WRITE != 0 {
            c |= category::WRITE;
        }
        if self.flags & flag::READONLY != 0 && !scripting {
            c |= category::READ;
        }
        if self.flags & flag::ADMIN != 0 {
            c |= category::ADMIN | category::DANGEROUS;
        }
        if self.flags & flag::PUBSUB != 0 {
            c |= category::PUBSUB;
        }
        if self.flags & flag::FAST != 0 {
            c |= category::FAST;
        }
        if self.flags & flag::BLOCKING != 0 {
            c |= category::BLOCKING;
        }
        if c & category::FAST == 0 {
            c |= category::SLOW;
        }
        c
    }

    /// The argument index of the only key, where a single spec says so outright: the case routing must be fast for.
    pub fn single_key(&self) -> Option<usize> {
        match self.keys {
            [KeySpec { begin: Begin::Index(i), find: Find::Range { last: 0, .. }, .. }] if self.find_keys.is_none() => {
                usize::try_from(*i).ok()
            }
            _ => None,
        }
    }

    /// True if a call reads keys it does not name.
    pub fn reaches_beyond(&self, argv: Args<'_>) -> bool {
        self.reaches.is_some_and(|reaches| (reaches.beyond)(argv))
    }

    /// Appends the argument indexes of all keys of a call, in the order of the specs.
    ///
    /// Errors: `numkeys` that is not a number or lies ("Invalid number of arguments ...", as COMMAND GETKEYS says).
    pub fn key_indexes(&self, argv: Args<'_>, found: &mut Vec<usize>) -> Result<(), CommandError> {
        if let Some(find) = self.find_keys {
            return find(argv, found);
        }
        for spec in self.keys {
            spec.indexes(argv, found)?;
        }
        Ok(())
    }
}

impl KeySpec {
    /// Appends the argument indexes this spec finds in a call.
    pub fn indexes(&self, argv: Args<'_>, found: &mut Vec<usize>) -> Result<(), CommandError> {
        let Some(first) = self.first(argv) else { return Ok(()) };
        match self.find {
            Find::Range { last, step, limit } => {
                let end = self.range_end(argv.len(), first, last, limit);
                let mut at = first;
                while at <= end && at < argv.len() {
                    found.push(at);
                    at += step.max(1) as usize;
                }
                Ok(())
            }
            Find::Count { at, first: offset, step } => {
                let bad = CommandError::Static("ERR Invalid number of arguments specified for command");
                let count_at = first + at as usize;
                if count_at >= argv.len() {
                    return Err(bad);
                }
                let count = crate::stdx::number::parse_i64(argv.get(count_at)).ok_or(bad)?;
                let start = first + offset as usize;
                let step = step.max(1) as usize;
                let room = argv.len().saturating_sub(start).div_ceil(step);
                if count < 0 || count as u64 > room as u64 {
                    return Err(CommandError::Static("ERR Invalid number of arguments specified for command"));
                }
                found.extend((0..count as usize).map(|i| start + i * step));
                Ok(())
            }
            Find::Unknown => Ok(()),
        }
    }

    fn first(&self, argv: Args<'_>) -> Option<usize> {
        match self.begin {
            Begin::Index(i) => usize::try_from(i).ok().filter(|i| *i < argv.len()),
            Begin::Keyword(word, from) => {
                let is_word = |i: &usize| argv.get(*i).eq_ignore_ascii_case(word.as_bytes());
                let at = if from >= 0 {
                    (from as usize..argv.len().saturating_sub(1)).find(is_word)
                } else {
                    let last = argv.len().checked_sub(from.unsigned_abs() as usize)?;
                    (1..=last).rev().find(is_word)
                };
                at.map(|i| i + 1).filter(|i| *i < argv.len())
            }
            Begin::Unknown => None,
        }
    }

    fn range_end(&self, argc: usize, first: usize, last: i16, limit: i16) -> usize {
        if last >= 0 {
            return first + last as usize;
        }
        if limit > 1 {
            return first + ((argc - first) / limit as usize).saturating_sub(1);
        }
        argc.saturating_sub(last.unsigned_abs() as usize)
    }
}

/// Declares a folder's rows and checks each at compile time: `rows! { pub ROWS: ShardRun = [GET, SET] }`.
#[macro_export]
macro_rules! rows {
    ($(#[$m:meta])* $v:vis $name:ident : $run:ty = [$($row:path),* $(,)?]) => {
        $(#[$m])*
        $v const $name: &[$crate::command::Row<$run>] = &[$($row),*];
        const _: () = {
            let mut i = 0;
            while i < $name.len() {
                $name[i].check();
                i += 1;
            }
        };
    };
}
