//! One process at a time, in a folder that can be written.

use std::fs;

use super::super::Study;
use super::super::event::Event;
use super::super::journal::{Journal, replay};
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

/// A process of this machine is told to be stopped; one of another machine can be ousted, and then stops by itself.
#[test]
fn a_stale_lock_can_be_broken() {
    let dir = scratch();
    assert_eq!(Lock::break_stale(dir.path()), Ok(None), "there is none");
    let held = Lock::take(dir.path()).unwrap();
    let alive = Lock::break_stale(dir.path()).unwrap_err().to_string();
    assert!(alive.contains(&format!("kill {}", std::process::id())), "{alive}");

    // As though another machine held it.
    fs::write(dir.path().join("lock"), "4711 some-host\n").unwrap();
    let refused = Lock::take(dir.path()).unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    let text = refused.to_string();
    assert!(text.contains("process 4711 on some-host") && text.contains("--break-lock"), "{text}");
    let broken = Lock::break_stale(dir.path()).unwrap();
    assert_eq!(broken, Some(Owner { pid: 4711, host: "some-host".into() }));
    let mine = Lock::take(dir.path()).unwrap();
    drop(held);
    assert_eq!(Lock::owner(dir.path()).unwrap().pid, std::process::id(), "the ousted one leaves mine alone");
    drop(mine);
    assert_eq!(Lock::break_stale(dir.path()), Ok(None));
}

#[test]
fn an_ousted_process_writes_no_more() {
    let dir = scratch();
    let path = super::super::folder::journal(dir.path());
    super::run_simply(dir.path(), &experiment(&["a"], &[0]), 1).unwrap();
    let before = fs::read_to_string(&path).unwrap().lines().count();
    let mut ousted = Journal::open(&path, replay(&path, |_| Ok(())).unwrap()).unwrap();
    ousted.append(vec![Event::StudyInterrupted], Vec::new).unwrap();
    let read = replay(&path, |_| Ok(())).unwrap();
    let mut heir = Journal::open(&path, read).unwrap();
    heir.append(vec![Event::StudyInterrupted], Vec::new).unwrap();
    let error = ousted.append(vec![Event::StudyInterrupted], Vec::new).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("another process has written to this journal"), "{error}");
    heir.append(vec![Event::StudyInterrupted], Vec::new).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), before + 3);
    // What the ousted one had to say is in a file of its own.
    assert!(
        fs::read_to_string(dir.path().join("journal.rescued.jsonl")).unwrap().lines().count() == before + 2
    );
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
