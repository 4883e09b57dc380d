//! `redis.call`: what it must pass, and running it.
//!
//! The gates stand in Valkey's order: the command is known, its arity fits, scripts may call it, there is memory, the user
//! may, a read-only script does not write.

use super::{Mode, Run, Wait};
use crate::acl;
use crate::commands::{Flow, ServerExec, ServerRun};
use crate::connection::session::Session;
use crate::core::Center;
use crate::core::call::How;
use crate::core::rights::Denied;
use crate::dispatch::route;
use crate::dispatch::table::{Entry, Target, table};
use crate::script::exchange::Exchange;
use crate::stats::clock;
use shards::args::Args;
use shards::command::{Spread, flag};
use shards::reply::Reply;
use shards::shard::{Call, Outcome};
use std::sync::Arc;

/// What became of a call.
pub enum Answer {
    /// Its reply is in the exchange.
    Ready,
    /// It waits for other shards.
    Wait(Wait),
    /// It is not of this shard, and the script has only this one.
    Stray,
}

const UNKNOWN: &str = "ERR Unknown command called from script";
const ARITY: &str = "ERR Wrong number of args calling command from script";
const NOT_ALLOWED: &str = "ERR This Valkey command is not allowed from script";
const READ_ONLY: &str = "ERR Write commands are not allowed from read-only scripts.";
const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";
const UNDECLARED: &str = "ERR Script attempted to access a key that it did not declare";

impl Center {
    /// Runs the call in the exchange.
    pub(super) fn answer_script_call(&mut self, run: &mut Run, exchange: &mut Exchange) -> Answer {
        let exchange = &mut *exchange;
        let args = Args::new(&exchange.bytes, &exchange.spans);
        let out = &mut exchange.reply;
        out.clear();
        let entry = match self.admit_script_call(run, args) {
            Ok(entry) => entry,
            Err((entry, text)) => {
                self.refuse_script_call(entry, &text, out);
                return Answer::Ready;
            }
        };
        if entry.is(flag::WRITE) {
            run.wrote = true;
        }
        match entry.target {
            Target::Engine(_) => match self.place_script_call(run, entry, args, out) {
                Some(answer) => answer,
                None => {
                    self.run_script_call(run, entry, args, exchange.resp, out);
                    Answer::Ready
                }
            },
            // What cannot be taken back must not be done by a try that may be given up.
            Target::Server(_)
                if self.cores > 1 && run.mode == (Mode::Free { keeps: false }) && !only_tells(entry) =>
            {
                Answer::Stray
            }
            Target::Server(row) => self.run_server_in_script(run, entry, row.run, args, exchange.resp, out),
            Target::Script(_) => {
                self.refuse_script_call(Some(entry), NOT_ALLOWED, out);
                Answer::Ready
            }
        }
    }

