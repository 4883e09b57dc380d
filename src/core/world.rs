//! What CONFIG SET changes outside the configuration: limits of the process, sockets, the log.
//!
//! [`Center::attempt`] tries what can fail, before anybody sees the new configuration; [`settle`] does what cannot, after.
//! What each core reads from the configuration itself (thresholds, policies, timeouts) needs nothing here.

use super::Center;
use crate::config::{Config, Proposal, Store, store::failed};
use crate::process;

impl Center {
    /// Tries what a proposal needs of the world. On `Err` (CONFIG SET's reply) everything is as it was.
    pub fn attempt(&mut self, store: &Store, proposal: &Proposal) -> Result<(), String> {
        let changes = |name: &str| proposal.changed().iter().any(|changed| changed.row.name == name);
        let (old, new) = (store.config(), proposal.config());
        if changes("port") || changes("bind") {
            return Err(failed("port", "listening elsewhere needs a restart in this version"));
        }
        if changes("maxclients") {
            make_room(new.clients.maxclients, old.clients.maxclients)?;
        }
        if changes("oom-score-adj") || changes("oom-score-adj-values") {
            score(new).inspect_err(|_| drop(score(old)))?;
        }
        Ok(())
    }
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

/// Does what follows from a configuration that is in force.
pub fn settle(config: &Config) {
    crate::log::apply(&config.logging);
    crate::log::crash::set_context(&config.general.debug_context.to_str_lossy());
}
