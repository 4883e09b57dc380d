//! Small collections as a few bytes, to lie in the leaf of their key.
//!
//! ```text
//! [0 ...] kind count:u16 entries     a hash or a sorted set
//! [0 ...] kind entries               a set, a list, or integers, whose width the kind says
//! ```
//!
//! The entries are those of the small form, byte by byte, so going in and out is a copy. No kind is zero: zeros in front
//! fill up what would be shorter than a leaf wants.

use super::Object;
use super::hash::Hash;
use super::intset::IntSet;
use super::list::List;
use super::set::Set;
use super::zset::ZSet;

/// What a leaf wants at least.
const LEN_MIN: usize = 8;
const HASH: u8 = 1;
const ZSET: u8 = 2;
const SET: u8 = 3;
const LIST: u8 = 4;
const INTS_2: u8 = 5;
const INTS_4: u8 = 6;
const INTS_8: u8 = 7;

/// The parts of a small collection.
struct Parts<'a> {
    kind: u8,
    count: Option<u16>,
    entries: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(object: &'a Object) -> Option<Parts<'a>> {
        let counted = |kind, (entries, count): (&'a [u8], usize)| {
            Some(Parts { kind, count: Some(u16::try_from(count).ok()?), entries })
        };
        let plain = |kind, entries| Some(Parts { kind, count: None, entries });
        match object {
            Object::Hash(hash) => counted(HASH, hash.small_form()?),
            Object::ZSet(set) => counted(ZSET, set.small_form()?),
            Object::List(list) => plain(LIST, list.small_form()?),
            Object::Set(Set::Block(block)) => plain(SET, block.bytes()),
            Object::Set(Set::Ints(ints)) => {
                let (width, entries) = ints.parts();
                plain([INTS_2, INTS_4, INTS_8][width.ilog2() as usize - 1], entries)
            }
            Object::Set(Set::Table(_)) | Object::String(_) | Object::Stream(_) => None,
        }
    }

    fn len(&self) -> usize {
        1 + 2 * usize::from(self.count.is_some()) + self.entries.len()
    }
}

impl Object {
    /// How many bytes the value takes inside a leaf; `None` if it has no small form.
    pub fn compact_len(&self) -> Option<usize> {
        Parts::of(self).map(|parts| parts.len().max(LEN_MIN))
    }

    /// Writes it into just so many bytes.
    pub fn write_compact(&self, out: &mut [u8]) {
        let parts = Parts::of(self).expect("it has a small form");
        let (zeros, rest) = out.split_at_mut(out.len() - parts.len());
        zeros.fill(0);
        rest[0] = parts.kind;
        let mut at = 1;
        if let Some(count) = parts.count {
            rest[1..3].copy_from_slice(&count.to_le_bytes());
            at = 3;
        }
        rest[at..].copy_from_slice(parts.entries);
    }

    /// The value that was written.
    pub fn from_compact(bytes: &[u8]) -> Object {
        let start = bytes.iter().position(|byte| *byte != 0).expect("a kind is not zero");
        let (kind, rest) = (bytes[start], &bytes[start + 1..]);
        let counted = || (&rest[2..], usize::from(u16::from_le_bytes([rest[0], rest[1]])));
        match kind {
            HASH => Object::Hash(Hash::from_small_form(counted())),
            ZSET => Object::ZSet(ZSet::from_small_form(counted())),
            SET => Object::Set(Set::from_block(rest)),
            LIST => Object::List(List::from_small_form(rest)),
            INTS_2 => Object::Set(Set::from_ints(IntSet::from_parts(2, rest))),
            INTS_4 => Object::Set(Set::from_ints(IntSet::from_parts(4, rest))),
            INTS_8 => Object::Set(Set::from_ints(IntSet::from_parts(8, rest))),
            kind => unreachable!("no small collection is of kind {kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;
    use crate::types::hash::{Bounds, Expiry};
    use crate::types::list::{End, Shape};
    use crate::types::set::{Member, SetLimits};
    use crate::types::zset::Caps;

    /// A small collection of each kind with up to `most` elements.
    fn some(rng: &mut Prng, most: u64) -> Vec<Object> {
        let text = |rng: &mut Prng| match rng.below(3) {
            0 => (rng.next_u64() as i64 >> rng.below(64)).to_string().into_bytes(),
            _ => vec![b'a' + rng.below(26) as u8; rng.below(40) as usize],
        };
        let (mut hash, mut list, mut set) = (Hash::default(), List::new(), Set::compact());
        let (bounds, caps) = (Bounds { entries_max: 512, value_max: 64, seed: 1 }, Caps { entries_max: 512, value_max: 64, seed: 1 });
        let (mut sorted, bits) = (ZSet::new(&caps, 0, 0), rng.below(64));
        let mut ints = Set::of_ints();
        for _ in 0..rng.below(most + 1) {
            hash.set(&text(rng), &text(rng), Expiry::Clear, 0, &bounds);
            list.grow(40, 1, Shape::default());
            list.push(if rng.below(2) == 0 { End::Left } else { End::Right }, &text(rng));
            let limits = SetLimits::default();
            set.add(Member::of(&text(rng)), &limits);
            ints.add(Member::Int(rng.next_u64() as i64 >> bits), &limits);
            let member = text(rng);
            if sorted.score(&member).is_none() {
                sorted.insert(&caps, &member, rng.below(1000) as f64 / 4.0);
            }
        }
        [Object::Hash(hash), Object::List(list), Object::Set(set), Object::Set(ints), Object::ZSet(sorted)].into()
    }

    #[test]
    fn what_goes_in_comes_out() {
        for seed in 0..300 {
            let mut rng = Prng::new(seed);
            for object in some(&mut rng, 20) {
                let len = object.compact_len().expect("it is small");
                assert!(len >= LEN_MIN);
                let mut bytes = vec![0xee; len];
                object.write_compact(&mut bytes);
                let back = Object::from_compact(&bytes);
                back.check_invariants();
                assert_eq!(format!("{back:?}"), format!("{object:?}"), "seed {seed}");
                assert_eq!((back.encoding(), back.compact_len()), (object.encoding(), Some(len)), "seed {seed}");
            }
        }
    }

    #[test]
    fn large_forms_have_no_small_one() {
        let limits = SetLimits::default();
        assert_eq!(Object::Set(Set::hashed(&limits)).compact_len(), None);
        assert_eq!(Object::String(vec![b'x'; 2000]).compact_len(), None);
        let caps = Caps { entries_max: 0, value_max: 0, seed: 1 };
        assert_eq!(Object::ZSet(ZSet::new(&caps, 1, 1)).compact_len(), None);
    }
}
