//! PFADD and PFCOUNT.
//!
//! PFCOUNT of one key keeps the count it found inside the value, as Valkey does: a change of the value that is propagated
//! although the command reads, but no event.

use super::{ADDED, CORRUPT, copied, read, store};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::Event;
use crate::error::CommandError;
use crate::exec::Exec;
use crate::types::{Object, hll};

/// PFADD key [element ...]
pub const PFADD: Command = Command {
    arity: -2,
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Adds elements to a HyperLogLog, creating it if it is missing.",
    complexity: "O(1) for each element.",
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::HYPERLOGLOG,
    keys: &[KeySpec::one(1, key::RW | key::INSERT)],
    args: &[Arg::key("key"), Arg::new("element", ArgKind::String).many().opt()],
    ..Command::new("pfadd", pfadd)
};

fn pfadd(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (elements, sparse_bytes_max) = (x.argv.from(2), x.env.limits.hll_sparse_bytes_max);
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let dense = read_form(&entry)?;
    let changes = if dense {
        entry.edit_counted(ADDED, |object| {
            let Object::String(bytes) = object else { unreachable!("its type was checked") };
            let raised = elements.iter().filter(|e| hll::add(bytes, e, 0).expect("a dense one is sound")).count();
            if raised > 0 {
                hll::invalidate(bytes);
            }
            raised
        })
    } else {
        let old = copied(&entry)?;
        let mut changes = usize::from(old.is_none());
        let mut bytes = old.unwrap_or_else(hll::empty);
        for element in elements.iter() {
            changes += usize::from(hll::add(&mut bytes, element, sparse_bytes_max).map_err(|_| CORRUPT)?);
        }
        if changes > 0 {
            hll::invalidate(&mut bytes);
            store(&mut entry, bytes, ADDED, changes);
        }
        changes
    };
    x.reply.int(i64::from(changes > 0));
    Ok(())
}

/// Whether the key holds a dense HyperLogLog; those are too long for a leaf.
fn read_form(entry: &crate::keyspace::EntryMut<'_>) -> Result<bool, CommandError> {
    let mut digits = Default::default();
    let form = entry.value().map(|value| super::as_hll(value, &mut digits).map(|bytes| !hll::is_sparse(bytes)));
    Ok(form.transpose()?.unwrap_or(false))
}

/// PFCOUNT key [key ...]
pub const PFCOUNT: Command = Command {
    arity: -2,
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Estimates how many different elements HyperLogLogs have seen together.",
    complexity: "O(1) for one key, whose count is kept; O(N) for N keys.",
    flags: flag::READONLY | flag::MAY_REPLICATE,
    acl: category::HYPERLOGLOG,
    keys: &[KeySpec {
        notes: "RW because it may change the internal representation of the key, and propagate to replicas",
        ..KeySpec::range(1, -1, 1, key::RW | key::ACCESS)
    }],
    args: &[Arg::key("key").many()],
    ..Command::new("pfcount", pfcount)
};

fn pfcount(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let count = if x.argc() == 2 { count_one(x)? } else { count_together(x)? };
    x.reply.int(count as i64);
    Ok(())
}

fn count_together(x: &mut Exec<'_>) -> Result<u64, CommandError> {
    let mut registers = Box::new([0; hll::REGISTERS]);
    for i in 1..x.argc() {
        read(x, i, |bytes| hll::merge(&mut registers, bytes))?.transpose().map_err(|_| CORRUPT)?;
    }
    Ok(hll::count_registers(&registers))
}

fn count_one(x: &mut Exec<'_>) -> Result<u64, CommandError> {
    let Some((cached, counted)) = read(x, 1, |bytes| {
        let cached = hll::cached(bytes);
        (cached, if cached.is_none() { hll::count(bytes) } else { Ok(0) })
    })?
    else {
        return Ok(0);
    };
    if let Some(count) = cached {
        return Ok(count);
    }
    let count = counted.map_err(|_| CORRUPT)?;
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    if let Some(mut bytes) = copied(&entry)? {
        hll::set_cached(&mut bytes, count);
        store(&mut entry, bytes, Event::NONE, 1);
    }
    Ok(count)
}
