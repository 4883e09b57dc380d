//! What CONFIG SET changes outside the configuration: limits of the process, sockets, the log.
//!
//! [`Center::attempt`] tries what can fail, before anybody sees the new configuration; [`Center::settle`] does what cannot, after.
//! What each core reads from the configuration itself (thresholds, policies, timeouts) needs nothing here.

use super::Center;
use super::message::Message;
use crate::config::{Config, Proposal, Store, store::failed};
use crate::process;
use crate::runtime::listen::{self, ListenError};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;

impl Center {
    /// Tries what a proposal needs of the world. On `Err` (CONFIG SET's reply) everything is as it was; `Ok` goes to
    /// [`Center::settle`] once the proposal is the configuration.
    pub fn attempt(&mut self, store: &Store, proposal: &Proposal) -> Result<Attempted, String> {
        let changes = |name: &str| proposal.changed().iter().any(|changed| changed.row.name == name);
        let (old, new) = (store.config(), proposal.config());
        if changes("maxclients") {
            make_room(new.clients.maxclients, old.clients.maxclients)?;
        }
        if changes("oom-score-adj") || changes("oom-score-adj-values") {
            score(new).inspect_err(|_| drop(score(old)))?;
        }
        let listening = if changes("port") || changes("bind") {
            Some(self.listen_anew(old, new, changes("bind"))?)
        } else {
            None
        };
        Ok(Attempted { listening, forgets_keys: changes("tracking-table-max-keys") })
    }

    /// Listens as the new configuration says. An address that is listened on already must be let go first; if the new ones
    /// cannot be had, the old ones are taken again.
    fn listen_anew(&mut self, old: &Config, new: &Config, bind: bool) -> Result<Vec<OwnedFd>, String> {
        if old.network.port == new.network.port {
            self.shared.listening().iter().for_each(|fd| listen::silence(fd.as_fd()));
        }
        open(new).map_err(|_| {
            if old.network.port == new.network.port
                && let Ok(sockets) = open(old)
            {
                self.listen_on(sockets);
            }
            if bind {
                failed("bind", "Failed to bind to specified addresses.")
            } else {
                failed("port", "Unable to listen on this port. Check server logs.")
            }
        })
    }

    /// Has core 0 accept from these sockets.
    fn listen_on(&mut self, sockets: Vec<OwnedFd>) {
        *self.shared.listening() = sockets.iter().filter_map(|fd| fd.try_clone().ok()).collect();
        self.send(0, Message::Listen(sockets));
    }

    /// Does what follows from a configuration that is in force.
    pub fn settle(&mut self, config: &Config, attempted: Attempted) {
        crate::log::apply(&config.logging);
        crate::log::crash::set_context(&config.general.debug_context.to_str_lossy());
        if let Some(sockets) = attempted.listening {
            self.shared.port.store(u64::try_from(config.network.port).unwrap_or(0), Ordering::Relaxed);
            self.listen_on(sockets);
        }
        if attempted.forgets_keys {
            self.wake_all_cores();
        }
    }
}

/// What was tried and worked.
pub struct Attempted {
    /// New sockets to accept from.
    listening: Option<Vec<OwnedFd>>,
    /// Cores that sleep must look at what they remember of clients' reads.
    forgets_keys: bool,
}

/// The TCP sockets a configuration asks for; none with port 0.
pub fn open(config: &Config) -> Result<Vec<OwnedFd>, ListenError> {
    let network = &config.network;
    let Ok(port @ 1..) = u16::try_from(network.port) else { return Ok(Vec::new()) };
    let backlog = i32::try_from(network.tcp_backlog).unwrap_or(i32::MAX);
    let addresses: Vec<String> = network.bind.0.iter().map(|address| address.to_str_lossy().into_owned()).collect();
    listen::tcp(&addresses, port, backlog, &mut |text| tracing::warn!("{text}"))
}

/// Room for more clients' descriptors, or the text of the refusal (Valkey's).
fn make_room(wanted: u64, before: u64) -> Result<(), String> {
    if wanted <= before {
        return Ok(());
    }
    match process::open_files(wanted) {
        Ok(granted) if granted >= wanted => Ok(()),
        Ok(granted) => Err(failed(
            "maxclients",
            &format!("The operating system is not able to handle the specified number of clients, try with {granted}"),
        )),
        Err(error) => Err(failed("maxclients", &error)),
    }
}

fn score(config: &Config) -> Result<(), String> {
    process::set_oom_score(config, false).map_err(|error| {
        tracing::warn!("Unable to write oom_score_adj: {error}");
        failed("oom-score-adj", "Failed to apply new oom_score_adj configuration, check server logs.")
    })
}

/// Valkey's warning when a new limit is below what is in use.
pub fn warn_of_memory(before: &Config, now: &Config, used_bytes: u64) {
    let limit = now.memory.maxmemory;
    if limit != before.memory.maxmemory && limit != 0 && limit < used_bytes {
        tracing::warn!(
            "WARNING: the new maxmemory value set via CONFIG SET ({limit}) is smaller than the current memory usage \
             ({used_bytes}). This will result in key eviction and/or the inability to accept new write commands depending \
             on the maxmemory-policy."
        );
    }
}
