//! SINTER, SUNION, SDIFF with their STORE forms, SINTERCARD, and SMEMBERS, the intersection of one.
//!
//! A missing key is an empty set; every key's type is checked before anything is answered. An intersection walks its
//! smallest set. A difference either asks the other sets about each member of the first, or takes their members out of a
//! copy of the first, whichever is less work by Valkey's estimate: the choice shows in the form of what SDIFFSTORE
//! stores. A result goes straight into the reply unless it has to be stored or freed of doubles.

use super::{as_set, reply_member};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::{self, CommandError};
use crate::exec::Exec;
use crate::keyspace::{Keyspace, Ttl};
use crate::reply::Reply;
use crate::types::set::{Member, Set, SetLimits};
use crate::types::{Object, tag};

const INTER_STORED: Event = Event::new(EventClass::Set, "sinterstore");
const UNION_STORED: Event = Event::new(EventClass::Set, "sunionstore");
const DIFF_STORED: Event = Event::new(EventClass::Set, "sdiffstore");

const SOURCES: &[KeySpec] = &[KeySpec::range(1, -1, 1, key::RO | key::ACCESS)];
const READ_ARGS: &[Arg] = &[Arg::key("key").many()];
const SOURCES_AND_DESTINATION: &[KeySpec] =
    &[KeySpec::one(1, key::OW | key::UPDATE), KeySpec::range(2, -1, 1, key::RO | key::ACCESS)];
const STORE_ARGS: &[Arg] = &[Arg::key("destination"), Arg { key_spec: 1, ..Arg::key("key").many() }];

const fn reading(row: Command) -> Command {
    Command {
        arity: -2,
        group: Group::Set,
        since: "1.0.0",
        flags: flag::READONLY,
        acl: category::SET,
        keys: SOURCES,
        tips: &["nondeterministic_output_order"],
        args: READ_ARGS,
        ..row
    }
}

const fn storing(row: Command) -> Command {
    Command {
        arity: -3,
        group: Group::Set,
        since: "1.0.0",
        flags: flag::WRITE | flag::DENYOOM,
        acl: category::SET,
        keys: SOURCES_AND_DESTINATION,
        args: STORE_ARGS,
        ..row
    }
}

/// SMEMBERS key
pub const SMEMBERS: Command = Command {
    arity: 2,
    summary: "Returns all members of a set.",
    complexity: "O(N) with N members in the set.",
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key")],
    ..reading(Command::new("smembers", sinter))
};

/// SINTER key [key ...]
pub const SINTER: Command = Command {
    summary: "Returns what several sets have in common.",
    complexity: "O(N*M) at worst, with N members in the smallest of M sets.",
    ..reading(Command::new("sinter", sinter))
};

/// SINTERSTORE destination key [key ...]
pub const SINTERSTORE: Command = Command {
    summary: "Stores what several sets have in common.",
    complexity: SINTER.complexity,
    ..storing(Command::new("sinterstore", sinterstore))
};

/// SUNION key [key ...]
pub const SUNION: Command = Command {
    summary: "Returns the members of several sets together.",
    complexity: "O(N) with N members in all sets.",
    ..reading(Command::new("sunion", sunion))
};

/// SUNIONSTORE destination key [key ...]
pub const SUNIONSTORE: Command = Command {
    summary: "Stores the members of several sets together.",
    complexity: SUNION.complexity,
    ..storing(Command::new("sunionstore", sunionstore))
};

/// SDIFF key [key ...]
pub const SDIFF: Command = Command {
    summary: "Returns what a set has that several others have not.",
    complexity: SUNION.complexity,
    ..reading(Command::new("sdiff", sdiff))
};

/// SDIFFSTORE destination key [key ...]
pub const SDIFFSTORE: Command = Command {
    summary: "Stores what a set has that several others have not.",
    complexity: SUNION.complexity,
    ..storing(Command::new("sdiffstore", sdiffstore))
};

/// SINTERCARD numkeys key [key ...] [LIMIT limit]
pub const SINTERCARD: Command = Command {
    arity: -3,
    group: Group::Set,
    since: "7.0.0",
    summary: "Counts what several sets have in common.",
    complexity: SINTER.complexity,
    flags: flag::READONLY,
    acl: category::SET,
    keys: &[KeySpec::counted(1, key::RO | key::ACCESS)],
    args: &[
        Arg::new("numkeys", ArgKind::Integer),
        Arg::key("key").many(),
        Arg::new("limit", ArgKind::Integer).after("LIMIT").opt(),
    ],
    ..Command::new("sintercard", sintercard)
};

