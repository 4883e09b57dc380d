//! SHUTDOWN: the process ends in order. A client that asked for it gets no reply; its connection closes with the process.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::runtime::signals;
use shards::command::{Arg, Group, category, flag};
use shards::error::{CommandError, SYNTAX};

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [SHUTDOWN]
}

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [SAFE] [FAILOVER] | ABORT
pub const SHUTDOWN: ServerCommand = ServerCommand {
    arity: -1,
    group: Group::Server,
    since: "1.0.0",
    summary: "Ends the server.",
    complexity: "O(N) with N keys to save, otherwise O(1).",
    history: &[
        ("7.0.0", "Takes `NOW`, `FORCE` and `ABORT`."),
        ("9.0.0", "Takes `SAFE` and `FAILOVER`."),
    ],
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::NO_MULTI | flag::ALLOW_BUSY,
    acl: category::DANGEROUS,
    args: &[Arg::one_of("abort-selector", &[Arg::block("save-selector-block", HOW), ABORT]).opt()],
    ..ServerCommand::new("shutdown", shutdown)
};

const HOW: &[Arg] = &[
    Arg::one_of("save-selector", &[Arg::token("nosave", "NOSAVE"), Arg::token("save", "SAVE")]).opt(),
    Arg::token("now", "NOW").opt().since("7.0.0"),
    Arg::token("force", "FORCE").opt().since("7.0.0"),
    Arg::token("safe", "SAFE").opt().since("9.0.0"),
    Arg::token("failover", "FAILOVER").opt().since("9.0.0"),
];

const ABORT: Arg = Arg::token("abort", "ABORT").since("7.0.0");

/// What was asked for. NOW, FORCE and SAFE are about replicas to wait for, failed saves and voting primaries: there are
/// none of these yet, so they change nothing here either.
#[derive(Default)]
struct How {
    nosave: bool,
    save: bool,
    failover: bool,
    any: bool,
    abort: bool,
}

fn parse(x: &ServerExec<'_>) -> Result<How, CommandError> {
    let mut how = How::default();
    for word in x.argv.iter().skip(1) {
        match word.to_ascii_lowercase().as_slice() {
            b"nosave" => how.nosave = true,
            b"save" => how.save = true,
            b"failover" => how.failover = true,
            b"now" | b"force" | b"safe" => {}
            b"abort" => {
                how.abort = true;
                continue;
            }
            _ => return Err(SYNTAX),
        }
        how.any = true;
    }
    if how.abort && how.any || how.nosave && how.save { Err(SYNTAX) } else { Ok(how) }
}

fn shutdown(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let how = parse(x)?;
    if how.failover && !x.center.config.cluster.cluster_enabled {
        return Err(CommandError::Static("ERR SHUTDOWN FAILOVER is only supported in cluster mode."));
    }
    if how.abort {
        // An end cannot be waited for, so it is never under way.
        return Err(CommandError::Static("ERR No shutdown in progress."));
    }
    if how.save {
        return Err(CommandError::Static(
            "ERR SHUTDOWN SAVE: this version cannot save to disk. Use SHUTDOWN NOSAVE to end without saving.",
        ));
    }
    tracing::warn!("User requested shutdown...");
    if !how.nosave && !x.center.config.snapshot.save.0.is_empty() {
        tracing::warn!("The keys in memory are not saved: this version cannot save to disk.");
    }
    signals::stop_self();
    Ok(Flow::Never)
}
