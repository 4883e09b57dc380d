//! THE TAP: what calls did, drained once for those who must know.
//!
//! Replication, the AOF, keyspace events, client tracking and wake-ups all hang here, and nowhere else. Who listens has
//! said so in [`Center::wants`], or remembers reads ([`Center::tracker`]); while nobody does the shard writes nothing
//! down, and only counters are drained.

use super::Center;

impl Center {
    /// Says what the calls to come are to write down.
    #[inline]
    pub fn listen(&mut self) {
        let changes = self.wants.changes || self.tracker.wants_changes();
        self.shard.effects().wants = shards::effects::Wants { changes, ..self.wants };
    }

    /// Drains the effects of the calls since the last drain.
    #[inline]
    pub fn commit(&mut self) {
        let effects = self.shard.effects();
        self.stats.dirty += effects.take_dirty();
        self.stats.expired += std::mem::take(&mut effects.expired);
        self.stats.expired_fields += std::mem::take(&mut effects.expired_fields);
        self.stats.evicted += std::mem::take(&mut effects.evicted);
        let something = !effects.is_empty();
        self.commit_tracking();
        if something {
            self.commit_changes();
        }
        // Guests may have asked for more.
        self.listen();
        if self.shard.keyspace.blocked.has_ready() {
            self.serve_ready();
        }
    }

    /// Hands what was written down to those who asked for it.
    #[cold]
    fn commit_changes(&mut self) {
        let mut effects = std::mem::take(self.shard.effects());
        self.notify(&effects);
        effects.clear();
        *self.shard.effects() = effects;
    }
}
