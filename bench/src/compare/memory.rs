//! Memory per key: how much resident memory grows when keys are loaded into a fresh server.
//!
//! Keys are `key:` and twelve digits, 16 bytes, each written exactly once; values are `--data-size` bytes. The growth
//! of RSS (smaps_rollup) over that load, divided by the keys, is what one key costs; minus key and value it is the
//! overhead. A server that is started here gets an instance of its own for this, so that nothing earlier is counted; for
//! a server that was pointed at, the process must be known and the growth counts from what is there.

use crate::catalogue::Workload;
use crate::cli::CompareArgs;
use crate::compare::server::Server;
use crate::compare::source::load_all;
use crate::keys::Distribution;
use crate::report::Memory;
use crate::template::{Template, Values, split_words};
use std::thread;
use std::time::Duration;

/// Bytes of a key.
const KEY_BYTES: u64 = 16;
/// Memory is read when it has stopped changing for one such pause, or after `PAUSES_MAX` of them.
const PAUSE: Duration = Duration::from_millis(300);
const PAUSES_MAX: usize = 20;

/// Loads `keys` keys and gives the growth.
pub fn measure(server: &Server, keys: u64, args: &CompareArgs) -> Result<Memory, String> {
    let (smallest, largest) = args.load.data_size;
    if smallest != largest {
        return Err("--memory needs values of one size".into());
    }
    let mut settings = args.load.settings();
    settings.values = Values::new(smallest, largest, false, settings.seed);
    settings.verify = false;
    settings.distribution = Distribution::Sequential;
    (settings.keyspace, settings.requests) = (keys, Some(keys));
    (settings.seconds, settings.rate, settings.warmup_seconds) = (None, None, 0.0);
    settings.pipeline = 64;
    let expiry = if args.memory_ttl { " EX 1000000" } else { "" };
    let words = split_words(&format!("SET key:__rand_int__ __data__{expiry}"))?;
    let load = Workload::single(Template::new("SET", &words, &settings.values)?);
    let before = settled_rss(server)?;
    load_all(server, &load, &settings)?;
    let after = settled_rss(server)?;
    Ok(Memory {
        keys,
        growth_bytes: after.saturating_sub(before),
        payload_bytes: keys * (KEY_BYTES + smallest as u64),
    })
}

fn settled_rss(server: &Server) -> Result<u64, String> {
    let read = || server.rss_bytes().ok_or_else(|| format!("{}: its memory cannot be read; give --pid", server.name));
    let mut last = read()?;
    for _ in 0..PAUSES_MAX {
        thread::sleep(PAUSE);
        let now = read()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}
