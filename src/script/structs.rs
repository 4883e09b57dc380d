//! `struct`: packing and unpacking of C's types by a format string.
//!
//! | option | is |
//! |---|---|
//! | `b B h H l L T i I` (`iN`, `IN`) | integers, signed in lower case |
//! | `f d` | float, double |
//! | `cN`, `c0`, `s` | N bytes, as many as the number before says, up to a NUL |
//! | `x`, blank | a byte of padding, nothing |
//! | `< > !N` | little and big endian, alignment |

use super::error::fail_at;
use super::random::{number_arg, string_arg};
use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

/// Bytes of the largest integer.
const INT_MAX_BYTES: usize = 32;
/// Alignment of `!` without a number.
const ALIGN_MAX: usize = 8;

/// The table `struct`.
pub fn library(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(|lua, args| pack(lua, &args))?)?;
    table.raw_set("unpack", lua.create_function(|lua, args| unpack(lua, &args))?)?;
    table.raw_set("size", lua.create_function(|lua, args| size(lua, &args))?)?;
    Ok(table)
}

struct Format<'a> {
    lua: &'a Lua,
    function: &'static str,
    text: &'a [u8],
    at: usize,
    big: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, function: &'static str, text: &'a [u8]) -> Format<'a> {
        // The format is a C string: it ends at a NUL.
        let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
        Format { lua, function, text: &text[..end], at: 0, big: false, align: 1 }
    }

    fn number(&mut self, default: usize) -> Result<usize> {
        let mut found: Option<usize> = None;
        while let Some(digit) = self.text.get(self.at).filter(|b| b.is_ascii_digit()) {
            let next = found.unwrap_or(0) * 10 + usize::from(digit - b'0');
            if next > i32::MAX as usize {
                return Err(fail_at(self.lua, "integral size overflow"));
            }
            found = Some(next);
            self.at += 1;
        }
        Ok(found.unwrap_or(default))
    }

    /// The next option and its size.
    fn next(&mut self) -> Result<Option<(u8, usize)>> {
        let Some(option) = self.text.get(self.at).copied() else { return Ok(None) };
        self.at += 1;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > INT_MAX_BYTES {
                    let text = format!("integral size {size} is larger than limit of {INT_MAX_BYTES}");
                    return Err(fail_at(self.lua, &text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        size.wrapping_sub(at & (size - 1)) & (size - 1)
    }

    fn control(&mut self, option: u8) -> Result<()> {
        match option {
            b' ' => {}
            b'>' => self.big = true,
            b'<' => self.big = false,
            b'!' => {
                let align = self.number(ALIGN_MAX)?;
                if !align.is_power_of_two() {
                    return Err(fail_at(self.lua, &format!("alignment {align} is not a power of 2")));
                }
                self.align = align;
            }
            _ => return Err(self.bad_arg(1, &format!("invalid format option '{}'", option as char))),
        }
        Ok(())
    }

    fn bad_arg(&self, arg: usize, why: &str) -> mlua::Error {
        fail_at(self.lua, &format!("bad argument #{arg} to '{}' ({why})", self.function))
    }

    fn ordered<const N: usize>(&self, mut bytes: [u8; N]) -> [u8; N] {
        if self.big {
            bytes.reverse();
        }
        bytes
    }
}

fn pack(lua: &Lua, args: &MultiValue) -> Result<LuaString> {
    let text = string_arg(lua, args, 0, "pack")?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, "pack", &text);
    let mut out: Vec<u8> = Vec::new();
    let mut arg = 1;
    while let Some((option, size)) = format.next()? {
        out.resize(out.len() + format.padding(out.len(), option, size), 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                put_integer(&mut out, number_arg(lua, args, arg, "pack")?, size, format.big);
                arg += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                let n = number_arg(lua, args, arg, "pack")? as f32;
                out.extend_from_slice(&format.ordered(n.to_le_bytes()));
                arg += 1;
            }
            b'd' => {
                let n = number_arg(lua, args, arg, "pack")?;
                out.extend_from_slice(&format.ordered(n.to_le_bytes()));
                arg += 1;
            }
            b'c' | b's' => {
                let s = string_arg(lua, args, arg, "pack")?;
                arg += 1;
                let s = s.as_bytes();
                let len = if size == 0 { s.len() } else { size };
                let part = s.get(..len).ok_or_else(|| format.bad_arg(arg + 1, "string too short"))?;
                out.extend_from_slice(part);
                if option == b's' {
                    out.push(0);
                }
            }
            _ => format.control(option)?,
        }
    }
    lua.create_string(out)
}