/// The sets of a call; `None` where a key is missing.
struct Sources<'a> {
    sets: Vec<Option<&'a Set>>,
    /// The first key is named again, so a difference is empty.
    first_again: bool,
}

/// Uses and checks the keys from argument `first` on, `end` excluded.
fn check(x: &mut Exec<'_>, first: usize, end: usize) -> Result<(), CommandError> {
    for i in first..end {
        if let Some(found) = x.ks.read(x.db, x.argv.get(i)) {
            as_set(found.value())?;
        }
    }
    Ok(())
}

impl<'a> Sources<'a> {
    /// The sets of keys that were checked.
    fn of(ks: &'a Keyspace, db: u32, keys: &[&[u8]]) -> Sources<'a> {
        let set = |key: &&[u8]| ks.glance(db, key).map(|found| as_set(found.value()).expect("its type was checked"));
        let sets: Vec<_> = keys.iter().map(set).collect();
        Sources { first_again: keys[1..].contains(&keys[0]), sets }
    }

    /// Gives what all sets have until `each` says false; the sets in the order of their sizes.
    fn intersect(&self, each: &mut dyn FnMut(Member<'_>) -> bool) {
        let Some(sets) = self.by_size() else { return };
        let (smallest, others) = sets.split_first().expect("a call names keys");
        for member in smallest.iter() {
            let common = others.iter().all(|set| std::ptr::eq(*set, *smallest) || set.contains(member));
            if common && !each(member) {
                return;
            }
        }
    }

    /// The sets from the smallest on; `None` if one is missing.
    fn by_size(&self) -> Option<Vec<&'a Set>> {
        let mut sets = self.sets.iter().copied().collect::<Option<Vec<&Set>>>()?;
        sets.sort_by_key(|set| set.len());
        Some(sets)
    }

    /// All members, in a set that starts as `union`.
    fn unite(&self, mut union: Set, limits: &SetLimits) -> Set {
        for member in self.sets.iter().flatten().flat_map(|set| set.iter()) {
            union.add(member, limits);
        }
        union
    }

    /// Whether asking the others about each member of the first is less work than taking their members out.
    fn asking_is_cheaper(&self) -> bool {
        let first = self.sets[0].map_or(0, Set::len);
        let present = self.sets.iter().flatten();
        first * present.clone().count() / 2 <= present.map(|set| set.len()).sum()
    }

    /// Gives what the first set has and no other, by asking the others, the largest first.
    fn subtract_by_asking(&self, each: &mut dyn FnMut(Member<'_>)) {
        let (Some(first), false) = (self.sets[0], self.first_again) else { return };
        let mut others: Vec<&Set> = self.sets[1..].iter().copied().flatten().collect();
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        first.iter().filter(|member| !others.iter().any(|set| set.contains(*member))).for_each(each);
    }

    /// What the first set has and no other, in a set that starts as `rest`.
    fn subtract_by_removing(&self, mut rest: Set, limits: &SetLimits) -> Set {
        self.sets[0].into_iter().flat_map(Set::iter).for_each(|member| {
            rest.add(member, limits);
        });
        for set in self.sets[1..].iter().flatten() {
            if rest.is_empty() {
                break;
            }
            set.iter().for_each(|member| {
                rest.remove(member);
            });
        }
        rest
    }

    /// What a set that is only answered starts as: integers in order if there are only such.
    fn scratch(&self, limits: &SetLimits) -> Set {
        let ints = self.sets.iter().flatten().all(|set| set.as_ints().is_some());
        if ints { Set::of_ints() } else { Set::hashed(limits) }
    }
}

/// The keys from argument `first` on.
fn keys<'a>(x: &Exec<'a>, first: usize) -> Vec<&'a [u8]> {
    x.argv.from(first).iter().collect()
}

fn reply_set(reply: &mut Reply<'_>, set: &Set) {
    reply.set(set.len());
    set.iter().for_each(|member| reply_member(reply, member));
}

/// Stores a result, or removes the destination if it is empty.
fn store(x: &mut Exec<'_>, set: Set, event: Event) {
    let len = set.len();
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    if len > 0 {
        entry.set_object(Box::new(Object::Set(set)), tag::SET, Ttl::Clear, event);
    } else {
        entry.remove(Event::DEL);
    }
    x.reply.count(len);
}

