//! One node of a quicklist: a listpack, a single large element, or either of them compressed.

use crate::stdx::lzf::{Compressor, decompress};
use crate::types::listpack::{Element, Listpack, Needle};

/// Nodes smaller than this are not compressed, bytes.
const WORTH_BYTES: usize = 48;
/// Compression must save this many bytes.
const SAVED_BYTES: usize = 8;

/// A node; never empty.
#[derive(Clone)]
pub(super) enum Node {
    Packed { pack: Listpack, count: u32 },
    Plain(Box<[u8]>),
    Squeezed { data: Box<[u8]>, size: u32, count: u32, plain: bool },
}

const _: () = assert!(size_of::<Node>() == 32);

/// What a node holds, uncompressed.
pub(super) enum Body<'a> {
    Pack(&'a Listpack),
    Plain(&'a [u8]),
}

impl Node {
    /// A node with one element, of its own kind if it is large.
    pub(super) fn of(bytes: &[u8], large: bool) -> Node {
        if large {
            return Node::Plain(bytes.into());
        }
        let mut pack = Listpack::new();
        pack.push_back(bytes);
        Node::Packed { pack, count: 1 }
    }

    /// A node of these elements, of which there must be one.
    pub(super) fn of_pack(pack: Listpack) -> Node {
        let count = pack.len() as u32;
        assert!(count > 0, "a node is never empty");
        Node::Packed { pack, count }
    }

    /// Number of elements.
    #[inline]
    pub(super) fn count(&self) -> usize {
        match self {
            Node::Packed { count, .. } | Node::Squeezed { count, .. } => *count as usize,
            Node::Plain(_) => 1,
        }
    }

    /// Bytes of what it holds, uncompressed.
    #[inline]
    pub(super) fn size(&self) -> usize {
        match self {
            Node::Packed { pack, .. } => pack.size(),
            Node::Plain(bytes) => bytes.len(),
            Node::Squeezed { size, .. } => *size as usize,
        }
    }

    /// True if it holds a single large element.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Node::Plain(_) | Node::Squeezed { plain: true, .. })
    }

    /// Bytes it holds on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Node::Packed { pack, .. } => pack.memory_bytes(),
            Node::Plain(bytes) => bytes.len(),
            Node::Squeezed { data, .. } => data.len(),
        }
    }

    /// Shows what it holds; a compressed node is decompressed for that time.
    #[inline]
    pub(super) fn with<R>(&self, show: impl FnOnce(Body<'_>) -> R) -> R {
        match self {
            Node::Packed { pack, .. } => show(Body::Pack(pack)),
            Node::Plain(bytes) => show(Body::Plain(bytes)),
            Node::Squeezed { data, size, plain, .. } => match (loosened(data, *size), *plain) {
                (bytes, true) => show(Body::Plain(&bytes)),
                (bytes, false) => show(Body::Pack(&repacked(bytes))),
            },
        }
    }

    /// Decompresses it.
    pub(super) fn loosen(&mut self) {
        if let Node::Squeezed { data, size, count, plain } = self {
            let (bytes, count) = (loosened(data, *size), *count);
            *self = if *plain { Node::Plain(bytes.into_boxed_slice()) } else { Node::Packed { pack: repacked(bytes), count } };
        }
    }

    /// Compresses it, if that is worth the while.
    pub(super) fn squeeze(&mut self) {
        let bytes: &[u8] = match self {
            Node::Packed { pack, .. } => pack.bytes(),
            Node::Plain(bytes) => bytes,
            Node::Squeezed { .. } => return,
        };
        if bytes.len() < WORTH_BYTES || u32::try_from(bytes.len()).is_err() {
            return;
        }
        let Some(data) = Compressor::new().compress(bytes, bytes.len()) else { return };
        if data.len() + SAVED_BYTES >= bytes.len() {
            return;
        }
        let (size, count, plain) = (bytes.len() as u32, self.count() as u32, self.is_plain());
        *self = Node::Squeezed { data: data.into_boxed_slice(), size, count, plain };
    }

    /// Its listpack, to be edited by `edit`, which says how many elements came (or went, if negative).
    #[inline]
    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut Listpack) -> i64) {
        self.loosen();
        let Node::Packed { pack, count } = self else { unreachable!("a plain node has no listpack") };
        let change = edit(pack);
        *count = (i64::from(*count) + change) as u32;
    }

    /// Its listpack, decompressed.
    pub(super) fn into_pack(mut self) -> Listpack {
        self.loosen();
        let Node::Packed { pack, .. } = self else { unreachable!("a plain node has no listpack") };
        pack
    }
}

fn loosened(data: &[u8], size: u32) -> Vec<u8> {
    decompress(data, size as usize).expect("we compressed it ourselves")
}

fn repacked(bytes: Vec<u8>) -> Listpack {
    Listpack::from_untrusted(bytes).expect("a listpack was compressed")
}

impl Body<'_> {
    /// Hands the elements from number `from` on (towards the front if `back`) to `see` until it says false; false if it did.
    #[inline]
    pub(super) fn walk(&self, from: usize, back: bool, see: &mut impl FnMut(Element<'_>) -> bool) -> bool {
        match self {
            Body::Plain(bytes) => see(Element::Bytes(bytes)),
            Body::Pack(pack) => walk_pack(pack, from, back, see),
        }
    }
}

/// As [`Body::walk`].
#[inline]
pub(super) fn walk_pack(pack: &Listpack, from: usize, back: bool, see: &mut impl FnMut(Element<'_>) -> bool) -> bool {
    let Some(at) = pack.seek(from as i64) else { return true };
    if back { pack.iter_until(pack.after(at)).rev().all(see) } else { pack.iter_from(at).all(see) }
}

/// Removes up to `limit` elements that are `needle`, the last ones if `back`; how many went.
pub(super) fn remove_matches(pack: &mut Listpack, needle: &Needle<'_>, limit: usize, back: bool) -> usize {
    if pack.find(pack.begin(), needle, 0).is_none() {
        return 0;
    }
    let matches = pack.iter().filter(|element| needle.is(*element)).count();
    let first = if back { matches.saturating_sub(limit) } else { 0 };
    let mut met = 0;
    pack.retain(|element| {
        let is = needle.is(element);
        met += usize::from(is);
        !is || met <= first || met > first.saturating_add(limit)
    })
}
