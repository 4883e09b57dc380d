//! Commands that need the server: connection, CLIENT, CONFIG, INFO, MULTI and their like. The same row type as the
//! engine's, with a function over [`ServerExec`].
//!
//! A command that can answer at once writes its reply and returns [`Flow::Done`]. One that needs every core returns
//! [`Flow::Gather`]: a question each core answers in its own turn, and what to make of the reports. Both work inside an
//! EXEC too.

pub mod acl;
pub mod client;
pub mod command;
pub mod commandlog;
pub mod config;
pub mod connection;
pub mod debug;
pub mod handshake;
pub mod info;
pub mod latency;
pub mod memory;
pub mod monitor;
pub mod pubsub;
pub mod scripting;
pub mod server;
pub mod shutdown;
pub mod transaction;
pub mod wait;

use crate::connection::gauges::Gauges;
use crate::connection::session::Session;
use crate::core::Center;
use crate::core::publish::Confirmation;
use crate::core::query::{Finish, Question};
use crate::dispatch::table::Entry;
use crate::runtime::ConnId;
use shards::args::Args;
use shards::command::Row;
use shards::error::CommandError;
use shards::reply::Reply;
use std::sync::Arc;

/// What runs one of the server's commands. On `Err` the reply is the error alone.
pub type ServerRun = fn(&mut ServerExec<'_>) -> Result<Flow, CommandError>;

/// A command of the server.
pub type ServerCommand = Row<ServerRun>;

/// The rows of every family.
pub const FAMILIES: &[&[ServerCommand]] = &[
    acl::ROWS,
    client::ROWS,
    command::ROWS,
    commandlog::ROWS,
    config::ROWS,
    connection::ROWS,
    debug::ROWS,
    handshake::ROWS,
    info::ROWS,
    latency::ROWS,
    monitor::ROWS,
    pubsub::ROWS,
    scripting::ROWS,
    server::ROWS,
    shutdown::ROWS,
    transaction::ROWS,
    wait::ROWS,
];

/// What is left to do after a server command's function.
pub enum Flow {
    /// Nothing: the reply is written.
    Done,
    /// Every core must be asked.
    Gather {
        /// Runs on each core.
        question: Question,
        /// Writes the reply from the reports, in order of the cores.
        finish: Finish,
    },
    /// Subscriptions changed: every core must know before the client hears so.
    Confirm(Confirmation),
    /// Run the queued transaction.
    Exec,
    /// Watch these keys.
    Watch(Vec<Box<[u8]>>),
    /// Close the connection when its replies are out.
    Close,
    /// Close the connection now.
    CloseNow,
    /// The client waits; without an earlier end it hears `reply` after the timeout (0: never). Not inside an EXEC.
    Block {
        /// Milliseconds.
        timeout_ms: i64,
        /// Bytes.
        reply: Vec<u8>,
    },
    /// No reply will come: the process ends.
    Never,
}

impl Flow {
    /// Every core does this; then the client hears OK.
    pub fn everywhere(deed: impl Fn(&mut Center) + Send + Sync + 'static) -> Flow {
        Flow::Gather {
            question: Arc::new(move |center| {
                deed(center);
                Box::new(())
            }),
            finish: Box::new(|_, _, _, reply| reply.ok()),
        }
    }
}

/// What a running server command may see.
pub struct ServerExec<'a> {
    /// The arguments; the first is the command's name.
    pub argv: Args<'a>,
    /// The command.
    pub entry: &'static Entry,
    /// The connection.
    pub conn: ConnId,
    /// It runs inside an EXEC.
    pub in_exec: bool,
    /// What the client's buffers held when the command began.
    pub gauges: Gauges,
    /// The client.
    pub session: &'a mut Session,
    /// The core. The client's connection is not in its table now.
    pub center: &'a mut Center,
    /// The reply.
    pub reply: Reply<'a>,
}

impl<'a> ServerExec<'a> {
    /// An argument.
    pub fn arg(&self, i: usize) -> &'a [u8] {
        self.argv.get(i)
    }

    /// Number of arguments, the name included.
    pub fn argc(&self) -> usize {
        self.argv.len()
    }

    /// True if argument `i` is `word`, whatever its case.
    pub fn arg_is(&self, i: usize, word: &str) -> bool {
        self.argv.get(i).eq_ignore_ascii_case(word.as_bytes())
    }
}
