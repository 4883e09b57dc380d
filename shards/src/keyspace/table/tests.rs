//! The table against a plain map, and its promises one by one.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use super::compact::COMPACT_MAX;
use super::{Compact, NewValue, Pos, Table, Value};

/// A generator of test cases (xorshift): the same seed gives the same test.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}

/// An object that counts how many of it are alive.
struct Counted {
    name: u64,
    alive: Rc<Cell<i64>>,
}

impl Counted {
    fn new(name: u64, alive: &Rc<Cell<i64>>) -> Box<Counted> {
        alive.set(alive.get() + 1);
        Box::new(Counted { name, alive: alive.clone() })
    }
}

thread_local! {
    /// Those of this test.
    static ALIVE: RefCell<Rc<Cell<i64>>> = RefCell::default();
}

/// Every second object may lie in a leaf, in one of many lengths.
impl Compact for Counted {
    fn compact_len(&self) -> Option<usize> {
        self.name.is_multiple_of(2).then_some(8 + self.name as usize / 2 % 1100)
    }

    fn write_compact(&self, out: &mut [u8]) {
        out.fill(0xab);
        out[..8].copy_from_slice(&self.name.to_le_bytes());
    }

    fn from_compact(bytes: &[u8]) -> Counted {
        let name = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        assert!(bytes[8..].iter().all(|byte| *byte == 0xab));
        *ALIVE.with_borrow(|alive| Counted::new(name, alive))
    }
}

