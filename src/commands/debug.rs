//! DEBUG: what tests need. Only where `enable-debug-command` allows it; a gate sees to that.
//!
//! Valkey's DEBUG is one command, not a container: COMMAND shows no subcommands, and wrong arguments are the subcommand's
//! own error. DEBUG OBJECT and POPULATE are the engine's rows ([`shards::commands::database::DEBUG`]); the table finds them
//! when the arguments fit, everything else comes here.
//!
//! What other servers can do under this name and this one cannot (yet) is told as such, not as a typing error.

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::core::Center;
use crate::core::clients::LOOK_AT_OUTPUT_BYTES;
use shards::command::{Group, category, flag};
use shards::commands::container;
use shards::error::{CommandError, NOT_A_FLOAT};
use shards::reply::{Reply, Resp};
use shards::stdx::glob;
use shards::stdx::prng::Prng;
use std::time::{Duration, Instant};

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [DEBUG]
}

/// DEBUG subcommand
pub const DEBUG: ServerCommand = ServerCommand {
    arity: -2,
    group: Group::Server,
    since: "1.0.0",
    summary: "Helps to test and to look inside.",
    complexity: "Depends on the subcommand.",
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::PROTECTED | flag::SYSCMD,
    acl: category::DANGEROUS,
    ..ServerCommand::new("debug", debug)
};

/// Subcommands of Valkey that are missing here.
const MISSING: &[&str] = &[
    "aof-flush-sleep", "change-repl-id", "client-eviction", "close-cluster-link-on-packet-drop",
    "config-rewrite-force-all", "crash-and-recover", "delay-rdb-client-free-seconds", "dict-resizing",
    "disable-cluster-random-ping", "disable-cluster-reconnection", "drop-cluster-packet-filter",
    "force-free-primary-async", "force-tls-write-error", "hashtable-can-abort-shrink", "htstats", "htstats-key", "leak",
    "loadaof", "mallctl", "mallctl-str", "oom", "pause-after-fork", "protect-client", "quicklist",
    "replicate", "replybuffer", "restart", "sdslen", "segfault",
    "slotmigration", "structsize",
];

fn debug(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let name = x.arg(1).to_ascii_lowercase();
    match (name.as_slice(), x.argc()) {
        (b"help", 2) => Ok(help(x)),
        (b"sleep", 3) => sleep(x),
        (b"set-active-expire", 3) => {
            let on = leading_int(x.arg(2)) != 0;
            Ok(Flow::everywhere(move |center: &mut Center| center.shard.active_expire = on))
        }
        (b"pause-cron", 3) => {
            let paused = leading_int(x.arg(2)) != 0;
            Ok(Flow::everywhere(move |center: &mut Center| center.ticks_paused = paused))
        }
        // Valkey's replies then take blocks of their own, which count; here every byte counts.
        (b"client-enforce-reply-list", 3) => {
            let bytes = if leading_int(x.arg(2)) == 0 { LOOK_AT_OUTPUT_BYTES } else { 0 };
            Ok(Flow::everywhere(move |center: &mut Center| center.look_at_output_bytes = bytes))
        }
        (b"log", 3) => {
            tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(x.arg(2)));
            x.reply.ok();
            Ok(Flow::Done)
        }
        (b"error", 3) => {
            error(x);
            Ok(Flow::Done)
        }
        (b"protocol", 3) => protocol(x),
        (b"quicklist-packed-threshold", 3) => {
            let bytes = packed_threshold(x.arg(2)).ok_or(CommandError::Static(
                "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
            ))?;
            Ok(Flow::everywhere(move |center: &mut Center| center.shard.set_large_from(bytes)))
        }
        (b"set-disable-deny-scripts", 3) => {
            let all = leading_int(x.arg(2)) != 0;
            Ok(Flow::everywhere(move |center: &mut Center| center.scripts.may_call_all = all))
        }
        (b"set-skip-checksum-validation", 3) => {
            let skip = leading_int(x.arg(2)) != 0;
            Ok(Flow::everywhere(move |center: &mut Center| center.shard.set_skip_checksum(skip)))
        }
        (b"stringmatch-len", 4) => {
            x.reply.int(glob::matches(x.arg(2), x.arg(3), false).into());
            Ok(Flow::Done)
        }
        (b"stringmatch-test", 2) => {
            match_random_strings();
            x.reply.simple("Apparently the server did not crash: test passed");
            Ok(Flow::Done)
        }
        (b"panic", _) => panic!("DEBUG PANIC called at Unix time {}", x.center.now_ms / 1000),
        (b"assert", _) => panic!("assertion failed: DEBUG ASSERT"),
        (name, _) if MISSING.iter().any(|missing| missing.as_bytes() == name) => {
            let name = String::from_utf8_lossy(name).to_ascii_uppercase();
            Err(CommandError::owned(format!("ERR DEBUG {name} is not supported by this server")))
        }
        _ => Err(container::wrong_arguments(x.argv)),
    }
}

