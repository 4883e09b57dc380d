//! Connections that show replies as they came, byte by byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use crate::common::{self, client::PATIENCE};
use shards::transcript::resp::reply_len;

pub use crate::common::Server;

/// Runs a test against one shard and against four.
pub fn on_one_and_four_shards(words: &[&str], test: impl Fn(&Server)) {
    for shards in [1, 4] {
        test(&Server::with(shards, words));
    }
}

/// A connection.
pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    /// Connects to any server.
    pub fn to(address: impl ToSocketAddrs) -> Client {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("cannot connect: {error}"));
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream, unread: Vec::new() }
    }

    /// Sends a call whose words hold no blanks; `""` stands for an empty word.
    pub fn send(&mut self, words: &str) {
        let request = request(words);
        self.stream.write_all(&request).expect("the server takes the call");
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes the bytes");
    }

    /// The next reply, as it came.
    pub fn read(&mut self) -> String {
        loop {
            if let Some(len) = reply_len(&self.unread) {
                let reply: Vec<u8> = self.unread.drain(..len).collect();
                return String::from_utf8(reply).expect("replies of these tests are text");
            }
            assert!(self.fill(), "the server closed the connection");
        }
    }

    fn fill(&mut self) -> bool {
        let mut chunk = [0; 16 << 10];
        match self.stream.read(&mut chunk) {
            Ok(len) => {
                self.unread.extend_from_slice(&chunk[..len]);
                len > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no reply: {error}"),
        }
    }

    /// Sends a call and reads its reply.
    pub fn ask(&mut self, words: &str) -> String {
        self.send(words);
        self.read()
    }

    /// Calls, and compares the reply (without its last end of line).
    #[track_caller]
    pub fn expect(&mut self, words: &str, reply: &str) {
        assert_eq!(self.ask(words), format!("{reply}\r\n"), "{words}");
    }

    /// Waits for the server to close the connection; nothing may come before.
    #[track_caller]
    pub fn expect_end(&mut self) {
        while self.fill() {}
        assert_eq!(String::from_utf8_lossy(&self.unread), "");
    }

    /// The number the server gave this connection.
    pub fn id(&mut self) -> u64 {
        self.ask("CLIENT ID").trim_start_matches(':').trim_end().parse().unwrap()
    }

    /// This end's address.
    pub fn address(&self) -> String {
        self.stream.local_addr().unwrap().to_string()
    }
}

/// A call as an array of words with one blank between them; `""` is an empty word.
pub fn request(text: &str) -> Vec<u8> {
    let words: Vec<&str> = text.split(' ').map(|word| if word == "\"\"" { "" } else { word }).collect();
    common::request(&words)
}
