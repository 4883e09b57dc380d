//! From a connection's bytes to requests, through the gates, to where they run.
//!
//! Requests that arrived together are looked at together first: up to [`BATCH`] are parsed, their keys hashed and the
//! table's cache lines requested; then they run one after the other. Without that every look-up in a large keyspace
//! waits for memory; with it the waits overlap.
//!
//! A request that cannot be answered in this turn (its keys are on several shards, or it asks all cores) stalls its
//! connection: what follows stays unread, so a client never overtakes itself. A request whose one shard is another
//! core's does not stall; its reply takes its place in the line when it comes.

use super::{Action, Center};
use super::call::How;
use super::message::{self, CallHeader};
use crate::commands::{Flow, ServerExec};
use crate::connection::session::{ReplyMode, Session};
use crate::connection::{Connection, Ending, Stall};
use crate::coordinator::plan::{self, Plan};
use crate::dispatch::call::OwnedCall;
use crate::dispatch::gates;
use crate::dispatch::route::{self, Reach};
use crate::dispatch::table::{Entry, Target, table};
use crate::protocol::{Limits, Step};
use crate::runtime::ConnId;
use crate::stats::clock;
use shards::args::{Args, Span};
use shards::keyspace::slots::key_owner;
use shards::commands::generic::scan::shard_of_cursor;
use shards::command::{Spread, flag};
use shards::error::CommandError;
use shards::reply::Reply;
use shards::shard::Outcome;
use shards::types::Ahead;

/// Requests looked at together: perf.md found 16 better than 64 for writes (whole leaves of 64 overflow the L1 cache).
pub const BATCH: usize = 16;

/// One parsed request: its spans in the batch's list, where it ends in the input, what it means.
#[derive(Clone, Copy)]
struct Parsed {
    first: usize,
    count: usize,
    end: usize,
    entry: Option<&'static Entry>,
    /// The owner of its only key, if the row says outright which that is.
    owner: Option<usize>,
    hash: u64,
}

/// Requests parsed ahead.
#[derive(Default)]
pub struct Batch {
    requests: Vec<Parsed>,
    spans: Vec<Span>,
}

/// How a request left its connection.
pub(super) enum After {
    /// The next may run.
    Next,
    /// Nothing more for now.
    Stop,
    /// It has not run: it is read again when its time comes.
    Held,
}

impl Center {
    /// Takes in bytes a client sent.
    pub fn received(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(mut connection) = self.clients.take(conn) else { return };
        connection.session.net_in += bytes.len() as u64;
        connection.session.active_ms = self.now_ms;
        self.stats.net_in += bytes.len() as u64;
        self.stats.reads += 1;
        if connection.ending != Ending::None {
            // What comes after QUIT or an error is not read.
        } else if connection.unread() == 0 && connection.may_read() {
            let consumed = self.run_input(conn, &mut connection, bytes);
            connection.keep_input(&bytes[consumed..]);
        } else {
            connection.keep_input(bytes);
            self.run_buffered(conn, &mut connection);
        }
        self.after_service(conn, connection);
    }

    /// Goes on with the input of a connection whose stall has ended.
    pub fn resume(&mut self, conn: ConnId) {
        let Some(mut connection) = self.clients.take(conn) else { return };
        self.run_buffered(conn, &mut connection);
        self.after_service(conn, connection);
    }

    fn run_buffered(&mut self, conn: ConnId, connection: &mut Connection) {
        if !connection.may_read() || connection.unread() == 0 {
            return;
        }
        let (input, at) = connection.take_input();
        let consumed = self.run_input(conn, connection, &input[at..]);
        connection.put_input(input, at + consumed);
    }

    fn after_service(&mut self, conn: ConnId, mut connection: Box<Connection>) {
        if connection.ending == Ending::Now {
            return self.farewell(conn, connection);
        }
        if connection.unread() > self.input_limit(&connection.session) {
            self.stats.query_limit_closes += 1;
            tracing::warn!("Closing client that reached max query buffer length: id={}", connection.session.id);
            return self.farewell(conn, connection);
        }
        // What a call of this very connection will end by itself, its client need not be heard for; one that waits for
        // keys may be waited for in vain, so it must be noticed when it goes.
        let busy = matches!(connection.stall, Some(Stall::Working(_))) && !connection.waits_for_keys();
        let deaf = busy && connection.unread() > UNREAD_WHILE_BUSY;
        if deaf != std::mem::replace(&mut connection.deaf, deaf) {
            self.actions.push(if deaf { Action::Pause(conn) } else { Action::Resume(conn) });
        }
        self.mark_dirty(conn, &mut connection);
        self.clients.put(conn, connection);
    }

