//! Clients that keep what they read until they are told, while others write: in the end no cache holds an old value.

use super::everywhere;
use crate::common::client::words;
use crate::common::server::eventually;
use crate::common::{Client, Reply, Server};
use shards::stdx::prng::Prng;
use std::collections::HashMap;

const KEYS: u64 = 24;

/// A client with a cache.
struct Cache {
    client: Client,
    known: HashMap<String, Option<Vec<u8>>>,
}

fn value(reply: &Reply) -> Option<Vec<u8>> {
    match reply {
        Reply::Nil => None,
        other => Some(other.bytes().to_vec()),
    }
}

impl Cache {
    fn new(server: &Server, words: &str) -> Cache {
        Cache { client: super::tracking(server, words), known: HashMap::new() }
    }

    fn ask(&mut self, text: &str) -> Reply {
        self.client.send(&words(text));
        self.answer()
    }

    /// The next answer; what comes before it is forgotten as told.
    fn answer(&mut self) -> Reply {
        loop {
            match self.client.reply() {
                Reply::Push(parts) => match &parts[1] {
                    Reply::Array(keys) => keys.iter().for_each(|key| {
                        self.known.remove(&key.text());
                    }),
                    _ => self.known.clear(),
                },
                reply => return reply,
            }
        }
    }

    fn read(&mut self, rng: &mut Prng) {
        let keys: Vec<String> = (0..3).map(|_| key(rng)).collect();
        let replies = match rng.below(4) {
            0 => vec![self.ask(&format!("GET {}", keys[0]))],
            1 => self.ask(&format!("MGET {}", keys.join(" "))).array().to_vec(),
            // What it reads in a transaction it may have changed there, before or after.
            2 => {
                for text in ["MULTI", &format!("GET {}", keys[0]), &format!("GET {}", keys[1])] {
                    self.ask(text);
                }
                self.ask(&write(rng));
                self.ask(&format!("GET {}", keys[2]));
                let replies = self.ask("EXEC").array().to_vec();
                vec![replies[0].clone(), replies[1].clone(), replies[3].clone()]
            }
            _ => {
                let requests: Vec<u8> = keys.iter().flat_map(|key| words(&format!("GET {key}"))).collect();
                self.client.send(&requests);
                // Each answer is known before what is told behind it.
                for key in &keys {
                    let reply = self.answer();
                    self.known.insert(key.clone(), value(&reply));
                }
                return;
            }
        };
        for (key, reply) in keys.iter().zip(&replies) {
            self.known.insert(key.clone(), value(reply));
        }
    }
}

fn key(rng: &mut Prng) -> String {
    format!("key:{}", rng.below(KEYS))
}

fn write(rng: &mut Prng) -> String {
    let (a, b, n) = (key(rng), key(rng), rng.below(1000));
    match rng.below(12) {
        0 => format!("DEL {a} {b}"),
        1 => format!("MSET {a} {n} {b} {n}"),
        2 => format!("SET {a} {n} PX 3"),
        3 => format!("GETDEL {a}"),
        4 => format!("COPY {a} {b} REPLACE"),
        5 => format!("APPEND {a} {n}"),
        6 if n < 100 => "FLUSHALL".to_string(),
        7 => format!("GETEX {a} PX 2"),
        _ => format!("SET {a} {n}"),
    }
}

fn caches_are_right_in_the_end(server: &Server, mode: &str) {
    let mut rng = Prng::new(7);
    let mut caches: Vec<Cache> = (0..5).map(|_| Cache::new(server, mode)).collect();
    let mut writers: Vec<Client> = (0..3).map(|_| server.client()).collect();
    for round in 0..40 {
        for _ in 0..30 {
            // Writers do not wait for their answers, so that reads and writes meet on their way.
            let requests: Vec<u8> = (0..3).flat_map(|_| words(&write(&mut rng))).collect();
            let writer = rng.below(3) as usize;
            writers[writer].send(&requests);
            let at = rng.below(5) as usize;
            caches[at].read(&mut rng);
            (0..3).for_each(|_| drop(writers[writer].reply()));
        }
        let mut reader = server.client();
        eventually("no cache holds an old value", || {
            let now: HashMap<String, Option<Vec<u8>>> = (0..KEYS)
                .map(|n| (format!("key:{n}"), value(&reader.say(&format!("GET key:{n}")))))
                .collect();
            caches.iter_mut().all(|cache| {
                assert_eq!(cache.ask("PING"), "PONG");
                cache.known.iter().all(|(key, value)| now[key] == *value)
            })
        });
        assert!(caches.iter().any(|cache| !cache.known.is_empty()) || round > 0);
    }
}

#[test]
fn a_cache_that_is_told_of_what_it_read_is_right_in_the_end() {
    everywhere(&[], |server| caches_are_right_in_the_end(server, ""));
}

#[test]
fn a_cache_that_is_told_of_everything_is_right_in_the_end() {
    everywhere(&[], |server| caches_are_right_in_the_end(server, "BCAST"));
}
