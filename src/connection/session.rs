//! Who a client is: its database and protocol, its rights, its MULTI queue and its WATCHes, and what CLIENT LIST tells.

use crate::acl::User;
use crate::dispatch::call::OwnedCall;
use crate::dispatch::table::Entry;
use crate::pubsub::subscriptions::Subscriptions;
use crate::tracking::client::Tracking;
use shards::error::CommandError;
use shards::reply::Resp;
use std::sync::Arc;

/// What CLIENT REPLY asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyMode {
    /// Every command is answered.
    On,
    /// No command is answered.
    Off,
    /// The next command is not answered.
    SkipNext,
    /// The running command is not answered.
    Skip,
}

/// A transaction being queued.
#[derive(Default, Debug)]
pub struct Multi {
    /// The commands so far.
    pub queue: Vec<OwnedCall>,
    /// The database the next command will run in.
    pub db: u32,
    /// A command was refused: EXEC will abort.
    pub broken: bool,
    /// Bytes the queue holds.
    pub bytes: usize,
    /// Bytes of the queued arguments alone (multi-mem of CLIENT LIST).
    pub args_bytes: usize,
}

/// A queued command that may not run any more when EXEC comes.
#[derive(Debug)]
pub struct Refused {
    /// Its place in the transaction.
    pub at: usize,
    /// The command.
    pub call: OwnedCall,
    /// What it answers.
    pub error: CommandError,
}

/// A watched key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its database.
    pub db: u32,
    /// The key.
    pub key: Box<[u8]>,
    /// The version to compare at EXEC.
    pub version: u64,
}

/// One client, as commands see it.
pub struct Session {
    /// Client id, unique for the life of the process.
    pub id: u64,
    /// Selected database.
    pub db: u32,
    /// Protocol of its replies.
    pub resp: Resp,
    /// It has authenticated, or need not.
    pub authenticated: bool,
    /// It has authenticated some time.
    pub ever_authenticated: bool,
    /// Its user, as of the last change of users this core took up.
    pub user: Arc<User>,
    /// The user may not do everything: calls are checked.
    pub restricted: bool,
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Vec<u8>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_version: Vec<u8>,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// CLIENT NO-EVICT.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// CLIENT IMPORT-SOURCE.
    pub import_source: bool,
    /// READONLY: it reads from replicas.
    pub read_only: bool,
    /// Between MULTI and EXEC.
    pub multi: Option<Multi>,
    /// Commands of the EXEC under way that may not run.
    pub refused: Vec<Refused>,
    /// WATCHed keys.
    pub watched: Vec<Watched>,
    /// What it listens to, if it ever did.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// It is in MONITOR.
    pub monitor: bool,
    /// How it spelled EXEC, for those in MONITOR.
    pub exec_word: [u8; 4],
    /// CLIENT TRACKING.
    pub tracking: Option<Box<Tracking>>,
    /// Peer address as CLIENT LIST shows it.
    pub peer: Box<str>,
    /// Own address as CLIENT LIST shows it.
    pub local: Box<str>,
    /// Came from this machine: a unix socket, or a loopback address.
    pub is_local: bool,
    /// Came through a unix socket.
    pub unix: bool,
    /// The descriptor's number.
    pub fd: i32,
    /// When it connected, unix milliseconds.
    pub connected_ms: i64,
    /// When it last sent a command, unix milliseconds.
    pub active_ms: i64,
    /// CLIENT CAPA REDIRECT: it understands being sent to another server.
    pub can_redirect: bool,
    /// Its last command; none if that was unknown.
    pub last: Option<&'static Entry>,
    /// Bytes received.
    pub net_in: u64,
    /// Bytes sent.
    pub net_out: u64,
    /// Commands run.
    pub commands: u64,
}

impl Session {
    /// A client just accepted.
    pub fn new(id: u64, now_ms: i64, user: Arc<User>, authenticated: bool) -> Session {
        Session {
            id,
            db: 0,
            resp: Resp::V2,
            authenticated,
            ever_authenticated: authenticated,
            restricted: !user.unlimited,
            user,
            name: Vec::new(),
            lib_name: Vec::new(),
            lib_version: Vec::new(),
            reply_mode: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            import_source: false,
            read_only: false,
            can_redirect: false,
            multi: None,
            refused: Vec::new(),
            watched: Vec::new(),
            subscriptions: None,
            monitor: false,
            exec_word: *b"exec",
            tracking: None,
            peer: "".into(),
            local: "".into(),
            unix: false,
            is_local: false,
            fd: -1,
            connected_ms: now_ms,
            active_ms: now_ms,
            last: None,
            net_in: 0,
            net_out: 0,
            commands: 0,
        }
    }

    /// It is this user from now on.
    pub fn become_user(&mut self, user: &Arc<User>, authenticated: bool) {
        self.restricted = !user.unlimited;
        self.user = Arc::clone(user);
        self.authenticated = authenticated;
        self.ever_authenticated |= authenticated;
    }

    /// Whether the running command's reply is wanted.
    #[inline]
    pub fn wants_reply(&self) -> bool {
        matches!(self.reply_mode, ReplyMode::On | ReplyMode::SkipNext)
    }

    /// It is a subscriber: it listens to something.
    #[inline]
    pub fn is_subscriber(&self) -> bool {
        self.subscriptions.as_ref().is_some_and(|s| !s.is_empty())
    }

    /// True if the keys that the command to come reads are to be remembered.
    #[inline]
    pub fn tracks(&self) -> bool {
        self.tracking.as_ref().is_some_and(|tracking| tracking.remembers())
    }

    /// A command has run: what CLIENT CACHING said was for that one, or for the transaction that is being queued.
    #[inline]
    pub fn end_caching(&mut self, ran: Option<&Entry>) {
        if let Some(tracking) = &mut self.tracking
            && self.multi.is_none()
            && ran.is_none_or(|entry| !entry.full_name.starts_with("client"))
        {
            tracking.caching = false;
        }
    }

    /// Heap bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.name.capacity()
            + self.lib_name.capacity()
            + self.lib_version.capacity()
            + self.peer.len()
            + self.local.len()
            + self.subscriptions.as_ref().map_or(0, |s| s.memory_bytes())
            + self.tracking.as_ref().map_or(0, |tracking| tracking.memory_bytes())
            + self.multi.as_ref().map_or(0, |m| m.bytes)
            + self.watched.iter().map(|w| w.key.len() + size_of::<Watched>()).sum::<usize>()
    }
}
