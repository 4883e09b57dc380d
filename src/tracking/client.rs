//! What CLIENT TRACKING asked for, as a session keeps it.

use super::Who;
use std::sync::Arc;

/// Which keys a client is told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Those it reads.
    Read,
    /// Those it reads right after CLIENT CACHING YES.
    OptIn,
    /// Those it reads, but not right after CLIENT CACHING NO.
    OptOut,
    /// All that begin with its prefixes.
    Broadcast,
}

/// Another client that is told instead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// Its id.
    pub id: u64,
    /// Where it is.
    pub to: Who,
}

/// A client that tracks.
#[derive(Clone, Debug)]
pub struct Tracking {
    /// Which keys.
    pub mode: Mode,
    /// It does not want to hear of its own changes.
    pub noloop: bool,
    /// Who is told instead.
    pub redirect: Option<Redirect>,
    /// CLIENT CACHING was said just before.
    pub caching: bool,
    /// Whoever was to be told instead is gone.
    pub broken: bool,
    /// Prefixes of `Broadcast`, sorted. The bytes belong to the table of prefixes.
    pub prefixes: Vec<Arc<[u8]>>,
}

impl Tracking {
    /// True if the keys of the command to come are to be remembered.
    pub fn remembers(&self) -> bool {
        match self.mode {
            Mode::Read => true,
            Mode::OptIn => self.caching,
            Mode::OptOut => !self.caching,
            Mode::Broadcast => false,
        }
    }

    /// The id CLIENT GETREDIR tells.
    pub fn redirect_id(&self) -> u64 {
        self.redirect.map_or(0, |redirect| redirect.id)
    }

    /// Bytes held, but for the prefixes themselves.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Tracking>() + self.prefixes.capacity() * size_of::<Arc<[u8]>>()
    }
}

/// Two prefixes one of which begins with the other: a key would be told twice. `own`: the second is an older one.
pub struct Overlap<'a> {
    /// The new prefix.
    pub new: &'a [u8],
    /// What it overlaps with.
    pub other: &'a [u8],
    /// That is a prefix the client has already.
    pub existing: bool,
}

/// The first of the new prefixes that overlaps with one there is, or with a later new one.
pub fn overlap<'a>(existing: &'a [Arc<[u8]>], new: &'a [Arc<[u8]>]) -> Option<Overlap<'a>> {
    // In sorted order a prefix stands right before something it is a prefix of.
    let mut sorted: Vec<&[u8]> = existing.iter().chain(new).map(|prefix| &**prefix).collect();
    sorted.sort_unstable();
    if !sorted.windows(2).any(|pair| pair[1].starts_with(pair[0])) {
        return None;
    }
    let overlaps = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    new.iter().enumerate().find_map(|(i, prefix)| {
        let old = existing.iter().find(|old| overlaps(old, prefix));
        let later = || new[i + 1..].iter().find(|later| overlaps(later, prefix));
        let other = old.or_else(later)?;
        Some(Overlap { new: prefix, other, existing: old.is_some() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(existing: &[&str], new: &[&str]) -> Option<(String, String, bool)> {
        let arcs = |list: &[&str]| list.iter().map(|text| text.as_bytes().into()).collect::<Vec<Arc<[u8]>>>();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        overlap(&arcs(existing), &arcs(new)).map(|o| (text(o.new), text(o.other), o.existing))
    }

    #[test]
    fn prefixes_of_prefixes_overlap() {
        let some = |new: &str, other: &str, existing| Some((new.to_owned(), other.to_owned(), existing));
        assert_eq!(found(&[], &["foo", "bar", "fop"]), None);
        assert_eq!(found(&[], &["foobar", "foo"]), some("foobar", "foo", false));
        assert_eq!(found(&["bar", "foo"], &["fo"]), some("fo", "foo", true));
        assert_eq!(found(&["bar"], &["x", "barb"]), some("barb", "bar", true));
        assert_eq!(found(&[], &["a", "b", "b"]), some("b", "b", false));
        assert_eq!(found(&[], &["", "b"]), some("", "b", false));
    }
}
