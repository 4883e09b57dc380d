//! List commands against a plain model: a map from keys to vectors. The model knows nothing of nodes, encodings or
//! effects; it says what each call answers and what is stored afterwards.
//!
//! Where the model refuses a call (`None`) the shard must answer an error and change nothing. Each seed has nodes of
//! another size and another compress depth.

mod harness;

use std::collections::BTreeMap;

use harness::{Step, bare, hold_for_seeds};
use shards::command::{Command, flag};
use shards::commands::list;
use shards::contents::contents;
use shards::exec::Limits;
use shards::transcript::show;
use shards::types::list::Shape;

type Answer = Option<Vec<u8>>;
type List = Vec<Vec<u8>>;

#[derive(Default)]
struct Model {
    map: BTreeMap<Vec<u8>, List>,
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn int(n: usize) -> Vec<u8> {
    format!(":{n}\r\n").into_bytes()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [format!("*{}\r\n", items.len()).into_bytes(), items.concat()].concat()
}

fn bulks(items: &[Vec<u8>]) -> Vec<u8> {
    array(&items.iter().map(|item| bulk(item)).collect::<Vec<_>>())
}

const NULL: &[u8] = b"$-1\r\n";
const NULL_ARRAY: &[u8] = b"*-1\r\n";
const OK: &[u8] = b"+OK\r\n";

/// An integer whose only spelling this is.
fn number(text: &[u8]) -> Option<i128> {
    let n: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (n.to_string().as_bytes() == text).then_some(n.into())
}

fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// True for LEFT, false for RIGHT.
fn left(arg: &[u8]) -> Option<bool> {
    if is(arg, "LEFT") { Some(true) } else { is(arg, "RIGHT").then_some(false) }
}

/// The items from `start` to `stop`, as Valkey's ranges go.
fn range(len: usize, start: i128, stop: i128) -> std::ops::Range<usize> {
    let len = len as i128;
    let place = |at: i128| if at < 0 { at + len } else { at };
    let (start, stop) = (place(start).max(0), place(stop).min(len - 1) + 1);
    if start >= stop { 0..0 } else { start as usize..stop as usize }
}

fn place(len: usize, index: i128) -> Option<usize> {
    let place = if index < 0 { index + len as i128 } else { index };
    usize::try_from(place).ok().filter(|place| *place < len)
}

impl Model {
    fn get(&self, key: &[u8]) -> List {
        self.map.get(key).cloned().unwrap_or_default()
    }

    fn put(&mut self, key: &[u8], list: List) {
        if list.is_empty() {
            self.map.remove(key);
        } else {
            self.map.insert(key.to_vec(), list);
        }
    }

    fn push(&mut self, key: &[u8], items: &[Vec<u8>], front: bool, create: bool) -> Answer {
        let mut list = self.get(key);
        if !create && list.is_empty() {
            return Some(int(0));
        }
        for item in items {
            list.insert(if front { 0 } else { list.len() }, item.clone());
        }
        let len = list.len();
        self.put(key, list);
        Some(int(len))
    }

    fn take(&mut self, key: &[u8], count: usize, front: bool) -> List {
        let mut list = self.get(key);
        let count = count.min(list.len());
        let mut taken: List =
            if front { list.drain(..count).collect() } else { list.drain(list.len() - count..).collect() };
        if !front {
            taken.reverse();
        }
        self.put(key, list);
        taken
    }

    fn pop(&mut self, args: &[Vec<u8>], front: bool) -> Answer {
        let [key, count] = args else {
            return match args {
                [key] => Some(self.take(key, 1, front).first().map_or(NULL.to_vec(), |item| bulk(item))),
                _ => None,
            };
        };
        let count = number(count).and_then(|count| usize::try_from(count).ok())?;
        Some(if self.map.contains_key(key) { bulks(&self.take(key, count, front)) } else { NULL_ARRAY.to_vec() })
    }

