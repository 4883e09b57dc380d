//! Log lines as Valkey writes them, and the report of a crash.
//!
//! ```text
//! pid:role day month year hh:mm:ss.mmm level message
//! 4711:M 20 Nov 2026 12:15:00.123 * Ready to accept connections tcp
//! ```
//!
//! The rest of the server logs with `tracing`; its levels become Valkey's: trace is debug (`.`), debug is verbose
//! (`-`), info is notice (`*`), warn and error are warning (`#`). Fields follow the message as ` name=value`.
//! What people typed can be in a message, so control characters never reach the log as such. Secrets are of type
//! `config::values::Secret` and have no readable form at all.
//!
//! The file is opened for each line, so that it can be moved away or truncated by others at any time. A line is one
//! write, so lines of several cores do not mix. Failure to log is no reason to stop; it is ignored.
//!
//! Level, form and role can change while the server runs; they are plain atomics.

pub mod crash;
mod form;
mod syslog;

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::subscriber::{Interest, Subscriber};
use tracing::{Event, Level, Metadata};

use crate::config::choices::{LogFormat, LogLevel, LogTimestamp};
use crate::config::rooms::logging::Logging;
use form::{Line, Moment};
use syslog::Syslog;

static LOG: OnceLock<Log> = OnceLock::new();

/// What the process is, for the letter after its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// M
    Primary,
    /// S
    Replica,
    /// C
    Child,
    /// X
    Sentinel,
}

const ROLES: [Role; 4] = [Role::Primary, Role::Replica, Role::Child, Role::Sentinel];
const LEVELS: [LogLevel; 5] =
    [LogLevel::Debug, LogLevel::Verbose, LogLevel::Notice, LogLevel::Warning, LogLevel::Nothing];
const FORMATS: [LogFormat; 3] = [LogFormat::Legacy, LogFormat::Logfmt, LogFormat::Json];
const TIMESTAMPS: [LogTimestamp; 3] = [LogTimestamp::Legacy, LogTimestamp::Iso8601, LogTimestamp::Milliseconds];

/// One of a few values that any thread may read or change.
struct Choice(AtomicU8);

impl Choice {
    fn of<T: Copy + PartialEq>(all: &[T], value: T) -> Choice {
        Choice(AtomicU8::new(index(all, value)))
    }

    fn get<T: Copy>(&self, all: &[T]) -> T {
        all[usize::from(self.0.load(Ordering::Relaxed))]
    }

    fn set<T: Copy + PartialEq>(&self, all: &[T], value: T) {
        self.0.store(index(all, value), Ordering::Relaxed);
    }
}

fn index<T: PartialEq>(all: &[T], value: T) -> u8 {
    let index = all.iter().position(|known| *known == value).expect("every value is listed");
    u8::try_from(index).expect("lists are short")
}

/// Where lines go and in which form.
struct Log {
    level: Choice,
    format: Choice,
    timestamp: Choice,
    role: Choice,
    file: Option<PathBuf>,
    syslog: Option<Syslog>,
}

impl Log {
    fn new(config: &Logging) -> Log {
        let file = (!config.logfile.is_empty()).then(|| config.logfile.as_path());
        // The folder may change later (CONFIG SET dir); the log stays where it was opened.
        let file = file.map(|file| std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
        let ident = config.syslog_ident.to_str_lossy().into_owned();
        Log {
            level: Choice::of(&LEVELS, config.loglevel),
            format: Choice::of(&FORMATS, config.log_format),
            timestamp: Choice::of(&TIMESTAMPS, config.log_timestamp_format),
            role: Choice::of(&ROLES, Role::Primary),
            file,
            syslog: config.syslog_enabled.then(|| Syslog::new(ident, config.syslog_facility)),
        }
    }

    fn apply(&self, config: &Logging) {
        self.level.set(&LEVELS, config.loglevel);
        self.format.set(&FORMATS, config.log_format);
        self.timestamp.set(&TIMESTAMPS, config.log_timestamp_format);
    }

    fn takes(&self, level: LogLevel) -> bool {
        let lowest = self.level.get(&LEVELS);
        lowest != LogLevel::Nothing && index(&LEVELS, level) >= index(&LEVELS, lowest)
    }

    fn write(&self, level: LogLevel, message: &str) {
        let line = Line {
            pid: std::process::id(),
            role: self.role.get(&ROLES),
            level,
            moment: Moment::now(),
            format: self.format.get(&FORMATS),
            timestamp: self.timestamp.get(&TIMESTAMPS),
        };
        self.write_raw(line.with(message).as_bytes());
        if let Some(syslog) = &self.syslog {
            syslog.send(level, message, &line.moment);
        }
    }

    /// Nobody could be told that the log cannot be written, so errors end here.
    fn write_raw(&self, bytes: &[u8]) {
        let _ = match &self.file {
            None => {
                let mut out = std::io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Some(path) => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                file.and_then(|mut file| file.write_all(bytes))
            }
        };
    }
}

/// Valkey's level for one of tracing's.
fn level_of(level: &Level) -> LogLevel {
    match *level {
        Level::TRACE => LogLevel::Debug,
        Level::DEBUG => LogLevel::Verbose,
        Level::INFO => LogLevel::Notice,
        _ => LogLevel::Warning,
    }
}

/// `Log` as tracing sees it. There are no spans in a server whose calls never suspend.
struct Listener<L>(L);

impl<L: AsRef<Log> + 'static> Subscriber for Listener<L> {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries are heard only when something is wrong.
        let ours = metadata.target().starts_with("ringkey") || metadata.target().starts_with("shards");
        let level = level_of(metadata.level());
        self.0.as_ref().takes(level) && (ours || level == LogLevel::Warning)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.0.as_ref().level.get(&LEVELS) {
            LogLevel::Debug => LevelFilter::TRACE,
            LogLevel::Verbose => LevelFilter::DEBUG,
            LogLevel::Notice => LevelFilter::INFO,
            LogLevel::Warning => LevelFilter::WARN,
            LogLevel::Nothing => LevelFilter::OFF,
        })
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Message::default();
        event.record(&mut text);
        self.0.as_ref().write(level_of(event.metadata().level()), &(text.message + &text.fields));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The words of an event: its message, then its other fields.
