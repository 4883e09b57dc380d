//! RESP to Lua values, and Lua values to RESP, by Valkey's rules.
//!
//! | RESP | Lua |
//! |---|---|
//! | `+OK` | `{ok='OK'}` |
//! | `-ERR x` | `{err='ERR x'}` |
//! | integer | number |
//! | bulk, null bulk | string, `false` |
//! | array, null array | table, `false` |
//! | `_`, `#`, `,`, `(`, `=` | `nil`, boolean, `{double=}`, `{big_number=}`, `{verbatim_string={format=, string=}}` |
//! | `%`, `~` | `{map={}}`, `{set={member=true}}` |
//!
//! Back again the same, but that numbers are cut to integers, `true` is 1 and `false` null unless the script asked for
//! RESP3, and a table is an array up to its first nil.

use super::error::error_table;
use mlua::{Lua, Result, Table, Value};
use shards::reply::{Reply, Resp};
use shards::stdx::number::parse_i64;

/// How deep tables may nest in a reply; a map or a set counts twice. Valkey stops when Lua's stack is full: four times as
/// deep. Here every level holds some of the 8,000 values that Rust can hold by hand.
const DEPTH_MAX: usize = 2000;
/// What stands in a reply where a table nests too deep.
const TOO_DEEP: &str = "ERR reached lua stack limit";

/// The Lua value of the reply at `at`, which moves behind it.
pub fn to_lua(lua: &Lua, bytes: &[u8], at: &mut usize) -> Result<Value> {
    let kind = bytes[*at];
    let end = *at + memchr::memchr(b'\r', &bytes[*at..]).expect("a reply is whole");
    let line = &bytes[*at + 1..end];
    *at = end + 2;
    Ok(match kind {
        b':' => number(line),
        b'+' => Value::Table(single(lua, "ok", lua.create_string(line)?)?),
        b'-' => Value::Table(error_table(lua, &error_text(line), true)?),
        b'$' => match count(line) {
            None => Value::Boolean(false),
            Some(len) => Value::String(lua.create_string(bulk(bytes, at, len))?),
        },
        b'*' | b'>' => match count(line) {
            None => Value::Boolean(false),
            Some(len) => array(lua, bytes, at, len)?,
        },
        b'_' => Value::Nil,
        b'#' => Value::Boolean(line == b"t"),
        b',' => Value::Table(single(lua, "double", double(line))?),
        b'(' => Value::Table(single(lua, "big_number", lua.create_string(line)?)?),
        b'=' => {
            let text = bulk(bytes, at, count(line).unwrap_or(0));
            let inner = lua.create_table_with_capacity(0, 2)?;
            inner.raw_set("string", lua.create_string(text.get(4..).unwrap_or_default())?)?;
            inner.raw_set("format", lua.create_string(text.get(..3).unwrap_or_default())?)?;
            Value::Table(single(lua, "verbatim_string", inner)?)
        }
        b'%' => {
            let len = count(line).unwrap_or(0);
            let map = lua.create_table_with_capacity(0, len)?;
            for _ in 0..len {
                let (key, value) = (to_lua(lua, bytes, at)?, to_lua(lua, bytes, at)?);
                map.raw_set(key, value)?;
            }
            Value::Table(single(lua, "map", map)?)
        }
        b'~' => {
            let len = count(line).unwrap_or(0);
            let set = lua.create_table_with_capacity(0, len)?;
            for _ in 0..len {
                set.raw_set(to_lua(lua, bytes, at)?, true)?;
            }
            Value::Table(single(lua, "set", set)?)
        }
        b'|' => {
            for _ in 0..count(line).unwrap_or(0) * 2 {
                to_lua(lua, bytes, at)?;
            }
            to_lua(lua, bytes, at)?
        }
        other => unreachable!("no reply begins with {other}"),
    })
}

/// The text of an error reply, with a code if it came without one.
pub fn error_text(line: &[u8]) -> Vec<u8> {
    if line.contains(&b' ') { line.to_vec() } else { [b"ERR ", line].concat() }
}

fn single(lua: &Lua, name: &str, value: impl mlua::IntoLua) -> Result<Table> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, value)?;
    Ok(table)
}

fn number(line: &[u8]) -> Value {
    Value::Number(parse_i64(line).expect("our own replies hold our own numbers") as f64)
}

fn double(line: &[u8]) -> f64 {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

fn count(line: &[u8]) -> Option<usize> {
    parse_i64(line).and_then(|n| usize::try_from(n).ok())
}

fn bulk<'a>(bytes: &'a [u8], at: &mut usize, len: usize) -> &'a [u8] {
    let text = &bytes[*at..*at + len];
    *at += len + 2;
    text
}