    fn parse_limits(&self, session: &Session) -> Limits {
        let config = &self.config.clients;
        Limits {
            authenticated: !gates::auth_required(session, self.users.is_open()),
            primary: false,
            bulk_bytes_max: u64::try_from(config.proto_max_bulk_len).unwrap_or(u64::MAX),
            buffer_bytes_max: usize::try_from(config.client_query_buffer_limit).unwrap_or(usize::MAX),
        }
    }

    fn input_limit(&self, session: &Session) -> usize {
        self.parse_limits(session).buffered_max()
    }

    /// Runs as many requests of `input` as there are; the number of bytes consumed.
    fn run_input(&mut self, conn: ConnId, connection: &mut Connection, input: &[u8]) -> usize {
        let mut at = 0;
        let mut batch = std::mem::take(&mut self.batch);
        while at < input.len() && connection.may_read() {
            batch.requests.clear();
            batch.spans.clear();
            let limits = self.parse_limits(&connection.session);
            let last = self.parse_ahead(connection, input, at, &limits, &mut batch);
            if batch.requests.len() > 1 {
                let db = connection.session.db;
                let hashes = || batch.requests.iter().map(|parsed| parsed.hash).filter(|hash| *hash != 0);
                hashes().for_each(|hash| self.shard.keyspace.prefetch_leaf(db, hash));
                hashes().for_each(|hash| self.shard.keyspace.prefetch_entry(db, hash));
                self.look_ahead(db, input, &batch);
            }
            let mut all = true;
            for parsed in &batch.requests {
                let argv = Args::new(input, &batch.spans[parsed.first..parsed.first + parsed.count]);
                let after = self.run_request(conn, connection, argv, parsed.entry, parsed.owner);
                self.settle_strays(conn, connection);
                if !matches!(after, After::Held) {
                    if let Some(entry) = parsed.entry {
                        self.note_request(entry, argv, parsed.end - at, &connection.session);
                    }
                    at = parsed.end;
                // A few bytes of requests can ask for gigabytes of replies within one turn.
                if self.drowns(connection) {
                    connection.ending = Ending::Now;
                }
                if connection.stall.is_none() && connection.is_full(self.thresholds.unread_bytes) {
                    connection.stall = Some(Stall::Full);
                }
                }
                if !matches!(after, After::Next) || !connection.may_read() {
                    all = false;
                    break;
                }
            }
            if !all {
                // What was parsed ahead is parsed again when its time comes.
                connection.parser = crate::protocol::Parser::new();
                break;
            }
            match last {
                Step::Request { .. } => {}
                Step::Empty { end } => at += end,
                Step::Inline { end } => {
                    let parser = std::mem::take(&mut connection.parser);
                    let argv = parser.inline();
                    let entry = table().resolve(argv).ok();
                    if !matches!(self.run_request(conn, connection, argv, entry, None), After::Held) {
                        at += end;
                    }
                    self.settle_strays(conn, connection);
                    connection.parser = parser;
                }
                Step::Incomplete { need } => {
                    if need > input.len() {
                        connection.expect_input(need.min(RESERVE_MAX));
                    }
                    break;
                }
                Step::Error(error) => {
                    tracing::debug!("Protocol error ({}) from client: id={}", error.log_text(), connection.session.id);
                    connection.replies.write(|out| error.write_reply(out));
                    self.stats.error_replies += 1;
                    Center::end_after_replies(connection);
                    at = input.len();
                    break;
                }
            }
        }
        if batch.spans.capacity() > KEEP_SPANS {
            batch.spans = Vec::new();
        }
        self.batch = batch;
        at
    }

