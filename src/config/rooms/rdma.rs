//! Remote direct memory access. Kept so that files which mention it load.

use crate::config::row::rows;
use crate::config::specials::Addresses;
use crate::config::values::MIB;

rows! { rdma: Rdma, "RDMA", "Remote direct memory access. Kept so that files which mention it load.";
    "rdma-bind" => rdma_bind: Addresses = Addresses::none(),
        "Addresses to listen on over RDMA.",
        multi_arg, idle("Ringkey speaks TCP and unix sockets only");
    "rdma-port" => rdma_port: i64 = 0,
        "Port for RDMA clients; 0 turns it off.",
        range(0, 65_535), idle("Ringkey speaks TCP and unix sockets only");
    "rdma-rx-size" => rdma_rx_size: i64 = MIB,
        "Receive buffer of an RDMA connection, in bytes.",
        range(65_536, 16 * MIB as i128), immutable, idle("Ringkey speaks TCP and unix sockets only");
    "rdma-completion-vector" => rdma_completion_vector: i64 = -1,
        "Completion vector for RDMA events; -1 picks one.",
        range(-1, 1024), immutable, idle("Ringkey speaks TCP and unix sockets only");
}
