//! `cmsgpack`: Lua values as MessagePack and back.
//!
//! Integers take the shortest form, doubles the single one if nothing is lost. A table whose keys are exactly 1..n is an
//! array, any other a map. Tables nested deeper than 16 become nil, which also ends those that hold themselves.

use super::error::fail_at;
use super::random::{number_arg, string_arg};
use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

/// Levels of nested tables that are packed.
const NESTING_MAX: usize = 16;
/// Levels of nested input that are unpacked: what Lua's stack allows there.
const DEPTH_MAX: usize = 2000;

/// The table `cmsgpack`.
pub fn library(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(|lua, args| pack(lua, &args))?)?;
    table.raw_set("unpack", lua.create_function(|lua, args| unpack(lua, &args, 0, 0))?)?;
    table.raw_set(
        "unpack_one",
        lua.create_function(|lua, args| {
            let offset = optional(lua, &args, 1, "unpack_one")?;
            unpack(lua, &args, 1, offset)
        })?,
    )?;
    table.raw_set(
        "unpack_limit",
        lua.create_function(|lua, args| {
            let limit = number_arg(lua, &args, 1, "unpack_limit")? as i64;
            let offset = optional(lua, &args, 2, "unpack_limit")?;
            unpack(lua, &args, limit, offset)
        })?,
    )?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Redis Ltd.")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

fn optional(lua: &Lua, args: &MultiValue, at: usize, function: &str) -> Result<i64> {
    match args.get(at) {
        None | Some(Value::Nil) => Ok(0),
        Some(_) => Ok(number_arg(lua, args, at, function)? as i64),
    }
}

fn pack(lua: &Lua, args: &MultiValue) -> Result<LuaString> {
    if args.is_empty() {
        return Err(fail_at(lua, "bad argument #0 to 'pack' (MessagePack pack needs input.)"));
    }
    let mut out = Vec::new();
    for arg in args {
        put(&mut out, arg, 0)?;
    }
    lua.create_string(out)
}

