//! The keyspace table alone: memory per key, time per operation, worst insert, iteration, snapshot.
//!
//! `cargo bench -p bench --bench table` runs every scenario in a process of its own, since memory is measured as the
//! process's resident set; `-- memory 10000000 16 64 0` runs one: a name, keys, key bytes, value bytes, 1 for an expiry.
//! Times include making and hashing the key. Overhead is resident bytes a key beyond key and value.

use std::hint::black_box;
use std::time::{Duration, Instant};

use shards::keyspace::table::{NewValue, Pos, Table, Value};

type Plain = Table<()>;

const OPERATIONS: u64 = 4_000_000;
const BATCH: usize = 16;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if args.is_empty() {
        return run_all();
    }
    let number = |i: usize| args.get(i).and_then(|arg| arg.parse::<u64>().ok()).expect("NAME KEYS KEY_BYTES VALUE_BYTES EXPIRY");
    let load = Load { keys: number(1), key_len: number(2) as usize, value_len: number(3) as usize, timed: number(4) == 1 };
    match args[0].as_str() {
        "memory" => memory(load),
        "churn" => churn(load),
        "delete" => delete(load),
        "speed" => speed(load),
        "get16" => batches_of(load, Doing::Get),
        "insert16" => batches_of(load, Doing::Set),
        "remove16" => batches_of(load, Doing::Remove),
        "worst" => worst(load),
        "walk" => walk(load),
        other => panic!("no scenario {other}"),
    }
}

/// Every scenario of the demands, one process each.
fn run_all() {
    let scenarios = [
        "memory 10000000 16 16 0", "memory 10000000 16 16 1", "memory 10000000 16 64 0", "memory 10000000 24 128 0",
        "churn 2000000 16 32 0", "delete 5000000 16 16 0", "speed 10000000 16 16 0", "walk 10000000 16 16 0",
        "worst 10000000 16 16 0",
    ];
    let me = std::env::current_exe().expect("a bench has a path");
    for scenario in scenarios {
        let status = std::process::Command::new(&me).args(scenario.split(' ')).status().expect("the bench can start itself");
        assert!(status.success(), "{scenario} failed");
    }
}

#[derive(Clone, Copy)]
struct Load {
    keys: u64,
    key_len: usize,
    value_len: usize,
    timed: bool,
}

impl Load {
    fn key(&self, id: u64, out: &mut [u8; 64]) {
        out[..4].copy_from_slice(b"key:");
        let mut rest = id;
        for place in (4..self.key_len).rev() {
            out[place] = b'0' + (rest & 15) as u8;
            rest >>= 4;
        }
    }

    fn value(&self, id: u64, out: &mut [u8; 256]) {
        let mut bits = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for word in out[..self.value_len.next_multiple_of(8)].chunks_exact_mut(8) {
            word.copy_from_slice(&bits.to_le_bytes());
            bits = bits.rotate_left(23) ^ 0x5851_f42d_4c95_7f2d;
        }
    }

    fn expire(&self, id: u64) -> Option<i64> {
        self.timed.then_some(1_800_000_000_000 + id as i64)
    }

    fn payload(&self) -> f64 {
        (self.key_len + self.value_len) as f64
    }

    fn name(&self) -> String {
        format!("{} keys, k{} v{}{}", self.keys, self.key_len, self.value_len, if self.timed { " ttl" } else { "" })
    }
}

/// The bench's own work: a table and buffers to make keys and values in.
struct Driver {
    load: Load,
    table: Plain,
    key: [u8; 64],
    value: [u8; 256],
    dice: u64,
}

impl Driver {
    fn new(load: Load) -> Driver {
        Driver { load, table: Table::new([11, 22, 33, 44]), key: [0; 64], value: [0; 256], dice: 88_172_645_463_325_252 }
    }

