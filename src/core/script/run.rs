//! A script from its start to its end, with the rests in between.

use super::calls::Answer;
use super::kill::is_function;
use super::{Mode, Run, SLICE_US, Then, Wait};
use crate::core::Center;
use crate::core::call::How;
use crate::dispatch::call::OwnedCall;
use crate::script::exchange::Code;
use crate::script::stack::{Order, Stack, Wish};
use crate::script::text::flag;
use crate::stats::clock;
use shards::reply::Resp;
use shards::txn::locks::SEIZER;

/// What became of a script that was let run.
pub enum Driven {
    /// It has ended; [`Center::settle_script`] has its reply.
    Done(Box<Run>),
    /// It is suspended.
    Suspended,
    /// It strayed; nothing of it is left.
    Strayed(Box<Run>),
}

impl Center {
    /// Starts a script; the machine is free.
    pub(super) fn start_script(&mut self, call: OwnedCall, how: How, mode: Mode, then: Then) -> Driven {
        assert!(!self.scripts.is_busy(), "a core runs one script at a time");
        let insecure = self.config.general.lua_enable_insecure_api;
        let stack = self.scripts.stack.take().unwrap_or_else(|| Box::new(Stack::new(insecure)));
        let script = call.script.as_ref().expect("a script's call knows what it runs");
        let code = script.code.clone().expect("what cannot run was answered before");
        let flags = match &code {
            Code::Script(script) => script.flags,
            Code::Function(library, at) => library.functions[*at].flags,
            _ => 0,
        };
        {
            let mut exchange = stack.exchange();
            exchange.code = Some(code);
            exchange.set_args(call.argv().iter().skip(3));
            exchange.keys = script.keys;
            exchange.client_resp = how.resp;
            exchange.resp = Resp::V2;
            exchange.propagate = 3;
            exchange.counted = false;
            exchange.failed = false;
        }
        let now = clock::ticks();
        self.scripts.next_run += 1;
        let run = Run {
            id: self.scripts.next_run,
            read_only: script.read_only || flags & flag::NO_WRITES != 0,
            out_of_memory: flags & flag::ALLOW_OOM == 0 && self.is_short_of_memory(),
            call,
            how,
            then,
            mode,
            db: how.db,
            session: None,
            now_ms: self.now_ms,
            began: now,
            slice: now,
            wrote: false,
            killed: false,
            strayed: false,
            busy: false,
            images: Vec::new(),
            dirty: self.shard.effects().dirty(),
            loans: Vec::new(),
            wait: None,
            aside: None,
        };
        self.drive_script(stack, Box::new(run), Order::Start)
    }

    /// Goes on with the suspended script; what it waited for is there.
    pub(super) fn go_on_with_script(&mut self) {
        let (Some(stack), Some(mut run)) = (self.scripts.stack.take(), self.scripts.running.take()) else {
            unreachable!("a suspended script has its machine")
        };
        self.commit();
        self.shard.bring_back(run.aside.take().expect("a suspended script left its things aside"));
        run.slice = clock::ticks();
        if !run.loans.is_empty() {
            self.shard.welcome(std::mem::take(&mut run.loans));
        }
        let mut order = Order::GoOn;
        match run.wait.take() {
            Some(Wait::Keys(_)) => {
                let answer = self.answer_script_call(&mut run, &mut stack.exchange());
                match answer {
                Answer::Ready => {}
                Answer::Wait(wait) => {
                    self.suspend_script(run, stack, wait);
                    return;
                }
                Answer::Stray => unreachable!("a script that has every shard does not stray"),
                }
            }
            Some(Wait::Parts(parts)) => stack.exchange().reply = parts.merged(self.rng.next_u64()),
            _ => {}
        }
        if run.killed {
            order = Order::Stop;
            stack.exchange().stop_text = killed_text(&run);
        }
        let driven = self.drive_script(stack, run, order);
        self.follow_script(driven);
    }

    /// What is to be done with a script that nobody waits for on the spot.
    pub(super) fn follow_script(&mut self, driven: Driven) {
        match driven {
            Driven::Suspended => {}
            Driven::Strayed(run) => self.send_strayed(*run),
            Driven::Done(mut run) => {
                let reply = self.settle_script(&mut run);
                match std::mem::replace(&mut run.then, Then::Caller) {
                    Then::Caller => unreachable!("whoever called knows by now that it was suspended"),
                    Then::Client { core, conn, ticket } => {
                        self.reply_to(core, conn, ticket, &reply);
                        self.commit();
                        if let Some(call) = self.slow.take() {
                            self.send(core, crate::core::message::Message::Slow { conn, call });
                        }
                        self.release_shard();
                    }
                    Then::Batch(mut batch) => {
                        batch.take_reply(reply);
                        self.run_batch(batch);
                    }
                }
            }
        }
    }

