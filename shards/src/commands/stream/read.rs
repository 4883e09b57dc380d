//! XREAD and XREADGROUP: entries of several streams behind given ids.
//!
//! XREADGROUP reads for a consumer of a group. `>` asks for entries that nobody was given: they become pending with the
//! consumer. Any other id asks for the consumer's own history: what is pending with it behind that id, even if the
//! entry itself is gone.
//!
//! Everything that may be wrong is looked at before anything changes; then the streams are read in turn.
//!
//! With BLOCK a call that finds nothing waits for its streams ([`crate::exec::Exec::block_on`]) and is run again when one
//! has changed. Its `$`s have become ids by then, or it would wait for ever. An XREADGROUP that waits has made its consumer
//! already, and is also run again when a stream or its group is gone: then it answers the error it would have answered
//! at first.

use super::access::{group_mut, stream, stream_mut};
use super::entries::{reply_entries, reply_entry, reply_id};
use super::groups::CONSUMER_CREATED;
use super::ids;
use super::propagation::{Place, Told};
use crate::args::Args;
use crate::command::{Arg, ArgKind, Begin, Command, Find, Group as Family, KeySpec, category, flag, key};
use crate::error::{CommandError, SYNTAX, shown};
use crate::exec::{Block, Exec};
use crate::reply::{Reply, Resp};
use crate::types::stream::{ConsumerId, Group, Log, Pending, StreamId};

const STREAMS: Arg = Arg::block(
    "streams",
    &[Arg::key("key").many(), Arg::new("ID", ArgKind::String).many()],
)
.after("STREAMS");
const COUNT: Arg = Arg::new("count", ArgKind::Integer).after("COUNT").opt();
const BLOCK: Arg = Arg::new("milliseconds", ArgKind::Integer).after("BLOCK").opt();

const fn keys(from: i16) -> KeySpec {
    KeySpec {
        flags: key::RO | key::ACCESS,
        begin: Begin::Keyword("STREAMS", from),
        find: Find::Range { last: -1, step: 1, limit: 2 },
        notes: "",
    }
}

/// XREAD [COUNT n] [BLOCK ms] STREAMS key [key ...] id [id ...]
pub const XREAD: Command = Command {
    arity: -4,
    group: Family::Stream,
    since: "5.0.0",
    summary: "Returns the entries of streams behind given ids, waiting for some if asked to.",
    flags: flag::BLOCKING | flag::READONLY,
    acl: category::STREAM,
    keys: &[keys(1)],
    find_keys: Some(find_keys),
    args: &[COUNT, BLOCK, STREAMS],
    ..Command::new("xread", |x| read(x, false))
};

/// XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key [key ...] id [id ...]
pub const XREADGROUP: Command = Command {
    arity: -7,
    group: Family::Stream,
    since: "5.0.0",
    summary: "Returns new entries of streams for a consumer of a group, or those it was given already.",
    complexity: "For each stream O(M) where M is the number of entries returned. A waiting XREADGROUP makes XADD pay O(N) \
                 to serve N waiting clients.",
    flags: flag::BLOCKING | flag::WRITE,
    acl: category::STREAM,
    keys: &[keys(4)],
    find_keys: Some(find_keys),
    args: &[
        Arg::block("group-block", &[Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String)])
            .after("GROUP"),
        COUNT,
        BLOCK,
        Arg::token("noack", "NOACK").opt(),
        STREAMS,
    ],
    ..Command::new("xreadgroup", |x| read(x, true))
};

/// The keys stand behind STREAMS, which may also be the name of a group or of a key: so the words before it are read.
fn find_keys(argv: Args<'_>, found: &mut Vec<usize>) -> Result<(), CommandError> {
    let mut at = 1;
    while at < argv.len() {
        let is = |word: &str| argv.get(at).eq_ignore_ascii_case(word.as_bytes());
        at += match () {
            () if is("block") || is("count") => 2,
            () if is("group") => 3,
            () if is("noack") => 1,
            () => {
                let rest = argv.len() - at - 1;
                if is("streams") && rest.is_multiple_of(2) {
                    found.extend(at + 1..at + 1 + rest / 2);
                }
                return Ok(());
            }
        };
    }
    Ok(())
}

/// What a call asks for.
#[derive(Default)]
struct Words<'a> {
    /// It waits if it finds nothing, until then; `Some(None)`: for ever.
    block: Option<Option<i64>>,
    count: usize,
    no_ack: bool,
    group: Option<(&'a [u8], &'a [u8])>,
    /// Where the keys begin; 0: not said.
    keys_at: usize,
    keys: usize,
}

