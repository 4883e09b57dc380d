//! SUBSCRIBE and its kin, PUBLISH, SPUBLISH, and PUBSUB.
//!
//! Every core knows all channels and patterns with their numbers of subscribers ([`crate::pubsub`]), so PUBLISH and
//! PUBSUB answer at once. Subscribing is confirmed when all cores know of it ([`crate::core::publish`]).

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::core::Center;
use crate::core::publish::Confirmation;
use crate::pubsub::topics::Topics;
use crate::pubsub::{Kind, Name, frames};
use shards::command::{Arg, ArgKind, Group, KeySpec, category, flag, key};
use shards::commands::container;
use shards::error::CommandError;
use shards::stdx::glob;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [
        SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE, PUBLISH, SPUBLISH, PUBSUB
    ]
}

/// The slot of a sharded channel is found like a key's.
const CHANNELS_TO_THE_END: &[KeySpec] = &[KeySpec::range(1, -1, 1, key::NOT_KEY)];

const fn listening(name: &'static str, arity: i16, run: ServerRun) -> ServerCommand {
    ServerCommand {
        arity,
        group: Group::PubSub,
        since: "2.0.0",
        flags: flag::PUBSUB | flag::NOSCRIPT | flag::LOADING | flag::STALE,
        acl: category::PUBSUB,
        ..ServerCommand::new(name, run)
    }
}

/// SUBSCRIBE channel [channel ...]
pub const SUBSCRIBE: ServerCommand = ServerCommand {
    summary: "Begins to listen to channels.",
    complexity: "O(N) where N is the number of channels to subscribe to.",
    args: &[Arg::new("channel", ArgKind::String).many()],
    ..listening("subscribe", -2, |x| subscribe(x, Kind::Channel))
};

/// PSUBSCRIBE pattern [pattern ...]
pub const PSUBSCRIBE: ServerCommand = ServerCommand {
    summary: "Begins to listen to all channels whose names match.",
    complexity: "O(N) where N is the number of patterns to subscribe to.",
    args: &[Arg::new("pattern", ArgKind::Pattern).many()],
    ..listening("psubscribe", -2, |x| subscribe(x, Kind::Pattern))
};

/// SSUBSCRIBE shardchannel [shardchannel ...]
pub const SSUBSCRIBE: ServerCommand = ServerCommand {
    since: "7.0.0",
    summary: "Begins to listen to sharded channels.",
    complexity: "O(N) where N is the number of shard channels to subscribe to.",
    keys: CHANNELS_TO_THE_END,
    args: &[Arg::new("shardchannel", ArgKind::String).many()],
    ..listening("ssubscribe", -2, ssubscribe)
};