    fn drive_script(&mut self, mut stack: Box<Stack>, mut run: Box<Run>, mut order: Order) -> Driven {
        loop {
            order = match stack.resume(order) {
                Wish::Done => break,
                Wish::Tick => match self.tick_script(&mut run) {
                    Order::End => {
                        self.suspend_script(run, stack, Wait::Slice);
                        return Driven::Suspended;
                    }
                    order => order,
                },
                Wish::MayCall => {
                    self.answer_may_call(&run, &mut stack.exchange());
                    Order::GoOn
                }
                Wish::Call => {
                    let answer = self.answer_script_call(&mut run, &mut stack.exchange());
                    match answer {
                        Answer::Ready => Order::GoOn,
                        Answer::Wait(wait) => {
                            self.suspend_script(run, stack, wait);
                            return Driven::Suspended;
                        }
                        Answer::Stray => {
                            run.strayed = true;
                            Order::Stop
                        }
                    }
                }
            };
            if order == Order::Stop {
                stack.exchange().stop_text = killed_text(&run);
            }
        }
        self.scripts.machine_bytes = stack.exchange().used_bytes;
        self.scripts.stack = Some(stack);
        if run.busy {
            self.shared.register.note_busy(is_function(run.call.entry), false);
        }
        if run.strayed {
            let images = std::mem::take(&mut run.images);
            self.shard.keyspace.put_back(images, run.dirty);
            self.commit();
            self.release_shard();
            return Driven::Strayed(run);
        }
        Driven::Done(run)
    }

    fn suspend_script(&mut self, mut run: Box<Run>, stack: Box<Stack>, wait: Wait) {
        if run.mode != Mode::All && !self.scripts.seized {
            self.shard.locks.seize();
            self.scripts.seized = true;
        }
        run.aside = Some(self.shard.set_aside());
        run.wait = Some(wait);
        self.scripts.stack = Some(stack);
        self.scripts.running = Some(run);
    }

    /// Some time has passed: `GoOn`, `Stop`, or `End` for a rest.
    fn tick_script(&mut self, run: &mut Run) -> Order {
        if run.killed {
            return Order::Stop;
        }
        let now = clock::ticks();
        let threshold_ms = self.config.general.busy_reply_threshold;
        let elapsed_ms = clock::ticks_to_us(now.wrapping_sub(run.began)) / 1000;
        if !run.busy && threshold_ms > 0 && elapsed_ms >= threshold_ms.unsigned_abs() {
            run.busy = true;
            let function = is_function(run.call.entry);
            self.shared.register.note_busy(function, true);
            let kill = if function { "FUNCTION KILL" } else { "SCRIPT KILL" };
            let name = String::from_utf8_lossy(run.call.argv().get(1)).chars().take(64).collect::<String>();
            tracing::warn!("Slow script detected: still in execution after {elapsed_ms} milliseconds. You can try killing the script using the {kill} command. Script name is: {name}.");
        }
        if clock::ticks_to_us(now.wrapping_sub(run.slice)) >= SLICE_US { Order::End } else { Order::GoOn }
    }

    /// Counts a script that has ended and takes its reply. Its effects wait for `commit`.
    pub(super) fn settle_script(&mut self, run: &mut Run) -> Vec<u8> {
        self.begin_call_by(run.how.by);
        let ticks = clock::ticks().wrapping_sub(run.began);
        let (reply, failed, counted) = {
            let mut exchange = self.scripts.stack.as_ref().expect("it has just run").exchange();
            (std::mem::take(&mut exchange.reply), exchange.failed, exchange.counted)
        };
        let stat = &mut self.stats.commands[run.call.entry.id as usize];
        stat.calls += 1;
        stat.ticks += ticks;
        self.stats.calls += 1;
        if failed {
            self.stats.commands[run.call.entry.id as usize].failed += 1;
            if counted {
                self.stats.error_replies += 1;
            } else {
                self.stats.count_error(&reply);
            }
            if reply.starts_with(b"-ERR Error compiling script")
                && let Some(Ok(Code::Script(script))) = run.call.script.as_ref().map(|s| &s.code)
            {
                self.shared.register.scripts().forget(&script.sha);
            }
        }
        self.note_slow(run.call.entry, run.call.argv(), ticks, reply.len());
        reply
    }

    /// Gives a reply's buffer back to the machine.
    pub(super) fn give_back_buffer(&mut self, buffer: Vec<u8>) {
        if let Some(stack) = &self.scripts.stack
            && buffer.capacity() <= 64 << 10
        {
            stack.exchange().reply = buffer;
        }
    }

    /// Lets others at the shard again, if a script kept them from it.
    pub(super) fn release_shard(&mut self) {
        if std::mem::take(&mut self.scripts.seized) {
            self.conclude(SEIZER);
        }
    }

    /// True if a call that needs memory must not run now.
    fn is_short_of_memory(&mut self) -> bool {
        self.room.is_limited() && self.lacks_memory()
    }

    /// The script's next slice, or a batch that waits for the machine. True if there is more to do at once.
    pub fn tend_scripts(&mut self) -> bool {
        if self.scripts.wants_turns() {
            self.go_on_with_script();
        }
        while !self.scripts.is_busy()
            && let Some(batch) = self.scripts.queue.pop_front()
        {
            self.run_batch(batch);
        }
        self.scripts.wants_turns()
    }
}

fn killed_text(run: &Run) -> &'static str {
    if is_function(run.call.entry) {
        "Script killed by user with FUNCTION KILL."
    } else {
        "Script killed by user with SCRIPT KILL."
    }
}
