//! Listening sockets by Valkey's rules, and the options of accepted ones.
//!
//! `bind` is a list of addresses: one with a colon is IPv6, `*` and `::*` mean all addresses of their family, a leading `-`
//! makes an address optional (it may not exist on this machine). A family the machine does not have is passed over, any other
//! failure ends the start. TCP_NODELAY and SO_KEEPALIVE are set once on the listener: accepted sockets inherit them.
//!
//! A unix socket's permissions and group are set between bind and listen, so that nobody gets in before.
#![allow(unsafe_code)] // socket options and backlogs that std does not offer

use std::ffi::CString;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// sizeof(sockaddr_un.sun_path).
const UNIX_PATH_BYTES: usize = 108;

/// Why a socket does not listen: the step and what the system said.
#[derive(Debug)]
pub struct ListenError {
    step: &'static str,
    error: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        if self.step.is_empty() { f.write_str(text) } else { write!(f, "{}: {text}", self.step) }
    }
}

impl std::error::Error for ListenError {}

fn failed(step: &'static str) -> ListenError {
    ListenError { step, error: io::Error::last_os_error() }
}

fn refused(text: String) -> ListenError {
    ListenError { step: "", error: io::Error::other(text) }
}

/// Listens on every address of a `bind` list. What fails is told to `warn` in Valkey's words, also where it is forgiven.
pub fn tcp(bind: &[String], port: u16, backlog: i32, warn: &mut dyn FnMut(String)) -> Result<Vec<OwnedFd>, ListenError> {
    let mut sockets = Vec::new();
    for address in bind {
        let optional = address.strip_prefix('-');
        let host = optional.unwrap_or(address);
        match tcp_one(host, port, backlog) {
            Ok(socket) => sockets.push(socket),
            Err(failure) => {
                warn(format!("Warning: Could not create server TCP listening socket {host}:{port}: {failure}"));
                let errno = failure.error.raw_os_error().unwrap_or(0);
                let absent = errno == libc::EADDRNOTAVAIL && optional.is_some();
                if !absent && !is_family_missing(errno) {
                    return Err(failure);
                }
            }
        }
    }
    Ok(sockets)
}

fn is_family_missing(errno: i32) -> bool {
    let missing = [libc::ENOPROTOOPT, libc::EPROTONOSUPPORT, libc::ESOCKTNOSUPPORT, libc::EPFNOSUPPORT, libc::EAFNOSUPPORT];
    missing.contains(&errno)
}

fn tcp_one(host: &str, port: u16, backlog: i32) -> Result<OwnedFd, ListenError> {
    let address = resolve(host, port)?;
    let family = if address.is_ipv6() { libc::AF_INET6 } else { libc::AF_INET };
    let fd = socket(family)?;
    if address.is_ipv6() {
        set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1).map_err(|error| ListenError { step: "setsockopt", error })?;
    }
    let reuse = set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1);
    reuse.map_err(|error| ListenError { step: "setsockopt SO_REUSEADDR", error })?;
    // Without it replies to a slow reader would wait for its acknowledgements; a socket without it still works.
    let _ = set_option(&fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
    bind_bytes(&fd, &encode(address))?;
    start(&fd, backlog)?;
    Ok(fd)
}

/// The first address of a name in the family that its spelling chooses.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, ListenError> {
    let six = host.contains(':');
    match host {
        "*" => return Ok(SocketAddr::new(IpAddr::from([0u8; 4]), port)),
        "::*" => return Ok(SocketAddr::new(IpAddr::from([0u16; 8]), port)),
        _ => {}
    }
    let found = (host, port).to_socket_addrs().map_err(|error| ListenError { step: "", error })?;
    let mut found = found.filter(|address| address.is_ipv6() == six);
    found.next().ok_or_else(|| refused("Name or service not known".to_owned()))
}