    /// Asks for the buckets of members in large collections.
    fn look_ahead(&self, db: u32, input: &[u8], batch: &Batch) {
        let mut ahead = [const { None }; BATCH];
        for (slot, parsed) in ahead.iter_mut().zip(&batch.requests).filter(|(_, parsed)| parsed.hash != 0) {
            let Some(entry) = parsed.entry else { continue };
            let (Some(key), Some(member)) = (entry.single_key, entry.member_at(parsed.count)) else { continue };
            let argv = Args::new(input, &batch.spans[parsed.first..parsed.first + parsed.count]);
            *slot = self.shard.keyspace.look_ahead(db, parsed.hash, argv.get(usize::from(key)), argv.get(member));
        }
        ahead.iter().flatten().for_each(Ahead::bring);
    }

    /// Parses up to [`BATCH`] requests from `at` on; the step that ended it (`Request`: the batch is full), its lengths
    /// counted from the end of the last request.
    fn parse_ahead(
        &mut self,
        connection: &mut Connection,
        input: &[u8],
        at: usize,
        limits: &Limits,
        batch: &mut Batch,
    ) -> Step {
        let mut at = at;
        // Before it has authenticated every request may change the limits.
        let most = if limits.authenticated { BATCH } else { 1 };
        loop {
            let first = batch.spans.len();
            let step = connection.parser.step(&input[at..], limits, &mut batch.spans);
            let Step::Request { end } = step else { return step };
            for span in &mut batch.spans[first..] {
                span.start += at as u32;
            }
            at += end;
            let count = batch.spans.len() - first;
            let argv = Args::new(input, &batch.spans[first..]);
            let entry = table().resolve(argv).ok();
            let (mut hash, mut owner) = (0, None);
            if let Some(key_at) = entry.and_then(|e| e.single_key).map(usize::from).filter(|k| *k < count) {
                let key = argv.get(key_at);
                let home = key_owner(key, self.cores);
                owner = Some(home);
                if home == self.id {
                    hash = self.shard.keyspace.prefetch_bucket(connection.session.db, key);
                }
            }
            batch.requests.push(Parsed { first, count, end: at, entry, owner, hash });
            if batch.requests.len() == most {
                return step;
            }
        }
    }

    /// Runs one request: gates, MULTI queue, route.
    fn run_request(
        &mut self,
        conn: ConnId,
        connection: &mut Connection,
        argv: Args<'_>,
        entry: Option<&'static Entry>,
        owner: Option<usize>,
    ) -> After {
        if crate::protocol::is_cross_protocol(argv.get(0)) {
            tracing::warn!("Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Ringkey. Connection from {} aborted.", connection.session.peer);
            connection.ending = Ending::Now;
            return After::Stop;
        }
        let mode = connection.session.reply_mode;
        let after = self.run_admitted(conn, connection, argv, entry, owner);
        if matches!(after, After::Held) {
            return after;
        }
        if mode != ReplyMode::On {
            connection.session.reply_mode = match (mode, connection.session.reply_mode) {
                (ReplyMode::Skip, ReplyMode::Skip) => ReplyMode::On,
                (_, now) => now,
            };
        }
        if connection.session.reply_mode == ReplyMode::SkipNext {
            connection.session.reply_mode = ReplyMode::Skip;
        }
        connection.session.end_caching(entry);
        after
    }

