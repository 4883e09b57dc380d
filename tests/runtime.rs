//! The runtime against the real kernel: an echo server on a thread of its own, clients that behave and clients that do not.
//!
//! The server's loop is the shape every core has: poll, react, submit, wait. It also counts what must not leak.

#![allow(clippy::unwrap_used)] // these are tests

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::Duration;

use ringkey::runtime::{Chunk, ConnId, Doorbells, Event, FileWrite, Io, Options, UringIo};

/// Small, so that tests run into every limit.
const TIGHT: Options = Options { submissions: 32, completions: 64, buffers: 8, buffer_bytes: 4096 };

#[derive(Default)]
struct Client {
    conn: Option<ConnId>,
    pending: Vec<u8>,
    ended: bool,
}

/// Sends back what comes in; closes when the peer has ended and all is sent.
struct Echo {
    io: UringIo,
    clients: Vec<Client>,
    spare: Vec<Vec<u8>>,
    turns: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Report {
    turns: u64,
    connections: usize,
    buffers: usize,
}

impl Echo {
    fn client(&mut self, conn: ConnId) -> &mut Client {
        if self.clients.len() <= conn.index() {
            self.clients.resize_with(conn.index() + 1, Client::default);
        }
        &mut self.clients[conn.index()]
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Accepted { fd, .. } => {
                let conn = self.io.adopt(fd);
                *self.client(conn) = Client { conn: Some(conn), ..Client::default() };
            }
            Event::Received { conn, chunk } => {
                if self.client(conn).conn == Some(conn) {
                    self.clients[conn.index()].pending.extend_from_slice(self.io.bytes(&chunk));
                    if self.clients[conn.index()].pending.len() > 64 * 1024 {
                        self.io.pause_receive(conn);
                    }
                }
                self.io.release(chunk);
                self.flush(conn);
            }
            Event::Sent { conn, mut buffer, result } => {
                if result.is_err() {
                    self.close(conn);
                }
                buffer.clear();
                self.spare.push(buffer);
                self.io.resume_receive(conn);
                self.flush(conn);
            }
            Event::Closed { conn, .. } => {
                // Its place may belong to another since this very batch closed it.
                let client = self.client(conn);
                client.ended |= client.conn == Some(conn);
                self.flush(conn);
            }
            Event::AcceptPaused { .. } | Event::Woken => {}
            Event::Filled { .. } | Event::FileDone { .. } => unreachable!("not asked for"),
        }
    }

    fn flush(&mut self, conn: ConnId) {
        let spare = self.spare.pop().unwrap_or_default();
        let is_sending = self.io.is_sending(conn);
        let client = self.client(conn);
        if client.conn != Some(conn) || is_sending {
            self.spare.push(spare);
        } else if !client.pending.is_empty() {
            let out = std::mem::replace(&mut client.pending, spare);
            self.io.send(conn, out);
        } else {
            let ended = client.ended;
            self.spare.push(spare);
            if ended {
                self.close(conn);
            }
        }
    }

    fn close(&mut self, conn: ConnId) {
        if self.client(conn).conn == Some(conn) {
            *self.client(conn) = Client::default();
            self.io.close(conn);
        }
    }

    fn run(&mut self, stop: &AtomicBool) {
        let mut events = Vec::new();
        while !stop.load(Ordering::Acquire) {
            self.turns.fetch_add(1, Ordering::AcqRel);
            self.io.poll(&mut events);
            let work = !events.is_empty();
            for event in events.drain(..) {
                self.on_event(event);
            }
            if work {
                self.io.submit();
            } else {
                self.io.wait(None);
            }
        }
    }
}

struct Server {
    stop: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
    waker: Waker,
    thread: JoinHandle<Report>,
}

fn serve(listener: OwnedFd, options: Options) -> Server {
    let stop = Arc::new(AtomicBool::new(false));
    let doorbells = Doorbells::new(1).unwrap();
    let waker = doorbells.waker(0);
    let turns = Arc::new(AtomicU64::new(0));
    let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&turns));
    let thread = std::thread::spawn(move || {
        let mut io = UringIo::new(0, options, doorbells).unwrap();
        io.listen(0, listener);
        let mut echo = Echo { io, clients: Vec::new(), spare: Vec::new(), turns: counter };
        echo.run(&stopped);
        let turns = echo.turns.load(Ordering::Acquire);
        Report { turns, connections: echo.io.connections(), buffers: echo.io.buffers_available() }
    });
    Server { stop, turns, waker, thread }
}

