//! SORT and SORT_RO: the elements of a list, set or sorted set in order, by themselves or by what other keys hold.
//!
//! A pattern (`weight_*`, `object_*->field`) names one key for each element, so a call with BY or GET reaches keys it does
//! not name. They can lie on any shard: [`reached`] tells them from the content of the key to sort, the server has them
//! lent, and only then the call runs ([`crate::command::Reaches`]).
//!
//! The order is Valkey's: equal weights are ordered by the elements themselves, an element without a weight comes first
//! under ALPHA and weighs 0 otherwise. A set whose order nobody asked for is sorted all the same where it is stored.

use crate::args::Args;
use crate::command::{Arg, ArgKind, Begin, Command, Find, KeySpec, Reaches, category, flag, key};
use crate::commands::hash::value::hash_in;
use crate::commands::string::value::text;
use crate::effects::{Event, EventClass};
use crate::error::{CommandError, SYNTAX, WRONG_TYPE};
use crate::exec::Exec;
use crate::keyspace::Ttl;
use crate::keyspace::table::Value;
use crate::stdx::number::parse_f64;
use crate::types::list::{End, List};
use crate::types::{Object, set, tag};
use memchr::{memchr, memmem};
use std::cmp::Ordering;
use std::ops::Range;

const STORED: Event = Event::new(EventClass::List, "sortstore");
const NOT_A_NUMBER: CommandError = CommandError::Static("ERR One or more scores can't be converted into double");

/// Elements of one RPUSH when a stored result is propagated.
const PUSHED_AT_ONCE: usize = 64;

const BY_AND_GET: KeySpec = KeySpec {
    flags: key::RO | key::ACCESS,
    begin: Begin::Unknown,
    find: Find::Unknown,
    notes: "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key \
            we sort",
};
const STORE: KeySpec = KeySpec {
    flags: key::OW | key::UPDATE,
    begin: Begin::Unknown,
    find: Find::Unknown,
    notes: "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument \
            array",
};
const ARGS: &[Arg] = &[
    Arg::key("key"),
    Arg::new("by-pattern", ArgKind::Pattern).after("BY").shown_as("pattern").opt(),
    Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]).after("LIMIT").opt(),
    Arg::new("get-pattern", ArgKind::Pattern).after("GET").shown_as("pattern").opt().many_with_token(),
    Arg::one_of("order", &[Arg::token("asc", "ASC"), Arg::token("desc", "DESC")]).opt(),
    Arg::token("sorting", "ALPHA").opt(),
    Arg::key("destination").after("STORE").opt(),
];

/// SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE destination]
pub const SORT: Command = Command {
    arity: -2,
    since: "1.0.0",
    summary: "Sorts the elements of a list, set or sorted set, and returns or stores them.",
    complexity: "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned \
                 elements. When the elements are not sorted, complexity is O(N).",
    flags: flag::WRITE | flag::DENYOOM | flag::MOVABLE_KEYS,
    acl: category::SET | category::SORTEDSET | category::LIST | category::DANGEROUS,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS), BY_AND_GET, STORE],
    find_keys: Some(find_keys),
    reaches: Some(REACHES),
    args: ARGS,
    ..Command::new("sort", |x| sort(x, true))
};

/// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA]
pub const SORT_RO: Command = Command {
    since: "7.0.0",
    summary: "Sorts the elements of a list, set or sorted set, and returns them.",
    flags: flag::READONLY | flag::MOVABLE_KEYS,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS), BY_AND_GET],
    find_keys: Some(|_, found| {
        found.push(1);
        Ok(())
    }),
    args: ARGS.split_at(ARGS.len() - 1).0,
    name: "sort_ro",
    run: |x| sort(x, false),
    ..SORT
};

const REACHES: Reaches = Reaches { beyond, keys: reached };

