//! Servers for tests: one that is running, a real one started here, ours with so many shards; and a plain connection.

#![allow(clippy::unwrap_used)] // these are tests

#![allow(dead_code)] // each test file uses a part of this

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use shards::transcript::resp::reply_len;

/// How long a reply or a starting server may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The Valkey version that Ringkey is as good as.
const OURS: (u32, u32) = (9, 1);
/// A server to run transcripts against; stopped when dropped, if it was started here.
pub struct Target {
    pub addr: String,
    pub version: (u32, u32),
    pub shards: usize,
    child: Option<Child>,
}

impl Target {
    pub fn running(addr: String) -> Target {
        let mut target = Target { addr, version: (0, 0), shards: 1, child: None };
        target.version = target.ask_version();
        target
    }

    /// Starts `program` with `args` and a port of its own; asks for its version unless it is known.
    pub fn start(program: &str, args: &[&str], version: Option<(u32, u32)>) -> Option<Target> {
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port().to_string();
        let mut command = Command::new(program);
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]).args(args);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let addr = format!("127.0.0.1:{port}");
        let mut target = Target { addr, version: (0, 0), shards: 1, child: Some(child) };
        let begun = Instant::now();
        while TcpStream::connect(&target.addr).is_err() {
            assert!(begun.elapsed() < PATIENCE, "{program} does not listen");
            std::thread::sleep(Duration::from_millis(20)); // another process: there is no event to wait for
        }
        target.version = version.unwrap_or_else(|| target.ask_version());
        Some(target)
    }

    /// The Valkey version a server is as good as: what it says of itself, a Redis what it forked from.
    fn ask_version(&self) -> (u32, u32) {
        let info = self.connect().call(&[b"INFO".to_vec(), b"server".to_vec()], 1).expect("the server answers");
        let info = String::from_utf8_lossy(&info).into_owned();
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::to_string);
        let version = field("valkey_version:").or_else(|| field("redis_version:")).expect("INFO tells the version");
        let mut parts = version.split('.').map(|part| part.trim().parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    pub fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.addr).unwrap_or_else(|error| panic!("{}: {error}", self.addr));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream, buffer: Vec::new() }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Sends a call and reads so many replies.
    pub fn call(&mut self, argv: &[Vec<u8>], replies: usize) -> Result<Vec<u8>, String> {
        let mut request = format!("*{}\r\n", argv.len()).into_bytes();
        for arg in argv {
            request.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            request.extend_from_slice(arg);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&request).map_err(|error| format!("the server does not take the call: {error}"))?;
        let mut got = Vec::new();
        for _ in 0..replies {
            got.append(&mut self.reply()?);
        }
        Ok(got)
    }

    fn reply(&mut self) -> Result<Vec<u8>, String> {
        loop {
            if let Some(len) = reply_len(&self.buffer) {
                return Ok(self.buffer.drain(..len).collect());
            }
            let mut chunk = [0; 16 << 10];
            let read = self.stream.read(&mut chunk).map_err(|error| format!("no reply: {error}"))?;
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }

    pub fn words(&mut self, words: &str) -> Vec<u8> {
        self.call(&words.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>(), 1).expect("the server answers")
    }
}

/// Our server with so many shards.
pub fn ours(shards: usize) -> Target {
    let args = ["--shards", &shards.to_string()];
    let mut target = Target::start(env!("CARGO_BIN_EXE_ringkey-server"), &args, Some(OURS)).expect("it was built");
    target.shards = shards;
    target
}