/// Whether it lies in a leaf once the call has ended.
fn lies_inside(name: u64) -> bool {
    Counted { name, alive: Rc::new(Cell::new(1)) }.compact_len().is_some_and(|len| len <= COMPACT_MAX)
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.set(self.alive.get() - 1);
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Plain {
    Bytes(Vec<u8>),
    Int(i64),
    Object(u64),
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Kept {
    value: Plain,
    type_tag: u8,
    expire: Option<i64>,
    lru: u32,
}

fn kept(table: &Table<Counted>, pos: Pos) -> Kept {
    let value = match table.value(pos) {
        Value::Bytes(bytes) => Plain::Bytes(bytes.to_vec()),
        Value::Int(n) => Plain::Int(n),
        Value::Object(object) => Plain::Object(object.name),
    };
    Kept { value, type_tag: table.type_tag(pos), expire: table.expire_at(pos), lru: table.lru(pos) }
}

/// An object that was replaced or removed comes back, unless it may have been in the leaf.
fn come_back(object: Option<Box<Counted>>, old: Option<&Plain>) {
    match (object, old) {
        (Some(object), old) => assert_eq!(old, Some(&Plain::Object(object.name))),
        (None, Some(Plain::Object(name))) => assert!(lies_inside(*name)),
        (None, _) => {}
    }
}

/// The table and the model side by side, with a snapshot of both.
struct Pair {
    dice: Dice,
    table: Table<Counted>,
    model: HashMap<Vec<u8>, Kept>,
    alive: Rc<Cell<i64>>,
    at_begin: Option<HashMap<Vec<u8>, Kept>>,
    given: HashMap<Vec<u8>, Kept>,
    keys: u64,
    long: bool,
}

impl Pair {
    fn new(seed: u64, keys: u64, long: bool) -> Pair {
        let alive = Rc::new(Cell::new(0));
        ALIVE.set(alive.clone());
        Pair {
            dice: Dice(seed),
            table: Table::new([seed, 2, 3, 4]),
            model: HashMap::new(),
            alive,
            at_begin: None,
            given: HashMap::new(),
            keys,
            long,
        }
    }

    fn key(&mut self) -> Vec<u8> {
        let id = self.dice.below(self.keys);
        let mut key = id.to_string().into_bytes();
        let len = match id % 50 {
            0 if self.long => 250 + id as usize % 1750,
            1 => 230 + id as usize % 40,
            _ => id as usize % 40,
        };
        key.resize(len.max(key.len()), b'x');
        if id == 0 { Vec::new() } else { key }
    }

    fn kept(&mut self) -> Kept {
        let value = match self.dice.below(20) {
            0..=3 => Plain::Int((self.dice.next() as i64) >> self.dice.below(64)),
            4 => Plain::Object(self.dice.next()),
            5 if self.long => Plain::Bytes(self.bytes(Table::<Counted>::INLINE_MAX as u64 + 1)),
            6 => Plain::Bytes(self.bytes(300)),
            _ => Plain::Bytes(self.bytes(60)),
        };
        Kept { value, type_tag: self.dice.below(16) as u8, expire: self.expire(), lru: self.dice.below(1 << 24) as u32 }
    }

    fn bytes(&mut self, limit: u64) -> Vec<u8> {
        let fill = self.dice.next() as u8;
        vec![fill; self.dice.below(limit) as usize]
    }

    fn expire(&mut self) -> Option<i64> {
        match self.dice.below(8) {
            0 => Some(self.dice.next() as i64),
            1 | 2 => Some(1_800_000_000_000 + self.dice.below(100_000) as i64),
            _ => None,
        }
    }

    fn before(&mut self, hash: u64) {
        let given = &mut self.given;
        self.table.before_change(hash, &mut |table, pos| {
            assert!(given.insert(table.key(pos).to_vec(), kept(table, pos)).is_none(), "given once");
        });
    }

    fn set(&mut self) {
        let (key, kept) = (self.key(), self.kept());
        let hash = self.table.hash(&key);
        self.before(hash);
        let value = match &kept.value {
            Plain::Bytes(bytes) => NewValue::Bytes(bytes),
            Plain::Int(n) => NewValue::Int(*n),
            Plain::Object(name) => NewValue::Object(Counted::new(*name, &self.alive)),
        };
        let old = self.model.get(&key);
        let pos = match self.table.find(hash, &key) {
            None => {
                assert!(old.is_none());
                self.table.insert(hash, &key, value, kept.type_tag, kept.expire, kept.lru)
            }
            Some(pos) => {
                let (pos, object) = self.table.replace(pos, value, kept.type_tag, kept.expire, kept.lru);
                come_back(object, old.map(|o| &o.value));
                pos
            }
        };
        assert_eq!(self.table.key(pos), key);
        assert_eq!(self::kept(&self.table, pos), kept);
        self.model.insert(key, kept);
    }

    fn get(&mut self) {
        let key = self.key();
        let hash = self.table.hash(&key);
        let found = self.table.find(hash, &key);
        assert_eq!(found.map(|pos| kept(&self.table, pos)), self.model.get(&key).cloned());
    }

    fn touch(&mut self) {
        let key = self.key();
        let hash = self.table.hash(&key);
        let Some(pos) = self.table.find(hash, &key) else { return };
        self.before(hash);
        let kind = self.dice.below(4);
        let (lru, n, expire) = (self.dice.below(1 << 24) as u32, self.dice.next() as i64 >> self.dice.below(64), self.expire());
        let model = self.model.get_mut(&key).expect("found");
        match kind {
            0 => {
                self.table.set_lru(pos, lru);
                model.lru = lru;
            }
            1 => {
                let pos = self.table.set_expire(pos, expire);
                model.expire = expire;
                assert_eq!(kept(&self.table, pos), *model);
            }
            2 if !matches!(model.value, Plain::Object(_)) => {
                let pos = self.table.set_int(pos, n);
                model.value = Plain::Int(n);
                assert_eq!(kept(&self.table, pos), *model);
            }
            _ => match &mut model.value {
                Plain::Bytes(bytes) => {
                    bytes.fill(7);
                    self.table.bytes_mut(pos).expect("bytes").fill(7);
                }
                Plain::Object(name) => {
                    *name = lru as u64;
                    self.table.object_mut(pos).expect("an object").name = *name;
                }
                Plain::Int(_) => assert!(self.table.bytes_mut(pos).is_none() && self.table.object_mut(pos).is_none()),
            },
        }
    }

    fn remove(&mut self) {
        let key = self.key();
        let hash = self.table.hash(&key);
        let old = self.model.remove(&key);
        let Some(pos) = self.table.find(hash, &key) else { return assert!(old.is_none()) };
        self.before(hash);
        let object = self.table.remove(pos);
        come_back(object, Some(&old.expect("both have it").value));
    }

    fn snapshot(&mut self) {
        if self.at_begin.is_none() {
            self.at_begin = Some(self.model.clone());
            self.given.clear();
            self.table.begin_snapshot();
        } else if self.dice.below(40) == 0 {
            self.table.abort_snapshot();
            self.at_begin = None;
        } else {
            let given = &mut self.given;
            let done = self.table.snapshot_step(7, &mut |table, pos| {
                assert!(given.insert(table.key(pos).to_vec(), kept(table, pos)).is_none(), "given once");
            });
            if done {
                let at_begin = self.at_begin.take().expect("it was begun");
                assert!(at_begin == self.given, "the snapshot is what was there when it began");
            }
        }
    }

    fn check(&mut self) {
        self.table.check_invariants();
        self.table.settle();
        self.table.check_invariants();
        assert_eq!(self.table.len(), self.model.len());
        assert_eq!(self.table.expires_len(), self.model.values().filter(|k| k.expire.is_some()).count());
        let mut boxed = 0;
        self.table.for_each(&mut |pos| boxed += i64::from(self.table.has_boxed_object(pos)));
        assert_eq!(self.alive.get(), boxed);
        let large = self.model.values().filter(|kept| matches!(kept.value, Plain::Object(name) if !lies_inside(name)));
        assert!(large.count() as i64 <= boxed);
        let mut seen = HashMap::new();
        self.table.for_each(&mut |pos| {
            assert!(seen.insert(self.table.key(pos).to_vec(), kept(&self.table, pos)).is_none());
        });
        assert!(seen == self.model);
        self.check_expired();
        let random = self.table.random(&mut || self.dice.next());
        assert_eq!(random.is_some(), !self.model.is_empty());
        assert!(random.is_none_or(|pos| self.model.contains_key(self.table.key(pos))));
    }

    fn check_expired(&mut self) {
        let now = 1_800_000_000_000 + self.dice.below(100_000) as i64;
        let (mut due, mut cursor, mut timed) = (HashSet::new(), 0, 0);
        loop {
            let (next, seen) = self.table.walk_expired(cursor, 5, now, &mut |pos| {
                assert!(due.insert(self.table.key(pos).to_vec()));
            });
            (cursor, timed) = (next, timed + seen);
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(timed, self.table.expires_len());
        let expected = self.model.iter().filter(|(_, k)| k.expire.is_some_and(|ms| ms <= now)).map(|(key, _)| key.clone());
        assert_eq!(due, expected.collect());
    }

    fn run(&mut self, steps: u64, phase: u64, check_every: u64) {
        println!("seed {}", self.dice.0);
        for step in 0..steps {
            let growing = (step / phase).is_multiple_of(2);
            match self.dice.below(12) {
                0 | 1 => self.get(),
                2 => self.touch(),
                3 if self.dice.below(3) == 0 => self.snapshot(),
                x if (x < 9) == growing => self.set(),
                _ => self.remove(),
            }
            if self.dice.below(4) != 0 {
                self.table.settle();
            }
            if self.dice.below(500) == 0 {
                self.table.release_memory(2);
            }
            if step % check_every == 0 {
                self.check();
            }
        }
        self.check();
    }
}

#[test]
fn a_small_object_lies_in_its_leaf_whenever_no_call_runs() {
    let alive = Rc::new(Cell::new(0));
    ALIVE.set(alive.clone());
    let mut table = Table::new([1; 4]);
    let hash = table.hash(b"k");
    table.insert(hash, b"k", NewValue::Object(Counted::new(2, &alive)), 1, None, 0);
    assert_eq!(alive.get(), 0);
    // Looking makes one object for each key, which goes at the end of the call.
    let pos = table.find(hash, b"k").unwrap();
    assert!(matches!((table.value(pos), table.value(pos)), (Value::Object(a), Value::Object(b)) if std::ptr::eq(a, b)));
    assert_eq!(alive.get(), 1);
    table.settle();
    assert_eq!(alive.get(), 0);
    // It may grow out of the leaf while it is open, and back into it. When it was small before a change is what counts.
    for (name, inside) in [(30, true), (2 * COMPACT_MAX as u64, false), (3, false), (4, false), (40, true), (1, false)] {
        let pos = table.find(hash, b"k").unwrap();
        table.object_mut(pos).unwrap().name = name;
        table.check_invariants();
        table.settle();
        table.check_invariants();
        let pos = table.find(hash, b"k").unwrap();
        assert_eq!(table.has_boxed_object(pos), !inside, "{name}");
        assert!(matches!(table.value(pos), Value::Object(object) if object.name == name));
        table.settle();
        assert_eq!(alive.get(), i64::from(!inside));
    }
    // What was opened may be gone at the end.
    let pos = table.find(hash, b"k").unwrap();
    table.object_mut(pos).unwrap().name = 6;
    table.settle();
    let pos = table.find(hash, b"k").unwrap();
    table.object_mut(pos);
    assert!(table.remove(pos).is_some_and(|object| object.name == 6));
    table.settle();
    assert_eq!((table.len(), alive.get()), (0, 0));
}

#[test]
fn the_table_is_a_map() {
    for seed in 1..=4 {
        Pair::new(seed * 7919, 3000, true).run(60_000, 12_000, 4_000);
    }
}

#[test]
fn the_table_is_a_map_when_it_is_large() {
    Pair::new(4242, 60_000, false).run(300_000, 80_000, 60_000);
}

#[test]
fn the_table_is_a_map_when_it_is_tiny() {
    for seed in 1..=20 {
        Pair::new(seed * 104_729, 12, true).run(3_000, 300, 100);
    }
}

#[test]
fn dropping_the_table_drops_its_objects() {
    for way in 0..3 {
        let mut pair = Pair::new(99, 5000, true);
        pair.run(20_000, 100_000, 100_000);
        assert!(pair.alive.get() > 100);
        match way {
            0 => drop(pair.table),
            1 => {
                pair.table.clear();
                assert_eq!((pair.table.len(), pair.table.expires_len()), (0, 0));
                pair.table.check_invariants();
            }
            _ => {
                let mut old = pair.table.take();
                pair.table.check_invariants();
                let mut steps = 0;
                while old.drop_some(16) {
                    steps += 1;
                }
                assert!(steps > 10, "a big table goes in slices, this took {steps}");
                assert_eq!(old.len(), 0);
            }
        }
        assert_eq!(pair.alive.get(), 0, "way {way}");
    }
}

fn filled(keys: u64) -> Table<Counted> {
    let mut table = Table::new([1, 2, 3, 4]);
    (0..keys).for_each(|id| add(&mut table, id));
    table
}

fn add(table: &mut Table<Counted>, id: u64) {
    let key = id.to_le_bytes();
    let hash = table.hash(&key);
    table.insert(hash, &key, NewValue::Int(id as i64), 0, None, 0);
    table.settle();
}

fn delete(table: &mut Table<Counted>, id: u64) {
    let key = id.to_le_bytes();
    let pos = table.find(table.hash(&key), &key).expect("it is there");
    table.remove(pos);
    table.settle();
}

fn id_at(table: &Table<Counted>, pos: Pos) -> u64 {
    u64::from_le_bytes(table.key(pos).try_into().expect("eight bytes"))
}

#[test]
fn scan_of_a_quiet_table_gives_every_key_once() {
    for keys in [0, 1, 10, 1000, 20_000] {
        let table = filled(keys);
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = table.scan(cursor, &mut |pos| seen.push(id_at(&table, pos)));
            if cursor == 0 {
                break;
            }
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..keys));
    }
}

#[test]
fn scan_misses_no_key_that_stays_while_the_table_grows_and_shrinks() {
    for seed in 1..=12u64 {
        println!("seed {seed}");
        let mut dice = Dice(seed * 31_337);
        let stay = 2000;
        let mut table = filled(stay);
        let (mut next, mut oldest) = (stay, stay);
        let (mut seen, mut cursor, mut steps) = (HashSet::new(), 0, 0);
        loop {
            cursor = table.scan(cursor, &mut |pos| {
                seen.insert(id_at(&table, pos));
            });
            if cursor == 0 {
                break;
            }
            steps += 1;
            assert!(steps < 100_000, "a scan ends");
            // Waves of growth and shrinking, several times the table's size.
            if dice.below(40) == 0 {
                if next - oldest < 4000 && dice.below(2) == 0 {
                    (0..dice.below(8000)).for_each(|_| { add(&mut table, next); next += 1 });
                } else {
                    while oldest < next { delete(&mut table, oldest); oldest += 1 }
                }
            }
        }
        assert!((0..stay).all(|id| seen.contains(&id)), "every key that stayed was given");
        table.check_invariants();
    }
}

#[test]
fn any_number_is_a_cursor() {
    let table = filled(3000);
    let mut dice = Dice(5);
    for _ in 0..2000 {
        let mut cursor = dice.next() >> dice.below(64);
        for _ in 0..5 {
            cursor = table.scan(cursor, &mut |_| ());
        }
    }
    assert_eq!(Table::<Counted>::new([0; 4]).scan(u64::MAX, &mut |_| panic!("nothing is there")), 0);
}

#[test]
fn samples_are_nearly_uniform() {
    let (keys, rounds) = (2000, 200);
    let table = filled(keys);
    let mut dice = Dice(77);
    let mut hits = vec![0u32; keys as usize];
    for _ in 0..keys * rounds {
        let pos = table.random(&mut || dice.next()).expect("keys are there");
        hits[id_at(&table, pos) as usize] += 1;
    }
    // The standard deviation of a fair draw is 14; six of them.
    for (id, &n) in hits.iter().enumerate() {
        assert!((115..=285).contains(&n), "key {id} came {n} times, {rounds} expected");
    }
}

/// Keys that all have the same hash: what a flood would be if the seed were known.
#[test]
fn a_flooded_bucket_stays_right() {
    let mut table: Table<Counted> = Table::new([9; 4]);
    let mut model = BTreeMap::new();
    let mut dice = Dice(31);
    // Keys whose hashes agree in the low bits share a bucket for as long as the table has no more buckets than that.
    let mut flood = Vec::new();
    let mut id = 0u64;
    while flood.len() < 1500 {
        let key = id.to_le_bytes();
        if table.hash(&key) & 0x7ff == 0x155 {
            flood.push(key);
        }
        id += 1;
    }
    for round in 0..4 {
        for key in &flood {
            let hash = table.hash(key);
            let value = vec![round; dice.below(600) as usize];
            match table.find(hash, key) {
                None => { table.insert(hash, key, NewValue::Bytes(&value), 1, None, 0); }
                Some(pos) => { table.replace(pos, NewValue::Bytes(&value), 1, Some(i64::from(round)), 0); }
            }
            model.insert(*key, value);
            if dice.below(3) == 0 {
                table.settle();
            }
        }
        table.check_invariants();
        assert!(!table.overflow.is_empty(), "the bucket has outgrown a leaf");
        for (key, value) in &model {
            let pos = table.find(table.hash(key), key).expect("it is there");
            assert_eq!(table.value(pos), Value::Bytes(value));
        }
        let mut seen = HashSet::new();
        table.begin_snapshot();
        while !table.snapshot_step(100, &mut |table, pos| assert!(seen.insert(table.key(pos).to_vec()))) {}
        assert_eq!(seen.len(), model.len());
        for _ in 0..100 {
            assert!(table.random(&mut || dice.next()).is_some());
        }
    }
    for (i, key) in flood.iter().enumerate() {
        let pos = table.find(table.hash(key), key).expect("it is there");
        table.remove(pos);
        table.settle();
        if i % 200 == 0 {
            table.check_invariants();
        }
    }
    assert!(table.is_empty() && table.overflow.is_empty());
    table.check_invariants();
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "object {}", self.name)
    }
}

