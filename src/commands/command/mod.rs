//! COMMAND: what the table of commands says about itself.
//!
//! | file | what |
//! |---|---|
//! | `info.rs` | COMMAND, COUNT, INFO, LIST |
//! | `docs.rs` | DOCS |
//! | `keys.rs` | GETKEYS, GETKEYSANDFLAGS |

mod docs;
mod info;
mod keys;

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use shards::command::{Arg, ArgKind, Group, category, flag};
use shards::commands::container;
use shards::error::CommandError;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [COMMAND]
}

/// COMMAND
pub const COMMAND: ServerCommand = ServerCommand {
    since: "2.8.13",
    summary: "Describes all commands.",
    complexity: "O(N) where N is the total number of commands",
    tips: &["nondeterministic_output_order"],
    subcommands: &[
        info::COUNT,
        docs::DOCS,
        keys::GETKEYS,
        keys::GETKEYSANDFLAGS,
        HELP,
        info::INFO,
        info::LIST,
    ],
    ..command_row("command", -1, info::command)
};

const fn command_row(name: &'static str, arity: i16, run: ServerRun) -> ServerCommand {
    ServerCommand {
        arity,
        group: Group::Server,
        flags: flag::LOADING | flag::STALE,
        acl: category::CONNECTION,
        ..ServerCommand::new(name, run)
    }
}

const NAMES: &[Arg] = &[Arg::new("command-name", ArgKind::String).opt().many()];

const HELP: ServerCommand = ServerCommand {
    since: "5.0.0",
    summary: "Lists the subcommands.",
    complexity: "O(1)",
    ..command_row("help", 2, help)
};

fn help(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    container::help(&mut x.reply, x.argv, HELP_LINES);
    Ok(Flow::Done)
}

const HELP_LINES: &[&str] = &[
    "(no subcommand)",
    "    Describes every command.",
    "COUNT",
    "    How many commands there are.",
    "DOCS [<command-name> ...]",
    "    The documentation of these commands, or of all.",
    "GETKEYS <full-command>",
    "    Which arguments of a call are keys.",
    "GETKEYSANDFLAGS <full-command>",
    "    The same, with what happens to each key.",
    "INFO [<command-name> ...]",
    "    Describes these commands, or all.",
    "LIST [FILTERBY (MODULE <module>|ACLCAT <category>|PATTERN <pattern>)]",
    "    The names of all commands, or of some.",
];
