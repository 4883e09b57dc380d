//! The table of a core's connections: coming, going, and what they may cost.

use super::waiters::Cancel;
use super::{Action, Center};
use crate::connection::session::Session;
use crate::connection::{Connection, Ending};
use crate::dispatch::gates;
use crate::runtime::{Addresses, ConnId};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A core's connections. One that is being served is out of the table ([`Clients::take`]) so that commands may look at
/// all others.
#[derive(Default)]
pub struct Clients {
    places: Vec<Option<(ConnId, Box<Connection>)>>,
    count: usize,
}

impl Clients {
    /// Adds a connection.
    pub fn insert(&mut self, conn: ConnId, connection: Box<Connection>) {
        if self.places.len() <= conn.index() {
            self.places.resize_with(conn.index() + 1, || None);
        }
        let old = self.places[conn.index()].replace((conn, connection));
        assert!(old.is_none(), "a place is free before it is used again");
        self.count += 1;
    }

    /// Takes a connection out to serve it; put it back or drop it.
    #[inline]
    pub fn take(&mut self, conn: ConnId) -> Option<Box<Connection>> {
        let place = self.places.get_mut(conn.index())?;
        if place.as_ref().is_none_or(|(id, _)| *id != conn) {
            return None;
        }
        self.count -= 1;
        place.take().map(|(_, c)| c)
    }

    /// Puts a served connection back.
    #[inline]
    pub fn put(&mut self, conn: ConnId, connection: Box<Connection>) {
        debug_assert!(self.places[conn.index()].is_none());
        self.places[conn.index()] = Some((conn, connection));
        self.count += 1;
    }

    /// A connection.
    #[inline]
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        match self.places.get_mut(conn.index()) {
            Some(Some((id, c))) if *id == conn => Some(c),
            _ => None,
        }
    }

    /// All connections but the one being served.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &Connection)> {
        self.places.iter().flatten().map(|(id, c)| (*id, &**c))
    }

    /// All connections but the one being served.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut Connection)> {
        self.places.iter_mut().flatten().map(|(id, c)| (*id, &mut **c))
    }

    /// How many there are, without the one being served.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Text for a client that is one too many (Valkey's).
pub const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";

/// What protected mode says to strangers.
pub const PROTECTED: &[u8] = b"-DENIED Running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. To accept others, set a password for the default user, or turn protected mode off with CONFIG SET protected-mode no from a loopback connection, or in the configuration file, followed by a restart.\r\n";

