//! What lies between a core and a worker for bulk files: bounded flows of bytes, a list of results, a mailbox of jobs.
//!
//! Each is a queue under a lock that is held for a push or a pop, never while anything waits or is freed. The side of the
//! worker waits as a future.
//!
//! Invariant: a worker's waker is stored and dropped by the worker only; the other side wakes it by reference. (A glommio
//! waker that is dropped by another thread may end up scheduling a task that is gone.)

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use super::files::{BulkEvent, QUEUE_BYTES, StreamId};

/// A poisoned lock means that a thread died while it changed a queue: what is in it is still whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Wakes a worker without taking its waker: a glommio waker is only ever dropped on the thread it belongs to.
pub(super) fn wake(worker: &Option<Waker>) {
    if let Some(worker) = worker {
        worker.wake_by_ref();
    }
}

/// One core's events, filled by workers.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) events: Mutex<Vec<BulkEvent>>,
    pub(super) waker: Waker,
}

impl Results {
    pub(super) fn push(&self, event: BulkEvent) {
        lock(&self.events).push(event);
        self.waker.wake_by_ref();
    }
}

/// Says how a stream ended, in any case: also if its worker died.
#[derive(Debug)]
pub(super) struct Reporter {
    pub(super) id: StreamId,
    pub(super) results: Arc<Results>,
    pub(super) reported: bool,
}

impl Reporter {
    pub(super) fn report(mut self, result: io::Result<u64>) {
        self.reported = true;
        self.results.push(BulkEvent::Done(self.id, result));
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if !self.reported {
            let error = io::Error::other("the worker for bulk files has ended");
            self.results.push(BulkEvent::Done(self.id, Err(error)));
        }
    }
}

/// What a worker finds when it asks for more to write.
#[derive(Debug, PartialEq)]
pub(super) enum Input {
    Bytes(Vec<u8>),
    Finish,
    Cancel,
}

#[derive(Debug, Default)]
pub(super) struct WriteState {
    pub(super) queue: VecDeque<Vec<u8>>,
    pub(super) queued_bytes: usize,
    pub(super) was_full: bool,
    pub(super) finished: bool,
    pub(super) cancelled: bool,
    pub(super) ended: bool,
    pub(super) worker: Option<Waker>,
}

/// Between a writer and its worker.
#[derive(Debug)]
pub(super) struct WriteFlow {
    pub(super) id: StreamId,
    pub(super) results: Arc<Results>,
    pub(super) state: Mutex<WriteState>,
    pub(super) written: AtomicU64,
}

impl WriteFlow {
    pub(super) async fn next(&self) -> Input {
        poll_fn(|context| {
            let mut state = lock(&self.state);
            state.worker = None;
            if state.cancelled {
                return Poll::Ready(Input::Cancel);
            }
            if let Some(bytes) = state.queue.pop_front() {
                state.queued_bytes -= bytes.len();
                if state.was_full && state.queued_bytes <= QUEUE_BYTES / 2 {
                    state.was_full = false;
                    self.results.push(BulkEvent::Room(self.id));
                }
                return Poll::Ready(Input::Bytes(bytes));
            }
            if state.finished {
                return Poll::Ready(Input::Finish);
            }
            state.worker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    pub(super) fn add_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Nothing more is taken, and what is waiting is let go of.
    pub(super) fn end(&self) {
        let left = {
            let mut state = lock(&self.state);
            (state.ended, state.was_full, state.worker) = (true, false, None);
            std::mem::take(&mut state.queue)
        };
        drop(left);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        lock(&self.state).cancelled
    }
}

#[derive(Debug)]
pub(super) struct ReadState {
    pub(super) credit: usize,
    pub(super) cancelled: bool,
    pub(super) worker: Option<Waker>,
}

/// Between a reader and its worker.
#[derive(Debug)]
pub(super) struct ReadFlow {
    pub(super) id: StreamId,
    pub(super) results: Arc<Results>,
    pub(super) state: Mutex<ReadState>,
}

impl ReadFlow {
    /// Waits until `bytes` more may be read; false if nobody wants them any more.
    pub(super) async fn take_credit(&self, bytes: usize) -> bool {
        poll_fn(|context| {
            let mut state = lock(&self.state);
            state.worker = None;
            if state.cancelled {
                return Poll::Ready(false);
            }
            if state.credit >= bytes {
                state.credit -= bytes;
                return Poll::Ready(true);
            }
            state.worker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    pub(super) fn return_credit(&self, bytes: usize) {
        lock(&self.state).credit += bytes;
    }

    pub(super) fn deliver(&self, bytes: Vec<u8>) {
        self.results.push(BulkEvent::Data(self.id, bytes));
    }
}

/// A queue into a worker.
#[derive(Debug)]
pub(super) struct Mailbox<T>(Mutex<Letters<T>>);

#[derive(Debug)]
struct Letters<T> {
    queue: VecDeque<T>,
    closed: bool,
    worker: Option<Waker>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Mailbox<T> {
        Mailbox(Mutex::new(Letters { queue: VecDeque::new(), closed: false, worker: None }))
    }
}

impl<T> Mailbox<T> {
    pub(super) fn push(&self, letter: T) {
        let mut letters = lock(&self.0);
        if !letters.closed {
            letters.queue.push_back(letter);
            wake(&letters.worker);
        }
    }

    /// The worker ends when it has taken what is there.
    pub(super) fn close(&self) {
        let mut letters = lock(&self.0);
        letters.closed = true;
        wake(&letters.worker);
    }

    pub(super) async fn next(&self) -> Option<T> {
        poll_fn(|context| {
            let mut letters = lock(&self.0);
            letters.worker = None;
            match letters.queue.pop_front() {
                Some(letter) => Poll::Ready(Some(letter)),
                None if letters.closed => Poll::Ready(None),
                None => {
                    letters.worker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
