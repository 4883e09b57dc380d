//! The named tests, and how a load is put together from them.
//!
//! Each line of `TESTS` is a name and the commands it stands for, with the key names, the shapes and the order of
//! valkey-benchmark, so that figures can be laid side by side. A name may also be a group (`ping`, `lrange`). A load
//! is either a row of such tests, run one after the other, or one mix of several commands drawn by weight.

use crate::random::Rng;
use crate::template::{Template, Values, split_words};

/// Name, title in the results, command. A command that starts with `inline:` is sent as it is.
const TESTS: &[(&str, &str, &str)] = &[
    ("ping_inline", "PING_INLINE", "inline:PING"),
    ("ping_mbulk", "PING_MBULK", "PING"),
    ("set", "SET", "SET key:__rand_int__ __data__"),
    ("get", "GET", "GET key:__rand_int__"),
    ("incr", "INCR", "INCR counter:__rand_int__"),
    ("lpush", "LPUSH", "LPUSH mylist __data__"),
    ("rpush", "RPUSH", "RPUSH mylist __data__"),
    ("lpop", "LPOP", "LPOP mylist"),
    ("rpop", "RPOP", "RPOP mylist"),
    ("sadd", "SADD", "SADD myset element:__rand_int__"),
    ("hset", "HSET", "HSET myhash element:__rand_int__ __data__"),
    ("spop", "SPOP", "SPOP myset"),
    ("zadd", "ZADD", "ZADD myzset __rand_int__ element:__rand_1st__"),
    ("zpopmin", "ZPOPMIN", "ZPOPMIN myzset"),
    ("lrange_load", "LPUSH (for LRANGE)", "LPUSH mylist __data__"),
    ("lrange_100", "LRANGE_100", "LRANGE mylist 0 99"),
    ("lrange_300", "LRANGE_300", "LRANGE mylist 0 299"),
    ("lrange_500", "LRANGE_500", "LRANGE mylist 0 499"),
    ("lrange_600", "LRANGE_600", "LRANGE mylist 0 599"),
    ("mset", "MSET (10 keys)", ""),
    ("mget", "MGET (10 keys)", ""),
    ("xadd", "XADD", "XADD mystream * myfield __data__"),
    // Beyond valkey-benchmark's set.
    ("setex", "SETEX", "SETEX key:__rand_int__ 3600 __data__"),
    ("getset", "GETSET", "GETSET key:__rand_int__ __data__"),
    ("append", "APPEND", "APPEND appended:__rand_int__ __data__"),
    ("strlen", "STRLEN", "STRLEN key:__rand_int__"),
    ("getrange", "GETRANGE", "GETRANGE key:__rand_int__ 0 15"),
    ("setrange", "SETRANGE", "SETRANGE key:__rand_int__ 0 __data__"),
    ("exists", "EXISTS", "EXISTS key:__rand_int__"),
    ("expire", "EXPIRE", "EXPIRE key:__rand_int__ 3600"),
    ("ttl", "TTL", "TTL key:__rand_int__"),
    ("del", "DEL", "DEL key:__rand_int__"),
    ("hget", "HGET", "HGET myhash element:__rand_int__"),
    ("hgetall", "HGETALL", "HGETALL myhash"),
    ("hsets", "HSET (many hashes)", "HSET hash:__rand_int__ field __data__"),
    ("sismember", "SISMEMBER", "SISMEMBER myset element:__rand_int__"),
    ("zscore", "ZSCORE", "ZSCORE myzset element:__rand_int__"),
    ("zrange_100", "ZRANGE_100", "ZRANGE myzset 0 99"),
    ("xrange_100", "XRANGE_100", "XRANGE mystream - + COUNT 100"),
    ("xlen", "XLEN", "XLEN mystream"),
    ("publish", "PUBLISH", "PUBLISH channel:__rand_int__ __data__"),
];

/// Group names and the tests they stand for.
const GROUPS: &[(&str, &[&str])] = &[
    ("ping", &["ping_inline", "ping_mbulk"]),
    ("lrange", &["lrange_load", "lrange_100", "lrange_300", "lrange_500", "lrange_600"]),
    ("strings", &["set", "get", "incr", "mset", "mget", "append", "getrange", "strlen", "getset", "setex"]),
    (
        "official",
        &["set", "get", "rpush", "lpush", "lpop", "sadd", "spop", "hset", "mget", "lrange_100", "zpopmin", "xadd", "xrange_100"],
    ),
];

/// What valkey-benchmark runs when nothing is named.
const DEFAULT: &str = "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange,mset,mget,xadd";

/// One run's commands and how often each is drawn.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The name of the run in the results.
    pub name: String,
    /// The commands.
    pub commands: Vec<Template>,
    /// Running sums of the weights.
    sums: Vec<u64>,
}