    fn run_admitted(
        &mut self,
        conn: ConnId,
        connection: &mut Connection,
        argv: Args<'_>,
        entry: Option<&'static Entry>,
        owner: Option<usize>,
    ) -> After {
        let session = &mut connection.session;
        session.last = entry;
        let entry = match gates::admit(entry, argv, session, &self.config, self.users.is_open()) {
            Ok(entry) => entry,
            Err(error) => {
                self.refuse(connection, entry, &error);
                return After::Next;
            }
        };
        if connection.session.restricted
            && let Some(error) = self.denied(connection, entry, argv)
        {
            self.refuse(connection, Some(entry), &error);
            return After::Next;
        }
        if let Some(error) = self.shared.register.busy_error()
            && !entry.is(flag::ALLOW_BUSY)
        {
            self.refuse(connection, Some(entry), &error);
            return After::Next;
        }
        if self.paused.is_some() && self.held_by_pause(connection, entry, argv) {
            connection.stall = Some(Stall::Paused);
            return After::Held;
        }
        if self.room.is_limited()
            && let Err(error) = self.memory_gate(entry, &connection.session)
        {
            self.refuse(connection, Some(entry), &error);
            return After::Next;
        }
        if self.thresholds.lacks_replicas && writes(entry, &connection.session) {
            self.refuse(connection, Some(entry), &NO_REPLICAS);
            return After::Next;
        }
        let session = &mut connection.session;
        if session.multi.is_some() && !gates::runs_inside_multi(entry) {
            self.queue_in_multi(connection, entry, argv);
            return After::Next;
        }
        session.commands += 1;
        if session.restricted
            && let Some(error) = self.denied_patterns(session, entry, argv, session.db)
        {
            self.count_refused(entry);
            self.reply_error(connection, &error);
            return After::Next;
        }
        match entry.target {
            Target::Engine(_) => {
                self.show(&connection.session, connection.session.db, entry, argv);
                self.run_engine(conn, connection, entry, argv, owner)
            }
            Target::Server(row) => self.run_server(conn, connection, entry, row.run, argv),
            Target::Script(_) => {
                self.show(&connection.session, connection.session.db, entry, argv);
                self.run_script(conn, connection, entry, argv)
            }
        }
    }

    /// Answers an error before the command ran; breaks a MULTI.
    pub(super) fn refuse(&mut self, connection: &mut Connection, entry: Option<&'static Entry>, error: &CommandError) {
        if let Some(entry) = entry {
            self.stats.commands[entry.id as usize].rejected += 1;
        }
        if entry.is_some_and(|e| e.full_name == "exec") {
            connection.session.multi = None;
            self.unwatch_all(&mut connection.session);
            return self.reply_error(connection, &gates::exec_refused(error));
        }
        if let Some(multi) = &mut connection.session.multi {
            multi.broken = true;
        }
        self.reply_error(connection, error);
    }

    pub(super) fn reply_error(&mut self, connection: &mut Connection, error: &CommandError) {
        let resp = connection.session.resp;
        self.stats.count_error(format!("-{}\r\n", error.text()).as_bytes());
        if connection.session.wants_reply() {
            connection.replies.write(|out| Reply::new(out, resp).error(error.text()));
        }
    }

    /// Runs a call of the engine wherever its keys are.
    #[inline]
    fn run_engine(
        &mut self,
        conn: ConnId,
        connection: &mut Connection,
        entry: &'static Entry,
        argv: Args<'_>,
        owner: Option<usize>,
    ) -> After {
        let owner = if self.cores == 1 {
            Some(0)
        } else if owner.is_some() {
            owner
        } else {
            match self.owner(entry, argv) {
                Ok(owner) => owner,
                Err(error) => {
                    self.reply_error(connection, &error);
                    return After::Next;
                }
            }
        };
        let session = &connection.session;
        match owner {
            Some(owner) if owner == self.id => {
                let (no_touch, sees_expired, by) = (session.no_touch, session.import_source, self.by(conn, session));
                let how = How { db: session.db, resp: session.resp, no_touch, sees_expired, may_block: true, by };
                if !self.shard.locks.is_empty() && !self.shard.locks.admits(&route::lock_set(entry, argv, how.db)) {
                    let ticket = connection.replies.reserve(connection.session.wants_reply());
                    self.park(OwnedCall::new(entry, how.db, argv), how, self.id, conn, ticket);
                    return stall_if_blocking(connection, entry, argv, ticket);
                }
                if self.run_here(connection, entry, argv, how) == Outcome::Blocked {
                    let ticket = connection.replies.reserve(connection.session.wants_reply());
                    let block = *self.shard.take_block().expect("a blocked call says what it waits for");
                    self.wait_here(block, OwnedCall::new(entry, how.db, argv), how, self.id, conn, ticket);
                    return stall_if_blocking(connection, entry, argv, ticket);
                }
                After::Next
            }
            Some(owner) => {
                let Session { db, resp, no_touch, import_source: sees_expired, .. } = *session;
                let tracks = session.tracks();
                let ticket = connection.replies.reserve(connection.session.wants_reply());
                let header = CallHeader { entry, db, resp, no_touch, sees_expired, tracks, conn, ticket };
                message::push_call(&mut self.calls_out[owner], &header, argv);
                self.stats.hops += 1;
                stall_if_blocking(connection, entry, argv, ticket)
            }
            None => {
                let call = OwnedCall::new(entry, session.db, argv);
                let plan = Plan::one(&call, self.place());
                self.begin_transaction(conn, connection, vec![call], plan, false);
                After::Stop
            }
        }
    }