impl Center {
    /// Welcomes a connection that was just adopted, or says why not (the text to send before closing it).
    pub fn welcome(&mut self, conn: ConnId, ends: &Addresses, unix: bool, fd: i32) -> Result<(), &'static [u8]> {
        let open = self.shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
        if open as u64 > self.config.clients.maxclients {
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
            self.stats.connections_rejected += 1;
            return Err(TOO_MANY);
        }
        let users = &self.users;
        if self.config.network.protected_mode && users.default_user().nopass && !unix && !is_loopback(&ends.peer) {
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
            self.stats.connections_rejected += 1;
            return Err(PROTECTED);
        }
        self.stats.connections_received += 1;
        let mut session = Session::new(self.shared.client_id(), self.now_ms, Arc::clone(users.default_user()), users.is_open());
        session.peer = ends.peer.to_string().into();
        session.local = ends.local.to_string().into();
        session.unix = unix;
        session.is_local = unix || is_loopback(&ends.peer);
        session.fd = fd;
        if unix {
            let path = self.config.network.unixsocket.to_str_lossy();
            session.peer = format!("{path}:0").into();
            session.local = session.peer.clone();
        }
        self.clients.insert(conn, Box::new(Connection::new(session)));
        Ok(())
    }

    /// Ends a connection: forgets the client and has its socket closed.
    pub fn close(&mut self, conn: ConnId) {
        if let Some(connection) = self.clients.take(conn) {
            self.farewell(conn, connection);
        }
    }

    /// As `close`, for a connection that is out of the table.
    pub fn farewell(&mut self, conn: ConnId, mut connection: Box<Connection>) {
        self.forget_blocked(conn);
        self.forget_subscriptions(&mut connection.session, conn);
        self.end_monitor(&mut connection.session, conn);
        self.unwatch_all(&mut connection.session);
        self.stop_tracking(conn, &mut connection.session);
        if connection.waits_for_keys() {
            self.cancel_client(conn, Cancel::Gone);
        }
        for put_back in connection.take_owed() {
            self.put_back(put_back);
        }
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        self.actions.push(Action::Close(conn));
    }

    /// Notes that a connection has something to send.
    #[inline]
    pub fn mark_dirty(&mut self, conn: ConnId, connection: &mut Connection) {
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(conn);
        }
    }

    /// True if the client's output passes its limits: the hard one, or the soft one for too long.
    pub fn over_output_limit(&self, connection: &mut Connection) -> bool {
        let bytes = connection.output_bytes() as u64;
        let limits = &self.config.clients.client_output_buffer_limit;
        let limit = if connection.session.is_subscriber() { limits.pubsub } else { limits.normal };
        let stranger = !connection.session.ever_authenticated && gates::auth_required(&connection.session, self.users.is_open());
        if stranger && bytes > self.look_at_output_bytes as u64 {
            return true;
        }
        if limit.hard_bytes > 0 && bytes > limit.hard_bytes {
            return true;
        }
        if limit.soft_bytes == 0 || bytes <= limit.soft_bytes {
            connection.over_soft_since_ms = None;
            return false;
        }
        let since = *connection.over_soft_since_ms.get_or_insert(self.now_ms);
        self.now_ms - since > limit.soft_seconds * 1000
    }

    /// True if a client's unread output passes its limits, which is logged and counted: it is to be closed.
    #[inline]
    pub fn drowns(&mut self, connection: &mut Connection) -> bool {
        connection.output_bytes() > self.look_at_output_bytes && self.drowns_indeed(connection)
    }

    #[cold]
    fn drowns_indeed(&mut self, connection: &mut Connection) -> bool {
        if !self.over_output_limit(connection) {
            return false;
        }
        tracing::warn!(
            "Client id={} addr={} scheduled to be closed ASAP for overcoming of output buffer limits.",
            connection.session.id,
            connection.session.peer
        );
        self.stats.output_limit_closes += 1;
        true
    }

    /// House-keeping of clients, about once a second: idle ones and those over their soft output limit go.
    pub fn tend_clients(&mut self) {
        let timeout_ms = self.config.network.timeout * 1000;
        let now_ms = self.now_ms;
        let mut gone = Vec::new();
        let ids: Vec<ConnId> = self.clients.iter().map(|(id, _)| id).collect();
        for conn in ids {
            let Some(mut connection) = self.clients.take(conn) else { continue };
            let idle = timeout_ms > 0
                && connection.stall.is_none()
                && !connection.session.is_subscriber()
                && !connection.session.monitor
                && now_ms - connection.session.active_ms > timeout_ms;
            if idle || self.over_output_limit(&mut connection) {
                gone.push(conn);
            } else {
                connection.shrink_input(now_ms);
            }
            self.clients.put(conn, connection);
        }
        for conn in gone {
            self.close(conn);
        }
    }

    /// Ends a connection once its replies are out.
    pub fn end_after_replies(connection: &mut Connection) {
        if connection.ending == Ending::None {
            connection.ending = Ending::AfterReplies;
        }
    }
}

/// Output below this is not held against any limit, and an unauthenticated client may not leave more unread (Valkey
/// closes it at 1 KiB; a few error lines more do no harm).
pub const LOOK_AT_OUTPUT_BYTES: usize = 64 << 10;

fn is_loopback(address: &crate::runtime::Address) -> bool {
    match address {
        crate::runtime::Address::Tcp(socket) => match socket.ip() {
            std::net::IpAddr::V4(ip) => ip.is_loopback(),
            std::net::IpAddr::V6(ip) => {
                ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
            }
        },
        crate::runtime::Address::Unix(_) => true,
        crate::runtime::Address::Unknown => false,
    }
}
