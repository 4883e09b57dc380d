//! Places on the earth as the scores of a sorted set, and the shapes that are searched for them.
//!
//! Longitude and latitude are each cut into 2^26 steps; the bits of both, one of each in turn, are the score of 52 bits
//! ([`encode`], [`decode`]). Places whose scores begin with the same bits lie in the same [`Cell`], so a cell is a range of
//! scores:
//!
//! ```text
//! longitude  x25 x24 x23 ...      a cell of step 3 is every score that begins with
//! latitude     y25 y24 y23 ...    x25 y25 x24 y24 x23 y23: from that, followed by zeros, up to its successor
//! ```
//!
//! A [`Shape`] is searched in the cell around its centre and the eight around that ([`cells`]): cells of the size at which
//! nine of them cover the shape's bounding box, without those that lie outside of it. Each place in them is then measured
//! ([`Shape::distance`]).
//!
//! Every operation on floats stands in the order in which Valkey computes it: clients compare the digits. The limits of the
//! latitude are those of the Mercator projection (EPSG:3857).

use std::f64::consts::PI;

/// The longitude goes from minus this to this.
pub const LONGITUDE_MAX: f64 = 180.0;
/// The latitude goes from minus this to this.
pub const LATITUDE_MAX: f64 = 85.05112878;
/// Bits of each coordinate in a score.
const STEP_MAX: u32 = 26;
/// Metres from the middle of the earth to its surface.
const EARTH_RADIUS: f64 = 6_372_797.560856;
/// Half the way around the earth in the projection.
const MERCATOR_MAX: f64 = 20_037_726.37;
const RADIANS: f64 = PI / 180.0;
/// Where the latitudes of a geohash of text end, as others than Valkey make them.
const TEXT_LATITUDE_MAX: f64 = 90.0;
const TEXT_ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// The bits of the longitude in a score; those of the latitude are the others.
const LONGITUDE_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
const LATITUDE_BITS: u64 = !LONGITUDE_BITS;

/// A place, in degrees.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Place {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

/// All places whose scores begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    bits: u64,
    /// Bits of each coordinate.
    step: u32,
}

/// The ends of a cell.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Bounds {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

/// What a search looks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Outline {
    /// Everything up to a radius.
    Circle {
        /// The radius, in the unit of the shape.
        radius: f64,
    },
    /// A rectangle around its centre.
    Box {
        /// From west to east, in the unit of the shape.
        width: f64,
        /// From south to north.
        height: f64,
    },
    /// What lies within a line through these places.
    Polygon(Vec<Place>),
}

/// An outline and where it lies.
#[derive(Clone, PartialEq, Debug)]
pub struct Shape {
    /// Its centre; of a polygon, what [`centroid`] says.
    pub centre: Place,
    /// What it is.
    pub outline: Outline,
    /// Metres in a unit of it.
    pub unit: f64,
}

impl Place {
    /// Whether it can be encoded.
    pub fn is_valid(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }

    /// The nearest place that can be.
    fn clamped(self) -> Place {
        Place {
            longitude: self.longitude.clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: self.latitude.clamp(-LATITUDE_MAX, LATITUDE_MAX),
        }
    }
}

/// The score of a place.
pub fn encode(place: Place) -> u64 {
    assert!(place.is_valid(), "the place was checked");
    bits(place, STEP_MAX, LATITUDE_MAX)
}

/// The place of a score, which need not be one that [`encode`] made.
pub fn decode(score: f64) -> Place {
    let bounds = Cell { bits: whole(score), step: STEP_MAX }.bounds();
    let place = Place {
        longitude: (bounds.west + bounds.east) / 2.0,
        latitude: (bounds.south + bounds.north) / 2.0,
    };
    place.clamped()
}

/// A score as an integer, as x86-64 turns a double into an unsigned one, whatever it is.
fn whole(score: f64) -> u64 {
    const HALF: f64 = (1u64 << 63) as f64;
    let signed = |score: f64| if (-HALF..HALF).contains(&score) { score as i64 } else { i64::MIN };
    if score < HALF { signed(score) as u64 } else { signed(score - HALF) as u64 ^ 1 << 63 }
}

/// The geohash of text of a place: ten letters of five bits, and an eleventh that says nothing, for there are no more bits.
pub fn text(place: Place) -> [u8; 11] {
    let bits = bits(place, STEP_MAX, TEXT_LATITUDE_MAX);
    let mut text = [TEXT_ALPHABET[0]; 11];
    for (i, letter) in text[..10].iter_mut().enumerate() {
        *letter = TEXT_ALPHABET[(bits >> (52 - (i + 1) * 5)) as usize & 0x1f];
    }
    text
}

