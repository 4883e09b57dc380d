//! The commands of this family on several shards, against a plain model, and replayed.

use std::collections::{BTreeMap, BTreeSet};

use crate::args::{Args, Span};
use crate::command::{Command, Spread};
use crate::commands::{FAMILIES, database, generic};
use crate::contents::contents;
use crate::keyspace::slots::key_owner;
use crate::keyspace::{Ttl, guests::Loan};
use crate::effects::Event;
use crate::reply::Resp;
use crate::shard::{Call, Shard};
use crate::stdx::number::parse_i64;
use crate::stdx::prng::Prng;

const START_MS: i64 = 1_700_000_000_000;

fn row(name: &str) -> &'static Command {
    FAMILIES.iter().flat_map(|f| f.iter()).find(|row| row.name == name).expect("the command is registered")
}

fn pack(argv: &[Vec<u8>]) -> (Vec<u8>, Vec<Span>) {
    let mut buf = Vec::new();
    let spans = argv.iter().map(|arg| {
        buf.extend_from_slice(arg);
        Span::new(buf.len() - arg.len(), arg.len())
    });
    let spans = spans.collect();
    (buf, spans)
}

fn words(text: &str) -> Vec<Vec<u8>> {
    text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Several shards and a coordinator in its simplest form.
struct Cluster {
    shards: Vec<Shard>,
    now_ms: i64,
    db: u32,
    /// Everything to replay, in order.
    ops: Vec<(u32, Vec<Vec<u8>>)>,
}

impl Cluster {
    fn new(count: usize, seed: u64) -> Cluster {
        let mut shards: Vec<Shard> = (0..count).map(|i| Shard::new(i, count, 4, seed + i as u64)).collect();
        for shard in &mut shards {
            shard.effects().wants.ops = true;
            shard.effects().wants.changes = true;
        }
        Cluster { shards, now_ms: START_MS, db: 0, ops: Vec::new() }
    }

    fn owner(&self, key: &[u8]) -> usize {
        key_owner(key, self.shards.len())
    }

    /// Runs a call on one shard.
    fn on(&mut self, at: usize, row: &'static Command, argv: &[Vec<u8>]) -> Vec<u8> {
        let (buf, spans) = pack(argv);
        let call = Call { row, argv: Args::new(&buf, &spans), db: self.db, resp: Resp::V2, no_touch: false, sees_expired: false };
        let mut out = Vec::new();
        self.shards[at].execute(&call, self.now_ms, &mut out);
        out
    }

    fn drain(&mut self, at: usize) {
        let effects = self.shards[at].effects();
        let ops = effects.ops().map(|(db, argv)| (db, argv.iter().map(<[u8]>::to_vec).collect()));
        self.ops.extend(ops);
        effects.clear();
    }

    /// Runs a call as its row says it spreads.
    fn call(&mut self, argv: &[Vec<u8>]) -> Vec<u8> {
        let row = row(&String::from_utf8(argv[0].to_ascii_lowercase()).expect("a name"));
        match row.spread {
            Spread::Split(1, _) => {
                let mut sum = 0;
                for key in &argv[1..] {
                    let at = self.owner(key);
                    sum += int(&self.on(at, row, &[argv[0].clone(), key.clone()]));
                    self.drain(at);
                }
                format!(":{sum}\r\n").into_bytes()
            }
            Spread::Everywhere(_) => {
                let replies: Vec<Vec<u8>> = (0..self.shards.len()).map(|at| self.on(at, row, argv)).collect();
                self.drain(0); // all say the same, once is enough
                self.shards.iter_mut().for_each(|shard| shard.effects().clear());
                if replies[0].starts_with(b":") {
                    return format!(":{}\r\n", replies.iter().map(|r| int(r)).sum::<i64>()).into_bytes();
                }
                replies.into_iter().next().expect("there is a shard")
            }
            _ => self.call_with_loans(row, argv),
        }
    }

    fn call_with_loans(&mut self, row: &'static Command, argv: &[Vec<u8>]) -> Vec<u8> {
        let (buf, spans) = pack(argv);
        let args = Args::new(&buf, &spans);
        let (mut at, mut dbs) = (Vec::new(), Vec::new());
        row.key_indexes(args, &mut at).expect("keys are where the specs say");
        row.find_dbs.inspect(|find| find(args, &mut dbs));
        let place = |i: usize| {
            let named = dbs.iter().rev().find(|d| d.key == Some(i));
            let db = named.and_then(|d| parse_i64(&argv[d.at])).map_or(self.db, |db| db as u32);
            (db.min(3), argv[i].clone())
        };
        let places: Vec<(u32, Vec<u8>)> = at.iter().map(|i| place(*i)).collect();
        let home = self.owner(&places[0].1);
        let mut owners = Vec::new();
        let mut loans: Vec<Loan> = Vec::new();
        for (db, key) in &places {
            let owner = self.owner(key);
            if owner != home && !loans.iter().any(|l| l.db == *db && *l.key == **key) {
                loans.extend(self.shards[owner].lend(self.now_ms, [(*db, &key[..])].into_iter()));
                self.drain(owner);
                owners.push(owner);
            }
        }
        if owners.is_empty() {
            let reply = self.on(home, row, argv);
            self.drain(home);
            return reply;
        }
        self.shards[home].welcome(loans);
        let reply = self.on(home, row, argv);
        let back = self.shards[home].farewell();
        self.drain(home);
        for (owner, loan) in owners.into_iter().zip(back) {
            self.shards[owner].take_back(vec![loan]);
        }
        self.shards.iter().for_each(Shard::check_invariants);
        reply
    }

    fn put(&mut self, key: &[u8]) {
        let at = self.owner(key);
        self.shards[at].keyspace.set_now(self.now_ms);
        self.shards[at].keyspace.entry_mut(0, key).set(b"v", Ttl::Clear, Event::SET);
        self.shards[at].keyspace.settle(0);
        self.shards[at].effects().clear();
    }
}

fn int(reply: &[u8]) -> i64 {
    assert_eq!(reply[0], b':', "{}", reply.escape_ascii());
    parse_i64(&reply[1..reply.len() - 2]).expect("an integer reply")
}

/// The bulks of a reply, in order, whatever arrays they stand in.
fn bulks(reply: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < reply.len() {
        let end = at + reply[at..].iter().position(|b| *b == b'\r').expect("a line ends");
        let n = parse_i64(&reply[at + 1..end]).expect("a length") as usize;
        match reply[at] {
            b'*' => at = end + 2,
            b'$' => {
                found.push(reply[end + 2..end + 2 + n].to_vec());
                at = end + 2 + n + 2;
            }
            _ => panic!("{}", reply.escape_ascii()),
        }
    }
    found
}

/// One SCAN step: next cursor and keys.
fn scan_step(c: &mut Cluster, cursor: &[u8], more: &str) -> (Vec<u8>, Vec<Vec<u8>>) {
    let argv = [vec![b"SCAN".to_vec(), cursor.to_vec()], words(more)].concat();
    let (buf, spans) = pack(&argv);
    let at = generic::scan::shard_of_cursor(Args::new(&buf, &spans), 1, c.shards.len());
    let mut all = bulks(&c.on(at, row("scan"), &argv));
    let next = all.remove(0);
    (next, all)
}

#[test]
fn scan_over_three_shards_finds_every_key_that_stays_while_the_tables_grow_and_shrink() {
    for seed in 0..4u64 {
        let mut c = Cluster::new(3, seed);
        let mut rng = Prng::new(seed);
        let name = |prefix: &str, i: u64| format!("{prefix}:{i}").into_bytes();
        (0..2000).for_each(|i| c.put(&name("stays", i)));
        (0..20_000 * (seed & 1)).for_each(|i| c.put(&name("goes", i)));
        let mut seen: BTreeSet<Vec<u8>> = BTreeSet::new();
        let (mut cursor, mut calls) = (b"0".to_vec(), 0);
        loop {
            let (next, found) = scan_step(&mut c, &cursor, "COUNT 20 MATCH stays*");
            assert!(found.iter().all(|key| key.starts_with(b"stays")));
            seen.extend(found);
            calls += 1;
            assert!(calls < 20_000, "a scan ends");
            // Every call is followed by some growth or some shrinking.
            for _ in 0..100 {
                let key = name("goes", rng.below(20_000));
                if seed & 1 == 0 { c.put(&key) } else { c.call(&[b"DEL".to_vec(), key]).clear() }
            }
            cursor = next;
            if cursor == b"0" {
                break;
            }
        }
        assert_eq!(seen.len(), 2000, "seed {seed}");
    }
}

#[test]
fn a_scan_without_changes_gives_every_key_once_and_count_bounds_the_work() {
    let mut c = Cluster::new(3, 9);
    (0..5000).for_each(|i| c.put(format!("k{i}").as_bytes()));
    let (mut seen, mut cursor, mut calls) = (Vec::new(), b"0".to_vec(), 0);
    loop {
        let (next, found) = scan_step(&mut c, &cursor, "COUNT 10");
        assert!(found.len() < 200, "a call gives the leaf it began and no other beyond COUNT: {}", found.len());
        seen.extend(found);
        calls += 1;
        cursor = next;
        if cursor == b"0" {
            break;
        }
    }
    assert!(calls > 50, "{calls}");
    assert_eq!(seen.len(), 5000);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), 5000);
    let (next, all) = scan_step(&mut c, b"0", "COUNT 9223372036854775807");
    assert_eq!(next, b"1", "the first shard is done, the second goes on");
    assert!(all.len() > 1000);
}

