//! The configuration in the hands of its owner: CONFIG GET and CONFIG SET.
//!
//! CONFIG SET is all or nothing. A proposal is a copy of the configuration with every pair applied to it; nobody sees
//! it until `commit`. Between the two the caller may try what can fail in the world (listen on the new port ...) and
//! drop the proposal if it does. `set` is both steps for callers with nothing to try.
//!
//! Errors are the whole reply text, as Valkey words it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::current::Config;
use super::disk::{World, reason};
use super::feed::{Feed, Reader};
use super::rewrite::rewrite;
use super::row::Row;
use super::table::{self, Entry};
use super::values::{Origin, Reason, Text};
use shards::stdx::glob;

/// Who asks for a change, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker {
    /// May set protected directives (see `enable-protected-configs`).
    pub protected_allowed: bool,
    /// A data set is being loaded.
    pub loading: bool,
}

/// A directive that CONFIG SET gave another value.
#[derive(Clone, Copy)]
pub struct ChangedDirective {
    /// Its row.
    pub row: &'static Row,
}

/// A change nobody sees yet.
pub struct Proposal {
    next: Config,
    changed: Vec<ChangedDirective>,
}

impl Proposal {
    /// The configuration it would make.
    pub fn config(&self) -> &Config {
        &self.next
    }

    /// What would change.
    pub fn changed(&self) -> &[ChangedDirective] {
        &self.changed
    }
}

/// The configuration and the file it came from.
pub struct Store {
    current: Arc<Config>,
    feed: Arc<Feed>,
    file: Option<PathBuf>,
}

impl Store {
    /// A store over a configuration that was loaded, from `file` if there was one.
    pub fn new(config: Config, file: Option<PathBuf>) -> Store {
        let current = Arc::new(config);
        Store { feed: Arc::new(Feed::new(Arc::clone(&current))), current, file }
    }

    /// The configuration now.
    pub fn config(&self) -> &Arc<Config> {
        &self.current
    }

    /// The file it was loaded from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// A view for another core.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.feed))
    }

    /// CONFIG GET: names and values, sorted by name. A name without wildcards is answered as it was typed.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        get(&self.current, patterns)
    }

    /// CONFIG SET for callers with nothing to try in between.
    pub fn set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        asker: Asker,
        world: &mut dyn World,
    ) -> Result<Vec<ChangedDirective>, String> {
        let proposal = self.propose(pairs, asker, world)?;
        Ok(self.commit(proposal))
    }

    /// Applies every pair to a copy. On an error nothing has happened, not even a change of folder.
    pub fn propose(
        &self,
        pairs: &[(&[u8], &[u8])],
        asker: Asker,
        world: &mut dyn World,
    ) -> Result<Proposal, String> {
        let entries = find(pairs, asker, &self.current)?;
        let mut next = Config::clone(&self.current);
        let mut changed: Vec<ChangedDirective> = Vec::new();
        for (entry, (_, value)) in entries.iter().zip(pairs) {
            let differs = apply(&mut next, entry.row, value).map_err(|why| failed(entry.name, &why))?;
            let known = changed.iter().any(|other| std::ptr::eq(other.row, entry.row));
            if (differs || entry.row.volatile) && !known {
                changed.push(ChangedDirective { row: entry.row });
            }
        }
        next.settle();
        if entries.iter().any(|entry| entry.row.name == "dir") {
            // The one pair that touches the world comes last, so nothing after it can fail.
            let entered = world.enter(next.general.dir.0.as_path());
            next.general.dir.0 = entered.map_err(|error| failed("dir", &reason(&error)))?;
        }
        Ok(Proposal { next, changed })
    }

    /// Makes a proposal the configuration and shows it to every core.
    pub fn commit(&mut self, proposal: Proposal) -> Vec<ChangedDirective> {
        assert_eq!(proposal.next.epoch, self.current.epoch, "proposed from the configuration that is current");
        let Proposal { next, changed } = proposal;
        self.put(next);
        changed
    }

    /// A change by the server itself, such as REPLICAOF.
    pub fn update(&mut self, change: impl FnOnce(&mut Config)) {
        let mut next = Config::clone(&self.current);
        change(&mut next);
        self.put(next);
    }

    /// CONFIG REWRITE. `users` as ACL LIST describes them, each without the leading word "user".
    pub fn rewrite(&self, users: &[Vec<u8>], world: &mut dyn World) -> Result<(), String> {
        let file = self.file().ok_or("ERR The server is running without a config file")?;
        let told = |error: std::io::Error| format!("ERR Rewriting config file: {}", reason(&error));
        let old = match world.read(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            content => content.map_err(told)?,
        };
        world.replace(file, &rewrite(&old, &self.current, users)).map_err(told)
    }

    fn put(&mut self, mut next: Config) {
        next.epoch = self.current.epoch + 1;
        self.current = Arc::new(next);
        self.feed.publish(Arc::clone(&self.current));
    }
}

