//! BZPOPMIN, BZPOPMAX, BZMPOP: as their namesakes, but where there is no member they wait for one.
//!
//! A call that waits is run again when one of its keys has changed; it then looks at its keys in the order the client
//! named them, as at first.

use super::pop::{End, Form, multi_pop, pop, pop_from};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::commands::timeout::deadline_ms;
use crate::error::CommandError;
use crate::exec::Exec;

const KEY: u32 = key::RW | key::ACCESS | key::DELETE;
const TIMEOUT: Arg = Arg::new("timeout", ArgKind::Double);

/// BZPOPMIN key [key ...] timeout
pub const BZPOPMIN: Command = Command {
    arity: -3,
    group: Group::SortedSet,
    since: "5.0.0",
    summary: "Removes and tells the member with the lowest score of the first of several sorted sets that is there, or waits.",
    complexity: "O(log(N)) with N elements in the set.",
    history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
    flags: flag::WRITE | flag::FAST | flag::BLOCKING,
    acl: category::SORTEDSET,
    keys: &[KeySpec::range(1, -2, 1, KEY)],
    args: &[Arg::key("key").many(), TIMEOUT],
    ..Command::new("bzpopmin", |x| bzpop(x, End::Min))
};

/// BZPOPMAX key [key ...] timeout
pub const BZPOPMAX: Command = Command {
    name: "bzpopmax",
    summary: "Removes and tells the member with the highest score of the first of several sorted sets that is there, or waits.",
    run: |x| bzpop(x, End::Max),
    ..BZPOPMIN
};

/// BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count]
pub const BZMPOP: Command = Command {
    arity: -5,
    group: Group::SortedSet,
    since: "7.0.0",
    summary: "Removes and tells members at an end of the first of several sorted sets that is there, or waits for one.",
    complexity: "O(K) + O(M*log(N)) with K keys, N elements in the set and M of them popped.",
    flags: flag::WRITE | flag::BLOCKING | flag::MOVABLE_KEYS,
    acl: category::SORTEDSET,
    keys: &[KeySpec::counted(2, KEY)],
    args: &[
        TIMEOUT,
        Arg::new("numkeys", ArgKind::Integer),
        Arg::key("key").many(),
        Arg::one_of("where", &[Arg::token("min", "MIN"), Arg::token("max", "MAX")]),
        Arg::new("count", ArgKind::Integer).after("COUNT").opt(),
    ],
    ..Command::new("bzmpop", bzmpop)
};

fn bzpop(x: &mut Exec<'_>, end: End) -> Result<(), CommandError> {
    let last = x.argc() - 1;
    let deadline_ms = deadline_ms(x, last)?;
    for i in 1..last {
        if pop(x, i, end, 1, Form::FlatWithKey)?.is_some() {
            let key = x.arg(i);
            x.propagate_as(&[end.pop_name(), key]);
            return Ok(());
        }
    }
    x.wait_for(1..last, deadline_ms);
    Ok(())
}

fn bzmpop(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let words = multi_pop(x, 2)?;
    let deadline_ms = deadline_ms(x, 1)?;
    for i in words.keys.clone() {
        if pop_from(x, i, &words)? {
            return Ok(());
        }
    }
    x.wait_for(words.keys, deadline_ms);
    Ok(())
}
