//! The process among its kin: the terminal it leaves, the supervisor it tells, the file that holds its id, and what
//! the kernel grants it.
//!
//! ```text
//! detach            before any thread, log or socket exists
//! settle_in         once the log runs: open files, huge pages, OOM score
//! write_pid_file, ready, stopping, remove_pid_file
//! ```
//!
//! All of it is best effort, as in Valkey: what the kernel refuses is logged, and only a limit of open files too low
//! to serve anybody stops the start.

mod sys;

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::config::Config;
use crate::config::choices::{OomScoreAdj, Supervised};

/// Descriptors kept for files, io_uring, wake-ups and links, besides one for each client.
const RESERVED_FILES: u64 = 32;
/// Where the id goes when a process in the background names no file.
const PID_FILE: &str = "/var/run/ringkey.pid";
const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// The score the process was started with, read before it is first changed.
static OOM_SCORE_AT_START: OnceLock<i32> = OnceLock::new();

/// The supervisor that waits for word from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervisor {
    /// Nobody.
    None,
    /// systemd, through its notification socket.
    Systemd,
}

/// Which supervisor there is. One that was asked for by name but left no sign is told in the log.
pub fn supervisor(mode: Supervised) -> Supervisor {
    let systemd = std::env::var_os("NOTIFY_SOCKET").is_some();
    match (mode, systemd) {
        (Supervised::Systemd | Supervised::Auto, true) => Supervisor::Systemd,
        (Supervised::Systemd, false) => {
            tracing::warn!("systemd supervision requested or auto-detected, but NOTIFY_SOCKET is not set.");
            Supervisor::None
        }
        (Supervised::Upstart, _) => {
            tracing::warn!("upstart supervision is not supported.");
            Supervisor::None
        }
        (Supervised::Auto | Supervised::No, _) => Supervisor::None,
    }
}

impl Supervisor {
    /// The server answers clients.
    pub fn ready(self) {
        self.tell("STATUS=Ready to accept connections\nREADY=1\n");
    }

    /// The server stops.
    pub fn stopping(self) {
        self.tell("STOPPING=1\n");
    }

    fn tell(self, words: &str) {
        if self == Supervisor::None {
            return;
        }
        let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
        if let Err(error) = send(socket.as_bytes(), words.as_bytes()) {
            tracing::warn!("Can't send to the systemd socket: {error}");
        }
    }
}

/// A datagram to a socket named by a path or, after `@`, by an abstract name.
fn send(socket: &[u8], words: &[u8]) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(Path::new(std::ffi::OsStr::from_bytes(socket)))?,
    };
    UnixDatagram::unbound()?.send_to_addr(words, &address).map(drop)
}

/// Goes to the background if the configuration says so and no supervisor watches. The parent ends here. Call before
/// anything else runs: of a process with several threads only one would go on.
pub fn detach(config: &Config) -> io::Result<()> {
    let watched = match config.general.supervised {
        Supervised::No | Supervised::Upstart => false,
        Supervised::Systemd | Supervised::Auto => std::env::var_os("NOTIFY_SOCKET").is_some(),
    };
    if !config.general.daemonize || watched {
        return Ok(());
    }
    sys::become_daemon()
}

/// Takes what the kernel grants. `maxclients` may come out lower.
pub fn settle_in(config: &mut Config) -> Result<(), String> {
    config.clients.maxclients = open_files(config.clients.maxclients)?;
    if config.process.disable_thp
        && let Err(error) = sys::disable_huge_pages()
    {
        tracing::warn!("Can't turn transparent huge pages off for this process: {error}");
    }
    if let Err(error) = set_oom_score(config, false) {
        tracing::warn!("Can't set oom_score_adj: {error}");
    }
    Ok(())
}

