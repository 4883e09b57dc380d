//! Ending a script from outside, and telling what runs.

use crate::core::Center;
use crate::dispatch::table::Entry;
use crate::stats::clock;
use shards::error::CommandError;

/// What others hear while an EVAL is slow.
pub const SLOW_EVAL: CommandError = CommandError::Static(
    "BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);
/// What others hear while a function is slow.
pub const SLOW_FUNCTION: CommandError = CommandError::Static(
    "BUSY Valkey is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
);
/// Nothing runs.
pub const NOT_BUSY: CommandError = CommandError::Static("NOTBUSY No scripts in execution right now.");
/// It has written.
pub const UNKILLABLE: CommandError = CommandError::Static(
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script \
     termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
);

/// What a core says to a kill.
pub type Verdict = Option<Result<(), CommandError>>;

/// A script under way, as FUNCTION STATS tells it.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its function, or its SHA.
    pub name: Vec<u8>,
    /// It is a function.
    pub function: bool,
    /// The whole call.
    pub command: Vec<Vec<u8>>,
    /// For how long it runs.
    pub duration_ms: u64,
}

/// True for FCALL and FCALL_RO.
pub fn is_function(entry: &Entry) -> bool {
    entry.full_name.starts_with("fcall")
}

impl Center {
    /// Tells the script of this core to end; `None` if there is none.
    pub fn kill_script(&mut self, function: bool) -> Verdict {
        let run = self.scripts.running.as_mut()?;
        let runs_function = is_function(run.call.entry);
        if run.wrote {
            return Some(Err(UNKILLABLE));
        }
        if runs_function != function {
            return Some(Err(if runs_function { SLOW_FUNCTION } else { SLOW_EVAL }));
        }
        run.killed = true;
        Some(Ok(()))
    }

    /// The script of this core.
    pub fn running_script(&self) -> Option<Running> {
        let run = self.scripts.running.as_ref()?;
        let argv = run.call.argv();
        Some(Running {
            name: argv.get(1).to_vec(),
            function: is_function(run.call.entry),
            command: argv.iter().map(<[u8]>::to_vec).collect(),
            duration_ms: clock::ticks_to_us(clock::ticks().wrapping_sub(run.began)) / 1000,
        })
    }
}
