//! The mesh under loom: every interleaving of a few small cases, with the memory orderings as weak as the language allows.
//! A lost wake-up shows as a deadlock, a slot touched by both sides as a panic.

use super::mesh;
use super::ring::ring;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

#[test]
fn a_ring_passes_each_value_once_and_in_order() {
    loom::model(|| {
        let (mut writer, mut reader) = ring::<Box<u32>>(2);
        let handle = thread::spawn(move || {
            let mut next = 0;
            while next < 3 {
                match writer.push(Box::new(next)) {
                    Ok(()) => next += 1,
                    Err(_) => thread::yield_now(),
                }
                writer.publish();
            }
        });
        let mut expected = 0;
        while expected < 3 {
            reader.available();
            while let Some(value) = reader.pop() {
                assert_eq!(*value, expected);
                expected += 1;
            }
            reader.publish();
            thread::yield_now();
        }
        handle.join().unwrap();
    });
}

#[test]
fn what_nobody_read_is_dropped_by_whoever_goes_last() {
    loom::model(|| {
        let (mut writer, mut reader) = ring::<Arc<()>>(2);
        let value = Arc::new(());
        let sent = value.clone();
        let handle = thread::spawn(move || {
            writer.push(sent.clone()).ok();
            writer.publish();
            writer.push(sent).ok();
        });
        reader.available();
        drop(reader.pop());
        drop(reader);
        handle.join().unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

/// A core that waits as in its kernel: until somebody wakes it, once for each wake.
struct Bed(loom::sync::Mutex<bool>, loom::sync::Condvar);

impl Bed {
    fn new() -> Arc<Bed> {
        Arc::new(Bed(loom::sync::Mutex::new(false), loom::sync::Condvar::new()))
    }

    fn wait(&self) {
        let mut woken = self.0.lock().unwrap();
        while !*woken {
            woken = self.1.wait(woken).unwrap();
        }
        *woken = false;
    }

    fn wake(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
}

#[test]
fn a_sleeper_is_woken_by_what_is_posted_to_it() {
    loom::model(|| {
        let mut cores = mesh::<u32>(2, 2);
        let (mut sleeper, mut sender) = (cores.remove(0), cores.remove(0));
        let bed = Bed::new();
        let waker = bed.clone();
        let handle = thread::spawn(move || {
            sender.post(0, 7);
            sender.flush(&mut |_| waker.wake());
        });
        loop {
            if let Some(message) = sleeper.receive_one() {
                assert_eq!(message, (1, 7));
                break;
            }
            sleeper.flush(&mut |_| {});
            if sleeper.prepare_sleep() {
                bed.wait();
                sleeper.finish_sleep();
            }
        }
        handle.join().unwrap();
    });
}

#[test]
fn one_of_two_senders_wakes_the_sleeper_for_both() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let mut cores = mesh::<u32>(3, 1);
        let mut sleeper = cores.remove(0);
        let bed = Bed::new();
        let handles: Vec<_> = cores
            .into_iter()
            .map(|mut sender| {
                let waker = bed.clone();
                thread::spawn(move || {
                    sender.post(0, 1);
                    sender.flush(&mut |_| waker.wake());
                })
            })
            .collect();
        let mut received = 0;
        while received < 2 {
            sleeper.receive(&mut |_, _| received += 1);
            sleeper.flush(&mut |_| {});
            if received < 2 && sleeper.prepare_sleep() {
                bed.wait();
                sleeper.finish_sleep();
            }
        }
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    });
}

#[test]
fn a_sender_with_a_backlog_is_woken_by_room() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let mut cores = mesh::<u32>(2, 1);
        let (mut sender, mut reader) = (cores.remove(0), cores.remove(0));
        let beds = [Bed::new(), Bed::new()];
        let readers_beds = beds.clone();
        let finished = Arc::new(AtomicBool::new(false));
        let finish = finished.clone();
        let handle = thread::spawn(move || {
            let mut expected = 0;
            while expected < 2 {
                reader.receive(&mut |_, number| {
                    assert_eq!(number, expected);
                    expected += 1;
                });
                reader.flush(&mut |core| readers_beds[core].wake());
                if expected < 2 && reader.prepare_sleep() {
                    readers_beds[1].wait();
                    reader.finish_sleep();
                }
            }
            finish.store(true, Ordering::Release);
        });
        sender.post(1, 0);
        sender.post(1, 1);
        sender.flush(&mut |core| beds[core].wake());
        while sender.backlogged() {
            if sender.prepare_sleep() {
                beds[0].wait();
                sender.finish_sleep();
            }
            sender.flush(&mut |core| beds[core].wake());
        }
        handle.join().unwrap();
        assert!(finished.load(Ordering::Acquire));
    });
}
