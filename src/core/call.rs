//! The only caller of `Shard::execute`: runs a call, times it, counts it.

use super::Center;
use super::message::Message;
use super::query::{Question, Report};
use crate::connection::session::Session;
use crate::dispatch::secrets::{REDACTED, secrets};
use crate::dispatch::table::Entry;
use crate::stats::clock;
use crate::tracking::By;
use crate::stats::slowlog::{LogKind, SlowCall};
use shards::args::Args;
use shards::command::flag;
use shards::reply::Resp;
use shards::shard::{Call, Outcome};
use std::sync::Arc;

/// How a call is to run.
#[derive(Clone, Copy)]
pub struct How {
    /// Database.
    pub db: u32,
    /// Protocol of the reply.
    pub resp: Resp,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// CLIENT IMPORT-SOURCE: it finds keys whose time is over, while `import-mode` keeps them.
    pub sees_expired: bool,
    /// It may wait for its keys.
    pub may_block: bool,
    /// On whose account.
    pub by: By,
}

impl Center {
    /// Runs an engine call on this core's shard and appends its reply to `out`; its effects wait for `commit`.
    #[inline]
    pub fn call(&mut self, entry: &'static Entry, argv: Args<'_>, how: How, out: &mut Vec<u8>) -> Outcome {
        let row = entry.engine().expect("the server's own commands do not come here");
        if self.room.is_limited() {
            self.make_room(entry);
        }
        let start = out.len();
        let begin = clock::ticks();
        let How { db, resp, no_touch, sees_expired, .. } = how;
        let call = Call { row, argv, db, resp, no_touch, sees_expired };
        if how.may_block && entry.is(flag::BLOCKING) {
            self.shard.set_may_block(true);
        }
        self.begin_call_by(how.by);
        let outcome = self.shard.execute(&call, self.now_ms, out);
        if outcome == Outcome::Blocked {
            // It is counted when it has its answer.
            self.shard.set_may_block(false);
            return outcome;
        }
        if how.may_block && entry.is(flag::BLOCKING) {
            self.shard.set_may_block(false);
        }
        self.note_reads(entry, argv, how.by);
        let ticks = clock::ticks().wrapping_sub(begin);
        self.count(entry, ticks, outcome == Outcome::Failed, &out[start..]);
        self.note_slow(entry, argv, ticks, out.len() - start);
        outcome
    }

    /// Counts a call that ran.
    #[inline]
    pub fn count(&mut self, entry: &Entry, ticks: u64, failed: bool, reply: &[u8]) {
        let stat = &mut self.stats.commands[entry.id as usize];
        stat.calls += 1;
        stat.ticks += ticks;
        self.stats.calls += 1;
        if failed {
            stat.failed += 1;
            self.stats.count_error(reply);
        }
        if self.thresholds.track_calls {
            self.latency.record(entry.id, ticks);
        }
        self.note_latency(if entry.is(flag::FAST) { "fast-command" } else { "command" }, ticks);
    }

    /// Notes an event that may have held the server up.
    #[inline]
    pub fn note_latency(&mut self, event: &'static str, ticks: u64) {
        if ticks >= self.thresholds.latency_ticks {
            self.latency.note(event, self.now_ms / 1000, clock::ticks_to_us(ticks) / 1000);
        }
    }

    /// Notes a call that was slow or whose reply was large, for whoever knows the client to log it.
    #[inline]
    pub fn note_slow(&mut self, entry: &Entry, argv: Args<'_>, ticks: u64, reply_bytes: usize) {
        if ticks >= self.thresholds.slow_ticks || reply_bytes as u64 >= self.thresholds.reply_bytes {
            self.note_slow_call(entry, argv, ticks, reply_bytes);
        }
    }

    #[cold]
    fn note_slow_call(&mut self, entry: &Entry, argv: Args<'_>, ticks: u64, reply_bytes: usize) {
        if entry.is(flag::SKIP_SLOWLOG) {
            return;
        }
        if ticks >= self.thresholds.slow_ticks {
            self.note(LogKind::Slow, clock::ticks_to_us(ticks) as i64, entry, argv);
        }
        if reply_bytes as u64 >= self.thresholds.reply_bytes {
            self.note(LogKind::LargeReply, reply_bytes as i64, entry, argv);
        }
    }

    /// Notes a request that was large. Called where its bytes came in.
    #[inline]
    pub fn note_request(&mut self, entry: &Entry, argv: Args<'_>, request_bytes: usize, session: &Session) {
        if request_bytes as u64 >= self.thresholds.request_bytes && !entry.is(flag::SKIP_SLOWLOG) {
            let call = self.kept_call(LogKind::LargeRequest, request_bytes as i64, entry, argv);
            self.log_slow(Box::new(call), Some(session));
        }
    }

    fn note(&mut self, kind: LogKind, value: i64, entry: &Entry, argv: Args<'_>) {
        let call = self.kept_call(kind, value, entry, argv);
        self.slow = Some(Box::new(SlowCall { also: self.slow.take(), ..call }));
    }

    /// A call as the logs keep it: shortened, without its secrets.
    fn kept_call(&self, kind: LogKind, value: i64, entry: &Entry, argv: Args<'_>) -> SlowCall {
        let mut call = SlowCall::new(kind, self.now_ms / 1000, value, argv);
        for at in secrets(entry, argv) {
            if let Some(arg) = call.argv.get_mut(at) {
                *arg = REDACTED.to_vec();
            }
        }
        call
    }

    /// Puts slow calls of a client of this core into their logs.
    #[allow(clippy::boxed_local)] // it comes boxed
    pub fn log_slow(&mut self, mut call: Box<SlowCall>, session: Option<&Session>) {
        if let Some(session) = session {
            call.peer = session.peer.clone();
            call.name = session.name.clone();
        }
        if let Some(also) = call.also.take() {
            self.log_slow(also, session);
        }
        let len_max = self.log_len_max(call.kind);
        self.logs[call.kind as usize].add(*call, len_max);
    }

    /// Has a slow call of a transaction logged by whichever core has its client: slow calls are few, so all are told.
    pub fn log_slow_of(&mut self, client: u64, call: Box<SlowCall>) {
        let tell: Question = Arc::new(move |center: &mut Center| -> Report {
            let found = center.clients.iter().find(|(_, c)| c.session.id == client).map(|(conn, _)| conn);
            if let Some((conn, connection)) = found.and_then(|conn| Some((conn, center.clients.take(conn)?))) {
                center.log_slow(call.clone(), Some(&connection.session));
                center.clients.put(conn, connection);
            }
            Box::new(())
        });
        for core in 0..self.cores {
            self.send(core, Message::Tell(tell.clone()));
        }
    }

    /// How many calls a log keeps.
    pub fn log_len_max(&self, kind: LogKind) -> usize {
        let watch = &self.config.watch;
        let len_max = match kind {
            LogKind::Slow => watch.commandlog_slow_execution_max_len,
            LogKind::LargeRequest => watch.commandlog_large_request_max_len,
            LogKind::LargeReply => watch.commandlog_large_reply_max_len,
        };
        usize::try_from(len_max).unwrap_or(usize::MAX)
    }
}
