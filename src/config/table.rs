//! Every directive, by name.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::current::Config;
use super::rooms::{
    aof, clients, cluster, defrag, general, lazyfree, logging, memory, network, process, rdma, replication, ringkey,
    security, snapshot, tls, types, watch,
};
use super::row::{Room, Row};

/// The rooms, in the order of the documented file.
pub const ROOMS: &[Room] = &[
    ringkey::ROOM,
    network::ROOM,
    tls::ROOM,
    rdma::ROOM,
    general::ROOM,
    logging::ROOM,
    snapshot::ROOM,
    replication::ROOM,
    security::ROOM,
    clients::ROOM,
    memory::ROOM,
    lazyfree::ROOM,
    process::ROOM,
    aof::ROOM,
    cluster::ROOM,
    watch::ROOM,
    types::ROOM,
    defrag::ROOM,
];

static BY_NAME: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(by_name);
static DEFAULTS: LazyLock<Config> = LazyLock::new(Config::default);

/// A name people may use for a directive.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The name: the directive's own or its alias.
    pub name: &'static str,
    /// The directive.
    pub row: &'static Row,
}

fn by_name() -> HashMap<&'static str, Entry> {
    let mut by_name = HashMap::new();
    for row in rows() {
        for name in std::iter::once(row.name).chain(row.alias) {
            let before = by_name.insert(name, Entry { name, row });
            assert!(before.is_none(), "two directives are called {name}");
        }
    }
    by_name
}

/// All directives, in the order of the documented file.
pub fn rows() -> impl Iterator<Item = &'static Row> + Clone {
    ROOMS.iter().flat_map(|room| room.rows)
}

/// All names, aliases too, in no order.
pub fn entries() -> impl Iterator<Item = Entry> {
    BY_NAME.values().copied()
}

/// The directive of that name or alias, whatever its case.
pub fn lookup(name: &[u8]) -> Option<Entry> {
    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    BY_NAME.get(name.as_str()).copied()
}

/// What a directive shows when nobody set it.
pub fn default_text(row: &Row) -> Vec<u8> {
    row.show(&DEFAULTS)
}
