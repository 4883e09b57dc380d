//! Sorted sets: members with scores, in the order of the scores.
//!
//! Two forms. A small set is one packed run ([`pack`]), read from the front; a large one is a counted B+tree of such runs
//! with an index of its members ([`tree`], [`index`]). OBJECT ENCODING calls them by Valkey's names, `listpack` and
//! `skiplist`, and the border between them is Valkey's: a set becomes large when it passes `zset-max-listpack-entries` or
//! gets a member longer than `zset-max-listpack-value`, and stays large.
//!
//! The small form keeps no sign of zero, as Valkey's does not: -0 comes back as 0. The large one does.

mod index;
mod pack;
#[cfg(test)]
mod tests;
mod tree;

pub use index::Slot;

use pack::Pack;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use tree::Tree;

/// Bytes of a small set, whatever the thresholds say (Valkey's limit of a listpack).
const PACK_BYTES_MAX: usize = 1 << 30;

/// Up to where a sorted set is small, and the seed of what a large one needs.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// `zset-max-listpack-entries`.
    pub entries_max: usize,
    /// `zset-max-listpack-value`.
    pub value_max: usize,
    /// Keys the hash of the members.
    pub seed: u64,
}

impl Caps {
    /// True if a set of so many elements with members up to so long may be small.
    pub fn allow(&self, elements: usize, longest: usize) -> bool {
        elements <= self.entries_max && longest <= self.value_max
    }
}

/// A sorted set.
#[derive(Clone)]
pub struct ZSet(Form);

#[derive(Clone)]
enum Form {
    Small(Pack),
    Large(Box<Tree>),
}

/// One end of a range of scores.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ScoreBound {
    /// The score.
    pub score: f64,
    /// The score itself is outside.
    pub exclusive: bool,
}

