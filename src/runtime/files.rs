//! Bulk files (snapshots written and loaded) on threads of their own, so that no shard ever waits for a disk.
//!
//! [`BulkFiles`] is a small pool, started once by the main thread before the shards pin themselves. A core holds a
//! [`BulkClient`]: it opens streams, pushes or takes bytes, and finds what happened as [`BulkEvent`]s after its
//! [`Waker`](std::task::Waker) was called ([`Event::Woken`](super::Event::Woken)). Bytes travel in both directions as whole
//! `Vec<u8>`s; nothing is shared but a queue with a lock, touched once per block and not per command.
//!
//! ```text
//! core ---- push(Vec) ----> [ queue, bounded ] ----> worker: glommio executor, direct I/O ----> file.tmp -> file
//! core <--- BulkEvent ----- [ results, waker ] <---- worker
//! ```
//!
//! Memory is bounded: a writer is `is_full` beyond [`QUEUE_BYTES`] until [`BulkEvent::Room`] says that it drained; a reader
//! delivers at most [`CREDIT_BYTES`] ahead of what its owner said it had consumed. A full disk, a missing directory or a
//! failing device end a stream with [`BulkEvent::Done`] and the error; whatever is dropped unfinished is cancelled and leaves
//! no file behind.
//!
//! Invariant: every stream brings exactly one `Done`, and nothing after it.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::files_flow::{Mailbox, ReadFlow, ReadState, Reporter, Results, WriteFlow, lock, wake};
use super::{files_worker, threads};

/// How much a writer holds for the disk before its owner has to stop.
pub const QUEUE_BYTES: usize = 4 << 20;
/// How much a reader delivers before its owner has consumed any of it.
pub const CREDIT_BYTES: usize = 4 << 20;

/// Names a stream in events.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StreamId(pub u64);

/// What happened on a stream.
#[derive(Debug)]
pub enum BulkEvent {
    /// A writer that was full has room again.
    Room(StreamId),
    /// The next bytes of a file being read, in order.
    Data(StreamId, Vec<u8>),
    /// The end: how many bytes were written (synced, renamed) or read, or why it failed.
    Done(StreamId, io::Result<u64>),
}

/// What is to become of a file being written.
#[derive(Clone, Debug)]
pub struct WriteTarget {
    /// Where the bytes go; an existing file is replaced.
    pub path: PathBuf,
    /// The name it gets when it is complete and synced.
    pub rename_to: Option<PathBuf>,
}

/// The pool. Dropping it lets the workers end when their streams have.
#[derive(Debug)]
pub struct BulkFiles {
    jobs: Vec<Arc<Mailbox<Job>>>,
    numbers: Arc<AtomicU64>,
}

/// One core's access to the pool.
#[derive(Debug)]
pub struct BulkClient {
    jobs: Vec<Arc<Mailbox<Job>>>,
    numbers: Arc<AtomicU64>,
    results: Arc<Results>,
}

/// What a worker is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    Write { target: WriteTarget, flow: Arc<WriteFlow>, done: Reporter },
    Read { path: PathBuf, flow: Arc<ReadFlow>, done: Reporter },
}

impl BulkFiles {
    /// Starts so many workers. They cost a sleeping thread each until there is something to do.
    pub fn start(workers: usize) -> io::Result<BulkFiles> {
        assert!(workers > 0, "somebody has to do the work");
        let mut jobs = Vec::new();
        for index in 0..workers {
            let mailbox = Arc::new(Mailbox::default());
            let inbox = Arc::clone(&mailbox);
            threads::spawn(format!("files-{index}"), None, move || files_worker::run(&inbox))?;
            jobs.push(mailbox);
        }
        Ok(BulkFiles { jobs, numbers: Arc::default() })
    }

    /// For one core; its waker tells that [`BulkClient::poll`] will find something.
    pub fn client(&self, waker: Waker) -> BulkClient {
        let results = Arc::new(Results { events: Mutex::default(), waker });
        BulkClient { jobs: self.jobs.clone(), numbers: Arc::clone(&self.numbers), results }
    }
}

impl Drop for BulkFiles {
    fn drop(&mut self) {
        self.jobs.iter().for_each(|jobs| jobs.close());
    }
}

impl BulkClient {
    /// Begins to write a file.
    pub fn write(&self, target: WriteTarget) -> BulkWriter {
        let (id, done) = self.reporter();
        let flow = Arc::new(WriteFlow { id, results: Arc::clone(&self.results), state: Mutex::default(), written: AtomicU64::new(0) });
        self.submit(id, Job::Write { target, flow: Arc::clone(&flow), done });
        BulkWriter { flow, finished: false }
    }

    /// Begins to read a file from its start to its end.
    pub fn read(&self, path: PathBuf) -> BulkReader {
        let (id, done) = self.reporter();
        let state = ReadState { credit: CREDIT_BYTES, cancelled: false, worker: None };
        let flow = Arc::new(ReadFlow { id, results: Arc::clone(&self.results), state: Mutex::new(state) });
        self.submit(id, Job::Read { path, flow: Arc::clone(&flow), done });
        BulkReader { flow }
    }

