//! A core's place in the mesh.
//!
//! Invariant: a peer's backlog is empty unless its ring was full when the backlog's first message was posted, and as long
//! as there is a backlog every later message joins it. So messages from one core to another arrive in the order posted.

use super::ring::{Arc, AtomicBool, Ordering, Padded, Reader, Writer, fence, ring};
use std::collections::VecDeque;

/// Slots of a ring: some batches of a busy turn. Memory is slots times message size times cores squared, so a message
/// should stay within a cache line or two; at 64 bytes and 16 cores the whole mesh takes 4 MiB.
pub const RING_SLOTS: usize = 256;

/// A backlog that grew beyond this gives its memory back when it is empty.
const BACKLOG_KEPT: usize = 1024;

/// The endpoints of a mesh between `cores` cores, in order. Each goes to its core's thread.
pub fn mesh<M: Send>(cores: usize, ring_slots: usize) -> Vec<Endpoint<M>> {
    assert!(cores > 0, "a mesh has cores");
    let sleeping: Arc<[Padded<AtomicBool>]> = sleeping_flags(cores);
    let mut peers: Vec<Vec<Option<Peer<M>>>> = (0..cores).map(|_| (0..cores).map(|_| None).collect()).collect();
    let pairs = (0..cores).flat_map(|low| (low + 1..cores).map(move |high| (low, high)));
    for (low, high) in pairs {
        let (up_writer, up_reader) = ring(ring_slots);
        let (down_writer, down_reader) = ring(ring_slots);
        peers[low][high] = Some(Peer::new(up_writer, down_reader));
        peers[high][low] = Some(Peer::new(down_writer, up_reader));
    }
    let endpoint = |(core, peers)| Endpoint { core, peers, sleeping: sleeping.clone(), reading: cores, counts: MeshCounts::default() };
    peers.into_iter().enumerate().map(endpoint).collect()
}

fn sleeping_flags(cores: usize) -> Arc<[Padded<AtomicBool>]> {
    let flags: Vec<_> = (0..cores).map(|_| Padded(AtomicBool::new(false))).collect();
    #[cfg(loom)]
    return Arc::from_std(std::sync::Arc::from(flags));
    #[cfg(not(loom))]
    Arc::from(flags)
}

/// Both directions between this core and another.
struct Peer<M> {
    out: Writer<M>,
    /// What did not fit into the ring, in order.
    backlog: VecDeque<M>,
    inbound: Reader<M>,
    /// Messages were taken since the last flush.
    drained: bool,
    /// Messages were published by the flush that is under way.
    told: bool,
}

impl<M> Peer<M> {
    fn new(out: Writer<M>, inbound: Reader<M>) -> Peer<M> {
        Peer { out, backlog: VecDeque::new(), inbound, drained: false, told: false }
    }

    /// Moves what fits from the backlog to the ring and shows it to the other side. Whether there was anything to show.
    #[inline]
    fn publish(&mut self) -> bool {
        while let Some(message) = self.backlog.pop_front() {
            if let Err(message) = self.out.push(message) {
                self.backlog.push_front(message);
                break;
            }
        }
        if self.backlog.is_empty() && self.backlog.capacity() > BACKLOG_KEPT {
            self.backlog = VecDeque::new();
        }
        self.out.publish()
    }
}

/// What went through an endpoint since the start, for INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeshCounts {
    /// Messages posted.
    pub posted: u64,
    /// Messages received.
    pub received: u64,
    /// Messages that found their ring full.
    pub delayed: u64,
    /// Times another core had to be woken.
    pub wakes: u64,
}

/// One core's end of every ring to and from the others.
pub struct Endpoint<M> {
    core: usize,
    /// By core; none at its own place.
    peers: Vec<Option<Peer<M>>>,
    /// By core; shared by all endpoints.
    sleeping: Arc<[Padded<AtomicBool>]>,
    /// The peer whose messages are being received; the number of cores between two rounds.
    reading: usize,
    counts: MeshCounts,
}

impl<M: Send> Endpoint<M> {
    /// The core it belongs to.
    pub fn core(&self) -> usize {
        self.core
    }

    /// How many cores the mesh has.
    pub fn cores(&self) -> usize {
        self.peers.len()
    }

    /// Adds `message` to what goes to core `to` at the next flush. Never waits; a core does not write to itself.
    #[inline]
    pub fn post(&mut self, to: usize, message: M) {
        let peer = self.peers[to].as_mut().expect("a core posts to other cores only");
        self.counts.posted += 1;
        if peer.backlog.is_empty() {
            let Err(message) = peer.out.push(message) else { return };
            peer.backlog.push_back(message);
        } else {
            peer.backlog.push_back(message);
        }
        self.counts.delayed += 1;
    }

