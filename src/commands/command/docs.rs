//! COMMAND DOCS: what a command is for, for people.

use super::info::write_words;
use super::{NAMES, command_row};
use crate::commands::{Flow, ServerCommand, ServerExec};
use crate::dispatch::table::{Entry, table};
use shards::command::{Arg, ArgKind, flag};
use shards::error::CommandError;
use shards::reply::Reply;

/// COMMAND DOCS [command-name ...]
pub const DOCS: ServerCommand = ServerCommand {
    since: "7.0.0",
    summary: "Documents commands.",
    complexity: "O(N) where N is the number of commands to look up",
    tips: &["nondeterministic_output_order"],
    args: NAMES,
    ..command_row("docs", -2, docs)
};

fn docs(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.argc() == 2 {
        x.reply.map(table().parents().count());
        table().parents().for_each(|entry| write_named(&mut x.reply, entry));
        return Ok(Flow::Done);
    }
    // Names that are no commands' are passed over.
    let found = || x.argv.iter().skip(2).filter_map(|name| table().find_full(name));
    x.reply.map(found().count());
    found().for_each(|entry| write_named(&mut x.reply, entry));
    Ok(Flow::Done)
}

fn write_named(reply: &mut Reply<'_>, entry: &'static Entry) {
    reply.bulk(entry.full_name.as_bytes());
    write_docs(reply, entry);
}

fn write_docs(reply: &mut Reply<'_>, entry: &'static Entry) {
    let facts = entry.facts;
    let (deprecated_since, replaced_by) = facts.deprecated;
    let map = reply.deferred_map();
    let mut fields = Fields { reply, count: 0 };
    fields.text("summary", facts.summary);
    fields.text("since", facts.since);
    fields.text("group", facts.group.name());
    fields.text("complexity", facts.complexity);
    let doc_flags = u32::from(!deprecated_since.is_empty()) | u32::from(entry.is(flag::SYSCMD)) << 1;
    if doc_flags != 0 {
        fields.name("doc_flags");
        write_words(fields.reply, doc_flags, &[(1, "deprecated"), (2, "syscmd")], "");
    }
    fields.text("deprecated_since", deprecated_since);
    fields.text("replaced_by", replaced_by);
    if !facts.history.is_empty() {
        fields.name("history");
        fields.reply.set(facts.history.len());
        for (version, change) in facts.history {
            fields.reply.array(2);
            fields.reply.bulk(version.as_bytes());
            fields.reply.bulk(change.as_bytes());
        }
    }
    if !facts.args.is_empty() {
        fields.name("arguments");
        write_args(fields.reply, facts.args);
    }
    if !entry.subcommands.is_empty() {
        fields.name("subcommands");
        fields.reply.map(entry.subcommands.len());
        table().subcommands(entry).for_each(|sub| write_named(fields.reply, sub));
    }
    let count = fields.count;
    reply.close_map(map, count);
}

/// Fields of a map that counts itself.
struct Fields<'a, 'b> {
    reply: &'a mut Reply<'b>,
    count: usize,
}

impl Fields<'_, '_> {
    /// Begins a field; its value follows.
    fn name(&mut self, name: &str) {
        self.reply.bulk(name.as_bytes());
        self.count += 1;
    }

    /// A field of text, left out if there is none.
    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.name(name);
            self.reply.bulk(value.as_bytes());
        }
    }
}

/// Bits of the flags of an argument.
const ARG_FLAGS: &[(u32, &str)] = &[(1, "optional"), (2, "multiple"), (4, "multiple_token")];

fn write_args(reply: &mut Reply<'_>, args: &[Arg]) {
    reply.array(args.len());
    for arg in args {
        let map = reply.deferred_map();
        let mut fields = Fields { reply, count: 0 };
        let is_group = matches!(arg.kind, ArgKind::OneOf | ArgKind::Block);
        fields.text("name", arg.name);
        fields.text("type", arg.kind.name());
        if !is_group {
            fields.text("display_text", if arg.display.is_empty() { arg.name } else { arg.display });
        }
        if arg.key_spec >= 0 {
            fields.name("key_spec_index");
            fields.reply.int(i64::from(arg.key_spec));
        }
        if let Some(token) = arg.keyword() {
            fields.name("token");
            fields.reply.bulk(token.to_ascii_uppercase().as_bytes());
        }
        fields.text("since", arg.since);
        fields.text("deprecated_since", arg.deprecated_since);
        let flags =
            u32::from(arg.optional) | u32::from(arg.multiple) << 1 | u32::from(arg.multiple_token) << 2;
        if flags != 0 {
            fields.name("flags");
            write_words(fields.reply, flags, ARG_FLAGS, "");
        }
        if is_group {
            fields.name("arguments");
            write_args(fields.reply, arg.parts);
        }
        let count = fields.count;
        reply.close_map(map, count);
    }
}
