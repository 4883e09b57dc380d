//! MULTI, EXEC, WATCH; and every transaction a client of this core begins.

use super::assembly::Assembly;
use super::query::{Finish, Question, Report};
use super::{Center, Client};
use crate::commands::{Flow, ServerExec};
use crate::connection::session::{Multi, Session, Watched};
use crate::connection::{Connection, Stall};
use crate::coordinator::plan::Plan;
use crate::coordinator::transaction::{Finished, Order, Outbox};
use crate::dispatch::call::OwnedCall;
use crate::dispatch::table::{Entry, Target, table};
use crate::runtime::ConnId;
use crate::stats::clock;
use crate::tracking::{By, Hold};
use shards::args::Args;
use shards::error::CommandError;
use shards::keyspace::slots::key_owner;
use shards::reply::Reply;
use std::sync::Arc;

const EXEC_ABORTED: CommandError =
    CommandError::Static("EXECABORT Transaction discarded because of previous errors.");

impl Center {
    /// Queues a command between MULTI and EXEC.
    pub(super) fn queue_in_multi(&mut self, connection: &mut Connection, entry: &'static Entry, argv: Args<'_>) {
        let multi = connection.session.multi.as_mut().expect("asked before");
        let call = OwnedCall::new(entry, 0, argv);
        multi.bytes += call.memory_bytes();
        multi.args_bytes += argv.iter().map(<[u8]>::len).sum::<usize>();
        if entry.full_name == "select" {
            multi.db = selected(argv, self.config.general.databases).unwrap_or(multi.db);
        }
        multi.queue.push(call);
        let resp = connection.session.resp;
        if connection.session.wants_reply() {
            connection.replies.write(|out| Reply::new(out, resp).simple("QUEUED"));
        }
    }

    /// EXEC.
    pub(super) fn exec(&mut self, conn: ConnId, connection: &mut Connection) {
        let session = &mut connection.session;
        let multi = session.multi.take().unwrap_or_default();
        if multi.broken {
            self.unwatch_all(&mut connection.session);
            self.show_exec(&connection.session, &[]);
            return self.reply_error(connection, &EXEC_ABORTED);
        }
        let mut calls = multi.queue;
        let mut db = session.db;
        for call in &mut calls {
            call.db = db;
            if matches!(call.entry.target, Target::Script(_)) {
                call.script = Some(self.script_call(call.entry, call.argv(), session));
            }
            if call.entry.full_name == "select" {
                db = selected(call.argv(), self.config.general.databases).unwrap_or(db);
            }
        }
        if session.restricted {
            self.refuse_queued(&mut connection.session, &mut calls);
        }
        let watched = connection.session.watched.clone();
        let plan = Plan::exec(&calls, watched, self.place());
        self.begin_transaction(conn, connection, calls, plan, true);
    }

    /// Begins a transaction for a client; its connection reads no further until it has ended.
    pub(super) fn begin_transaction(
        &mut self,
        conn: ConnId,
        connection: &mut Connection,
        calls: Vec<OwnedCall>,
        plan: Plan,
        exec: bool,
    ) {
        let ticket = connection.replies.reserve(connection.session.wants_reply());
        connection.stall = Some(Stall::Working(ticket));
        self.begin_transaction_at(conn, connection, ticket, calls, plan, exec);
    }

    /// The same for a connection that waits already, for the reply to `ticket`.
    pub(super) fn begin_transaction_at(
        &mut self,
        conn: ConnId,
        connection: &mut Connection,
        ticket: u64,
        calls: Vec<OwnedCall>,
        plan: Plan,
        exec: bool,
    ) {
        let session = &connection.session;
        let Session { id: client_id, resp, no_touch, import_source: sees_expired, .. } = *session;
        let by = By { hold: Hold::UntilAnswered, ..self.by(conn, session) };
        let client = Client { conn, ticket, exec, waits: false };
        let order = Order { client, client_id, resp, no_touch, sees_expired, may_block: !exec, wait: None, by };
        let mut out = Outbox::new();
        self.stats.transactions += 1;
        let txid = self.shared.txid();
        let finished = self.coordinator.begin(txid, order, calls, plan, &mut out);
        self.send_out(out);
        if let Some(finished) = finished {
            // Nothing to lock: an EXEC of the server's own commands alone. It ends as all others do, from the table.
            self.finished_early.push(finished);
        }
    }

