//! A table written by hand: every expected figure is read off it.

use std::io::Write as _;
use std::path::Path;

use super::{About, End, Epoch, Row, Table, read::parse};
use crate::arch::{Shape, zoo};
use crate::study::event::EpochMetrics;
use crate::train::watch::Watch;
use crate::train::{TabularTrainer, Trainer, TrialEnd, TrialTask};

const HAND: &str = "# blocksmith table 1
# space: two
# study: by-hand
# source: trained
# input: 3x32x32
# classes: 10
# images: 2500 2000 1000
# data: CIFAR-10, of which: a part
# data hash: abc
candidate,choice.block,choice.cap,params,madds,activation_memory,seed,seconds,acc_1,acc_2,loss_1,loss_2,\
train_acc_1,train_acc_2,train_loss_1,train_loss_2,test_acc,test_loss,failed_epoch,reason
stem_c8 ir_c16,ir,,1000,20000,4096,2,1.5,30.05,41.5,2.1,1.75,31,44,2.2,1.7,40.1,1.8,,
stem_c8 ir_c16,ir,,1000,20000,4096,1,1.25,28.95,40.5,2.11,1.76,30,43,2.21,1.71,39.9,1.81,,
stem_c8 cse_c16,cse,8,900,15000,2048,1,1,25,,2.3,,26,,2.4,,,,2,\"the loss is NaN, at last\"
stem_c8 cse_c16,cse,8,900,15000,2048,2,1,26,35,2.3,2,26,36,2.4,2.1,34,2.05,,
";

fn hand() -> Table {
    parse(HAND.as_bytes()).unwrap()
}

#[test]
fn a_table_reads_as_it_is_written() {
    let table = hand();
    assert_eq!(table.factors, ["block", "cap"]);
    assert_eq!((table.epochs, table.candidates(), table.rows().len()), (2, 2, 4));
    assert_eq!(table.seeds(), [1, 2]);
    let About { space, input, classes, images, data, recipe, .. } = &table.about;
    assert_eq!(
        (space.as_str(), *input, *classes, *images),
        ("two", Shape::new(3, 32, 32), 10, [2500, 2000, 1000])
    );
    assert_eq!((data.as_str(), recipe.as_str()), ("CIFAR-10, of which: a part", ""));
    let first = Row {
        candidate: "stem_c8 ir_c16".into(),
        choices: vec!["ir".into(), String::new()],
        params: 1000,
        madds: 20_000,
        activation_memory: 4096,
        seed: 2,
        seconds: 1.5,
        epochs: vec![
            Epoch { accuracy: 30.05, loss: 2.1, train_accuracy: 31.0, train_loss: 2.2 },
            Epoch { accuracy: 41.5, loss: 1.75, train_accuracy: 44.0, train_loss: 1.7 },
        ],
        end: End::Finished { accuracy: 40.1, loss: 1.8 },
    };
    assert_eq!(table.rows()[0], first);
    assert_eq!(table.rows()[2].end, End::Failed { reason: "the loss is NaN, at last".into() });
    assert_eq!(table.seconds("stem_c8 ir_c16"), Some(1.375));

    // Its own text, in gzip or not, and with other columns first, is the same table.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    for gzip in [false, true] {
        std::fs::write(&path, table.bytes(gzip).unwrap()).unwrap();
        assert_eq!(Table::read(&path).unwrap(), table);
    }
    let lines = HAND.lines().map(|line| match line.split_once(",") {
        Some((candidate, rest)) if !line.starts_with('#') => format!("{rest},{candidate}\n"),
        _ => format!("{line}\n"),
    });
    assert_eq!(parse(lines.collect::<String>().as_bytes()).unwrap().hash(), table.hash());
}

#[test]
fn losses_are_kept_to_six_digits_and_accuracies_whole() {
    let mut text = HAND.replace("30.05", "30.1234567890123").replace("2.11,", "2.1123456789,");
    text = text.replace("2.3,2,26", "inf,NaN,26");
    let text = parse(text.as_bytes()).unwrap().text().unwrap();
    assert!(text.contains(",30.1234567890123,41.5,"), "{text}");
    assert!(text.contains(",2.11235,1.76,") && text.contains(",inf,NaN,"), "{text}");
}

