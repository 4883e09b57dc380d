//! A client that hides nothing: calls, pipelines, raw bytes, half-closes. Every read has a time limit, so a server that
//! does not answer fails a test instead of hanging it.

use super::reply::Reply;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long anything may take: far more than it does, since test machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The bytes of a call.
pub fn request<A: AsRef<[u8]>>(argv: &[A]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", argv.len()).into_bytes();
    for arg in argv.iter().map(AsRef::as_ref) {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The bytes of a call whose arguments are the words of `text`.
pub fn words(text: &str) -> Vec<u8> {
    request(&text.split_ascii_whitespace().collect::<Vec<_>>())
}

/// A connection to a server.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the unread part of `buffer` begins.
    at: usize,
}

impl Client {
    pub fn connect(addr: impl ToSocketAddrs) -> Client {
        Client::try_connect(addr).unwrap_or_else(|error| panic!("cannot connect: {error}"))
    }

    pub fn try_connect(addr: impl ToSocketAddrs) -> io::Result<Client> {
        let stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, buffer: Vec::new(), at: 0 })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap_or_else(|error| panic!("the server takes {} bytes: {error}", bytes.len()));
    }

    /// A call, any bytes.
    pub fn call<A: AsRef<[u8]>>(&mut self, argv: &[A]) -> Reply {
        self.send(&request(argv));
        self.reply()
    }

    /// A call whose arguments are the words of `text`.
    pub fn say(&mut self, text: &str) -> Reply {
        self.send(&words(text));
        self.reply()
    }

    /// The next reply.
    pub fn reply(&mut self) -> Reply {
        self.try_reply().unwrap_or_else(|error| panic!("the server answers: {error}; so far {:?}", self.unread()))
    }

    /// The next reply, or why there is none (`UnexpectedEof`: the server closed).
    pub fn try_reply(&mut self) -> io::Result<Reply> {
        let mut asked = 0;
        loop {
            // Big replies are looked at again only when they have doubled.
            if self.buffer.len() - self.at >= asked
                && let Some((reply, len)) = Reply::parse(&self.buffer[self.at..])
            {
                self.at += len;
                if self.at == self.buffer.len() {
                    self.buffer.clear();
                    self.at = 0;
                }
                return Ok(reply);
            }
            let unread = self.buffer.len() - self.at;
            asked = if unread > 1 << 20 { self.announced().unwrap_or(0) } else { 0 };
            self.fill()?;
        }
    }

    /// The number of elements announced by the array that comes next; its elements are the next replies.
    pub fn array_head(&mut self) -> usize {
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(end) = rest.iter().position(|b| *b == b'\n') {
                let text = std::str::from_utf8(&rest[1..end]).expect("a line of text").trim_end();
                assert_eq!(rest[0], b'*', "an array comes next");
                self.at += end + 1;
                return text.parse().expect("a number of elements");
            }
            self.fill().expect("the server answers");
        }
    }

    /// How long the bulk string at the start of the input will be, so that it is not parsed over and over.
    fn announced(&self) -> Option<usize> {
        let rest = &self.buffer[self.at..];
        let end = rest.iter().take(20).position(|b| *b == b'\r')?;
        if rest[0] != b'$' {
            return None;
        }
        std::str::from_utf8(&rest[1..end]).ok()?.parse::<usize>().ok().map(|len| len + end + 4)
    }

    /// Reads once.
    fn fill(&mut self) -> io::Result<()> {
        if self.at > 1 << 20 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        let len = self.buffer.len();
        self.buffer.resize(len + (64 << 10), 0);
        let read = loop {
            match self.stream.read(&mut self.buffer[len..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(len + *read.as_ref().unwrap_or(&0));
        match read? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// What has been read but not yet been taken as replies, as text.
    pub fn unread(&self) -> String {
        let rest = &self.buffer[self.at..];
        String::from_utf8_lossy(&rest[..rest.len().min(400)]).into_owned()
    }

    /// Sends requests and reads so many replies, writing and reading at once as good clients do.
    pub fn pipeline(&mut self, requests: &[u8], replies: usize) -> Vec<Reply> {
        let mut writer = self.stream.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(requests).expect("the server takes the pipeline"));
            (0..replies).map(|_| self.reply()).collect()
        })
    }

    /// Everything the server sends until it closes the connection, also by a reset.
    pub fn until_closed(&mut self) -> Vec<u8> {
        loop {
            match self.fill() {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    panic!("the server does not close; it sent {:?}", self.unread())
                }
                Err(_) => {
                    self.at = 0;
                    return std::mem::take(&mut self.buffer);
                }
            }
        }
    }

    /// Asserts that the server has sent nothing that was not read: what is answered next is the answer to a new call.
    pub fn assert_in_step(&mut self) {
        assert_eq!(self.say("ECHO in-step"), "in-step");
        assert_eq!(self.unread(), "");
    }

    /// No more will be sent; replies can still come.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}
