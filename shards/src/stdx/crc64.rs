//! CRC-64 by Jones, the checksum of DUMP payloads and RDB files (polynomial 0xad93d23594c935a9, reflected, initial value
//! 0).
//!
//! Eight tables let a step take eight bytes at a time.

/// The polynomial, its bits in the order in which a reflected checksum meets them.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut t = [[0u64; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 != 0 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
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
            t[k][i] = (prev >> 8) ^ t[0][(prev & 0xff) as usize];
            i += 1;
        }
        k += 1;
    }
    t
}

/// The checksum of what had the checksum `crc` (0: of nothing), followed by `bytes`.
pub fn crc64(crc: u64, bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut crc = crc;
    for chunk in chunks {
        let word = (crc ^ u64::from_le_bytes(*chunk)).to_le_bytes();
        crc = (0..8).fold(0, |sum, i| sum ^ TABLES[7 - i][usize::from(word[i])]);
    }
    for byte in rest {
        crc = TABLES[0][usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_is_that_of_redis() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(0, b""), 0);
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut() {
        let bytes: Vec<u8> = (0..100u32).map(|i| (i * 37) as u8).collect();
        let whole = crc64(0, &bytes);
        for cut in 0..=bytes.len() {
            assert_eq!(crc64(crc64(0, &bytes[..cut]), &bytes[cut..]), whole);
        }
    }
}
