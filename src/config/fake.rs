//! A world for tests: files in a map, folders that exist by name.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::World;
use shards::stdx::glob;
use super::store::dir_text;
use super::values::Text;

#[derive(Default)]
pub struct Fake {
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    pub stdin: Vec<u8>,
    pub entered: Vec<PathBuf>,
}

impl Fake {
    pub fn with(files: &[(&str, &str)]) -> Fake {
        let files = files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
        Fake { files: files.collect(), ..Fake::default() }
    }
}

impl World for Fake {
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    fn read_stdin(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.stdin.clone())
    }

    fn matching(&mut self, pattern: &Path) -> Vec<PathBuf> {
        let pattern = pattern.to_str().expect("tests name files in UTF-8").as_bytes();
        let fits = |path: &&PathBuf| glob::matches(pattern, path.to_str().expect("see above").as_bytes(), false);
        self.files.keys().filter(fits).cloned().collect()
    }

    fn enter(&mut self, dir: &Path) -> io::Result<Text> {
        if dir.starts_with("/nosuch") {
            return Err(io::Error::from_raw_os_error(2));
        }
        self.entered.push(dir.to_owned());
        Ok(dir_text(&Path::new("/start").join(dir)))
    }

    fn here(&mut self) -> Text {
        Text::of("/start")
    }

    fn can_append(&mut self, path: &Path) -> io::Result<()> {
        if path.starts_with("/nosuch") { Err(io::Error::from_raw_os_error(2)) } else { Ok(()) }
    }

    fn replace(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        if path.starts_with("/nosuch") {
            return Err(io::Error::from_raw_os_error(2));
        }
        self.files.insert(path.to_owned(), content.to_vec());
        Ok(())
    }
}
