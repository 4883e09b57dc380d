//! The x86-64 `long double`, in integers: what INCRBYFLOAT and HINCRBYFLOAT compute with.
//!
//! Valkey reads the stored text and the increment as 80-bit floats (64 bits of mantissa), adds them, and prints 17 digits
//! behind the point without trailing zeros. With those extra bits `10.5 + 0.1` prints as `10.6`, where doubles would show
//! `10.59999999999999964`. Rust has no such type, but reading, adding and printing are each defined as the exact result
//! rounded once, to even on ties, so integers give the same bits: this is not an approximation of what Valkey prints.
//!
//! A number is `mantissa * 2^exponent`, negative or not. Invariant: the mantissa's top bit is set, but for zero and for
//! numbers so small that the exponent is [`EXPONENT_MIN`].

use super::number::write_u64;

/// Of the smallest number above zero.
const EXPONENT_MIN: i32 = -16445;
/// A number's top bit is worth less than two to this.
const TOP_MAX: i32 = 16384;
/// Texts of this length and more are refused, as by Valkey, which copies them to a buffer of that size.
const TEXT_BYTES_MAX: usize = 5 * 1024;
/// So many decimal digits decide the rounding, unless the rest of them is a tie or very close to one.
const DIGITS_ENOUGH: usize = 40;
/// Digits printed behind the point.
const PLACES: u32 = 17;

/// An 80-bit float that is not a NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    mantissa: u64,
    /// `i32::MAX` stands for infinity.
    exponent: i32,
}

impl LongDouble {
    const ZERO: LongDouble = LongDouble { negative: false, mantissa: 0, exponent: 0 };
    const INFINITY: LongDouble = LongDouble { negative: false, mantissa: 1 << 63, exponent: i32::MAX };

    /// Reads decimal, hexadecimal (`0x1.8p3`) and infinite numbers. None for what is no number, for `nan`, and for what is
    /// too big or, but for zero, too small.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= TEXT_BYTES_MAX {
            return None;
        }
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let magnitude = if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            LongDouble::INFINITY
        } else if let [b'0', b'x' | b'X', hex @ ..] = unsigned {
            Scientific::parse(hex, 16, b'p')?.read_hexadecimal()?
        } else {
            Scientific::parse(unsigned, 10, b'e')?.read_decimal()?
        };
        Some(LongDouble { negative, ..magnitude })
    }

    /// An integer, exactly.
    pub fn from_i64(value: i64) -> LongDouble {
        rounded(value < 0, u128::from(value.unsigned_abs()), 0, false)
    }

    /// A double, exactly. Panics on NaN.
    pub fn from_f64(value: f64) -> LongDouble {
        assert!(!value.is_nan(), "a long double here is never a NaN");
        let (bits, negative) = (value.to_bits(), value.is_sign_negative());
        let (biased, fraction) = ((bits >> 52) as i32 & 0x7ff, bits & ((1 << 52) - 1));
        match biased {
            0x7ff => LongDouble { negative, ..LongDouble::INFINITY },
            0 => rounded(negative, u128::from(fraction), -1074, false),
            _ => rounded(negative, u128::from(fraction | 1 << 52), biased - 1075, false),
        }
    }

    /// Whether it is plus or minus infinity.
    pub fn is_infinite(self) -> bool {
        self.exponent == i32::MAX
    }

    /// Mantissa and exponent.
    pub fn parts(self) -> (u64, i32) {
        (self.mantissa, self.exponent)
    }

    /// The sum, if it is finite.
    pub fn checked_add(self, other: LongDouble) -> Option<LongDouble> {
        if self.is_infinite() || other.is_infinite() {
            return None;
        }
        let (big, small) = if self.order() >= other.order() { (self, other) } else { (other, self) };
        if small.mantissa == 0 {
            return Some(big);
        }
        // One bit above for the carry, 63 below: what falls out at the bottom cannot change how the rest is rounded as
        // long as it is remembered that there was something.
        let distance = (big.exponent - small.exponent) as u32;
        let wide = u128::from(big.mantissa) << 63;
        let small_wide = u128::from(small.mantissa) << 63;
        let shifted = small_wide.checked_shr(distance).unwrap_or(0);
        let lost = shifted.checked_shl(distance).unwrap_or(0) != small_wide;
        let shifted = shifted | u128::from(lost);
        let sum = if big.negative == small.negative { wide + shifted } else { wide - shifted };
        let sum = rounded(big.negative && sum != 0, sum, big.exponent - 63, false);
        (!sum.is_infinite()).then_some(sum)
    }

    /// Sorts by magnitude: zero first, then by exponent, which decides because mantissas have their top bit set.
    fn order(self) -> (i32, u64) {
        (if self.mantissa == 0 { i32::MIN } else { self.exponent }, self.mantissa)
    }

    /// Appends the number as Valkey shows it to humans: no exponent, 17 digits behind the point, no trailing zeros.
    pub fn write_human(self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.negative {
            out.push(b'-');
        }
        if self.is_infinite() {
            return out.extend_from_slice(b"inf");
        }
        if self.exponent >= 0 {
            let mut whole = Big::from_u128(u128::from(self.mantissa));
            whole.shift_left(self.exponent as usize);
            whole.write_decimal(out);
        } else {
            self.write_fraction(out);
        }
        if out[start..] == *b"-0" {
            out.truncate(start);
            out.push(b'0');
        }
    }

    /// A number with a part behind the point; whole and part fit integers, as the exponent is negative.
    fn write_fraction(self, out: &mut Vec<u8>) {
        let places = 10u128.pow(PLACES);
        let point = self.exponent.unsigned_abs();
        let mantissa = u128::from(self.mantissa);
        let whole = mantissa.checked_shr(point).unwrap_or(0);
        let part = mantissa - whole.checked_shl(point).unwrap_or(0);
        let mut part = shift_right_to_even(part * places, point, false);
        let mut whole = whole as u64;
        if part == places {
            part = 0;
            whole += 1;
        }
        write_u64(out, whole);
        if part == 0 {
            return;
        }
        out.push(b'.');
        let mut text = [b'0'; PLACES as usize];
        for digit in text.iter_mut().rev() {
            *digit = b'0' + (part % 10) as u8;
            part /= 10;
        }
        let zeros = text.iter().rev().take_while(|&&digit| digit == b'0').count();
        out.extend_from_slice(&text[..text.len() - zeros]);
    }
}

