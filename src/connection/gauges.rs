//! What a connection's buffers hold at one moment: the numbers of CLIENT LIST that its session does not know.

use super::{Connection, Ending, Stall};

/// The numbers.
#[derive(Clone, Copy, Default, Debug)]
pub struct Gauges {
    /// Unread input (qbuf).
    pub input_bytes: usize,
    /// Room behind it (qbuf-free).
    pub input_free: usize,
    /// Room of the reply buffer (rbs).
    pub reply_capacity: usize,
    /// Most bytes it held when it was sent (rbp).
    pub reply_peak: usize,
    /// Replies ready to be sent (obl).
    pub reply_bytes: usize,
    /// Pieces of output beyond the reply buffer (oll): what the kernel has not taken yet, what waits for older replies.
    pub parts: usize,
    /// Their bytes (omem).
    pub parts_bytes: usize,
    /// All memory of the client (tot-mem).
    pub memory_bytes: usize,
    /// A send is under way.
    pub sending: bool,
    /// It waits for something other than its own input.
    pub blocked: bool,
    /// Its last command has begun and is not answered yet.
    pub unfinished: bool,
    /// It closes when its replies are out.
    pub closing: bool,
}

impl Connection {
    /// Reads the gauges.
    pub fn gauges(&self) -> Gauges {
        let (reply_capacity, reply_peak) = self.replies.capacity_and_peak();
        let held = self.replies.held_bytes();
        Gauges {
            input_bytes: self.unread(),
            input_free: self.input.capacity() - self.input.len(),
            reply_capacity,
            reply_peak,
            reply_bytes: self.replies.ready_bytes(),
            parts: usize::from(self.sending_bytes > 0) + usize::from(held > 0),
            parts_bytes: self.sending_bytes + held,
            memory_bytes: self.memory_bytes() + self.sending_bytes,
            sending: self.sending_bytes > 0,
            blocked: matches!(self.stall, Some(Stall::Paused | Stall::Blocked(_))) || self.waits_for_keys(),
            unfinished: matches!(self.stall, Some(Stall::Working(_) | Stall::Blocked(_))),
            closing: self.ending == Ending::AfterReplies,
        }
    }
}
