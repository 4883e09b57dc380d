//! The local syslog: datagrams to `/dev/log`, in the form every syslog daemon takes.
//!
//! The socket does not block: a daemon that cannot keep up loses our lines rather than our time. One that was
//! restarted is found again with the next line.

use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, PoisonError};

use super::form::{Moment, escape};
use crate::config::choices::{LogLevel, SyslogFacility};

const SOCKET: &str = "/dev/log";

/// The way to the local syslog.
pub struct Syslog {
    ident: String,
    facility: u32,
    socket: Mutex<Option<UnixDatagram>>,
}

impl Syslog {
    /// Lines as `ident`, which stands where other programs have their name.
    pub fn new(ident: String, facility: SyslogFacility) -> Syslog {
        Syslog { ident: escape(&ident), facility: facility_number(facility), socket: Mutex::new(connect().ok()) }
    }

    /// Why it cannot be reached, if so.
    pub fn trouble(&self) -> Option<String> {
        let reached = self.socket.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if reached { None } else { connect().err().map(|error| error.to_string()) }
    }

    /// Sends one line; a line that cannot be sent is lost.
    pub fn send(&self, level: LogLevel, message: &str, moment: &Moment) {
        let datagram = self.datagram(level, message, moment);
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = socket.as_ref().is_some_and(|socket| match socket.send(datagram.as_bytes()) {
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            Ok(_) => true,
        });
        if !sent {
            *socket = connect().ok();
            let _ = socket.as_ref().map(|socket| socket.send(datagram.as_bytes()));
        }
    }

    fn datagram(&self, level: LogLevel, message: &str, moment: &Moment) -> String {
        let priority = self.facility * 8 + severity(level);
        let pid = std::process::id();
        format!("<{priority}>{} {}[{pid}]: {}", moment.syslog(), self.ident, escape(message))
    }
}

fn connect() -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(SOCKET)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Numbers of RFC 5424.
fn facility_number(facility: SyslogFacility) -> u32 {
    match facility {
        SyslogFacility::User => 1,
        SyslogFacility::Local0 => 16,
        SyslogFacility::Local1 => 17,
        SyslogFacility::Local2 => 18,
        SyslogFacility::Local3 => 19,
        SyslogFacility::Local4 => 20,
        SyslogFacility::Local5 => 21,
        SyslogFacility::Local6 => 22,
        SyslogFacility::Local7 => 23,
    }
}

fn severity(level: LogLevel) -> u32 {
    match level {
        LogLevel::Debug => 7,
        LogLevel::Verbose => 6,
        LogLevel::Notice => 5,
        LogLevel::Warning | LogLevel::Nothing => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_has_priority_time_name_and_one_line() {
        let syslog = Syslog::new("ring\nkey".to_owned(), SyslogFacility::Local0);
        let text = syslog.datagram(LogLevel::Warning, "a\nb", &Moment::now());
        assert!(text.starts_with("<132>"), "{text}");
        assert!(text.ends_with(&format!(" ring\\nkey[{}]: a\\nb", std::process::id())), "{text}");
    }
}
