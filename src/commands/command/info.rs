//! COMMAND, COMMAND COUNT, INFO and LIST: names, arity, flags, keys and rights of commands, for programs.

use super::{NAMES, command_row};
use crate::commands::{Flow, ServerCommand, ServerExec};
use crate::dispatch::table::{Entry, table};
use shards::command::{Arg, ArgKind, Begin, Find, KeySpec, category, flag, key};
use shards::error::{CommandError, SYNTAX};
use shards::reply::Reply;
use shards::stdx::glob;

/// COMMAND without a subcommand: every command.
pub fn command(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.reply.array(table().parents().count());
    table().parents().for_each(|entry| write_info(&mut x.reply, entry));
    Ok(Flow::Done)
}

/// COMMAND COUNT
pub const COUNT: ServerCommand = ServerCommand {
    since: "2.8.13",
    summary: "Counts the commands.",
    complexity: "O(1)",
    ..command_row("count", 2, count)
};

fn count(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.reply.count(table().parents().count());
    Ok(Flow::Done)
}

/// COMMAND INFO [command-name ...]
pub const INFO: ServerCommand = ServerCommand {
    since: "2.8.13",
    summary: "Describes commands.",
    complexity: "O(N) where N is the number of commands to look up",
    history: &[("7.0.0", "Allowed to be called with no argument to get info on all commands.")],
    tips: &["nondeterministic_output_order"],
    args: NAMES,
    ..command_row("info", -2, info)
};

fn info(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.argc() == 2 {
        return command(x);
    }
    x.reply.array(x.argc() - 2);
    for name in x.argv.iter().skip(2) {
        match table().find_full(name) {
            Some(entry) => write_info(&mut x.reply, entry),
            None => x.reply.null(),
        }
    }
    Ok(Flow::Done)
}

fn write_info(reply: &mut Reply<'_>, entry: &'static Entry) {
    let facts = entry.facts;
    let range = LegacyRange::of(facts.keys);
    let mut flags = entry.flags;
    if range.movable {
        flags |= flag::MOVABLE_KEYS;
    }
    reply.array(10);
    reply.bulk(entry.full_name.as_bytes());
    reply.int(i64::from(entry.arity));
    write_words(reply, flags, flag::NAMES, "");
    reply.int(range.first);
    reply.int(range.last);
    reply.int(range.step);
    write_words(reply, entry.categories, category::NAMES, "@");
    reply.set(facts.tips.len());
    facts.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(facts.keys.len());
    facts.keys.iter().for_each(|spec| write_spec(reply, spec));
    reply.array(entry.subcommands.len());
    table().subcommands(entry).for_each(|sub| write_info(reply, sub));
}

/// The set of the words for the bits that are set.
pub(super) fn write_words(reply: &mut Reply<'_>, bits: u32, names: &[(u32, &str)], prefix: &str) {
    let words = || names.iter().filter(|(bit, _)| bits & bit != 0);
    reply.set(words().count());
    words().for_each(|(_, word)| reply.simple(&format!("{prefix}{word}")));
}

/// The keys as clients knew them before there were specs: a range of arguments.
#[derive(Default)]
struct LegacyRange {
    first: i64,
    last: i64,
    step: i64,
    /// The range does not tell all.
    movable: bool,
}

impl LegacyRange {
    fn of(specs: &[KeySpec]) -> LegacyRange {
        let mut range = LegacyRange::default();
        let alone = specs.len() == 1;
        for spec in specs {
            let (Begin::Index(at), Find::Range { last, step, .. }) = (spec.begin, spec.find) else {
                range.movable = true;
                continue;
            };
            let (at, last, step) = (i64::from(at), i64::from(last), i64::from(step));
            // Only specs that follow on one another make a range; the first one may have any step if it is alone.
            if !alone && (step != 1 || range.last != 0 && range.last != at - 1) {
                range.movable = true;
                continue;
            }
            range.movable |= spec.flags & key::INCOMPLETE != 0;
            if range.first == 0 {
                range.first = at;
            }
            range.last = if last >= 0 { at + last } else { last };
            range.step = step;
        }
        range
    }
}

fn write_spec(reply: &mut Reply<'_>, spec: &KeySpec) {
    reply.map(3 + usize::from(!spec.notes.is_empty()));
    if !spec.notes.is_empty() {
        reply.bulk(b"notes");
        reply.bulk(spec.notes.as_bytes());
    }
    reply.bulk(b"flags");
    write_words(reply, spec.flags, key::NAMES, "");
    reply.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(at) => write_part(reply, "index", &[("index", i64::from(at))]),
        Begin::Keyword(word, from) => {
            write_part_head(reply, "keyword", 2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            reply.bulk(b"startfrom");
            reply.int(i64::from(from));
        }
        Begin::Unknown => write_part(reply, "unknown", &[]),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            let fields = [("lastkey", i64::from(last)), ("keystep", i64::from(step)), ("limit", i64::from(limit))];
            write_part(reply, "range", &fields);
        }
        Find::Count { at, first, step } => {
            let fields = [("keynumidx", i64::from(at)), ("firstkey", i64::from(first)), ("keystep", i64::from(step))];
            write_part(reply, "keynum", &fields);
        }
        Find::Unknown => write_part(reply, "unknown", &[]),
    }
}

fn write_part_head(reply: &mut Reply<'_>, kind: &str, fields: usize) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields);
}

fn write_part(reply: &mut Reply<'_>, kind: &str, fields: &[(&str, i64)]) {
    write_part_head(reply, kind, fields.len());
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.int(*value);
    }
}

/// COMMAND LIST [FILTERBY (MODULE module-name | ACLCAT category | PATTERN pattern)]
pub const LIST: ServerCommand = ServerCommand {
    since: "7.0.0",
    summary: "Lists the names of commands.",
    complexity: "O(N) where N is the total number of commands",
    tips: &["nondeterministic_output_order"],
    args: &[Arg::one_of(
        "filterby",
        &[
            Arg::new("module-name", ArgKind::String).after("MODULE"),
            Arg::new("category", ArgKind::String).after("ACLCAT"),
            Arg::new("pattern", ArgKind::Pattern).after("PATTERN"),
        ],
    )
    .after("FILTERBY")
    .opt()],
    ..command_row("list", -2, list)
};

fn list(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let passes: Filter<'_> = match x.argc() {
        2 => Box::new(|_| true),
        5 if x.arg_is(2, "filterby") => filter(x)?,
        _ => return Err(SYNTAX),
    };
    let mark = x.reply.deferred_array();
    let mut count = 0;
    for entry in table().listed().filter(|entry| passes(entry)) {
        x.reply.bulk(entry.full_name.as_bytes());
        count += 1;
    }
    x.reply.close_array(mark, count);
    Ok(Flow::Done)
}

/// Which commands are listed.
type Filter<'a> = Box<dyn Fn(&Entry) -> bool + 'a>;

fn filter<'a>(x: &ServerExec<'a>) -> Result<Filter<'a>, CommandError> {
    let value = x.arg(4);
    if x.arg_is(3, "module") {
        // There are no modules, so no command is of one.
        return Ok(Box::new(|_| false));
    }
    if x.arg_is(3, "aclcat") {
        let named = category::NAMES.iter().find(|(_, name)| value.eq_ignore_ascii_case(name.as_bytes()));
        let bit = named.map_or(0, |(bit, _)| *bit);
        return Ok(Box::new(move |entry| entry.categories & bit != 0));
    }
    if x.arg_is(3, "pattern") {
        return Ok(Box::new(move |entry| glob::matches(value, entry.full_name.as_bytes(), true)));
    }
    Err(SYNTAX)
}
