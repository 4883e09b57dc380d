//! SWAPDB: two databases change places, clients stay.

use crate::args::Args;
use crate::command::{Arg, ArgKind, Command, DbArg, Group, Merge, Spread, category, flag};
use crate::error::CommandError;
use crate::exec::Exec;

/// SWAPDB index1 index2
pub const SWAPDB: Command = Command {
    arity: 3,
    group: Group::Server,
    since: "4.0.0",
    summary: "Swaps two databases.",
    complexity: "O(N) with N clients that watch or wait for keys of either.",
    flags: flag::WRITE | flag::FAST,
    acl: category::KEYSPACE | category::DANGEROUS,
    spread: Spread::Everywhere(Merge::Same),
    find_dbs: Some(swap_dbs),
    args: &[Arg::new("index1", ArgKind::Integer), Arg::new("index2", ArgKind::Integer)],
    ..Command::new("swapdb", swapdb)
};

fn swapdb(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let number = |i: usize, error| x.int(i).ok().and_then(|n| i32::try_from(n).ok()).ok_or(error);
    let one = number(1, CommandError::Static("ERR invalid first DB index"))?;
    let two = number(2, CommandError::Static("ERR invalid second DB index"))?;
    let (one, two) = (x.database_numbered(one)?, x.database_numbered(two)?);
    if one != two {
        x.ks.swap(one, two);
    }
    // A swap with itself changes nothing and is told on all the same.
    x.propagate_verbatim();
    x.reply.ok();
    Ok(())
}

fn swap_dbs(_: Args<'_>, found: &mut Vec<DbArg>) {
    found.extend([DbArg { at: 1, key: None }, DbArg { at: 2, key: None }]);
}