/// Room for that many clients' descriptors, or for as many as the kernel allows.
pub fn open_files(maxclients: u64) -> Result<u64, String> {
    let wanted = maxclients.saturating_add(RESERVED_FILES);
    let (soft, hard) = sys::open_files_limit().map_err(|error| format!("Can't read the limit of open files: {error}"))?;
    if soft >= wanted {
        return Ok(maxclients);
    }
    // First as much as asked, which root may have beyond the hard limit; then the hard limit itself.
    let raised = sys::set_open_files_limit(wanted, hard.max(wanted)).map(|()| wanted);
    let raised = raised.or_else(|_| sys::set_open_files_limit(hard.min(wanted), hard).map(|()| hard.min(wanted)));
    let files = raised.unwrap_or(soft);
    if files >= wanted {
        tracing::info!("Increased maximum number of open files to {wanted} (it was originally set to {soft}).");
        return Ok(maxclients);
    }
    if files <= RESERVED_FILES {
        return Err(format!(
            "Your current 'ulimit -n' of {soft} is not enough for the server to start. \
             Please increase your open file limit to at least {wanted}. Exiting."
        ));
    }
    let reduced = files - RESERVED_FILES;
    tracing::warn!(
        "maxclients {maxclients} needs {wanted} open files but only {files} are allowed; it is reduced to {reduced}. \
         Increase 'ulimit -n' for more."
    );
    Ok(reduced)
}

/// Processor time, microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime {
    /// In the program.
    pub user_us: u64,
    /// In the kernel for it.
    pub system_us: u64,
}

/// Warns of what in the system or the configuration will surprise somebody later.
pub fn warn_of_surroundings(config: &Config) {
    let setting = |path: &str| fs::read_to_string(path).unwrap_or_default();
    if setting("/proc/sys/vm/overcommit_memory").trim() == "2" {
        tracing::warn!(
            "WARNING Memory overcommit is strict (vm.overcommit_memory = 2): tables reserve more address space than they \
             use, and may be refused it although there is memory. To fix this, set vm.overcommit_memory = 1 or 0."
        );
    }
    let huge_pages = setting("/sys/kernel/mm/transparent_hugepage/enabled");
    if huge_pages.contains("[always]") && !config.process.disable_thp {
        tracing::warn!(
            "WARNING Transparent huge pages are enabled for all memory and disable-thp is no: this costs memory and, now \
             and then, time. To fix this, set disable-thp yes."
        );
    }
    if !config.snapshot.save.0.is_empty() {
        tracing::warn!(
            "WARNING Save points are configured but this version cannot save to disk: keys live in memory only and are \
             gone when the server stops. To hide this warning, set save \"\"."
        );
    }
}

/// Processor time of the calling thread.
pub fn thread_cpu_time() -> CpuTime {
    sys::cpu_time(libc::RUSAGE_THREAD)
}

/// Processor time of the process.
pub fn cpu_time() -> CpuTime {
    sys::cpu_time(libc::RUSAGE_SELF)
}

/// Bytes of memory the kernel has given us (resident set), 0 if it does not say.
pub fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * sys::page_bytes()
}

