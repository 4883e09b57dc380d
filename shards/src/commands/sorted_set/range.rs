//! Every form of ZRANGE: by rank, score or member, up or down, part of it, told or stored.
//!
//! All forms come down to a range of ranks of the set, walked in one of two directions. What LIMIT makes of it is decided by
//! [`Window`].

use super::bounds;
use super::value::{begin, caps, element, event, sorted_set, store};
use crate::command::ShardRun;
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;
use crate::types::zset::{LexBound, ScoreBound, ZSet};
use std::ops::Range;

const LIMIT_BY_RANK: CommandError = CommandError::Static(
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const SCORES_BY_LEX: CommandError =
    CommandError::Static("ERR syntax error, WITHSCORES not supported in combination with BYLEX");

/// What the ends of a range are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

/// The words of a call, and what its name alone says.
#[derive(Clone, Copy)]
pub(super) struct Options {
    by: By,
    reverse: bool,
    with_scores: bool,
    offset: i64,
    /// Elements at most; all if negative.
    limit: i64,
}

/// The ends of the range.
enum Ends<'a> {
    Ranks(i64, i64),
    Scores(ScoreBound, ScoreBound),
    Members(LexBound<'a>, LexBound<'a>),
}

/// `run` of ZRANGE.
pub(super) const ZRANGE: ShardRun = |x| tell(x, None, None);
/// `run` of ZREVRANGE.
pub(super) const ZREVRANGE: ShardRun = |x| tell(x, Some(By::Rank), Some(true));
/// `run` of ZRANGEBYSCORE. Only the commands whose name says neither kind nor direction take words for them.
pub(super) const ZRANGEBYSCORE: ShardRun = |x| tell(x, Some(By::Score), Some(false));
/// `run` of ZREVRANGEBYSCORE.
pub(super) const ZREVRANGEBYSCORE: ShardRun = |x| tell(x, Some(By::Score), Some(true));
/// `run` of ZRANGEBYLEX.
pub(super) const ZRANGEBYLEX: ShardRun = |x| tell(x, Some(By::Lex), Some(false));
/// `run` of ZREVRANGEBYLEX.
pub(super) const ZREVRANGEBYLEX: ShardRun = |x| tell(x, Some(By::Lex), Some(true));

impl Options {
    /// Reads the words from argument `first` on.
    fn parse(
        x: &Exec<'_>, first: usize, by: Option<By>, reverse: Option<bool>, stores: bool,
    ) -> Result<Options, CommandError> {
        let (mut by, mut reverse) = (by, reverse);
        let mut options = Options { by: By::Rank, reverse: false, with_scores: false, offset: 0, limit: -1 };
        let mut i = first;
        while i < x.argc() {
            if !stores && x.arg_is(i, "withscores") {
                options.with_scores = true;
            } else if x.arg_is(i, "limit") && i + 2 < x.argc() {
                (options.offset, options.limit) = (x.int(i + 1)?, x.int(i + 2)?);
                i += 2;
            } else if reverse.is_none() && x.arg_is(i, "rev") {
                reverse = Some(true);
            } else if by.is_none() && x.arg_is(i, "bylex") {
                by = Some(By::Lex);
            } else if by.is_none() && x.arg_is(i, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(SYNTAX);
            }
            i += 1;
        }
        options.by = by.unwrap_or(By::Rank);
        options.reverse = reverse.unwrap_or(false);
        match options.by {
            By::Rank if options.limit != -1 => Err(LIMIT_BY_RANK),
            By::Lex if options.with_scores => Err(SCORES_BY_LEX),
            _ => Ok(options),
        }
    }

    /// Reads the ends, which a reversed range by score or member names the other way round.
    fn ends<'a>(&self, x: &Exec<'a>, first: usize) -> Result<Ends<'a>, CommandError> {
        let (min, max) = if self.reverse { (first + 1, first) } else { (first, first + 1) };
        Ok(match self.by {
            By::Rank => Ends::Ranks(x.int(first)?, x.int(first + 1)?),
            By::Score => {
                let (min, max) = bounds::scores(x.arg(min), x.arg(max))?;
                Ends::Scores(min, max)
            }
            By::Lex => {
                let (min, max) = bounds::members(x.arg(min), x.arg(max))?;
                Ends::Members(min, max)
            }
        })
    }

    /// The elements of `set` that the call is about.
    fn window(&self, set: &ZSet, ends: &Ends<'_>) -> Window {
        let ranks = match ends {
            Ends::Ranks(start, stop) => {
                let ranks = bounds::ranks(*start, *stop, set.len());
                return Window::of(ranks, set.len(), self.reverse);
            }
            Ends::Scores(min, max) => set.ranks_by_score(*min, *max),
            Ends::Members(min, max) => set.ranks_by_lex(*min, *max),
        };
        Window::limited(ranks, self, set.is_small())
    }
}

