//! The one file of this room that touches the disk, and what the others see of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::store::dir_text;
use super::values::Text;
use shards::stdx::glob;

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
        (name.first() != Some(&b'.') || pattern.first() == Some(&b'.')) && glob::matches(pattern, name, false)
    };
    names.filter(fits).map(|name| folder.join(name)).collect()
}

/// Temporary file beside the old one, synced, renamed over it, folder synced.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = write_synced(&temporary, path, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // The first error is the one to tell; the leftover may not even exist.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a new file with the permissions of the one it will replace: it may hold passwords. A leftover of a crashed
/// process that had our id is removed first, and nothing is written through a link somebody else put there.
fn write_synced(path: &Path, model: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    if let Ok(old) = fs::metadata(model) {
        file.set_permissions(old.permissions())?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A folder of one test's own, gone when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("ringkey-config-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions_and_leaves_nothing_behind() {
        let folder = Folder::new("replace");
        let path = folder.0.join("r.conf");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
        let lost = folder.0.join("no/such/r.conf");
        assert_eq!(reason(&replace(&lost, b"x").unwrap_err()), "No such file or directory");
    }

    #[test]
    fn patterns_name_files_in_order() {
        let folder = Folder::new("glob");
        for name in ["b.conf", "a.conf", "c.txt", ".hidden.conf"] {
            fs::write(folder.0.join(name), "").unwrap();
        }
        let names: Vec<_> = matching(&folder.0.join("*.conf"));
        assert_eq!(names, [folder.0.join("a.conf"), folder.0.join("b.conf")]);
        assert_eq!(matching(&folder.0.join("*/x.conf")), Vec::<PathBuf>::new());
    }
}
