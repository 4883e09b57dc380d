//! GEODIST, GEOHASH and GEOPOS: about members one names.

use super::words::{UNIT, tell_distance, tell_place, unit};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, ShardRun, category, flag, key};
use crate::commands::sorted_set::value::sorted_set;
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;
use crate::reply::Reply;
use crate::types::geo;

const KEYS: &[KeySpec] = &[KeySpec::one(1, key::RO | key::ACCESS)];

/// A row that reads one key.
const fn row(name: &'static str, run: ShardRun) -> Command {
    Command {
        group: Group::Geo,
        since: "3.2.0",
        flags: flag::READONLY,
        acl: category::GEO,
        keys: KEYS,
        ..Command::new(name, run)
    }
}

const MEMBERS: &[Arg] = &[Arg::key("key"), Arg::new("member", ArgKind::String).many().opt()];

/// GEODIST key member1 member2 [M | KM | FT | MI]
pub const GEODIST: Command = Command {
    arity: -4,
    summary: "Tells how far two members are from each other.",
    complexity: "O(1)",
    args: &[
        Arg::key("key"),
        Arg::new("member1", ArgKind::String),
        Arg::new("member2", ArgKind::String),
        UNIT.opt(),
    ],
    ..row("geodist", geodist)
};

fn geodist(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let unit = match x.argc() {
        4 => 1.0,
        5 => unit(x.arg(4))?,
        _ => return Err(SYNTAX),
    };
    let (one, other) = (x.argv.get(2), x.argv.get(3));
    let set = sorted_set(x.ks.read(x.db, x.argv.get(1)))?;
    match set.and_then(|set| Some((set.score(one)?, set.score(other)?))) {
        Some((one, other)) => {
            tell_distance(&mut x.reply, geo::distance(geo::decode(one), geo::decode(other)) / unit);
        }
        None => x.reply.null(),
    }
    Ok(())
}

/// GEOHASH key [member [member ...]]
pub const GEOHASH: Command = Command {
    arity: -2,
    summary: "Tells where members are, as geohashes of text.",
    complexity: "O(1) per member.",
    args: MEMBERS,
    ..row("geohash", |x| {
        tell_each(x, |reply, score| match score {
            Some(score) => reply.bulk(&geo::text(geo::decode(score))),
            None => reply.null(),
        })
    })
};

/// GEOPOS key [member [member ...]]
pub const GEOPOS: Command = Command {
    arity: -2,
    summary: "Tells where members are, as longitudes and latitudes.",
    complexity: "O(1) per member.",
    args: MEMBERS,
    ..row("geopos", |x| {
        tell_each(x, |reply, score| match score {
            Some(score) => tell_place(reply, score),
            None => reply.null_array(),
        })
    })
};

fn tell_each(x: &mut Exec<'_>, tell: impl Fn(&mut Reply<'_>, Option<f64>)) -> Result<(), CommandError> {
    let members = x.argv.from(2);
    let set = sorted_set(x.ks.read(x.db, x.argv.get(1)))?;
    x.reply.array(members.len());
    members.iter().for_each(|member| tell(&mut x.reply, set.and_then(|set| set.score(member))));
    Ok(())
}
