//! From a file, standard input and the command line to a [`Config`].
//!
//! All three become one text, in this order, read line by line; the last word on a directive counts. The wording and
//! the line numbers of a failure are Valkey's, because people and scripts look for them. Unlike Valkey we do not show
//! passwords in it.
//!
//! `user` and `rename-command` lines concern rooms this one does not know (ACL, the command table). They are handed
//! on with their [`Place`], so that whoever refuses one can still name its line.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::current::Config;
use super::disk::{World, reason};
use super::obsolete;
use super::row::{Effect, Row};
use super::table::{self, Entry};
use super::values::{Origin, Reason};
use super::words;

/// How deep files may include each other.
const INCLUDE_DEPTH_MAX: usize = 16;

/// What the command line asks to be loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The file named first.
    pub file: Option<PathBuf>,
    /// A "-" stood first or last.
    pub stdin: bool,
    /// The options as lines of a file.
    pub options: Vec<u8>,
}

/// A line of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    number: usize,
    shown: String,
}

impl Place {
    /// The failure of this line.
    pub fn fatal(&self, why: impl Into<String>) -> Fatal {
        Fatal::Line { place: self.clone(), why: why.into() }
    }
}

/// Why the server cannot start. Shown on standard error; the exit code is 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// A line is wrong.
    Line {
        /// Which.
        place: Place,
        /// Why.
        why: String,
    },
    /// The lines do not go together.
    Whole(String),
    /// A file cannot be read.
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl fmt::Display for Fatal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const VERSION: &str = env!("CARGO_PKG_VERSION");
        let (place, why) = match self {
            Fatal::Open { path, why } => {
                return write!(out, "Fatal error, can't open config file '{}': {why}", path.display());
            }
            Fatal::Line { place, why } => (Some(place), why),
            Fatal::Whole(why) => (None, why),
        };
        writeln!(out, "\n*** FATAL CONFIG FILE ERROR (Version {VERSION}) ***")?;
        if let Some(place) = place {
            writeln!(out, "Reading the configuration file, at line {}", place.number)?;
            writeln!(out, ">>> '{}'", place.shown)?;
        }
        write!(out, "{why}")
    }
}

/// `rename-command`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The command.
    pub from: Vec<u8>,
    /// Its new name; empty removes it.
    pub to: Vec<u8>,
    /// Where it says so.
    pub place: Place,
}

/// `user`
#[derive(Clone, PartialEq, Eq)]
pub struct UserLine {
    /// Name and rules, as ACL SETUSER takes them.
    pub words: Vec<Vec<u8>>,
    /// Where it says so.
    pub place: Place,
}

/// All that was read.
pub struct Loaded {
    /// The directives.
    pub config: Config,
    /// The file, by its absolute path; CONFIG REWRITE needs it.
    pub file: Option<PathBuf>,
    /// Users, in order.
    pub users: Vec<UserLine>,
    /// Renamed commands, in order.
    pub renames: Vec<Rename>,
    /// What the log should explain once: directives that were given and do not do what they say.
    pub notices: Vec<String>,
}

/// Loads what the command line asks for.
pub fn load(request: &Request, world: &mut dyn World) -> Result<Loaded, Fatal> {
    let file = request.file.as_ref().map(|file| world.here().as_path().join(file));
    let mut text = Vec::new();
    if let Some(file) = &file {
        text = read_files(file, world)?;
    }
    if request.stdin {
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        let stdin = world.read_stdin();
        text.extend(stdin.map_err(|error| Fatal::Open { path: PathBuf::from("-"), why: reason(&error) })?);
    }
    text.push(b'\n');
    text.extend(&request.options);
    let mut loader = Loader::new(world);
    loader.text(&text, 0)?;
    loader.finish(file)
}

/// The content of a file, or of all files a pattern names; a pattern may name none.
fn read_files(path: &Path, world: &mut dyn World) -> Result<Vec<u8>, Fatal> {
    use std::os::unix::ffi::OsStrExt;
    let wild = path.as_os_str().as_bytes().iter().any(|byte| b"*?[".contains(byte));
    let files = if wild { world.matching(path) } else { vec![path.to_owned()] };
    let mut text = Vec::new();
    for file in files {
        let content = world.read(&file);
        text.extend(content.map_err(|error| Fatal::Open { path: file.clone(), why: reason(&error) })?);
    }
    Ok(text)
}

struct Loader<'a> {
    world: &'a mut dyn World,
    config: Config,
    users: Vec<UserLine>,
    renames: Vec<Rename>,
    given: Vec<&'static Row>,
    given_names: HashSet<&'static str>,
    notices: Vec<String>,
}

