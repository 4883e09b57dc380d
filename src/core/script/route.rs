//! A client's EVAL or FCALL: what it is to run, whether it may, and where.

use super::borrow::{ScriptMessage, ScriptOrder};
use super::run::Driven;
use super::{Mode, Run, Then};
use crate::connection::session::Session;
use crate::connection::{Connection, Stall};
use crate::coordinator::plan::Plan;
use crate::core::Center;
use crate::core::call::How;
use crate::core::serve::After;
use crate::dispatch::call::{OwnedCall, ScriptCall, ScriptClient};
use crate::dispatch::route::{self, Reach};
use crate::dispatch::table::Entry;
use crate::runtime::ConnId;
use crate::script::exchange::Code;
use crate::script::text::{Script, flag, sha_named, sha_of};
use shards::args::Args;
use shards::error::{CommandError, NOT_AN_INTEGER};
use shards::stdx::number::parse_i64;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const NO_SCRIPT: CommandError = CommandError::Static("NOSCRIPT No matching script.");
const TOO_MANY_KEYS: CommandError = CommandError::Static("ERR Number of keys can't be greater than number of args");
const NEGATIVE_KEYS: CommandError = CommandError::Static("ERR Number of keys can't be negative");
const NO_FUNCTION: CommandError = CommandError::Static("ERR Function not found");
const BAD_KEYS: CommandError = CommandError::Static("ERR Bad number of keys provided");
const WRITES: CommandError = CommandError::Static("ERR Can not execute a script with write flag using *_ro command.");
const OUT_OF_MEMORY: CommandError = CommandError::Static("OOM command not allowed when used memory > 'maxmemory'.");

/// How many keys a call names.
fn key_count(argv: Args<'_>, not_a_number: CommandError) -> Result<usize, CommandError> {
    let count = parse_i64(argv.get(2)).ok_or(not_a_number)?;
    if count > argv.len() as i64 - 3 {
        return Err(TOO_MANY_KEYS);
    }
    usize::try_from(count).map_err(|_| NEGATIVE_KEYS)
}

impl Center {
    /// What a call is to run.
    pub(in crate::core) fn script_call(
        &mut self,
        entry: &'static Entry,
        argv: Args<'_>,
        session: &Session,
    ) -> Arc<ScriptCall> {
        let read_only = entry.full_name.ends_with("_ro");
        let found = if super::kill::is_function(entry) {
            self.function_call(argv)
        } else {
            self.eval_call(entry, argv)
        };
        let checked = found.and_then(|(code, keys)| {
            self.check_flags(&code, read_only)?;
            Ok((code, keys))
        });
        let ends = (session.peer.clone(), session.local.clone());
        let client = ScriptClient { id: session.id, user: Arc::clone(&session.user), name: session.name.clone(), ends };
        let (code, keys) = match checked {
            Ok((code, keys)) => (Ok(code), keys),
            Err(error) => (Err(error), 0),
        };
        let keeps = matches!(&code, Ok(Code::Script(script)) if self.keeps_to_keys(script));
        Arc::new(ScriptCall { code, keys, read_only, keeps, client })
    }

    fn eval_call(&mut self, entry: &Entry, argv: Args<'_>) -> Result<(Code, usize), CommandError> {
        let by_sha = entry.full_name.starts_with("evalsha");
        let sha = sha_named(argv.get(1));
        if by_sha && sha.is_none() {
            return Err(NO_SCRIPT);
        }
        let keys = key_count(argv, NOT_AN_INTEGER)?;
        let script = match sha.filter(|_| by_sha) {
            Some(sha) => self.script_named(&sha).ok_or(NO_SCRIPT)?,
            None => self.script_of(argv.get(1))?,
        };
        Ok((Code::Script(script), keys))
    }