fn put_integer(out: &mut Vec<u8>, n: f64, size: usize, big: bool) {
    let value = if n < 0.0 { n as i64 as u64 } else { n as u64 };
    let start = out.len();
    for i in 0..size {
        out.push(if i < 8 { (value >> (8 * i)) as u8 } else { 0 });
    }
    if big {
        out[start..].reverse();
    }
}

fn unpack(lua: &Lua, args: &MultiValue) -> Result<MultiValue> {
    let text = string_arg(lua, args, 0, "unpack")?;
    let text = text.as_bytes();
    let data = string_arg(lua, args, 1, "unpack")?;
    let data = data.as_bytes();
    let mut format = Format::new(lua, "unpack", &text);
    let start = match args.get(2) {
        None | Some(Value::Nil) => 1.0,
        Some(_) => number_arg(lua, args, 2, "unpack")?,
    };
    // The offset is a size_t there: a negative one is far behind the end.
    let mut at = match start as i64 {
        0 => return Err(format.bad_arg(3, "offset must be 1 or greater")),
        n => usize::try_from(n - 1).unwrap_or(usize::MAX / 2),
    };
    let mut found: Vec<Value> = Vec::new();
    while let Some((option, size)) = format.next()? {
        at += format.padding(at, option, size);
        let too_short = "data string too short";
        let end = at.checked_add(size).filter(|end| *end <= data.len());
        let end = end.ok_or_else(|| format.bad_arg(2, too_short))?;
        let part = &data[at..end];
        at = end;
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                found.push(Value::Number(get_integer(part, option.is_ascii_lowercase(), format.big)));
            }
            b'x' => {}
            b'f' => {
                let bytes = format.ordered(part.try_into().expect("four bytes"));
                found.push(Value::Number(f64::from(f32::from_le_bytes(bytes))));
            }
            b'd' => {
                let bytes = format.ordered(part.try_into().expect("eight bytes"));
                found.push(Value::Number(f64::from_le_bytes(bytes)));
            }
            b'c' if size == 0 => {
                let len = found.pop().and_then(|value| lua.coerce_number(value).ok().flatten());
                let len = len.ok_or_else(|| fail_at(lua, "format 'c0' needs a previous size"))?;
                let len = if (0.0..9e15).contains(&len) { len as usize } else { usize::MAX / 2 };
                let end = at.checked_add(len).filter(|end| *end <= data.len());
                let end = end.ok_or_else(|| format.bad_arg(2, too_short))?;
                found.push(Value::String(lua.create_string(&data[at..end])?));
                at = end;
            }
            b'c' => found.push(Value::String(lua.create_string(part)?)),
            b's' => {
                let rest = &data[at..];
                let nul = memchr::memchr(0, rest).ok_or_else(|| fail_at(lua, "unfinished string in data"))?;
                found.push(Value::String(lua.create_string(&rest[..nul])?));
                at += nul + 1;
            }
            _ => format.control(option)?,
        }
    }
    found.push(Value::Number((at + 1) as f64));
    Ok(MultiValue::from_iter(found))
}

/// An integer of up to 32 bytes; what does not fit 64 bits is lost.
fn get_integer(bytes: &[u8], is_signed: bool, big: bool) -> f64 {
    let mut value = 0u64;
    let take = |value: u64, b: &u8| value << 8 | u64::from(*b);
    if big {
        value = bytes.iter().fold(value, take);
    } else {
        value = bytes.iter().rev().fold(value, take);
    }
    if !is_signed {
        return value as f64;
    }
    let bits = bytes.len() * 8;
    if (1..64).contains(&bits) && value >> (bits - 1) & 1 == 1 {
        value |= u64::MAX << (bits - 1);
    }
    value as i64 as f64
}

fn size(lua: &Lua, args: &MultiValue) -> Result<f64> {
    let text = string_arg(lua, args, 0, "size")?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, "size", &text);
    let mut at = 0usize;
    while let Some((option, size)) = format.next()? {
        at += format.padding(at, option, size);
        match option {
            b's' => return Err(format.bad_arg(1, "option 's' has no fixed size")),
            b'c' if size == 0 => return Err(format.bad_arg(1, "option 'c0' has no fixed size")),
            option if !option.is_ascii_alphanumeric() => format.control(option)?,
            _ => {}
        }
        at += size;
    }
    Ok(at as f64)
}