impl PartialEq for Counted {
    fn eq(&self, other: &Counted) -> bool {
        self.name == other.name
    }
}

#[test]
fn an_empty_table_costs_a_few_hundred_bytes() {
    let mut table = filled(0);
    assert!(table.memory_bytes() < 512, "{}", table.memory_bytes());
    (0..50_000).for_each(|id| add(&mut table, id));
    let full = table.memory_bytes();
    assert!(full > 50_000 * 18 && full < 50_000 * 40, "{full}");
    (0..50_000).for_each(|id| delete(&mut table, id));
    while table.release_memory(8) > 0 {}
    assert!(table.memory_bytes() < full / 4, "{} of {full}", table.memory_bytes());
    table.clear();
    assert!(table.memory_bytes() < 512, "{}", table.memory_bytes());
}

#[test]
#[should_panic(expected = "a Pos was used after entries may have moved")]
fn a_stale_pos_is_caught() {
    let mut table = filled(10);
    let pos = table.find(table.hash(&1u64.to_le_bytes()), &1u64.to_le_bytes()).expect("it is there");
    table.settle();
    table.value(pos);
}

#[test]
fn more_aborted_snapshots_than_epochs_do_no_harm() {
    let mut table = filled(5000);
    for round in 0..600 {
        table.begin_snapshot();
        table.snapshot_step(round % 40, &mut |_, _| ());
        table.abort_snapshot();
    }
    let mut count = 0;
    table.begin_snapshot();
    while !table.snapshot_step(10, &mut |_, _| count += 1) {}
    assert_eq!(count, 5000);
}
