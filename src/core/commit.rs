//! THE TAP: what calls did, drained once for those who must know.
//!
//! Replication, the AOF, keyspace events, client tracking and wake-ups all hang here, and nowhere else. As yet only the
//! counters are drained: nobody else listens ([`shards::effects::Wants`] stays off, so there is nothing to copy).

use super::Center;

impl Center {
    /// Drains the effects of the calls since the last drain.
    #[inline]
    pub fn commit(&mut self) {
        let effects = self.shard.effects();
        self.stats.dirty += effects.take_dirty();
        self.stats.expired += std::mem::take(&mut effects.expired);
        self.stats.expired_fields += std::mem::take(&mut effects.expired_fields);
        self.stats.evicted += std::mem::take(&mut effects.evicted);
        if !effects.is_empty() {
            effects.clear();
        }
        effects.wants = shards::effects::Wants::default();
        if self.shard.keyspace.blocked.has_ready() {
            self.serve_ready();
        }
    }
}
