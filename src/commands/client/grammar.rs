//! The filters of CLIENT LIST and KILL as COMMAND DOCS shows them.

use shards::command::{Arg, ArgKind};

const NORMAL: Arg = Arg::token("normal", "NORMAL");
const MASTER: Arg = Arg::token("master", "MASTER");
const PRIMARY: Arg = Arg::token("primary", "PRIMARY");
const SLAVE: Arg = Arg::token("slave", "SLAVE");
const REPLICA: Arg = Arg::token("replica", "REPLICA");
const PUBSUB: Arg = Arg::token("pubsub", "PUBSUB");

const fn word(name: &'static str, token: &'static str) -> Arg {
    Arg::new(name, ArgKind::String).after(token).opt()
}

const fn number(name: &'static str, token: &'static str) -> Arg {
    Arg::new(name, ArgKind::Integer).after(token).opt()
}

const SKIPME: Arg =
    Arg::one_of("skipme", &[Arg::token("yes", "YES"), Arg::token("no", "NO")]).after("SKIPME").opt();

const fn new(arg: Arg) -> Arg {
    arg.since("9.0.0")
}

/// What 9.0 brought to both, for their history.
pub const FILTERS_OF_9: &str = "Added filters NAME, IDLE, FLAGS, LIB-NAME, LIB-VER, DB, CAPA, and IP. And negative filters NOT-ID, NOT-TYPE, NOT-ADDR, NOT-LADDR, NOT-USER, NOT-FLAGS, NOT-NAME, NOT-LIB-NAME, NOT-LIB-VER, NOT-DB, NOT-CAPA, NOT-IP.";

/// CLIENT LIST
pub const LIST: &[Arg] = &[
    Arg::one_of("client-type", &[NORMAL, MASTER, REPLICA, PUBSUB]).after("TYPE").opt().since("5.0.0"),
    number("client-id", "ID").many().since("6.2.0"),
    word("username", "USER").since("8.1.0"),
    word("addr", "ADDR").shown_as("ip:port").since("8.1.0"),
    word("laddr", "LADDR").shown_as("ip:port").since("8.1.0"),
    SKIPME.since("8.1.0"),
    number("maxage", "MAXAGE").since("8.1.0"),
    new(word("name", "NAME")),
    new(number("idle", "IDLE")),
    new(word("flags", "FLAGS")),
    new(word("lib-name", "LIB-NAME")),
    new(word("lib-ver", "LIB-VER")),
    new(number("db", "DB")),
    new(word("capa", "CAPA")),
    new(word("ip", "IP")),
    new(Arg::one_of("not-client-type", &[NORMAL, MASTER, REPLICA, PUBSUB]).after("NOT-TYPE").opt()),
    new(number("not-client-id", "NOT-ID").many()),
    new(word("not-username", "NOT-USER")),
    new(word("not-addr", "NOT-ADDR").shown_as("ip:port")),
    new(word("not-laddr", "NOT-LADDR").shown_as("ip:port")),
    new(word("not-name", "NOT-NAME")),
    new(word("not-flags", "NOT-FLAGS")),
    new(word("not-lib-name", "NOT-LIB-NAME")),
    new(word("not-lib-ver", "NOT-LIB-VER")),
    new(number("not-db", "NOT-DB")),
    new(word("not-capa", "NOT-CAPA")),
    new(word("not-ip", "NOT-IP")),
];

/// CLIENT KILL
pub const KILL: &[Arg] = &[Arg::one_of(
    "filter",
    &[
        Arg::new("old-format", ArgKind::String).shown_as("ip:port").deprecated("2.8.12"),
        Arg::one_of("new-format", KILL_FILTERS).many(),
    ],
)];

const KILL_FILTERS: &[Arg] = &[
    number("client-id", "ID").many().since("2.8.12"),
    Arg::one_of(
        "client-type",
        &[NORMAL, MASTER.since("3.2.0"), PRIMARY.since("8.0.0"), SLAVE, REPLICA.since("5.0.0"), PUBSUB],
    )
    .after("TYPE")
    .opt()
    .since("2.8.12"),
    word("username", "USER"),
    word("addr", "ADDR").shown_as("ip:port"),
    word("laddr", "LADDR").shown_as("ip:port").since("6.2.0"),
    SKIPME,
    number("maxage", "MAXAGE").since("8.0.0"),
    new(word("name", "NAME")),
    new(number("idle", "IDLE")),
    new(word("flags", "FLAGS")),
    new(word("lib-name", "LIB-NAME")),
    new(word("lib-ver", "LIB-VER")),
    new(number("db", "DB")),
    new(word("capa", "CAPA")),
    new(word("ip", "IP")),
    new(Arg::one_of("not-client-type", &[NORMAL, MASTER, PRIMARY, SLAVE, REPLICA, PUBSUB]).after("NOT-TYPE").opt()),
    new(number("not-client-id", "NOT-ID").many()),
    new(word("not-username", "NOT-USER")),
    new(word("not-addr", "NOT-ADDR").shown_as("ip:port")),
    new(word("not-laddr", "NOT-LADDR").shown_as("ip:port")),
    new(word("not-name", "NOT-NAME")),
    new(word("not-flags", "NOT-FLAGS")),
    new(word("not-lib-name", "NOT-LIB-NAME")),
    new(word("not-lib-ver", "NOT-LIB-VER")),
    new(number("not-db", "NOT-DB")),
    new(word("not-capa", "NOT-CAPA")),
    new(word("not-ip", "NOT-IP")),
];
