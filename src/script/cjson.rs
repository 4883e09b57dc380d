//! `cjson`: JSON as the library of that name has it, options and texts included.
//!
//! Encoding: a table whose keys are all integers from 1 on is an array (holes are null; far apart, an error or an
//! object), any other an object, an empty one too. Decoding takes numbers as C's `strtod` does.

use super::error::fail_at;
use super::random::{number_arg, string_arg};
use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};
use std::cell::RefCell;
use std::rc::Rc;

/// Nesting that is followed whatever the options say: about where Lua's own stack is full there.
const DEPTH_MAX: i32 = 2000;

#[derive(Clone, Debug)]
struct Options {
    sparse_convert: bool,
    sparse_ratio: i32,
    sparse_safe: i32,
    encode_depth: i32,
    decode_depth: i32,
    /// 0: an error, 1: as they are, 2: null.
    encode_invalid: u8,
    decode_invalid: bool,
    precision: i32,
    keep_buffer: bool,
}

type Shared = Rc<RefCell<Options>>;

/// The table `cjson`.
pub fn library(lua: &Lua) -> Result<Table> {
    let options: Shared = Rc::new(RefCell::new(Options {
        sparse_convert: false,
        sparse_ratio: 2,
        sparse_safe: 10,
        encode_depth: 1000,
        decode_depth: 1000,
        encode_invalid: 0,
        decode_invalid: true,
        precision: 14,
        keep_buffer: true,
    }));
    let table = lua.create_table()?;
    let with = |name: &'static str, run: fn(&Lua, &mut Options, &MultiValue) -> Result<MultiValue>| {
        let options = Rc::clone(&options);
        let function = lua.create_function(move |lua, args: MultiValue| run(lua, &mut options.borrow_mut(), &args))?;
        table.raw_set(name, function)
    };
    with("encode", |lua, options, args| one(encode(lua, options, args)?))?;
    with("decode", |lua, options, args| one(decode(lua, options, args)?))?;
    with("encode_sparse_array", sparse_array)?;
    with("encode_max_depth", |lua, o, args| depth(lua, &mut o.encode_depth, args, "encode_max_depth"))?;
    with("decode_max_depth", |lua, o, args| depth(lua, &mut o.decode_depth, args, "decode_max_depth"))?;
    with("encode_number_precision", |lua, o, args| {
        at_most(lua, args, 1, "encode_number_precision")?;
        one(integer(lua, &mut o.precision, args, 0, 1..=14, "encode_number_precision")?)
    })?;
    with("encode_keep_buffer", |lua, o, args| {
        at_most(lua, args, 1, "encode_keep_buffer")?;
        one(switch(lua, &mut o.keep_buffer, args, 0, "encode_keep_buffer")?)
    })?;
    with("encode_invalid_numbers", invalid_numbers)?;
    with("decode_invalid_numbers", |lua, o, args| {
        at_most(lua, args, 1, "decode_invalid_numbers")?;
        one(switch(lua, &mut o.decode_invalid, args, 0, "decode_invalid_numbers")?)
    })?;
    table.raw_set("new", lua.create_function(|lua, _: MultiValue| library(lua))?)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

fn one(value: Value) -> Result<MultiValue> {
    Ok(MultiValue::from_iter([value]))
}

fn bad_arg(lua: &Lua, at: usize, function: &str, why: &str) -> mlua::Error {
    fail_at(lua, &format!("bad argument #{} to '{function}' ({why})", at + 1))
}

fn at_most(lua: &Lua, args: &MultiValue, count: usize, function: &str) -> Result<()> {
    if args.len() > count { Err(bad_arg(lua, count, function, "found too many arguments")) } else { Ok(()) }
}

fn integer(
    lua: &Lua,
    setting: &mut i32,
    args: &MultiValue,
    at: usize,
    range: std::ops::RangeInclusive<i32>,
    function: &str,
) -> Result<Value> {
    if !matches!(args.get(at), None | Some(Value::Nil)) {
        let value = number_arg(lua, args, at, function)? as i64 as i32;
        if !range.contains(&value) {
            let why = format!("expected integer between {} and {}", range.start(), range.end());
            return Err(bad_arg(lua, 0, function, &why));
        }
        *setting = value;
    }
    Ok(Value::Integer(i64::from(*setting)))
}

