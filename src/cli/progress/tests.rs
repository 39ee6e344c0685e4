//! What the display says, line by line.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::bars::Bars;
use super::lines::Lines;
use super::tally::{Point, Tally};
use super::text;
use crate::study::event::{EpochMetrics, Event, Metrics, Record, TrialResult};
use crate::study::simulated::{environment, experiment, plan};
use crate::study::{Display, StudyState};

/// A log that can be read while it is written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe whose reader is gone.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn metrics(loss: f64, accuracy: f64) -> Metrics {
    Metrics { loss, accuracy, images: 100 }
}

fn epoch(epoch: usize) -> EpochMetrics {
    EpochMetrics {
        epoch,
        lr: 0.1,
        train: metrics(1.432, 47.31),
        validation: metrics(1.3009, 52.64),
        seconds: 34.2,
    }
}

/// A study of `mix` with seeds 0 and 1: the first trial done, the second in its second of three epochs.
fn tell(display: &dyn Display) -> StudyState {
    let experiment = experiment(&["mix"], &[0, 1]);
    let started = Event::StudyStarted {
        format: 1,
        experiment: Box::new(experiment.clone()),
        environment: Box::new(environment(2, "hash")),
    };
    let mut state = StudyState::begin(Record { at: 0, event: started }).unwrap();
    display.on_begin(&state, Some(2));
    let result =
        TrialResult { epochs: 3, train: metrics(1.0, 60.0), validation: metrics(1.2, 55.55), seconds: 102.6 };
    // The result is that of the last epoch.
    let last = EpochMetrics { train: result.train, validation: result.validation, ..epoch(3) };
    let queued = plan(&experiment).into_iter().enumerate().map(|(n, p)| Event::TrialQueued {
        trial: n + 1,
        candidate: p.candidate,
        seed: p.seed,
        until: p.until,
    });
    let events: Vec<Event> = queued
        .chain([
            Event::TrialStarted { trial: 1 },
            Event::EpochFinished { trial: 1, epoch: epoch(1) },
            Event::EpochFinished { trial: 1, epoch: epoch(2) },
            Event::EpochFinished { trial: 1, epoch: last },
            Event::TrialFinished { trial: 1, result },
            Event::TrialStarted { trial: 2 },
            Event::EpochFinished { trial: 2, epoch: epoch(1) },
        ])
        .collect();
    for event in events {
        let record = Record { at: 0, event };
        state.apply(record.clone()).unwrap();
        display.on_event(&state, &record);
        display.on_step(1, 1, 1, 3);
    }
    display.on_notice("a sentence");
    state
}

#[test]
fn a_log_has_one_line_an_event() {
    let log = Log::default();
    tell(&Lines::new(log.clone()));
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let expected = "\
trial 1/2 mix seed 0: started | 0.363 M params, 81.43 M madds
trial 1/2 mix seed 0: epoch 1/3 train loss 1.432 acc 47.3% | val loss 1.301 acc 52.6% | 34 s
trial 1/2 mix seed 0: epoch 2/3 train loss 1.432 acc 47.3% | val loss 1.301 acc 52.6% | 34 s
trial 1/2 mix seed 0: epoch 3/3 train loss 1.000 acc 60.0% | val loss 1.200 acc 55.5% | 34 s
trial 1/2 mix seed 0: finished | val acc 55.5% | 103 s
1/2 trials done | about 103 s left | best mix seed 0 val acc 55.5%
trial 2/2 mix seed 1: started | 0.363 M params, 81.43 M madds
trial 2/2 mix seed 1: epoch 1/3 train loss 1.432 acc 47.3% | val loss 1.301 acc 52.6% | 34 s
note: a sentence
";
    assert_eq!(text, expected);
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    tell(&Lines::new(Broken));
}

#[test]
fn bars_come_and_go() {
    let bars = Bars::new();
    tell(&bars);
    assert_eq!(bars.overall_message(), "1/2 trials done | about 68 s left | best mix seed 0 val acc 55.5%");
    assert_eq!(bars.front_message().unwrap(), "front: 363k 55.5 %");
}

