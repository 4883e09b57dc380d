//! Where the server listens and how it treats the sockets it accepts.

use crate::config::row::rows;
use crate::config::specials::Addresses;
use crate::config::values::{I32_MAX, Text, U32_MAX};

rows! { network: Network, "NETWORK", "Where the server listens and how it treats the sockets it accepts.";
    "bind" => bind: Addresses = Addresses::everywhere(),
        "Addresses to listen on. A leading \"-\" makes an address optional, \"*\" is every IPv4 address and \"::*\" every IPv6 one; an empty list disables TCP.",
        multi_arg;
    "bind-source-addr" => bind_source_addr: Text = Text::of(""),
        "Local address from which links to other servers are opened.",
        empty_is_unset, later("outgoing links are not built");
    "port" => port: i64 = 6379,
        "TCP port for clients; 0 turns TCP off.",
        range(0, 65_535);
    "tcp-backlog" => tcp_backlog: i64 = 511,
        "Length of the kernel's queue of connections waiting to be accepted. The kernel caps it at net.core.somaxconn.",
        range(0, I32_MAX), immutable;
    "mptcp" => mptcp: bool = false,
        "Listen with Multipath TCP.",
        immutable, idle("io_uring listeners use plain TCP");
    "unixsocket" => unixsocket: Text = Text::of(""),
        "Path of a unix domain socket to listen on as well.",
        empty_is_unset, immutable;
    "unixsocketgroup" => unixsocketgroup: Text = Text::of(""),
        "Group that owns the unix socket.",
        empty_is_unset, immutable;
    "unixsocketperm" => unixsocketperm: u64 = 0,
        "Permissions of the unix socket, in octal; 0 leaves the umask's.",
        range(0, 0o777), octal, immutable;
    "timeout" => timeout: i64 = 0,
        "Seconds after which an idle client is disconnected; 0 means never.",
        range(0, I32_MAX);
    "tcp-keepalive" => tcp_keepalive: i64 = 300,
        "Seconds of silence before the kernel probes whether the peer is alive; 0 turns probing off.",
        range(0, I32_MAX);
    "protected-mode" => protected_mode: bool = true,
        "Serve only clients of this machine while the default user needs no password.";
    "socket-mark-id" => socket_mark_id: u64 = 0,
        "Mark put on every socket with SO_MARK, for routing and filtering rules; 0 sets none.",
        range(0, U32_MAX), immutable, later("sockets are not marked");
    "max-new-connections-per-cycle" => max_new_connections_per_cycle: u64 = 10,
        "How many new connections a core accepts in one turn, so that a storm of connects does not starve the others.",
        range(1, 1000), later("a turn accepts with a budget of its own");
    "max-new-tls-connections-per-cycle" => max_new_tls_connections_per_cycle: u64 = 1,
        "The same limit for TLS connections, whose handshakes cost more.",
        range(1, 1000), later("TLS is not built");
}