    pub(super) fn send_out(&mut self, out: Outbox) {
        for (core, request) in out {
            self.request(core, request);
        }
    }

    /// A shard's answer about a transaction of this core.
    pub fn on_answer(&mut self, from: usize, answer: crate::coordinator::messages::Answer) {
        let mut out = Outbox::new();
        let shared = Arc::clone(&self.shared);
        let finished = self.coordinator.answer(from, answer, &mut || shared.txid(), &mut out);
        self.send_out(out);
        if let Some(finished) = finished {
            self.on_finished(finished);
        }
    }

    /// A transaction has ended: its reply is put together.
    pub(super) fn on_finished(&mut self, mut finished: Finished<Client>) {
        let Client { conn, ticket, exec, .. } = finished.order.client;
        if let Some(block) = finished.block.take() {
            return self.wait_spread(finished, *block);
        }
        self.end_wait(&finished.order);
        let put_back = finished.put_back.take();
        let Some(mut connection) = self.clients.take(conn) else {
            return put_back.into_iter().for_each(|put_back| self.put_back(put_back));
        };
        if exec {
            self.unwatch_all(&mut connection.session);
            let resp = finished.order.resp;
            self.show_exec(&connection.session, if finished.changed { &[] } else { &finished.calls });
            if finished.changed {
                let mut out = Vec::new();
                Reply::new(&mut out, resp).null_array();
                self.end_stall(conn, &mut connection, ticket, &out);
            } else {
                connection.session.commands += finished.calls.len() as u64;
                let refused = std::mem::take(&mut connection.session.refused);
                let assembly = Assembly::new(conn, ticket, resp, finished, refused);
                self.assemble(&mut connection, assembly);
            }
        } else {
            let reply = finished.replies[0].take().expect("an engine call was answered");
            self.end_stall(conn, &mut connection, ticket, &reply);
            put_back.into_iter().for_each(|put_back| connection.owe(put_back));
        }
        self.clients.put(conn, connection);
    }

    /// Shows the commands of an EXEC to those in MONITOR, and itself.
    fn show_exec(&mut self, session: &Session, calls: &[OwnedCall]) {
        if self.monitors.is_empty() {
            return;
        }
        let mut db = session.db;
        for call in calls {
            db = call.db;
            if call.entry.full_name == "select" {
                db = selected(call.argv(), self.config.general.databases).unwrap_or(db);
            }
            self.show(session, db, call.entry, call.argv());
        }
        let exec = table().find(b"exec").expect("it is in the table");
        let call = OwnedCall::of_parts(exec, db, std::iter::once(&session.exec_word[..]));
        self.show(session, db, exec, call.argv());
    }

    /// Goes on with an EXEC's reply until it is whole or a command must ask other cores.
    pub(super) fn assemble(&mut self, connection: &mut Connection, mut assembly: Assembly) {
        while let Some((call, reply)) = assembly.rest.pop_front() {
            if let Some(reply) = reply {
                assembly.out.extend_from_slice(&reply);
                continue;
            }
            let begin = clock::ticks();
            let flow = self.run_in_exec(connection, &call, &mut assembly);
            match flow {
                Flow::Gather { question, finish } => {
                    let (conn, ticket) = (assembly.conn, assembly.ticket);
                    return self.gather(conn, ticket, question, finish, Some(assembly), Some((call, begin)));
                }
                Flow::Confirm(confirmation) => match self.confirm_in_exec(connection, confirmation, assembly) {
                    Some(back) => assembly = back,
                    None => return,
                },
                _ => {}
            }
        }
        let (conn, ticket, out) = (assembly.conn, assembly.ticket, assembly.out);
        self.end_stall(conn, connection, ticket, &out);
    }

