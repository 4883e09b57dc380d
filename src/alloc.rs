//! The process's allocator: mimalloc, counted.
//!
//! `maxmemory`, INFO and MEMORY need to know what the process has allocated, at any moment and exactly. mimalloc's own
//! statistics are gathered per thread and only merged now and then, so every allocation is counted here, in a cell of its
//! thread: a load, an addition, a store, no shared cache line. A buffer that travels between cores is added in one cell and
//! subtracted in another; only the sum means something.
//!
//! Counted is the size class a request falls into (four to a doubling, as in mimalloc), because that is what it costs.
//! Leaves of the keyspace's tables are mapped by the tables themselves; each core says how much ([`set_mapped`]).
#![allow(unsafe_code)] // an allocator is unsafe by its trait

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// mimalloc, counted.
pub struct Counted;

/// Cells; threads beyond share the last.
const CELLS: usize = 256;

/// A counter on a cache line of its own (two: processors fetch them in pairs).
#[repr(align(128))]
struct Counter(AtomicI64);

static COUNTERS: [Counter; CELLS] = [const { Counter(AtomicI64::new(0)) }; CELLS];
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's cell; `usize::MAX` before its first allocation.
    static CELL: Cell<usize> = const { Cell::new(usize::MAX) };
    /// What this thread said of memory it maps itself.
    static MAPPED: Cell<i64> = const { Cell::new(0) };
}

#[inline]
fn count(bytes: i64) {
    let mut cell = CELL.get();
    if cell == usize::MAX {
        cell = THREADS.fetch_add(1, Ordering::Relaxed).min(CELLS - 1);
        CELL.set(cell);
    }
    let counter = &COUNTERS[cell].0;
    if cell == CELLS - 1 {
        counter.fetch_add(bytes, Ordering::Relaxed);
    } else {
        // Nobody else writes this cell.
        counter.store(counter.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
    }
}

/// What a request of so many bytes takes.
#[inline]
pub fn size_class(bytes: usize) -> usize {
    /// Up to here classes are multiples of this.
    const FINE: usize = 16;
    const FINE_MAX: usize = 128;
    /// From here on mimalloc maps whole 64 KiB slices.
    const LARGE: usize = 1 << 20;
    const SLICE: usize = 64 << 10;
    let step = match bytes {
        0..=FINE_MAX => FINE,
        LARGE.. => SLICE,
        _ => 1 << ((bytes - 1).ilog2() - 2),
    };
    bytes.next_multiple_of(step)
}

// SAFETY: every call goes to mimalloc with the caller's arguments; only counters are kept beside.
unsafe impl GlobalAlloc for Counted {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        let got = unsafe { mimalloc::MiMalloc.alloc(layout) };
        if !got.is_null() {
            count(size_class(layout.size()) as i64);
        }
        got
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        let got = unsafe { mimalloc::MiMalloc.alloc_zeroed(layout) };
        if !got.is_null() {
            count(size_class(layout.size()) as i64);
        }
        got
    }

    #[inline]
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { mimalloc::MiMalloc.dealloc(old, layout) };
        count(-(size_class(layout.size()) as i64));
    }

    #[inline]
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        let got = unsafe { mimalloc::MiMalloc.realloc(old, layout, bytes) };
        if !got.is_null() {
            count(size_class(bytes) as i64 - size_class(layout.size()) as i64);
        }
        got
    }
}

/// Says how many bytes this thread holds that did not come through the allocator: its share of the keyspace's tables.
pub fn set_mapped(bytes: i64) {
    count(bytes - MAPPED.replace(bytes));
}

/// Bytes this thread allocated more than it freed (what other threads freed of them not subtracted).
#[inline]
pub fn own_bytes() -> i64 {
    COUNTERS.get(CELL.get()).map_or(0, |counter| counter.0.load(Ordering::Relaxed))
}

/// Bytes allocated by all threads now, and mapped as they said last.
pub fn allocated_bytes() -> usize {
    let threads = THREADS.load(Ordering::Relaxed).min(CELLS);
    let sum: i64 = COUNTERS[..threads].iter().map(|counter| counter.0.load(Ordering::Relaxed)).sum();
    usize::try_from(sum).unwrap_or(0)
}

unsafe extern "C" {
    /// Gives free pages of the calling thread (and, forced, of the process) back.
    fn mi_collect(force: bool);
    /// Hands the statistics' text to `out`, piece by piece.
    fn mi_stats_print_out(out: Option<extern "C" fn(*const std::ffi::c_char, *mut std::ffi::c_void)>, to: *mut std::ffi::c_void);
}

/// Gives this thread's free memory back to the system.
pub fn purge() {
    // SAFETY: takes no pointers and may be called at any time.
    unsafe { mi_collect(true) };
}

/// The allocator's statistics as it prints them.
pub fn statistics() -> String {
    extern "C" fn append(piece: *const std::ffi::c_char, to: *mut std::ffi::c_void) {
        // SAFETY: `to` is the text below, borrowed by nobody else while the allocator prints.
        let text = unsafe { &mut *to.cast::<String>() };
        // SAFETY: the allocator hands over strings that end with NUL.
        text.push_str(&unsafe { std::ffi::CStr::from_ptr(piece) }.to_string_lossy());
    }
    let mut text = String::new();
    // SAFETY: `append` takes what is given here, and the text outlives the call.
    unsafe { mi_stats_print_out(Some(append), (&raw mut text).cast()) };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_are_four_to_a_doubling() {
        let classes = [(0, 0), (1, 16), (16, 16), (17, 32), (128, 128), (129, 160), (160, 160), (161, 192), (257, 320)];
        for (bytes, class) in classes {
            assert_eq!(size_class(bytes), class, "{bytes}");
        }
        assert_eq!(size_class((1 << 20) + 1), (1 << 20) + (64 << 10));
    }

    #[test]
    fn what_one_thread_allocates_and_another_frees_leaves_nothing() {
        let before = allocated_bytes() as i64;
        count(1000);
        let others: i64 = std::thread::scope(|scope| {
            scope.spawn(|| {
                count(-1000);
                0
            })
            .join()
            .expect("it only counts")
        });
        // The test harness does not use this allocator, so nothing else moves the counters.
        assert_eq!(allocated_bytes() as i64 - before, others);
    }
}
