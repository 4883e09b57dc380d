//! A large sorted set: a counted B+tree over (score, member), and an index from members to leaves.
//!
//! The elements lie packed in the leaves ([`Pack`]), up to 64 of them or 2 KiB in a leaf; reading a range walks over
//! contiguous bytes. An inner node knows of each child how many elements it holds and the score of the first one, so ranks
//! are sums on the way down. It keeps no member: where scores are equal, the way down asks the first leaf of the child.
//!
//! Leaves and inner nodes live in arenas and are named by their number. A leaf keeps its number while its elements stay in
//! it, which is what the index ([`Index`]) points to; when a leaf is split or merged, the elements that move are looked up
//! in the index anew, on average one for each element that comes or goes.
//!
//! Costs beyond member and score: about 2 bytes in the leaf, 10 in the index, 2 for the nodes.
//!
//! Invariants: no leaf is empty but the only one of an empty tree; counts and first scores of inner nodes are those of
//! their children; the leaves in the order of their links hold the elements in order.

use super::index::{Index, Slot};
use super::pack::{Entry, Pack, order};
use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher};

/// Elements in a leaf.
const LEAF_MAX: usize = 64;
/// Bytes in a leaf of more than one element.
const LEAF_BYTES_MAX: usize = 2048;
/// Children of an inner node.
const KIDS_MAX: usize = 64;
/// Enough for 2^32 elements in nodes a quarter full.
const HEIGHT_MAX: usize = 10;
const NONE: u32 = u32::MAX;

#[derive(Clone)]
struct Leaf {
    pack: Pack,
    next: u32,
    before: u32,
}

#[derive(Clone, Default)]
struct Inner {
    kids: Vec<u32>,
    /// Elements below each child.
    counts: Vec<u32>,
    /// The score of each child's first element.
    firsts: Vec<f64>,
}

/// The tree.
pub(super) struct Tree {
    leaves: Vec<Leaf>,
    free_leaves: Vec<u32>,
    inners: Vec<Inner>,
    free_inners: Vec<u32>,
    root: u32,
    /// Inner nodes on the way to a leaf.
    height: usize,
    len: usize,
    index: Index,
    hasher: ahash::RandomState,
    /// Bytes of the leaves' packs.
    pack_bytes: usize,
}

/// The way from the root to a leaf.
#[derive(Clone, Copy)]
struct Path {
    steps: [(u32, u32); HEIGHT_MAX],
    leaf: u32,
    /// Elements before the leaf.
    rank: usize,
}

/// A copy's packs have no room to spare, so they are counted anew.
impl Clone for Tree {
    fn clone(&self) -> Tree {
        let leaves = self.leaves.clone();
        Tree {
            pack_bytes: leaves.iter().map(|leaf| leaf.pack.heap_bytes()).sum(),
            leaves,
            free_leaves: self.free_leaves.clone(),
            inners: self.inners.clone(),
            free_inners: self.free_inners.clone(),
            index: self.index.clone(),
            hasher: self.hasher.clone(),
            ..*self
        }
    }
}

/// Reads the member of an element, if it is asked for.
pub(super) type Member<'t> = dyn Fn() -> &'t [u8] + 't;

impl Tree {
    /// An empty tree; `seed` keys the hash of the members.
    pub fn new(seed: u64) -> Tree {
        Tree {
            leaves: vec![Leaf { pack: Pack::default(), next: NONE, before: NONE }],
            free_leaves: Vec::new(),
            inners: Vec::new(),
            free_inners: Vec::new(),
            root: 0,
            height: 0,
            len: 0,
            index: Index::new(),
            hasher: ahash::RandomState::with_seeds(seed, !seed, seed.rotate_left(17), seed.rotate_left(43)),
            pack_bytes: 0,
        }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes on the heap, about.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Tree>()
            + self.pack_bytes
            + self.leaves.capacity() * size_of::<Leaf>()
            + self.inners.capacity() * (size_of::<Inner>() + KIDS_MAX * 16)
            + self.index.heap_bytes()
    }

    /// Allocations, about.
    pub fn allocations(&self) -> usize {
        self.leaves.len() + self.inners.len() * 3 + self.index.len() / 16
    }

    #[inline]
    fn hash(&self, member: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(member);
        (hasher.finish() >> 32) as u32
    }

