//! SPOP and SRANDMEMBER: members by chance, each as likely as any other.
//!
//! Replicas and logs must not draw again, so SPOP is propagated as the removal of what it drew: SREM, of at most 1024
//! members a call, or the removal of the key when nothing is left.

use super::{as_set, as_set_mut, reply_member};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::{self, CommandError};
use crate::exec::Exec;
use crate::reply::Reply;
use crate::types::set::{Set, text};

const POPPED: Event = Event::new(EventClass::Set, "spop");

/// Members of one SREM that stands for a part of a SPOP.
const BATCH: usize = 1024;
/// The most members one call may ask for with repetition: a reply of some gigabytes. Valkey would go on until its memory
/// ends.
const DRAWS_MAX: u64 = 1 << 27;

/// SPOP key [count]
pub const SPOP: Command = Command {
    arity: -2,
    group: Group::Set,
    since: "1.0.0",
    summary: "Removes random members from a set and returns them.",
    complexity: "O(1) for one member, O(N) for N of them.",
    history: &[("3.2.0", "Takes a count.")],
    tips: &["nondeterministic_output"],
    flags: flag::WRITE | flag::FAST,
    acl: category::SET,
    keys: &[KeySpec::one(1, key::RW | key::ACCESS | key::DELETE)],
    args: &[Arg::key("key"), Arg::new("count", ArgKind::Integer).opt().since("3.2.0")],
    ..Command::new("spop", spop)
};

/// Members taken out, one after the other.
#[derive(Default)]
struct Popped {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Popped {
    fn push(&mut self, member: &[u8]) {
        self.bytes.extend_from_slice(member);
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.bytes[std::mem::replace(&mut start, *end)..*end])
    }
}

fn spop(x: &mut Exec<'_>) -> Result<(), CommandError> {
    match x.argc() {
        2 => spop_one(x),
        3 => spop_many(x),
        _ => Err(error::SYNTAX),
    }
}

fn spop_one(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let key = x.arg(1);
    let mut entry = x.ks.entry_mut(x.db, key);
    let Some(value) = entry.value() else {
        x.reply.null();
        return Ok(());
    };
    let last = as_set(value)?.len() == 1;
    let (mut popped, rng) = (Vec::new(), &mut x.env.rng);
    entry.edit_counted(POPPED, |object| {
        as_set_mut(object).pop(rng, |member| popped.extend_from_slice(text(member, &mut [0; 20])));
        1
    });
    if last {
        entry.remove_emptied();
    }
    x.reply.bulk(&popped);
    x.propagate_as(&[b"SREM", key, &popped]);
    Ok(())
}

fn spop_many(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let key = x.arg(1);
    let count = x.int(2).ok().and_then(|n| usize::try_from(n).ok()).ok_or(error::MUST_BE_POSITIVE)?;
    let mut entry = x.ks.entry_mut(x.db, key);
    let len = entry.value().map(as_set).transpose()?.map_or(0, Set::len);
    if count == 0 || len == 0 {
        x.reply.set(0);
        return Ok(());
    }
    if count >= len {
        reply_all(&mut x.reply, as_set(entry.value().expect("it has members"))?);
        entry.edit_counted(POPPED, |_| len);
        entry.remove_emptied();
        let removal: &[u8] = if x.env.limits.lazy_server_del { b"UNLINK" } else { b"DEL" };
        x.propagate_as(&[removal, key]);
        return Ok(());
    }
    let (mut popped, rng, limits) = (Popped::default(), &mut x.env.rng, &x.env.limits.set);
    entry.edit_counted(POPPED, |object| {
        let set = as_set_mut(object);
        for _ in 0..count {
            set.pop(rng, |member| popped.push(text(member, &mut [0; 20])));
        }
        // Where most members go, Valkey keeps the rest in a new set, whose form may be a compact one again.
        if (len - count) * 5 <= count {
            *set = set.rebuilt(limits);
        }
        count
    });
    x.reply.set(count);
    popped.iter().for_each(|member| x.reply.bulk(member));
    propagate_removal(x, key, &popped);
    Ok(())
}

fn reply_all(reply: &mut Reply<'_>, set: &Set) {
    reply.set(set.len());
    set.iter().for_each(|member| reply_member(reply, member));
}

fn propagate_removal(x: &mut Exec<'_>, key: &[u8], popped: &Popped) {
    if !x.ks.effects.wants.ops {
        return x.propagate_nothing();
    }
    let members: Vec<&[u8]> = popped.iter().collect();
    for batch in members.chunks(BATCH) {
        let argv: Vec<&[u8]> = [b"SREM".as_slice(), key].into_iter().chain(batch.iter().copied()).collect();
        x.propagate_as(&argv);
    }
}

/// SRANDMEMBER key [count]
pub const SRANDMEMBER: Command = Command {
    arity: -2,
    group: Group::Set,
    since: "1.0.0",
    summary: "Returns random members of a set, each once, or with repetition if the count is negative.",
    complexity: "O(1) for one member, O(N) for N of them.",
    history: &[("2.6.0", "Takes a count.")],
    tips: &["nondeterministic_output"],
    flags: flag::READONLY,
    acl: category::SET,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key"), Arg::new("count", ArgKind::Integer).opt().since("2.6.0")],
    ..Command::new("srandmember", srandmember)
};

fn srandmember(x: &mut Exec<'_>) -> Result<(), CommandError> {
    if x.argc() > 3 {
        return Err(error::SYNTAX);
    }
    let count = if x.argc() == 3 { Some(draws(x)?) } else { None };
    let set = x.ks.read(x.db, x.argv.get(1)).map(|found| as_set(found.value())).transpose()?;
    let (reply, rng) = (&mut x.reply, &mut x.env.rng);
    match (set, count) {
        (None, None) => reply.null(),
        (None, Some(_)) | (_, Some(0)) => reply.array(0),
        (Some(set), None) => reply_member(reply, set.random(rng)),
        (Some(set), Some(count)) if count < 0 => {
            let count = count.unsigned_abs();
            if count > DRAWS_MAX {
                return Err(error::OUT_OF_RANGE);
            }
            reply.array(count as usize);
            (0..count).for_each(|_| reply_member(reply, set.random(rng)));
        }
        (Some(set), Some(count)) if count as u64 >= set.len() as u64 => {
            reply.array(set.len());
            set.iter().for_each(|member| reply_member(reply, member));
        }
        (Some(set), Some(count)) => {
            reply.array(count as usize);
            set.sample(count as usize, rng, |member| reply_member(reply, member));
        }
    }
    Ok(())
}

fn draws(x: &Exec<'_>) -> Result<i64, CommandError> {
    match x.int(2)? {
        i64::MIN => Err(CommandError::Static(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        )),
        count => Ok(count),
    }
}
