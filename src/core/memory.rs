//! `maxmemory`: knowing how much is in use, making room, and refusing what would need more.
//!
//! The limit is the process's, and every core measures against it: what all threads have allocated
//! ([`crate::alloc`]) with the bytes of all tables. Who needs room makes it: a core evicts from its own shard before it
//! runs a command that may need memory. All shards shrink alike: every core publishes how many keys it could evict, takes
//! its share of the excess in proportion to that, and asks the others for theirs. A core that is over the limit goes on
//! evicting between turns, in slices (`maxmemory-eviction-tenacity`), until it is not.
//!
//! A measurement looks at one counter a thread; it is taken when the core has allocated some or run a few such commands
//! since the last, and at every one while the limit is passed. So the limit can be passed by a few hundred KiB a core for
//! a moment, not more.
//!
//! A client hears OOM when the limit is passed and nothing can be evicted anywhere. While CLIENT PAUSE holds writers the data
//! stays as it is, as in Valkey: nothing is evicted and nobody refused.

use super::Center;
use super::message::Message;
use super::query::{Question, Report};
use crate::config::Config;
use crate::config::choices::MaxmemoryPolicy;
use crate::dispatch::table::Entry;
use crate::stats::clock;
use crate::{alloc, connection::session::Session};
use shards::command::flag;
use shards::error::CommandError;
use shards::keyspace::evict::EvictionPolicy;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Valkey's text.
const OUT_OF_MEMORY: CommandError =
    CommandError::Static("OOM command not allowed when used memory > 'maxmemory'.");
/// Commands that may need memory between two measurements.
const CALLS: u32 = 16;
/// Bytes allocated by this core between two measurements.
const BYTES: i64 = 64 << 10;
/// Keys evicted between two looks at the clock.
const KEYS: usize = 16;
/// Least bytes a slice tries to free: what a few writes need.
const SHARE_MIN: u64 = 16 << 10;
/// Excess in bytes above which a core that needs room does not wait for the others.
const URGENT: u64 = 64 << 10;
/// Milliseconds between two cries for help.
const HELP_MS: i64 = 5;

/// What a core knows of the limit.
#[derive(Debug, Default)]
pub struct Room {
    /// `maxmemory`; 0: none.
    limit_bytes: u64,
    policy: EvictionPolicy,
    samples: usize,
    /// Clock ticks one slice of eviction may take.
    slice_ticks: u64,
    /// By how much the limit was passed at the last measurement.
    excess_bytes: u64,
    calls: u32,
    /// This core's allocations at the last measurement.
    allocated: i64,
    /// Bytes of leaves that hold nothing, as of the last tick.
    slack_bytes: u64,
    asked_ms: i64,
    /// A call waits for the room: the slice is not one between turns.
    needs_now: bool,
}

impl Room {
    /// True if there is a limit.
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.limit_bytes > 0
    }

    /// True if the limit is passed and something could be done about it between turns.
    pub fn wants_turns(&self) -> bool {
        self.excess_bytes > 0 && self.policy != EvictionPolicy::NoEviction
    }
}

fn policy_of(policy: MaxmemoryPolicy) -> EvictionPolicy {
    match policy {
        MaxmemoryPolicy::VolatileLru => EvictionPolicy::VolatileLru,
        MaxmemoryPolicy::VolatileLfu => EvictionPolicy::VolatileLfu,
        MaxmemoryPolicy::VolatileRandom => EvictionPolicy::VolatileRandom,
        MaxmemoryPolicy::VolatileTtl => EvictionPolicy::VolatileTtl,
        MaxmemoryPolicy::AllkeysLru => EvictionPolicy::AllKeysLru,
        MaxmemoryPolicy::AllkeysLfu => EvictionPolicy::AllKeysLfu,
        MaxmemoryPolicy::AllkeysRandom => EvictionPolicy::AllKeysRandom,
        MaxmemoryPolicy::Noeviction => EvictionPolicy::NoEviction,
    }
}

/// Microseconds a slice may take: 50 for each step up to 10, then 15 % more for each (as Valkey documents it).
fn slice_us(tenacity: i64) -> f64 {
    match tenacity {
        ..=10 => 50.0 * tenacity as f64,
        11..100 => 500.0 * 1.15f64.powi(tenacity as i32 - 10),
        _ => f64::MAX,
    }
}