/// CONFIG GET over a configuration.
pub fn get(config: &Config, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found: BTreeMap<&'static str, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for pattern in patterns {
        if !pattern.iter().any(|byte| b"[*?".contains(byte)) {
            if let Some(entry) = table::lookup(pattern) {
                found.entry(entry.name).or_insert_with(|| (pattern.to_vec(), entry.row.show(config)));
            }
            continue;
        }
        for entry in table::entries().filter(|entry| !entry.row.hidden) {
            if glob::matches(pattern, entry.name.as_bytes(), true) {
                let answer = || (entry.name.as_bytes().to_vec(), entry.row.show(config));
                found.entry(entry.name).or_insert_with(answer);
            }
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort();
    found
}

/// The directives named, or the first thing wrong about them.
fn find(pairs: &[(&[u8], &[u8])], asker: Asker, current: &Config) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let typed = String::from_utf8_lossy(name);
        let entry = table::lookup(name).ok_or_else(|| {
            format!("ERR Unknown option or number of arguments for CONFIG SET - '{}'", one_line(&typed))
        })?;
        if entry.row.immutable && !(entry.row.repeatable && entry.row.show(current) == *value) {
            return Err(failed(&typed, "can't set immutable config"));
        }
        if entry.row.protected && !asker.protected_allowed {
            return Err(failed(&typed, "can't set protected config"));
        }
        if entry.row.deny_loading && asker.loading {
            return Err("LOADING Valkey is loading the dataset in memory".to_owned());
        }
        if entries.iter().any(|other| other.name == entry.name) {
            return Err(failed(&typed, "duplicate parameter"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Sets one directive from the one argument CONFIG SET gives it. A list is split at each single space.
fn apply(config: &mut Config, row: &Row, value: &[u8]) -> Result<bool, Reason> {
    let words: Vec<&[u8]> = match (row.multi_arg, value.is_empty()) {
        (true, true) => Vec::new(),
        (true, false) => value.split(|byte| *byte == b' ').collect(),
        (false, _) => vec![value],
    };
    row.value_mut(config).set(&words, &row.rule, Origin::Command)
}

/// The error for a directive that could not be set; also for callers whose attempt in the world failed.
pub fn failed(name: &str, why: &str) -> String {
    format!("ERR CONFIG SET failed (possibly related to argument '{}') - {why}", one_line(name))
}

/// An error reply is one line, whatever the client typed.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// The folder the process is in, for a configuration that names none.
pub fn dir_text(path: &Path) -> Text {
    use std::os::unix::ffi::OsStrExt;
    Text::of_bytes(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::row::Effect;
    use super::*;

    const TRUSTED: Asker = Asker { protected_allowed: true, loading: false };

    fn store() -> Store {
        Store::new(Config::default(), None)
    }

    fn set(store: &mut Store, pairs: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let changed = store.set(&pairs, TRUSTED, &mut Fake::default())?;
        Ok(changed.iter().map(|changed| changed.row.name).collect())
    }

    fn get(store: &Store, patterns: &[&str]) -> Vec<(String, String)> {
        let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        store.get(&patterns).into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    fn value(store: &Store, name: &str) -> String {
        get(store, &[name]).remove(0).1
    }

    /// Sets, and gives what CONFIG GET then shows, or the reason of the refusal.
    fn try_value(name: &str, text: &str) -> String {
        let mut store = store();
        match set(&mut store, &[(name, text)]) {
            Ok(_) => value(&store, name),
            Err(error) => {
                let prefix = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - ");
                error.strip_prefix(&prefix).expect(&error).to_owned()
            }
        }
    }

    #[test]
    fn a_name_is_answered_as_typed_and_a_pattern_as_the_table_spells_it() {
        let store = store();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(get(&store, &["MaxMemory"]), [pair("MaxMemory", "0")]);
        assert_eq!(get(&store, &["maxmemory", "MAXMEMORY", "maxm?mory"]), [pair("maxmemory", "0")]);
        assert_eq!(get(&store, &["SLAVE-prio*"]), [pair("slave-priority", "100")]);
        assert_eq!(get(&store, &["nosuch", "max\\memory"]), []);
    }

    #[test]
    fn answers_are_sorted_by_name_whatever_the_order_asked() {
        let names: Vec<_> = get(&store(), &["maxclients", "hz", "a*"]).into_iter().map(|(name, _)| name).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert!(names.len() > 10);
    }

    #[test]
    fn hidden_directives_answer_only_to_their_name() {
        let store = store();
        assert_eq!(get(&store, &["use-exit-on-pani?"]), []);
        assert_eq!(value(&store, "use-exit-on-panic"), "no");
    }

    #[test]
    fn an_unknown_name_is_told() {
        let error = set(&mut store(), &[("nosuch", "1"), ("daemonize", "yes")]).unwrap_err();
        assert_eq!(error, "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'");
        let error = set(&mut store(), &[("no\r\nsuch", "1")]).unwrap_err();
        assert_eq!(error, "ERR Unknown option or number of arguments for CONFIG SET - 'no  such'");
    }

    #[test]
    fn our_own_immutable_directives_take_the_value_they_have() {
        assert_eq!(try_value("shards", "7"), "can't set immutable config");
        let store = Store::new(Config::default(), None);
        let shards = store.current.ringkey.shards.to_string();
        assert!(store.propose(&[(b"shards", shards.as_bytes()), (b"shard-cpus", b"")], TRUSTED, &mut Fake::default()).is_ok());
    }

    #[test]
    fn immutable_and_protected_directives_stay() {
        assert_eq!(try_value("daemonize", "yes"), "can't set immutable config");
        let error = store().set(&[(b"dir", b"/tmp")], Asker::default(), &mut Fake::default());
        let expected = "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config";
        assert_eq!(error.err().as_deref(), Some(expected));
    }

    #[test]
    fn some_directives_wait_until_the_data_is_loaded() {
        let asker = Asker { loading: true, ..TRUSTED };
        let error = store().set(&[(b"appendonly", b"yes")], asker, &mut Fake::default());
        assert_eq!(error.err().as_deref(), Some("LOADING Valkey is loading the dataset in memory"));
    }

    #[test]
    fn the_same_directive_twice_is_refused_but_an_alias_beside_it_is_not() {
        let error = set(&mut store(), &[("maxmemory", "1"), ("MAXMEMORY", "2")]).unwrap_err();
        let expected = "ERR CONFIG SET failed (possibly related to argument 'MAXMEMORY') - duplicate parameter";
        assert_eq!(error, expected);
        let mut store = store();
        assert_eq!(
            set(&mut store, &[("replica-priority", "1"), ("slave-priority", "2")]),
            Ok(vec!["replica-priority"])
        );
        assert_eq!(value(&store, "replica-priority"), "2");
    }

    #[test]
    fn one_bad_pair_leaves_all_as_it_was() {
        let mut store = store();
        let before = Arc::clone(store.config());
        let error = set(&mut store, &[("maxmemory", "1mb"), ("slave-priority", "x")]).unwrap_err();
        assert_eq!(
            error,
            "ERR CONFIG SET failed (possibly related to argument 'slave-priority') - \
             argument couldn't be parsed into an integer"
        );
        assert_eq!(before, *store.config());
    }

    #[test]
    fn only_what_differs_counts_as_changed_but_files_may_have_new_content() {
        let mut store = store();
        assert_eq!(set(&mut store, &[("maxmemory", "0"), ("timeout", "3")]), Ok(vec!["timeout"]));
        assert_eq!(set(&mut store, &[("tls-cert-file", "")]), Ok(vec!["tls-cert-file"]));
    }

    #[test]
    fn values_are_shown_as_valkey_shows_them() {
        for (name, text, shown) in [
            ("hz", "1000", "500"),
            ("hz", "0", "1"),
            ("repl-backlog-size", "1", "16384"),
            ("maxmemory", "1gb", "1073741824"),
            ("maxmemory-clients", "10%", "10%"),
            ("slot-migration-max-failover-repl-bytes", "-1", "-1"),
            ("save", "", ""),
            ("save", "10 5 20 6", "10 5 20 6"),
            ("oom-score-adj", "relative", "yes"),
            ("oom-score-adj-values", "1 2 3", "1 2 3"),
            ("notify-keyspace-events", "KEA", "AKE"),
            ("notify-keyspace-events", "AKEmn", "AKEm"),
            ("notify-keyspace-events", "Kgn", "gnK"),
            ("latency-tracking-info-percentiles", "50 99.99999999 0.5", "50 100 0.5"),
            ("shutdown-on-sigterm", "now SAVE force", "save now force"),
            ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
            ("bind", "", ""),
            ("client-output-buffer-limit", "replica 10mb 5mb 3", "normal 0 0 0 slave 10485760 5242880 3 pubsub 33554432 8388608 60"),
            ("requirepass", "a b\"c", "a b\"c"),
            ("dbfilename", "a\0b", "a"),
        ] {
            assert_eq!(try_value(name, text), shown, "{name} {text}");
        }
    }

    #[test]
    fn refusals_are_worded_as_valkey_words_them() {
        for (name, text, why) in [
            ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
            ("maxmemory", "-1", "argument must be a memory value"),
            ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
            ("maxmemory-samples", "65", "argument must be between 1 and 64 inclusive"),
            ("maxclients", "-1", "argument must be between 1 and 4294967295 inclusive"),
            ("spin-us", "1001", "argument must be between -1 and 1000 inclusive"),
            ("loglevel", "loud", "argument(s) must be one of the following: debug, verbose, notice, warning, nothing"),
            ("oom-score-adj", "x", "argument(s) must be one of the following: no, yes, relative, absolute"),
            (
                "shutdown-on-sigterm",
                "",
                "argument(s) must be one of the following: default, save, nosave, now, force, safe, failover",
            ),
            ("shutdown-on-sigint", "save nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously"),
            ("save", "1 2 3", "Invalid save parameters"),
            ("save", "10 5  20 6", "Invalid save parameters"),
            ("save", "0 5", "Invalid save parameters"),
            ("notify-keyspace-events", "q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
            ("latency-tracking-info-percentiles", "x", "Invalid latency-tracking-info-percentiles parameters"),
            (
                "latency-tracking-info-percentiles",
                "101",
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
            ),
            ("client-output-buffer-limit", "normal 1 2", "Wrong number of arguments in buffer limit configuration."),
            ("client-output-buffer-limit", "x 1 2 3", "Invalid client class specified in buffer limit configuration."),
            (
                "client-output-buffer-limit",
                "normal 1 2 x",
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ),
            ("oom-score-adj-values", "1 2", "wrong number of arguments"),
            (
                "oom-score-adj-values",
                "1 2 2001",
                "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
            ),
            ("dir", "", "dir can't be empty"),
            ("dir", "/nosuch", "No such file or directory"),
            ("dbfilename", "a/b", "dbfilename can't be a path, just a filename"),
        ] {
            assert_eq!(try_value(name, text), why, "{name} {text}");
        }
    }

    #[test]
    fn a_folder_is_entered_only_when_all_else_is_right() {
        let mut world = Fake::default();
        let mut store = store();
        let bad: &[(&[u8], &[u8])] = &[(b"dir", b"/data"), (b"hz", b"x")];
        assert!(store.set(bad, TRUSTED, &mut world).is_err());
        assert!(world.entered.is_empty());
        assert!(store.set(&[(b"dir", b"data")], TRUSTED, &mut world).is_ok());
        assert_eq!(value(&store, "dir"), "/start/data");
    }

    #[test]
    fn readers_see_a_change_once_it_is_committed() {
        let mut store = store();
        let mut reader = store.reader();
        assert!(!reader.refresh());
        let proposal = store.propose(&[(b"timeout", b"5")], TRUSTED, &mut Fake::default());
        assert!(!reader.refresh());
        store.commit(proposal.ok().expect("timeout takes 5"));
        assert!(reader.refresh());
        assert_eq!(reader.config().network.timeout, 5);
        store.update(|config| config.network.timeout = 6);
        assert!(reader.refresh() && !reader.refresh());
    }

    #[test]
    fn every_default_is_a_value_its_own_directive_takes() {
        for row in table::rows().filter(|row| row.name != "dir") {
            let mut config = Config::default();
            let shown = row.show(&config);
            let unset = shown.is_empty() && matches!(row.name, "replicaof");
            let differs = if unset { Ok(false) } else { apply(&mut config, row, &shown) };
            assert_eq!(differs, Ok(false), "{} {}", row.name, String::from_utf8_lossy(&shown));
            assert!(!row.doc.is_empty() && row.doc.ends_with(['.', ':']), "{}", row.name);
            if let Effect::Idle(reason) | Effect::Later(reason) = row.effect {
                assert!(!reason.is_empty() && !reason.ends_with('.'), "{}", row.name);
            }
        }
    }

    #[test]
    fn secrets_are_not_in_debug_output() {
        let mut store = store();
        set(&mut store, &[("requirepass", "hunter2"), ("primaryauth", "hunter3")]).unwrap();
        assert!(!format!("{:?}", store.config()).contains("hunter"));
    }
}
