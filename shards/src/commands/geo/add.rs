//! GEOADD: a ZADD whose scores are places.
//!
//! It is propagated as that ZADD, as by Valkey, so who follows needs no arithmetic to get the same scores.

use super::words::{COORDINATES, place};
use crate::args::{Args, Span};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::commands::sorted_set::add;
use crate::error::{CommandError, SYNTAX};
use crate::exec::Exec;
use crate::stdx::number::write_u64;
use crate::types::geo;

/// GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]
pub const GEOADD: Command = Command {
    arity: -5,
    group: Group::Geo,
    since: "3.2.0",
    summary: "Puts members into a sorted set with their places as scores; makes the set if there is none.",
    complexity: "O(log(N)) per member, with N members in the set.",
    history: &[("6.2.0", "Takes `CH`, `NX` and `XX`.")],
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::GEO,
    keys: &[KeySpec::one(1, key::RW | key::UPDATE)],
    args: &[
        Arg::key("key"),
        Arg::one_of("condition", &[Arg::token("nx", "NX"), Arg::token("xx", "XX")]).opt().since("6.2.0"),
        Arg::token("change", "CH").opt().since("6.2.0"),
        Arg::block("data", &[COORDINATES[0], COORDINATES[1], Arg::new("member", ArgKind::String)]).many(),
    ],
    ..Command::new("geoadd", geoadd)
};

fn geoadd(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let argv = x.argv;
    let (bytes, spans) = as_zadd(argv)?;
    let zadd = Args::new(&bytes, &spans);
    let dirty = x.ks.effects.dirty();
    add::add(x, zadd, false)?;
    if x.ks.effects.dirty() != dirty {
        let words: Vec<&[u8]> = zadd.iter().collect();
        x.propagate_as(&words);
    }
    Ok(())
}

/// The call with ZADD as its name and scores for coordinates.
fn as_zadd(argv: Args<'_>) -> Result<(Vec<u8>, Vec<Span>), CommandError> {
    let is_option = |word: &&[u8]| [&b"nx"[..], b"xx", b"ch"].iter().any(|option| word.eq_ignore_ascii_case(option));
    let first = 2 + argv.from(2).iter().take_while(is_option).count();
    let has = |option: &[u8]| argv.iter().take(first).skip(2).any(|word| word.eq_ignore_ascii_case(option));
    if !(argv.len() - first).is_multiple_of(3) || (has(b"nx") && has(b"xx")) {
        return Err(SYNTAX);
    }
    let (mut bytes, mut spans) = (Vec::with_capacity(argv.buffer().len()), Vec::with_capacity(argv.len()));
    let mut push = |write: &dyn Fn(&mut Vec<u8>)| {
        let start = bytes.len();
        write(&mut bytes);
        spans.push(Span::new(start, bytes.len() - start));
    };
    push(&|out| out.extend_from_slice(b"ZADD"));
    argv.iter().take(first).skip(1).for_each(|word| push(&|out| out.extend_from_slice(word)));
    for at in (first..argv.len()).step_by(3) {
        let score = geo::encode(place(argv, at)?);
        push(&|out| write_u64(out, score));
        push(&|out| out.extend_from_slice(argv.get(at + 2)));
    }
    Ok((bytes, spans))
}
