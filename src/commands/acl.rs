//! ACL: users and their rights, shown and changed.
//!
//! A change makes new [`Users`]; the client hears OK when every core works by them.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::acl::check::{Call, check};
use crate::acl::commands::{category_bit, known};
use crate::acl::selector::Selector;
use crate::acl::users::DEFAULT;
use crate::acl::{Context, LogEntry, Reason, User, Users};
use crate::config::choices::PubsubDefault;
use crate::config::disk::{Disk, World, reason};
use crate::core::Center;
use crate::dispatch::table::table;
use shards::command::{Arg, ArgKind, Group, category, flag};
use shards::commands::container;
use shards::error::{CommandError, NOT_AN_INTEGER, shown};
use shards::reply::Reply;
use shards::stdx::number::parse_i64;
use std::io::Read;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [ACL]
}

const OPEN: u32 = flag::NOSCRIPT | flag::LOADING | flag::STALE;
const ADMIN: u32 = OPEN | flag::ADMIN;
const EVERY_NODE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const BITS_MAX: i64 = 4096;
/// Entries ACL LOG answers without a count.
const LOG_COUNT: usize = 10;

const NO_FILE: CommandError = CommandError::Static(
    "ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store users in the configuration.",
);
const NOT_SAVED: CommandError =
    CommandError::Static("ERR There was an error trying to save the ACLs. Please check the server logs for more information");
const DEFAULT_STAYS: CommandError = CommandError::Static("ERR The 'default' user cannot be removed");

/// ACL subcommand
pub const ACL: ServerCommand = ServerCommand {
    arity: -2,
    group: Group::Server,
    since: "6.0.0",
    summary: "Shows and changes users and their rights.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        CAT, DELUSER, DRYRUN, GENPASS, GETUSER, HELP, LIST, LOAD, LOG, SAVE, SETUSER, USERS, WHOAMI,
    ],
    ..ServerCommand::new("acl", |x| Err(container::unknown_subcommand(x.argv)))
};

const fn acl_row(name: &'static str, arity: i16, flags: u32, run: ServerRun) -> ServerCommand {
    let acl = if flags & flag::ADMIN != 0 { category::DANGEROUS } else { 0 };
    ServerCommand { arity, flags, acl, group: Group::Server, since: "6.0.0", ..ServerCommand::new(name, run) }
}

/// ACL CAT [category]
const CAT: ServerCommand = ServerCommand {
    summary: "Lists the categories of commands, or the commands of one.",
    complexity: "O(1) since the categories and commands are a fixed set.",
    args: &[Arg::new("category", ArgKind::String).opt()],
    ..acl_row("cat", -2, OPEN, cat)
};

fn cat(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    match x.argc() {
        2 => {
            x.reply.array(category::NAMES.len());
            category::NAMES.iter().for_each(|(_, name)| x.reply.bulk(name.as_bytes()));
        }
        3 => {
            let bit = category_bit(x.arg(2));
            if bit == 0 {
                return Err(CommandError::owned(format!("ERR Unknown category '{}'", shown(x.arg(2), 128))));
            }
            let names: Vec<&str> = known().filter(|e| e.categories & bit != 0).map(|e| e.full_name).collect();
            x.reply.array(names.len());
            names.iter().for_each(|name| x.reply.bulk(name.as_bytes()));
        }
        _ => return Err(container::wrong_arguments(x.argv)),
    }
    Ok(Flow::Done)
}

/// ACL DELUSER username [username ...]
const DELUSER: ServerCommand = ServerCommand {
    summary: "Deletes users and closes their connections.",
    complexity: "O(1) amortized time considering the typical user.",
    tips: EVERY_NODE,
    args: &[Arg::new("username", ArgKind::String).many()],
    ..acl_row("deluser", -3, ADMIN, deluser)
};

fn deluser(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let names = || x.argv.iter().skip(2);
    if names().any(|name| name == DEFAULT) {
        return Err(DEFAULT_STAYS);
    }
    let gone = x.center.shared.change_users(|users| Ok::<_, CommandError>(users.without(names())))?;
    Ok(taken_up(x.session.id, move |reply| reply.count(gone)))
}

