//! Client-side caching over the cores: reads are remembered where the key lives, changes are told where the client lives.
//!
//! ```text
//! owner of the key: call -> noted -> commit: changes told, then reads remembered
//!      | Notice, behind the replies of the turn
//! core of the client: its session says whether it still wants to know, and who is told instead
//!      | Notice (Redirected)
//! core of that one: a push, if its protocol can take one
//! ```
//!
//! Two rules keep copies right. A client hears of a change after every answer that was read before it: notices go behind
//! the replies of a core, and what a client's own transaction did is held until that is answered. And a read is
//! remembered no later than another change can follow it: at the end of its own call, or, for a key that is lent, when it
//! is lent (it is locked then, and what the call did to it is told when it comes home).
//!
//! FLUSHALL is told once, when all shards have said that they are empty: what was answered by any of them before has come
//! then.
//!
//! Invariant: a notice in `inbox` is for a connection that is being served, that waits for the answer of its transaction,
//! or that is gone; [`Center::end_notices`] drops the last kind.

use super::Center;
use super::message::Message;
use super::query::{Finish, Question, Report};
use crate::connection::session::Session;
use crate::connection::{Connection, Ending, Stall};
use crate::dispatch::table::Entry;
use crate::runtime::ConnId;
use crate::tracking::client::{Mode, Redirect, Tracking};
use crate::tracking::keys::Keys;
use crate::tracking::prefixes::{Prefixes, array};
use crate::tracking::{By, Hold, Who};
use shards::args::Args;
use shards::command::flag;
use shards::effects::{Event, EventClass};
use shards::keyspace::guests::Loan;
use shards::keyspace::slots::key_owner;
use shards::reply::{Reply, Resp};
use std::sync::Arc;

/// The channel on which clients of RESP2 are told.
const CHANNEL: &[u8] = b"__redis__:invalidate";
/// Keys forgotten in one turn when there are too many.
const FORGET_KEYS: usize = 1000;

/// Something a client is to be told.
#[derive(Debug)]
pub struct Notice {
    /// The client, on the core the notice goes to.
    pub to: ConnId,
    /// What.
    pub what: What,
}

/// What a notice says.
#[derive(Debug)]
pub enum What {
    /// These keys, a RESP array, are not what they were.
    Changed {
        /// The keys.
        keys: Arc<[u8]>,
        /// It listens to all keys with a prefix.
        broadcast: bool,
        /// It changed them itself.
        own: bool,
        /// When it is told.
        hold: Hold,
    },
    /// Nothing is what it was.
    Flushed,
    /// What another client would have been told.
    Redirected {
        /// A RESP array, or null.
        keys: Arc<[u8]>,
        /// That client.
        from: Who,
        /// The id it knows this one by.
        id: u64,
    },
    /// Whoever was told instead is gone.
    Broken {
        /// Its id.
        id: u64,
    },
}

/// A core's part in tracking.
#[derive(Default)]
pub struct Tracker {
    /// Keys of this shard that were read.
    pub keys: Keys,
    /// Prefixes, the same on all cores.
    pub prefixes: Prefixes,
    /// Clients that track, of all cores.
    pub clients: u64,
    /// On whose account the running call runs.
    by: By,
    /// Keys that the running calls have read.
    reads: Vec<(Box<[u8]>, Who)>,
    /// Notices for clients of this core that cannot be told yet.
    inbox: Vec<Notice>,
    /// Notices of this turn, by core.
    outbox: Vec<Vec<Notice>>,
    /// How often this shard was emptied, how often each core said so of itself, and what was told.
    flushes: u64,
    flushed: Vec<u64>,
    told: u64,
}

impl Tracker {
    /// For so many cores.
    pub fn new(cores: usize) -> Tracker {
        Tracker {
            outbox: (0..cores).map(|_| Vec::new()).collect(),
            flushed: vec![0; cores],
            ..Tracker::default()
        }
    }

    /// True if somebody must be told when a key of this shard changes.
    #[inline]
    pub fn wants_changes(&self) -> bool {
        !self.keys.is_empty() || !self.prefixes.is_empty()
    }

