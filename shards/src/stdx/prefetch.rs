//! The prefetch instruction, so that several waits for memory overlap.
#![allow(unsafe_code)] // reason: the instruction takes a raw pointer

/// Bytes the processor brings at once.
pub const LINE: usize = 64;

/// Asks the processor to bring the line at `address` nearer. Any address is fine, mapped or not.
#[inline(always)]
pub fn prefetch(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch is a hint; it neither faults nor changes anything, whatever the address.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: a prefetch is a hint; it neither faults nor changes anything, whatever the address.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, readonly, preserves_flags));
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = address;
}

/// Asks for up to `most` lines of these bytes.
#[inline]
pub fn prefetch_lines(bytes: &[u8], most: usize) {
    bytes.chunks(LINE).take(most).for_each(|line| prefetch(line.as_ptr()));
}
