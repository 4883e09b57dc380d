//! Asking all cores: sending the question, taking the reports in, finishing.

use super::Center;
use super::assembly::Assembly;
use super::message::Message;
use super::query::{Finish, Gather, Question, Report};
use crate::connection::session::Session;
use crate::dispatch::call::OwnedCall;
use crate::runtime::ConnId;
use crate::stats::clock;
use shards::reply::{Reply, Resp};
use std::sync::Arc;

impl Center {
    /// Asks every core, this one included; `finish` writes the reply when all have reported.
    pub fn gather(
        &mut self,
        conn: ConnId,
        ticket: u64,
        question: Question,
        finish: Finish,
        assembly: Option<Assembly>,
        asker: Option<(OwnedCall, u64)>,
    ) {
        let id = self.gather_into(Some((conn, ticket)), question, finish);
        let gather = self.gathers.get_mut(&id).expect("just begun");
        gather.asker = asker;
        gather.assembly = assembly;
    }

    /// Asks every core for a client, or (`None`) for the script of this core.
    pub(super) fn gather_into(&mut self, client: Option<(ConnId, u64)>, question: Question, finish: Finish) -> u64 {
        let id = self.next_gather;
        self.next_gather += 1;
        let reports = (0..self.cores).map(|_| None).collect();
        self.gathers.insert(id, Gather { client, missing: self.cores, reports, finish, asker: None, assembly: None });
        for core in 0..self.cores {
            self.send(core, Message::Ask { gather: id, question: question.clone() });
        }
        id
    }

    /// Has a core, this one included, do something.
    pub fn tell(&mut self, core: usize, deed: impl Fn(&mut Center) + Send + Sync + 'static) {
        let tell: Question = Arc::new(move |center: &mut Center| -> Report {
            deed(center);
            Box::new(())
        });
        self.send(core, Message::Tell(tell));
    }

    /// A core has reported.
    pub fn on_reported(&mut self, from: usize, id: u64, report: Report) {
        let gather = self.gathers.get_mut(&id).expect("cores report to open gatherings");
        gather.reports[from] = Some(report);
        gather.missing -= 1;
        if gather.missing > 0 {
            return;
        }
        let gather = self.gathers.remove(&id).expect("found above");
        let reports: Vec<Report> = gather.reports.into_iter().map(|r| r.expect("all have reported")).collect();
        let Some((conn, ticket)) = gather.client else {
            return self.finish_script_gather(gather.finish, reports);
        };
        let Some(mut connection) = self.clients.take(conn) else {
            // The client is gone; what was done in its name (WATCH) must still be undone.
            let mut nobody = Session::new(0, self.now_ms, Arc::clone(self.users.default_user()), false);
            (gather.finish)(self, &mut nobody, reports, &mut Reply::new(&mut Vec::new(), Resp::V2));
            return self.unwatch_all(&mut nobody);
        };
        let resp = connection.session.resp;
        match gather.assembly {
            Some(mut assembly) => {
                let start = assembly.out.len();
                let mut reply = Reply::new(&mut assembly.out, resp);
                (gather.finish)(self, &mut connection.session, reports, &mut reply);
                self.end_asking(gather.asker, &connection.session, &assembly.out[start..]);
                self.assemble(&mut connection, assembly);
            }
            None => {
                let mut out = Vec::new();
                let mut reply = Reply::new(&mut out, resp);
                (gather.finish)(self, &mut connection.session, reports, &mut reply);
                self.end_asking(gather.asker, &connection.session, &out);
                self.end_stall(conn, &mut connection, ticket, &out);
            }
        }
        self.clients.put(conn, connection);
    }

    /// The call that asked all cores has its answer: what it took is counted, and logged if it was much.
    fn end_asking(&mut self, asker: Option<(OwnedCall, u64)>, session: &Session, reply: &[u8]) {
        let Some((call, begin)) = asker else { return };
        let ticks = clock::ticks().wrapping_sub(begin);
        self.count(call.entry, ticks, reply.first() == Some(&b'-'), reply);
        self.note_slow(call.entry, call.argv(), ticks, reply.len());
        if let Some(slow) = self.slow.take() {
            self.log_slow(slow, Some(session));
        }
    }
}
