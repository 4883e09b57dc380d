//! Starts servers: ours from this build, or a `redis-server` from the PATH, each in a folder of its own and on a free
//! port. A server is stopped by its own pid when its handle is dropped.

use super::client::{Client, PATIENCE};
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often another port is tried when the one found free is taken by the time the server binds it.
const PORT_TRIES: usize = 10;

/// Lines of a server's log shown with a failed test.
const LOG_LINES: usize = 60;

/// A running server.
pub struct Server {
    child: Child,
    pub port: u16,
    /// Its working folder; goes away with it.
    pub dir: PathBuf,
    log: PathBuf,
}

impl Server {
    /// Our server with so many shards.
    pub fn start(shards: usize) -> Server {
        Server::with(shards, &[])
    }

    /// Our server with so many shards and further arguments.
    pub fn with(shards: usize, args: &[&str]) -> Server {
        let shards = shards.to_string();
        let mut all = vec!["--shards", &shards];
        all.extend_from_slice(args);
        Server::program(Path::new(env!("CARGO_BIN_EXE_ringkey-server")), &all)
    }

    /// A Redis of the PATH; `None`, said aloud, if there is none. With `RINGKEY_REQUIRE_REDIS` (CI) that is a failure.
    pub fn redis(args: &[&str]) -> Option<Server> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).map(|dir| dir.join("redis-server")).find(|file| file.is_file());
        let Some(program) = found else {
            assert!(std::env::var_os("RINGKEY_REQUIRE_REDIS").is_none(), "there is no redis-server on the PATH");
            println!("skipped: there is no redis-server on the PATH");
            return None;
        };
        Some(Server::program(&program, args))
    }

    /// Any server that takes Valkey's arguments.
    pub fn program(program: &Path, args: &[&str]) -> Server {
        let mut last = String::new();
        for _ in 0..PORT_TRIES {
            match Server::try_program(program, args) {
                Ok(server) => return server,
                Err(log) => last = log,
            }
            if !last.contains("Address already in use") && !last.contains("another process has this port") {
                break;
            }
        }
        panic!("{} {args:?} does not start:\n{last}", program.display());
    }

    /// Our server, or what it said when it refused to start.
    pub fn try_with(args: &[&str]) -> Result<Server, String> {
        Server::try_program(Path::new(env!("CARGO_BIN_EXE_ringkey-server")), args)
    }

    fn try_program(program: &Path, args: &[&str]) -> Result<Server, String> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = new_dir();
        let log = dir.join("server.log");
        let out = File::create(&log).unwrap();
        let child = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(&dir)
            .args(args)
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut server = Server { child, port, dir, log };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return Err(self.log());
            }
            if let Ok(mut client) = Client::try_connect(self.addr()) {
                client.send(b"PING\r\n");
                match client.try_reply() {
                    // With a password it answers NOAUTH: it is up.
                    Ok(reply) if reply == "PONG" || reply.is_error() => return self.check_it_is_ours(client),
                    _ => {}
                }
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not answer; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2)); // another process: there is no event to wait for
        }
    }

    /// Two servers may have been given the same free port; then only one has it.
    fn check_it_is_ours(&mut self, mut client: Client) -> Result<(), String> {
        client.send(b"INFO server\r\n");
        let info = client.try_reply().map_err(|error| error.to_string())?.to_string();
        let pid = info.lines().find_map(|line| line.strip_prefix("process_id:"));
        match pid {
            Some(pid) if pid.trim() != self.pid().to_string() => Err("another process has this port".to_owned()),
            _ => Ok(()),
        }
    }

    pub fn addr(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    pub fn client(&self) -> Client {
        Client::connect(self.addr())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of its log, or a crash report from its beginning.
    fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let crash = lines.iter().position(|line| line.contains("CRASH REPORT"));
        let from = crash.map_or(lines.len().saturating_sub(LOG_LINES), |at| at.saturating_sub(5));
        lines[from..].iter().take(LOG_LINES).map(|line| format!("{line}\n")).collect()
    }

    /// Asserts that it still runs and answers a new client.
    pub fn assert_well(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "the server has ended");
        assert_eq!(self.client().say("PING"), "PONG");
    }

    /// Sends a signal by name, as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(sent.success(), "the signal was sent");
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_for_end()
    }

    pub fn wait_for_end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2)); // std waits without a limit only
        }
    }

    /// Resident memory.
    pub fn rss_bytes(&self) -> u64 {
        self.status_kib("VmRSS:") * 1024
    }

    /// The most resident memory it ever had.
    pub fn rss_peak_bytes(&self) -> u64 {
        self.status_kib("VmHWM:") * 1024
    }

    fn status_kib(&self, field: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field is there");
        line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
    }

    /// CPU time all its threads have used, nanoseconds.
    pub fn cpu_ns(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs");
        let of = |dir: PathBuf| -> u64 {
            let text = std::fs::read_to_string(dir.join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
        };
        tasks.map(|task| of(task.unwrap().path())).sum()
    }

    /// Open file descriptors.
    pub fn fd_count(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs").count()
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.pid())).expect("it runs")
    }

    /// A field of INFO.
    pub fn info(&self, field: &str) -> String {
        let info = self.client().say("INFO everything").to_string();
        let prefix = format!("{field}:");
        let line = info.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("INFO has {field}:\n{info}")).trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the server (pid {}):\n{}---", self.pid(), self.end_of_log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A new folder for one server.
fn new_dir() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("ringkey-test-{}-{number}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir); // of a process that had the same pid once
    std::fs::create_dir_all(&dir).expect("the folder for temporary files is writable");
    dir
}

/// Waits until `done`; the events waited for happen in another process, so they are asked for.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