/// `bits * 2^exponent`, a little more if `sticky`, rounded to 64 bits, or fewer for the smallest numbers.
fn rounded(negative: bool, bits: u128, exponent: i32, sticky: bool) -> LongDouble {
    if bits == 0 {
        return LongDouble { negative, ..LongDouble::ZERO };
    }
    let top = exponent + 127 - bits.leading_zeros() as i32;
    let mut lowest = (top - 63).max(EXPONENT_MIN);
    let mut mantissa = if lowest <= exponent {
        assert!(!sticky, "what is rounded has bits to spare");
        bits << (exponent - lowest)
    } else {
        shift_right_to_even(bits, (lowest - exponent) as u32, sticky)
    };
    if mantissa == 1 << 64 {
        mantissa >>= 1;
        lowest += 1;
    }
    if mantissa == 0 {
        LongDouble { negative, ..LongDouble::ZERO }
    } else if lowest + 63 >= TOP_MAX {
        LongDouble { negative, ..LongDouble::INFINITY }
    } else {
        LongDouble { negative, mantissa: mantissa as u64, exponent: lowest }
    }
}

/// `bits / 2^shift`, with something below `bits` if `sticky`, rounded to the nearest integer, to even on a tie.
fn shift_right_to_even(bits: u128, shift: u32, sticky: bool) -> u128 {
    if shift == 0 {
        return bits;
    }
    if shift > 128 {
        return 0;
    }
    let kept = bits.checked_shr(shift).unwrap_or(0);
    let rest = bits - kept.checked_shl(shift).unwrap_or(0);
    let half = 1u128 << (shift - 1);
    let up = rest > half || (rest == half && (sticky || kept & 1 == 1));
    kept + u128::from(up)
}

/// A number as it was written: digits of some base, and the power of that base's exponent.
struct Scientific {
    /// Values, not text; no leading zeros.
    digits: Vec<u8>,
    /// Digits behind the point.
    behind: i64,
    exponent: i64,
}

impl Scientific {
    fn parse(text: &[u8], base: u32, exponent_mark: u8) -> Option<Scientific> {
        let value = |byte: u8| (byte as char).to_digit(base).map(|digit| digit as u8);
        let (mut digits, mut behind, mut any, mut point) = (Vec::new(), 0, false, false);
        let mut rest = text;
        while let [byte, tail @ ..] = rest {
            match value(*byte) {
                Some(digit) => {
                    any = true;
                    behind += i64::from(point);
                    if digit > 0 || !digits.is_empty() {
                        digits.push(digit);
                    }
                }
                None if *byte == b'.' && !point => point = true,
                None => break,
            }
            rest = tail;
        }
        let exponent = match rest {
            [] => 0,
            [mark, tail @ ..] if mark.eq_ignore_ascii_case(&exponent_mark) => written_exponent(tail)?,
            _ => return None,
        };
        any.then_some(Scientific { digits, behind, exponent })
    }

