//! BITCOUNT and BITPOS: counting and finding bits in a string or a part of it, given in bytes or in bits.

use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::commands::string::value::{Digits, text};
use crate::error::{self, CommandError};
use crate::exec::Exec;
use crate::types::bits;

const RANGE: Arg = Arg::block(
    "range",
    &[
        Arg::new("start", ArgKind::Integer),
        Arg::block(
            "end-unit-block",
            &[
                Arg::new("end", ArgKind::Integer),
                Arg::one_of("unit", &[Arg::token("byte", "BYTE"), Arg::token("bit", "BIT")]).opt().since("7.0.0"),
            ],
        )
        .opt(),
    ],
)
.opt();

/// BITCOUNT key [start [end [BYTE | BIT]]]
pub const BITCOUNT: Command = Command {
    arity: -2,
    group: Group::Bitmap,
    since: "2.6.0",
    summary: "Counts the set bits of a string or of a part of it.",
    complexity: "O(N) for N bytes looked at.",
    history: &[
        ("7.0.0", "Takes the unit, `BYTE` or `BIT`."),
        ("8.0.0", "`end` may be left out: to the last byte."),
    ],
    flags: flag::READONLY,
    acl: category::BITMAP,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key"), RANGE],
    ..Command::new("bitcount", bitcount)
};

/// BITPOS key bit [start [end [BYTE | BIT]]]
pub const BITPOS: Command = Command {
    arity: -3,
    group: Group::Bitmap,
    since: "2.8.7",
    summary: "Finds the first set or clear bit of a string or of a part of it.",
    complexity: "O(N) for N bytes looked at.",
    history: &[("7.0.0", "Takes the unit, `BYTE` or `BIT`.")],
    flags: flag::READONLY,
    acl: category::BITMAP,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key"), Arg::new("bit", ArgKind::Integer), RANGE],
    ..Command::new("bitpos", bitpos)
};

/// The part of a string that a call names.
struct Range {
    start: i64,
    end: Option<i64>,
    in_bits: bool,
}

impl Range {
    /// Reads the range from argument `first` on.
    fn parse(x: &Exec<'_>, first: usize) -> Result<Range, CommandError> {
        let given = x.argc() - first;
        if given > 3 {
            return Err(error::SYNTAX);
        }
        let start = if given > 0 { x.int(first)? } else { 0 };
        let in_bits = given == 3 && x.arg_is(first + 2, "bit");
        if given == 3 && !in_bits && !x.arg_is(first + 2, "byte") {
            return Err(error::SYNTAX);
        }
        let end = if given > 1 { Some(x.int(first + 1)?) } else { None };
        Ok(Range { start, end, in_bits })
    }

    /// First and last bit in a string of `len` bytes; `None` if the range is empty.
    fn bits(&self, len: usize) -> Option<(usize, usize)> {
        // A string is far shorter than i64::MAX bits, so nothing overflows: only negative numbers are added to.
        let units = if self.in_bits { len * 8 } else { len } as i64;
        let place = |at: i64| if at < 0 { (units + at).max(0) } else { at };
        let (start, end) = (place(self.start), place(self.end.unwrap_or(units - 1)).min(units - 1));
        if start > end || units == 0 {
            return None;
        }
        let (start, end) = (start as usize, end as usize);
        Some(if self.in_bits { (start, end) } else { (start * 8, end * 8 + 7) })
    }
}

fn bitcount(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let range = Range::parse(x, 2)?;
    let mut digits = Digits::default();
    let found = x.ks.read(x.db, x.argv.get(1));
    let string = found.map_or(Ok(&b""[..]), |found| text(found.value(), &mut digits))?;
    let reversed = range.start < 0 && range.end.is_some_and(|end| end < 0 && range.start > end);
    let part = range.bits(string.len()).filter(|_| !reversed);
    x.reply.int(part.map_or(0, |(first, last)| bits::count_range(string, first, last)) as i64);
    Ok(())
}

fn bitpos(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let bit = match x.int(2)? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::Static("ERR The bit argument must be 1 or 0.")),
    };
    let range = Range::parse(x, 3)?;
    let mut digits = Digits::default();
    let Some(found) = x.ks.read(x.db, x.argv.get(1)) else {
        // What is not there is zeros without end.
        x.reply.int(if bit { -1 } else { 0 });
        return Ok(());
    };
    let string = text(found.value(), &mut digits)?;
    let place = range.bits(string.len()).and_then(|(first, last)| {
        let found = bits::find(string, first, last, bit);
        // Without an end, the zeros behind the string count.
        found.or(if bit || range.end.is_some() { None } else { Some(last + 1) })
    });
    x.reply.int(place.map_or(-1, |at| at as i64));
    Ok(())
}