fn sinter(x: &mut Exec<'_>) -> Result<(), CommandError> {
    check(x, 1, x.argc())?;
    let keys = keys(x, 1);
    let reply = &mut x.reply;
    let (list, mut count) = (reply.deferred_set(), 0);
    Sources::of(x.ks, x.db, &keys).intersect(&mut |member| {
        reply_member(reply, member);
        count += 1;
        true
    });
    reply.close_set(list, count);
    Ok(())
}

fn sinterstore(x: &mut Exec<'_>) -> Result<(), CommandError> {
    check(x, 2, x.argc())?;
    let (keys, limits) = (keys(x, 2), &x.env.limits.set);
    let sources = Sources::of(x.ks, x.db, &keys);
    let of_ints = sources.by_size().is_some_and(|sets| sets[0].as_ints().is_some());
    let mut result = if of_ints { Set::of_ints() } else { Set::compact() };
    sources.intersect(&mut |member| {
        result.add(member, limits);
        true
    });
    result.settle_ints(limits);
    store(x, result, INTER_STORED);
    Ok(())
}

fn sintercard(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let numkeys = x.int(1).ok().filter(|n| *n > 0);
    let numkeys = numkeys.ok_or(CommandError::Static("ERR numkeys should be greater than 0"))?;
    let numkeys = usize::try_from(numkeys).ok().filter(|n| *n <= x.argc() - 2);
    let numkeys = numkeys.ok_or(CommandError::Static("ERR Number of keys can't be greater than number of args"))?;
    let limit = limit(x, 2 + numkeys)?;
    check(x, 2, 2 + numkeys)?;
    let keys: Vec<&[u8]> = x.argv.from(2).iter().take(numkeys).collect();
    let mut count = 0;
    Sources::of(x.ks, x.db, &keys).intersect(&mut |_| {
        count += 1;
        count != limit
    });
    x.reply.count(count);
    Ok(())
}

/// LIMIT, if it is there from argument `i` on; 0 means none.
fn limit(x: &Exec<'_>, mut i: usize) -> Result<usize, CommandError> {
    let mut limit = 0;
    while i < x.argc() {
        if !x.arg_is(i, "limit") || i + 1 == x.argc() {
            return Err(error::SYNTAX);
        }
        let given = x.int(i + 1).ok().and_then(|n| usize::try_from(n).ok());
        limit = given.ok_or(CommandError::Static("ERR LIMIT can't be negative"))?;
        i += 2;
    }
    Ok(limit)
}

fn sunion(x: &mut Exec<'_>) -> Result<(), CommandError> {
    check(x, 1, x.argc())?;
    let (keys, limits) = (keys(x, 1), &x.env.limits.set);
    let sources = Sources::of(x.ks, x.db, &keys);
    reply_set(&mut x.reply, &sources.unite(sources.scratch(limits), limits));
    Ok(())
}

fn sunionstore(x: &mut Exec<'_>) -> Result<(), CommandError> {
    check(x, 2, x.argc())?;
    let keys = keys(x, 2);
    let union = Sources::of(x.ks, x.db, &keys).unite(Set::of_ints(), &x.env.limits.set);
    store(x, union, UNION_STORED);
    Ok(())
}

fn sdiff(x: &mut Exec<'_>) -> Result<(), CommandError> {
    check(x, 1, x.argc())?;
    let (keys, limits) = (keys(x, 1), &x.env.limits.set);
    let sources = Sources::of(x.ks, x.db, &keys);
    let reply = &mut x.reply;
    if sources.first_again || sources.asking_is_cheaper() {
        let (list, mut count) = (reply.deferred_set(), 0);
        sources.subtract_by_asking(&mut |member| {
            reply_member(reply, member);
            count += 1;
        });
        reply.close_set(list, count);
    } else {
        reply_set(reply, &sources.subtract_by_removing(sources.scratch(limits), limits));
    }
    Ok(())
}

fn sdiffstore(x: &mut Exec<'_>) -> Result<(), CommandError> {
    check(x, 2, x.argc())?;
    let (keys, limits) = (keys(x, 2), &x.env.limits.set);
    let sources = Sources::of(x.ks, x.db, &keys);
    let rest = if sources.first_again || sources.asking_is_cheaper() {
        let mut rest = Set::of_ints();
        sources.subtract_by_asking(&mut |member| {
            rest.add(member, limits);
        });
        rest
    } else {
        sources.subtract_by_removing(Set::of_ints(), limits)
    };
    store(x, rest, DIFF_STORED);
    Ok(())
}