    fn read_decimal(self) -> Option<LongDouble> {
        if self.digits.is_empty() {
            return Some(LongDouble::ZERO);
        }
        let exponent = self.exponent - self.behind;
        let first = exponent + self.digits.len() as i64;
        if !(-4960..=4940).contains(&first) {
            return None;
        }
        let exponent = exponent as i32;
        let number = if self.digits.len() > DIGITS_ENOUGH {
            // Rounding is monotonous: if too little and too much give the same, so does the number itself.
            let (head, tail) = self.digits.split_at(DIGITS_ENOUGH);
            let (low, cut) = (decimal(head), exponent + tail.len() as i32);
            let mut high = low.clone();
            high.multiply_add(1, 1);
            let low = scaled(low, cut);
            if low == scaled(high, cut) { low } else { scaled(decimal(&self.digits), exponent) }
        } else {
            scaled(decimal(&self.digits), exponent)
        };
        (number.mantissa != 0 && !number.is_infinite()).then_some(number)
    }

    fn read_hexadecimal(self) -> Option<LongDouble> {
        if self.digits.is_empty() {
            return Some(LongDouble::ZERO);
        }
        let (head, tail) = self.digits.split_at(self.digits.len().min(31));
        let bits = head.iter().fold(0u128, |bits, &digit| bits << 4 | u128::from(digit));
        let sticky = tail.iter().any(|&digit| digit != 0);
        let exponent = self.exponent + 4 * (tail.len() as i64 - self.behind);
        if !(-20000..=20000).contains(&exponent) {
            return None;
        }
        // The lowest bit can stand for all below it: there are more than enough between it and the mantissa.
        let number = rounded(false, bits << 1 | u128::from(sticky), exponent as i32 - 1, false);
        (number.mantissa != 0 && !number.is_infinite()).then_some(number)
    }
}

/// Digits behind `e` or `p`, with a sign or without; far out of range is as good as further out.
fn written_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1_000_000));
    Some(if negative { -value } else { value })
}

fn decimal(digits: &[u8]) -> Big {
    let mut big = Big::from_u128(0);
    for chunk in digits.chunks(9) {
        let value = chunk.iter().fold(0u32, |value, &digit| value * 10 + u32::from(digit));
        big.multiply_add(10u32.pow(chunk.len() as u32), value);
    }
    big
}

/// `big * 10^exponent`, rounded.
fn scaled(mut big: Big, exponent: i32) -> LongDouble {
    let fives = exponent.unsigned_abs();
    if exponent >= 0 {
        big.times_power_of_five(fives);
        let (bits, shift, sticky) = big.top();
        return rounded(false, bits, shift + exponent, sticky);
    }
    // 5^13 has 30.2 bits: room for the quotient's 64 bits and more, whatever the divisor.
    let spare = (fives as usize * 31 / 13 + 130).saturating_sub(big.bit_len());
    big.shift_left(spare);
    let inexact = big.divide_by_power_of_five(fives);
    let (bits, shift, sticky) = big.top();
    rounded(false, bits, shift + exponent - spare as i32, sticky || inexact)
}

/// A natural number of any size, lowest limb first.
#[derive(Clone)]
struct Big(Vec<u32>);

const FIVE_13: u32 = 5u32.pow(13);

