//! FUNCTION: libraries of functions.

use super::super::{Flow, ServerCommand, ServerExec, ServerRun};
use super::dump::{DUMP, RESTORE};
use crate::core::Center;
use crate::core::query::Report;
use crate::core::script::kill::{Running, SLOW_EVAL};
use crate::script::exchange::Code;
use crate::script::library::{Library, Registered};
use crate::script::text::flag as script_flag;
use shards::command::{Arg, ArgKind, Group, Merge, Spread, category, flag};
use shards::commands::container;
use shards::error::{CommandError, shown};
use shards::reply::Reply;
use shards::stdx::glob;
use std::sync::Arc;

/// Milliseconds a library's code may run while it loads, as in Valkey.
const LOAD_MS: u64 = 500;

const HELP: &[&str] = &[
    "DELETE <LIBRARY NAME>",
    "    Forget a library.",
    "DUMP",
    "    Give all libraries as one payload for FUNCTION RESTORE.",
    "FLUSH [ASYNC|SYNC]",
    "    Forget all libraries.",
    "KILL",
    "    End the function that runs, if it has not written.",
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    Tell of the libraries, or of those whose name matches; WITHCODE shows their text too.",
    "LOAD [REPLACE] <FUNCTION CODE>",
    "    Make a library known.",
    "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    "    Bring back what FUNCTION DUMP gave: instead of all libraries, beside them, or in place of those of the same name.",
    "STATS",
    "    Tell which function runs, and how many there are.",
];

/// FUNCTION subcommand
pub const FUNCTION: ServerCommand = ServerCommand {
    arity: -2,
    group: Group::Scripting,
    since: "7.0.0",
    summary: "Deals with libraries of functions.",
    complexity: "Depends on subcommand.",
    subcommands: &[DELETE, DUMP, FLUSH, HELP_ROW, KILL, LIST, LOAD, RESTORE, STATS],
    ..ServerCommand::new("function", |x| Err(container::unknown_subcommand(x.argv)))
};

pub(super) const fn sub(name: &'static str, arity: i16, flags: u32, run: ServerRun) -> ServerCommand {
    ServerCommand {
        arity,
        flags,
        acl: category::SCRIPTING,
        group: Group::Scripting,
        since: "7.0.0",
        complexity: "O(1)",
        spread: Spread::Everywhere(Merge::Same),
        ..ServerCommand::new(name, run)
    }
}

pub(super) const ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

pub(super) fn plain(text: String) -> CommandError {
    CommandError::owned(format!("ERR {text}"))
}

/// FUNCTION DELETE library-name
pub const DELETE: ServerCommand = ServerCommand {
    summary: "Forgets a library.",
    tips: ALL_SHARDS,
    args: &[Arg::new("library-name", ArgKind::String)],
    ..sub("delete", 3, flag::NOSCRIPT | flag::WRITE, |x| {
        let name = x.arg(2);
        x.center
            .shared
            .register
            .change_libraries(|libraries| match libraries.by_name.remove(name) {
                Some(_) => Ok(()),
                None => Err("Library not found".to_owned()),
            })
            .map_err(plain)?;
        x.reply.ok();
        Ok(Flow::Done)
    })
};

/// FUNCTION FLUSH [ASYNC | SYNC]
pub const FLUSH: ServerCommand = ServerCommand {
    summary: "Forgets all libraries.",
    complexity: "O(N) where N is the number of functions deleted",
    tips: ALL_SHARDS,
    args: &[Arg::one_of("flush-type", &[Arg::token("async", "ASYNC"), Arg::token("sync", "SYNC")]).opt()],
    ..sub("flush", -2, flag::NOSCRIPT | flag::WRITE, flush)
};

fn flush(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.argc() > 3 {
        return Err(container::wrong_arguments(x.argv));
    }
    if x.argc() == 3 && !x.arg_is(2, "sync") && !x.arg_is(2, "async") {
        return Err(CommandError::Static("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    let emptied = x.center.shared.register.change_libraries(|libraries| {
        libraries.by_name.clear();
        Ok(())
    });
    emptied.map_err(plain)?;
    x.reply.ok();
    Ok(Flow::Done)
}

/// FUNCTION HELP
pub const HELP_ROW: ServerCommand = ServerCommand {
    summary: "Tells what FUNCTION can do.",
    ..sub("help", 2, flag::LOADING | flag::STALE, |x| {
        container::help(&mut x.reply, x.argv, HELP);
        Ok(Flow::Done)
    })
};

/// FUNCTION KILL
pub const KILL: ServerCommand = ServerCommand {
    summary: "Ends the function that runs.",
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    ..sub("kill", 2, flag::NOSCRIPT | flag::ALLOW_BUSY, |_| Ok(super::kill(true)))
};

/// FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]
pub const LIST: ServerCommand = ServerCommand {
    summary: "Tells of the libraries.",
    complexity: "O(N) where N is the number of functions",
    tips: &["nondeterministic_output_order"],
    args: &[
        Arg::new("library-name-pattern", ArgKind::String).after("LIBRARYNAME").opt(),
        Arg::token("withcode", "WITHCODE").opt(),
    ],
    ..sub("list", -2, flag::NOSCRIPT, list)
};

fn list(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let (mut with_code, mut pattern) = (false, None);
    let mut i = 2;
    while i < x.argc() {
        if !with_code && x.arg_is(i, "withcode") {
            with_code = true;
        } else if pattern.is_none() && x.arg_is(i, "libraryname") {
            i += 1;
            if i >= x.argc() {
                return Err(CommandError::Static("ERR library name argument was not given"));
            }
            pattern = Some(x.arg(i));
        } else {
            return Err(CommandError::owned(format!("ERR Unknown argument {}", shown(x.arg(i), usize::MAX))));
        }
        i += 1;
    }
    let libraries = Arc::clone(x.center.libraries());
    let matches = |library: &&Arc<Library>| pattern.is_none_or(|pattern| glob::matches(pattern, &library.name, true));
    let found: Vec<&Arc<Library>> = libraries.by_name.values().filter(matches).collect();
    x.reply.array(found.len());
    found.iter().for_each(|library| tell_library(&mut x.reply, library, with_code));
    Ok(Flow::Done)
}

fn tell_library(reply: &mut Reply<'_>, library: &Library, with_code: bool) {
    reply.map(if with_code { 4 } else { 3 });
    reply.bulk(b"library_name");
    reply.bulk(&library.name);
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array(library.functions.len());
    library.functions.iter().for_each(|function| tell_function(reply, function));
    if with_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.code);
    }
}

