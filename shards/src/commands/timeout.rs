//! The timeout of a blocking command: seconds with a fraction, 0 for ever.

use crate::error::CommandError;
use crate::exec::Exec;
use crate::stdx::number;

const NOT_A_FLOAT: CommandError = CommandError::Static("ERR timeout is not a float or out of range");
const OUT_OF_RANGE: CommandError = CommandError::Static("ERR timeout is out of range");
const NEGATIVE: CommandError = CommandError::Static("ERR timeout is negative");

/// Argument `i` as the time when the call gives up, unix milliseconds; `None`: never.
pub fn deadline_ms(x: &Exec<'_>, i: usize) -> Result<Option<i64>, CommandError> {
    let number = number::parse_f64(x.arg(i)).or_else(|| number::parse_hex_f64(x.arg(i)));
    let seconds = number.filter(|s| !s.is_nan()).ok_or(NOT_A_FLOAT)?;
    let ms = (seconds * 1000.0).ceil();
    if ms >= i64::MAX as f64 {
        return Err(OUT_OF_RANGE);
    }
    match ms as i64 {
        ..0 => Err(NEGATIVE),
        0 => Ok(None),
        ms => ms.checked_add(x.now_ms()).map(Some).ok_or(OUT_OF_RANGE),
    }
}