#[test]
fn mistakes_are_named_with_their_lines() {
    let row = "stem_c8 ir_c16,ir,,1000,20000,4096,1,1.25,28.95,40.5,";
    let cases: &[(&str, &str, &str)] = &[
        (
            "# blocksmith table 1",
            "# blocksmith table 2",
            "1: a table of format 2, and this blocksmith reads format 1",
        ),
        (
            "# blocksmith table 1",
            "trial,label",
            "1: this is no table of blocksmith, whose first line is `# blocksmith table 1`",
        ),
        ("# input: 3x32x32", "# input: 3x32", "5: `3x32` is no shape of images, such as 3x32x32"),
        ("# classes: 10\n", "", "1: the table needs a line `# classes: 10` after its first, and has none"),
        ("# classes: 10", "# classes: ten", "6: `ten` is not a number of classes"),
        ("2500 2000 1000", "2500 2000", "7: `2500 2000` is not the numbers of"),
        (",madds,", ",macs,", "10: the column `madds` is missing; a table has candidate, params, madds, "),
        (",loss_2,", ",lost_2,", "10: the column `loss_2` is missing"),
        ("choice.cap", "cap", "10: `cap` is not a column of a table of 2 epochs"),
        ("choice.cap", "choice.block", "10: two columns have the name `choice.block`"),
        (row, "stem_c8 ir_c16,ir,,1000,20000,4096,1,1.25,much,40.5,", "12: acc_1: `much` is not a number"),
        (
            row,
            "stem_c8 ir_c16,ir,,1000,20000,4096,1,1.25,101,40.5,",
            "12: acc_1: `101` is not an accuracy in percent",
        ),
        (row, "stem_c8 ir_c16,ir,,1000,20000,4096,1,1.25,,40.5,", "12: acc_1: `` is not a number"),
        (
            row,
            "stem_c8 ir_c16,ir,,1000,-2,4096,1,1.25,28.95,40.5,",
            "12: madds: `-2` is not a whole number from 0",
        ),
        (
            row,
            "stem_c8 ir_c16,ir,,1000,20000,4096,1,-1,28.95,40.5,",
            "12: seconds: -1 is not a time, 0 or more",
        ),
        (
            row,
            "stem_c8 ir_c16,ir,,1000,20000,4096,2,1.25,28.95,40.5,",
            "12: the same candidate with the same seed (2), as in line 11; take one away",
        ),
        (
            row,
            "stem_c8 ir_c16,ir,,1001,20000,4096,1,1.25,28.95,40.5,",
            "12: the same candidate with other costs or choices, as in line 11",
        ),
        (
            row,
            "stem_c8 ir_c16,ir,1000,20000,4096,1,1.25,28.95,40.5,",
            "12: this row has 19 cells where the table has 20 columns",
        ),
        (",,2,\"the", ",,3,\"the", "13: acc_2: `` is not a number"),
        (",,2,\"the", ",,1,\"the", "13: acc_1: the trial failed before this epoch"),
        (",,2,\"the", ",,x,\"the", "13: failed_epoch: `x` is not an epoch of this table, 1 to 3"),
        (
            "\nstem_c8 cse_c16,cse,8,900,15000,2048,2",
            "\n,cse,8,900,15000,2048,2",
            "14: candidate: this row names no candidate",
        ),
    ];
    for (old, new, expected) in cases {
        let text = HAND.replacen(old, new, 1);
        assert_ne!(text, HAND, "{old}");
        let (line, message) = parse(text.as_bytes()).unwrap_err();
        let found = format!("{line}: {message}");
        assert!(found.starts_with(expected), "{found}\n{expected}");
        // With the ends of lines that Windows has the numbers are the same.
        let (again, _) = parse(text.replace('\n', "\r\n").as_bytes()).unwrap_err();
        assert_eq!(again, line, "{found}");
    }
    let header: String = HAND.lines().take(10).map(|line| format!("{line}\n")).collect();
    assert_eq!(parse(header.as_bytes()).unwrap_err(), (10, "the table has no rows".into()));
    assert_eq!(parse(&header.as_bytes()[..60]).unwrap_err().0, 1);
    assert_eq!(parse(b"# blocksmith table 1\n# \xff").unwrap_err().0, 2);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = |path: &Path| Table::read(path).unwrap_err().to_string();
    let path = folder.path().join("table.csv.gz");
    assert!(message(&path).contains("there is no such table"));
    assert!(message(folder.path()).contains("cannot read this table"));
    let mut packed = hand().bytes(true).unwrap();
    packed.truncate(packed.len() / 2);
    std::fs::File::create(&path).unwrap().write_all(&packed).unwrap();
    assert!(message(&path).contains("the gzip archive is damaged"), "{}", message(&path));
}