/// Elements next to each other, and the direction they are told in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Window {
    /// The rank of the first to be told.
    start: usize,
    count: usize,
    reverse: bool,
}

impl Window {
    /// Ranks counted from the end that is told first.
    fn of(ranks: Range<usize>, len: usize, reverse: bool) -> Window {
        let start = if reverse && !ranks.is_empty() { len - 1 - ranks.start } else { ranks.start };
        Window { start, count: ranks.len(), reverse }
    }

    /// What offset and limit leave of a range.
    ///
    /// A negative offset leaves nothing of a small set. Of a large one it means a place counted from the other end of the
    /// range, from which the walk goes on to the near end as always: an accident of Valkey's that clients can see.
    fn limited(ranks: Range<usize>, options: &Options, is_small: bool) -> Window {
        let nothing = Window { start: 0, count: 0, reverse: options.reverse };
        let len = ranks.len();
        let skipped = match usize::try_from(options.offset) {
            Ok(offset) => offset,
            Err(_) if is_small || options.offset == i64::MIN => return nothing,
            Err(_) => match len.checked_sub(options.offset.unsigned_abs() as usize) {
                Some(skipped) => skipped,
                None => return nothing,
            },
        };
        if skipped >= len {
            return nothing;
        }
        let count = usize::try_from(options.limit).unwrap_or(usize::MAX).min(len - skipped);
        let start = if options.reverse { ranks.end - 1 - skipped } else { ranks.start + skipped };
        Window { start, count, reverse: options.reverse }
    }

    fn walk<'z>(&self, set: &'z ZSet, each: &mut dyn FnMut(&'z [u8], f64)) {
        let mut rest = self.count;
        if rest > 0 {
            set.walk(self.start, self.reverse, &mut |member, score| {
                each(member, score);
                rest -= 1;
                rest > 0
            });
        }
    }
}

fn tell(x: &mut Exec<'_>, by: Option<By>, reverse: Option<bool>) -> Result<(), CommandError> {
    let options = Options::parse(x, 4, by, reverse, false)?;
    let ends = options.ends(x, 2)?;
    let Some(set) = sorted_set(x.ks.read(x.db, x.argv.get(1)))? else {
        x.reply.array(0);
        return Ok(());
    };
    let window = options.window(set, &ends);
    let reply = &mut x.reply;
    begin(reply, window.count, options.with_scores);
    window.walk(set, &mut |member, score| element(reply, member, score, options.with_scores));
    Ok(())
}

/// `run` of ZRANGESTORE.
pub(super) fn zrangestore(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let options = Options::parse(x, 5, None, None, true)?;
    let ends = options.ends(x, 3)?;
    let caps = caps(x.env);
    let mut stored = ZSet::new(&caps, 0, 0);
    if let Some(set) = sorted_set(x.ks.read(x.db, x.argv.get(2)))? {
        let window = options.window(set, &ends);
        if options.by == By::Rank {
            stored = ZSet::new(&caps, window.count, 0);
        }
        window.walk(set, &mut |member, score| stored.insert(&caps, member, score));
    }
    store(x, x.argv.get(1), stored, event("zrangestore"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(offset: i64, limit: i64, reverse: bool, is_small: bool) -> Vec<usize> {
        let options = Options { by: By::Score, reverse, with_scores: false, offset, limit };
        let window = Window::limited(10..20, &options, is_small);
        let ranks = 0..window.count;
        ranks.map(|i| if reverse { window.start - i } else { window.start + i }).collect()
    }

    #[test]
    fn limits_cut_ranges_in_the_direction_they_are_told() {
        assert_eq!(window(2, 3, false, true), [12, 13, 14]);
        assert_eq!(window(2, 3, true, true), [17, 16, 15]);
        assert_eq!(window(8, -5, false, true), [18, 19]);
        assert_eq!(window(10, 1, false, true), []);
        assert_eq!(window(i64::MAX, i64::MAX, false, true), []);
        assert_eq!(window(0, 0, false, true), []);
        assert_eq!(window(0, i64::MAX, true, true).len(), 10);
    }

    #[test]
    fn negative_offsets_count_from_the_other_end_of_large_sets() {
        assert_eq!(window(-2, 5, false, true), []);
        assert_eq!(window(-2, 5, false, false), [18, 19]);
        assert_eq!(window(-2, 5, true, false), [11, 10]);
        assert_eq!(window(-11, 5, false, false), []);
        assert_eq!(window(i64::MIN, 5, false, false), []);
        assert_eq!(window(i64::MIN, 5, true, false), []);
    }
}
