//! The reply of an EXEC, put together call by call.
//!
//! The engine's calls have run under the transaction's locks and their replies are here; the server's own calls (PING,
//! CONFIG SET, CLIENT ...) run now, in their place. One that must ask other cores suspends the assembly until they have
//! reported.

use crate::connection::session::Refused;
use crate::coordinator::transaction::Finished;
use crate::dispatch::call::OwnedCall;
use crate::runtime::ConnId;
use shards::reply::{Reply, Resp};
use std::collections::VecDeque;

/// An EXEC's reply in the making.
pub struct Assembly {
    /// The client.
    pub conn: ConnId,
    /// Where the reply belongs.
    pub ticket: u64,
    /// Calls still to be answered, with their replies if the engine ran them.
    pub rest: VecDeque<(OwnedCall, Option<Vec<u8>>)>,
    /// The reply so far.
    pub out: Vec<u8>,
}

impl Assembly {
    /// Begins the array of replies; `refused` are the calls that were not run, in order.
    pub fn new<C>(conn: ConnId, ticket: u64, resp: Resp, finished: Finished<C>, refused: Vec<Refused>) -> Assembly {
        let mut out = Vec::new();
        Reply::new(&mut out, resp).array(finished.calls.len() + refused.len());
        let mut rest: VecDeque<_> = finished.calls.into_iter().zip(finished.replies).collect();
        for Refused { at, call, error } in refused {
            let mut reply = Vec::new();
            Reply::new(&mut reply, resp).error(error.text());
            rest.insert(at, (call, Some(reply)));
        }
        Assembly { conn, ticket, rest, out }
    }
}
