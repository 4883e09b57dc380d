//! A script as the server knows it: its text, its SHA-1, its shebang line and flags.

use crate::protocol::split_line;
use shards::args::Args;
use shards::stdx::sha1;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a script may declare of itself.
pub mod flag {
    /// It writes nothing.
    pub const NO_WRITES: u32 = 1;
    /// It may run when memory is short.
    pub const ALLOW_OOM: u32 = 2;
    /// It may run on a replica that lost its primary.
    pub const ALLOW_STALE: u32 = 4;
    /// It does not run in a cluster.
    pub const NO_CLUSTER: u32 = 8;
    /// Its keys may be of several slots.
    pub const ALLOW_CROSS_SLOT: u32 = 16;
    /// It has no shebang: rules are those of old.
    pub const COMPAT: u32 = 32;

    /// The flags with their names, in Valkey's order.
    pub const NAMES: &[(u32, &str)] = &[
        (NO_WRITES, "no-writes"),
        (ALLOW_OOM, "allow-oom"),
        (ALLOW_STALE, "allow-stale"),
        (NO_CLUSTER, "no-cluster"),
        (ALLOW_CROSS_SLOT, "allow-cross-slot-keys"),
    ];

    /// The flag of this name.
    pub fn of(name: &[u8]) -> Option<u32> {
        NAMES.iter().find(|(_, n)| n.as_bytes() == name).map(|(flag, _)| *flag)
    }
}

/// SHA-1 as 40 hexadecimal digits.
pub type Sha = [u8; 40];

/// The SHA of a text.
pub fn sha_of(text: &[u8]) -> Sha {
    let digits = sha1::hex(&sha1::sha1(text)).into_bytes();
    digits.try_into().expect("a digest has 40 digits")
}

/// The SHA a client names, if it is one.
pub fn sha_named(name: &[u8]) -> Option<Sha> {
    let mut sha: Sha = name.try_into().ok()?;
    sha.make_ascii_lowercase();
    Some(sha)
}

/// A script.
#[derive(Debug)]
pub struct Script {
    /// Unique in the process.
    pub id: u64,
    /// Its name.
    pub sha: Sha,
    /// The whole text.
    pub body: Box<[u8]>,
    /// Where the code begins, behind the shebang.
    pub code_at: usize,
    /// Bits of [`flag`].
    pub flags: u32,
    /// It is known no more (SCRIPT FLUSH, evicted).
    pub gone: AtomicBool,
    /// When it ran last, by the cache's own count.
    pub used: AtomicU64,
    /// It has called a key it did not declare on another shard.
    pub strays: AtomicBool,
    /// It can be seen from its text that it never does.
    pub keeps_to_keys: OnceLock<bool>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A number for a script or a library, unique in the process.
pub fn fresh_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

impl Script {
    /// Reads the shebang. Errors: Valkey's texts, without their code.
    pub fn new(body: &[u8], sha: Sha) -> Result<Script, String> {
        let (code_at, flags) = shebang(body)?;
        Ok(Script {
            id: fresh_id(),
            sha,
            body: body.into(),
            code_at,
            flags,
            gone: AtomicBool::new(false),
            used: AtomicU64::new(0),
            strays: AtomicBool::new(false),
            keeps_to_keys: OnceLock::new(),
        })
    }

    /// The code.
    pub fn code(&self) -> &[u8] {
        &self.body[self.code_at..]
    }

    /// Bytes it holds.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Script>() + self.body.len()
    }
}

/// Splits a shebang line into its words, which may be quoted as on an inline line; `None` if a quote is left open.
pub fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut text, mut spans) = (Vec::new(), Vec::new());
    let whole = split_line(line, &mut text, &mut spans);
    whole.then(|| Args::new(&text, &spans).iter().map(<[u8]>::to_vec).collect())
}

/// Where the code begins, and the script's flags.
fn shebang(body: &[u8]) -> Result<(usize, u32), String> {
    if !body.starts_with(b"#!") {
        return Ok((0, flag::COMPAT));
    }
    let end = memchr::memchr(b'\n', body).ok_or("Invalid script shebang")?;
    let words = words(&body[..end]).unwrap_or_default();
    let engine = words.first().filter(|word| word.len() >= 2).ok_or("Invalid engine in script shebang")?;
    let mut flags = 0;
    for word in &words[1..] {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err(format!("Unknown lua shebang option: {}", String::from_utf8_lossy(word)));
        };
        for name in list.split(|b| *b == b',') {
            let unknown = || format!("Unexpected flag in script shebang: {}", String::from_utf8_lossy(name));
            flags |= flag::of(name).ok_or_else(unknown)?;
        }
    }
    if !engine[2..].eq_ignore_ascii_case(b"lua") {
        return Err(format!("Could not find scripting engine '{}'", String::from_utf8_lossy(&engine[2..])));
    }
    Ok((end, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> Result<u32, String> {
        Script::new(text.as_bytes(), sha_of(text.as_bytes())).map(|s| s.flags)
    }

    #[test]
    fn a_shebang_names_the_engine_and_flags() {
        assert_eq!(flags("return 1"), Ok(flag::COMPAT));
        assert_eq!(flags("#!lua\nreturn 1"), Ok(0));
        assert_eq!(flags("#!lua flags=no-writes,allow-stale\n"), Ok(flag::NO_WRITES | flag::ALLOW_STALE));
        assert_eq!(flags("#!lua flags=x\n"), Err("Unexpected flag in script shebang: x".into()));
        assert_eq!(flags("#!lua name=x\n"), Err("Unknown lua shebang option: name=x".into()));
        assert_eq!(flags("#!python\n"), Err("Could not find scripting engine 'python'".into()));
        assert_eq!(flags("#!lua \"flags=no-writes\"\n"), Ok(flag::NO_WRITES));
        assert_eq!(flags("#!lua flags='no-writes\n"), Err("Invalid engine in script shebang".into()));
        assert_eq!(flags("#!lua"), Err("Invalid script shebang".into()));
    }

    #[test]
    fn the_code_keeps_its_line_numbers() {
        let script = Script::new(b"#!lua\nreturn 1", [b'0'; 40]).unwrap();
        assert_eq!(script.code(), b"\nreturn 1");
    }
}
