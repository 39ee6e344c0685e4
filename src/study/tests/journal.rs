//! The journal as a file: torn, damaged, foreign, newer.

use std::fs;

use super::super::event::{EpochMetrics, Event, Metrics, Record};
use super::super::journal::{Journal, Replay, replay};
use super::super::simulated::experiment;
use super::super::{folder, state};
use super::{run_simply, scratch};

fn epoch(loss: f64) -> Event {
    let metrics = |loss| Metrics { loss, accuracy: 52.6, images: 10 };
    Event::EpochFinished {
        trial: 1,
        epoch: EpochMetrics {
            epoch: 1,
            lr: 0.1,
            train: metrics(loss),
            validation: metrics(1.0),
            seconds: 0.5,
        },
    }
}

#[test]
fn floats_come_back_to_the_bit() {
    let losses = [
        0.1 + 0.2,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        1.0 / 3.0,
        2.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        9_007_199_254_740_993.0,
    ];
    for loss in losses {
        let line = serde_json::to_string(&Record { at: 1, event: epoch(loss) }).unwrap();
        let record: Record = serde_json::from_str(&line).unwrap();
        let Event::EpochFinished { epoch, .. } = record.event else {
            panic!("{line}");
        };
        assert!(
            epoch.train.loss.to_bits() == loss.to_bits() || loss.is_nan() && epoch.train.loss.is_nan(),
            "{line}"
        );
    }
}

#[test]
fn a_line_is_what_it_was() {
    let record = Record { at: 1_700_000_000_000, event: Event::TrialStarted { trial: 7 } };
    let line = r#"{"at":1700000000000,"event":"trial_started","trial":7}"#;
    assert_eq!(serde_json::to_string(&record).unwrap(), line);
    assert_eq!(serde_json::from_str::<Record>(line).unwrap(), record);
}

#[test]
fn a_torn_line_is_cut_off_before_the_next() {
    let dir = scratch();
    run_simply(dir.path(), &experiment(&["a"], &[0]), 1).unwrap();
    let path = folder::journal(dir.path());
    let whole = fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn.extend_from_slice(b"{\"at\":1,\"event\":\"trial_st");
    fs::write(&path, &torn).unwrap();

    let read = replay(&path, |_| Ok(())).unwrap();
    assert_eq!(read.whole, whole.len() as u64);
    assert_eq!(fs::read(&path).unwrap(), torn, "reading changes nothing");
    let mut journal = Journal::open(&path, read).unwrap();
    journal.append(vec![Event::StudyInterrupted], Vec::new).unwrap();
    let after = replay(&path, |_| Ok(())).unwrap();
    assert_eq!(after.lines, read.lines + 1);
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let dir = scratch();
    run_simply(dir.path(), &experiment(&["a"], &[0]), 1).unwrap();
    let path = folder::journal(dir.path());
    let whole = fs::read(&path).unwrap();
    let before = replay(&path, |_| Ok(())).unwrap();
    fs::write(&path, [b"\xef\xbb\xbf", &whole[..]].concat()).unwrap();
    let read = replay(&path, |_| Ok(())).unwrap();
    assert_eq!((read.lines, read.whole, read.link), (before.lines, before.whole + 3, before.link));
    Journal::open(&path, read).unwrap().append(vec![Event::StudyInterrupted], Vec::new).unwrap();
    assert_eq!(replay(&path, |_| Ok(())).unwrap().lines, read.lines + 1);
}

/// Sparse: it takes no room on the disk.
#[test]
fn a_line_without_an_end_is_not_read_to_its_end() {
    let dir = scratch();
    run_simply(dir.path(), &experiment(&["a"], &[0]), 1).unwrap();
    let path = folder::journal(dir.path());
    let lines = replay(&path, |_| Ok(())).unwrap().lines;
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let error = replay(&path, |_| Ok(())).unwrap_err().to_string();
    assert!(
        error.contains(&format!("journal.jsonl:{}: this line has more than 256.00 MiB", lines + 1)),
        "{error}"
    );
}

