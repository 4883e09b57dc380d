//! Where a server listens, and how a connection to it begins.
//!
//! A socket is TCP (with TCP_NODELAY) or a unix socket. It is opened and greeted with blocking calls (AUTH, HELLO 3,
//! SELECT, each answer read and checked), and only then handed, non-blocking, to the load. A greeting that the server
//! refuses ends the run with the server's own words.

use crate::reply::Skimmer;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// No server needs longer to answer a greeting or a ping.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Host and port.
    Tcp(String, u16),
    /// A unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Tcp(host, port) => write!(f, "{host}:{port}"),
            Target::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Target {
    /// An address as `host:port`, `tcp:host:port`, `unix:/path` or `/path`; `None` if it is none.
    pub fn parse(text: &str) -> Option<Target> {
        if text.contains(char::is_whitespace) {
            return None;
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return Some(Target::Unix(path.into()));
        }
        if text.starts_with('/') && text.ends_with(".sock") {
            return Some(Target::Unix(text.into()));
        }
        let (host, port) = text.strip_prefix("tcp:").unwrap_or(text).rsplit_once(':')?;
        Some(Target::Tcp(host.to_string(), port.parse().ok()?))
    }

    fn connect(&self) -> io::Result<Socket> {
        match self {
            Target::Unix(path) => UnixStream::connect(path).map(Socket::Unix),
            Target::Tcp(host, port) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    match TcpStream::connect(address) {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            return Ok(Socket::Tcp(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }
}

/// What is said before the load begins.
#[derive(Clone, Debug, Default)]
pub struct Greeting {
    /// User and password.
    pub user: Option<String>,
    /// Password alone.
    pub password: Option<String>,
    /// HELLO 3.
    pub resp3: bool,
    /// SELECT.
    pub db: u32,
}

impl Greeting {
    fn commands(&self) -> Vec<Vec<&str>> {
        let mut commands = Vec::new();
        match (&self.user, &self.password) {
            (Some(user), Some(password)) => commands.push(vec!["AUTH", user, password]),
            (_, Some(password)) => commands.push(vec!["AUTH", password]),
            (_, None) => {}
        }
        if self.resp3 {
            commands.push(vec!["HELLO", "3"]);
        }
        commands
    }
}

/// A connected stream of either kind.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

impl Socket {
    /// Connects, greets, and leaves the socket non-blocking.
    pub fn open(target: &Target, greeting: &Greeting) -> io::Result<Socket> {
        let socket = Socket::open_blocking(target, greeting)?;
        socket.set_nonblocking()?;
        Ok(socket)
    }

    /// Connects and greets; calls block, with patience.
    pub fn open_blocking(target: &Target, greeting: &Greeting) -> io::Result<Socket> {
        let mut socket = target.connect()?;
        match &socket {
            Socket::Tcp(s) => s.set_read_timeout(Some(PATIENCE))?,
            Socket::Unix(s) => s.set_read_timeout(Some(PATIENCE))?,
        }
        for command in greeting.commands() {
            socket.call(&command)?;
        }
        if greeting.db > 0 {
            socket.call(&["SELECT", &greeting.db.to_string()])?;
        }
        Ok(socket)
    }

    /// One request and its reply, blocking; an error reply is an error. Gives the reply's string, if it is one.
    pub fn call(&mut self, command: &[&str]) -> io::Result<Option<Vec<u8>>> {
        let mut request = format!("*{}\r\n", command.len());
        for argument in command {
            request.push_str(&format!("${}\r\n{argument}\r\n", argument.len()));
        }
        self.write_all(request.as_bytes())?;
        let (mut skimmer, mut answer) = (Skimmer::new(true), None);
        let mut buffer = [0; 4096];
        while answer.is_none() {
            let n = self.read(&mut buffer)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let fed = skimmer.feed(&buffer[..n], |reply| {
                answer = Some(match reply.error {
                    Some(text) => Err(format!("{}: {}", command[0], String::from_utf8_lossy(text))),
                    None => Ok(reply.string.map(<[u8]>::to_vec)),
                });
            });
            fed.map_err(|e| io::Error::other(e.to_string()))?;
        }
        answer.expect("the loop ends with an answer").map_err(io::Error::other)
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(s) => s.set_nonblocking(true),
            Socket::Unix(s) => s.set_nonblocking(true),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(s) => s.as_fd(),
            Socket::Unix(s) => s.as_fd(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(s) => s.read(buffer),
            Socket::Unix(s) => s.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(s) => s.write(bytes),
            Socket::Unix(s) => s.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_commands() {
        let tcp = |h: &str, p| Some(Target::Tcp(h.into(), p));
        assert_eq!(Target::parse("127.0.0.1:6379"), tcp("127.0.0.1", 6379));
        assert_eq!(Target::parse("tcp:::1:7"), tcp("::1", 7));
        assert_eq!(Target::parse("unix:/tmp/x"), Some(Target::Unix("/tmp/x".into())));
        assert_eq!(Target::parse("/tmp/x.sock"), Some(Target::Unix("/tmp/x.sock".into())));
        assert_eq!(Target::parse("/usr/bin/redis-server"), None);
        assert_eq!(Target::parse("redis-server --port {port} --bind 127.0.0.1:1"), None);
        assert_eq!(Target::parse("host:notaport"), None);
    }

    #[test]
    fn a_greeting_says_only_what_was_asked_for() {
        let mut greeting = Greeting::default();
        assert!(greeting.commands().is_empty());
        greeting.password = Some("secret".into());
        assert_eq!(greeting.commands(), [["AUTH", "secret"]]);
        greeting.user = Some("me".into());
        greeting.resp3 = true;
        assert_eq!(greeting.commands(), [vec!["AUTH", "me", "secret"], vec!["HELLO", "3"]]);
    }
}
