//! The table of one core's connections: what is under way on each, and who may be forgotten.
//!
//! The kernel works on a connection's descriptor and on the buffer it sends from while requests are under way, so a closed
//! connection keeps its place until the last of them has completed. A place that is free again gets a new generation; ids of
//! earlier users are stale from then on and find nothing.
//!
//! ```text
//! receive:  Idle -> Armed -> Held (chunk out) -> Idle          Armed -> Starved (no buffer) -> Idle
//!           Idle -> Filling -> Filled (buffer out) -> Idle
//! ```
//!
//! Invariant: a place is free exactly if its descriptor is none; then nothing is under way on it.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::io::ConnId;

/// Where a connection's receiving stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receive {
    /// Nothing asked for.
    Idle,
    /// A receive into a provided buffer is under way.
    Armed,
    /// A chunk is in the core's hands.
    Held,
    /// Input waits but there was no buffer.
    Starved,
    /// A receive into the core's own buffer is under way.
    Filling,
    /// That buffer is back in the core's hands, which have to say how to go on.
    Filled,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    generation: u32,
    fd: Option<OwnedFd>,
    /// Where receiving stands.
    pub receive: Receive,
    /// The core wants no input for now.
    pub paused: bool,
    /// End of file or an error was reported.
    pub ended: bool,
    /// The core has let go of it.
    pub closing: bool,
    /// More input was waiting when the last receive completed.
    pub more_input: bool,
    /// Our side ends when what is being sent is out.
    pub shutdown_when_sent: bool,
    /// A send is under way, from `outgoing`.
    pub sending: bool,
    /// What is being sent; the kernel reads it.
    pub outgoing: Vec<u8>,
    /// How much of it is out.
    pub sent: usize,
    /// Where the next receive goes, or where the present one (`Filling`) writes to.
    pub filling: Option<Vec<u8>>,
}

impl Connection {
    /// Whether the kernel still works on it.
    pub fn is_busy(&self) -> bool {
        self.sending || matches!(self.receive, Receive::Armed | Receive::Filling)
    }

    /// Whether a receive should begin now.
    pub fn wants_input(&self) -> bool {
        self.receive == Receive::Idle && !self.paused && !self.ended && !self.closing
    }

    /// The descriptor of a place in use.
    pub fn fd(&self) -> RawFd {
        self.fd.as_ref().expect("a connection in use has a descriptor").as_raw_fd()
    }
}

/// All connections of one core.
#[derive(Debug, Default)]
pub struct Connections {
    places: Vec<Connection>,
    free: Vec<u32>,
}

impl Connections {
    /// Gives a socket a place.
    pub fn insert(&mut self, fd: OwnedFd) -> ConnId {
        let index = self.free.pop().unwrap_or(self.places.len() as u32);
        let generation = self.places.get(index as usize).map_or(0, |place| place.generation.wrapping_add(1));
        let connection = Connection {
            generation,
            fd: Some(fd),
            receive: Receive::Idle,
            paused: false,
            ended: false,
            closing: false,
            more_input: true,
            shutdown_when_sent: false,
            sending: false,
            outgoing: Vec::new(),
            sent: 0,
            filling: None,
        };
        match self.places.get_mut(index as usize) {
            Some(place) => {
                assert!(place.fd.is_none(), "a place is taken once");
                *place = connection;
            }
            None => self.places.push(connection),
        }
        ConnId::new(index, generation)
    }

    /// The connection, unless it is gone or going.
    #[inline]
    pub fn get(&self, conn: ConnId) -> Option<&Connection> {
        let place = self.places.get(conn.index())?;
        (place.generation == conn.generation() && place.fd.is_some() && !place.closing).then_some(place)
    }

    /// The connection, unless it is gone or going.
    #[inline]
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        let place = self.places.get_mut(conn.index())?;
        (place.generation == conn.generation() && place.fd.is_some() && !place.closing).then_some(place)
    }

    /// The connection at a place named by a completion: in use, since its request was under way.
    #[inline]
    pub fn at(&mut self, index: usize) -> &mut Connection {
        let place = &mut self.places[index];
        assert!(place.fd.is_some(), "a completion for a place that is free");
        place
    }

    /// Whoever is at that place with that generation, even if closing.
    pub fn find(&mut self, conn: ConnId) -> Option<&mut Connection> {
        let place = self.places.get_mut(conn.index())?;
        (place.generation == conn.generation() && place.fd.is_some()).then_some(place)
    }

    /// The id of the connection at a place.
    #[inline]
    pub fn id(&self, index: usize) -> ConnId {
        ConnId::new(index as u32, self.places[index].generation)
    }

    /// Frees the place of a connection that is closing once nothing is under way any more; its descriptor closes here.
    pub fn free_if_done(&mut self, index: usize) {
        let place = &mut self.places[index];
        if place.closing && !place.is_busy() {
            place.fd = None;
            place.outgoing = Vec::new();
            place.filling = None;
            self.free.push(index as u32);
        }
    }

    /// Places in use, closing ones included.
    pub fn in_use(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// The ids of all that are not closing.
    pub fn ids(&self) -> Vec<ConnId> {
        let alive = |index: &usize| self.places[*index].fd.is_some() && !self.places[*index].closing;
        (0..self.places.len()).filter(alive).map(|index| self.id(index)).collect()
    }

    /// Buffers that the kernel may still use, taken out so that they can be leaked: the last resort of a shutdown.
    pub fn take_busy_buffers(&mut self) -> Vec<Vec<u8>> {
        let busy = self.places.iter_mut().filter(|place| place.fd.is_some() && place.is_busy());
        busy.flat_map(|place| [std::mem::take(&mut place.outgoing), place.filling.take().unwrap_or_default()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn some_fd() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn a_reused_place_does_not_answer_to_its_old_id() {
        let mut table = Connections::default();
        let old = table.insert(some_fd());
        table.at(old.index()).closing = true;
        table.free_if_done(old.index());
        let new = table.insert(some_fd());
        assert_eq!(old.index(), new.index());
        assert!(table.get(old).is_none() && table.get(new).is_some());
        assert_eq!(table.in_use(), 1);
    }

    #[test]
    fn a_closing_place_stays_until_nothing_is_under_way() {
        let mut table = Connections::default();
        let conn = table.insert(some_fd());
        table.at(conn.index()).receive = Receive::Armed;
        table.at(conn.index()).closing = true;
        table.free_if_done(conn.index());
        assert!(table.get(conn).is_none() && table.find(conn).is_some());
        table.at(conn.index()).receive = Receive::Idle;
        table.free_if_done(conn.index());
        assert!(table.find(conn).is_none() && table.in_use() == 0);
    }
}
