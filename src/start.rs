//! From the command line to running cores, and back to an orderly end.
//!
//! Everything that can fail at start fails here, before the first client: the configuration, the addresses, the kernel's
//! io_uring. Core 0 accepts connections and hands them round; every core serves its share.

use crate::config::command_line::{self, Action};
use crate::acl::Users;
use crate::config::choices::PubsubDefault;
use crate::config::disk::{self, Disk, World};
use crate::config::load::{self, Loaded, Request};
use crate::config::{Config, Store};
use crate::core::Center;
use crate::core::message::Message;
use crate::core::shared::Shared;
use crate::core::turn::Core;
use crate::core::world::open;
use crate::dispatch::table;
use crate::mesh::{Endpoint, RING_SLOTS, mesh};
use crate::process::{self, Supervisor};
use crate::runtime::{Doorbells, Options, UringIo, listen, signals, threads};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, atomic::Ordering};
use std::thread::JoinHandle;

/// The server's main function.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let request = match command_line::parse(&arguments) {
        Action::Start(request) => request,
        Action::Print(text) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Action::Refuse(text) => return refuse(&text),
    };
    match start(&request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => refuse(&text),
    }
}

fn refuse(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
    ExitCode::FAILURE
}

/// Starts, serves until it is asked to stop, ends.
fn start(request: &Request) -> Result<(), String> {
    let mut loaded = load::load(request, &mut Disk).map_err(|fatal| fatal.to_string())?;
    process::detach(&loaded.config).map_err(|e| format!("Can't go to the background: {e}"))?;
    crate::log::start(&loaded.config.logging)?;
    crate::log::crash::set_context(&loaded.config.general.debug_context.to_str_lossy());
    rename_commands(&loaded)?;
    let users = users(&loaded)?;
    signals::block().map_err(|e| format!("Can't set up signals: {e}"))?;
    process::settle_in(&mut loaded.config)?;
    let supervisor = process::supervisor(loaded.config.general.supervised);
    let logs_to_file = !loaded.config.logging.logfile.is_empty();
    let served = Server::open(loaded, users).and_then(|server| {
        // Only now: a server that finds its port taken must not touch the file of the one that has it.
        let pid_file = process::write_pid_file(&server.config);
        let served = server.serve(supervisor);
        pid_file.inspect(|file| process::remove_pid_file(file));
        served
    });
    if let (Err(text), true) = (&served, logs_to_file) {
        // In the background nobody reads standard error.
        tracing::error!("{text}");
    }
    served
}

/// Calls commands as the configuration wants (`rename-command`).
fn rename_commands(loaded: &Loaded) -> Result<(), String> {
    let renamings = loaded.renames.iter().map(|r| (r.from.clone(), r.to.clone())).collect();
    table::rename(renamings).map_err(|(i, why)| loaded.renames[i].place.fatal(why).to_string())
}

/// The users of the configuration: `user` lines, or the ACL file, or the default user alone.
fn users(loaded: &Loaded) -> Result<Users, String> {
    let security = &loaded.config.security;
    let all_channels = security.acl_pubsub_default == PubsubDefault::Allchannels;
    let mut users = Users::new(security.requirepass.reveal());
    let mut named: Vec<&[u8]> = Vec::new();
    for line in &loaded.users {
        let words: Vec<&[u8]> = line.words.iter().map(Vec::as_slice).collect();
        let wrong = |(word, why): (String, &str)| {
            line.place.fatal(format!("Error in user declaration '{word}': {why}")).to_string()
        };
        if named.contains(&words[0]) {
            let why = "Duplicate user found. A user can only be defined once in config files";
            return Err(wrong((String::from_utf8_lossy(words[0]).into_owned(), why)));
        }
        named.push(words[0]);
        users = users.with_line(&words, all_channels).map_err(wrong)?;
        let user = users.get(words[0]).expect("it was just made");
        if !user.enabled {
            tracing::info!(
                "The user '{}' is disabled (there is no 'on' modifier in the user description). Make sure this is not a \
                 configuration error.",
                user.shown_name()
            );
        }
    }
    if security.aclfile.is_empty() {
        return Ok(users);
    }
    if !named.is_empty() {
        return Err("Configuring Ringkey with users defined in its configuration file and at the same setting an ACL file \
                    path is invalid. This setup is very likely to lead to configuration errors and security holes, please \
                    define either an ACL file or declare users directly in your configuration file, but not both."
            .to_owned());
    }
    let path = security.aclfile.to_str_lossy();
    let text = Disk.read(security.aclfile.as_path()).map_err(|e| {
        let why = disk::reason(&e);
        format!("Aborting Ringkey startup because of ACL errors: Error loading ACLs, opening file '{path}': {why}")
    })?;
    let loaded = users.from_file(&path, &text, all_channels);
    loaded.map_err(|errors| format!("Aborting Ringkey startup because of ACL errors: {errors}"))
}