impl<'a> Loader<'a> {
    fn new(world: &'a mut dyn World) -> Loader<'a> {
        let mut config = Config::default();
        config.general.dir.0 = world.here();
        Loader {
            world,
            config,
            users: Vec::new(),
            renames: Vec::new(),
            given: Vec::new(),
            given_names: HashSet::new(),
            notices: Vec::new(),
        }
    }

    fn text(&mut self, text: &[u8], depth: usize) -> Result<(), Fatal> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            self.line(line, index + 1, depth)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], number: usize, depth: usize) -> Result<(), Fatal> {
        let place = || Place { number, shown: shown(line) };
        let words = words::split(line);
        let words = words.ok_or_else(|| place().fatal("Unbalanced quotes in configuration line"))?;
        let Some((name, arguments)) = words.split_first() else { return Ok(()) };
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        if let Some(entry) = table::lookup(name) {
            return self.directive(entry, &arguments).map_err(|why| place().fatal(why));
        }
        if let Some(why) = obsolete::reason(name).filter(|_| arguments.len() == 1) {
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            self.notices.push(format!("'{name}' is accepted for older files and does nothing: {why}"));
            return Ok(());
        }
        match (name.to_ascii_lowercase().as_slice(), arguments.as_slice()) {
            (b"include", [path]) => {
                use std::os::unix::ffi::OsStrExt;
                if depth == INCLUDE_DEPTH_MAX {
                    return Err(place().fatal("Too many files include each other"));
                }
                let text = read_files(Path::new(std::ffi::OsStr::from_bytes(path)), self.world)?;
                self.text(&text, depth + 1)
            }
            (b"rename-command", [from, to]) => {
                self.renames.push(Rename { from: from.to_vec(), to: to.to_vec(), place: place() });
                Ok(())
            }
            (b"user", [_, ..]) => {
                let words = arguments.iter().map(|word| word.to_vec()).collect();
                self.users.push(UserLine { words, place: place() });
                Ok(())
            }
            (b"sentinel", []) => Ok(()),
            (b"sentinel", _) => Err(place().fatal("sentinel directive while not in sentinel mode")),
            (b"loadmodule", [_, ..]) => Err(place().fatal("Ringkey does not run modules")),
            (name, []) if name.contains(&b'.') => Err(place().fatal("Module config specified without value")),
            (name, _) if name.contains(&b'.') => Err(place().fatal("Ringkey does not run modules")),
            _ => Err(place().fatal("Bad directive or wrong number of arguments")),
        }
    }

    fn directive(&mut self, entry: Entry, arguments: &[&[u8]]) -> Result<(), Reason> {
        let row = entry.row;
        let split;
        let mut words = arguments.to_vec();
        match (row.multi_arg, arguments) {
            (false, [_]) => {}
            (false, _) => return Err("wrong number of arguments".into()),
            // One argument in quotes may hold the whole list: --save "900 1 300 10".
            (true, [list]) if !list.is_empty() => {
                split = words::split(list).ok_or("Unbalanced quotes in configuration line")?;
                words = split.iter().map(Vec::as_slice).collect();
            }
            (true, _) => {}
        }
        let first = !self.given_names.contains(row.name);
        let origin = if first { Origin::FirstLine } else { Origin::LaterLine };
        row.value_mut(&mut self.config).set(&words, &row.rule, origin)?;
        if first {
            self.given_names.insert(row.name);
            self.given.push(row);
        }
        if row.name == "dir" {
            // At once, as names in later lines start from there.
            let entered = self.world.enter(self.config.general.dir.0.as_path());
            self.config.general.dir.0 = entered.map_err(|error| reason(&error))?;
        }
        Ok(())
    }

    /// What holds for the lines together.
    fn finish(mut self, file: Option<PathBuf>) -> Result<Loaded, Fatal> {
        self.config.settle();
        let logfile = &self.config.logging.logfile;
        if !logfile.is_empty() {
            let opened = self.world.can_append(logfile.as_path());
            opened.map_err(|error| Fatal::Whole(format!("Can't open the log file: {}", reason(&error))))?;
        }
        if self.config.cluster.cluster_enabled && self.config.replication.replicaof.0.is_some() {
            return Err(Fatal::Whole("replicaof directive not allowed in cluster mode".to_owned()));
        }
        let (users, renames) = (self.users, self.renames);
        let mut notices = self.notices;
        notices.extend(self.given.iter().filter_map(|row| notice(row, &self.config)));
        Ok(Loaded { config: self.config, file, users, renames, notices })
    }
}

/// What to tell about a directive that was given another value than its default and does not do what it says.
pub fn notice(row: &Row, config: &Config) -> Option<String> {
    if row.show(config) == table::default_text(row) {
        return None;
    }
    match row.effect {
        Effect::Applied => None,
        Effect::Idle(why) => Some(format!("'{}' is accepted and has no effect: {why}", row.name)),
        Effect::Later(why) => Some(format!("'{}' is accepted but not in effect yet: {why}", row.name)),
    }
}

/// A line for people's eyes: no control characters, no passwords.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let name = text.split(|letter: char| letter.is_whitespace()).next().unwrap_or_default();
    let entry = table::lookup(name.trim_matches(['"', '\'']).as_bytes());
    let secret = entry.is_some_and(|entry| entry.row.sensitive);
    let hide = |word: &str| !word.is_empty() && word.starts_with(['>', '<', '#', '!', '"', '\'']);
    if secret {
        return format!("{name} (redacted)");
    }
    if name.eq_ignore_ascii_case("user") {
        let words = text.split_whitespace().map(|word| if hide(word) { "(redacted)" } else { word });
        return printable(&words.collect::<Vec<_>>().join(" "));
    }
    printable(&text)
}

fn printable(text: &str) -> String {
    text.chars().flat_map(|letter| {
        let escaped = letter.is_control().then(|| letter.escape_default());
        let plain = escaped.is_none().then_some(letter);
        escaped.into_iter().flatten().chain(plain)
    }).collect()
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
