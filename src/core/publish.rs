//! Publishing, on whichever core it happens; and telling all cores who listens.
//!
//! A message goes to the subscribers of this core at once, and as one record to each other core that has some: behind all
//! this core sent there before, so the order of each publisher is kept, over all channels.
//!
//! A client that subscribes is in the crowd of its core from the start, so that a message counted for it reaches it; the
//! confirmation is written when all cores know, and what it is pushed meanwhile stands behind that. One that
//! unsubscribes leaves its crowd when all cores have stopped counting it.

use super::Center;
use super::assembly::Assembly;
use super::message::Message;
use super::query::{Finish, Question, Report};
use crate::connection::Connection;
use crate::connection::session::Session;
use crate::pubsub::subscriptions::Subscriptions;
use crate::pubsub::topics::Topic;
use crate::pubsub::{Change, Kind, PubSub};
use crate::runtime::ConnId;
use std::sync::Arc;

/// What a client heard that changed its subscriptions, once all cores know.
pub struct Confirmation {
    /// The changes, without those that changed nothing.
    pub changes: Vec<Change>,
    /// What it hears.
    pub reply: Vec<u8>,
}

/// Who a message is for.
#[derive(Default)]
struct Audience {
    receivers: u64,
    /// Other cores with receivers, each once.
    cores: Vec<u32>,
}

impl Audience {
    #[inline]
    fn add(&mut self, topic: &Topic) {
        self.receivers += topic.subscribers();
        for (core, _) in &topic.elsewhere {
            if !self.cores.contains(core) {
                self.cores.push(*core);
            }
        }
    }
}

impl Center {
    /// Who listens to what.
    pub fn pubsub(&mut self) -> &mut PubSub {
        self.pubsub.as_mut().expect("it is away only while a message is delivered")
    }

    /// True if nobody on any core listens to anything, so that nothing needs to be put in words.
    #[inline]
    pub fn nobody_listens(&self) -> bool {
        self.pubsub.as_ref().is_some_and(|p| p.channels.is_empty() && p.patterns.is_empty())
    }

    /// Publishes a message; the number of its receivers on all cores.
    pub fn publish(&mut self, kind: Kind, channel: &[u8], payload: &[u8]) -> u64 {
        let mut audience = Audience::default();
        self.deliver_to(kind, channel, payload, &mut audience);
        for core in audience.cores {
            self.push_publication(core as usize, kind, channel, payload);
        }
        audience.receivers
    }

    /// Gives a message that another core published to the subscribers of this core.
    pub(super) fn deliver(&mut self, kind: Kind, channel: &[u8], payload: &[u8]) {
        self.deliver_to(kind, channel, payload, &mut Audience::default());
    }

    fn deliver_to(&mut self, kind: Kind, channel: &[u8], payload: &[u8], audience: &mut Audience) {
        let mut pubsub = self.pubsub.take().expect("deliveries are not nested");
        let PubSub { channels, shard_channels, patterns, scratch } = &mut *pubsub;
        let topics = if kind == Kind::Shard { shard_channels } else { channels };
        if let Some(topic) = topics.get(channel) {
            audience.add(topic);
            if !topic.here.is_empty() {
                let frame = scratch.message(kind, channel, payload);
                topic.here.members().iter().for_each(|conn| self.push_here(*conn, frame));
            }
        }
        if kind != Kind::Shard && !patterns.is_empty() {
            scratch.begin_pattern_messages(channel, payload);
            patterns.matching(channel, |pattern| {
                audience.add(&pattern.topic);
                if !pattern.topic.here.is_empty() {
                    let frame = scratch.pattern_message(&pattern.text);
                    pattern.topic.here.members().iter().for_each(|conn| self.push_here(*conn, frame));
                }
            });
        }
        self.pubsub = Some(pubsub);
    }

    /// A client listens to more: it is in its crowds at once.
    pub fn join(&mut self, session: &mut Session, conn: ConnId, kind: Kind, name: &[u8]) -> Option<Change> {
        let mine = session.subscriptions.get_or_insert_default().of_mut(kind);
        if mine.contains(name) {
            return None;
        }
        let name = self.pubsub().join(kind, name, conn);
        mine.insert(Arc::clone(&name));
        Some(Change { kind, name, joins: true })
    }

