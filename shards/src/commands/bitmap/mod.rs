//! Strings as bits: SETBIT, BITFIELD and their relatives.
//!
//! `bit` sets and reads single bits, `count` counts and searches them, `combine` is BITOP, `field` is BITFIELD.

mod bit;
mod combine;
mod count;
mod field;

use crate::command::ShardRun;
use crate::commands::string::value::{Digits, reserve, text, text_len};
use crate::effects::{Event, EventClass};
use crate::error::CommandError;
use crate::keyspace::table::Value;
use crate::keyspace::{EntryMut, Ttl};
use crate::stdx::number::parse_i64;
use crate::types::{Object, tag};

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [
        count::BITCOUNT,
        field::BITFIELD,
        field::BITFIELD_RO,
        combine::BITOP,
        count::BITPOS,
        bit::GETBIT,
        bit::SETBIT,
    ]
}

const BITS_SET: Event = Event::new(EventClass::String, "setbit");
const BAD_OFFSET: CommandError = CommandError::Static("ERR bit offset is not an integer or out of range");

/// The bit offset that `text` spells, in a string of at most `bytes_max` bytes. `width`: `#n` means n integers of so many
/// bits.
fn offset(text: &[u8], width: Option<u32>, bytes_max: usize) -> Result<usize, CommandError> {
    let (digits, unit) = match (text, width) {
        ([b'#', digits @ ..], Some(width)) => (digits, i64::from(width)),
        _ => (text, 1),
    };
    let at = parse_i64(digits).and_then(|n| n.checked_mul(unit)).and_then(|n| usize::try_from(n).ok());
    at.filter(|at| at / 8 < bytes_max).ok_or(BAD_OFFSET)
}

/// Lets `change` edit the bytes of a string (a missing one is empty), filled up with zeros to `len`. It is told whether the
/// string grew and says how many changes it made; if none, the string stays as it was, its length included.
fn edit(
    entry: &mut EntryMut<'_>, len: usize, change: impl FnOnce(&mut [u8], bool) -> usize,
) -> Result<(), CommandError> {
    let old = entry.value().map_or(Ok(0), |value| text_len(&value))?;
    let grows = len > old;
    if matches!(entry.value(), Some(Value::Object(_))) {
        entry.edit_counted(BITS_SET, |object| {
            #[allow(irrefutable_let_patterns)]
            let Object::String(string) = object else { unreachable!("its type was checked") };
            if grows {
                reserve(string, len);
                string.resize(len, 0);
            }
            let changes = change(string, grows);
            if changes == 0 {
                string.truncate(old);
            }
            changes
        });
        return Ok(());
    }
    let mut digits = Digits::default();
    let mut bytes = Vec::with_capacity(len.max(old));
    bytes.extend_from_slice(entry.value().map_or(Ok(&b""[..]), |value| text(value, &mut digits))?);
    bytes.resize(len.max(old), 0);
    let changes = change(&mut bytes, grows);
    if changes == 0 {
        return Ok(());
    }
    if !grows && entry.tag() == Some(tag::STRING_RAW) {
        entry.edit_bytes(BITS_SET).expect("it is inline").copy_from_slice(&bytes);
    } else {
        entry.set_raw(bytes, Ttl::Keep, BITS_SET);
    }
    entry.count_more(changes - 1);
    Ok(())
}
