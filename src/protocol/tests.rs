//! The parser against everything that clients and attackers send, whole and in pieces.

use super::{Limits, Parser, ProtocolError, Step, is_cross_protocol};
use shards::args::{Args, Span};

/// What a connection made of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    requests: Vec<Vec<Vec<u8>>>,
    error: Option<ProtocolError>,
    /// Bytes of an incomplete request.
    left: usize,
}

/// Feeds `pieces` one after the other as a connection would: bytes behind, requests off the front.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Outcome {
    let mut parser = Parser::new();
    let mut buffer = Vec::new();
    let mut spans = vec![Span::default()];
    let mut outcome = Outcome { requests: Vec::new(), error: None, left: 0 };
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            spans.truncate(1);
            let step = parser.step(&buffer, limits, &mut spans);
            let owned = |args: Args| args.iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
            let end = match step {
                Step::Request { end } => {
                    outcome.requests.push(owned(Args::new(&buffer[..end], &spans[1..])));
                    end
                }
                Step::Inline { end } => {
                    outcome.requests.push(owned(parser.inline()));
                    end
                }
                Step::Empty { end } => end,
                Step::Incomplete { need } => {
                    assert!(need > 0, "something is missing");
                    break;
                }
                Step::Error(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            };
            assert!(end > 0 && end <= buffer.len(), "a step moves on and stays inside");
            buffer.drain(..end);
        }
        assert_eq!(spans.len(), 1, "an incomplete request leaves the caller's spans alone");
    }
    outcome.left = buffer.len();
    outcome
}

fn whole(input: &[u8], limits: &Limits) -> Outcome {
    feed([input], limits)
}

fn unauthenticated() -> Limits {
    Limits { authenticated: false, ..Limits::default() }
}