/// The key to sort and the destination: of several STOREs the last one counts.
fn find_keys(argv: Args<'_>, found: &mut Vec<usize>) -> Result<(), CommandError> {
    found.push(1);
    let (mut at, mut store) = (2, None);
    while at < argv.len() {
        let is = |word: &str| argv.get(at).eq_ignore_ascii_case(word.as_bytes());
        at += match () {
            () if is("limit") => 3,
            () if is("get") || is("by") => 2,
            () if is("store") && at + 1 < argv.len() => {
                store = Some(at + 1);
                2
            }
            () => 1,
        };
    }
    found.extend(store);
    Ok(())
}

/// What a call asks for.
#[derive(Default)]
struct Words<'a> {
    desc: bool,
    alpha: bool,
    limit: (i64, Option<i64>),
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
    store: Option<&'a [u8]>,
}

impl<'a> Words<'a> {
    fn parse(argv: Args<'a>, may_store: bool) -> Result<Words<'a>, CommandError> {
        let mut words = Words::default();
        let mut i = 2;
        while i < argv.len() {
            let left = argv.len() - i - 1;
            let is = |word: &str| argv.get(i).eq_ignore_ascii_case(word.as_bytes());
            match () {
                () if is("asc") => words.desc = false,
                () if is("desc") => words.desc = true,
                () if is("alpha") => words.alpha = true,
                () if is("limit") && left >= 2 => {
                    let int = |at| crate::stdx::number::parse_i64(argv.get(at)).ok_or(crate::error::NOT_AN_INTEGER);
                    words.limit = (int(i + 1)?, Some(int(i + 2)?));
                    i += 2;
                }
                () if may_store && is("store") && left >= 1 => {
                    words.store = Some(argv.get(i + 1));
                    i += 1;
                }
                () if is("by") && left >= 1 => {
                    words.by = Some(argv.get(i + 1));
                    i += 1;
                }
                () if is("get") && left >= 1 => {
                    words.get.push(argv.get(i + 1));
                    i += 1;
                }
                () => return Err(SYNTAX),
            }
            i += 1;
        }
        Ok(words)
    }

    /// The pattern to sort by, if it is one.
    fn weights(&self) -> Option<Pattern<'a>> {
        self.by.and_then(Pattern::of)
    }

    /// BY something that is no pattern: the elements stay in the order they have.
    fn as_it_is(&self) -> bool {
        self.by.is_some_and(|by| memchr(b'*', by).is_none())
    }

    /// The places LIMIT leaves of so many elements.
    fn range(&self, len: usize) -> Range<usize> {
        let at_most = |n: i64| usize::try_from(n).unwrap_or(0).min(len);
        let start = at_most(self.limit.0);
        let end = match self.limit.1 {
            Some(count) if count >= 0 => (start + at_most(count)).min(len),
            _ => len,
        };
        start..end
    }
}

/// `prefix*suffix` or `prefix*suffix->field`: one key for each element.
#[derive(Clone, Copy)]
struct Pattern<'a> {
    before: &'a [u8],
    after: &'a [u8],
    field: Option<&'a [u8]>,
}

