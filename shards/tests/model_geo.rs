//! Searches for places against looking at every one of them, with a distance computed another way.
//!
//! Places within a hair of the edge of a shape may be found or not. Centres stay away from the poles, where a search sees
//! one side of them only, as Valkey's does.

#![allow(clippy::unwrap_used)] // these are tests

use std::collections::BTreeMap;

use shards::stdx::prng::Prng;
use shards::transcript::Bare;

const EARTH: f64 = 6_372_797.560856;
const HAIR: f64 = 1e-7;

type Places = BTreeMap<String, (f64, f64)>;

/// A point of the unit sphere.
fn point((longitude, latitude): (f64, f64)) -> [f64; 3] {
    let (longitude, latitude) = (longitude.to_radians(), latitude.to_radians());
    [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()]
}

/// Metres between two places, by the angle between them.
fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (a, b) = (point(a), point(b));
    let dot: f64 = (0..3).map(|i| a[i] * b[i]).sum();
    let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    EARTH * cross.iter().map(|x| x * x).sum::<f64>().sqrt().atan2(dot)
}

/// A search: its words, and how far inside a place lies as a share of the shape (negative: outside).
struct Search {
    words: String,
    inside: Box<dyn Fn((f64, f64)) -> f64>,
}

fn unit(rng: &mut Prng) -> f64 {
    rng.below(1 << 40) as f64 / (1u64 << 40) as f64
}

fn centre(rng: &mut Prng) -> (f64, f64) {
    // Around the line where the longitude jumps as often as elsewhere.
    let longitude = if rng.below(4) == 0 { 179.9 } else { unit(rng) * 360.0 - 180.0 };
    (longitude, unit(rng) * 140.0 - 70.0)
}

fn circle(rng: &mut Prng) -> Search {
    let (at, metres) = (centre(rng), 10f64.powf(unit(rng) * 4.0 + 2.0));
    let words = format!("FROMLONLAT {} {} BYRADIUS {metres} m", at.0, at.1);
    Search { words, inside: Box::new(move |place| 1.0 - distance(at, place) / metres) }
}

fn rectangle(rng: &mut Prng) -> Search {
    let (at, width, height) = (centre(rng), unit(rng) * 1e6 + 1.0, unit(rng) * 1e6 + 1.0);
    let words = format!("BYBOX {} {} km FROMLONLAT {} {}", width / 1000.0, height / 1000.0, at.0, at.1);
    let inside = move |place: (f64, f64)| {
        let up = distance((0.0, at.1), (0.0, place.1)) * 2.0 / height;
        let aside = distance((at.0, place.1), place) * 2.0 / width;
        1.0 - up.max(aside)
    };
    Search { words, inside: Box::new(inside) }
}

