//! Sets.
//!
//! | inside | when | OBJECT ENCODING |
//! |---|---|---|
//! | [`IntSet`] | integers alone, up to `set-max-intset-entries` | intset |
//! | [`Bucket`], one block | up to `set-max-listpack-entries` members of `set-max-listpack-value` bytes | listpack |
//! | [`Table`] | all others | hashtable |
//!
//! Names and thresholds are Valkey's, and so are the conversions, which go one way: a set that shrinks keeps its form.
//! What is inside is ours: a table is many of the same blocks, so growing out of the compact form costs nothing, and an
//! integer takes one to eight bytes wherever it stands. Where the configured limits go beyond what one block does well,
//! the members stand in a table that still says "listpack".

mod bucket;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use self::bucket::{Bucket, RAW_MAX, Stored};
pub use self::bucket::Member;
use self::table::{Place, Table, TableIter};
use super::intset::IntSet;
use crate::stdx::number::{decimal_len, fill_i64};
use crate::stdx::prng::Prng;

/// Members of one block; beyond, a table is faster.
const BLOCK_MEMBERS_MAX: usize = 512;

/// The configured thresholds.
#[derive(Clone, Debug)]
pub struct SetLimits {
    /// `set-max-intset-entries`
    pub intset_entries: usize,
    /// `set-max-listpack-entries`
    pub listpack_entries: usize,
    /// `set-max-listpack-value`
    pub listpack_value: usize,
    /// Keys the hash of tables made from now on.
    pub seed: u64,
}

impl Default for SetLimits {
    fn default() -> Self {
        SetLimits { intset_entries: 512, listpack_entries: 128, listpack_value: 64, seed: 0 }
    }
}

impl SetLimits {
    fn intset_entries(&self) -> usize {
        // More would not fit the format's 32-bit sizes.
        self.intset_entries.min(1 << 30)
    }
}

/// How a set is stored.
#[derive(Clone)]
pub enum Set {
    /// Sorted integers.
    Ints(IntSet),
    /// One block.
    Block(Bucket),
    /// Many blocks.
    Table(Box<Table>),
}

/// The text of a member; an integer is spelt into `digits`.
pub fn text<'a>(member: Member<'a>, digits: &'a mut [u8; 20]) -> &'a [u8] {
    match member {
        Member::Text(text) => text,
        Member::Int(n) => {
            let start = fill_i64(digits, n);
            &digits[start..]
        }
    }
}

fn text_len(n: i64) -> usize {
    decimal_len(n.unsigned_abs()) + usize::from(n < 0)
}

/// The tag of a member in a lone block: speed matters, an opponent gains nothing from equal ones.
fn tag(stored: &Stored<'_>) -> u8 {
    let bytes = stored.bytes();
    let mut hash = bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    let mut mix = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    chunks.by_ref().for_each(|chunk| mix(u64::from_le_bytes(chunk.try_into().expect("eight bytes"))));
    let mut rest = [0; 8];
    rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(u64::from_le_bytes(rest));
    (hash >> 56) as u8
}

/// The place of a member, until the set changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Spot {
    Index(usize),
    Place(Place),
}

impl Set {
    /// An empty set fit for `hint` members of which `first` is one.
    pub fn for_members(first: &[u8], hint: usize, limits: &SetLimits) -> Set {
        if matches!(Member::of(first), Member::Int(_)) && hint <= limits.intset_entries {
            Set::Ints(IntSet::new())
        } else if hint <= limits.listpack_entries {
            Set::Block(Bucket::default())
        } else {
            Set::hashed(limits)
        }
    }

    /// An empty set in its integer form.
    pub fn of_ints() -> Set {
        Set::Ints(IntSet::new())
    }

    /// A set of integers that were stored as such.
    pub fn from_ints(ints: IntSet) -> Set {
        Set::Ints(ints)
    }

    /// An empty set in its compact form.
    pub fn compact() -> Set {
        Set::Block(Bucket::default())
    }

    /// The set whose one block has these bytes.
    pub(super) fn from_block(bytes: &[u8]) -> Set {
        Set::Block(Bucket::of_bytes(bytes))
    }

    /// An empty set in its form for many members.
    pub fn hashed(limits: &SetLimits) -> Set {
        Set::Table(Box::new(Table::new(limits.seed)))
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.len(),
            Set::Block(block) => block.len(),
            Set::Table(table) => table.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name OBJECT ENCODING prints.
    pub fn encoding(&self) -> &'static str {
        match self {
            Set::Ints(_) => "intset",
            Set::Block(_) => "listpack",
            Set::Table(table) if table.said_compact => "listpack",
            Set::Table(_) => "hashtable",
        }
    }

    /// The integers, if they are stored as such.
    pub fn as_ints(&self) -> Option<&IntSet> {
        if let Set::Ints(ints) = self { Some(ints) } else { None }
    }

