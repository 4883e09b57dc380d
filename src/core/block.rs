//! Clients that wait: WAIT and WAITAOF, for replicas that do not come. Each has a reply for when its time is over, is told
//! by CLIENT UNBLOCK, or goes with its connection. The core goes on meanwhile, and so does everybody else.
//!
//! A core with waiting clients sleeps until the first of their deadlines ([`Center::next_deadline_ms`]).

use super::Center;
use super::waiters::Cancel;
use crate::runtime::ConnId;

/// What a client hears that CLIENT UNBLOCK ended with ERROR (Valkey's).
const UNBLOCKED: &[u8] = b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n";

/// A client that waits.
#[derive(Debug)]
pub struct Blocked {
    conn: ConnId,
    ticket: u64,
    /// Until when, unix milliseconds; never, if none.
    deadline_ms: Option<i64>,
    /// What it hears when its time is over.
    reply: Vec<u8>,
}

impl Center {
    /// Has a client wait, for ever if `timeout_ms` is 0.
    pub(super) fn block(&mut self, conn: ConnId, ticket: u64, timeout_ms: i64, reply: Vec<u8>) {
        let deadline_ms = (timeout_ms > 0).then(|| self.now_ms.saturating_add(timeout_ms));
        self.blocked.push(Blocked { conn, ticket, deadline_ms, reply });
    }

    /// The first deadline of waiting clients.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        let replicas = self.blocked.iter().filter_map(|blocked| blocked.deadline_ms);
        replicas.chain(self.waiters.next_deadline_ms()).min()
    }

    /// Answers those whose time is over.
    pub(super) fn end_waits_due(&mut self) {
        let now_ms = self.now_ms;
        while let Some(at) = self.blocked.iter().position(|b| b.deadline_ms.is_some_and(|at_ms| at_ms <= now_ms)) {
            let blocked = self.blocked.swap_remove(at);
            self.answer_blocked(blocked.conn, blocked.ticket, &blocked.reply);
        }
    }

    /// CLIENT UNBLOCK: true if that client waited here.
    pub fn unblock(&mut self, client: u64, error: bool) -> bool {
        let found = self.clients.iter().find(|(_, c)| c.session.id == client);
        let Some((conn, waits_for_keys)) = found.map(|(conn, c)| (conn, c.waits_for_keys())) else { return false };
        let Some(at) = self.blocked.iter().position(|blocked| blocked.conn == conn) else {
            if waits_for_keys {
                self.cancel_client(conn, if error { Cancel::Error } else { Cancel::Timeout });
            }
            return waits_for_keys;
        };
        let blocked = self.blocked.swap_remove(at);
        let reply = if error { UNBLOCKED } else { &blocked.reply };
        if error {
            self.stats.count_error(reply);
        }
        self.answer_blocked(blocked.conn, blocked.ticket, reply);
        true
    }

    fn answer_blocked(&mut self, conn: ConnId, ticket: u64, reply: &[u8]) {
        let mut connection = self.clients.take(conn).expect("a client that goes is forgotten here first");
        self.end_stall(conn, &mut connection, ticket, reply);
        self.clients.put(conn, connection);
    }

    /// A client is gone.
    pub(super) fn forget_blocked(&mut self, conn: ConnId) {
        if !self.blocked.is_empty() {
            self.blocked.retain(|blocked| blocked.conn != conn);
        }
    }

    /// How many wait, and how many of them with a deadline.
    pub fn blocked_counts(&self) -> (u64, u64) {
        let timed = self.blocked.iter().filter(|blocked| blocked.deadline_ms.is_some()).count();
        let (keys, keys_timed) = self.waiters.counts();
        (self.blocked.len() as u64 + keys, timed as u64 + keys_timed)
    }
}
