//! Opening what a user names.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// Opens a regular file for reading; a link is followed.
///
/// # Errors
/// What the system says; for a folder, a pipe, a socket or a device that it is one: it is not opened, so nothing waits for a
/// writer. The error's text fits into a sentence such as `cannot be read (it is a named pipe, not a file)`.
pub fn open(path: &Path) -> io::Result<File> {
    // Before it is opened: a pipe without a writer would wait, and some devices act when they are opened.
    is_regular(&fs::metadata(path)?)?;
    let file = open_at_once(path)?;
    // Another may have taken its place in between.
    is_regular(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of a regular file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`open`], or a pipe at whose other end someone writes, or has written: what a shell makes of `<(command)`. Standard
/// input by its names and `-`.
///
/// # Errors
/// As [`open`]; for a pipe into which no one writes that this is so.
pub fn stream(path: &Path) -> io::Result<Box<dyn Read>> {
    if is_stdin(path) {
        return Ok(Box::new(io::stdin()));
    }
    if is_stream(path) { pipe(path) } else { Ok(Box::new(open(path)?)) }
}

/// Whether `path` names standard input or a pipe: what can be read once, and stands in no folder.
pub fn is_stream(path: &Path) -> bool {
    is_stdin(path) || fs::metadata(path).is_ok_and(|meta| is_pipe(&meta.file_type()))
}

/// What a thing that is no regular file is: `a named pipe`; `None` for a regular file.
pub fn kind(of: FileType) -> Option<&'static str> {
    if of.is_file() {
        return None;
    }
    if of.is_dir() {
        return Some("a folder");
    }
    if of.is_symlink() {
        return Some("a symbolic link");
    }
    Some(special(of))
}

#[cfg(unix)]
fn special(of: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    if of.is_fifo() {
        "a named pipe"
    } else if of.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_of: FileType) -> &'static str {
    "a device"
}

fn is_regular(meta: &Metadata) -> io::Result<()> {
    match kind(meta.file_type()) {
        None => Ok(()),
        Some("a folder") => Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, not a file")),
        Some(kind) => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {kind}, not a file"))),
    }
}

fn is_stdin(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name))
}

#[cfg(unix)]
fn is_pipe(of: &FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    of.is_fifo()
}

#[cfg(not(unix))]
fn is_pipe(_of: &FileType) -> bool {
    false
}

/// Opens a file, and a pipe without waiting for a writer.
#[cfg(unix)]
fn open_at_once(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

#[cfg(not(unix))]
fn open_at_once(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// A pipe into which someone writes, or has written.
#[cfg(unix)]
fn pipe(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = open_at_once(path)?;
    let mut first = [0];
    match file.read(&mut first) {
        // Its end at once: there is no writer.
        Ok(0) => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe into which no one writes"));
        }
        Ok(_) => {}
        // A writer that has not written yet.
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::empty())?;
            return Ok(Box::new(file));
        }
        Err(e) => return Err(e),
    }
    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::empty())?;
    Ok(Box::new(io::Cursor::new(first).chain(file)))
}

#[cfg(not(unix))]
fn pipe(path: &Path) -> io::Result<Box<dyn Read>> {
    Ok(Box::new(File::open(path)?))
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn fifo(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
            .unwrap();
        path
    }

    #[test]
    fn what_is_no_file_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let said = |path: &Path| open(path).unwrap_err().to_string();
        assert_eq!(said(&fifo(folder.path())), "it is a named pipe, not a file");
        assert_eq!(said(&socket), "it is a socket, not a file");
        assert_eq!(said(Path::new("/dev/zero")), "it is a device, not a file");
        assert_eq!(said(folder.path()), "it is a folder, not a file");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert_eq!(said(&link), "it is a device, not a file");
        assert_eq!(open(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_pipe_is_read_where_someone_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = fifo(folder.path());
        let said = stream(&path).map(drop).unwrap_err().to_string();
        assert_eq!(said, "it is a pipe into which no one writes");
        let (reader, mut writer) = io::pipe().unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
        let thread = std::thread::spawn(move || {
            // In two pieces, the second after the first was read.
            writer.write_all(b"name: ").unwrap();
            std::thread::sleep(std::time::Duration::from_millis(50));
            writer.write_all(b"x\n").unwrap();
        });
        let mut text = String::new();
        stream(Path::new(&format!("/dev/fd/{fd}"))).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "name: x\n");
        thread.join().unwrap();
        // A plain file is a stream too.
        std::fs::write(folder.path().join("plain"), "a").unwrap();
        text.clear();
        stream(&folder.path().join("plain")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "a");
    }
}
