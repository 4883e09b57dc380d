//! The order of a connection's replies is the order of its commands, whichever cores answered.
//!
//! A reply made here goes straight into the output while nothing older is missing. A command sent to another core takes
//! a *ticket*; replies made meanwhile wait behind it in one side buffer. When the missing reply comes, all that was
//! waiting behind it follows.
//!
//! ```text
//! out: bytes ready to send        held: bytes that wait for an older reply
//! line: [Missing] [Here a..b] [Missing] [Here b..c]     tickets front, front+1, ...
//! ```
//!
//! A *push* (a message to a subscriber, an invalidation, a line of MONITOR) answers no command. It stands behind every
//! reply that is here and before those that are missing (unless `hold_pushes` said otherwise), so a client blocked in BLPOP gets its messages at once, a reply
//! is never torn, and what was answered before an invalidation is also read before it.
//!
//! Invariant: the line never starts with `Here`; `held` is empty when the line is; a push in `pushes` stands behind a
//! `Here` or an `Awaited` of the line.

use std::collections::VecDeque;

/// Names a reply that is missing.
pub type Ticket = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Not here yet.
    Missing,
    /// Not here yet, and pushes stand behind it (a subscription's confirmation comes before its messages).
    Awaited,
    /// Not here yet, and nobody wants it (CLIENT REPLY OFF or SKIP).
    Unwanted,
    /// In `held`.
    Here { start: usize, end: usize },
}

/// Replies in the order of their commands.
#[derive(Default, Debug)]
pub struct Replies {
    out: Vec<u8>,
    line: VecDeque<Place>,
    /// Ticket of the first place in the line.
    front: Ticket,
    held: Vec<u8>,
    /// Pushes in `held`, each with the ticket of the reply it stands behind; tickets never fall.
    pushes: VecDeque<(Ticket, usize, usize)>,
    /// Replies that are missing.
    missing: usize,
    /// Most bytes ever taken at once.
    peak: usize,
}

/// A side buffer larger than this is given back when it is empty.
const KEEP_BYTES: usize = 64 << 10;

impl Replies {
    /// Writes the reply of a command that was answered here.
    #[inline]
    pub fn write<R>(&mut self, reply: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        if self.line.is_empty() {
            return reply(&mut self.out);
        }
        let start = self.held.len();
        let result = reply(&mut self.held);
        let end = self.held.len();
        let last_ticket = self.front + self.line.len() as u64 - 1;
        let pushed_behind = self.pushes.back().is_some_and(|(ticket, ..)| *ticket == last_ticket);
        match self.line.back_mut() {
            Some(Place::Here { end: last, .. }) if *last == start && !pushed_behind => *last = end,
            _ => self.line.push_back(Place::Here { start, end }),
        }
        result
    }

    /// Takes a ticket for a reply that will come later.
    #[inline]
    pub fn reserve(&mut self, wanted: bool) -> Ticket {
        self.missing += 1;
        self.line.push_back(if wanted { Place::Missing } else { Place::Unwanted });
        self.front + self.line.len() as u64 - 1
    }

    /// Has pushes stand behind a reply that is missing.
    pub fn hold_pushes(&mut self, ticket: Ticket) {
        let at = ticket.checked_sub(self.front).expect("a reply is held before it is given") as usize;
        if self.line[at] == Place::Missing {
            self.line[at] = Place::Awaited;
        }
    }

    /// The reply to a ticket has come. An unknown ticket panics: a reply is given once.
    pub fn fill(&mut self, ticket: Ticket, bytes: &[u8]) {
        let at = ticket.checked_sub(self.front).expect("a reply is given once") as usize;
        let unwanted = self.line[at] == Place::Unwanted;
        debug_assert!(!matches!(self.line[at], Place::Here { .. }), "a reply is given once");
        self.missing -= 1;
        let bytes = if unwanted { &[] } else { bytes };
        if at == 0 {
            self.out.extend_from_slice(bytes);
            self.pop_front();
            self.advance();
        } else {
            let start = self.held.len();
            self.held.extend_from_slice(bytes);
            self.line[at] = Place::Here { start, end: self.held.len() };
        }
    }

    /// Adds bytes that answer no command, in two parts.
    #[inline]
    pub fn push_parts(&mut self, first: &[u8], second: &[u8]) {
        let holds = |place: &Place| matches!(place, Place::Here { .. } | Place::Awaited);
        let last = if self.line.is_empty() { None } else { self.line.iter().rposition(holds) };
        let Some(at) = last else {
            self.out.extend_from_slice(first);
            return self.out.extend_from_slice(second);
        };
        let start = self.held.len();
        self.held.extend_from_slice(first);
        self.held.extend_from_slice(second);
        // A reply further back that came later has its pushes behind it already; this one joins the last of them.
        let ticket = self.front + at as u64;
        let ticket = self.pushes.back().map_or(ticket, |(last, ..)| ticket.max(*last));
        self.pushes.push_back((ticket, start, self.held.len()));
    }

    /// The first reply is out; what was pushed behind it follows.
    fn pop_front(&mut self) {
        while let Some((_, start, end)) = self.pushes.front().copied().filter(|push| push.0 == self.front) {
            self.out.extend_from_slice(&self.held[start..end]);
            self.pushes.pop_front();
        }
        self.line.pop_front();
        self.front += 1;
    }

    fn advance(&mut self) {
        while let Some(Place::Here { start, end }) = self.line.front().copied() {
            self.out.extend_from_slice(&self.held[start..end]);
            self.pop_front();
        }
        if self.line.is_empty() {
            self.held.clear();
            if self.held.capacity() > KEEP_BYTES {
                self.held = Vec::new();
            }
        }
    }

