//! SCRIPT: what the server knows of scripts.

use super::super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::script::exchange::Code;
use crate::script::text::{Script, sha_named, sha_of};
use shards::command::{Arg, ArgKind, Group, category, flag};
use shards::commands::container;
use shards::error::CommandError;
use std::sync::Arc;

const NO_SCRIPT: CommandError = CommandError::Static("NOSCRIPT No matching script.");

const HELP: &[&str] = &[
    "DEBUG (YES|SYNC|NO) [<engine_name>]",
    "    Debug the scripts to come; not built.",
    "EXISTS <sha1> [<sha1> ...]",
    "    Tell for each SHA whether the server knows its script.",
    "FLUSH [ASYNC|SYNC]",
    "    Forget all scripts.",
    "KILL",
    "    End the script that runs, if it has not written.",
    "LOAD <script>",
    "    Make a script known without running it.",
    "SHOW <sha1>",
    "    Show the text of a script.",
];

/// SCRIPT subcommand
pub const SCRIPT: ServerCommand = ServerCommand {
    arity: -2,
    group: Group::Scripting,
    since: "2.6.0",
    summary: "Deals with the scripts the server knows.",
    complexity: "Depends on subcommand.",
    subcommands: &[DEBUG, EXISTS, FLUSH, HELP_ROW, KILL, LOAD, SHOW],
    ..ServerCommand::new("script", |x| Err(container::unknown_subcommand(x.argv)))
};

const fn sub(name: &'static str, arity: i16, since: &'static str, flags: u32, run: ServerRun) -> ServerCommand {
    ServerCommand {
        arity,
        flags,
        acl: category::SCRIPTING,
        group: Group::Scripting,
        since,
        complexity: "O(1)",
        ..ServerCommand::new(name, run)
    }
}

const SHA: Arg = Arg::new("sha1", ArgKind::String);

/// SCRIPT DEBUG <YES | SYNC | NO> [engine]
pub const DEBUG: ServerCommand = ServerCommand {
    summary: "Has the client's scripts debugged.",
    args: &[
        Arg::one_of("mode", &[Arg::token("yes", "YES"), Arg::token("sync", "SYNC"), Arg::token("no", "NO")]),
        Arg::new("engine", ArgKind::String).opt().since("9.1.0"),
    ],
    ..sub("debug", -3, "3.2.0", flag::NOSCRIPT, debug)
};

fn debug(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.argc() > 4 {
        return Err(container::wrong_arguments(x.argv));
    }
    if x.arg_is(2, "no") {
        x.reply.ok();
        return Ok(Flow::Done);
    }
    if x.arg_is(2, "yes") || x.arg_is(2, "sync") {
        return Err(CommandError::Static("ERR The Lua debugger is not built into this server"));
    }
    Err(CommandError::Static("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}

/// SCRIPT EXISTS sha1 [sha1 ...]
pub const EXISTS: ServerCommand = ServerCommand {
    summary: "Tells whether the server knows these scripts.",
    complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
    tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
    args: &[SHA.many()],
    ..sub("exists", -3, "2.6.0", flag::NOSCRIPT | flag::STALE, exists)
};

fn exists(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let scripts = x.center.shared.register.scripts();
    x.reply.array(x.argv.len() - 2);
    for name in x.argv.iter().skip(2) {
        let known = sha_named(name).is_some_and(|sha| scripts.get(&sha).is_some());
        x.reply.int(i64::from(known));
    }
    Ok(Flow::Done)
}

/// SCRIPT FLUSH [ASYNC | SYNC]
pub const FLUSH: ServerCommand = ServerCommand {
    summary: "Forgets all scripts.",
    complexity: "O(N) with N being the number of scripts in cache",
    history: &[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    args: &[Arg::one_of("flush-type", &[Arg::token("async", "ASYNC"), Arg::token("sync", "SYNC")]).opt().since("6.2.0")],
    ..sub("flush", -2, "2.6.0", flag::NOSCRIPT | flag::STALE, flush)
};

fn flush(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let known = x.argc() == 2 || x.argc() == 3 && (x.arg_is(2, "sync") || x.arg_is(2, "async"));
    if !known {
        return Err(CommandError::Static("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    x.center.shared.register.scripts().flush();
    Ok(Flow::everywhere(|center| center.reset_machine()))
}

/// SCRIPT HELP
pub const HELP_ROW: ServerCommand = ServerCommand {
    summary: "Tells what SCRIPT can do.",
    ..sub("help", 2, "5.0.0", flag::LOADING | flag::STALE, |x| {
        container::help(&mut x.reply, x.argv, HELP);
        Ok(Flow::Done)
    })
};

/// SCRIPT KILL
pub const KILL: ServerCommand = ServerCommand {
    summary: "Ends the script that runs.",
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    ..sub("kill", 2, "2.6.0", flag::NOSCRIPT | flag::ALLOW_BUSY, |_| Ok(super::kill(false)))
};

/// SCRIPT LOAD script
pub const LOAD: ServerCommand = ServerCommand {
    summary: "Makes a script known.",
    complexity: "O(N) with N being the length in bytes of the script body.",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    args: &[Arg::new("script", ArgKind::String)],
    ..sub("load", 3, "2.6.0", flag::NOSCRIPT | flag::STALE, load)
};

fn load(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let body = x.arg(2);
    let sha = sha_of(body);
    let known = x.center.shared.register.scripts().get(&sha);
    let script = match known {
        Some(script) => script,
        None => {
            let script = Script::new(body, sha).map_err(|text| CommandError::owned(format!("ERR {text}")))?;
            let script = Arc::new(script);
            x.center.try_code(Code::Compile(Arc::clone(&script)), None).map_err(CommandError::owned)?;
            script
        }
    };
    x.center.shared.register.scripts().add(script, true);
    x.reply.bulk(&sha);
    Ok(Flow::Done)
}

/// SCRIPT SHOW sha1
pub const SHOW: ServerCommand = ServerCommand {
    summary: "Shows the text of a script.",
    complexity: "O(1).",
    args: &[SHA],
    ..sub("show", 3, "8.0.0", flag::NOSCRIPT | flag::STALE, |x| {
        let found = sha_named(x.arg(2)).and_then(|sha| x.center.shared.register.scripts().get(&sha));
        x.reply.bulk(&found.ok_or(NO_SCRIPT)?.body);
        Ok(Flow::Done)
    })
};
