//! MONITOR: every command that runs, as a line to each client that asked.
//!
//! ```text
//! +1700000000.123456 [0 127.0.0.1:5555] "set" "key" "a\nb"
//! ```
//!
//! Every core knows all monitors and writes the commands of its own clients, in the order they ran. The list is empty
//! nearly always, which is all a command pays for. Administrative commands are not shown, nor are secrets.

use super::Center;
use super::message::Message;
use super::query::{Question, Report};
use crate::connection::session::Session;
use crate::dispatch::secrets::{REDACTED, secrets};
use crate::dispatch::table::{Entry, Target};
use crate::runtime::ConnId;
use crate::stats::clock;
use shards::args::Args;
use shards::command::flag;
use std::io::Write;
use std::sync::Arc;

/// A client in MONITOR: its core and its connection.
pub type Monitor = (usize, ConnId);

/// Appends a byte string in quotes, whatever is in it (Valkey's escapes).
fn quote(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x20..=0x7e => out.push(*byte),
            _ => write!(out, "\\x{byte:02x}").expect("memory takes all"),
        }
    }
    out.push(b'"');
}

/// The line of a command.
fn line(at_us: i64, db: u32, whence: &[u8], argv: Args<'_>, hidden: &[usize]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + argv.iter().map(|arg| arg.len() + 3).sum::<usize>());
    write!(out, "+{}.{:06} [{db} ", at_us / 1_000_000, at_us % 1_000_000).expect("memory takes all");
    out.extend_from_slice(whence);
    out.push(b']');
    for (i, arg) in argv.iter().enumerate() {
        out.push(b' ');
        quote(&mut out, if hidden.contains(&i) { REDACTED } else { arg });
    }
    out.extend_from_slice(b"\r\n");
    out
}

impl Center {
    /// Shows a client's command to those in MONITOR.
    #[inline]
    pub fn show(&mut self, session: &Session, db: u32, entry: &Entry, argv: Args<'_>) {
        if !self.monitors.is_empty() {
            self.show_indeed(session, db, entry, argv);
        }
    }

    #[cold]
    fn show_indeed(&mut self, session: &Session, db: u32, entry: &Entry, argv: Args<'_>) {
        // EVAL and its kin are shown when they begin, ahead of what they call.
        if entry.is(flag::ADMIN | flag::SKIP_MONITOR) && !matches!(entry.target, Target::Script(_)) {
            return;
        }
        let whence = if session.unix {
            format!("unix:{}", session.peer.trim_end_matches(":0"))
        } else {
            session.peer.to_string()
        };
        let hidden = secrets(entry, argv);
        let line = line(clock::unix_us(), db, whence.as_bytes(), argv, &hidden);
        self.push_to_monitors(&line);
    }

    /// Shows a command that a script runs.
    pub fn show_of_script(&mut self, db: u32, entry: &Entry, argv: Args<'_>) {
        if !self.monitors.is_empty() && !entry.is(flag::ADMIN | flag::SKIP_MONITOR) {
            let line = line(clock::unix_us(), db, b"lua", argv, &secrets(entry, argv));
            self.push_to_monitors(&line);
        }
    }

    fn push_to_monitors(&mut self, line: &[u8]) {
        let monitors = std::mem::take(&mut self.monitors);
        monitors.iter().for_each(|(core, conn)| self.push(*core, &[*conn], line));
        self.monitors = monitors;
    }

    /// What every core does when a client begins MONITOR.
    pub fn begin_monitor(&self, session: &mut Session, conn: ConnId) -> Question {
        session.monitor = true;
        let monitor = (self.id, conn);
        Arc::new(move |center: &mut Center| -> Report {
            center.monitors.push(monitor);
            Box::new(())
        })
    }

    /// A client is in MONITOR no more: it is gone, or was reset.
    pub fn end_monitor(&mut self, session: &mut Session, conn: ConnId) {
        if !std::mem::take(&mut session.monitor) {
            return;
        }
        let monitor = (self.id, conn);
        self.monitors.retain(|other| *other != monitor);
        let tell: Question = Arc::new(move |center: &mut Center| -> Report {
            center.monitors.retain(|other| *other != monitor);
            Box::new(())
        });
        // This core too: it may have asked itself to begin, and not yet heard.
        for core in 0..self.cores {
            self.send(core, Message::Tell(tell.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shards::args::Span;

    #[test]
    fn a_line_has_valkeys_form() {
        let text = b"seta\"b\\\n\r\t\x07\x08\0\x7f\xffpassword";
        let spans = [Span::new(0, 3), Span::new(3, 12), Span::new(15, 8)];
        let got = line(1_700_000_000_000_042, 9, b"1.2.3.4:5", Args::new(text, &spans), &[2]);
        let expected = "+1700000000.000042 [9 1.2.3.4:5] \"set\" \"a\\\"b\\\\\\n\\r\\t\\a\\b\\x00\\x7f\\xff\" \"(redacted)\"\r\n";
        assert_eq!(String::from_utf8(got).unwrap(), expected);
    }
}
