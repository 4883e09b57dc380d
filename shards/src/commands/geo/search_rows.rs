//! The rows of the commands that search.

use super::query::Kind;
use super::search::search;
use super::words::{COORDINATES, UNIT};
use crate::args::Args;
use crate::command::{Arg, ArgKind, Begin, Command, Find, Group, KeySpec, ShardRun, category, flag, key};
use crate::error::CommandError;

const RADIUS_COST: &str =
    "O(N+log(M)) with N members in the box around the circle and M in the set.";
const SEARCH_COST: &str = "O(N+log(M)) with N members in the cells around the shape and M within the shape.";

const RADIUS_HISTORY: &[(&str, &str)] =
    &[("6.2.0", "Takes `ANY` behind `COUNT`."), ("7.0.0", "Takes units in capital letters.")];
const SEARCH_HISTORY: &[(&str, &str)] =
    &[("7.0.0", "Takes units in capital letters."), ("9.0.0", "Takes `BYPOLYGON`.")];

const WITH_COORD: Arg = Arg::token("withcoord", "WITHCOORD").opt();
const WITH_DIST: Arg = Arg::token("withdist", "WITHDIST").opt();
const WITH_HASH: Arg = Arg::token("withhash", "WITHHASH").opt();
const ORDER: Arg = Arg::one_of("order", &[Arg::token("asc", "ASC"), Arg::token("desc", "DESC")]).opt();
const COUNT: Arg = Arg::new("count", ArgKind::Integer).after("COUNT");
const ANY: Arg = Arg::token("any", "ANY").opt();
const COUNT_ANY: Arg = Arg::block("count-block", &[COUNT, ANY]).opt();
const COUNT_ANY_LATER: Arg = Arg::block("count-block", &[COUNT, ANY.since("6.2.0")]).opt();
const RADIUS: Arg = Arg::new("radius", ArgKind::Double);
const MEMBER: Arg = Arg::new("member", ArgKind::String);
const STORED: Arg = Arg::new("", ArgKind::Key);
const STORE: Arg = Arg::one_of(
    "store",
    &[
        Arg { name: "storekey", display: "key", key_spec: 1, ..STORED }.after("STORE"),
        Arg { name: "storedistkey", display: "key", key_spec: 2, ..STORED }.after("STOREDIST"),
    ],
)
.opt();
const FROM: Arg = Arg::one_of("from", &[MEMBER.after("FROMMEMBER"), Arg::block("fromlonlat", &COORDINATES).after("FROMLONLAT")])
    .opt();
const BY: Arg = Arg::one_of(
    "by",
    &[
        Arg::block("circle", &[RADIUS.after("BYRADIUS"), UNIT]),
        Arg::block(
            "box",
            &[Arg::new("width", ArgKind::Double).after("BYBOX"), Arg::new("height", ArgKind::Double), UNIT],
        ),
        Arg::block(
            "polygon",
            &[
                Arg::new("num-vertices", ArgKind::Integer).after("BYPOLYGON"),
                Arg::block("vertices", &COORDINATES).many(),
            ],
        )
        .since("9.0.0"),
    ],
);

/// The key that may stand behind a word.
const fn stored_at(word: &'static str, from: i16) -> KeySpec {
    KeySpec {
        flags: key::OW | key::UPDATE | key::VARIABLE_FLAGS,
        begin: Begin::Keyword(word, from),
        find: Find::Range { last: 0, step: 1, limit: 0 },
        notes: "",
    }
}

const SOURCE: KeySpec = KeySpec::one(1, key::RO | key::ACCESS);

const ONE_SOURCE: &[KeySpec] = &[SOURCE];

/// A row that only reads.
const fn read_row(name: &'static str, arity: i16, run: ShardRun) -> Command {
    Command {
        arity,
        group: Group::Geo,
        flags: flag::READONLY,
        acl: category::GEO,
        keys: ONE_SOURCE,
        ..Command::new(name, run)
    }
}

/// A row that may store.
const fn write_row(name: &'static str, arity: i16, run: ShardRun) -> Command {
    Command {
        arity,
        group: Group::Geo,
        flags: flag::WRITE | flag::DENYOOM,
        acl: category::GEO,
        ..Command::new(name, run)
    }
}

/// Of several STORE and STOREDIST the last one counts. The words are looked for from the same place in both commands, and a
/// key's name is not a word.
fn find_keys(argv: Args<'_>, found: &mut Vec<usize>) -> Result<(), CommandError> {
    found.push(1);
    let (mut at, mut stored) = (5, None);
    while at + 1 < argv.len() {
        let is = |word: &str| argv.get(at).eq_ignore_ascii_case(word.as_bytes());
        if is("store") || is("storedist") {
            stored = Some(at + 1);
            at += 1;
        }
        at += 1;
    }
    found.extend(stored);
    Ok(())
}

