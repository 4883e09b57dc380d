//! BITFIELD and BITFIELD_RO: integers of any width inside a string.
//!
//! All operations of a call are read before the first one runs, so a bad one changes nothing. A field is written only if
//! its OVERFLOW rule allows it; where nothing is written at all, a missing key stays missing.

use super::{edit, offset};
use crate::args::Args;
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::commands::string::value::{Digits, text};
use crate::error::{self, CommandError};
use crate::exec::Exec;
use crate::reply::Reply;
use crate::stdx::number::parse_i64;
use crate::types::bits;

const GET_PARTS: &[Arg] = &[Arg::new("encoding", ArgKind::String), Arg::new("offset", ArgKind::Integer)];

const OVERFLOW: Arg =
    Arg::one_of("overflow-block", &[Arg::token("wrap", "WRAP"), Arg::token("sat", "SAT"), Arg::token("fail", "FAIL")])
        .after("OVERFLOW")
        .opt();

const WRITE: Arg = Arg::one_of(
    "write-operation",
    &[
        Arg::block(
            "set-block",
            &[
                Arg::new("encoding", ArgKind::String),
                Arg::new("offset", ArgKind::Integer),
                Arg::new("value", ArgKind::Integer),
            ],
        )
        .after("SET"),
        Arg::block(
            "incrby-block",
            &[
                Arg::new("encoding", ArgKind::String),
                Arg::new("offset", ArgKind::Integer),
                Arg::new("increment", ArgKind::Integer),
            ],
        )
        .after("INCRBY"),
    ],
);

/// BITFIELD key [GET encoding offset | [OVERFLOW rule] SET encoding offset value | INCRBY encoding offset increment ...]
pub const BITFIELD: Command = Command {
    arity: -2,
    group: Group::Bitmap,
    since: "3.2.0",
    summary: "Reads, writes and adds to integers of any width inside a string.",
    complexity: "O(1) for each operation.",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::BITMAP,
    keys: &[KeySpec {
        notes: "This command allows both access and modification of the key",
        ..KeySpec::one(1, key::RW | key::UPDATE | key::ACCESS | key::VARIABLE_FLAGS)
    }],
    key_flags: Some(bitfield_key_flags),
    args: &[
        Arg::key("key"),
        Arg::one_of(
            "operation",
            &[Arg::block("get-block", GET_PARTS).after("GET"), Arg::block("write", &[OVERFLOW, WRITE])],
        )
        .many()
        .opt(),
    ],
    ..Command::new("bitfield", bitfield)
};

/// BITFIELD of GETs alone only reads. A call that makes no sense counts as one that writes.
fn bitfield_key_flags(argv: Args<'_>) -> u32 {
    let mut i = 2;
    while i < argv.len() {
        let left = argv.len() - i - 1;
        i += match argv.get(i).to_ascii_lowercase().as_slice() {
            b"get" if left >= 2 => 3,
            b"overflow" if left >= 1 => 2,
            _ => return key::RW | key::ACCESS | key::UPDATE,
        };
    }
    key::RO | key::ACCESS
}

/// BITFIELD_RO key [GET encoding offset ...]
pub const BITFIELD_RO: Command = Command {
    arity: -2,
    group: Group::Bitmap,
    since: "6.0.0",
    summary: "Reads integers of any width inside a string.",
    complexity: "O(1) for each operation.",
    flags: flag::READONLY | flag::FAST,
    acl: category::BITMAP,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key"), Arg::block("get-block", GET_PARTS).after("GET").many_with_token().opt()],
    ..Command::new("bitfield_ro", bitfield_ro)
};

/// What becomes of a value that does not fit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

/// One operation of a call.
struct Operation {
    action: Action,
    signed: bool,
    width: u32,
    at: usize,
    overflow: Overflow,
}

/// `i16`, `u8` ...: whether it has a sign, and its bits.
fn encoding(text: &[u8]) -> Result<(bool, u32), CommandError> {
    let (signed, digits) = match text {
        [b'i', digits @ ..] => (true, digits),
        [b'u', digits @ ..] => (false, digits),
        _ => (false, &b""[..]),
    };
    let widest = if signed { 64 } else { 63 };
    match parse_i64(digits) {
        Some(width) if (1..=widest).contains(&width) => Ok((signed, width as u32)),
        _ => Err(CommandError::Static(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        )),
    }
}

