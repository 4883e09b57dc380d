//! Which clients CLIENT LIST and KILL mean.
//!
//! A filter is two sets of terms: a client must meet every term of the first and none of the second (the NOT- forms).
//! It is read once, where the command was sent, and travels to every core.

use super::list::flags;
use crate::acl::Users;
use crate::connection::gauges::Gauges;
use crate::connection::session::Session;
use shards::args::Args;
use shards::error::{CommandError, SYNTAX, shown};
use shards::stdx::number::parse_i64;

type Bytes = Box<[u8]>;

/// What a client is to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Normal,
    Replica,
    Pubsub,
    Primary,
}

/// Terms that each may be met or not.
#[derive(Clone, Default, Debug)]
struct Terms {
    /// Sorted once all are read: there may be a million.
    ids: Option<Vec<i64>>,
    kind: Option<Kind>,
    addr: Option<Bytes>,
    laddr: Option<Bytes>,
    ip: Option<Bytes>,
    user: Option<Bytes>,
    name: Option<Bytes>,
    lib_name: Option<Bytes>,
    lib_version: Option<Bytes>,
    flags: Option<Bytes>,
    capa: Option<Bytes>,
    db: Option<u32>,
}

/// A filter.
#[derive(Clone, Default, Debug)]
pub struct Filter {
    yes: Terms,
    no: Terms,
    /// Leave out the client that asks.
    pub skip_me: bool,
    age_s: i64,
    idle_s: i64,
}

/// A client, as filters look at it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its session.
    pub session: &'a Session,
    /// Its buffers.
    pub gauges: &'a Gauges,
    /// The present, unix milliseconds.
    pub now_ms: i64,
}

impl Filter {
    /// The old form of CLIENT KILL: the client with this address.
    pub fn of_address(addr: &[u8]) -> Filter {
        Filter { yes: Terms { addr: Some(addr.into()), ..Terms::default() }, ..Filter::default() }
    }

    /// Reads the arguments behind the subcommand. `databases` is how many there are.
    pub fn parse(argv: Args<'_>, skip_me: bool, databases: i64, users: &Users) -> Result<Filter, CommandError> {
        let mut filter = Filter { skip_me, ..Filter::default() };
        let mut at = 2;
        while at < argv.len() {
            let word = argv.get(at).to_ascii_lowercase();
            let (negative, term) = match word.strip_prefix(b"not-") {
                Some(term) => (true, term),
                None => (false, &word[..]),
            };
            let terms = if negative { &mut filter.no } else { &mut filter.yes };
            if term == b"id" {
                at = read_ids(argv, at + 1, terms.ids.get_or_insert_default())?;
                continue;
            }
            let Some(value) = argv.iter().nth(at + 1) else { return Err(SYNTAX) };
            if !terms.set(term, value, negative, databases, users)? {
                filter.set(&word, value)?;
            }
            at += 2;
        }
        for ids in [&mut filter.yes.ids, &mut filter.no.ids].into_iter().flatten() {
            ids.sort_unstable();
        }
        Ok(filter)
    }

    /// The words that have no NOT- form.
    fn set(&mut self, word: &[u8], value: &[u8]) -> Result<(), CommandError> {
        match word {
            b"maxage" => self.age_s = positive("maxage", value)?,
            b"idle" => self.idle_s = positive("idle", value)?,
            b"skipme" if value.eq_ignore_ascii_case(b"yes") => self.skip_me = true,
            b"skipme" if value.eq_ignore_ascii_case(b"no") => self.skip_me = false,
            _ => return Err(SYNTAX),
        }
        Ok(())
    }

    /// True if it means this client; `me` is the one that asks.
    pub fn matches(&self, client: Subject<'_>, me: u64) -> bool {
        let now_s = client.now_ms / 1000;
        let age_s = now_s - client.session.connected_ms / 1000;
        let idle_s = now_s - client.session.active_ms / 1000;
        self.yes.all(client)
            && !self.no.any(client)
            && !(self.skip_me && client.session.id == me)
            && (self.age_s == 0 || age_s >= self.age_s)
            && (self.idle_s == 0 || idle_s >= self.idle_s)
    }
}

/// Reads numbers as long as there are some; where the next word stands.
fn read_ids(argv: Args<'_>, mut at: usize, ids: &mut Vec<i64>) -> Result<usize, CommandError> {
    while let Some(id) = argv.iter().nth(at).and_then(parse_i64) {
        if id < 1 {
            return Err(CommandError::Static("ERR client-id should be greater than 0"));
        }
        ids.push(id);
        at += 1;
    }
    Ok(at)
}

fn positive(name: &str, value: &[u8]) -> Result<i64, CommandError> {
    match parse_i64(value) {
        Some(n @ 1..) => Ok(n),
        Some(_) => Err(CommandError::owned(format!("ERR {name} should be greater than 0"))),
        None => Err(CommandError::owned(format!("ERR {name} is not an integer or out of range"))),
    }
}

