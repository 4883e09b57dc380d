//! What a search asks for.
//!
//! Words are read in the order in which Valkey reads them, which decides what is answered to a call with several mistakes:
//! a member that is missing comes before an unknown word behind it.

use super::words::{place, unit};
use crate::args::Args;
use crate::error::{CommandError, NOT_AN_INTEGER, SYNTAX, shown};
use crate::stdx::number::{parse_f64, parse_i64};
use crate::types::geo::{self, Outline, Place, Shape};
use crate::types::zset::ZSet;

const NEGATIVE_RADIUS: CommandError = CommandError::Static("ERR radius cannot be negative");
const NEGATIVE_BOX: CommandError = CommandError::Static("ERR height or width cannot be negative");
const NO_COUNT: CommandError = CommandError::Static("ERR COUNT must be > 0");
const ANY_WITHOUT_COUNT: CommandError = CommandError::Static("ERR the ANY argument requires COUNT argument");
const BAD_CORNERS: CommandError = CommandError::Static("ERR invalid number of vertices");
const FEW_CORNERS: CommandError = CommandError::Static("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
/// Corners of a polygon at least.
const CORNERS_MIN: i64 = 3;

/// Which of the commands it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// GEORADIUS, which may store.
    Radius,
    /// GEORADIUS_RO.
    RadiusRo,
    /// GEORADIUSBYMEMBER, which may store.
    Member,
    /// GEORADIUSBYMEMBER_RO.
    MemberRo,
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

impl Kind {
    /// True for the two that name shape and centre by words.
    pub fn searches(self) -> bool {
        matches!(self, Kind::Search | Kind::SearchStore)
    }

    fn takes_store(self) -> bool {
        matches!(self, Kind::Radius | Kind::Member)
    }
}

/// The order of what is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Nearest,
    Farthest,
}

/// A search.
#[derive(Debug)]
pub(super) struct Query {
    /// Where; `None` if there is no set to search in.
    pub shape: Option<Shape>,
    pub order: Option<Order>,
    /// Members at most; 0: all.
    pub count: usize,
    /// Any of them will do.
    pub any: bool,
    pub with_distance: bool,
    pub with_hash: bool,
    pub with_place: bool,
    /// The argument that names the key to store at.
    pub store_at: Option<usize>,
    /// The scores stored are distances.
    pub store_distances: bool,
}

/// What of a shape was read so far.
#[derive(Default)]
struct Parts {
    centre: Option<Place>,
    /// FROMMEMBER was said, FROMLONLAT was said.
    from_member: bool,
    from_place: bool,
    outline: Option<(Outline, f64)>,
}

impl Parts {
    fn is_box(&self) -> bool {
        matches!(self.outline, Some((Outline::Box { .. }, _)))
    }

    fn is_circle(&self) -> bool {
        matches!(self.outline, Some((Outline::Circle { .. }, _)))
    }

    fn is_polygon(&self) -> bool {
        matches!(self.outline, Some((Outline::Polygon(_), _)))
    }

    fn shape(self) -> Option<Shape> {
        let (outline, unit) = self.outline?;
        let centre = match &outline {
            Outline::Polygon(corners) => geo::centroid(corners),
            _ => self.centre?,
        };
        Some(Shape { centre, outline, unit })
    }
}

/// The place of a member.
fn member_place(set: &ZSet, member: &[u8]) -> Result<Place, CommandError> {
    let score = set.score(member).ok_or_else(|| {
        CommandError::owned(format!("ERR member {} does not exist", shown(member, usize::MAX)))
    })?;
    Ok(geo::decode(score))
}

