//! CONFIG GET and CONFIG SET against a real Valkey 9.1: the same names, the same refusals, the same values.
//!
//! `RINGKEY_REF_CONFIG_ADDR=host:port` names a running server whose configuration may be turned upside down; start it
//! with `--enable-protected-configs yes --maxclients 100`. Without the variable nothing is compared. Every directive
//! that can be set without touching sockets, files or threads gets every value of a list that has something for each
//! type, in the same order on both sides, about 20,000 pairs.
//!
//! Known differences: sizes of 2^63 and more wrap around in Valkey where we refuse them (`WRAPS`).

#![allow(clippy::unwrap_used)] // these are tests

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use ringkey::config::disk::World;
use ringkey::config::row::Row;
use ringkey::config::values::Text;
use ringkey::config::{Asker, Config, Store, table};

/// Directives only Ringkey has.
const OURS: &[&str] = &["shards", "shard-cpus", "spin-us"];

/// Directives whose setting reaches out of the configuration of the reference.
const TOUCHY: &[&str] = &[
    "port", "bind", "dir", "logfile", "maxclients", "replicaof", "slaveof", "requirepass", "appendonly", "io-threads",
    "proc-title-template", "locale-collate", "watchdog-period", "crash-memcheck-enabled", "enable-protected-configs",
];

/// Directives for which Valkey takes a number beyond 2^63 as a negative one, or the other way round.
const WRAPS: &[&str] = &["cluster-blacklist-ttl", "maxmemory-clients", "slot-migration-max-failover-repl-bytes"];

const VALUES: &[&str] = &[
    "yes", "NO", "", "0", "1", "-1", "2", "10", "50", "64", "65", "99", "100", "101", "129", "1000", "1001", "1024",
    "65535", "65536", "2147483647", "2147483648", "-2147483649", "4294967295", "4294967296", "9223372036854775807",
    "9223372036854775808", "18446744073709551615", "18446744073709551616", "1k", "1KB", "2mb", "1gb", "1tb", "12%",
    "100%", "101%", "-5%", "%", "01", "+1", " 1", "1 ", "0x10", "1.5", "777", "778", "8", "abc", "a b", "a/b", "a\\b",
    "always", "everysec", "relative", "absolute", "volatile-lru", "allkeys-LFU", "noeviction", "debug", "nothing",
    "legacy", "json", "logfmt", "iso8601", "save now", "save nosave", "default", "default save", "KEA", "AKEn", "Kg$n",
    "z q", "900 1", "900 1 300 10", "0 1", "900", "900 1 x", "normal 0 0 0", "replica 1mb 1kb 60", "pubsub 1 2",
    "slave 1 1 -1", "master 1 1 1", "normal 1mb 1kb 5 pubsub 2mb 1mb 7", "1 2 3", "1 2 3 4", "-2001 0 0",
    "2000 2000 -2000", "50 99", "50 99.9999", "101 1", "nan", "inf", "50  99", "1e1", "::1", "1.2.3.4", "1.2.3.4.5",
    "host-name.example", "host_name", "ip", "hostname", "strict", "relaxed", "sync", "best-effort", "swapdb",
    "on-empty-db", "allchannels", "local", "sys", "local3", "%s", "\u{1}",
];

/// Our side touches nothing: only `dir` would, and it is not compared.
struct Nowhere;

impl World for Nowhere {
    fn read(&mut self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read_stdin(&mut self) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn matching(&mut self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    fn enter(&mut self, _: &Path) -> io::Result<Text> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn here(&mut self) -> Text {
        Text::default()
    }

    fn can_append(&mut self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn replace(&mut self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A connection to the reference.
struct Reference(BufReader<TcpStream>);

impl Reference {
    fn connect() -> Option<Reference> {
        let address = std::env::var("RINGKEY_REF_CONFIG_ADDR").ok()?;
        Some(Reference(BufReader::new(TcpStream::connect(address).expect("the reference listens"))))
    }

    /// The texts of a reply: one for a line or bulk, all for an array.
    fn call(&mut self, words: &[&str]) -> Vec<String> {
        let mut request = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| request += &format!("${}\r\n{word}\r\n", word.len()));
        self.0.get_mut().write_all(request.as_bytes()).expect("the reference takes the call");
        self.reply()
    }

    fn reply(&mut self) -> Vec<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the reference answers");
        let (kind, rest) = line.trim_end().split_at(1);
        match kind {
            "$" => {
                let mut bulk = vec![0; rest.parse::<usize>().expect("a length") + 2];
                self.0.read_exact(&mut bulk).expect("the whole bulk");
                bulk.truncate(bulk.len() - 2);
                vec![String::from_utf8(bulk).expect("the reference shows text")]
            }
            "*" => (0..rest.parse().expect("a count")).flat_map(|_| self.reply()).collect(),
            _ => vec![rest.to_owned()],
        }
    }

    fn value(&mut self, name: &str) -> Option<String> {
        self.call(&["CONFIG", "GET", name]).into_iter().nth(1)
    }
}

fn our_value(store: &Store, name: &str) -> Option<String> {
    let (_, value) = store.get(&[name.as_bytes()]).pop()?;
    Some(String::from_utf8(value).expect("the values are text"))
}

fn our_set(store: &mut Store, name: &str, value: &str) -> String {
    let asker = Asker { protected_allowed: true, loading: false };
    match store.set(&[(name.as_bytes(), value.as_bytes())], asker, &mut Nowhere) {
        Ok(_) => "OK".to_owned(),
        Err(error) => error,
    }
}

fn names(row: &'static Row) -> impl Iterator<Item = &'static str> {
    std::iter::once(row.name).chain(row.alias)
}

#[test]
fn every_name_of_valkey_is_known_and_only_our_own_are_more() {
    let Some(mut reference) = Reference::connect() else { return };
    let theirs: Vec<_> = reference.call(&["CONFIG", "GET", "*"]).into_iter().step_by(2).collect();
    let store = Store::new(Config::default(), None);
    let ours = store.get(&[b"*"]).into_iter().map(|(name, _)| String::from_utf8(name).expect("names are text"));
    let ours: Vec<_> = ours.filter(|name| !OURS.contains(&name.as_str())).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn every_directive_takes_refuses_and_shows_values_as_valkey_does() {
    let Some(mut reference) = Reference::connect() else { return };
    let mut store = Store::new(Config::default(), None);
    let mut differences = Vec::new();
    for name in table::rows().flat_map(names) {
        let group = name.starts_with("tls-") || name.starts_with("rdma-");
        if group || OURS.contains(&name) || TOUCHY.contains(&name) {
            continue;
        }
        for value in VALUES {
            let beyond = value.len() >= 19 || value.starts_with('-');
            if WRAPS.contains(&name) && beyond {
                continue;
            }
            let theirs = (reference.call(&["CONFIG", "SET", name, value]).concat(), reference.value(name));
            let ours = (our_set(&mut store, name, value), our_value(&store, name));
            if ours != theirs {
                differences.push(format!("{name} {value:?}\n  Valkey  {theirs:?}\n  Ringkey {ours:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
