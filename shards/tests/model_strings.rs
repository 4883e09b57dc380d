//! String commands against a plain model: a map from keys to bytes and a time. The model knows nothing of encodings,
//! gates or effects; it says what each call answers and what is stored afterwards.
//!
//! Where the model refuses a call (`None`) the shard must answer an error and change nothing.

#![allow(clippy::unwrap_used)] // these are tests

mod harness;

use std::collections::HashMap;

use harness::{Step, bare, hold_for_seeds};
use shards::command::Command;
use shards::commands::string;
use shards::contents::contents;
use shards::transcript::show;

const STRING_BYTES_MAX: i128 = 1 << 16;

#[derive(Default)]
struct Model {
    now_ms: i64,
    map: HashMap<Vec<u8>, (Vec<u8>, Option<i64>)>,
}

/// What a call answers.
type Answer = Option<Vec<u8>>;

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn bulk_or_null(bytes: Option<&[u8]>) -> Vec<u8> {
    bytes.map_or(b"$-1\r\n".to_vec(), bulk)
}

fn int(n: i128) -> Vec<u8> {
    format!(":{n}\r\n").into_bytes()
}

fn ok() -> Vec<u8> {
    b"+OK\r\n".to_vec()
}

/// An integer whose only spelling this is.
fn number(text: &[u8]) -> Option<i128> {
    let n: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (n.to_string().as_bytes() == text).then_some(n.into())
}

/// Words after SET and its like.
#[derive(Default)]
struct Words {
    said: Vec<String>,
    compare: Option<Vec<u8>>,
    at: Option<i64>,
}

impl Words {
    fn has(&self, word: &str) -> bool {
        self.said.iter().any(|said| said == word)
    }
}

