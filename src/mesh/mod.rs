//! Messages between cores: how the only shared memory of the server is shared.
//!
//! Each ordered pair of cores has a bounded ring that one side writes and the other reads. A core posts messages during
//! its turn and publishes them all at the end of it, so a turn costs one store and at most one wake-up per peer, however
//! long the pipelines were. Slots hold the messages themselves: nothing is allocated on the way, nothing has to be given
//! back.
//!
//! | file | what |
//! |---|---|
//! | `ring.rs` | one ring; all the unsafe code of this room |
//! | `endpoint.rs` | a core's place in the mesh: post, flush, receive, sleep |
//!
//! A turn of a core, in this order:
//!
//! 1. [`Endpoint::receive_one`] or [`Endpoint::receive`] until nothing comes; the work; [`Endpoint::post`] as needed.
//! 2. [`Endpoint::flush`]: publishes, then wakes those who sleep.
//! 3. Nothing to do? [`Endpoint::prepare_sleep`]; if it says so, wait in the kernel, then [`Endpoint::finish_sleep`].
//!
//! **No wake-up is lost.** A sender publishes, fences, looks at `sleeping`. A sleeper sets `sleeping`, fences, looks at the
//! rings. Whichever fence comes first in their common order, the other side sees what was written before it.
//!
//! **Nobody waits for room.** When a ring is full, messages stay with their sender, in order. A sender with a backlog may
//! sleep: it leaves a mark on the ring, and the reader who makes room wakes it. So two cores that flood each other both
//! go on reading, and the backlog's length is there for back-pressure towards clients.

mod endpoint;
mod ring;

pub use endpoint::{Endpoint, MeshCounts, RING_SLOTS, mesh};

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom)))]
mod tests;