fn tell_function(reply: &mut Reply<'_>, function: &Registered) {
    reply.map(3);
    reply.bulk(b"name");
    reply.bulk(&function.name);
    reply.bulk(b"description");
    match &function.description {
        Some(text) => reply.bulk(text),
        None => reply.null(),
    }
    reply.bulk(b"flags");
    let flags = || script_flag::NAMES.iter().filter(|(bit, _)| function.flags & bit != 0);
    reply.set(flags().count());
    flags().for_each(|(_, name)| reply.simple(name));
}

/// FUNCTION LOAD [REPLACE] function-code
pub const LOAD: ServerCommand = ServerCommand {
    summary: "Makes a library known.",
    complexity: "O(1) (considering compilation time is redundant)",
    tips: ALL_SHARDS,
    args: &[Arg::token("replace", "REPLACE").opt(), Arg::new("function-code", ArgKind::String)],
    ..sub("load", -3, flag::NOSCRIPT | flag::WRITE | flag::DENYOOM, load)
};

fn load(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let last = x.argc() - 1;
    let mut replace = false;
    for i in 2..last {
        if !x.arg_is(i, "replace") {
            return Err(CommandError::owned(format!("ERR Unknown option given: {}", shown(x.arg(i), usize::MAX))));
        }
        replace = true;
    }
    let code = x.arg(last);
    let library = Library::new(code).map_err(plain)?;
    let there = x.center.libraries().by_name.contains_key(&library.name);
    if there && !replace {
        let name = shown(&library.name, usize::MAX).into_owned();
        return Err(plain(format!("Library '{name}' already exists")));
    }
    let library = loaded(x.center, library)?;
    x.center.shared.register.change_libraries(|libraries| libraries.add(Arc::clone(&library), replace)).map_err(plain)?;
    x.reply.bulk(&library.name);
    Ok(Flow::Done)
}

/// Runs a library's code for what it registers.
pub fn loaded(center: &mut Center, library: Library) -> Result<Arc<Library>, CommandError> {
    let library = Arc::new(library);
    let registered = center.try_code(Code::Load(Arc::clone(&library)), Some(LOAD_MS)).map_err(CommandError::owned)?;
    library.with_functions(registered).map_err(plain)
}

/// FUNCTION STATS
pub const STATS: ServerCommand = ServerCommand {
    summary: "Tells which function runs.",
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..sub("stats", 2, flag::NOSCRIPT | flag::ALLOW_BUSY, |_| {
        Ok(Flow::Gather {
            question: Arc::new(|center: &mut Center| -> Report { Box::new(center.running_script()) }),
            finish: Box::new(|center, _, reports, reply| {
                let running = reports.into_iter().map(|r| *r.downcast::<Option<Running>>().expect("asked for"));
                tell_stats(center, running.flatten().collect(), reply);
            }),
        })
    })
};

fn tell_stats(center: &mut Center, running: Vec<Running>, reply: &mut Reply<'_>) {
    // An EVAL that runs and is not slow yet concerns nobody; one that is makes everybody wait.
    let function = running.iter().find(|run| run.function);
    if function.is_none() && center.shared.register.busy_error() == Some(SLOW_EVAL) {
        return reply.error(SLOW_EVAL.text());
    }
    reply.map(2);
    reply.bulk(b"running_script");
    match function {
        None => reply.null(),
        Some(run) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(&run.name);
            reply.bulk(b"command");
            reply.array(run.command.len());
            run.command.iter().for_each(|arg| reply.bulk(arg));
            reply.bulk(b"duration_ms");
            reply.int(i64::try_from(run.duration_ms).unwrap_or(i64::MAX));
        }
    }
    let libraries = Arc::clone(center.libraries());
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.count(libraries.by_name.len());
    reply.bulk(b"functions_count");
    reply.count(libraries.functions());
}
