//! A server under comparison: started by us, or already there.
//!
//! A command is started without a shell, with `{port}`, `{dir}` and `{socket}` replaced, in a temporary folder of its
//! own, pinned by the thread that starts it (a process inherits the affinity of the thread that forked it, so no
//! wrapper program is needed and the pid is the server's own). Dropping a `Server` stops exactly that pid and removes
//! the folder; since Ctrl-C only sets a flag, this also happens then. Servers that were pointed at are left alone.

use crate::cli::CompareArgs;
use crate::proc;
use crate::sys;
use crate::target::{Greeting, Socket, Target};
use crate::template::split_words;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to end after SIGTERM before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// How often a starting or ending server is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// What `--server` said.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The server's name in the report.
    pub name: String,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    Start(Vec<String>),
    Point { target: Target, pid: Option<u32> },
}

impl Spec {
    /// Reads `name=command` or `name=address`; `pids` are the `--pid` options.
    pub fn parse(text: &str, pids: &[String]) -> Result<Spec, String> {
        let (name, what) = text.split_once('=').ok_or_else(|| format!("--server {text}: expected NAME=CMD|ADDR"))?;
        let pid = pids.iter().find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
        let how = match Target::parse(what) {
            Some(target) => {
                let pid = pid.map(|p| p.parse().map_err(|_| format!("--pid {name}={p}: not a number"))).transpose()?;
                How::Point { target, pid }
            }
            None if pid.is_some() => return Err(format!("--pid {name}: the server is started here, its pid is known")),
            None => How::Start(split_words(what)?),
        };
        match &how {
            How::Start(words) if words.is_empty() => Err(format!("--server {text}: no command")),
            _ => Ok(Spec { name: name.to_string(), how }),
        }
    }

    /// How it is started or where it is, for the report: the program without its folder.
    pub fn described(&self) -> String {
        match &self.how {
            How::Point { target, .. } => target.to_string(),
            How::Start(words) => {
                let program = Path::new(&words[0]).file_name().map_or(words[0].clone(), |n| n.to_string_lossy().into_owned());
                let shown = words[1..].iter().map(|w| if w.is_empty() { "''".to_string() } else { w.clone() });
                std::iter::once(program).chain(shown).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// A server that answers.
#[derive(Debug)]
pub struct Server {
    /// Its name in the report.
    pub name: String,
    /// Where it listens.
    pub target: Target,
    pid: Option<u32>,
    started: Option<Started>,
}

#[derive(Debug)]
struct Started {
    child: Child,
    dir: PathBuf,
}

impl Server {
    /// Starts the server if it is ours to start, and waits until it answers PING.
    pub fn start(spec: &Spec, args: &CompareArgs) -> Result<Server, String> {
        let mut server = match &spec.how {
            How::Point { target, pid } => {
                Server { name: spec.name.clone(), target: target.clone(), pid: *pid, started: None }
            }
            How::Start(words) => start_command(&spec.name, words, &args.server_cpus.0)?,
        };
        server.wait_for_ping(&args.load.settings().greeting, Duration::from_secs_f64(args.start_timeout))?;
        Ok(server)
    }

    /// CPU time it has used, if its process is known.
    pub fn cpu_ns(&self) -> Option<u64> {
        self.pid.and_then(proc::cpu_ns)
    }

    /// Its resident memory, if its process is known.
    pub fn rss_bytes(&self) -> Option<u64> {
        self.pid.and_then(proc::rss_bytes)
    }

    /// What it calls itself: the last of the `..._version` lines of INFO that is about the server, since Valkey and
    /// Ringkey also give the version of Redis that they are compatible with, before their own.
    pub fn version(&self, greeting: &Greeting) -> Option<String> {
        let info = Socket::open_blocking(&self.target, greeting).and_then(|mut s| s.call(&["INFO", "server"])).ok()??;
        own_version(&String::from_utf8_lossy(&info))
    }

    fn wait_for_ping(&mut self, greeting: &Greeting, patience: Duration) -> Result<(), String> {
        let until = Instant::now() + patience;
        loop {
            let answer = Socket::open_blocking(&self.target, greeting).and_then(|mut s| s.call(&["PING"]));
            let Err(error) = answer else { return Ok(()) };
            if let Some(started) = &mut self.started
                && let Ok(Some(status)) = started.child.try_wait()
            {
                return Err(format!("{} ended at start ({status}): {}", self.name, started.log_tail()));
            }
            if sys::stopping() {
                return Err("interrupted".into());
            }
            if Instant::now() > until {
                let log = self.started.as_ref().map(Started::log_tail).unwrap_or_default();
                return Err(format!("{} at {} does not answer PING: {error} {log}", self.name, self.target));
            }
            thread::sleep(GLANCE);
        }
    }
}

impl Started {
    fn log_tail(&self) -> String {
        let text = fs::read(self.dir.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(400)..]).replace('\n', " | ")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        sys::terminate(self.child.id());
        let until = Instant::now() + STOP_PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(GLANCE);
        }
        // Still there, or already gone: then these do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn own_version(info: &str) -> Option<String> {
    let names = ["redis_version", "valkey_version", "ringkey_version"];
    let mut lines = info.lines().filter_map(|l| l.trim().split_once(':'));
    let version = lines.rfind(|(name, _)| names.contains(name))?;
    Some(format!("{} {}", version.0.trim_end_matches("_version"), version.1))
}

/// A temporary folder of our own.
fn make_dir() -> Result<PathBuf, String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("ringkey-benchmark-{}-{n}", std::process::id()));
    fs::create_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(dir)
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| format!("no free port: {e}"))?;
    listener.local_addr().map(|a| a.port()).map_err(|e| format!("no free port: {e}"))
}

