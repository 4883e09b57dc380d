//! The forms of a log line: legacy, logfmt and JSON, and the three ways to write its time.
#![allow(unsafe_code)] // The C library alone knows the local time zone; see `Moment::of`.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Role;
use crate::config::choices::{LogFormat, LogLevel, LogTimestamp};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub unix_ms: i64,
    pub year: i32,
    /// From 0.
    pub month: usize,
    pub day: i32,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
    /// East of Greenwich.
    pub offset_seconds: i64,
}

impl Moment {
    /// Now.
    pub fn now() -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment::of(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The local time so many milliseconds after 1970.
    pub fn of(unix_ms: i64) -> Moment {
        let seconds: libc::time_t = unix_ms.div_euclid(1000);
        // SAFETY: `tm` is a C struct of integers and a pointer, for which all zeros is a valid value.
        let mut tm: libc::tm = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are to live values of the right type, and localtime_r keeps neither. It is the variant
        // that may run on several threads; nobody here changes TZ after start. A null says that the year is beyond
        // an int; `tm` is then 0 January 1900, which is as good as any wrong date.
        let _ = unsafe { libc::localtime_r(&raw const seconds, &raw mut tm) };
        Moment {
            unix_ms,
            year: tm.tm_year.saturating_add(1900),
            month: usize::try_from(tm.tm_mon).unwrap_or(0).min(MONTHS.len() - 1),
            day: tm.tm_mday,
            hour: tm.tm_hour,
            minute: tm.tm_min,
            second: tm.tm_sec,
            offset_seconds: tm.tm_gmtoff,
        }
    }

    fn millisecond(&self) -> i64 {
        self.unix_ms.rem_euclid(1000)
    }

    /// `Nov  3 09:05:00`, as syslog wants it.
    pub fn syslog(&self) -> String {
        let Moment { day, hour, minute, second, .. } = self;
        format!("{} {day:2} {hour:02}:{minute:02}:{second:02}", MONTHS[self.month])
    }

    fn text(&self, timestamp: LogTimestamp) -> String {
        let Moment { year, day, hour, minute, second, .. } = *self;
        let clock = format!("{hour:02}:{minute:02}:{second:02}.{:03}", self.millisecond());
        match timestamp {
            LogTimestamp::Legacy => format!("{day:02} {} {year} {clock}", MONTHS[self.month]),
            LogTimestamp::Iso8601 => format!("{year}-{:02}-{day:02}T{clock}{}", self.month + 1, self.zone()),
            LogTimestamp::Milliseconds => self.unix_ms.to_string(),
        }
    }

    fn zone(&self) -> String {
        let sign = if self.offset_seconds < 0 { '-' } else { '+' };
        let minutes = self.offset_seconds.unsigned_abs() / 60;
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// All of a line but its message.
pub struct Line {
    pub pid: u32,
    pub role: Role,
    pub level: LogLevel,
    pub moment: Moment,
    pub format: LogFormat,
    pub timestamp: LogTimestamp,
}

impl Line {
    /// The whole line, with the newline at its end and none elsewhere.
    pub fn with(&self, message: &str) -> String {
        let Line { pid, role, .. } = self;
        let (time, level) = (self.moment.text(self.timestamp), level_name(self.level));
        let line = match self.format {
            LogFormat::Legacy => {
                format!("{pid}:{} {time} {} {}\n", role_letter(*role), level_letter(self.level), escape(message))
            }
            LogFormat::Logfmt => format!(
                "pid={pid} role={} timestamp=\"{time}\" level={level} message=\"{}\"\n",
                role_name(*role),
                logfmt(message)
            ),
            LogFormat::Json => format!(
                "{{\"pid\":{pid},\"role\":\"{}\",\"timestamp\":\"{time}\",\"level\":\"{level}\",\"message\":\"{}\"}}\n",
                role_name(*role),
                json(message)
            ),
        };
        debug_assert_eq!(line.bytes().filter(|byte| *byte == b'\n').count(), 1);
        line
    }
}

fn role_letter(role: Role) -> char {
    match role {
        Role::Primary => 'M',
        Role::Replica => 'S',
        Role::Child => 'C',
        Role::Sentinel => 'X',
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Replica => "replica",
        Role::Child => "RDB/AOF",
        Role::Sentinel => "sentinel",
    }
}

fn level_letter(level: LogLevel) -> char {
    match level {
        LogLevel::Debug => '.',
        LogLevel::Verbose => '-',
        LogLevel::Notice => '*',
        LogLevel::Warning | LogLevel::Nothing => '#',
    }
}

fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Verbose => "info",
        LogLevel::Notice => "notice",
        LogLevel::Warning | LogLevel::Nothing => "warning",
    }
}

/// Text with control characters spelled out, so that a message stays on its line and drives no terminal.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        // Writing to a String cannot fail.
        let _ = match letter {
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            _ if letter.is_control() => write!(out, "\\x{:02x}", u32::from(letter)),
            _ => out.write_char(letter),
        };
    }
    out
}

/// As Valkey does for logfmt: quotes become single ones, line ends become spaces.
fn logfmt(text: &str) -> String {
    escape(&text.replace('"', "'").replace(['\r', '\n'], " "))
}

fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        let _ = match letter {
            '"' => out.write_str("\\\""),
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            _ if letter.is_control() => write!(out, "\\u{:04x}", u32::from(letter)),
            _ => out.write_char(letter),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: LogFormat, timestamp: LogTimestamp) -> Line {
        let moment = Moment {
            unix_ms: 1_795_177_375_007,
            year: 2026,
            month: 10,
            day: 3,
            hour: 9,
            minute: 5,
            second: 7,
            offset_seconds: -(5 * 3600 + 30 * 60),
        };
        Line { pid: 42, role: Role::Primary, level: LogLevel::Notice, moment, format, timestamp }
    }

    #[test]
    fn the_three_forms() {
        let message = "say \"hi\"\nthere \\ \u{7}";
        let legacy = line(LogFormat::Legacy, LogTimestamp::Legacy).with(message);
        assert_eq!(legacy, "42:M 03 Nov 2026 09:05:07.007 * say \"hi\"\\nthere \\ \\x07\n");
        let logfmt = line(LogFormat::Logfmt, LogTimestamp::Iso8601).with(message);
        assert_eq!(
            logfmt,
            "pid=42 role=primary timestamp=\"2026-11-03T09:05:07.007-05:30\" level=notice \
             message=\"say 'hi' there \\ \\x07\"\n"
        );
        let json = line(LogFormat::Json, LogTimestamp::Milliseconds).with(message);
        assert_eq!(
            json,
            "{\"pid\":42,\"role\":\"primary\",\"timestamp\":\"1795177375007\",\"level\":\"notice\",\
             \"message\":\"say \\\"hi\\\"\\nthere \\\\ \\u0007\"}\n"
        );
    }

    #[test]
    fn local_time_and_its_offset_fit_together() {
        for unix_ms in [0, 1_795_177_375_007, 951_782_400_000] {
            let moment = Moment::of(unix_ms);
            let seconds = i64::from(moment.hour * 3600 + moment.minute * 60 + moment.second);
            assert_eq!(seconds, (unix_ms / 1000 + moment.offset_seconds).rem_euclid(86_400));
        }
    }

    #[test]
    fn a_moment_beyond_all_years_is_no_panic() {
        for unix_ms in [i64::MAX, i64::MIN] {
            assert!(!Moment::of(unix_ms).text(LogTimestamp::Legacy).is_empty());
        }
    }
}
