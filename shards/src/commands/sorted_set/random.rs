//! ZRANDMEMBER: members drawn at random.
//!
//! A negative count draws with repetition. How many may be drawn so is bounded: a reply of a billion elements would cost
//! all memory before the client could say that it does not want it.

use super::value::{at_key, begin, element, sorted_set};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, NOT_AN_INTEGER, OUT_OF_RANGE, SYNTAX};
use crate::exec::Exec;
use crate::reply::Reply;
use crate::stdx::prng::Prng;
use crate::types::zset::ZSet;
use std::collections::BTreeSet;

/// ZRANDMEMBER key [count [WITHSCORES]]
pub const ZRANDMEMBER: Command = Command {
    arity: -2,
    group: Group::SortedSet,
    since: "6.2.0",
    summary: "Draws members of a sorted set at random.",
    complexity: "O(N) with N members drawn.",
    flags: flag::READONLY,
    acl: category::SORTEDSET,
    tips: &["nondeterministic_output"],
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[
        Arg::key("key"),
        Arg::block(
            "options",
            &[Arg::new("count", ArgKind::Integer), Arg::token("withscores", "WITHSCORES").opt()],
        )
        .opt(),
    ],
    ..Command::new("zrandmember", zrandmember)
};

/// Draws with repetition that one call may ask for.
const REPEATED_MAX: u64 = 1 << 24;
/// Bytes that the shortest element of a reply takes.
const ELEMENT_BYTES_MIN: usize = 8;

fn zrandmember(x: &mut Exec<'_>) -> Result<(), CommandError> {
    if x.argc() > 2 {
        return draw_many(x);
    }
    let rank = x.env.rng.next_u64();
    let set = sorted_set(x.ks.read(x.db, x.argv.get(1)))?;
    match set {
        Some(set) => x.reply.bulk(set.at((rank % set.len() as u64) as usize).0),
        None => x.reply.null(),
    }
    Ok(())
}

fn draw_many(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let count = x.int(2).map_err(|_| NOT_AN_INTEGER)?;
    if count == i64::MIN {
        return Err(CommandError::Static(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let with_scores = x.argc() == 4;
    if x.argc() > 4 || with_scores && !x.arg_is(3, "withscores") {
        return Err(SYNTAX);
    }
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(OUT_OF_RANGE);
    }
    let repeated_max = REPEATED_MAX.min((x.env.limits.string_bytes_max / ELEMENT_BYTES_MIN) as u64);
    if count < 0 && at_key(x)?.is_some() && count.unsigned_abs() > repeated_max {
        return Err(OUT_OF_RANGE);
    }
    let Some(set) = sorted_set(x.ks.read(x.db, x.argv.get(1)))? else {
        x.reply.array(0);
        return Ok(());
    };
    let (rng, reply) = (&mut x.env.rng, &mut x.reply);
    let wanted = count.unsigned_abs() as usize;
    begin(reply, if count < 0 { wanted } else { wanted.min(set.len()) }, with_scores);
    if count < 0 {
        for _ in 0..wanted {
            tell(reply, set, rng.below(set.len() as u64) as usize, with_scores);
        }
    } else {
        draw_different(reply, set, wanted, with_scores, rng);
    }
    Ok(())
}

fn tell(reply: &mut Reply<'_>, set: &ZSet, rank: usize, with_scores: bool) {
    let (member, score) = set.at(rank);
    element(reply, member, score, with_scores);
}

/// Tells `wanted` different elements, or all, the greatest first, if there are no more.
fn draw_different(reply: &mut Reply<'_>, set: &ZSet, wanted: usize, with_scores: bool, rng: &mut Prng) {
    let len = set.len();
    if wanted >= len {
        return set.walk(len - 1, true, &mut |member, score| {
            element(reply, member, score, with_scores);
            true
        });
    }
    if set.is_small() || wanted > len / 3 {
        return draw_in_order(reply, set, wanted, with_scores, rng);
    }
    let mut drawn = BTreeSet::new();
    while drawn.len() < wanted {
        let rank = rng.below(len as u64) as usize;
        if drawn.insert(rank) {
            tell(reply, set, rank, with_scores);
        }
    }
}

/// Walks over the set and takes each element with the chance that still gives the number wanted.
fn draw_in_order(reply: &mut Reply<'_>, set: &ZSet, wanted: usize, with_scores: bool, rng: &mut Prng) {
    let (mut wanted, mut rest) = (wanted as u64, set.len() as u64);
    set.walk(0, false, &mut |member, score| {
        if rng.below(rest) < wanted {
            element(reply, member, score, with_scores);
            wanted -= 1;
        }
        rest -= 1;
        wanted > 0
    });
}