#[test]
fn a_foreign_cursor_harms_nobody() {
    for shards in [1, 3, 64] {
        let mut c = Cluster::new(shards, 9);
        (0..3000).for_each(|i| c.put(format!("k{i}").as_bytes()));
        let mut rng = Prng::new(4);
        for i in 0..3000 {
            let cursor = match i {
                0 => u64::MAX,
                1 => 1 << 63,
                _ => rng.next_u64() >> (i % 64),
            };
            let (next, _) = scan_step(&mut c, cursor.to_string().as_bytes(), "COUNT 1");
            assert!(std::str::from_utf8(&next).unwrap().parse::<u64>().is_ok());
        }
    }
}

#[test]
fn keys_dbsize_and_randomkey_cover_all_shards() {
    let mut c = Cluster::new(3, 2);
    let all: BTreeSet<Vec<u8>> = (0..300).map(|i| format!("k{i}").into_bytes()).collect();
    all.iter().for_each(|key| c.put(key));
    assert_eq!(int(&c.call(&words("DBSIZE"))), 300);
    let mut listed = BTreeSet::new();
    for at in 0..3 {
        listed.extend(bulks(&c.on(at, row("keys"), &words("KEYS k*"))));
        assert_eq!(bulks(&c.on(at, row("keys"), &words("KEYS k7"))).len(), usize::from(c.owner(b"k7") == at));
    }
    assert_eq!(listed, all);
    let mut drawn = BTreeSet::new();
    for i in 0..20_000 {
        drawn.extend(bulks(&c.on(i % 3, row("randomkey"), &words("RANDOMKEY"))));
    }
    assert_eq!(drawn, all, "every key is drawn sooner or later");
}