    #[inline]
    fn run_here(&mut self, connection: &mut Connection, entry: &'static Entry, argv: Args<'_>, how: How) -> Outcome {
        let outcome = if connection.session.wants_reply() {
            connection.replies.write(|out| self.call(entry, argv, how, out))
        } else {
            let mut scratch = std::mem::take(&mut self.scratch);
            let outcome = self.call(entry, argv, how, &mut scratch);
            scratch.clear();
            self.scratch = scratch;
            outcome
        };
        if entry.is(flag::BLOCKING)
            && let Some(put_back) = self.shard.take_put_back()
        {
            connection.owe(put_back);
        }
        self.commit();
        if let Some(slow) = self.slow.take() {
            self.log_slow(slow, Some(&connection.session));
        }
        outcome
    }

    /// The one shard a call must visit; `None` if several.
    #[inline]
    fn owner(&mut self, entry: &'static Entry, argv: Args<'_>) -> Result<Option<usize>, CommandError> {
        if let Spread::Cursor(at) = entry.spread() {
            return Ok(Some(shard_of_cursor(argv, at as usize, self.cores)));
        }
        if route::reaches_beyond(entry, argv) {
            return Ok(None);
        }
        let mut keys = std::mem::take(&mut self.key_indexes);
        let reach = route::reach(entry, argv, self.cores, &mut keys);
        self.key_indexes = keys;
        Ok(match reach {
            Ok(Reach::One(owner)) => Some(owner),
            Ok(Reach::Many) => None,
            Ok(Reach::Nowhere) if plan::visits_shards(entry) => None,
            // A call whose keys cannot be told answers its own error, wherever it runs.
            Ok(Reach::Nowhere) | Err(_) => Some(self.id),
        })
    }

    pub(super) fn place(&mut self) -> plan::Place {
        plan::Place { shards: self.cores, here: self.id, random: self.rng.next_u64() }
    }

    /// Runs one of the server's own commands.
    fn run_server(
        &mut self,
        conn: ConnId,
        connection: &mut Connection,
        entry: &'static Entry,
        run: crate::commands::ServerRun,
        argv: Args<'_>,
    ) -> After {
        let mut out = std::mem::take(&mut self.scratch);
        let resp = connection.session.resp;
        let begin = clock::ticks();
        let reply = Reply::new(&mut out, resp);
        let gauges = connection.gauges();
        let session = &mut connection.session;
        let mut exec = ServerExec { argv, entry, conn, in_exec: false, gauges, session, center: self, reply };
        let flow = run(&mut exec);
        let ticks = clock::ticks().wrapping_sub(begin);
        let failed = flow.is_err();
        if let Err(error) = &flow {
            out.clear();
            Reply::new(&mut out, resp).error(error.text());
        }
        // A call that has yet to ask all cores is timed and logged when it has its answer.
        let asks = matches!(flow, Ok(Flow::Gather { .. }));
        if !asks {
            self.count(entry, ticks, failed, &out);
            self.note_slow(entry, argv, ticks, out.len());
        }
        // EXEC is shown behind the commands it runs.
        if entry.full_name != "exec" {
            self.show(&connection.session, connection.session.db, entry, argv);
        }
        if connection.session.wants_reply() && !out.is_empty() {
            connection.replies.write(|to| to.extend_from_slice(&out));
        }
        out.clear();
        self.scratch = out;
        if let Some(slow) = self.slow.take() {
            self.log_slow(slow, Some(&connection.session));
        }
        if let Ok(Flow::Gather { question, finish }) = flow {
            let ticket = connection.replies.reserve(connection.session.wants_reply());
            // MONITOR's first line comes behind its answer.
            connection.replies.hold_pushes(ticket);
            connection.stall = Some(Stall::Working(ticket));
            let asker = (OwnedCall::new(entry, connection.session.db, argv), begin);
            self.gather(conn, ticket, question, finish, None, Some(asker));
            return After::Stop;
        }
        self.follow(conn, connection, flow.unwrap_or(Flow::Done))
    }

