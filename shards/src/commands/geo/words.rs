//! Coordinates and units as words of a call, and how they are told.

use crate::args::Args;
use crate::command::{Arg, ArgKind};
use crate::error::{CommandError, NOT_A_FLOAT};
use crate::reply::Reply;
use crate::stdx::long_double::LongDouble;
use crate::stdx::number::{parse_f64, write_f64_fixed};
use crate::types::geo::{self, Place};

/// Digits behind the point of a distance.
const DISTANCE_PLACES: u32 = 4;
const NO_UNIT: CommandError = CommandError::Static("ERR unsupported unit provided. please use M, KM, FT, MI");

/// The grammar of a place.
pub(super) const COORDINATES: [Arg; 2] =
    [Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double)];
/// The grammar of a unit.
pub(super) const UNIT: Arg = Arg::one_of(
    "unit",
    &[Arg::token("m", "m"), Arg::token("km", "km"), Arg::token("ft", "ft"), Arg::token("mi", "mi")],
);

/// The place that two words name.
pub(super) fn place(argv: Args<'_>, at: usize) -> Result<Place, CommandError> {
    let longitude = parse_f64(argv.get(at)).ok_or(NOT_A_FLOAT)?;
    let latitude = parse_f64(argv.get(at + 1)).ok_or(NOT_A_FLOAT)?;
    let place = Place { longitude, latitude };
    if !place.is_valid() {
        let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
        return Err(CommandError::owned(text));
    }
    Ok(place)
}

/// Metres in the unit that a word names.
pub(super) fn unit(word: &[u8]) -> Result<f64, CommandError> {
    match word.to_ascii_lowercase().as_slice() {
        b"m" => Ok(1.0),
        b"km" => Ok(1000.0),
        b"ft" => Ok(0.3048),
        b"mi" => Ok(1609.34),
        _ => Err(NO_UNIT),
    }
}

/// Tells a place: two numbers with all their digits.
pub(super) fn tell_place(reply: &mut Reply<'_>, score: f64) {
    let place = geo::decode(score);
    reply.array(2);
    for degrees in [place.longitude, place.latitude] {
        let mut text = Vec::with_capacity(24);
        LongDouble::from_f64(degrees).write_human(&mut text);
        reply.double_text(&text);
    }
}

/// Tells a distance that is in the unit asked for.
pub(super) fn tell_distance(reply: &mut Reply<'_>, distance: f64) {
    reply.bulk_with(|out| write_f64_fixed(out, distance, DISTANCE_PLACES));
}
