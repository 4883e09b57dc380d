//! What clients may do: the gate of access control, its denials, and what a change of users means to clients.
//!
//! Clients of an unlimited user never come here. For the others every call is checked before it is queued or run, again
//! when EXEC runs it, and, if it waits for keys, whenever its user changes: a client that blocks on a key it may not read
//! any more is told at once.

use super::Center;
use crate::acl::check::{Call, Denial, Reason, allows_with_any_key, check};
use crate::acl::selector::channel_fits;
use crate::acl::{Context, LogEntry, User};
use crate::commands::client::filter::Subject;
use crate::commands::client::list::line_of;
use crate::connection::gauges::Gauges;
use crate::connection::session::{Refused, Session};
use crate::connection::{Connection, Ending};
use crate::dispatch::call::OwnedCall;
use crate::dispatch::table::Entry;
use crate::pubsub::Kind;
use crate::runtime::ConnId;
use shards::args::Args;
use shards::command::key;
use shards::error::CommandError;
use shards::reply::Reply;
use shards::stdx::number::parse_i64;
use std::sync::Arc;

const NO_BY: CommandError = CommandError::Static("ERR BY option of SORT denied due to insufficient ACL permissions.");
const NO_GET: CommandError = CommandError::Static("ERR GET option of SORT denied due to insufficient ACL permissions.");

/// Something denied, for the log.
pub struct Denied<'a> {
    /// What.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// Its name.
    pub object: &'a [u8],
    /// The user it was denied to.
    pub username: &'a [u8],
}

impl Center {
    /// Checks a call of a user.
    pub fn check_call(&self, user: &User, call: &OwnedCall) -> Result<(), Denial> {
        let databases = self.config.general.databases;
        check(user, &Call { entry: call.entry, argv: call.argv(), db: call.db, databases })
    }

    /// The error for a client that may not make this call, logged and counted; none if it may.
    #[cold]
    pub(super) fn denied(&mut self, connection: &Connection, entry: &'static Entry, argv: Args<'_>) -> Option<CommandError> {
        let session = &connection.session;
        let multi = session.multi.as_ref();
        let databases = self.config.general.databases;
        let call = Call { entry, argv, db: multi.map_or(session.db, |multi| multi.db), databases };
        let denial = check(&session.user, &call).err()?;
        let context = if multi.is_some() { Context::Multi } else { Context::Toplevel };
        let username = &session.user.name;
        let denied = Denied { reason: denial.reason, context, object: denial.object(&call), username };
        self.note_denied(denied, session, &connection.gauges());
        Some(CommandError::owned(format!("NOPERM {}", denial.text(&session.user, &call))))
    }

    /// Counts something denied, and logs it.
    pub fn note_denied(&mut self, denied: Denied<'_>, session: &Session, gauges: &Gauges) {
        let stats = &mut self.stats;
        let counter = match denied.reason {
            Reason::Database => &mut stats.denied_databases,
            Reason::Command => &mut stats.denied_commands,
            Reason::Key => &mut stats.denied_keys,
            Reason::Auth => &mut stats.denied_auth,
            Reason::Channel => &mut stats.denied_channels,
        };
        *counter += 1;
        let entry = LogEntry {
            count: 1,
            reason: denied.reason,
            context: denied.context,
            object: denied.object.into(),
            username: denied.username.into(),
            client: line_of(Subject { session, gauges, now_ms: self.now_ms }).into(),
            id: 0,
            created_ms: self.now_ms,
            updated_ms: self.now_ms,
        };
        let len_max = usize::try_from(self.config.security.acllog_max_len).unwrap_or(usize::MAX);
        self.shared.acl_log().add(entry, len_max);
    }

    /// SORT makes up keys from its BY and GET patterns: only who may read every key may have it do so. The options are read
    /// as SORT reads them, and up to the first that it would refuse itself.
    pub(super) fn denied_patterns(
        &self,
        session: &Session,
        entry: &'static Entry,
        argv: Args<'_>,
        db: u32,
    ) -> Option<CommandError> {
        if !matches!(entry.full_name, "sort" | "sort_ro") {
            return None;
        }
        let option = first_pattern(argv)?;
        let call = Call { entry, argv, db, databases: self.config.general.databases };
        (!allows_with_any_key(&session.user, &call, key::ACCESS)).then_some(option)
    }

    /// Counts a call that answered an error instead of running; whoever answers counts the error.
    pub(super) fn count_refused(&mut self, entry: &Entry) {
        let stat = &mut self.stats.commands[entry.id as usize];
        stat.calls += 1;
        stat.failed += 1;
        self.stats.calls += 1;
    }

    /// Takes out of a transaction what may not run any more, or never might (SORT with patterns).
    pub(super) fn refuse_queued(&mut self, session: &mut Session, calls: &mut Vec<OwnedCall>) {
        let mut kept = Vec::with_capacity(calls.len());
        for (at, call) in std::mem::take(calls).into_iter().enumerate() {
            let error = match self.check_call(&session.user, &call) {
                Err(denial) => Some(self.rules_changed(denial, session, &call)),
                Ok(()) => self.denied_patterns(session, call.entry, call.argv(), call.db),
            };
            match error {
                None => kept.push(call),
                Some(error) => {
                    self.stats.count_error(format!("-{}\r\n", error.text()).as_bytes());
                    session.refused.push(Refused { at, call, error });
                }
            }
        }
        *calls = kept;
    }

