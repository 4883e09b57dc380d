//! FUNCTION DUMP and RESTORE: all libraries as one payload.
//!
//! ```text
//! | 245 | text of a library | 245 | ... | version: 2 | CRC-64 of all before: 8 |
//! ```

use super::super::{Flow, ServerCommand, ServerExec};
use super::function::{ALL_SHARDS, loaded, plain, sub};
use crate::script::library::{Libraries, Library};
use shards::command::{Arg, ArgKind, flag};
use shards::commands::container;
use shards::error::CommandError;
use shards::rdb::{Reader, Writer, payload};
use shards::stdx::crc64::crc64;
use std::sync::Arc;

/// What stands before each library.
const LIBRARY: u8 = 245;
/// What stood there before Redis 7.0 was done.
const LIBRARY_OLD: u8 = 246;
const FOOTER_BYTES: usize = 10;

const WRONG: CommandError = CommandError::Static("ERR DUMP payload version or checksum are wrong");
const WRONG_POLICY: CommandError =
    CommandError::Static("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");

/// FUNCTION DUMP
pub const DUMP: ServerCommand = ServerCommand {
    summary: "Gives all libraries as one payload.",
    complexity: "O(N) where N is the number of functions",
    ..sub("dump", 2, flag::NOSCRIPT, |x| {
        let mut out = Vec::new();
        let compress = x.center.config.snapshot.rdbcompression;
        for library in x.center.libraries().by_name.values() {
            let mut writer = Writer::new(&mut out, compress);
            writer.byte(LIBRARY);
            writer.text(&library.code);
        }
        payload::close(&mut out);
        x.reply.bulk(&out);
        Ok(Flow::Done)
    })
};

/// FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]
pub const RESTORE: ServerCommand = ServerCommand {
    summary: "Brings back libraries from a payload.",
    complexity: "O(N) where N is the number of functions on the payload",
    tips: ALL_SHARDS,
    args: &[
        Arg::new("serialized-value", ArgKind::String),
        Arg::one_of(
            "policy",
            &[Arg::token("flush", "FLUSH"), Arg::token("append", "APPEND"), Arg::token("replace", "REPLACE")],
        )
        .opt(),
    ],
    ..sub("restore", -3, flag::NOSCRIPT | flag::WRITE | flag::DENYOOM, restore)
};

fn restore(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    if x.argc() > 4 {
        return Err(container::wrong_arguments(x.argv));
    }
    let is = |word| x.argc() == 4 && x.arg_is(3, word);
    let (flush, replace) = (is("flush"), is("replace"));
    if x.argc() == 4 && !flush && !replace && !is("append") {
        return Err(WRONG_POLICY);
    }
    let mut reader = Reader::new(body(x.arg(2)).ok_or(WRONG)?, usize::MAX);
    let mut fresh = Libraries::default();
    while reader.left() > 0 {
        match reader.byte() {
            Ok(LIBRARY) => {}
            Ok(LIBRARY_OLD) => return Err(CommandError::Static("ERR Pre-GA function format not supported")),
            _ => return Err(CommandError::Static("ERR given type is not a function")),
        }
        let failed = CommandError::Static("ERR failed loading the given functions payload");
        let code = reader.text().map_err(|_| failed)?;
        let library = loaded(x.center, Library::new(&code).map_err(plain)?)?;
        fresh.add(library, false).map_err(plain)?;
    }
    let joined = x.center.shared.register.change_libraries(|libraries| {
        if flush {
            *libraries = fresh.clone();
            return Ok(());
        }
        join(libraries, &fresh, replace)
    });
    joined.map_err(plain)?;
    x.reply.ok();
    Ok(Flow::Done)
}

/// All or none of them.
fn join(libraries: &mut Libraries, fresh: &Libraries, replace: bool) -> Result<(), String> {
    for name in fresh.by_name.keys() {
        if libraries.by_name.contains_key(name) && !replace {
            return Err(format!("Library {} already exists", String::from_utf8_lossy(name)));
        }
        libraries.by_name.remove(name);
    }
    fresh.by_name.values().try_for_each(|library| libraries.add(Arc::clone(library), false))
}

/// What is inside the frame, if the frame is right.
fn body(bytes: &[u8]) -> Option<&[u8]> {
    let inner = bytes.len().checked_sub(FOOTER_BYTES)?;
    let version = u16::from_le_bytes(bytes[inner..inner + 2].try_into().expect("two bytes"));
    let sum = u64::from_le_bytes(bytes[inner + 2..].try_into().expect("eight bytes"));
    let right = version > 0 && version <= payload::VERSION && crc64(0, &bytes[..inner + 2]) == sum;
    right.then_some(&bytes[..inner])
}