/// Every core takes up the newest users; then the client gets its answer.
fn taken_up(asker: u64, answer: impl FnOnce(&mut Reply<'_>) + 'static) -> Flow {
    Flow::Gather {
        question: std::sync::Arc::new(move |center: &mut Center| {
            center.take_users(asker);
            Box::new(())
        }),
        finish: Box::new(move |_, _, _, reply| answer(reply)),
    }
}

/// ACL DRYRUN username command [arg ...]
const DRYRUN: ServerCommand = ServerCommand {
    since: "7.0.0",
    summary: "Tells whether a user may make a call, without making it.",
    complexity: "O(1).",
    args: &[
        Arg::new("username", ArgKind::String),
        Arg::new("command", ArgKind::String),
        Arg::new("arg", ArgKind::String).opt().many(),
    ],
    ..acl_row("dryrun", -4, ADMIN, dryrun)
};

fn dryrun(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let name = |at: usize| shown(x.arg(at), usize::MAX);
    let user = x.center.users.get(x.arg(2)).ok_or_else(|| CommandError::owned(format!("ERR User '{}' not found", name(2))))?;
    let argv = x.argv.from(3);
    let entry = table().resolve(argv);
    let entry = entry.map_err(|_| CommandError::owned(format!("ERR Command '{}' not found", name(3))))?;
    if !entry.arity_fits(argv.len()) {
        return Err(CommandError::arity(entry.full_name));
    }
    let call = Call { entry, argv, db: x.session.db, databases: x.center.config.general.databases };
    match check(user, &call) {
        Ok(()) => x.reply.ok(),
        Err(denial) => x.reply.bulk(denial.verbose_text(user, &call).as_bytes()),
    }
    Ok(Flow::Done)
}

/// ACL GENPASS [bits]
const GENPASS: ServerCommand = ServerCommand {
    summary: "Makes a password nobody can guess.",
    complexity: "O(1)",
    args: &[Arg::new("bits", ArgKind::Integer).opt()],
    ..acl_row("genpass", -2, OPEN, genpass)
};

fn genpass(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let bits = match x.argc() {
        2 => 256,
        3 => parse_i64(x.arg(2)).ok_or(NOT_AN_INTEGER)?,
        _ => return Err(container::wrong_arguments(x.argv)),
    };
    if !(1..=BITS_MAX).contains(&bits) {
        return Err(CommandError::owned(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to {BITS_MAX}"
        )));
    }
    let digits = usize::try_from(bits).unwrap_or(0).div_ceil(4);
    let mut bytes = vec![0; digits.div_ceil(2)];
    let filled = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    filled.map_err(|error| CommandError::owned(format!("ERR no randomness to be had: {}", reason(&error))))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    x.reply.bulk(&text.as_bytes()[..digits]);
    Ok(Flow::Done)
}

/// ACL GETUSER username
const GETUSER: ServerCommand = ServerCommand {
    summary: "Tells all about a user.",
    complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
    history: &[
        ("6.2.0", "Added Pub/Sub channel patterns."),
        ("7.0.0", "Added selectors and changed the format of key and channel patterns from a list to their rule representation."),
        ("9.1.0", "Added database permission rules."),
    ],
    args: &[Arg::new("username", ArgKind::String)],
    ..acl_row("getuser", 3, ADMIN, getuser)
};

fn getuser(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    match x.center.users.get(x.arg(2)) {
        Some(user) => write_user(&mut x.reply, user),
        None => x.reply.null(),
    }
    Ok(Flow::Done)
}

fn write_user(reply: &mut Reply<'_>, user: &User) {
    reply.map(7);
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(user.passwords.len());
    user.passwords.iter().for_each(|hash| reply.bulk(hash));
    write_selector(reply, &user.root);
    reply.bulk(b"selectors");
    reply.array(user.selectors.len());
    for selector in &user.selectors {
        reply.map(4);
        write_selector(reply, selector);
    }
}