/// A triangle, on the map: a place is inside if it lies on the same side of all three lines.
fn triangle(rng: &mut Prng) -> Search {
    let middle = (unit(rng) * 340.0 - 170.0, unit(rng) * 140.0 - 70.0);
    let corners: Vec<(f64, f64)> =
        (0..3).map(|_| (middle.0 + unit(rng) * 20.0 - 10.0, middle.1 + unit(rng) * 20.0 - 10.0)).collect();
    let text: Vec<String> = corners.iter().map(|(x, y)| format!("{x} {y}")).collect();
    let inside = move |(x, y): (f64, f64)| {
        let side = |i: usize| {
            let ((ax, ay), (bx, by)) = (corners[i], corners[(i + 1) % 3]);
            (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        };
        let sides = [side(0), side(1), side(2)];
        let least = sides.iter().map(|s| s.abs()).fold(f64::MAX, f64::min);
        if sides.iter().all(|s| *s > 0.0) || sides.iter().all(|s| *s < 0.0) { least } else { -least }
    };
    Search { words: format!("BYPOLYGON 3 {}", text.join(" ")), inside: Box::new(inside) }
}

fn call(shard: &mut Bare, text: &str) -> String {
    let argv: Vec<Vec<u8>> = text.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    let reply = shard.call(&argv);
    shard.shard.check_invariants();
    String::from_utf8(reply).unwrap()
}

/// The strings of a flat array.
fn strings(reply: &str) -> Vec<String> {
    assert!(reply.starts_with('*'), "{reply}");
    reply.split("\r\n").skip(2).step_by(2).map(str::to_owned).collect()
}

fn add_places(shard: &mut Bare, rng: &mut Prng, count: usize) -> Places {
    let mut hub = centre(rng);
    for n in 0..count {
        if n % 40 == 0 {
            hub = centre(rng);
        }
        // Most places lie in towns of a few hundred kilometres, some anywhere.
        let spread = if rng.below(10) == 0 { 100.0 } else { 6.0 };
        let longitude = (hub.0 + (unit(rng) - 0.5) * spread + 540.0).rem_euclid(360.0) - 180.0;
        let latitude = (hub.1 + (unit(rng) - 0.5) * spread).clamp(-85.0, 85.0);
        assert_eq!(call(shard, &format!("GEOADD g {longitude} {latitude} m{n}")), ":1\r\n");
    }
    let names: Vec<String> = (0..count).map(|n| format!("m{n}")).collect();
    let told = call(shard, &format!("GEOPOS g {}", names.join(" ")));
    let numbers: Vec<f64> = told.split("\r\n").filter_map(|line| line.parse().ok()).collect();
    assert_eq!(numbers.len(), count * 2);
    names.into_iter().zip(numbers.chunks(2).map(|pair| (pair[0], pair[1]))).collect()
}

#[test]
fn searches_find_what_looking_at_every_place_finds() {
    for seed in 0..40 {
        let mut rng = Prng::new(seed);
        let mut shard = Bare::new(seed);
        // A small sorted set, and a large one.
        let places = add_places(&mut shard, &mut rng, if seed % 2 == 0 { 100 } else { 1000 });
        for _ in 0..60 {
            let search = match rng.below(3) {
                0 => circle(&mut rng),
                1 => rectangle(&mut rng),
                _ => triangle(&mut rng),
            };
            let found = strings(&call(&mut shard, &format!("GEOSEARCH g {}", search.words)));
            for (name, place) in &places {
                let inside = (search.inside)(*place);
                let told = found.iter().filter(|found| *found == name).count();
                let fits = inside.abs() < HAIR || told == usize::from(inside > 0.0);
                assert!(fits, "seed {seed}: {name} at {place:?} ({inside}) was told {told} times by {}", search.words);
            }
            some_of_them_are_the_nearest(&mut shard, &mut rng, &search, &found);
        }
    }
}

/// COUNT leaves the first of the whole answer, ANY some of it, and what is stored is what is told.
fn some_of_them_are_the_nearest(shard: &mut Bare, rng: &mut Prng, search: &Search, found: &[String]) {
    let count = 1 + rng.below(20) as usize;
    let all = strings(&call(shard, &format!("GEOSEARCH g {} ASC", search.words)));
    assert_eq!(all.len(), found.len());
    let some = strings(&call(shard, &format!("GEOSEARCH g {} COUNT {count}", search.words)));
    assert_eq!(some, all[..count.min(all.len())]);
    let far = strings(&call(shard, &format!("GEOSEARCH g {} DESC COUNT 1", search.words)));
    assert_eq!(far.first(), all.last());
    let any = strings(&call(shard, &format!("GEOSEARCH g {} COUNT {count} ANY", search.words)));
    assert_eq!(any, found[..count.min(found.len())]);
    let stored = call(shard, &format!("GEOSEARCHSTORE d g {} STOREDIST", search.words));
    assert_eq!(stored, format!(":{}\r\n", all.len()));
    assert_eq!(strings(&call(shard, "ZRANGE d 0 -1")).len(), all.len());
}
