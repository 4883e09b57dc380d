//! Reading a range of entries from either end, without a copy.

use std::collections::btree_map;

use super::id::StreamId;
use super::log::Log;
use super::node::{Entry, Node, Reader};

/// Walks over the entries from one id to another. From the front or from the back, not both.
#[derive(Clone)]
pub struct Walk<'a> {
    nodes: btree_map::Range<'a, StreamId, Node>,
    reader: Option<Reader<'a>>,
    at: usize,
    start: StreamId,
    end: StreamId,
    with_deleted: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(log: &'a Log, start: StreamId, end: StreamId) -> Walk<'a> {
        // The node that begins at or before `start` may hold it.
        let from = log.nodes.range(..=start).next_back().map_or(start, |(own, _)| *own);
        let nodes = if start <= end { log.nodes.range(from..=end) } else { btree_map::Range::default() };
        Walk { nodes, reader: None, at: 0, start, end, with_deleted: false }
    }

    /// Deleted entries come too.
    pub fn with_deleted(self) -> Walk<'a> {
        Walk { with_deleted: true, ..self }
    }

    fn wanted(&self, entry: &Entry<'_>) -> bool {
        (self.with_deleted || !entry.deleted) && self.start <= entry.id && entry.id <= self.end
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some(reader) = &self.reader else {
                let (own, node) = self.nodes.next()?;
                let reader = node.reader(*own);
                self.at = reader.begin();
                self.reader = Some(reader);
                continue;
            };
            match reader.forward(self.at) {
                Some((entry, next)) => {
                    self.at = next;
                    if self.wanted(&entry) {
                        return Some(entry);
                    }
                    if entry.id > self.end {
                        self.at = reader.end();
                    }
                }
                None => self.reader = None,
            }
        }
    }
}

impl<'a> DoubleEndedIterator for Walk<'a> {
    fn next_back(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some(reader) = &self.reader else {
                let (own, node) = self.nodes.next_back()?;
                let reader = node.reader(*own);
                self.at = reader.end();
                self.reader = Some(reader);
                continue;
            };
            match reader.backward(self.at) {
                Some(entry) => {
                    self.at = entry.at;
                    if self.wanted(&entry) {
                        return Some(entry);
                    }
                    if entry.id < self.start {
                        self.at = reader.begin();
                    }
                }
                None => self.reader = None,
            }
        }
    }
}
