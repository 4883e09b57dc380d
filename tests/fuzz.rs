//! Mutated requests against the request parser: no bytes make it panic, loop or read past the input, and the same bytes
//! mean the same in whatever pieces they come.
//!
//! Inputs follow from seeds until the time is over: `RINGKEY_FUZZ_SECONDS`, or a few seconds; `RINGKEY_SEED` says where
//! they begin.

#![allow(clippy::unwrap_used)] // these are tests

use ringkey::protocol::{Limits, Parser, ProtocolError, Step};
use shards::args::{Args, Span};
use shards::stdx::prng::Prng;
use std::time::{Duration, Instant};

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Pieces of requests, right and wrong.
const PIECES: &[&[u8]] = &[
    b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nv\r\n\0x\r\n", b"*0\r\n", b"*-1\r\n",
    b"\r\n", b"\n", b"*", b"$", b"\r", b"PING\r\n", b"SET k \"a\\x41\\n\"\r\n", b"GET 'k\\''\n", b"\"", b"'", b" ", b"\0", b"*1\r\n$-1\r\n",
    b"*1000000000\r\n", b"*1\r\n$536870912\r\n", b"*1\r\n$99999999999\r\n", b"*10\r\n", b"*11\r\n", b"$16385\r\n", b":1\r\n", b"*1\r\n$0\r\n\r\n",
    b"00000000", b"9223372036854775807\r\n", b"-9223372036854775808\r\n", b"\xff\xfe",
];

fn input(rng: &mut Prng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + rng.below(12) {
        bytes.extend_from_slice(PIECES[rng.below(PIECES.len() as u64) as usize]);
    }
    if rng.below(40) == 0 {
        let at = rng.below(bytes.len() as u64) as usize;
        bytes.splice(at..at, std::iter::repeat_n(b'1', 66_000));
    }
    for _ in 0..rng.below(4) {
        let at = rng.below(bytes.len() as u64) as usize;
        match rng.below(4) {
            0 => bytes[at] = rng.below(256) as u8,
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, b"*$\r\n0-9 \"'\\"[rng.below(11) as usize]),
            _ => bytes[at] ^= 1 << rng.below(8),
        }
        if bytes.is_empty() {
            return bytes;
        }
    }
    bytes
}

/// What a connection makes of its input: requests, how it ended, what is left over.
type Outcome = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>, usize);

/// Feeds the bytes in pieces that end at `cuts`.
fn feed(bytes: &[u8], cuts: &[usize], limits: &Limits) -> Outcome {
    let (mut parser, mut buffer, mut spans) = (Parser::new(), Vec::new(), Vec::<Span>::new());
    let (mut requests, mut begun) = (Vec::new(), 0);
    for end in cuts.iter().copied().chain([bytes.len()]) {
        buffer.extend_from_slice(&bytes[begun..end]);
        begun = end;
        while !buffer.is_empty() {
            spans.clear();
            let owned = |args: Args<'_>| args.iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
            let end = match parser.step(&buffer, limits, &mut spans) {
                Step::Request { end } => {
                    requests.push(owned(Args::new(&buffer[..end], &spans)));
                    end
                }
                Step::Inline { end } => {
                    requests.push(owned(parser.inline()));
                    end
                }
                Step::Empty { end } => end,
                Step::Incomplete { need } => {
                    assert!(need > 0, "an incomplete request needs more");
                    break;
                }
                Step::Error(error) => return (requests, Some(error), 0),
            };
            assert!(end > 0 && end <= buffer.len(), "every step moves on within the input");
            buffer.drain(..end);
        }
        assert!(parser.memory_bytes() <= 64 * (bytes.len() + 4096), "memory follows what was sent, not what was announced");
    }
    (requests, None, buffer.len())
}

#[test]
fn no_bytes_confuse_the_request_parser() {
    let end = Instant::now() + Duration::from_secs(number("RINGKEY_FUZZ_SECONDS", 3));
    let first = number("RINGKEY_SEED", 1);
    let mut seed = first;
    while seed == first || Instant::now() < end {
        for _ in 0..200 {
            let mut rng = Prng::new(seed);
            let bytes = input(&mut rng);
            let limits = Limits { authenticated: rng.below(4) > 0, ..Limits::default() };
            let whole = feed(&bytes, &[], &limits);
            let mut cuts: Vec<usize> = (0..rng.below(6)).map(|_| rng.below(bytes.len() as u64 + 1) as usize).collect();
            cuts.sort_unstable();
            let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).into_owned();
            assert_eq!(feed(&bytes, &cuts, &limits), whole, "seed {seed}, cut at {cuts:?}: {:?}", shown());
            if bytes.len() < 300 {
                let every: Vec<usize> = (0..bytes.len()).collect();
                assert_eq!(feed(&bytes, &every, &limits), whole, "seed {seed}, byte by byte: {:?}", shown());
            }
            seed += 1;
        }
    }
    println!("{} inputs", seed - first);
}