impl Model {
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.map.get(key).map(|(value, _)| value.as_slice())
    }

    fn text(&self, key: &[u8]) -> Vec<u8> {
        self.get(key).unwrap_or_default().to_vec()
    }

    fn put(&mut self, key: &[u8], value: &[u8], at: Option<i64>) {
        self.map.insert(key.to_vec(), (value.to_vec(), at));
    }

    /// Replaces the value, keeping the time.
    fn edit(&mut self, key: &[u8], value: &[u8]) {
        let at = self.map.get(key).and_then(|(_, at)| *at);
        self.put(key, value, at);
    }

    fn expire(&mut self) {
        let now_ms = self.now_ms;
        self.map.retain(|_, (_, at)| at.is_none_or(|at| at > now_ms));
    }

    fn words(&self, argv: &[Vec<u8>], known: &[&str]) -> Option<Words> {
        let mut words = Words::default();
        let mut rest = argv.iter();
        while let Some(word) = rest.next() {
            let word = String::from_utf8(word.to_ascii_uppercase()).ok().filter(|word| known.contains(&word.as_str()))?;
            let exclusive = |group: &[&str]| {
                group.contains(&word.as_str()) && words.said.iter().any(|said| group.contains(&said.as_str()) && *said != word)
            };
            let twice = word == "IFEQ" && words.has("IFEQ");
            if twice || exclusive(&["EX", "PX", "EXAT", "PXAT", "KEEPTTL", "PERSIST"]) || exclusive(&["NX", "XX", "IFEQ"]) {
                return None;
            }
            match word.as_str() {
                "EX" | "PX" | "EXAT" | "PXAT" => words.compare_time(&word, rest.next()?, self.now_ms),
                "IFEQ" => words.compare = Some(rest.next()?.clone()),
                _ => {}
            }
            words.said.push(word);
        }
        let timed = ["EX", "PX", "EXAT", "PXAT"].iter().any(|word| words.has(word));
        (words.at.is_some() == timed).then_some(words)
    }

    /// SET in all its spellings; whether it was allowed.
    fn set(&mut self, key: &[u8], value: &[u8], words: &Words) -> bool {
        let old = self.get(key);
        let refused = words.has("NX") && old.is_some()
            || words.has("XX") && old.is_none()
            || words.compare.as_deref().is_some_and(|compare| old != Some(compare));
        if refused {
            return false;
        }
        let kept = self.map.get(key).and_then(|(_, at)| *at).filter(|_| words.has("KEEPTTL"));
        self.put(key, value, words.at.or(kept));
        true
    }

    fn counter(&mut self, key: &[u8], delta: i128) -> Answer {
        let old = self.get(key).map_or(Some(0), number)?;
        let new = i64::try_from(old + delta).ok()?;
        self.edit(key, new.to_string().as_bytes());
        Some(int(new.into()))
    }

    fn multi(&mut self, pairs: &[Vec<u8>], words: &Words) -> Option<bool> {
        let keys = || pairs.iter().step_by(2);
        let refused = words.has("NX") && keys().any(|key| self.get(key).is_some())
            || words.has("XX") && keys().any(|key| self.get(key).is_none());
        if pairs.is_empty() || pairs.len() % 2 == 1 {
            return None;
        }
        if !refused {
            let free = Words { said: words.said.iter().filter(|said| *said == "KEEPTTL").cloned().collect(), compare: None, at: words.at };
            for pair in pairs.chunks(2) {
                self.set(&pair[0], &pair[1], &free);
            }
        }
        Some(!refused)
    }

    fn apply(&mut self, argv: &[Vec<u8>]) -> Answer {
        let name = String::from_utf8(argv[0].to_ascii_uppercase()).unwrap();
        let args = &argv[1..];
        match (name.as_str(), args) {
            ("GET", [key]) => Some(bulk_or_null(self.get(key))),
            ("STRLEN", [key]) => Some(int(self.text(key).len() as i128)),
            ("MGET", [_, ..]) => {
                let header = format!("*{}\r\n", args.len()).into_bytes();
                Some(args.iter().fold(header, |out, key| [out, bulk_or_null(self.get(key))].concat()))
            }
            ("SET", [key, value, rest @ ..]) => self.set_command(key, value, rest),
            ("SETNX", [key, value]) => {
                let nx = Words { said: vec!["NX".into()], ..Words::default() };
                Some(int(self.set(key, value, &nx).into()))
            }
            ("SETEX" | "PSETEX", [key, time, value]) => {
                let word = if name == "SETEX" { "EX" } else { "PX" };
                let words = self.words(&[word.into(), time.clone()], &["EX", "PX"])?;
                self.set(key, value, &words);
                Some(ok())
            }
            ("MSET", pairs) => self.multi(pairs, &Words::default()).map(|_| ok()),
            ("MSETNX", pairs) => {
                let nx = Words { said: vec!["NX".into()], ..Words::default() };
                self.multi(pairs, &nx).map(|done| int(done.into()))
            }
            ("MSETEX", [count, rest @ ..]) => {
                let count = usize::try_from(number(count)?).ok().filter(|count| (1..=rest.len() / 2).contains(count))?;
                let (pairs, rest) = rest.split_at(count * 2);
                let words = self.words(rest, &["NX", "XX", "EX", "PX", "EXAT", "PXAT", "KEEPTTL"])?;
                self.multi(pairs, &words).map(|done| int(done.into()))
            }
            ("GETSET", [key, value]) => {
                let old = bulk_or_null(self.get(key));
                self.put(key, value, None);
                Some(old)
            }
            ("GETDEL", [key]) => Some(bulk_or_null(self.map.remove(key).map(|(value, _)| value).as_deref())),
            ("GETEX", [key, rest @ ..]) => self.getex(key, rest),
            ("DELIFEQ", [key, value]) => {
                let equal = self.get(key) == Some(value);
                if equal {
                    self.map.remove(key);
                }
                Some(int(equal.into()))
            }
            ("INCR", [key]) => self.counter(key, 1),
            ("DECR", [key]) => self.counter(key, -1),
            ("INCRBY", [key, delta]) => self.counter(key, number(delta)?),
            ("DECRBY", [key, delta]) => {
                self.counter(key, number(delta).filter(|delta| *delta != i64::MIN.into()).map(|delta| -delta)?)
            }
            ("APPEND" | "SETRANGE" | "GETRANGE" | "SUBSTR", args) => self.range(&name, args),
            ("LCS", [a, b, rest @ ..]) => self.lcs(a, b, rest),
            _ => None,
        }
    }

    fn set_command(&mut self, key: &[u8], value: &[u8], rest: &[Vec<u8>]) -> Answer {
        let known = ["NX", "XX", "IFEQ", "GET", "EX", "PX", "EXAT", "PXAT", "KEEPTTL"];
        let words = self.words(rest, &known)?;
        let old = bulk_or_null(self.get(key));
        let done = self.set(key, value, &words);
        Some(if words.has("GET") { old } else if done { ok() } else { bulk_or_null(None) })
    }

    fn getex(&mut self, key: &[u8], rest: &[Vec<u8>]) -> Answer {
        let words = self.words(rest, &["EX", "PX", "EXAT", "PXAT", "PERSIST"])?;
        let Some((value, at)) = self.map.get_mut(key) else { return Some(bulk_or_null(None)) };
        if words.at.is_some() || words.has("PERSIST") {
            *at = words.at;
        }
        Some(bulk(value))
    }

    fn range(&mut self, name: &str, args: &[Vec<u8>]) -> Answer {
        match (name, args) {
            ("APPEND", [key, more]) => {
                let new = [self.text(key), more.clone()].concat();
                // A new string is only as long as the request allowed.
                if self.get(key).is_some() && new.len() as i128 > STRING_BYTES_MAX {
                    return None;
                }
                self.edit(key, &new);
                Some(int(new.len() as i128))
            }
            ("SETRANGE", [key, offset, bytes]) => {
                let offset = number(offset).filter(|offset| *offset >= 0)?;
                let mut text = self.text(key);
                if !bytes.is_empty() {
                    if offset + bytes.len() as i128 > STRING_BYTES_MAX {
                        return None;
                    }
                    let (start, end) = (offset as usize, offset as usize + bytes.len());
                    text.resize(text.len().max(end), 0);
                    text[start..end].copy_from_slice(bytes);
                    self.edit(key, &text);
                }
                Some(int(text.len() as i128))
            }
            ("GETRANGE" | "SUBSTR", [key, start, end]) => {
                let (start, end) = (number(start)?, number(end)?);
                let text = self.text(key);
                let len = text.len() as i128;
                let place = |at: i128| if at < 0 { (at + len).max(0) } else { at };
                let crossed = start < 0 && end < 0 && start > end;
                let inside = |i: i128| !crossed && place(start) <= i && i <= place(end);
                let part: Vec<u8> = (0..len).filter(|i| inside(*i)).map(|i| text[i as usize]).collect();
                Some(bulk(&part))
            }
            _ => None,
        }
    }

    /// Only the length, which every right answer shares; `check` skips the other forms.
    fn lcs(&self, a: &[u8], b: &[u8], rest: &[Vec<u8>]) -> Answer {
        let [word] = rest else { return None };
        let (a, b) = (self.text(a), self.text(b));
        if !word.eq_ignore_ascii_case(b"LEN") || (a.len() as i128 + 1) * (b.len() as i128 + 1) * 4 > STRING_BYTES_MAX {
            return None;
        }
        let mut row = vec![0; b.len() + 1];
        for byte in &a {
            let above = row.clone();
            for (j, other) in b.iter().enumerate() {
                row[j + 1] = if byte == other { above[j] + 1 } else { above[j + 1].max(row[j]) };
            }
        }
        Some(int(row[b.len()]))
    }
}