    /// The notices for a core that are to be sent.
    pub(super) fn outgoing(&mut self, core: usize) -> Option<Message> {
        let notices = &mut self.outbox[core];
        (!notices.is_empty()).then(|| Message::Notices(std::mem::take(notices)))
    }
}

impl Center {
    /// On whose account a client of this core runs a call.
    #[inline]
    pub(super) fn by(&self, conn: ConnId, session: &Session) -> By {
        By { who: Some(self.who(conn)), tracks: session.tracks(), hold: Hold::No }
    }

    fn who(&self, conn: ConnId) -> Who {
        Who { core: u16::try_from(self.id).expect("cores are few"), conn }
    }

    /// A call begins.
    #[inline]
    pub(super) fn begin_call_by(&mut self, by: By) {
        self.tracker.by = by;
    }

    /// A call has run: if its client tracks what it reads, that is noted until the commit.
    #[inline]
    pub(super) fn note_reads(&mut self, entry: &Entry, argv: Args<'_>, by: By) {
        if by.tracks && entry.is(flag::READONLY) && !entry.is(flag::PUBSUB) {
            self.note_keys_read(entry, argv, by);
        }
    }

    #[cold]
    fn note_keys_read(&mut self, entry: &Entry, argv: Args<'_>, by: By) {
        let Some(who) = by.who else { return };
        let mut found = Vec::new();
        if entry.key_indexes(argv, &mut found).is_err() {
            return;
        }
        let (cores, id) = (self.cores, self.id);
        let mine = found.into_iter().map(|at| argv.get(at)).filter(|key| key_owner(key, cores) == id);
        if self.shard.keyspace.has_guests() {
            // There is one commit for all calls of the transaction, and what a call read a later one may change.
            mine.for_each(|key| self.tracker.keys.add(key, who));
        } else {
            self.tracker.reads.extend(mine.map(|key| (key.into(), who)));
        }
    }

    /// Keys are lent to a call that reads them.
    pub(super) fn note_lent(&mut self, reads: Vec<Box<[u8]>>, by: By) {
        if let Some(who) = by.who {
            self.tracker.reads.extend(reads.into_iter().map(|key| (key, who)));
        }
    }

    /// Keys come home from a call that may have changed them.
    pub(super) fn note_returned(&mut self, loans: &[Loan], by: By) {
        if self.tracker.wants_changes() {
            self.tracker.by = by;
            let changed: Vec<Box<[u8]>> =
                loans.iter().filter(|loan| loan.events.iter().any(is_change)).map(|loan| loan.key.clone()).collect();
            changed.iter().for_each(|key| self.key_changed(key));
        }
    }

    /// The part of [`Center::commit`] that is about tracking: changes are told, then reads are remembered.
    #[inline]
    pub(super) fn commit_tracking(&mut self) {
        if self.tracker.wants_changes() || self.shard.effects().flushed {
            self.tell_changes();
        }
        if !self.tracker.reads.is_empty() {
            let tracker = &mut self.tracker;
            tracker.reads.drain(..).for_each(|(key, who)| tracker.keys.add(&key, who));
        }
        self.tracker.by = By::default();
        if !self.tracker.inbox.is_empty() {
            self.deliver_notices(None);
        }
    }

    fn tell_changes(&mut self) {
        if std::mem::take(&mut self.shard.effects().flushed) {
            self.shard_flushed();
        }
        // A guest's owner tells of it when it is home.
        let (cores, id) = (self.cores, self.id);
        let mut changed: Vec<Box<[u8]>> = Vec::new();
        let mine = |key: &[u8]| key_owner(key, cores) == id;
        let effects = self.shard.effects();
        for (_, key) in effects.changes().filter(|(change, key)| is_change(&change.event) && mine(key)) {
            if changed.last().is_none_or(|last| **last != *key) {
                changed.push(key.into());
            }
        }
        changed.iter().for_each(|key| self.key_changed(key));
    }