/// Stops a socket from listening at once, whoever still holds its descriptor, so that its address can be listened on anew.
pub fn silence(fd: BorrowedFd<'_>) {
    // SAFETY: a number and a descriptor, no memory. Failure means that it did not listen.
    unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_RDWR) };
}

/// Listens on a unix socket; a file left over by an earlier run is removed first. `mode` 0 leaves the permissions alone.
pub fn unix(path: &Path, mode: u32, group: Option<&str>, backlog: i32) -> Result<OwnedFd, ListenError> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() >= UNIX_PATH_BYTES {
        let text = format!("unix socket path too long ({}), must be under {UNIX_PATH_BYTES}", bytes.len());
        return Err(refused(text));
    }
    let _ = fs::remove_file(path);
    let fd = socket(libc::AF_UNIX)?;
    let mut name = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
    name.extend_from_slice(bytes);
    name.push(0);
    bind_bytes(&fd, &name)?;
    if mode != 0 {
        let set = fs::set_permissions(path, fs::Permissions::from_mode(mode));
        set.map_err(|error| ListenError { step: "chmod", error })?;
    }
    if let Some(group) = group {
        let id = group_id(group).ok_or_else(|| refused(format!("getgrnam error for group '{group}'")))?;
        let set = std::os::unix::fs::chown(path, None, Some(id));
        set.map_err(|error| ListenError { step: "chown", error })?;
    }
    start(&fd, backlog)?;
    Ok(fd)
}

fn group_id(group: &str) -> Option<u32> {
    let name = CString::new(group).ok()?;
    // SAFETY: the name ends with NUL. The result lies in static memory: this runs at start-up, on one thread.
    let entry = unsafe { libc::getgrnam(name.as_ptr()) };
    // SAFETY: null, or a group entry that is valid until the next call.
    unsafe { entry.as_ref() }.map(|entry| entry.gr_gid)
}

/// Valkey's warning when the system cuts the backlog.
pub fn backlog_warning(backlog: i32) -> Option<String> {
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
    let limit: i32 = text.trim().parse().ok()?;
    (limit > 0 && limit < backlog).then(|| {
        format!(
            "WARNING: The TCP backlog setting of {backlog} cannot be enforced because /proc/sys/net/core/somaxconn \
             is set to the lower value of {limit}."
        )
    })
}

/// Sends small replies at once. (Inherited from our listeners; for sockets that come from elsewhere.)
pub fn set_nodelay(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_option(&fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)
}

/// Asks a silent peer every `interval_secs`, three times in vain end the connection; 0 switches it off.
pub fn set_keepalive(fd: BorrowedFd<'_>, interval_secs: u32) -> io::Result<()> {
    if interval_secs == 0 {
        return set_option(&fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 0);
    }
    let idle = i32::try_from(interval_secs).unwrap_or(i32::MAX);
    set_option(&fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    set_option(&fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, idle)?;
    set_option(&fd, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, (idle / 3).max(1))?;
    set_option(&fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3)
}

fn socket(family: i32) -> Result<OwnedFd, ListenError> {
    // SAFETY: creates a descriptor, touches no memory.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(failed("socket"));
    }
    // SAFETY: the descriptor was just made and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn set_option(fd: &impl AsRawFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    let pointer = (&raw const value).cast();
    // SAFETY: the value is an int of the size given, alive during the call.
    let done = unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, pointer, size_of::<i32>() as u32) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A sockaddr_in or sockaddr_in6 as the bytes it is made of.
fn encode(address: SocketAddr) -> Vec<u8> {
    let family = if address.is_ipv6() { libc::AF_INET6 } else { libc::AF_INET };
    let mut bytes = (family as u16).to_ne_bytes().to_vec();
    bytes.extend_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(four) => {
            bytes.extend_from_slice(&four.ip().octets());
            bytes.extend_from_slice(&[0; 8]);
        }
        SocketAddr::V6(six) => {
            bytes.extend_from_slice(&six.flowinfo().to_ne_bytes());
            bytes.extend_from_slice(&six.ip().octets());
            bytes.extend_from_slice(&six.scope_id().to_ne_bytes());
        }
    }
    bytes
}

