//! What ZUNION, ZINTER and ZDIFF take as input: sorted sets, and what can pass as one.
//!
//! A plain set counts as a sorted set whose scores are all 1. The rest of the family sees sources only, so another type is
//! let in here and nowhere else.

use crate::error::{CommandError, WRONG_TYPE};
use crate::keyspace::space::Found;
use crate::keyspace::table::Value;
use crate::types::Object;
use crate::types::set::{Member, Set};
use crate::types::zset::ZSet;
use std::borrow::Cow;

/// One input.
#[derive(Clone, Copy)]
pub(super) enum Source<'k> {
    /// There is no such key.
    Missing,
    /// A sorted set.
    SortedSet(&'k ZSet),
    /// A plain set.
    Set(&'k Set),
}

impl<'k> Source<'k> {
    /// What was found, as an input.
    pub fn of(found: Option<Found<'k>>) -> Result<Source<'k>, CommandError> {
        match found.map(|found| found.value()) {
            None => Ok(Source::Missing),
            Some(Value::Object(Object::ZSet(set))) => Ok(Source::SortedSet(set)),
            Some(Value::Object(Object::Set(set))) => Ok(Source::Set(set)),
            Some(_) => Err(WRONG_TYPE),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Source::Missing => 0,
            Source::SortedSet(set) => set.len(),
            Source::Set(set) => set.len(),
        }
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Missing => None,
            Source::SortedSet(set) => set.score(member),
            Source::Set(set) => set.contains(Member::of(member)).then_some(1.0),
        }
    }

    /// Gives every element to `each` until that returns false. Only an integer of a plain set needs a text of its own.
    pub fn walk(&self, each: &mut dyn FnMut(Cow<'k, [u8]>, f64) -> bool) {
        match self {
            Source::Missing => {}
            Source::SortedSet(set) => set.walk(0, false, &mut |member, score| each(Cow::Borrowed(member), score)),
            Source::Set(set) => {
                set.iter().all(|member| each(text(member), 1.0));
            }
        }
    }
}

fn text(member: Member<'_>) -> Cow<'_, [u8]> {
    match member {
        Member::Text(text) => Cow::Borrowed(text),
        Member::Int(n) => Cow::Owned(n.to_string().into_bytes()),
    }
}