    fn random(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.random()) * u128::from(n)) >> 64) as u64
    }

    fn set(&mut self, id: u64, value_len: usize) {
        self.load.key(id, &mut self.key);
        let key = &self.key[..self.load.key_len];
        let hash = self.table.hash(key);
        self.set_hashed(hash, id, value_len);
    }

    /// Sets the key in the buffer.
    #[inline(always)]
    fn set_hashed(&mut self, hash: u64, id: u64, value_len: usize) {
        self.load.value(id ^ 1, &mut self.value);
        let (key, value) = (&self.key[..self.load.key_len], NewValue::Bytes(&self.value[..value_len]));
        match self.table.find(hash, key) {
            Some(pos) => drop(self.table.replace(pos, value, 1, self.load.expire(id), 7)),
            None => drop::<Pos>(self.table.insert(hash, key, value, 1, self.load.expire(id), 7)),
        }
        self.table.settle();
    }

    fn fill(&mut self, from: u64, to: u64) {
        (from..to).for_each(|id| self.set(id, self.load.value_len));
    }

    #[inline(always)]
    fn get_hashed(&mut self, hash: u64, out: &mut Vec<u8>) -> bool {
        let Some(pos) = self.table.find(hash, &self.key[..self.load.key_len]) else { return false };
        if self.table.lru(pos) != 7 {
            self.table.set_lru(pos, 7);
        }
        if let Value::Bytes(bytes) = self.table.value(pos) {
            out.extend_from_slice(bytes);
        }
        true
    }

    fn get(&mut self, id: u64, out: &mut Vec<u8>) -> bool {
        self.load.key(id, &mut self.key);
        let hash = self.table.hash(&self.key[..self.load.key_len]);
        out.clear();
        self.get_hashed(hash, out)
    }

    #[inline(always)]
    fn remove_hashed(&mut self, hash: u64) -> bool {
        let found = self.table.find(hash, &self.key[..self.load.key_len]);
        if let Some(pos) = found {
            self.table.remove(pos);
            self.table.settle();
        }
        found.is_some()
    }

    fn remove(&mut self, id: u64) -> bool {
        self.load.key(id, &mut self.key);
        let hash = self.table.hash(&self.key[..self.load.key_len]);
        self.remove_hashed(hash)
    }
}

/// The resident set of this process, exactly.
fn resident() -> f64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux has it");
    let line = rollup.lines().find(|line| line.starts_with("Rss:")).expect("a rollup has Rss");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") * 1024.0
}

/// Nanoseconds of one of `n` runs.
fn time(n: u64, mut run: impl FnMut(u64)) -> f64 {
    let start = Instant::now();
    (0..n).for_each(&mut run);
    start.elapsed().as_nanos() as f64 / n as f64
}

/// Overhead at 1, 5 and 10 million keys, and over a ladder from a quarter of the keys to all.
fn memory(load: Load) {
    let base = resident();
    let mut d = Driver::new(load);
    let mut marks: Vec<u64> = vec![1_000_000, 5_000_000, 10_000_000];
    let mut step = load.keys as f64 / 4.0;
    while step < load.keys as f64 {
        marks.push(step as u64);
        step *= 1.035;
    }
    marks.push(load.keys);
    marks.retain(|&mark| mark <= load.keys);
    marks.sort_unstable();
    marks.dedup();
    let (mut at, mut fixed, mut ladder) = (0, String::new(), Vec::new());
    for mark in marks {
        d.fill(at, mark);
        at = mark;
        let overhead = (resident() - base) / mark as f64 - load.payload();
        if mark >= load.keys / 4 {
            ladder.push(overhead);
        }
        if mark % 1_000_000 == 0 && [1, 5, 10].contains(&(mark / 1_000_000)) {
            fixed += &format!(" {}M {overhead:.1},", mark / 1_000_000);
        }
    }
    let (min, max) = ladder.iter().fold((f64::MAX, 0f64), |(a, b), &x| (a.min(x), b.max(x)));
    let mean = ladder.iter().sum::<f64>() / ladder.len() as f64;
    let own = d.table.memory_bytes() as f64 / load.keys as f64 - load.payload();
    let (used, blocks, holes) = d.table.memory_parts();
    let per_key = |bytes: usize| bytes as f64 / load.keys as f64;
    println!("  of which unused ends of blocks {:.1}, holes {:.1}", per_key(blocks - used as usize), per_key(holes));
    println!("memory {}:{fixed} ladder min {min:.1} mean {mean:.1} max {max:.1} (max/min {:.2}); by its own count {own:.1}", load.name(), max / min);
}