/// The first `step` bits of each coordinate.
fn bits(place: Place, step: u32, latitude_max: f64) -> u64 {
    let steps = (1u64 << step) as f64;
    let latitude = (place.latitude + latitude_max) / (latitude_max + latitude_max) * steps;
    let longitude = (place.longitude + LONGITUDE_MAX) / (LONGITUDE_MAX + LONGITUDE_MAX) * steps;
    spread(latitude as u32) | spread(longitude as u32) << 1
}

/// Puts a zero before every bit.
fn spread(value: u32) -> u64 {
    let mut x = u64::from(value);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, LATITUDE_BITS),
    ] {
        x = (x | x << shift) & mask;
    }
    x
}

/// Takes every other bit.
fn gather(value: u64) -> u32 {
    let mut x = value & LATITUDE_BITS;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        x = (x | x >> shift) & mask;
    }
    x as u32
}

impl Cell {
    /// The cell of a size that a place lies in.
    fn around(place: Place, step: u32) -> Cell {
        debug_assert!((1..=STEP_MAX).contains(&step));
        Cell { bits: bits(place, step, LATITUDE_MAX), step }
    }

    /// The scores in it: from the first up to the second, which is outside.
    pub fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEP_MAX - self.step);
        ((self.bits << shift) as f64, ((self.bits + 1) << shift) as f64)
    }

    fn bounds(self) -> Bounds {
        let (latitude, longitude) = (gather(self.bits), gather(self.bits >> 1));
        let steps = (1u64 << self.step) as f64;
        let at = |n: u32, max: f64| -max + f64::from(n) / steps * (max + max);
        Bounds {
            west: at(longitude, LONGITUDE_MAX),
            south: at(latitude, LATITUDE_MAX),
            east: at(longitude.wrapping_add(1), LONGITUDE_MAX),
            north: at(latitude.wrapping_add(1), LATITUDE_MAX),
        }
    }

    /// The cell so many to the east and to the north, each -1 to 1; around the earth, and over the poles as if it were
    /// round there too.
    fn neighbour(self, east: i32, north: i32) -> Cell {
        let unused = 64 - self.step * 2;
        let moved = |bits: u64, own: u64, by: i32| {
            // The bits between carry from one of the coordinate's to the next when they are all set.
            let between = !own >> unused;
            let bits = match by {
                0 => bits,
                1 => bits.wrapping_add(between + 1),
                _ => (bits | between).wrapping_sub(between + 1),
            };
            bits & own >> unused
        };
        let longitude = moved(self.bits & LONGITUDE_BITS, LONGITUDE_BITS, east);
        let latitude = moved(self.bits & LATITUDE_BITS, LATITUDE_BITS, north);
        Cell { bits: longitude | latitude, step: self.step }
    }
}

/// Metres between two places, on a sphere (haversine).
pub fn distance(a: Place, b: Place) -> f64 {
    let (west, east) = (a.longitude * RADIANS, b.longitude * RADIANS);
    let v = ((east - west) / 2.0).sin();
    // A few nanometres: on one meridian the rest of the formula comes down to this.
    if v.abs() <= 1e-15 {
        return meridian_distance(a.latitude, b.latitude);
    }
    let (south, north) = (a.latitude * RADIANS, b.latitude * RADIANS);
    let u = ((north - south) / 2.0).sin();
    let a = u * u + south.cos() * north.cos() * v * v;
    2.0 * EARTH_RADIUS * a.sqrt().asin()
}

/// Metres between two latitudes.
fn meridian_distance(a: f64, b: f64) -> f64 {
    EARTH_RADIUS * (b * RADIANS - a * RADIANS).abs()
}

/// The middle of the corners of a polygon, weighed as if each were as heavy, on the sphere.
pub fn centroid(corners: &[Place]) -> Place {
    let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
    for corner in corners {
        let (longitude, latitude) = (corner.longitude * RADIANS, corner.latitude * RADIANS);
        x += latitude.cos() * longitude.cos();
        y += latitude.cos() * longitude.sin();
        z += latitude.sin();
    }
    let across: f64 = x * x + y * y;
    Place { longitude: y.atan2(x) / RADIANS, latitude: z.atan2(across.sqrt()) / RADIANS }
}