    /// Makes ready for `hint` members to come: a compact set that may hold no so many gives its form up at once.
    pub fn prepare(&mut self, hint: usize, limits: &SetLimits) {
        let gives_up = match self.encoding() {
            "intset" => hint > limits.intset_entries,
            "listpack" => hint > limits.listpack_entries,
            _ => false,
        };
        if gives_up {
            self.hash_it(false, limits);
        }
    }

    /// Adds a member; false if it was there.
    pub fn add(&mut self, member: Member<'_>, limits: &SetLimits) -> bool {
        match (&mut *self, member) {
            (Set::Ints(ints), Member::Int(n)) => {
                let added = ints.add(n);
                if ints.len() > limits.intset_entries() {
                    self.hash_it(false, limits);
                }
                added
            }
            (Set::Ints(ints), Member::Text(text)) => {
                let longest = ints.ends().map_or(0, |(low, high)| text_len(low).max(text_len(high)));
                if self.fits_compact(text.len().max(longest), limits) {
                    self.block_it(limits);
                } else {
                    self.hash_it(false, limits);
                }
                self.add_fitting(member, limits)
            }
            (Set::Table(table), _) if !table.said_compact => table.add(member),
            _ => {
                if self.contains(member) {
                    return false;
                }
                let len = match member {
                    Member::Int(n) => text_len(n),
                    Member::Text(text) => text.len(),
                };
                if !self.fits_compact(len, limits) {
                    self.hash_it(false, limits);
                }
                self.add_fitting(member, limits)
            }
        }
    }

    /// Whether one more member of this length leaves the set compact.
    fn fits_compact(&self, len: usize, limits: &SetLimits) -> bool {
        self.len() < limits.listpack_entries && len <= limits.listpack_value
    }

    /// Adds a member that is not there, the form being decided.
    fn add_fitting(&mut self, member: Member<'_>, limits: &SetLimits) -> bool {
        let long = matches!(member, Member::Text(text) if text.len() > RAW_MAX);
        if matches!(self, Set::Block(block) if long || block.len() >= BLOCK_MEMBERS_MAX) {
            self.hash_it(true, limits);
        }
        match self {
            Set::Ints(_) => unreachable!("the form was decided"),
            Set::Block(block) => {
                let stored = Stored::of(member);
                block.push(tag(&stored), &stored);
                true
            }
            Set::Table(table) => table.add(member),
        }
    }

    /// Integers become a block.
    fn block_it(&mut self, limits: &SetLimits) {
        let old = std::mem::replace(self, Set::compact());
        old.iter().for_each(|member| {
            self.add_fitting(member, limits);
        });
    }

    /// Everything becomes a table.
    fn hash_it(&mut self, said_compact: bool, limits: &SetLimits) {
        if let Set::Table(table) = self {
            table.said_compact = said_compact;
            return;
        }
        let mut table = Table::new(limits.seed);
        self.iter().for_each(|member| {
            table.add(member);
        });
        table.said_compact = said_compact;
        *self = Set::Table(Box::new(table));
    }

    /// The same set in the form a new one would have.
    pub fn rebuilt(&self, limits: &SetLimits) -> Set {
        let mut set = if matches!(self, Set::Ints(_)) { Set::of_ints() } else { Set::compact() };
        self.iter().for_each(|member| {
            set.add(member, limits);
        });
        set
    }

    /// Integers alone become an intset again, if it may hold so many (what SINTERSTORE does with its result).
    pub fn settle_ints(&mut self, limits: &SetLimits) {
        if matches!(self, Set::Ints(_)) || self.len() > limits.intset_entries() {
            return;
        }
        let ints = self.iter().map(|member| if let Member::Int(n) = member { Some(n) } else { None });
        let Some(mut ints) = ints.collect::<Option<Vec<i64>>>() else { return };
        ints.sort_unstable();
        let mut set = IntSet::new();
        ints.into_iter().for_each(|n| {
            set.add(n);
        });
        *self = Set::Ints(set);
    }

    fn find_in(block: &Bucket, member: Member<'_>) -> Option<usize> {
        let stored = Stored::of(member);
        if stored.is_long() { None } else { block.find(tag(&stored), &stored, |_| false) }
    }

    /// True if it is a member.
    #[inline]
    pub fn contains(&self, member: Member<'_>) -> bool {
        match self {
            Set::Ints(ints) => matches!(member, Member::Int(n) if ints.contains(n)),
            Set::Block(block) => Set::find_in(block, member).is_some(),
            Set::Table(table) => table.contains(member),
        }
    }

    /// The bytes of the bucket in which a member is or would be, of a large set; their place is asked for.
    #[inline]
    pub(super) fn look_ahead(&self, member: &[u8]) -> Option<&Vec<u8>> {
        if let Set::Table(table) = self { Some(table.look_ahead(Member::of(member))) } else { None }
    }

    /// Removes a member; false if it was not there.
    pub fn remove(&mut self, member: Member<'_>) -> bool {
        match self {
            Set::Ints(ints) => matches!(member, Member::Int(n) if ints.remove(n)),
            Set::Block(block) => Set::find_in(block, member).inspect(|i| block.remove(*i)).is_some(),
            Set::Table(table) => table.remove(member),
        }
    }