    fn key_changed(&mut self, key: &[u8]) {
        let by = self.tracker.by;
        if !self.tracker.prefixes.is_empty() {
            self.tracker.prefixes.note(key, by.who);
        }
        let Some(readers) = self.tracker.keys.take(key) else { return };
        self.tell_readers(key, readers.sorted(), by);
    }

    fn tell_readers(&mut self, key: &[u8], readers: Vec<Who>, by: By) {
        let keys = array([key].into_iter());
        for who in readers {
            let own = by.who == Some(who);
            let hold = if own { by.hold } else { Hold::No };
            let what = What::Changed { keys: Arc::clone(&keys), broadcast: false, own, hold };
            self.send_notice(who, what);
        }
    }

    fn send_notice(&mut self, who: Who, what: What) {
        let notice = Notice { to: who.conn, what };
        let core = usize::from(who.core);
        if core == self.id { self.tracker.inbox.push(notice) } else { self.tracker.outbox[core].push(notice) }
    }

    /// The shard was emptied: nobody's keys are remembered any more.
    fn shard_flushed(&mut self) {
        self.tracker.keys.clear();
        self.tracker.flushes += 1;
        let count = self.tracker.flushes;
        for core in 0..self.cores {
            self.send(core, Message::Flushed { count });
        }
    }

    /// A core's shard was emptied for the `count`th time. When all were, this core's clients are told.
    pub(super) fn on_flushed(&mut self, from: usize, count: u64) {
        let tracker = &mut self.tracker;
        tracker.flushed[from] = count;
        let all = tracker.flushed.iter().copied().min().unwrap_or(count);
        if all <= std::mem::replace(&mut tracker.told, all) {
            return;
        }
        let tracking = self.clients.iter().filter(|(_, connection)| connection.session.tracking.is_some());
        let notices: Vec<Notice> = tracking.map(|(to, _)| Notice { to, what: What::Flushed }).collect();
        self.take_notices(notices);
    }

    /// Notices of another core.
    pub(super) fn take_notices(&mut self, notices: Vec<Notice>) {
        self.tracker.inbox.extend(notices);
        self.deliver_notices(None);
    }

    /// Gives a connection that is being served what it was told meanwhile.
    #[inline]
    pub(super) fn settle_notices(&mut self, conn: ConnId, connection: &mut Connection) {
        if !self.tracker.inbox.is_empty() {
            self.deliver_notices(Some((conn, connection)));
        }
    }

    /// Nobody is being served: who is not there is gone.
    pub(super) fn end_notices(&mut self) {
        if self.tracker.inbox.is_empty() {
            return;
        }
        self.deliver_notices(None);
        let (there, gone): (Vec<Notice>, Vec<Notice>) = std::mem::take(&mut self.tracker.inbox)
            .into_iter()
            .partition(|notice| self.clients.get_mut(notice.to).is_some());
        self.tracker.inbox = there;
        for notice in gone {
            if let What::Redirected { from, id, .. } = notice.what {
                self.send_notice(from, What::Broken { id });
            }
        }
        self.deliver_notices(None);
    }

    /// Delivers what can be delivered now; to do so may make more.
    #[cold]
    fn deliver_notices(&mut self, mut served: Option<(ConnId, &mut Connection)>) {
        let mut kept = Vec::new();
        while !self.tracker.inbox.is_empty() {
            for notice in std::mem::take(&mut self.tracker.inbox) {
                match &mut served {
                    Some((conn, connection)) if *conn == notice.to => {
                        kept.extend(self.deliver_notice(connection, notice));
                    }
                    _ => match self.clients.take(notice.to) {
                        None => kept.push(notice),
                        Some(mut connection) => {
                            let conn = notice.to;
                            kept.extend(self.deliver_notice(&mut connection, notice));
                            self.mark_dirty(conn, &mut connection);
                            self.clients.put(conn, connection);
                        }
                    },
                }
            }
        }
        self.tracker.inbox = kept;
    }