/// Every core sleeps, so that the server answers nobody, as a single-threaded one would. They sleep at the end of their
/// turns and report before that: all at the same time, and the core that asked has slept when it sees the reports. A core
/// alone has its own report at once, so it sleeps right here. Like strtod, a text that begins with no number is 0.
fn sleep(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let text = String::from_utf8_lossy(x.arg(2));
    let number = (0..=text.len()).rev().filter_map(|end| text.get(..end)?.trim_start().parse::<f64>().ok()).next();
    let pause = Duration::try_from_secs_f64(number.unwrap_or(0.0).max(0.0)).map_err(|_| NOT_A_FLOAT)?;
    let since = Instant::now();
    Ok(Flow::everywhere(move |center| {
        if center.cores == 1 {
            std::thread::sleep(pause);
        } else {
            center.sleeps.push((since, pause));
        }
    }))
}

/// A number of bytes with its unit, at most a MiB below 4 GiB.
fn packed_threshold(text: &[u8]) -> Option<usize> {
    const MAX: u64 = (1 << 32) - (1 << 20);
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let unit = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    // No digits are a zero, as strtoull has it.
    let number = if digits == 0 { 0 } else { std::str::from_utf8(&text[..digits]).ok()?.parse::<u64>().ok()? };
    number.checked_mul(unit).filter(|bytes| *bytes <= MAX).and_then(|bytes| usize::try_from(bytes).ok())
}

/// Matches random strings with random patterns made of what means something in patterns.
fn match_random_strings() {
    const LETTERS: &[u8] = b"*?[]^-\\\x00\xffab";
    const ROUNDS: u64 = 100_000;
    let mut rng = Prng::new(ROUNDS);
    let mut random = |len_max: u64| -> Vec<u8> {
        let len = rng.below(len_max);
        (0..len).map(|_| LETTERS[rng.below(LETTERS.len() as u64) as usize]).collect()
    };
    for _ in 0..ROUNDS {
        let (pattern, text) = (random(16), random(32));
        std::hint::black_box(glob::matches(&pattern, &text, pattern.len() > 8));
    }
}

/// A text's leading integer, as atoi reads it.
fn leading_int(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let len = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let number = std::str::from_utf8(&digits[..len]).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    if text.starts_with(b"-") { -number } else { number }
}

/// The text as an error reply, with nothing before it.
fn error(x: &mut ServerExec<'_>) {
    let line: Vec<u8> = x.arg(2).iter().map(|b| if b"\r\n".contains(b) { b' ' } else { *b }).collect();
    x.reply.raw(&[b"-", line.as_slice(), b"\r\n"].concat());
}