fn bind_bytes(fd: &OwnedFd, name: &[u8]) -> Result<(), ListenError> {
    // SAFETY: the kernel copies `name.len()` bytes from the slice; it needs no alignment.
    let done = unsafe { libc::bind(fd.as_raw_fd(), name.as_ptr().cast(), name.len() as u32) };
    if done == 0 { Ok(()) } else { Err(failed("bind")) }
}

fn start(fd: &OwnedFd, backlog: i32) -> Result<(), ListenError> {
    // SAFETY: a number and a descriptor, no memory.
    let done = unsafe { libc::listen(fd.as_raw_fd(), backlog) };
    if done == 0 { Ok(()) } else { Err(failed("listen")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::address;
    use crate::runtime::io::Address;
    use std::net::TcpStream;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixStream;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    fn port_of(fd: &OwnedFd) -> u16 {
        match address::of(fd.as_raw_fd()).local {
            Address::Tcp(local) => local.port(),
            other => panic!("not TCP: {other:?}"),
        }
    }

    #[test]
    fn every_address_listens_and_takes_connections() {
        let sockets = tcp(&names(&["127.0.0.1", "localhost"]), 0, 511, &mut |_| {}).unwrap();
        assert_eq!(sockets.len(), 2);
        for socket in &sockets {
            TcpStream::connect(("127.0.0.1", port_of(socket))).unwrap();
        }
    }

    #[test]
    fn both_families_share_a_port() {
        let four = tcp(&names(&["*"]), 0, 511, &mut |_| {}).unwrap();
        let port = port_of(&four[0]);
        let six = tcp(&names(&["-::*"]), port, 511, &mut |_| {}).unwrap();
        if let Some(six) = six.first() {
            assert_eq!(port_of(six), port);
            TcpStream::connect(("::1", port)).unwrap();
        }
    }

    #[test]
    fn an_absent_address_is_forgiven_only_with_a_dash() {
        let mut warnings = Vec::new();
        let sockets = tcp(&names(&["-192.0.2.77", "127.0.0.1"]), 0, 511, &mut |text| warnings.push(text)).unwrap();
        assert_eq!(sockets.len(), 1);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("192.0.2.77:0: bind: Cannot assign requested address"), "{}", warnings[0]);
        let error = tcp(&names(&["192.0.2.77"]), 0, 511, &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "bind: Cannot assign requested address");
    }

    #[test]
    fn a_taken_port_is_refused_in_valkeys_words() {
        let first = tcp(&names(&["127.0.0.1"]), 0, 511, &mut |_| {}).unwrap();
        let error = tcp(&names(&["127.0.0.1"]), port_of(&first[0]), 511, &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "bind: Address already in use");
    }

    #[test]
    fn a_unix_socket_replaces_a_stale_file_and_has_its_permissions() {
        let path = std::env::temp_dir().join(format!("ringkey-listen-{}.sock", std::process::id()));
        fs::write(&path, b"stale").unwrap();
        let _socket = unix(&path, 0o700, None, 511).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        UnixStream::connect(&path).unwrap();
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_unix_path_that_is_too_long_or_a_strange_group_is_refused() {
        let long = "x".repeat(108);
        let error = unix(Path::new(&long), 0, None, 511).unwrap_err();
        assert_eq!(error.to_string(), "unix socket path too long (108), must be under 108");
        let path = std::env::temp_dir().join(format!("ringkey-group-{}.sock", std::process::id()));
        assert!(unix(&path, 0, Some("no such group"), 511).unwrap_err().to_string().contains("no such group"));
        let _ = fs::remove_file(&path);
    }

    #[test]
    fn a_backlog_over_the_systems_limit_is_warned_about() {
        assert!(backlog_warning(i32::MAX).unwrap().starts_with("WARNING: The TCP backlog setting of 2147483647"));
        assert_eq!(backlog_warning(1), None);
    }
}
