//! `math.random`: the same numbers on every machine, as scripts that replicate by their text once needed.
//!
//! The generator is the 48-bit linear congruential one of POSIX `lrand48`, with its starting state.

use super::error::{ScriptError, fail_at};
use mlua::{Lua, MultiValue, Result, Value};
use std::cell::Cell;

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
/// The state before anybody seeds: 1234ABCD330E.
const START: u64 = 0x1234_ABCD_330E;
const MAX: f64 = i32::MAX as f64;

/// Replaces `random` and `randomseed` in the table `math`.
pub fn install(lua: &Lua, math: &mlua::Table) -> Result<()> {
    let state = std::rc::Rc::new(Cell::new(START));
    let seeded = std::rc::Rc::clone(&state);
    math.raw_set("random", lua.create_function(move |lua, args: MultiValue| random(lua, &state, &args))?)?;
    math.raw_set(
        "randomseed",
        lua.create_function(move |lua, args: MultiValue| {
            let seed = int_arg(lua, &args, 0, "randomseed")? as u32;
            seeded.set(u64::from(seed) << 16 | 0x330E);
            Ok(())
        })?,
    )
}

fn next(state: &Cell<u64>) -> u64 {
    state.set(state.get().wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK);
    state.get() >> 17
}

fn random(lua: &Lua, state: &Cell<u64>, args: &MultiValue) -> Result<f64> {
    let r = (next(state) % i32::MAX as u64) as f64 / MAX;
    match args.len() {
        0 => Ok(r),
        1 => {
            let upper = int_arg(lua, args, 0, "random")?;
            interval(lua, 1 <= upper, 1)?;
            Ok((r * f64::from(upper)).floor() + 1.0)
        }
        2 => {
            let (lower, upper) = (int_arg(lua, args, 0, "random")?, int_arg(lua, args, 1, "random")?);
            interval(lua, lower <= upper, 2)?;
            Ok((r * (f64::from(upper) - f64::from(lower) + 1.0)).floor() + f64::from(lower))
        }
        _ => Err(fail_at(lua, "wrong number of arguments")),
    }
}

fn interval(lua: &Lua, holds: bool, arg: usize) -> Result<()> {
    if holds { Ok(()) } else { Err(fail_at(lua, &format!("bad argument #{arg} to 'random' (interval is empty)"))) }
}

/// An argument as Lua's C libraries take integers: any number or text of one, cut to 32 bits.
pub fn int_arg(lua: &Lua, args: &MultiValue, at: usize, function: &str) -> Result<i32> {
    Ok(number_arg(lua, args, at, function)? as i64 as i32)
}

/// An argument as a number.
pub fn number_arg(lua: &Lua, args: &MultiValue, at: usize, function: &str) -> Result<f64> {
    let value = args.get(at).unwrap_or(&Value::Nil);
    if let Ok(Some(n)) = lua.coerce_number(value.clone()) {
        return Ok(n);
    }
    let got = if at < args.len() { value.type_name() } else { "no value" };
    Err(fail_at(lua, &format!("bad argument #{} to '{function}' (number expected, got {got})", at + 1)))
}

/// An argument as a string (numbers are strings too).
pub fn string_arg(lua: &Lua, args: &MultiValue, at: usize, function: &str) -> Result<mlua::LuaString> {
    let value = args.get(at).unwrap_or(&Value::Nil);
    if let Ok(Some(s)) = lua.coerce_string(value.clone()) {
        return Ok(s);
    }
    let got = if at < args.len() { value.type_name() } else { "no value" };
    Err(fail_at(lua, &format!("bad argument #{} to '{function}' (string expected, got {got})", at + 1)))
}

const _: () = assert!(size_of::<ScriptError>() > 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_lrand48() {
        let state = Cell::new(0x330E);
        assert_eq!([next(&state), next(&state), next(&state)], [366_850_414, 1_610_402_240, 206_956_554]);
    }
}