    /// How many replies are missing.
    #[inline]
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// The ticket of the oldest reply that is not in the output yet.
    pub fn front(&self) -> Ticket {
        self.front
    }

    /// The ticket that the next reply would get.
    pub fn end(&self) -> Ticket {
        self.front + self.line.len() as u64
    }

    /// True if no reply is missing.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.line.is_empty()
    }

    /// Bytes that could be sent now.
    #[inline]
    pub fn ready_bytes(&self) -> usize {
        self.out.len()
    }

    /// Bytes ready or waiting.
    pub fn bytes(&self) -> usize {
        self.out.len() + self.held.len()
    }

    /// Takes what can be sent, leaving `spare` (an empty buffer) in its place.
    #[inline]
    pub fn take(&mut self, spare: Vec<u8>) -> Vec<u8> {
        debug_assert!(spare.is_empty());
        self.peak = self.peak.max(self.out.len());
        std::mem::replace(&mut self.out, spare)
    }

    /// Bytes that wait for an older reply.
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Room of the buffer of bytes ready to send, and the most bytes it was sent with.
    pub fn capacity_and_peak(&self) -> (usize, usize) {
        (self.out.capacity(), self.peak)
    }

    /// Capacity held.
    pub fn memory_bytes(&self) -> usize {
        self.out.capacity() + self.held.capacity() + self.line.capacity() * size_of::<Place>() + self.pushes.capacity() * size_of::<(Ticket, usize, usize)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(r: &mut Replies, text: &str) {
        r.write(|out| out.extend_from_slice(text.as_bytes()));
    }

    #[test]
    fn replies_leave_in_the_order_of_their_commands() {
        let mut r = Replies::default();
        say(&mut r, "a");
        let b = r.reserve(true);
        say(&mut r, "c");
        say(&mut r, "d");
        let e = r.reserve(true);
        let f = r.reserve(true);
        say(&mut r, "g");
        assert_eq!(r.ready_bytes(), 1);
        r.fill(f, b"f");
        r.fill(b, b"b");
        assert_eq!(r.ready_bytes(), 4);
        assert!(!r.is_complete());
        r.fill(e, b"e");
        assert!(r.is_complete());
        assert_eq!(r.take(vec![]), b"abcdefg");
        say(&mut r, "h");
        assert_eq!(r.take(vec![]), b"h");
    }

    #[test]
    fn an_unwanted_reply_is_dropped_in_its_place() {
        let mut r = Replies::default();
        let a = r.reserve(false);
        let b = r.reserve(true);
        say(&mut r, "c");
        r.fill(b, b"b");
        r.fill(a, b"a");
        assert_eq!(r.take(vec![]), b"bc");
    }

    #[test]
    fn a_push_stands_behind_what_is_answered_and_before_what_is_missing() {
        let mut r = Replies::default();
        r.push_parts(b"1", b"");
        let a = r.reserve(true);
        r.push_parts(b"", b"2");
        assert_eq!(r.take(vec![]), b"12");
        let b = r.reserve(true);
        say(&mut r, "c");
        r.push_parts(b"3", b"");
        r.push_parts(b"4", b"");
        say(&mut r, "d");
        r.fill(b, b"b");
        assert_eq!(r.ready_bytes(), 0);
        r.fill(a, b"a");
        assert_eq!(r.take(vec![]), b"abc34d");
        assert!(r.is_complete());
    }

    #[test]
    fn pushes_keep_their_order_whatever_is_answered_between_them() {
        let mut r = Replies::default();
        let (a, b, c) = (r.reserve(true), r.reserve(true), r.reserve(true));
        r.fill(c, b"c");
        r.push_parts(b"1", b"");
        r.fill(b, b"b");
        r.push_parts(b"", b"2");
        r.fill(a, b"a");
        assert_eq!(r.take(vec![]), b"abc12");
    }

    #[test]
    fn a_push_waits_for_a_reply_that_holds_it() {
        let mut r = Replies::default();
        let (a, b) = (r.reserve(true), r.reserve(true));
        r.hold_pushes(b);
        r.push_parts(b"1", b"");
        let c = r.reserve(true);
        r.push_parts(b"2", b"");
        r.fill(a, b"a");
        assert_eq!(r.take(vec![]), b"a");
        r.fill(b, b"b");
        assert_eq!(r.take(vec![]), b"b12");
        r.push_parts(b"3", b"");
        assert_eq!(r.take(vec![]), b"3");
        r.fill(c, b"c");
        assert_eq!(r.take(vec![]), b"c");
    }

    #[test]
    fn random_orders_of_answers_give_the_order_of_commands() {
        for seed in 0..100 {
            let mut rng = shards::stdx::prng::Prng::new(seed);
            let (mut r, mut missing, mut expected, mut got) = (Replies::default(), vec![], vec![], vec![]);
            for i in 0..200u8 {
                expected.push(i);
                if rng.below(2) == 0 {
                    r.write(|o| o.push(i));
                } else {
                    missing.push((r.reserve(true), i));
                }
                if rng.below(3) == 0 && !missing.is_empty() {
                    let (ticket, i) = missing.swap_remove(rng.below(missing.len() as u64) as usize);
                    r.fill(ticket, &[i]);
                }
                if rng.below(5) == 0 {
                    got.extend(r.take(vec![]));
                }
            }
            for (ticket, i) in missing {
                r.fill(ticket, &[i]);
            }
            got.extend(r.take(vec![]));
            assert_eq!(got, expected, "seed {seed}");
        }
    }
}
