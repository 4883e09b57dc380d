//! The 24 bits beside each key that remember its use.
//!
//! LRU: seconds of a 24-bit clock. LFU: 16 bits of minutes since the last decrement, 8 bits of a logarithmic counter,
//! as Valkey documents them (`lfu-log-factor`, `lfu-decay-time`); a new key starts at 5 so that it is not evicted at
//! once. OBJECT IDLETIME and OBJECT FREQ read them, eviction compares them.

use crate::stdx::prng::Prng;

/// Width of the field.
pub const BITS: u32 = 24;
const MASK: u32 = (1 << BITS) - 1;
/// Counter of a key just made (Valkey's LFU_INIT_VAL).
const LFU_INIT: u32 = 5;

/// What the field means, and the numbers LFU works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessPolicy {
    /// LFU instead of LRU (`maxmemory-policy` *-lfu).
    pub lfu: bool,
    /// `lfu-log-factor`.
    pub log_factor: u32,
    /// `lfu-decay-time`, minutes.
    pub decay_minutes: u32,
}

impl Default for AccessPolicy {
    fn default() -> Self {
        AccessPolicy { lfu: false, log_factor: 10, decay_minutes: 1 }
    }
}

impl AccessPolicy {
    /// The field of a key made at `now_ms`.
    #[inline]
    pub fn fresh(&self, now_ms: i64) -> u32 {
        if self.lfu { minutes(now_ms) << 8 | LFU_INIT } else { clock(now_ms) }
    }

    /// The field after one more use.
    #[inline]
    pub fn used(&self, old: u32, now_ms: i64, rng: &mut Prng) -> u32 {
        if !self.lfu {
            return clock(now_ms);
        }
        let count = self.increment(self.decayed(old, now_ms), rng);
        minutes(now_ms) << 8 | count
    }

    /// The LFU counter as of now (OBJECT FREQ).
    pub fn decayed(&self, field: u32, now_ms: i64) -> u32 {
        let count = field & 0xff;
        let elapsed = minutes(now_ms).wrapping_sub(field >> 8) & 0xffff;
        match elapsed.checked_div(self.decay_minutes) {
            Some(periods) => count.saturating_sub(periods),
            None => count,
        }
    }

    fn increment(&self, count: u32, rng: &mut Prng) -> u32 {
        if count == 255 {
            return 255;
        }
        let base = count.saturating_sub(LFU_INIT);
        let chance = 1.0 / (base as f64 * self.log_factor as f64 + 1.0);
        if rng.unit() < chance { count + 1 } else { count }
    }
}

/// Seconds since the last use (OBJECT IDLETIME), right for a clock that wrapped once.
pub fn idle_seconds(field: u32, now_ms: i64) -> u32 {
    clock(now_ms).wrapping_sub(field) & MASK
}

/// The LRU field of a key that was idle for `seconds`.
pub fn idle_since(seconds: u64, now_ms: i64) -> u32 {
    clock(now_ms).wrapping_sub(seconds as u32) & MASK
}

#[inline]
fn clock(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & MASK
}

#[inline]
fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_survives_the_wrap_of_the_clock() {
        let wrap_ms = (1i64 << BITS) * 1000;
        let field = AccessPolicy::default().fresh(wrap_ms - 5000);
        assert_eq!(idle_seconds(field, wrap_ms + 5000), 10);
        assert_eq!(idle_seconds(idle_since(77, wrap_ms), wrap_ms), 77);
    }

    #[test]
    fn lfu_counts_up_logarithmically_and_decays() {
        let policy = AccessPolicy { lfu: true, ..AccessPolicy::default() };
        let mut rng = Prng::new(3);
        let mut field = policy.fresh(0);
        for _ in 0..1000 {
            field = policy.used(field, 0, &mut rng);
        }
        let hot = policy.decayed(field, 0);
        assert!((10..=40).contains(&hot), "{hot}"); // Valkey's table gives 18 for 1,000 hits at factor 10
        assert_eq!(policy.decayed(field, 60_000 * 4), hot - 4);
        assert_eq!(policy.decayed(field, 60_000 * 1000), 0);
    }
}
