//! `bit`: operations on 32-bit integers.

use super::error::fail_at;
use super::random::number_arg;
use mlua::{Lua, MultiValue, Result, Table};

/// The table `bit`.
pub fn library(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    unary(lua, &table, "tobit", |b| b)?;
    unary(lua, &table, "bnot", |b| !b)?;
    unary(lua, &table, "bswap", u32::swap_bytes)?;
    fold(lua, &table, "band", |a, b| a & b)?;
    fold(lua, &table, "bor", |a, b| a | b)?;
    fold(lua, &table, "bxor", |a, b| a ^ b)?;
    shift(lua, &table, "lshift", |b, n| b << n)?;
    shift(lua, &table, "rshift", |b, n| b >> n)?;
    shift(lua, &table, "arshift", |b, n| ((b as i32) >> n) as u32)?;
    shift(lua, &table, "rol", u32::rotate_left)?;
    shift(lua, &table, "ror", u32::rotate_right)?;
    table.raw_set("tohex", lua.create_function(to_hex)?)?;
    Ok(table)
}

/// An argument as 32 bits: rounded to an integer, wrapped.
fn bits(lua: &Lua, args: &MultiValue, at: usize, function: &str) -> Result<u32> {
    let n = number_arg(lua, args, at, function)?;
    // Adding 2^52 + 2^51 leaves the rounded integer in the low bits.
    Ok((n + 6_755_399_441_055_744.0).to_bits() as u32)
}

fn signed(b: u32) -> f64 {
    f64::from(b as i32)
}

fn unary(lua: &Lua, table: &Table, name: &'static str, op: fn(u32) -> u32) -> Result<()> {
    let function =
        lua.create_function(move |lua, args: MultiValue| Ok(signed(op(bits(lua, &args, 0, name)?))))?;
    table.raw_set(name, function)
}

fn fold(lua: &Lua, table: &Table, name: &'static str, op: fn(u32, u32) -> u32) -> Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let mut result = bits(lua, &args, 0, name)?;
        for at in 1..args.len() {
            result = op(result, bits(lua, &args, at, name)?);
        }
        Ok(signed(result))
    })?;
    table.raw_set(name, function)
}

fn shift(lua: &Lua, table: &Table, name: &'static str, op: fn(u32, u32) -> u32) -> Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let (b, n) = (bits(lua, &args, 0, name)?, bits(lua, &args, 1, name)? & 31);
        Ok(signed(op(b, n)))
    })?;
    table.raw_set(name, function)
}

/// `tohex(x [, digits])`; negative: upper case.
fn to_hex(lua: &Lua, args: MultiValue) -> Result<String> {
    let b = bits(lua, &args, 0, "tohex")?;
    let digits = if args.len() < 2 { 8 } else { bits(lua, &args, 1, "tohex")? as i32 };
    let len = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 { format!("{b:08X}") } else { format!("{b:08x}") };
    text.get(8 - len..).map(str::to_owned).ok_or_else(|| fail_at(lua, "bad number of digits"))
}
