//! Calls of a script that need other shards. The script's transaction holds every shard, so whoever is asked answers at
//! once.
//!
//! Keys are lent to the script's shard, one by one as it calls them, and go home with its transaction. Calls over whole
//! shards (DBSIZE, KEYS, FLUSHALL, SCAN) run where the keys are; guests go home first, so that they are found there.

use super::calls::{Answer, how_of};
use super::{Run, Wait};
use crate::coordinator::merge::{is_null, merge};
use crate::coordinator::messages::{DbKey, Lending, Request};
use crate::core::Center;
use crate::core::call::How;
use crate::core::message::Message;
use crate::core::query::{Finish, Question};
use crate::dispatch::call::OwnedCall;
use crate::dispatch::route;
use crate::dispatch::table::Entry;
use crate::runtime::ConnId;
use crate::tracking::By;
use shards::args::Args;
use shards::command::{Merge, Spread};
use shards::commands::generic::scan::shard_of_cursor;
use shards::keyspace::guests::Loan;
use shards::keyspace::slots::key_owner;
use shards::reply::Reply;
use shards::shard::Call;
use std::collections::BTreeMap;

/// What cores say to each other about scripts.
pub enum ScriptMessage {
    /// Run this script for a client of mine.
    Run(ScriptOrder),
    /// A script of your client strayed: nothing of it has happened.
    Strayed(ScriptOrder),
    /// Lend these keys to a script that holds you.
    Lend {
        /// The script.
        run: u64,
        /// The keys.
        lending: Lending,
    },
    /// Here they are.
    Lent {
        /// The script.
        run: u64,
        /// The keys.
        loans: Vec<Loan>,
    },
    /// Run your part of a call of a script that holds you.
    Part {
        /// The script.
        run: u64,
        /// The call.
        call: OwnedCall,
        /// How it runs.
        how: How,
    },
    /// Its reply.
    Answered {
        /// The script.
        run: u64,
        /// The bytes.
        reply: Vec<u8>,
    },
}

/// A client's script on its way.
pub struct ScriptOrder {
    /// The call.
    pub call: OwnedCall,
    /// How it was called.
    pub how: How,
    /// It cannot stray.
    pub keeps: bool,
    /// The client.
    pub conn: ConnId,
    /// Where its reply belongs.
    pub ticket: u64,
}

/// The replies of a call that runs on several shards.
pub struct Parts {
    missing: usize,
    parts: Vec<Option<Vec<u8>>>,
    /// How they become one; `None`: any that is not null.
    merge: Option<Merge>,
}

impl Parts {
    /// The one reply.
    pub fn merged(self, random: u64) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = self.parts.into_iter().flatten().collect();
        match self.merge {
            Some(how) => merge(how, &parts, &Vec::new()),
            None => {
                let found: Vec<&Vec<u8>> = parts.iter().filter(|part| !is_null(part)).collect();
                match found.len() {
                    0 => parts.first().cloned().unwrap_or_default(),
                    n => found[(random % n as u64) as usize].clone(),
                }
            }
        }
    }
}

impl Center {
    /// Sees that a call of a script that holds every shard has all it needs here; `None` if it has.
    pub(super) fn bring_here(&mut self, run: &mut Run, entry: &'static Entry, args: Args<'_>) -> Option<Answer> {
        let everyone: Vec<usize> = (0..self.cores).collect();
        match entry.spread() {
            Spread::Everywhere(merge) => Some(self.ask_parts(run, entry, args, &everyone, Some(merge))),
            Spread::FirstFound => Some(self.ask_parts(run, entry, args, &everyone, None)),
            Spread::Cursor(at) => {
                let shard = shard_of_cursor(args, at as usize, self.cores);
                Some(self.ask_parts(run, entry, args, &[shard], None))
            }
            Spread::Loan | Spread::Split(..) => self.borrow_keys(run, entry, args),
        }
    }

    fn borrow_keys(&mut self, run: &Run, entry: &'static Entry, args: Args<'_>) -> Option<Answer> {
        let named: Vec<DbKey> = route::keys_with_dbs(entry, args, run.db)
            .into_iter()
            .map(|(db, at)| (db, args.get(at).into()))
            .collect();
        if let Some(answer) = self.borrow(run, &named) {
            return Some(answer);
        }
        if !route::reaches_beyond(entry, args) {
            return None;
        }
        // SORT says what else it will read once the key it sorts is here.
        let row = entry.engine().expect("the server's own commands reach nothing");
        let How { no_touch, sees_expired, .. } = run.how;
        let call = Call { row, argv: args, db: run.db, resp: shards::reply::Resp::V2, no_touch, sees_expired };
        let reached: Vec<DbKey> =
            self.shard.reached(&call, run.now_ms).into_iter().map(|key| (run.db, key)).collect();
        self.borrow(run, &reached)
    }

