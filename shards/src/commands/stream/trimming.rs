//! The words of XADD and XTRIM that say what is to go.
//!
//! A trim that stops where it likes (`~`, LIMIT) is propagated as an exact one that leaves what was left: `=` and the
//! resulting length or first id. LIMIT is left out then, for it goes with `~` only.

use super::ids;
use crate::command::{Arg, ArgKind};
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;
use crate::stdx::number::write_u64;
use crate::types::stream::{Log, StreamId, Trim, Until};

/// Most entries an approximate trim takes if LIMIT does not say, whatever a node may hold.
const LIMIT_MAX: u64 = 1_000_000;
/// The same where a node may hold anything.
const LIMIT_UNBOUND: u64 = 10_000;

/// The grammar of trimming.
pub(super) const TRIM_PARTS: &[Arg] = &[
    Arg::one_of("strategy", &[Arg::token("maxlen", "MAXLEN"), Arg::token("minid", "MINID").since("6.2.0")]),
    Arg::one_of("operator", &[Arg::token("equal", "="), Arg::token("approximately", "~")]).opt(),
    Arg::new("threshold", ArgKind::String),
    Arg::new("count", ArgKind::Integer).after("LIMIT").opt().since("6.2.0"),
];

/// What was said.
#[derive(Default)]
pub(super) struct Words {
    /// NOMKSTREAM.
    pub no_create: bool,
    /// The trim, and at which argument its threshold stands.
    pub trim: Option<(Trim, usize)>,
    /// Arguments of LIMIT, to be left out of what is propagated.
    limit_at: Vec<usize>,
    limit: Option<u64>,
}

impl Words {
    /// Reads the words from the second argument on, up to the id if `adding`; where they end.
    pub(super) fn parse(x: &Exec<'_>, adding: bool) -> Result<(Words, usize), CommandError> {
        let mut words = Words::default();
        let mut i = 2;
        while i < x.argc() {
            let more = x.argc() - 1 - i;
            if adding && x.arg(i) == b"*" {
                break;
            } else if more > 0 && (x.arg_is(i, "maxlen") || x.arg_is(i, "minid")) {
                i = words.threshold(x, i)?;
            } else if more > 0 && x.arg_is(i, "limit") {
                let limit = u64::try_from(x.int(i + 1)?);
                words.limit = Some(limit.map_err(|_| CommandError::Static("ERR The LIMIT argument must be >= 0."))?);
                words.limit_at.extend([i, i + 1]);
                i += 1;
            } else if adding && x.arg_is(i, "nomkstream") {
                words.no_create = true;
            } else if adding {
                ids::wanted(x.arg(i))?;
                break;
            } else {
                return Err(SYNTAX);
            }
            i += 1;
        }
        words.settle(x, adding)?;
        Ok((words, i))
    }

    fn threshold(&mut self, x: &Exec<'_>, at: usize) -> Result<usize, CommandError> {
        if self.trim.is_some() {
            return Err(CommandError::Static(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let operator = x.argc() - 1 - at >= 2 && matches!(x.arg(at + 1), b"~" | b"=");
        let value_at = at + 1 + usize::from(operator);
        let until = if x.arg_is(at, "maxlen") {
            let max = u64::try_from(x.int(value_at)?);
            Until::Length(max.map_err(|_| CommandError::Static("ERR The MAXLEN argument must be >= 0."))?)
        } else {
            Until::Id(ids::strict(x.arg(value_at), 0)?)
        };
        let approximate = operator && x.arg(at + 1) == b"~";
        self.trim = Some((Trim { until, approximate, limit: 0 }, value_at));
        Ok(value_at)
    }

    /// Checks that the words fit together, and how many entries may go.
    fn settle(&mut self, x: &Exec<'_>, adding: bool) -> Result<(), CommandError> {
        let Some((trim, _)) = &mut self.trim else {
            return match self.limit {
                Some(1..) => Err(CommandError::Static(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
                )),
                _ if !adding => {
                    Err(CommandError::Static("ERR syntax error, XTRIM must be called with a trimming strategy"))
                }
                // `LIMIT 0` alone is no trim, but words that do not fit all the same.
                Some(0) => Err(LIMIT_NEEDS_TILDE),
                None => Ok(()),
            };
        };
        trim.limit = match self.limit {
            Some(_) if !trim.approximate => return Err(LIMIT_NEEDS_TILDE),
            Some(limit) => limit,
            None if !trim.approximate => 0,
            None => match x.env.limits.stream_node.entries_max.saturating_mul(100) {
                0 => LIMIT_UNBOUND,
                entries => entries.min(LIMIT_MAX),
            },
        };
        Ok(())
    }

    /// The arguments of a call that does what this one did: the trim exact, `id` at `id_at` if there is one.
    pub(super) fn exact<'a>(&self, x: &Exec<'a>, left: &'a [u8], id: Option<(usize, &'a [u8])>) -> Vec<&'a [u8]> {
        let approximate = self.trim.filter(|(trim, _)| trim.approximate).map(|(_, at)| at);
        let keep = |at: &usize| approximate.is_none() || !self.limit_at.contains(at);
        (0..x.argc())
            .filter(keep)
            .map(|at| match id {
                Some((id_at, id)) if id_at == at => id,
                _ if approximate == Some(at) => left,
                _ if approximate == Some(at + 1) => b"=",
                _ => x.arg(at),
            })
            .collect()
    }
}

const LIMIT_NEEDS_TILDE: CommandError =
    CommandError::Static("ERR syntax error, LIMIT cannot be used without the special ~ option");

/// The threshold of an exact trim that leaves what is there.
pub(super) fn threshold_now(log: &Log, until: Until) -> Vec<u8> {
    let mut text = Vec::new();
    match until {
        Until::Length(_) => write_u64(&mut text, log.len()),
        Until::Id(_) => log.first_kept().unwrap_or(StreamId::MAX).write(&mut text),
    }
    text
}