    fn function_call(&mut self, argv: Args<'_>) -> Result<(Code, usize), CommandError> {
        let (library, at) = self.libraries().find(argv.get(1)).map(|(l, at)| (Arc::clone(l), at)).ok_or(NO_FUNCTION)?;
        let keys = key_count(argv, BAD_KEYS)?;
        Ok((Code::Function(library, at), keys))
    }

    /// What a script declares of itself must suit the moment. Scripts without a shebang declare nothing.
    fn check_flags(&mut self, code: &Code, read_only: bool) -> Result<(), CommandError> {
        let flags = match code {
            Code::Script(script) => script.flags,
            Code::Function(library, at) => library.functions[*at].flags,
            _ => flag::COMPAT,
        };
        if flags & flag::COMPAT != 0 {
            return Ok(());
        }
        if flags & flag::NO_WRITES == 0 && read_only {
            return Err(WRITES);
        }
        if flags & (flag::ALLOW_OOM | flag::NO_WRITES) == 0 && self.room.is_limited() && self.lacks_memory() {
            return Err(OUT_OF_MEMORY);
        }
        Ok(())
    }

    /// True unless what a call is to run declares that it writes nothing. Asking keeps no script.
    pub(in crate::core) fn script_may_write(&mut self, entry: &Entry, argv: Args<'_>) -> bool {
        let flags = if super::kill::is_function(entry) {
            self.libraries().find(argv.get(1)).map(|(library, at)| library.functions[at].flags)
        } else if entry.full_name.starts_with("evalsha") {
            sha_named(argv.get(1)).and_then(|sha| self.script_named(&sha)).map(|script| script.flags)
        } else {
            let sha = sha_of(argv.get(1));
            let known = self.script_named(&sha).map(|script| script.flags);
            known.or_else(|| Script::new(argv.get(1), sha).ok().map(|script| script.flags))
        };
        flags.is_none_or(|flags| flags & flag::COMPAT != 0 || flags & flag::NO_WRITES == 0)
    }

    /// Runs a client's script, wherever its keys are.
    pub(in crate::core) fn run_script(
        &mut self,
        conn: ConnId,
        connection: &mut Connection,
        entry: &'static Entry,
        argv: Args<'_>,
    ) -> After {
        let script = self.script_call(entry, argv, &connection.session);
        if let Err(error) = &script.code {
            self.stats.commands[entry.id as usize].calls += 1;
            self.stats.commands[entry.id as usize].failed += 1;
            self.stats.calls += 1;
            self.reply_error(connection, error);
            return After::Next;
        }
        let session = &connection.session;
        let Session { db, resp, no_touch, import_source: sees_expired, .. } = *session;
        let by = self.by(conn, session);
        let how = How { db, resp, no_touch, sees_expired, may_block: false, by };
        let (keeps, strays) = (script.keeps, script.strays());
        let mut call = OwnedCall::new(entry, how.db, argv);
        call.script = Some(script);
        let mut keys = Vec::new();
        let reach = if self.cores == 1 {
            Reach::One(0)
        } else {
            route::reach(entry, argv, self.cores, &mut keys).unwrap_or(Reach::Nowhere)
        };
        let owner = match reach {
            Reach::One(owner) if !strays || self.cores == 1 => owner,
            Reach::Nowhere if !strays => self.id,
            Reach::Many if keeps => {
                let plan = Plan::script(&call, self.place(), false);
                self.begin_transaction(conn, connection, vec![call], plan, false);
                return After::Stop;
            }
            _ => {
                let plan = Plan::script(&call, self.place(), true);
                self.begin_transaction(conn, connection, vec![call], plan, false);
                return After::Stop;
            }
        };
        if owner == self.id {
            return self.run_script_here(conn, connection, call, how, keeps);
        }
        let ticket = connection.replies.reserve(connection.session.wants_reply());
        self.stats.hops += 1;
        self.send_script(owner, ScriptMessage::Run(ScriptOrder { call, how, keeps, conn, ticket }));
        if keeps {
            return After::Next;
        }
        // It may come back, having strayed: what follows it must not overtake it.
        connection.stall = Some(Stall::Working(ticket));
        After::Stop
    }