    /// A client listens to less; it stays in the crowd until [`Center::end_leaving`].
    pub fn quit_listening(session: &mut Session, kind: Kind, name: &[u8]) -> Option<Change> {
        let name = session.subscriptions.as_mut()?.of_mut(kind).take(name)?;
        Some(Change { kind, name, joins: false })
    }

    /// Tells all cores what a client changed, and then confirms it; `None` if it is confirmed already.
    pub(super) fn begin_to_settle(&mut self, conn: ConnId, changes: Vec<Change>) -> Option<Question> {
        if self.cores == 1 || changes.is_empty() {
            self.end_leaving(conn, &changes);
            return None;
        }
        Some(self.notice(changes))
    }

    /// What each core does to know of changes here.
    fn notice(&self, changes: Vec<Change>) -> Question {
        let from = self.id;
        Arc::new(move |center: &mut Center| -> Report {
            if center.id != from {
                changes.iter().for_each(|change| center.pubsub().note(from, change));
            }
            Box::new(())
        })
    }

    fn end_leaving(&mut self, conn: ConnId, changes: &[Change]) {
        for change in changes.iter().filter(|change| !change.joins) {
            self.pubsub().leave(change.kind, &change.name, conn);
        }
    }

    /// Confirms changes of subscriptions to a client when all cores know of them; true if the connection waits for that. The confirmation is a push by its
    /// nature: CLIENT REPLY does not concern it.
    pub(super) fn confirm(&mut self, conn: ConnId, connection: &mut Connection, confirmation: Confirmation) -> bool {
        let Confirmation { changes, reply } = confirmation;
        let leaves = changes.iter().any(|change| !change.joins);
        let Some(question) = self.begin_to_settle(conn, changes.clone()) else {
            connection.replies.write(|out| out.extend_from_slice(&reply));
            return false;
        };
        let ticket = connection.replies.reserve(true);
        connection.replies.hold_pushes(ticket);
        if leaves {
            // It might join again what it has not left yet.
            connection.stall = Some(crate::connection::Stall::Working(ticket));
        }
        self.gather(conn, ticket, question, end_confirmation(conn, changes, reply), None, None);
        leaves
    }

    /// The same inside an EXEC, whose replies wait meanwhile; gives them back if there is nothing to wait for.
    pub(super) fn confirm_in_exec(
        &mut self,
        connection: &mut Connection,
        confirmation: Confirmation,
        mut assembly: Assembly,
    ) -> Option<Assembly> {
        let Confirmation { changes, reply } = confirmation;
        let Some(question) = self.begin_to_settle(assembly.conn, changes.clone()) else {
            assembly.out.extend_from_slice(&reply);
            return Some(assembly);
        };
        connection.replies.hold_pushes(assembly.ticket);
        let (conn, ticket) = (assembly.conn, assembly.ticket);
        self.gather(conn, ticket, question, end_confirmation(conn, changes, reply), Some(assembly), None);
        None
    }

    /// A client listens to nothing any more, unasked: it is gone, or starts afresh.
    pub fn forget_subscriptions(&mut self, session: &mut Session, conn: ConnId) {
        let Some(subscriptions) = session.subscriptions.take() else { return };
        let changes = leave_all(&subscriptions);
        self.end_leaving(conn, &changes);
        if self.cores > 1 && !changes.is_empty() {
            let tell = self.notice(changes);
            let me = self.id;
            for core in (0..self.cores).filter(|core| *core != me) {
                self.send(core, Message::Tell(tell.clone()));
            }
        }
    }
}

fn end_confirmation(conn: ConnId, changes: Vec<Change>, reply: Vec<u8>) -> Finish {
    Box::new(move |center, _, _, out| {
        center.end_leaving(conn, &changes);
        out.raw(&reply);
    })
}

/// The changes that end all subscriptions.
pub fn leave_all(subscriptions: &Subscriptions) -> Vec<Change> {
    subscriptions.iter().map(|(kind, name)| Change { kind, name: Arc::clone(name), joins: false }).collect()
}
