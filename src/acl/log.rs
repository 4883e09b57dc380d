//! ACL LOG: who was denied what, newest first.
//!
//! One log for the whole process, behind a lock that only denials and ACL LOG take: entries of all cores have to be told
//! apart, counted together and numbered in one line. A denial costs its client more than the lock.

use super::check::Reason;
use std::collections::VecDeque;

/// Entries looked at for one that is about the same thing.
const LOOK_BACK: usize = 10;
/// Denials further apart than this are not counted together.
const TOGETHER_MS: i64 = 60_000;

/// Where a call came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    /// A client.
    Toplevel,
    /// A transaction.
    Multi,
    /// A script.
    Lua,
}

/// One line of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// How often it happened.
    pub count: u64,
    /// What was denied.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// The thing denied.
    pub object: Box<[u8]>,
    /// The user.
    pub username: Box<[u8]>,
    /// The client that was denied last, as CLIENT LIST shows it.
    pub client: Box<[u8]>,
    /// Its number.
    pub id: u64,
    /// When it happened first, unix milliseconds.
    pub created_ms: i64,
    /// When it happened last.
    pub updated_ms: i64,
}

/// The log.
#[derive(Default, Debug)]
pub struct AclLog {
    entries: VecDeque<LogEntry>,
    next_id: u64,
}

impl AclLog {
    /// Notes a denial; `new.count`, `new.id` and `new.created_ms` are for the log to say.
    pub fn add(&mut self, new: LogEntry, len_max: usize) {
        if len_max == 0 {
            return self.trim(0);
        }
        let same = |old: &LogEntry| {
            (old.reason, old.context) == (new.reason, new.context)
                && (old.updated_ms - new.updated_ms).abs() <= TOGETHER_MS
                && old.object == new.object
                && old.username == new.username
        };
        let found = self.entries.iter().take(LOOK_BACK).position(same);
        match found.and_then(|at| self.entries.remove(at)) {
            Some(old) => {
                let (client, updated_ms) = (new.client, new.updated_ms);
                self.entries.push_front(LogEntry { count: old.count + 1, client, updated_ms, ..old });
            }
            None => {
                let (id, created_ms) = (self.next_id, new.updated_ms);
                self.next_id += 1;
                self.entries.push_front(LogEntry { count: 1, id, created_ms, ..new });
                self.trim(len_max);
            }
        }
    }

    fn trim(&mut self, len_max: usize) {
        self.entries.truncate(len_max);
    }

    /// The newest entries.
    pub fn newest(&self, count: usize) -> Vec<LogEntry> {
        self.entries.iter().take(count).cloned().collect()
    }

    /// ACL LOG RESET. Numbers go on.
    pub fn reset(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(object: &str, at_ms: i64) -> LogEntry {
        LogEntry {
            count: 0,
            reason: Reason::Key,
            context: Context::Toplevel,
            object: object.as_bytes().into(),
            username: b"bob"[..].into(),
            client: format!("at={at_ms}").into_bytes().into(),
            id: 0,
            created_ms: 0,
            updated_ms: at_ms,
        }
    }

    #[test]
    fn denials_of_the_same_thing_within_a_minute_are_one_entry() {
        let mut log = AclLog::default();
        log.add(denial("a", 1_000), 128);
        log.add(denial("b", 2_000), 128);
        log.add(denial("a", 3_000), 128);
        let seen: Vec<_> = log.newest(10).into_iter().map(|e| (e.object, e.count, e.id, e.created_ms, e.updated_ms)).collect();
        assert_eq!(seen, [(b"a"[..].into(), 2, 0, 1_000, 3_000), (b"b"[..].into(), 1, 1, 2_000, 2_000)]);
        assert_eq!(*log.newest(1)[0].client, *b"at=3000");
        log.add(denial("a", 63_001), 128);
        assert_eq!(log.newest(1)[0].count, 1);
    }

    #[test]
    fn the_log_stays_as_short_as_it_is_told_to() {
        let mut log = AclLog::default();
        (0..200).for_each(|i| log.add(denial(&format!("k{i}"), i), 5));
        assert_eq!(log.newest(100).len(), 5);
        assert_eq!(log.newest(1)[0].id, 199);
        log.add(denial("last", 200), 0);
        assert!(log.newest(100).is_empty());
        log.reset();
        log.add(denial("z", 1), 5);
        assert_eq!(log.newest(1)[0].id, 200, "numbers go on");
    }
}