/// Letters that stand for a state of a client in CLIENT LIST.
const FLAG_LETTERS: &[u8] = b"OSMPxbtRBdcuAUreTIiEN";

impl Terms {
    /// Takes in one word and its value; false if it is no word of these.
    fn set(&mut self, term: &[u8], value: &[u8], negative: bool, databases: i64, users: &Users) -> Result<bool, CommandError> {
        let place = match term {
            b"type" => {
                self.kind = Some(kind_named(value)?);
                return Ok(true);
            }
            b"db" => {
                self.db = Some(database(value, negative, databases)?);
                return Ok(true);
            }
            b"user" => {
                if users.get(value).is_none() {
                    return Err(CommandError::owned(format!("ERR No such user '{}'", shown(value, usize::MAX))));
                }
                &mut self.user
            }
            b"flags" => {
                letters(value, FLAG_LETTERS, "flags", if negative { "NOT-FLAGS" } else { "provided" })?;
                &mut self.flags
            }
            b"capa" => {
                letters(value, b"r", "capa", if negative { "NOT-CAPA" } else { "provided" })?;
                &mut self.capa
            }
            b"addr" => &mut self.addr,
            b"laddr" => &mut self.laddr,
            b"ip" => &mut self.ip,
            b"name" => &mut self.name,
            b"lib-name" => &mut self.lib_name,
            b"lib-ver" => &mut self.lib_version,
            _ => return Ok(false),
        };
        *place = Some(value.into());
        Ok(true)
    }

    /// Every term as met (`Some(true)`), not met, or absent.
    fn verdicts(&self, client: Subject<'_>) -> [Option<bool>; 12] {
        let Subject { session, gauges, .. } = client;
        let is = |term: &Option<Bytes>, value: &[u8]| term.as_ref().map(|t| **t == *value);
        // A name that was never given is met by no name, the empty one included.
        let named = |term: &Option<Bytes>, value: &[u8]| term.as_ref().map(|t| !value.is_empty() && **t == *value);
        [
            self.ids.as_ref().map(|ids| ids.binary_search(&(session.id as i64)).is_ok()),
            self.kind.map(|kind| kind == kind_of(session)),
            is(&self.addr, session.peer.as_bytes()),
            is(&self.laddr, session.local.as_bytes()),
            self.ip.as_ref().map(|ip| comes_from(session, ip)),
            is(&self.user, &session.user.name),
            named(&self.name, &session.name),
            named(&self.lib_name, &session.lib_name),
            named(&self.lib_version, &session.lib_version),
            self.flags.as_ref().map(|letters| {
                let all = flags(session, gauges);
                letters.iter().all(|letter| all.contains(char::from(*letter)))
            }),
            self.capa.as_ref().map(|letters| letters.is_empty() || session.can_redirect),
            self.db.map(|db| db == session.db),
        ]
    }

    fn all(&self, client: Subject<'_>) -> bool {
        self.verdicts(client).iter().all(|verdict| *verdict != Some(false))
    }

    fn any(&self, client: Subject<'_>) -> bool {
        self.verdicts(client).contains(&Some(true))
    }
}

fn kind_named(name: &[u8]) -> Result<Kind, CommandError> {
    match &name.to_ascii_lowercase()[..] {
        b"normal" => Ok(Kind::Normal),
        b"slave" | b"replica" => Ok(Kind::Replica),
        b"pubsub" => Ok(Kind::Pubsub),
        b"master" | b"primary" => Ok(Kind::Primary),
        _ => Err(CommandError::owned(format!("ERR Unknown client type '{}'", shown(name, usize::MAX)))),
    }
}

/// What a client is. Replicas and primaries are told apart here once there are some.
fn kind_of(session: &Session) -> Kind {
    if session.is_subscriber() { Kind::Pubsub } else { Kind::Normal }
}

fn database(value: &[u8], negative: bool, databases: i64) -> Result<u32, CommandError> {
    let name = if negative { "NOT-DB" } else { "DB" };
    let Some(n) = parse_i64(value).filter(|n| i32::try_from(*n).is_ok()) else {
        return Err(CommandError::owned(format!("ERR {name} is not an integer or out of range")));
    };
    if !(0..databases).contains(&n) {
        return Err(CommandError::owned(format!("ERR {name} number should be between 0 and {}", databases - 1)));
    }
    Ok(n as u32)
}

fn letters(value: &[u8], known: &[u8], what: &str, filter: &str) -> Result<(), CommandError> {
    if value.iter().all(|letter| known.contains(letter)) {
        return Ok(());
    }
    let value = shown(value, usize::MAX);
    Err(CommandError::owned(format!("ERR Unknown {what} found in the {filter} filter: {value}")))
}

/// True if the client's address is this one, whatever its port.
fn comes_from(session: &Session, ip: &[u8]) -> bool {
    if session.unix {
        return false;
    }
    let peer = session.peer.as_bytes();
    let Some(colon) = peer.iter().rposition(|byte| *byte == b':') else { return false };
    let host = &peer[..colon];
    let host = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host);
    *host == *ip
}
