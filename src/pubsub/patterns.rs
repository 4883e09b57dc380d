//! Patterns, and finding those that match a channel without trying all.
//!
//! Patterns are filed by the literal bytes they begin with (up to [`HEAD_MAX`] of them): `news.*` and `news.?` under
//! `news.`. A channel looks under each of its own beginnings that is as long as some file's name. Within a file each
//! pattern carries the literal bytes it ends with, as one word, so that most of those that do not match are passed over
//! without touching their text. What is left is decided by the matcher, or needs none (`news.*` itself).
//!
//! ```text
//! files: "news." -> [ id, least length, end "" | id, least length, end ".uk" ...]     "" -> [ "*.log" ... ]
//! places: id -> text, who listens, where it is filed
//! ```
//!
//! Invariant: each pattern is filed once, under the bytes it begins with; `lengths` counts the files by the length of
//! their names.

use super::Name;
use super::topics::Topic;
use shards::stdx::glob;
use ahash::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// Longest name of a file.
const HEAD_MAX: usize = 48;
/// Bytes of a pattern's end that are compared as one word.
const TAIL_MAX: usize = 8;

/// One pattern.
pub struct Pattern {
    /// Its text.
    pub text: Name,
    /// Who listens.
    pub topic: Topic,
    /// Its place in its file.
    at: usize,
}

/// What a file keeps of a pattern.
#[derive(Clone, Copy)]
struct Filed {
    id: u32,
    /// Bytes a matching channel has at least.
    len_min: u32,
    /// Its last bytes, the last one highest, and which of them count.
    tail: u64,
    tail_mask: u64,
    /// It is its file's name and a star: no more to be compared.
    decided: bool,
}

/// Patterns.
pub struct Patterns {
    by_text: HashMap<Name, u32, RandomState>,
    places: Vec<Option<Pattern>>,
    free: Vec<u32>,
    files: HashMap<Box<[u8]>, Vec<Filed>, RandomState>,
    /// Files by the length of their names.
    lengths: Vec<(usize, u32)>,
}

/// The literal bytes at the start of a pattern.
fn head(pattern: &[u8]) -> &[u8] {
    let special = |b: &u8| matches!(b, b'*' | b'?' | b'[' | b'\\');
    let len = pattern.iter().position(special).unwrap_or(pattern.len());
    &pattern[..len.min(HEAD_MAX)]
}

/// The literal bytes at the end of a pattern. With a class in it there are none: where a class ends is the matcher's
/// business.
fn tail(pattern: &[u8]) -> &[u8] {
    if pattern.contains(&b'[') {
        return &[];
    }
    let special = |b: &u8| matches!(b, b'*' | b'?' | b'\\');
    let start = pattern.iter().rposition(special).map_or(0, |at| at + 1);
    &pattern[start.max(pattern.len().saturating_sub(TAIL_MAX))..]
}

/// The last bytes of `text` as a word, and the mask of those that are there.
fn word_of_end(text: &[u8]) -> (u64, u64) {
    let end = &text[text.len().saturating_sub(TAIL_MAX)..];
    let (mut word, mut mask) = (0u64, 0u64);
    for (i, byte) in end.iter().rev().enumerate() {
        word |= u64::from(*byte) << (56 - 8 * i);
        mask |= 0xff << (56 - 8 * i);
    }
    (word, mask)
}

impl Filed {
    fn new(id: u32, pattern: &[u8]) -> Filed {
        let (head, tail) = (head(pattern), tail(pattern));
        let (word, tail_mask) = word_of_end(tail);
        // A pattern all of whose bytes are literal is head and tail at once.
        let len_min = head.len().max(tail.len()) as u32;
        Filed { id, len_min, tail: word, tail_mask, decided: pattern[head.len()..] == *b"*" }
    }
}

impl Patterns {
    /// None yet. Patterns come from clients, so the hasher must not be guessed.
    pub fn new(hasher: RandomState) -> Patterns {
        Patterns {
            by_text: HashMap::with_hasher(hasher.clone()),
            places: Vec::new(),
            free: Vec::new(),
            files: HashMap::with_hasher(hasher),
            lengths: Vec::new(),
        }
    }

