//! Looks for an order of calls that explains what clients heard.
//!
//! The search of Wing and Gong: of the calls not yet in the order, one may come next only if no other had returned
//! before it was invoked; if its reply is what the model answers, go on from there, otherwise try the next. Which sets of
//! calls were already tried from which state is remembered, so nothing is tried twice.

use crate::model::{Op, State};
use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

/// A call as its client saw it.
#[derive(Clone)]
pub struct Event {
    pub op: Op,
    pub reply: String,
    pub invoked: Duration,
    pub returned: Duration,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12?} .. {:>12?} {:?} -> {}", self.invoked, self.returned, self.op, self.reply)
    }
}

/// True if some order of `history` leads from `before` to `after`, giving every reply.
pub fn explain(before: &State, history: &[Event], after: &State) -> bool {
    assert!(history.len() <= 64, "a set of calls is one word");
    search(before, history, after, 0, &mut HashSet::new())
}

fn search(state: &State, history: &[Event], after: &State, done: u64, tried: &mut HashSet<(u64, State)>) -> bool {
    if done.count_ones() as usize == history.len() {
        return state == after;
    }
    if !tried.insert((done, state.clone())) {
        return false;
    }
    let open = |i: &usize| done & 1 << i == 0;
    let first_return = (0..history.len()).filter(open).map(|i| history[i].returned).min().expect("one is open");
    for i in (0..history.len()).filter(open).filter(|i| history[*i].invoked <= first_return) {
        let mut next = state.clone();
        if history[i].op.apply(&mut next) == history[i].reply && search(&next, history, after, done | 1 << i, tried) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(op: Op, reply: &str, invoked: u64, returned: u64) -> Event {
        Event { op, reply: reply.to_owned(), invoked: Duration::from_micros(invoked), returned: Duration::from_micros(returned) }
    }

    #[test]
    fn calls_at_the_same_time_may_have_any_order() {
        let history = [event(Op::Get(0), "5", 0, 10), event(Op::Set(0, 5), "OK", 5, 15)];
        let after = State::from([(0, "5".to_owned())]);
        assert!(explain(&State::new(), &history, &after));
        assert!(!explain(&State::new(), &history, &State::new()));
    }

    #[test]
    fn a_stale_read_has_no_explanation() {
        let history = [event(Op::Set(0, 5), "OK", 0, 4), event(Op::Get(0), "(nil)", 5, 15)];
        assert!(!explain(&State::new(), &history, &State::from([(0, "5".to_owned())])));
    }

    #[test]
    fn half_of_a_transaction_has_no_explanation() {
        let both = Op::Mset(vec![(0, 1), (1, 2)]);
        let history = [event(both, "OK", 0, 10), event(Op::Mget(vec![0, 1]), "[1 (nil)]", 0, 10)];
        assert!(!explain(&State::new(), &history, &State::from([(0, "1".to_owned()), (1, "2".to_owned())])));
    }
}
