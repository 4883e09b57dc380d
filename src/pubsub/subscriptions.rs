//! What one client listens to.

use super::{Kind, Name};
use std::collections::BTreeSet;

/// A client's subscriptions.
#[derive(Default, Debug)]
pub struct Subscriptions {
    channels: BTreeSet<Name>,
    patterns: BTreeSet<Name>,
    shard_channels: BTreeSet<Name>,
}

impl Subscriptions {
    /// Those of a kind.
    pub fn of(&self, kind: Kind) -> &BTreeSet<Name> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shard_channels,
        }
    }

    /// Those of a kind, to be changed.
    pub fn of_mut(&mut self, kind: Kind) -> &mut BTreeSet<Name> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// The number confirmations give: channels and patterns together, sharded channels by themselves.
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Shard => self.shard_channels.len(),
            Kind::Channel | Kind::Pattern => self.channels.len() + self.patterns.len(),
        }
    }

    /// All of them.
    pub fn len(&self) -> usize {
        self.channels.len() + self.patterns.len() + self.shard_channels.len()
    }

    /// True if the client listens to nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All, with their kinds.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &Name)> {
        let kinds = [Kind::Channel, Kind::Pattern, Kind::Shard].into_iter();
        kinds.flat_map(|kind| self.of(kind).iter().map(move |name| (kind, name)))
    }

    /// Heap bytes, about: names are shared with everybody else who knows them.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Subscriptions>() + self.len() * (size_of::<Name>() + size_of::<usize>())
    }
}