    fn admit_script_call(
        &mut self,
        run: &Run,
        args: Args<'_>,
    ) -> Result<&'static Entry, (Option<&'static Entry>, String)> {
        let entry = table().resolve(args).map_err(|error| {
            let text = error.text();
            (None, if text.starts_with("ERR unknown command") { UNKNOWN.to_owned() } else { text.to_owned() })
        })?;
        let refused = |text: &str| Err((Some(entry), text.to_owned()));
        if !entry.arity_fits(args.len()) {
            return refused(ARITY);
        }
        if entry.is(flag::NOSCRIPT) && !self.scripts.may_call_all {
            return refused(NOT_ALLOWED);
        }
        if run.out_of_memory && !run.wrote && entry.is(flag::DENYOOM) {
            return refused(OUT_OF_MEMORY);
        }
        if let Err(why) = self.script_may_call(run, entry, args) {
            return refused(&format!("ERR ACL failure in script: {why}"));
        }
        if run.read_only && entry.is(flag::WRITE | flag::MAY_REPLICATE) {
            return refused(READ_ONLY);
        }
        Ok(entry)
    }

    /// Whether the user the script runs for may make this call; if not, why, and it is logged.
    fn script_may_call(&mut self, run: &Run, entry: &'static Entry, argv: Args<'_>) -> Result<(), String> {
        let Some(user) = run.call.script.as_ref().map(|script| &script.client.user).filter(|user| !user.unlimited)
        else {
            return Ok(());
        };
        let call = acl::check::Call { entry, argv, db: run.db, databases: self.config.general.databases };
        let session = script_session(run, self.now_ms);
        let Err(denial) = acl::check::check(user, &call) else {
            let patterns = self.denied_patterns(&session, entry, argv, run.db);
            return patterns.map_or(Ok(()), |error| Err(error.text().trim_start_matches("ERR ").to_owned()));
        };
        let (reason, object) = (denial.reason, denial.object(&call));
        let denied = Denied { reason, context: acl::Context::Lua, object, username: &user.name };
        self.note_denied(denied, &session, &Default::default());
        Err(denial.text(user, &call))
    }

    /// `redis.acl_check_cmd`.
    pub(super) fn answer_may_call(&mut self, run: &Run, exchange: &mut Exchange) {
        let args = Args::new(&exchange.bytes, &exchange.spans);
        let found = table().resolve(args).ok().filter(|entry| entry.arity_fits(args.len()));
        exchange.failed = found.is_none();
        let databases = self.config.general.databases;
        exchange.allowed = found.zip(run.call.script.as_ref()).is_some_and(|(entry, script)| {
            let user = &script.client.user;
            user.unlimited || acl::check::check(user, &acl::check::Call { entry, argv: args, db: run.db, databases }).is_ok()
        });
    }

    fn refuse_script_call(&mut self, entry: Option<&'static Entry>, text: &str, out: &mut Vec<u8>) {
        if let Some(entry) = entry {
            self.stats.commands[entry.id as usize].rejected += 1;
        }
        Reply::new(out, Default::default()).error(text);
        self.stats.count_error(out);
    }

    /// Sees that this shard has all the call needs; `None` if it has.
    fn place_script_call(
        &mut self,
        run: &mut Run,
        entry: &'static Entry,
        args: Args<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Answer> {
        if self.cores == 1 {
            return None;
        }
        let stays =
            matches!(entry.spread(), Spread::Loan | Spread::Split(..)) && !route::reaches_beyond(entry, args);
        match run.mode {
            Mode::All => return self.bring_here(run, entry, args),
            _ if !stays => return Some(self.undeclared(run, out)),
            _ => {}
        }
        let keys = route::keys_with_dbs(entry, args, run.db);
        for (db, at) in &keys {
            let key = args.get(*at);
            if !self.shard.keyspace.owns(key) && !self.shard.keyspace.has_guest(*db, key) {
                return Some(self.undeclared(run, out));
            }
        }
        if run.mode != (Mode::Free { keeps: false }) {
            return None;
        }
        if !self.shard.locks.is_empty()
            && !self.shard.locks.admits_seizer(&route::lock_set(entry, args, run.db))
            && !self.declared(run, &keys, args)
        {
            return Some(Answer::Stray);
        }
        if entry.is(flag::WRITE) {
            for (db, at) in keys {
                let key = args.get(at);
                if (db as usize) >= self.shard.keyspace.databases()
                    || run.images.iter().any(|image| image.db == db && *image.key == *key)
                {
                    continue;
                }
                self.shard.keyspace.set_now(run.now_ms);
                if self.shard.keyspace.is_heavy(db, key) {
                    return Some(Answer::Stray);
                }
                run.images.push(self.shard.keyspace.image(db, key));
            }
        }
        None
    }

    /// True if all these keys are among those the script named: it was let in with them.
    fn declared(&self, run: &Run, keys: &[(u32, usize)], args: Args<'_>) -> bool {
        let argv = run.call.argv();
        let count = run.call.script.as_ref().map_or(0, |script| script.keys);
        !keys.is_empty()
            && keys.iter().all(|(db, at)| *db == run.call.db && (3..3 + count).any(|i| argv.get(i) == args.get(*at)))
    }

    fn undeclared(&mut self, run: &Run, out: &mut Vec<u8>) -> Answer {
        if run.mode == (Mode::Free { keeps: false }) {
            return Answer::Stray;
        }
        self.refuse_script_call(None, UNDECLARED, out);
        Answer::Ready
    }

    /// Runs an engine call of a script, counted as any other.
    pub(super) fn run_script_call(
        &mut self,
        run: &Run,
        entry: &'static Entry,
        argv: Args<'_>,
        resp: shards::reply::Resp,
        out: &mut Vec<u8>,
    ) {
        let row = entry.engine().expect("the server's own commands do not come here");
        let begin = clock::ticks();
        let How { no_touch, sees_expired, .. } = run.how;
        let call = Call { row, argv, db: run.db, resp, no_touch, sees_expired };
        self.show_of_script(run.db, entry, argv);
        self.begin_call_by(run.how.by);
        let outcome = self.shard.execute(&call, run.now_ms, out);
        self.note_reads(entry, argv, run.how.by);
        assert!(outcome != Outcome::Blocked, "a script's calls do not wait");
        self.count(entry, clock::ticks().wrapping_sub(begin), outcome == Outcome::Failed, out);
    }

    /// Runs one of the server's own commands.
    fn run_server_in_script(
        &mut self,
        run: &mut Run,
        entry: &'static Entry,
        server_run: ServerRun,
        argv: Args<'_>,
        resp: shards::reply::Resp,
        out: &mut Vec<u8>,
    ) -> Answer {
        self.show_of_script(run.db, entry, argv);
        let mut session = run.session.take().unwrap_or_else(|| script_session(run, self.now_ms));
        session.resp = resp;
        session.db = run.db;
        let begin = clock::ticks();
        let reply = Reply::new(out, resp);
        let conn = crate::runtime::ConnId(u64::MAX);
        let mut exec = ServerExec {
            argv,
            entry,
            conn,
            in_exec: true,
            gauges: Default::default(),
            session: &mut session,
            center: self,
            reply,
        };
        let flow = server_run(&mut exec);
        if let Err(error) = &flow {
            out.clear();
            Reply::new(out, resp).error(error.text());
        }
        self.count(entry, clock::ticks().wrapping_sub(begin), flow.is_err(), out);
        run.db = session.db;
        run.session = Some(session);
        match flow {
            Ok(Flow::Gather { question, finish }) => {
                self.gather_for_script(question, finish);
                Answer::Wait(Wait::Gather)
            }
            Ok(Flow::Block { reply, .. }) => {
                out.extend_from_slice(&reply);
                Answer::Ready
            }
            Ok(Flow::Done) | Err(_) => Answer::Ready,
            Ok(_) => {
                out.clear();
                self.refuse_script_call(Some(entry), NOT_ALLOWED, out);
                Answer::Ready
            }
        }
    }
}

/// True for the server's commands that change nothing outside the script.
fn only_tells(entry: &Entry) -> bool {
    let container = entry.full_name.split('|').next().unwrap_or_default();
    matches!(container, "ping" | "echo" | "time" | "select" | "info" | "command" | "lolwut" | "memory")
        || entry.full_name == "config|get"
}

/// The client as a script's server commands see it.
fn script_session(run: &Run, now_ms: i64) -> Box<Session> {
    let client = &run.call.script.as_ref().expect("a script's call knows for whom it runs").client;
    let mut session = Session::new(client.id, now_ms, Arc::clone(&client.user), true);
    session.name = client.name.clone();
    (session.peer, session.local) = client.ends.clone();
    session.last = Some(run.call.entry);
    Box::new(session)
}

/// How a script's calls run.
pub(super) fn how_of(run: &Run, resp: shards::reply::Resp) -> How {
    How { db: run.db, resp, may_block: false, ..run.how }
}
