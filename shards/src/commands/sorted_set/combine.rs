//! Unions, intersections and differences of sorted sets.
//!
//! The inputs are read where they lie; only the result is put together, as a list that is sorted at the end. Unions and
//! intersections take the inputs from the smallest to the largest, as Valkey does: the sum of three floats depends on the
//! order.

use super::source::Source;
use super::value::{begin, caps, element, event, store};
use crate::error::{CommandError, NOT_AN_INTEGER, SYNTAX};
use crate::exec::Exec;
use crate::stdx::number::{parse_f64, parse_i64};
use crate::types::zset::ZSet;
use std::borrow::Cow;

const NOT_A_WEIGHT: CommandError = CommandError::Static("ERR weight value is not a float");
const NEGATIVE_LIMIT: CommandError = CommandError::Static("ERR LIMIT can't be negative");

/// What is made of the inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Union,
    Inter,
    Diff,
}

/// What becomes of the result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// It is told.
    Reply,
    /// It is stored at the first argument.
    Store,
    /// Its size is told (ZINTERCARD).
    Count,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn add(self, total: f64, score: f64) -> f64 {
        match self {
            // Infinity and its opposite add up to nothing.
            Aggregate::Sum => not_nan(total + score),
            Aggregate::Min => if score < total { score } else { total },
            Aggregate::Max => if score > total { score } else { total },
        }
    }
}

/// The words behind the keys.
struct Options {
    weights: Option<Vec<f64>>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Where counting stops; 0: nowhere.
    limit: usize,
}

impl Options {
    fn parse(x: &Exec<'_>, first: usize, keys: usize, op: Op, target: Target) -> Result<Options, CommandError> {
        let mut options = Options { weights: None, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
        let weighs = op != Op::Diff && target != Target::Count;
        let mut i = first;
        while i < x.argc() {
            let rest = x.argc() - i;
            if weighs && rest > keys && x.arg_is(i, "weights") {
                let weights = (i + 1..=i + keys).map(|i| parse_f64(x.arg(i)).ok_or(NOT_A_WEIGHT));
                options.weights = Some(weights.collect::<Result<_, _>>()?);
                i += keys;
            } else if weighs && rest >= 2 && x.arg_is(i, "aggregate") {
                i += 1;
                options.aggregate = match () {
                    () if x.arg_is(i, "sum") => Aggregate::Sum,
                    () if x.arg_is(i, "min") => Aggregate::Min,
                    () if x.arg_is(i, "max") => Aggregate::Max,
                    () => return Err(SYNTAX),
                };
            } else if target == Target::Reply && x.arg_is(i, "withscores") {
                options.with_scores = true;
            } else if target == Target::Count && rest >= 2 && x.arg_is(i, "limit") {
                i += 1;
                let limit = parse_i64(x.arg(i)).and_then(|n| usize::try_from(n).ok());
                options.limit = limit.ok_or(NEGATIVE_LIMIT)?;
            } else {
                return Err(SYNTAX);
            }
            i += 1;
        }
        Ok(options)
    }
}

/// An input and what its scores are multiplied with.
#[derive(Clone, Copy)]
struct Input<'k> {
    source: Source<'k>,
    weight: f64,
}

type Elements<'k> = Vec<(Cow<'k, [u8]>, f64)>;

/// Runs one of the family; `name` is for its error.
pub(super) fn combine(x: &mut Exec<'_>, op: Op, target: Target, name: &str) -> Result<(), CommandError> {
    let at = if target == Target::Store { 2 } else { 1 };
    let numkeys = parse_i64(x.arg(at)).ok_or(NOT_AN_INTEGER)?;
    let keys = usize::try_from(numkeys).ok().filter(|n| *n > 0);
    let keys = keys.ok_or_else(|| {
        CommandError::owned(format!("ERR at least 1 input key is needed for '{name}' command"))
    })?;
    let first = at + 1;
    if keys > x.argc() - first {
        return Err(SYNTAX);
    }
    for i in first..first + keys {
        Source::of(x.ks.read(x.db, x.argv.get(i)))?;
    }
    let options = Options::parse(x, first + keys, keys, op, target)?;
    let caps = caps(x.env);
    let mut inputs: Vec<Input<'_>> = Vec::with_capacity(keys);
    for i in 0..keys {
        let source = Source::of(x.ks.glance(x.db, x.argv.get(first + i)))?;
        inputs.push(Input { source, weight: options.weights.as_ref().map_or(1.0, |w| w[i]) });
    }
    if op != Op::Diff {
        inputs.sort_by_key(|input| input.source.len());
    }
    if target == Target::Count {
        let count = count_common(&inputs, options.limit);
        x.reply.count(count);
        return Ok(());
    }
    let mut elements = match op {
        Op::Union => union(&inputs, options.aggregate),
        Op::Inter => intersection(&inputs, options.aggregate),
        Op::Diff => difference(&inputs),
    };
    elements.sort_unstable_by(|a, b| a.1.partial_cmp(&b.1).expect("no score is NaN").then_with(|| a.0.cmp(&b.0)));
    if target == Target::Store {
        let set = ZSet::of(&caps, elements.iter().map(|(member, score)| (&**member, *score)));
        store(x, x.argv.get(1), set, event(stored_event(op)));
    } else {
        begin(&mut x.reply, elements.len(), options.with_scores);
        elements.iter().for_each(|(member, score)| element(&mut x.reply, member, *score, options.with_scores));
    }
    Ok(())
}

fn stored_event(op: Op) -> &'static str {
    match op {
        Op::Union => "zunionstore",
        Op::Inter => "zinterstore",
        Op::Diff => "zdiffstore",
    }
}

fn not_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// Every element of every input, then those of one member made into one. The sort is stable: scores are added in the order
/// of the inputs.
fn union<'k>(inputs: &[Input<'k>], aggregate: Aggregate) -> Elements<'k> {
    let mut all: Elements<'k> = Vec::with_capacity(inputs.iter().map(|input| input.source.len()).sum());
    for input in inputs {
        input.source.walk(&mut |member, score| {
            all.push((member, not_nan(input.weight * score)));
            true
        });
    }
    if inputs.len() > 1 {
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 = aggregate.add(first.1, later.1);
            }
            same
        });
    }
    all
}

/// The elements of the smallest input that all others have.
fn intersection<'k>(inputs: &[Input<'k>], aggregate: Aggregate) -> Elements<'k> {
    let (smallest, others) = inputs.split_first().expect("there is at least one input");
    let mut common = Vec::new();
    smallest.source.walk(&mut |member, score| {
        let start = Some(not_nan(smallest.weight * score));
        let total = others.iter().fold(start, |total, other| {
            let total = total?;
            Some(aggregate.add(total, other.source.score(&member)? * other.weight))
        });
        common.extend(total.map(|total| (member, total)));
        true
    });
    common
}

fn count_common(inputs: &[Input<'_>], limit: usize) -> usize {
    let (smallest, others) = inputs.split_first().expect("there is at least one input");
    let mut count = 0;
    smallest.source.walk(&mut |member, _| {
        count += usize::from(others.iter().all(|other| other.source.score(&member).is_some()));
        count != limit || limit == 0
    });
    count
}

/// The elements of the first input that no other has.
fn difference<'k>(inputs: &[Input<'k>]) -> Elements<'k> {
    let (first, others) = inputs.split_first().expect("there is at least one input");
    let mut left = Vec::new();
    first.source.walk(&mut |member, score| {
        if others.iter().all(|other| other.source.score(&member).is_none()) {
            left.push((member, score));
        }
        true
    });
    left
}