fn write_selector(reply: &mut Reply<'_>, selector: &Selector) {
    reply.bulk(b"commands");
    reply.bulk(&selector.commands.describe());
    reply.bulk(b"keys");
    reply.bulk(&selector.describe_keys());
    reply.bulk(b"channels");
    reply.bulk(&selector.describe_channels());
    reply.bulk(b"databases");
    reply.bulk(selector.describe_databases().as_bytes());
}

/// ACL LIST
const LIST: ServerCommand = ServerCommand {
    summary: "Lists all users with their rules, as in an ACL file.",
    complexity: "O(N). Where N is the number of configured users.",
    ..acl_row("list", 2, ADMIN, list)
};

fn list(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let lines = x.center.users.lines();
    x.reply.array(lines.len());
    lines.iter().for_each(|line| x.reply.bulk(&[b"user ", &line[..]].concat()));
    Ok(Flow::Done)
}

/// ACL LOAD
const LOAD: ServerCommand = ServerCommand {
    summary: "Reads the users from the ACL file again.",
    complexity: "O(N). Where N is the number of configured users.",
    ..acl_row("load", 2, ADMIN, load)
};

fn load(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let security = &x.center.config.security;
    if security.aclfile.is_empty() {
        return Err(NO_FILE);
    }
    let path = security.aclfile.to_str_lossy();
    let text = Disk.read(security.aclfile.as_path()).map_err(|error| {
        CommandError::owned(format!("ERR Error loading ACLs, opening file '{path}': {}", reason(&error)))
    })?;
    let all_channels = channels_open(x);
    let read = |users: &Users| users.from_file(&path, &text, all_channels).map(|users| (users, ()));
    x.center.shared.change_users(read).map_err(|errors| CommandError::owned(format!("ERR {errors}")))?;
    Ok(taken_up(x.session.id, |reply| reply.ok()))
}

/// What `acl-pubsub-default` says.
fn channels_open(x: &ServerExec<'_>) -> bool {
    x.center.config.security.acl_pubsub_default == PubsubDefault::Allchannels
}

/// ACL LOG [count | RESET]
const LOG: ServerCommand = ServerCommand {
    summary: "Shows who was denied what of late.",
    complexity: "O(N) with N being the number of entries shown.",
    history: &[("7.2.0", "Added entry ID, timestamp created, and timestamp last updated.")],
    args: &[Arg::one_of("operation", &[Arg::new("count", ArgKind::Integer), Arg::token("reset", "RESET")]).opt()],
    ..acl_row("log", -2, ADMIN, log)
};

fn log(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let count = match x.argc() {
        2 => LOG_COUNT,
        3 if x.arg_is(2, "reset") => {
            x.center.shared.acl_log().reset();
            x.reply.ok();
            return Ok(Flow::Done);
        }
        3 => usize::try_from(parse_i64(x.arg(2)).ok_or(NOT_AN_INTEGER)?).unwrap_or(0),
        _ => return Err(container::wrong_arguments(x.argv)),
    };
    let entries = x.center.shared.acl_log().newest(count);
    x.reply.array(entries.len());
    entries.iter().for_each(|entry| write_entry(&mut x.reply, entry, x.center.now_ms));
    Ok(Flow::Done)
}

fn write_entry(reply: &mut Reply<'_>, entry: &LogEntry, now_ms: i64) {
    let reason = match entry.reason {
        Reason::Command => "command",
        Reason::Key => "key",
        Reason::Channel => "channel",
        Reason::Auth => "auth",
        Reason::Database => "database",
    };
    let context = match entry.context {
        Context::Toplevel => "toplevel",
        Context::Multi => "multi",
        Context::Lua => "lua",
    };
    reply.map(10);
    let name = |reply: &mut Reply<'_>, name: &str| reply.bulk(name.as_bytes());
    name(reply, "count");
    reply.int(entry.count as i64);
    for (field, value) in [
        ("reason", reason.as_bytes()),
        ("context", context.as_bytes()),
        ("object", &entry.object),
        ("username", &entry.username),
    ] {
        name(reply, field);
        reply.bulk(value);
    }
    name(reply, "age-seconds");
    reply.double((now_ms - entry.updated_ms).max(0) as f64 / 1000.0);
    name(reply, "client-info");
    reply.bulk(&entry.client);
    let times = [("entry-id", entry.id as i64), ("timestamp-created", entry.created_ms), ("timestamp-last-updated", entry.updated_ms)];
    for (field, value) in times {
        name(reply, field);
        reply.int(value);
    }
}

