//! What a file is called while it is written, and those that a killed process left behind.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

const MARK: &str = ".blocksmith-";
const ENDING: &str = ".tmp";

/// What `name` is called while it is written, such as `report.md.blocksmith-4711.tmp`: its own name for every file and process, so
/// that two at work in one folder never write into one another's. With a number, such as `.blocksmith-4711-2.tmp`, where there
/// is more than one.
pub fn temporary_name(name: &OsStr, number: Option<u32>) -> OsString {
    let number = number.map_or_else(String::new, |number| format!("-{number}"));
    let mut all = name.to_owned();
    all.push(format!("{MARK}{}{number}{ENDING}", std::process::id()));
    all
}

/// The process that a temporary file is of; `None` where it is none of ours.
fn writer(name: &str) -> Option<u32> {
    let numbers = name.strip_suffix(ENDING)?.rsplit_once(MARK)?.1;
    let (process, number) = numbers.split_once('-').unwrap_or((numbers, "0"));
    number.parse::<u32>().ok()?;
    process.parse().ok()
}

/// Whether a file of this name is one that is being written, or was left behind.
pub fn is_temporary(name: &str) -> bool {
    writer(name).is_some()
}

/// The files in a folder that processes which were killed left half written; not those of processes that still write. A file of
/// another host's process is taken for one that is gone.
pub fn left_behind(folder: &Path) -> Vec<PathBuf> {
    let is_left =
        |name: &str| writer(name).is_some_and(|writer| writer != std::process::id() && !lives(writer));
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let left = entries.flatten().filter(|entry| {
        is_left(&entry.file_name().to_string_lossy()) && entry.file_type().is_ok_and(|kind| kind.is_file())
    });
    left.map(|entry| entry.path()).collect()
}

/// Whether a process may still be there: of a system without `/proc` no one can tell.
pub fn lives(process: u32) -> bool {
    let proc = Path::new("/proc");
    !proc.join("self").exists() || proc.join(process.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of processes that are gone, and no others, whatever these are called.
    #[test]
    fn what_killed_processes_left_is_found() {
        let dir = tempfile::tempdir().unwrap();
        // Far beyond any system's highest process number.
        let gone = 4_000_000_000_u32;
        let ours = std::process::id();
        let mut left = [format!("report.md{MARK}{gone}.tmp"), format!("{MARK}{gone}-3.tmp")];
        let kept = [
            format!("report.md{MARK}{ours}.tmp"),
            "notes.tmp".into(),
            format!("x{MARK}tmp"),
            format!("a{MARK}1x.tmp"),
            "report.md".into(),
            "trial-0002.safetensors.17.tmp".into(),
        ];
        for name in left.iter().chain(&kept) {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let mut found: Vec<_> = left_behind(dir.path())
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        found.sort();
        left.sort();
        assert_eq!(found, left);
    }
}