fn choice(lua: &Lua, args: &MultiValue, at: usize, choices: &[&str], function: &str) -> Result<usize> {
    let name = string_arg(lua, args, at, function)?.to_string_lossy();
    let found = choices.iter().position(|choice| *choice == name);
    found.ok_or_else(|| bad_arg(lua, at, function, &format!("invalid option '{name}'")))
}

fn switch(lua: &Lua, setting: &mut bool, args: &MultiValue, at: usize, function: &str) -> Result<Value> {
    match args.get(at) {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(on)) => *setting = *on,
        Some(_) => *setting = choice(lua, args, at, &["off", "on"], function)? == 1,
    }
    Ok(Value::Boolean(*setting))
}

fn sparse_array(lua: &Lua, options: &mut Options, args: &MultiValue) -> Result<MultiValue> {
    let name = "encode_sparse_array";
    at_most(lua, args, 3, name)?;
    Ok(MultiValue::from_iter([
        switch(lua, &mut options.sparse_convert, args, 0, name)?,
        integer(lua, &mut options.sparse_ratio, args, 1, 0..=i32::MAX, name)?,
        integer(lua, &mut options.sparse_safe, args, 2, 0..=i32::MAX, name)?,
    ]))
}

fn depth(lua: &Lua, setting: &mut i32, args: &MultiValue, function: &str) -> Result<MultiValue> {
    at_most(lua, args, 1, function)?;
    one(integer(lua, setting, args, 0, 1..=i32::MAX, function)?)
}

fn invalid_numbers(lua: &Lua, options: &mut Options, args: &MultiValue) -> Result<MultiValue> {
    let name = "encode_invalid_numbers";
    at_most(lua, args, 1, name)?;
    match args.front() {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(on)) => options.encode_invalid = u8::from(*on),
        Some(_) => options.encode_invalid = choice(lua, args, 0, &["off", "on", "null"], name)? as u8,
    }
    one(match options.encode_invalid {
        2 => Value::String(lua.create_string("null")?),
        setting => Value::Boolean(setting == 1),
    })
}

fn encode(lua: &Lua, options: &Options, args: &MultiValue) -> Result<Value> {
    if args.len() != 1 {
        return Err(bad_arg(lua, 0, "encode", "expected 1 argument"));
    }
    let mut encoder = Encoder { lua, options, out: Vec::new() };
    encoder.value(&args[0], 0)?;
    Ok(Value::String(lua.create_string(encoder.out)?))
}

struct Encoder<'a> {
    lua: &'a Lua,
    options: &'a Options,
    out: Vec<u8>,
}

