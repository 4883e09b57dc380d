//! Both ends of a socket, as the kernel knows them.
#![allow(unsafe_code)] // getpeername and getsockname on descriptors whose family is not known

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::RawFd;

use super::io::{Address, Addresses};

/// sockaddr_storage, as bytes.
const NAME_BYTES_MAX: usize = 128;

/// Asks the kernel.
pub fn of(fd: RawFd) -> Addresses {
    Addresses { peer: ask(fd, libc::getpeername), local: ask(fd, libc::getsockname) }
}

/// Neither is known.
pub fn unknown() -> Addresses {
    Addresses { peer: Address::Unknown, local: Address::Unknown }
}

type GetName = unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> i32;

fn ask(fd: RawFd, get_name: GetName) -> Address {
    #[repr(align(8))]
    struct Name([u8; NAME_BYTES_MAX]);
    let mut name = Name([0; NAME_BYTES_MAX]);
    let mut len = NAME_BYTES_MAX as libc::socklen_t;
    // SAFETY: the name is aligned as a sockaddr and `len` is its size; a descriptor that is no socket makes the call fail.
    let failed = unsafe { get_name(fd, name.0.as_mut_ptr().cast(), &raw mut len) } != 0;
    if failed { Address::Unknown } else { decode(&name.0[..(len as usize).min(NAME_BYTES_MAX)]) }
}

fn decode(name: &[u8]) -> Address {
    let Some((family, rest)) = name.split_first_chunk::<2>() else { return Address::Unknown };
    let port = |rest: &[u8]| u16::from_be_bytes([rest[0], rest[1]]);
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET if rest.len() >= 6 => {
            let ip = Ipv4Addr::new(rest[2], rest[3], rest[4], rest[5]);
            Address::Tcp(SocketAddr::new(IpAddr::V4(ip), port(rest)))
        }
        libc::AF_INET6 if rest.len() >= 22 => {
            let ip: [u8; 16] = rest[6..22].try_into().expect("sixteen bytes");
            Address::Tcp(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(ip)), port(rest)))
        }
        libc::AF_UNIX => Address::Unix(rest.iter().copied().take_while(|byte| *byte != 0).collect()),
        _ => Address::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn both_ends_of_tcp_are_found() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(host) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let found = of(client.as_raw_fd());
            assert_eq!(found.peer, Address::Tcp(listener.local_addr().unwrap()));
            assert_eq!(found.local, Address::Tcp(client.local_addr().unwrap()));
        }
    }

    #[test]
    fn a_nameless_unix_socket_has_an_empty_path_and_a_file_no_address() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(of(one.as_raw_fd()).peer, Address::Unix(Vec::new()));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(of(file.as_raw_fd()), unknown());
    }
}
