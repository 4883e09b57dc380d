//! Transcripts on a bare shard: no server, no sockets, a clock that moves when it is told to.
//!
//! Beside the reply it checks what a server could not show: invariants after every call, that an error left everything
//! as it was, what is propagated and which events are told.

use super::{Call, Case, Step, show};
use crate::args::{Args, Span};
use crate::command::Command;
use crate::commands::FAMILIES;
use crate::commands::database::DEBUG;
use crate::contents::contents;
use crate::error::CommandError;
use crate::reply::{Reply, Resp};
use crate::shard::{self, Shard};
use crate::stdx::number::parse_i64;

/// Where the clock of a bare shard starts, unix milliseconds.
pub const START_MS: i64 = 1_700_000_000_000;

/// A shard with the little of a connection that transcripts need.
pub struct Bare {
    /// The shard.
    pub shard: Shard,
    /// The time, unix milliseconds.
    pub now_ms: i64,
    /// The selected database.
    pub db: u32,
    /// The protocol.
    pub resp: Resp,
}

impl Bare {
    /// An empty shard whose randomness follows from `seed`.
    pub fn new(seed: u64) -> Bare {
        let mut shard = Shard::new(0, 1, 16, seed);
        shard.effects().wants.changes = true;
        shard.effects().wants.ops = true;
        Bare { shard, now_ms: START_MS, db: 0, resp: Resp::V2 }
    }

    /// Runs a case from an empty shard. The error names the line and what went wrong there.
    pub fn run_case(case: &Case) -> Result<(), String> {
        let mut bare = Bare::new(case.line as u64);
        for step in &case.steps {
            match step {
                Step::Resp(resp) => bare.resp = *resp,
                Step::Advance(ms) => bare.now_ms += ms,
                Step::Call(call) => {
                    bare.check(call).map_err(|error| format!("line {} ({}): {error}", call.line, case.name))?;
                }
            }
        }
        Ok(())
    }

    fn check(&mut self, call: &Call) -> Result<(), String> {
        let before = contents(&mut self.shard, self.now_ms);
        self.shard.effects().clear();
        let reply = self.call(&call.argv);
        self.shard.check_invariants();
        call.expect.check(&reply)?;
        if reply.starts_with(b"-") && contents(&mut self.shard, self.now_ms) != before {
            return Err("the keyspace changed although the reply is an error".into());
        }
        if let Some(expected) = &call.propagates {
            let ops: Vec<Vec<Vec<u8>>> =
                self.shard.effects().ops().map(|(_, argv)| argv.iter().map(<[u8]>::to_vec).collect()).collect();
            let line = |op: &Vec<Vec<u8>>| op.iter().map(|arg| show(arg)).collect::<Vec<_>>().join(" ");
            if ops != *expected {
                return Err(format!("propagated {:?}", ops.iter().map(line).collect::<Vec<_>>()));
            }
        }
        if let Some(expected) = &call.notifies {
            let events: Vec<Vec<u8>> = self
                .shard
                .effects()
                .changes()
                .filter(|(change, _)| !change.event.name.is_empty())
                .map(|(change, key)| [change.event.name.as_bytes(), b":", key].concat())
                .collect();
            if events != *expected {
                return Err(format!("notified {:?}", events.iter().map(|event| show(event)).collect::<Vec<_>>()));
            }
        }
        Ok(())
    }

    /// Runs one call as a server would, arity checked, and returns its reply.
    pub fn call(&mut self, argv: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        match self.row(argv) {
            Ok(Some(row)) => {
                let (buf, spans) = pack(argv);
                let call =
                    shard::Call { row, argv: Args::new(&buf, &spans), db: self.db, resp: self.resp, no_touch: false, sees_expired: false };
                self.shard.execute(&call, self.now_ms, &mut out);
            }
            Ok(None) => {
                self.db = parse_i64(&argv[1]).and_then(|db| u32::try_from(db).ok()).expect("SELECT names a database");
                Reply::new(&mut out, self.resp).ok();
            }
            Err(error) => Reply::new(&mut out, self.resp).error(error.text()),
        }
        out
    }

    /// The row that answers a call; `None` for SELECT, which belongs to the connection.
    fn row(&self, argv: &[Vec<u8>]) -> Result<Option<&'static Command>, CommandError> {
        let named = |row: &&'static Command, name: &[u8]| name.eq_ignore_ascii_case(row.name.as_bytes());
        if argv[0].eq_ignore_ascii_case(b"select") && argv.len() == 2 {
            return Ok(None);
        }
        if argv[0].eq_ignore_ascii_case(b"debug")
            && let Some(row) = argv.get(1).and_then(|sub| DEBUG.iter().find(|row| named(row, sub)))
            && row.arity_fits(argv.len())
        {
            return Ok(Some(row));
        }
        let rows = FAMILIES.iter().flat_map(|family| family.iter());
        let mut row = rows.clone().find(|row| named(row, &argv[0])).ok_or_else(|| unknown_command(argv))?;
        let mut name = row.name.to_string();
        if !row.subcommands.is_empty() && argv.len() > 1 {
            row = row.subcommands.iter().find(|row| named(row, &argv[1])).ok_or_else(|| {
                let (sub, parent) = (String::from_utf8_lossy(&argv[1]), row.name.to_ascii_uppercase());
                CommandError::owned(format!("ERR unknown subcommand '{sub}'. Try {parent} HELP."))
            })?;
            name = format!("{name}|{}", row.name);
        }
        if row.arity_fits(argv.len()) { Ok(Some(row)) } else { Err(CommandError::arity(&name)) }
    }
}

fn unknown_command(argv: &[Vec<u8>]) -> CommandError {
    let name = String::from_utf8_lossy(&argv[0]);
    let args: String = argv[1..].iter().map(|arg| format!("'{}' ", String::from_utf8_lossy(arg))).collect();
    CommandError::owned(format!("ERR unknown command '{name}', with args beginning with: {args}"))
}

/// Arguments as one buffer and spans into it.
pub(crate) fn pack(argv: &[Vec<u8>]) -> (Vec<u8>, Vec<Span>) {
    let mut buf = Vec::new();
    let mut spans = Vec::with_capacity(argv.len());
    for arg in argv {
        spans.push(Span::new(buf.len(), arg.len()));
        buf.extend_from_slice(arg);
    }
    (buf, spans)
}

#[cfg(test)]
mod tests {
    use super::super::{Expect, parse};
    use super::*;

    fn run(text: &str) -> Result<(), String> {
        parse(text).unwrap().iter().try_for_each(Bare::run_case)
    }

    #[test]
    fn the_clock_moves_when_told() {
        let text = "# expiry\n> SET a 1 PX 100\n+OK\n! advance 99\n> GET a\n$1\n1\n! advance 1\n> GET a\n$-1\n";
        assert_eq!(run(text), Ok(()));
    }

    #[test]
    fn a_wrong_reply_is_shown_with_its_line() {
        let error = run("# a case\n> GET a\n$1\n1\n").unwrap_err();
        assert_eq!(error, "line 2 (a case): expected:\n$1\n1\ngot:\n$-1\n");
        assert!(matches!(parse("# a\n> GET a\n").unwrap()[0].steps[0], Step::Call(Call { expect: Expect::Missing, .. })));
    }

    #[test]
    fn arity_and_unknown_commands_answer_as_the_server_does() {
        let text = "# errors\n> GET\n-ERR wrong number of arguments for 'get' command\n> NOSUCH a\n\
                    -ERR unknown command 'NOSUCH', with args beginning with: 'a' \n";
        assert_eq!(run(text), Ok(()));
    }
}
