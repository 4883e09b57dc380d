//! CONFIG GET, SET, REWRITE, RESETSTAT, HELP.
//!
//! A change goes through three steps. *Propose*: every value is checked, on a copy. *Attempt*: what can fail in the
//! world (more open files, other listening sockets ...) is tried, see [`crate::core::world`]; if it fails nothing has changed.
//! *Commit*: the copy is the configuration. The client hears OK when every core works by it.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::acl::user::quoted;
use crate::config::choices::ProtectedAction;
use crate::config::disk::Disk;
use crate::config::{Asker, store};
use crate::core::Center;
use shards::command::{Arg, ArgKind, Group, category, flag};
use shards::commands::container;
use shards::error::{CommandError, SYNTAX};
use std::sync::Arc;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [CONFIG]
}

const ADMIN: u32 = flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE;
const EVERY_NODE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// CONFIG subcommand
pub const CONFIG: ServerCommand = ServerCommand {
    arity: -2,
    group: Group::Server,
    since: "2.0.0",
    summary: "Reads and changes the configuration.",
    complexity: "Depends on the subcommand.",
    subcommands: &[GET, SET, RESETSTAT, REWRITE, HELP],
    ..ServerCommand::new("config", |x| Err(container::unknown_subcommand(x.argv)))
};

/// CONFIG GET pattern [pattern ...]
pub const GET: ServerCommand = ServerCommand {
    arity: -3,
    group: Group::Server,
    since: "2.0.0",
    summary: "Answers the directives that fit a pattern, with their values.",
    complexity: "O(N) with N patterns.",
    history: &[("7.0.0", "Takes several patterns.")],
    flags: ADMIN,
    acl: category::DANGEROUS,
    args: &[Arg::new("parameter", ArgKind::String).many()],
    ..ServerCommand::new("get", get)
};

fn get(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let patterns: Vec<&[u8]> = x.argv.iter().skip(2).collect();
    let found = store::get(&x.center.config, &patterns);
    x.reply.map(found.len());
    for (name, value) in found {
        x.reply.bulk(&name);
        x.reply.bulk(&value);
    }
    Ok(Flow::Done)
}

/// CONFIG SET directive value [directive value ...]
pub const SET: ServerCommand = ServerCommand {
    arity: -4,
    group: Group::Server,
    since: "2.0.0",
    summary: "Changes directives while the server runs.",
    complexity: "O(N) with N directives.",
    history: &[("7.0.0", "Takes several directives.")],
    flags: ADMIN,
    acl: category::DANGEROUS,
    tips: EVERY_NODE,
    args: &[Arg::block(
        "data",
        &[Arg::new("parameter", ArgKind::String), Arg::new("value", ArgKind::String)],
    )
    .many()],
    ..ServerCommand::new("set", set)
};

fn set(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.argc() % 2 == 1 {
        return Err(SYNTAX);
    }
    let words: Vec<&[u8]> = x.argv.iter().skip(2).collect();
    let pairs: Vec<(&[u8], &[u8])> = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let asker = Asker { protected_allowed: may_set_protected(x), loading: false };
    let shared = Arc::clone(&x.center.shared);
    let mut store = shared.store();
    let proposal = store.propose(&pairs, asker, &mut Disk).map_err(CommandError::owned)?;
    let attempted = x.center.attempt(&store, &proposal).map_err(CommandError::owned)?;
    let changed = store.commit(proposal);
    if changed.iter().any(|changed| changed.row.name == "requirepass") {
        // With the store in hand, so that of two changes at once the later one counts for both.
        let password = &store.config().security.requirepass;
        let changed = x.center.shared.change_users(|users| Ok::<_, ()>((users.with_requirepass(password.reveal()), ())));
        debug_assert!(changed.is_ok());
    }
    x.center.settle(store.config(), attempted);
    drop(store);
    let before = Arc::clone(&x.center.config);
    x.center.refresh_config();
    crate::core::world::warn_of_memory(&before, &x.center.config, crate::alloc::allocated_bytes() as u64);
    let asker = x.session.id;
    Ok(Flow::everywhere(move |center: &mut Center| {
        center.refresh_config();
        center.take_users(asker);
    }))
}

fn may_set_protected(x: &ServerExec<'_>) -> bool {
    match x.center.config.security.enable_protected_configs {
        ProtectedAction::Yes => true,
        ProtectedAction::No => false,
        ProtectedAction::Local => x.session.is_local,
    }
}

/// CONFIG RESETSTAT
pub const RESETSTAT: ServerCommand = ServerCommand {
    arity: 2,
    group: Group::Server,
    since: "2.0.0",
    summary: "Sets the counters that INFO shows back to 0.",
    complexity: "O(1)",
    flags: ADMIN,
    acl: category::DANGEROUS,
    tips: EVERY_NODE,
    ..ServerCommand::new("resetstat", |_| Ok(Flow::everywhere(Center::reset_stats)))
};

/// CONFIG REWRITE
pub const REWRITE: ServerCommand = ServerCommand {
    arity: 2,
    group: Group::Server,
    since: "2.8.0",
    summary: "Writes the configuration into the file it came from.",
    complexity: "O(1)",
    flags: ADMIN,
    acl: category::DANGEROUS,
    tips: EVERY_NODE,
    ..ServerCommand::new("rewrite", rewrite)
};

fn rewrite(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let users = x.center.shared.users().lines();
    let users: Vec<Vec<u8>> = users.iter().map(|line| quoted(line)).collect();
    let done = x.center.shared.store().rewrite(&users, &mut Disk);
    if let Err(error) = done {
        tracing::warn!("CONFIG REWRITE failed: {error}");
        return Err(CommandError::owned(error));
    }
    tracing::info!("CONFIG REWRITE executed with success.");
    x.reply.ok();
    Ok(Flow::Done)
}

/// CONFIG HELP
pub const HELP: ServerCommand = ServerCommand {
    arity: 2,
    group: Group::Server,
    since: "5.0.0",
    summary: "Describes the subcommands.",
    complexity: "O(1)",
    flags: flag::LOADING | flag::STALE,
    ..ServerCommand::new("help", help)
};

fn help(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    const LINES: &[&str] = &[
        "GET <pattern>",
        "    Show the directives that fit the glob-style <pattern>, with their values.",
        "SET <directive> <value>",
        "    Give a <directive> another <value>.",
        "RESETSTAT",
        "    Set the counters of the INFO command back to 0.",
        "REWRITE",
        "    Write the configuration into its file.",
    ];
    container::help(&mut x.reply, x.argv, LINES);
    Ok(Flow::Done)
}
