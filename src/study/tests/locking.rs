//! One process at a time, in a folder that can be written.

use std::fs;

use super::super::Study;
use super::super::lock::{Lock, Owner};
use super::super::simulated::experiment;
use super::scratch;

#[test]
fn a_held_lock_names_its_holder() {
    let dir = scratch();
    assert_eq!(Lock::owner(dir.path()), None);
    let experiment = experiment(&["a"], &[0]);
    let first = Study::open(dir.path(), &experiment).unwrap();
    let error = Study::open(dir.path(), &experiment).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    let holder = format!("process {} on ", std::process::id());
    assert!(text.contains(&holder) && text.contains("--out"), "{text}");
    let owner = Lock::owner(dir.path()).unwrap();
    assert_eq!(owner.pid, std::process::id());
    drop(first);
    assert_eq!(Lock::owner(dir.path()), None);
    Study::open(dir.path(), &experiment).unwrap();
}

#[test]
fn a_dead_holder_leaves_no_lock() {
    let dir = scratch();
    // What a killed process leaves: the file with its number, and no lock on it.
    fs::write(dir.path().join("lock"), "4194399 some-host\n").unwrap();
    assert_eq!(Lock::owner(dir.path()), None);
    let lock = Lock::take(dir.path()).unwrap();
    let Owner { pid, .. } = Lock::owner(dir.path()).unwrap();
    assert_eq!(pid, std::process::id());
    drop(lock);
}

#[test]
fn many_takers_one_holder() {
    let dir = scratch();
    let (inside, most) = (std::sync::atomic::AtomicUsize::new(0), std::sync::Mutex::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    if let Ok(lock) = Lock::take(dir.path()) {
                        let now = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                        let mut most = most.lock().unwrap();
                        *most = now.max(*most);
                        drop(most);
                        inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(lock);
                    }
                }
            });
        }
    });
    assert_eq!(*most.lock().unwrap(), 1);
}

#[test]
fn an_unwritable_folder_is_a_sentence() {
    let dir = scratch();
    let file = dir.path().join("a-file");
    fs::write(&file, "in the way").unwrap();
    let error = Study::open(&file, &experiment(&["a"], &[0])).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--out"), "{error}");
}
