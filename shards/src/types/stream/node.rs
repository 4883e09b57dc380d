//! A block of entries: one listpack, in the bytes that Valkey writes and RDB carries.
//!
//! ```text
//! | live | deleted | n | name 1 | ... | name n | 0 | entry | entry | ...
//! ```
//!
//! ```text
//! entry, its names those of the head:  | flags | ms | seq | value 1 | ... | value n | pieces |
//! entry with names of its own:         | flags | ms | seq | n | name 1 | value 1 | ... | pieces |
//! ```
//!
//! The head names the fields of the node's first entry; an entry with just these leaves them out and says so in its
//! flags. `ms` and `seq` are differences to the node's id (that of its first entry), kept outside. `pieces` counts the
//! elements of the entry before it, so that a walk from the end finds the entry's beginning; the head's 0 ends that walk.
//!
//! A deleted entry stays and has a flag; a node without live entries goes as a whole. Nothing is compacted, here as in
//! Valkey: what is deleted is mostly old, and goes with its node soon.
//!
//! Invariant: `live` and `deleted` count the entries without and with the flag.

use super::id::StreamId;
use crate::types::listpack::{Element, EMPTY_BYTES, Iter, Listpack, Needle};

const DELETED: i64 = 1;
const SAME_NAMES: i64 = 2;

/// How large a node may get. It never passes 1 GiB.
#[derive(Clone, Copy, Debug)]
pub struct NodeLimits {
    /// `stream-node-max-bytes`; 0: no limit.
    pub bytes_max: usize,
    /// `stream-node-max-entries`; 0: no limit.
    pub entries_max: u64,
}

/// Valkey's defaults.
impl Default for NodeLimits {
    fn default() -> Self {
        NodeLimits { bytes_max: 4096, entries_max: 100 }
    }
}

/// The most bytes of names and values of an entry, and of a node.
pub(super) const BYTES_MAX: usize = 1 << 30;

/// A block of entries. It does not know its own id.
#[derive(Clone)]
pub(super) struct Node {
    pack: Listpack,
}

/// An entry as it lies in its node.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its id.
    pub id: StreamId,
    /// It was deleted.
    pub deleted: bool,
    /// Number of its fields.
    pub fields: usize,
    /// Where its flags are.
    pub(super) at: usize,
    /// The names, where they are those of the head.
    names: Option<Iter<'a>>,
    body: Iter<'a>,
}

impl<'a> Entry<'a> {
    /// Its fields: names and values.
    pub fn pairs(self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> {
        let Entry { mut names, mut body, fields, .. } = self;
        (0..fields).map(move |_| {
            let name = names.as_mut().unwrap_or(&mut body).next().expect("a name for each value");
            (name, body.next().expect("a value for each name"))
        })
    }

    /// Offset behind it.
    fn end(&self) -> usize {
        let mut body = self.body.clone();
        let pieces = if self.names.is_some() { self.fields } else { self.fields * 2 };
        // One more for the number of pieces.
        (0..=pieces).for_each(|_| _ = body.next());
        body.at()
    }
}

fn int(element: Option<Element<'_>>) -> i64 {
    match element {
        Some(Element::Int(n)) => n,
        other => unreachable!("{other:?} where a node has a number: nodes from outside are validated"),
    }
}

impl Node {
    /// A node whose first entry will have these fields.
    pub(super) fn new<'f>(names: impl ExactSizeIterator<Item = &'f [u8]>) -> Node {
        let mut pack = Listpack::new();
        pack.push_back_int(0);
        pack.push_back_int(0);
        pack.push_back_int(names.len() as i64);
        names.for_each(|name| pack.push_back(name));
        pack.push_back_int(0);
        Node { pack }
    }

    /// The node that this listpack from outside is, unless it is none; how many live entries it has.
    pub(super) fn from_untrusted(pack: Listpack) -> Option<(Node, u64)> {
        validate(&pack)?;
        let node = Node { pack };
        let live = node.live();
        Some((node, live))
    }

    /// Its bytes.
    pub(super) fn pack(&self) -> &Listpack {
        &self.pack
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.pack.memory_bytes()
    }

    /// Entries that were not deleted.
    pub(super) fn live(&self) -> u64 {
        int(self.pack.iter().next()) as u64
    }

    /// Entries that were deleted.
    pub(super) fn deleted(&self) -> u64 {
        int(self.pack.iter().nth(1)) as u64
    }

    /// True if an entry with this many bytes in names and values, which takes up to `room`, has to go to a new node.
    pub(super) fn is_full(&self, more: usize, room: usize, limits: NodeLimits) -> bool {
        let bytes_max = if limits.bytes_max == 0 { BYTES_MAX } else { limits.bytes_max.min(BYTES_MAX) };
        self.pack.size() + more >= bytes_max
            || !self.pack.may_grow(room)
            || limits.entries_max > 0 && self.live() + self.deleted() >= limits.entries_max
    }

    /// Gives back what memory it does not need: it will not grow any more.
    pub(super) fn close(&mut self) {
        self.pack.shrink_to_fit();
    }