    /// Ends a turn: publishes what was posted and what room was made, then has `wake` called for each core that sleeps
    /// and is concerned. Costs next to nothing if nothing was posted or received.
    pub fn flush(&mut self, wake: &mut dyn FnMut(usize)) {
        let mut concerned = false;
        for peer in self.peers.iter_mut().flatten() {
            peer.told = peer.publish();
            peer.drained |= peer.inbound.publish();
            concerned |= peer.told | peer.drained;
        }
        if !concerned {
            return;
        }
        // Between what was published above and the look at who sleeps; its partner is in `prepare_sleep`.
        fence(Ordering::SeqCst);
        for (core, peer) in self.peers.iter_mut().enumerate() {
            let Some(peer) = peer else { continue };
            let room = std::mem::take(&mut peer.drained) && peer.inbound.take_request_for_room();
            let sleeping = &self.sleeping[core].0;
            if (peer.told || room) && sleeping.load(Ordering::Relaxed) && sleeping.swap(false, Ordering::Relaxed) {
                self.counts.wakes += 1;
                wake(core);
            }
        }
    }

    /// The next message that has arrived, and from which core. None ends a round over all peers; a round takes from each
    /// what was there when its turn came, so a flood cannot hold a core in one turn.
    #[inline]
    pub fn receive_one(&mut self) -> Option<(usize, M)> {
        let cores = self.peers.len();
        let mut from = self.reading;
        if from == cores {
            from = 0;
            self.look_at(0);
        }
        loop {
            if let Some(peer) = &mut self.peers[from] {
                if let Some(message) = peer.inbound.pop() {
                    self.reading = from;
                    self.counts.received += 1;
                    return Some((from, message));
                }
                peer.drained |= peer.inbound.publish();
            }
            from += 1;
            if from == cores {
                self.reading = cores;
                return None;
            }
            self.look_at(from);
        }
    }

    #[inline]
    fn look_at(&mut self, from: usize) {
        if let Some(peer) = &mut self.peers[from] {
            peer.inbound.available();
        }
    }

    /// One round of messages.
    pub fn receive(&mut self, each: &mut dyn FnMut(usize, M)) {
        while let Some((from, message)) = self.receive_one() {
            each(from, message);
        }
    }

    /// Announces that this core is about to wait in the kernel, and says whether it may: not if messages have come, or
    /// room for a backlog. If so, whoever posts next will wake it. To be called after a flush with nothing posted since.
    #[must_use = "a core that sleeps on a no is not woken"]
    pub fn prepare_sleep(&self) -> bool {
        // Swaps, where a store would do: each change of the flag then follows the one before it, also in the eyes of the
        // model checker, and beside a wait in the kernel the difference is nothing.
        let sleeping = &self.sleeping[self.core].0;
        sleeping.swap(true, Ordering::Relaxed);
        for peer in self.peers.iter().flatten() {
            assert!(!peer.out.has_unpublished() && !peer.drained, "a turn ends with a flush");
            if !peer.backlog.is_empty() {
                peer.out.ask_for_room();
            }
        }
        // Between `sleeping` and the look at the rings; its partner is in `flush`.
        fence(Ordering::SeqCst);
        let has_work = |peer: &Peer<M>| peer.inbound.len() > 0 || (!peer.backlog.is_empty() && peer.out.has_room());
        if self.peers.iter().flatten().any(has_work) {
            sleeping.swap(false, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// After the wait, whatever ended it: nobody needs to wake this core any more.
    pub fn finish_sleep(&self) {
        self.sleeping[self.core].0.swap(false, Ordering::Relaxed);
    }

    /// Whether a message has arrived. Cheap enough to be asked in a spin.
    #[inline]
    pub fn has_inbound(&self) -> bool {
        self.peers.iter().flatten().any(|peer| peer.inbound.len() > 0)
    }

    /// Whether any peer's ring is so full that messages wait here: a reason to read less from clients.
    pub fn backlogged(&self) -> bool {
        self.peers.iter().flatten().any(|peer| !peer.backlog.is_empty())
    }

    /// How many messages wait here for room in the ring to core `to`.
    pub fn backlog_len(&self, to: usize) -> usize {
        self.peers[to].as_ref().map_or(0, |peer| peer.backlog.len())
    }

    /// How many messages for core `to` it has not taken yet, backlog included.
    pub fn outbound_len(&self, to: usize) -> usize {
        self.peers[to].as_ref().map_or(0, |peer| peer.backlog.len() + peer.out.len())
    }

    /// How many messages of core `from` wait to be received.
    pub fn inbound_len(&self, from: usize) -> usize {
        self.peers[from].as_ref().map_or(0, |peer| peer.inbound.len())
    }

    /// What went through so far.
    pub fn counts(&self) -> MeshCounts {
        self.counts
    }
}