impl Server {
    fn tcp(options: Options) -> (Server, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (serve(listener.into(), options), address)
    }

    fn end(self) -> Report {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        self.thread.join().unwrap()
    }
}

/// A small generator: the tests need variety, not randomness.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}

fn ask(stream: &mut (impl Read + Write), data: &[u8]) {
    stream.write_all(data).unwrap();
    let mut back = vec![0; data.len()];
    stream.read_exact(&mut back).unwrap();
    assert!(back == data, "{} bytes came back changed", data.len());
}

#[test]
fn bytes_come_back_whatever_their_number_even_on_the_tightest_ring() {
    let (server, address) = Server::tcp(TIGHT);
    let mut stream = TcpStream::connect(address).unwrap();
    let mut numbers = Numbers(1);
    for len in [1, 2, 4095, 4096, 4097, 16384, 65536, 100_000] {
        ask(&mut stream, &numbers.bytes(len));
    }
    drop(stream);
    let report = server.end();
    assert_eq!(report.buffers, 8, "all buffers are back: {report:?}");
}

#[test]
fn a_unix_socket_is_served_as_well() {
    let path = std::env::temp_dir().join(format!("ringkey-runtime-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let server = serve(UnixListener::bind(&path).unwrap().into(), TIGHT);
    ask(&mut UnixStream::connect(&path).unwrap(), &Numbers(2).bytes(30_000));
    server.end();
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn two_thousand_connections_come_and_go_without_a_trace() {
    let (server, address) = Server::tcp(Options { buffers: 16, ..Options::default() });
    let workers: Vec<_> = (0..8u64)
        .map(|worker| {
            std::thread::spawn(move || {
                let mut numbers = Numbers(worker + 10);
                let mut held = Vec::new();
                for round in 0..250 {
                    let mut stream = TcpStream::connect(address).unwrap();
                    let len = 1 + numbers.below(20_000);
                    ask(&mut stream, &numbers.bytes(len));
                    match round % 5 {
                        0 => half_close(stream, &mut numbers),
                        1 => reset(stream),
                        2 => drop(stream),
                        // Gone while its reply is under way.
                        3 => stream.write_all(&numbers.bytes(200_000)).unwrap_or_default(),
                        _ => held.push(stream),
                    }
                }
                for stream in &mut held {
                    ask(stream, b"still there");
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    // One more round trip behind all the ends: the server has seen them before it answers.
    let mut last = TcpStream::connect(address).unwrap();
    for _ in 0..50 {
        ask(&mut last, b"settle");
        std::thread::sleep(Duration::from_millis(2));
    }
    let report = server.end();
    assert_eq!((report.connections, report.buffers), (1, 16), "{report:?}");
}

fn half_close(mut stream: TcpStream, numbers: &mut Numbers) {
    let data = numbers.bytes(50_000);
    let mut writer = stream.try_clone().unwrap();
    let sent = data.clone();
    let thread = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    thread.join().unwrap();
    assert!(back == data, "everything sent before the end of file is answered");
}

/// Closing with unread input in the socket makes the kernel send a reset.
fn reset(mut stream: TcpStream) {
    stream.write_all(&[7; 1000]).unwrap();
    let mut one = [0];
    stream.read_exact(&mut one).unwrap();
}

#[test]
fn a_flooding_client_does_not_keep_others_waiting() {
    let (server, address) = Server::tcp(Options::default());
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let flood = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let drain = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        let data = vec![1; 1 << 20];
        while !stopped.load(Ordering::Acquire) {
            stream.write_all(&data).unwrap();
        }
        stream.shutdown(Shutdown::Write).unwrap();
        drain.join().unwrap().unwrap()
    });
    let mut stream = TcpStream::connect(address).unwrap();
    for _ in 0..300 {
        ask(&mut stream, b"PING");
    }
    stop.store(true, Ordering::Release);
    let flooded = flood.join().unwrap();
    let report = server.end();
    // One chunk of at most 16 KiB a turn is all the flood gets.
    assert!(flooded <= report.turns * 16 * 1024, "{flooded} bytes in {report:?}");
}

#[test]
fn an_idle_server_does_not_wake_up() {
    let (server, address) = Server::tcp(Options::default());
    let mut streams: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    streams.iter_mut().for_each(|stream| ask(stream, b"hello"));
    std::thread::sleep(Duration::from_millis(20));
    let before = server.turns.load(Ordering::Acquire);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(before, server.turns.load(Ordering::Acquire), "a sleeping core was woken");
    server.end();
}

/// Runs a piece of code on a thread with a ring of its own.
fn with_ring<T: Send + 'static>(run: impl FnOnce(&mut UringIo) -> T + Send + 'static) -> T {
    std::thread::spawn(move || run(&mut UringIo::new(0, TIGHT, Doorbells::new(1).unwrap()).unwrap())).join().unwrap()
}

fn pair() -> (OwnedFd, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (ours.into(), theirs)
}

/// Polls until `done` finds what it waits for; other events are dropped, chunks released.
fn until<T>(io: &mut UringIo, mut done: impl FnMut(&mut UringIo, Event) -> Option<T>) -> T {
    let mut events = Vec::new();
    loop {
        io.poll(&mut events);
        for event in events.drain(..) {
            if let Some(found) = done(io, event) {
                return found;
            }
        }
        io.wait(Some(Duration::from_secs(5)));
    }
}

#[test]
fn closing_while_a_send_is_under_way_is_silent_and_frees_everything() {
    with_ring(|io| {
        let (fd, mut peer) = pair();
        let conn = io.adopt(fd);
        io.send(conn, vec![5; 8 << 20]);
        io.submit();
        io.close(conn);
        let mut events = Vec::new();
        for _ in 0..100 {
            io.submit();
            io.poll(&mut events);
            if io.connections() == 0 {
                break;
            }
            io.wait(Some(Duration::from_millis(10)));
        }
        assert_eq!(io.connections(), 0);
        assert!(events.is_empty(), "{events:?}");
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).unwrap();
        assert!(rest.len() < 8 << 20 && rest.iter().all(|byte| *byte == 5));
    });
}

#[test]
fn a_chunk_may_be_released_after_its_connection_was_closed() {
    with_ring(|io| {
        let (fd, mut peer) = pair();
        let conn = io.adopt(fd);
        peer.write_all(b"late").unwrap();
        let chunk = until(io, |_, event| match event {
            Event::Received { chunk, .. } => Some(chunk),
            _ => None,
        });
        io.close(conn);
        let (fd, _other) = pair();
        let next = io.adopt(fd);
        assert_eq!(next.index(), conn.index(), "the place is used again");
        assert_eq!(io.bytes(&chunk), b"late");
        io.release(chunk);
        assert_eq!(io.buffers_available(), 8);
    });
}

#[test]
fn stale_ids_do_nothing() {
    with_ring(|io| {
        let (fd, _peer) = pair();
        let stale = io.adopt(fd);
        io.submit();
        io.close(stale);
        io.submit();
        let mut events = Vec::new();
        io.poll(&mut events);
        let (fd, mut peer) = pair();
        let conn = io.adopt(fd);
        io.send(stale, b"nobody".to_vec());
        io.close(stale);
        io.pause_receive(stale);
        io.shutdown_write(stale);
        io.receive_into(stale, Vec::with_capacity(1));
        io.resume_receive(stale);
        io.close(ConnId::new(999, 0));
        assert_eq!((io.fd_number(stale), io.is_sending(stale)), (-1, false));
        peer.write_all(b"x").unwrap();
        until(io, |io, event| match event {
            Event::Received { conn: from, chunk } => {
                assert_eq!(from, conn);
                io.release(chunk);
                Some(())
            }
            _ => None,
        });
    });
}

#[test]
fn more_talkers_than_buffers_are_all_heard() {
    with_ring(|io| {
        let mut peers = Vec::new();
        for number in 0..100u8 {
            let (fd, mut peer) = pair();
            peer.write_all(&[number]).unwrap();
            io.adopt(fd);
            peers.push(peer);
        }
        let (mut heard, mut held) = (0, Vec::new());
        until(io, |io, event| {
            if let Event::Received { chunk, .. } = event {
                heard += 1;
                held.push(chunk);
            }
            if held.len() == 8 || heard == 100 {
                held.drain(..).for_each(|chunk| io.release(chunk));
            }
            (heard == 100).then_some(())
        });
        assert_eq!(io.buffers_available(), 8);
    });
}

#[test]
fn a_paused_connection_is_silent_until_resumed() {
    with_ring(|io| {
        let (fd, mut peer) = pair();
        let conn = io.adopt(fd);
        peer.write_all(b"one").unwrap();
        until(io, |io, event| match event {
            Event::Received { chunk, .. } => {
                io.pause_receive(conn);
                io.release(chunk);
                Some(())
            }
            _ => None,
        });
        peer.write_all(b"two").unwrap();
        io.wait(Some(Duration::from_millis(20)));
        let mut events = Vec::new();
        io.poll(&mut events);
        assert!(events.is_empty(), "{events:?}");
        io.resume_receive(conn);
        until(io, |io, event| match event {
            Event::Received { chunk, .. } => {
                assert_eq!(io.bytes(&chunk), b"two");
                io.release(chunk);
                Some(())
            }
            _ => None,
        });
    });
}

#[test]
fn a_buffer_of_ones_own_is_filled_in_order_behind_a_chunk() {
    with_ring(|io| {
        let (fd, peer) = pair();
        let conn = io.adopt(fd);
        let data = Numbers(3).bytes(1 << 20);
        let sent = data.clone();
        let writer = std::thread::spawn(move || {
            let mut peer = peer;
            peer.write_all(&sent).unwrap();
            peer
        });
        let whole = until(io, |io, event| match event {
            Event::Received { chunk, .. } => {
                let mut buffer = Vec::with_capacity(1 << 20);
                buffer.extend_from_slice(io.bytes(&chunk));
                io.receive_into(conn, buffer);
                io.release(chunk);
                None
            }
            Event::Filled { buffer, received, .. } => {
                assert!(received > 0);
                if buffer.len() == 1 << 20 {
                    return Some(buffer);
                }
                io.receive_into(conn, buffer);
                None
            }
            _ => None,
        });
        assert!(whole == data);
        io.resume_receive(conn);
        drop(writer.join().unwrap());
        until(io, |_, event| matches!(event, Event::Closed { .. }).then_some(()));
    });
}

#[test]
fn cores_wake_each_other_by_message_and_threads_by_the_bell() {
    let doorbells = Doorbells::new(2).unwrap();
    let (tell, told) = mpsc::channel();
    let bells = Arc::clone(&doorbells);
    let sleeper = std::thread::spawn(move || {
        let mut io = UringIo::new(1, TIGHT, bells).unwrap();
        tell.send(()).unwrap();
        for _ in 0..2 {
            until(&mut io, |_, event| matches!(event, Event::Woken).then_some(()));
            tell.send(()).unwrap();
        }
    });
    told.recv().unwrap();
    let mut io = UringIo::new(0, TIGHT, Arc::clone(&doorbells)).unwrap();
    io.wake(1);
    io.submit();
    told.recv_timeout(Duration::from_secs(5)).unwrap();
    doorbells.waker(1).wake();
    told.recv_timeout(Duration::from_secs(5)).unwrap();
    sleeper.join().unwrap();
    // The sleeper is gone: waking it is harmless.
    io.wake(1);
    io.submit();
}

#[test]
fn a_message_that_cannot_be_delivered_becomes_a_ring_of_the_bell() {
    let doorbells = Doorbells::new(2).unwrap();
    let mut io = UringIo::new(0, TIGHT, Arc::clone(&doorbells)).unwrap();
    let mut sleeper = UringIo::new(1, TIGHT, Arc::clone(&doorbells)).unwrap();
    let no_ring = std::fs::File::open("/dev/null").unwrap();
    doorbells.bell(1).set_ring_fd(Some(no_ring.as_raw_fd()));
    io.wake(1);
    io.wait(Some(Duration::from_secs(5)));
    io.poll(&mut Vec::new());
    until(&mut sleeper, |_, event| matches!(event, Event::Woken).then_some(()));
}

#[test]
fn dropping_everything_at_once_ends_every_connection() {
    let path = std::env::temp_dir().join(format!("ringkey-drop-{}", std::process::id()));
    let file = Rc::new(std::fs::File::create(&path).unwrap());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut io = UringIo::new(0, TIGHT, Doorbells::new(1).unwrap()).unwrap();
    io.listen(0, listener.into());
    let (mut peers, mut kept) = (Vec::new(), Vec::new());
    for number in 0..60u8 {
        let (fd, mut peer) = pair();
        let conn = io.adopt(fd);
        match number % 3 {
            0 => io.send(conn, vec![number; 4 << 20]),
            1 => io.receive_into(conn, Vec::with_capacity(1 << 16)),
            _ => peer.write_all(&[number; 100]).unwrap(),
        }
        let buffer = vec![number; 100_000];
        io.write_file(FileWrite { token: 1, file: Rc::clone(&file), buffer, offset: None, sync: true });
        peers.push(peer);
    }
    io.submit();
    let mut events = Vec::new();
    io.poll(&mut events);
    kept.append(&mut events);
    drop(io);
    for peer in &mut peers {
        // Bytes that were under way and then the end, or a reset where input was left unread.
        let mut rest = Vec::new();
        let _ = peer.read_to_end(&mut rest);
    }
    std::fs::remove_file(&path).unwrap();
}

/// What a storm knows of one connection.
struct Stormy {
    conn: ConnId,
    peer: UnixStream,
    written: u64,
    received: u64,
    busy_filling: bool,
}

/// Everything a core may ask for, at random, with peers that write and vanish: what arrives is in order, nothing is said of a
/// closed connection in a later poll, and in the end nothing is left.
#[test]
fn a_storm_of_calls_leaves_nothing_behind() {
    for seed in 1..=6 {
        with_ring(move |io| storm(io, seed));
    }
}

fn storm(io: &mut UringIo, seed: u64) {
    let mut numbers = Numbers(seed * 7919);
    let (mut live, mut held): (Vec<Stormy>, Vec<Chunk>) = (Vec::new(), Vec::new());
    let mut events = Vec::new();
    for _ in 0..3000 {
        if live.len() < 30 {
            let (fd, peer) = pair();
            peer.set_nonblocking(true).unwrap();
            live.push(Stormy { conn: io.adopt(fd), peer, written: 0, received: 0, busy_filling: false });
        }
        let index = numbers.below(live.len());
        let one = &mut live[index];
        match numbers.below(12) {
            0..=3 => {
                let len = numbers.below(9000);
                let data: Vec<u8> = (one.written..one.written + len as u64).map(|at| at as u8).collect();
                one.written += one.peer.write(&data).unwrap_or(0) as u64;
            }
            4 => drop(one.peer.read(&mut [0; 50_000])),
            5 if !io.is_sending(one.conn) => io.send(one.conn, vec![1; 1 + numbers.below(300_000)]),
            6 => io.pause_receive(one.conn),
            7 => io.resume_receive(one.conn),
            8 if !one.busy_filling => {
                one.busy_filling = true;
                io.receive_into(one.conn, Vec::with_capacity(1 + numbers.below(20_000)));
            }
            9 => io.shutdown_write(one.conn),
            10 => {
                io.close(one.conn);
                live.swap_remove(index);
            }
            11 => held.drain(..).for_each(|chunk| io.release(chunk)),
            _ => {}
        }
        if numbers.below(4) == 0 {
            io.submit();
        }
        io.poll(&mut events);
        for event in events.drain(..) {
            check_stormy(io, &mut live, &mut held, event);
        }
    }
    held.drain(..).for_each(|chunk| io.release(chunk));
    live.drain(..).for_each(|one| io.close(one.conn));
    while io.connections() > 0 {
        io.wait(Some(Duration::from_millis(100)));
        io.poll(&mut events);
        assert!(events.is_empty(), "seed {seed}: {events:?}");
    }
    assert_eq!(io.buffers_available(), 8, "seed {seed}");
}

impl Stormy {
    fn take(&mut self, bytes: &[u8]) {
        assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == (self.received + at as u64) as u8), "out of order");
        self.received += bytes.len() as u64;
        assert!(self.received <= self.written);
    }
}

fn find(live: &mut [Stormy], conn: ConnId) -> &mut Stormy {
    live.iter_mut().find(|one| one.conn == conn).expect("an event of a live connection")
}

fn check_stormy(io: &mut UringIo, live: &mut [Stormy], held: &mut Vec<Chunk>, event: Event) {
    match event {
        Event::Received { conn, chunk } => {
            find(live, conn).take(io.bytes(&chunk));
            held.push(chunk);
        }
        Event::Filled { conn, buffer, received } => {
            assert_eq!(buffer.len(), received);
            let one = find(live, conn);
            one.busy_filling = false;
            one.take(&buffer);
            io.resume_receive(conn);
        }
        Event::Sent { conn, .. } | Event::Closed { conn, .. } => {
            find(live, conn);
        }
        Event::Woken => {}
        other => panic!("{other:?}"),
    }
}

/// Lowers the limit of descriptors for this process in a child: the test runs itself again.
#[test]
fn accepting_pauses_without_descriptors_and_goes_on_by_itself() {
    if std::env::var_os("RINGKEY_FEW_DESCRIPTORS").is_none() {
        let name = "accepting_pauses_without_descriptors_and_goes_on_by_itself";
        let shell = format!("ulimit -n 40; exec \"$0\" --exact {name}");
        let mut child = std::process::Command::new("sh");
        child.arg("-c").arg(shell).arg(std::env::current_exe().unwrap()).env("RINGKEY_FEW_DESCRIPTORS", "1");
        let output = child.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    with_ring(|io| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        io.listen(0, listener.into());
        let mut hoard: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        // One descriptor for the client, none for us.
        hoard.pop();
        let client = TcpStream::connect(address).unwrap();
        let enters = io.enters();
        until(io, |_, event| match event {
            Event::AcceptPaused { listener, errno } => {
                assert_eq!((listener, errno), (0, libc::EMFILE));
                Some(())
            }
            _ => None,
        });
        io.wait(Some(Duration::from_millis(30)));
        assert!(io.enters() - enters < 5, "it does not spin while it waits");
        hoard.clear();
        until(io, |_, event| matches!(event, Event::Accepted { .. }).then_some(()));
        drop(client);
    });
}

#[test]
fn a_stopped_listener_refuses_and_its_number_can_be_used_again() {
    with_ring(|io| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        io.listen(3, listener.into());
        io.submit();
        io.stop_listening(3);
        io.stop_listening(9);
        let mut events = Vec::new();
        for _ in 0..3 {
            io.wait(Some(Duration::from_millis(10)));
            io.poll(&mut events);
        }
        assert!(events.is_empty());
        assert!(TcpStream::connect(address).is_err());
        let again = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = again.local_addr().unwrap();
        io.listen(3, again.into());
        let _client = TcpStream::connect(address).unwrap();
        until(io, |_, event| matches!(event, Event::Accepted { listener: 3, .. }).then_some(()));
    });
}

#[test]
fn files_are_appended_and_synced_in_order() {
    with_ring(|io| {
        let path = std::env::temp_dir().join(format!("ringkey-append-{}", std::process::id()));
        let file = Rc::new(std::fs::File::options().create(true).append(true).open(&path).unwrap());
        let data = Numbers(9).bytes(3 << 20);
        for (token, sync) in [(1, false), (2, true), (3, true)] {
            let buffer = data[(token as usize - 1) << 20..(token as usize) << 20].to_vec();
            io.write_file(FileWrite { token, file: Rc::clone(&file), buffer, offset: None, sync });
            let done = until(io, |_, event| match event {
                Event::FileDone { token, result, buffer } => Some((token, result.unwrap(), buffer.len())),
                _ => None,
            });
            assert_eq!(done, (token, 1 << 20, 1 << 20));
        }
        io.write_file(FileWrite { token: 4, file, buffer: Vec::new(), offset: None, sync: true });
        until(io, |_, event| matches!(event, Event::FileDone { token: 4, result: Ok(0), .. }).then_some(()));
        assert!(std::fs::read(&path).unwrap() == data);
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
fn a_full_disk_is_reported_and_a_written_range_lands_where_it_was_sent() {
    with_ring(|io| {
        let full = Rc::new(std::fs::File::options().write(true).open("/dev/full").unwrap());
        io.write_file(FileWrite { token: 1, file: full, buffer: b"no room".to_vec(), offset: None, sync: true });
        let errno = until(io, |_, event| match event {
            Event::FileDone { result, .. } => Some(result.unwrap_err().raw_os_error()),
            _ => None,
        });
        assert_eq!(errno, Some(libc::ENOSPC));
        let path = std::env::temp_dir().join(format!("ringkey-write-at-{}", std::process::id()));
        let file = Rc::new(std::fs::File::create(&path).unwrap());
        for token in 0..100u64 {
            let buffer = vec![token as u8; 10];
            io.write_file(FileWrite { token, file: Rc::clone(&file), buffer, offset: Some(token * 10), sync: token % 2 == 0 });
        }
        let mut left = 100;
        until(io, |_, event| {
            left -= u32::from(matches!(event, Event::FileDone { result: Ok(10), .. }));
            (left == 0).then_some(())
        });
        let expected: Vec<u8> = (0..100).flat_map(|token| [token; 10]).collect();
        assert_eq!(std::fs::read(&path).unwrap(), expected);
        std::fs::remove_file(&path).unwrap();
    });
}