    /// Adds an entry behind the others.
    pub(super) fn append<'f>(
        &mut self, own: StreamId, id: StreamId, fields: impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) {
        assert!(id >= own, "a node's id is that of its first entry");
        let same = self.has_names(fields.clone().map(|(name, _)| name));
        let count = fields.len() as i64;
        self.count(1, 0);
        let pack = &mut self.pack;
        pack.push_back_int(if same { SAME_NAMES } else { 0 });
        pack.push_back_int(id.ms.wrapping_sub(own.ms) as i64);
        pack.push_back_int(id.seq.wrapping_sub(own.seq) as i64);
        if !same {
            pack.push_back_int(count);
        }
        for (name, value) in fields {
            if !same {
                pack.push_back(name);
            }
            pack.push_back(value);
        }
        pack.push_back_int(if same { 3 + count } else { 4 + 2 * count });
    }

    fn has_names<'f>(&self, names: impl ExactSizeIterator<Item = &'f [u8]>) -> bool {
        let mut head = self.pack.iter().skip(2);
        int(head.next()) == names.len() as i64 && head.zip(names).all(|(own, name)| Needle::new(name).is(own))
    }

    /// Changes the numbers in the head.
    fn count(&mut self, live: i64, deleted: i64) {
        let (old_live, old_deleted) = (self.live() as i64, self.deleted() as i64);
        let first = self.pack.begin();
        self.pack.replace(first, Element::Int(old_live + live));
        if deleted != 0 {
            let second = self.pack.after(first);
            self.pack.replace(second, Element::Int(old_deleted + deleted));
        }
    }

    /// Marks the entries at these places as deleted.
    pub(super) fn delete(&mut self, at: &[usize]) {
        for place in at {
            let flags = int(Some(self.pack.get(*place)));
            assert!(flags & DELETED == 0, "an entry is deleted once");
            // Flags keep their size, so the other places stay right.
            self.pack.replace(*place, Element::Int(flags | DELETED));
        }
        self.count(-(at.len() as i64), at.len() as i64);
    }

    /// A reader of its entries.
    pub(super) fn reader(&self, own: StreamId) -> Reader<'_> {
        let mut head = self.pack.iter();
        head.nth(1);
        let fields = int(head.next()) as usize;
        let names = head.clone();
        // The names and the 0.
        (0..=fields).for_each(|_| _ = head.next());
        Reader { pack: &self.pack, own, fields, names, begin: head.at() }
    }
}

/// Reads the entries of a node.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    pack: &'a Listpack,
    own: StreamId,
    fields: usize,
    names: Iter<'a>,
    begin: usize,
}

impl<'a> Reader<'a> {
    /// Where the first entry is, or would be.
    pub(super) fn begin(&self) -> usize {
        self.begin
    }

    /// Where an entry after the last would be.
    pub(super) fn end(&self) -> usize {
        self.pack.end()
    }

    /// The entry at this place.
    #[inline]
    pub(super) fn entry(&self, at: usize) -> Entry<'a> {
        let mut body = self.pack.iter_from(at);
        let flags = int(body.next());
        let ms = self.own.ms.wrapping_add(int(body.next()) as u64);
        let seq = self.own.seq.wrapping_add(int(body.next()) as u64);
        let same = flags & SAME_NAMES != 0;
        let fields = if same { self.fields } else { int(body.next()) as usize };
        let names = same.then(|| self.names.clone());
        Entry { id: StreamId { ms, seq }, deleted: flags & DELETED != 0, fields, at, names, body }
    }

    /// The entry at `at` and where the next one is; none at the end.
    #[inline]
    pub(super) fn forward(&self, at: usize) -> Option<(Entry<'a>, usize)> {
        if at == self.end() {
            return None;
        }
        let entry = self.entry(at);
        let next = entry.end();
        Some((entry, next))
    }

    /// The entry before `at`, whose place is where the one before it ends; none at the beginning.
    #[inline]
    pub(super) fn backward(&self, at: usize) -> Option<Entry<'a>> {
        if at == self.begin {
            return None;
        }
        let mut back = self.pack.iter_until(at);
        let pieces = int(back.next_back());
        (0..pieces).for_each(|_| _ = back.next_back());
        Some(self.entry(back.at_back()))
    }
}

/// Whether a listpack from outside has the form of a node in all its parts: every number a number, every count true.
fn validate(pack: &Listpack) -> Option<()> {
    let mut at = pack.iter();
    let number = |iter: &mut Iter<'_>| match iter.next()? {
        Element::Int(n) => Some(n),
        Element::Bytes(_) => None,
    };
    let not_negative = |n: i64| (n >= 0).then_some(n);
    let skip = |iter: &mut Iter<'_>, count: i64| (0..count).try_for_each(|_| iter.next().map(drop));
    if pack.size() <= EMPTY_BYTES {
        return None;
    }
    let (live, deleted) = (not_negative(number(&mut at)?)?, not_negative(number(&mut at)?)?);
    let fields = not_negative(number(&mut at)?)?;
    skip(&mut at, fields)?;
    if number(&mut at)? != 0 {
        return None;
    }
    let (mut live_seen, mut deleted_seen) = (0, 0);
    while at.at() < pack.end() {
        let flags = number(&mut at)?;
        *(if flags & DELETED != 0 { &mut deleted_seen } else { &mut live_seen }) += 1;
        number(&mut at)?;
        number(&mut at)?;
        let (elements, pieces) = if flags & SAME_NAMES != 0 {
            (fields, fields.checked_add(3)?)
        } else {
            let own = not_negative(number(&mut at)?)?;
            (own.checked_mul(2)?, own.checked_mul(2)?.checked_add(4)?)
        };
        skip(&mut at, elements)?;
        if number(&mut at)? != pieces {
            return None;
        }
    }
    (live_seen == live && deleted_seen == deleted).then_some(())
}