/// One end of a range of members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LexBound<'a> {
    /// Before every member.
    Lowest,
    /// After every member.
    Highest,
    /// This member and those beyond it.
    Including(&'a [u8]),
    /// What is beyond this member.
    Excluding(&'a [u8]),
}

impl ZSet {
    /// An empty set that is to hold so many elements with members up to so long, as far as one knows.
    pub fn new(caps: &Caps, elements: usize, longest: usize) -> ZSet {
        let small = caps.allow(elements, longest);
        ZSet(if small { Form::Small(Pack::default()) } else { Form::Large(Box::new(Tree::new(caps.seed))) })
    }

    /// A set of elements with different members.
    pub fn of<'a>(caps: &Caps, elements: impl ExactSizeIterator<Item = (&'a [u8], f64)> + Clone) -> ZSet {
        let longest = elements.clone().map(|(member, _)| member.len()).max().unwrap_or(0);
        let mut set = ZSet::new(caps, elements.len(), longest);
        elements.for_each(|(member, score)| set.insert(caps, member, score));
        set
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Small(pack) => pack.len(),
            Form::Large(tree) => tree.len(),
        }
    }

    /// The bytes of a small set and the number of its elements.
    pub(super) fn small_form(&self) -> Option<(&[u8], usize)> {
        match &self.0 {
            Form::Small(pack) => Some((pack.bytes(), pack.len())),
            Form::Large(_) => None,
        }
    }

    pub(super) fn from_small_form((bytes, len): (&[u8], usize)) -> ZSet {
        ZSet(Form::Small(Pack::of_bytes(bytes, len)))
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True in the small form.
    pub fn is_small(&self) -> bool {
        matches!(self.0, Form::Small(_))
    }

    /// The name OBJECT ENCODING prints.
    pub fn encoding(&self) -> &'static str {
        if self.is_small() { "listpack" } else { "skiplist" }
    }

    /// The score of a member.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Form::Small(pack) => pack.find(member).map(|entry| entry.score),
            Form::Large(tree) => tree.score(member),
        }
    }

    /// The places of the members that meet a member in a large set; their own place is asked for.
    #[inline]
    pub(super) fn look_ahead(&self, member: &[u8]) -> Option<&Vec<Slot>> {
        match &self.0 {
            Form::Small(_) => None,
            Form::Large(tree) => Some(tree.look_ahead(member)),
        }
    }

    /// How many elements come before a member, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Form::Small(pack) => pack.find(member).map(|entry| (entry.index, entry.score)),
            Form::Large(tree) => tree.rank(member),
        }
    }

    /// The element of this rank, which must exist.
    pub fn at(&self, rank: usize) -> (&[u8], f64) {
        match &self.0 {
            Form::Small(pack) => {
                let entry = pack.nth(rank);
                (entry.member, entry.score)
            }
            Form::Large(tree) => tree.at(rank),
        }
    }

    /// Gives the elements from `rank` on, upwards or downwards, until `each` returns false or there are no more.
    pub fn walk<'z>(&'z self, rank: usize, reverse: bool, each: &mut dyn FnMut(&'z [u8], f64) -> bool) {
        let pack = match &self.0 {
            Form::Small(pack) => pack,
            Form::Large(tree) => return tree.walk(rank, reverse, each),
        };
        if reverse {
            let mut offsets = Vec::with_capacity(pack.len());
            pack.offsets(&mut offsets);
            let up_to = &offsets[..offsets.len().min(rank + 1)];
            up_to.iter().rev().map(|at| pack.entry_at(*at as usize)).all(|entry| each(entry.member, entry.score));
        } else {
            pack.iter().skip(rank).all(|entry| each(entry.member, entry.score));
        }
    }

    /// Gives every element in order.
    pub fn for_each<'z>(&'z self, mut each: impl FnMut(&'z [u8], f64)) {
        self.walk(0, false, &mut |member, score| {
            each(member, score);
            true
        });
    }

    /// The ranks of the elements between two scores.
    pub fn ranks_by_score(&self, min: ScoreBound, max: ScoreBound) -> Range<usize> {
        let start = self.count_score(min.score, min.exclusive);
        let end = self.count_score(max.score, !max.exclusive);
        start..end.max(start)
    }

    /// Elements below a score, or not above it.
    fn count_score(&self, bound: f64, with_equal: bool) -> usize {
        let before = |score: f64| score < bound || with_equal && score == bound;
        match &self.0 {
            Form::Small(pack) => pack.iter().take_while(|entry| before(entry.score)).count(),
            Form::Large(tree) => tree.count_where(|score, _| before(score)),
        }
    }

    /// The ranks of the elements between two members, where all scores are the same. Where they are not, what a range of
    /// members means is not defined.
    pub fn ranks_by_lex(&self, min: LexBound<'_>, max: LexBound<'_>) -> Range<usize> {
        let start = self.count_lex(min, false);
        let end = self.count_lex(max, true);
        start..end.max(start)
    }

    /// Elements before the lower end of a range, or up to its upper end.
    fn count_lex(&self, bound: LexBound<'_>, upper: bool) -> usize {
        let (bound, with_equal) = match bound {
            LexBound::Lowest => return 0,
            LexBound::Highest => return self.len(),
            LexBound::Including(bound) => (bound, upper),
            LexBound::Excluding(bound) => (bound, !upper),
        };
        let before = |member: &[u8]| match member.cmp(bound) {
            Ordering::Less => true,
            Ordering::Equal => with_equal,
            Ordering::Greater => false,
        };
        match &self.0 {
            Form::Small(pack) => pack.iter().take_while(|entry| before(entry.member)).count(),
            Form::Large(tree) => tree.count_where(|_, member| before(member())),
        }
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, caps: &Caps, member: &[u8], score: f64) {
        assert!(!score.is_nan(), "scores can be ordered");
        self.fit(caps, self.len() + 1, member.len());
        match &mut self.0 {
            Form::Small(pack) => {
                pack.insert(unsigned_zero(score), member);
            }
            Form::Large(tree) => tree.insert(score, member),
        }
    }

    /// Gives a member that is there another score.
    pub fn update(&mut self, member: &[u8], score: f64) {
        assert!(!score.is_nan(), "scores can be ordered");
        match &mut self.0 {
            Form::Small(pack) => {
                let entry = pack.find(member).expect("the member is there");
                let (at, end) = (entry.at, entry.end);
                pack.remove(at, end);
                pack.insert(unsigned_zero(score), member);
            }
            Form::Large(tree) => tree.update(member, score),
        }
    }

    /// Removes a member; its score if it was there.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Form::Small(pack) => {
                let entry = pack.find(member)?;
                let (at, end, score) = (entry.at, entry.end, entry.score);
                pack.remove(at, end);
                Some(score)
            }
            Form::Large(tree) => tree.remove(member),
        }
    }

    /// Removes the elements of these ranks.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        if ranks.is_empty() {
            return;
        }
        assert!(ranks.end <= self.len(), "ranks of elements");
        match &mut self.0 {
            Form::Small(pack) => {
                let (start, end) = (pack.nth(ranks.start).at, pack.nth(ranks.end - 1).end);
                pack.remove_run(start, end, ranks.len());
            }
            Form::Large(tree) => tree.remove_ranks(ranks),
        }
    }

    /// Makes the set large if it is to hold so many elements, or a member so long, and may not do so in the small form.
    pub fn fit(&mut self, caps: &Caps, elements: usize, longest: usize) {
        let Form::Small(pack) = &self.0 else { return };
        if caps.allow(elements, longest) && pack.bytes_len() + longest < PACK_BYTES_MAX {
            return;
        }
        let mut tree = Box::new(Tree::new(caps.seed));
        pack.iter().for_each(|entry| tree.insert(entry.score, entry.member));
        self.0 = Form::Large(tree);
    }

    /// Gives about `count` elements from the place `cursor` on to `each`, and returns where to go on, 0 at the end. A member
    /// that stays from the first call to the last is told, whatever happens in between.
    pub fn scan<'z>(&'z self, cursor: u64, count: u64, each: &mut dyn FnMut(&'z [u8], f64)) -> u64 {
        let tree = match &self.0 {
            Form::Small(_) => {
                self.for_each(each);
                return 0;
            }
            Form::Large(tree) => tree,
        };
        let (mut cursor, mut told) = (cursor, 0);
        loop {
            cursor = tree.scan(cursor, &mut |member, score| {
                told += 1;
                each(member, score);
            });
            if cursor == 0 || told >= count {
                return cursor;
            }
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Small(pack) => pack.heap_bytes(),
            Form::Large(tree) => tree.heap_bytes(),
        }
    }

    /// Allocations to free when the set is dropped, about.
    pub fn drop_cost(&self) -> usize {
        match &self.0 {
            Form::Small(_) => 1,
            Form::Large(tree) => tree.allocations(),
        }
    }

    /// Frees a slice of about `n` allocations; true when what is left can be dropped at once. The set is of no use
    /// afterwards.
    pub fn drop_some(&mut self, n: usize) -> bool {
        match &mut self.0 {
            Form::Small(_) => true,
            Form::Large(tree) => tree.drop_some(n),
        }
    }

    /// Checks everything; for tests.
    pub fn check_invariants(&self) {
        match &self.0 {
            Form::Small(pack) => pack.check_invariants(),
            Form::Large(tree) => tree.check_invariants(),
        }
    }
}

fn unsigned_zero(score: f64) -> f64 {
    score + 0.0
}

/// The elements in order: the same for both forms, so that tests can compare what sets hold.
impl fmt::Debug for ZSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        self.for_each(|member, score| {
            list.entry(&format_args!("{}={}", member.escape_ascii(), unsigned_zero(score)));
        });
        list.finish()
    }
}
