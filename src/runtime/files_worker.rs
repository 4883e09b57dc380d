//! The workers behind [`super::files`]: glommio executors that move bytes between streams and files.
//!
//! Direct I/O keeps a snapshot of many gigabytes out of the page cache, where it would push out what others need (and count
//! against the container's memory). Blocks of 256 KiB, aligned, four under way. Where a file system refuses direct I/O, or
//! locked memory is too short for glommio's rings (it insists on 512 KiB), plain reads and writes on a thread do the same:
//! slower and through the page cache, but right.
//!
//! A worker waits for its first job without an executor: an idle server holds neither its rings nor its memory.

use std::collections::VecDeque;
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use glommio::io::{DmaBuffer, DmaFile, OpenOptions};
use glommio::{GlommioError, LocalExecutor, LocalExecutorBuilder, Placement, Task};

use super::files::{Job, WriteTarget};
use super::files_flow::{Input, Mailbox, ReadFlow, WriteFlow};

/// One request to the disk; a multiple of every alignment.
const BLOCK_BYTES: usize = 256 * 1024;
/// What direct I/O asks of offsets and lengths, at most.
const ALIGN_BYTES: usize = 4096;
/// Requests under way for one stream.
const DEPTH: usize = 4;
/// Memory that glommio registers for its buffers.
const IO_MEMORY_BYTES: usize = 4 << 20;
const RING_DEPTH: usize = 64;
/// As fopen: the umask takes away what it must.
const MODE: u32 = 0o666;

/// A worker's life: until its mailbox is closed and its streams have ended.
pub(super) fn run(inbox: &Arc<Mailbox<Job>>) {
    let Some(first) = block_on(inbox.next()) else { return };
    match executor() {
        Ok(executor) => executor.run(serve(inbox, first)),
        Err(error) => {
            tracing::warn!("bulk files go without direct I/O: {error}");
            serve_plainly(inbox, first);
        }
    }
}

/// The same without an executor.
#[cfg(test)]
pub(super) fn run_plainly(inbox: &Arc<Mailbox<Job>>) {
    let Some(first) = block_on(inbox.next()) else { return };
    serve_plainly(inbox, first);
}

fn executor() -> io::Result<LocalExecutor> {
    let builder = LocalExecutorBuilder::new(Placement::Unbound).name("files");
    builder.io_memory(IO_MEMORY_BYTES).ring_depth(RING_DEPTH).make().map_err(plain)
}

async fn serve(inbox: &Mailbox<Job>, first: Job) {
    let mut tasks: VecDeque<Task<()>> = VecDeque::new();
    let mut next = Some(first);
    while let Some(job) = next {
        tasks.push_back(glommio::spawn_local(perform(job, true)));
        next = inbox.next().await;
    }
    for task in tasks {
        task.await;
    }
}

/// Without glommio each stream gets a thread: one that waits for its owner must not hold up the others.
fn serve_plainly(inbox: &Mailbox<Job>, first: Job) {
    let mut next = Some(first);
    while let Some(job) = next {
        // A thread that does not start drops the job, which reports its end.
        let _ = std::thread::Builder::new().name("file".to_owned()).spawn(move || block_on(perform(job, false)));
        next = block_on(inbox.next());
    }
}

async fn perform(job: Job, direct: bool) {
    match job {
        Job::Write { target, flow, done } => {
            let mut opened = false;
            let result = write(&target, &flow, direct, &mut opened).await;
            flow.end();
            if result.is_err() && opened {
                remove_half_written(&target.path);
            }
            done.report(result);
        }
        Job::Read { path, flow, done } => done.report(read(&path, &flow, direct).await),
    }
}

/// Takes away a file that will never be whole, if it is one: a device stays.
fn remove_half_written(path: &Path) {
    if std::fs::symlink_metadata(path).is_ok_and(|about| about.is_file()) {
        // Failing leaves a useless file, but there is nobody to tell who could do better.
        let _ = std::fs::remove_file(path);
    }
}

/// glommio's error with the system's number in it, if there is one.
fn plain(error: GlommioError<()>) -> io::Error {
    match error {
        GlommioError::EnhancedIoError { source, .. } => source,
        other => other.into(),
    }
}

fn cancelled() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "cancelled")
}

/// Whether the file system merely refuses direct I/O.
fn refuses_direct(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP))
}