#[test]
fn damage_is_named_with_its_line() {
    let dir = scratch();
    run_simply(dir.path(), &experiment(&["a"], &[0]), 1).unwrap();
    let path = folder::journal(dir.path());
    let text = fs::read_to_string(&path).unwrap();
    let damaged = |from: &str, to: &str| {
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = state::read(dir.path()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    let at = |line: usize| format!("{}:{line}: ", path.display());
    let half = damaged("\"event\":\"trial_started\"", "\"event\":\"trial_st");
    assert!(half.starts_with(&at(3)), "{half}");
    assert!(half.contains("--out"), "{half}");
    let newer = damaged("\"format\":3", "\"format\":4,\"more\":{}");
    assert!(newer.starts_with(&(at(1) + "this journal has format 4")), "{newer}");
    let foreign = damaged(&text, "a letter\nto somebody\n");
    assert!(foreign.starts_with(&(at(1) + "this is not the first line of a blocksmith journal")));
    let begun_twice = damaged(&text, &text.lines().next().map(|l| format!("{l}\n{l}\n")).unwrap());
    assert!(begun_twice.starts_with(&(at(2) + "this line is the one before it again")), "{begun_twice}");
}

/// A journal as blocksmith wrote it before lines were chained.
fn unchained(text: &str) -> String {
    let line = |line: &str| match line.rfind(",\"chain\":") {
        Some(at) => format!("{}}}\n", &line[..at]),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect::<String>().replacen("\"format\":3", "\"format\":2", 1)
}

/// Of a journal without chain only what cannot be is found; each of these is, and named with its line.
#[test]
fn what_cannot_be_is_found_without_a_chain_too() {
    let dir = scratch();
    run_simply(dir.path(), &experiment(&["a"], &[0]), 1).unwrap();
    let path = folder::journal(dir.path());
    fs::remove_file(dir.path().join("journal.end")).unwrap();
    let text = unchained(&fs::read_to_string(&path).unwrap());
    let said = |lines: &[&str]| {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        match state::read(dir.path()) {
            Ok(_) => String::new(),
            Err(e) => e.to_string().strip_prefix(&format!("{}:", path.display())).unwrap().to_owned(),
        }
    };
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(said(&lines), "");
    // study_started, trial_queued, trial_started, three epochs, trial_finished, test_evaluated, study_finished.
    assert_eq!(lines.len(), 9);
    let without = |at: usize| {
        let mut lines = lines.clone();
        lines.remove(at - 1);
        said(&lines)
    };
    assert!(without(1).starts_with("1: "));
    assert!(without(2).starts_with("2: trial 1 was never queued"));
    assert!(without(3).starts_with("3: trial 1 goes on here, but it was not started"));
    assert!(without(4).starts_with("4: epoch 2 of trial 1 comes where epoch 1 is next"));
    assert!(without(5).starts_with("5: epoch 3 of trial 1 comes where epoch 2 is next"));
    assert!(without(6).starts_with("6: the result of trial 1 is not that of its last epoch"));
    assert!(without(7).starts_with("7: trial 1 is tested though it has not finished"));
    let twice = |at: usize| {
        let mut lines = lines.clone();
        lines.insert(at, lines[at - 1]);
        said(&lines)
    };
    assert!(twice(1).starts_with("2: the study has started already"));
    assert!(twice(2).starts_with("3: trial 1 is queued where trial 2 is next"));
    assert!(twice(4).starts_with("5: epoch 1 of trial 1 comes where epoch 2 is next"));
    let changed = |at: usize, from: &str, to: &str| {
        let line = lines[at - 1].replacen(from, to, 1);
        assert_ne!(line, lines[at - 1]);
        let mut lines = lines.clone();
        lines[at - 1] = &line;
        said(&lines)
    };
    assert!(changed(5, "\"accuracy\":", "\"accuracy\":1").starts_with("5: a training accuracy of 1"));
    assert!(changed(5, "\"loss\":", "\"loss\":-").starts_with("5: a training loss of -"));
    assert!(changed(5, "\"seconds\":", "\"seconds\":-").starts_with("5: a time of -"));
    assert!(changed(5, "\"images\":100", "\"images\":0").starts_with("5: figures of no image"));
    assert!(changed(7, "\"loss\":", "\"loss\":1").starts_with("7: the result of trial 1 is not that"));
}

/// Every line of a journal lost, doubled, swapped with the next, and a digit of it changed: each is found at its line.
#[test]
fn the_journal_proves_itself() {
    let dir = scratch();
    run_simply(dir.path(), &experiment(&["a", "b"], &[0]), 1).unwrap();
    let path = folder::journal(dir.path());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let said = |lines: &[&str]| {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let error = state::read(dir.path()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    let at = |line: usize| format!("{}:{line}: ", path.display());
    let follows_not = "this line does not follow from the one before it";
    for number in 1..=lines.len() {
        let mut lost = lines.clone();
        lost.remove(number - 1);
        let lost = said(&lost);
        if number == 1 {
            assert!(lost.starts_with(&(at(1) + "this is not the first line")), "{lost}");
        } else if number == lines.len() {
            let place = at(number - 1) + "the journal ends here, and 1 more lines were there";
            assert!(lost.starts_with(&place), "{lost}");
        } else {
            assert!(lost.starts_with(&(at(number) + follows_not)), "{lost}");
        }
        let mut doubled = lines.clone();
        doubled.insert(number, lines[number - 1]);
        let doubled = said(&doubled);
        assert!(doubled.starts_with(&(at(number + 1) + "this line is the one before it again")), "{doubled}");
        if number > 1 && number < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(number - 1, number);
            let swapped = said(&swapped);
            assert!(swapped.starts_with(&(at(number) + follows_not)), "{swapped}");
        }
        let digit = lines[number - 1].find(|c: char| ('1'..='8').contains(&c)).unwrap();
        let mut line = lines[number - 1].as_bytes().to_vec();
        line[digit] += 1;
        let line = String::from_utf8(line).unwrap();
        let mut changed = lines.clone();
        changed[number - 1] = &line;
        let changed = said(&changed);
        assert!(changed.starts_with(&at(number)), "{changed}");
    }
    fs::write(&path, &text).unwrap();
    assert!(state::read(dir.path()).is_ok());
    // What is lost at the end and not noted cannot be seen; the study then goes on from there.
    fs::remove_file(dir.path().join("journal.end")).unwrap();
    fs::write(&path, lines[..lines.len() - 1].join("\n") + "\n").unwrap();
    assert!(!state::read(dir.path()).unwrap().finished);
}

/// A study of before goes on, and is chained from there on, with what stands before.
#[test]
fn a_journal_of_before_goes_on_chained() {
    let dir = scratch();
    let experiment = experiment(&["a", "b"], &[0]);
    let whole = run_simply(dir.path(), &experiment, 1).unwrap();
    let path = folder::journal(dir.path());
    fs::remove_file(dir.path().join("journal.end")).unwrap();
    let text = unchained(&fs::read_to_string(&path).unwrap());
    assert!(!text.contains("chain"));
    let kept: String = text.lines().take(6).map(|line| format!("{line}\n")).collect();
    fs::write(&path, &kept).unwrap();
    let state = run_simply(dir.path(), &experiment, 1).unwrap();
    assert_eq!(state.results_hash(), whole.results_hash());
    let after = fs::read_to_string(&path).unwrap();
    assert!(after.starts_with(&kept));
    let chained = |line: &str| line.contains(",\"chain\":\"");
    assert!(after[kept.len()..].lines().all(chained));
    assert_eq!(state::read(dir.path()).unwrap(), state);
    fs::write(&path, after.replacen("\"images\":100", "\"images\":101", 1)).unwrap();
    let error = state::read(dir.path()).unwrap_err().to_string();
    assert!(error.contains("jsonl:7: this line does not follow"), "{error}");
}

/// While a study runs its journal goes in each of these ways: the next event notices, and all that was known is kept.
#[test]
fn a_journal_that_goes_while_it_is_written_is_saved() {
    use std::path::Path;
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 6] = [
        ("was removed or renamed", |journal| fs::remove_file(journal).unwrap()),
        ("was removed or renamed", |journal| {
            let study = journal.parent().unwrap();
            fs::rename(study, study.with_file_name("elsewhere")).unwrap();
        }),
        ("was removed or renamed", |journal| fs::remove_dir_all(journal.parent().unwrap()).unwrap()),
        ("was replaced by another file", |journal| {
            let copy = journal.with_extension("copy");
            fs::copy(journal, &copy).unwrap();
            fs::rename(copy, journal).unwrap();
        }),
        ("was cut", |journal| {
            let file = fs::OpenOptions::new().write(true).open(journal).unwrap();
            file.set_len(1000).unwrap();
        }),
        ("was changed", |journal| {
            let text = fs::read_to_string(journal).unwrap();
            fs::write(journal, "x".repeat(text.len() - 1) + "\n").unwrap();
        }),
    ];
    for (what, harm) in harms {
        let above = scratch();
        let dir = above.path().join("study");
        let experiment = experiment(&["a", "b", "diverges"], &[0, 1]);
        let expected = run_simply(&dir, &experiment, 1).unwrap();
        let path = folder::journal(&dir);
        // The end of the study is still to come.
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(dir.join("journal.end")).unwrap();
        let upto = text[..text.len() - 1].rfind('\n').unwrap() + 1;
        fs::write(&path, &text[..upto]).unwrap();
        let (state, read) = state::replay(&dir).unwrap();
        let state = state.unwrap();
        let mut journal = Journal::open(&path, read).unwrap();
        harm(&path);
        let error = journal.append(vec![Event::StudyFinished], || state.retold()).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let error = error.to_string();
        assert!(error.contains(&format!("{}: the journal {what} while", path.display())), "{error}");
        let saved = error.split("is saved in ").nth(1).unwrap().split([' ', ':']).next().unwrap();
        // Another worker's event comes after it.
        journal.append(vec![Event::StudyInterrupted], Vec::new).unwrap_err();
        let saved = fs::read(saved).unwrap();
        fs::create_dir_all(&dir).unwrap();
        fs::write(&path, saved).unwrap();
        let mut found = state::read(&dir).unwrap();
        assert!(found.finished && found.interrupted);
        assert_eq!(found.results_hash(), expected.results_hash());
        found.interrupted = false;
        // Told at another time.
        (found.first_at, found.last_at, found.ran) = (expected.first_at, expected.last_at, expected.ran);
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn no_journal_is_no_study() {
    let dir = scratch();
    let nothing = replay(&folder::journal(dir.path()), |_| Ok(())).unwrap();
    assert_eq!(nothing, Replay::default());
    let error = state::read(dir.path()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("there is no study here"));
}

#[test]
fn what_cannot_be_read_back_is_not_written() {
    let dir = scratch();
    let path = folder::journal(dir.path());
    let mut journal = Journal::open(&path, Replay::default()).unwrap();
    let Event::EpochFinished { trial, mut epoch } = epoch(1.0) else {
        unreachable!();
    };
    epoch.lr = f64::NAN;
    let error = journal.append(vec![Event::EpochFinished { trial, epoch }], Vec::new);
    assert!(error.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"");
}