fn put(out: &mut Vec<u8>, value: &Value, level: usize) -> Result<()> {
    match value {
        Value::String(s) => put_bytes(out, &s.as_bytes()),
        Value::Boolean(b) => out.push(if *b { 0xc3 } else { 0xc2 }),
        Value::Integer(n) => put_int(out, *n),
        Value::Number(n) => put_number(out, *n),
        Value::Table(table) if level < NESTING_MAX => put_table(out, table, level)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

fn put_sized(out: &mut Vec<u8>, len: usize, forms: [(u8, usize); 4]) {
    // Each form: its first byte and the largest length it holds; the first keeps the length in that byte.
    let [(fix, fix_max), (one, one_max), (two, two_max), (four, _)] = forms;
    if len <= fix_max {
        out.push(fix | len as u8);
    } else if len <= one_max {
        out.extend_from_slice(&[one, len as u8]);
    } else if len <= two_max {
        out.push(two);
        out.extend_from_slice(&(len as u16).to_be_bytes());
    } else {
        out.push(four);
        out.extend_from_slice(&(len as u32).to_be_bytes());
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_sized(out, bytes.len(), [(0xa0, 31), (0xd9, 0xff), (0xda, 0xffff), (0xdb, usize::MAX)]);
    out.extend_from_slice(bytes);
}

fn put_int(out: &mut Vec<u8>, n: i64) {
    match n {
        -32..=127 => out.push(n as u8),
        128..=0xff => out.extend_from_slice(&[0xcc, n as u8]),
        0x100..=0xffff => put_wide(out, 0xcd, &(n as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => put_wide(out, 0xce, &(n as u32).to_be_bytes()),
        0x1_0000_0000.. => put_wide(out, 0xcf, &n.to_be_bytes()),
        -128..=-33 => out.extend_from_slice(&[0xd0, n as u8]),
        -32768..=-129 => put_wide(out, 0xd1, &(n as i16).to_be_bytes()),
        -0x8000_0000..=-32769 => put_wide(out, 0xd2, &(n as i32).to_be_bytes()),
        _ => put_wide(out, 0xd3, &n.to_be_bytes()),
    }
}

fn put_wide(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend_from_slice(bytes);
}

fn put_number(out: &mut Vec<u8>, n: f64) {
    let fits = n > -9.3e18 && n < 9.2e18;
    if fits && n.fract() == 0.0 {
        put_int(out, n as i64);
    } else if f64::from(n as f32) == n {
        put_wide(out, 0xca, &(n as f32).to_be_bytes());
    } else {
        put_wide(out, 0xcb, &n.to_be_bytes());
    }
}

fn put_table(out: &mut Vec<u8>, table: &Table, level: usize) -> Result<()> {
    let (mut count, mut max, mut is_array) = (0usize, 0f64, true);
    table.for_each(|key: Value, _: Value| {
        count += 1;
        match key.as_number() {
            Some(n) if n > 0.0 && n.fract() == 0.0 && n <= f64::from(i32::MAX) && !key.is_string() => max = max.max(n),
            _ => is_array = false,
        }
        Ok(())
    })?;
    if is_array && max == count as f64 {
        put_sized(out, count, [(0x90, 15), (0, 0), (0xdc, 0xffff), (0xdd, usize::MAX)]);
        for i in 1..=count {
            put(out, &table.get::<Value>(i)?, level + 1)?;
        }
        return Ok(());
    }
    put_sized(out, count, [(0x80, 15), (0, 0), (0xde, 0xffff), (0xdf, usize::MAX)]);
    table.for_each(|key: Value, value: Value| {
        put(out, &key, level + 1)?;
        put(out, &value, level + 1)
    })
}

fn unpack(lua: &Lua, args: &MultiValue, limit: i64, offset: i64) -> Result<MultiValue> {
    let function = if limit == 0 && offset == 0 { "unpack" } else { "unpack_one" };
    let text = string_arg(lua, args, 0, function)?;
    let text = text.as_bytes();
    let len = text.len();
    if offset < 0 || limit < 0 {
        let why = format!("Invalid request to unpack with offset of {} and limit of {}.", offset as i32, len as i32);
        return Err(fail_at(lua, &why));
    }
    if offset as u64 > len as u64 {
        let why = format!("Start offset {} greater than input length {}.", offset as i32, len as i32);
        return Err(fail_at(lua, &why));
    }
    let all = limit == 0 && offset == 0;
    let most = if all { usize::MAX } else { limit as usize };
    let mut cursor = Cursor { lua, rest: &text[offset as usize..] };
    let mut found = Vec::new();
    while !cursor.rest.is_empty() && found.len() < most {
        found.push(cursor.value(0)?);
    }
    if !all {
        let next = if cursor.rest.is_empty() { -1.0 } else { (len - cursor.rest.len()) as f64 };
        found.insert(0, Value::Number(next));
    }
    Ok(MultiValue::from_iter(found))
}

struct Cursor<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((part, rest)) = self.rest.split_at_checked(len) else {
            return Err(fail_at(self.lua, "Missing bytes in input."));
        };
        self.rest = rest;
        Ok(part)
    }

    fn uint(&mut self, len: usize) -> Result<u64> {
        Ok(self.take(len)?.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > DEPTH_MAX {
            return Err(fail_at(self.lua, "Bad data format in input."));
        }
        let kind = self.take(1)?[0];
        Ok(match kind {
            0x00..=0x7f => Value::Number(f64::from(kind)),
            0xe0..=0xff => Value::Number(f64::from(kind as i8)),
            0x80..=0x8f => self.map(usize::from(kind & 15), depth)?,
            0x90..=0x9f => self.array(usize::from(kind & 15), depth)?,
            0xa0..=0xbf => self.bytes(usize::from(kind & 31))?,
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xca => Value::Number(f64::from(f32::from_bits(self.uint(4)? as u32))),
            0xcb => Value::Number(f64::from_bits(self.uint(8)?)),
            0xcc => Value::Number(self.uint(1)? as f64),
            0xcd => Value::Number(self.uint(2)? as f64),
            0xce => Value::Number(self.uint(4)? as f64),
            0xcf => Value::Number(self.uint(8)? as f64),
            0xd0 => Value::Number(f64::from(self.uint(1)? as i8)),
            0xd1 => Value::Number(f64::from(self.uint(2)? as i16)),
            0xd2 => Value::Number(f64::from(self.uint(4)? as i32)),
            0xd3 => Value::Number(self.uint(8)? as i64 as f64),
            0xd9 => self.sized(1, Cursor::bytes_of)?,
            0xda => self.sized(2, Cursor::bytes_of)?,
            0xdb => self.sized(4, Cursor::bytes_of)?,
            0xdc => self.uint(2).and_then(|n| self.array(n as usize, depth))?,
            0xdd => self.uint(4).and_then(|n| self.array(n as usize, depth))?,
            0xde => self.uint(2).and_then(|n| self.map(n as usize, depth))?,
            0xdf => self.uint(4).and_then(|n| self.map(n as usize, depth))?,
            _ => return Err(fail_at(self.lua, "Bad data format in input.")),
        })
    }

    fn sized(&mut self, width: usize, read: fn(&mut Self, usize) -> Result<Value>) -> Result<Value> {
        let len = self.uint(width)? as usize;
        read(self, len)
    }

    fn bytes_of(&mut self, len: usize) -> Result<Value> {
        self.bytes(len)
    }

    fn bytes(&mut self, len: usize) -> Result<Value> {
        let part = self.take(len)?;
        Ok(Value::String(self.lua.create_string(part)?))
    }

    fn array(&mut self, len: usize, depth: usize) -> Result<Value> {
        let table = self.lua.create_table()?;
        for i in 1..=len {
            let value = self.value(depth + 1)?;
            table.raw_set(i, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize, depth: usize) -> Result<Value> {
        let table = self.lua.create_table()?;
        for _ in 0..len {
            let (key, value) = (self.value(depth + 1)?, self.value(depth + 1)?);
            if key.is_nil() {
                return Err(fail_at(self.lua, "table index is nil"));
            }
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}