fn array(lua: &Lua, bytes: &[u8], at: &mut usize, len: usize) -> Result<Value> {
    let table = lua.create_table_with_capacity(len, 0)?;
    for i in 1..=len {
        // Most elements are strings: those need no value in between.
        if bytes[*at] == b'$' && bytes[*at + 1] != b'-' {
            let end = *at + memchr::memchr(b'\r', &bytes[*at..]).expect("a reply is whole");
            let text_len = count(&bytes[*at + 1..end]).unwrap_or(0);
            *at = end + 2;
            table.raw_set(i, lua.create_string(bulk(bytes, at, text_len))?)?;
            continue;
        }
        let value = to_lua(lua, bytes, at)?;
        table.raw_set(i, value)?;
    }
    Ok(Value::Table(table))
}

/// What a script returned, as a reply. `resp` is the protocol the script asked for, that of `reply` the client's.
pub struct Writer<'a, 'b> {
    /// Where it goes.
    pub reply: &'a mut Reply<'b>,
    /// The protocol the script asked for.
    pub resp: Resp,
    /// Set if the whole reply is an error that was counted where it was made.
    pub counted: bool,
}

impl Writer<'_, '_> {
    /// Writes a value.
    pub fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            self.reply.error(TOO_DEEP);
            return Ok(());
        }
        match value {
            Value::String(s) => self.reply.bulk(&s.as_bytes()),
            Value::Integer(n) => self.reply.int(*n),
            Value::Number(n) => self.reply.int(cut(*n)),
            Value::Boolean(b) if self.resp == Resp::V3 => self.reply.bool(*b),
            Value::Boolean(true) => self.reply.int(1),
            Value::Table(table) => self.table(table, depth)?,
            _ => self.reply.null(),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<()> {
        // A list of plain values is what most scripts return; its named fields are looked for all the same.
        if let Some(text) = text_field(table, "err", true)? {
            self.counted |= depth == 0 && matches!(table.get("ignore_error_stats_update")?, Value::Boolean(true));
            self.reply.error_bytes(&text.as_bytes());
        } else if let Some(text) = text_field(table, "ok", false)? {
            self.reply.simple(&String::from_utf8_lossy(&text.as_bytes()));
        } else if let Some(double) = number_field(table, "double")? {
            self.reply.double(double);
        } else if let Some(digits) = text_field(table, "big_number", false)? {
            // Whatever the client's protocol, the digits are one line.
            let line = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
            self.reply.big_number(&digits.as_bytes().iter().map(line).collect::<Vec<u8>>());
        } else if let Some((format, text)) = verbatim(table)? {
            self.reply.verbatim(&format, &text.as_bytes());
        } else if let Value::Table(map) = table.raw_get("map")? {
            self.map(&map, depth)?;
        } else if let Value::Table(set) = table.raw_get("set")? {
            self.set(&set, depth)?;
        } else {
            self.array(table, depth)?;
        }
        Ok(())
    }

    fn array(&mut self, table: &Table, depth: usize) -> Result<()> {
        let mark = self.reply.deferred_array();
        let mut count = 0;
        loop {
            let value: Value = table.raw_get(count + 1)?;
            if value.is_nil() {
                break;
            }
            self.value(&value, depth + 1)?;
            count += 1;
        }
        self.reply.close_array(mark, count);
        Ok(())
    }

    fn map(&mut self, map: &Table, depth: usize) -> Result<()> {
        let mark = self.reply.deferred_map();
        let mut count = 0;
        // Not `for_each`: that nests calls of C, of which Lua takes no more than 200.
        for pair in map.pairs::<Value, Value>() {
            let (key, value) = pair?;
            count += 1;
            self.value(&key, depth + 2)?;
            self.value(&value, depth + 2)?;
        }
        self.reply.close_map(mark, count);
        Ok(())
    }

    fn set(&mut self, set: &Table, depth: usize) -> Result<()> {
        let mark = self.reply.deferred_set();
        let mut count = 0;
        for pair in set.pairs::<Value, Value>() {
            count += 1;
            self.value(&pair?.0, depth + 2)?;
        }
        self.reply.close_set(mark, count);
        Ok(())
    }
}

fn text_field(table: &Table, name: &str, _: bool) -> Result<Option<mlua::LuaString>> {
    Ok(match table.raw_get::<Value>(name)? {
        Value::String(s) => Some(s),
        _ => None,
    })
}

fn number_field(table: &Table, name: &str) -> Result<Option<f64>> {
    Ok(match table.raw_get::<Value>(name)? {
        Value::Number(n) => Some(n),
        Value::Integer(n) => Some(n as f64),
        _ => None,
    })
}

fn verbatim(table: &Table) -> Result<Option<([u8; 3], mlua::LuaString)>> {
    let Value::Table(inner) = table.raw_get("verbatim_string")? else { return Ok(None) };
    let (Some(format), Some(text)) = (text_field(&inner, "format", false)?, text_field(&inner, "string", false)?) else {
        return Ok(None);
    };
    let mut three = *b"   ";
    let format = format.as_bytes();
    let len = format.len().min(3);
    three[..len].copy_from_slice(&format[..len]);
    Ok(Some((three, text)))
}

/// A number as C casts it to an integer.
fn cut(n: f64) -> i64 {
    let fits = n > -9.223_372_036_854_775e18 && n < 9.223_372_036_854_775e18;
    if fits { n as i64 } else { i64::MIN }
}