#[test]
fn randomkey_draws_evenly() {
    let mut c = Cluster::new(1, 2);
    (0..100).for_each(|i| c.put(format!("k{i}").as_bytes()));
    let mut drawn: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    for _ in 0..20_000 {
        let key = bulks(&c.on(0, row("randomkey"), &words("RANDOMKEY"))).remove(0);
        *drawn.entry(key).or_default() += 1;
    }
    assert!(drawn.values().all(|n| (120..300).contains(n)), "{drawn:?}");
}

#[test]
fn randomkey_among_hidden_keys_ends() {
    let mut c = Cluster::new(1, 2);
    (0..1000).for_each(|i| c.put(format!("k{i}").as_bytes()));
    for i in 0..1000 {
        c.call(&words(&format!("PEXPIRE k{i} 10")));
    }
    c.shards[0].keyspace.keep_expired = true;
    c.now_ms += 11;
    assert_eq!(bulks(&c.on(0, row("randomkey"), &words("RANDOMKEY"))).len(), 1, "a hidden key for want of others");
    c.put(b"live");
    assert_eq!(bulks(&c.on(0, row("randomkey"), &words("RANDOMKEY"))), [b"live"]);
    c.shards[0].keyspace.keep_expired = false;
    assert_eq!(bulks(&c.on(0, row("randomkey"), &words("RANDOMKEY"))), [b"live"]);
    c.call(&words("DEL live"));
    assert_eq!(c.on(0, row("randomkey"), &words("RANDOMKEY")), b"$-1\r\n");
}