/// A server that listens but does not run yet.
struct Server {
    shared: Arc<Shared>,
    config: Config,
    cpus: Vec<usize>,
    doorbells: Arc<Doorbells>,
    listeners: Vec<(OwnedFd, bool)>,
}

impl Server {
    fn open(loaded: Loaded, users: Users) -> Result<Server, String> {
        let Loaded { mut config, file, notices, .. } = loaded;
        tracing::warn!("Ringkey is starting, PID: {}", std::process::id());
        for notice in notices {
            tracing::info!("{notice}");
        }
        process::warn_of_surroundings(&config);
        let allowed = threads::allowed_cpus();
        let shards = usize::try_from(config.ringkey.shards).unwrap_or(0);
        let shards = if shards == 0 { allowed.len() } else { shards };
        let list = config.shard_cpus();
        let cpus = threads::place(shards, Some(&list), &allowed).map_err(|e| e.to_string())?;
        let listeners = listeners(&mut config)?;
        let port = config.network.port;
        let doorbells = Doorbells::new(shards).map_err(|e| format!("Can't make wake-up descriptors: {e}"))?;
        let shared = Arc::new(Shared::new(Store::new(config.clone(), file), run_id(), run_id()));
        shared.change_users(|_| Ok::<_, String>((users, ())))?;
        let tcp = listeners.iter().filter(|(_, unix)| !unix);
        *shared.listening() = tcp.filter_map(|(fd, _)| fd.try_clone().ok()).collect();
        shared.port.store(u64::try_from(port).unwrap_or(0), Ordering::Relaxed);
        Ok(Server { shared, config, cpus, doorbells, listeners })
    }

    fn serve(mut self, supervisor: Supervisor) -> Result<(), String> {
        let shards = self.cpus.len();
        tracing::info!("Running on {shards} shard(s), CPUs {:?}", self.cpus);
        let (started, reports) = channel();
        let mut listeners = Some(std::mem::take(&mut self.listeners));
        let mut cores: Vec<JoinHandle<()>> = Vec::new();
        for (endpoint, cpu) in mesh::<Message>(shards, RING_SLOTS).into_iter().zip(&self.cpus) {
            let listeners = listeners.take().unwrap_or_default();
            let core = CoreStart {
                endpoint,
                listeners,
                doorbells: Arc::clone(&self.doorbells),
                shared: Arc::clone(&self.shared),
                started: started.clone(),
            };
            let name = format!("shard-{}", cores.len());
            let pin = (shards <= self.cpus.len()).then_some(*cpu);
            cores.push(threads::spawn(name, pin, || core.run()).map_err(|e| format!("Can't start a thread: {e}"))?);
        }
        drop(started);
        let problem = (0..shards).find_map(|_| reports.recv().map_or(Some("a core ended".to_owned()), |r| r.err()));
        if problem.is_none() {
            self.shared.startup_bytes.store(crate::alloc::allocated_bytes() as u64, Ordering::Relaxed);
            self.announce();
            supervisor.ready();
            let signal = signals::wait();
            std::thread::spawn(exit_if_insisted);
            if let Some(name) = signal {
                tracing::warn!("Received {name} scheduling shutdown...");
            }
        }
        supervisor.stopping();
        self.shared.stop();
        (0..shards).for_each(|core| self.doorbells.bell(core).ring());
        for core in cores {
            core.join().map_err(|_| "a core panicked".to_owned())?;
        }
        let socket = self.config.network.unixsocket.clone();
        if !socket.is_empty() {
            tracing::info!("Removing the unix socket file.");
            let _ = std::fs::remove_file(socket.as_path());
        }
        match problem {
            Some(text) => Err(text),
            None => {
                tracing::warn!("Ringkey is now ready to exit, bye bye...");
                Ok(())
            }
        }
    }