fn start_command(name: &str, words: &[String], cpus: &[usize]) -> Result<Server, String> {
    let (dir, port) = (make_dir()?, free_port()?);
    let socket = dir.join("server.sock");
    let by_socket = words.iter().any(|w| w.contains("{socket}"));
    let fill = |word: &String| {
        word.replace("{port}", &port.to_string())
            .replace("{dir}", &dir.to_string_lossy())
            .replace("{socket}", &socket.to_string_lossy())
    };
    let words: Vec<String> = words.iter().map(fill).collect();
    let child = spawn_pinned(&words, &dir, cpus).map_err(|e| {
        let _ = fs::remove_dir(&dir);
        format!("{name}: cannot start {}: {e}", words[0])
    })?;
    let target = if by_socket { Target::Unix(socket) } else { Target::Tcp("127.0.0.1".into(), port) };
    Ok(Server { name: name.to_string(), target, pid: Some(child.id()), started: Some(Started { child, dir }) })
}

fn spawn_pinned(words: &[String], dir: &Path, cpus: &[usize]) -> std::io::Result<Child> {
    // A relative program is relative to where we are, not to the server's folder. Links stay as they are: a program
    // of several names (redis-server, redis-check-rdb) looks at the one it was called by.
    let program = if words[0].contains('/') { std::path::absolute(&words[0])? } else { PathBuf::from(&words[0]) };
    let log = File::create(dir.join("log"))?;
    let mut command = Command::new(program);
    command.args(&words[1..]).current_dir(dir).stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
    spawn(command, cpus)
}

/// Starts `command` on `cpus` from a thread that is pinned there and then ends. The process gets a group of its own,
/// so that Ctrl-C on the terminal reaches only us and we stop it in order.
pub fn spawn(mut command: Command, cpus: &[usize]) -> std::io::Result<Child> {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    let cpus = cpus.to_vec();
    let starter = thread::spawn(move || {
        if !cpus.is_empty() {
            sys::pin_thread(&cpus)?;
        }
        command.spawn()
    });
    starter.join().expect("the starting thread does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_address_or_a_command() {
        let pids = vec!["a=12".to_string()];
        let pointed = Spec::parse("a=127.0.0.1:7000", &pids).expect("valid");
        assert!(matches!(pointed.how, How::Point { pid: Some(12), .. }));
        let started = Spec::parse("b=/x/y/server --port {port} --save ''", &pids).expect("valid");
        assert_eq!(started.described(), "server --port {port} --save ''");
        assert!(Spec::parse("a=/bin/server --port 1", &pids).is_err());
        assert!(Spec::parse("nothing", &pids).is_err());
        assert!(Spec::parse("x=", &pids).is_err());
    }

    #[test]
    fn a_server_is_called_by_its_own_version_not_by_the_one_it_is_compatible_with() {
        let info = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\nos:x\r\n";
        assert_eq!(own_version(info), Some("valkey 9.1.2".into()));
        assert_eq!(own_version("os:x"), None);
    }

    #[test]
    fn a_command_that_ends_at_once_is_reported_and_leaves_nothing() {
        let words = ["sh".to_string(), "-c".into(), "echo {dir} no; exit 3".into()];
        let mut server = start_command("x", &words, &[]).expect("starts");
        let dir = server.started.as_ref().expect("started").dir.clone();
        let reason = server.wait_for_ping(&Greeting::default(), Duration::from_secs(10)).expect_err("it ended");
        assert!(reason.contains("ended at start") && reason.contains(" no"), "{reason}");
        drop(server);
        assert!(!dir.exists());
    }

    #[test]
    fn a_server_that_runs_is_stopped_by_its_own_pid() {
        let server = start_command("x", &["sleep".to_string(), "100".into()], &[0]).expect("starts");
        let pid = server.pid.expect("known");
        assert!(proc::cpu_ns(pid).is_some());
        drop(server);
        assert!(proc::cpu_ns(pid).is_none());
    }
}