fn operations(x: &Exec<'_>) -> Result<Vec<Operation>, CommandError> {
    let (mut found, mut overflow, mut i) = (Vec::new(), Overflow::Wrap, 2);
    while i < x.argc() {
        let left = x.argc() - i - 1;
        if x.arg_is(i, "overflow") && left >= 1 {
            overflow = match x.arg(i + 1).to_ascii_lowercase().as_slice() {
                b"wrap" => Overflow::Wrap,
                b"sat" => Overflow::Saturate,
                b"fail" => Overflow::Fail,
                _ => return Err(CommandError::Static("ERR Invalid OVERFLOW type specified")),
            };
            i += 2;
            continue;
        }
        let (get, set, add) = (x.arg_is(i, "get"), x.arg_is(i, "set"), x.arg_is(i, "incrby"));
        if !(get && left >= 2 || (set || add) && left >= 3) {
            return Err(error::SYNTAX);
        }
        let (signed, width) = encoding(x.arg(i + 1))?;
        let at = offset(x.arg(i + 2), Some(width), x.env.limits.string_bytes_max)?;
        let action = match get {
            true => Action::Get,
            false if set => Action::Set(x.int(i + 3)?),
            false => Action::Add(x.int(i + 3)?),
        };
        found.push(Operation { action, signed, width, at, overflow });
        i += if get { 3 } else { 4 };
    }
    Ok(found)
}

impl Operation {
    /// The value in the field.
    fn read(&self, bytes: &[u8]) -> i64 {
        let value = bits::field(bytes, self.at, self.width);
        if self.signed { bits::signed(value, self.width) } else { value as i64 }
    }

    /// What is to be written: `wanted`, or what the overflow rule makes of it; `None` if it forbids to write.
    fn fit(&self, wanted: i128) -> Option<i64> {
        let (low, high) = if self.signed {
            (-1i128 << (self.width - 1), (1i128 << (self.width - 1)) - 1)
        } else {
            (0, (1i128 << self.width) - 1)
        };
        if (low..=high).contains(&wanted) {
            return Some(wanted as i64);
        }
        match self.overflow {
            Overflow::Fail => None,
            Overflow::Saturate => Some(wanted.clamp(low, high) as i64),
            Overflow::Wrap => {
                let value = wanted as u64 & (u64::MAX >> (64 - self.width));
                Some(if self.signed { bits::signed(value, self.width) } else { value as i64 })
            }
        }
    }

    /// Runs on bytes that reach to the end of the field, or reads from any; whether it wrote something else than was
    /// there, and whether it wrote at all.
    fn run(&self, bytes: &mut [u8], reply: &mut Reply<'_>) -> (bool, bool) {
        let old = self.read(bytes);
        let wanted = match self.action {
            Action::Get => {
                reply.int(old);
                return (false, false);
            }
            // A negative number is a very large one without a sign, as in Valkey.
            Action::Set(value) if !self.signed => i128::from(value as u64),
            Action::Set(value) => i128::from(value),
            Action::Add(more) => i128::from(old) + i128::from(more),
        };
        let Some(new) = self.fit(wanted) else {
            reply.null();
            return (false, false);
        };
        reply.int(if matches!(self.action, Action::Set(_)) { old } else { new });
        bits::set_field(bytes, self.at, self.width, new as u64);
        (old != new, true)
    }
}

/// Answers operations that only read.
fn read_all(x: &mut Exec<'_>, operations: &[Operation]) -> Result<(), CommandError> {
    let mut digits = Digits::default();
    let found = x.ks.read(x.db, x.argv.get(1));
    let string = found.map_or(Ok(&b""[..]), |found| text(found.value(), &mut digits))?;
    x.reply.array(operations.len());
    operations.iter().for_each(|operation| x.reply.int(operation.read(string)));
    Ok(())
}

fn bitfield(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let operations = operations(x)?;
    let writes = operations.iter().filter(|operation| operation.action != Action::Get);
    let Some(last) = writes.map(|operation| operation.at + operation.width as usize - 1).max() else {
        return read_all(x, &operations);
    };
    let reply = &mut x.reply;
    edit(&mut x.ks.entry_mut(x.db, x.argv.get(1)), last / 8 + 1, |bytes, grew| {
        reply.array(operations.len());
        let ran = operations.iter().map(|operation| operation.run(bytes, reply));
        ran.filter(|(changed, wrote)| *changed || grew && *wrote).count()
    })
}

fn bitfield_ro(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let operations = operations(x)?;
    if operations.iter().any(|operation| operation.action != Action::Get) {
        return Err(CommandError::Static("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read_all(x, &operations)
}
