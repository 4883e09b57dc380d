//! Just enough RESP to tell where a reply ends and which elements it has.

use crate::stdx::number::parse_i64;

/// Length of the first reply in `bytes`; `None` while it is incomplete or if it is no reply.
pub fn reply_len(bytes: &[u8]) -> Option<usize> {
    let line_len = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let header = bytes.get(1..line_len)?;
    let mut end = line_len + 2;
    let children = match bytes[0] {
        b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => return Some(end),
        b'$' | b'=' | b'!' => {
            let len = parse_i64(header)?;
            let full = if len < 0 { end } else { end + usize::try_from(len).ok()? + 2 };
            return (bytes.len() >= full).then_some(full);
        }
        b'*' | b'~' | b'>' => parse_i64(header)?.max(0),
        b'%' => parse_i64(header)?.max(0) * 2,
        b'|' => parse_i64(header)?.max(0) * 2 + 1,
        _ => return None,
    };
    for _ in 0..children {
        end += reply_len(&bytes[end..])?;
    }
    Some(end)
}

/// The header of an aggregate and its elements (a map's pairs stay together), or `None` for anything else.
pub fn elements(reply: &[u8]) -> Option<(&[u8], Vec<&[u8]>)> {
    let width = match reply.first()? {
        b'*' | b'~' | b'>' => 1,
        b'%' => 2,
        _ => return None,
    };
    let mut at = reply.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let header = &reply[..at];
    let mut found = Vec::new();
    while at < reply.len() {
        let start = at;
        for _ in 0..width {
            at += reply_len(&reply[at..])?;
        }
        found.push(&reply[start..at]);
    }
    Some((header, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_where_its_last_element_ends() {
        let reply = b"*3\r\n$2\r\n\r\n\r\n%1\r\n+a\r\n_\r\n:1\r\n";
        assert_eq!(reply_len(&[reply.as_slice(), b"+more\r\n"].concat()), Some(reply.len()));
        for cut in 0..reply.len() {
            assert_eq!(reply_len(&reply[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn null_aggregates_have_no_elements() {
        assert_eq!(reply_len(b"*-1\r\n:1\r\n"), Some(5));
        assert_eq!(reply_len(b"$-1\r\n:1\r\n"), Some(5));
    }

    #[test]
    fn the_pairs_of_a_map_stay_together() {
        let (header, pairs) = elements(b"%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n").unwrap();
        assert_eq!((header, pairs), (&b"%2\r\n"[..], vec![&b"+a\r\n:1\r\n"[..], b"+b\r\n:2\r\n"]));
    }
}