fn stored_key_flags(_: Args<'_>) -> u32 {
    key::OW | key::UPDATE
}

/// GEORADIUS key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]
/// [STORE key | STOREDIST key]
pub const GEORADIUS: Command = Command {
    since: "3.2.0",
    summary: "Tells the members up to a distance from a place, or stores them.",
    complexity: RADIUS_COST,
    history: RADIUS_HISTORY,
    keys: &[SOURCE, stored_at("STORE", 6), stored_at("STOREDIST", 6)],
    find_keys: Some(find_keys),
    key_flags: Some(stored_key_flags),
    args: &[
        Arg::key("key"),
        COORDINATES[0],
        COORDINATES[1],
        RADIUS,
        UNIT,
        WITH_COORD,
        WITH_DIST,
        WITH_HASH,
        COUNT_ANY_LATER,
        ORDER,
        STORE,
    ],
    ..write_row("georadius", -6, |x| search(x, Kind::Radius))
};

/// GEORADIUS_RO key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]
pub const GEORADIUS_RO: Command = Command {
    since: "3.2.10",
    summary: "Tells the members up to a distance from a place.",
    complexity: RADIUS_COST,
    history: RADIUS_HISTORY,
    args: &[
        Arg::key("key"),
        COORDINATES[0],
        COORDINATES[1],
        RADIUS,
        UNIT,
        WITH_COORD,
        WITH_DIST,
        WITH_HASH,
        COUNT_ANY_LATER,
        ORDER,
    ],
    ..read_row("georadius_ro", -6, |x| search(x, Kind::RadiusRo))
};

/// GEORADIUSBYMEMBER key member radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]
/// [STORE key | STOREDIST key]
pub const GEORADIUSBYMEMBER: Command = Command {
    since: "3.2.0",
    summary: "Tells the members up to a distance from one of them, or stores them.",
    complexity: RADIUS_COST,
    history: RADIUS_HISTORY,
    keys: &[SOURCE, stored_at("STORE", 5), stored_at("STOREDIST", 5)],
    find_keys: Some(find_keys),
    key_flags: Some(stored_key_flags),
    args: &[Arg::key("key"), MEMBER, RADIUS, UNIT, WITH_COORD, WITH_DIST, WITH_HASH, COUNT_ANY, ORDER, STORE],
    ..write_row("georadiusbymember", -5, |x| search(x, Kind::Member))
};

/// GEORADIUSBYMEMBER_RO key member radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]
pub const GEORADIUSBYMEMBER_RO: Command = Command {
    since: "3.2.10",
    summary: "Tells the members up to a distance from one of them.",
    complexity: RADIUS_COST,
    history: RADIUS_HISTORY,
    args: &[Arg::key("key"), MEMBER, RADIUS, UNIT, WITH_COORD, WITH_DIST, WITH_HASH, COUNT_ANY, ORDER],
    ..read_row("georadiusbymember_ro", -5, |x| search(x, Kind::MemberRo))
};

/// GEOSEARCH key [FROMMEMBER member | FROMLONLAT longitude latitude] BYRADIUS radius unit | BYBOX width height unit |
/// BYPOLYGON num-vertices longitude latitude [longitude latitude ...] [ASC | DESC] [COUNT count [ANY]] [WITHCOORD]
/// [WITHDIST] [WITHHASH]
pub const GEOSEARCH: Command = Command {
    since: "6.2.0",
    summary: "Tells the members within a circle, a box or a polygon.",
    complexity: SEARCH_COST,
    history: SEARCH_HISTORY,
    args: &[Arg::key("key"), FROM, BY, ORDER, COUNT_ANY, WITH_COORD, WITH_DIST, WITH_HASH],
    ..read_row("geosearch", -7, |x| search(x, Kind::Search))
};

/// GEOSEARCHSTORE destination source [FROMMEMBER member | FROMLONLAT longitude latitude] BYRADIUS radius unit |
/// BYBOX width height unit | BYPOLYGON num-vertices longitude latitude [longitude latitude ...] [ASC | DESC]
/// [COUNT count [ANY]] [STOREDIST]
pub const GEOSEARCHSTORE: Command = Command {
    since: "6.2.0",
    summary: "Stores the members within a circle, a box or a polygon.",
    complexity: SEARCH_COST,
    history: SEARCH_HISTORY,
    keys: &[KeySpec::one(1, key::OW | key::UPDATE), KeySpec::one(2, key::RO | key::ACCESS)],
    args: &[
        Arg::key("destination"),
        Arg { key_spec: 1, ..Arg::key("source") },
        FROM,
        BY,
        ORDER,
        COUNT_ANY,
        Arg::token("storedist", "STOREDIST").opt(),
    ],
    ..write_row("geosearchstore", -8, |x| search(x, Kind::SearchStore))
};