#[test]
fn a_replica_hides_expired_keys_but_not_from_its_primary() {
    let mut c = Cluster::new(1, 2);
    c.put(b"k");
    c.call(&words("PEXPIRE k 10"));
    c.now_ms += 10;
    c.shards[0].keyspace.keep_expired = true;
    for (call, reply) in [("EXISTS k", 0), ("TTL k", -2), ("TOUCH k", 0), ("DBSIZE", 1)] {
        assert_eq!(int(&c.call(&words(call))), reply, "{call}");
    }
    assert_eq!(bulks(&c.on(0, row("keys"), &words("KEYS *"))).len(), 0);
    assert_eq!(scan_step(&mut c, b"0", "COUNT 10").1.len(), 0);
    assert!(c.shards[0].effects().is_empty() && c.ops.len() == 1, "a replica removes nothing by itself");
    c.shards[0].keyspace.follows_primary = true;
    assert_eq!(int(&c.call(&words("COPY k copy"))), 1);
    assert_eq!(int(&c.call(&words("EXISTS k copy"))), 2);
    assert_eq!(int(&c.call(&words("PEXPIREAT k 5"))), 1, "a past time is set, not obeyed");
    assert_eq!(int(&c.call(&words("EXISTS k"))), 1);
    assert_eq!(int(&c.call(&words("UNLINK k copy"))), 2);
}

#[test]
fn populate_fills_every_shard_with_its_own_keys() {
    let mut c = Cluster::new(3, 2);
    let populate = database::DEBUG.iter().find(|row| row.name == "populate").unwrap();
    c.put(b"p:7");
    for at in 0..3 {
        assert_eq!(c.on(at, populate, &words("DEBUG POPULATE 100 p 10")), b"+OK\r\n");
    }
    assert_eq!(int(&c.call(&words("DBSIZE"))), 100);
    let get = |c: &mut Cluster, key: &str| bulks(&c.call(&words(&format!("GET {key}")))).remove(0);
    assert_eq!(get(&mut c, "p:42"), b"value:42\0\0");
    assert_eq!(get(&mut c, "p:7"), b"v", "what is there stays");
    assert_eq!(c.on(0, populate, &words("DEBUG POPULATE -1")), b"-ERR value is out of range, must be positive\r\n");
    assert_eq!(c.on(0, populate, &words("DEBUG POPULATE 9223372036854775807")), b"-ERR OOM in dbExpand\r\n");
    let object = database::DEBUG.iter().find(|row| row.name == "object").unwrap();
    let at = c.owner(b"p:42");
    let text = c.on(at, object, &words("DEBUG OBJECT p:42"));
    assert!(text.starts_with(b"+Value at:0x0 refcount:1 encoding:embstr serializedlength:11 lru:"), "{}", text.escape_ascii());
    assert_eq!(c.on(at, object, &words("DEBUG OBJECT nothing")), b"-ERR no such key\r\n");
}