fn trainer(epochs: usize) -> TabularTrainer {
    TabularTrainer { table: hand().into(), file: "hand.csv".into(), epochs }
}

fn task(text: &str, seed: u64) -> TrialTask {
    TrialTask {
        trial: 1,
        network: zoo::network("mix", &zoo::Options::default()).unwrap(),
        text: text.into(),
        candidate_hash: "hash".into(),
        study_seed: 7,
        seed,
        until: None,
        fine_tune: None,
    }
}

fn accuracies(epochs: &[EpochMetrics]) -> Vec<f64> {
    epochs.iter().map(|epoch| epoch.validation.accuracy).collect()
}

fn run(epochs: usize, text: &str, seed: u64) -> (TrialEnd, Vec<EpochMetrics>) {
    let mut watch = Watch::default();
    (trainer(epochs).train(&task(text, seed), &mut watch).unwrap(), watch.epochs)
}

#[test]
fn a_trial_is_the_row_of_its_candidate_and_seed() {
    let (end, epochs) = run(2, "stem_c8 ir_c16", 1);
    let TrialEnd::Finished { weights } = end else { panic!("{end:?}") };
    assert_eq!(accuracies(&epochs), [28.95, 40.5]);
    let last = &epochs[1];
    assert_eq!((last.epoch, last.seconds, last.train.loss, last.train.accuracy), (2, 1.25, 1.71, 43.0));
    assert_eq!((last.validation.loss, last.validation.images, last.train.images), (1.76, 2000, 2500));
    let test = trainer(2).test(&task("stem_c8 ir_c16", 1), &weights, &|| false).unwrap().unwrap();
    assert_eq!((test.accuracy, test.loss, test.images), (39.9, 1.81, 1000));
    assert_eq!(trainer(2).test(&task("stem_c8 ir_c16", 2), &weights, &|| false).unwrap_err().exit_code(), 2);
    // One epoch is the beginning of two, and the table has no test figures for it.
    let (_, epochs) = run(1, "stem_c8 ir_c16", 1);
    assert_eq!(accuracies(&epochs), [28.95]);
    assert_eq!(
        trainer(1).test(&task("stem_c8 ir_c16", 1), &weights, &|| false).unwrap().unwrap().accuracy,
        28.95
    );
}

/// Of the seeds 1 and 2 an even seed takes the first, an odd one the second.
#[test]
fn a_seed_that_the_table_lacks_takes_one_that_it_has() {
    for (seed, expected) in [(1, 28.95), (2, 30.05), (3, 30.05), (4, 28.95), (0, 28.95), (u64::MAX, 30.05)] {
        assert_eq!(run(2, "stem_c8 ir_c16", seed).1[0].validation.accuracy, expected, "seed {seed}");
    }
}

#[test]
fn what_failed_or_is_not_in_the_table_fails() {
    let (end, epochs) = run(2, "stem_c8 cse_c16", 1);
    assert_eq!(end, TrialEnd::Failed { epoch: 2, reason: "the loss is NaN, at last".into() });
    assert_eq!(accuracies(&epochs), [25.0]);
    // Before it failed it was well.
    assert!(matches!(run(1, "stem_c8 cse_c16", 1).0, TrialEnd::Finished { .. }));
    let TrialEnd::Failed { epoch: 1, reason } = run(2, "stem_c8 cn_c16", 1).0 else { panic!() };
    assert!(reason.starts_with("`stem_c8 cn_c16` is not among the 2 candidates of hand.csv"), "{reason}");
    let TrialEnd::Failed { epoch: 1, reason } = run(3, "stem_c8 ir_c16", 1).0 else { panic!() };
    assert!(reason.starts_with("hand.csv has 2 epochs of each trial, so 3 cannot be replayed"), "{reason}");
}

#[test]
fn a_stopped_trial_goes_on_where_it_was() {
    let (whole, expected) = run(2, "stem_c8 ir_c16", 2);
    for stop in 1..=2 {
        let mut watch = Watch { stop_before: Some(stop), ..Watch::default() };
        let task = task("stem_c8 ir_c16", 2);
        assert_eq!(trainer(2).train(&task, &mut watch).unwrap(), TrialEnd::Interrupted);
        watch.stop_before = None;
        assert_eq!(trainer(2).train(&task, &mut watch).unwrap(), whole);
        assert_eq!(watch.epochs, expected);
    }
}