/// ACL SAVE
const SAVE: ServerCommand = ServerCommand {
    summary: "Writes the users into the ACL file.",
    complexity: "O(N). Where N is the number of configured users.",
    tips: EVERY_NODE,
    ..acl_row("save", 2, ADMIN, save)
};

fn save(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let path = &x.center.config.security.aclfile;
    if path.is_empty() {
        return Err(NO_FILE);
    }
    let lines = x.center.shared.users().lines();
    let text: Vec<u8> = lines.iter().flat_map(|line| [b"user ", &line[..], b"\n"].concat()).collect();
    Disk.replace(path.as_path(), &text).map_err(|error| {
        tracing::warn!("Writing ACL file for ACL SAVE: {}", reason(&error));
        NOT_SAVED
    })?;
    x.reply.ok();
    Ok(Flow::Done)
}

/// ACL SETUSER username [rule ...]
const SETUSER: ServerCommand = ServerCommand {
    summary: "Makes a user, or changes its rules.",
    complexity: "O(N). Where N is the number of rules provided.",
    history: &[
        ("6.2.0", "Added Pub/Sub channel patterns."),
        ("7.0.0", "Added selectors and key based permissions."),
        ("9.1.0", "Added database permission rules."),
    ],
    tips: EVERY_NODE,
    args: &[Arg::new("username", ArgKind::String), Arg::new("rule", ArgKind::String).opt().many()],
    ..acl_row("setuser", -3, ADMIN, setuser)
};

fn setuser(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let rules: Vec<&[u8]> = x.argv.iter().skip(3).collect();
    let (name, all_channels) = (x.arg(2), channels_open(x));
    let set = |users: &Users| users.with_rules(name, &rules, all_channels).map(|users| (users, ()));
    x.center.shared.change_users(set).map_err(CommandError::owned)?;
    Ok(taken_up(x.session.id, |reply| reply.ok()))
}

/// ACL USERS
const USERS: ServerCommand = ServerCommand {
    summary: "Lists the names of all users.",
    complexity: "O(N). Where N is the number of configured users.",
    ..acl_row("users", 2, ADMIN, users)
};

fn users(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.reply.array(x.center.users.len());
    x.center.users.iter().for_each(|user| x.reply.bulk(&user.name));
    Ok(Flow::Done)
}

/// ACL WHOAMI
const WHOAMI: ServerCommand = ServerCommand {
    summary: "Tells the name of the connection's user.",
    complexity: "O(1)",
    ..acl_row("whoami", 2, OPEN, whoami)
};

fn whoami(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.reply.bulk(&x.session.user.name);
    Ok(Flow::Done)
}

/// ACL HELP
const HELP: ServerCommand = ServerCommand {
    summary: "Describes the subcommands.",
    complexity: "O(1)",
    ..acl_row("help", 2, flag::LOADING | flag::STALE, help)
};

fn help(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    const LINES: &[&str] = &[
        "CAT [<category>]",
        "    List the commands of a <category>, or all categories.",
        "DELUSER <username> [<username> ...]",
        "    Delete users and close their connections.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Tell whether the user may make this call, without making it.",
        "GETUSER <username>",
        "    Tell all about a user.",
        "GENPASS [<bits>]",
        "    Make a password of 256 or <bits> random bits, in hexadecimal digits.",
        "LIST",
        "    List all users with their rules, as in an ACL file.",
        "LOAD",
        "    Read the users from the ACL file again.",
        "LOG [<count> | RESET]",
        "    Show who was denied what of late, or forget it.",
        "SAVE",
        "    Write the users into the ACL file.",
        "SETUSER <username> <rule> [<rule> ...]",
        "    Make a user, or change its rules.",
        "USERS",
        "    List the names of all users.",
        "WHOAMI",
        "    Tell the name of the connection's user.",
    ];
    container::help(&mut x.reply, x.argv, LINES);
    Ok(Flow::Done)
}