impl Center {
    /// Takes over what the configuration says about memory.
    pub(super) fn apply_memory_config(&mut self, config: &Config) {
        let memory = &config.memory;
        self.room.limit_bytes = memory.maxmemory;
        let importing = config.general.import_mode;
        self.room.policy = if importing { EvictionPolicy::NoEviction } else { policy_of(memory.maxmemory_policy) };
        self.room.samples = usize::try_from(memory.maxmemory_samples).unwrap_or(1);
        self.room.slice_ticks = (slice_us(memory.maxmemory_eviction_tenacity) * clock::ticks_per_us()) as u64;
        self.room.excess_bytes = 0;
        self.room.calls = 0;
        self.shared.is_dry(self.id).store(false, Ordering::Relaxed);
        self.note_slack();
    }

    /// Bytes in use by the whole process.
    pub fn used_bytes(&mut self) -> u64 {
        let tables = self.shard.keyspace.used_bytes() + self.room.slack_bytes;
        alloc::set_mapped(tables as i64);
        alloc::allocated_bytes() as u64
    }

    /// The tick's look: how much of the tables is unused and how much could be evicted (too slow to ask at every call, and
    /// slow to change), and whether the limit is passed on a server nobody writes to.
    pub(super) fn note_slack(&mut self) {
        self.shared.evictable(self.id).store(self.evictable(), Ordering::Relaxed);
        let keyspace = &self.shard.keyspace;
        self.room.slack_bytes = keyspace.live_bytes().saturating_sub(keyspace.used_bytes());
        let used = self.used_bytes();
        self.shared.peak_bytes.fetch_max(used, Ordering::Relaxed);
        self.room.excess_bytes = if self.room.is_limited() { used.saturating_sub(self.room.limit_bytes) } else { 0 };
    }

    /// The part of the excess that is this shard's to free, so that all shrink alike whoever runs the most turns. 0 if
    /// others have clearly more to give, unless the limit is passed by so much that whoever needs room must make it.
    fn share_bytes(&self) -> u64 {
        let own = self.evictable();
        self.shared.evictable(self.id).store(own, Ordering::Relaxed);
        let all: u64 = (0..self.cores).map(|core| self.shared.evictable(core).load(Ordering::Relaxed)).sum();
        let urgent_bytes = self.room.excess_bytes.saturating_sub(URGENT);
        if own * self.cores as u64 * 16 < all * 15 {
            return if self.room.needs_now { urgent_bytes } else { 0 };
        }
        let share = u128::from(self.room.excess_bytes) * u128::from(own) / u128::from(all.max(1));
        let least = if self.room.needs_now { urgent_bytes.max(SHARE_MIN) } else { SHARE_MIN };
        (share as u64).max(least).min(self.room.excess_bytes)
    }

    /// Keys the policy may evict here.
    fn evictable(&self) -> u64 {
        let keyspace = &self.shard.keyspace;
        let tables = (0..keyspace.databases()).map(|db| keyspace.table(db as u32));
        let volatile = self.room.policy.is_volatile();
        tables.map(|table| if volatile { table.expires_len() } else { table.len() } as u64).sum()
    }

    fn measure(&mut self) {
        let used = self.used_bytes();
        self.room.excess_bytes = used.saturating_sub(self.room.limit_bytes);
        self.room.calls = if self.room.excess_bytes > 0 { 0 } else { CALLS };
        self.room.allocated = alloc::own_bytes();
    }

    /// Measures if it is time to.
    #[inline]
    fn look(&mut self) {
        if self.room.calls == 0 || alloc::own_bytes() - self.room.allocated > BYTES {
            self.measure();
        } else {
            self.room.calls -= 1;
        }
    }

    /// The gate: a call that may need memory when there is none is refused; between MULTI and EXEC every call needs some.
    pub(super) fn memory_gate(&mut self, entry: &Entry, session: &Session) -> Result<(), CommandError> {
        let needs = |entry: &Entry| entry.is(flag::DENYOOM);
        let queue = session.multi.as_ref();
        let refusable = match (entry.full_name, queue) {
            ("exec", Some(multi)) => multi.queue.iter().any(|call| needs(call.entry)),
            ("discard" | "quit" | "reset", _) => false,
            (_, Some(_)) => true,
            (_, None) => needs(entry),
        };
        if !refusable || self.paused.is_some() {
            return Ok(());
        }
        self.look();
        if self.room.excess_bytes == 0 {
            return Ok(());
        }
        if self.room.policy == EvictionPolicy::NoEviction {
            return Err(OUT_OF_MEMORY);
        }
        // The keys' own shards make room when the call gets there, unless none of them can.
        if self.shared.all_dry(self.cores) {
            self.evict_slice();
        }
        if self.room.excess_bytes > 0 && self.shared.all_dry(self.cores) { Err(OUT_OF_MEMORY) } else { Ok(()) }
    }

