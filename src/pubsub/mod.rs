//! Who listens to which channel.
//!
//! Every core has one [`PubSub`]: for each channel and pattern of the whole server its own subscribers, and how many each
//! other core has. So PUBLISH knows the number of receivers at once, on whichever core it runs, and visits only cores with
//! somebody who listens. The price is paid by SUBSCRIBE and UNSUBSCRIBE, which tell every core and are confirmed when all
//! know: whoever publishes after a confirmation has been read finds what it confirmed. Names of channels are shared
//! between the cores, so a channel that is known everywhere is stored once.
//!
//! | file | what |
//! |---|---|
//! | `crowd.rs` | subscribers of one channel on one core |
//! | `topics.rs` | channels by their names |
//! | `patterns.rs` | patterns, and finding those that match a channel |
//! | `subscriptions.rs` | what one client listens to |
//! | `frames.rs` | messages and confirmations as bytes |
//!
//! Invariant: a subscriber is in the crowd of each topic its subscriptions name, and the counts other cores keep of this
//! one are the sizes of its crowds, save for notices under way.

pub mod crowd;
pub mod frames;
pub mod patterns;
pub mod subscriptions;
pub mod topics;

use crate::runtime::ConnId;
use ahash::RandomState;
use patterns::Patterns;
use std::sync::Arc;
use topics::{Topic, Topics};

/// What can be subscribed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Channels, by name.
    Channel,
    /// Channels whose name matches.
    Pattern,
    /// Sharded channels, by name: those of a cluster's slot.
    Shard,
}

/// The name of a channel, or a pattern.
pub type Name = Arc<[u8]>;

/// A change of what clients of a core listen to.
#[derive(Clone, Debug)]
pub struct Change {
    /// What kind of thing.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// One more listens, or one less.
    pub joins: bool,
}

/// What a core knows of all subscriptions.
pub struct PubSub {
    /// Channels.
    pub channels: Topics,
    /// Sharded channels.
    pub shard_channels: Topics,
    /// Patterns.
    pub patterns: Patterns,
    /// Room to write frames in.
    pub scratch: frames::Scratch,
}

impl PubSub {
    /// Nobody listens yet. `seed` is secret: names come from clients.
    pub fn new(seed: u64) -> PubSub {
        let hasher = RandomState::with_seeds(seed, !seed, seed.rotate_left(21), seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        PubSub {
            channels: Topics::new(hasher.clone()),
            shard_channels: Topics::new(hasher.clone()),
            patterns: Patterns::new(hasher),
            scratch: frames::Scratch::default(),
        }
    }

    /// A client of this core listens from now on; the name as it is kept.
    pub fn join(&mut self, kind: Kind, name: &[u8], conn: ConnId) -> Name {
        let (name, topic) = self.topic(kind, name);
        topic.here.insert(conn);
        name
    }

    /// A client of this core listens no more.
    pub fn leave(&mut self, kind: Kind, name: &Name, conn: ConnId) {
        self.change(kind, name, |topic| topic.here.remove(conn));
    }

    /// Another core's client listens, or does no more.
    pub fn note(&mut self, core: usize, change: &Change) {
        if change.joins {
            self.topic_named(change.kind, &change.name).add(core);
        } else {
            self.change(change.kind, &change.name, |topic| topic.subtract(core));
        }
    }

    fn topic(&mut self, kind: Kind, name: &[u8]) -> (Name, &mut Topic) {
        match kind {
            Kind::Channel => self.channels.of(name),
            Kind::Shard => self.shard_channels.of(name),
            Kind::Pattern => self.patterns.of(name),
        }
    }

    fn topic_named(&mut self, kind: Kind, name: &Name) -> &mut Topic {
        match kind {
            Kind::Channel => self.channels.named(name),
            Kind::Shard => self.shard_channels.named(name),
            Kind::Pattern => self.patterns.named(name),
        }
    }

    /// Changes a topic that is there; it is forgotten when nobody is left.
    fn change(&mut self, kind: Kind, name: &Name, change: impl FnOnce(&mut Topic)) {
        match kind {
            Kind::Channel => self.channels.change(name, change),
            Kind::Shard => self.shard_channels.change(name, change),
            Kind::Pattern => self.patterns.change(name, change),
        }
    }

    /// Checks what must hold; for tests.
    pub fn check_invariants(&self) {
        self.channels.check_invariants();
        self.shard_channels.check_invariants();
        self.patterns.check_invariants();
    }
}
