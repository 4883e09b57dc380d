//! A list in either encoding, and when it goes from one to the other.
//!
//! A listpack becomes a quicklist before it would pass the limits of a node, and a quicklist a listpack again when it has
//! shrunk to one node of half that size.

use super::node::{Node, remove_matches, walk_pack};
use super::quick::Quicklist;
use super::shape::Shape;
use crate::types::listpack::{Element, Listpack, Needle};

/// An end of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The first element.
    Left,
    /// The last.
    Right,
}

/// A list. See the essay of this file.
#[derive(Clone)]
pub enum List {
    /// All elements in one block.
    Packed(Listpack),
    /// Many blocks.
    Quick(Box<Quicklist>),
}

impl List {
    /// An empty list.
    pub fn new() -> List {
        List::Packed(Listpack::new())
    }

    /// The bytes of a small list.
    pub(in crate::types) fn small_form(&self) -> Option<&[u8]> {
        match self {
            List::Packed(pack) => Some(pack.bytes()),
            List::Quick(_) => None,
        }
    }

    pub(in crate::types) fn from_small_form(bytes: &[u8]) -> List {
        List::Packed(Listpack::of_own_bytes(bytes))
    }

    /// The name OBJECT ENCODING prints.
    pub fn encoding(&self) -> &'static str {
        match self {
            List::Packed(_) => "listpack",
            List::Quick(_) => "quicklist",
        }
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            List::Packed(pack) => pack.len(),
            List::Quick(quick) => quick.len(),
        }
    }

    /// True if it has no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match self {
            List::Packed(pack) => pack.is_empty(),
            List::Quick(quick) => quick.len() == 0,
        }
    }

    /// Bytes it holds on the heap.
    pub fn memory_bytes(&self) -> usize {
        match self {
            List::Packed(pack) => pack.memory_bytes(),
            List::Quick(quick) => quick.memory_bytes(),
        }
    }

    /// Allocations that go when it is dropped.
    pub fn drop_cost(&self) -> usize {
        match self {
            List::Packed(_) => 1,
            List::Quick(quick) => quick.nodes.len(),
        }
    }

    /// Frees a slice of about `n` allocations; true when what is left can be dropped at once. The list is shorter then.
    pub fn drop_some(&mut self, n: usize) -> bool {
        let List::Quick(quick) = self else { return true };
        for _ in 0..n.min(quick.nodes.len()) {
            quick.count -= quick.nodes.pop_back().map_or(0, |node| node.count());
        }
        quick.nodes.is_empty()
    }

    /// Makes it ready to take `count` more elements of `bytes` bytes together.
    #[inline]
    pub fn grow(&mut self, bytes: usize, count: usize, shape: Shape) {
        if let List::Packed(pack) = self
            && shape.exceeds(pack.size() + bytes, pack.len() + count) {
                let pack = std::mem::take(pack);
                *self = List::Quick(Box::new(Quicklist::of_pack(pack, shape)));
            }
    }

    /// Becomes a listpack again if it has shrunk enough; for after elements went.
    #[inline]
    pub fn shrink(&mut self, shape: Shape) {
        self.repack_if(&|bytes, count| shape.is_small_again(bytes, count));
    }

    fn repack_if(&mut self, small: &dyn Fn(usize, usize) -> bool) {
        let List::Quick(quick) = self else { return };
        if quick.nodes.len() == 1 && !quick.nodes[0].is_plain() && small(quick.nodes[0].size(), quick.count) {
            let node = quick.nodes.pop_front().expect("there is one");
            *self = List::Packed(node.into_pack());
        }
    }

    /// Puts an element at an end; [`List::grow`] came before.
    #[inline]
    pub fn push(&mut self, end: End, bytes: &[u8]) {
        match self {
            List::Packed(pack) if end == End::Left => pack.push_front(bytes),
            List::Packed(pack) => pack.push_back(bytes),
            List::Quick(quick) => quick.push(end == End::Left, bytes),
        }
    }

    /// The element at an end.
    #[inline]
    pub fn peek(&self, end: End) -> Option<Element<'_>> {
        match self {
            List::Packed(pack) if end == End::Left => pack.iter().next(),
            List::Packed(pack) => pack.iter().next_back(),
            List::Quick(quick) => quick.peek(end == End::Left),
        }
    }

    /// Removes the element at an end, which must be there; [`List::shrink`] comes after.
    #[inline]
    pub fn drop_end(&mut self, end: End) {
        match self {
            List::Packed(pack) => {
                let at = if end == End::Left { pack.first() } else { pack.last() };
                pack.remove(at.expect("there is an element at the end"));
            }
            List::Quick(quick) => quick.drop_end(end == End::Left),
        }
    }

    /// Hands the elements from index `from` on (towards the front if `back`) to `see` until it says false.
    #[inline]
    pub fn walk(&self, from: usize, back: bool, mut see: impl FnMut(Element<'_>) -> bool) {
        match self {
            List::Packed(pack) => drop(walk_pack(pack, from, back, &mut see)),
            List::Quick(quick) => quick.walk(from, back, &mut see),
        }
    }

    /// Hands `count` elements from index `from` on (towards the front if `back`), which must be there, to `see`.
    #[inline]
    pub fn range(&self, from: usize, count: usize, back: bool, mut see: impl FnMut(Element<'_>)) {
        let mut left = count;
        if left == 0 {
            return;
        }
        self.walk(from, back, |element| {
            see(element);
            left -= 1;
            left > 0
        });
        assert!(left == 0, "the range lies within the list");
    }

    /// The index of the first element that is `needle`.
    pub fn find(&self, needle: &Needle<'_>) -> Option<usize> {
        let (mut index, mut found) = (0, false);
        self.walk(0, false, |element| {
            found = needle.is(element);
            index += usize::from(!found);
            !found
        });
        found.then_some(index)
    }

    /// Inserts an element before element `index` (or after it), which must be there.
    pub fn insert(&mut self, index: usize, after: bool, bytes: &[u8], shape: Shape) {
        assert!(index < self.len(), "the element is there");
        self.grow(bytes.len(), 1, shape);
        match self {
            List::Packed(pack) => {
                let at = pack.seek(index as i64).expect("the element is there");
                let at = if after { pack.after(at) } else { at };
                pack.insert(at, Element::of(bytes));
            }
            List::Quick(quick) => quick.insert(index, after, bytes),
        }
    }

    /// Replaces element `index`, which must be there.
    pub fn replace(&mut self, index: usize, bytes: &[u8], shape: Shape) {
        assert!(index < self.len(), "the element is there");
        self.grow(bytes.len(), 1, shape);
        match self {
            List::Packed(pack) => {
                let at = pack.seek(index as i64).expect("the element is there");
                pack.replace(at, Element::of(bytes));
            }
            List::Quick(quick) => quick.replace(index, bytes),
        }
        self.shrink(shape);
    }

    /// Removes `count` elements from `index` on, which must be there; [`List::shrink`] comes after.
    pub fn remove_range(&mut self, index: usize, count: usize) {
        match self {
            List::Packed(pack) => pack.remove_range(index, count),
            List::Quick(quick) => quick.remove_range(index, count),
        }
    }

    /// Removes up to `limit` elements that are `needle`, from the back if `back`; how many went. [`List::shrink`] comes
    /// after.
    pub fn remove_matches(&mut self, needle: &Needle<'_>, limit: usize, back: bool) -> usize {
        match self {
            List::Packed(pack) => remove_matches(pack, needle, limit, back),
            List::Quick(quick) => quick.remove_matches(needle, limit, back),
        }
    }

    /// Number of its blocks.
    pub fn nodes(&self) -> usize {
        match self {
            List::Packed(_) => 1,
            List::Quick(quick) => quick.nodes.len(),
        }
    }

    /// Bytes of its blocks, uncompressed.
    pub fn nodes_bytes(&self) -> usize {
        match self {
            List::Packed(pack) => pack.size(),
            List::Quick(quick) => quick.nodes.iter().map(Node::size).sum(),
        }
    }

    /// The thresholds it was made with, if it is a quicklist.
    pub fn shape(&self) -> Option<Shape> {
        match self {
            List::Packed(_) => None,
            List::Quick(quick) => Some(quick.shape),
        }
    }

    /// The blocks as RDB stores them, each with whether it is a single large element.
    pub fn for_each_node(&self, see: &mut dyn FnMut(&[u8], bool)) {
        use super::node::Body;
        match self {
            List::Packed(pack) => see(pack.bytes(), false),
            List::Quick(quick) => quick.nodes.iter().for_each(|node| {
                node.with(|body| match body {
                    Body::Pack(pack) => see(pack.bytes(), false),
                    Body::Plain(bytes) => see(bytes, true),
                });
            }),
        }
    }

    /// A list to be loaded node by node with [`List::load_pack`] and [`List::load_plain`]; [`List::loaded`] ends it.
    pub fn for_loading(shape: Shape) -> List {
        List::Quick(Box::new(Quicklist::of_pack(Listpack::new(), shape)))
    }

    /// Appends a node; an empty one is left out.
    pub fn load_pack(&mut self, pack: Listpack) {
        let List::Quick(quick) = self else { unreachable!("a list that is loaded has nodes") };
        if !pack.is_empty() {
            quick.append_node(Node::of_pack(pack));
        }
    }

    /// Appends a node of one large element.
    pub fn load_plain(&mut self, bytes: &[u8]) {
        let List::Quick(quick) = self else { unreachable!("a list that is loaded has nodes") };
        quick.append_node(Node::of(bytes, true));
    }

    /// Chooses the encoding of a list that was loaded.
    pub fn loaded(&mut self, shape: Shape) {
        self.repack_if(&|bytes, count| shape.is_small(bytes, count));
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        match self {
            List::Packed(pack) => pack.check_invariants(),
            List::Quick(quick) => quick.check_invariants(),
        }
    }
}

impl Default for List {
    fn default() -> List {
        List::new()
    }
}

/// Its elements, whatever the encoding: what tests compare.
impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut texts = Vec::with_capacity(self.len());
        self.walk(0, false, |element| {
            texts.push(element.to_vec().escape_ascii().to_string());
            true
        });
        f.debug_list().entries(texts).finish()
    }
}
