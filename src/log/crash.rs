//! What is left behind when a bug stops the process.
//!
//! A panic means that something we hold for certain is not so; to go on would risk the data. The hook writes what,
//! where, which version and the stack to the log, then aborts. `crash-log-enabled no` leaves a single line.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::form::escape;
use super::{LOG, LogLevel};

static FULL_REPORT: AtomicBool = AtomicBool::new(true);
static REPORTED: AtomicBool = AtomicBool::new(false);
static CONTEXT: Mutex<String> = Mutex::new(String::new());

/// Whether a crash leaves a whole report or a line.
pub fn enable(full: bool) {
    FULL_REPORT.store(full, Ordering::Relaxed);
}

/// Words for the report (`debug-context`).
pub fn set_context(words: &str) {
    *CONTEXT.lock().unwrap_or_else(PoisonError::into_inner) = escape(words);
}

/// Takes over panics.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        // A second core that fails while the first reports has nothing to add.
        if !REPORTED.swap(true, Ordering::SeqCst) {
            report(panic);
        }
        std::process::abort();
    }));
}

fn report(panic: &PanicHookInfo<'_>) {
    let lines = lines(panic, FULL_REPORT.load(Ordering::Relaxed));
    match LOG.get() {
        Some(log) => lines.iter().for_each(|line| log.write(LogLevel::Warning, line)),
        None => lines.iter().for_each(|line| eprintln!("{line}")),
    }
}

fn lines(panic: &PanicHookInfo<'_>, full: bool) -> Vec<String> {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
    let what = format!("Stopped by a bug at {place} on thread {thread}: {}", message(panic));
    if !full {
        return vec![what];
    }
    let mut lines = vec![
        "=== RINGKEY CRASH REPORT START: please send it whole ===".to_owned(),
        format!("Ringkey {} on {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH),
        what,
    ];
    // A try, as the thread that crashed may be the one that holds it.
    let context = CONTEXT.try_lock().map(|context| context.clone()).unwrap_or_default();
    if !context.is_empty() {
        lines.push(format!("Context: {context}"));
    }
    lines.push("Stack:".to_owned());
    lines.extend(Backtrace::force_capture().to_string().lines().map(str::to_owned));
    lines.push("=== RINGKEY CRASH REPORT END ===".to_owned());
    lines
}

fn message(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::start;
    use crate::config::rooms::logging::Logging;
    use crate::config::values::Text;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    const FILE: &str = "RINGKEY_TEST_CRASH_LOG";
    const FULL: &str = "RINGKEY_TEST_CRASH_FULL";

    /// Runs only as a process of its own, started by the tests below.
    #[test]
    fn child_that_crashes() {
        let Ok(file) = std::env::var(FILE) else { return };
        let crash_log_enabled = std::env::var(FULL).is_ok();
        start(&Logging { logfile: Text::of(&file), crash_log_enabled, ..Logging::default() }).unwrap();
        super::set_context("while\ntesting");
        panic!("two and two are {}", "five\r\n1:M fake line");
    }

    fn crash(name: &str, full: bool) -> String {
        let file = std::env::temp_dir().join(format!("ringkey-crash-{name}-{}", std::process::id()));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "log::crash::tests::child_that_crashes"]).env(FILE, &file);
        if full {
            command.env(FULL, "1");
        }
        let status = command.output().unwrap().status;
        assert_eq!(status.signal(), Some(libc::SIGABRT));
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        text
    }

    #[test]
    fn a_panic_leaves_a_report_and_aborts() {
        let text = crash("full", true);
        for part in
            ["CRASH REPORT START", env!("CARGO_PKG_VERSION"), "crash.rs:", "two and two are five", "Context: while", "END"]
        {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(text.lines().all(|line| line.contains(":M ") && !line.starts_with("1:M fake")), "{text}");
        assert!(text.lines().count() > 10);
    }

    #[test]
    fn without_crash_log_a_line_is_left() {
        let text = crash("short", false);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("two and two are five\\r\\n1:M fake line"), "{text}");
    }
}