    /// Does what a server command left to be done.
    fn follow(&mut self, conn: ConnId, connection: &mut Connection, flow: Flow) -> After {
        match flow {
            Flow::Done => After::Next,
            Flow::Gather { .. } => unreachable!("it has been sent on its way"),
            Flow::Confirm(confirmation) => {
                let stalls = self.confirm(conn, connection, confirmation);
                if stalls { After::Stop } else { After::Next }
            }
            Flow::Exec => {
                self.exec(conn, connection);
                // An EXEC that was refused is answered: what follows in the pipeline goes on.
                if connection.may_read() { After::Next } else { After::Stop }
            }
            Flow::Watch(keys) => {
                self.watch(conn, connection, keys);
                After::Stop
            }
            Flow::Close => {
                Center::end_after_replies(connection);
                After::Stop
            }
            Flow::CloseNow => {
                connection.ending = Ending::Now;
                After::Stop
            }
            Flow::Block { timeout_ms, reply } => {
                let ticket = connection.replies.reserve(connection.session.wants_reply());
                connection.stall = Some(Stall::Blocked(ticket));
                self.block(conn, ticket, timeout_ms, reply);
                After::Stop
            }
            Flow::Never => {
                let ticket = connection.replies.reserve(false);
                connection.stall = Some(Stall::Working(ticket));
                After::Stop
            }
        }
    }

    /// True if CLIENT PAUSE holds this command.
    #[cold]
    fn held_by_pause(&mut self, connection: &Connection, entry: &'static Entry, argv: Args<'_>) -> bool {
        let Some((until_ms, writes_only)) = self.paused else { return false };
        if self.now_ms >= until_ms {
            self.end_pause();
            return false;
        }
        if !writes_only || self.may_change(entry, argv) {
            return true;
        }
        let queue = connection.session.multi.as_ref().map_or(&[][..], |multi| &multi.queue);
        entry.full_name == "exec" && queue.iter().any(|call| self.may_change(call.entry, call.argv()))
    }

    /// True if a call may change something or tell others of it. A script that declares what it does is believed.
    fn may_change(&mut self, entry: &'static Entry, argv: Args<'_>) -> bool {
        match entry.target {
            Target::Script(_) if entry.is(flag::MAY_REPLICATE) => self.script_may_write(entry, argv),
            _ => entry.is(flag::WRITE | flag::MAY_REPLICATE),
        }
    }
}

/// True if this call would write: by itself, or what EXEC is about to run.
fn writes(entry: &Entry, session: &Session) -> bool {
    let queued = || session.multi.as_ref().is_some_and(|multi| multi.queue.iter().any(|call| call.entry.is(flag::WRITE)));
    entry.is(flag::WRITE) || (entry.full_name == "exec" && queued())
}

/// A command that may wait for its keys holds back what follows it until it is answered.
#[inline]
fn stall_if_blocking(connection: &mut Connection, entry: &Entry, argv: Args<'_>, ticket: u64) -> After {
    if !entry.is(flag::BLOCKING) || !may_wait(entry, argv) {
        return After::Next;
    }
    connection.stall = Some(Stall::Working(ticket));
    After::Stop
}

/// False for an XREAD or XREADGROUP without BLOCK: it need not hold back what follows.
fn may_wait(entry: &Entry, argv: Args<'_>) -> bool {
    !entry.full_name.starts_with("xread") || argv.iter().any(|arg| arg.eq_ignore_ascii_case(b"block"))
}

/// Input kept of a connection whose call is under way; the rest waits in its socket.
const UNREAD_WHILE_BUSY: usize = 1 << 20;
/// Room for more arguments than these is not kept for the next requests.
const KEEP_SPANS: usize = 16 << 10;

const NO_REPLICAS: CommandError = CommandError::Static("NOREPLICAS Not enough good replicas to write.");

/// Room made ahead for a big argument; the rest grows as it comes, so that announcing a gigabyte costs nothing.
const RESERVE_MAX: usize = 1 << 20;
