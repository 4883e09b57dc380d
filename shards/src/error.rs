//! The client's mistakes, with Valkey's exact texts.
//!
//! A [`CommandError`] is the text behind the `-` of an error reply. It is never logged and never changes anything: a
//! command that returns one has not touched the keyspace. Texts shared by many commands stand here; a text that only
//! one command knows stands beside that command.

use std::borrow::Cow;

/// An error reply. The text starts with its code (`ERR`, `WRONGTYPE` ...) and holds no CR or LF when it leaves the
/// reply writer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommandError {
    /// A fixed text.
    Static(&'static str),
    /// A text with something of the call in it.
    Owned(Box<str>),
}

impl CommandError {
    /// The text behind the `-`.
    pub fn text(&self) -> &str {
        match self {
            CommandError::Static(s) => s,
            CommandError::Owned(s) => s,
        }
    }

    /// An error whose text is made for this call.
    pub fn owned(text: impl Into<String>) -> CommandError {
        CommandError::Owned(text.into().into_boxed_str())
    }

    /// "wrong number of arguments for 'x' command".
    pub fn arity(full_name: &str) -> CommandError {
        CommandError::owned(format!("ERR wrong number of arguments for '{full_name}' command"))
    }
}

/// A key holds another type than the command needs.
pub const WRONG_TYPE: CommandError =
    CommandError::Static("WRONGTYPE Operation against a key holding the wrong kind of value");
/// The options do not fit together.
pub const SYNTAX: CommandError = CommandError::Static("ERR syntax error");
/// Not an integer, or beyond 64 bits.
pub const NOT_AN_INTEGER: CommandError = CommandError::Static("ERR value is not an integer or out of range");
/// Not a float.
pub const NOT_A_FLOAT: CommandError = CommandError::Static("ERR value is not a valid float");
/// Must be zero or more.
pub const MUST_BE_POSITIVE: CommandError = CommandError::Static("ERR value is out of range, must be positive");
/// Outside the range of the argument.
pub const OUT_OF_RANGE: CommandError = CommandError::Static("ERR value is out of range");
/// The key must exist.
pub const NO_SUCH_KEY: CommandError = CommandError::Static("ERR no such key");
/// Source and destination are one.
pub const SAME_OBJECT: CommandError =
    CommandError::Static("ERR source and destination objects are the same");
/// A database number beyond `databases`.
pub const NO_SUCH_DATABASE: CommandError = CommandError::Static("ERR DB index is out of range");
/// An index outside the value.
pub const INDEX_OUT_OF_RANGE: CommandError = CommandError::Static("ERR index out of range");
/// A string would pass `proto-max-bulk-len`.
pub const STRING_TOO_LONG: CommandError =
    CommandError::Static("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

/// Bytes of a user, fit to be shown inside an error text (Valkey shows them raw; CR and LF become spaces in the reply
/// writer), cut at `max` bytes.
pub fn shown(bytes: &[u8], max: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(&bytes[..bytes.len().min(max)])
}