    /// Tells a client; gives the notice back if that must wait.
    fn deliver_notice(&mut self, connection: &mut Connection, notice: Notice) -> Option<Notice> {
        let (conn, resp) = (notice.to, connection.session.resp);
        match &notice.what {
            What::Changed { keys, broadcast, own, hold } => {
                let tracking = connection.session.tracking.as_deref()?;
                let wanted = *broadcast == (tracking.mode == Mode::Broadcast) && !(*own && tracking.noloop);
                let hold = if *broadcast { Hold::UnlessItWaits } else { *hold };
                if wanted && must_wait(connection, hold) {
                    return Some(notice);
                }
                if wanted {
                    let keys = Arc::clone(keys);
                    self.invalidate(conn, connection, &keys);
                }
            }
            What::Flushed => {
                connection.session.tracking.as_deref()?;
                if must_wait(connection, Hold::UnlessItWaits) {
                    return Some(notice);
                }
                let mut null = Vec::new();
                Reply::new(&mut null, resp).null();
                self.invalidate(conn, connection, &null.into());
            }
            What::Redirected { keys, from, id } => {
                if connection.ending != Ending::None {
                    self.send_notice(*from, What::Broken { id: *id });
                } else if resp == Resp::V3 {
                    connection.push(&invalidation(keys));
                } else if connection.session.is_subscriber() {
                    connection.push(&message(keys));
                }
            }
            What::Broken { id } => {
                let tracking = connection.session.tracking.as_deref_mut()?;
                tracking.broken = true;
                if resp == Resp::V3 {
                    connection.push(format!(">2\r\n$21\r\ntracking-redir-broken\r\n:{id}\r\n").as_bytes());
                }
            }
        }
        None
    }

    /// Tells a client that keys are not what they were, or whoever is told instead.
    fn invalidate(&mut self, conn: ConnId, connection: &mut Connection, keys: &Arc<[u8]>) {
        let redirect = connection.session.tracking.as_ref().and_then(|tracking| tracking.redirect);
        match redirect {
            Some(Redirect { id, to }) => {
                let from = self.who(conn);
                self.send_notice(to, What::Redirected { keys: Arc::clone(keys), from, id });
            }
            None if connection.session.resp == Resp::V3 => connection.push(&invalidation(keys)),
            None => {}
        }
    }

    /// The end of a turn: what changed is broadcast, and what is too much is forgotten. True if there is more to forget.
    pub(super) fn end_tracking_turn(&mut self) -> bool {
        if self.tracker.prefixes.has_changes() {
            for list in self.tracker.prefixes.drain() {
                for who in list.to {
                    let keys = Arc::clone(&list.keys);
                    self.send_notice(who, What::Changed { keys, broadcast: true, own: false, hold: Hold::No });
                }
            }
        }
        let more = self.forget_keys();
        if !self.tracker.inbox.is_empty() {
            self.deliver_notices(None);
        }
        more
    }

    /// Forgets keys beyond this core's share of `tracking-table-max-keys`; their readers hear that they changed.
    fn forget_keys(&mut self) -> bool {
        let limit = usize::try_from(self.config.clients.tracking_table_max_keys).unwrap_or(usize::MAX);
        if limit == 0 {
            return false;
        }
        let share = limit / self.cores + usize::from(self.id < limit % self.cores);
        let mut left = FORGET_KEYS;
        while self.tracker.keys.len() > share && left > 0 {
            let Some((key, readers)) = self.tracker.keys.take_any(self.rng.next_u64()) else { break };
            self.tell_readers(&key, readers.sorted(), By::default());
            left -= 1;
        }
        self.tracker.keys.len() > share
    }