/// Bytes of memory the machine has.
pub fn system_memory_bytes() -> u64 {
    let kib = fs::read_to_string("/proc/meminfo").ok();
    let kib = kib.and_then(|text| text.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The kernel's name, release and machine, as uname prints them.
pub fn system_name() -> String {
    let line = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    format!("{} {} {}", line("ostype").trim(), line("osrelease").trim(), std::env::consts::ARCH)
}

/// Tells the kernel how willingly to kill us when memory runs out. Also after CONFIG SET and a change of role.
pub fn set_oom_score(config: &Config, replica: bool) -> io::Result<()> {
    let values = config.process.oom_score_adj_values;
    let value = if replica { values.replica } else { values.primary };
    let score = match (config.process.oom_score_adj, OOM_SCORE_AT_START.get()) {
        (OomScoreAdj::No, None) => return Ok(()),
        (OomScoreAdj::No, Some(start)) => *start,
        (OomScoreAdj::Yes, _) => value.saturating_add(oom_score_at_start()?),
        (OomScoreAdj::Absolute, _) => {
            oom_score_at_start()?;
            value
        }
    };
    fs::write(OOM_SCORE, score.clamp(-1000, 1000).to_string())
}

fn oom_score_at_start() -> io::Result<i32> {
    if let Some(score) = OOM_SCORE_AT_START.get() {
        return Ok(*score);
    }
    let score = fs::read_to_string(OOM_SCORE)?.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(*OOM_SCORE_AT_START.get_or_init(|| score))
}

/// Writes the process id, if a file is named or the process went to the background. Gives the file to remove at the end.
pub fn write_pid_file(config: &Config) -> Option<PathBuf> {
    let named = &config.general.pidfile;
    let path = match (named.is_empty(), config.general.daemonize) {
        (false, _) => named.as_path().to_owned(),
        (true, true) => PathBuf::from(PID_FILE),
        (true, false) => return None,
    };
    // The folder may change before the end.
    let path = std::path::absolute(&path).unwrap_or(path);
    match fs::write(&path, format!("{}\n", std::process::id())) {
        Ok(()) => Some(path),
        Err(error) => {
            tracing::warn!("Failed to write PID file: {error}");
            None
        }
    }
}

/// Removes what `write_pid_file` wrote.
pub fn remove_pid_file(path: &Path) {
    tracing::info!("Removing the pid file.");
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!("Failed to remove PID file: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::Text;
    use std::process::Command;

    const CHILD: &str = "RINGKEY_TEST_DAEMON";

    fn temporary(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("ringkey-process-{name}-{}", std::process::id()))
    }

    #[test]
    fn words_reach_a_supervisor_by_path_and_by_abstract_name() {
        let path = temporary("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str().as_bytes(), b"READY=1\n").unwrap();
        let mut words = [0; 32];
        assert_eq!(by_path.recv(&mut words).unwrap(), 8);
        fs::remove_file(&path).unwrap();

        let name = format!("ringkey-test-{}", std::process::id());
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(format!("@{name}").as_bytes(), b"STOPPING=1\n").unwrap();
        assert_eq!(by_name.recv(&mut words).unwrap(), 11);
        assert!(send(path.as_os_str().as_bytes(), b"x").is_err());
    }

    #[test]
    fn the_pid_file_comes_and_goes() {
        let path = temporary("pid");
        let mut config = Config::default();
        assert_eq!(write_pid_file(&config), None);
        config.general.pidfile = Text::of(path.to_str().unwrap());
        let written = write_pid_file(&config).unwrap();
        assert_eq!(fs::read_to_string(&written).unwrap(), format!("{}\n", std::process::id()));
        remove_pid_file(&written);
        assert!(!path.exists());
        config.general.pidfile = Text::of("/nosuch/ringkey.pid");
        assert_eq!(write_pid_file(&config), None);
    }

    #[test]
    fn few_clients_fit_any_limit_and_too_many_are_cut() {
        assert_eq!(open_files(1), Ok(1));
        let (_, hard) = sys::open_files_limit().unwrap();
        let granted = open_files(u64::from(u32::MAX)).unwrap();
        assert!(granted <= u64::from(u32::MAX) && (granted + RESERVED_FILES >= hard || granted == u64::from(u32::MAX)));
    }

    /// Runs only as a process of its own, started by the test below.
    #[test]
    fn child_that_detaches() {
        let Ok(file) = std::env::var(CHILD) else { return };
        let mut config = Config::default();
        config.general.daemonize = true;
        detach(&config).unwrap();
        let stdout = fs::read_link("/proc/self/fd/1").unwrap();
        let words = format!("{} {} {}", std::process::id(), sys::session(), stdout.display());
        fs::write(format!("{file}.new"), words).unwrap();
        fs::rename(format!("{file}.new"), file).unwrap();
        std::process::exit(0);
    }

    #[test]
    fn a_daemon_has_a_session_of_its_own_and_no_terminal() {
        let file = temporary("daemon");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "process::tests::child_that_detaches", "--test-threads=1"]);
        let parent = command.env(CHILD, &file).env_remove("NOTIFY_SOCKET").output().unwrap();
        assert!(parent.status.success());
        // `output` returns once nobody holds the pipe, and the daemon lets go of it before it writes.
        let words = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            fs::read_to_string(&file).ok()
        });
        let words = words.expect("the daemon writes within five seconds");
        fs::remove_file(&file).unwrap();
        let words: Vec<_> = words.split(' ').collect();
        assert_eq!(words[0], words[1], "the daemon leads its session");
        assert_eq!(words[2], "/dev/null");
    }
}
