//! What the tick does to fields whose time has come, and hashes too large for a transcript.

use crate::transcript::{Bare, START_MS, split_args};

fn say(bare: &mut Bare, line: &str) -> String {
    String::from_utf8(bare.call(&split_args(line).unwrap())).unwrap()
}

/// Ticks until there is no reason to go on; the ops that came of it.
fn tick(bare: &mut Bare) -> Vec<String> {
    bare.shard.effects().clear();
    while bare.shard.tick(bare.now_ms, 1000) {}
    bare.shard.check_invariants();
    let words = |argv: crate::args::Args<'_>| argv.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect::<Vec<_>>();
    bare.shard.effects().ops().map(|(_, argv)| words(argv).join(" ")).collect()
}

fn events(bare: &mut Bare) -> Vec<String> {
    bare.shard.effects().changes().map(|(c, key)| format!("{}:{}", c.event.name, String::from_utf8_lossy(key))).collect()
}

#[test]
fn the_tick_removes_fields_whose_time_has_come_and_the_key_with_the_last() {
    let mut bare = Bare::new(1);
    say(&mut bare, "HSETEX h PX 100 FIELDS 1 a 1");
    say(&mut bare, "HSETEX h PX 200 FIELDS 1 b 1");
    say(&mut bare, "HSET g a 1 b 2");
    assert!(tick(&mut bare).is_empty());
    bare.now_ms = START_MS + 100;
    assert_eq!(tick(&mut bare), ["HDEL h a"]);
    assert_eq!(events(&mut bare), ["hexpired:h"]);
    assert_eq!(bare.shard.effects().expired_fields, 1);
    assert_eq!(say(&mut bare, "HLEN h"), ":1\r\n");
    bare.now_ms = START_MS + 200;
    assert_eq!(tick(&mut bare), ["HDEL h b", "UNLINK h"]);
    assert_eq!(events(&mut bare), ["hexpired:h", "del:h"]);
    assert_eq!(say(&mut bare, "EXISTS h g"), ":1\r\n");
}

#[test]
fn fields_are_found_wherever_their_hash_went() {
    let mut bare = Bare::new(1);
    say(&mut bare, "HSETEX h PX 100 FIELDS 1 a 1");
    say(&mut bare, "HSET h b 1");
    say(&mut bare, "COPY h copy");
    say(&mut bare, "MOVE h 1");
    say(&mut bare, "RENAME copy renamed");
    say(&mut bare, "SWAPDB 0 2");
    bare.now_ms = START_MS + 100;
    let mut ops = tick(&mut bare);
    ops.extend(tick(&mut bare));
    ops.sort();
    assert_eq!(ops, ["HDEL h a", "HDEL renamed a"]);
}

#[test]
fn a_new_expiry_counts_and_one_taken_away_does_not() {
    let mut bare = Bare::new(1);
    say(&mut bare, "HSETEX h PX 100 FIELDS 3 a 1 b 1 c 1");
    say(&mut bare, "HPERSIST h FIELDS 1 a");
    say(&mut bare, "HPEXPIRE h 300 FIELDS 1 b");
    bare.now_ms = START_MS + 100;
    assert_eq!(tick(&mut bare), ["HDEL h c"]);
    bare.now_ms = START_MS + 300;
    assert_eq!(tick(&mut bare), ["HDEL h b"]);
    assert_eq!(say(&mut bare, "HGETALL h"), "*2\r\n$1\r\na\r\n$1\r\n1\r\n");
}

#[test]
fn a_replica_waits_for_its_primary() {
    let mut bare = Bare::new(1);
    say(&mut bare, "HSETEX h PX 100 FIELDS 1 a 1");
    bare.shard.keyspace.keep_expired = true;
    bare.now_ms = START_MS + 100;
    assert!(tick(&mut bare).is_empty());
    assert_eq!(say(&mut bare, "HGET h a"), "$-1\r\n");
    bare.shard.keyspace.keep_expired = false;
    assert_eq!(tick(&mut bare), ["HDEL h a", "UNLINK h"]);
}

#[test]
fn many_fields_that_are_due_go_in_slices() {
    let mut bare = Bare::new(1);
    let pairs: Vec<String> = (0..5000).map(|i| format!("field:{i} value:{i}")).collect();
    say(&mut bare, &format!("HSETEX h PX 100 FIELDS 5000 {}", pairs.join(" ")));
    say(&mut bare, "HSET h stays 1");
    bare.now_ms = START_MS + 100;
    bare.shard.effects().clear();
    assert!(bare.shard.tick(bare.now_ms, 10), "there is more");
    assert!((1..=300).contains(&bare.shard.effects().expired_fields));
    let ops = tick(&mut bare);
    assert!(ops.len() > 15, "{}", ops.len());
    assert_eq!(say(&mut bare, "HLEN h"), ":1\r\n");
}

#[test]
fn a_large_hash_is_read_scanned_and_sampled() {
    let mut bare = Bare::new(1);
    let pairs: Vec<String> = (0..2000).map(|i| format!("field:{i} {i}")).collect();
    assert_eq!(say(&mut bare, &format!("HSET h {}", pairs.join(" "))), ":2000\r\n");
    assert_eq!(say(&mut bare, "OBJECT ENCODING h"), "$9\r\nhashtable\r\n");
    assert_eq!(say(&mut bare, "HGET h field:1234"), "$4\r\n1234\r\n");
    assert!(say(&mut bare, "HGETALL h").starts_with("*4000\r\n"));
    for (count, found) in [(1, 1), (10, 10), (1500, 1500), (2000, 2000), (9999, 2000), (-3000, 3000)] {
        let reply = say(&mut bare, &format!("HRANDFIELD h {count}"));
        let names: Vec<&str> = reply.lines().filter(|line| line.starts_with("field:")).collect();
        assert_eq!(names.len(), found);
        if count > 0 {
            let different: std::collections::BTreeSet<&str> = names.into_iter().collect();
            assert_eq!(different.len(), found);
        }
    }
    let (mut cursor, mut seen) = ("0".to_string(), std::collections::BTreeSet::new());
    loop {
        let reply = say(&mut bare, &format!("HSCAN h {cursor} COUNT 50 NOVALUES MATCH *1*"));
        seen.extend(reply.lines().filter(|line| line.starts_with("field:")).map(str::to_owned));
        cursor = reply.lines().nth(2).unwrap().to_owned();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), (0..2000).filter(|i| i.to_string().contains('1')).count());
}

#[test]
fn a_count_beyond_all_memory_answers_an_error() {
    let mut bare = Bare::new(1);
    let long = "x".repeat(1 << 20);
    say(&mut bare, &format!("HSET h {long} 1"));
    let reply = say(&mut bare, "HRANDFIELD h -9223372036854775807");
    assert!(reply.starts_with("-ERR"), "{}", &reply[..20]);
}
