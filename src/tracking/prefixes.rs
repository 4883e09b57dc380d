//! Who is told of every key that begins with a prefix, and the keys that changed since they were told last.
//!
//! Changes are collected and told once a turn, as one list a prefix. A client that does not want to hear of its own
//! changes (NOLOOP) gets a list without the keys that it changed last.

use super::Who;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The listeners of one prefix.
#[derive(Default, Debug)]
struct Listeners {
    /// Each with its NOLOOP.
    clients: BTreeMap<Who, bool>,
    /// Keys that changed, each with who changed it last.
    keys: BTreeMap<Box<[u8]>, Option<Who>>,
}

/// All prefixes.
#[derive(Default, Debug)]
pub struct Prefixes {
    all: HashMap<Arc<[u8]>, Listeners>,
    /// Prefixes of each length.
    lengths: BTreeMap<usize, usize>,
    /// Those with keys to tell of.
    changed: BTreeSet<Arc<[u8]>>,
}

/// Keys that some clients are to be told of, as a RESP array.
pub struct List {
    /// The clients.
    pub to: Vec<Who>,
    /// The array.
    pub keys: Arc<[u8]>,
}

impl Prefixes {
    /// Number of prefixes.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True if nobody listens.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// True if there is something to tell.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// A client listens to a prefix, or changes its mind about its own changes.
    pub fn add(&mut self, prefix: &Arc<[u8]>, who: Who, noloop: bool) {
        let listeners = self.all.entry(Arc::clone(prefix)).or_insert_with(|| {
            *self.lengths.entry(prefix.len()).or_default() += 1;
            Listeners::default()
        });
        listeners.clients.insert(who, noloop);
    }

    /// A client listens no more.
    pub fn remove(&mut self, prefix: &Arc<[u8]>, who: Who) {
        let Some(listeners) = self.all.get_mut(prefix) else { return };
        listeners.clients.remove(&who);
        if !listeners.clients.is_empty() {
            return;
        }
        self.all.remove(prefix);
        self.changed.remove(prefix);
        let count = self.lengths.get_mut(&prefix.len()).expect("lengths of prefixes are counted");
        *count -= 1;
        if *count == 0 {
            self.lengths.remove(&prefix.len());
        }
    }

    /// A key has changed.
    pub fn note(&mut self, key: &[u8], by: Option<Who>) {
        for len in self.lengths.range(..=key.len()).map(|(len, _)| *len) {
            let Some((prefix, _)) = self.all.get_key_value(&key[..len]) else { continue };
            let prefix = Arc::clone(prefix);
            let listeners = self.all.get_mut(&prefix).expect("found above");
            if listeners.keys.is_empty() {
                self.changed.insert(prefix);
            }
            listeners.keys.insert(key.into(), by);
        }
    }

    /// What is to be told now, prefix by prefix.
    pub fn drain(&mut self) -> Vec<List> {
        let mut lists = Vec::new();
        for prefix in std::mem::take(&mut self.changed) {
            let Some(listeners) = self.all.get_mut(&prefix) else { continue };
            let keys = std::mem::take(&mut listeners.keys);
            let (picky, all): (Vec<_>, Vec<_>) = listeners.clients.iter().partition(|(_, noloop)| **noloop);
            if !all.is_empty() {
                lists.push(List { to: all.into_iter().map(|(who, _)| *who).collect(), keys: array(keys.keys()) });
            }
            for (who, _) in picky {
                let others: Vec<&Box<[u8]>> =
                    keys.iter().filter(|(_, by)| **by != Some(*who)).map(|(key, _)| key).collect();
                if !others.is_empty() {
                    lists.push(List { to: vec![*who], keys: array(others.into_iter()) });
                }
            }
        }
        lists
    }
}

/// Keys as a RESP array.
pub fn array<K: AsRef<[u8]>>(keys: impl ExactSizeIterator<Item = K>) -> Arc<[u8]> {
    let mut out = format!("*{}\r\n", keys.len()).into_bytes();
    for key in keys {
        let key = key.as_ref();
        out.extend_from_slice(format!("${}\r\n", key.len()).as_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(b"\r\n");
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::ConnId;

    fn told(prefixes: &mut Prefixes) -> Vec<(Vec<u64>, String)> {
        let told = prefixes.drain().into_iter();
        told.map(|list| {
            let text = String::from_utf8(list.keys.to_vec()).unwrap();
            let keys: Vec<&str> = text.split("\r\n").skip(2).step_by(2).collect();
            (list.to.iter().map(|who| who.conn.0).collect(), keys.join(" "))
        })
        .collect()
    }

    #[test]
    fn keys_are_told_by_prefix_and_not_to_who_changed_them_and_does_not_care() {
        let who = |n: u64| Who { core: 0, conn: ConnId(n) };
        let prefix = |text: &str| -> Arc<[u8]> { text.as_bytes().into() };
        let mut all = Prefixes::default();
        all.add(&prefix(""), who(1), false);
        all.add(&prefix("a:"), who(2), true);
        all.add(&prefix("a:"), who(3), false);
        all.note(b"a:1", Some(who(2)));
        all.note(b"a:2", None);
        all.note(b"b", Some(who(1)));
        let expected = [(vec![1], "a:1 a:2 b"), (vec![3], "a:1 a:2"), (vec![2], "a:2")];
        assert_eq!(told(&mut all), expected.map(|(to, keys)| (to, keys.to_owned())));
        assert!(!all.has_changes() && told(&mut all).is_empty());
        all.note(b"a:1", Some(who(2)));
        all.remove(&prefix("a:"), who(3));
        all.remove(&prefix(""), who(1));
        assert_eq!((told(&mut all).len(), all.len()), (0, 1));
        all.note(b"a:1", None);
        all.remove(&prefix("a:"), who(2));
        assert!(all.is_empty() && !all.has_changes());
    }
}