impl<'a> Pattern<'a> {
    fn of(text: &'a [u8]) -> Option<Pattern<'a>> {
        let star = memchr(b'*', text)?;
        let (before, rest) = (&text[..star], &text[star + 1..]);
        match memmem::find(rest, b"->").filter(|at| at + 2 < rest.len()) {
            Some(at) => Some(Pattern { before, after: &rest[..at], field: Some(&rest[at + 2..]) }),
            None => Some(Pattern { before, after: rest, field: None }),
        }
    }

    fn key(&self, element: &[u8]) -> Box<[u8]> {
        [self.before, element, self.after].concat().into()
    }

    /// What the key of an element holds.
    fn look_up(&self, x: &mut Exec<'_>, element: &[u8]) -> Option<Vec<u8>> {
        let key = self.key(element);
        let hidden = x.ks.hidden();
        let found = x.ks.read(x.db, &key)?;
        let Some(field) = self.field else { return text(found.value(), &mut [0; _]).ok().map(<[u8]>::to_vec) };
        let mut text = Vec::new();
        hash_in(Some(found)).ok()??.get(field, hidden)?.value.write(&mut text);
        Some(text)
    }
}

/// True if a call reaches keys it does not name.
fn beyond(argv: Args<'_>) -> bool {
    (2..argv.len() - 1).any(|i| {
        let word = argv.get(i);
        (word.eq_ignore_ascii_case(b"by") || word.eq_ignore_ascii_case(b"get")) && memchr(b'*', argv.get(i + 1)).is_some()
    })
}

/// The keys a call reaches beside those it names.
fn reached(x: &mut Exec<'_>) -> Vec<Box<[u8]>> {
    let Ok(words) = Words::parse(x.argv, true) else { return Vec::new() };
    let Ok((elements, _)) = elements(x) else { return Vec::new() };
    let patterns: Vec<Pattern<'_>> = words.weights().into_iter().chain(words.get.iter().filter_map(|p| Pattern::of(p))).collect();
    let mut keys: Vec<Box<[u8]>> =
        patterns.iter().flat_map(|pattern| elements.iter().map(|element| pattern.key(element))).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The elements of the key to sort in their own order, and whether it is a set.
fn elements(x: &mut Exec<'_>) -> Result<(Vec<Vec<u8>>, bool), CommandError> {
    let mut all = Vec::new();
    match x.ks.read(x.db, x.argv.get(1)).map(|found| found.value()) {
        None => {}
        Some(Value::Object(Object::List(list))) => list.range(0, list.len(), false, |element| all.push(element.to_vec())),
        Some(Value::Object(Object::ZSet(zset))) => zset.for_each(|member, _| all.push(member.to_vec())),
        Some(Value::Object(Object::Set(members))) => {
            all.extend(members.iter().map(|member| set::text(member, &mut [0; 20]).to_vec()));
            return Ok((all, true));
        }
        Some(_) => return Err(WRONG_TYPE),
    }
    Ok((all, false))
}

/// An element with what it is sorted by.
struct Weighed {
    element: Vec<u8>,
    number: f64,
    /// What a pattern found, under ALPHA.
    text: Option<Vec<u8>>,
}

fn sort(x: &mut Exec<'_>, may_store: bool) -> Result<(), CommandError> {
    let mut words = Words::parse(x.argv, may_store)?;
    let (elements, is_set) = elements(x)?;
    if words.as_it_is() && is_set && words.store.is_some() {
        // What is stored shall not depend on where a set keeps its members.
        (words.by, words.alpha) = (None, true);
    }
    let sorted = if words.as_it_is() { in_place(elements, is_set, words.desc) } else { ordered(x, elements, &words)? };
    let range = words.range(sorted.len());
    let found = results(x, &sorted[range], &words.get);
    match words.store {
        Some(destination) => store(x, destination, &found),
        None => {
            x.reply.array(found.len());
            for value in found {
                match value {
                    Some(value) => x.reply.bulk(&value),
                    None => x.reply.null(),
                }
            }
        }
    }
    Ok(())
}

/// The elements in the order they have; a list or sorted set can be read backwards.
fn in_place(mut elements: Vec<Vec<u8>>, is_set: bool, desc: bool) -> Vec<Vec<u8>> {
    if desc && !is_set {
        elements.reverse();
    }
    elements
}

fn ordered(x: &mut Exec<'_>, elements: Vec<Vec<u8>>, words: &Words<'_>) -> Result<Vec<Vec<u8>>, CommandError> {
    let weights = words.weights();
    let mut weighed = Vec::with_capacity(elements.len());
    for element in elements {
        let found = weights.map(|pattern| pattern.look_up(x, &element));
        let number = match &found {
            _ if words.alpha => 0.0,
            None => number(&element)?,
            Some(None) => 0.0,
            Some(Some(text)) => number(text)?,
        };
        let text = found.flatten().filter(|_| words.alpha);
        weighed.push(Weighed { element, number, text });
    }
    let by_pattern = weights.is_some();
    weighed.sort_by(|a, b| {
        let order = compare(a, b, words.alpha, by_pattern);
        if words.desc { order.reverse() } else { order }
    });
    Ok(weighed.into_iter().map(|weighed| weighed.element).collect())
}

fn compare(a: &Weighed, b: &Weighed, alpha: bool, by_pattern: bool) -> Ordering {
    match (alpha, by_pattern) {
        (false, _) => a.number.total_cmp(&b.number).then_with(|| a.element.cmp(&b.element)),
        // Nothing found is before everything.
        (true, true) => a.text.cmp(&b.text),
        (true, false) => a.element.cmp(&b.element),
    }
}

/// A weight.
fn number(text: &[u8]) -> Result<f64, CommandError> {
    // 0 and -0 are the same weight.
    parse_f64(text).map(|n| n + 0.0).ok_or(NOT_A_NUMBER)
}

/// What is answered or stored: the elements, or for each what GET asks for.
fn results(x: &mut Exec<'_>, elements: &[Vec<u8>], get: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    if get.is_empty() {
        return elements.iter().cloned().map(Some).collect();
    }
    let mut found = Vec::with_capacity(elements.len() * get.len());
    for element in elements {
        for pattern in get {
            found.push(match (*pattern, Pattern::of(pattern)) {
                (b"#", _) => Some(element.clone()),
                (_, Some(pattern)) => pattern.look_up(x, element),
                // A key that is the same for all elements makes no sense.
                (_, None) => None,
            });
        }
    }
    found
}

fn store(x: &mut Exec<'_>, destination: &[u8], found: &[Option<Vec<u8>>]) {
    let texts: Vec<&[u8]> = found.iter().map(|value| value.as_deref().unwrap_or_default()).collect();
    let shape = x.env.limits.list;
    let mut entry = x.ks.entry_mut(x.db, destination);
    let there = entry.exists();
    if texts.is_empty() {
        entry.remove(Event::DEL);
    } else {
        let mut list = List::new();
        list.grow(texts.iter().map(|text| text.len()).sum(), texts.len(), shape);
        texts.iter().for_each(|text| list.push(End::Right, text));
        entry.set_object(Box::new(Object::List(list)), tag::LIST, Ttl::Clear, STORED);
        entry.count_more(texts.len() - 1);
    }
    x.reply.count(texts.len());
    if beyond(x.argv) {
        // Whoever replays it may have the other keys elsewhere, or not as they are now.
        if there {
            x.propagate_as(&[b"DEL", destination]);
        }
        for some in texts.chunks(PUSHED_AT_ONCE) {
            let argv: Vec<&[u8]> = [b"RPUSH", destination].into_iter().chain(some.iter().copied()).collect();
            x.propagate_as(&argv);
        }
        x.propagate_nothing();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(&[u8], &[u8], Option<&[u8]>)> {
        Pattern::of(text.as_bytes()).map(|p| (p.before, p.after, p.field))
    }

    #[test]
    fn patterns_are_cut_at_the_first_star_and_arrow() {
        assert_eq!(parts("w_*"), Some((&b"w_"[..], &b""[..], None)));
        assert_eq!(parts("*"), Some((&b""[..], &b""[..], None)));
        assert_eq!(parts("o_*_x->f->g"), Some((&b"o_"[..], &b"_x"[..], Some(&b"f->g"[..]))));
        assert_eq!(parts("o_*->"), Some((&b"o_"[..], &b"->"[..], None)), "an arrow that leads nowhere is part of the key");
        assert_eq!(parts("a->b*"), Some((&b"a->b"[..], &b""[..], None)), "an arrow before the star is, too");
        assert_eq!(parts("none"), None);
    }

    #[test]
    fn limits_are_cut_to_the_elements() {
        let range = |offset, count| Words { limit: (offset, Some(count)), ..Words::default() }.range(5);
        assert_eq!((range(0, -1), range(1, 2), range(-7, 2)), (0..5, 1..3, 0..2));
        assert_eq!((range(5, 1).len(), range(9, 9).len(), range(2, 0).len()), (0, 0, 0));
        assert_eq!((range(i64::MIN, i64::MAX), range(i64::MAX, i64::MAX).len()), (0..5, 0));
        assert_eq!(range(3, i64::MIN), 3..5);
        assert_eq!(Words::default().range(0), 0..0);
    }
}
