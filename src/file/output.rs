//! Writing what a user names, and nothing else.
//!
//! A regular file is there whole or not at all: it is written under another name and renamed. A link stays, and what it names
//! is written. What is no regular file (`/dev/stdout`, a pipe, a device) is written through, never renamed over: that would put
//! a file in the place of the device.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::input::kind;
use super::temporary::{left_behind, temporary_name};
use crate::error::{Error, Result};

/// How long a pipe may be without a reader, in tries and the pause between: two seconds in all.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// Without a change for so long, what another process wrote is left behind.
const OLD: Duration = Duration::from_secs(600);

/// A file that a command writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    path: PathBuf,
    /// The option that names it, for messages.
    option: &'static str,
    force: bool,
    into: Into,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Into {
    /// A regular file, or none yet; links are followed.
    File(PathBuf),
    Stdout,
    /// A pipe, a device, or a file that is open already.
    Through,
}

impl Output {
    /// Looks at what `path` names, before anything is computed for it. `option` is the one that names it, such as `--out`; with
    /// `force` a file that is there already is replaced.
    ///
    /// # Errors
    /// A sentence where it is a folder, a disk, or a file that is there already; or where its folder does not exist.
    pub fn new(path: &Path, option: &'static str, force: bool) -> Result<Self> {
        let wrong = |what: &str| Error::request(format!("{option} {}: {what}", path.display()));
        let made = |into| Ok(Self { path: path.to_owned(), option, force, into });
        if ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name)) {
            return made(Into::Stdout);
        }
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => Err(wrong("this is a folder: name a file in it")),
            Ok(meta) if is_disk(&meta) && !force => {
                Err(wrong("this is a disk, and what it holds would be lost: name a file"))
            }
            Ok(meta) if !meta.is_file() || is_open_file(path) => made(Into::Through),
            Ok(_) if !force => {
                Err(wrong("the file is there already: name another, or replace it with --force"))
            }
            Ok(_) => made(Into::File(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))),
            Err(_) if path.file_name().is_none() => Err(wrong("this is a folder: name a file in it")),
            Err(_) => {
                let target = linked(path).ok_or_else(|| wrong("this link leads nowhere: name a file"))?;
                let folder = folder_of(&target);
                if !folder.is_dir() {
                    let folder = folder.display();
                    return Err(wrong(&format!(
                        "cannot be written: the folder {folder} does not exist; make it, or name another file"
                    )));
                }
                made(Into::File(target))
            }
        }
    }

    /// Whether it is standard output, which then holds nothing else.
    pub fn is_stdout(&self) -> bool {
        self.into == Into::Stdout
    }

    /// Writes the whole content.
    ///
    /// # Errors
    /// What the system says; a file that has appeared since is left as it is unless it may be replaced.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        let written = match &self.into {
            Into::File(target) => whole(target, bytes, self.force),
            Into::Stdout => to_stdout(bytes),
            Into::Through => through(&self.path, bytes),
        };
        match written {
            // Who read it has enough.
            Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(e) => Err(self.unwritten(&e)),
            Ok(()) => Ok(()),
        }
    }

    fn unwritten(&self, e: &io::Error) -> Error {
        let (option, path) = (self.option, self.path.display());
        match e.kind() {
            ErrorKind::AlreadyExists => Error::request(format!(
                "{option} {path}: the file is there already, since a moment: name another, or replace it with --force"
            )),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::InvalidInput => {
                Error::request(format!(
                    "{option} {path}: cannot be written ({e}): name a file in a folder you may write to"
                ))
            }
            _ => Error::run(format!(
                "{option} {path}: cannot be written ({e}): free some space, or name another file"
            )),
        }
    }
}

/// Writes a regular file so that it is there whole or not at all; what a killed run left next to it goes.
fn whole(target: &Path, bytes: &[u8], replace: bool) -> io::Result<()> {
    left_behind(folder_of(target))
        .into_iter()
        .filter(|path| is_old(path))
        .for_each(|path| drop(fs::remove_file(path)));
    let (mut file, temporary) = temporary(target)?;
    let mut write = || -> io::Result<()> {
        file.write_all(bytes)?;
        if let Ok(before) = fs::metadata(target) {
            file.set_permissions(before.permissions())?;
        }
        file.sync_all()?;
        if replace { fs::rename(&temporary, target) } else { rename_new(&temporary, target) }
    };
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Whether nothing was written to a file for a while: in a folder that hosts share, another host may be at it.
fn is_old(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|meta| meta.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|since| since >= OLD))
}

/// A new file next to `target`; one that is there, by whatever name, is not opened.
fn temporary(target: &Path) -> io::Result<(File, PathBuf)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder_of(target).join(temporary_name(OsStr::new(""), Some(number)));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
}

/// Renames to a name that no file has.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Some file systems cannot.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return done.map_err(io::Error::from),
        }
    }
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
        // Nor that: then there is a moment between looking and renaming.
        Err(_) if to.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