    /// True if memory is short and nothing can be evicted: a script that begins now must not take more.
    pub(super) fn lacks_memory(&mut self) -> bool {
        self.look();
        if self.room.excess_bytes == 0 {
            return false;
        }
        if self.room.policy == EvictionPolicy::NoEviction {
            return true;
        }
        self.evict_slice();
        self.room.excess_bytes > 0 && self.shared.all_dry(self.cores)
    }

    /// Makes room on this shard before a call that may need some.
    #[inline]
    pub(super) fn make_room(&mut self, entry: &Entry) {
        if !entry.is(flag::DENYOOM) {
            return;
        }
        self.look();
        if self.room.excess_bytes > 0 && self.room.policy != EvictionPolicy::NoEviction {
            self.room.needs_now = true;
            self.evict_slice();
            self.room.needs_now = false;
        }
    }

    /// Evicts until the limit is kept, nothing is left to evict here, or the slice is over.
    pub(super) fn evict_slice(&mut self) {
        if self.shard.keyspace.has_guests() || self.paused.is_some() {
            return;
        }
        let share_bytes = self.share_bytes();
        if share_bytes == 0 {
            return self.ask_for_help();
        }
        let begin = clock::ticks();
        let room = &self.room;
        let (policy, samples, slice_ticks) = (room.policy, room.samples, room.slice_ticks);
        let mut freed = 0;
        let mut dry = false;
        while freed < share_bytes && !dry {
            let evicted = self.shard.evict(self.now_ms, policy, samples, KEYS);
            freed += evicted.bytes as u64;
            dry = !evicted.more || evicted.keys == 0;
            // What was taken out is dropped now: it is memory that is needed.
            while self.shard.keyspace.free_some() {}
            if clock::ticks().wrapping_sub(begin) > slice_ticks {
                break;
            }
        }
        self.note_latency("eviction-cycle", clock::ticks().wrapping_sub(begin));
        self.commit();
        self.measure();
        self.shared.evictable(self.id).store(self.evictable(), Ordering::Relaxed);
        self.shared.is_dry(self.id).store(dry && self.room.excess_bytes > 0, Ordering::Relaxed);
        if self.room.excess_bytes > 0 {
            self.ask_for_help();
        }
    }

    /// A slice between turns, if the limit is passed. True if there may be more to do at once.
    pub(super) fn evict_between_turns(&mut self) -> bool {
        // A turn that took much is measured: nobody may come who needs room for a long time.
        if self.room.is_limited() && alloc::own_bytes() - self.room.allocated > BYTES {
            self.measure();
        }
        if !self.room.wants_turns() {
            return false;
        }
        self.measure();
        let before = self.stats.evicted;
        if self.room.excess_bytes > 0 {
            self.evict_slice();
        }
        self.stats.evicted > before && self.room.excess_bytes > 0 && !self.shared.is_dry(self.id).load(Ordering::Relaxed)
    }

    /// Asks the other cores to evict too.
    fn ask_for_help(&mut self) {
        if self.cores == 1 || self.now_ms - self.room.asked_ms < HELP_MS {
            return;
        }
        self.room.asked_ms = self.now_ms;
        let tell: Question = Arc::new(|center: &mut Center| -> Report {
            center.help();
            Box::new(())
        });
        let here = self.id;
        for core in (0..self.cores).filter(|core| *core != here) {
            self.send(core, Message::Tell(tell.clone()));
        }
    }

    /// Another core is over the limit.
    fn help(&mut self) {
        self.room.asked_ms = self.now_ms;
        self.note_slack();
        self.measure();
        if self.room.wants_turns() {
            self.evict_slice();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_is_read_as_valkey_documents_it() {
        assert_eq!(slice_us(0), 0.0);
        assert_eq!(slice_us(10), 500.0);
        assert!((slice_us(99) / 120e6 - 1.0).abs() < 0.5, "about two minutes");
        assert_eq!(slice_us(100), f64::MAX);
    }
}
