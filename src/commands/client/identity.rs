//! CLIENT ID, GETNAME, SETNAME, SETINFO, REPLY, NO-EVICT, NO-TOUCH, IMPORT-SOURCE, CAPA, HELP: the caller itself.

use super::{FLAGS, client_row};
use crate::commands::{Flow, ServerCommand, ServerExec};
use crate::connection::session::ReplyMode;
use shards::command::{Arg, ArgKind, flag};
use shards::commands::container;
use shards::error::{CommandError, SYNTAX, shown};

/// Names stand in lines of fields divided by blanks.
pub const INVALID_NAME: CommandError =
    CommandError::Static("ERR Client names cannot contain spaces, newlines or special characters.");

/// True if CLIENT LIST can show this without breaking its lines.
pub fn is_valid_attribute(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

const FLAGS_BUSY: u32 = FLAGS | flag::ALLOW_BUSY;
const ON_OFF: &[Arg] = &[Arg::one_of("enabled", &[Arg::token("on", "ON"), Arg::token("off", "OFF")])];
const EVERY_NODE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// CLIENT ID
pub const ID: ServerCommand = ServerCommand {
    since: "5.0.0",
    summary: "Tells the connection's number.",
    flags: FLAGS_BUSY,
    ..client_row("id", 2, id)
};

fn id(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.reply.int(x.session.id as i64);
    Ok(Flow::Done)
}

/// CLIENT GETNAME
pub const GETNAME: ServerCommand = ServerCommand {
    since: "2.6.9",
    summary: "Tells the connection's name.",
    flags: FLAGS_BUSY,
    ..client_row("getname", 2, getname)
};

fn getname(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.session.name.is_empty() { x.reply.null() } else { x.reply.bulk(&x.session.name) }
    Ok(Flow::Done)
}

/// CLIENT SETNAME connection-name
pub const SETNAME: ServerCommand = ServerCommand {
    since: "2.6.9",
    summary: "Gives the connection a name.",
    flags: FLAGS_BUSY,
    tips: EVERY_NODE,
    args: &[Arg::new("connection-name", ArgKind::String)],
    ..client_row("setname", 3, setname)
};

fn setname(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if !is_valid_attribute(x.arg(2)) {
        return Err(INVALID_NAME);
    }
    x.session.name = x.arg(2).to_vec();
    x.reply.ok();
    Ok(Flow::Done)
}

/// CLIENT SETINFO attr value
pub const SETINFO: ServerCommand = ServerCommand {
    since: "7.2.0",
    summary: "Tells which client library is at the other end.",
    flags: FLAGS_BUSY,
    tips: EVERY_NODE,
    args: &[Arg::one_of(
        "attr",
        &[
            Arg::new("libname", ArgKind::String).after("LIB-NAME"),
            Arg::new("libver", ArgKind::String).after("LIB-VER"),
        ],
    )],
    ..client_row("setinfo", 4, setinfo)
};

fn setinfo(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let (attribute, value) = (x.arg(2), x.arg(3));
    let place = if x.arg_is(2, "lib-name") {
        &mut x.session.lib_name
    } else if x.arg_is(2, "lib-ver") {
        &mut x.session.lib_version
    } else {
        return Err(CommandError::owned(format!("ERR Unrecognized option '{}'", shown(attribute, usize::MAX))));
    };
    if !is_valid_attribute(value) {
        let name = shown(attribute, usize::MAX);
        return Err(CommandError::owned(format!("ERR {name} cannot contain spaces, newlines or special characters.")));
    }
    *place = value.to_vec();
    x.reply.ok();
    Ok(Flow::Done)
}

/// CLIENT REPLY ON | OFF | SKIP
pub const REPLY: ServerCommand = ServerCommand {
    since: "3.2.0",
    summary: "Says whether commands are answered.",
    flags: FLAGS_BUSY | flag::NO_MULTI,
    args: &[Arg::one_of("action", &[Arg::token("on", "ON"), Arg::token("off", "OFF"), Arg::token("skip", "SKIP")])],
    ..client_row("reply", 3, reply)
};

fn reply(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.arg_is(2, "on") {
        x.session.reply_mode = ReplyMode::On;
        x.reply.ok();
    } else if x.arg_is(2, "off") {
        x.session.reply_mode = ReplyMode::Off;
    } else if x.arg_is(2, "skip") {
        if x.session.reply_mode != ReplyMode::Off {
            x.session.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(SYNTAX);
    }
    Ok(Flow::Done)
}

/// CLIENT NO-EVICT ON | OFF
pub const NO_EVICT: ServerCommand = ServerCommand {
    since: "7.0.0",
    summary: "Keeps the connection when clients must go for memory.",
    flags: FLAGS_BUSY | flag::ADMIN,
    args: ON_OFF,
    ..client_row("no-evict", 3, no_evict)
};

fn no_evict(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.session.no_evict = on_or_off(x)?;
    x.reply.ok();
    Ok(Flow::Done)
}

/// CLIENT NO-TOUCH ON | OFF
pub const NO_TOUCH: ServerCommand = ServerCommand {
    since: "7.2.0",
    summary: "Says whether the connection's commands count as uses of keys.",
    flags: FLAGS_BUSY,
    args: ON_OFF,
    ..client_row("no-touch", 3, no_touch)
};

fn no_touch(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.session.no_touch = on_or_off(x)?;
    x.reply.ok();
    Ok(Flow::Done)
}

/// CLIENT IMPORT-SOURCE ON | OFF
pub const IMPORT_SOURCE: ServerCommand = ServerCommand {
    since: "8.1.0",
    summary: "Marks the connection as the one that imports data while `import-mode` is on.",
    args: ON_OFF,
    ..client_row("import-source", 3, import_source)
};

fn import_source(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if !x.center.config.general.import_mode && !x.arg_is(2, "off") {
        return Err(CommandError::Static("ERR Server is not in import mode"));
    }
    x.session.import_source = on_or_off(x)?;
    x.reply.ok();
    Ok(Flow::Done)
}

fn on_or_off(x: &ServerExec<'_>) -> Result<bool, CommandError> {
    match (x.arg_is(2, "on"), x.arg_is(2, "off")) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(SYNTAX),
    }
}

/// CLIENT CAPA capability [capability ...]
pub const CAPA: ServerCommand = ServerCommand {
    since: "8.0.0",
    summary: "Tells what the client is able to do.",
    flags: FLAGS_BUSY,
    args: &[Arg::new("capability", ArgKind::String).many()],
    ..client_row("capa", -3, capa)
};

fn capa(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    // Unknown abilities are passed over, so that newer clients may claim them.
    if (2..x.argc()).any(|i| x.arg_is(i, "redirect")) {
        x.session.can_redirect = true;
    }
    x.reply.ok();
    Ok(Flow::Done)
}

/// CLIENT HELP
pub const HELP: ServerCommand = ServerCommand {
    since: "5.0.0",
    summary: "Lists the subcommands.",
    flags: flag::LOADING | flag::STALE,
    ..client_row("help", 2, help)
};

fn help(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    container::help(&mut x.reply, x.argv, HELP_LINES);
    Ok(Flow::Done)
}

const HELP_LINES: &[&str] = &[
    "CACHING (YES|NO)",
    "    Whether the keys of the next command are tracked, in the modes OPTIN and OPTOUT.",
    "CAPA <option> [options...]",
    "    Tells what this client is able to do. Options are:",
    "    * REDIRECT",
    "      It follows when it is sent to another server.",
    "GETNAME",
    "    The name of this connection.",
    "GETREDIR",
    "    The number of the client that hears of changed keys instead of this one.",
    "ID",
    "    The number of this connection.",
    "IMPORT-SOURCE (ON|OFF)",
    "    Marks this connection as the one that imports data: it sees keys whose time is over.",
    "INFO",
    "    All about this connection, in one line.",
    "KILL <ip:port>",
    "    Closes the connection that comes from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Closes the connections that meet every option (see LIST); the caller's own is",
    "    spared unless SKIPME is NO. Answers how many.",
    "LIST [<option> <value> [...]]",
    "    One line for each connection that meets every option. Options are:",
    "    * ID <client-id> [<client-id>...]",
    "    * TYPE (NORMAL|PRIMARY|REPLICA|PUBSUB)",
    "    * USER <username>",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "    * IP <ip>",
    "    * NAME <client-name>",
    "    * LIB-NAME <library-name>",
    "    * LIB-VER <library-version>",
    "    * DB <db-id>",
    "    * FLAGS <flags>",
    "    * CAPA <capa>",
    "    * each of these with NOT- before it, for all other connections",
    "    * MAXAGE <seconds>: connected for at least so long",
    "    * IDLE <seconds>: silent for at least so long",
    "    * SKIPME (YES|NO): without the caller (default: no)",
    "NO-EVICT (ON|OFF)",
    "    Keeps this connection when clients must go for memory.",
    "NO-TOUCH (ON|OFF)",
    "    Whether commands of this connection leave LRU and LFU of keys alone.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Holds all commands, or those that write, for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Whether commands of this connection are answered; SKIP is for the next one.",
    "SETINFO <option> <value>",
    "    Tells which library this client is. Options are:",
    "    * LIB-NAME: its name.",
    "    * LIB-VER: its version.",
    "SETNAME <name>",
    "    Names this connection; an empty name takes the name away.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Has this connection told when keys change of which it keeps copies.",
    "TRACKINGINFO",
    "    How this connection tracks keys.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Ends the waiting of a client that is blocked.",
    "UNPAUSE",
    "    Ends PAUSE.",
];
