//! Values with a grammar of their own: save points, output buffer limits, addresses, events, percentiles ...

use super::numbers::{lenient, memory, memory_text};
use super::values::{Origin, Reason, Rule, Text, Value, Written, line, one_of, replace};
use super::words::quote_if_needed;

/// Most addresses `bind` takes.
const ADDRESSES_MAX: usize = 16;

fn is_empty_list(words: &[&[u8]]) -> bool {
    matches!(words, [] | [b""])
}

/// Snapshot after `seconds` if at least `changes` happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last snapshot.
    pub seconds: i64,
    /// Changes since then.
    pub changes: i64,
}

/// `save`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavePoints(pub Vec<SavePoint>);

impl Default for SavePoints {
    fn default() -> SavePoints {
        let point = |(seconds, changes)| SavePoint { seconds, changes };
        SavePoints([(3600, 1), (300, 100), (60, 10_000)].map(point).to_vec())
    }
}

impl SavePoints {
    fn parse(words: &[&[u8]]) -> Option<Vec<SavePoint>> {
        let mut points = Vec::new();
        for pair in words.chunks(2) {
            let [seconds, changes] = pair else { return None };
            let point = SavePoint { seconds: lenient(seconds)?, changes: lenient(changes)? };
            if point.seconds < 1 || point.changes < 0 {
                return None;
            }
            points.push(point);
        }
        Some(points)
    }
}

impl Value for SavePoints {
    fn set(&mut self, words: &[&[u8]], _: &Rule, origin: Origin) -> Result<bool, Reason> {
        let empty = is_empty_list(words);
        let points = if empty { Vec::new() } else { SavePoints::parse(words).ok_or("Invalid save parameters")? };
        if empty || origin != Origin::LaterLine {
            return Ok(replace(&mut self.0, points));
        }
        self.0.extend(points);
        Ok(true)
    }

    fn show(&self, _: &Rule) -> Vec<u8> {
        let points: Vec<_> = self.0.iter().map(|point| format!("{} {}", point.seconds, point.changes)).collect();
        points.join(" ").into_bytes()
    }

    fn write(&self, name: &str, _: &[u8], rule: &Rule) -> Written {
        let points = self.show(rule);
        let value = if points.is_empty() { b"\"\"".to_vec() } else { points };
        Written::Lines(vec![(line(name, &value), true)])
    }
}

/// Limits on the replies waiting for one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OutputLimit {
    /// Disconnect at once at this many bytes; 0 never.
    pub hard_bytes: u64,
    /// Disconnect when above this for `soft_seconds`; 0 never.
    pub soft_bytes: u64,
    /// See `soft_bytes`.
    pub soft_seconds: i64,
}

/// `client-output-buffer-limit`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Ordinary clients.
    pub normal: OutputLimit,
    /// Replicas.
    pub replica: OutputLimit,
    /// Clients with subscriptions.
    pub pubsub: OutputLimit,
}

impl Default for OutputLimits {
    fn default() -> OutputLimits {
        const MIB: u64 = 1024 * 1024;
        OutputLimits {
            normal: OutputLimit::default(),
            replica: OutputLimit { hard_bytes: 256 * MIB, soft_bytes: 64 * MIB, soft_seconds: 60 },
            pubsub: OutputLimit { hard_bytes: 32 * MIB, soft_bytes: 8 * MIB, soft_seconds: 60 },
        }
    }
}

impl OutputLimits {
    fn class(&mut self, name: &[u8]) -> Option<&mut OutputLimit> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Some(&mut self.normal),
            b"slave" | b"replica" => Some(&mut self.replica),
            b"pubsub" => Some(&mut self.pubsub),
            _ => None,
        }
    }
}

fn output_limit(hard: &[u8], soft: &[u8], seconds: &[u8]) -> Option<OutputLimit> {
    let limit =
        OutputLimit { hard_bytes: memory(hard)?, soft_bytes: memory(soft)?, soft_seconds: lenient(seconds)? };
    (0..=i64::from(i32::MAX)).contains(&limit.soft_seconds).then_some(limit)
}

