//! Keyspace events: what happened to keys, published from the core that owns them.
//!
//! `notify-keyspace-events` says which classes, and to which of two channels: `__keyspace@<db>__:<key>` hears the event,
//! `__keyevent@<db>__:<event>` hears the key. The events are those the gate wrote down, in its order; whoever changes a
//! key has not been answered yet. While the directive is empty nothing is written down ([`shards::effects::Wants`]).

use super::Center;
use crate::config::specials::NotifyFlags;
use crate::pubsub::Kind;
use shards::effects::Effects;
use std::io::Write;

impl Center {
    /// Sets what the shard has to write down, after a change of the configuration.
    pub(super) fn apply_notify_config(&mut self) {
        self.notify = self.config.watch.notify_keyspace_events;
        let to_anybody = self.notify.has(NotifyFlags::KEYSPACE | NotifyFlags::KEYEVENT);
        let classes = !(NotifyFlags::KEYSPACE | NotifyFlags::KEYEVENT | NotifyFlags::MISS);
        self.wants.changes = to_anybody && self.notify.has(classes);
        self.wants.misses = to_anybody && self.notify.has(NotifyFlags::MISS);
        self.listen();
    }

    /// Publishes the events among the effects.
    #[cold]
    pub(super) fn notify(&mut self, effects: &Effects) {
        if self.nobody_listens() || !self.notify.has(NotifyFlags::KEYSPACE | NotifyFlags::KEYEVENT) {
            return;
        }
        let mut channel = Vec::with_capacity(64);
        for (change, key) in effects.changes() {
            if !self.notify.has(change.event.class as u32) {
                continue;
            }
            let mut name = |kind: &str, about: &[u8]| {
                channel.clear();
                write!(channel, "__key{kind}@{}__:", change.db).expect("memory takes all");
                channel.extend_from_slice(about);
                std::mem::take(&mut channel)
            };
            if self.notify.has(NotifyFlags::KEYSPACE) {
                let channel = name("space", key);
                self.publish(Kind::Channel, &channel, change.event.name.as_bytes());
            }
            if self.notify.has(NotifyFlags::KEYEVENT) {
                let channel = name("event", change.event.name.as_bytes());
                self.publish(Kind::Channel, &channel, key);
            }
        }
    }
}