impl Shape {
    /// Metres from the centre to a place, if it lies in the shape.
    pub fn distance(&self, place: Place) -> Option<f64> {
        match &self.outline {
            Outline::Circle { radius } => {
                let metres = distance(self.centre, place);
                // Opposite ends of the earth may be so far apart that the formula has no number for it: they are inside.
                if metres > radius * self.unit { None } else { Some(metres) }
            }
            Outline::Box { width, height } => {
                let up = meridian_distance(place.latitude, self.centre.latitude);
                let within = up <= height * self.unit / 2.0 && {
                    let beside = Place { longitude: self.centre.longitude, latitude: place.latitude };
                    distance(place, beside) <= width * self.unit / 2.0
                };
                within.then(|| distance(self.centre, place))
            }
            Outline::Polygon(corners) => is_inside(corners, place).then(|| distance(self.centre, place)),
        }
    }

    fn bounds(&self) -> Bounds {
        let (width, height) = match &self.outline {
            Outline::Circle { radius } => (self.unit * radius, self.unit * radius),
            Outline::Box { width, height } => (self.unit * width / 2.0, self.unit * height / 2.0),
            Outline::Polygon(corners) => return bounds_of(corners),
        };
        let Place { longitude, latitude } = self.centre;
        let up = height / EARTH_RADIUS / RADIANS;
        // A parallel is shorter the nearer it is to a pole, so that side of the shape spans the most degrees.
        let side = if latitude < 0.0 { latitude - up } else { latitude + up };
        let aside = width / EARTH_RADIUS / (side * RADIANS).cos() / RADIANS;
        Bounds { west: longitude - aside, south: latitude - up, east: longitude + aside, north: latitude + up }
    }

    /// Metres from the centre to the farthest point, or more.
    fn reach(&self, bounds: &Bounds) -> f64 {
        match &self.outline {
            Outline::Circle { radius } => radius * self.unit,
            Outline::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt() * self.unit
            }
            Outline::Polygon(_) => {
                let corner = |longitude, latitude| distance(self.centre, Place { longitude, latitude });
                let west = corner(bounds.west, bounds.north).max(corner(bounds.west, bounds.south));
                let east = corner(bounds.east, bounds.north).max(corner(bounds.east, bounds.south));
                west.max(east) * self.unit
            }
        }
    }
}

fn bounds_of(corners: &[Place]) -> Bounds {
    let none = Bounds { west: LONGITUDE_MAX, south: LATITUDE_MAX, east: -LONGITUDE_MAX, north: -LATITUDE_MAX };
    corners.iter().fold(none, |bounds, corner| Bounds {
        west: bounds.west.min(corner.longitude),
        south: bounds.south.min(corner.latitude),
        east: bounds.east.max(corner.longitude),
        north: bounds.north.max(corner.latitude),
    })
}

/// Whether a ray from the place to the east crosses the line through the corners an odd number of times.
fn is_inside(corners: &[Place], place: Place) -> bool {
    let mut inside = false;
    let mut before = corners[corners.len() - 1];
    for &corner in corners {
        let spans = (corner.latitude > place.latitude) != (before.latitude > place.latitude);
        if spans {
            let crossing = (before.longitude - corner.longitude) * (place.latitude - corner.latitude)
                / (before.latitude - corner.latitude)
                + corner.longitude;
            inside ^= place.longitude < crossing;
        }
        before = corner;
    }
    inside
}

/// The size of cells of which nine cover a circle: no smaller than its radius in the projection, and larger where the
/// projection stretches.
fn step_for(mut metres: f64, latitude: f64) -> u32 {
    if metres == 0.0 {
        return STEP_MAX;
    }
    let mut step = 1i32;
    while metres < MERCATOR_MAX {
        metres *= 2.0;
        step += 1;
    }
    step -= 2;
    step -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    step.clamp(1, STEP_MAX as i32) as u32
}

/// The cells to search for a shape, in the order in which what they hold is told: the middle, then its neighbours.
pub fn cells(shape: &Shape) -> impl Iterator<Item = Cell> + use<> {
    /// North, south, east, west, then the corners: (east, north).
    const AROUND: [(i32, i32); 8] = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
    let bounds = shape.bounds();
    // The middle of a polygon around a pole lies beyond the latitudes that have cells.
    let centre = shape.centre.clamped();
    let mut middle = Cell::around(centre, step_for(shape.reach(&bounds), shape.centre.latitude));
    if middle.step > 1 && !reaches(middle, &bounds) {
        middle = Cell::around(centre, middle.step - 1);
    }
    let own = middle.bounds();
    let needed = move |(east, north): (i32, i32)| {
        let useless = (north < 0 && own.south < bounds.south)
            || (north > 0 && own.north > bounds.north)
            || (east < 0 && own.west < bounds.west)
            || (east > 0 && own.east > bounds.east);
        middle.step < 2 || !useless
    };
    // Where a step is half the earth, east and west are one cell, as are north and south.
    let mut last = None;
    let around = AROUND.into_iter().filter(move |at| needed(*at)).map(move |(east, north)| middle.neighbour(east, north));
    std::iter::once(middle).chain(around.filter(move |cell| last.replace(*cell) != Some(*cell)))
}