fn reply_to(input: &[u8], limits: &Limits) -> String {
    let mut out = Vec::new();
    if let Some(error) = whole(input, limits).error {
        error.write_reply(&mut out);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// splitmix64: enough to mutate bytes with, the same on every run.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn encode(request: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", request.len()).into_bytes();
    for argument in request {
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Inputs that end in an error, with the words of the answer. `POST` bodies and the like are a command's matter.
const REFUSED: &[(&[u8], &str)] = &[
    (b"*a\r\n", "invalid multibulk length"),
    (b"*\r\n", "invalid multibulk length"),
    (b"* 1\r\n", "invalid multibulk length"),
    (b"*+1\r\n", "invalid multibulk length"),
    (b"*01\r\n", "invalid multibulk length"),
    (b"*00\r\n", "invalid multibulk length"),
    (b"*-0\r\n", "invalid multibulk length"),
    (b"*1x\r\n", "invalid multibulk length"),
    (b"*2147483648\r\n", "invalid multibulk length"),
    (b"*9223372036854775808\r\n", "invalid multibulk length"),
    (b"*99999999999999999999999999\r\n", "invalid multibulk length"),
    (b"*1\rx", "invalid CRLF in request"),
    (b"*x\rx", "invalid CRLF in request"),
    (b"*1\n$4\r\nPING\r\n", "invalid multibulk length"),
    (b"*1\r\n$-5\r\n", "invalid bulk length"),
    (b"*1\r\n$-1\r\n", "invalid bulk length"),
    (b"*1\r\n$\r\n", "invalid bulk length"),
    (b"*1\r\n$04\r\nPING\r\n", "invalid bulk length"),
    (b"*1\r\n$ 4\r\nPING\r\n", "invalid bulk length"),
    (b"*1\r\n$4a\r\nPING\r\n", "invalid bulk length"),
    (b"*1\r\n$536870913\r\n", "invalid bulk length"),
    (b"*1\r\n$9223372036854775807\r\n", "invalid bulk length"),
    (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
    (b"*1\r\n$4\rxPING\r\n", "invalid CRLF in request"),
    (b"*1\r\n$4\r\nPINGxx", "invalid CRLF in request"),
    (b"*1\r\n$4\r\nPING\rx", "invalid CRLF in request"),
    (b"*1\r\n$4\r\nPING\nx", "invalid CRLF in request"),
    (b"*1\r\n$3\r\nPING\r\n", "invalid CRLF in request"),
    (b"*1\r\nPING\r\n", "expected '$', got 'P'"),
    (b"*1\r\n*1\r\n", "expected '$', got '*'"),
    (b"*1\r\n\r\n", "expected '$', got ' '"),
    (b"*1\r\n\n\r\n", "expected '$', got ' '"),
    (b"*1\r\n:1\rx", "expected '$', got ':'"),
    (b"*2\r\n$4\r\nPING\r\nx\r\n", "expected '$', got 'x'"),
    (b"SET k \"a\r\n", "unbalanced quotes in request"),
    (b"SET k 'a\r\n", "unbalanced quotes in request"),
    (b"'\n", "unbalanced quotes in request"),
];

fn long_lines() -> Vec<(Vec<u8>, &'static str)> {
    let filled = |front: &[u8], fill: u8, len: usize| {
        let mut line = front.to_vec();
        line.resize(len, fill);
        line
    };
    vec![
        (filled(b"", b'a', 65537), "too big inline request"),
        (filled(b"PING\0\n", b'a', 65537), "too big inline request"),
        (filled(b"*", b'1', 65537), "too big mbulk count string"),
        ([&b"*1\r\n"[..], &filled(b"$", b'1', 65537)].concat(), "too big bulk count string"),
    ]
}

#[test]
fn what_cannot_be_read_is_refused_in_valkeys_words() {
    for (input, text) in REFUSED.iter().copied().chain(long_lines().iter().map(|(line, text)| (&line[..], *text))) {
        let expected = format!("-ERR Protocol error: {text}\r\n");
        assert_eq!(reply_to(input, &Limits::default()), expected, "{:?}", String::from_utf8_lossy(input));
    }
}

#[test]
fn before_authentication_little_is_accepted() {
    for (input, text) in [
        (&b"*11\r\n"[..], "unauthenticated multibulk length"),
        (b"*1000000\r\n", "unauthenticated multibulk length"),
        (b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
        (b"*1\r\n$536870912\r\n", "unauthenticated bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
    ] {
        assert_eq!(reply_to(input, &unauthenticated()), format!("-ERR Protocol error: {text}\r\n"));
    }
    let request: Vec<Vec<u8>> = vec![vec![b'a'; 16384]; 10];
    assert_eq!(whole(&encode(&request), &unauthenticated()).requests, [request]);
}

#[test]
fn announced_lengths_reserve_nothing() {
    let mut parser = Parser::new();
    let mut spans = Vec::new();
    let limits = Limits::default();
    assert_eq!(parser.step(b"*1000000\r\n", &limits, &mut spans), Step::Incomplete { need: 1 });
    assert_eq!(parser.step(b"*1000000\r\n$536870912\r\nab", &limits, &mut spans), Step::Incomplete { need: 536870912 });
    assert_eq!((spans.capacity(), parser.memory_bytes()), (0, 0));
}

#[test]
fn a_query_buffer_over_its_limit_is_cut_without_an_answer() {
    let limits = Limits { buffer_bytes_max: 1000, ..Limits::default() };
    let mut input = b"*1\r\n$2000\r\n".to_vec();
    input.resize(1001, b'a');
    assert_eq!(whole(&input[..1000], &limits).error, None);
    assert_eq!(whole(&input, &limits).error, Some(ProtocolError::QueryBufferFull));
    assert_eq!(reply_to(&input, &limits), "");
}

#[test]
fn requests_that_hold_nothing_are_passed_over() {
    let input = b"*0\r\n*-1\r\n\r\n\n   \r\n*-9223372036854775808\r\n*1\r\n$4\r\nPING\r\n*0\r\nECHO hi\r\n";
    let outcome = whole(input, &Limits::default());
    assert_eq!(outcome.requests, [vec![b"PING".to_vec()], vec![b"ECHO".to_vec(), b"hi".to_vec()]]);
    assert_eq!((outcome.error, outcome.left), (None, 0));
}

#[test]
fn a_nul_hides_the_end_of_an_inline_line() {
    let outcome = whole(b"PING\0\r\nPING\r\n", &Limits::default());
    assert_eq!((outcome.requests.len(), outcome.left), (0, 13));
}

#[test]
fn a_primary_sends_no_inline_requests_but_may_send_newlines() {
    let limits = Limits { primary: true, bulk_bytes_max: 4, ..Limits::default() };
    let outcome = whole(b"\n\r\n*1\r\n$5\r\nabcde\r\n", &limits);
    assert_eq!((outcome.requests.len(), outcome.error), (1, None));
    assert_eq!(whole(b"PING\r\n", &limits).error, Some(ProtocolError::InlineFromPrimary));
    assert_eq!(whole(b" \r\n", &limits).error, Some(ProtocolError::InlineFromPrimary));
}

#[test]
fn a_million_arguments_fit_into_one_request() {
    let request = vec![b"a".to_vec(); 1_000_000];
    let input = encode(&request);
    let outcome = feed(input.chunks(16384), &Limits::default());
    assert_eq!(outcome.requests, [request]);
}

#[test]
fn a_browser_is_known_by_its_words() {
    for name in ["POST", "post", "Host:", "HOST:"] {
        assert!(is_cross_protocol(name.as_bytes()));
    }
    assert!(!is_cross_protocol(b"Host") && !is_cross_protocol(b"SSH-2.0-OpenSSH_9.2"));
}

/// Good and bad requests of every kind, back to back.
fn samples() -> Vec<Vec<u8>> {
    let mut samples: Vec<Vec<u8>> = REFUSED.iter().map(|(input, _)| [b"*1\r\n$4\r\nPING\r\n", *input].concat()).collect();
    samples.push(b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\n\r\n$3\r\n*1\r\n\0z\r\n*0\r\n\r\nGET \"a\\x00b\" 'c'\r\n*-1\r\n*1\r\n$1\r\nx\r\nlast\n".to_vec());
    samples.push(b"*2\r\n$10\r\n0123456789\r\n$1\r\na\r\n*1\r\n\r\n".to_vec());
    samples
}

#[test]
fn a_request_split_anywhere_is_the_same_request() {
    for sample in samples() {
        let expected = whole(&sample, &Limits::default());
        for split in 0..=sample.len() {
            let (front, back) = sample.split_at(split);
            assert_eq!(feed([front, back], &Limits::default()), expected, "split at {split}: {sample:?}");
        }
        assert_eq!(feed(sample.chunks(1), &Limits::default()), expected, "byte by byte: {sample:?}");
    }
}

#[test]
fn a_long_line_is_as_long_in_pieces() {
    for (line, _) in long_lines() {
        for extra in [&b""[..], b"\r\n", b"aaaaaaaaaa\r\n"] {
            for cut in [0, 1] {
                let input = [&line[..line.len() - cut], extra].concat();
                let expected = whole(&input, &Limits::default());
                for size in [4096, 65536, 65537, 65538] {
                    assert_eq!(feed(input.chunks(size), &Limits::default()), expected, "pieces of {size}, cut {cut}");
                }
            }
        }
    }
}

#[test]
fn random_requests_in_random_pieces_arrive_whole() {
    let mut seeded = Seeded(1);
    for _ in 0..300 {
        let requests: Vec<Vec<Vec<u8>>> = (0..seeded.below(8))
            .map(|_| {
                (0..1 + seeded.below(12))
                    .map(|_| {
                        let len = if seeded.below(20) == 0 { seeded.below(3000) } else { seeded.below(16) };
                        (0..len).map(|_| b"\r\n$*a\0\xff19"[seeded.below(9)]).collect()
                    })
                    .collect()
            })
            .collect();
        let input: Vec<u8> = requests.iter().flat_map(|request| encode(request)).collect();
        let outcome = feed(random_pieces(&input, &mut seeded), &Limits::default());
        assert_eq!(outcome, Outcome { requests, error: None, left: 0 });
    }
}

fn random_pieces<'a>(mut input: &'a [u8], seeded: &mut Seeded) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let longest = 1 + seeded.below(64);
    while !input.is_empty() {
        let (piece, rest) = input.split_at((1 + seeded.below(longest)).min(input.len()));
        pieces.push(piece);
        input = rest;
    }
    pieces
}

#[test]
fn mutated_requests_never_panic_and_read_the_same_in_pieces() {
    let samples = samples();
    for seed in 0..30_000 {
        let mut seeded = Seeded(seed);
        let mut input = samples[seeded.below(samples.len())].clone();
        for _ in 0..1 + seeded.below(4) {
            mutate(&mut input, &mut seeded);
        }
        let limits = Limits {
            authenticated: seeded.below(4) > 0,
            primary: seeded.below(8) == 0,
            bulk_bytes_max: [4, 512 << 20, u64::MAX][seeded.below(3)],
            buffer_bytes_max: 1 << 30,
        };
        let expected = whole(&input, &limits);
        assert_eq!(feed(random_pieces(&input, &mut seeded), &limits), expected, "seed {seed}: {input:?}");
    }
}

fn mutate(input: &mut Vec<u8>, seeded: &mut Seeded) {
    const LIKELY: &[u8] = b"\r\n$*-0129 \"'\\x\0\xff:a";
    let at = seeded.below(input.len() + 1);
    match seeded.below(5) {
        0 => input.insert(at, LIKELY[seeded.below(LIKELY.len())]),
        1 if at < input.len() => input[at] = LIKELY[seeded.below(LIKELY.len())],
        2 if at < input.len() => drop(input.remove(at)),
        3 => input.truncate(at),
        _ => {
            let tail = input[at..].to_vec();
            input.extend_from_slice(&tail);
        }
    }
}

/// By hand: `RINGKEY_REFERENCE=127.0.0.1:6379 cargo test protocol -- --ignored` with a Valkey 9.1 at that address.
#[test]
#[ignore = "needs a reference server"]
fn a_reference_server_answers_the_same() {
    use std::io::{Read, Write};
    let address = std::env::var("RINGKEY_REFERENCE").expect("the address of a reference server");
    let mut inputs: Vec<Vec<u8>> = samples();
    inputs.extend(long_lines().into_iter().map(|(line, _)| line));
    for line in ["ECHO \"a\\\"", "ECHO 'a\\'", "ECHO \"a\"b", "ECHO a\"b c\"'d'", "ECHO \"\\x41\\n\\q\\xZZ\"", "ECHO a\x0bb", "\x0bECHO a", "ECHO a\rb", "ECHO \"\\x4"] {
        inputs.push(format!("{line}\r\n").into_bytes());
    }
    let mut seeded = Seeded(7);
    for _ in 0..2000 {
        let mut input = inputs[seeded.below(REFUSED.len())].clone();
        mutate(&mut input, &mut seeded);
        mutate(&mut input, &mut seeded);
        inputs.push(input);
    }
    for mut input in inputs {
        // A line of just the longest length may still end in Valkey if its end came in the same read.
        if input.len() < 65536 {
            input.extend_from_slice(b"\r\nnosuch \xfeend\r\n");
        }
        let shown = String::from_utf8_lossy(&input[..input.len().min(100)]).into_owned();
        let ours = whole(&input, &Limits::default());
        let mut expected = Vec::new();
        if let Some(error) = ours.error {
            error.write_reply(&mut expected);
        }
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.write_all(&input).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        // The error is the last thing said; what ECHO was understood to say is somewhere before it.
        let tail = &reply[reply.len().saturating_sub(expected.len().max(1))..];
        if ours.error.is_some() {
            assert_eq!(String::from_utf8_lossy(tail), String::from_utf8_lossy(&expected), "{shown:?}");
        } else {
            let found = reply.windows(20).any(|part| part == b"-ERR Protocol error:");
            assert!(!found, "{shown:?}: {:?}", String::from_utf8_lossy(&reply));
        }
        for request in ours.requests.iter().filter(|request| request.len() == 2 && request[0].eq_ignore_ascii_case(b"ECHO")) {
            let echoed = [format!("${}\r\n", request[1].len()).as_bytes(), &request[1], b"\r\n"].concat();
            assert!(reply.windows(echoed.len()).any(|part| part == echoed), "{shown:?}");
        }
    }
}
