//! Quicklist: a row of nodes, each with many elements.
//!
//! The nodes stand in a ring buffer of 32 bytes each, so finding an index adds up counts that lie side by side instead of
//! following pointers, and both ends are there at once.
//!
//! With a compress depth, nodes farther than that from both ends are compressed. They are decompressed while they are
//! read and compressed again after an edit ([`Quicklist::settle`]).
//!
//! Invariants: no node is empty; `count` is the sum of the nodes' counts; nodes within the depth are not compressed.

use std::collections::VecDeque;

use super::node::{Node, remove_matches};
use super::shape::Shape;
use crate::types::listpack::{Element, Listpack, Needle};

/// A list of nodes. See the essay of this file.
#[derive(Clone)]
pub struct Quicklist {
    pub(super) nodes: VecDeque<Node>,
    pub(super) count: usize,
    /// The thresholds it was made with; it keeps them.
    pub(super) shape: Shape,
}

impl Quicklist {
    /// A list of what `pack` holds, maybe nothing.
    pub(super) fn of_pack(pack: Listpack, shape: Shape) -> Quicklist {
        let mut list = Quicklist { nodes: VecDeque::new(), count: 0, shape };
        if !pack.is_empty() {
            list.append_node(Node::of_pack(pack));
        }
        list
    }

    pub(super) fn append_node(&mut self, node: Node) {
        self.count += node.count();
        self.nodes.push_back(node);
        self.settle(self.nodes.len() - 1);
    }

