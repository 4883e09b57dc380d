//! Errors of our functions on their way through Lua.
//!
//! Lua's C functions raise Lua values: a text with the place of the caller before it, or a table as `redis.call` does.
//! Ours return a Rust error, which travels as an opaque value; whoever catches it (`pcall`, `xpcall`, `coroutine.resume`
//! and the end of a script) makes it the Lua value it stands for. See [`caught`].

use mlua::{Error, Lua, Result, Table, Value};
use std::fmt;

/// What an error of ours stands for.
#[derive(Clone, Debug)]
pub enum ScriptError {
    /// A text.
    Text(Vec<u8>),
    /// An error table, as `redis.call` raises it: its text, and whether the server has counted it.
    Reply {
        /// The text behind the `-`.
        text: Vec<u8>,
        /// It was counted where it was made.
        counted: bool,
    },
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ScriptError::Text(text) | ScriptError::Reply { text, .. }) = self;
        f.write_str(&String::from_utf8_lossy(text))
    }
}

impl std::error::Error for ScriptError {}

/// A text, as `luaL_error` raises it: the place of whoever called the running function comes first.
pub fn fail_at(lua: &Lua, text: &str) -> Error {
    let mut full = place(lua, 1).into_bytes();
    full.extend_from_slice(text.as_bytes());
    Error::external(ScriptError::Text(full))
}

/// A text without a place.
pub fn fail(text: &str) -> Error {
    Error::external(ScriptError::Text(text.as_bytes().to_vec()))
}

/// An error table.
pub fn fail_reply(text: impl Into<Vec<u8>>) -> Error {
    Error::external(ScriptError::Reply { text: text.into(), counted: false })
}

/// `source:line: ` of the function at this level of the stack, if it is Lua code.
fn place(lua: &Lua, level: usize) -> String {
    let found = lua.inspect_stack(level, |debug| {
        let source = debug.source().short_src.map(|s| s.into_owned()).unwrap_or_default();
        debug.current_line().map(|line| format!("{source}:{line}: "))
    });
    found.flatten().unwrap_or_default()
}

/// The table of an error reply.
pub fn error_table(lua: &Lua, text: &[u8], counted: bool) -> Result<Table> {
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("err", lua.create_string(text)?)?;
    if counted {
        table.raw_set("ignore_error_stats_update", true)?;
    }
    Ok(table)
}

/// What whoever catches this error sees.
pub fn caught(lua: &Lua, value: Value) -> Result<Value> {
    let Value::Error(error) = value else { return Ok(value) };
    match find(&error) {
        Some(ScriptError::Text(text)) => Ok(Value::String(lua.create_string(text)?)),
        Some(ScriptError::Reply { text, counted }) => Ok(Value::Table(error_table(lua, text, *counted)?)),
        None => Ok(Value::String(lua.create_string(plain(&error))?)),
    }
}

fn find(error: &Error) -> Option<&ScriptError> {
    match error {
        Error::CallbackError { cause, .. } => find(cause),
        Error::WithContext { cause, .. } => find(cause),
        Error::ExternalError(external) => external.downcast_ref(),
        _ => None,
    }
}

/// The text of an error Lua itself made.
pub fn plain(error: &Error) -> String {
    match error {
        Error::CallbackError { cause, .. } => plain(cause),
        Error::RuntimeError(text) | Error::MemoryError(text) => text.clone(),
        Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// The text of an error of ours, for another error made of it.
pub fn shown(error: &Error) -> String {
    find(error).map_or_else(|| plain(error), ToString::to_string)
}
