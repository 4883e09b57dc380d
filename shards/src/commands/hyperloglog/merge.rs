//! PFMERGE.

use super::{ADDED, CORRUPT, copied, read, store};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::types::hll;

/// PFMERGE destkey [sourcekey ...]
pub const PFMERGE: Command = Command {
    arity: -2,
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Makes a HyperLogLog one that has also seen what others have seen.",
    complexity: "O(N) for N keys.",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::HYPERLOGLOG,
    keys: &[
        KeySpec::one(1, key::RW | key::ACCESS | key::INSERT),
        KeySpec::range(2, -1, 1, key::RO | key::ACCESS),
    ],
    args: &[
        Arg::key("destkey"),
        Arg { key_spec: 1, ..Arg::new("sourcekey", ArgKind::Key) }.many().opt(),
    ],
    ..Command::new("pfmerge", pfmerge)
};

fn pfmerge(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let mut registers = Box::new([0; hll::REGISTERS]);
    let mut dense = false;
    for i in 1..x.argc() {
        let merged = read(x, i, |bytes| {
            dense |= !hll::is_sparse(bytes);
            hll::merge(&mut registers, bytes)
        })?;
        merged.transpose().map_err(|_| CORRUPT)?;
    }
    let sparse_bytes_max = x.env.limits.hll_sparse_bytes_max;
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let mut bytes = copied(&entry)?.unwrap_or_else(hll::empty);
    hll::write(&mut bytes, &registers, dense, sparse_bytes_max).map_err(|_| CORRUPT)?;
    store(&mut entry, bytes, ADDED, 1);
    x.reply.ok();
    Ok(())
}