    /// Asks for those of these keys that are not here.
    fn borrow(&mut self, run: &Run, keys: &[DbKey]) -> Option<Answer> {
        let mut by_owner: BTreeMap<usize, Vec<DbKey>> = BTreeMap::new();
        for (db, key) in keys {
            let (db, key) = (*db, &**key);
            let owner = key_owner(key, self.cores);
            let known = owner == self.id
                || (db as usize) >= self.shard.keyspace.databases()
                || self.shard.keyspace.has_guest(db, key);
            if !known {
                let line = by_owner.entry(owner).or_default();
                let wanted: DbKey = (db, key.into());
                if !line.contains(&wanted) {
                    line.push(wanted);
                }
            }
        }
        if by_owner.is_empty() {
            return None;
        }
        let owners = by_owner.len();
        for (owner, keys) in by_owner {
            let by = run.how.by;
            let reads = if by.tracks { keys.iter().map(|(_, key)| key.clone()).collect() } else { Vec::new() };
            self.send_script(owner, ScriptMessage::Lend { run: run.id, lending: Lending { keys, reads, by } });
        }
        Some(Answer::Wait(Wait::Keys(owners)))
    }

    fn ask_parts(
        &mut self,
        run: &Run,
        entry: &'static Entry,
        args: Args<'_>,
        shards: &[usize],
        merge: Option<Merge>,
    ) -> Answer {
        self.send_guests_home(run.how.by);
        let how = how_of(run, shards::reply::Resp::V2);
        for shard in shards {
            let call = OwnedCall::new(entry, run.db, args);
            self.send_script(*shard, ScriptMessage::Part { run: run.id, call, how });
        }
        Answer::Wait(Wait::Parts(Parts { missing: shards.len(), parts: Vec::new(), merge }))
    }

    fn send_guests_home(&mut self, by: By) {
        let mut by_owner: BTreeMap<usize, Vec<Loan>> = BTreeMap::new();
        for loan in self.shard.farewell() {
            by_owner.entry(key_owner(&loan.key, self.cores)).or_default().push(loan);
        }
        for (owner, loans) in by_owner {
            self.request(owner, Request::TakeBack { loans, by });
        }
    }

    pub(super) fn send_script(&mut self, core: usize, message: ScriptMessage) {
        self.send(core, Message::Script(Box::new(message)));
    }

    /// Another core, or this one, says something about scripts.
    pub fn on_script_message(&mut self, from: usize, message: ScriptMessage) {
        match message {
            ScriptMessage::Run(order) => self.run_script_for(from, order),
            ScriptMessage::Strayed(order) => self.script_strayed(order),
            ScriptMessage::Lend { run, lending } => {
                let loans = self.lend(lending);
                self.send_script(from, ScriptMessage::Lent { run, loans });
            }
            ScriptMessage::Lent { run, loans } => self.take_loans(run, loans),
            ScriptMessage::Part { run, call, how } => {
                let mut reply = Vec::new();
                self.call(call.entry, call.argv(), how, &mut reply);
                self.commit();
                self.slow = None;
                self.send_script(from, ScriptMessage::Answered { run, reply });
            }
            ScriptMessage::Answered { run, reply } => self.take_part(run, reply),
        }
    }

    fn waiting_run(&mut self, id: u64) -> &mut Run {
        let run = self.scripts.running.as_mut().expect("shards answer scripts that wait");
        assert_eq!(run.id, id, "one script at a time waits");
        run
    }

    fn take_loans(&mut self, id: u64, loans: Vec<Loan>) {
        let run = self.waiting_run(id);
        run.loans.extend(loans);
        let Some(Wait::Keys(missing)) = &mut run.wait else { unreachable!("it asked for keys") };
        *missing -= 1;
        if *missing == 0 {
            self.go_on_with_script();
        }
    }

    fn take_part(&mut self, id: u64, reply: Vec<u8>) {
        let run = self.waiting_run(id);
        let Some(Wait::Parts(parts)) = &mut run.wait else { unreachable!("it asked for parts") };
        parts.parts.push(Some(reply));
        parts.missing -= 1;
        if parts.missing == 0 {
            self.go_on_with_script();
        }
    }

    /// Asks all cores for a server command of the running script.
    pub(super) fn gather_for_script(&mut self, question: Question, finish: Finish) {
        self.gather_into(None, question, finish);
    }

    /// All cores have reported to the running script.
    pub(in crate::core) fn finish_script_gather(&mut self, finish: Finish, reports: Vec<crate::core::query::Report>) {
        let mut run = self.scripts.running.take().expect("the script waits for its reports");
        let stack = self.scripts.stack.take().expect("its machine waits too");
        {
            let session = run.session.as_mut().expect("its command had a session");
            let mut exchange = stack.exchange();
            exchange.reply.clear();
            let mut out = std::mem::take(&mut exchange.reply);
            let mut reply = Reply::new(&mut out, session.resp);
            finish(self, session, reports, &mut reply);
            exchange.reply = out;
        }
        self.scripts.stack = Some(stack);
        self.scripts.running = Some(run);
        self.go_on_with_script();
    }
}
