//! CRC-16/XMODEM, the checksum behind hash slots (polynomial 0x1021, no reflection, initial value 0).
//!
//! Eight tables let a step take eight bytes at a time: a 16-byte key costs two steps instead of sixteen.

const TABLES: [[u16; 256]; 8] = tables();

const fn tables() -> [[u16; 256]; 8] {
    let mut t = [[0u16; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut crc = (i as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 };
            bit += 1;
        }
        t[0][i] = crc;
        i += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut i = 0;
        while i < 256 {
            let prev = t[k - 1][i];
            t[k][i] = (prev << 8) ^ t[0][(prev >> 8) as usize];
            i += 1;
        }
        k += 1;
    }
    t
}

/// The checksum of `bytes`.
#[inline]
pub fn crc16(bytes: &[u8]) -> u16 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut crc = 0u16;
    for c in chunks {
        let head = crc ^ u16::from_be_bytes([c[0], c[1]]);
        crc = TABLES[7][(head >> 8) as usize]
            ^ TABLES[6][(head & 0xff) as usize]
            ^ TABLES[5][c[2] as usize]
            ^ TABLES[4][c[3] as usize]
            ^ TABLES[3][c[4] as usize]
            ^ TABLES[2][c[5] as usize]
            ^ TABLES[1][c[6] as usize]
            ^ TABLES[0][c[7] as usize];
    }
    for b in rest {
        crc = (crc << 8) ^ TABLES[0][((crc >> 8) as u8 ^ b) as usize];
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_check_value_and_the_plain_loop() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        let plain = |b: &[u8]| b.iter().fold(0u16, |c, x| (c << 8) ^ TABLES[0][((c >> 8) as u8 ^ x) as usize]);
        let bytes: Vec<u8> = (0..200u32).map(|i| (i * 37 % 251) as u8).collect();
        for n in 0..bytes.len() {
            assert_eq!(crc16(&bytes[..n]), plain(&bytes[..n]));
        }
    }
}
