//! `deploy/ringkey.conf`, written from the table.
//!
//! The file in the repository must equal what this makes; a test compares them, and writes the file anew when
//! RINGKEY_BLESS is set:
//!
//! ```text
//! RINGKEY_BLESS=1 cargo test --lib config::document
//! ```
//!
//! Directives that do what they say stand with their default; those that are unset, idle or not built yet stand as
//! comments. Hidden ones do not stand there. Loading the file is the same as loading nothing.

use super::current::Config;
use super::row::{Effect, Room, Row};
use super::table;
use super::values::{U32_MAX, Unit, Written};

const WIDTH: usize = 100;

const HEAD: &str = "\
# Ringkey configuration. Every directive with its default; see also CONFIG GET and CONFIG SET.
#
# Start with this file:    ringkey-server /path/to/ringkey.conf
# Options override it:     ringkey-server /path/to/ringkey.conf --port 7777
#
# Sizes take a unit, in any case: 1k = 1000, 1kb = 1024, 1m = 1000000, 1mb = 1024*1024, 1g and 1gb
# likewise. Values with spaces or odd bytes stand in quotes: \"a b\", \"tab\\there\", \"\\xff\".
# Files of Valkey and Redis are taken as they are, older names of directives included.
#
# Other files can be read in between. A pattern may name none, one or many of them:
#
# include /path/to/other.conf
# include /path/to/conf.d/*.conf
#
# Users of the access control list can stand here or in a file of their own (see aclfile):
#
# user worker on >password ~jobs:* +@list +@connection
#
# A command can get another name, or none. Rules for users (ACL) are the better way:
#
# rename-command FLUSHALL \"\"
";

/// The documented file.
pub fn document() -> String {
    let config = Config::default();
    let mut text = HEAD.to_owned();
    for room in table::ROOMS {
        text += &heading(room);
        for row in room.rows.iter().filter(|row| !row.hidden) {
            text += &comment(&paragraph(row));
            text += &example(row, &config);
        }
    }
    text
}

fn heading(room: &Room) -> String {
    let bars = (WIDTH - room.title.len() - 2) / 2;
    format!("\n{0} {1} {0}\n\n{2}\n", "#".repeat(bars), room.title, comment(room.essay))
}

/// All there is to say about a directive.
fn paragraph(row: &Row) -> String {
    let mut text = row.doc.to_owned();
    if row.rule.high > row.rule.low && row.rule.high < U32_MAX / 2 && row.rule.unit == Unit::Plain {
        text += &format!(" From {} to {}.", row.rule.low, row.rule.high);
    }
    if row.immutable {
        text += " Only at start.";
    }
    if let Some(alias) = row.alias {
        text += &format!(" Older name: {alias}.");
    }
    match row.effect {
        Effect::Applied => {}
        Effect::Idle(why) => text += &format!(" Without effect: {why}."),
        Effect::Later(why) => text += &format!(" Not in effect yet: {why}."),
    }
    text
}

/// Text as a comment, broken into lines.
fn comment(text: &str) -> String {
    let mut out = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            out += &line;
            out.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line += word;
    }
    out + &line + "\n"
}

/// The lines a directive would have in a file, and an empty one.
fn example(row: &Row, config: &Config) -> String {
    let default = table::default_text(row);
    let lines = match row.value(config).write(row.name, b"\0not the default", &row.rule) {
        _ if row.name == "dir" => vec![b"dir ./".to_vec()],
        Written::Lines(lines) => lines.into_iter().map(|(line, _)| line).collect(),
        Written::Nothing | Written::Untouched => Vec::new(),
    };
    let unset = default.is_empty() && row.rule.empty_is_unset;
    let mark = if row.effect == Effect::Applied && !unset { "" } else { "# " };
    if lines.is_empty() {
        let unset = if row.name == "replicaof" { "no one" } else { "\"\"" };
        return format!("# {} {unset}\n\n", row.name);
    }
    let lines = lines.iter().map(|line| format!("{mark}{}\n", String::from_utf8_lossy(line)));
    lines.collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::load::{Request, load};
    use super::*;

    #[test]
    fn the_file_in_the_repository_is_the_one_made_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/ringkey.conf");
        if std::env::var_os("RINGKEY_BLESS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == document(), "run RINGKEY_BLESS=1 cargo test --lib config::document");
    }

    #[test]
    fn loading_it_is_loading_nothing() {
        let mut world = Fake::with(&[("/start/ringkey.conf", &document())]);
        let request = Request { file: Some("ringkey.conf".into()), ..Request::default() };
        let loaded = load(&request, &mut world).map_err(|fatal| fatal.to_string()).map_err(|text| panic!("{text}"));
        let mut config = loaded.map(|loaded| loaded.config).unwrap();
        config.general.dir = Config::default().general.dir;
        assert_eq!(config, Config::default());
    }

    #[test]
    fn every_directive_that_is_not_hidden_is_in_it_and_lines_are_short() {
        let text = document();
        for row in table::rows() {
            let stands = text.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{} ", row.name)));
            assert_eq!(stands, !row.hidden, "{}", row.name);
        }
        assert!(text.lines().all(|line| line.len() <= WIDTH));
    }
}