    fn run_script_here(
        &mut self,
        conn: ConnId,
        connection: &mut Connection,
        call: OwnedCall,
        how: How,
        keeps: bool,
    ) -> After {
        let locked = !self.shard.locks.is_empty()
            && !self.shard.locks.admits(&route::lock_set(call.entry, call.argv(), how.db));
        if locked {
            let ticket = connection.replies.reserve(connection.session.wants_reply());
            connection.stall = Some(Stall::Working(ticket));
            self.park(call, how, self.id, conn, ticket);
            return After::Stop;
        }
        match self.start_script(call, how, Mode::Free { keeps }, Then::Caller) {
            Driven::Done(mut run) => {
                let reply = self.settle_script(&mut run);
                if connection.session.wants_reply() {
                    connection.replies.write(|out| out.extend_from_slice(&reply));
                }
                self.give_back_buffer(reply);
                self.commit();
                if let Some(slow) = self.slow.take() {
                    self.log_slow(slow, Some(&connection.session));
                }
                After::Next
            }
            Driven::Suspended => {
                let ticket = connection.replies.reserve(connection.session.wants_reply());
                connection.stall = Some(Stall::Working(ticket));
                let core = self.id;
                self.scripts.running.as_mut().expect("it was suspended").then = Then::Client { core, conn, ticket };
                After::Stop
            }
            Driven::Strayed(run) => {
                note_strayed(&run);
                let plan = Plan::script(&run.call, self.place(), true);
                self.begin_transaction(conn, connection, vec![run.call], plan, false);
                After::Stop
            }
        }
    }

    /// Runs a script for a client of another core.
    pub(super) fn run_script_for(&mut self, from: usize, order: ScriptOrder) {
        let ScriptOrder { call, how, conn, ticket, .. } = order;
        let locked = !self.shard.locks.is_empty()
            && !self.shard.locks.admits(&route::lock_set(call.entry, call.argv(), how.db));
        if locked {
            return self.park(call, how, from, conn, ticket);
        }
        self.script_for(from, call, how, conn, ticket);
    }

    /// Runs a script that may run now, for a client of core `core`.
    pub(in crate::core) fn script_for(&mut self, core: usize, call: OwnedCall, how: How, conn: ConnId, ticket: u64) {
        let keeps = call.script.as_ref().is_some_and(|script| script.keeps);
        let driven = self.start_script(call, how, Mode::Free { keeps }, Then::Client { core, conn, ticket });
        self.follow_script(driven);
    }

    /// Tells a client's core that its script strayed.
    pub(super) fn send_strayed(&mut self, run: Run) {
        note_strayed(&run);
        let Then::Client { core, conn, ticket } = run.then else {
            unreachable!("a script that strays is a client's")
        };
        let order = ScriptOrder { call: run.call, how: run.how, keeps: false, conn, ticket };
        self.send_script(core, ScriptMessage::Strayed(order));
    }

    /// A script of this core's client strayed: it runs anew, with every shard held.
    pub(super) fn script_strayed(&mut self, order: ScriptOrder) {
        let ScriptOrder { call, conn, ticket, .. } = order;
        let Some(mut connection) = self.clients.take(conn) else { return };
        let plan = Plan::script(&call, self.place(), true);
        self.begin_transaction_at(conn, &mut connection, ticket, vec![call], plan, false);
        self.clients.put(conn, connection);
    }
}

fn note_strayed(run: &Run) {
    match run.call.script.as_ref().map(|script| &script.code) {
        Some(Ok(Code::Script(script))) => script.strays.store(true, Ordering::Relaxed),
        Some(Ok(Code::Function(library, _))) => library.strays.store(true, Ordering::Relaxed),
        _ => {}
    }
}