/// What the commands mean, in the plainest form.
#[derive(Default)]
struct Model {
    keys: BTreeMap<(u32, Vec<u8>), (Vec<u8>, Option<i64>)>,
    now_ms: i64,
}

impl Model {
    fn purge(&mut self) {
        let now_ms = self.now_ms;
        self.keys.retain(|_, (_, at)| at.is_none_or(|at| at > now_ms));
    }

    fn call(&mut self, db: u32, argv: &[Vec<u8>]) -> String {
        self.purge();
        let place = |i: usize| (db, argv[i].clone());
        let number = |i: usize| parse_i64(&argv[i]).unwrap();
        let n = match &argv[0][..] {
            b"SET" => {
                self.keys.insert(place(1), (argv[2].clone(), None));
                return "+OK\r\n".into();
            }
            b"DEL" | b"UNLINK" => (1..argv.len()).filter(|i| self.keys.remove(&place(*i)).is_some()).count() as i64,
            b"EXISTS" | b"TOUCH" => (1..argv.len()).filter(|i| self.keys.contains_key(&place(*i))).count() as i64,
            b"PTTL" => self.keys.get(&place(1)).map_or(-2, |(_, at)| at.map_or(-1, |at| at - self.now_ms)),
            b"PERSIST" => i64::from(self.keys.get_mut(&place(1)).is_some_and(|(_, at)| at.take().is_some())),
            b"PEXPIRE" => self.expire(place(1), self.now_ms + number(2), argv.get(3)),
            b"PEXPIREAT" => self.expire(place(1), number(2), argv.get(3)),
            b"RENAME" | b"RENAMENX" | b"COPY" | b"MOVE" => return self.transfer(db, argv),
            b"FLUSHDB" => {
                self.keys.retain(|(d, _), _| *d != db);
                return "+OK\r\n".into();
            }
            b"SWAPDB" => {
                let (a, b) = (number(1) as u32, number(2) as u32);
                let swap = |d: u32| if d == a { b } else if d == b { a } else { d };
                let keys = std::mem::take(&mut self.keys);
                self.keys = keys.into_iter().map(|((d, k), v)| ((swap(d), k), v)).collect();
                return "+OK\r\n".into();
            }
            other => panic!("{}", other.escape_ascii()),
        };
        format!(":{n}\r\n")
    }

    fn expire(&mut self, place: (u32, Vec<u8>), at: i64, condition: Option<&Vec<u8>>) -> i64 {
        let Some((_, current)) = self.keys.get_mut(&place) else { return 0 };
        let at = at.max(0);
        let holds = match (condition.map(|c| &c[..]), *current) {
            (None, _) => true,
            (Some(b"NX"), current) => current.is_none(),
            (Some(b"XX"), current) => current.is_some(),
            (Some(b"GT"), current) => current.is_some_and(|c| at > c),
            (_, current) => current.is_none_or(|c| at < c),
        };
        if holds {
            *current = Some(at);
            self.purge();
        }
        i64::from(holds)
    }

    fn transfer(&mut self, db: u32, argv: &[Vec<u8>]) -> String {
        let name = &argv[0][..];
        let mut to = (db, argv[if name == b"MOVE" { 1 } else { 2 }].clone());
        let mut replace = name == b"RENAME";
        match name {
            b"MOVE" => to.0 = parse_i64(&argv[2]).unwrap() as u32,
            b"COPY" if argv.len() > 3 => {
                to.0 = parse_i64(&argv[4]).unwrap() as u32;
                replace = argv.len() > 5;
            }
            _ => {}
        }
        let from = (db, argv[1].clone());
        let renames = name.starts_with(b"RENAME");
        if from == to && !renames {
            return "-ERR source and destination objects are the same\r\n".into();
        }
        let Some(value) = self.keys.get(&from).cloned() else {
            return if renames { "-ERR no such key\r\n" } else { ":0\r\n" }.into();
        };
        let moves = from != to && (replace || !self.keys.contains_key(&to));
        if moves {
            self.keys.insert(to, value);
            if name != b"COPY" {
                self.keys.remove(&from);
            }
        }
        if name == b"RENAME" { "+OK\r\n".into() } else { format!(":{}\r\n", i64::from(moves)) }
    }
}

