//! Finding the members within a shape, and telling or storing them.
//!
//! Members are found cell by cell and borrowed from the set until the reply is written. Of equally distant ones those found
//! first come first.

use super::query::{Kind, Order, Query};
use super::words::{tell_distance, tell_place};
use crate::commands::sorted_set::value::{caps, event, sorted_set};
use crate::effects::Event;
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::Ttl;
use crate::reply::Reply;
use crate::types::geo::{self, Shape};
use crate::types::zset::{Caps, ScoreBound, ZSet};
use crate::types::{Object, tag};
use std::cmp::Ordering;

/// A member that lies within the shape.
#[derive(Clone, Copy)]
struct Hit<'k> {
    member: &'k [u8],
    score: f64,
    /// Metres from the centre.
    distance: f64,
}

/// Runs one of the commands that search.
pub(super) fn search(x: &mut Exec<'_>, kind: Kind) -> Result<(), CommandError> {
    let key = x.argv.get(if kind == Kind::SearchStore { 2 } else { 1 });
    sorted_set(x.ks.read(x.db, key))?;
    let caps = caps(x.env);
    let set = sorted_set(x.ks.glance(x.db, key))?;
    let query = Query::parse(x.argv, kind, set)?;
    let hits = match (set, &query.shape) {
        (Some(set), Some(shape)) => find(set, shape, &query),
        _ => Vec::new(),
    };
    let unit = query.shape.as_ref().map_or(1.0, |shape| shape.unit);
    match query.store_at {
        Some(at) => {
            let result = result(&hits, &query, unit, &caps);
            store(x, x.argv.get(at), result, event(if kind.searches() { "geosearchstore" } else { "georadiusstore" }));
        }
        None => tell(&mut x.reply, &hits, &query, unit),
    }
    Ok(())
}

/// What the query asks for, in its order.
fn find<'k>(set: &'k ZSet, shape: &Shape, query: &Query) -> Vec<Hit<'k>> {
    let limit = if query.any { query.count } else { usize::MAX };
    let mut hits = Vec::new();
    for cell in geo::cells(shape) {
        let (first, end) = cell.scores();
        let bound = |score, exclusive| ScoreBound { score, exclusive };
        let ranks = set.ranks_by_score(bound(first, false), bound(end, true));
        let mut left = ranks.len();
        if left == 0 {
            continue;
        }
        set.walk(ranks.start, false, &mut |member, score| {
            let distance = shape.distance(geo::decode(score));
            hits.extend(distance.map(|distance| Hit { member, score, distance }));
            left -= 1;
            left > 0 && hits.len() < limit
        });
        if hits.len() >= limit {
            break;
        }
    }
    sort(&mut hits, query);
    hits
}

/// Sorts the hits and leaves as many as asked for. A count alone asks for the nearest.
fn sort(hits: &mut Vec<Hit<'_>>, query: &Query) {
    let wanted = if query.count == 0 { hits.len() } else { query.count.min(hits.len()) };
    let nearest = query.count > 0 && !query.any;
    if let Some(order) = query.order.or(nearest.then_some(Order::Nearest)) {
        let by_distance = |a: &Hit<'_>, b: &Hit<'_>| {
            let nearer = a.distance.partial_cmp(&b.distance).unwrap_or(Ordering::Equal);
            if order == Order::Nearest { nearer } else { nearer.reverse() }
        };
        hits.sort_by(by_distance);
    }
    hits.truncate(wanted);
}

fn tell(reply: &mut Reply<'_>, hits: &[Hit<'_>], query: &Query, unit: f64) {
    let more = usize::from(query.with_distance) + usize::from(query.with_hash) + usize::from(query.with_place);
    reply.array(hits.len());
    for hit in hits {
        if more > 0 {
            reply.array(1 + more);
        }
        reply.bulk(hit.member);
        if query.with_distance {
            tell_distance(reply, hit.distance / unit);
        }
        if query.with_hash {
            reply.int(hit.score as i64);
        }
        if query.with_place {
            tell_place(reply, hit.score);
        }
    }
}

/// The hits as a sorted set.
fn result(hits: &[Hit<'_>], query: &Query, unit: f64, caps: &Caps) -> ZSet {
    let score = |hit: &Hit<'_>| if query.store_distances { hit.distance / unit } else { hit.score };
    ZSet::of(caps, hits.iter().map(|hit| (hit.member, score(hit))))
}

/// Puts what was found at `key`, or removes the key if that is nothing.
fn store(x: &mut Exec<'_>, key: &[u8], set: ZSet, event: Event) {
    let count = set.len();
    let mut entry = x.ks.entry_mut(x.db, key);
    if count == 0 {
        entry.remove(Event::DEL);
    } else {
        entry.set_object(Box::new(Object::ZSet(set)), tag::ZSET, Ttl::Clear, event);
        entry.count_more(count - 1);
    }
    x.reply.count(count);
}