/// A radius and its unit.
fn circle(argv: Args<'_>, at: usize) -> Result<(Outline, f64), CommandError> {
    let radius = parse_f64(argv.get(at)).ok_or(CommandError::Static("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err(NEGATIVE_RADIUS);
    }
    Ok((Outline::Circle { radius }, unit(argv.get(at + 1))?))
}

/// Width, height and their unit.
fn rectangle(argv: Args<'_>, at: usize) -> Result<(Outline, f64), CommandError> {
    let width = parse_f64(argv.get(at)).ok_or(CommandError::Static("ERR need numeric width"))?;
    let height = parse_f64(argv.get(at + 1)).ok_or(CommandError::Static("ERR need numeric height"))?;
    if width < 0.0 || height < 0.0 {
        return Err(NEGATIVE_BOX);
    }
    Ok((Outline::Box { width, height }, unit(argv.get(at + 2))?))
}

/// A number of corners and the corners.
fn polygon(argv: Args<'_>, at: usize) -> Result<(Outline, f64), CommandError> {
    let corners = parse_i64(argv.get(at)).filter(|n| i32::try_from(*n).is_ok()).ok_or(BAD_CORNERS)?;
    let room = (argv.len() - at - 1) / 2;
    if corners < CORNERS_MIN || corners as usize > room {
        return Err(FEW_CORNERS);
    }
    let corners = (0..corners as usize).map(|i| place(argv, at + 1 + i * 2));
    Ok((Outline::Polygon(corners.collect::<Result<_, _>>()?), 1.0))
}

impl Query {
    /// Reads a call; `set` is what is searched, if there is anything.
    pub fn parse(argv: Args<'_>, kind: Kind, set: Option<&ZSet>) -> Result<Query, CommandError> {
        let mut query = Query {
            shape: None,
            order: None,
            count: 0,
            any: false,
            with_distance: false,
            with_hash: false,
            with_place: false,
            store_at: (kind == Kind::SearchStore).then_some(1),
            store_distances: false,
        };
        let mut parts = Parts::default();
        let mut at = match kind {
            Kind::Search => 2,
            Kind::SearchStore => 3,
            Kind::Radius | Kind::RadiusRo => {
                parts.centre = Some(place(argv, 2)?);
                parts.outline = Some(circle(argv, 4)?);
                6
            }
            Kind::Member | Kind::MemberRo => {
                // Without a set there is no member to measure from, and Valkey does not look at the radius either.
                if let Some(set) = set {
                    parts.centre = Some(member_place(set, argv.get(2))?);
                    parts.outline = Some(circle(argv, 3)?);
                }
                5
            }
        };
        while at < argv.len() {
            at += match query.option(argv, at, kind)? {
                0 if kind.searches() => parts.word(argv, at, set)?,
                0 => return Err(SYNTAX),
                words => words,
            };
        }
        query.check(kind, &parts, argv.get(0))?;
        query.shape = set.and_then(|_| parts.shape());
        Ok(query)
    }

    /// Reads an option that is not about the shape; answers how many words it is, 0 if it is none.
    fn option(&mut self, argv: Args<'_>, at: usize, kind: Kind) -> Result<usize, CommandError> {
        let word = argv.get(at);
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let has_value = at + 1 < argv.len();
        match () {
            () if is("withdist") => self.with_distance = true,
            () if is("withhash") => self.with_hash = true,
            () if is("withcoord") => self.with_place = true,
            () if is("any") => self.any = true,
            () if is("asc") => self.order = Some(Order::Nearest),
            () if is("desc") => self.order = Some(Order::Farthest),
            () if is("count") && has_value => {
                let count = parse_i64(argv.get(at + 1)).ok_or(NOT_AN_INTEGER)?;
                self.count = usize::try_from(count).ok().filter(|n| *n > 0).ok_or(NO_COUNT)?;
                return Ok(2);
            }
            () if kind.takes_store() && has_value && (is("store") || is("storedist")) => {
                self.store_at = Some(at + 1);
                self.store_distances = is("storedist");
                return Ok(2);
            }
            () if kind == Kind::SearchStore && is("storedist") => self.store_distances = true,
            () => return Ok(0),
        }
        Ok(1)
    }

    fn check(&self, kind: Kind, parts: &Parts, name: &[u8]) -> Result<(), CommandError> {
        if self.store_at.is_some() && (self.with_distance || self.with_hash || self.with_place) {
            return Err(CommandError::Static(match kind {
                Kind::SearchStore => {
                    "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                }
                _ => "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            }));
        }
        let one_of = |what: &str| {
            let name = shown(name, usize::MAX);
            Err(CommandError::owned(format!("ERR exactly one of {what} can be specified for {name}")))
        };
        if kind.searches() && !parts.from_member && !parts.from_place && !parts.is_polygon() {
            return one_of("FROMMEMBER or FROMLONLAT");
        }
        if kind.searches() && parts.outline.is_none() {
            return one_of("BYRADIUS, BYBOX and BYPOLYGON");
        }
        if self.any && self.count == 0 { Err(ANY_WITHOUT_COUNT) } else { Ok(()) }
    }
}

impl Parts {
    /// Reads a word of GEOSEARCH about the shape and what belongs to it; answers how many words that is.
    fn word(&mut self, argv: Args<'_>, at: usize, set: Option<&ZSet>) -> Result<usize, CommandError> {
        let is = |name: &str| argv.get(at).eq_ignore_ascii_case(name.as_bytes());
        let values = argv.len() - at - 1;
        let is_polygon = self.is_polygon();
        if is("frommember") && values >= 1 && !self.from_place && !is_polygon {
            if let Some(set) = set {
                self.centre = Some(member_place(set, argv.get(at + 1))?);
            }
            self.from_member = true;
            Ok(2)
        } else if is("fromlonlat") && values >= 2 && !self.from_member && !is_polygon {
            self.centre = Some(place(argv, at + 1)?);
            self.from_place = true;
            Ok(3)
        } else if is("byradius") && values >= 2 && !self.is_box() && !is_polygon {
            self.outline = Some(circle(argv, at + 1)?);
            Ok(3)
        } else if is("bybox") && values >= 3 && !self.is_circle() && !is_polygon {
            self.outline = Some(rectangle(argv, at + 1)?);
            Ok(4)
        } else if is("bypolygon") && values >= 2 && self.outline_is_free() {
            let (outline, unit) = polygon(argv, at + 1)?;
            let Outline::Polygon(corners) = &outline else { unreachable!("a polygon was read") };
            let words = 2 + corners.len() * 2;
            self.outline = Some((outline, unit));
            Ok(words)
        } else {
            Err(SYNTAX)
        }
    }

    /// Whether a polygon may come: it has a centre of its own. Several polygons may, the last one counts.
    fn outline_is_free(&self) -> bool {
        !self.is_circle() && !self.is_box() && !self.from_member && !self.from_place
    }
}
