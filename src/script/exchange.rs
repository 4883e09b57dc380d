//! What a core and its Lua machine hand each other: a job, a call, its reply, the job's reply.
//!
//! One set of buffers, reused: a call of a script costs no allocation between the two.

use super::library::{Library, Registered};
use super::text::Script;
use shards::args::{Args, Span};
use shards::reply::Resp;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// The exchange, as both sides hold it.
pub type Shared = Rc<RefCell<Exchange>>;

/// What the machine is to run.
#[derive(Clone, Debug)]
pub enum Code {
    /// EVAL and its kin.
    Script(Arc<Script>),
    /// A function of a library, by its place there.
    Function(Arc<Library>, usize),
    /// The code of a library to come, for what it registers (FUNCTION LOAD).
    Load(Arc<Library>),
    /// Whether this compiles (SCRIPT LOAD).
    Compile(Arc<Script>),
}

/// What lies between the two.
#[derive(Default)]
pub struct Exchange {
    /// The job.
    pub code: Option<Code>,
    /// The job's keys and arguments, or the arguments of a call of the script.
    pub bytes: Vec<u8>,
    /// Where they lie.
    pub spans: Vec<Span>,
    /// How many of the job's are keys.
    pub keys: usize,
    /// Protocol of the client: that of the job's reply.
    pub client_resp: Resp,
    /// Protocol the script asked for: that of replies to it.
    pub resp: Resp,
    /// What `set_repl` said: bit 0 the AOF, bit 1 replicas.
    pub propagate: u8,
    /// The reply: of a call of the script, or of the job.
    pub reply: Vec<u8>,
    /// The job's reply is an error that was counted already, when the call that made it failed.
    pub counted: bool,
    /// The job's reply is an error (a Lua error, or an error table returned).
    pub failed: bool,
    /// The answer to `MayCall`.
    pub allowed: bool,
    /// What a library registered.
    pub registered: Vec<Registered>,
    /// Bytes the machine holds.
    pub used_bytes: usize,
    /// Why the script is stopped, as its error says; for functions of a library that only load, and for kills.
    pub stop_text: &'static str,
}

impl Exchange {
    /// Puts arguments in.
    pub fn set_args<'a>(&mut self, args: impl Iterator<Item = &'a [u8]>) {
        self.bytes.clear();
        self.spans.clear();
        args.for_each(|arg| self.push_arg(arg));
    }

    /// Adds an argument.
    pub fn push_arg(&mut self, arg: &[u8]) {
        self.spans.push(Span::new(self.bytes.len(), arg.len()));
        self.bytes.extend_from_slice(arg);
    }

    /// The arguments.
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }
}