impl Workload {
    /// A load of weighted commands.
    pub fn new(name: &str, weighted: Vec<(Template, u64)>) -> Result<Workload, String> {
        let (mut commands, mut sums, mut sum) = (Vec::new(), Vec::new(), 0u64);
        for (template, weight) in weighted {
            sum += weight;
            sums.push(sum);
            commands.push(template);
        }
        if sum == 0 {
            return Err(format!("{name}: all weights are zero"));
        }
        Ok(Workload { name: name.to_string(), commands, sums })
    }

    /// A load of one command.
    pub fn single(template: Template) -> Workload {
        Workload { name: template.name.clone(), commands: vec![template], sums: vec![1] }
    }

    /// Draws the index of the next command.
    #[inline]
    pub fn pick(&self, rng: &mut Rng) -> usize {
        if self.commands.len() == 1 {
            return 0;
        }
        let ticket = rng.below(self.sums[self.sums.len() - 1]);
        self.sums.partition_point(|&sum| sum <= ticket)
    }
}

/// The template of one named test.
pub fn named_test(name: &str, values: &Values) -> Result<Template, String> {
    let wanted = name.to_ascii_lowercase();
    let &(name, title, line) = TESTS
        .iter()
        .find(|(n, ..)| *n == wanted)
        .ok_or_else(|| format!("no test is named '{name}'; there are: {}", names().join(" ")))?;
    if let Some(inline) = line.strip_prefix("inline:") {
        return Ok(Template::raw(title, format!("{inline}\r\n").as_bytes()));
    }
    let words = match name {
        "mset" => split_words(&format!("MSET{}", " key:__rand_int__ __data__".repeat(10)))?,
        "mget" => split_words(&format!("MGET{}", " key:__rand_int__".repeat(10)))?,
        _ => split_words(line)?,
    };
    Template::new(title, &words, values)
}

/// All names `-t` accepts.
pub fn names() -> Vec<&'static str> {
    GROUPS.iter().map(|(g, _)| *g).chain(TESTS.iter().map(|(n, ..)| *n)).collect()
}

/// The row of loads behind a `-t` list; `None` is the default row.
pub fn named_row(list: Option<&str>, values: &Values) -> Result<Vec<Workload>, String> {
    let mut row = Vec::new();
    for name in list.unwrap_or(DEFAULT).split(',').map(str::trim).filter(|n| !n.is_empty()) {
        let group = GROUPS.iter().find(|(g, _)| g.eq_ignore_ascii_case(name));
        let members = group.map_or_else(|| vec![name], |(_, members)| members.to_vec());
        for member in members {
            row.push(Workload::single(named_test(member, values)?));
        }
    }
    if row.is_empty() { Err("-t names no test".into()) } else { Ok(row) }
}

/// A mix as `get=80,set=20`.
pub fn named_mix(text: &str, values: &Values) -> Result<Workload, String> {
    let mut weighted = Vec::new();
    for part in text.split(',') {
        let (name, weight) = part.split_once('=').ok_or_else(|| format!("'{part}': expected name=weight"))?;
        let weight = weight.trim().parse().map_err(|_| format!("'{weight}' is not a whole number"))?;
        weighted.push((named_test(name.trim(), values)?, weight));
    }
    Workload::new(text, weighted)
}

/// A ratio of SETs to GETs as `1:10`, the order of memtier's `--ratio`.
pub fn ratio(text: &str, values: &Values) -> Result<Workload, String> {
    let (writes, reads) = text.split_once(':').ok_or_else(|| format!("'{text}': expected WRITES:READS"))?;
    named_mix(&format!("set={writes},get={reads}"), values).map(|w| Workload { name: format!("SET:GET {text}"), ..w })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values::new(3, 3, false, 0)
    }

    #[test]
    fn every_named_test_and_group_makes_a_template() {
        for name in names() {
            assert!(!named_row(Some(name), &values()).expect(name).is_empty());
        }
        assert!(named_row(None, &values()).expect("the default row").len() > 15);
        assert!(named_row(Some("set,nonsense"), &values()).is_err());
    }

    #[test]
    fn tests_are_also_found_in_capitals() {
        assert_eq!(named_test("GET", &values()).expect("known").name, "GET");
    }

    #[test]
    fn a_mix_draws_by_weight_and_never_what_weighs_nothing() {
        let mix = named_mix("get=80,incr=0,set=20", &values()).expect("a mix");
        let mut rng = Rng::new(2);
        let mut seen = [0u32; 3];
        for _ in 0..10_000 {
            seen[mix.pick(&mut rng)] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((7_800..8_200).contains(&seen[0]), "{seen:?}");
    }

    #[test]
    fn a_ratio_is_writes_to_reads() {
        let load = ratio("0:1", &values()).expect("a ratio");
        let mut rng = Rng::new(2);
        assert!((0..100).all(|_| load.commands[load.pick(&mut rng)].name == "GET"));
        assert!(ratio("0:0", &values()).is_err());
        assert!(ratio("1", &values()).is_err());
    }
}