/// Overwrites with random sizes, four a key.
fn churn(load: Load) {
    let base = resident();
    let mut d = Driver::new(load);
    let mut sizes = vec![load.value_len as u8; load.keys as usize];
    let own = sizes.len() as f64;
    d.fill(0, load.keys);
    for _ in 0..4 * load.keys {
        let id = d.below(load.keys);
        let size = 1 + d.below(2 * load.value_len as u64 - 1);
        d.set(id, size as usize);
        sizes[id as usize] = size as u8;
    }
    let payload: u64 = sizes.iter().map(|&size| u64::from(size) + load.key_len as u64).sum();
    let overhead = |d: &Driver| (resident() - base - own - payload as f64) / d.table.len() as f64;
    let before = overhead(&d);
    while d.table.release_memory(64) > 0 {}
    println!("churn {}: {before:.1} after 4n overwrites of 1..{} bytes, {:.1} after the timer", load.name(), 2 * load.value_len - 1, overhead(&d));
    let mut out = Vec::new();
    assert!((0..load.keys).all(|id| d.get(id, &mut out) && out.len() == usize::from(sizes[id as usize])));
}

/// Deletes 70 % at random.
fn delete(load: Load) {
    let base = resident();
    let mut d = Driver::new(load);
    let mut gone = vec![false; load.keys as usize];
    d.fill(0, load.keys);
    let full = resident() - base;
    let mut deleted = 0;
    while deleted < load.keys * 7 / 10 {
        let id = d.below(load.keys);
        if !gone[id as usize] {
            gone[id as usize] = true;
            assert!(d.remove(id));
            deleted += 1;
        }
    }
    let own = gone.len() as f64;
    let start = Instant::now();
    while d.table.release_memory(64) > 0 {
        d.table.settle();
    }
    let took = start.elapsed();
    let rest = resident() - base - own;
    let overhead = rest / d.table.len() as f64 - load.payload();
    println!("delete {}: {:.0} MB -> {:.0} MB, overhead {overhead:.1}, the timer took {took:?}", load.name(), full / 1e6, rest / 1e6);
    let mut out = Vec::new();
    assert!((0..load.keys).all(|id| d.get(id, &mut out) != gone[id as usize]));
}

fn speed(load: Load) {
    let mut d = Driver::new(load);
    let mut out = Vec::new();
    let insert = time(load.keys, |id| d.set(id, load.value_len));
    let own = time(OPERATIONS, |_| {
        let id = d.below(load.keys);
        load.key(id, &mut d.key);
        black_box(d.table.hash(&d.key[..load.key_len]));
    });
    let hit = time(OPERATIONS, |_| {
        let id = d.below(load.keys);
        assert!(d.get(id, &mut out));
    });
    let miss = time(OPERATIONS, |_| {
        let id = d.below(load.keys) + load.keys;
        assert!(!d.get(id, &mut out));
    });
    let overwrite = time(OPERATIONS, |_| {
        let id = d.below(load.keys);
        d.set(id, load.value_len);
    });
    println!("speed {}: single ns: insert {insert:.0} get {hit:.0} miss {miss:.0} overwrite {overwrite:.0} (making and hashing a key {own:.0})", load.name());
    let (get, overwrite, insert, delete) = batches(&mut d);
    println!("speed {}: batches of {BATCH} ns: insert {insert:.0} get {get:.0} overwrite {overwrite:.0} del {delete:.0}", load.name());
    let half = (load.keys / 2).min(OPERATIONS);
    let delete = time(half, |i| {
        d.remove(i.wrapping_mul(2_654_435_761) % load.keys);
    });
    println!("speed {}: single ns: del {delete:.0}", load.name());
}

/// Batches of one kind alone, many of them: for a profiler.
fn batches_of(load: Load, doing: Doing) {
    let mut d = Driver::new(load);
    d.fill(0, load.keys);
    for round in 0..3 {
        let took = match doing {
            Doing::Get => batch(&mut d, doing, |d, _| d.below(load.keys)),
            Doing::Set => batch(&mut d, doing, |_, i| load.keys + round * OPERATIONS + i),
            Doing::Remove => batch(&mut d, doing, |_, i| (round * OPERATIONS + i).wrapping_mul(2_654_435_761) % load.keys),
        };
        println!("batches {}: {took:.0} ns", load.name());
    }
}

/// What a batch does with a key once its lines are near.
#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Get,
    Set,
    Remove,
}

fn batches(d: &mut Driver) -> (f64, f64, f64, f64) {
    let keys = d.load.keys;
    let get = batch(d, Doing::Get, |d, _| d.below(keys));
    let overwrite = batch(d, Doing::Set, |d, _| d.below(keys));
    let insert = batch(d, Doing::Set, |_, i| 4 * keys + i);
    let delete = batch(d, Doing::Remove, |_, i| 4 * keys + i.wrapping_mul(2_654_435_761) % OPERATIONS);
    (get, overwrite, insert, delete)
}

