//! What every command with subcommands needs: the answer to HELP and the error of an unknown subcommand.
//!
//! Dispatch finds the row of a subcommand and runs it; only calls that name none, or one that is not there, reach the
//! `run` of the container itself. So that function has one line: `Err(unknown_subcommand(x.argv))`.

use crate::args::Args;
use crate::error::{CommandError, shown};
use crate::reply::Reply;

/// Bytes of a subcommand's name that an error shows.
const SHOWN_MAX: usize = 128;

/// "unknown subcommand 'x'. Try OBJECT HELP."
pub fn unknown_subcommand(argv: Args<'_>) -> CommandError {
    let command = shown(argv.get(0), usize::MAX).to_ascii_uppercase();
    let sub = if argv.len() > 1 { shown(argv.get(1), SHOWN_MAX) } else { "".into() };
    CommandError::owned(format!("ERR unknown subcommand '{sub}'. Try {command} HELP."))
}

/// "unknown subcommand or wrong number of arguments for 'x'. Try DEBUG HELP.": what a subcommand says that finds its
/// arguments wrong only when it reads them.
pub fn wrong_arguments(argv: Args<'_>) -> CommandError {
    let command = shown(argv.get(0), usize::MAX).to_ascii_uppercase();
    let sub = shown(argv.get(1), SHOWN_MAX);
    CommandError::owned(format!(
        "ERR unknown subcommand or wrong number of arguments for '{sub}'. Try {command} HELP."
    ))
}

/// Answers HELP: a title that names the command, one line per string, and the lines about HELP itself. Lines about a
/// subcommand come as its usage, then its meaning indented by four blanks.
pub fn help(reply: &mut Reply<'_>, argv: Args<'_>, lines: &[&str]) {
    let command = shown(argv.get(0), usize::MAX).to_ascii_uppercase();
    reply.array(lines.len() + 3);
    reply.simple(&format!("{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.iter().for_each(|line| reply.simple(line));
    reply.simple("HELP");
    reply.simple("    Print this help.");
}
