//! PFDEBUG and PFSELFTEST: looking inside, and a test that the registers and the estimate are right.

use super::{CORRUPT, copied, store};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::Event;
use crate::error::{CommandError, shown};
use crate::exec::Exec;
use crate::reply::Reply;
use crate::stdx::prng::Prng;
use crate::types::hll;

/// PFDEBUG subcommand key
pub const PFDEBUG: Command = Command {
    arity: 3,
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Looks inside a HyperLogLog, for tests of it.",
    complexity: "N/A",
    flags: flag::WRITE | flag::DENYOOM | flag::ADMIN,
    acl: category::HYPERLOGLOG,
    keys: &[KeySpec::one(2, key::RW | key::ACCESS)],
    args: &[Arg::new("subcommand", ArgKind::String), Arg::key("key")],
    ..Command::new("pfdebug", pfdebug)
};

fn pfdebug(x: &mut Exec<'_>) -> Result<(), CommandError> {
    if x.arg_is(1, "simd") {
        return simd(x);
    }
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(2));
    let Some(mut bytes) = copied(&entry)? else {
        return Err(CommandError::Static("ERR The specified key does not exist"));
    };
    match x.argv.get(1).to_ascii_lowercase().as_slice() {
        b"getreg" => {
            if hll::to_dense(&mut bytes).map_err(|_| CORRUPT)? {
                store(&mut entry, bytes.clone(), Event::NONE, 1);
            }
            x.reply.array(hll::REGISTERS);
            (0..hll::REGISTERS).for_each(|index| x.reply.int(i64::from(hll::register(&bytes, index))));
        }
        b"decode" => decode(&mut x.reply, &bytes)?,
        b"encoding" => x.reply.simple(if hll::is_sparse(&bytes) { "sparse" } else { "dense" }),
        b"todense" => {
            let was_sparse = hll::to_dense(&mut bytes).map_err(|_| CORRUPT)?;
            if was_sparse {
                store(&mut entry, bytes, Event::NONE, 1);
            }
            x.reply.int(i64::from(was_sparse));
        }
        _ => {
            let name = shown(x.argv.get(1), usize::MAX);
            return Err(CommandError::owned(format!("ERR Unknown PFDEBUG subcommand '{name}'")));
        }
    }
    Ok(())
}

/// There is one way to run, chosen when the server was compiled: nothing to switch, as in a Valkey built without SIMD.
fn simd(x: &mut Exec<'_>) -> Result<(), CommandError> {
    if !x.arg_is(2, "on") && !x.arg_is(2, "off") {
        return Err(CommandError::Static("ERR Argument must be ON or OFF"));
    }
    x.reply.simple("disabled");
    Ok(())
}

fn decode(reply: &mut Reply<'_>, bytes: &[u8]) -> Result<(), CommandError> {
    if !hll::is_sparse(bytes) {
        return Err(CommandError::Static("ERR HLL encoding is not sparse"));
    }
    let runs = hll::runs(bytes).map(|run| match run.value {
        0 if run.bytes == 2 => format!("Z:{}", run.count),
        0 => format!("z:{}", run.count),
        value => format!("v:{value},{}", run.count),
    });
    reply.bulk(runs.collect::<Vec<_>>().join(" ").as_bytes());
    Ok(())
}

/// PFSELFTEST
pub const PFSELFTEST: Command = Command {
    arity: 1,
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Tests the HyperLogLog code.",
    complexity: "N/A",
    flags: flag::ADMIN,
    acl: category::HYPERLOGLOG,
    ..Command::new("pfselftest", pfselftest)
};

fn pfselftest(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let sparse_bytes_max = x.env.limits.hll_sparse_bytes_max;
    match registers_hold(&mut x.env.rng).and_then(|()| estimates_are_near(&mut x.env.rng, sparse_bytes_max)) {
        Ok(()) => x.reply.ok(),
        Err(what) => return Err(CommandError::owned(format!("ERR TESTFAILED {what}"))),
    }
    Ok(())
}

/// Registers hold what is written and leave their neighbours alone.
fn registers_hold(rng: &mut Prng) -> Result<(), String> {
    let mut bytes = hll::empty();
    hll::to_dense(&mut bytes).map_err(|_| "an empty one is corrupt")?;
    let mut values = [0u8; hll::REGISTERS];
    for _ in 0..hll::REGISTERS * 4 {
        let index = rng.below(hll::REGISTERS as u64) as usize;
        let value = rng.below(64) as u8;
        hll::raise_dense(&mut bytes, index, value);
        values[index] = values[index].max(value);
    }
    match (0..hll::REGISTERS).find(|i| hll::register(&bytes, *i) != values[*i]) {
        None => Ok(()),
        Some(i) => Err(format!("Register {i} should be {} but is {}", values[i], hll::register(&bytes, i))),
    }
}

/// At each power of ten the estimate is within six standard errors, and both forms agree.
fn estimates_are_near(rng: &mut Prng, sparse_bytes_max: usize) -> Result<(), String> {
    const ELEMENTS: u64 = 1_000_000;
    let corrupt = |_| "a value became corrupt".to_string();
    let seed = rng.next_u64();
    let (mut dense, mut other, mut checkpoint) = (hll::empty(), hll::empty(), 1);
    hll::to_dense(&mut dense).map_err(corrupt)?;
    for n in 1..=ELEMENTS {
        let element = (n ^ seed).to_ne_bytes();
        hll::add(&mut dense, &element, 0).map_err(corrupt)?;
        hll::add(&mut other, &element, sparse_bytes_max).map_err(corrupt)?;
        if n != checkpoint {
            continue;
        }
        let estimate = hll::count(&dense).map_err(corrupt)?;
        if hll::count(&other).map_err(corrupt)? != estimate {
            return Err("dense/sparse disagree".into());
        }
        let error_max = (1.04 / 128.0 * 6.0 * n as f64).ceil().max(1.0) as u64;
        if estimate.abs_diff(n) > error_max {
            return Err(format!("Too big error. card:{n} abserr:{}", estimate.abs_diff(n)));
        }
        checkpoint *= 10;
    }
    Ok(())
}