    /// Appends what has happened to `events`; never waits.
    pub fn poll(&self, events: &mut Vec<BulkEvent>) {
        events.append(&mut *lock(&self.results.events));
    }

    fn reporter(&self) -> (StreamId, Reporter) {
        let id = StreamId(self.numbers.fetch_add(1, Ordering::Relaxed));
        (id, Reporter { id, results: Arc::clone(&self.results), reported: false })
    }

    /// Streams go to the workers in turn. After the pool has closed the job is dropped, and its reporter says so.
    fn submit(&self, id: StreamId, job: Job) {
        self.jobs[id.0 as usize % self.jobs.len()].push(job);
    }
}

/// A file being written. Dropping it before `finish` cancels it and removes the file.
#[derive(Debug)]
pub struct BulkWriter {
    flow: Arc<WriteFlow>,
    finished: bool,
}

impl BulkWriter {
    /// Its name in events.
    pub fn id(&self) -> StreamId {
        self.flow.id
    }

    /// Hands over the next bytes.
    pub fn push(&mut self, bytes: Vec<u8>) {
        let mut state = lock(&self.flow.state);
        if state.ended {
            // It failed; the event that says so is on its way.
            return;
        }
        state.queued_bytes += bytes.len();
        state.was_full |= state.queued_bytes >= QUEUE_BYTES;
        state.queue.push_back(bytes);
        wake(&state.worker);
    }

    /// Whether to wait for [`BulkEvent::Room`] before pushing more.
    pub fn is_full(&self) -> bool {
        lock(&self.flow.state).was_full
    }

    /// How many bytes the disk has taken so far.
    pub fn written(&self) -> u64 {
        self.flow.written.load(Ordering::Relaxed)
    }

    /// Nothing more comes: write the rest, sync, rename. [`BulkEvent::Done`] follows.
    pub fn finish(mut self) {
        self.finished = true;
        let mut state = lock(&self.flow.state);
        state.finished = true;
        wake(&state.worker);
    }
}

impl Drop for BulkWriter {
    fn drop(&mut self) {
        if !self.finished {
            let mut state = lock(&self.flow.state);
            state.cancelled = true;
            wake(&state.worker);
        }
    }
}

/// A file being read. Dropping it cancels the rest.
#[derive(Debug)]
pub struct BulkReader {
    flow: Arc<ReadFlow>,
}

impl BulkReader {
    /// Its name in events.
    pub fn id(&self) -> StreamId {
        self.flow.id
    }

    /// So many of the delivered bytes are done with: as many more may come.
    pub fn consumed(&self, bytes: usize) {
        let mut state = lock(&self.flow.state);
        state.credit += bytes;
        wake(&state.worker);
    }
}

impl Drop for BulkReader {
    fn drop(&mut self) {
        let mut state = lock(&self.flow.state);
        state.cancelled = true;
        wake(&state.worker);
    }
}

#[cfg(test)]
mod tests {
    use super::super::files_worker;
    use super::*;
    use std::collections::VecDeque;
    use std::path::Path;
    use std::sync::mpsc;

    /// A core's side: its waker tells a channel.
    struct Owner {
        client: BulkClient,
        woken: mpsc::Receiver<()>,
        events: VecDeque<BulkEvent>,
    }

    struct Tell(mpsc::Sender<()>);

    impl std::task::Wake for Tell {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    impl Owner {
        fn of(pool: &BulkFiles) -> Owner {
            let (tell, woken) = mpsc::channel();
            let client = pool.client(Waker::from(Arc::new(Tell(tell))));
            Owner { client, woken, events: VecDeque::new() }
        }

        fn next(&mut self) -> BulkEvent {
            while self.events.is_empty() {
                self.woken.recv().unwrap();
                let mut events = Vec::new();
                self.client.poll(&mut events);
                self.events.extend(events);
            }
            self.events.pop_front().unwrap()
        }

        fn done(&mut self, of: StreamId) -> io::Result<u64> {
            loop {
                match self.next() {
                    BulkEvent::Done(id, result) if id == of => return result,
                    _ => {}
                }
            }
        }

        fn read_all(&mut self, path: &Path) -> (io::Result<u64>, Vec<u8>) {
            let reader = self.client.read(path.to_owned());
            let mut all = Vec::new();
            loop {
                match self.next() {
                    BulkEvent::Data(_, bytes) => {
                        reader.consumed(bytes.len());
                        all.extend(bytes);
                    }
                    BulkEvent::Done(_, result) => return (result, all),
                    BulkEvent::Room(_) => panic!("nothing is written"),
                }
            }
        }
    }

    fn temporary(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("ringkey-bulk-{}-{name}", std::process::id()))
    }

    fn target(path: &Path) -> WriteTarget {
        WriteTarget { path: path.to_owned(), rename_to: None }
    }

