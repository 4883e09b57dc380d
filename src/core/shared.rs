//! The few things cores share: counters that must be unique, the configuration's owner, and the wish to stop.

use super::script::known::Register;
use crate::acl::{AclLog, Users};
use crate::config::{Reader, Store};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// How the process is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It goes on.
    Running,
    /// SHUTDOWN or a signal: in order.
    Clean,
}

/// The most cores the directive `shards` allows.
const CORES_MAX: usize = 1024;

/// What cores share.
pub struct Shared {
    next_client: AtomicU64,
    next_txid: AtomicU64,
    /// Connections of all cores.
    pub connections: AtomicUsize,
    /// By core: it has nothing left to evict although memory is short.
    dry: Vec<AtomicBool>,
    /// By core: keys it could evict when it looked last.
    evictable: Vec<AtomicU64>,
    /// Scripts and libraries.
    pub register: Register,
    store: Mutex<Store>,
    /// The newest users. Cores keep their own `Arc` of them and come here when told that there are newer ones.
    users: Mutex<Arc<Users>>,
    acl_log: Mutex<AclLog>,
    /// The TCP sockets that listen: core 0 accepts from them, CONFIG SET silences them.
    listening: Mutex<Vec<OwnedFd>>,
    stop: AtomicBool,
    /// When the process started, unix milliseconds.
    pub started_ms: i64,
    /// 40 hexadecimal digits, new with each start.
    pub run_id: String,
    /// 40 hexadecimal digits that name this history of the keyspace (INFO master_replid).
    pub replication_id: String,
    /// The program's file.
    pub executable: std::path::PathBuf,
    /// Bytes in use when the start was done.
    pub startup_bytes: AtomicU64,
    /// The most bytes seen in use.
    pub peak_bytes: AtomicU64,
    /// The TCP port it listens on (the real one if 0 was asked for).
    pub port: AtomicU64,
}

impl Shared {
    /// For a process with this configuration.
    pub fn new(store: Store, run_id: String, replication_id: String) -> Shared {
        let users = Users::new(store.config().security.requirepass.reveal());
        Shared {
            next_client: AtomicU64::new(1),
            next_txid: AtomicU64::new(1),
            connections: AtomicUsize::new(0),
            dry: std::iter::repeat_with(|| AtomicBool::new(false)).take(CORES_MAX).collect(),
            evictable: std::iter::repeat_with(|| AtomicU64::new(0)).take(CORES_MAX).collect(),
            register: Register::default(),
            store: Mutex::new(store),
            users: Mutex::new(Arc::new(users)),
            acl_log: Mutex::new(AclLog::default()),
            listening: Mutex::new(Vec::new()),
            stop: AtomicBool::new(false),
            started_ms: crate::stats::clock::unix_ms(),
            run_id,
            replication_id,
            executable: std::env::current_exe().unwrap_or_default(),
            startup_bytes: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            port: AtomicU64::new(0),
        }
    }

    /// Whether a core has nothing left to evict although memory is short.
    pub fn is_dry(&self, core: usize) -> &AtomicBool {
        &self.dry[core]
    }

    /// How many keys a core could evict when it looked last.
    pub fn evictable(&self, core: usize) -> &AtomicU64 {
        &self.evictable[core]
    }

    /// True if no core has anything left to evict.
    pub fn all_dry(&self, cores: usize) -> bool {
        self.dry[..cores].iter().all(|dry| dry.load(Ordering::Relaxed))
    }

    /// A client's id.
    pub fn client_id(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    /// A transaction's id.
    pub fn txid(&self) -> u64 {
        self.next_txid.fetch_add(1, Ordering::Relaxed)
    }

    /// The configuration's owner, for CONFIG SET and REWRITE.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("nobody panics with the configuration in hand")
    }

    /// The newest users.
    pub fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.lock().expect("nobody panics with the users in hand"))
    }

    /// Changes the users, one change after the other. On `Err` nothing has changed. Whoever changes them has every core
    /// take them up ([`super::Center::take_users`]).
    pub fn change_users<T, E>(&self, change: impl FnOnce(&Users) -> Result<(Users, T), E>) -> Result<T, E> {
        let mut newest = self.users.lock().expect("nobody panics with the users in hand");
        let (users, result) = change(&newest)?;
        *newest = Arc::new(users);
        Ok(result)
    }

    /// ACL LOG. Only denials and that command come here.
    pub fn acl_log(&self) -> MutexGuard<'_, AclLog> {
        self.acl_log.lock().expect("nobody panics with the log in hand")
    }

    /// The TCP sockets that listen.
    pub fn listening(&self) -> MutexGuard<'_, Vec<OwnedFd>> {
        self.listening.lock().expect("nobody panics with the sockets in hand")
    }

    /// A view of the configuration for a core.
    pub fn reader(&self) -> Reader {
        self.store().reader()
    }

    /// Asks all cores to stop; they look at every turn.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// True once somebody asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}
