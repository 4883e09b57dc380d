//! What the list commands share: the list at a key, its ends, its elements in replies.

use crate::command::Arg;
use crate::effects::{Event, EventClass};
use crate::error::{CommandError, NOT_AN_INTEGER, SYNTAX, WRONG_TYPE};
use crate::exec::Exec;
use crate::keyspace::EntryMut;
use crate::keyspace::space::Found;
use crate::keyspace::table::Value;
use crate::reply::Reply;
use crate::stdx::number::parse_i64;
use crate::types::Object;
use crate::types::list::{End, List, Shape};
use crate::types::listpack::Element;

const PUSHED_LEFT: Event = Event::new(EventClass::List, "lpush");
const PUSHED_RIGHT: Event = Event::new(EventClass::List, "rpush");
const POPPED_LEFT: Event = Event::new(EventClass::List, "lpop");
const POPPED_RIGHT: Event = Event::new(EventClass::List, "rpop");

/// LEFT or RIGHT in a grammar.
pub(super) const fn side(name: &'static str) -> Arg {
    const SIDES: &[Arg] = &[Arg::token("left", "LEFT"), Arg::token("right", "RIGHT")];
    Arg::one_of(name, SIDES)
}

/// The event of a push.
pub(super) fn pushed(end: End) -> Event {
    if end == End::Left { PUSHED_LEFT } else { PUSHED_RIGHT }
}

/// The event of a pop.
pub(super) fn popped(end: End) -> Event {
    if end == End::Left { POPPED_LEFT } else { POPPED_RIGHT }
}

/// The command that pushes there.
pub(super) fn push_name(end: End) -> &'static [u8] {
    if end == End::Left { b"LPUSH" } else { b"RPUSH" }
}

/// LEFT or RIGHT in an argument.
pub(super) fn end_arg(x: &Exec<'_>, i: usize) -> Result<End, CommandError> {
    match x.arg(i) {
        word if word.eq_ignore_ascii_case(b"left") => Ok(End::Left),
        word if word.eq_ignore_ascii_case(b"right") => Ok(End::Right),
        _ => Err(SYNTAX),
    }
}

/// An argument from `min` on; `otherwise` if it is less or no integer.
pub(super) fn int_from(text: &[u8], min: i64, otherwise: CommandError) -> Result<i64, CommandError> {
    parse_i64(text).filter(|n| *n >= min).ok_or(otherwise)
}

/// An argument that has an opposite: all of 64 bits but the least.
pub(super) fn negatable(text: &[u8]) -> Result<i64, CommandError> {
    const LEAST: CommandError = CommandError::Static(
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    );
    parse_i64(text).ok_or(NOT_AN_INTEGER).and_then(|n| if n == i64::MIN { Err(LEAST) } else { Ok(n) })
}

#[inline]
fn as_list<'v>(value: Value<'v, Object>) -> Result<&'v List, CommandError> {
    match value {
        Value::Object(Object::List(list)) => Ok(list),
        _ => Err(WRONG_TYPE),
    }
}

/// The list that was found, if anything was.
#[inline]
pub(super) fn found_list<'f>(found: &'f Option<Found<'_>>) -> Result<Option<&'f List>, CommandError> {
    found.as_ref().map(|found| as_list(found.value())).transpose()
}

/// The list at a key, if there is a key.
#[inline]
pub(super) fn entry_list<'e>(entry: &'e EntryMut<'_>) -> Result<Option<&'e List>, CommandError> {
    entry.value().map(as_list).transpose()
}

/// The list at a key whose type was looked at, to be changed.
#[inline]
pub(super) fn edit_list<'e>(entry: &'e mut EntryMut<'_>, event: Event) -> &'e mut List {
    match entry.edit_object(event) {
        Some(Object::List(list)) => list,
        _ => unreachable!("its type was checked"),
    }
}

/// Answers with an element.
#[inline]
pub(super) fn reply_element(reply: &mut Reply<'_>, element: Element<'_>) {
    match element {
        Element::Bytes(bytes) => reply.bulk(bytes),
        Element::Int(n) => reply.bulk_int(n),
    }
}

/// Answers with `count` elements at an end, from that end on, as an array.
pub(super) fn reply_end(reply: &mut Reply<'_>, list: &List, end: End, count: usize) {
    reply.array(count);
    let (from, back) = if end == End::Left { (0, false) } else { (list.len() - 1, true) };
    list.range(from, count, back, |element| reply_element(reply, element));
}

/// Removes `count` elements at an end of the list at a key, and the key if these are all.
pub(super) fn take(entry: &mut EntryMut<'_>, end: End, count: usize, shape: Shape) {
    let list = edit_list(entry, popped(end));
    let len = list.len();
    assert!(0 < count && count <= len, "so many elements are there");
    if count < len {
        if count == 1 {
            list.drop_end(end);
        } else {
            list.remove_range(if end == End::Left { 0 } else { len - count }, count);
        }
        list.shrink(shape);
    }
    entry.count_more(count - 1);
    if count == len {
        entry.remove_emptied();
    }
}

/// `start` and `stop` of a command as index and count within a list of `len` elements; a count of 0 if the range is
/// empty.
pub(super) fn clamp(start: i64, stop: i64, len: usize) -> (usize, usize) {
    // A list is far shorter than i64::MAX, so nothing overflows: only negative numbers are added to.
    let len = len as i64;
    let place = |at: i64| if at < 0 { at + len } else { at };
    let (start, stop) = (place(start).max(0), place(stop).min(len - 1));
    if start > stop { (0, 0) } else { (start as usize, (stop - start + 1) as usize) }
}

/// The place of an index that may count from the end.
pub(super) fn place(index: i64, len: usize) -> Option<usize> {
    let place = if index < 0 { index + len as i64 } else { index };
    usize::try_from(place).ok().filter(|place| *place < len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_list() {
        for (start, stop, index, count) in [
            (0, -1, 0, 5),
            (1, 2, 1, 2),
            (-2, -1, 3, 2),
            (3, 1, 0, 0),
            (5, 9, 0, 0),
            (-99, 99, 0, 5),
            (-99, -98, 0, 0),
            (i64::MIN, i64::MAX, 0, 5),
            (i64::MAX, i64::MIN, 0, 0),
        ] {
            assert_eq!(clamp(start, stop, 5), (index, count), "{start} {stop}");
        }
        assert_eq!((place(-5, 5), place(-6, 5), place(4, 5), place(5, 5)), (Some(0), None, Some(4), None));
        assert_eq!((place(i64::MIN, 5), place(i64::MAX, 5)), (None, None));
    }
}