    /// That pattern, new if need be, and its text as it is kept.
    pub fn of(&mut self, text: &[u8]) -> (Name, &mut Topic) {
        let name = match self.by_text.get_key_value(text) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(text),
        };
        (Arc::clone(&name), self.named(&name))
    }

    /// That pattern, new if need be.
    pub fn named(&mut self, name: &Name) -> &mut Topic {
        let id = match self.by_text.get(name) {
            Some(id) => *id,
            None => self.insert(name),
        };
        &mut self.places[id as usize].as_mut().expect("a name has its pattern").topic
    }

    fn insert(&mut self, name: &Name) -> u32 {
        let id = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            u32::try_from(self.places.len() - 1).expect("fewer than 2^32 patterns")
        });
        let head = head(name);
        let file = match self.files.get_mut(head) {
            Some(file) => file,
            None => {
                match self.lengths.iter_mut().find(|(len, _)| *len == head.len()) {
                    Some((_, files)) => *files += 1,
                    None => self.lengths.push((head.len(), 1)),
                }
                self.files.entry(head.into()).or_default()
            }
        };
        file.push(Filed::new(id, name));
        let at = file.len() - 1;
        self.places[id as usize] = Some(Pattern { text: Arc::clone(name), topic: Topic::default(), at });
        self.by_text.insert(Arc::clone(name), id);
        id
    }

    /// Changes who listens to a pattern; forgets it when nobody is left.
    pub fn change(&mut self, name: &Name, change: impl FnOnce(&mut Topic)) {
        let Some(id) = self.by_text.get(name).copied() else { return };
        let topic = &mut self.places[id as usize].as_mut().expect("a name has its pattern").topic;
        change(topic);
        if topic.is_empty() {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u32) {
        let pattern = self.places[id as usize].take().expect("it is there");
        self.by_text.remove(&pattern.text);
        self.free.push(id);
        let head = head(&pattern.text);
        let file = self.files.get_mut(head).expect("every pattern is filed");
        file.swap_remove(pattern.at);
        if let Some(moved) = file.get(pattern.at) {
            self.places[moved.id as usize].as_mut().expect("a filed pattern is there").at = pattern.at;
        }
        if file.is_empty() {
            self.files.remove(head);
            let at = self.lengths.iter().position(|(len, _)| *len == head.len()).expect("files are counted");
            self.lengths[at].1 -= 1;
            if self.lengths[at].1 == 0 {
                self.lengths.swap_remove(at);
            }
        }
        if self.by_text.is_empty() {
            *self = Patterns::new(self.by_text.hasher().clone());
        }
    }

    /// Calls `found` for each pattern that matches `channel`.
    pub fn matching<'p>(&'p self, channel: &[u8], mut found: impl FnMut(&'p Pattern)) {
        let (end, _) = word_of_end(channel);
        for (len, _) in self.lengths.iter().filter(|(len, _)| *len <= channel.len()) {
            let Some(file) = self.files.get(&channel[..*len]) else { continue };
            for filed in file {
                if channel.len() < filed.len_min as usize || (end ^ filed.tail) & filed.tail_mask != 0 {
                    continue;
                }
                let pattern = self.places[filed.id as usize].as_ref().expect("a filed pattern is there");
                let decided = filed.decided && !channel.is_empty();
                if decided || glob::matches(&pattern.text, channel, false) {
                    found(pattern);
                }
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_text.len()
    }

    /// True if there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_text.is_empty()
    }

    /// Checks what must hold; for tests.
    pub fn check_invariants(&self) {
        let filed: usize = self.files.values().map(Vec::len).sum();
        assert_eq!(filed, self.by_text.len(), "each pattern is filed once");
        for (head_bytes, file) in &self.files {
            assert!(!file.is_empty(), "empty files are forgotten");
            for (at, filed) in file.iter().enumerate() {
                let pattern = self.places[filed.id as usize].as_ref().expect("a filed pattern is there");
                assert_eq!((pattern.at, head(&pattern.text)), (at, &**head_bytes));
                assert!(!pattern.topic.is_empty(), "patterns without subscribers are forgotten");
            }
        }
        for (len, files) in &self.lengths {
            assert_eq!(self.files.keys().filter(|head| head.len() == *len).count(), *files as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::ConnId;
    use std::collections::BTreeSet;

    fn found(patterns: &Patterns, channel: &[u8]) -> BTreeSet<Vec<u8>> {
        let mut found = BTreeSet::new();
        patterns.matching(channel, |pattern| assert!(found.insert(pattern.text.to_vec()), "found once"));
        found
    }

    #[test]
    fn the_index_finds_what_the_matcher_finds() {
        let mut rng = shards::stdx::prng::Prng::new(11);
        let text = |rng: &mut shards::stdx::prng::Prng, letters: &[u8], len_max: u64| -> Vec<u8> {
            (0..rng.below(len_max + 1)).map(|_| letters[rng.below(letters.len() as u64) as usize]).collect()
        };
        let (mut patterns, mut all) = (Patterns::new(RandomState::with_seeds(1, 2, 3, 4)), BTreeSet::new());
        for step in 0..4000 {
            let pattern = text(&mut rng, b"ab.*?[]^-\\", 8);
            let (name, _) = patterns.of(&pattern);
            if all.remove(&pattern) {
                patterns.change(&name, |topic| topic.here.remove(ConnId(1)));
            } else {
                patterns.named(&name).here.insert(ConnId(1));
                all.insert(pattern);
            }
            let channel = text(&mut rng, b"ab.]-", 7);
            let expected: BTreeSet<_> = all.iter().filter(|p| glob::matches(p, &channel, false)).cloned().collect();
            assert_eq!(found(&patterns, &channel), expected, "channel {channel:?}");
            if step % 50 == 0 {
                patterns.check_invariants();
            }
        }
    }

    #[test]
    fn long_beginnings_and_ends_are_compared_in_full() {
        let mut patterns = Patterns::new(RandomState::with_seeds(1, 2, 3, 4));
        let long = "x".repeat(100);
        for pattern in [format!("{long}*"), format!("*{long}"), long.clone(), format!("{long}?{long}")] {
            patterns.of(pattern.as_bytes()).1.here.insert(ConnId(1));
        }
        assert_eq!(found(&patterns, long.as_bytes()).len(), 3);
        assert_eq!(found(&patterns, format!("{long}y").as_bytes()).len(), 1);
        assert_eq!(found(&patterns, format!("y{long}").as_bytes()).len(), 1);
        assert_eq!(found(&patterns, format!("{long}y{long}").as_bytes()).len(), 3);
        assert_eq!(found(&patterns, "x".repeat(99).as_bytes()).len(), 0);
    }
}
