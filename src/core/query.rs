//! Questions one core asks all cores, and what they report: CLIENT LIST, INFO, SLOWLOG GET and their like.
//!
//! A command that needs every core asks one [`Question`] of each, itself included, and puts the [`Report`]s together
//! when the last has come. Its connection reads no further meanwhile. Inside an EXEC the rest of the transaction's
//! replies wait with it ([`super::assembly`]).

use super::Center;
use super::assembly::Assembly;
use crate::connection::session::Session;
use crate::dispatch::call::OwnedCall;
use crate::runtime::ConnId;
use shards::reply::Reply;
use std::any::Any;
use std::sync::Arc;

/// What a core is asked: runs on each core, in its own turn.
pub type Question = Arc<dyn Fn(&mut Center) -> Report + Send + Sync>;

/// What a core reports; the command that asked knows what is in it.
pub type Report = Box<dyn Any + Send>;

/// What follows when every core (in order of their numbers) has reported: writes the reply.
pub type Finish = Box<dyn FnOnce(&mut Center, &mut Session, Vec<Report>, &mut Reply<'_>)>;

/// A gathering under way.
pub struct Gather {
    /// The client that waits, and where its reply belongs; `None`: this core's script waits.
    pub client: Option<(ConnId, u64)>,
    /// Reports still to come.
    pub missing: usize,
    /// Reports so far, by core.
    pub reports: Vec<Option<Report>>,
    /// What follows.
    pub finish: Finish,
    /// The call that asked, and the clock's ticks when it began: how long it took is known when all have reported.
    pub asker: Option<(OwnedCall, u64)>,
    /// The EXEC it is part of.
    pub assembly: Option<Assembly>,
}
