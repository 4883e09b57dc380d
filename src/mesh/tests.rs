//! The mesh with real threads. Sizes shrink under Miri, which checks the same code for undefined behaviour.

use super::ring::ring;
use super::{Endpoint, MeshCounts, mesh};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};

const MESSAGES: u64 = if cfg!(miri) { 300 } else { 50_000 };

#[test]
fn a_ring_holds_what_was_pushed_in_order() {
    let (mut writer, mut reader) = ring(4);
    for round in 0..10 {
        for value in 0..4 {
            assert_eq!(writer.push(round * 4 + value), Ok(()));
        }
        assert_eq!(writer.push(99), Err(99));
        assert_eq!((reader.available(), reader.pop()), (0, None));
        assert!(writer.publish() && !writer.publish());
        assert_eq!(reader.available(), 4);
        for value in 0..4 {
            assert_eq!(reader.pop(), Some(round * 4 + value));
        }
        assert_eq!(writer.push(99), Err(99), "room shows when the reader publishes it");
        assert!(reader.publish() && !reader.publish());
    }
}

#[test]
fn a_dropped_ring_drops_what_it_holds_once() {
    let value = Arc::new(());
    let (mut writer, mut reader) = ring(8);
    for _ in 0..6 {
        writer.push(value.clone()).unwrap();
    }
    writer.publish();
    reader.available();
    drop((reader.pop(), reader.pop()));
    writer.push(value.clone()).unwrap();
    assert_eq!(Arc::strong_count(&value), 6);
    drop(reader);
    drop(writer);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn messages_are_seen_after_the_flush_and_only_sleepers_are_woken() {
    let mut cores = mesh::<u32>(3, 8);
    let mut woken = Vec::new();
    assert!(cores[2].prepare_sleep());
    cores[0].post(1, 10);
    cores[0].post(2, 20);
    assert_eq!(cores[1].receive_one(), None);
    cores[0].flush(&mut |core| woken.push(core));
    cores[0].flush(&mut |core| woken.push(core));
    assert_eq!(woken, [2]);
    assert_eq!((cores[1].receive_one(), cores[1].receive_one()), (Some((0, 10)), None));
    assert!(!cores[2].prepare_sleep(), "there is a message");
    cores[2].finish_sleep();
    assert_eq!(cores[2].receive_one(), Some((0, 20)));
    assert_eq!(cores[0].counts(), MeshCounts { posted: 2, received: 0, delayed: 0, wakes: 1 });
}

#[test]
fn a_full_ring_delays_but_keeps_the_order() {
    let mut cores = mesh::<u32>(2, 4);
    for value in 0..10 {
        cores[0].post(1, value);
    }
    cores[0].flush(&mut |_| panic!("nobody sleeps"));
    assert_eq!((cores[0].backlog_len(1), cores[0].outbound_len(1), cores[1].inbound_len(0)), (6, 10, 4));
    assert!(cores[0].backlogged());
    assert!(cores[0].prepare_sleep(), "it may sleep until there is room");
    let mut seen = Vec::new();
    for round in 0..3 {
        cores[1].receive(&mut |from, value| seen.push((from, value)));
        let mut woken = Vec::new();
        cores[1].flush(&mut |core| woken.push(core));
        assert_eq!(woken.len(), usize::from(round == 0), "room is announced to who asked");
        cores[0].flush(&mut |_| {});
    }
    assert_eq!(seen, (0..10).map(|value| (0, value)).collect::<Vec<_>>());
    assert!(!cores[0].backlogged());
}

#[test]
fn a_lone_core_has_nobody_to_talk_to() {
    let mut cores = mesh::<u32>(1, 8);
    assert_eq!(cores[0].receive_one(), None);
    cores[0].flush(&mut |_| panic!("there is nobody"));
    assert!(cores[0].prepare_sleep());
    assert_eq!((cores[0].core(), cores[0].cores()), (0, 1));
}

/// What a core of these tests does between turns: parks, as a real one waits in its io_uring.
fn sleep_if_idle<M: Send>(endpoint: &Endpoint<M>) {
    if endpoint.prepare_sleep() {
        thread::park();
        endpoint.finish_sleep();
    }
}

/// Runs one closure per core on a thread each, which gets its endpoint and the threads to unpark.
fn run<M: Send + 'static>(cores: usize, slots: usize, core: impl Fn(Endpoint<M>, Arc<Vec<Thread>>) + Clone + Send + 'static) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..cores).map(|_| std::sync::mpsc::channel()).unzip();
    let handles: Vec<_> = mesh(cores, slots)
        .into_iter()
        .zip(receivers)
        .map(|(endpoint, receiver)| {
            let core = core.clone();
            thread::spawn(move || core(endpoint, receiver.recv().expect("its threads are sent")))
        })
        .collect();
    let threads = Arc::new(handles.iter().map(|handle| handle.thread().clone()).collect::<Vec<_>>());
    senders.into_iter().for_each(|sender| sender.send(threads.clone()).expect("it waits for them"));
    handles.into_iter().for_each(|handle| handle.join().expect("no core panicked"));
}

#[test]
fn three_cores_flood_each_other_through_small_rings_and_sleep_in_between() {
    let finished = Arc::new(AtomicUsize::new(0));
    run(3, 4, move |mut endpoint: Endpoint<(u64, Box<u64>)>, threads| {
        let peers: Vec<usize> = (0..3).filter(|&core| core != endpoint.core()).collect();
        let mut expected = [0u64; 3];
        let mut sent = 0;
        let mut done = false;
        while finished.load(Ordering::SeqCst) < 3 {
            endpoint.receive(&mut |from, (number, boxed)| {
                assert_eq!((number, *boxed), (expected[from], number), "in order, nothing twice, nothing lost");
                expected[from] += 1;
            });
            let burst = if endpoint.backlogged() { 0 } else { (1 + sent % 7).min(MESSAGES - sent) };
            for number in sent..sent + burst {
                peers.iter().for_each(|&peer| endpoint.post(peer, (number, Box::new(number))));
            }
            sent += burst;
            endpoint.flush(&mut |core| threads[core].unpark());
            if !done && sent == MESSAGES && !endpoint.backlogged() && peers.iter().all(|&peer| expected[peer] == MESSAGES) {
                done = true;
                finished.fetch_add(1, Ordering::SeqCst);
                threads.iter().for_each(Thread::unpark);
            } else if sent == MESSAGES || endpoint.backlogged() {
                sleep_if_idle(&endpoint);
            }
        }
    });
}

#[test]
fn questions_and_answers_never_hang() {
    run(2, 8, |mut endpoint: Endpoint<u64>, threads| {
        let (asks, other) = (endpoint.core() == 0, 1 - endpoint.core());
        let rounds = MESSAGES / 20;
        if asks {
            endpoint.post(other, 0);
        }
        let mut last = 0;
        while last < rounds {
            while let Some((from, number)) = endpoint.receive_one() {
                last = number + 1;
                endpoint.post(from, last);
            }
            endpoint.flush(&mut |core| threads[core].unpark());
            if last < rounds {
                sleep_if_idle(&endpoint);
            }
        }
    });
}