impl Value for OutputLimits {
    fn set(&mut self, words: &[&[u8]], _: &Rule, _: Origin) -> Result<bool, Reason> {
        let mut new = *self;
        if !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        }
        for group in words.chunks(4) {
            let class = new.class(group[0]);
            let place = class.ok_or("Invalid client class specified in buffer limit configuration.")?;
            *place = output_limit(group[1], group[2], group[3])
                .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        }
        Ok(replace(self, new))
    }

    fn show(&self, _: &Rule) -> Vec<u8> {
        let classes = [("normal", self.normal), ("slave", self.replica), ("pubsub", self.pubsub)];
        let text = classes.map(|(name, limit)| {
            format!("{name} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
        });
        text.join(" ").into_bytes()
    }

    fn write(&self, name: &str, _: &[u8], _: &Rule) -> Written {
        let default = OutputLimits::default();
        let classes = [
            ("normal", self.normal, default.normal),
            ("replica", self.replica, default.replica),
            ("pubsub", self.pubsub, default.pubsub),
        ];
        let lines = classes.map(|(class, limit, default)| {
            let (hard, soft) = (memory_text(limit.hard_bytes), memory_text(limit.soft_bytes));
            let value = format!("{class} {hard} {soft} {}", limit.soft_seconds);
            (line(name, value.as_bytes()), limit != default)
        });
        Written::Lines(lines.to_vec())
    }
}

/// `bind` and `rdma-bind`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(pub Vec<Text>);

impl Addresses {
    /// Every address, IPv6 if there is any.
    pub fn everywhere() -> Addresses {
        Addresses(vec![Text::of("*"), Text::of("-::*")])
    }

    /// No address.
    pub fn none() -> Addresses {
        Addresses(Vec::new())
    }
}

impl Value for Addresses {
    fn set(&mut self, words: &[&[u8]], _: &Rule, _: Origin) -> Result<bool, Reason> {
        if words.len() > ADDRESSES_MAX {
            return Err("Too many bind addresses specified.".into());
        }
        let words = if is_empty_list(words) { &[] } else { words };
        Ok(replace(&mut self.0, words.iter().map(|word| Text::of_bytes(word)).collect()))
    }

    fn show(&self, _: &Rule) -> Vec<u8> {
        self.0.iter().map(Text::as_bytes).collect::<Vec<_>>().join(&b' ')
    }

    fn write(&self, name: &str, default: &[u8], rule: &Rule) -> Written {
        if self.show(rule) == default {
            return if default.is_empty() { Written::Untouched } else { Written::Nothing };
        }
        let words: Vec<_> = self.0.iter().map(|address| quote_if_needed(address.as_bytes())).collect();
        let value = if words.is_empty() { b"\"\"".to_vec() } else { words.join(&b' ') };
        Written::Lines(vec![(line(name, &value), true)])
    }
}

/// `oom-score-adj-values`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OomScores {
    /// While a primary.
    pub primary: i32,
    /// While a replica.
    pub replica: i32,
    /// For background children, of which Ringkey has none.
    pub background: i32,
}

impl Default for OomScores {
    fn default() -> OomScores {
        OomScores { primary: 0, replica: 200, background: 800 }
    }
}

impl Value for OomScores {
    fn set(&mut self, words: &[&[u8]], _: &Rule, _: Origin) -> Result<bool, Reason> {
        let [primary, replica, background] = words else { return Err("wrong number of arguments".into()) };
        let score = |word: &[u8]| {
            let number = lenient(word).and_then(|number| i32::try_from(number).ok());
            number
                .filter(|number| (-2000..=2000).contains(number))
                .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        };
        let new = OomScores { primary: score(primary)?, replica: score(replica)?, background: score(background)? };
        Ok(replace(self, new))
    }

    fn show(&self, _: &Rule) -> Vec<u8> {
        format!("{} {} {}", self.primary, self.replica, self.background).into_bytes()
    }
}

/// `notify-keyspace-events`, as a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NotifyFlags(pub u32);

/// Letter and bit of each class of events, in the order they are shown.
const EVENT_CLASSES: [(u8, u32); 14] = [
    (b'g', NotifyFlags::GENERIC),
    (b'$', NotifyFlags::STRING),
    (b'l', NotifyFlags::LIST),
    (b's', NotifyFlags::SET),
    (b'h', NotifyFlags::HASH),
    (b'z', NotifyFlags::ZSET),
    (b'x', NotifyFlags::EXPIRED),
    (b'e', NotifyFlags::EVICTED),
    (b't', NotifyFlags::STREAM),
    (b'd', NotifyFlags::MODULE),
    (b'n', NotifyFlags::NEW),
    (b'K', NotifyFlags::KEYSPACE),
    (b'E', NotifyFlags::KEYEVENT),
    (b'm', NotifyFlags::MISS),
];