impl Encoder<'_> {
    fn cannot(&self, value: &Value, why: &str) -> mlua::Error {
        let kind = match value {
            Value::Integer(_) | Value::Number(_) => "number",
            Value::LightUserData(_) => "userdata",
            other => other.type_name(),
        };
        fail_at(self.lua, &format!("Cannot serialise {kind}: {why}"))
    }

    fn value(&mut self, value: &Value, depth: i32) -> Result<()> {
        match value {
            Value::String(s) => self.string(&s.as_bytes()),
            Value::Integer(n) => self.number(*n as f64)?,
            Value::Number(n) => self.number(*n)?,
            Value::Boolean(b) => self.out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(data) if data.0.is_null() => self.out.extend_from_slice(b"null"),
            Value::Table(table) => self.table(table, depth + 1)?,
            other => return Err(self.cannot(other, "type not supported")),
        }
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for b in bytes {
            match b {
                b'"' | b'\\' | b'/' => self.out.extend_from_slice(&[b'\\', *b]),
                8 => self.out.extend_from_slice(b"\\b"),
                9 => self.out.extend_from_slice(b"\\t"),
                10 => self.out.extend_from_slice(b"\\n"),
                12 => self.out.extend_from_slice(b"\\f"),
                13 => self.out.extend_from_slice(b"\\r"),
                0..32 | 127 => self.out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
                _ => self.out.push(*b),
            }
        }
        self.out.push(b'"');
    }

    fn number(&mut self, n: f64) -> Result<()> {
        match self.options.encode_invalid {
            0 if !n.is_finite() => return Err(self.cannot(&Value::Number(n), "must not be NaN or Inf")),
            1 if n.is_nan() => self.out.extend_from_slice(b"nan"),
            2 if !n.is_finite() => self.out.extend_from_slice(b"null"),
            _ => write_g(&mut self.out, n, self.options.precision as usize),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: i32) -> Result<()> {
        if depth > self.options.encode_depth || depth > DEPTH_MAX {
            return Err(fail_at(self.lua, &format!("Cannot serialise, excessive nesting ({depth})")));
        }
        match self.array_len(table)? {
            Some(len) if len > 0 => self.array(table, len, depth),
            _ => self.object(table, depth),
        }
    }

    /// The length of a table that is an array.
    fn array_len(&self, table: &Table) -> Result<Option<i64>> {
        let (mut max, mut items) = (0i64, 0i64);
        for pair in table.pairs::<Value, Value>() {
            let n = match pair?.0 {
                Value::Integer(n) if n >= 1 => n,
                Value::Number(n) if n >= 1.0 && n.floor() == n => n as i64,
                _ => return Ok(None),
            };
            max = max.max(n);
            items += 1;
        }
        let (ratio, safe) = (i64::from(self.options.sparse_ratio), i64::from(self.options.sparse_safe));
        if ratio > 0 && max > items.saturating_mul(ratio) && max > safe {
            if !self.options.sparse_convert {
                return Err(fail_at(self.lua, "Cannot serialise table: excessively sparse array"));
            }
            return Ok(None);
        }
        Ok(Some(max))
    }

    fn array(&mut self, table: &Table, len: i64, depth: i32) -> Result<()> {
        self.out.push(b'[');
        for i in 1..=len {
            if i > 1 {
                self.out.push(b',');
            }
            let value: Value = table.raw_get(i)?;
            self.value(&value, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: i32) -> Result<()> {
        self.out.push(b'{');
        let mut first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !std::mem::replace(&mut first, false) {
                self.out.push(b',');
            }
            match &key {
                Value::Integer(_) | Value::Number(_) => {
                    self.out.push(b'"');
                    self.value(&key, depth)?;
                    self.out.push(b'"');
                }
                Value::String(s) => self.string(&s.as_bytes()),
                _ => return Err(self.cannot(&key, "table key must be a number or string")),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// A double as C's `%.{precision}g` prints it.
pub fn write_g(out: &mut Vec<u8>, n: f64, precision: usize) {
    if !n.is_finite() {
        let text = if n.is_nan() { "nan" } else if n > 0.0 { "inf" } else { "-inf" };
        return out.extend_from_slice(text.as_bytes());
    }
    let precision = precision.max(1);
    let scientific = format!("{n:.*e}", precision - 1);
    let (digits, exponent) = scientific.split_once('e').expect("written with an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    if exponent < -4 || exponent >= precision as i32 {
        out.extend_from_slice(without_zeros(digits).as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
    } else {
        let places = (precision as i32 - 1 - exponent).max(0) as usize;
        out.extend_from_slice(without_zeros(&format!("{n:.places$}")).as_bytes());
    }
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

fn decode(lua: &Lua, options: &Options, args: &MultiValue) -> Result<Value> {
    if args.len() != 1 {
        return Err(bad_arg(lua, 0, "decode", "expected 1 argument"));
    }
    let text: LuaString = string_arg(lua, args, 0, "decode")?;
    let bytes = text.as_bytes();
    if bytes.len() >= 2 && (bytes[0] == 0 || bytes[1] == 0) {
        return Err(fail_at(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut parser = Parser { lua, options, text: &bytes, at: 0, depth: 0, string: Vec::new() };
    let token = parser.token();
    let value = parser.value(token)?;
    match parser.token() {
        (_, Token::End) => Ok(value),
        token => Err(parser.expected("the end", token)),
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    /// Its text is in the parser.
    String,
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    fn name(self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(why) => why,
        }
    }
}

struct Parser<'a> {
    lua: &'a Lua,
    options: &'a Options,
    text: &'a [u8],
    at: usize,
    depth: i32,
    string: Vec<u8>,
}

impl Parser<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        // The text ends in a NUL, as C strings do.
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The next token and where it begins; an error's place is where it was found.
    fn token(&mut self) -> (usize, Token) {
        while matches!(self.byte(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let start = self.at;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let single = match self.byte(0) {
            b'{' => Some(Token::ObjectBegin),
            b'}' => Some(Token::ObjectEnd),
            b'[' => Some(Token::ArrayBegin),
            b']' => Some(Token::ArrayEnd),
            b',' => Some(Token::Comma),
            b':' => Some(Token::Colon),
            _ => None,
        };
        if let Some(token) = single {
            self.at += 1;
            return (start, token);
        }
        let token = match self.byte(0) {
            0 => Token::End,
            b'"' => self.string_token(),
            b'-' | b'0'..=b'9' if !self.options.decode_invalid && self.is_odd_number() => {
                Token::Error("invalid number")
            }
            b'-' | b'0'..=b'9' => self.number_token(),
            _ if rest.starts_with(b"true") => self.word(4, Token::Boolean(true)),
            _ if rest.starts_with(b"false") => self.word(5, Token::Boolean(false)),
            _ if rest.starts_with(b"null") => self.word(4, Token::Null),
            b'i' | b'I' | b'n' | b'N' | b'+' if self.options.decode_invalid && self.is_odd_number() => {
                self.number_token()
            }
            _ => Token::Error("invalid token"),
        };
        let at = if matches!(token, Token::Error(_)) { self.at } else { start };
        (at, token)
    }

    fn word(&mut self, len: usize, token: Token) -> Token {
        self.at += len;
        token
    }

    /// True for numbers that `strtod` takes and JSON does not.
    fn is_odd_number(&self) -> bool {
        if self.byte(0) == b'+' {
            return true;
        }
        let sign = usize::from(self.byte(0) == b'-');
        match self.byte(sign) {
            b'0' => matches!(self.byte(sign + 1), b'x' | b'X' | b'0'..=b'9'),
            b if b <= b'9' => false,
            _ => {
                let word = [self.byte(sign), self.byte(sign + 1), self.byte(sign + 2)].map(|b| b.to_ascii_lowercase());
                word == *b"inf" || word == *b"nan"
            }
        }
    }

    fn number_token(&mut self) -> Token {
        let (n, len) = strtod(self.text.get(self.at..).unwrap_or_default());
        if len == 0 {
            return Token::Error("invalid number");
        }
        self.at += len;
        Token::Number(n)
    }

    fn string_token(&mut self) -> Token {
        self.at += 1;
        self.string.clear();
        loop {
            let plain = match self.byte(0) {
                b'"' => break,
                0 => return Token::Error("unexpected end of string"),
                b'\\' => {
                    let escaped = match self.byte(1) {
                        b @ (b'"' | b'\\' | b'/') => b,
                        b'b' => 8,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 12,
                        b'r' => b'\r',
                        b'u' => match self.unicode() {
                            Some(()) => continue,
                            None => return Token::Error("invalid unicode escape code"),
                        },
                        _ => return Token::Error("invalid escape code"),
                    };
                    self.at += 1;
                    escaped
                }
                b => b,
            };
            self.string.push(plain);
            self.at += 1;
        }
        self.at += 1;
        Token::String
    }

    fn hex4(&self, ahead: usize) -> Option<u32> {
        (0..4).try_fold(0, |n, i| Some(n << 4 | (self.byte(ahead + i) as char).to_digit(16)?))
    }

    /// `\uXXXX`, or two of them that make one character.
    fn unicode(&mut self) -> Option<()> {
        let mut code = self.hex4(2)?;
        let mut len = 6;
        if code & 0xf800 == 0xd800 {
            if code & 0x400 != 0 || self.byte(6) != b'\\' || self.byte(7) != b'u' {
                return None;
            }
            let low = self.hex4(8)?;
            if low & 0xfc00 != 0xdc00 {
                return None;
            }
            code = ((code & 0x3ff) << 10 | low & 0x3ff) + 0x1_0000;
            len = 12;
        }
        let mut buffer = [0; 4];
        self.string.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut buffer).as_bytes());
        self.at += len;
        Some(())
    }

    fn expected(&self, what: &str, (at, token): (usize, Token)) -> mlua::Error {
        fail_at(self.lua, &format!("Expected {what} but found {} at character {}", token.name(), at + 1))
    }

    fn value(&mut self, token: (usize, Token)) -> Result<Value> {
        Ok(match token.1 {
            Token::String => Value::String(self.lua.create_string(&self.string)?),
            Token::Number(n) => Value::Number(n),
            Token::Boolean(b) => Value::Boolean(b),
            Token::Null => Value::NULL,
            Token::ObjectBegin => self.object()?,
            Token::ArrayBegin => self.array()?,
            _ => return Err(self.expected("value", token)),
        })
    }

    fn descend(&mut self) -> Result<Table> {
        self.depth += 1;
        if self.depth > self.options.decode_depth || self.depth > DEPTH_MAX {
            let text = format!("Found too many nested data structures ({}) at character {}", self.depth, self.at);
            return Err(fail_at(self.lua, &text));
        }
        self.lua.create_table()
    }

    fn object(&mut self) -> Result<Value> {
        let table = self.descend()?;
        let mut token = self.token();
        while token.1 != Token::ObjectEnd {
            if token.1 != Token::String {
                return Err(self.expected("object key string", token));
            }
            let key = self.lua.create_string(&self.string)?;
            let colon = self.token();
            if colon.1 != Token::Colon {
                return Err(self.expected("colon", colon));
            }
            let first = self.token();
            table.raw_set(key, self.value(first)?)?;
            token = self.token();
            match token.1 {
                Token::ObjectEnd => {}
                Token::Comma => {
                    token = self.token();
                    if token.1 == Token::ObjectEnd {
                        return Err(self.expected("object key string", token));
                    }
                }
                _ => return Err(self.expected("comma or object end", token)),
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn array(&mut self) -> Result<Value> {
        let table = self.descend()?;
        let mut token = self.token();
        if token.1 != Token::ArrayEnd {
            for i in 1i64.. {
                table.raw_set(i, self.value(token)?)?;
                token = self.token();
                match token.1 {
                    Token::ArrayEnd => break,
                    Token::Comma => token = self.token(),
                    _ => return Err(self.expected("comma or array end", token)),
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }
}

/// C's `strtod`: the number a text begins with, and its length (0: none).
fn strtod(text: &[u8]) -> (f64, usize) {
    let at = |i: usize| text.get(i).copied().unwrap_or(0).to_ascii_lowercase();
    let sign = usize::from(matches!(at(0), b'-' | b'+'));
    let signed = |n: f64| if at(0) == b'-' { -n } else { n };
    let is = |word: &[u8]| (0..word.len()).all(|i| at(sign + i) == word[i]);
    if is(b"infinity") {
        return (signed(f64::INFINITY), sign + 8);
    }
    if is(b"inf") {
        return (signed(f64::INFINITY), sign + 3);
    }
    if is(b"nan") {
        return (f64::NAN, sign + 3);
    }
    if is(b"0x") && at(sign + 2).is_ascii_hexdigit() {
        let mut i = sign + 2;
        let mut n = 0.0;
        while let Some(digit) = (at(i) as char).to_digit(16) {
            n = n * 16.0 + f64::from(digit);
            i += 1;
        }
        return (signed(n), i);
    }
    let mut i = sign;
    let digits = |i: &mut usize| {
        let start = *i;
        while at(*i).is_ascii_digit() {
            *i += 1;
        }
        *i - start
    };
    let mut found = digits(&mut i);
    if at(i) == b'.' {
        i += 1;
        found += digits(&mut i);
    }
    if found == 0 {
        return (0.0, 0);
    }
    if at(i) == b'e' {
        let mut end = i + 1 + usize::from(matches!(at(i + 1), b'-' | b'+'));
        if digits(&mut end) > 0 {
            i = end;
        }
    }
    let number = std::str::from_utf8(&text[..i]).ok().and_then(|t| t.parse().ok());
    (number.unwrap_or(0.0), i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_c_prints_them() {
        let g = |n: f64, precision| {
            let mut out = Vec::new();
            write_g(&mut out, n, precision);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(g(0.1, 14), "0.1");
        assert_eq!(g(1e20, 14), "1e+20");
        assert_eq!(g(123_456_789_012_345_678.0, 14), "1.2345678901235e+17");
        assert_eq!(g(100.0, 14), "100");
        assert_eq!(g(0.00001, 14), "1e-05");
        assert_eq!(g(-1.5, 3), "-1.5");
        assert_eq!(g(2.34567, 3), "2.35");
        assert_eq!(g(0.0, 14), "0");
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        assert_eq!(strtod(b"12.5e1x"), (125.0, 6));
        assert_eq!(strtod(b"1e+"), (1.0, 1));
        assert_eq!(strtod(b"0x1F,"), (31.0, 4));
        assert_eq!(strtod(b"-inf]").1, 4);
        assert_eq!(strtod(b"-"), (0.0, 0));
        assert_eq!(strtod(b".5"), (0.5, 2));
    }
}