async fn write(target: &WriteTarget, flow: &WriteFlow, direct: bool, opened: &mut bool) -> io::Result<u64> {
    let written = if direct {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(MODE);
        match options.dma_open(&target.path).await.map_err(plain) {
            Ok(file) => {
                *opened = true;
                write_direct(Rc::new(file), flow).await?
            }
            Err(error) if refuses_direct(&error) => write_plainly(&target.path, flow, opened).await?,
            Err(error) => return Err(error),
        }
    } else {
        write_plainly(&target.path, flow, opened).await?
    };
    if let Some(name) = &target.rename_to {
        std::fs::rename(&target.path, name)?;
        sync_directory(name)?;
    }
    Ok(written)
}

/// Makes a rename last: without it a crash may bring the old name back.
fn sync_directory(of: &Path) -> io::Result<()> {
    let parent = of.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

async fn write_plainly(path: &Path, flow: &WriteFlow, opened: &mut bool) -> io::Result<u64> {
    let file = File::create(path)?;
    *opened = true;
    let mut written = 0;
    loop {
        match flow.next().await {
            Input::Bytes(bytes) => {
                file.write_all_at(&bytes, written)?;
                written += bytes.len() as u64;
                flow.add_written(bytes.len());
            }
            Input::Finish => break,
            Input::Cancel => return Err(cancelled()),
        }
    }
    file.sync_data()?;
    Ok(written)
}

/// The blocks of one file on their way to the disk.
struct Blocks<'a> {
    file: Rc<DmaFile>,
    flow: &'a WriteFlow,
    under_way: VecDeque<Task<io::Result<usize>>>,
    block: DmaBuffer,
    filled: usize,
    position: u64,
}

async fn write_direct(file: Rc<DmaFile>, flow: &WriteFlow) -> io::Result<u64> {
    let block = file.alloc_dma_buffer(BLOCK_BYTES);
    let mut blocks = Blocks { file: Rc::clone(&file), flow, under_way: VecDeque::new(), block, filled: 0, position: 0 };
    let outcome = blocks.take_all().await;
    // Also after an error: the file closes when nothing is under way on it.
    let flushed = blocks.drain().await;
    let written = blocks.position;
    drop(blocks);
    let outcome = match outcome.and(flushed) {
        Ok(()) => complete(&file, written).await,
        error => error,
    };
    let closed = file.close_rc().await.map_err(plain);
    outcome.and(closed.map(|_| written))
}

/// Cuts off the padding of the last block and syncs.
async fn complete(file: &DmaFile, len: u64) -> io::Result<()> {
    file.truncate(len).await.map_err(plain)?;
    file.fdatasync().await.map_err(plain)
}

impl Blocks<'_> {
    async fn take_all(&mut self) -> io::Result<()> {
        loop {
            match self.next().await? {
                Input::Bytes(bytes) => self.take(&bytes).await?,
                Input::Finish => return self.send_last().await,
                Input::Cancel => return Err(cancelled()),
            }
        }
    }

    /// The next input; meanwhile blocks complete, and a failing one ends the stream without waiting for more input.
    async fn next(&mut self) -> io::Result<Input> {
        let flow = self.flow;
        let mut input = pin!(flow.next());
        poll_fn(|context| {
            if let Poll::Ready(input) = input.as_mut().poll(context) {
                return Poll::Ready(Ok(input));
            }
            while let Some(task) = self.under_way.front_mut() {
                let Poll::Ready(written) = Pin::new(task).poll(context) else { break };
                self.under_way.pop_front();
                match written {
                    Ok(bytes) => flow.add_written(bytes),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            Poll::Pending
        })
        .await
    }

    async fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let len = bytes.len().min(BLOCK_BYTES - self.filled);
            self.block.as_bytes_mut()[self.filled..self.filled + len].copy_from_slice(&bytes[..len]);
            self.filled += len;
            bytes = &bytes[len..];
            if self.filled == BLOCK_BYTES {
                self.send(BLOCK_BYTES).await?;
            }
        }
        Ok(())
    }

    /// The last block is padded to the alignment; the padding is cut off afterwards.
    async fn send_last(&mut self) -> io::Result<()> {
        if self.filled > 0 {
            let padded = self.filled.next_multiple_of(ALIGN_BYTES);
            self.block.as_bytes_mut()[self.filled..padded].fill(0);
            self.send(padded).await?;
        }
        self.flush(0).await
    }

    async fn send(&mut self, len: usize) -> io::Result<()> {
        self.flush(DEPTH - 1).await?;
        if self.flow.is_cancelled() {
            return Err(cancelled());
        }
        let mut block = std::mem::replace(&mut self.block, self.file.alloc_dma_buffer(BLOCK_BYTES));
        block.trim_to_size(len);
        let (file, at, filled) = (Rc::clone(&self.file), self.position, std::mem::take(&mut self.filled));
        self.position += filled as u64;
        let write = async move { write_block(&file, block, at).await.map(|()| filled) };
        self.under_way.push_back(glommio::spawn_local(write));
        Ok(())
    }

    /// Waits until at most `left` blocks are under way.
    async fn flush(&mut self, left: usize) -> io::Result<()> {
        while self.under_way.len() > left {
            let Some(task) = self.under_way.pop_front() else { break };
            self.flow.add_written(task.await?);
        }
        Ok(())
    }

    /// Waits for all of them, whatever becomes of each; the first error counts.
    async fn drain(&mut self) -> io::Result<()> {
        let mut outcome = Ok(());
        while !self.under_way.is_empty() {
            outcome = outcome.and(self.flush(self.under_way.len() - 1).await);
        }
        outcome
    }
}