/// Nanoseconds of one operation, done in batches: all keys' directory lines are asked for, then all leaves, then each
/// operation runs.
fn batch(d: &mut Driver, doing: Doing, mut pick: impl FnMut(&mut Driver, u64) -> u64) -> f64 {
    let (mut ids, mut hashes, mut keys) = ([0; BATCH], [0; BATCH], [[0; 64]; BATCH]);
    let mut out = Vec::new();
    time(OPERATIONS / BATCH as u64, |round| {
        for i in 0..BATCH {
            ids[i] = pick(d, round * BATCH as u64 + i as u64);
            d.load.key(ids[i], &mut keys[i]);
            hashes[i] = d.table.hash(&keys[i][..d.load.key_len]);
            d.table.prefetch_bucket(hashes[i]);
        }
        hashes.iter().for_each(|&hash| d.table.prefetch_leaf(hash));
        match doing {
            Doing::Get => hashes.iter().for_each(|&hash| d.table.prefetch_entry(hash)),
            _ => hashes.iter().for_each(|&hash| d.table.prefetch_leaf_whole(hash)),
        }
        out.clear();
        for i in 0..BATCH {
            d.key = keys[i];
            match doing {
                Doing::Get => assert!(d.get_hashed(hashes[i], &mut out)),
                Doing::Set => d.set_hashed(hashes[i], ids[i], d.load.value_len),
                Doing::Remove => drop(black_box(d.remove_hashed(hashes[i]))),
            }
        }
    }) / BATCH as f64
}

/// Iteration, a snapshot at rest, overwrites during one.
fn walk(load: Load) {
    let mut d = Driver::new(load);
    d.fill(0, load.keys);
    let start = Instant::now();
    let mut bytes = 0;
    let table = &d.table;
    table.for_each(&mut |pos| bytes += table.key(pos).len() + matches!(table.value(pos), Value::Bytes(_)) as usize);
    let iterate = start.elapsed().as_nanos() as f64 / load.keys as f64;
    black_box(bytes);
    let mut copied = Vec::with_capacity(1 << 21);
    let mut copy = |table: &Plain, pos: Pos| {
        if copied.len() > 1 << 20 {
            copied.clear();
        }
        copied.extend_from_slice(table.key(pos));
        if let Value::Bytes(bytes) = table.value(pos) {
            copied.extend_from_slice(bytes);
        }
    };
    let start = Instant::now();
    d.table.begin_snapshot();
    while !d.table.snapshot_step(1024, &mut copy) {}
    let snapshot = start.elapsed().as_nanos() as f64 / load.keys as f64;
    let overwrites = |d: &mut Driver, copy: &mut dyn FnMut(&Plain, Pos)| {
        time(OPERATIONS, |i| {
            let id = d.below(load.keys);
            load.key(id, &mut d.key);
            let hash = d.table.hash(&d.key[..load.key_len]);
            d.table.before_change(hash, copy);
            d.set_hashed(hash, id, load.value_len);
            if i % 64 == 0 && d.table.in_snapshot() {
                d.table.snapshot_step(4, copy);
            }
        })
    };
    let quiet = overwrites(&mut d, &mut copy);
    d.table.begin_snapshot();
    let during = overwrites(&mut d, &mut copy);
    println!("walk {}: iterate {iterate:.1} ns a key, snapshot {snapshot:.1}; overwrite {quiet:.0} ns, during a snapshot {during:.0}", load.name());
}

/// The slowest inserts. The same inserts run twice and each counts with its better time, since a virtual machine's own
/// pauses never hit the same insert twice.
fn worst(load: Load) {
    let threshold = Duration::from_micros(3);
    let mut slow: Vec<std::collections::HashMap<u64, Duration>> = Vec::new();
    for _ in 0..2 {
        let mut d = Driver::new(load);
        let mut seen = std::collections::HashMap::new();
        for id in 0..load.keys {
            let start = Instant::now();
            d.set(id, load.value_len);
            let took = start.elapsed();
            if took > threshold {
                seen.insert(id, took);
            }
        }
        slow.push(seen);
    }
    let mut both: Vec<Duration> = slow[0].iter().filter_map(|(id, &a)| slow[1].get(id).map(|&b| a.min(b))).collect();
    both.sort_unstable_by(|a, b| b.cmp(a));
    both.truncate(6);
    let raw = slow.iter().flat_map(|seen| seen.values()).max();
    println!("worst {}: raw {raw:?}; slow both times: {both:?}", load.name());
}