    fn announce(&self) {
        tracing::info!("Server initialized");
        if self.config.network.port != 0 {
            tracing::info!("Ready to accept connections tcp");
        }
        if !self.config.network.unixsocket.as_bytes().is_empty() {
            tracing::info!("Ready to accept connections unix");
        }
    }
}

/// Whoever interrupts a server that is already stopping wants it gone.
fn exit_if_insisted() {
    while signals::wait() != Some("SIGINT") {}
    tracing::warn!("You insist... exiting now.");
    std::process::exit(1);
}

/// All a core's thread needs to begin.
struct CoreStart {
    endpoint: Endpoint<Message>,
    listeners: Vec<(OwnedFd, bool)>,
    doorbells: Arc<Doorbells>,
    shared: Arc<Shared>,
    started: Sender<Result<(), String>>,
}

impl CoreStart {
    fn run(self) {
        let io = match UringIo::new(self.endpoint.core(), Options::default(), self.doorbells) {
            Ok(io) => io,
            Err(error) => {
                let _ = self.started.send(Err(error.to_string()));
                return;
            }
        };
        let center = Center::new(self.endpoint.core(), random_u64(), self.endpoint, self.shared);
        let mut core = Core::new(io, center, self.listeners);
        let _ = self.started.send(Ok(()));
        drop(self.started);
        core.run();
    }
}

/// Opens every listening socket; a port of 0 asked for by `--port 0` turns TCP off, as in Valkey.
fn listeners(config: &mut Config) -> Result<Vec<(OwnedFd, bool)>, String> {
    let network = &config.network;
    let mut sockets = Vec::new();
    let backlog = i32::try_from(network.tcp_backlog).unwrap_or(i32::MAX);
    let fds = open(config).map_err(|e| format!("Failed listening on port {} (tcp), aborting.\n{e}", network.port))?;
    sockets.extend(fds.into_iter().map(|fd| (fd, false)));
    let path = &network.unixsocket;
    if !path.is_empty() {
        let group = network.unixsocketgroup.to_str_lossy();
        let group = (!group.is_empty()).then_some(&*group);
        let mode = u32::try_from(network.unixsocketperm).unwrap_or(0);
        let fd = listen::unix(path.as_path(), mode, group, backlog).map_err(|e| format!("Failed opening Unix socket: {e}"))?;
        sockets.push((fd, true));
    }
    if sockets.is_empty() {
        return Err("Configured to not listen anywhere, exiting.".to_owned());
    }
    if let Some(warning) = listen::backlog_warning(backlog) {
        tracing::warn!("{warning}");
    }
    Ok(sockets)
}

/// 64 bits nobody can guess.
fn random_u64() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library keys its hashers from the system's randomness; two of them, so that neither is repeated.
    let one = std::collections::hash_map::RandomState::new().build_hasher().finish();
    one ^ std::collections::hash_map::RandomState::new().build_hasher().finish().rotate_left(32)
}

/// 40 hexadecimal digits that name this run.
fn run_id() -> String {
    let digits = format!("{:016x}{:016x}{:016x}", random_u64(), random_u64(), random_u64());
    digits[..40].to_owned()
}