    /// Runs one of the server's own commands inside an EXEC.
    fn run_in_exec(&mut self, connection: &mut Connection, call: &OwnedCall, assembly: &mut Assembly) -> Flow {
        let Target::Server(row) = call.entry.target else { unreachable!("the engine's calls were answered") };
        let (start, resp) = (assembly.out.len(), connection.session.resp);
        let begin = clock::ticks();
        let reply = Reply::new(&mut assembly.out, resp);
        let mut exec = ServerExec {
            argv: call.argv(),
            entry: call.entry,
            conn: assembly.conn,
            in_exec: true,
            gauges: connection.gauges(),
            session: &mut connection.session,
            center: self,
            reply,
        };
        let flow = (row.run)(&mut exec);
        let ticks = clock::ticks().wrapping_sub(begin);
        if let Err(error) = &flow {
            assembly.out.truncate(start);
            Reply::new(&mut assembly.out, resp).error(error.text());
        }
        let asks = matches!(flow, Ok(Flow::Gather { .. }));
        if !asks {
            self.count(call.entry, ticks, flow.is_err(), &assembly.out[start..]);
            self.note_slow(call.entry, call.argv(), ticks, assembly.out.len() - start);
        }
        if let Some(slow) = self.slow.take() {
            self.log_slow(slow, Some(&connection.session));
        }
        match flow {
            Ok(Flow::Close) => {
                Center::end_after_replies(connection);
                Flow::Done
            }
            Ok(flow @ (Flow::Gather { .. } | Flow::Confirm(_))) => flow,
            _ => Flow::Done,
        }
    }

    /// The reply a stalled connection was waiting for.
    pub(super) fn end_stall(&mut self, conn: ConnId, connection: &mut Connection, ticket: u64, reply: &[u8]) {
        connection.replies.fill(ticket, reply);
        self.settle_strays(conn, connection);
        if matches!(connection.stall, Some(Stall::Working(t) | Stall::Blocked(t)) if t == ticket) {
            connection.stall = None;
            self.ready.push(conn);
        }
        self.mark_dirty(conn, connection);
    }

    /// WATCH: asks the owners of the keys for their versions.
    pub(super) fn watch(&mut self, conn: ConnId, connection: &mut Connection, keys: Vec<Box<[u8]>>) {
        let db = connection.session.db;
        let ticket = connection.replies.reserve(connection.session.wants_reply());
        connection.stall = Some(Stall::Working(ticket));
        let known = |key: &[u8]| connection.session.watched.iter().any(|w| w.db == db && *w.key == *key);
        let mut fresh: Vec<Box<[u8]>> = Vec::new();
        for key in keys {
            if !known(&key) && !fresh.contains(&key) {
                fresh.push(key);
            }
        }
        let question: Question = Arc::new(move |center: &mut Center| -> Report {
            center.shard.keyspace.set_now(center.now_ms);
            let ks = &mut center.shard.keyspace;
            let mine: Vec<&Box<[u8]>> = fresh.iter().filter(|key| ks.owns(key)).collect();
            let versions: Vec<Watched> = mine
                .into_iter()
                .map(|key| Watched { db, key: key.clone(), version: ks.watch_key(db, key) })
                .collect();
            Box::new(versions)
        });
        let finish: Finish = Box::new(|_, session, reports, reply| {
            for report in reports {
                session.watched.extend(*report.downcast::<Vec<Watched>>().expect("the question reports this"));
            }
            reply.ok();
        });
        self.gather(conn, ticket, question, finish, None, None);
    }

    /// Lets go of all keys a client watches.
    pub fn unwatch_all(&mut self, session: &mut Session) {
        if session.watched.is_empty() {
            return;
        }
        let mut by_core: Vec<Vec<Watched>> = vec![Vec::new(); self.cores];
        for w in session.watched.drain(..) {
            by_core[key_owner(&w.key, self.cores)].push(w);
        }
        for (core, list) in by_core.into_iter().enumerate().filter(|(_, list)| !list.is_empty()) {
            let tell: Question = Arc::new(move |center: &mut Center| -> Report {
                list.iter().for_each(|w| center.shard.keyspace.watch.unwatch(w.db, &w.key));
                Box::new(())
            });
            self.send(core, super::message::Message::Tell(tell));
        }
    }

    /// MULTI begins.
    pub fn begin_multi(session: &mut Session) {
        session.multi = Some(Multi { db: session.db, ..Multi::default() });
    }
}

/// The database a queued SELECT will select, if it is valid.
fn selected(argv: Args<'_>, databases: i64) -> Option<u32> {
    let n = shards::stdx::number::parse_i64(argv.iter().nth(1)?)?;
    (0..databases).contains(&n).then_some(n as u32)
}