impl NotifyFlags {
    /// Publish to `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: u32 = 1 << 0;
    /// Publish to `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: u32 = 1 << 1;
    /// DEL, EXPIRE, RENAME and other commands on any type.
    pub const GENERIC: u32 = 1 << 2;
    /// Strings.
    pub const STRING: u32 = 1 << 3;
    /// Lists.
    pub const LIST: u32 = 1 << 4;
    /// Sets.
    pub const SET: u32 = 1 << 5;
    /// Hashes.
    pub const HASH: u32 = 1 << 6;
    /// Sorted sets.
    pub const ZSET: u32 = 1 << 7;
    /// A key expired.
    pub const EXPIRED: u32 = 1 << 8;
    /// A key was evicted.
    pub const EVICTED: u32 = 1 << 9;
    /// Streams.
    pub const STREAM: u32 = 1 << 10;
    /// A key was asked for and not there.
    pub const MISS: u32 = 1 << 11;
    /// Modules.
    pub const MODULE: u32 = 1 << 13;
    /// A key was created.
    pub const NEW: u32 = 1 << 14;
    /// `A`: all but MISS and NEW.
    pub const ALL: u32 = NotifyFlags::GENERIC
        | NotifyFlags::STRING
        | NotifyFlags::LIST
        | NotifyFlags::SET
        | NotifyFlags::HASH
        | NotifyFlags::ZSET
        | NotifyFlags::EXPIRED
        | NotifyFlags::EVICTED
        | NotifyFlags::STREAM
        | NotifyFlags::MODULE;

    /// Whether events of a class are published at all.
    pub fn has(self, class: u32) -> bool {
        self.0 & class != 0
    }

    fn parse(text: &[u8]) -> Option<NotifyFlags> {
        let mut flags = 0;
        for letter in text {
            flags |= match letter {
                b'A' => NotifyFlags::ALL,
                _ => EVENT_CLASSES.iter().find(|(known, _)| known == letter)?.1,
            };
        }
        Some(NotifyFlags(flags))
    }
}

impl Value for NotifyFlags {
    fn set(&mut self, words: &[&[u8]], _: &Rule, _: Origin) -> Result<bool, Reason> {
        let [text] = words else { return Err("wrong number of arguments".into()) };
        let new = NotifyFlags::parse(text).ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
        Ok(replace(self, new))
    }

    /// As in Valkey, `n` is not shown beside `A`; unlike it, a rewritten file keeps it.
    fn show(&self, _: &Rule) -> Vec<u8> {
        let all = self.0 & NotifyFlags::ALL == NotifyFlags::ALL;
        let hidden = if all { NotifyFlags::ALL | NotifyFlags::NEW } else { 0 };
        let mut text = if all { b"A".to_vec() } else { Vec::new() };
        text.extend(EVENT_CLASSES.iter().filter(|(_, bit)| self.0 & bit & !hidden != 0).map(|(letter, _)| letter));
        text
    }

    fn write(&self, name: &str, _: &[u8], rule: &Rule) -> Written {
        let mut text = self.show(rule);
        if self.has(NotifyFlags::NEW) && !text.contains(&b'n') {
            text.push(b'n');
        }
        Written::Lines(vec![(line(name, &super::words::quote(&text)), self.0 != 0)])
    }
}

/// `replicaof`
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Primary(pub Option<(Text, u16)>);

impl Value for Primary {
    fn set(&mut self, words: &[&[u8]], _: &Rule, _: Origin) -> Result<bool, Reason> {
        let [host, port] = words else { return Err("wrong number of arguments".into()) };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            return Ok(replace(&mut self.0, None));
        }
        let port = lenient(port).and_then(|port| u16::try_from(port).ok()).ok_or("Invalid primary port")?;
        Ok(replace(&mut self.0, Some((Text::of_bytes(host), port))))
    }

    fn show(&self, _: &Rule) -> Vec<u8> {
        match &self.0 {
            Some((host, port)) => [host.as_bytes(), b" ", port.to_string().as_bytes()].concat(),
            None => Vec::new(),
        }
    }

    fn write(&self, name: &str, _: &[u8], _: &Rule) -> Written {
        let Some((host, port)) = &self.0 else { return Written::Nothing };
        let host = quote_if_needed(host.as_bytes());
        let value = [&host, b" ".as_slice(), port.to_string().as_bytes()].concat();
        Written::Lines(vec![(line(name, &value), true)])
    }
}

/// `latency-tracking-info-percentiles`
#[derive(Clone, Debug, PartialEq)]
pub struct Percentiles(pub Vec<f64>);

