//! A bounded queue with one writer and one reader.
//!
//! ```text
//! slots   [ . . r r r p p . ]      r: published, the reader's      p: written, not yet published
//!               ^     ^   ^        .: the writer's
//!             head  tail  the writer's own tail
//! ```
//!
//! `tail` counts what was published, `head` what was taken; both only grow (and wrap), a slot is the count modulo the
//! capacity. Each side keeps its own count and the last it saw of the other's, so it reads the other's cache line only
//! when its own knowledge runs out: full for the writer, empty for the reader. Both publish once per batch.
//!
//! Invariants: `head <= tail <= head + capacity`. Slots from `head` to the writer's own tail are initialised, others are
//! not. Only the writer stores `tail`, only the reader stores `head`; the two ends cannot be cloned.
//!
//! Tested three ways: `model.rs` under loom, which tries every interleaving of small cases (`scripts/model-check`);
//! `tests.rs` with real threads; the same under Miri (`cargo miri test --lib mesh::`), for which its sizes shrink, but Miri
//! needs a nightly toolchain and was not at hand when this was written.
#![allow(unsafe_code)] // A slot is written by one thread and read by another, which no safe cell allows.

use std::mem::MaybeUninit;

#[cfg(loom)]
use loom::cell::UnsafeCell;
#[cfg(loom)]
pub(super) use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering, fence},
};
#[cfg(not(loom))]
pub(super) use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering, fence},
};

/// Loom's cell, which checks each access, has closures for doors. This is the same door to the cell of std.
#[cfg(not(loom))]
struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    #[inline]
    fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}

/// Alone on its cache lines: two, because the hardware fetches them in pairs.
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

struct Ring<T> {
    head: Padded<AtomicUsize>,
    tail: Padded<AtomicUsize>,
    /// The writer waits for room and wants to be woken.
    starved: Padded<AtomicBool>,
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: `Writer` and `Reader` are the only ones to touch slots, there is one of each, and by the invariant above a slot
// belongs to exactly one of them; it passes to the other by a release store that the other acquires. The values
// themselves change threads, hence `T: Send`.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    #[inline]
    fn slot(&self, count: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.slots[count & (self.slots.len() - 1)]
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let tail = self.tail.0.load(Ordering::Acquire);
        let mut count = self.head.0.load(Ordering::Acquire);
        while count != tail {
            // SAFETY: both ends are gone and published their counts when they went; between those counts slots are
            // initialised and nobody else will read them.
            self.slot(count).with_mut(|slot| unsafe { (*slot).assume_init_drop() });
            count = count.wrapping_add(1);
        }
    }
}

/// A ring of `capacity` slots, a power of two.
pub(super) fn ring<T: Send>(capacity: usize) -> (Writer<T>, Reader<T>) {
    assert!(capacity.is_power_of_two(), "slots are found by masking");
    let ring = Arc::new(Ring {
        head: Padded(AtomicUsize::new(0)),
        tail: Padded(AtomicUsize::new(0)),
        starved: Padded(AtomicBool::new(false)),
        slots: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
    });
    let writer = Writer { ring: ring.clone(), tail: 0, published: 0, head_seen: 0 };
    (writer, Reader { ring, head: 0, published: 0, tail_seen: 0 })
}

/// The end that writes.
pub(super) struct Writer<T> {
    ring: Arc<Ring<T>>,
    tail: usize,
    published: usize,
    head_seen: usize,
}

impl<T> Writer<T> {
    /// Puts `value` into the next slot, or gives it back if the ring is full. The reader sees it after `publish`.
    #[inline]
    pub(super) fn push(&mut self, value: T) -> Result<(), T> {
        if self.tail.wrapping_sub(self.head_seen) == self.ring.slots.len() {
            // Acquire: the reader has moved the old value out before it counted it as taken.
            self.head_seen = self.ring.head.0.load(Ordering::Acquire);
            if self.tail.wrapping_sub(self.head_seen) == self.ring.slots.len() {
                return Err(value);
            }
        }
        // SAFETY: `tail` is less than a capacity ahead of `head`, so this slot is not among those the reader may touch.
        self.ring.slot(self.tail).with_mut(|slot| unsafe { (*slot).write(value) });
        self.tail = self.tail.wrapping_add(1);
        Ok(())
    }

    /// Shows the reader all that was pushed. Whether there was anything.
    #[inline]
    pub(super) fn publish(&mut self) -> bool {
        if self.published == self.tail {
            return false;
        }
        // Release: the slots were written before.
        self.ring.tail.0.store(self.tail, Ordering::Release);
        self.published = self.tail;
        true
    }

    /// Whether there is anything the reader cannot see yet.
    pub(super) fn has_unpublished(&self) -> bool {
        self.published != self.tail
    }

    /// Whether a push would succeed, by a fresh look at what the reader took.
    pub(super) fn has_room(&self) -> bool {
        self.len() < self.ring.slots.len()
    }

    /// How many messages the reader has not taken.
    pub(super) fn len(&self) -> usize {
        self.tail.wrapping_sub(self.ring.head.0.load(Ordering::Acquire))
    }

    /// Asks the reader for a wake-up once it has made room. To be followed by a fence and a look at `has_room`.
    pub(super) fn ask_for_room(&self) {
        self.ring.starved.0.swap(true, Ordering::Relaxed);
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.publish();
    }
}

/// The end that reads.
pub(super) struct Reader<T> {
    ring: Arc<Ring<T>>,
    head: usize,
    published: usize,
    tail_seen: usize,
}

impl<T> Reader<T> {
    /// How many messages are there, by a fresh look.
    #[inline]
    pub(super) fn available(&mut self) -> usize {
        // Acquire: the slots up to there were written before.
        self.tail_seen = self.ring.tail.0.load(Ordering::Acquire);
        self.tail_seen.wrapping_sub(self.head)
    }

    /// The next message among those that [`Reader::available`] counted.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        if self.head == self.tail_seen {
            return None;
        }
        // SAFETY: `head` is behind a published tail that was acquired, so the slot is initialised and the writer keeps
        // off it until `head` is published past it; moving `head` on makes sure it is read only once.
        let value = self.ring.slot(self.head).with_mut(|slot| unsafe { (*slot).assume_init_read() });
        self.head = self.head.wrapping_add(1);
        Some(value)
    }

    /// Gives the slots of all that was popped back to the writer. Whether there were any.
    #[inline]
    pub(super) fn publish(&mut self) -> bool {
        if self.published == self.head {
            return false;
        }
        // Release: the values were moved out before.
        self.ring.head.0.store(self.head, Ordering::Release);
        self.published = self.head;
        true
    }

    /// How many messages wait, without remembering what was seen.
    pub(super) fn len(&self) -> usize {
        self.ring.tail.0.load(Ordering::Acquire).wrapping_sub(self.head)
    }

    /// Whether the writer asked for room, once. After a publish and a fence.
    #[inline]
    pub(super) fn take_request_for_room(&self) -> bool {
        let starved = &self.ring.starved.0;
        starved.load(Ordering::Relaxed) && starved.swap(false, Ordering::Relaxed)
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        self.publish();
    }
}