impl Big {
    fn from_u128(value: u128) -> Big {
        Big((0..4).map(|limb| (value >> (32 * limb)) as u32).collect())
    }

    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    /// Divides; gives back the rest.
    fn divide(&mut self, divisor: u32) -> u32 {
        let mut rest = 0u64;
        for limb in self.0.iter_mut().rev() {
            rest = rest << 32 | u64::from(*limb);
            *limb = (rest / u64::from(divisor)) as u32;
            rest %= u64::from(divisor);
        }
        self.trim();
        rest as u32
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn times_power_of_five(&mut self, power: u32) {
        (0..power / 13).for_each(|_| self.multiply_add(FIVE_13, 0));
        self.multiply_add(5u32.pow(power % 13), 0);
    }

    /// Divides, forgetting the rest; whether there was one.
    fn divide_by_power_of_five(&mut self, power: u32) -> bool {
        let mut inexact = false;
        (0..power / 13).for_each(|_| inexact |= self.divide(FIVE_13) != 0);
        inexact | (self.divide(5u32.pow(power % 13)) != 0)
    }

    fn shift_left(&mut self, bits: usize) {
        self.multiply_add(1 << (bits % 32), 0);
        self.0.splice(0..0, std::iter::repeat_n(0, bits / 32));
    }

    fn bit_len(&self) -> usize {
        let top = self.0.iter().rposition(|&limb| limb != 0);
        top.map_or(0, |top| top * 32 + 32 - self.0[top].leading_zeros() as usize)
    }

    /// The highest limbs as bits, how far they are to be shifted, and whether there is anything below them.
    fn top(mut self) -> (u128, i32, bool) {
        self.trim();
        let below = self.0.len().saturating_sub(4);
        let bits = self.0[below..].iter().rev().fold(0u128, |bits, &limb| bits << 32 | u128::from(limb));
        (bits, below as i32 * 32, self.0[..below].iter().any(|&limb| limb != 0))
    }

    fn write_decimal(mut self, out: &mut Vec<u8>) {
        let mut chunks = Vec::new();
        self.trim();
        while !self.0.is_empty() {
            chunks.push(self.divide(1_000_000_000));
        }
        write_u64(out, u64::from(chunks.pop().unwrap_or(0)));
        for chunk in chunks.into_iter().rev() {
            out.extend_from_slice(format!("{chunk:09}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(left: &str, right: &str) -> String {
        let number = |text: &str| LongDouble::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} is a number"));
        shown(number(left).checked_add(number(right)).expect("the sum is finite"))
    }

    fn shown(value: LongDouble) -> String {
        let mut out = Vec::new();
        value.write_human(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sums_look_as_one_would_write_them() {
        for (left, right, expected) in [
            ("10.5", "0.1", "10.6"),
            ("10.6", "-5", "5.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3.0e3", "0", "3000"),
            ("0.1", "0.2", "0.3"),
            ("1", "-1", "0"),
            ("-0.0", "-0.0", "0"),
            ("-1e-30", "0", "0"),
            ("1e20", "0.5", "100000000000000000000"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("1e-17", "0", "0.00000000000000001"),
            ("0x10", "0x.8p1", "17"),
            ("1e30", "1", "1000000000000000000024696061952"),
            ("1e22", "1e-22", "10000000000000000000000"),
        ] {
            assert_eq!(sum(left, right), expected, "{left} + {right}");
        }
    }

    #[test]
    fn what_is_no_number_or_out_of_range_is_refused() {
        for text in ["", " 1", "1 ", "abc", "nan", "-nan", "1e", "1e+", ".", "0x", "0xp1", "1e5000", "-1e4933", "1e-5000", "0x1p16384", "0x1p99999", "1.2.3", "1_0"] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(LongDouble::parse(&[b'0'; TEXT_BYTES_MAX]), None);
        assert!(LongDouble::parse(&[b'0'; TEXT_BYTES_MAX - 1]).is_some());
        assert!(LongDouble::parse(b"-Infinity").unwrap().is_infinite());
        assert_eq!(LongDouble::parse(b"inf").unwrap().checked_add(LongDouble::ZERO), None);
        let big = LongDouble::parse(b"1e4932").unwrap();
        assert_eq!(big.checked_add(big), None);
    }

    #[test]
    fn edges_of_the_range_round_as_the_hardware_does() {
        assert_eq!(LongDouble::parse(b"3.6e-4951").unwrap().parts(), (1, EXPONENT_MIN));
        assert_eq!(LongDouble::parse(b"1.8e-4951"), None);
        assert_eq!(LongDouble::parse(b"18446744073709551616").unwrap().parts(), (1 << 63, 1));
        assert_eq!(LongDouble::parse(b"18446744073709551615").unwrap().parts(), (u64::MAX, 0));
        // 2^65 + 2 is halfway between two numbers: to the even one, unless anything at all is behind it.
        assert_eq!(LongDouble::parse(b"36893488147419103234").unwrap().parts(), (1 << 63, 2));
        let tie = format!("36893488147419103234.{}", "0".repeat(500));
        assert_eq!(LongDouble::parse(tie.as_bytes()).unwrap().parts(), (1 << 63, 2));
        let past_tie = format!("36893488147419103234.{}1", "0".repeat(500));
        assert_eq!(LongDouble::parse(past_tie.as_bytes()).unwrap().parts(), ((1 << 63) + 1, 2));
    }

    #[test]
    fn doubles_and_integers_come_over_exactly() {
        assert_eq!(shown(LongDouble::from_f64(0.1)), "0.10000000000000001");
        assert_eq!(shown(LongDouble::from_f64(13.361389338970184)), "13.36138933897018433");
        assert_eq!(shown(LongDouble::from_f64(-1.5)), "-1.5");
        assert_eq!(shown(LongDouble::from_f64(f64::NEG_INFINITY)), "-inf");
        assert_eq!(shown(LongDouble::from_i64(i64::MIN)), i64::MIN.to_string());
        assert_eq!(shown(LongDouble::from_f64(f64::MAX)), format!("{:.0}", f64::MAX));
    }
}