#[test]
fn time_left_follows_madds_and_jobs() {
    let mut state = tell(&crate::study::Silent);
    assert_eq!(Tally::of(&state, Some(2)).seconds_left(), None);
    for trial in &mut state.trials {
        trial.candidate.madds = 100;
        trial.epochs.iter_mut().for_each(|epoch| epoch.seconds = 5.0);
    }
    // 5 s an epoch; two epochs of trial 2 are left, and no second job can share them.
    assert_eq!(Tally::of_all(&state, Some(2)).seconds_left(), Some(10.0));
    // Four more trials of three epochs, over two jobs: (2 + 12) * 5 / 2.
    assert_eq!(Tally::of_all(&state, Some(6)).seconds_left(), Some(35.0));
    // Half the cost, half the time.
    state.trials[1].candidate.madds = 50;
    assert_eq!(Tally::of_all(&state, Some(2)).seconds_left(), Some(5.0 * (3.0 * 5.0 + 5.0) / 17.5));
}

/// Counting event by event gives what counting all at once gives.
#[test]
fn a_tally_keeps_up() {
    let mut state = tell(&crate::study::Silent);
    let mut tally = Tally::of(&state, None);
    assert_eq!((tally.done, tally.failed, tally.epochs_over()), (1, 0, 4));
    assert_eq!(tally.front(), [Point { params: 362_992, accuracy: 55.55 }]);
    let result = |accuracy| TrialResult {
        epochs: 1,
        train: metrics(1.0, 60.0),
        validation: metrics(1.2, accuracy),
        seconds: 1.0,
    };
    let only = |accuracy| {
        let result = result(accuracy);
        EpochMetrics { train: result.train, validation: result.validation, ..epoch(1) }
    };
    let events = [
        Event::TrialFailed { trial: 2, epoch: 2, reason: "no".into(), again: false },
        Event::TrialRetried { trial: 2 },
        Event::TrialStarted { trial: 2 },
        Event::EpochFinished { trial: 2, epoch: only(44.45) },
        Event::TrialFinished { trial: 2, result: result(44.45) },
        Event::TrialStarted { trial: 1 },
        Event::EpochFinished { trial: 1, epoch: only(40.0) },
        Event::TrialFinished { trial: 1, result: result(40.0) },
    ];
    let mut seen = Vec::new();
    for event in events {
        let record = Record { at: 1, event };
        state.apply(record.clone()).unwrap();
        tally.hear(&state, &record);
        let mut anew = Tally::of(&state, None);
        assert_eq!((tally.done, tally.failed, tally.best), (anew.done, anew.failed, anew.best));
        assert_eq!((tally.epochs_over(), tally.front()), (anew.epochs_over(), anew.front()));
        seen.push((tally.failed, tally.best, tally.front().first().map(|p| p.accuracy)));
    }
    assert_eq!(seen[0], (1, Some((1, 55.55)), Some(55.55)));
    assert_eq!(seen[4], (0, Some((1, 55.55)), Some(50.0)), "the mean over seeds");
    assert_eq!(seen[5], (0, Some((2, 44.45)), Some(44.45)), "trained again");
    assert_eq!(seen[7].1, Some((2, 44.45)));
}

#[test]
fn a_front_fits_a_line() {
    let points = |n: u64| -> Vec<Point> {
        (1..=n).map(|i| Point { params: 12_345 * i, accuracy: 50.0 + i as f64 }).collect()
    };
    assert_eq!(text::front(&[], 80), None);
    assert_eq!(text::front(&points(2), 80).unwrap(), "front: 12.3k 51.0 % | 24.7k 52.0 %");
    let line = text::front(&points(30), 80).unwrap();
    assert!(line.len() <= 80 && line.len() > 60, "{line}");
    assert!(line.starts_with("front: 12.3k 51.0 % | ") && line.ends_with("370k 80.0 % (4 of 30)"), "{line}");
    assert_eq!(text::front(&points(30), 20).unwrap(), "front: 370k 80.0 % (1 of 30)");
    let short =
        [999, 1000, 12_345, 99_949, 362_992, 999_499, 999_500, 2_253_738, 138_357_544].map(text::short);
    assert_eq!(short, ["999", "1.00k", "12.3k", "99.9k", "363k", "999k", "1.00M", "2.25M", "138M"]);
}

#[test]
fn durations_are_for_people() {
    let cases = [
        (0.84, "0.8 s"),
        (9.96, "10 s"),
        (34.2, "34 s"),
        (599.0, "599 s"),
        (720.0, "12 min"),
        (3599.0, "1 h 00 min"),
        (11_100.0, "3 h 05 min"),
    ];
    for (seconds, words) in cases {
        assert_eq!(text::duration(seconds), words);
    }
}
