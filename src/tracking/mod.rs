//! Client-side caching: who is to be told when which key changes.
//!
//! A client that tracks keeps copies of what it has read. The shard that owns a key remembers who read it ([`keys`]) and
//! tells them once when it changes; or a client has itself told of every key with a prefix, read or not ([`prefixes`],
//! which every shard keeps a copy of). What a client asked for is in its session ([`client`]).
//!
//! This room only remembers. Reads and changes come from the calls of the engine, and telling goes over the cores:
//! `core/track.rs` does both.

pub mod client;
pub mod keys;
pub mod prefixes;

use crate::runtime::ConnId;

/// A client: its core and its connection there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Who {
    /// The core.
    pub core: u16,
    /// The connection.
    pub conn: ConnId,
}

/// When a client is told of what its own call did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Hold {
    /// At once: its answer is on its way before.
    #[default]
    No,
    /// When the command that it waits for has been answered.
    UntilAnswered,
    /// The same, unless that command waits for keys: the call's own answer went before.
    UnlessItWaits,
}

/// On whose account a call runs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct By {
    /// The client; `None`: nobody, as for expiry.
    pub who: Option<Who>,
    /// It tracks the keys it reads.
    pub tracks: bool,
    /// When it is told of what it did itself.
    pub hold: Hold,
}