impl Words {
    fn compare_time(&mut self, word: &str, time: &[u8], now_ms: i64) {
        let unit = if word.starts_with("EX") { 1000 } else { 1 };
        let from = if word.ends_with("AT") { 0 } else { now_ms };
        let at = number(time).filter(|time| *time > 0 && time * unit <= i64::MAX.into()).map(|time| time * unit + i128::from(from));
        self.at = at.and_then(|at| i64::try_from(at).ok());
    }
}

/// Commands of which the model only believes the result: fractions are tested in `stdx`, and of several longest
/// subsequences any would do for the model, but not for Valkey (transcripts).
fn beyond_the_model(argv: &[Vec<u8>]) -> bool {
    let is = |name: &[u8]| argv[0].eq_ignore_ascii_case(name);
    is(b"INCRBYFLOAT") || is(b"LCS") && !(argv.len() == 4 && argv[3].eq_ignore_ascii_case(b"LEN"))
}

fn check(seed: u64, steps: &[Step]) -> Result<(), String> {
    let mut bare = bare(seed);
    let mut model = Model { now_ms: bare.now_ms, ..Model::default() };
    for step in steps {
        bare.now_ms += step.wait_ms;
        model.now_ms = bare.now_ms;
        model.expire();
        bare.shard.effects().clear();
        let reply = bare.call(&step.argv);
        bare.shard.check_invariants();
        if !beyond_the_model(&step.argv) {
            match model.apply(&step.argv) {
                Some(expected) if expected == reply => {}
                None if reply.starts_with(b"-") => {}
                other => {
                    let expected = other.map_or("an error".into(), |other| show(&other));
                    return Err(format!("{}: {} instead of {expected}", step.show(), show(&reply)));
                }
            }
        } else if !reply.starts_with(b"-") && step.argv[0].eq_ignore_ascii_case(b"INCRBYFLOAT") {
            let start = reply.iter().position(|byte| *byte == b'\n').expect("a bulk has a header") + 1;
            model.edit(&step.argv[1], &reply[start..reply.len() - 2]);
        }
        model.expire();
        same(&model, &mut bare).map_err(|error| format!("after {}: {error}", step.show()))?;
    }
    Ok(())
}

fn same(model: &Model, bare: &mut shards::transcript::Bare) -> Result<(), String> {
    let mut expected: Vec<(String, String, Option<i64>)> = model
        .map
        .iter()
        .map(|(key, (value, at))| (key.escape_ascii().to_string(), value.escape_ascii().to_string(), *at))
        .collect();
    expected.sort();
    let found = contents(&mut bare.shard, bare.now_ms);
    let found: Vec<(String, String, Option<i64>)> =
        found.into_iter().map(|content| (content.key, content.value, content.expire_at)).collect();
    if found == expected { Ok(()) } else { Err(format!("{found:?}\ninstead of\n{expected:?}")) }
}

#[test]
fn random_string_calls_do_what_a_plain_map_would() {
    let rows: Vec<&'static Command> = string::ROWS.iter().collect();
    hold_for_seeds(0..100, 500, &rows, check);
}