    fn lmpop(&mut self, args: &[Vec<u8>]) -> Answer {
        let keys = number(args.first()?).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0)?;
        let front = left(args.get(keys.checked_add(1)?)?)?;
        let count = match &args[keys + 2..] {
            [] => 1,
            [word, count] if is(word, "COUNT") => number(count).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0)?,
            _ => return None,
        };
        let Some(key) = args[1..=keys].iter().find(|key| self.map.contains_key(*key)) else {
            return Some(NULL_ARRAY.to_vec());
        };
        let taken = self.take(key, count, front);
        Some(array(&[bulk(key), bulks(&taken)]))
    }

    fn lpos(&self, args: &[Vec<u8>]) -> Answer {
        let (list, item) = (self.get(&args[0]), args.get(1)?);
        let (mut rank, mut count, mut maxlen) = (1, None, 0);
        for pair in args[2..].chunks(2) {
            let [word, value] = pair else { return None };
            let value = number(value)?;
            if is(word, "RANK") {
                rank = Some(value).filter(|rank| *rank != 0 && *rank != i64::MIN.into())?;
            } else if is(word, "COUNT") {
                count = Some(usize::try_from(value).ok()?);
            } else if is(word, "MAXLEN") {
                maxlen = usize::try_from(value).ok()?;
            } else {
                return None;
            }
        }
        let mut places: Vec<usize> = (0..list.len()).collect();
        if rank < 0 {
            places.reverse();
        }
        places.truncate(if maxlen == 0 { usize::MAX } else { maxlen });
        let skip = rank.unsigned_abs() as usize - 1;
        let found: Vec<Vec<u8>> = places.into_iter().filter(|i| list[*i] == *item).skip(skip).map(int).collect();
        Some(match count {
            None => found.first().cloned().unwrap_or(NULL.to_vec()),
            Some(0) => array(&found),
            Some(count) => array(&found[..count.min(found.len())]),
        })
    }

    fn lrem(&mut self, key: &[u8], count: &[u8], item: &[u8]) -> Answer {
        let count = number(count).filter(|count| *count != i64::MIN.into())?;
        let mut list = self.get(key);
        let mut places: Vec<usize> = (0..list.len()).filter(|i| list[*i] == *item).collect();
        if count < 0 {
            places.reverse();
        }
        places.truncate(if count == 0 { usize::MAX } else { count.unsigned_abs() as usize });
        let mut at = 0..;
        list.retain(|_| !places.contains(&at.next().expect("as many places as elements")));
        self.put(key, list);
        Some(int(places.len()))
    }

    fn linsert(&mut self, args: &[Vec<u8>]) -> Answer {
        let [key, side, pivot, item] = args else { return None };
        let after = if is(side, "AFTER") { 1 } else { is(side, "BEFORE").then_some(0)? };
        let mut list = self.get(key);
        if list.is_empty() {
            return Some(int(0));
        }
        let Some(at) = list.iter().position(|other| other == pivot) else { return Some(b":-1\r\n".to_vec()) };
        list.insert(at + after, item.clone());
        let len = list.len();
        self.put(key, list);
        Some(int(len))
    }

    fn lmove(&mut self, source: &[u8], destination: &[u8], from: bool, to: bool) -> Answer {
        let taken = self.take(source, 1, from);
        let Some(item) = taken.first() else { return Some(NULL.to_vec()) };
        self.push(destination, &taken, to, true);
        Some(bulk(item))
    }

    fn apply(&mut self, argv: &[Vec<u8>]) -> Answer {
        let name = String::from_utf8(argv[0].to_ascii_uppercase()).expect("command names are ASCII");
        let args = &argv[1..];
        match (name.as_str(), args) {
            ("LPUSH" | "RPUSH" | "LPUSHX" | "RPUSHX", [key, items @ ..]) if !items.is_empty() => {
                self.push(key, items, name.starts_with('L'), !name.ends_with('X'))
            }
            ("LPOP" | "RPOP", args) => self.pop(args, name == "LPOP"),
            ("LMPOP", args) if args.len() > 2 => self.lmpop(args),
            ("LLEN", [key]) => Some(int(self.get(key).len())),
            ("LRANGE", [key, start, stop]) => {
                let list = self.get(key);
                Some(bulks(&list[range(list.len(), number(start)?, number(stop)?)]))
            }
            ("LTRIM", [key, start, stop]) => {
                let list = self.get(key);
                let kept = list[range(list.len(), number(start)?, number(stop)?)].to_vec();
                self.put(key, kept);
                Some(OK.to_vec())
            }
            ("LINDEX", [key, index]) => {
                let list = self.get(key);
                if list.is_empty() {
                    return Some(NULL.to_vec());
                }
                Some(place(list.len(), number(index)?).map_or(NULL.to_vec(), |i| bulk(&list[i])))
            }
            ("LSET", [key, index, item]) => {
                let mut list = self.get(key);
                let i = place(list.len(), number(index)?)?;
                list[i] = item.clone();
                self.put(key, list);
                Some(OK.to_vec())
            }
            ("LPOS", args) if args.len() > 1 => self.lpos(args),
            ("LREM", [key, count, item]) => self.lrem(key, count, item),
            ("LINSERT", args) => self.linsert(args),
            ("LMOVE", [source, destination, from, to]) => self.lmove(source, destination, left(from)?, left(to)?),
            ("RPOPLPUSH", [source, destination]) => self.lmove(source, destination, false, true),
            _ => None,
        }
    }
}

fn check(seed: u64, steps: &[Step]) -> Result<(), String> {
    let mut bare = bare(seed);
    let fill = [1, 2, 3, 5, -2, 0, 16][seed as usize % 7];
    bare.shard.set_limits(Limits { list: Shape { fill, depth: seed as u32 % 3, ..Shape::default() }, ..Limits::default() });
    let mut model = Model::default();
    for step in steps {
        bare.shard.effects().clear();
        let reply = bare.call(&step.argv);
        bare.shard.check_invariants();
        match model.apply(&step.argv) {
            Some(expected) if expected == reply => {}
            None if reply.starts_with(b"-") => {}
            other => {
                let expected = other.map_or("an error".into(), |other| show(&other));
                return Err(format!("{}: {} instead of {expected}", step.show(), show(&reply)));
            }
        }
        same(&model, &mut bare).map_err(|error| format!("after {}: {error}", step.show()))?;
    }
    Ok(())
}

fn same(model: &Model, bare: &mut shards::transcript::Bare) -> Result<(), String> {
    let escaped = |item: &Vec<u8>| item.escape_ascii().to_string();
    let expected: Vec<(String, String)> = model
        .map
        .iter()
        .map(|(key, list)| (escaped(key), format!("List({:?})", list.iter().map(escaped).collect::<Vec<_>>())))
        .collect();
    let found = contents(&mut bare.shard, bare.now_ms);
    let mut found: Vec<(String, String)> = found.into_iter().map(|content| (content.key, content.value)).collect();
    found.sort();
    let mut expected = expected;
    expected.sort();
    if found == expected { Ok(()) } else { Err(format!("{found:?}\ninstead of\n{expected:?}")) }
}

#[test]
fn random_list_calls_do_what_plain_vectors_would() {
    // Who waits for a key is the business of other tests.
    let rows: Vec<&'static Command> = list::ROWS.iter().filter(|row| row.flags & flag::BLOCKING == 0).collect();
    hold_for_seeds(0..100, 400, &rows, check);
}
