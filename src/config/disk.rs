//! The one file of this room that touches the disk, and what the others see of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::pattern;
use super::store::dir_text;
use super::values::Text;

/// What loading and changing the configuration needs from outside. Tests bring their own.
pub trait World {
    /// The content of a file.
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>>;
    /// All of standard input.
    fn read_stdin(&mut self) -> io::Result<Vec<u8>>;
    /// The files a pattern names, sorted.
    fn matching(&mut self, pattern: &Path) -> Vec<PathBuf>;
    /// Makes a folder the one relative names start from, and gives its absolute path.
    fn enter(&mut self, dir: &Path) -> io::Result<Text>;
    /// The folder relative names start from.
    fn here(&mut self) -> Text;
    /// Whether a file can be opened to append to it.
    fn can_append(&mut self, path: &Path) -> io::Result<()>;
    /// Puts a file in place of another: either the old or the new content is there at any moment.
    fn replace(&mut self, path: &Path, content: &[u8]) -> io::Result<()>;
}

/// The real world.
pub struct Disk;

impl World for Disk {
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_stdin(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        io::stdin().lock().read_to_end(&mut text)?;
        Ok(text)
    }

    fn matching(&mut self, pattern: &Path) -> Vec<PathBuf> {
        matching(pattern)
    }

    fn enter(&mut self, dir: &Path) -> io::Result<Text> {
        std::env::set_current_dir(dir)?;
        Ok(self.here())
    }

    fn here(&mut self) -> Text {
        // A folder that was deleted under us has no name; Valkey shows an empty one as well.
        std::env::current_dir().map(|path| dir_text(&path)).unwrap_or_default()
    }

    fn can_append(&mut self, path: &Path) -> io::Result<()> {
        OpenOptions::new().append(true).create(true).open(path).map(drop)
    }

    fn replace(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        replace(path, content)
    }
}

/// Files whose path fits a pattern, component by component; names with a leading dot only if the pattern has it.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = component.as_os_str().as_bytes();
        if !name.iter().any(|byte| b"*?[".contains(byte)) {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        }
        found = found.iter().flat_map(|path| children(path, name)).collect();
    }
    found.retain(|path| path.exists());
    found.sort();
    found
}

fn children(folder: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(listed) else { return Vec::new() };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let fits = |name: &std::ffi::OsString| {
        let name = name.as_bytes();
        (name.first() != Some(&b'.') || pattern.first() == Some(&b'.')) && pattern::matches(pattern, name, false)
    };
    names.filter(fits).map(|name| folder.join(name)).collect()
}

/// Temporary file beside the old one, synced, renamed over it, folder synced.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = write_synced(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // The first error is the one to tell; the leftover may not even exist.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// An error of the system in the system's words alone.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
