//! EVAL, FCALL, SCRIPT, FUNCTION.
//!
//! The rows of EVAL and FCALL only describe: a call of theirs goes to the machine of the shard that has its keys
//! ([`crate::core::script`]). SCRIPT and FUNCTION change what all cores know and ask what they run.

pub mod dump;
pub mod function;
pub mod script;

use super::{ServerCommand, ServerRun};
use crate::core::Center;
use crate::core::query::Report;
use crate::core::script::kill::{NOT_BUSY, Verdict};
use crate::commands::Flow;
use shards::command::{Arg, ArgKind, Group, KeySpec, category, flag, key};
use shards::error::CommandError;
use std::sync::Arc;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [script::SCRIPT, function::FUNCTION]
}

shards::rows! {
    /// What the machine runs.
    pub SCRIPTS: ServerRun = [EVAL, EVALSHA, EVAL_RO, EVALSHA_RO, FCALL, FCALL_RO]
}

const COMMON: u32 = flag::NOSCRIPT | flag::SKIP_MONITOR | flag::NO_MANDATORY_KEYS | flag::STALE;
const WRITING: u32 = COMMON | flag::MAY_REPLICATE;
const READING: u32 = COMMON | flag::READONLY;

const fn keys(flags: u32, notes: &'static str) -> KeySpec {
    KeySpec { notes, ..KeySpec::counted(2, flags) }
}

const MAY_WRITE: &[KeySpec] = &[keys(
    key::RW | key::ACCESS | key::UPDATE,
    "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
)];
const MAY_WRITE_PLAIN: &[KeySpec] = &[keys(key::RW | key::ACCESS | key::UPDATE, "")];
const MAY_READ: &[KeySpec] = &[keys(
    key::RO | key::ACCESS,
    "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
)];
const MAY_READ_PLAIN: &[KeySpec] = &[keys(key::RO | key::ACCESS, "")];

const NUMKEYS: Arg = Arg::new("numkeys", ArgKind::Integer);
const KEYS: Arg = Arg::key("key").opt().many();
const ARGS: Arg = Arg::new("arg", ArgKind::String).opt().many();

const fn row(
    name: &'static str,
    since: &'static str,
    flags: u32,
    specs: &'static [KeySpec],
    args: &'static [Arg],
    summary: &'static str,
) -> ServerCommand {
    ServerCommand {
        arity: -3,
        flags,
        acl: category::SCRIPTING,
        keys: specs,
        group: Group::Scripting,
        since,
        summary,
        complexity: "Depends on the script that is executed.",
        args,
        ..ServerCommand::new(name, |_| Err(CommandError::Static("ERR scripts are run by their shard")))
    }
}

const fn function_row(row: ServerCommand) -> ServerCommand {
    ServerCommand { complexity: "Depends on the function that is executed.", ..row }
}

/// EVAL script numkeys [key ...] [arg ...]
pub const EVAL: ServerCommand = row(
    "eval",
    "2.6.0",
    WRITING,
    MAY_WRITE,
    &[Arg::new("script", ArgKind::String), NUMKEYS, KEYS, ARGS],
    "Runs a Lua script.",
);

/// EVALSHA sha1 numkeys [key ...] [arg ...]
pub const EVALSHA: ServerCommand = row(
    "evalsha",
    "2.6.0",
    WRITING,
    MAY_WRITE_PLAIN,
    &[Arg::new("sha1", ArgKind::String), NUMKEYS, KEYS, ARGS],
    "Runs a Lua script that the server knows.",
);

/// EVAL_RO script numkeys [key ...] [arg ...]
pub const EVAL_RO: ServerCommand = row(
    "eval_ro",
    "7.0.0",
    READING,
    MAY_READ,
    &[Arg::new("script", ArgKind::String), NUMKEYS, KEYS, ARGS],
    "Runs a Lua script that only reads.",
);

/// EVALSHA_RO sha1 numkeys [key ...] [arg ...]
pub const EVALSHA_RO: ServerCommand = row(
    "evalsha_ro",
    "7.0.0",
    READING,
    MAY_READ_PLAIN,
    &[Arg::new("sha1", ArgKind::String), NUMKEYS, KEYS, ARGS],
    "Runs a Lua script that the server knows and that only reads.",
);

/// FCALL function numkeys [key ...] [arg ...]
pub const FCALL: ServerCommand = function_row(row(
    "fcall",
    "7.0.0",
    WRITING,
    MAY_WRITE,
    &[Arg::new("function", ArgKind::String), NUMKEYS, KEYS, ARGS],
    "Calls a function of a library.",
));

/// FCALL_RO function numkeys [key ...] [arg ...]
pub const FCALL_RO: ServerCommand = function_row(row(
    "fcall_ro",
    "7.0.0",
    READING,
    MAY_READ,
    &[Arg::new("function", ArgKind::String), NUMKEYS, KEYS, ARGS],
    "Calls a function of a library that only reads.",
));

/// SCRIPT KILL and FUNCTION KILL: every core is told; the reply is the best any can say.
fn kill(function: bool) -> Flow {
    Flow::Gather {
        question: Arc::new(move |center: &mut Center| -> Report { Box::new(center.kill_script(function)) }),
        finish: Box::new(|_, _, reports, reply| {
            let verdicts = reports.into_iter().filter_map(|report| *report.downcast::<Verdict>().expect("asked for"));
            match verdicts.min_by_key(Result::is_err) {
                Some(Ok(())) => reply.ok(),
                Some(Err(error)) => reply.error(error.text()),
                None => reply.error(NOT_BUSY.text()),
            }
        }),
    }
}