    /// Number of elements.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn has_room(&self, node: usize, len: usize) -> bool {
        self.nodes.get(node).is_some_and(|n| !n.is_plain() && self.shape.has_room(n.size(), n.count(), len))
    }

    /// Puts an element at an end.
    #[inline]
    pub(super) fn push(&mut self, front: bool, bytes: &[u8]) {
        let end = if front { 0 } else { self.nodes.len().wrapping_sub(1) };
        self.count += 1;
        if self.has_room(end, bytes.len()) {
            return self.nodes[end].edit(|pack| {
                if front { pack.push_front(bytes) } else { pack.push_back(bytes) }
                1
            });
        }
        let node = Node::of(bytes, self.shape.is_large(bytes.len()));
        if front {
            self.nodes.push_front(node);
            self.settle(0);
        } else {
            self.nodes.push_back(node);
            self.settle(self.nodes.len() - 1);
        }
    }

    /// The element at an end; the nodes there are never compressed.
    #[inline]
    pub(super) fn peek(&self, front: bool) -> Option<Element<'_>> {
        match if front { self.nodes.front() } else { self.nodes.back() }? {
            Node::Packed { pack, .. } if front => pack.iter().next(),
            Node::Packed { pack, .. } => pack.iter().next_back(),
            Node::Plain(bytes) => Some(Element::Bytes(bytes)),
            Node::Squeezed { .. } => unreachable!("the ends are not compressed"),
        }
    }

    /// Removes the element at an end, which must be there.
    pub(super) fn drop_end(&mut self, front: bool) {
        let end = if front { 0 } else { self.nodes.len() - 1 };
        self.count -= 1;
        if self.nodes[end].count() > 1 {
            return self.nodes[end].edit(|pack| {
                let at = if front { pack.first() } else { pack.last() };
                pack.remove(at.expect("a node is never empty"));
                -1
            });
        }
        self.nodes.remove(end);
        self.settle(end.min(self.nodes.len().saturating_sub(1)));
    }

    /// The node with element `index`, and the element's number within it.
    pub(super) fn locate(&self, index: usize) -> (usize, usize) {
        debug_assert!(index < self.count);
        if index < self.count / 2 {
            let mut left = index;
            for (i, node) in self.nodes.iter().enumerate() {
                if left < node.count() {
                    return (i, left);
                }
                left -= node.count();
            }
        }
        let mut begin = self.count;
        for (i, node) in self.nodes.iter().enumerate().rev() {
            begin -= node.count();
            if begin <= index {
                return (i, index - begin);
            }
        }
        unreachable!("the index is within the list")
    }

    /// Hands the elements from `from` on (towards the front if `back`) to `see` until it says false.
    #[inline]
    pub(super) fn walk(&self, from: usize, back: bool, see: &mut impl FnMut(Element<'_>) -> bool) {
        if from >= self.count {
            return;
        }
        let (mut i, mut offset) = self.locate(from);
        loop {
            if !self.nodes[i].with(|body| body.walk(offset, back, see)) {
                return;
            }
            if if back { i == 0 } else { i + 1 == self.nodes.len() } {
                return;
            }
            i = if back { i - 1 } else { i + 1 };
            offset = if back { self.nodes[i].count() - 1 } else { 0 };
        }
    }

    /// Removes `count` elements from `index` on, which must be there.
    pub(super) fn remove_range(&mut self, index: usize, count: usize) {
        assert!(count <= self.count && index <= self.count - count, "the range lies within the list");
        if count == 0 {
            return;
        }
        let (mut i, offset) = self.locate(index);
        let mut left = count;
        self.count -= count;
        let here = self.nodes[i].count() - offset;
        if offset > 0 || left < here {
            let part = left.min(here);
            self.remove_part(i, offset, part);
            left -= part;
            i += 1;
        }
        let mut end = i;
        while left > 0 && self.nodes[end].count() <= left {
            left -= self.nodes[end].count();
            end += 1;
        }
        self.nodes.drain(i..end);
        if left > 0 {
            self.remove_part(i, 0, left);
        }
        self.settle(i.min(self.nodes.len().saturating_sub(1)));
    }

    fn remove_part(&mut self, node: usize, offset: usize, count: usize) {
        self.nodes[node].edit(|pack| {
            pack.remove_range(offset, count);
            -(count as i64)
        });
    }

    /// Removes up to `limit` elements that are `needle`, from the back if `back`; how many went.
    pub(super) fn remove_matches(&mut self, needle: &Needle<'_>, limit: usize, back: bool) -> usize {
        let len = self.nodes.len();
        let (mut removed, mut emptied) = (0, Vec::new());
        for step in 0..len {
            let i = if back { len - 1 - step } else { step };
            let here = self.remove_in_node(i, needle, limit - removed, back);
            removed += here;
            if here > 0 && (self.nodes[i].is_plain() || self.nodes[i].count() == 0) {
                emptied.push(i);
            }
            if removed == limit {
                break;
            }
        }
        self.count -= removed;
        self.drop_nodes(emptied);
        removed
    }

    /// As `remove_matches` in one node; a plain node that matches stays for the caller to drop.
    fn remove_in_node(&mut self, i: usize, needle: &Needle<'_>, limit: usize, back: bool) -> usize {
        let mut found = false;
        self.nodes[i].with(|body| {
            body.walk(0, false, &mut |element| {
                found = needle.is(element);
                !found
            })
        });
        if !found {
            return 0;
        }
        if self.nodes[i].is_plain() {
            return 1;
        }
        let mut removed = 0;
        self.nodes[i].edit(|pack| {
            removed = remove_matches(pack, needle, limit, back);
            -(removed as i64)
        });
        self.recompress(i);
        removed
    }

    /// Drops nodes that are empty now, given in either order.
    fn drop_nodes(&mut self, mut emptied: Vec<usize>) {
        if emptied.is_empty() {
            return;
        }
        emptied.sort_unstable();
        let (mut i, mut next) = (0, emptied.iter().peekable());
        self.nodes.retain(|_| {
            let gone = next.next_if_eq(&&i).is_some();
            i += 1;
            !gone
        });
        self.settle(0);
    }

    /// Takes compression to where it belongs after nodes came or went around `near`: nodes within the depth are
    /// decompressed, those just beyond it and those around `near` compressed.
    pub(super) fn settle(&mut self, near: usize) {
        let (depth, len) = (self.shape.depth as usize, self.nodes.len());
        if depth == 0 || len == 0 {
            return;
        }
        for i in 0..depth.min(len) {
            self.nodes[i].loosen();
            self.nodes[len - 1 - i].loosen();
        }
        if len > depth.saturating_mul(2) {
            for i in near.saturating_sub(2)..=near + 2 {
                self.recompress(i);
            }
            self.recompress(depth);
            self.recompress(len - 1 - depth);
        }
    }

    /// Compresses a node if it is beyond the depth.
    pub(super) fn recompress(&mut self, i: usize) {
        let (depth, len) = (self.shape.depth as usize, self.nodes.len());
        if depth > 0 && i >= depth && i < len.saturating_sub(depth) {
            self.nodes[i].squeeze();
        }
    }

    /// Bytes it holds on the heap, itself included.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Quicklist>()
            + self.nodes.capacity() * size_of::<Node>()
            + self.nodes.iter().map(Node::memory_bytes).sum::<usize>()
    }

    /// Checks the invariants; for tests.
    pub(super) fn check_invariants(&self) {
        let (depth, len) = (self.shape.depth as usize, self.nodes.len());
        let mut count = 0;
        for (i, node) in self.nodes.iter().enumerate() {
            assert!(node.count() > 0, "node {i} is empty");
            count += node.count();
            let inner = depth > 0 && i >= depth && i < len.saturating_sub(depth);
            assert!(inner || !matches!(node, Node::Squeezed { .. }), "node {i} of {len} is compressed");
            node.with(|body| {
                if let super::node::Body::Pack(pack) = body {
                    pack.check_invariants();
                    assert_eq!(pack.len(), node.count());
                    assert_eq!(pack.size(), node.size());
                }
            });
        }
        assert_eq!(count, self.count);
    }
}