    /// CLIENT TRACKING ON: what all cores are asked, and what becomes of it. The session tracks at once, so that a client
    /// that goes meanwhile is forgotten like any other.
    pub fn start_tracking(
        &self, conn: ConnId, session: &mut Session, mut tracking: Tracking, redirect: Option<u64>,
    ) -> (Question, Finish) {
        let who = self.who(conn);
        let old = session.tracking.take();
        let fresh = old.is_none();
        let added = std::mem::take(&mut tracking.prefixes);
        let (mut all, noloop) = (old.as_ref().map_or(Vec::new(), |old| old.prefixes.clone()), tracking.noloop);
        all.extend(added.iter().filter(|new| old.as_ref().is_none_or(|old| !old.prefixes.contains(new))).cloned());
        all.sort_unstable();
        tracking.prefixes = all.clone();
        session.tracking = Some(Box::new(tracking));
        let question: Question = Arc::new(move |center: &mut Center| -> Report {
            center.tracker.clients += u64::from(fresh);
            all.iter().for_each(|prefix| center.tracker.prefixes.add(prefix, who, noloop));
            center.listen();
            let is_it = |connection: &Connection| Some(connection.session.id) == redirect;
            Box::new(center.clients.iter().find(|(_, c)| is_it(c)).map(|(conn, _)| center.who(conn)))
        });
        let finish: Finish = Box::new(move |center, session, reports, reply| {
            let mut found = reports.into_iter().map(|r| *r.downcast::<Option<Who>>().expect("the question reports this"));
            let to = found.find_map(|who| who);
            match (redirect, to, &mut session.tracking) {
                (Some(id), Some(to), Some(tracking)) => tracking.redirect = Some(Redirect { id, to }),
                (Some(_), None, _) => {
                    center.undo_tracking(session, who, old);
                    return reply.error("ERR The client ID you want redirect to does not exist");
                }
                _ => {}
            }
            reply.ok();
        });
        (question, finish)
    }

    /// There is nobody to redirect to: everything is as it was.
    fn undo_tracking(&mut self, session: &mut Session, who: Who, old: Option<Box<Tracking>>) {
        if session.tracking.is_none() {
            // The client went meanwhile, and was forgotten.
            return;
        }
        let new = std::mem::replace(&mut session.tracking, old);
        let kept = session.tracking.as_ref().map_or(Vec::new(), |old| old.prefixes.clone());
        let noloop = session.tracking.as_ref().is_some_and(|old| old.noloop);
        let gone = new.map_or(Vec::new(), |new| new.prefixes);
        let counted = u64::from(session.tracking.is_none());
        self.tell_all_cores(move |center| {
            center.tracker.clients -= counted;
            gone.iter().for_each(|prefix| center.tracker.prefixes.remove(prefix, who));
            kept.iter().for_each(|prefix| center.tracker.prefixes.add(prefix, who, noloop));
        });
    }

    /// CLIENT TRACKING OFF, RESET, or the client goes. Keys it has read stay remembered until they change.
    pub fn stop_tracking(&mut self, conn: ConnId, session: &mut Session) {
        let Some(tracking) = session.tracking.take() else { return };
        let who = self.who(conn);
        self.tell_all_cores(move |center| {
            center.tracker.clients -= 1;
            tracking.prefixes.iter().for_each(|prefix| center.tracker.prefixes.remove(prefix, who));
        });
    }

    /// Has every core take a turn, and with it the newest configuration.
    pub fn wake_all_cores(&mut self) {
        self.tell_all_cores(|_| {});
    }

    fn tell_all_cores(&mut self, deed: impl Fn(&mut Center) + Clone + Send + Sync + 'static) {
        (0..self.cores).for_each(|core| self.tell(core, deed.clone()));
    }
}

/// Of all events, a look-up that finds nothing changes nothing.
fn is_change(event: &Event) -> bool {
    event.class != EventClass::Miss
}

/// True if a client must be answered before it is told.
fn must_wait(connection: &Connection, hold: Hold) -> bool {
    let works = matches!(connection.stall, Some(Stall::Working(_)));
    match hold {
        Hold::No => false,
        Hold::UntilAnswered => works,
        Hold::UnlessItWaits => works && !connection.waits_for_keys(),
    }
}

/// What clients of RESP3 are told.
fn invalidation(keys: &[u8]) -> Vec<u8> {
    [b">2\r\n$10\r\ninvalidate\r\n", keys].concat()
}

/// What clients of RESP2 are told.
fn message(keys: &[u8]) -> Vec<u8> {
    let head = format!("*3\r\n$7\r\nmessage\r\n${}\r\n", CHANNEL.len());
    [head.as_bytes(), CHANNEL, b"\r\n", keys].concat()
}