impl Default for Percentiles {
    fn default() -> Percentiles {
        Percentiles(vec![50.0, 99.0, 99.9])
    }
}

impl Percentiles {
    /// Each with its text.
    pub fn named(&self) -> impl Iterator<Item = (String, f64)> + '_ {
        self.0.iter().map(|number| (percentile_text(*number), *number))
    }
}

impl Value for Percentiles {
    fn set(&mut self, words: &[&[u8]], _: &Rule, _: Origin) -> Result<bool, Reason> {
        let mut new = Vec::new();
        for word in if is_empty_list(words) { &[] } else { words } {
            let number = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
            let number = number.filter(|number| !number.is_nan());
            let number = number.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
            if !(0.0..=100.0).contains(&number) {
                return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into());
            }
            new.push(number);
        }
        Ok(replace(&mut self.0, new))
    }

    fn show(&self, _: &Rule) -> Vec<u8> {
        let texts: Vec<_> = self.0.iter().map(|number| percentile_text(*number)).collect();
        texts.join(" ").into_bytes()
    }

    fn write(&self, name: &str, _: &[u8], rule: &Rule) -> Written {
        let shown = self.show(rule);
        let value = if shown.is_empty() { b"\"\"".to_vec() } else { shown };
        Written::Lines(vec![(line(name, &value), true)])
    }
}

/// Six places after the point, without the zeros at their end. INFO latencystats names its fields so.
pub fn percentile_text(number: f64) -> String {
    format!("{number:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `shutdown-on-sigint` and `shutdown-on-sigterm`, as a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ShutdownFlags(pub u32);

const SHUTDOWN_WORDS: [(&str, u32); 7] = [
    ("default", 0),
    ("save", ShutdownFlags::SAVE),
    ("nosave", ShutdownFlags::NOSAVE),
    ("now", ShutdownFlags::NOW),
    ("force", ShutdownFlags::FORCE),
    ("safe", ShutdownFlags::SAFE),
    ("failover", ShutdownFlags::FAILOVER),
];

impl ShutdownFlags {
    /// Save even without save points.
    pub const SAVE: u32 = 1 << 0;
    /// Do not save.
    pub const NOSAVE: u32 = 1 << 1;
    /// Do not wait for replicas.
    pub const NOW: u32 = 1 << 2;
    /// Stop even if something fails.
    pub const FORCE: u32 = 1 << 3;
    /// Stop only if it is safe.
    pub const SAFE: u32 = 1 << 4;
    /// Hand over to a replica.
    pub const FAILOVER: u32 = 1 << 5;

    /// Whether a word was given.
    pub fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }
}

impl Value for ShutdownFlags {
    fn set(&mut self, words: &[&[u8]], _: &Rule, _: Origin) -> Result<bool, Reason> {
        let refusal = || one_of(&SHUTDOWN_WORDS.map(|(word, _)| word));
        if words.is_empty() {
            return Err(refusal());
        }
        let mut flags = 0;
        for word in words {
            let known = SHUTDOWN_WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known.as_bytes()));
            flags |= known.ok_or_else(refusal)?.1;
        }
        if ShutdownFlags(flags).has(ShutdownFlags::SAVE) && ShutdownFlags(flags).has(ShutdownFlags::NOSAVE) {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        Ok(replace(&mut self.0, flags))
    }

    fn show(&self, _: &Rule) -> Vec<u8> {
        if self.0 == 0 {
            return b"default".to_vec();
        }
        let words = SHUTDOWN_WORDS.iter().filter(|(_, flag)| self.has(*flag)).map(|(word, _)| *word);
        words.collect::<Vec<_>>().join(" ").into_bytes()
    }
}

/// `dir`: the folder relative names start from. Kept as an absolute path once it was entered.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Dir(pub Text);

impl Value for Dir {
    fn set(&mut self, words: &[&[u8]], _: &Rule, _: Origin) -> Result<bool, Reason> {
        let [path] = words else { return Err("wrong number of arguments".into()) };
        if path.is_empty() {
            return Err("dir can't be empty".into());
        }
        Ok(replace(&mut self.0, Text::of_bytes(path)))
    }

    fn show(&self, _: &Rule) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    fn write(&self, name: &str, _: &[u8], _: &Rule) -> Written {
        if self.0.is_empty() {
            return Written::Nothing;
        }
        Written::Lines(vec![(line(name, &super::words::quote(self.0.as_bytes())), true)])
    }
}
