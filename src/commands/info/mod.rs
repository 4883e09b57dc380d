//! INFO: what the server knows of itself, in sections of `field:value` lines.
//!
//! Every core reports its numbers ([`CoreReport`]); they are added up here and written in Valkey's order, under Valkey's
//! names. A field about something that does not exist here says 0, or what Valkey says where the feature is off.
//!
//! | file | what |
//! |---|---|
//! | `page.rs` | writing sections and fields |
//! | `totals.rs` | the sum over the cores |
//! | `server.rs` | Server, TLS, Clients, CPU, Modules, Cluster, Keyspace |
//! | `memory.rs` | Memory |
//! | `counters.rs` | Persistence, Stats, Replication, Commandstats, Errorstats, Latencystats, Debug, Cores |

mod counters;
mod memory;
mod page;
mod server;
pub mod totals;

use super::{Flow, ServerCommand, ServerExec, ServerRun};
use crate::core::Center;
use crate::core::report::CoreReport;
use page::Page;
use shards::command::{Arg, ArgKind, Group, category, flag};
use shards::error::CommandError;
use std::sync::Arc;
use totals::Totals;

shards::rows! {
    /// The family's rows.
    pub ROWS: ServerRun = [INFO]
}

/// INFO [section ...]
pub const INFO: ServerCommand = ServerCommand {
    arity: -1,
    group: Group::Server,
    since: "1.0.0",
    summary: "Tells what the server knows of itself.",
    complexity: "O(1)",
    history: &[("7.0.0", "Takes several sections.")],
    flags: flag::LOADING | flag::STALE,
    acl: category::DANGEROUS,
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    args: &[Arg::new("section", ArgKind::String).many().opt()],
    ..ServerCommand::new("info", info)
};

/// How a section is written.
type Write = fn(&mut Page, &Totals<'_>);

/// When a section is shown without being named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Without arguments, with `default`, `all` and `everything`.
    Default,
    /// With `all` and `everything`.
    All,
    /// With `everything`.
    Everything,
    /// When named only.
    Named,
}

use Shown::{All, Default as Plain, Everything, Named};

/// The sections, in order.
const SECTIONS: &[(&[&str], Shown, Write)] = &[
    (&["server"], Plain, server::server),
    (&["tls"], All, server::tls),
    (&["clients"], Plain, server::clients),
    (&["memory"], Plain, memory::memory),
    (&["persistence"], Plain, counters::persistence),
    (&["stats"], Plain, counters::stats),
    (&["replication"], Plain, counters::replication),
    (&["cpu"], Plain, server::cpu),
    (&["module_list", "modules"], Plain, server::modules),
    (&["commandstats"], All, counters::commandstats),
    (&["errorstats"], Plain, counters::errorstats),
    (&["latencystats"], All, counters::latencystats),
    (&["cluster"], Plain, server::cluster),
    (&["cluster_info"], All, server::cluster_info),
    (&["scriptingengines"], All, server::scripting_engines),
    (&["keyspace"], Plain, server::keyspace),
    (&["cores"], Everything, counters::cores),
    (&["debug"], Named, counters::debug),
];

fn is_wanted(names: &[&str], shown: Shown, words: &[Vec<u8>]) -> bool {
    let said = |word: &str| words.iter().any(|said| said == word.as_bytes());
    names.iter().any(|name| said(name))
        || match shown {
            Plain => words.is_empty() || said("default") || said("all") || said("everything"),
            All => said("all") || said("everything"),
            Everything => said("everything"),
            Named => false,
        }
}

fn info(x: &mut ServerExec<'_>) -> Result<Flow, CommandError> {
    let words: Vec<Vec<u8>> = x.argv.iter().skip(1).map(<[u8]>::to_ascii_lowercase).collect();
    Ok(Flow::Gather {
        question: Arc::new(|center| Box::new(center.report())),
        finish: Box::new(move |center, _, reports, reply| {
            let cores: Vec<CoreReport> =
                reports.into_iter().map(|report| *report.downcast().expect("the question reports this")).collect();
            reply.verbatim(b"txt", page(center, &cores, &words).as_bytes());
        }),
    })
}

fn page(center: &Center, cores: &[CoreReport], words: &[Vec<u8>]) -> String {
    let totals = Totals::new(center, cores);
    let mut page = Page::default();
    for (names, shown, write) in SECTIONS {
        if is_wanted(names, *shown, words) {
            write(&mut page, &totals);
        }
    }
    page.text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[&str]) -> Vec<&'static str> {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        SECTIONS.iter().filter(|(names, shown, _)| is_wanted(names, *shown, &words)).map(|(names, ..)| names[0]).collect()
    }

    #[test]
    fn sections_are_chosen_as_in_valkey() {
        let plain = "server clients memory persistence stats replication cpu module_list errorstats cluster keyspace";
        assert_eq!(shown(&[]).join(" "), plain);
        assert_eq!(shown(&["default"]).join(" "), plain);
        assert_eq!(shown(&["keyspace", "cpu"]), ["cpu", "keyspace"]);
        assert_eq!(shown(&["modules", "nosuch"]), ["module_list"]);
        assert_eq!(shown(&["all"]).len(), 16);
        assert_eq!(shown(&["everything"]).len(), 17);
        assert!(shown(&["nosuch"]).is_empty());
    }
}
