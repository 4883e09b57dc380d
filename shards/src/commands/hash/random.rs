//! HRANDFIELD: fields by chance.
//!
//! A negative count asks for so many draws, each from all fields. A positive one asks for different fields: nearly all
//! of them are found by going through the hash and taking each with the chance that is left (Knuth's algorithm S), few
//! of many by drawing until they are enough.
//!
//! Valkey would fill memory with as many draws as a client can count; here a reply has a limit.

use std::collections::BTreeSet;

use super::value::{hash_in, reply_text};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, OUT_OF_RANGE, SYNTAX};
use crate::exec::Exec;
use crate::reply::{Reply, Resp};
use crate::stdx::prng::Prng;
use crate::types::hash::{Field, Hash};

/// Draws that may hit nothing but fields whose time is over.
const TRIES: usize = 100;
/// More than one field in so many asked for: going through all is cheaper than drawing.
const NEARLY_ALL: u64 = 3;
/// Bytes of the longest reply.
const REPLY_BYTES_MAX: usize = 1 << 30;

/// HRANDFIELD key [count [WITHVALUES]]
pub const HRANDFIELD: Command = Command {
    arity: -2,
    group: Group::Hash,
    since: "6.2.0",
    summary: "Returns random fields of a hash.",
    complexity: "O(N) with N fields returned.",
    flags: flag::READONLY,
    acl: category::HASH,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    tips: &["nondeterministic_output"],
    args: &[
        Arg::key("key"),
        Arg::block(
            "options",
            &[Arg::new("count", ArgKind::Integer), Arg::token("withvalues", "WITHVALUES").opt()],
        )
        .opt(),
    ],
    ..Command::new("hrandfield", hrandfield)
};

fn hrandfield(x: &mut Exec<'_>) -> Result<(), CommandError> {
    if x.argc() > 2 {
        return with_count(x);
    }
    let hidden = x.ks.hidden();
    let hash = hash_in(x.ks.read(x.db, x.argv.get(1)))?;
    match hash.and_then(|hash| draw(hash, hidden, &mut x.env.rng)) {
        Some((_, field)) => reply_text(&mut x.reply, field.name),
        None => x.reply.null(),
    }
    Ok(())
}

/// Reads the count and whether values are asked for.
fn parse(x: &Exec<'_>) -> Result<(i64, bool), CommandError> {
    let count = x.int(2)?;
    if count == i64::MIN {
        return Err(CommandError::Static(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    if x.argc() > 4 || x.argc() == 4 && !x.arg_is(3, "withvalues") {
        return Err(SYNTAX);
    }
    let values = x.argc() == 4;
    if values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(OUT_OF_RANGE);
    }
    Ok((count, values))
}

fn with_count(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (count, values) = parse(x)?;
    let hidden = x.ks.hidden();
    let Some(hash) = hash_in(x.ks.read(x.db, x.argv.get(1)))?.filter(|_| count != 0) else {
        x.reply.array(0);
        return Ok(());
    };
    let resp = x.reply.resp();
    let list = x.reply.deferred_array();
    let start = x.reply.position();
    let mut answer = Answer { reply: &mut x.reply, values, start, count: 0 };
    let rng = &mut x.env.rng;
    let n = count.unsigned_abs();
    if count < 0 || n == 1 {
        draws(hash, hidden, n, rng, &mut answer)?;
    } else if n.saturating_mul(NEARLY_ALL) > hash.len() as u64 {
        nearly_all(hash, hidden, n, rng, &mut answer)?;
    } else {
        few(hash, hidden, n, rng, &mut answer)?;
    }
    let found = answer.count;
    x.reply.close_array(list, if values && resp == Resp::V2 { 2 * found } else { found });
    Ok(())
}

/// The reply as it grows.
struct Answer<'r, 'o> {
    reply: &'r mut Reply<'o>,
    values: bool,
    start: usize,
    count: usize,
}

impl Answer<'_, '_> {
    fn add(&mut self, field: Field<'_>) -> Result<(), CommandError> {
        if self.values && self.reply.resp() == Resp::V3 {
            self.reply.array(2);
        }
        reply_text(self.reply, field.name);
        if self.values {
            reply_text(self.reply, field.value);
        }
        self.count += 1;
        if self.reply.position() - self.start > REPLY_BYTES_MAX {
            return Err(CommandError::Static("ERR the reply would be longer than 1 GiB"));
        }
        Ok(())
    }
}

/// A random field that is not hidden, unless nearly all are.
fn draw<'h>(hash: &'h Hash, hidden: i64, rng: &mut Prng) -> Option<(u64, Field<'h>)> {
    (0..TRIES).find_map(|_| {
        hash.random(&mut |n| rng.below(n)).filter(|(_, field)| field.expire_at.is_none_or(|at| at > hidden))
    })
}

fn draws(hash: &Hash, hidden: i64, n: u64, rng: &mut Prng, answer: &mut Answer<'_, '_>) -> Result<(), CommandError> {
    for _ in 0..n {
        let Some((_, field)) = draw(hash, hidden, rng) else { break };
        answer.add(field)?;
    }
    Ok(())
}

fn nearly_all(hash: &Hash, hidden: i64, n: u64, rng: &mut Prng, answer: &mut Answer<'_, '_>) -> Result<(), CommandError> {
    let mut left = if hash.timed_len() == 0 { hash.len() } else { hash.iter(hidden).count() } as u64;
    let mut wanted = n.min(left);
    for field in hash.iter(hidden) {
        if rng.below(left) < wanted {
            answer.add(field)?;
            wanted -= 1;
        }
        left -= 1;
    }
    Ok(())
}

fn few(hash: &Hash, hidden: i64, n: u64, rng: &mut Prng, answer: &mut Answer<'_, '_>) -> Result<(), CommandError> {
    let mut taken = BTreeSet::new();
    for _ in 0..n * 10 {
        let Some((place, field)) = draw(hash, hidden, rng) else { break };
        if taken.insert(place) {
            answer.add(field)?;
            if taken.len() as u64 == n {
                break;
            }
        }
    }
    Ok(())
}