    /// Bytes in which every offset of a block differs from its neighbours in other blocks.
    fn pattern(len: usize) -> Vec<u8> {
        (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
    }

    fn write_and_read_back(directory: &Path, len: usize) {
        let pool = BulkFiles::start(2).unwrap();
        let mut owner = Owner::of(&pool);
        let (path, name) = (directory.join("temp.rdb"), directory.join("dump.rdb"));
        std::fs::create_dir_all(directory).unwrap();
        let data = pattern(len);
        let mut writer = owner.client.write(WriteTarget { path: path.clone(), rename_to: Some(name.clone()) });
        // Odd pieces, so that blocks and pieces never fall together.
        for piece in data.chunks(99_991) {
            if writer.is_full() {
                assert!(matches!(owner.next(), BulkEvent::Room(id) if id == writer.id()));
            }
            writer.push(piece.to_vec());
        }
        let id = writer.id();
        writer.finish();
        assert_eq!(owner.done(id).unwrap(), len as u64);
        assert!(!path.exists() && std::fs::metadata(&name).unwrap().len() == len as u64);
        let (result, back) = owner.read_all(&name);
        assert_eq!(result.unwrap(), len as u64);
        assert!(back == data);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn sixty_four_mebibytes_come_back_from_disk() {
        write_and_read_back(&temporary("disk"), 64 << 20);
    }

    #[test]
    fn a_file_system_in_memory_serves_as_well() {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            write_and_read_back(&memory.join(format!("ringkey-bulk-{}", std::process::id())), (3 << 20) + 17);
        }
    }

    #[test]
    fn an_empty_file_is_written_and_read() {
        write_and_read_back(&temporary("empty"), 0);
    }

    #[test]
    fn a_missing_directory_and_a_full_device_end_the_stream_with_their_error() {
        let pool = BulkFiles::start(1).unwrap();
        let mut owner = Owner::of(&pool);
        let writer = owner.client.write(target(Path::new("/nowhere/at/all")));
        let error = owner.done(writer.id()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        let mut writer = owner.client.write(target(Path::new("/dev/full")));
        writer.push(vec![1; 1 << 20]);
        assert_eq!(owner.done(writer.id()).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
        // Pushing to a stream that failed neither grows nor blocks.
        for _ in 0..100 {
            writer.push(vec![1; 1 << 20]);
        }
        assert!(!writer.is_full() && lock(&writer.flow.state).queue.is_empty());
        drop(writer);
        assert!(Path::new("/dev/full").exists(), "only our own files are removed");
        assert_eq!(owner.read_all(Path::new("/nowhere")).0.unwrap_err().raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn a_writer_that_is_dropped_leaves_no_file() {
        let pool = BulkFiles::start(1).unwrap();
        let mut owner = Owner::of(&pool);
        let path = temporary("dropped");
        let mut writer = owner.client.write(target(&path));
        writer.push(vec![1; 2 << 20]);
        let id = writer.id();
        drop(writer);
        assert_eq!(owner.done(id).unwrap_err().kind(), io::ErrorKind::Interrupted);
        assert!(!path.exists());
    }

    #[test]
    fn a_reader_gets_no_more_than_its_credit_and_ends_when_dropped() {
        let pool = BulkFiles::start(1).unwrap();
        let mut owner = Owner::of(&pool);
        let path = temporary("credit");
        std::fs::write(&path, pattern(3 * CREDIT_BYTES)).unwrap();
        let reader = owner.client.read(path.clone());
        let (mut got, id) = (0, reader.id());
        // What is out at most, less the blocks that the worker still holds back.
        while got < CREDIT_BYTES - (2 << 20) {
            match owner.next() {
                BulkEvent::Data(_, bytes) => got += bytes.len(),
                other => panic!("{other:?}"),
            }
        }
        drop(reader);
        loop {
            match owner.next() {
                BulkEvent::Data(_, bytes) => got += bytes.len(),
                BulkEvent::Done(of, result) => {
                    assert!(of == id && result.is_err());
                    break;
                }
                BulkEvent::Room(_) => panic!("nothing is written"),
            }
        }
        assert!(got <= CREDIT_BYTES, "{got}");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_stream_of_a_closed_pool_ends_at_once() {
        let pool = BulkFiles::start(1).unwrap();
        let mut owner = Owner::of(&pool);
        drop(pool);
        let writer = owner.client.write(target(&temporary("late")));
        assert!(owner.done(writer.id()).is_err());
    }

    #[test]
    fn the_plain_way_writes_and_reads_the_same() {
        let inbox = Arc::new(Mailbox::default());
        let pool = BulkFiles { jobs: vec![Arc::clone(&inbox)], numbers: Arc::default() };
        let worker = std::thread::spawn(move || files_worker::run_plainly(&inbox));
        let mut owner = Owner::of(&pool);
        let path = temporary("plain");
        let data = pattern(1_000_003);
        let mut writer = owner.client.write(target(&path));
        data.chunks(7777).for_each(|piece| writer.push(piece.to_vec()));
        let id = writer.id();
        writer.finish();
        assert_eq!(owner.done(id).unwrap(), data.len() as u64);
        let (result, back) = owner.read_all(&path);
        assert!(result.unwrap() == data.len() as u64 && back == data);
        let missing = owner.client.write(target(Path::new("/nowhere/at/all")));
        assert!(owner.done(missing.id()).is_err());
        drop(pool);
        worker.join().unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
