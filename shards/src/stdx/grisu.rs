//! The digits of a double: few, and enough to read the same double back. Grisu2, from Florian Loitsch, "Printing
//! Floating-Point Numbers Quickly and Accurately with Integers" (PLDI 2010).
//!
//! The double and the middle of the way to its neighbours are scaled by a power of ten, known to 64 bits, so that digits
//! can be taken off with integer arithmetic until what is left no longer matters. In one of a thousand cases the result is
//! not the shortest possible, and that is why this is here: Valkey prints by the same algorithm, scores and all, while
//! the standard library's digits are always the shortest. Same scaling, same rounding of the last digit, same digits.

/// 10^-348, 10^-340, ... 10^340: the top 64 bits, rounded. Their binary exponents follow from the decimal ones.
const POWERS: [u64; 87] = [
    0xfa8fd5a0081c0288, 0xbaaee17fa23ebf76, 0x8b16fb203055ac76, 0xcf42894a5dce35ea, 0x9a6bb0aa55653b2d,
    0xe61acf033d1a45df, 0xab70fe17c79ac6ca, 0xff77b1fcbebcdc4f, 0xbe5691ef416bd60c, 0x8dd01fad907ffc3c,
    0xd3515c2831559a83, 0x9d71ac8fada6c9b5, 0xea9c227723ee8bcb, 0xaecc49914078536d, 0x823c12795db6ce57,
    0xc21094364dfb5637, 0x9096ea6f3848984f, 0xd77485cb25823ac7, 0xa086cfcd97bf97f4, 0xef340a98172aace5,
    0xb23867fb2a35b28e, 0x84c8d4dfd2c63f3b, 0xc5dd44271ad3cdba, 0x936b9fcebb25c996, 0xdbac6c247d62a584,
    0xa3ab66580d5fdaf6, 0xf3e2f893dec3f126, 0xb5b5ada8aaff80b8, 0x87625f056c7c4a8b, 0xc9bcff6034c13053,
    0x964e858c91ba2655, 0xdff9772470297ebd, 0xa6dfbd9fb8e5b88f, 0xf8a95fcf88747d94, 0xb94470938fa89bcf,
    0x8a08f0f8bf0f156b, 0xcdb02555653131b6, 0x993fe2c6d07b7fac, 0xe45c10c42a2b3b06, 0xaa242499697392d3,
    0xfd87b5f28300ca0e, 0xbce5086492111aeb, 0x8cbccc096f5088cc, 0xd1b71758e219652c, 0x9c40000000000000,
    0xe8d4a51000000000, 0xad78ebc5ac620000, 0x813f3978f8940984, 0xc097ce7bc90715b3, 0x8f7e32ce7bea5c70,
    0xd5d238a4abe98068, 0x9f4f2726179a2245, 0xed63a231d4c4fb27, 0xb0de65388cc8ada8, 0x83c7088e1aab65db,
    0xc45d1df942711d9a, 0x924d692ca61be758, 0xda01ee641a708dea, 0xa26da3999aef774a, 0xf209787bb47d6b85,
    0xb454e4a179dd1877, 0x865b86925b9bc5c2, 0xc83553c5c8965d3d, 0x952ab45cfa97a0b3, 0xde469fbd99a05fe3,
    0xa59bc234db398c25, 0xf6c69a72a3989f5c, 0xb7dcbf5354e9bece, 0x88fcf317f22241e2, 0xcc20ce9bd35c78a5,
    0x98165af37b2153df, 0xe2a0b5dc971f303a, 0xa8d9d1535ce3b396, 0xfb9b7cd9a4a7443c, 0xbb764c4ca7a44410,
    0x8bab8eefb6409c1a, 0xd01fef10a657842c, 0x9b10a4e5e9913129, 0xe7109bfba19c0c9d, 0xac2820d9623bf429,
    0x80444b5e7aa7cf85, 0xbf21e44003acdd2d, 0x8e679c2f5e44ff8f, 0xd433179d9c8cb841, 0x9e19db92b4e31ba9,
    0xeb96bf6ebadf77d9, 0xaf87023b9bf0ee6b,
];
const POWERS_FIRST: i32 = -348;
const POWERS_STEP: i32 = 8;
/// After scaling, a double's binary exponent is within these, so that its whole part has 32 bits at most.
const SCALED_MIN: i32 = -60;
const SCALED_MAX: i32 = -32;

const FRACTION_BITS: i32 = 52;
const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;

/// Digits without leading zero, and the power of ten to multiply them with.
#[derive(Clone, Copy, Debug)]
pub struct Digits {
    digits: [u8; 20],
    count: usize,
    /// The power of ten.
    pub exponent: i32,
}

impl Digits {
    /// The digits as text.
    pub fn text(&self) -> &[u8] {
        &self.digits[..self.count]
    }

    fn push(&mut self, digit: u64) {
        if digit > 0 || self.count > 0 {
            self.digits[self.count] = b'0' + digit as u8;
            self.count += 1;
        }
    }

    /// Lowers the last digit while that brings the number closer to the double. All measured from the upper bound: `rest`
    /// is where the digits end, `target` the double, `delta` the lower bound, `unit` the last digit's worth.
    fn settle(&mut self, delta: u64, mut rest: u64, unit: u64, target: u64) {
        while rest < target
            && delta - rest >= unit
            && (rest + unit < target || target - rest > rest.wrapping_add(unit).wrapping_sub(target))
        {
            self.digits[self.count - 1] -= 1;
            rest += unit;
        }
    }
}

/// `fraction` times two to the `exponent`.
#[derive(Clone, Copy)]
struct Binary {
    fraction: u64,
    exponent: i32,
}