/// Whether the four neighbours of a cell reach to the ends of a shape.
fn reaches(middle: Cell, bounds: &Bounds) -> bool {
    let short = middle.neighbour(0, 1).bounds().north < bounds.north
        || middle.neighbour(0, -1).bounds().south > bounds.south
        || middle.neighbour(1, 0).bounds().east < bounds.east
        || middle.neighbour(-1, 0).bounds().west > bounds.west;
    !short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;

    fn place(longitude: f64, latitude: f64) -> Place {
        Place { longitude, latitude }
    }

    fn anywhere(rng: &mut Prng) -> Place {
        let unit = |rng: &mut Prng| rng.below(1 << 52) as f64 / (1u64 << 51) as f64 - 1.0;
        place(unit(rng) * LONGITUDE_MAX, unit(rng) * LATITUDE_MAX)
    }

    #[test]
    fn the_scores_of_known_places_are_those_of_valkey() {
        assert_eq!(encode(place(13.361389, 38.115556)), 3479099956230698);
        assert_eq!(encode(place(15.087269, 37.502669)), 3479447370796909);
        assert_eq!(&text(decode(3479099956230698.0)), b"sqc8b49rny0");
        assert_eq!(encode(place(-LONGITUDE_MAX, -LATITUDE_MAX)), 0);
    }

    #[test]
    fn a_decoded_place_is_where_it_was() {
        let mut rng = Prng::new(1);
        for _ in 0..10_000 {
            let before = anywhere(&mut rng);
            let score = encode(before);
            let after = decode(score as f64);
            assert!(distance(before, after) < 1.0, "{before:?} {after:?}");
            assert_eq!(encode(after), score);
        }
    }

    #[test]
    fn any_score_has_a_place() {
        for score in [f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e18, 1e19, 1e300, -1e300, 0.0, -0.0, (1u64 << 53) as f64] {
            assert!(decode(score).is_valid(), "{score}");
        }
    }

    #[test]
    fn neighbours_meet_at_their_sides() {
        let mut rng = Prng::new(2);
        for _ in 0..1000 {
            let cell = Cell::around(anywhere(&mut rng), 1 + rng.below(26) as u32);
            assert_eq!(cell.neighbour(1, 0).neighbour(-1, 0), cell);
            assert_eq!(cell.neighbour(1, 1), cell.neighbour(0, 1).neighbour(1, 0));
            let (own, east) = (cell.bounds(), cell.neighbour(1, 0).bounds());
            assert!(own.east == east.west || own.east == LONGITUDE_MAX);
            let north = cell.neighbour(0, 1).bounds();
            assert!(own.north == north.south || own.north == LATITUDE_MAX);
        }
    }

    #[test]
    fn no_cell_is_searched_twice() {
        let mut rng = Prng::new(3);
        for _ in 0..2000 {
            let radius = (rng.below(30) as f64).exp2();
            let shape = Shape { centre: anywhere(&mut rng), outline: Outline::Circle { radius }, unit: 1.0 };
            let found: Vec<Cell> = cells(&shape).collect();
            for (i, cell) in found.iter().enumerate() {
                assert!(!found[..i].contains(cell), "{shape:?}: {found:?}");
            }
        }
    }

    #[test]
    fn a_place_is_inside_a_polygon_or_not() {
        let corners = [place(0.0, 0.0), place(10.0, 0.0), place(10.0, 10.0), place(5.0, 2.0), place(0.0, 10.0)];
        assert!(is_inside(&corners, place(1.0, 5.0)) && is_inside(&corners, place(9.0, 5.0)));
        assert!(!is_inside(&corners, place(5.0, 5.0)) && !is_inside(&corners, place(-1.0, 5.0)));
        let middle = centroid(&corners);
        assert!((middle.longitude - 5.0).abs() < 0.1 && (middle.latitude - 4.4).abs() < 0.1, "{middle:?}");
    }
}