fn ssubscribe(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.in_exec {
        return Err(CommandError::Static("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    subscribe(x, Kind::Shard)
}

fn subscribe(x: &mut ServerExec<'_>, kind: Kind) -> Result<Flow, CommandError> {
    let (mut changes, mut reply) = (Vec::new(), Vec::new());
    for name in x.argv.iter().skip(1) {
        changes.extend(x.center.join(x.session, x.conn, kind, name));
        let count = x.session.subscriptions.as_ref().map_or(0, |s| s.count(kind));
        frames::confirm(&mut reply, x.session.resp, kind, true, Some(name), count);
    }
    Ok(Flow::Confirm(Confirmation { changes, reply }))
}

/// UNSUBSCRIBE [channel ...]
pub const UNSUBSCRIBE: ServerCommand = ServerCommand {
    summary: "Ceases to listen to channels.",
    complexity: "O(N) where N is the number of channels to unsubscribe.",
    args: &[Arg::new("channel", ArgKind::String).opt().many()],
    ..listening("unsubscribe", -1, |x| unsubscribe(x, Kind::Channel))
};

/// PUNSUBSCRIBE [pattern ...]
pub const PUNSUBSCRIBE: ServerCommand = ServerCommand {
    summary: "Ceases to listen to channels by patterns.",
    complexity: "O(N) where N is the number of patterns to unsubscribe.",
    args: &[Arg::new("pattern", ArgKind::Pattern).opt().many()],
    ..listening("punsubscribe", -1, |x| unsubscribe(x, Kind::Pattern))
};

/// SUNSUBSCRIBE [shardchannel ...]
pub const SUNSUBSCRIBE: ServerCommand = ServerCommand {
    since: "7.0.0",
    summary: "Ceases to listen to sharded channels.",
    complexity: "O(N) where N is the number of shard channels to unsubscribe.",
    keys: CHANNELS_TO_THE_END,
    args: &[Arg::new("shardchannel", ArgKind::String).opt().many()],
    ..listening("sunsubscribe", -1, |x| unsubscribe(x, Kind::Shard))
};

fn unsubscribe(x: &mut ServerExec<'_>, kind: Kind) -> Result<Flow, CommandError> {
    let all: Vec<Name>;
    let names: Vec<&[u8]> = if x.argc() > 1 {
        x.argv.iter().skip(1).collect()
    } else {
        all = x.session.subscriptions.as_ref().map_or(Vec::new(), |s| s.of(kind).iter().cloned().collect());
        all.iter().map(|name| &**name).collect()
    };
    let (mut changes, mut reply) = (Vec::new(), Vec::new());
    for name in &names {
        changes.extend(Center::quit_listening(x.session, kind, name));
        let count = x.session.subscriptions.as_ref().map_or(0, |s| s.count(kind));
        frames::confirm(&mut reply, x.session.resp, kind, false, Some(name), count);
    }
    if names.is_empty() {
        let count = x.session.subscriptions.as_ref().map_or(0, |s| s.count(kind));
        frames::confirm(&mut reply, x.session.resp, kind, false, None, count);
    }
    Ok(Flow::Confirm(Confirmation { changes, reply }))
}

const fn publishing(name: &'static str, run: ServerRun) -> ServerCommand {
    ServerCommand {
        arity: 3,
        group: Group::PubSub,
        flags: flag::PUBSUB | flag::LOADING | flag::STALE | flag::FAST | flag::MAY_REPLICATE,
        acl: category::PUBSUB,
        ..ServerCommand::new(name, run)
    }
}

/// PUBLISH channel message
pub const PUBLISH: ServerCommand = ServerCommand {
    since: "2.0.0",
    summary: "Sends a message to all who listen to a channel.",
    complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
    args: &[Arg::new("channel", ArgKind::String), Arg::new("message", ArgKind::String)],
    ..publishing("publish", |x| publish(x, Kind::Channel))
};

/// SPUBLISH shardchannel message
pub const SPUBLISH: ServerCommand = ServerCommand {
    since: "7.0.0",
    summary: "Sends a message to all who listen to a sharded channel.",
    complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
    keys: &[KeySpec::one(1, key::NOT_KEY)],
    args: &[Arg::new("shardchannel", ArgKind::String), Arg::new("message", ArgKind::String)],
    ..publishing("spublish", |x| publish(x, Kind::Shard))
};

fn publish(x: &mut ServerExec<'_>, kind: Kind) -> Result<Flow, CommandError> {
    let receivers = x.center.publish(kind, x.arg(1), x.arg(2));
    x.reply.int(receivers as i64);
    Ok(Flow::Done)
}

/// PUBSUB subcommand
pub const PUBSUB: ServerCommand = ServerCommand {
    arity: -2,
    group: Group::PubSub,
    since: "2.8.0",
    summary: "Tells who listens to what.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        ServerCommand {
            summary: "Lists the channels somebody listens to.",
            complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
            args: &[Arg::new("pattern", ArgKind::Pattern).opt()],
            ..telling("channels", "2.8.0", -2, |x| channels(x, Kind::Channel))
        },
        ServerCommand {
            summary: "Counts the subscribers of channels.",
            complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
            args: &[Arg::new("channel", ArgKind::String).opt().many()],
            ..telling("numsub", "2.8.0", -2, |x| numsub(x, Kind::Channel))
        },
        ServerCommand {
            summary: "Counts the patterns somebody listens to.",
            complexity: "O(1)",
            ..telling("numpat", "2.8.0", 2, numpat)
        },
        ServerCommand {
            summary: "Lists the sharded channels somebody listens to.",
            complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
            args: &[Arg::new("pattern", ArgKind::Pattern).opt()],
            ..telling("shardchannels", "7.0.0", -2, |x| channels(x, Kind::Shard))
        },
        ServerCommand {
            summary: "Counts the subscribers of sharded channels.",
            complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
            args: &[Arg::new("shardchannel", ArgKind::String).opt().many()],
            ..telling("shardnumsub", "7.0.0", -2, |x| numsub(x, Kind::Shard))
        },
        ServerCommand {
            summary: "Describes the subcommands.",
            complexity: "O(1)",
            flags: flag::LOADING | flag::STALE,
            acl: 0,
            ..telling("help", "6.2.0", 2, help)
        },
    ],
    ..ServerCommand::new("pubsub", |x| Err(container::unknown_subcommand(x.argv)))
};

const fn telling(name: &'static str, since: &'static str, arity: i16, run: ServerRun) -> ServerCommand {
    ServerCommand {
        arity,
        group: Group::PubSub,
        since,
        flags: flag::PUBSUB | flag::LOADING | flag::STALE,
        acl: category::PUBSUB,
        ..ServerCommand::new(name, run)
    }
}

fn topics<'a>(x: &'a mut ServerExec<'_>, kind: Kind) -> &'a Topics {
    let pubsub = x.center.pubsub();
    if kind == Kind::Shard { &pubsub.shard_channels } else { &pubsub.channels }
}

fn channels(x: &mut ServerExec<'_>, kind: Kind) -> Result<Flow, CommandError> {
    if x.argc() > 3 {
        return Err(container::wrong_arguments(x.argv));
    }
    let argv = x.argv;
    let pattern = argv.iter().nth(2);
    let wanted = |name: &&[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name, false));
    let mut names: Vec<Vec<u8>> = topics(x, kind).names().filter(wanted).map(Vec::from).collect();
    names.sort_unstable();
    x.reply.array(names.len());
    names.iter().for_each(|name| x.reply.bulk(name));
    Ok(Flow::Done)
}

fn numsub(x: &mut ServerExec<'_>, kind: Kind) -> Result<Flow, CommandError> {
    let argv = x.argv;
    x.reply.array((argv.len() - 2) * 2);
    for name in argv.iter().skip(2) {
        let subscribers = topics(x, kind).get(name).map_or(0, |topic| topic.subscribers());
        x.reply.bulk(name);
        x.reply.int(subscribers as i64);
    }
    Ok(Flow::Done)
}

fn numpat(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let patterns = x.center.pubsub().patterns.len();
    x.reply.count(patterns);
    Ok(Flow::Done)
}

fn help(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    const LINES: &[&str] = &[
        "CHANNELS [<pattern>]",
        "    List the channels with subscribers whose names match (all by default).",
        "NUMPAT",
        "    Count the different patterns with subscribers.",
        "NUMSUB [<channel> ...]",
        "    Count the subscribers of each channel; those by patterns do not count.",
        "SHARDCHANNELS [<pattern>]",
        "    List the sharded channels with subscribers whose names match.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Count the subscribers of each sharded channel.",
    ];
    container::help(&mut x.reply, x.argv, LINES);
    Ok(Flow::Done)
}
