//! What is written down, where and in which form.

use crate::config::choices::{LogFormat, LogLevel, LogTimestamp, SyslogFacility};
use crate::config::row::rows;
use crate::config::values::Text;

rows! { logging: Logging, "LOGGING", "What is written down, where and in which form.";
    "loglevel" => loglevel: LogLevel = LogLevel::Notice,
        "Least important messages still logged: debug, verbose, notice, warning or nothing.";
    "logfile" => logfile: Text = Text::of(""),
        "File to log to; empty logs to standard output.",
        immutable;
    "log-format" => log_format: LogFormat = LogFormat::Legacy,
        "Form of a log line: legacy, logfmt (key=value) or json (one object a line).";
    "log-timestamp-format" => log_timestamp_format: LogTimestamp = LogTimestamp::Legacy,
        "Form of its time: legacy, iso8601 or milliseconds since 1970.";
    "syslog-enabled" => syslog_enabled: bool = false,
        "Send log lines to the local syslog as well.",
        immutable;
    "syslog-ident" => syslog_ident: Text = Text::of("valkey"),
        "Name under which syslog shows us.",
        immutable;
    "syslog-facility" => syslog_facility: SyslogFacility = SyslogFacility::Local0,
        "Syslog facility: user or local0 to local7.",
        immutable;
    "crash-log-enabled" => crash_log_enabled: bool = true,
        "Write a report (what, where, stack) to the log before the process dies of a bug.";
    "crash-memcheck-enabled" => crash_memcheck_enabled: bool = true,
        "Test the memory as part of a crash report.",
        idle("a crash report tests no memory");
    "hide-user-data-from-log" => hide_user_data_from_log: bool = true,
        "Keep keys and values out of log lines and crash reports.",
        idle("user data is never logged");
}
