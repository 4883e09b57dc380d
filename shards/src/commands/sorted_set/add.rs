//! ZADD and ZINCRBY: members come, or get other scores.
//!
//! All scores are read before anything changes. Only an increment can still fail then (infinity and its opposite), and
//! there is only one of them in a call.

use super::value::{caps, event, to_change};
use crate::args::Args;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::{CommandError, NOT_A_FLOAT, SYNTAX};
use crate::exec::Exec;
use crate::keyspace::Ttl;
use crate::stdx::number::parse_f64;
use crate::types::zset::{Caps, ZSet};
use crate::types::{Object, tag};

/// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
pub const ZADD: Command = Command {
    arity: -4,
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Puts members into a sorted set or gives them new scores; makes the set if there is none.",
    complexity: "O(log(N)) per element, with N elements in the set.",
    history: &[
        ("2.4.0", "Takes more than one element."),
        ("3.0.2", "Takes `XX`, `NX`, `CH` and `INCR`."),
        ("6.2.0", "Takes `GT` and `LT`."),
    ],
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::SORTEDSET,
    keys: &[KeySpec::one(1, key::RW | key::UPDATE)],
    args: &[
        Arg::key("key"),
        Arg::one_of("condition", &[Arg::token("nx", "NX"), Arg::token("xx", "XX")]).opt().since("3.0.2"),
        Arg::one_of("comparison", &[Arg::token("gt", "GT"), Arg::token("lt", "LT")]).opt().since("6.2.0"),
        Arg::token("change", "CH").opt().since("3.0.2"),
        Arg::token("increment", "INCR").opt().since("3.0.2"),
        Arg::block("data", &[Arg::new("score", ArgKind::Double), Arg::new("member", ArgKind::String)]).many(),
    ],
    ..Command::new("zadd", |x| add(x, x.argv, false))
};

/// ZINCRBY key increment member
pub const ZINCRBY: Command = Command {
    arity: 4,
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Adds to the score of a member; a member that is not there starts at 0.",
    complexity: "O(log(N)) with N elements in the set.",
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::SORTEDSET,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::UPDATE)],
    args: &[Arg::key("key"), Arg::new("increment", ArgKind::Integer), Arg::new("member", ArgKind::String)],
    ..Command::new("zincrby", |x| add(x, x.argv, true))
};

const NOT_A_SUM: CommandError = CommandError::Static("ERR resulting score is not a number (NaN)");
const NX_AND_XX: CommandError = CommandError::Static("ERR XX and NX options at the same time are not compatible");
const GT_LT_NX: CommandError =
    CommandError::Static("ERR GT, LT, and/or NX options at the same time are not compatible");
const ONE_INCREMENT: CommandError = CommandError::Static("ERR INCR option supports a single increment-element pair");

/// The words before the first score.
#[derive(Clone, Copy, Default)]
struct Options {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
    ch: bool,
    incr: bool,
    /// Where the first score stands.
    first: usize,
}

impl Options {
    fn parse(argv: Args<'_>, incr: bool) -> Result<Options, CommandError> {
        let mut options = Options { incr, first: 2, ..Options::default() };
        while options.first < argv.len() {
            let word = argv.get(options.first);
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            let option = match word.len() {
                2 if is(b"nx") => &mut options.nx,
                2 if is(b"xx") => &mut options.xx,
                2 if is(b"gt") => &mut options.gt,
                2 if is(b"lt") => &mut options.lt,
                2 if is(b"ch") => &mut options.ch,
                4 if is(b"incr") => &mut options.incr,
                _ => break,
            };
            *option = true;
            options.first += 1;
        }
        options.check(argv.len() - options.first)?;
        Ok(options)
    }

    fn check(&self, rest: usize) -> Result<(), CommandError> {
        if rest == 0 || !rest.is_multiple_of(2) {
            return Err(SYNTAX);
        }
        if self.nx && self.xx {
            return Err(NX_AND_XX);
        }
        if (self.nx && (self.gt || self.lt)) || (self.gt && self.lt) {
            return Err(GT_LT_NX);
        }
        if self.incr && rest > 2 { Err(ONE_INCREMENT) } else { Ok(()) }
    }
}

/// What a call did to the set.
#[derive(Default)]
struct Done {
    added: usize,
    updated: usize,
    /// The score of the last element that no option passed over.
    score: Option<f64>,
}

/// Runs ZADD, or ZINCRBY, with these arguments (GEOADD is a ZADD, too).
pub(crate) fn add(x: &mut Exec<'_>, argv: Args<'_>, incr: bool) -> Result<(), CommandError> {
    let options = Options::parse(argv, incr)?;
    let mut longest = 0;
    for i in (options.first..argv.len()).step_by(2) {
        parse_f64(argv.get(i)).ok_or(NOT_A_FLOAT)?;
        longest = longest.max(argv.get(i + 1).len());
    }
    let caps = caps(x.env);
    let elements = (argv.len() - options.first) / 2;
    let told = event(if options.incr { "zincr" } else { "zadd" });
    let mut entry = x.ks.entry_mut(x.db, argv.get(1));
    let done = match to_change(&mut entry)? {
        Some(set) => {
            set.fit(&caps, elements, longest);
            let done = put_all(set, &caps, argv, &options)?;
            if done.added + done.updated > 0 {
                entry.touched(told, done.added + done.updated);
            }
            done
        }
        None if options.xx => Done::default(),
        None => {
            let mut set = ZSet::new(&caps, elements, longest);
            let done = put_all(&mut set, &caps, argv, &options)?;
            entry.set_object(Box::new(Object::ZSet(set)), tag::ZSET, Ttl::Clear, told);
            entry.count_more(done.added + done.updated - 1);
            done
        }
    };
    match (options.incr, done.score) {
        (true, Some(score)) => x.reply.double(score),
        (true, None) => x.reply.null(),
        (false, _) => x.reply.count(done.added + if options.ch { done.updated } else { 0 }),
    }
    Ok(())
}

fn put_all(set: &mut ZSet, caps: &Caps, argv: Args<'_>, options: &Options) -> Result<Done, CommandError> {
    let mut done = Done::default();
    for i in (options.first..argv.len()).step_by(2) {
        let score = parse_f64(argv.get(i)).expect("read before");
        put(set, caps, argv.get(i + 1), score, options, &mut done)?;
    }
    Ok(done)
}

fn put(
    set: &mut ZSet, caps: &Caps, member: &[u8], mut score: f64, options: &Options, done: &mut Done,
) -> Result<(), CommandError> {
    let Some(old) = set.score(member) else {
        if !options.xx {
            set.insert(caps, member, score);
            done.added += 1;
            done.score = Some(score);
        }
        return Ok(());
    };
    if options.nx {
        return Ok(());
    }
    if options.incr {
        score += old;
        if score.is_nan() {
            return Err(NOT_A_SUM);
        }
    }
    if (options.lt && score >= old) || (options.gt && score <= old) {
        return Ok(());
    }
    done.score = Some(score);
    if score != old {
        set.update(member, score);
        done.updated += 1;
    }
    Ok(())
}