    /// All members: integers ascending, a block in the order in which they came, a table in none.
    pub fn iter(&self) -> Iter<'_> {
        match self {
            Set::Ints(ints) => Iter(Inner::Ints(ints, 0)),
            Set::Block(block) => Iter(Inner::Block(block.slots())),
            Set::Table(table) => Iter(Inner::Table(table.iter())),
        }
    }

    fn random_spot(&self, rng: &mut Prng) -> Spot {
        match self {
            Set::Table(table) => Spot::Place(table.random(rng)),
            _ => Spot::Index(rng.below(self.len() as u64) as usize),
        }
    }

    fn at(&self, spot: Spot) -> Member<'_> {
        match (self, spot) {
            (Set::Ints(ints), Spot::Index(i)) => Member::Int(ints.get(i)),
            (Set::Block(block), Spot::Index(i)) => block.slot(i).member().expect("a lone block has no long members"),
            (Set::Table(table), Spot::Place(place)) => table.at(place),
            _ => unreachable!("a spot of this very set"),
        }
    }

    /// A random member, each as likely as any other. The set must not be empty.
    pub fn random(&self, rng: &mut Prng) -> Member<'_> {
        self.at(self.random_spot(rng))
    }

    /// Removes a random member and hands it to `each`. The set must not be empty.
    pub fn pop(&mut self, rng: &mut Prng, each: impl FnOnce(Member<'_>)) {
        let spot = self.random_spot(rng);
        each(self.at(spot));
        match (self, spot) {
            (Set::Ints(ints), Spot::Index(i)) => ints.remove_at(i),
            (Set::Block(block), Spot::Index(i)) => block.remove(i),
            (Set::Table(table), Spot::Place(place)) => table.remove_at(place),
            _ => unreachable!("a spot of this very set"),
        }
    }

    /// Gives `count` different random members, fewer than there are. Each choice is as likely as any other.
    pub fn sample(&self, count: usize, rng: &mut Prng, mut each: impl FnMut(Member<'_>)) {
        assert!(count < self.len());
        /// Walking past this many members costs as much as finding one by chance.
        const WALK: usize = 3;
        if count * WALK > self.len() || !matches!(self, Set::Table(_)) {
            let (mut needed, mut left) = (count as u64, self.len() as u64);
            for member in self.iter() {
                if rng.below(left) < needed {
                    each(member);
                    needed -= 1;
                }
                left -= 1;
            }
            return;
        }
        let mut seen = HashSet::with_capacity(count);
        while seen.len() < count {
            let spot = self.random_spot(rng);
            if seen.insert(spot) {
                each(self.at(spot));
            }
        }
    }

    /// Gives members from `cursor` on and says where to go on, 0 at the end. Only what OBJECT ENCODING calls a hashtable
    /// is given in parts.
    pub fn scan(&self, cursor: u64, each: &mut dyn FnMut(Member<'_>)) -> u64 {
        match self {
            Set::Table(table) if !table.said_compact => table.scan(cursor, each),
            _ => {
                self.iter().for_each(each);
                0
            }
        }
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.memory_bytes(),
            Set::Block(block) => block.memory_bytes(),
            Set::Table(table) => table.memory_bytes(),
        }
    }

    /// Allocations to give back when it is dropped.
    pub fn drop_cost(&self) -> usize {
        if let Set::Table(table) = self { table.drop_cost() } else { 1 }
    }

    /// Drops up to `pieces` allocations of a set nobody uses any more; true if there are more.
    pub fn drop_some(&mut self, pieces: usize) -> bool {
        if let Set::Table(table) = self { table.drop_some(pieces) } else { false }
    }

    /// Panics unless the invariants hold.
    pub fn check_invariants(&self) {
        match self {
            Set::Ints(ints) => ints.check_invariants(),
            Set::Block(block) => {
                block.check_invariants();
                assert!(block.len() <= BLOCK_MEMBERS_MAX);
            }
            Set::Table(table) => table.check_invariants(),
        }
    }
}

/// The members in order, whatever the form.
impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut digits = [0; 20];
        let mut all: Vec<String> = self.iter().map(|m| text(m, &mut digits).escape_ascii().to_string()).collect();
        all.sort_unstable();
        f.debug_set().entries(all).finish()
    }
}

enum Inner<'a> {
    Ints(&'a IntSet, usize),
    Block(bucket::Slots<'a>),
    Table(TableIter<'a>),
}

/// The members of a set.
pub struct Iter<'a>(Inner<'a>);

impl<'a> Iterator for Iter<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        match &mut self.0 {
            Inner::Ints(ints, next) => {
                let i = *next;
                *next += 1;
                (i < ints.len()).then(|| Member::Int(ints.get(i)))
            }
            Inner::Block(slots) => {
                slots.next().map(|slot| slot.member().expect("a lone block has no long members"))
            }
            Inner::Table(members) => members.next(),
        }
    }
}