fn random_call(rng: &mut Prng, now_ms: i64) -> String {
    let key = |rng: &mut Prng| format!("k{}", rng.below(8));
    let (a, b) = (key(rng), key(rng));
    let (db, n) = (rng.below(3), rng.below(40));
    let condition = ["", "", " NX", " XX", " GT", " LT"][rng.below(6) as usize];
    match rng.below(18) {
        0..=3 => format!("SET {a} {}", ["7", "text", "a-long-text"][rng.below(3) as usize].repeat(1 + n as usize * 60)),
        4 => format!("DEL {a} {b} {a}"),
        5 => format!("UNLINK {a}"),
        6 => format!("EXISTS {a} {b} {b}"),
        7 => format!("TOUCH {a}"),
        8 => format!("PTTL {a}"),
        9 => format!("PERSIST {a}"),
        10 => format!("PEXPIRE {a} {}{condition}", n as i64 - 5),
        11 => format!("PEXPIREAT {a} {}{condition}", now_ms + n as i64),
        12 => format!("RENAME {a} {b}"),
        13 => format!("RENAMENX {a} {b}"),
        14 => format!("COPY {a} {b}"),
        15 => format!("COPY {a} {b} DB {db}{}", if n % 2 == 0 { " REPLACE" } else { "" }),
        16 => format!("MOVE {a} {db}"),
        _ if n == 0 => "FLUSHDB".into(),
        _ if n < 4 => format!("SWAPDB {db} {}", rng.below(3)),
        _ => format!("PTTL {b}"),
    }
}

#[test]
fn random_calls_on_three_shards_agree_with_a_plain_model_and_replay_to_the_same_state() {
    for seed in 0..12u64 {
        let mut rng = Prng::new(seed);
        let mut c = Cluster::new(3, seed);
        let mut replica = Cluster::new(1, seed);
        replica.shards[0].keyspace.keep_expired = true;
        replica.shards[0].keyspace.follows_primary = true;
        let mut model = Model::default();
        for step in 0..1500 {
            c.now_ms += rng.below(4) as i64;
            model.now_ms = c.now_ms;
            replica.now_ms = c.now_ms;
            c.db = rng.below(3) as u32;
            let argv = words(&random_call(&mut rng, c.now_ms));
            let context = || format!("seed {seed} step {step}: {}", argv.concat().escape_ascii());
            let reply = String::from_utf8(c.call(&argv)).unwrap();
            assert_eq!(reply, model.call(c.db, &argv), "{}", context());
            for (db, op) in std::mem::take(&mut c.ops) {
                replica.db = db;
                replica.call(&op);
            }
            if step % 50 == 0 {
                let now_ms = c.now_ms;
                let mut merged: Vec<_> = c.shards.iter_mut().flat_map(|s| contents(s, now_ms)).collect();
                merged.sort_unstable();
                assert_eq!(merged, contents(&mut replica.shards[0], now_ms), "replay, {}", context());
                model.purge();
                let expected: Vec<_> = model.keys.iter().map(|((db, k), (_, at))| (*db, k.clone(), *at)).collect();
                let mut found: Vec<_> = merged.iter().map(|c| (c.db, c.key.clone().into_bytes(), c.expire_at)).collect();
                found.sort_unstable();
                assert_eq!(found, expected, "{}", context());
            }
        }
    }
}
