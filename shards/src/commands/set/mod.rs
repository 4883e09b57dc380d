//! Sets: SADD and its relatives.
//!
//! `members` adds, removes and asks, `random` draws, `combine` makes one set of several, `scan` lists bit by bit.

mod combine;
mod members;
mod random;
mod scan;

use crate::command::ShardRun;
use crate::error::{CommandError, WRONG_TYPE};
use crate::keyspace::table::Value;
use crate::reply::Reply;
use crate::types::Object;
use crate::types::set::{Member, Set};

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [
        members::SADD,
        members::SCARD,
        combine::SDIFF,
        combine::SDIFFSTORE,
        combine::SINTER,
        combine::SINTERCARD,
        combine::SINTERSTORE,
        members::SISMEMBER,
        combine::SMEMBERS,
        members::SMISMEMBER,
        members::SMOVE,
        random::SPOP,
        random::SRANDMEMBER,
        members::SREM,
        scan::SSCAN,
        combine::SUNION,
        combine::SUNIONSTORE,
    ]
}

/// The set that is the value.
fn as_set<'a>(value: Value<'a, Object>) -> Result<&'a Set, CommandError> {
    if let Value::Object(Object::Set(set)) = value { Ok(set) } else { Err(WRONG_TYPE) }
}

/// The same for a value whose type was checked.
fn as_set_mut(object: &mut Object) -> &mut Set {
    #[allow(unreachable_patterns)]
    match object {
        Object::Set(set) => set,
        _ => unreachable!("its type was checked"),
    }
}

#[inline]
fn reply_member(reply: &mut Reply<'_>, member: Member<'_>) {
    match member {
        Member::Int(n) => reply.bulk_int(n),
        Member::Text(text) => reply.bulk(text),
    }
}
