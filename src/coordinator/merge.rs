//! The replies of several shards, put together into the one reply the client expects.

use shards::command::Merge;

/// Where each element of a split call's reply came from: for every key of the call, in order, (part, place in the part).
pub type Places = Vec<(usize, usize)>;

/// Puts replies together. The first error among them is the reply.
pub fn merge(how: Merge, parts: &[Vec<u8>], places: &Places) -> Vec<u8> {
    if let Some(error) = parts.iter().find(|p| p.first() == Some(&b'-')) {
        return error.clone();
    }
    match how {
        Merge::Same => parts.first().cloned().unwrap_or_default(),
        Merge::Sum => {
            let sum: i64 = parts.iter().map(|p| integer(p)).sum();
            format!(":{sum}\r\n").into_bytes()
        }
        Merge::ByKey => {
            let split: Vec<Vec<&[u8]>> = parts.iter().map(|p| elements(p)).collect();
            let mut out = header(b'*', places.len());
            for (part, place) in places {
                out.extend_from_slice(split[*part][*place]);
            }
            out
        }
        // A shard that is alone needs nobody to add up.
        Merge::Digest if parts.len() == 1 => parts[0].clone(),
        Merge::Digest => {
            let hex = shards::commands::database::digest::whole(parts.iter().map(|p| bulk(p)));
            format!("+{hex}\r\n").into_bytes()
        }
        Merge::Concat => {
            let split: Vec<Vec<&[u8]>> = parts.iter().map(|p| elements(p)).collect();
            let kind = parts.first().map_or(b'*', |p| p[0]);
            let mut out = header(kind, split.iter().map(Vec::len).sum());
            split.iter().flatten().for_each(|e| out.extend_from_slice(e));
            out
        }
    }
}

/// True for the null replies of both protocols.
pub fn is_null(reply: &[u8]) -> bool {
    matches!(reply, b"$-1\r\n" | b"*-1\r\n" | b"_\r\n")
}

fn header(kind: u8, count: usize) -> Vec<u8> {
    let mut out = vec![kind];
    shards::stdx::number::write_u64(&mut out, count as u64);
    out.extend_from_slice(b"\r\n");
    out
}

fn integer(reply: &[u8]) -> i64 {
    assert_eq!(reply.first(), Some(&b':'), "a summed command answers an integer");
    line_number(reply)
}

/// The number in the first line, behind its type byte.
fn line_number(reply: &[u8]) -> i64 {
    let end = memchr::memchr(b'\r', reply).expect("a reply is whole");
    shards::stdx::number::parse_i64(&reply[1..end]).expect("our own replies hold our own numbers")
}

/// The bytes of a bulk string.
fn bulk(reply: &[u8]) -> &[u8] {
    assert_eq!(reply.first(), Some(&b'$'), "shards answer with their sums");
    let begin = memchr::memchr(b'\n', reply).expect("a reply is whole") + 1;
    &reply[begin..begin + line_number(reply) as usize]
}

/// The elements of an aggregate reply.
fn elements(reply: &[u8]) -> Vec<&[u8]> {
    let count = usize::try_from(line_number(reply)).unwrap_or(0);
    let mut at = memchr::memchr(b'\n', reply).expect("a reply is whole") + 1;
    (0..count)
        .map(|_| {
            let len = reply_len(&reply[at..]);
            at += len;
            &reply[at - len..at]
        })
        .collect()
}

/// Length of the first reply in `bytes`, which holds it whole.
pub fn reply_len(bytes: &[u8]) -> usize {
    let line = memchr::memchr(b'\n', bytes).expect("a reply is whole") + 1;
    match bytes[0] {
        b'$' | b'=' | b'!' => match line_number(bytes) {
            -1 => line,
            len => line + len as usize + 2,
        },
        b'*' | b'~' | b'>' | b'%' | b'|' => {
            let per = if matches!(bytes[0], b'%' | b'|') { 2 } else { 1 };
            let extra = usize::from(bytes[0] == b'|'); // an attribute is followed by what it describes
            let count = usize::try_from(line_number(bytes)).unwrap_or(0) * per + extra;
            (0..count).fold(line, |at, _| at + reply_len(&bytes[at..]))
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(list: &[&str]) -> Vec<Vec<u8>> {
        list.iter().map(|p| p.as_bytes().to_vec()).collect()
    }

    #[test]
    fn sums_and_sames_and_errors() {
        assert_eq!(merge(Merge::Sum, &parts(&[":1\r\n", ":41\r\n"]), &vec![]), b":42\r\n");
        assert_eq!(merge(Merge::Same, &parts(&["+OK\r\n", "+OK\r\n"]), &vec![]), b"+OK\r\n");
        assert_eq!(merge(Merge::Sum, &parts(&[":1\r\n", "-ERR x\r\n"]), &vec![]), b"-ERR x\r\n");
    }

    #[test]
    fn elements_return_to_the_order_of_the_keys() {
        let p = parts(&["*2\r\n$1\r\na\r\n$-1\r\n", "*1\r\n$2\r\nxy\r\n"]);
        let merged = merge(Merge::ByKey, &p, &vec![(1, 0), (0, 0), (0, 1)]);
        assert_eq!(merged, b"*3\r\n$2\r\nxy\r\n$1\r\na\r\n$-1\r\n");
    }

    #[test]
    fn arrays_are_joined() {
        let p = parts(&["*1\r\n$1\r\na\r\n", "*0\r\n", "*1\r\n:7\r\n"]);
        assert_eq!(merge(Merge::Concat, &p, &vec![]), b"*2\r\n$1\r\na\r\n:7\r\n");
    }

    #[test]
    fn every_kind_of_reply_has_a_length() {
        for r in ["+OK\r\n", "$-1\r\n", "$0\r\n\r\n", "%1\r\n+a\r\n*1\r\n,1.5\r\n", "=5\r\ntxt:a\r\n", "|1\r\n+k\r\n+v\r\n:1\r\n"] {
            assert_eq!(reply_len(format!("{r}+tail\r\n").as_bytes()), r.len(), "{r:?}");
        }
    }
}
