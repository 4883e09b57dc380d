//! SHA-1, the name scripts are known by. Not for secrets.

/// The digest of `bytes`.
pub fn digest(bytes: &[u8]) -> [u8; 20] {
    let mut state = [0x6745_2301u32, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    let mut blocks = bytes.chunks_exact(64);
    for block in &mut blocks {
        absorb(&mut state, block.try_into().expect("64 bytes"));
    }
    let rest = blocks.remainder();
    let mut last = [0u8; 128];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let end = if rest.len() < 56 { 64 } else { 128 };
    last[end - 8..end].copy_from_slice(&(bytes.len() as u64 * 8).to_be_bytes());
    for block in last[..end].chunks_exact(64) {
        absorb(&mut state, block.try_into().expect("64 bytes"));
    }
    let mut out = [0u8; 20];
    for (to, word) in out.chunks_exact_mut(4).zip(state) {
        to.copy_from_slice(&word.to_be_bytes());
    }
    out
}

/// The digest as 40 hexadecimal digits.
pub fn hex(bytes: &[u8]) -> [u8; 40] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0u8; 40];
    for (to, byte) in out.chunks_exact_mut(2).zip(digest(bytes)) {
        to[0] = DIGITS[usize::from(byte >> 4)];
        to[1] = DIGITS[usize::from(byte & 15)];
    }
    out
}

fn absorb(state: &mut [u32; 5], block: &[u8; 64]) {
    let mut w = [0u32; 80];
    for (to, from) in w.iter_mut().zip(block.chunks_exact(4)) {
        *to = u32::from_be_bytes(from.try_into().expect("four bytes"));
    }
    for i in 16..80 {
        w[i] = (w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16]).rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (i, word) in w.iter().enumerate() {
        let (f, k) = match i {
            0..20 => (b & c | !b & d, 0x5A82_7999),
            20..40 => (b ^ c ^ d, 0x6ED9_EBA1),
            40..60 => (b & c | b & d | c & d, 0x8F1B_BCDC),
            _ => (b ^ c ^ d, 0xCA62_C1D6u32),
        };
        let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(*word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    for (to, from) in state.iter_mut().zip([a, b, c, d, e]) {
        *to = to.wrapping_add(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_of_the_standard_come_out() {
        let text = |bytes: &[u8]| String::from_utf8(hex(bytes).to_vec()).unwrap();
        assert_eq!(text(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(text(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(text(long), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        assert_eq!(text(&[b'a'; 1_000_000]), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    }
}
