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
    let mut journal = Journal::open(&path, read.whole).unwrap();
    journal.append(vec![Event::StudyInterrupted]).unwrap();
    let after = replay(&path, |_| Ok(())).unwrap();
    assert_eq!(after.lines, read.lines + 1);
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
    let unknown = damaged("\"trial_started\",\"trial\":1", "\"trial_started\",\"trial\":9");
    assert!(unknown.starts_with(&(at(3) + "trial 9 was never queued")), "{unknown}");
    let newer = damaged("\"format\":2", "\"format\":3,\"more\":{}");
    assert!(newer.starts_with(&(at(1) + "this journal has format 3")), "{newer}");
    let foreign = damaged(&text, "a letter\nto somebody\n");
    assert!(foreign.starts_with(&(at(1) + "this is not the first line of a blocksmith journal")));
    let begun_twice = damaged(&text, &text.lines().next().map(|l| format!("{l}\n{l}\n")).unwrap());
    assert!(begun_twice.starts_with(&at(2)), "{begun_twice}");
}

#[test]
fn no_journal_is_no_study() {
    let dir = scratch();
    let nothing = replay(&folder::journal(dir.path()), |_| Ok(())).unwrap();
    assert_eq!(nothing, Replay { lines: 0, whole: 0 });
    let error = state::read(dir.path()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("there is no study here"));
}

#[test]
fn what_cannot_be_read_back_is_not_written() {
    let dir = scratch();
    let path = folder::journal(dir.path());
    let mut journal = Journal::open(&path, 0).unwrap();
    let Event::EpochFinished { trial, mut epoch } = epoch(1.0) else {
        unreachable!();
    };
    epoch.lr = f64::NAN;
    let error = journal.append(vec![Event::EpochFinished { trial, epoch }]);
    assert!(error.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"");
}