/// Writes a whole block, going on where a write fell short.
async fn write_block(file: &DmaFile, block: DmaBuffer, mut at: u64) -> io::Result<()> {
    let mut block = Rc::new(block);
    loop {
        let written = file.write_rc_at(Rc::clone(&block), at).await.map_err(plain)?;
        if written == block.len() {
            return Ok(());
        }
        let whole = written - written % ALIGN_BYTES;
        if whole == 0 {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let mut rest = file.alloc_dma_buffer(block.len() - whole);
        rest.as_bytes_mut().copy_from_slice(&block.as_bytes()[whole..]);
        at += whole as u64;
        block = Rc::new(rest);
    }
}

async fn read(path: &Path, flow: &ReadFlow, direct: bool) -> io::Result<u64> {
    if !direct {
        return read_plainly(path, flow).await;
    }
    match OpenOptions::new().read(true).dma_open(path).await.map_err(plain) {
        Ok(file) => {
            let file = Rc::new(file);
            let outcome = read_direct(&file, flow).await;
            let closed = file.close_rc().await.map_err(plain);
            outcome.and_then(|read| closed.map(|_| read))
        }
        Err(error) if refuses_direct(&error) => read_plainly(path, flow).await,
        Err(error) => Err(error),
    }
}

async fn read_plainly(path: &Path, flow: &ReadFlow) -> io::Result<u64> {
    let file = File::open(path)?;
    let mut read = 0;
    loop {
        if !flow.take_credit(BLOCK_BYTES).await {
            return Err(cancelled());
        }
        let mut bytes = vec![0; BLOCK_BYTES];
        let len = match file.read_at(&mut bytes, read) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            other => match other? {
                0 => return Ok(read),
                len => len,
            },
        };
        // The owner gives back what it was given, not what was set aside for it.
        flow.return_credit(BLOCK_BYTES - len);
        bytes.truncate(len);
        read += len as u64;
        if len > 0 {
            flow.deliver(bytes);
        }
    }
}

/// Reads with some blocks ahead, delivered in order. The file's size is that at the start.
async fn read_direct(file: &Rc<DmaFile>, flow: &ReadFlow) -> io::Result<u64> {
    let size = file.file_size().await.map_err(plain)?;
    let mut ahead: VecDeque<Task<io::Result<Vec<u8>>>> = VecDeque::new();
    let (mut asked, mut read, mut wanted) = (0, 0, true);
    let outcome = loop {
        while wanted && asked < size && ahead.len() < DEPTH {
            let len = BLOCK_BYTES.min((size - asked) as usize);
            wanted = flow.take_credit(len).await;
            if wanted {
                let (file, at) = (Rc::clone(file), asked);
                ahead.push_back(glommio::spawn_local(async move { read_block(&file, at, len).await }));
                asked += len as u64;
            }
        }
        let Some(task) = ahead.pop_front() else { break if wanted { Ok(read) } else { Err(cancelled()) } };
        match task.await {
            Ok(bytes) if wanted => {
                read += bytes.len() as u64;
                flow.deliver(bytes);
            }
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    for task in ahead {
        // The file closes when nothing is under way on it; the first error is the one that counts.
        let _ = task.await;
    }
    outcome
}

async fn read_block(file: &DmaFile, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let piece = file.read_at(at + bytes.len() as u64, len - bytes.len()).await.map_err(plain)?;
        if piece.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread, asleep while it waits.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