#[allow(clippy::approx_constant)] // the number is Valkey's
fn protocol(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let reply = &mut x.reply;
    match x.argv.get(2).to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12345),
        b"double" => reply.double(3.141),
        b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|i| reply.int(i));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|i| reply.int(i));
        }
        b"map" => {
            reply.map(3);
            for i in 0..3 {
                reply.int(i);
                reply.bool(i == 1);
            }
        }
        b"attrib" => attribute(reply),
        b"push" if reply.resp() == Resp::V2 => {
            return Err(CommandError::Static("ERR RESP2 is not supported by this command"));
        }
        b"push" => {
            reply.bulk(b"Some real reply following the push reply");
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.int(42);
        }
        b"true" => reply.bool(true),
        b"false" => reply.bool(false),
        b"verbatim" => reply.verbatim(b"txt", b"This is a verbatim\nstring"),
        _ => {
            return Err(CommandError::Static(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(Flow::Done)
}

fn attribute(reply: &mut Reply<'_>) {
    if reply.resp() == Resp::V3 {
        reply.attribute(1);
        reply.bulk(b"key-popularity");
        reply.array(2);
        reply.bulk(b"key:123");
        reply.int(90);
    }
    reply.bulk(b"Some real reply following the attribute");
}

fn help(x: &mut ServerExec<'_>) -> Flow {
    const LINES: &[&str] = &[
        "ASSERT",
        "    End the server by a failed assertion.",
        "CLIENT-ENFORCE-REPLY-LIST <0|1>",
        "    Hold every byte of output against the limits of clients, or only many.",
        "DIGEST",
        "    Twenty bytes that tell the contents of all databases from others.",
        "DIGEST-VALUE [<key> ...]",
        "    The same for single values.",
        "ERROR <string>",
        "    Answer <string> as an error, to test clients.",
        "LISTPACK <key>",
        "    Show the elements of a compact value.",
        "LOG <message>",
        "    Write <message> into the log.",
        "OBJECT <key> [fast]",
        "    Show how <key> is stored and when it was used.",
        "PANIC",
        "    End the server by a panic.",
        "PAUSE-CRON <0|1>",
        "    Leave the regular house-keeping undone, or do it again.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Make <count> strings named key:<number>, or <prefix>:<number>, of <size> bytes.",
        "PROTOCOL <type>",
        "    Answer a value of a type: string, integer, double, bignum, null, array, set,",
        "    map, attrib, push, verbatim, true or false.",
        "QUICKLIST-PACKED-THRESHOLD <size>",
        "    Give elements of lists that are made from now on nodes of their own from",
        "    <size> on; 0 means from where list-max-listpack-size says.",
        "RELOAD",
        "    Write all values as RDB has them, in memory, and read them back.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Turn the search for expired keys off or on.",
        "SET-DISABLE-DENY-SCRIPTS <0|1>",
        "    Let scripts call what is not for scripts, or not.",
        "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
        "    Have RESTORE look at checksums or not.",
        "SLEEP <seconds>",
        "    Stop all cores for <seconds>, which may have decimals.",
        "STRINGMATCH-LEN <pattern> <string>",
        "    Whether <string> matches the glob-style <pattern>.",
        "STRINGMATCH-TEST",
        "    Match many random strings with random patterns.",
    ];
    container::help(&mut x.reply, x.argv, LINES);
    Flow::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, number) in [("1", 1), ("0", 0), ("x", 0), ("12x", 12), (" -3", -3), ("+4", 4), ("", 0)] {
            assert_eq!(leading_int(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn sizes_have_units_and_an_end() {
        for (text, bytes) in [("0", Some(0)), ("100", Some(100)), ("1k", Some(1000)), ("4KB", Some(4096)), ("5b", Some(5))] {
            assert_eq!(packed_threshold(text.as_bytes()), bytes, "{text:?}");
        }
        for text in ["4gb", "-1", "1x", "99999999999999999999", "4293918721"] {
            assert_eq!(packed_threshold(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(packed_threshold(b"4293918720"), Some(4_293_918_720));
    }

    #[test]
    fn what_is_missing_is_listed_once_and_in_order() {
        assert!(MISSING.is_sorted() && MISSING.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
