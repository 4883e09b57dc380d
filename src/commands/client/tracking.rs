//! CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO: copies of values that clients keep.

use super::{FLAGS, client_row};
use crate::commands::{Flow, ServerCommand, ServerExec};
use crate::tracking::client::{Mode, Tracking, overlap};
use shards::args::Args;
use shards::command::{Arg, ArgKind, flag};
use shards::error::{CommandError, NOT_AN_INTEGER, SYNTAX, shown};
use shards::stdx::number::parse_i64;
use std::sync::Arc;

const NO_SUCH_CLIENT: CommandError = CommandError::Static("ERR The client ID you want redirect to does not exist");
const ONE_REDIRECT: CommandError = CommandError::Static("ERR A client can only redirect to a single other client");
const PREFIX_WITHOUT_BCAST: CommandError =
    CommandError::Static("ERR PREFIX option requires BCAST mode to be enabled");
const OTHER_BCAST: CommandError = CommandError::Static(
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a \
     different mode.",
);
const OPT_AND_BCAST: CommandError = CommandError::Static("ERR OPTIN and OPTOUT are not compatible with BCAST");
const OPTIN_AND_OPTOUT: CommandError = CommandError::Static("ERR You can't specify both OPTIN mode and OPTOUT mode");
const OTHER_OPT: CommandError = CommandError::Static(
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a \
     different mode.",
);
const NOT_TRACKING: CommandError = CommandError::Static(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
);
const NOT_OPTIN: CommandError =
    CommandError::Static("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
const NOT_OPTOUT: CommandError =
    CommandError::Static("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");

/// CLIENT TRACKING ON | OFF [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]
pub const TRACKING: ServerCommand = ServerCommand {
    since: "6.0.0",
    summary: "Has the connection told when keys change of which it keeps copies.",
    complexity: "O(1). Some options may introduce additional complexity.",
    args: &[
        Arg::one_of("status", &[Arg::token("on", "ON"), Arg::token("off", "OFF")]),
        Arg::new("client-id", ArgKind::Integer).after("REDIRECT").opt(),
        Arg { multiple_token: true, ..Arg::new("prefix", ArgKind::String).after("PREFIX").opt().many() },
        Arg::token("bcast", "BCAST").opt(),
        Arg::token("optin", "OPTIN").opt(),
        Arg::token("optout", "OPTOUT").opt(),
        Arg::token("noloop", "NOLOOP").opt(),
    ],
    ..client_row("tracking", -3, tracking)
};

/// The words of a call.
#[derive(Default)]
struct Words {
    redirect: Option<u64>,
    bcast: bool,
    optin: bool,
    optout: bool,
    noloop: bool,
    prefixes: Vec<Arc<[u8]>>,
}

impl Words {
    fn parse(argv: Args<'_>) -> Result<Words, CommandError> {
        let mut words = Words::default();
        let mut at = 3;
        while at < argv.len() {
            let is = |word: &str| argv.get(at).eq_ignore_ascii_case(word.as_bytes());
            let value = (at + 1 < argv.len()).then_some(at + 1);
            match (value, ()) {
                (Some(value), ()) if is("redirect") => {
                    if words.redirect.is_some() {
                        return Err(ONE_REDIRECT);
                    }
                    let id = parse_i64(argv.get(value)).ok_or(NOT_AN_INTEGER)?;
                    words.redirect = Some(u64::try_from(id).ok().filter(|id| *id > 0).ok_or(NO_SUCH_CLIENT)?);
                    at += 1;
                }
                (Some(value), ()) if is("prefix") => {
                    words.prefixes.push(argv.get(value).into());
                    at += 1;
                }
                _ if is("bcast") => words.bcast = true,
                _ if is("optin") => words.optin = true,
                _ if is("optout") => words.optout = true,
                _ if is("noloop") => words.noloop = true,
                _ => return Err(SYNTAX),
            }
            at += 1;
        }
        Ok(words)
    }

    /// Whether the words fit each other and what the client does already.
    fn check(&self, now: Option<&Tracking>) -> Result<(), CommandError> {
        let mode = now.map(|tracking| tracking.mode);
        if !self.bcast && !self.prefixes.is_empty() {
            return Err(PREFIX_WITHOUT_BCAST);
        }
        if mode.is_some_and(|mode| (mode == Mode::Broadcast) != self.bcast) {
            return Err(OTHER_BCAST);
        }
        if self.bcast && (self.optin || self.optout) {
            return Err(OPT_AND_BCAST);
        }
        if self.optin && self.optout {
            return Err(OPTIN_AND_OPTOUT);
        }
        if (self.optin && mode == Some(Mode::OptOut)) || (self.optout && mode == Some(Mode::OptIn)) {
            return Err(OTHER_OPT);
        }
        let existing = now.map_or(&[][..], |tracking| &tracking.prefixes);
        overlap(existing, &self.prefixes).map_or(Ok(()), |overlap| {
            let what = if overlap.existing { "an existing prefix" } else { "another provided prefix" };
            let (new, other) = (shown(overlap.new, usize::MAX), shown(overlap.other, usize::MAX));
            Err(CommandError::owned(format!(
                "ERR Prefix '{new}' overlaps with {what} '{other}'. Prefixes for a single client must not overlap."
            )))
        })
    }

    fn mode(&self) -> Mode {
        match () {
            () if self.bcast => Mode::Broadcast,
            () if self.optin => Mode::OptIn,
            () if self.optout => Mode::OptOut,
            () => Mode::Read,
        }
    }
}

fn tracking(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let mut words = Words::parse(x.argv)?;
    if x.arg_is(2, "off") {
        x.center.stop_tracking(x.conn, x.session);
        x.reply.ok();
        return Ok(Flow::Done);
    }
    if !x.arg_is(2, "on") {
        return Err(SYNTAX);
    }
    let now = x.session.tracking.as_deref();
    words.check(now)?;
    if words.bcast && words.prefixes.is_empty() {
        words.prefixes.push(Arc::from(&b""[..]));
    }
    let tracking = Tracking {
        mode: words.mode(),
        noloop: words.noloop,
        redirect: None,
        caching: now.is_some_and(|now| now.caching),
        broken: false,
        prefixes: words.prefixes,
    };
    let (question, finish) = x.center.start_tracking(x.conn, x.session, tracking, words.redirect);
    Ok(Flow::Gather { question, finish })
}

/// CLIENT CACHING YES | NO
pub const CACHING: ServerCommand = ServerCommand {
    since: "6.0.0",
    summary: "Says whether the keys of the next command are tracked.",
    flags: FLAGS | flag::ALLOW_BUSY,
    args: &[Arg::one_of("mode", &[Arg::token("yes", "YES"), Arg::token("no", "NO")])],
    ..client_row("caching", 3, caching)
};

fn caching(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let (yes, no) = (x.arg_is(2, "yes"), x.arg_is(2, "no"));
    let tracking = x.session.tracking.as_deref_mut().ok_or(NOT_TRACKING)?;
    match tracking.mode {
        _ if !yes && !no => return Err(SYNTAX),
        Mode::OptIn if yes => tracking.caching = true,
        Mode::OptOut if no => tracking.caching = true,
        _ => return Err(if yes { NOT_OPTIN } else { NOT_OPTOUT }),
    }
    x.reply.ok();
    Ok(Flow::Done)
}

/// CLIENT GETREDIR
pub const GETREDIR: ServerCommand = ServerCommand {
    since: "6.0.0",
    summary: "Tells which client hears of changed keys instead of this one.",
    flags: FLAGS | flag::ALLOW_BUSY,
    ..client_row("getredir", 2, getredir)
};

fn getredir(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    x.reply.int(redirect_of(x.session.tracking.as_deref()));
    Ok(Flow::Done)
}

/// The id of the client that is told, 0 if it is this one, -1 if nobody is.
pub(super) fn redirect_of(tracking: Option<&Tracking>) -> i64 {
    tracking.map_or(-1, |tracking| i64::try_from(tracking.redirect_id()).unwrap_or(i64::MAX))
}

/// CLIENT TRACKINGINFO
pub const TRACKINGINFO: ServerCommand = ServerCommand {
    since: "6.2.0",
    summary: "Tells how the connection tracks keys.",
    ..client_row("trackinginfo", 2, trackinginfo)
};

fn trackinginfo(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let tracking = x.session.tracking.as_deref();
    let is = |mode: Mode| tracking.is_some_and(|tracking| tracking.mode == mode);
    let caching = tracking.is_some_and(|tracking| tracking.caching);
    let states = [
        (tracking.is_some(), "on"),
        (tracking.is_none(), "off"),
        (is(Mode::Broadcast), "bcast"),
        (is(Mode::OptIn), "optin"),
        (is(Mode::OptIn) && caching, "caching-yes"),
        (is(Mode::OptOut), "optout"),
        (is(Mode::OptOut) && caching, "caching-no"),
        (tracking.is_some_and(|tracking| tracking.noloop), "noloop"),
        (tracking.is_some_and(|tracking| tracking.broken), "broken_redirect"),
    ];
    let reply = &mut x.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(states.iter().filter(|(is, _)| *is).count());
    states.iter().filter(|(is, _)| *is).for_each(|(_, name)| reply.bulk(name.as_bytes()));
    reply.bulk(b"redirect");
    reply.int(redirect_of(tracking));
    reply.bulk(b"prefixes");
    let prefixes = tracking.map_or(&[][..], |tracking| &tracking.prefixes);
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(Flow::Done)
}