impl<'a> Words<'a> {
    fn parse(x: &Exec<'a>, grouped: bool) -> Result<Words<'a>, CommandError> {
        let mut words = Words::default();
        let mut i = 1;
        while i < x.argc() && words.keys_at == 0 {
            let more = x.argc() - 1 - i;
            if more > 0 && x.arg_is(i, "block") {
                words.block = Some(block_deadline_ms(x, i + 1)?);
                i += 1;
            } else if more > 0 && x.arg_is(i, "count") {
                words.count = x.int(i + 1)?.max(0) as usize;
                i += 1;
            } else if more > 0 && x.arg_is(i, "streams") {
                if more % 2 == 1 {
                    return Err(unbalanced(grouped));
                }
                (words.keys_at, words.keys) = (i + 1, more / 2);
            } else if more > 1 && x.arg_is(i, "group") {
                only_grouped(grouped, "GROUP")?;
                words.group = Some((x.arg(i + 1), x.arg(i + 2)));
                i += 2;
            } else if x.arg_is(i, "noack") {
                only_grouped(grouped, "NOACK")?;
                words.no_ack = true;
            } else {
                return Err(SYNTAX);
            }
            i += 1;
        }
        if words.keys_at == 0 {
            return Err(SYNTAX);
        }
        if grouped && words.group.is_none() {
            return Err(CommandError::Static("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(words)
    }
}

/// The timeout of BLOCK as the time when it is over; `None`: never.
fn block_deadline_ms(x: &Exec<'_>, at: usize) -> Result<Option<i64>, CommandError> {
    let out_of_range = CommandError::Static("ERR timeout is out of range");
    let not_an_integer = CommandError::Static("ERR timeout is not an integer or out of range");
    let timeout_ms = x.int(at).map_err(|_| not_an_integer)?;
    if timeout_ms < 0 {
        return Err(CommandError::Static("ERR timeout is negative"));
    }
    let deadline_ms = timeout_ms.checked_add(x.now_ms()).ok_or(out_of_range)?;
    Ok((timeout_ms > 0).then_some(deadline_ms))
}

fn unbalanced(grouped: bool) -> CommandError {
    let (name, symbol) = if grouped { ("xreadgroup", '>') } else { ("xread", '$') };
    CommandError::owned(format!(
        "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{symbol}' must be specified."
    ))
}

fn only_grouped(grouped: bool, word: &str) -> Result<(), CommandError> {
    if grouped {
        return Ok(());
    }
    Err(CommandError::owned(format!(
        "ERR The {word} option is only supported by XREADGROUP. You called XREAD instead."
    )))
}

/// From where a stream is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// What comes behind this id; for a group, from the consumer's history.
    Behind(StreamId),
    /// What nobody in the group was given.
    New,
}

impl From {
    fn parse(text: &[u8], grouped: bool, log: Option<&Log>) -> Result<From, CommandError> {
        match text {
            b"$" if grouped => Err(meaningless('$')),
            b"+" if grouped => Err(meaningless('+')),
            b"$" => Ok(From::Behind(log.map_or(StreamId::MIN, |log| log.last_id))),
            b"+" => {
                let last = log.filter(|log| !log.is_empty()).map(|log| log.last_id);
                Ok(From::Behind(last.and_then(StreamId::prev).unwrap_or(StreamId::MIN)))
            }
            b">" if !grouped => Err(CommandError::Static(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
            )),
            b">" => Ok(From::New),
            text => match ids::strict(text, 0)? {
                // The largest id stands for `>`, here as in Valkey.
                StreamId::MAX if grouped => Ok(From::New),
                id => Ok(From::Behind(id)),
            },
        }
    }
}

fn meaningless(symbol: char) -> CommandError {
    CommandError::owned(format!(
        "ERR The {symbol} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer \
         by specifying a proper ID, or use the > ID to get new messages. The {symbol} ID would just return an empty \
         result set."
    ))
}

fn no_group(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (shown(key, usize::MAX), shown(group, usize::MAX));
    CommandError::owned(format!(
        "NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP option"
    ))
}

fn read(x: &mut Exec<'_>, grouped: bool) -> Result<(), CommandError> {
    let words = Words::parse(x, grouped)?;
    let mut from = Vec::with_capacity(words.keys);
    for i in 0..words.keys {
        let (key, id) = (x.arg(words.keys_at + i), x.arg(words.keys_at + words.keys + i));
        let found = stream(x.ks.read(x.db, key).map(|found| found.value()))?;
        if let Some((group, _)) = words.group {
            found.and_then(|stream| stream.groups.get(group)).ok_or_else(|| no_group(key, group))?;
        }
        let behind = From::parse(id, grouped, found.map(|stream| &stream.log))?;
        from.push(behind);
    }
    let mark = x.reply.deferred_map();
    let mut served = 0;
    for (i, from) in from.iter().enumerate() {
        let key = x.arg(words.keys_at + i);
        served += usize::from(match words.group {
            Some((group, consumer)) => read_grouped(x, Place { key, group, consumer }, *from, &words),
            None => read_plain(x, key, *from, words.count),
        });
    }
    if grouped {
        x.propagate_nothing();
    }
    match (served, x.reply.resp()) {
        (0, _) => match words.block.filter(|_| x.may_block()) {
            Some(deadline_ms) => wait(x, &words, &from, deadline_ms),
            None => x.reply.null_array(),
        },
        (_, Resp::V2) => x.reply.close_array(mark, served),
        (_, Resp::V3) => x.reply.close_map(mark, served),
    }
    Ok(())
}

/// Waits for the streams; a `$` is the id it stood for from now on.
fn wait(x: &mut Exec<'_>, words: &Words<'_>, from: &[From], deadline_ms: Option<i64>) {
    let keys = (words.keys_at..words.keys_at + words.keys).map(|i| x.arg(i).into()).collect();
    let mut retry: Vec<Box<[u8]>> = x.argv.iter().map(Box::from).collect();
    for (i, from) in from.iter().enumerate() {
        let at = words.keys_at + words.keys + i;
        if let From::Behind(id) = from
            && x.arg(at) == b"$"
        {
            retry[at] = id.text(&mut [0; _]).into();
        }
    }
    x.block_on(Block { keys, deadline_ms, retry: Some(retry) });
}

/// The key before its entries: in RESP2 the two are an array, in RESP3 a pair of a map.
fn reply_key(reply: &mut Reply<'_>, key: &[u8]) {
    if reply.resp() == Resp::V2 {
        reply.array(2);
    }
    reply.bulk(key);
}

fn read_plain(x: &mut Exec<'_>, key: &[u8], from: From, count: usize) -> bool {
    let found = x.ks.read(x.db, key).map(|found| found.value());
    let Some(stream) = stream(found).expect("its type was checked") else { return false };
    let From::Behind(id) = from else { unreachable!("only groups have new entries") };
    let served = stream.log.last_live().is_some_and(|last| last > id);
    if let Some(start) = id.next().filter(|_| served) {
        reply_key(&mut x.reply, key);
        reply_entries(&mut x.reply, stream.log.range(start, StreamId::MAX), count);
    }
    served
}

/// Reads one stream for a consumer; true if it was answered with.
fn read_grouped(x: &mut Exec<'_>, place: Place<'_>, from: From, words: &Words<'_>) -> bool {
    let now_ms = x.now_ms();
    let mut told = Told::default();
    let mut entry = x.ks.entry_mut(x.db, place.key);
    let (consumer, made) = group_mut(&mut entry, place.group).find_or_add(place.consumer, now_ms);
    let stream = stream_mut(&mut entry);
    let group = stream.groups.get_mut(place.group).expect("just seen");
    group.consumer_mut(consumer).seen_ms = now_ms;
    let mut delivery = Delivery { log: &stream.log, group, consumer, now_ms, told: &mut told };
    let (reply, count) = (&mut x.reply, words.count);
    let served = match from {
        From::Behind(id) => {
            reply_key(reply, place.key);
            delivery.history(reply, id, count);
            true
        }
        From::New if delivery.log.last_live().is_none_or(|last| last <= delivery.group.last_id) => false,
        From::New => {
            reply_key(reply, place.key);
            delivery.new_entries(reply, count, !words.no_ack);
            true
        }
    };
    if made {
        entry.also(CONSUMER_CREATED);
        if !told.names_consumer() {
            told.consumer();
        }
    }
    entry.count_more(usize::from(made) + usize::from(served));
    told.tell(x, place);
    served
}

/// Entries on their way to a consumer.
struct Delivery<'d> {
    log: &'d Log,
    group: &'d mut Group,
    consumer: ConsumerId,
    now_ms: i64,
    told: &'d mut Told,
}

impl Delivery<'_> {
    /// Entries that nobody was given, up to `count` (0: all). They become pending if they are to be acknowledged.
    fn new_entries(&mut self, reply: &mut Reply<'_>, count: usize, acknowledged: bool) {
        let Some(start) = self.group.last_id.next() else { return reply.array(0) };
        let mark = reply.deferred_array();
        let mut written = 0;
        for entry in self.log.range(start, StreamId::MAX) {
            let id = entry.id;
            reply_entry(reply, entry);
            self.group.advance(self.log, id);
            if acknowledged {
                let pending = Pending { time_ms: self.now_ms, count: 1, consumer: self.consumer };
                self.group.give(id, pending);
                self.group.consumer_mut(self.consumer).active_ms = self.now_ms;
                self.told.given(id, pending, self.group);
            }
            written += 1;
            if written == count {
                break;
            }
        }
        reply.close_array(mark, written);
        self.told.group(self.group);
    }

    /// What is pending with the consumer behind an id, up to `count` (0: all). It is given once more.
    fn history(&mut self, reply: &mut Reply<'_>, behind: StreamId, count: usize) {
        let mark = reply.deferred_array();
        let (mut written, mut next) = (0, behind.next());
        while let Some(start) = next {
            let Some(id) = self.group.consumer(self.consumer).pending().range(start..).next().copied() else { break };
            match self.log.range(id, id).next() {
                Some(entry) => {
                    reply_entry(reply, entry);
                    let old = self.group.pending()[&id];
                    let pending = Pending { time_ms: self.now_ms, count: old.count.saturating_add(1), ..old };
                    self.group.give(id, pending);
                    self.told.given(id, pending, self.group);
                }
                None => {
                    reply.array(2);
                    reply_id(reply, id);
                    reply.null_array();
                }
            }
            written += 1;
            if written == count {
                break;
            }
            next = id.next();
        }
        reply.close_array(mark, written);
    }
}
