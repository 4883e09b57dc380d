//! The command line: `ringkey-server [file.conf] [--directive value ...] [-]`.
//!
//! Options become lines of a configuration file, word by word as Valkey does it, with its oddities: a name and its
//! value may share one argument (`"--port 6380"`), an option takes every word up to the next `--`, the word right
//! after an option's name may itself start with `--`, and `--save` without a value means `save ""`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::load::Request;
use super::words;

/// What `--help` prints.
pub const HELP: &str = "\
Usage: ringkey-server [/path/to/ringkey.conf] [options] [-]
       ringkey-server - (read the configuration from standard input)
       ringkey-server -v or --version
       ringkey-server -h or --help

Every directive of the configuration file is an option as well.

Examples:
       ringkey-server
       ringkey-server /etc/ringkey/6379.conf
       ringkey-server --port 7777 --replicaof 127.0.0.1 8888
       ringkey-server /etc/ringkey/6379.conf --loglevel verbose
       echo 'maxmemory 128mb' | ringkey-server -
";

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start with this configuration.
    Start(Request),
    /// Print a text to standard output and end well.
    Print(String),
    /// Print a text to standard error and end with code 1.
    Refuse(String),
}

/// What `--version` prints.
pub fn version() -> String {
    format!(
        "Ringkey server v={} compatible=valkey-9.1 malloc=mimalloc bits={}\n",
        env!("CARGO_PKG_VERSION"),
        usize::BITS
    )
}

/// Reads the command line; `arguments[0]` is the program.
pub fn parse(arguments: &[OsString]) -> Action {
    let program = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    let words: Vec<&[u8]> = arguments.iter().skip(1).map(|word| word.as_bytes()).collect();
    if program.contains("sentinel") || words.contains(&b"--sentinel".as_slice()) {
        return Action::Refuse("Ringkey does not run as a Sentinel. Let a Valkey or Redis Sentinel watch it.\n".into());
    }
    if program.contains("check-rdb") || program.contains("check-aof") {
        return Action::Refuse(format!("Ringkey does not stand in for {program}.\n"));
    }
    match words.as_slice() {
        [] => Action::Start(Request::default()),
        [b"-v" | b"--version", ..] => Action::Print(version()),
        [b"-h" | b"--help", ..] => Action::Print(HELP.to_owned()),
        [b"--test-memory", ..] => Action::Refuse("Ringkey has no --test-memory; memtest86+ does it better.\n".into()),
        [b"--check-system", ..] => Action::Refuse("Ringkey has no --check-system; it warns when it starts.\n".into()),
        words => Action::Start(request(words)),
    }
}

fn request(words: &[&[u8]]) -> Request {
    let mut request = Request::default();
    let mut rest = words;
    if let Some((first, others)) = words.split_first()
        && first.first() != Some(&b'-')
    {
        request.file = Some(PathBuf::from(OsString::from_vec(first.to_vec())));
        rest = others;
    }
    let file_words = words.len() - rest.len();
    let mut complete = true;
    for (index, word) in rest.iter().enumerate() {
        let next = rest.get(index + 1).copied();
        let at_an_end = (file_words == 0 && index == 0) || next.is_none();
        if *word == b"-" && at_an_end {
            request.stdin = true;
        } else if complete && word.starts_with(b"--") {
            complete = option(word, next, &mut request.options);
        } else {
            request.options.extend(words::quote(word));
            request.options.push(b' ');
            complete = true;
        }
    }
    request
}

/// Starts a line with an option's name. True when the option needs no further word.
fn option(word: &[u8], next: Option<&[u8]>, options: &mut Vec<u8>) -> bool {
    if !options.is_empty() {
        options.push(b'\n');
    }
    options.extend(&word[2..]);
    options.push(b' ');
    let name_only = words::split(word).is_some_and(|words| words.len() == 1);
    if !name_only {
        return true;
    }
    let bare = next.is_none_or(|next| next.starts_with(b"--"));
    if bare && word.eq_ignore_ascii_case(b"--save") {
        options.extend(b"\"\"");
        return next.is_some();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Action {
        let words: Vec<_> = std::iter::once(&"ringkey-server").chain(words).map(OsString::from).collect();
        parse(&words)
    }

    fn started(words: &[&str]) -> (Option<String>, bool, String) {
        let Action::Start(request) = parse_words(words) else { panic!("{words:?} starts the server") };
        let file = request.file.map(|file| file.to_str().unwrap().to_owned());
        (file, request.stdin, String::from_utf8(request.options).unwrap())
    }

    #[test]
    fn options_become_lines() {
        for (words, file, stdin, options) in [
            (&[][..], None, false, ""),
            (&["a.conf"], Some("a.conf"), false, ""),
            (&["--port", "7777"], None, false, "port \"7777\" "),
            (&["--port 7777", "--hz", "3"], None, false, "port 7777 \nhz \"3\" "),
            (&["a.conf", "--replicaof", "h", "1"], Some("a.conf"), false, "replicaof \"h\" \"1\" "),
            (&["-"], None, true, ""),
            (&["a.conf", "-"], Some("a.conf"), true, ""),
            (&["a.conf", "--port", "1", "-"], Some("a.conf"), true, "port \"1\" "),
            (&["-", "--port", "1"], None, true, "port \"1\" "),
            (&["a.conf", "-", "--port", "1"], Some("a.conf"), false, "\"-\" \nport \"1\" "),
            (&["--save"], None, false, "save \"\""),
            (&["--save", "--port", "1"], None, false, "save \"\"\nport \"1\" "),
            (&["--save", "", "--port", "1"], None, false, "save \"\" \nport \"1\" "),
            (&["--save", "900 1"], None, false, "save \"900 1\" "),
            (&["--logfile", "--odd"], None, false, "logfile \"--odd\" "),
            (&["--requirepass", "a\"b\n"], None, false, "requirepass \"a\\\"b\\n\" "),
            (&["--SAVE"], None, false, "SAVE \"\""),
        ] {
            let expected = (file.map(str::to_owned), stdin, options.to_owned());
            assert_eq!(started(words), expected, "{words:?}");
        }
    }

    #[test]
    fn what_only_prints_does_not_start() {
        for words in [&["-v"][..], &["--version"], &["-h"], &["--help", "x"]] {
            assert!(matches!(parse_words(words), Action::Print(_)), "{words:?}");
        }
        for words in [&["a.conf", "--sentinel"][..], &["--test-memory", "4"], &["--check-system"]] {
            assert!(matches!(parse_words(words), Action::Refuse(_)), "{words:?}");
        }
        assert!(matches!(parse(&[OsString::from("/usr/bin/redis-sentinel")]), Action::Refuse(_)));
    }
}
