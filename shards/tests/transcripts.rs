//! Runs every transcript of the crate on a bare shard.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // tests may read files

use std::path::{Path, PathBuf};

use shards::transcript::{Bare, parse};

fn transcripts(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            transcripts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "transcript") {
            found.push(path);
        }
    }
}

#[test]
fn every_transcript_holds_on_a_bare_shard() {
    let mut files = Vec::new();
    transcripts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files.sort();
    assert!(!files.is_empty(), "transcripts lie beside the commands");
    let mut failures = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy();
        let text = std::fs::read_to_string(file).unwrap();
        let cases = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for case in cases.iter().filter(|case| !case.server_only) {
            if let Err(error) = Bare::run_case(case) {
                failures.push(format!("{name}: {error}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}