    /// The leaf that has a member, and its element there.
    fn find(&self, member: &[u8]) -> Option<(u32, Entry<'_>)> {
        let found = |leaf: u32| self.leaves[leaf as usize].pack.find(member).map(|entry| (leaf, entry));
        self.index.leaves(self.hash(member)).find_map(found)
    }

    /// The places of the members that meet a member; their own place is asked for.
    #[inline]
    pub fn look_ahead(&self, member: &[u8]) -> &Vec<Slot> {
        self.index.look_ahead(self.hash(member))
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|(_, entry)| entry.score)
    }

    /// How many elements come before a member, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let (leaf, entry) = self.find(member)?;
        let path = self.path_to(entry.score, member);
        assert_eq!(path.leaf, leaf, "the index and the tree agree");
        Some((path.rank + entry.index, entry.score))
    }

    /// The way to the leaf where (score, member) is or belongs.
    fn path_to(&self, score: f64, member: &[u8]) -> Path {
        self.path(|s, m| {
            s < score || s == score && m() <= member
        })
    }

    /// The way to the last leaf whose first element satisfies `before` (or to the first leaf), which holds for all elements
    /// up to some place and for none after it.
    fn path<'t>(&'t self, before: impl Fn(f64, &Member<'t>) -> bool) -> Path {
        let mut path = Path { steps: [(0, 0); HEIGHT_MAX], leaf: self.root, rank: 0 };
        for level in 0..self.height {
            let node = path.leaf;
            let inner = &self.inners[node as usize];
            let (mut low, mut high) = (1, inner.kids.len());
            while low < high {
                let mid = (low + high) / 2;
                let kid = inner.kids[mid];
                if before(inner.firsts[mid], &move || self.first_member(kid, level + 1)) {
                    low = mid + 1;
                } else {
                    high = mid;
                }
            }
            let slot = low - 1;
            path.rank += inner.counts[..slot].iter().map(|n| *n as usize).sum::<usize>();
            path.steps[level] = (node, slot as u32);
            path.leaf = inner.kids[slot];
        }
        path
    }

    fn first_member(&self, mut node: u32, level: usize) -> &[u8] {
        for _ in level..self.height {
            node = self.inners[node as usize].kids[0];
        }
        self.leaves[node as usize].pack.first().member
    }

    /// How many elements satisfy `before`, which holds for all elements up to some place and for none after it.
    pub fn count_where<'t>(&'t self, before: impl Fn(f64, &Member<'t>) -> bool) -> usize {
        let path = self.path(&before);
        let pack = &self.leaves[path.leaf as usize].pack;
        path.rank + pack.iter().take_while(|e| { let m = e.member; before(e.score, &move || m) }).count()
    }

    /// The leaf that holds the element of this rank, and how many come before it there.
    fn leaf_of_rank(&self, rank: usize) -> (u32, usize) {
        assert!(rank < self.len, "the rank of an element");
        let (mut node, mut rest) = (self.root, rank);
        for _ in 0..self.height {
            let inner = &self.inners[node as usize];
            let mut slot = 0;
            while rest >= inner.counts[slot] as usize {
                rest -= inner.counts[slot] as usize;
                slot += 1;
            }
            node = inner.kids[slot];
        }
        (node, rest)
    }

    /// The element of this rank.
    pub fn at(&self, rank: usize) -> (&[u8], f64) {
        let (leaf, index) = self.leaf_of_rank(rank);
        let entry = self.leaves[leaf as usize].pack.nth(index);
        (entry.member, entry.score)
    }

    /// Gives the elements from `rank` on, upwards or downwards, until `each` returns false or there are no more.
    pub fn walk<'t>(&'t self, rank: usize, reverse: bool, each: &mut dyn FnMut(&'t [u8], f64) -> bool) {
        if rank >= self.len {
            return;
        }
        let (mut leaf, index) = self.leaf_of_rank(rank);
        let mut offsets = Vec::new();
        let mut start = Some(index);
        while leaf != NONE {
            let Leaf { pack, next, before } = &self.leaves[leaf as usize];
            let go_on = if reverse {
                pack.offsets(&mut offsets);
                let from = start.take().map_or(offsets.len(), |index| index + 1);
                offsets[..from].iter().rev().all(|at| {
                    let entry = pack.entry_at(*at as usize);
                    each(entry.member, entry.score)
                })
            } else {
                pack.iter().skip(start.take().unwrap_or(0)).all(|entry| each(entry.member, entry.score))
            };
            if !go_on {
                return;
            }
            leaf = if reverse { *before } else { *next };
        }
    }

    /// Adds an element whose member is not there.
    pub fn insert(&mut self, score: f64, member: &[u8]) {
        let hash = self.hash(member);
        let leaf = self.place(score, member);
        self.index.insert(hash, leaf);
        self.split_if_full(leaf, score, member);
    }

    /// Puts an element into its leaf and counts it; the index does not know of it yet.
    fn place(&mut self, score: f64, member: &[u8]) -> u32 {
        assert!(self.len < u32::MAX as usize, "counts have 32 bits");
        let path = self.path_to(score, member);
        let index = self.edit(path.leaf, |pack| pack.insert(score, member));
        self.len += 1;
        self.count_along(&path, 1);
        if index == 0 {
            self.set_first(&path, self.height, score);
        }
        path.leaf
    }

    /// Gives a member another score.
    pub fn update(&mut self, member: &[u8], score: f64) {
        let (leaf, entry) = self.find(member).expect("the member is there");
        let (at, end, old) = (entry.at, entry.end, entry.score);
        if self.stays_inside(leaf, member, score) {
            self.edit(leaf, |pack| {
                pack.remove(at, end);
                pack.insert(score, member)
            });
            return;
        }
        let hash = self.hash(member);
        self.take_out(old, member);
        let to = self.place(score, member);
        // Merging never happens between the two, so the slot still names the leaf it was in.
        self.index.relocate(hash, leaf, to);
        self.split_if_full(to, score, member);
        self.close_gap(leaf);
    }

    /// True if (score, member) belongs strictly between the first and the last element of a leaf, other than the element it
    /// replaces: then nothing outside the leaf changes.
    fn stays_inside(&self, leaf: u32, member: &[u8], score: f64) -> bool {
        let pack = &self.leaves[leaf as usize].pack;
        let first = pack.first();
        if first.member == member || order(first.score, first.member, score, member) != Ordering::Less {
            return false;
        }
        pack.seek(score, member).is_some_and(|next| next.member != member || next.index + 1 < pack.len())
    }

    /// Removes a member; its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (leaf, entry) = self.find(member)?;
        let score = entry.score;
        self.take_out(score, member);
        self.index.remove(self.hash(member), leaf);
        self.close_gap(leaf);
        Some(score)
    }

    /// Takes an element out of its leaf and uncounts it. The leaf may be empty then: `close_gap` follows.
    fn take_out(&mut self, score: f64, member: &[u8]) {
        let path = self.path_to(score, member);
        let entry = self.leaves[path.leaf as usize].pack.seek(score, member).expect("the element is there");
        assert!(entry.member == member, "the index and the tree agree");
        let (at, end, was_first) = (entry.at, entry.end, entry.index == 0);
        self.edit(path.leaf, |pack| pack.remove(at, end));
        self.len -= 1;
        self.count_along(&path, -1);
        let pack = &self.leaves[path.leaf as usize].pack;
        if pack.len() == 0 {
            self.drop_leaf(&path);
        } else if was_first {
            let first = pack.first().score;
            self.set_first(&path, self.height, first);
        }
    }

    /// Removes the elements of these ranks.
    pub fn remove_ranks(&mut self, ranks: std::ops::Range<usize>) {
        let mut member = Vec::new();
        for _ in ranks.clone() {
            let (leaf, index) = self.leaf_of_rank(ranks.start);
            let entry = self.leaves[leaf as usize].pack.nth(index);
            member.clear();
            member.extend_from_slice(entry.member);
            let score = entry.score;
            let hash = self.hash(&member);
            self.take_out(score, &member);
            self.index.remove(hash, leaf);
            self.close_gap(leaf);
        }
    }

    fn edit<R>(&mut self, leaf: u32, f: impl FnOnce(&mut Pack) -> R) -> R {
        let pack = &mut self.leaves[leaf as usize].pack;
        let before = pack.heap_bytes();
        let result = f(pack);
        self.pack_bytes = self.pack_bytes + pack.heap_bytes() - before;
        result
    }

    fn count_along(&mut self, path: &Path, by: i32) {
        for (node, slot) in &path.steps[..self.height] {
            let count = &mut self.inners[*node as usize].counts[*slot as usize];
            *count = count.checked_add_signed(by).expect("counts are right");
        }
    }

    /// The first element below the child that the path takes at `level - 1` has another score now.
    fn set_first(&mut self, path: &Path, level: usize, score: f64) {
        for (node, slot) in path.steps[..level].iter().rev() {
            self.inners[*node as usize].firsts[*slot as usize] = score;
            if *slot != 0 {
                break;
            }
        }
    }

    /// Splits the leaf that holds (score, member), if it is too full.
    fn split_if_full(&mut self, leaf: u32, score: f64, member: &[u8]) {
        let Leaf { pack, next, .. } = &self.leaves[leaf as usize];
        let (count, next) = (pack.len(), *next);
        if count <= LEAF_MAX && (pack.bytes_len() <= LEAF_BYTES_MAX || count == 1) {
            return;
        }
        let path = self.path_to(score, member);
        debug_assert_eq!(path.leaf, leaf);
        // Who adds at the end fills the leaves and moves nothing.
        let at_end = next == NONE && pack.nth(count - 1).member == member;
        let keep = if at_end { count - 1 } else { count / 2 };
        let tail = self.edit(path.leaf, |pack| pack.split_off(keep));
        self.pack_bytes += tail.heap_bytes();
        let first = tail.first().score;
        let moved = tail.len() as u32;
        let new = self.new_leaf(Leaf { pack: tail, next, before: path.leaf });
        self.leaves[path.leaf as usize].next = new;
        if next != NONE {
            self.leaves[next as usize].before = new;
        }
        self.relocate_all(new, path.leaf);
        self.add_kid(&path, self.height, new, moved, first);
    }

    /// Tells the index that the elements of leaf `to` were in leaf `from`.
    fn relocate_all(&mut self, to: u32, from: u32) {
        let Tree { leaves, index, hasher, .. } = self;
        for entry in leaves[to as usize].pack.iter() {
            let mut h = hasher.build_hasher();
            h.write(entry.member);
            index.relocate((h.finish() >> 32) as u32, from, to);
        }
    }

    /// Adds a child behind the one the path takes at `level - 1`; `moved` of that one's elements are in the new one.
    fn add_kid(&mut self, path: &Path, level: usize, kid: u32, moved: u32, first: f64) {
        if level == 0 {
            let old = self.root;
            let old_first = self.first_score(old);
            let inner = Inner {
                kids: vec![old, kid],
                counts: vec![self.len as u32 - moved, moved],
                firsts: vec![old_first, first],
            };
            self.root = self.new_inner(inner);
            self.height += 1;
            assert!(self.height < HEIGHT_MAX);
            return;
        }
        let (node, slot) = path.steps[level - 1];
        let (inner, slot) = (&mut self.inners[node as usize], slot as usize);
        inner.counts[slot] -= moved;
        inner.kids.insert(slot + 1, kid);
        inner.counts.insert(slot + 1, moved);
        inner.firsts.insert(slot + 1, first);
        if inner.kids.len() > KIDS_MAX {
            let at_end = slot + 2 == inner.kids.len();
            let keep = if at_end { KIDS_MAX - 1 } else { KIDS_MAX / 2 };
            let tail = Inner {
                kids: inner.kids.split_off(keep),
                counts: inner.counts.split_off(keep),
                firsts: inner.firsts.split_off(keep),
            };
            let (moved, first) = (tail.counts.iter().sum(), tail.firsts[0]);
            let new = self.new_inner(tail);
            self.add_kid(path, level - 1, new, moved, first);
        }
    }

    /// The first score below the root `node`, before the tree grows by a level.
    fn first_score(&self, node: u32) -> f64 {
        if self.height == 0 {
            self.leaves[node as usize].pack.first().score
        } else {
            self.inners[node as usize].firsts[0]
        }
    }

    fn new_leaf(&mut self, leaf: Leaf) -> u32 {
        match self.free_leaves.pop() {
            Some(at) => {
                self.leaves[at as usize] = leaf;
                at
            }
            None => {
                self.leaves.push(leaf);
                self.leaves.len() as u32 - 1
            }
        }
    }

    fn new_inner(&mut self, inner: Inner) -> u32 {
        match self.free_inners.pop() {
            Some(at) => {
                self.inners[at as usize] = inner;
                at
            }
            None => {
                self.inners.push(inner);
                self.inners.len() as u32 - 1
            }
        }
    }

    /// Takes an empty leaf out of the tree, unless it is the only one.
    fn drop_leaf(&mut self, path: &Path) {
        if self.height == 0 {
            return;
        }
        self.unlink(path.leaf);
        self.drop_kid(path, self.height);
    }

    fn unlink(&mut self, leaf: u32) {
        let Leaf { next, before, .. } = self.leaves[leaf as usize];
        if next != NONE {
            self.leaves[next as usize].before = before;
        }
        if before != NONE {
            self.leaves[before as usize].next = next;
        }
        self.edit(leaf, |pack| *pack = Pack::default());
        self.free_leaves.push(leaf);
    }

    /// Takes the child that the path takes at `level - 1`, which holds nothing any more, out of its parent.
    fn drop_kid(&mut self, path: &Path, level: usize) {
        let (node, slot) = path.steps[level - 1];
        let (inner, slot) = (&mut self.inners[node as usize], slot as usize);
        inner.kids.remove(slot);
        inner.counts.remove(slot);
        inner.firsts.remove(slot);
        if inner.kids.is_empty() {
            assert!(level > 1, "a root has two children or more");
            *inner = Inner::default();
            self.free_inners.push(node);
            self.drop_kid(path, level - 1);
        } else if slot == 0 {
            let first = inner.firsts[0];
            self.set_first(path, level - 1, first);
        }
        self.lower_root();
    }

    /// A root with one child gives way to it.
    fn lower_root(&mut self) {
        while self.height > 0 && self.inners[self.root as usize].kids.len() == 1 {
            let old = self.root;
            self.root = self.inners[old as usize].kids[0];
            self.inners[old as usize] = Inner::default();
            self.free_inners.push(old);
            self.height -= 1;
        }
    }

    /// Merges a leaf that lost elements with a neighbour under the same parent, if both together leave room. The leaf may be
    /// gone already.
    fn close_gap(&mut self, leaf: u32) {
        let pack = &self.leaves[leaf as usize].pack;
        if self.height == 0 || pack.len() == 0 || pack.len() > LEAF_MAX / 4 {
            return;
        }
        let first = pack.first();
        let path = self.path_to(first.score, first.member);
        debug_assert_eq!(path.leaf, leaf);
        let (node, slot) = path.steps[self.height - 1];
        let (inner, slot) = (&self.inners[node as usize], slot as usize);
        let left = if slot + 1 < inner.kids.len() { slot } else { slot.saturating_sub(1) };
        if left + 1 < inner.kids.len() && self.fit_together(inner.kids[left], inner.kids[left + 1]) {
            self.merge_leaves(node, left);
            self.close_inner_gap(&path, self.height - 1);
        }
    }

    fn fit_together(&self, a: u32, b: u32) -> bool {
        let (a, b) = (&self.leaves[a as usize].pack, &self.leaves[b as usize].pack);
        a.len() + b.len() <= LEAF_MAX * 3 / 4 && a.bytes_len() + b.bytes_len() <= LEAF_BYTES_MAX * 3 / 4
    }

    /// Puts the elements of the child behind `left` into that one.
    fn merge_leaves(&mut self, node: u32, left: usize) {
        let inner = &mut self.inners[node as usize];
        let (to, from) = (inner.kids[left], inner.kids.remove(left + 1));
        inner.counts[left] += inner.counts.remove(left + 1);
        inner.firsts.remove(left + 1);
        let tail = self.edit(from, std::mem::take);
        for entry in tail.iter() {
            let hash = self.hash(entry.member);
            self.index.relocate(hash, from, to);
        }
        self.edit(to, |pack| pack.append(&tail));
        self.unlink(from);
    }

    /// The inner node the path takes at `level` lost a child: merges it with a neighbour if both together leave room.
    fn close_inner_gap(&mut self, path: &Path, level: usize) {
        if level > 0 && self.inners[path.steps[level].0 as usize].kids.len() < KIDS_MAX / 4 {
            let (node, slot) = path.steps[level - 1];
            let (parent, slot) = (&self.inners[node as usize], slot as usize);
            let left = if slot + 1 < parent.kids.len() { slot } else { slot.saturating_sub(1) };
            if left + 1 < parent.kids.len() {
                let (to, from) = (parent.kids[left] as usize, parent.kids[left + 1] as usize);
                if self.inners[to].kids.len() + self.inners[from].kids.len() <= KIDS_MAX * 3 / 4 {
                    self.merge_inners(node as usize, left);
                    self.close_inner_gap(path, level - 1);
                }
            }
        }
        self.lower_root();
    }

    fn merge_inners(&mut self, node: usize, left: usize) {
        let parent = &mut self.inners[node];
        let (to, from) = (parent.kids[left] as usize, parent.kids.remove(left + 1));
        parent.counts[left] += parent.counts.remove(left + 1);
        parent.firsts.remove(left + 1);
        let mut tail = std::mem::take(&mut self.inners[from as usize]);
        let inner = &mut self.inners[to];
        inner.kids.append(&mut tail.kids);
        inner.counts.append(&mut tail.counts);
        inner.firsts.append(&mut tail.firsts);
        self.free_inners.push(from);
    }

    /// Gives the elements at `cursor` to `each` and returns the next cursor, 0 at the end ([`Index::scan`]).
    pub fn scan<'t>(&'t self, cursor: u64, each: &mut dyn FnMut(&'t [u8], f64)) -> u64 {
        self.index.scan(cursor, &mut |hash, leaf| {
            let here = self.leaves[leaf as usize].pack.iter().filter(|entry| self.hash(entry.member) == hash);
            here.for_each(|entry| each(entry.member, entry.score));
        })
    }

    /// Frees up to `n` leaves and as much of the index; true when all is gone. The tree is of no use afterwards.
    pub fn drop_some(&mut self, n: usize) -> bool {
        self.leaves.truncate(self.leaves.len().saturating_sub(n));
        self.inners.truncate(self.inners.len().saturating_sub(n));
        let index_gone = self.index.drop_some(4 * n);
        self.leaves.is_empty() && self.inners.is_empty() && index_gone
    }

    /// Checks everything.
    pub fn check_invariants(&self) {
        let mut leaves = Vec::new();
        let counted = self.check_node(self.root, 0, &mut leaves);
        assert_eq!(counted, self.len);
        assert_eq!(self.index.len(), self.len);
        self.index.check_invariants();
        let mut before = NONE;
        let mut last: Option<Entry<'_>> = None;
        let mut bytes = 0;
        for (i, leaf) in leaves.iter().enumerate() {
            let node = &self.leaves[*leaf as usize];
            assert_eq!((node.before, node.next), (before, leaves.get(i + 1).copied().unwrap_or(NONE)), "links");
            node.pack.check_invariants();
            bytes += node.pack.heap_bytes();
            for entry in node.pack.iter() {
                if let Some(last) = last {
                    assert_eq!(order(last.score, last.member, entry.score, entry.member), Ordering::Less);
                }
                last = Some(entry);
                assert!(self.index.leaves(self.hash(entry.member)).any(|l| l == *leaf), "in the index");
            }
            before = *leaf;
        }
        assert_eq!(bytes, self.pack_bytes);
        assert_eq!(leaves.len() + self.free_leaves.len(), self.leaves.len());
    }

    fn check_node(&self, node: u32, level: usize, leaves: &mut Vec<u32>) -> usize {
        if level == self.height {
            leaves.push(node);
            let len = self.leaves[node as usize].pack.len();
            assert!(len > 0 || self.height == 0, "an empty leaf");
            return len;
        }
        let inner = &self.inners[node as usize];
        assert!(inner.kids.len() <= KIDS_MAX && (level > 0 || inner.kids.len() > 1));
        let mut sum = 0;
        for (slot, kid) in inner.kids.iter().enumerate() {
            let leaf = leaves.len();
            let count = self.check_node(*kid, level + 1, leaves);
            assert_eq!(count, inner.counts[slot] as usize, "counts");
            let first = self.leaves[leaves[leaf] as usize].pack.first().score;
            assert!(first == inner.firsts[slot], "first scores");
            sum += count;
        }
        sum
    }
}
