//! Edits in the middle of a quicklist: inserting and replacing split nodes that are full, and small neighbours are merged
//! again. Which node takes an element is decided as Valkey decides it, so that both write the same nodes.

use super::node::Node;
use super::quick::Quicklist;
use crate::types::listpack::Element;

impl Quicklist {
    /// Inserts an element before element `index`, or after it.
    pub(super) fn insert(&mut self, index: usize, after: bool, bytes: &[u8]) {
        let (i, offset) = self.locate(index);
        let outer = if after { offset + 1 == self.nodes[i].count() } else { offset == 0 };
        let cut = offset + usize::from(after);
        let new_at = i + usize::from(after);
        let neighbour = if after { Some(i + 1) } else { i.checked_sub(1) };
        self.count += 1;
        if self.shape.is_large(bytes.len()) {
            if !outer {
                self.split(i, cut);
            }
            // Between the halves, or beside the node.
            self.nodes.insert(if outer { new_at } else { i + 1 }, Node::of(bytes, true));
            self.settle(i + 1);
        } else if self.has_room(i, bytes.len()) {
            self.insert_into(i, cut, bytes);
        } else if let Some(n) = neighbour.filter(|n| outer && self.has_room(*n, bytes.len())) {
            let end = if after { 0 } else { self.nodes[n].count() };
            self.insert_into(n, end, bytes);
        } else if outer {
            self.nodes.insert(new_at, Node::of(bytes, false));
            self.settle(new_at);
        } else {
            self.split(i, cut);
            let (taker, place) = if after { (i + 1, 0) } else { (i, self.nodes[i].count()) };
            self.nodes[taker].edit(|pack| {
                pack.insert(if place == 0 { pack.begin() } else { pack.end() }, Element::of(bytes));
                1
            });
            // The half that did not take the element is the one whose neighbours are looked at.
            let centre = self.merge_around(if after { i } else { i + 1 });
            self.settle(centre);
        }
    }

    /// Inserts an element as number `place` of a node.
    fn insert_into(&mut self, node: usize, place: usize, bytes: &[u8]) {
        self.nodes[node].edit(|pack| {
            let at = pack.seek(place as i64).unwrap_or(pack.end());
            pack.insert(at, Element::of(bytes));
            1
        });
        self.recompress(node);
    }

    /// Replaces element `index`.
    pub(super) fn replace(&mut self, index: usize, bytes: &[u8]) {
        let (i, offset) = self.locate(index);
        let large = self.shape.is_large(bytes.len());
        match (self.nodes[i].is_plain(), large) {
            (false, false) => {
                self.nodes[i].edit(|pack| {
                    let at = pack.seek(offset as i64).expect("the element is in the node");
                    pack.replace(at, Element::of(bytes));
                    0
                });
                self.recompress(i);
            }
            (true, true) => {
                self.nodes[i] = Node::of(bytes, true);
                self.recompress(i);
            }
            (true, false) => {
                self.insert(index, true, bytes);
                self.nodes.remove(i);
                self.count -= 1;
                self.settle(i.min(self.nodes.len() - 1));
            }
            (false, true) => self.replace_by_large(i, offset, bytes),
        }
    }

    fn replace_by_large(&mut self, i: usize, offset: usize, bytes: &[u8]) {
        if offset + 1 < self.nodes[i].count() {
            self.split(i, offset + 1);
        }
        self.nodes.insert(i + 1, Node::of(bytes, true));
        if self.nodes[i].count() == 1 {
            self.nodes.remove(i);
            return self.settle(i);
        }
        self.nodes[i].edit(|pack| {
            pack.remove(pack.last().expect("a node is never empty"));
            -1
        });
        let centre = self.merge_around(i + 1);
        self.settle(centre);
    }

    /// Splits a node before its element number `cut`; both halves have some.
    fn split(&mut self, i: usize, cut: usize) {
        debug_assert!(cut > 0 && cut < self.nodes[i].count());
        let mut right = None;
        self.nodes[i].edit(|pack| {
            let at = pack.seek(cut as i64).expect("the cut is within the node");
            let half = Node::of_pack(pack.split_off(at));
            let moved = half.count() as i64;
            right = Some(half);
            -moved
        });
        self.nodes.insert(i + 1, right.expect("the node was split"));
    }

    /// Merges what fits together around node `centre`: the two before it, the two behind it, then itself with either
    /// side. Where it is then.
    fn merge_around(&mut self, mut centre: usize) -> usize {
        if centre >= 2 && self.merge(centre - 2) {
            centre -= 1;
        }
        self.merge(centre + 1);
        if centre >= 1 && self.merge(centre - 1) {
            centre -= 1;
        }
        self.merge(centre);
        centre
    }

    /// Merges node `a` with the one behind it, if they fit into one.
    fn merge(&mut self, a: usize) -> bool {
        /// Header and end of a listpack, which the second one loses.
        const SAVED: usize = 7;
        let (Some(left), Some(right)) = (self.nodes.get(a), self.nodes.get(a + 1)) else { return false };
        let (bytes, count) = (left.size() + right.size(), left.count() + right.count());
        if left.is_plain() || right.is_plain() || self.shape.exceeds(bytes - SAVED, count) {
            return false;
        }
        let right = self.nodes.remove(a + 1).expect("it was looked at above").into_pack();
        self.nodes[a].edit(|pack| {
            pack.append(&right);
            right.len() as i64
        });
        true
    }
}