impl Binary {
    fn normalized(self) -> Binary {
        let shift = self.fraction.leading_zeros();
        Binary { fraction: self.fraction << shift, exponent: self.exponent - shift as i32 }
    }

    fn times(self, other: Binary) -> Binary {
        let product = u128::from(self.fraction) * u128::from(other.fraction) + (1 << 63);
        Binary { fraction: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// The digits of `magnitude`, which is positive and finite.
pub fn digits(magnitude: f64) -> Digits {
    assert!(magnitude > 0.0 && magnitude.is_finite(), "only those have digits");
    let bits = magnitude.to_bits();
    let biased = (bits >> FRACTION_BITS) as i32;
    let fraction = bits & (HIDDEN_BIT - 1);
    let value = match biased {
        0 => Binary { fraction, exponent: -1074 },
        _ => Binary { fraction: fraction | HIDDEN_BIT, exponent: biased - 1075 },
    };
    let upper = Binary { fraction: value.fraction * 2 + 1, exponent: value.exponent - 1 }.normalized();
    // Below a power of two the neighbour is only half as far.
    let shift = if value.fraction == HIDDEN_BIT { 2 } else { 1 };
    let lower = Binary { fraction: (value.fraction << shift) - 1, exponent: value.exponent - shift };
    let lower = Binary { fraction: lower.fraction << (lower.exponent - upper.exponent), exponent: upper.exponent };

    let (power, decimal) = power_for(upper.exponent);
    let (mut upper, mut lower) = (upper.times(power), lower.times(power));
    // The products may be off by one: stay on the safe side.
    upper.fraction -= 1;
    lower.fraction += 1;
    take_digits(value.normalized().times(power), upper, lower, -decimal)
}

/// A power of ten that brings a number of that exponent into the range for taking digits, and its decimal exponent.
fn power_for(exponent: i32) -> (Binary, i32) {
    let estimate = (f64::from(-(exponent + POWERS.len() as i32)) * std::f64::consts::LOG10_2) as i32;
    let mut index = (estimate - POWERS_FIRST) / POWERS_STEP;
    loop {
        let decimal = POWERS_FIRST + index * POWERS_STEP;
        // 217706 / 65536 is log2(10), close enough for all of the table.
        let power = Binary { fraction: POWERS[index as usize], exponent: ((decimal * 217706) >> 16) - 63 };
        let scaled = exponent + power.exponent + 64;
        if scaled < SCALED_MIN {
            index += 1;
        } else if scaled > SCALED_MAX {
            index -= 1;
        } else {
            return (power, decimal);
        }
    }
}

/// Takes digits off `upper` until what is left is less than the way to `lower`.
fn take_digits(value: Binary, upper: Binary, lower: Binary, exponent: i32) -> Digits {
    let mut digits = Digits { digits: [0; 20], count: 0, exponent };
    let target = upper.fraction - value.fraction;
    let mut delta = upper.fraction - lower.fraction;
    let point = -upper.exponent;
    let one = 1u64 << point;
    let mut whole = upper.fraction >> point;
    let mut part = upper.fraction & (one - 1);

    for place in (0..10).rev() {
        let unit = 10u64.pow(place);
        digits.push(whole / unit);
        whole %= unit;
        let rest = (whole << point) + part;
        if rest <= delta {
            digits.exponent += place as i32;
            digits.settle(delta, rest, unit << point, target);
            return digits;
        }
    }
    let mut scale = 1u64;
    loop {
        part *= 10;
        delta = delta.wrapping_mul(10);
        scale = scale.wrapping_mul(10);
        digits.exponent -= 1;
        digits.push(part >> point);
        part &= one - 1;
        if part < delta {
            digits.settle(delta, part, one, target.wrapping_mul(scale));
            return digits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::long_double::LongDouble;

    #[test]
    fn the_powers_of_ten_are_rounded_right() {
        for (index, &fraction) in POWERS.iter().enumerate() {
            let decimal = POWERS_FIRST + index as i32 * POWERS_STEP;
            let exact = LongDouble::parse(format!("1e{decimal}").as_bytes()).unwrap();
            assert_eq!((fraction, ((decimal * 217706) >> 16) - 63), exact.parts(), "10^{decimal}");
        }
    }

    #[test]
    fn digits_read_back_as_the_same_double() {
        let mut bits = 1u64;
        for _ in 0..200_000 {
            bits = bits.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let value = f64::from_bits(bits).abs();
            if value == 0.0 || !value.is_finite() {
                continue;
            }
            let digits = digits(value);
            let text = format!("{}e{}", std::str::from_utf8(digits.text()).unwrap(), digits.exponent);
            assert_eq!(text.parse::<f64>().unwrap(), value, "{text}");
        }
    }

    #[test]
    fn known_digits() {
        assert_eq!(digits(5e-324).text(), b"5");
        assert_eq!(digits(0.1).text(), b"1");
        assert_eq!(digits(f64::MAX).text(), b"17976931348623157");
    }

    #[test]
    fn not_always_the_shortest_and_that_is_the_point() {
        let mut bits = 1u64;
        let mut longer = 0;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let value = f64::from_bits(bits >> 2 & !(1 << 63));
            if value > 0.0 && value.is_finite() {
                let shortest = format!("{value:e}").bytes().take_while(|&byte| byte != b'e').filter(u8::is_ascii_digit).count();
                longer += usize::from(digits(value).text().len() > shortest);
            }
        }
        assert!((1..1000).contains(&longer), "{longer} of a hundred thousand");
    }
}
