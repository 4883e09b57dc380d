//! BITOP: a string made of others bit by bit.

use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::commands::string::value::{Digits, text, text_len};
use crate::effects::Event;
use crate::error::{self, CommandError};
use crate::exec::Exec;
use crate::keyspace::Ttl;
use crate::types::bits::{self, Operation};

/// BITOP AND | OR | XOR | NOT destkey key [key ...]
pub const BITOP: Command = Command {
    arity: -4,
    group: Group::Bitmap,
    since: "2.6.0",
    summary: "Combines strings bit by bit and stores the result.",
    complexity: "O(N) for N bytes in all strings.",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::BITMAP,
    keys: &[KeySpec::one(2, key::OW | key::UPDATE), KeySpec::range(3, -1, 1, key::RO | key::ACCESS)],
    args: &[
        Arg::one_of(
            "operation",
            &[Arg::token("and", "AND"), Arg::token("or", "OR"), Arg::token("xor", "XOR"), Arg::token("not", "NOT")],
        ),
        Arg::key("destkey"),
        Arg { key_spec: 1, ..Arg::new("key", ArgKind::Key) }.many(),
    ],
    ..Command::new("bitop", bitop)
};

const OPERATIONS: &[(&str, Operation)] =
    &[("and", Operation::And), ("or", Operation::Or), ("xor", Operation::Xor), ("not", Operation::Not)];

fn bitop(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let named = OPERATIONS.iter().find(|(name, _)| x.arg_is(1, name));
    let operation = named.map(|(_, operation)| *operation).ok_or(error::SYNTAX)?;
    if operation == Operation::Not && x.argc() != 4 {
        return Err(CommandError::Static("ERR BITOP NOT must be called with a single source key."));
    }
    for i in 3..x.argc() {
        x.ks.read(x.db, x.argv.get(i)).map_or(Ok(0), |found| text_len(&found.value()))?;
    }
    let result = combined(x, operation);
    let len = result.len();
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(2));
    if len > 0 {
        entry.set_raw(result, Ttl::Clear, Event::SET);
    } else {
        entry.remove(Event::DEL);
    }
    x.reply.count(len);
    Ok(())
}

fn combined(x: &Exec<'_>, operation: Operation) -> Vec<u8> {
    let keys = x.argv.from(3);
    let mut digits = vec![Digits::default(); keys.len()];
    let sources: Vec<&[u8]> = keys
        .iter()
        .zip(&mut digits)
        .map(|(key, digits)| {
            let found = x.ks.glance(x.db, key);
            found.map_or(&b""[..], |found| text(found.value(), digits).expect("its type was checked"))
        })
        .collect();
    bits::combine(operation, &sources)
}