    fn rules_changed(&mut self, denial: Denial, session: &Session, call: &OwnedCall) -> CommandError {
        let reason = match denial.reason {
            Reason::Command => "no permission to execute the command or subcommand",
            Reason::Key => "no permission to touch the specified keys",
            Reason::Channel => "no permission to access one of the channels used as arguments",
            Reason::Database | Reason::Auth => "no permission",
        };
        let databases = self.config.general.databases;
        let checked = Call { entry: call.entry, argv: call.argv(), db: call.db, databases };
        let object = denial.object(&checked);
        let denied = Denied { reason: denial.reason, context: Context::Multi, object, username: &session.user.name };
        self.note_denied(denied, session, &Gauges::default());
        CommandError::owned(format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command \
             is no longer allowed for the following reason: {reason}"
        ))
    }

    /// A client that waited for keys may not have them any more: it is told.
    pub(super) fn refuse_waiting(&mut self, conn: ConnId, ticket: u64, call: &OwnedCall) {
        let Some(mut connection) = self.clients.take(conn) else { return };
        let was = connection.session.db;
        connection.session.db = call.db;
        let error = self.denied(&connection, call.entry, call.argv());
        connection.session.db = was;
        // It may again: that came too late for this call.
        let error = error.unwrap_or(CommandError::Static("NOPERM No permissions to access a key"));
        self.stats.commands[call.entry.id as usize].rejected += 1;
        let mut reply = Vec::new();
        Reply::new(&mut reply, connection.session.resp).error(error.text());
        self.stats.count_error(&reply);
        self.end_stall(conn, &mut connection, ticket, &reply);
        self.clients.put(conn, connection);
    }

    /// Takes up the newest users. Clients whose user is gone are closed, the one that asked for it (`asker`) after its
    /// reply.
    pub fn take_users(&mut self, asker: u64) {
        let newest = self.shared.users();
        let old = std::mem::replace(&mut self.users, Arc::clone(&newest));
        if Arc::ptr_eq(&old, &newest) {
            return;
        }
        let (mut gone, mut waiting) = (Vec::new(), Vec::new());
        for (conn, connection) in self.clients.iter_mut() {
            let session = &mut connection.session;
            match newest.get(&session.user.name).filter(|user| user.serial == session.user.serial) {
                Some(user) if Arc::ptr_eq(user, &session.user) => {}
                Some(user) if listens_in_vain(user, session) => gone.push(conn),
                Some(user) => {
                    let authenticated = session.authenticated;
                    session.become_user(user, authenticated);
                    if connection.session.restricted && connection.waits_for_keys() {
                        waiting.push((conn, Arc::clone(user)));
                    }
                }
                None => {
                    session.become_user(newest.default_user(), false);
                    gone.push(conn);
                }
            }
        }
        gone.into_iter().for_each(|conn| self.end_client(conn, asker));
        waiting.into_iter().for_each(|(conn, user)| self.recheck_waiting(conn, &user));
    }

    /// Closes a client; the one that asked for it hears the answer first.
    fn end_client(&mut self, conn: ConnId, asker: u64) {
        match self.clients.get_mut(conn) {
            Some(connection) if connection.session.id == asker && connection.ending == Ending::None => {
                Center::end_after_replies(connection);
            }
            _ => self.close(conn),
        }
    }
}

/// True if the client listens to what its user, in its new self, may not hear any more.
fn listens_in_vain(user: &User, session: &Session) -> bool {
    let Some(subscriptions) = session.subscriptions.as_ref().filter(|all| !all.is_empty()) else { return false };
    let Some(left) = user.channels_left(&session.user) else { return false };
    let may = |kind: Kind, name: &[u8]| channel_fits(left.iter().copied(), name, kind == Kind::Pattern);
    subscriptions.iter().any(|(kind, name)| !may(kind, name))
}

/// What SORT answers about its first BY with a star, or its first GET, if its user may not have them.
fn first_pattern(argv: Args<'_>) -> Option<CommandError> {
    let mut at = 2;
    let is_number = |word: &[u8]| parse_i64(word).is_some();
    while at < argv.len() {
        let more = argv.len() - at - 1;
        match argv.get(at).to_ascii_lowercase().as_slice() {
            b"asc" | b"desc" | b"alpha" => at += 1,
            b"limit" if more >= 2 && is_number(argv.get(at + 1)) && is_number(argv.get(at + 2)) => at += 3,
            b"store" if more >= 1 => at += 2,
            b"by" if more >= 1 && !argv.get(at + 1).contains(&b'*') => at += 2,
            b"by" if more >= 1 => return Some(NO_BY),
            b"get" if more >= 1 => return Some(NO_GET),
            _ => return None,
        }
    }
    None
}