#[derive(Default)]
struct Message {
    message: String,
    fields: String,
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

struct Global;

impl AsRef<Log> for Global {
    fn as_ref(&self) -> &Log {
        LOG.get().expect("set before anything is logged")
    }
}

/// Takes over the process's log and its panics. Once, at start, after the configuration is known.
pub fn start(config: &Logging) -> Result<(), &'static str> {
    LOG.set(Log::new(config)).map_err(|_| "the log was started before")?;
    tracing::subscriber::set_global_default(Listener(Global)).map_err(|_| "another log was started before")?;
    crash::enable(config.crash_log_enabled);
    crash::install();
    if let Some(log) = LOG.get()
        && let Some(why) = log.syslog.as_ref().and_then(Syslog::trouble)
    {
        tracing::warn!("syslog-enabled is set but the local syslog cannot be reached: {why}");
    }
    Ok(())
}

/// Takes over what CONFIG SET changed.
pub fn apply(config: &Logging) {
    if let Some(log) = LOG.get() {
        log.apply(config);
        crash::enable(config.crash_log_enabled);
        tracing::callsite::rebuild_interest_cache();
    }
}

/// The letter after the process id from now on.
pub fn set_role(role: Role) {
    if let Some(log) = LOG.get() {
        log.role.set(&ROLES, role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::Text;
    use std::sync::Arc;

    struct Shared(Arc<Log>);

    impl AsRef<Log> for Shared {
        fn as_ref(&self) -> &Log {
            &self.0
        }
    }

    /// What a few events leave in a log file of their own.
    fn logged(name: &str, config: Logging, events: impl FnOnce(&Log)) -> Vec<String> {
        let path = std::env::temp_dir().join(format!("ringkey-log-{name}-{}", std::process::id()));
        let logfile = Text::of(path.to_str().expect("temporary folders have plain names"));
        let log = Arc::new(Log::new(&Logging { logfile, ..config }));
        tracing::subscriber::with_default(Listener(Shared(Arc::clone(&log))), || events(&log));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(&path);
        text.lines().map(str::to_owned).collect()
    }

    /// A line without its process id and time.
    fn tail(line: &str) -> String {
        line.splitn(6, ' ').last().expect("a line has six parts").to_owned()
    }

    #[test]
    fn levels_have_their_letters_and_the_lowest_is_respected() {
        let lines = logged("levels", Logging::default(), |_| {
            tracing::trace!("a");
            tracing::debug!("b");
            tracing::info!("c");
            tracing::warn!("d");
            tracing::error!("e");
        });
        let tails: Vec<_> = lines.iter().map(|line| tail(line)).collect();
        assert_eq!(tails, ["* c", "# d", "# e"]);
        assert!(lines[0].starts_with(&format!("{}:M ", std::process::id())), "{}", lines[0]);
    }

    #[test]
    fn the_level_changes_while_running_and_nothing_means_nothing() {
        let lines = logged("change", Logging::default(), |log| {
            log.apply(&Logging { loglevel: LogLevel::Debug, ..Logging::default() });
            tracing::callsite::rebuild_interest_cache();
            tracing::trace!("a");
            tracing::debug!("b");
            log.apply(&Logging { loglevel: LogLevel::Nothing, ..Logging::default() });
            tracing::error!("c");
        });
        let tails: Vec<_> = lines.iter().map(|line| tail(line)).collect();
        assert_eq!(tails, [". a", "- b"]);
    }

    #[test]
    fn what_people_typed_cannot_make_lines_of_its_own() {
        let lines = logged("escape", Logging::default(), |_| {
            tracing::info!(name = "x\ny", "bad client {}", "a\r\n1:M fake\u{1b}[0m");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(tail(&lines[0]), "* bad client a\\r\\n1:M fake\\x1b[0m name=\"x\\ny\"");
    }

    #[test]
    fn the_role_has_its_letter() {
        let lines = logged("role", Logging::default(), |log| {
            log.role.set(&ROLES, Role::Replica);
            tracing::info!("a");
        });
        assert!(lines[0].contains(":S "), "{}", lines[0]);
    }

    #[test]
    fn libraries_are_heard_only_when_something_is_wrong() {
        let lines = logged("target", Logging::default(), |_| {
            tracing::info!(target: "other", "a");
            tracing::warn!(target: "other", "b");
        });
        assert_eq!(lines.len(), 1);
    }
}