#[expect(clippy::disallowed_methods, reason = "standard output is the file here: bytes, not text for people")]
fn to_stdout(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// Writes into what is there.
fn through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = open_through(path)?;
    file.write_all(bytes)
}

/// Opens what is there for writing; a pipe without a reader is not waited for long.
#[cfg(unix)]
fn open_through(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let open = || {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        OpenOptions::new().append(true).custom_flags(flags).open(path)
    };
    for _ in 1..TRIES {
        match open() {
            Err(e) if e.raw_os_error() == Some(libc::ENXIO) => std::thread::sleep(PAUSE),
            Ok(file) => {
                rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND)?;
                return Ok(file);
            }
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "no one reads from this pipe or socket"))
}

#[cfg(not(unix))]
fn open_through(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(path)
}

/// Whether a path names a file that this process has open, not a place in a folder.
fn is_open_file(path: &Path) -> bool {
    path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd") || path == Path::new("/dev/stderr")
}

#[cfg(unix)]
fn is_disk(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    meta.file_type().is_block_device()
}

#[cfg(not(unix))]
fn is_disk(_meta: &fs::Metadata) -> bool {
    false
}

/// The path that a link to nothing names in the end; `path` itself where it is no link. `None` for a circle.
fn linked(path: &Path) -> Option<PathBuf> {
    const MOST: usize = 40;
    let mut at = path.to_owned();
    for _ in 0..MOST {
        match fs::read_link(&at) {
            Ok(next) => at = folder_of(&at).join(next),
            Err(_) => return Some(at),
        }
    }
    None
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Refuses a place for one of a command's own files (a journal, a lock, a report) where something else stands: a link, a pipe,
/// a folder. Nothing is fine, and so is a regular file.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] with what it is, as a clause.
pub fn own(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path).map(|meta| kind(meta.file_type())) {
        Ok(Some(kind)) => Err(io::Error::new(ErrorKind::InvalidInput, format!("{kind} stands in its place"))),
        Ok(None) | Err(_) => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn write(path: &Path, force: bool, text: &str) -> Result<()> {
        Output::new(path, "--out", force)?.write(text.as_bytes())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_run_left_goes_once_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["old", "young"] {
            let name = format!("{name}.svg.blocksmith-4000000000-1.tmp");
            let file = File::create(folder.path().join(&name)).unwrap();
            if name.starts_with("old") {
                file.set_modified(std::time::SystemTime::now() - 2 * OLD).unwrap();
            }
        }
        write(&folder.path().join("a.svg"), false, "one").unwrap();
        assert_eq!(names(folder.path()), ["a.svg", "young.svg.blocksmith-4000000000-1.tmp"]);
    }

    #[test]
    fn a_file_is_replaced_only_where_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        write(&path, false, "one").unwrap();
        let error = write(&path, false, "two").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(
            error.to_string().ends_with("there already: name another, or replace it with --force"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write(&path, true, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        // One that appears between the look and the writing.
        let later = folder.path().join("later");
        let output = Output::new(&later, "--out", false).unwrap();
        fs::write(&later, "theirs").unwrap();
        assert_eq!(output.write(b"ours").unwrap_err().exit_code(), 2);
        assert_eq!(fs::read_to_string(&later).unwrap(), "theirs");
        assert_eq!(names(folder.path()), ["a.svg", "later"]);
    }

    #[test]
    fn links_stay_and_lead_to_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/real"), "old").unwrap();
        symlink("far/real", at("link")).unwrap();
        assert!(write(&at("link"), false, "new").is_err());
        write(&at("link"), true, "new").unwrap();
        assert_eq!(fs::read_to_string(at("far/real")).unwrap(), "new");
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        // To nothing yet, over another link.
        symlink("far/none", at("dangling")).unwrap();
        symlink("dangling", at("twice")).unwrap();
        write(&at("twice"), false, "x").unwrap();
        assert_eq!(fs::read_to_string(at("far/none")).unwrap(), "x");
        symlink("circle", at("circle")).unwrap();
        assert!(write(&at("circle"), true, "x").unwrap_err().to_string().contains("leads nowhere"));
    }

    #[test]
    fn what_is_no_file_is_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
        let from = fifo.clone();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            File::open(from).unwrap().read_to_string(&mut text).unwrap();
            text
        });
        write(&fifo, true, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
        write(Path::new("/dev/null"), true, "gone").unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        let link = folder.path().join("null");
        symlink("/dev/null", &link).unwrap();
        write(&link, true, "gone").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(folder.path()), ["fifo", "null"]);
    }

    #[test]
    fn folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let none = folder.path().join("none/a.svg");
        for path in [folder.path(), Path::new("/"), Path::new("."), Path::new("..")] {
            let error = write(path, true, "x").unwrap_err();
            assert!(error.to_string().contains("this is a folder"), "{error}");
        }
        assert!(write(&none, true, "x").unwrap_err().to_string().contains("does not exist"));
        assert!(own(folder.path()).is_err() && own(&none).is_ok());
    }
}
